/*
 * What a worker may say, and when: a state machine that is fed with the messages of one worker. No socket, no clock:
 * dispatch.c (one worker, blocking) and the keeper (many, on an event loop) make the same checks with it.
 *
 * A worker says what it likes; how often and how much it may say is bounded by its job's limits, and one entry more is
 * a lie.
 */
#pragma once

#include "sandbox/sandbox.h"
#include "wire/wire.h"

/* How long after the time-out a worker may still answer by itself, in ms. It asks the script at once and leaves it 15
 * ms later. */
#define DISPATCH_GRACE_MS 35

struct conversation {
  enum wire_state state;
  struct wire_ready ready; /* its engine_id points into `engine`: not to be copied */
  char engine[64];
  uint64_t job;
  uint32_t flags, output, log_entries, log_entry; /* the present job's */
  uint32_t fetches;                               /* how many it has asked for */
};

/* A worker that has just been started. */
void conversation_begin(struct conversation *c);

/* A job goes out. RESULT_WORKER_LIED if the worker is in no state to have one. */
enum result must_use conversation_ask(struct conversation *c, const struct wire_job *job);

/* One checked message; which one is `type`. */
struct conversation_heard {
  enum wire_type type; /* READY: see conversation.ready */
  union {
    struct wire_log log;     /* LOG: valid UTF-8 */
    struct wire_fetch fetch; /* FETCH: sizes and texts as wire.h has them, the next number */
    struct wire_abort abort; /* ABORT: a number that was asked for */
    struct wire_done done;   /* DONE: output is one canonical JSON object or empty, error and stack are valid UTF-8 */
  };
};

/* Spans of `heard` point into `body`. RESULT_WORKER_LIED if the message is out of order or does not fit,
 * RESULT_SANDBOX_REFUSED if a worker says that it runs without its fence: either way it is to be killed. */
enum result must_use conversation_hear(struct conversation *c, uint8_t type, struct span body,
                                       struct conversation_heard *heard);

/* "execution error: TypeError: x is not a function": the reference's sentences where it has one. */
void conversation_put_error(struct buf *b, struct span entry, const struct wire_done *done);
