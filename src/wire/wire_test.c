#include "wire/wire.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct span body_of(const struct buf *b) {
  return span_of(b->data + MSG_HEADER, b->len - MSG_HEADER);
}

static const uint8_t seed[32] = {1, 2, 3};

static struct wire_job sample_job(void) {
  struct wire_job job = {.id = 7,
                         .flags = WIRE_DETERMINISTIC,
                         .timeout_ms = 30000,
                         .memory = 1u << 27,
                         .steps = INT64_MAX,
                         .output = 1048576,
                         .log_entries = 100,
                         .log_entry = 4096,
                         .time_ns = 5,
                         .seed = span_of(seed, 32),
                         .repeat = 1,
                         .script = span_text("function main() {}"),
                         .name = span_text("s.js"),
                         .entry = span_text("main"),
                         .input = span_text("{}"),
                         .secret_count = 2};
  job.secrets[0] = (struct wire_secret){span_text("A"), span_text("1")};
  job.secrets[1] = (struct wire_secret){span_text("B"), span_text("")};
  return job;
}

static void test_job_round_trip(void **state) {
  (void)state;
  struct buf b = buf_new(WIRE_JOB_MAX);
  struct wire_job sent = sample_job(), got;
  wire_put_job(&b, &sent);
  assert_false(b.bad);
  assert_true(wire_get_job(body_of(&b), &got));
  assert_int_equal(got.id, 7);
  assert_int_equal(got.steps, INT64_MAX);
  assert_true(span_is(got.script, "function main() {}"));
  assert_int_equal(got.secret_count, 2);
  assert_true(span_is(got.secrets[1].name, "B"));
  assert_int_equal(got.secrets[1].value.len, 0);
  buf_free(&b);
}

/* Every truncation, and one byte too many, is refused. */
static void test_no_other_length(void **state) {
  (void)state;
  struct buf b = buf_new(WIRE_JOB_MAX);
  struct wire_job job = sample_job();
  wire_put_job(&b, &job);
  struct span body = body_of(&b);
  for (size_t len = 0; len < body.len; len++) assert_false(wire_get_job(span_of(body.data, len), &job));
  buf_put_u8(&b, 0);
  assert_false(wire_get_job(body_of(&b), &job));
  buf_free(&b);
}

static void test_bad_fields(void **state) {
  (void)state;
  struct buf b = buf_new(WIRE_JOB_MAX);
  struct wire_job job = sample_job(), got;
  job.secret_count = WIRE_SECRETS_MAX + 1;
  wire_put_job(&b, &job);
  assert_true(b.bad);
  job = sample_job();
  job.seed.len = 31;
  wire_put_job(&b, &job);
  assert_false(wire_get_job(body_of(&b), &got));
  struct wire_done done = {.reusable = true}, back;
  wire_put_done(&b, &done);
  assert_true(wire_get_done(body_of(&b), &back));
  /* A truth value that is neither 0 nor 1. */
  uint8_t copy[512];
  struct span body = body_of(&b);
  assert_true(body.len <= sizeof copy);
  memcpy(copy, body.data, body.len);
  size_t flag = body.len - 4 - 6 * 8 - 1;
  assert_int_equal(copy[flag], 1);
  copy[flag] = 2;
  assert_false(wire_get_done(span_of(copy, body.len), &back));
  buf_free(&b);
}

/* What goes in comes out, and in no other length. */
static void test_fetches(void **state) {
  (void)state;
  struct buf b = buf_new(4096), headers = buf_new(100);
  struct span name, value;
  wire_put_header(&headers, span_text("accept"), span_text("*/*"));
  wire_put_header(&headers, span_text("x"), span_text(""));
  const struct wire_fetch sent = {7, 1, span_text("POST"), span_text("https://a/"), buf_span(&headers), span_text("b"),
                                  2};
  struct wire_fetch got;
  wire_put_fetch(&b, &sent);
  for (size_t len = 0; len < b.len - MSG_HEADER; len++)
    assert_false(wire_get_fetch(span_of(b.data + MSG_HEADER, len), &got));
  assert_true(wire_get_fetch(body_of(&b), &got));
  assert_int_equal(got.id + got.number + got.redirect, 10);
  assert_true(span_is(got.method, "POST") && span_is(got.url, "https://a/") && span_is(got.body, "b"));
  struct cursor rest = cursor_of(got.headers);
  assert_true(wire_get_header(&rest, &name, &value));
  assert_true(span_is(name, "accept") && span_is(value, "*/*"));
  assert_true(wire_get_header(&rest, &name, &value));
  assert_true(span_is(name, "x") && value.len == 0);
  assert_false(wire_get_header(&rest, &name, &value));
  assert_true(cursor_end(&rest));
  rest = cursor_of(span_of(got.headers.data, got.headers.len - 1)); /* half a field */
  assert_true(wire_get_header(&rest, &name, &value));
  assert_false(wire_get_header(&rest, &name, &value));
  assert_false(cursor_end(&rest));
  const struct wire_fetched answer = {
      7, 1, RESULT_OK, span_text(""), 200, span_text("https://b/"), true, buf_span(&headers), span_text("ok")};
  struct wire_fetched back;
  wire_put_fetched(&b, &answer);
  for (size_t len = 0; len < b.len - MSG_HEADER; len++)
    assert_false(wire_get_fetched(span_of(b.data + MSG_HEADER, len), &back));
  assert_true(wire_get_fetched(body_of(&b), &back));
  assert_true(back.redirected && back.status == 200 && span_is(back.url, "https://b/") && span_is(back.body, "ok"));
  struct wire_abort abort_sent = {7, 20}, abort_got;
  wire_put_abort(&b, &abort_sent);
  assert_true(wire_get_abort(body_of(&b), &abort_got));
  assert_int_equal(abort_got.id * 100 + abort_got.number, 720);
  buf_free(&b);
  buf_free(&headers);
}

