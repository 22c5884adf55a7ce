/* The pool alone: its supervisor and its workers are this test. Time is a number. */
#include "keeper/workers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define SLOTS 64
#define ENGINE "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct event_base *base;
static struct workers *pool;
static int ends[SLOTS]; /* the workers' ends of their sockets */
static bool asked[SLOTS], killed[SLOTS];
static unsigned spawns, kills, nice_level, met, idles, logs, dones;
static bool welcome;
static struct wire_done last;
static void *last_job;
static enum result failure;

static void on_spawn(void *context, uint32_t number) {
  (void)context;
  assert_true(number < SLOTS && !asked[number]);
  asked[number] = true;
  killed[number] = false;
  spawns++;
}
static void on_kill(void *context, uint32_t number) {
  (void)context;
  assert_true(number < SLOTS && asked[number] && !killed[number]);
  killed[number] = true;
  kills++;
}
static void on_nice(void *context, uint32_t number, uint32_t level) {
  (void)context, (void)number;
  nice_level = level;
}
static bool on_meet(void *context, const struct wire_ready *ready) {
  (void)context;
  assert_true(span_is(ready->engine_id, ENGINE));
  met++;
  return welcome;
}
static void on_idle(void *context) {
  (void)context;
  idles++;
}
static void on_failed(void *context, enum result why) {
  (void)context;
  failure = why;
}
static void on_log(void *context, void *job, const struct wire_log *entry) {
  (void)context, (void)entry;
  last_job = job;
  logs++;
}
static void on_done(void *context, void *job, const struct wire_done *done) {
  (void)context;
  last = *done;
  last_job = job;
  dones++;
}

static int open_pool(void **state) {
  (void)state;
  static const struct workers_hooks hooks = {.spawn = on_spawn,
                                             .kill = on_kill,
                                             .nice = on_nice,
                                             .meet = on_meet,
                                             .idle = on_idle,
                                             .failed = on_failed,
                                             .log = on_log,
                                             .done = on_done};
  memset(ends, -1, sizeof ends);
  memset(asked, 0, sizeof asked);
  memset(killed, 0, sizeof killed);
  spawns = kills = nice_level = met = idles = logs = dones = 0;
  last_job = NULL;
  failure = RESULT_OK;
  welcome = true;
  base = event_base_new();
  assert_int_equal(workers_new(base, 4, 2, &hooks, &pool), RESULT_OK);
  return 0;
}

static int close_pool(void **state) {
  (void)state;
  workers_free(pool);
  event_base_free(base);
  for (size_t i = 0; i < SLOTS; i++)
    if (ends[i] >= 0) close(ends[i]);
  return 0;
}

static void turn(void) {
  assert_true(event_base_loop(base, EVLOOP_NONBLOCK) >= 0);
}

static void say(uint32_t number, struct buf *b) {
  assert_int_equal(msg_send_built(ends[number], b), RESULT_OK);
  buf_free(b);
  turn();
}

static void say_ready(uint32_t number) {
  struct buf b = buf_new(1024);
  wire_put_ready(&b, &(struct wire_ready){.engine_id = span_text(ENGINE), .fences = SANDBOX_ALL});
  say(number, &b);
}

static void say_done(uint32_t number, uint64_t id, bool reusable) {
  struct buf b = buf_new(1024);
  wire_put_done(&b, &(struct wire_done){.id = id, .output = span_text("{}"), .reusable = reusable});
  say(number, &b);
}

