#include "keeper/reply.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/json.h"

#define JOB "0197a1b2-0000-7000-8000-000000000001"
#define STARTED "\"started_at\":\"2026-11-23T18:00:00.5Z\""
#define USAGE "\"usage\":{\"steps\":7,\"cpu_us\":1,\"wall_us\":2,\"memory_peak_bytes\":3,\"log_entries_dropped\":4}"

static const struct wire_done usual = {.steps = 7, .cpu_ns = 1999, .wall_ns = 2000, .memory_peak = 3, .log_dropped = 4};

static struct reply reply_of(const struct wire_done *done) {
  return (struct reply){.job = span_text(JOB),
                        .done = done,
                        .entry = span_text("main"),
                        .script_bytes = 49,
                        .started_ns = 1795456800500000000u,
                        .duration_ns = 12300000};
}

static void expect(const struct reply *r, const char *text) {
  struct buf b = buf_new(1u << 20);
  reply_put(&b, r);
  assert_false(b.bad);
  assert_int_equal(json_check(buf_span(&b), 10), RESULT_OK);
  if (!span_is(buf_span(&b), text)) print_error("%.*s\n", (int)b.len, (const char *)b.data);
  assert_true(span_is(buf_span(&b), text));
  buf_free(&b);
}

static void test_completed(void **state) {
  (void)state;
  struct wire_done done = usual;
  done.output = span_text("{\"n\":1e+21}");
  struct reply r = reply_of(&done);
  r.logs = span_text("\"a\",\"b\"");
  r.output_hash = span_text("aa");
  r.signature = span_text("bb");
  r.receipt = span_text("x.y.z");
  r.receipt_salt = span_text("c2FsdA");
  r.attestation = span_text("cc");
  expect(&r, "{\"job_id\":\"" JOB
             "\",\"status\":\"completed\",\"output\":{\"n\":1e+21},\"logs\":[\"a\",\"b\"],"
             "\"gas_used\":490," STARTED ",\"duration\":\"12.3ms\",\"output_hash\":\"aa\",\"signature\":\"bb\"," USAGE
             ",\"receipt\":\"x.y.z\",\"receipt_salt\":\"c2FsdA\",\"attestation\":\"cc\",\"secrets\":[]}");
  r.hide_output = true;
  r.encrypted_output = span_text("dd==");
  expect(&r, "{\"job_id\":\"" JOB "\",\"status\":\"completed\",\"logs\":[\"a\",\"b\"],\"gas_used\":490," STARTED
             ",\"duration\":\"12.3ms\",\"encrypted_output\":\"dd==\",\"signature\":\"bb\"," USAGE
             ",\"receipt\":\"x.y.z\",\"receipt_salt\":\"c2FsdA\",\"attestation\":\"cc\",\"secrets\":[]}");
}

static void test_running(void **state) {
  (void)state;
  struct reply r = reply_of(NULL);
  r.running = true;
  expect(&r, "{\"job_id\":\"" JOB "\",\"status\":\"running\",\"gas_used\":490," STARTED "}");
}

