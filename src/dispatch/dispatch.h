/*
 * One worker process and the conversation with it: start, give a job, hear log lines and the answer, replace it when it
 * fails.
 *
 * The clock here is the last word: a worker that has not answered DISPATCH_GRACE_MS after its job's time-out is killed.
 * Whatever a worker does (die, lie, hang), the caller gets one outcome and may go on with the next job.
 */
#pragma once

#include "dispatch/conversation.h"

struct dispatch;

struct dispatch_hooks {
  void *context;
  /* A log entry of the running job; the text is valid UTF-8 and lives until the call returns. */
  void (*log)(void *context, uint8_t level, struct span text);
};

/* Opens the worker's program and starts a worker. RESULT_IO if there is no such program or it does not start,
 * RESULT_SANDBOX_REFUSED if it could not fence itself. */
enum result must_use dispatch_start(const char *program, struct dispatch **out);

/* Runs one job to its end; starts a new worker first if the last one ended. Fills `done` in every case: what went wrong
 * with the worker (RESULT_TIMEOUT if it had to be killed for that, RESULT_WORKER_LOST, RESULT_WORKER_LIED, …) is
 * done->result. Its spans hold until the next call. */
void dispatch_run(struct dispatch *d, const struct wire_job *job, const struct dispatch_hooks *hooks,
                  struct wire_done *done);

/* What the present worker said of itself; its spans hold until the worker is replaced. */
const struct wire_ready *dispatch_worker(const struct dispatch *d);
/* The present worker's process id, 0 if there is none. For tests and logs. */
pid_t dispatch_pid(const struct dispatch *d);

/* Ends the worker and frees. NULL is fine. */
void dispatch_free(struct dispatch *d);
