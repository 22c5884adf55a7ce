#include "broker/envelope.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/text.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define BYTES(literal) span_of(literal, sizeof(literal) - 1)

/* Exactly as long as the text, so that the sanitizer sees an overread; the last one read, kept for its envelope. */
static uint8_t *body;
static char detail[256];

static enum result read_span(struct span text, struct envelope *e) {
  free(body);
  body = malloc(text.len > 0 ? text.len : 1);
  assert_non_null(body);
  if (text.len > 0) memcpy(body, text.data, text.len);
  memset(detail, 'x', sizeof detail);
  enum result r = envelope_read(span_of(body, text.len), e, detail, sizeof detail);
  assert_non_null(memchr(detail, 0, sizeof detail));
  assert_int_equal(r == RESULT_OK || r == RESULT_NO_MEMORY, detail[0] == '\0');
  assert_true(text_utf8_valid(span_text(detail)));
  return r;
}

static void assert_text(struct span got, const char *want) {
  if (!span_is(got, want)) fail_msg("\"%.*s\", not \"%s\"", (int)got.len, (const char *)got.data, want);
}

static struct envelope accept(const char *text) {
  struct envelope e;
  if (read_span(span_text(text), &e) != RESULT_OK) fail_msg("%s: %s", text, detail);
  return e;
}

static void assert_refused(struct span text, enum result want, const char *why) {
  struct envelope e;
  enum result got = read_span(text, &e);
  if (got != want || strcmp(detail, why) != 0) {
    fail_msg("%.*s: %s, %s", (int)text.len, (const char *)text.data, result_name(got), detail);
  }
}

/* ---- what is accepted ---- */

static void test_a_script_is_enough(void **state) {
  (void)state;
  struct envelope e = accept("{\"script\":\"1\"}");
  assert_text(e.script, "1");
  assert_text(e.entry, "main");
  assert_text(e.input, "{}");
  assert_int_equal(e.nonce.len + e.app_id.len + e.script_name.len + e.hosts.len + e.secret_count, 0);
  assert_int_equal(e.timeout_ms, 30000);
  assert_int_equal(e.memory, 128 << 20);
  assert_true(e.steps == INT64_MAX);
  assert_false(e.async || e.deterministic);
  envelope_free(&e);
}

static void test_every_member(void **state) {
  (void)state;
  struct envelope e = accept(
      " {\"limits\": {\"steps\": 9007199254740992, \"memory_mb\": 16, \"hosts\": [\"a.ex\\u0061mple\", "
      "\"*.b.example\", \"[2001:db8::1]\"]}, \"async\": true, \"deterministic\": true,\n"
      "\"nonce\": \"n-1 [x]\", \"app_id\": \"an-app_1.x\", \"timeout\": 7, \"entry_point\": "
      "\"$r_1\","
      "\"secret_refs\": [\"b\", \"secrets:a\", \"secrets:b\", \"a.B-9_\"], \"input\": { \"z\": 1 , \"a\": [ ] } ,"
      "\"script\": \"f()\\n\\u0041\\ud83d\\ude00\"} ");
  assert_text(e.script, "f()\nA\xF0\x9F\x98\x80");
  assert_text(e.entry, "$r_1");
  assert_text(e.input, "{ \"z\": 1 , \"a\": [ ] }");
  assert_text(e.nonce, "n-1 [x]");
  assert_text(e.app_id, "an-app_1.x");
  assert_text(e.hosts, "a.example\n*.b.example\n[2001:db8::1]");
  assert_int_equal(e.secret_count, 3);
  assert_text(e.secrets[0], "b");
  assert_text(e.secrets[1], "a");
  assert_text(e.secrets[2], "a.B-9_");
  assert_int_equal(e.timeout_ms, 7000);
  assert_int_equal(e.memory, 16 << 20);
  assert_true(e.steps == UINT64_C(1) << 53);
  assert_true(e.async && e.deterministic);
  envelope_free(&e);
}

