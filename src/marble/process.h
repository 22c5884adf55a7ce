/* The environment and the arguments that the service starts with. Private to src/marble. */
#pragma once

#include "marble/message.h"

/* Whether the Coordinator may set this variable: keys and settings of the service, and `extra` (a list that ends with
 * NULL). None that the dynamic linker, the C library or OpenSSL heed, none that names a program: nobody has verified
 * the Coordinator, and those decide which code runs behind our measurement. */
bool must_use process_may_set(const char *const *extra, struct span name);

/* Strings and the array of them, ended by NULL, as execve(2) wants them. */
struct process_block {
  char **strings;
  size_t count;
};

/* `given`, in which what the Coordinator sends takes the place of what has the same name. RESULT_CONFIG_INVALID with a
 * sentence in `problem`, or RESULT_NO_MEMORY. `out` is to be freed in any case. */
enum result must_use process_environment(struct process_block *out, char *const *given, const parameters *p,
                                         const char *const *extra, struct buf *problem);
/* The Coordinator's, or `given` (ended by NULL) if it sends none. */
enum result must_use process_arguments(struct process_block *out, char *const *given, const parameters *p,
                                       struct buf *problem);
/* Wipes. */
void process_free(struct process_block *block);