static void test_failed(void **state) {
  (void)state;
  static const struct {
    enum result result;
    const char *error, *stack;
    uint32_t line, column;
    const char *text; /* from "error" to "gas_used" */
  } cases[] = {
      {RESULT_EXECUTION_ERROR, "TypeError: x is not a function", "    at main (script.js:2:3)\n", 2, 3,
       "\"error\":\"execution error: TypeError: x is not a function\",\"error_code\":\"execution_error\","
       "\"error_details\":{\"name\":\"TypeError\",\"message\":\"x is not a function\","
       "\"stack\":\"    at main (script.js:2:3)\\n\",\"line\":2,\"column\":3}"},
      {RESULT_SYNTAX_ERROR, "SyntaxError: unexpected token", "", 1, 9,
       "\"error\":\"script error: SyntaxError: unexpected token\",\"error_code\":\"syntax_error\","
       "\"error_details\":{\"name\":\"SyntaxError\",\"message\":\"unexpected token\",\"line\":1,\"column\":9}"},
      /* an Error without message; one whose name is none */
      {RESULT_SCRIPT_ERROR, "RangeError", "at x", 0, 0,
       "\"error\":\"script error: RangeError\",\"error_code\":\"script_error\","
       "\"error_details\":{\"name\":\"RangeError\",\"message\":\"\",\"stack\":\"at x\"}"},
      {RESULT_SCRIPT_ERROR, "not a name: \"q\"", "at x", 0, 0,
       "\"error\":\"script error: not a name: \\\"q\\\"\",\"error_code\":\"script_error\","
       "\"error_details\":{\"message\":\"not a name: \\\"q\\\"\",\"stack\":\"at x\"}"},
      {RESULT_SCRIPT_ERROR, "name:no space", "at x", 0, 0,
       "\"error\":\"script error: name:no space\",\"error_code\":\"script_error\","
       "\"error_details\":{\"message\":\"name:no space\",\"stack\":\"at x\"}"},
      /* a thrown string is no Error, whatever it says */
      {RESULT_EXECUTION_ERROR, "TypeError: not one", "", 0, 0,
       "\"error\":\"execution error: TypeError: not one\",\"error_code\":\"execution_error\""},
      {RESULT_ENTRY_NOT_FOUND, "", "", 0, 0,
       "\"error\":\"entry point 'main' is not a function\",\"error_code\":\"entry_not_found\""},
      {RESULT_TIMEOUT, "", "", 0, 0, "\"error\":\"execution timeout\",\"error_code\":\"timeout\""},
      {RESULT_SECRET_NOT_FOUND, "api_key", "", 0, 0,
       "\"error\":\"secret not found: api_key\",\"error_code\":\"secret_not_found\""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct wire_done done = usual;
    struct buf want = buf_new(4096);
    done.result = cases[i].result;
    done.error = span_text(cases[i].error);
    done.stack = span_text(cases[i].stack);
    done.line = cases[i].line;
    done.column = cases[i].column;
    done.output = span_text("{\"never\":1}");
    const struct reply r = reply_of(&done);
    buf_printf(&want,
               "{\"job_id\":\"" JOB "\",\"status\":\"failed\",\"logs\":[],%s,\"gas_used\":490," STARTED
               ",\"duration\":\"12.3ms\"," USAGE ",\"secrets\":[]}",
               cases[i].text);
    buf_put_u8(&want, 0);
    expect(&r, (const char *)want.data);
    buf_free(&want);
  }
}

/* A name that is not the caller's to choose a JSON member with. */
static void test_entry_is_escaped(void **state) {
  (void)state;
  struct wire_done done = usual;
  struct buf b = buf_new(4096);
  done.result = RESULT_ENTRY_NOT_FOUND;
  struct reply r = reply_of(&done);
  r.entry = span_text("\",\"status\":\"completed");
  reply_put(&b, &r);
  assert_int_equal(json_check(buf_span(&b), 10), RESULT_OK);
  assert_null(memmem(b.data, b.len, "\"status\":\"completed\"", 20));
  buf_free(&b);
}

static void test_no_room(void **state) {
  (void)state;
  struct wire_done done = usual;
  done.output = span_text("{\"n\":1}");
  const struct reply r = reply_of(&done);
  struct buf whole = buf_new(4096);
  reply_put(&whole, &r);
  for (size_t size = 0; size < whole.len; size++) {
    char memory[4096];
    struct buf b = buf_fixed(memory, size);
    reply_put(&b, &r);
    assert_true(b.bad);
  }
  buf_free(&whole);
}

static void test_fault(void **state) {
  (void)state;
  struct buf b = buf_new(4096);
  reply_put_fault(&b, span_text(JOB), RESULT_CRYPTO);
  assert_true(span_is(buf_span(&b), "{\"job_id\":\"" JOB "\",\"status\":\"failed\","
                                    "\"error\":\"a cryptographic operation failed\",\"error_code\":\"crypto\"}"));
  buf_free(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_completed),        cmocka_unit_test(test_running), cmocka_unit_test(test_failed),
      cmocka_unit_test(test_entry_is_escaped), cmocka_unit_test(test_no_room), cmocka_unit_test(test_fault),
  };
  return cmocka_run_group_tests_name("keeper_reply", tests, NULL, NULL);
}