static void test_null_and_empty_are_absent(void **state) {
  (void)state;
  struct envelope e = accept(
      "{\"script\":\"1\",\"entry_point\":\"\",\"input\":null,\"secret_refs\":null,\"timeout\":null,\"app_id\":\"\","
      "\"script_name\":null,\"nonce\":\"\",\"async\":null,\"limits\":{\"steps\":null,\"memory_mb\":null},"
      "\"deterministic\":null}");
  assert_text(e.entry, "main");
  assert_text(e.input, "{}");
  assert_int_equal(e.timeout_ms, 30000);
  assert_int_equal(e.memory, 128 << 20);
  assert_true(e.steps == INT64_MAX);
  envelope_free(&e);
}

/* By its name in an app; the entry point is the manifest's affair unless one is named. */
static void test_a_script_by_name(void **state) {
  (void)state;
  struct envelope e = accept("{\"app_id\":\"a\",\"script_name\":\"s-1.js\",\"script\":\"\",\"entry_point\":null}");
  assert_text(e.app_id, "a");
  assert_text(e.script_name, "s-1.js");
  assert_int_equal(e.script.len + e.entry.len, 0);
  envelope_free(&e);
  e = accept("{\"app_id\":\"a\",\"script_name\":\"s\",\"entry_point\":\"go\"}");
  assert_text(e.entry, "go");
  envelope_free(&e);
}

static void test_hosts(void **state) {
  (void)state;
  static const char *const bad[] = {
      "\"\"",     "\"a b\"",          "\"a,b\"",      "\"a\\nb\"", "\"A.example\"", "\".a\"", "\"a.\"",
      "\"a..b\"", "\"a.example:80\"", "\"*.*\"",      "\"a/b\"",   "\"http://a\"",  "1",      "null",
      "[\"a\"]",  "\"\\ud800\"",      "\"a\\u0000\"", "\"ä\"",     "\"[::1\"",      "{}"};
  for (size_t i = 0; i < COUNT(bad); i++) {
    char text[128];
    snprintf(text, sizeof text, "{\"script\":\"1\",\"limits\":{\"hosts\":[\"ok\",%s]}}", bad[i]);
    assert_refused(span_text(text), RESULT_LIMIT_INVALID,
                   "\"limits.hosts[1]\" must be a host's name or address in lower case, \"*.\" and a name, or \"*\"");
  }
  struct buf many = buf_new(4096);
  for (unsigned count = 32; count <= 33; count++) {
    struct envelope e;
    buf_clear(&many);
    buf_put_text(&many, "{\"script\":\"1\",\"limits\":{\"hosts\":[");
    for (unsigned i = 0; i < count; i++) buf_printf(&many, "%s\"h%u\"", i > 0 ? "," : "", i);
    buf_put_text(&many, "]}}");
    assert_int_equal(read_span(buf_span(&many), &e), count == 32 ? RESULT_OK : RESULT_LIMIT_INVALID);
    if (count == 33) assert_string_equal(detail, "\"limits.hosts\" has more than 32 entries");
    envelope_free(&e);
  }
  buf_free(&many);
}

static void test_a_key_may_be_escaped(void **state) {
  (void)state;
  struct envelope e = accept("{\"\\u0073cript\":\"1\",\"t\\u0069meout\":2}");
  assert_text(e.script, "1");
  assert_int_equal(e.timeout_ms, 2000);
  envelope_free(&e);
}

static void test_the_timeout_is_clamped(void **state) {
  (void)state;
  static const struct {
    const char *text;
    uint64_t ms;
  } cases[] = {{"0", 1000},
               {"-0", 1000},
               {"-5", 1000},
               {"1", 1000},
               {"120", 120000},
               {"121", 120000},
               {"18446744073709551616", 120000},
               {"-99999999999999999999", 1000}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    char text[128];
    snprintf(text, sizeof text, "{\"script\":\"1\",\"timeout\":%s}", cases[i].text);
    struct envelope e = accept(text);
    assert_int_equal(e.timeout_ms, cases[i].ms);
    envelope_free(&e);
  }
}