static void test_order(void **state) {
  (void)state;
  enum wire_state s = WIRE_STARTING;
  assert_false(wire_in_order(WIRE_WORKER, WIRE_DONE, &s));
  assert_false(wire_in_order(WIRE_WORKER, WIRE_LOG, &s));
  assert_false(wire_in_order(WIRE_KEEPER, WIRE_READY, &s));
  assert_true(wire_in_order(WIRE_WORKER, WIRE_READY, &s));
  assert_int_equal(s, WIRE_IDLE);
  assert_false(wire_in_order(WIRE_WORKER, WIRE_READY, &s));
  assert_false(wire_in_order(WIRE_WORKER, WIRE_LOG, &s));
  assert_false(wire_in_order(WIRE_WORKER, WIRE_JOB, &s));
  assert_false(wire_in_order(WIRE_WORKER, WIRE_FETCH, &s));
  assert_false(wire_in_order(WIRE_WORKER, WIRE_ABORT, &s));
  assert_true(wire_in_order(WIRE_KEEPER, WIRE_FETCHED, &s)); /* late: for the last job */
  assert_int_equal(s, WIRE_IDLE);
  assert_true(wire_in_order(WIRE_KEEPER, WIRE_JOB, &s));
  assert_false(wire_in_order(WIRE_KEEPER, WIRE_JOB, &s));
  assert_true(wire_in_order(WIRE_WORKER, WIRE_LOG, &s));
  assert_true(wire_in_order(WIRE_WORKER, WIRE_FETCH, &s));
  assert_true(wire_in_order(WIRE_WORKER, WIRE_ABORT, &s));
  assert_true(wire_in_order(WIRE_KEEPER, WIRE_FETCHED, &s));
  assert_false(wire_in_order(WIRE_WORKER, WIRE_FETCHED, &s));
  assert_int_equal(s, WIRE_BUSY);
  assert_true(wire_in_order(WIRE_WORKER, WIRE_DONE, &s));
  assert_int_equal(s, WIRE_IDLE);
  assert_false(wire_in_order(WIRE_WORKER, WIRE_DONE, &s));
  assert_false(wire_in_order(WIRE_WORKER, 0, &s));
  assert_false(wire_in_order(WIRE_WORKER, 255, &s));
}

/* A body larger than a socket's buffer, written by another thread, arrives whole; one over the ceiling does not. */
struct sender {
  int fd;
  struct span body;
};

static void *send_body(void *arg) {
  struct sender *s = arg;
  return msg_send(s->fd, 9, s->body) == RESULT_OK ? s : NULL;
}

static enum result exchange(size_t len, size_t max, struct buf *got) {
  int pair[2];
  pthread_t thread;
  void *sent;
  uint8_t type = 0, *data = calloc(1, len);
  data[len - 1] = 0x5a;
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  struct sender s = {pair[0], span_of(data, len)};
  assert_int_equal(pthread_create(&thread, NULL, send_body, &s), 0);
  *got = buf_new(max);
  enum result r = msg_receive(pair[1], &type, got);
  close(pair[1]);
  pthread_join(thread, &sent);
  close(pair[0]);
  free(data);
  if (r == RESULT_OK) assert_int_equal(type, 9);
  return r;
}

static void test_large_bodies(void **state) {
  (void)state;
  struct buf got;
  assert_int_equal(exchange(3000000, 3000000, &got), RESULT_OK);
  assert_int_equal(got.len, 3000000);
  assert_int_equal(got.data[got.len - 1], 0x5a);
  buf_free(&got);
  assert_int_equal(exchange(3000000, 2999999, &got), RESULT_WORKER_LIED);
  buf_free(&got);
}

static void test_end_of_stream(void **state) {
  (void)state;
  int pair[2];
  uint8_t type;
  struct buf b = buf_new(100);
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  assert_int_equal(write(pair[0], "\x05\0\0", 3), 3);
  close(pair[0]);
  assert_int_equal(msg_receive(pair[1], &type, &b), RESULT_IO);
  close(pair[1]);
  buf_free(&b);
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_job_round_trip), cmocka_unit_test(test_no_other_length),
      cmocka_unit_test(test_bad_fields),     cmocka_unit_test(test_fetches),
      cmocka_unit_test(test_order),          cmocka_unit_test(test_large_bodies),
      cmocka_unit_test(test_end_of_stream),
  };
  return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
