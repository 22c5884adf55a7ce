/* A process that the supervisor started: its socket, its end, and no zombie (child.c). Or a thread of its own, where
 * all is one process (thread/thread.c): then "process" below means that. */
#pragma once

#include <event2/event.h>
#include <signal.h>

#include "sandbox/sandbox.h"

struct child;

/* Opens the program at `path`, whose descriptor child_start takes; -1 and errno. Threads are all of this program. */
int child_program(const char *path);

struct child_hooks {
  void *context;
  /* It has ended and is reaped; `end` is what waitid(2) says. Comes from the loop, at most once. */
  void (*ended)(void *context, const siginfo_t *end);
};

/* Starts `program` in `role`. `*socket` is our end of its descriptor 0, the caller's from here on. */
enum result must_use child_start(struct event_base *base, enum sandbox_role role, const char *name, int program,
                                 const struct child_hooks *hooks, int *socket, struct child **out);
void child_kill(const struct child *c);
/* Its scheduling priority, 0 to 19. RESULT_IO and errno if the system does not allow it. */
enum result must_use child_nice(const struct child *c, int level);
/* Waits at most so long for it to end by itself; true if it does just now, and `ended` is not called any more. */
bool child_wait(struct child *c, int ms, siginfo_t *end);
/* Kills it if it still lives, and reaps it. NULL is fine. */
void child_free(struct child *c);