/* Byte for byte, whatever JavaScript will make of it. */
static void test_input_is_as_sent(void **state) {
  (void)state;
  static const char *const inputs[] = {"{}",
                                       "{\"a\":1,\"a\":2}",
                                       "{\"n\":1e999,\"m\":-0.0,\"o\":123456789012345678901234567890}",
                                       "{\"s\":\"\\ud800\\u0000\",\"\\u0000\":[[],{}]}",
                                       "{ \"__proto__\" :\t{}\n}",
                                       "{\"script\":\"2\",\"limits\":{},\"unknown\":0}"};
  for (size_t i = 0; i < COUNT(inputs); i++) {
    char text[256];
    snprintf(text, sizeof text, "{\"input\": %s ,\"script\":\"1\"}", inputs[i]);
    struct envelope e = accept(text);
    assert_text(e.input, inputs[i]);
    assert_true(e.input.data > body && e.input.data < body + strlen(text));
    envelope_free(&e);
  }
}

static void test_a_script_may_hold_u0000(void **state) {
  (void)state;
  struct envelope e = accept("{\"script\":\"'a\\u0000b'\"}");
  assert_true(span_equal(e.script, BYTES("'a\0b'")));
  envelope_free(&e);
}

/* ---- what is refused ---- */

static const struct refusal {
  const char *text;
  enum result why;
  const char *detail;
} refusals[] = {
    {"", RESULT_BAD_REQUEST, "the body is empty"},
    {" \n", RESULT_BAD_REQUEST, "the body is empty"},
    {"null", RESULT_BAD_REQUEST, "the body must be a JSON object"},
    {"[{\"script\":\"1\"}]", RESULT_BAD_REQUEST, "the body must be a JSON object"},
    {"\"script\"", RESULT_BAD_REQUEST, "the body must be a JSON object"},
    {"\xEF\xBB\xBF{\"script\":\"1\"}", RESULT_BAD_REQUEST, "the body must be a JSON object"},
    {"{\"script\":\"1\"", RESULT_BAD_REQUEST, "the body is not JSON at byte 13"},
    {"{\"script\":\"1\"}x", RESULT_BAD_REQUEST, "the body is not JSON at byte 14"},
    {"{\"script\":\"1\"}{}", RESULT_BAD_REQUEST, "the body is not JSON at byte 14"},
    {"{\"script\":\"1\",}", RESULT_BAD_REQUEST, "the body is not JSON at byte 14"},
    {"{script:\"1\"}", RESULT_BAD_REQUEST, "the body is not JSON at byte 1"},
    {"{\"script\":'1'}", RESULT_BAD_REQUEST, "the body is not JSON at byte 10"},
    {"{\"script\":\"1\",\"input\":{\"a\":01}}", RESULT_BAD_REQUEST, "the body is not JSON at byte 29"},
    {"{\"script\":\"1\",\"input\":{\"a\":NaN}}", RESULT_BAD_REQUEST, "the body is not JSON at byte 27"},
    {"{\"script\":\"\xFF\"}", RESULT_BAD_REQUEST, "the body is not UTF-8 at byte 11"},
    {"{\"script\":\"1\",\"input\":{\"\xED\xA0\x80\":1}}", RESULT_BAD_REQUEST, "the body is not UTF-8 at byte 24"},
    {"{\"script\":\"1\"}\xC0\x80", RESULT_BAD_REQUEST, "the body is not UTF-8 at byte 14"},
    /* names */
    {"{\"script\":\"1\",\"secret_ref\":[\"a\"]}", RESULT_UNKNOWN_FIELD, "unknown field \"secret_ref\""},
    {"{\"script\":\"1\",\"Script\":\"2\"}", RESULT_UNKNOWN_FIELD, "unknown field \"Script\""},
    {"{\"\":1}", RESULT_UNKNOWN_FIELD, "unknown field \"\""},
    {"{\"script\\u0000\":\"1\"}", RESULT_UNKNOWN_FIELD, "unknown field \"script\\u0000\""},
    {"{\"\\ud800\":1}", RESULT_UNKNOWN_FIELD, "unknown field \"?\""},
    {"{\"a\\\"\\n\":1}", RESULT_UNKNOWN_FIELD, "unknown field \"a\\\"\\n\""},
    {"{\"limits.steps\":1}", RESULT_UNKNOWN_FIELD, "unknown field \"limits.steps\""},
    {"{\"script\":\"1\",\"limits\":{\"cpu\":1}}", RESULT_UNKNOWN_FIELD, "unknown field \"cpu\""},
    {"{\"script\":\"1\",\"limits\":{\"limits.steps\":1}}", RESULT_UNKNOWN_FIELD, "unknown field \"limits.steps\""},
    {"{\"script\":\"1\",\"script\":\"1\"}", RESULT_BAD_REQUEST, "\"script\" comes twice"},
    {"{\"script\":\"1\",\"s\\u0063ript\":\"1\"}", RESULT_BAD_REQUEST, "\"script\" comes twice"},
    {"{\"script\":\"1\",\"input\":null,\"input\":{}}", RESULT_BAD_REQUEST, "\"input\" comes twice"},
    {"{\"script\":\"1\",\"limits\":{\"steps\":1,\"steps\":2}}", RESULT_BAD_REQUEST, "\"limits.steps\" comes twice"},
    /* script */
    {"{}", RESULT_SCRIPT_REQUIRED, "\"script\" is missing or empty"},
    {"{\"script\":\"\"}", RESULT_SCRIPT_REQUIRED, "\"script\" is missing or empty"},
    {"{\"script\":null}", RESULT_SCRIPT_REQUIRED, "\"script\" is missing or empty"},
    {"{\"app_id\":\"a\"}", RESULT_SCRIPT_REQUIRED, "\"script\" is missing or empty"},
    {"{\"app_id\":\"a\",\"script\":\"1\",\"script_name\":\"s\"}", RESULT_BAD_REQUEST,
     "give \"script\" or \"script_name\", not both"},
    {"{\"script\":\"1\",\"script_name\":\"s\"}", RESULT_BAD_REQUEST, "give \"script\" or \"script_name\", not both"},
    {"{\"script_name\":\"s\"}", RESULT_BAD_REQUEST, "\"script_name\" needs \"app_id\""},
    {"{\"app_id\":\"\",\"script_name\":\"s\"}", RESULT_BAD_REQUEST, "\"script_name\" needs \"app_id\""},
    {"{\"app_id\":\"..\",\"script_name\":\"s\"}", RESULT_BAD_REQUEST,
     "\"app_id\" must be 1 to 128 of A-Z a-z 0-9 _ . -"},
    {"{\"app_id\":\"a\",\"script_name\":\".\"}", RESULT_BAD_REQUEST,
     "\"script_name\" must be 1 to 128 of A-Z a-z 0-9 _ . -"},
    {"{\"app_id\":\"a/b\",\"script_name\":\"s\"}", RESULT_BAD_REQUEST,
     "\"app_id\" must be 1 to 128 of A-Z a-z 0-9 _ . -"},
    {"{\"app_id\":\"größer\",\"script_name\":\"s\"}", RESULT_BAD_REQUEST,
     "\"app_id\" must be 1 to 128 of A-Z a-z 0-9 _ . -"},
    {"{\"app_id\":\"a\",\"script_name\":\"\\ud800\"}", RESULT_BAD_REQUEST,
     "\"script_name\" must be 1 to 128 of A-Z a-z 0-9 _ . -"},
    {"{\"script\":1}", RESULT_BAD_REQUEST, "\"script\" must be a string"},
    {"{\"script\":[\"1\"]}", RESULT_BAD_REQUEST, "\"script\" must be a string"},
    {"{\"script\":\"a\\ud800\"}", RESULT_SCRIPT_INVALID, "\"script\" has half of a surrogate pair"},
    {"{\"script\":\"\\udc00\\ud800\"}", RESULT_SCRIPT_INVALID, "\"script\" has half of a surrogate pair"},
    /* the others; the first one of the table is named */
    {"{\"script\":\"1\",\"input\":[]}", RESULT_INPUT_INVALID, "\"input\" must be an object"},
    {"{\"script\":\"1\",\"input\":\"{}\"}", RESULT_INPUT_INVALID, "\"input\" must be an object"},
    {"{\"script\":\"1\",\"input\":0}", RESULT_INPUT_INVALID, "\"input\" must be an object"},
    {"{\"async\":1,\"timeout\":\"1\",\"script\":\"1\"}", RESULT_BAD_REQUEST,
     "\"timeout\" must be a whole number, in digits"},
    {"{\"script\":\"1\",\"timeout\":1.5}", RESULT_BAD_REQUEST, "\"timeout\" must be a whole number, in digits"},
    {"{\"script\":\"1\",\"timeout\":1e1}", RESULT_BAD_REQUEST, "\"timeout\" must be a whole number, in digits"},
    {"{\"script\":\"1\",\"timeout\":true}", RESULT_BAD_REQUEST, "\"timeout\" must be a whole number, in digits"},
    {"{\"script\":\"1\",\"async\":\"true\"}", RESULT_BAD_REQUEST, "\"async\" must be true or false"},
    {"{\"script\":\"1\",\"deterministic\":0}", RESULT_BAD_REQUEST, "\"deterministic\" must be true or false"},
    {"{\"script\":\"1\",\"nonce\":7}", RESULT_BAD_REQUEST, "\"nonce\" must be a string"},
    {"{\"script\":\"1\",\"nonce\":\"a\\u0000\"}", RESULT_BAD_REQUEST,
     "\"nonce\" must be text of at most 128 bytes without control characters"},
    {"{\"script\":\"1\",\"nonce\":\"é\"}", RESULT_BAD_REQUEST,
     "\"nonce\" must be printable ASCII without quotes and backslashes"},
    {"{\"script\":\"1\",\"nonce\":\"\\\"\"}", RESULT_BAD_REQUEST,
     "\"nonce\" must be printable ASCII without quotes and backslashes"},
    {"{\"script\":\"1\",\"app_id\":\"a\\u007f\"}", RESULT_BAD_REQUEST,
     "\"app_id\" must be 1 to 128 of A-Z a-z 0-9 _ . -"},
    {"{\"script\":\"1\",\"script_name\":\"\\u0085\"}", RESULT_BAD_REQUEST,
     "\"script_name\" must be 1 to 128 of A-Z a-z 0-9 _ . -"},
    {"{\"script\":\"1\",\"app_id\":{}}", RESULT_BAD_REQUEST, "\"app_id\" must be a string"},
    {"{\"script\":\"1\",\"entry_point\":[]}", RESULT_BAD_REQUEST, "\"entry_point\" must be a string"},
    {"{\"script\":\"1\",\"entry_point\":\"1a\"}", RESULT_ENTRY_INVALID,
     "\"entry_point\" must be an identifier of at most 128 bytes"},
    {"{\"script\":\"1\",\"entry_point\":\"a.b\"}", RESULT_ENTRY_INVALID,
     "\"entry_point\" must be an identifier of at most 128 bytes"},
    {"{\"script\":\"1\",\"entry_point\":\"main()\"}", RESULT_ENTRY_INVALID,
     "\"entry_point\" must be an identifier of at most 128 bytes"},
    {"{\"script\":\"1\",\"entry_point\":\"a\\u0000\"}", RESULT_ENTRY_INVALID,
     "\"entry_point\" must be an identifier of at most 128 bytes"},
    {"{\"script\":\"1\",\"entry_point\":\"\\ud800\"}", RESULT_ENTRY_INVALID,
     "\"entry_point\" must be an identifier of at most 128 bytes"},
    /* limits */
    {"{\"script\":\"1\",\"limits\":[]}", RESULT_BAD_REQUEST, "\"limits\" must be an object"},
    {"{\"script\":\"1\",\"limits\":{\"memory_mb\":\"64\"}}", RESULT_BAD_REQUEST,
     "\"limits.memory_mb\" must be a whole number, in digits"},
    {"{\"script\":\"1\",\"limits\":{\"memory_mb\":15}}", RESULT_LIMIT_INVALID,
     "\"limits.memory_mb\" must be from 16 to 1024"},
    {"{\"script\":\"1\",\"limits\":{\"memory_mb\":1025}}", RESULT_LIMIT_INVALID,
     "\"limits.memory_mb\" must be from 16 to 1024"},
    {"{\"script\":\"1\",\"limits\":{\"memory_mb\":-64}}", RESULT_LIMIT_INVALID,
     "\"limits.memory_mb\" must be from 16 to 1024"},
    {"{\"script\":\"1\",\"limits\":{\"steps\":0}}", RESULT_LIMIT_INVALID,
     "\"limits.steps\" must be from 1 to 9007199254740992"},
    {"{\"script\":\"1\",\"limits\":{\"steps\":9007199254740993}}", RESULT_LIMIT_INVALID,
     "\"limits.steps\" must be from 1 to 9007199254740992"},
    {"{\"script\":\"1\",\"limits\":{\"steps\":99999999999999999999}}", RESULT_LIMIT_INVALID,
     "\"limits.steps\" must be from 1 to 9007199254740992"},
    {"{\"script\":\"1\",\"limits\":{\"hosts\":\"a\"}}", RESULT_LIMIT_INVALID,
     "\"limits.hosts\" must be a list of strings"},
    {"{\"script\":\"1\",\"limits\":{\"hosts\":{\"a\":\"b\"}}}", RESULT_LIMIT_INVALID,
     "\"limits.hosts\" must be a list of strings"},
    {"{\"script\":\"1\",\"limits\":{\"hosts\":[]}}", RESULT_LIMIT_INVALID, "\"limits.hosts\" must name 1 to 32 hosts"},
    /* secrets */
    {"{\"script\":\"1\",\"secret_refs\":\"a\"}", RESULT_BAD_REQUEST, "\"secret_refs\" must be a list of strings"},
    {"{\"script\":\"1\",\"secret_refs\":{\"a\":\"b\"}}", RESULT_BAD_REQUEST,
     "\"secret_refs\" must be a list of strings"},
};

