#include "keeper/secret_policy.h"

#include "base/json.h"
#include "base/text.h"
#include "crypto/testing.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define EGRESS "\"expose\":\"egress-only\""

static enum result parse(const char *json, struct secret_policy *policy, struct buf *detail) {
  *detail = buf_new(512);
  return secret_policy_parse(span_text(json), policy, detail);
}

static void expect_canonical(const char *json, const char *canonical) {
  struct secret_policy policy;
  struct buf detail, out = buf_new(4096);
  assert_int_equal(parse(json, &policy, &detail), RESULT_OK);
  secret_policy_put(&out, &policy);
  assert_true(span_is(buf_span(&out), canonical));
  if (out.len > 0) assert_int_equal(json_canonical(buf_span(&out)), JSON_CANONICAL);
  secret_policy_free(&policy);
  buf_free(&detail);
  buf_free(&out);
}

static void test_canonical_form(void **state) {
  (void)state;
  const char *const rows[][2] = {
      {"", ""},
      {"{}", ""},
      {" { } ", ""},
      {"{\"expose\":\"value\"}", ""},
      {"{\"uses\":3}", "{\"uses\":3}"},
      {"{ \"uses\" : 1 , \"services\" : [ \"neocompute\" , \"other\" ] }",
       "{\"services\":[\"neocompute\",\"other\"],\"uses\":1}"},
      {"{\"\\u0075ses\":3}", "{\"uses\":3}"},
      {"{\"scripts\":[\"" A64 "\",\"BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB\"]}",
       "{\"scripts\":[\"" A64 "\",\"" B64 "\"]}"},
      {"{\"hosts\":[\"api.example.com\",\"*.example.com\"]," EGRESS "}",
       "{\"expose\":\"egress-only\",\"hosts\":[\"api.example.com\",\"*.example.com\"]}"},
      {"{\"expires_at\":\"2026-11-23T19:00:00.50+01:00\"}", "{\"expires_at\":\"2026-11-23T18:00:00.5Z\"}"},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    expect_canonical(rows[i][0], rows[i][1]);
    expect_canonical(rows[i][1], rows[i][1]);
  }
}

