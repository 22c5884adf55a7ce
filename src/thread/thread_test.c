/* A worker as a thread: it ends when it is told to, whatever it is doing or has not begun to do. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "supervisor/child.h"
#include "wire/msg.h"
#include "wire/wire.h"

#define END_MS 10000

static struct event_base *base;
static struct child *worker;
static int sock;

static void on_ended(void *context, const siginfo_t *end) {
  (void)context, (void)end;
  fail_msg("the loop does not run here");
}

static void start(void) {
  const struct child_hooks hooks = {.ended = on_ended};
  uint8_t type;
  struct buf body = buf_new(WIRE_SAID_MAX);
  const int program = child_program("");
  assert_int_equal(child_start(base, SANDBOX_WORKER, "worker", program, &hooks, &sock, &worker), RESULT_OK);
  assert_int_equal(msg_receive(sock, &type, &body), RESULT_OK);
  assert_int_equal(type, WIRE_READY);
  buf_free(&body);
}

/* A loop inside one native function: only a jump out of it ends it. */
static void send_endless_job(void) {
  struct wire_job job =
      wire_default_job(span_text("function main() { Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1) }"));
  struct buf b = buf_new(WIRE_JOB_MAX + MSG_HEADER);
  job.id = 1;
  job.input = span_text("{}");
  job.timeout_ms = 120000;
  wire_put_job(&b, &job);
  assert_int_equal(msg_send_built(sock, &b), RESULT_OK);
  buf_free(&b);
}

static void expect_end(void) {
  siginfo_t end;
  assert_true(child_wait(worker, END_MS, &end));
  assert_int_equal(end.si_code, CLD_EXITED);
  child_free(worker);
  close(sock);
}

static void test_told_before_its_job(void **state) {
  (void)state;
  for (int i = 0; i < 20; i++) {
    start();
    child_kill(worker);
    usleep((useconds_t)i * 1000); /* the signal has come, or has not */
    send_endless_job();
    expect_end();
  }
}

static void test_told_during_its_job(void **state) {
  (void)state;
  for (int i = 0; i < 20; i++) {
    start();
    send_endless_job();
    usleep((useconds_t)i * 1000);
    child_kill(worker);
    expect_end();
  }
}

static void test_socket_closed(void **state) {
  (void)state;
  start();
  assert_int_equal(shutdown(sock, SHUT_RDWR), 0);
  expect_end();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_told_before_its_job),
      cmocka_unit_test(test_told_during_its_job),
      cmocka_unit_test(test_socket_closed),
  };
  base = event_base_new();
  const int failed = base == NULL ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
  event_base_free(base);
  return failed;
}