static void test_refusals(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(refusals); i++) {
    assert_refused(span_text(refusals[i].text), refusals[i].why, refusals[i].detail);
  }
}

static void test_secret_names(void **state) {
  (void)state;
  static const char *const bad[] = {"\"\"",
                                    "\"secrets:\"",
                                    "\"secrets:secrets:a\"",
                                    "\"a b\"",
                                    "\"a/b\"",
                                    "\"..\\/a\"",
                                    "\"a\\u0000\"",
                                    "\"é\"",
                                    "\"\\ud800\"",
                                    "1",
                                    "null",
                                    "[\"a\"]",
                                    "{}"};
  for (size_t i = 0; i < COUNT(bad); i++) {
    char text[128];
    snprintf(text, sizeof text, "{\"script\":\"1\",\"secret_refs\":[\"ok\",%s]}", bad[i]);
    assert_refused(span_text(text), RESULT_BAD_REQUEST,
                   "\"secret_refs[1]\" must be a secret's name: 1 to 128 of A-Z a-z 0-9 _ . -");
  }
}

static void test_ten_secrets_and_no_more(void **state) {
  (void)state;
  struct envelope e =
      accept("{\"script\":\"1\",\"secret_refs\":[\"0\",\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]}");
  assert_int_equal(e.secret_count, 10);
  assert_text(e.secrets[9], "9");
  envelope_free(&e);
  /* As they were sent, so duplicates count. */
  assert_refused(
      BYTES("{\"script\":\"1\",\"secret_refs\":[\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\"]}"),
      RESULT_TOO_MANY_SECRETS, "\"secret_refs\" has more than 10 entries");
}

