#include "dispatch/conversation.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ENGINE "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define ID 7u

static struct conversation talk;

static struct span body_of(const struct buf *b) {
  return span_of(b->data + MSG_HEADER, b->len - MSG_HEADER);
}

static enum result say_ready(const char *engine, sandbox_set fences) {
  struct buf b = buf_new(1024);
  struct conversation_heard heard;
  wire_put_ready(&b, &(struct wire_ready){.engine_id = span_text(engine), .fences = fences});
  enum result r = conversation_hear(&talk, WIRE_READY, body_of(&b), &heard);
  buf_free(&b);
  return r;
}

static enum result say_done(const struct wire_done *done) {
  struct buf b = buf_new(4u << 20);
  struct conversation_heard heard;
  wire_put_done(&b, done);
  enum result r = conversation_hear(&talk, WIRE_DONE, body_of(&b), &heard);
  if (r == RESULT_OK) assert_int_equal(heard.type, WIRE_DONE);
  buf_free(&b);
  return r;
}

static enum result say_log_at(uint8_t level, uint64_t id, struct span text) {
  struct buf b = buf_new(65536);
  struct conversation_heard heard;
  wire_put_log(&b, &(struct wire_log){.id = id, .level = level, .text = text});
  enum result r = conversation_hear(&talk, WIRE_LOG, body_of(&b), &heard);
  if (r == RESULT_OK) assert_true(heard.type == WIRE_LOG && heard.log.text.len == text.len);
  buf_free(&b);
  return r;
}

static enum result say_log(uint64_t id, struct span text) {
  return say_log_at(0, id, text);
}

static struct wire_job usual(void) {
  struct wire_job job = wire_default_job(span_text("x"));
  job.id = ID;
  job.output = 20;
  job.log_entries = 2;
  job.log_entry = 10;
  return job;
}

static void ask(const struct wire_job *job) {
  conversation_begin(&talk);
  assert_int_equal(say_ready(ENGINE, SANDBOX_ALL), RESULT_OK);
  assert_int_equal(conversation_ask(&talk, job), RESULT_OK);
}

static void test_ready(void **state) {
  (void)state;
  const struct wire_job job = usual();
  conversation_begin(&talk);
  assert_int_equal(conversation_ask(&talk, &job), RESULT_WORKER_LIED);
  assert_int_equal(say_ready("0011", SANDBOX_ALL), RESULT_WORKER_LIED);
  conversation_begin(&talk);
  assert_int_equal(say_ready(ENGINE, SANDBOX_ALL), RESULT_OK);
  assert_true(span_is(talk.ready.engine_id, ENGINE));
  assert_int_equal(say_ready(ENGINE, SANDBOX_ALL), RESULT_WORKER_LIED);
  conversation_begin(&talk);
  assert_int_equal(say_ready(ENGINE, SANDBOX_ALL & ~(1u << SANDBOX_BIT_SYSTEM_CALLS)), RESULT_SANDBOX_REFUSED);
  conversation_begin(&talk); /* quotation marks in an id would end up in our JSON */
  assert_int_equal(say_ready("\"\"112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", SANDBOX_ALL),
                   RESULT_WORKER_LIED);
}

