/*
 * Jobs, from EXECUTE to ENDED: what a job asks for is checked and hashed, it waits for a worker, runs under the
 * keeper's clock, and ends in exactly one ENDED with its receipt, whatever its worker did.
 */
#pragma once

#include "keeper/outcome.h"
#include "keeper/prepare.h"
#include "keeper/sealed.h"
#include "keeper/workers.h"

struct jobs;

struct jobs_setup {
  struct event_base *base;
  struct keys *keys;
  const struct identity *identity; /* known before the first message */
  struct workers *workers;
  struct scripts *scripts;
  struct secrets *secrets;
  struct fetches_setup fetches;
  struct sealed_replays *replays;
  uint32_t most; /* jobs at a time */
  /* A message to the broker. */
  void (*tell)(void *context, struct buf *message);
  void *context;
};

enum result must_use jobs_new(const struct jobs_setup *setup, struct jobs **out);

/* Messages from the broker; RESULT_PEER_LIED for one that it may not send. */
enum result must_use jobs_execute(struct jobs *j, struct span body);
enum result must_use jobs_cancel(struct jobs *j, struct span body);

/* From the pool: `job` is what workers_give was called with. */
void jobs_idle(struct jobs *j);
void jobs_log(struct jobs *j, void *job, const struct wire_log *entry);
void jobs_fetch(struct jobs *j, void *job, const struct wire_fetch *fetch);
void jobs_abort(struct jobs *j, void *job, uint32_t number);
void jobs_done(struct jobs *j, void *job, const struct wire_done *done);

size_t jobs_count(const struct jobs *j);
/* NULL is fine. Jobs that run are dropped without a word: before workers_free. */
void jobs_free(struct jobs *j);