static void test_refuses(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"null", "policy: must be"},
      {"[]", "policy: must be"},
      {"{\"uses\":1", "policy: must be"},
      {"{\"uses\":1}x", "policy: must be"},
      {"{\"use\":1}", "policy: has a member that is not known: \"use\""},
      {"{\"Uses\":1}", "policy: has a member that is not known"},
      {"{\"uses\":1,\"uses\":1}", "policy.uses: comes twice"},
      {"{\"uses\":1,\"\\u0075ses\":2}", "policy.uses: comes twice"},
      {"{\"uses\":0}", "policy.uses:"},
      {"{\"uses\":-1}", "policy.uses:"},
      {"{\"uses\":1.0}", "policy.uses:"},
      {"{\"uses\":1e3}", "policy.uses:"},
      {"{\"uses\":\"1\"}", "policy.uses:"},
      {"{\"uses\":null}", "policy.uses:"},
      {"{\"uses\":1000000001}", "policy.uses:"},
      {"{\"services\":[]}", "policy.services: must not be empty"},
      {"{\"services\":\"neocompute\"}", "policy.services: must be a list"},
      {"{\"services\":{\"a\":\"neocompute\"}}", "policy.services: must be a list"},
      {"{\"services\":[1]}", "policy.services:"},
      {"{\"services\":[\"\"]}", "policy.services:"},
      {"{\"services\":[\"two names\"]}", "policy.services:"},
      {"{\"services\":[\"Neocompute\"]}", "policy.services:"},
      {"{\"services\":[[\"neocompute\"]]}", "policy."},
      {"{\"scripts\":[]}", "policy.scripts: must not be empty"},
      {"{\"scripts\":[\"" A64 "a\"]}", "policy.scripts:"},
      {"{\"scripts\":[\"aa\"]}", "policy.scripts:"},
      {"{\"scripts\":[\"gaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]}", "policy.scripts:"},
      {"{\"expose\":\"egress\"}", "policy.expose:"},
      {"{\"expose\":true}", "policy.expose:"},
      {"{\"expose\":\"value\\u0000\"}", "policy.expose:"},
      {"{" EGRESS "}", "policy.hosts: an egress-only secret needs them"},
      {"{\"hosts\":[\"api.example.com\"]}", "policy.hosts: only an egress-only"},
      {"{" EGRESS ",\"hosts\":[]}", "policy.hosts: must not be empty"},
      {"{" EGRESS ",\"hosts\":[\"a.example b.example\"]}", "policy.hosts: must have one host"},
      {"{" EGRESS ",\"hosts\":[\"a.example,b.example\"]}", "policy.hosts: must have one host"},
      {"{" EGRESS ",\"hosts\":[\" a.example\"]}", "policy.hosts: must have one host"},
      {"{" EGRESS ",\"hosts\":[\"A.example\"]}", "policy.hosts:"},
      {"{" EGRESS ",\"hosts\":[\"a.*.example\"]}", "policy.hosts:"},
      {"{" EGRESS ",\"hosts\":[\"https://a.example\"]}", "policy.hosts:"},
      {"{" EGRESS ",\"hosts\":[\"\"]}", "policy.hosts:"},
      {"{\"expires_at\":\"tomorrow\"}", "policy.expires_at:"},
      {"{\"expires_at\":1700000000}", "policy.expires_at:"},
      {"{\"expires_at\":\"1970-01-01T00:00:00Z\"}", "policy.expires_at:"},
      {"{\"expires_at\":\"2026-11-23\"}", "policy.expires_at:"},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct secret_policy policy;
    struct buf detail;
    assert_int_equal(parse(rows[i][0], &policy, &detail), RESULT_SECRET_INVALID);
    if (detail.len < strlen(rows[i][1]) || memcmp(detail.data, rows[i][1], strlen(rows[i][1])) != 0)
      fail_msg("%s: %.*s", rows[i][0], (int)detail.len, (const char *)detail.data);
    secret_policy_free(&policy);
    buf_free(&detail);
  }
}

/* `count` times `item`, with commas, between `open` and `close`. */
static enum result parse_many(const char *open, const char *item, size_t count, const char *close) {
  struct buf json = buf_new(65536), detail = buf_new(512);
  struct secret_policy policy;
  buf_put_text(&json, open);
  for (size_t i = 0; i < count; i++) buf_printf(&json, "%s%s", i == 0 ? "" : ",", item);
  buf_put_text(&json, close);
  enum result r = secret_policy_parse(buf_span(&json), &policy, &detail);
  secret_policy_free(&policy);
  buf_free(&json);
  buf_free(&detail);
  return r;
}

static void test_bounds(void **state) {
  (void)state;
  assert_int_equal(parse_many("{\"services\":[", "\"s\"", 16, "]}"), RESULT_OK);
  assert_int_equal(parse_many("{\"services\":[", "\"s\"", 17, "]}"), RESULT_SECRET_INVALID);
  assert_int_equal(parse_many("{" EGRESS ",\"hosts\":[", "\"a.example\"", 64, "]}"), RESULT_OK);
  assert_int_equal(parse_many("{" EGRESS ",\"hosts\":[", "\"a.example\"", 65, "]}"), RESULT_SECRET_INVALID);
  assert_int_equal(parse_many("{\"scripts\":[", "\"" A64 "\"", 64, "]}"), RESULT_OK);
  assert_int_equal(parse_many("{\"scripts\":[", "\"" A64 "\"", 65, "]}"), RESULT_SECRET_INVALID);
  assert_int_equal(parse_many("", "{\"uses\":1}", 1, ""), RESULT_OK);
  char longest[8192 + 2] = "{\"uses\":1}";
  memset(longest + 10, ' ', sizeof longest - 10);
  longest[8192] = 0;
  assert_int_equal(parse_many("", longest, 1, ""), RESULT_OK);
  longest[8192] = ' ';
  longest[8193] = 0;
  assert_int_equal(parse_many("", longest, 1, ""), RESULT_SECRET_INVALID);
}

