#include "broker/admission.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define USERS 8u
#define JOBS 20000u

/* A job is its number, as a pointer into this. */
static char jobs[JOBS];

static void *job(unsigned number) {
  return &jobs[number];
}

static const uint8_t *user(unsigned number) {
  static uint8_t keys[USERS][32];
  keys[number][0] = (uint8_t)(number >> 1);
  keys[number][31] = (uint8_t)(number & 1);
  return keys[number];
}

static struct admission *new_admission(unsigned per_user, unsigned waiting, unsigned slots) {
  struct admission *a;
  struct admission_config config = {per_user, waiting, slots, 10000};
  assert_int_equal(admission_new(&config, &a), RESULT_OK);
  return a;
}

static struct admission_ticket *enter(struct admission *a, unsigned who, unsigned number) {
  struct admission_ticket *t;
  assert_int_equal(admission_enter(a, user(who), job(number), 0, &t), RESULT_OK);
  return t;
}

static void assert_refused(struct admission *a, unsigned who, enum result want) {
  struct admission_stats before = admission_stats(a), after;
  struct admission_ticket *t = NULL;
  assert_int_equal(admission_enter(a, user(who), job(0), 0, &t), want);
  assert_null(t);
  after = admission_stats(a);
  assert_memory_equal(&before, &after, sizeof before);
}

static void assert_stats(const struct admission *a, unsigned running, unsigned waiting, unsigned users) {
  struct admission_stats s = admission_stats(a);
  assert_int_equal(s.running, running);
  assert_int_equal(s.waiting, waiting);
  assert_int_equal(s.users, users);
}

static void test_cap_of_a_user(void **state) {
  (void)state;
  struct admission *a = new_admission(2, 10, 1);
  struct admission_ticket *first = enter(a, 0, 1);
  enter(a, 0, 2);
  assert_refused(a, 0, RESULT_TOO_MANY_JOBS);
  assert_ptr_equal(admission_next(a), job(1));
  /* A running job counts like one that waits. */
  assert_refused(a, 0, RESULT_TOO_MANY_JOBS);
  enter(a, 1, 3);
  admission_leave(a, first);
  enter(a, 0, 4);
  assert_refused(a, 0, RESULT_TOO_MANY_JOBS);
  assert_stats(a, 0, 3, 2);
  admission_free(a);
}

static void test_cap_of_the_queue(void **state) {
  (void)state;
  struct admission *a = new_admission(5, 3, 2);
  for (unsigned i = 0; i < 5; i++) enter(a, i, i);
  assert_refused(a, 6, RESULT_BUSY);
  assert_ptr_equal(admission_next(a), job(0));
  assert_ptr_equal(admission_next(a), job(1));
  assert_null(admission_next(a));
  assert_stats(a, 2, 3, 5);
  assert_refused(a, 6, RESULT_BUSY);
  /* A user over his own cap hears of that. */
  admission_set_slots(a, 4);
  assert_ptr_equal(admission_next(a), job(2));
  enter(a, 2, 7);
  admission_free(a);
}

/* Without a queue, a free slot still takes a job. */
static void test_no_queue(void **state) {
  (void)state;
  struct admission *a = new_admission(5, 0, 1);
  struct admission_ticket *t = enter(a, 0, 1);
  assert_refused(a, 1, RESULT_BUSY);
  assert_ptr_equal(admission_next(a), job(1));
  assert_refused(a, 1, RESULT_BUSY);
  admission_leave(a, t);
  enter(a, 1, 2);
  admission_free(a);
}

static void test_refused_stranger_is_forgotten(void **state) {
  (void)state;
  struct admission *a = new_admission(0, 1, 1);
  assert_refused(a, 0, RESULT_TOO_MANY_JOBS);
  assert_stats(a, 0, 0, 0);
  admission_free(a);
  admission_free(NULL);
}

static void test_users_take_turns(void **state) {
  (void)state;
  static const unsigned order[] = {0, 10, 20, 1, 11, 2, 3, 4};
  struct admission *a = new_admission(5, 256, 16);
  for (unsigned i = 0; i < 5; i++) enter(a, 0, i);
  enter(a, 1, 10);
  enter(a, 1, 11);
  enter(a, 2, 20);
  for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) assert_ptr_equal(admission_next(a), job(order[i]));
  assert_null(admission_next(a));
  admission_free(a);
}