static void test_done(void **state) {
  (void)state;
  static char long_text[65537];
  memset(long_text, 'x', sizeof long_text);
  const struct {
    struct wire_done done;
    enum result expected;
  } cases[] = {
      {{.id = ID, .output = span_text("{}")}, RESULT_OK},
      {{.id = ID, .output = span_text("{\"a\":\"345678901\"}")}, RESULT_OK},
      {{.id = ID, .output = span_text("{\"a\":\"34567890123456\"}")}, RESULT_WORKER_LIED}, /* 21 bytes */
      {{.id = ID + 1, .output = span_text("{}")}, RESULT_WORKER_LIED},
      {{.id = ID}, RESULT_WORKER_LIED},
      {{.id = ID, .output = span_text("[]")}, RESULT_WORKER_LIED},
      {{.id = ID, .output = span_text("{},\"a\":1")}, RESULT_WORKER_LIED},
      {{.id = ID, .output = span_text("{\"b\":1,\"a\":2}")}, RESULT_WORKER_LIED},
      {{.id = ID, .result = RESULT_TIMEOUT}, RESULT_OK},
      {{.id = ID, .result = RESULT_TIMEOUT, .output = span_text("{}")}, RESULT_WORKER_LIED},
      {{.id = ID, .result = RESULT_SCRIPT_ERROR, .error = span_text("\xff")}, RESULT_WORKER_LIED},
      {{.id = ID, .result = RESULT_SCRIPT_ERROR, .stack = span_text("\xed\xa0\x80")}, RESULT_WORKER_LIED},
      {{.id = ID, .result = RESULT_SCRIPT_ERROR, .error = span_of(long_text, 65536)}, RESULT_OK},
      {{.id = ID, .result = RESULT_SCRIPT_ERROR, .error = span_of(long_text, 65537)}, RESULT_WORKER_LIED},
      {{.id = ID, .output = span_text("{}"), .steps = UINT64_C(1) << 53}, RESULT_WORKER_LIED},
      {{.id = ID, .output = span_text("{}"), .cpu_ns = UINT64_C(1) << 53}, RESULT_WORKER_LIED},
      {{.id = ID, .output = span_text("{}"), .wall_ns = UINT64_MAX}, RESULT_WORKER_LIED},
      {{.id = ID, .output = span_text("{}"), .memory_peak = UINT64_MAX}, RESULT_WORKER_LIED},
      /* results that are ours to give */
      {{.id = ID, .result = RESULT_CANCELLED}, RESULT_WORKER_LIED},
      {{.id = ID, .result = RESULT_INTERRUPTED}, RESULT_WORKER_LIED},
      {{.id = ID, .result = RESULT_SECRET_NOT_FOUND}, RESULT_WORKER_LIED},
      {{.id = ID, .result = RESULT_CRYPTO}, RESULT_WORKER_LIED},
      {{.id = ID, .result = RESULT_COUNT}, RESULT_WORKER_LIED},
  };
  const struct wire_job job = usual();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    ask(&job);
    const enum result r = say_done(&cases[i].done);
    if (r != cases[i].expected) print_error("case %zu\n", i);
    assert_int_equal(r, cases[i].expected);
  }
}

static void test_one_answer(void **state) {
  (void)state;
  const struct wire_job job = usual();
  ask(&job);
  assert_int_equal(say_done(&(struct wire_done){.id = ID, .output = span_text("{}")}), RESULT_OK);
  assert_int_equal(say_done(&(struct wire_done){.id = ID, .output = span_text("{}")}), RESULT_WORKER_LIED);
}

static void test_check_only(void **state) {
  (void)state;
  struct wire_job job = usual();
  job.flags = WIRE_CHECK_ONLY;
  ask(&job);
  assert_int_equal(say_done(&(struct wire_done){.id = ID}), RESULT_OK);
  ask(&job);
  assert_int_equal(say_done(&(struct wire_done){.id = ID, .output = span_text("{}")}), RESULT_WORKER_LIED);
}

static void test_logs(void **state) {
  (void)state;
  const struct wire_job job = usual();
  const struct span cut = span_text("0123456789...(truncated)");
  ask(&job);
  assert_int_equal(say_log(ID, span_text("")), RESULT_OK);
  assert_int_equal(say_log(ID, cut), RESULT_OK);
  assert_int_equal(say_log(ID, span_text("a third")), RESULT_WORKER_LIED);
  ask(&job);
  assert_int_equal(say_log(ID, span_text("0123456789...(truncated)x")), RESULT_WORKER_LIED);
  ask(&job);
  assert_int_equal(say_log(ID + 1, span_text("x")), RESULT_WORKER_LIED);
  ask(&job);
  assert_int_equal(say_log(ID, span_text("\xc3")), RESULT_WORKER_LIED);
  ask(&job);
  assert_int_equal(say_log_at(4, ID, span_text("x")), RESULT_OK);
  assert_int_equal(say_log_at(5, ID, span_text("x")), RESULT_WORKER_LIED); /* there is no such level */
  conversation_begin(&talk);
  assert_int_equal(say_log(ID, span_text("x")), RESULT_WORKER_LIED);
}

