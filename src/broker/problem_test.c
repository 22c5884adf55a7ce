#include "broker/problem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <jansson.h>

#include "broker/envelope.h"

static json_t *put(const struct problem *p) {
  struct buf b = buf_new(65536);
  problem_put(&b, p);
  assert_false(b.bad);
  json_t *object = json_loadb((const char *)b.data, b.len, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(object);
  buf_free(&b);
  return object;
}

static void test_a_problem_as_it_is_sent(void **state) {
  (void)state;
  static const struct problem_fact facts[] = {{"limit_bytes", 1310720}};
  const struct problem p = {.why = RESULT_BODY_TOO_LARGE,
                            .detail = span_text("say \"less\""),
                            .trace = span_text("t-1"),
                            .facts = facts,
                            .fact_count = 1};
  struct buf b = buf_new(1024);
  problem_put(&b, &p);
  assert_true(span_is(buf_span(&b),
                      "{\"type\":\"urn:neocompute:problem:body_too_large\",\"title\":\"request body too large\","
                      "\"status\":413,\"detail\":\"say \\\"less\\\"\",\"code\":\"HTTP_413\",\"error_code\":"
                      "\"body_too_large\",\"message\":\"request body too large\",\"details\":{\"limit_bytes\":1310720},"
                      "\"trace_id\":\"t-1\"}"));
  buf_free(&b);
}

static void assert_member(const json_t *object, const char *name, const char *want) {
  assert_string_equal(json_string_value(json_object_get(object, name)), want);
}

static void test_every_result_has_one(void **state) {
  (void)state;
  for (int r = 0; r <= RESULT_COUNT; r++) {
    json_t *object = put(&(struct problem){.why = (enum result)r});
    char type[128], code[16];
    int status = problem_status((enum result)r);
    snprintf(type, sizeof type, PROBLEM_TYPE "%s", result_name((enum result)r));
    snprintf(code, sizeof code, "HTTP_%d", status);
    assert_in_range(status, 400, 599);
    assert_true(status == result_status((enum result)r) || result_status((enum result)r) == 200);
    assert_member(object, "type", type);
    assert_member(object, "title", result_sentence((enum result)r));
    assert_member(object, "message", result_sentence((enum result)r));
    assert_member(object, "error_code", result_name((enum result)r));
    assert_member(object, "code", code);
    assert_int_equal(json_integer_value(json_object_get(object, "status")), status);
    assert_null(json_object_get(object, "detail"));
    assert_null(json_object_get(object, "trace_id"));
    json_decref(object);
  }
}

/* What the reference's clients match on. */
static void test_the_references_sentences(void **state) {
  (void)state;
  static const struct {
    enum result why;
    const char *code, *message;
  } cases[] = {{RESULT_UNAUTHORIZED, "HTTP_401", "unauthorized"},
               {RESULT_BAD_REQUEST, "HTTP_400", "invalid request body"},
               {RESULT_SCRIPT_REQUIRED, "HTTP_400", "script required"},
               {RESULT_JOB_NOT_FOUND, "HTTP_404", "job not found"},
               {RESULT_BODY_TOO_LARGE, "HTTP_413", "request body too large"},
               {RESULT_SCRIPT_TOO_LARGE, "HTTP_413", "script exceeds maximum size of 102400 bytes"},
               {RESULT_INPUT_TOO_LARGE, "HTTP_413", "input exceeds maximum size of 1048576 bytes"},
               {RESULT_TOO_MANY_SECRETS, "HTTP_400", "too many secret references (max 10)"},
               {RESULT_TOO_MANY_JOBS, "HTTP_429", "too many concurrent jobs (max 5)"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    json_t *object = put(&(struct problem){.why = cases[i].why});
    assert_member(object, "code", cases[i].code);
    assert_member(object, "message", cases[i].message);
    json_decref(object);
  }
  json_t *object =
      put(&(struct problem){.why = RESULT_TOO_MANY_JOBS, .message = span_text("too many concurrent jobs (max 7)")});
  assert_member(object, "error_code", "too_many_jobs");
  assert_member(object, "message", "too many concurrent jobs (max 7)");
  json_decref(object);
}

static void assert_limit(enum result why, const char *name, long long want) {
  static const struct problem_fact more[] = {{"got", UINT64_MAX / 2}};
  json_t *object = put(&(struct problem){.why = why, .facts = more, .fact_count = 1});
  json_t *details = json_object_get(object, "details");
  assert_int_equal(json_object_size(details), 2);
  assert_int_equal(json_integer_value(json_object_get(details, name)), want);
  assert_int_equal(json_integer_value(json_object_get(details, "got")), (long long)(UINT64_MAX / 2));
  json_decref(object);
}

static void test_fixed_limits_are_named(void **state) {
  (void)state;
  assert_limit(RESULT_SCRIPT_TOO_LARGE, "limit_bytes", ENVELOPE_SCRIPT_MAX);
  assert_limit(RESULT_INPUT_TOO_LARGE, "limit_bytes", ENVELOPE_INPUT_MAX);
  assert_limit(RESULT_TOO_MANY_SECRETS, "limit", ENVELOPE_SECRETS_MAX);
}

/* A detail quotes what strangers sent. */
static void test_any_detail_makes_valid_json(void **state) {
  (void)state;
  uint8_t every[255];
  for (size_t i = 0; i < sizeof every; i++) every[i] = (uint8_t)(i + 1);
  for (size_t len = 1; len <= sizeof every; len++) {
    json_t *object = put(&(struct problem){.why = RESULT_BAD_REQUEST, .detail = span_of(every, len)});
    assert_non_null(json_object_get(object, "detail"));
    json_decref(object);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_problem_as_it_is_sent),     cmocka_unit_test(test_every_result_has_one),
      cmocka_unit_test(test_the_references_sentences),    cmocka_unit_test(test_fixed_limits_are_named),
      cmocka_unit_test(test_any_detail_makes_valid_json),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
