/* A real worker, and one that lies (tests/liar.c), under one dispatch. */
#include "dispatch/dispatch.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char logs[4096];

static void keep_log(void *context, uint8_t level, struct span text) {
  (void)context, (void)level;
  size_t used = strlen(logs);
  snprintf(logs + used, sizeof logs - used, "%.*s\n", (int)text.len, (const char *)text.data);
}

static struct wire_job job_of(const char *script) {
  static uint64_t id;
  struct wire_job job = wire_default_job(span_text(script));
  job.id = ++id;
  job.input = span_text("{\"a\":2,\"b\":3}");
  return job;
}

static struct wire_done run_for(struct dispatch *d, const char *script, uint64_t timeout_ms) {
  struct wire_job job = job_of(script);
  struct wire_done done;
  struct dispatch_hooks hooks = {.log = keep_log};
  job.timeout_ms = timeout_ms;
  logs[0] = 0;
  dispatch_run(d, &job, &hooks, &done);
  assert_int_equal(done.id, job.id);
  return done;
}

static struct wire_done run(struct dispatch *d, const char *script) {
  return run_for(d, script, 5000);
}

static struct dispatch *start(const char *program) {
  struct dispatch *d = NULL;
  assert_int_equal(dispatch_start(program, &d), RESULT_OK);
  return d;
}

#define SUM "function main(i) { console.log('hi'); return {sum: i.a + i.b} }"

static void expect_sum(struct dispatch *d) {
  struct wire_done done = run(d, SUM);
  assert_int_equal(done.result, RESULT_OK);
  assert_true(span_is(done.output, "{\"sum\":5}"));
}

static void test_runs_and_reuses(void **state) {
  (void)state;
  struct dispatch *d = start(WORKER);
  expect_sum(d);
  assert_string_equal(logs, "hi\n");
  pid_t pid = dispatch_pid(d);
  for (int i = 0; i < 20; i++) expect_sum(d);
  assert_int_equal(run(d, "function main() { throw 1 }").result, RESULT_EXECUTION_ERROR);
  assert_int_equal(run(d, "function main() { const a = []; for (;;) a.push(new Array(1e6).fill(1)) }").result,
                   RESULT_OUT_OF_MEMORY);
  expect_sum(d);
  assert_int_equal(dispatch_pid(d), pid);
  dispatch_free(d);
}

/* Wherever it hangs, the worker is stopped, and the next job has another. */
static void test_stops_whatever_hangs(void **state) {
  (void)state;
  static const char *const hangs[] = {
      "for (;;);",
      "function main() { for (;;); }",
      "function main() { /^(a+)+\\1b?c$/.test('a'.repeat(34)) }",
      "function main() { Array.prototype.indexOf.call({length: 2 ** 53 - 1}, 1) }",
      "function main() { (async () => { for (;;) await null })(); return new Promise(() => {}) }",
      "function main() { return {toJSON() { for (;;); }} }",
      "function main() { try { for (;;); } finally { for (;;); } }",
      "function main() { const a = new Uint8Array(5e7); for (;;) a.sort() }",
  };
  struct dispatch *d = start(WORKER);
  for (size_t i = 0; i < sizeof hangs / sizeof hangs[0]; i++) {
    struct wire_done done = run_for(d, hangs[i], 200);
    if (done.result != RESULT_TIMEOUT) print_error("%s: %s\n", hangs[i], result_name((enum result)done.result));
    assert_int_equal(done.result, RESULT_TIMEOUT);
    assert_true(done.wall_ns >= 200000000); /* whoever ended it */
    expect_sum(d);
  }
  dispatch_free(d);
}

struct killer {
  pid_t pid;
  long delay_ns;
};

static void *kill_later(void *arg) {
  const struct killer *k = arg;
  nanosleep(&(struct timespec){0, k->delay_ns}, NULL);
  kill(k->pid, SIGKILL);
  return NULL;
}