/* ---- sizes ---- */

static struct buf filled(const char *before, const char *fill, size_t count, const char *after) {
  struct buf b = buf_new(4u << 20);
  buf_put_text(&b, before);
  for (size_t i = 0; i < count; i++) buf_put_text(&b, fill);
  buf_put_text(&b, after);
  assert_false(b.bad);
  return b;
}

static enum result read_filled(const char *before, const char *fill, size_t count, const char *after) {
  struct envelope e;
  struct buf b = filled(before, fill, count, after);
  enum result r = read_span(buf_span(&b), &e);
  buf_free(&b);
  envelope_free(&e);
  return r;
}

static void test_sizes_to_the_byte(void **state) {
  (void)state;
  static const struct {
    const char *before, *fill, *after;
    size_t most;
    enum result beyond;
  } cases[] = {{"{\"script\":\"", "x", "\"}", 102400, RESULT_SCRIPT_TOO_LARGE},
               /* each of these is one byte of the script */
               {"{\"script\":\"", "\\u000a", "\"}", 102400, RESULT_SCRIPT_TOO_LARGE},
               {"{\"script\":\"", "\\ud83d\\ude00", "\"}", 25600, RESULT_SCRIPT_TOO_LARGE},
               {"{\"script\":\"1\",\"input\":{\"\":\"", "x", "\"}}", 1048576 - 7, RESULT_INPUT_TOO_LARGE},
               {"{\"script\":\"1\",\"input\":{", " ", "}}", 1048576 - 2, RESULT_INPUT_TOO_LARGE},
               {"{\"script\":\"1\",\"nonce\":\"", "x", "\"}", 128, RESULT_BAD_REQUEST},
               {"{\"script\":\"1\",\"app_id\":\"", "x", "\"}", 128, RESULT_BAD_REQUEST},
               {"{\"app_id\":\"a\",\"script_name\":\"", "x", "\"}", 128, RESULT_BAD_REQUEST},
               {"{\"script\":\"1\",\"entry_point\":\"", "x", "\"}", 128, RESULT_ENTRY_INVALID},
               {"{\"script\":\"1\",\"secret_refs\":[\"secrets:", "x", "\"]}", 128, RESULT_BAD_REQUEST}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    assert_int_equal(read_filled(cases[i].before, cases[i].fill, cases[i].most, cases[i].after), RESULT_OK);
    assert_int_equal(read_filled(cases[i].before, cases[i].fill, cases[i].most + 1, cases[i].after), cases[i].beyond);
  }
}