static void start(uint32_t number) {
  int pair[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  if (ends[number] >= 0) close(ends[number]);
  ends[number] = pair[1];
  assert_int_equal(workers_started(pool, number, pair[0]), RESULT_OK);
}

static void gone(uint32_t number) {
  asked[number] = false;
  assert_int_equal(workers_gone(pool, number), RESULT_OK);
}

/* Two workers, 0 and 1, idle. */
static void begin(void) {
  workers_want(pool, 0, 1000);
  assert_int_equal(spawns, 2);
  for (uint32_t i = 0; i < 2; i++) {
    start(i);
    say_ready(i);
  }
  assert_int_equal(met, 2);
  assert_int_equal(idles, 2);
}

static struct worker *give(void *job, uint64_t id) {
  struct wire_job m = wire_default_job(span_text("x"));
  m.id = id;
  m.entry = span_text("main");
  return workers_give(pool, job, &m);
}

static int jobs[8];

static void test_grows_to_most(void **state) {
  (void)state;
  begin();
  assert_non_null(give(&jobs[0], 1));
  assert_int_equal(spawns, 3); /* two are to be idle beside it */
  assert_non_null(give(&jobs[1], 2));
  assert_int_equal(spawns, 4);
  assert_null(give(&jobs[2], 3));
  workers_want(pool, 5, 1000);
  assert_int_equal(spawns, 4); /* and no more than that */
  for (uint32_t i = 2; i < 4; i++) {
    start(i);
    say_ready(i);
    assert_non_null(give(&jobs[i], i));
  }
  const struct workers_count c = workers_count(pool);
  assert_int_equal(c.busy, 4);
  assert_int_equal(c.idle + c.starting, 0);
  assert_int_equal(c.started, 4);
}

static void test_shrinks_when_idle(void **state) {
  (void)state;
  begin();
  assert_non_null(give(&jobs[0], 1));
  assert_non_null(give(&jobs[1], 2));
  for (uint32_t i = 2; i < 4; i++) {
    start(i);
    say_ready(i);
  }
  say_done(0, 1, true);
  say_done(1, 2, true);
  assert_int_equal(dones, 2);
  workers_tick(pool, 5000);
  assert_int_equal(kills, 0);
  workers_tick(pool, 20000); /* the busy time is forgotten here */
  workers_tick(pool, 31001);
  assert_int_equal(workers_count(pool).idle, 2);
  assert_int_equal(kills, 2);
  workers_tick(pool, 90000);
  assert_int_equal(kills, 2);
  assert_int_equal(spawns, 4);
}

static void test_replaces_what_cannot_be_used_again(void **state) {
  (void)state;
  begin();
  assert_non_null(give(&jobs[0], 1));
  const uint32_t busy = workers_count(pool).busy;
  assert_int_equal(busy, 1);
  say_done(0, 1, false);
  assert_int_equal(dones, 1);
  assert_ptr_equal(last_job, &jobs[0]);
  assert_int_equal(last.result, RESULT_OK);
  assert_true(killed[0]);
  assert_int_equal(workers_count(pool).busy, 0);
  assert_int_equal(workers_count(pool).idle + workers_count(pool).starting, 2);
  gone(0);
  assert_int_equal(dones, 1);
}

static void test_worker_goes_mid_job(void **state) {
  (void)state;
  begin();
  assert_non_null(give(&jobs[0], 1));
  close(ends[0]);
  ends[0] = -1;
  turn();
  assert_int_equal(dones, 1);
  assert_int_equal(last.result, RESULT_WORKER_LOST);
  assert_true(killed[0]); /* its socket ended; that it did is to be made certain */
  gone(0);
  /* heard from the supervisor first */
  assert_non_null(give(&jobs[1], 2));
  gone(1);
  assert_int_equal(dones, 2);
  assert_ptr_equal(last_job, &jobs[1]);
  assert_int_equal(last.result, RESULT_WORKER_LOST);
}

static void test_lie(void **state) {
  (void)state;
  begin();
  assert_non_null(give(&jobs[0], 1));
  say_done(0, 77, true);
  assert_int_equal(dones, 1);
  assert_int_equal(last.result, RESULT_WORKER_LIED);
  assert_true(killed[0]);
  /* an idle one that speaks out of turn */
  say_done(1, 1, true);
  assert_int_equal(dones, 1);
  assert_int_equal(failure, RESULT_WORKER_LIED);
  assert_true(killed[1]);
  assert_int_equal(workers_count(pool).idle, 0);
}

static void test_two_answers_in_one_go(void **state) {
  (void)state;
  struct buf b = buf_new(1024);
  begin();
  assert_non_null(give(&jobs[0], 1));
  for (int i = 0; i < 2; i++) {
    wire_put_done(&b, &(struct wire_done){.id = 1, .output = span_text("{}"), .reusable = true});
    assert_int_equal(msg_send_built(ends[0], &b), RESULT_OK);
  }
  buf_free(&b);
  turn();
  assert_int_equal(dones, 1);
  assert_int_equal(last.result, RESULT_OK);
  assert_true(killed[0]);
}

static void test_taken_away(void **state) {
  (void)state;
  begin();
  struct worker *k = give(&jobs[0], 1);
  assert_non_null(k);
  workers_nice(k, 10);
  assert_int_equal(nice_level, 10);
  workers_take(k);
  assert_true(killed[0]);
  uint8_t byte;
  struct wire_job m;
  struct buf b = buf_new(WIRE_JOB_MAX);
  assert_int_equal(msg_receive(ends[0], &byte, &b), RESULT_OK);
  assert_true(byte == WIRE_JOB && wire_get_job(buf_span(&b), &m));
  assert_int_equal(read(ends[0], &byte, 1), 0); /* nothing it says is heard any more */
  buf_free(&b);
  gone(0);
  assert_int_equal(dones, 0);
}

static void test_nice_again(void **state) {
  (void)state;
  begin();
  workers_nice(give(&jobs[0], 1), 19);
  assert_int_equal(nice_level, 19);
  say_done(0, 1, true);
  assert_int_equal(nice_level, 0);
  /* Until it has its priority back it gets no job, and nobody is started in its place. */
  const unsigned before = spawns;
  workers_want(pool, 0, 1000);
  assert_int_equal(workers_count(pool).idle, 1);
  assert_int_equal(spawns, before);
  assert_int_equal(workers_restored(pool, 0), RESULT_OK);
  assert_int_equal(workers_count(pool).idle, 2);
  assert_int_equal(workers_restored(pool, 0), RESULT_PEER_LIED);
  assert_int_equal(workers_restored(pool, SLOTS), RESULT_PEER_LIED);
}

/* It cannot have it: another takes its place, and no job is lost with it. */
static void test_nice_for_ever(void **state) {
  (void)state;
  begin();
  workers_nice(give(&jobs[0], 1), 19);
  say_done(0, 1, true);
  gone(0);
  assert_int_equal(dones, 1);
  assert_int_equal(last.result, RESULT_OK);
  assert_int_equal(failure, RESULT_OK);
  assert_non_null(give(&jobs[1], 2));
  assert_int_equal(workers_count(pool).busy, 1);
}

static void test_not_welcome(void **state) {
  (void)state;
  welcome = false;
  workers_want(pool, 0, 1000);
  start(0);
  say_ready(0);
  assert_true(killed[0]);
  assert_int_equal(idles, 0);
  assert_null(give(&jobs[0], 1));
  assert_int_equal(workers_count(pool).failures, 1);
}

/* A start that fails is tried again, but not at once. */
static void test_failed_starts(void **state) {
  (void)state;
  workers_want(pool, 3, 1000);
  assert_int_equal(spawns, 3);
  for (uint32_t i = 0; i < 3; i++) gone(i);
  assert_int_equal(spawns, 3);
  workers_tick(pool, 2000);
  assert_int_equal(spawns, 6);
  assert_int_equal(workers_count(pool).failures, 3);
  start(0);
  say_ready(0);
  assert_int_equal(workers_count(pool).failures, 0);
  /* the others never get ready */
  workers_tick(pool, 12001);
  assert_int_equal(kills, 2);
}

static void test_supervisor_lies(void **state) {
  (void)state;
  int pair[2];
  begin();
  assert_int_equal(workers_gone(pool, 2), RESULT_PEER_LIED);
  assert_int_equal(workers_gone(pool, 4000000000u), RESULT_PEER_LIED);
  static const uint32_t wrong[] = {0, 3, 4000000000u};
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(workers_started(pool, wrong[i], pair[0]), RESULT_PEER_LIED);
    close(pair[1]);
  }
}

#define POOL_TEST(test) cmocka_unit_test_setup_teardown(test, open_pool, close_pool)

int main(void) {
  const struct CMUnitTest tests[] = {
      POOL_TEST(test_grows_to_most),
      POOL_TEST(test_shrinks_when_idle),
      POOL_TEST(test_replaces_what_cannot_be_used_again),
      POOL_TEST(test_worker_goes_mid_job),
      POOL_TEST(test_lie),
      POOL_TEST(test_two_answers_in_one_go),
      POOL_TEST(test_taken_away),
      POOL_TEST(test_nice_again),
      POOL_TEST(test_nice_for_ever),
      POOL_TEST(test_not_welcome),
      POOL_TEST(test_failed_starts),
      POOL_TEST(test_supervisor_lies),
  };
  return cmocka_run_group_tests_name("keeper_workers", tests, NULL, NULL);
}
