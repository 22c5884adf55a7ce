/*
 * Who may run when: a cap for each user, a fair queue across users, a cap on the whole. Pure: no clock (times come in),
 * no socket, no job's content. Every operation is O(1).
 *
 * A user's waiting jobs are served in order; users take turns (round-robin), and who had the last turn stands behind
 * everybody else who waits by the next. So nobody waits for more than one job of each other user.
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
/* `user`: 32 bytes; `now_ms` never steps back. RESULT_TOO_MANY_JOBS, RESULT_BUSY (every slot is spoken for and the
 * queue is full), RESULT_NO_MEMORY, or RESULT_OK and a ticket that waits; the job is `job` (not NULL), which
 * admission_next gives back. */
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
/* Fewer slots than jobs that run stop none of them: no other starts until enough have ended. */
void admission_set_slots(struct admission *a, unsigned slots);

struct admission_stats {
  unsigned running, waiting, users; /* users: who have a job here */
};
struct admission_stats admission_stats(const struct admission *a);
/* Frees the tickets that have not left, too; jobs are the caller's. NULL is fine. */
void admission_free(struct admission *a);