static void expect_access(const char *json, struct secret_access access, enum result want, const char *want_rule) {
  struct secret_policy policy;
  struct buf detail;
  const char *rule = "?";
  assert_int_equal(parse(json, &policy, &detail), RESULT_OK);
  assert_int_equal(secret_policy_evaluate(&policy, &access, &rule), want);
  if (want_rule == NULL)
    assert_null(rule);
  else
    assert_string_equal(rule, want_rule);
  secret_policy_free(&policy);
  buf_free(&detail);
}

static void test_evaluates(void **state) {
  (void)state;
  uint8_t script[HASH_SIZE];
  memset(script, 0xaa, sizeof script);
  const uint64_t at = UINT64_C(1700000000000000000); /* 2023-11-14T22:13:20Z */
  const struct secret_access a = {.service = span_text("neocompute"), .script = script, .now_ns = at, .used = 2};
  struct secret_access other = a;
  other.service = span_text("neocomput");
  expect_access("", a, RESULT_OK, NULL);
  expect_access("", other, RESULT_SECRET_FORBIDDEN, "services");
  expect_access("{\"services\":[\"x\",\"neocompute\"]}", a, RESULT_OK, NULL);
  expect_access("{\"services\":[\"x\",\"neocompute2\",\"neo\"]}", a, RESULT_SECRET_FORBIDDEN, "services");
  expect_access("{\"services\":[\"neocomput\"]}", other, RESULT_OK, NULL);
  expect_access("{\"expires_at\":\"2023-11-14T22:13:20.000000001Z\"}", a, RESULT_OK, NULL);
  expect_access("{\"expires_at\":\"2023-11-14T22:13:20Z\"}", a, RESULT_SECRET_EXPIRED, "expires_at");
  expect_access("{\"scripts\":[\"" B64 "\",\"" A64 "\"]}", a, RESULT_OK, NULL);
  expect_access("{\"scripts\":[\"" B64 "\"]}", a, RESULT_SECRET_FORBIDDEN, "scripts");
  expect_access("{\"uses\":3}", a, RESULT_OK, NULL);
  expect_access("{\"uses\":2}", a, RESULT_SECRET_FORBIDDEN, "uses");
  expect_access("{\"uses\":1}", a, RESULT_SECRET_FORBIDDEN, "uses");
}

/* Which rule is named if several forbid it. */
static void test_order(void **state) {
  (void)state;
  uint8_t script[HASH_SIZE] = {0};
  const struct secret_access a = {
      .service = span_text("neocompute"), .script = script, .now_ns = UINT64_MAX, .used = 9};
  const char *rest = "\"expires_at\":\"2023-11-14T22:13:20Z\",\"scripts\":[\"" A64 "\"],\"uses\":1}";
  char json[256];
  snprintf(json, sizeof json, "{\"services\":[\"x\"],%s", rest);
  expect_access(json, a, RESULT_SECRET_FORBIDDEN, "services");
  snprintf(json, sizeof json, "{%s", rest);
  expect_access(json, a, RESULT_SECRET_EXPIRED, "expires_at");
  expect_access("{\"scripts\":[\"" A64 "\"],\"uses\":1}", a, RESULT_SECRET_FORBIDDEN, "scripts");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_canonical_form), cmocka_unit_test(test_refuses),
                                     cmocka_unit_test(test_bounds), cmocka_unit_test(test_evaluates),
                                     cmocka_unit_test(test_order)};
  return cmocka_run_group_tests_name("secret_policy", tests, NULL, NULL);
}
