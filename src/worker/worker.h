/* The worker, wherever it lives: a program of its own (main.c), or a thread of the service (src/thread). */
#pragma once

#include "sandbox/sandbox.h"

/* Time is up: first the script is asked (most loops poll), this much later it is left by force; the keeper gives up
 * after that. */
#define WORKER_PATIENCE_US 15000u

struct worker_place {
  struct sandbox_place place;
  int program; /* a descriptor of the running program, for engine_open; the worker closes it if it is alone */
  /* Has worker_alarm called on this thread by a signal handler after so many milliseconds, and again every
   * WORKER_PATIENCE_US; 0: not any more. */
  void (*set_alarm)(void *context, uint64_t ms);
  void *context;
};

/* Runs until the keeper closes the socket or the engine cannot be fresh again; returns the exit status. */
int worker_main(const struct worker_place *place);
/* Async-signal-safe. */
void worker_alarm(void);