/* One slot, and a user who always has five jobs here: whoever else comes is next, every time he comes; and then it is
 * the first one's turn again. */
static void test_who_queues_five_holds_nobody_up(void **state) {
  (void)state;
  struct admission *a = new_admission(5, 256, 1);
  static struct admission_ticket *greedy[JOBS];
  unsigned sent = 0;
  for (; sent < 5; sent++) greedy[sent] = enter(a, 0, sent);
  for (unsigned round = 0; round < 100; round++) {
    assert_ptr_equal(admission_next(a), job(round));
    struct admission_ticket *modest = enter(a, 1, JOBS - 1);
    admission_leave(a, greedy[round]);
    greedy[sent] = enter(a, 0, sent);
    sent++;
    assert_ptr_equal(admission_next(a), job(JOBS - 1));
    admission_leave(a, modest);
  }
  admission_free(a);
}

static void test_expiry(void **state) {
  (void)state;
  struct admission *a = new_admission(5, 256, 1);
  struct admission_ticket *t[4];
  assert_true(admission_deadline(a) == UINT64_MAX);
  assert_null(admission_expired(a, UINT64_MAX));
  for (unsigned i = 0; i < 4; i++)
    assert_int_equal(admission_enter(a, user(i % 2), job(i), 100 + 10 * i, &t[i]), RESULT_OK);
  assert_int_equal(admission_deadline(a), 10100);
  assert_ptr_equal(admission_next(a), job(0)); /* what runs does not expire */
  assert_int_equal(admission_deadline(a), 10110);
  assert_null(admission_expired(a, 10109));
  assert_ptr_equal(admission_expired(a, 10110), job(1));
  assert_null(admission_expired(a, 10110));
  assert_stats(a, 1, 2, 2);
  assert_ptr_equal(admission_expired(a, 20000), job(2));
  assert_ptr_equal(admission_expired(a, 20000), job(3));
  assert_null(admission_expired(a, 20000));
  assert_stats(a, 1, 0, 1);
  admission_leave(a, t[0]);
  assert_stats(a, 0, 0, 0);
  admission_free(a);
}

static void test_fewer_slots(void **state) {
  (void)state;
  struct admission *a = new_admission(5, 256, 3);
  struct admission_ticket *t[5];
  for (unsigned i = 0; i < 5; i++) t[i] = enter(a, i, i);
  for (unsigned i = 0; i < 3; i++) assert_ptr_equal(admission_next(a), job(i));
  admission_set_slots(a, 1);
  admission_leave(a, t[0]);
  assert_null(admission_next(a));
  admission_leave(a, t[1]);
  assert_null(admission_next(a));
  admission_leave(a, t[2]);
  assert_ptr_equal(admission_next(a), job(3));
  assert_null(admission_next(a));
  admission_set_slots(a, 0);
  admission_leave(a, t[3]);
  assert_null(admission_next(a));
  admission_free(a);
}

/* ---- random acts, against the same rules written without any cleverness ---- */

struct entry {
  unsigned user, number;
  uint64_t deadline;
  bool running;
  struct admission_ticket *ticket;
};

struct model {
  struct entry entries[JOBS]; /* in order of arrival */
  unsigned count;
  unsigned turns[USERS], turn_count;
  int served; /* -1: nobody */
  struct admission_config config;
};

static unsigned count_of(const struct model *m, int who, bool running) {
  unsigned n = 0;
  for (unsigned i = 0; i < m->count; i++)
    n += (who < 0 || m->entries[i].user == (unsigned)who) && m->entries[i].running == running;
  return n;
}

static void remove_turn(struct model *m, unsigned who) {
  unsigned kept = 0;
  for (unsigned i = 0; i < m->turn_count; i++)
    if (m->turns[i] != who) m->turns[kept++] = m->turns[i];
  m->turn_count = kept;
  if (m->served == (int)who) m->served = -1;
}

static enum result model_enter(struct model *m, unsigned who, unsigned number, uint64_t now) {
  unsigned running = count_of(m, -1, true), waiting = count_of(m, -1, false);
  unsigned mine = count_of(m, (int)who, false);
  unsigned room = m->config.waiting + (m->config.slots > running ? m->config.slots - running : 0);
  if (mine + count_of(m, (int)who, true) >= m->config.per_user) return RESULT_TOO_MANY_JOBS;
  if (waiting >= room) return RESULT_BUSY;
  m->entries[m->count++] = (struct entry){.user = who, .number = number, .deadline = now + m->config.wait_ms};
  if (mine == 0) m->turns[m->turn_count++] = who;
  return RESULT_OK;
}