/* Killed before, during or after its job: one clear error or the right answer, and the next job runs. */
static void test_killed_at_any_moment(void **state) {
  (void)state;
  struct dispatch *d = start(WORKER);
  for (long i = 0; i < 60; i++) {
    /* A kill that came too late for the last job may still cost this one. */
    struct wire_done first = run(d, SUM);
    assert_true(first.result == RESULT_OK || first.result == RESULT_WORKER_LOST);
    if (dispatch_pid(d) == 0) expect_sum(d);
    struct killer k = {dispatch_pid(d), i * 40000};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, kill_later, &k), 0);
    struct wire_done done = run(d, "function main(i) { for (let n = 0; n < 3e4; n++); return {sum: i.a + i.b} }");
    pthread_join(thread, NULL);
    if (done.result == RESULT_OK)
      assert_true(span_is(done.output, "{\"sum\":5}"));
    else
      assert_int_equal(done.result, RESULT_WORKER_LOST);
  }
  (void)run(d, SUM);
  expect_sum(d);
  dispatch_free(d);
}

static void test_lies(void **state) {
  (void)state;
  static const struct {
    const char *lie;
    enum result result;
  } lies[] = {
      {"nothing", RESULT_WORKER_LOST},    {"other id", RESULT_WORKER_LIED},   {"long length", RESULT_WORKER_LIED},
      {"short body", RESULT_WORKER_LIED}, {"half", RESULT_WORKER_LOST},       {"ready again", RESULT_WORKER_LIED},
      {"bad text", RESULT_WORKER_LIED},   {"bad result", RESULT_WORKER_LIED}, {"not json", RESULT_WORKER_LIED},
      {"two values", RESULT_WORKER_LIED}, {"too much", RESULT_WORKER_LIED},   {"many logs", RESULT_WORKER_LIED},
      {"bad log", RESULT_WORKER_LIED},    {"hang", RESULT_TIMEOUT},           {"quit", RESULT_WORKER_LOST},
  };
  struct dispatch *d = start(LIAR);
  for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
    struct wire_done done = run_for(d, lies[i].lie, 300);
    if (done.result != lies[i].result) print_error("%s: %s\n", lies[i].lie, result_name((enum result)done.result));
    assert_int_equal(done.result, lies[i].result);
    assert_int_equal(done.output.len, 0);
    assert_true(done.wall_ns > 0);
    assert_int_equal(run(d, "truth").result, RESULT_OK);
  }
  /* What is left over from one job is not taken for the next one's answer. */
  assert_int_equal(run(d, "twice").result, RESULT_OK);
  assert_int_equal(run(d, "truth").result, RESULT_WORKER_LIED);
  assert_int_equal(run(d, "truth").result, RESULT_OK);
  dispatch_free(d);
}

static void test_no_worker(void **state) {
  (void)state;
  struct dispatch *d = NULL;
  assert_int_equal(dispatch_start("/nonexistent", &d), RESULT_IO);
  assert_int_equal(dispatch_start("/bin/true", &d), RESULT_SANDBOX_REFUSED);
  assert_int_equal(dispatch_start("/etc/passwd", &d), RESULT_SANDBOX_REFUSED);
  assert_null(d);
  dispatch_free(NULL);
}

static int open_descriptors(void) {
  int count = 0;
  DIR *dir = opendir("/proc/self/fd");
  while (readdir(dir) != NULL) count++;
  closedir(dir);
  return count;
}

/* Nothing is left of a worker: no descriptor, no zombie. */
static void test_leaves_nothing(void **state) {
  (void)state;
  int before = open_descriptors();
  for (int i = 0; i < 10; i++) {
    struct dispatch *d = start(WORKER);
    expect_sum(d);
    run_for(d, "for (;;);", 1);
    expect_sum(d);
    dispatch_free(d);
  }
  assert_int_equal(open_descriptors(), before);
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_runs_and_reuses),
      cmocka_unit_test(test_stops_whatever_hangs),
      cmocka_unit_test(test_killed_at_any_moment),
      cmocka_unit_test(test_lies),
      cmocka_unit_test(test_no_worker),
      cmocka_unit_test(test_leaves_nothing),
  };
  return cmocka_run_group_tests_name("dispatch", tests, NULL, NULL);
}