static void test_depth(void **state) {
  (void)state;

  for (size_t depth = 120; depth < 1100; depth += depth < 130 ? 1 : 485) {
    struct buf b = filled("{\"script\":\"1\",\"input\":{\"a\":", "[", depth - 2, "");
    for (size_t i = 0; i < depth - 2; i++) buf_put_text(&b, "]");
    buf_put_text(&b, "}}");
    struct envelope e;
    enum result r = read_span(buf_span(&b), &e);
    assert_int_equal(r, depth <= ENVELOPE_DEPTH_MAX ? RESULT_OK : RESULT_BAD_REQUEST);
    assert_string_equal(detail, r == RESULT_OK ? "" : "the body nests deeper than 128 levels");
    envelope_free(&e);
    buf_free(&b);
  }
}

/* A name of any length and kind leaves a detail that fits. */
static void test_a_long_name_is_cut(void **state) {
  (void)state;
  static const char *const fills[] = {"x", "é", "\\u0001", "\\\"", "\\ud83d\\ude00"};
  for (size_t i = 0; i < COUNT(fills); i++) {
    assert_int_equal(read_filled("{\"", fills[i], 100000, "\":1}"), RESULT_UNKNOWN_FIELD);
    assert_memory_equal(detail, "unknown field \"", 15);
    struct span shown = span_text(detail + 14);
    assert_int_equal(json_check(shown, 0), RESULT_OK);
    assert_true(shown.len > 30);
  }
}