static void model_remove(struct model *m, unsigned at) {
  unsigned who = m->entries[at].user;
  m->count--;
  memmove(&m->entries[at], &m->entries[at + 1], (m->count - at) * sizeof m->entries[0]);
  if (count_of(m, (int)who, false) == 0) remove_turn(m, who);
}

static void *model_next(struct model *m) {
  if (m->turn_count == 0 || count_of(m, -1, true) >= m->config.slots) return NULL;
  if (m->served >= 0) {
    unsigned last = (unsigned)m->served;
    remove_turn(m, last);
    m->turns[m->turn_count++] = last;
  }
  unsigned who = m->turns[0], at = 0;
  while (m->entries[at].user != who || m->entries[at].running) at++;
  m->entries[at].running = true;
  m->served = (int)who;
  if (count_of(m, (int)who, false) == 0) remove_turn(m, who);
  return job(m->entries[at].number);
}

static void *model_expired(struct model *m, uint64_t now) {
  unsigned at = 0;
  while (at < m->count && m->entries[at].running) at++;
  if (at == m->count || m->entries[at].deadline > now) return NULL;
  void *expired = job(m->entries[at].number);
  model_remove(m, at);
  return expired;
}

static uint64_t random_state;

static unsigned pick(unsigned below) {
  random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
  return (unsigned)(random_state >> 33) % below;
}

static void act(struct admission *a, struct model *m, unsigned number, uint64_t now) {
  unsigned what = pick(10);
  if (what < 5) {
    unsigned who = pick(pick(2) == 0 ? 2 : USERS);
    struct admission_ticket *t = NULL;
    enum result want = model_enter(m, who, number, now);
    assert_int_equal(admission_enter(a, user(who), job(number), now, &t), want);
    if (want == RESULT_OK) m->entries[m->count - 1].ticket = t;
  } else if (what < 7) {
    assert_ptr_equal(admission_next(a), model_next(m));
  } else if (what < 9 && m->count > 0) {
    unsigned at = pick(m->count);
    admission_leave(a, m->entries[at].ticket);
    model_remove(m, at);
  } else if (pick(20) == 0) {
    m->config.slots = pick(6);
    admission_set_slots(a, m->config.slots);
  }
}

static void compare(const struct admission *a, const struct model *m) {
  unsigned users = 0;
  uint64_t deadline = UINT64_MAX;
  for (int who = 0; who < (int)USERS; who++) users += count_of(m, who, false) + count_of(m, who, true) > 0;
  for (unsigned i = m->count; i > 0; i--)
    if (!m->entries[i - 1].running) deadline = m->entries[i - 1].deadline;
  assert_stats(a, count_of(m, -1, true), count_of(m, -1, false), users);
  assert_true(admission_deadline(a) == deadline);
}

static void test_against_a_model(void **state) {
  (void)state;
  static struct model m;
  for (uint64_t seed = 1; seed <= 10; seed++) {
    struct admission *a;
    uint64_t now = 0;
    random_state = seed;
    m = (struct model){.served = -1, .config = {1 + pick(6), pick(12), pick(6), 50}};
    assert_int_equal(admission_new(&m.config, &a), RESULT_OK);
    for (unsigned i = 0; i < JOBS; i++) {
      act(a, &m, i, now);
      now += pick(4);
      for (void *late = model_expired(&m, now);; late = model_expired(&m, now)) {
        assert_ptr_equal(admission_expired(a, now), late);
        if (late == NULL) break;
      }
      compare(a, &m);
    }
    admission_free(a);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cap_of_a_user),    cmocka_unit_test(test_cap_of_the_queue),
      cmocka_unit_test(test_no_queue),         cmocka_unit_test(test_refused_stranger_is_forgotten),
      cmocka_unit_test(test_users_take_turns), cmocka_unit_test(test_who_queues_five_holds_nobody_up),
      cmocka_unit_test(test_expiry),           cmocka_unit_test(test_fewer_slots),
      cmocka_unit_test(test_against_a_model),
  };
  return cmocka_run_group_tests_name("admission", tests, NULL, NULL);
}
