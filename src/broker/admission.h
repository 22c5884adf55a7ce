/*
 * Who may run when: a cap for each user, a fair queue across users, a cap on the whole. Pure: no clock (times come in),
 * no socket, no job's content. Every operation is O(1) but admission_expire, which looks only at what has expired.
 *
 * A user's waiting jobs are served in order; users take turns (round-robin), so that one who queues five waits for
 * nobody else's turn but his own.
 */
#pragma once

#include "base/result.h"

struct admission;
struct admission_ticket; /* one job, from admission to its end */

struct admission_config {
  unsigned per_user; /* running and waiting jobs of one user [5] */
  unsigned waiting;  /* waiting jobs altogether [256] */
  unsigned slots;    /* jobs that may run at a time */
  uint64_t wait_ms;  /* longest wait [10,000] */
};

enum result must_use admission_new(const struct admission_config *config, struct admission **out);
/* `user`: 32 bytes. RESULT_TOO_MANY_JOBS, RESULT_BUSY (the queue is full) or RESULT_OK and a ticket that waits; the job
 * is `job`, which admission_next gives back. */
enum result must_use admission_enter(struct admission *a, const uint8_t user[32], void *job, uint64_t now_ms,
                                     struct admission_ticket **out);
/* The next job to run, if a slot is free and somebody waits; NULL otherwise. It counts as running from here on. */
void *admission_next(struct admission *a);
/* A job that has waited too long, taken out (its ticket is freed); NULL if there is none. Call until NULL. */
void *admission_expired(struct admission *a, uint64_t now_ms);
/* When admission_expired next has something to give, or UINT64_MAX. */
uint64_t admission_deadline(const struct admission *a);
/* The job ended or was given up, waiting or running. Frees the ticket. */
void admission_leave(struct admission *a, struct admission_ticket *ticket);
void admission_set_slots(struct admission *a, unsigned slots);

struct admission_stats {
  unsigned running, waiting, users;
};
struct admission_stats admission_stats(const struct admission *a);
void admission_free(struct admission *a);
