#include "broker/admission.h"

#include <sys/queue.h>

#include "base/table.h"

#define USER_SIZE 32u

TAILQ_HEAD(tickets, admission_ticket);

struct user {
  uint8_t key[USER_SIZE];
  unsigned held;          /* tickets, waiting and running */
  struct tickets waiting; /* in order of arrival */
  TAILQ_ENTRY(user) turn; /* in `turns`, while somebody waits */
};

struct admission_ticket {
  struct user *user;
  void *job;
  uint64_t deadline_ms;
  bool running;
  TAILQ_ENTRY(admission_ticket) of_user; /* while it waits */
  TAILQ_ENTRY(admission_ticket) of_all;  /* in `waiting` or `running` */
};

struct admission {
  struct admission_config config;
  struct admission_stats stats;
  struct table *users;
  TAILQ_HEAD(, user) turns; /* whose turn it is, then who comes next */
  struct user *served;      /* had the last turn and waits again, still in front of `turns`; or NULL */
  struct tickets waiting;   /* in order of arrival, so of deadlines */
  struct tickets running;
};

enum result admission_new(const struct admission_config *config, struct admission **out) {
  struct admission *a = calloc(1, sizeof *a);
  if (a == NULL) return RESULT_NO_MEMORY;
  a->config = *config;
  TAILQ_INIT(&a->turns);
  TAILQ_INIT(&a->waiting);
  TAILQ_INIT(&a->running);
  enum result r = table_new(USER_SIZE, &a->users);
  if (r == RESULT_OK) {
    *out = a;
    a = NULL;
  }
  admission_free(a);
  return r;
}

/* ---- users ---- */

static enum result must_use user_of(struct admission *a, const uint8_t key[USER_SIZE], struct user **out) {
  *out = table_get(a->users, key);
  if (*out != NULL) return RESULT_OK;
  struct user *user = calloc(1, sizeof *user);
  if (user == NULL) return RESULT_NO_MEMORY;
  memcpy(user->key, key, USER_SIZE);
  TAILQ_INIT(&user->waiting);
  enum result r = table_put(a->users, key, user);
  if (r != RESULT_OK) {
    free(user);
    return r;
  }
  a->stats.users++;
  *out = user;
  return RESULT_OK;
}

/* Nobody is known longer than he has a job here. */
static void forget_if_idle(struct admission *a, struct user *user) {
  if (user->held > 0) return;
  table_remove(a->users, user->key);
  a->stats.users--;
  free(user);
}

/* ---- in and out of the queue ---- */

static void queue(struct admission *a, struct admission_ticket *t) {
  struct user *user = t->user;
  if (TAILQ_EMPTY(&user->waiting)) TAILQ_INSERT_TAIL(&a->turns, user, turn);
  TAILQ_INSERT_TAIL(&user->waiting, t, of_user);
  TAILQ_INSERT_TAIL(&a->waiting, t, of_all);
  a->stats.waiting++;
}

static void unqueue(struct admission *a, struct admission_ticket *t) {
  struct user *user = t->user;
  TAILQ_REMOVE(&user->waiting, t, of_user);
  TAILQ_REMOVE(&a->waiting, t, of_all);
  a->stats.waiting--;
  if (!TAILQ_EMPTY(&user->waiting)) return;
  TAILQ_REMOVE(&a->turns, user, turn);
  if (a->served == user) a->served = NULL;
}

/* Jobs that need not wait once admission_next is called are not what fills the queue. */
static bool is_full(const struct admission *a) {
  unsigned slots = a->config.slots, running = a->stats.running;
  unsigned free_slots = slots > running ? slots - running : 0;
  return a->stats.waiting >= free_slots && a->stats.waiting - free_slots >= a->config.waiting;
}

static enum result admit(struct admission *a, struct user *user, void *job, uint64_t now_ms,
                         struct admission_ticket **out) {
  if (user->held >= a->config.per_user) return RESULT_TOO_MANY_JOBS;
  if (is_full(a)) return RESULT_BUSY;
  struct admission_ticket *t = calloc(1, sizeof *t);
  if (t == NULL) return RESULT_NO_MEMORY;
  t->user = user;
  t->job = job;
  t->deadline_ms = now_ms + a->config.wait_ms;
  user->held++;
  queue(a, t);
  *out = t;
  return RESULT_OK;
}

enum result admission_enter(struct admission *a, const uint8_t user[USER_SIZE], void *job, uint64_t now_ms,
                            struct admission_ticket **out) {
  struct user *known;
  enum result r = user_of(a, user, &known);
  if (r != RESULT_OK) return r;
  r = admit(a, known, job, now_ms, out);
  if (r != RESULT_OK) forget_if_idle(a, known);
  return r;
}

/* Only now, not when he was served: so he stands behind everybody who came in between. */
static void pass_the_turn(struct admission *a) {
  if (a->served == NULL) return;
  TAILQ_REMOVE(&a->turns, a->served, turn);
  TAILQ_INSERT_TAIL(&a->turns, a->served, turn);
  a->served = NULL;
}

void *admission_next(struct admission *a) {
  if (a->stats.waiting == 0 || a->stats.running >= a->config.slots) return NULL;
  pass_the_turn(a);
  struct user *user = TAILQ_FIRST(&a->turns);
  struct admission_ticket *t = TAILQ_FIRST(&user->waiting);
  a->served = user;
  unqueue(a, t);
  TAILQ_INSERT_TAIL(&a->running, t, of_all);
  t->running = true;
  a->stats.running++;
  return t->job;
}

void admission_leave(struct admission *a, struct admission_ticket *t) {
  struct user *user = t->user;
  if (t->running) {
    TAILQ_REMOVE(&a->running, t, of_all);
    a->stats.running--;
  } else {
    unqueue(a, t);
  }
  free(t);
  user->held--;
  forget_if_idle(a, user);
}

void *admission_expired(struct admission *a, uint64_t now_ms) {
  struct admission_ticket *t = TAILQ_FIRST(&a->waiting);
  if (t == NULL || t->deadline_ms > now_ms) return NULL;
  void *job = t->job;
  admission_leave(a, t);
  return job;
}

uint64_t admission_deadline(const struct admission *a) {
  const struct admission_ticket *first = TAILQ_FIRST(&a->waiting);
  return first == NULL ? UINT64_MAX : first->deadline_ms;
}

void admission_set_slots(struct admission *a, unsigned slots) {
  a->config.slots = slots;
}

struct admission_stats admission_stats(const struct admission *a) {
  return a->stats;
}

static void leave_all(struct admission *a, struct tickets *list) {
  for (struct admission_ticket *t = TAILQ_FIRST(list), *next; t != NULL; t = next) {
    next = TAILQ_NEXT(t, of_all);
    admission_leave(a, t);
  }
}

void admission_free(struct admission *a) {
  if (a == NULL) return;
  leave_all(a, &a->waiting);
  leave_all(a, &a->running);
  table_free(a->users);
  free(a);
}