/* Every text that begins as a good one is refused, and leaves nothing behind. */
static void test_a_truncated_body_is_refused(void **state) {
  (void)state;
  static const char whole[] =
      "{\"script\":\"a\\u0041\",\"input\":{\"a\":[1.5e3,null]},\"secret_refs\":[\"a\"],\"limits\":{\"steps\":1}}";
  struct envelope e = accept(whole);
  envelope_free(&e);
  for (size_t len = 0; len < sizeof whole - 1; len++) {
    assert_int_equal(read_span(span_of(whole, len), &e), RESULT_BAD_REQUEST);
    assert_null(e.text.data);
  }
}

static int free_body(void **state) {
  (void)state;
  free(body);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_script_is_enough),
      cmocka_unit_test(test_every_member),
      cmocka_unit_test(test_null_and_empty_are_absent),
      cmocka_unit_test(test_a_script_by_name),
      cmocka_unit_test(test_hosts),
      cmocka_unit_test(test_a_key_may_be_escaped),
      cmocka_unit_test(test_the_timeout_is_clamped),
      cmocka_unit_test(test_input_is_as_sent),
      cmocka_unit_test(test_a_script_may_hold_u0000),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_secret_names),
      cmocka_unit_test(test_ten_secrets_and_no_more),
      cmocka_unit_test(test_sizes_to_the_byte),
      cmocka_unit_test(test_depth),
      cmocka_unit_test(test_a_long_name_is_cut),
      cmocka_unit_test(test_a_truncated_body_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, free_body);
}
