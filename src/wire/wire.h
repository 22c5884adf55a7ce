/*
 * Every message between our processes: who may send it, and what its body holds. Bodies are read by typed gets that end
 * with "nothing remains"; a message that does not fit its table entry costs its sender's process its life.
 */
#pragma once

#include "base/result.h"
#include "wire/msg.h"

/* Who sends. */
enum wire_peer { WIRE_KEEPER, WIRE_WORKER };

/* When a worker may send it (or hear it): before it is ready, while idle, while it has a job. */
enum wire_state { WIRE_STARTING = 1, WIRE_IDLE = 2, WIRE_BUSY = 4 };

/* name, number, sender, states in which it is in order, state after it (0: the same) */
#define WIRE_MESSAGES(X)                             \
  X(READY, 1, WIRE_WORKER, WIRE_STARTING, WIRE_IDLE) \
  X(JOB, 2, WIRE_KEEPER, WIRE_IDLE, WIRE_BUSY)       \
  X(LOG, 3, WIRE_WORKER, WIRE_BUSY, 0)               \
  X(DONE, 4, WIRE_WORKER, WIRE_BUSY, WIRE_IDLE)      \
  X(FETCH, 5, WIRE_WORKER, WIRE_BUSY, 0)             \
  X(ABORT, 6, WIRE_WORKER, WIRE_BUSY, 0)             \
  X(FETCHED, 7, WIRE_KEEPER, WIRE_BUSY | WIRE_IDLE, 0) /* for a job that is over: dropped */

#define WIRE_NUMBER(name, number, sender, states, next) WIRE_##name = number,
enum wire_type { WIRE_MESSAGES(WIRE_NUMBER) };
#undef WIRE_NUMBER

/* Whether `sender` may send `type` in `*state`; if so, moves the state on. */
bool wire_in_order(enum wire_peer sender, uint8_t type, enum wire_state *state);

#define WIRE_SECRETS_MAX 10u
/* Largest bodies. A job: script, input, secrets of 64 KiB each, names; an answer: output, error, stack. */
#define WIRE_JOB_MAX (102400u + 1048576u + 10u * 65536u + 65536u)
#define WIRE_ANSWER_MAX (1048576u + 131072u)

/* READY: the worker's account of itself. */
struct wire_ready {
  struct span engine_id; /* 64 hexadecimal digits */
  uint32_t fences;       /* sandbox_set */
  bool image_shared;
};

/* JOB. Mirrors struct engine_job, which the sender need not know. */
struct wire_secret {
  struct span name, value;
};

enum wire_flag { WIRE_CHECK_ONLY = 1, WIRE_DETERMINISTIC = 2 };

struct wire_job {
  uint64_t id;
  uint32_t flags;
  uint64_t timeout_ms, memory, steps;
  uint32_t output, log_entries, log_entry;
  uint64_t time_ns;
  struct span seed; /* 32 bytes */
  uint32_t repeat;  /* timed, silent executions of the same job before the one that is reported; usually 0 */
  struct span script, name, entry, input;
  struct wire_secret secrets[WIRE_SECRETS_MAX];
  uint32_t secret_count;
};

/* A job with the service's default limits, the entry point main, no input, and randomness from a seed of zeros if it is
 * made deterministic. The caller sets the rest. */
struct wire_job wire_default_job(struct span script);

/* LOG */
struct wire_log {
  uint64_t id;
  uint8_t level; /* enum engine_level */
  struct span text;
};

/* DONE */
struct wire_done {
  uint64_t id;
  uint32_t result; /* enum result */
  struct span output, error, stack;
  uint32_t line, column;
  uint64_t steps, memory_peak, wall_ns, cpu_ns; /* of one execution; of the last one if repeated */
  uint32_t log_dropped;
  bool reusable; /* the worker is back to its snapshot; if not, it ends now */
  /* repeat > 0: times of one whole execution, return to the snapshot included */
  uint32_t repeat_count;
  uint64_t repeat_wall_ns, repeat_cpu_ns; /* all together */
  uint64_t repeat_p50_ns, repeat_p90_ns, repeat_p99_ns, repeat_max_ns;
};

/* FETCH: a request to the outside; answered by one FETCHED, in any order, unless the job ends first. */
#define WIRE_FETCHES_MAX 20u /* of one job; `number` goes from 1 up to this */
#define WIRE_FETCH_URL_MAX 8192u
#define WIRE_FETCH_HEADERS_MAX 16384u
#define WIRE_FETCH_BODY_MAX 1048576u
#define WIRE_FETCHED_BODY_MAX 5242880u
#define WIRE_FETCHED_MAX (WIRE_FETCHED_BODY_MAX + WIRE_FETCH_HEADERS_MAX + 2 * WIRE_FETCH_URL_MAX)
/* The largest body that a worker sends. */
#define WIRE_SAID_MAX (WIRE_ANSWER_MAX + WIRE_FETCH_HEADERS_MAX)
enum wire_redirect { WIRE_REDIRECT_FOLLOW, WIRE_REDIRECT_ERROR, WIRE_REDIRECT_MANUAL };
struct wire_fetch {
  uint64_t id; /* the job's */
  uint32_t number;
  struct span method, url;
  struct span headers; /* a list: wire_put_header */
  struct span body;
  uint8_t redirect; /* enum wire_redirect */
};

/* ABORT: nobody waits for that answer any more. */
struct wire_abort {
  uint64_t id;
  uint32_t number;
};

/* FETCHED: RESULT_OK and the response, or why there is none, with a sentence. */
struct wire_fetched {
  uint64_t id;
  uint32_t number, result;
  struct span error;
  uint32_t status;
  struct span url; /* of the last hop */
  bool redirected;
  struct span headers, body;
};

/* A list of header fields: one behind the other, read until the cursor is empty. */
void wire_put_header(struct buf *b, struct span name, struct span value);
bool wire_get_header(struct cursor *rest, struct span *name, struct span *value);

/* Each put fills `b` with a whole message for msg_send_built; each get reads a body, false if it does not fit. What get
 * returns points into the body. */
void wire_put_ready(struct buf *b, const struct wire_ready *m);
bool wire_get_ready(struct span body, struct wire_ready *m);
void wire_put_job(struct buf *b, const struct wire_job *m);
bool wire_get_job(struct span body, struct wire_job *m);
void wire_put_log(struct buf *b, const struct wire_log *m);
bool wire_get_log(struct span body, struct wire_log *m);
void wire_put_fetch(struct buf *b, const struct wire_fetch *m);
bool wire_get_fetch(struct span body, struct wire_fetch *m);
void wire_put_abort(struct buf *b, const struct wire_abort *m);
bool wire_get_abort(struct span body, struct wire_abort *m);
void wire_put_fetched(struct buf *b, const struct wire_fetched *m);
bool wire_get_fetched(struct span body, struct wire_fetched *m);
void wire_put_done(struct buf *b, const struct wire_done *m);
bool wire_get_done(struct span body, struct wire_done *m);
