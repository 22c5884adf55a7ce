/*
 * The pool of workers: how many there are, which of them has which job, and what each may say. Workers are started and
 * killed by the supervisor; the pool says which. It grows as jobs come, to `most`, so that `idle` workers are always
 * ready beside the busy ones, and shrinks when fewer jobs come for a while; a worker that fails in any way is killed
 * and its replacement asked for at once.
 *
 * Workers are numbered from 0 to 2 * most - 1; a number is used again only after the supervisor said that its process
 * ended.
 */
#pragma once

#include <event2/event.h>

#include "dispatch/conversation.h"

struct workers;
struct worker; /* one that has a job: from workers_give until its job is done, lost or taken away */

struct workers_hooks {
  void *context;
  /* What to ask the supervisor for. */
  void (*spawn)(void *context, uint32_t number);
  void (*kill)(void *context, uint32_t number);
  void (*nice)(void *context, uint32_t number, uint32_t level);
  /* A worker introduces itself. False: it may not have jobs, and is killed. */
  bool (*meet)(void *context, const struct wire_ready *ready);
  /* A worker can be given a job. */
  void (*idle)(void *context);
  /* A worker did what it may not do, or ended of itself: for the log. */
  void (*failed)(void *context, enum result why);
  /* Of a job given with workers_give. Exactly one `done` comes, unless workers_take is called; its result is
   * RESULT_WORKER_LOST, _WORKER_LIED or _SANDBOX_REFUSED if the worker failed. */
  void (*log)(void *context, void *job, const struct wire_log *entry);
  void (*fetch)(void *context, void *job, const struct wire_fetch *fetch);
  void (*abort)(void *context, void *job, uint32_t number);
  void (*done)(void *context, void *job, const struct wire_done *done);
};

enum result must_use workers_new(struct event_base *base, uint32_t most, uint32_t idle,
                                 const struct workers_hooks *hooks, struct workers **out);

/* From the supervisor. `fd` is the pool's in every case. RESULT_PEER_LIED if no such worker was asked for. */
enum result must_use workers_started(struct workers *w, uint32_t number, int fd);
enum result must_use workers_gone(struct workers *w, uint32_t number);
/* It has its priority back, and can be given a job again. */
enum result must_use workers_restored(struct workers *w, uint32_t number);

/* How many jobs wait for a worker: starts what is missing. */
void workers_want(struct workers *w, uint32_t waiting, uint64_t now_ms);
/* Gives a job to an idle worker, the one that was busy last; those found dead are passed over. NULL if there is none,
 * or no memory for the message. */
struct worker *workers_give(struct workers *w, void *job, const struct wire_job *message);
/* Takes a job away from its worker: the worker is killed, no `done` comes. */
void workers_take(struct worker *worker);
void workers_nice(struct worker *worker, uint32_t level);
/* FETCHED, for the job that the worker has: `id` is filled in. RESULT_NO_MEMORY if it has too much to read already,
 * RESULT_PEER_LOST; no hook is called from here. */
enum result must_use workers_answer(struct worker *worker, const struct wire_fetched *fetched);

/* About once a second: kills who is idle for too long or never got ready, and tries again what failed to start. */
void workers_tick(struct workers *w, uint64_t now_ms);

struct workers_count {
  uint32_t idle, busy, starting;
  uint64_t started, killed;
  uint32_t failures; /* starts that failed since the last one that did not */
};
struct workers_count workers_count(const struct workers *w);

/* Closes all sockets, so that the workers end. NULL is fine. */
void workers_free(struct workers *w);
