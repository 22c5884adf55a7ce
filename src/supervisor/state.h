/* The state directory: where the broker keeps its database, private to the user it runs as. */
#pragma once

#include "base/result.h"

struct state {
  char directory[4000]; /* absolute; empty: nothing is kept */
  char store[4096];     /* the database in it; empty: in memory */
  int lock;             /* held while the service runs; -1: none */
};

/* Finds (`setting` is server.state: a path, empty for the default, or "memory"), makes and locks it. The user it is
 * for, who may use it alone, is the caller, or nobody if root calls: that is who the broker runs as then.
 * RESULT_CONFIG_INVALID with a sentence in `problem`, or RESULT_IO with errno and the path in `directory`. */
enum result must_use state_open(struct state *s, const char *setting, char *const *environment, const char **problem);
void state_close(struct state *s);