static enum result say_fetch(const struct wire_fetch *fetch) {
  struct buf b = buf_new(4u << 20);
  struct conversation_heard heard;
  wire_put_fetch(&b, fetch);
  enum result r = conversation_hear(&talk, WIRE_FETCH, body_of(&b), &heard);
  if (r == RESULT_OK) assert_true(heard.type == WIRE_FETCH && heard.fetch.number == fetch->number);
  buf_free(&b);
  return r;
}

static enum result say_abort(uint64_t id, uint32_t number) {
  struct buf b = buf_new(100);
  struct conversation_heard heard;
  wire_put_abort(&b, &(struct wire_abort){id, number});
  enum result r = conversation_hear(&talk, WIRE_ABORT, body_of(&b), &heard);
  buf_free(&b);
  return r;
}

static struct wire_fetch usual_fetch(uint32_t number) {
  return (struct wire_fetch){
      .id = ID, .number = number, .method = span_text("GET"), .url = span_text("https://a.example/")};
}

static void test_fetches(void **state) {
  (void)state;
  const struct wire_job job = usual();
  ask(&job);
  for (uint32_t number = 1; number <= WIRE_FETCHES_MAX; number++) {
    const struct wire_fetch fetch = usual_fetch(number);
    assert_int_equal(say_fetch(&fetch), RESULT_OK);
  }
  assert_int_equal(say_abort(ID, WIRE_FETCHES_MAX), RESULT_OK);
  const struct wire_fetch one_more = usual_fetch(WIRE_FETCHES_MAX + 1);
  assert_int_equal(say_fetch(&one_more), RESULT_WORKER_LIED);
  ask(&job); /* the next job counts from one again */
  const struct wire_fetch second = usual_fetch(2), first = usual_fetch(1);
  assert_int_equal(say_fetch(&second), RESULT_WORKER_LIED);
  ask(&job);
  assert_int_equal(say_fetch(&first), RESULT_OK);
  assert_int_equal(say_fetch(&first), RESULT_WORKER_LIED);
  conversation_begin(&talk);
  assert_int_equal(say_ready(ENGINE, SANDBOX_ALL), RESULT_OK);
  assert_int_equal(say_fetch(&first), RESULT_WORKER_LIED); /* it has no job */
}

static void test_what_is_no_fetch(void **state) {
  (void)state;
  static uint8_t big[WIRE_FETCH_BODY_MAX + 1];
  static char long_url[WIRE_FETCH_URL_MAX + 1];
  memset(long_url, 'u', sizeof long_url);
  static const uint8_t half_field[] = {1, 0, 0, 0, 'a'};
  struct wire_fetch bad[10];
  for (size_t i = 0; i < 10; i++) bad[i] = usual_fetch(1);
  bad[0].id = ID + 1;
  bad[1].number = 0;
  bad[2].redirect = 3;
  bad[3].method = span_text("");
  bad[4].method = span_of(long_url, 33);
  bad[5].url = span_text("");
  bad[6].url = span_of(long_url, sizeof long_url);
  bad[7].url = span_text("https://\xff/");
  bad[8].body = span_of(big, sizeof big);
  bad[9].headers = span_of(half_field, sizeof half_field);
  const struct wire_job job = usual();
  for (size_t i = 0; i < 10; i++) {
    ask(&job);
    assert_int_equal(say_fetch(&bad[i]), RESULT_WORKER_LIED);
  }
  struct wire_fetch largest = usual_fetch(1);
  largest.body = span_of(big, WIRE_FETCH_BODY_MAX);
  largest.url = span_of(long_url, WIRE_FETCH_URL_MAX);
  ask(&job);
  assert_int_equal(say_fetch(&largest), RESULT_OK);
  assert_int_equal(say_abort(ID, 2), RESULT_WORKER_LIED);
  ask(&job);
  assert_int_equal(say_abort(ID, 1), RESULT_WORKER_LIED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ready),
      cmocka_unit_test(test_done),
      cmocka_unit_test(test_one_answer),
      cmocka_unit_test(test_check_only),
      cmocka_unit_test(test_logs),
      cmocka_unit_test(test_fetches),
      cmocka_unit_test(test_what_is_no_fetch),
  };
  return cmocka_run_group_tests_name("conversation", tests, NULL, NULL);
}
