#include "evidence/evidence.h"

#include "base/base64.h"
#include "base/text.h"
#include "crypto/testing.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define NOW 1790000000u
#define MEDIA "application/vnd.neocompute.sim-evidence+json"
#define SIGN_JWK                                                                             \
  "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs\"," \
  "\"y\":\"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA\"}"
#define AGREE_JWK "{\"crv\":\"X25519\",\"kty\":\"OKP\",\"x\":\"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM\"}"
#define DOCUMENT                                                                                                      \
  "{\"build\":\"neocompute "                                                                                          \
  "0.1.0\",\"cfg_sha256\":\"RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o\",\"cnf\":{\"jwks\":[" SIGN_JWK "," AGREE_JWK \
  "]},\"eng\":\"e0\",\"exp\":1797776000,\"iat\":1790000000,\"iso\":\"process\",\"iss\":\"neocompute\",\"tee\":"       \
  "\"sim\",\"ver\":2}"

static const struct evidence_policy lenient = {.allow_simulated = true, .now = NOW};

/* The parts of a reply, each of which a test may spoil. */
struct reply {
  const char *type, *media_type, *note;
  struct span document, bound, hashed; /* what is sent, what the evidence binds, what document_sha256 is of */
};

static struct reply genuine(const char *document) {
  struct span d = span_text(document);
  return (struct reply){"sim", MEDIA, "\"simulated\":true", d, d, d};
}

static struct buf put_reply(const struct reply *r) {
  struct buf b = buf_new(8192), raw = buf_new(1024);
  uint8_t report_data[64], hash[HASH_SIZE];
  const struct span bound[] = {span_of("neocompute-key-binding-v1", 26), r->bound};
  assert_int_equal(hash_sha512(bound, 2, report_data), RESULT_OK);
  assert_int_equal(hash_sha256(&r->hashed, 1, hash), RESULT_OK);
  buf_put_text(&raw, "{\"report_data\":\"");
  base64_put_url(&raw, span_of(report_data, sizeof report_data));
  buf_printf(&raw, "\",%s}", r->note);
  buf_put_text(&b, "{\"document\":\"");
  base64_put_url(&b, r->document);
  buf_printf(&b, "\",\"evidence\":{\"type\":\"%s\",\"media_type\":\"%s\",\"raw\":\"", r->type, r->media_type);
  base64_put_url(&b, buf_span(&raw));
  buf_put_text(&b, "\"},\"document_sha256\":\"");
  text_put_hex(&b, span_of(hash, sizeof hash));
  buf_put_text(&b, "\"}");
  buf_free(&raw);
  return b;
}

static void expect_refused(struct span reply, const struct evidence_policy *policy, const char *problem) {
  struct buf text = buf_new(32768);
  struct evidence_verdict v;
  assert_int_equal(evidence_check(reply, policy, &text, &v), RESULT_NOT_VERIFIED);
  assert_non_null(v.problem);
  if (problem != NULL) assert_string_equal(v.problem, problem);
  buf_free(&text);
}

static void expect_reply_refused(const struct reply *r, const char *problem) {
  struct buf b = put_reply(r);
  expect_refused(buf_span(&b), &lenient, problem);
  buf_free(&b);
}

static void expect_accepted(struct span reply, const struct evidence_policy *policy) {
  struct buf text = buf_new(32768);
  struct evidence_verdict v;
  enum result r = evidence_check(reply, policy, &text, &v);
  if (r != RESULT_OK) fail_msg("%s", v.problem);
  assert_null(v.problem);
  buf_free(&text);
}

static void test_verdict(void **state) {
  (void)state;
  struct reply r = genuine(DOCUMENT);
  struct buf b = put_reply(&r), text = buf_new(32768);
  struct evidence_verdict v;
  uint8_t hash[HASH_SIZE];
  char thumbprint[SIGN_THUMBPRINT + 1];
  assert_int_equal(evidence_check(buf_span(&b), &lenient, &text, &v), RESULT_OK);
  sign_thumbprint(v.sign_key, thumbprint);
  assert_string_equal(thumbprint, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"); /* RFC 9449 §6.1 */
  for (size_t i = 0; i < AGREE_PUBLIC; i++) assert_int_equal(v.agree_key[i], 3);
  assert_int_equal(hash_sha256(&r.document, 1, hash), RESULT_OK);
  assert_memory_equal(v.document_sha256, hash, HASH_SIZE);
  assert_true(span_is(v.tee, "sim") && span_is(v.engine, "e0") && span_is(v.isolation, "process"));
  assert_int_equal(v.nonce.len, 0);
  assert_int_equal(v.issued_at, NOW);
  buf_free(&text);
  buf_free(&b);
}

static void test_simulated_only_when_allowed(void **state) {
  (void)state;
  struct reply r = genuine(DOCUMENT);
  struct buf b = put_reply(&r);
  const struct evidence_policy strict = {.now = NOW};
  expect_refused(buf_span(&b), &strict, "the evidence is simulated: no hardware vouches for the key");
  buf_free(&b);
}

static void test_age(void **state) {
  (void)state;
  struct reply r = genuine(DOCUMENT);
  struct buf b = put_reply(&r);
  struct evidence_policy p = {.allow_simulated = true, .now = NOW + 3600, .max_age = 3600};
  expect_accepted(buf_span(&b), &p);
  p.now++;
  expect_refused(buf_span(&b), &p, "the document is too old");
  p.max_age = 0;
  p.now = 1797776000;
  expect_accepted(buf_span(&b), &p);
  p.now++;
  expect_refused(buf_span(&b), &p, "the document has expired");
  p.now = NOW - EVIDENCE_CLOCK_SKEW;
  p.max_age = 1;
  expect_accepted(buf_span(&b), &p);
  p.now--;
  expect_refused(buf_span(&b), &p, "the document is from the future");
  buf_free(&b);
}

static void test_binding(void **state) {
  (void)state;
  struct reply r = genuine(DOCUMENT);
  r.bound = span_text("another document");
  expect_reply_refused(&r, "the evidence is for another document");
  r = genuine(DOCUMENT);
  r.hashed = span_text("another document");
  expect_reply_refused(&r, "document_sha256 is not the document's hash");
  r = genuine(DOCUMENT);
  r.note = "\"simulated\":false";
  expect_reply_refused(&r, "the simulated evidence is not well-formed");
  r.note = "\"simulated\":true,\"simulated\":true";
  expect_reply_refused(&r, "the simulated evidence is not well-formed");
  r = genuine(DOCUMENT);
  r.type = "tdx";
  expect_reply_refused(&r, "there is no verifier for this kind of evidence");
  r = genuine(DOCUMENT);
  r.media_type = "application/json";
  expect_reply_refused(&r, "there is no verifier for this kind of evidence");
}

/* Bound by evidence as it should be, and still no document of ours. */
static void test_documents(void **state) {
  (void)state;
  static const struct {
    const char *from, *to;
  } twins[] = {
      {"\"tee\":\"sim\"", "\"tee\":\"sgx\""},
      {"\"tee\":\"sim\",", ""},
      {"\"tee\":\"sim\"", "\"tee\":\"\""},
      {"\"tee\":\"sim\"", "\"tee\":1"},
      {"\"ver\":2", "\"ver\":1"},
      {"\"ver\":2", "\"ver\":\"1\""},
      {",\"ver\":2", ""},
      {"\"ver\":2", "\"ver\":2,\"zzz\":1"},
      {"\"ver\":2", "\"ver\":2,\"ver\":2"},
      {"\"ver\":2", "\"ver\": 1"},
      {"\"iss\":\"neocompute\"", "\"iss\":\"neocomputer\""},
      {"\"iat\":1790000000", "\"iat\":\"1790000000\""},
      {"\"iat\":1790000000", "\"iat\":-1"},
      {"\"iat\":1790000000", "\"iat\":1790000000.5"},
      {"\"iat\":1790000000,", ""},
      {"\"exp\":1797776000,", ""},
      {"\"exp\":1797776000", "\"exp\":1789999999"},
      {"\"exp\":1797776000", "\"exp\":\"1797776000\""},
      {"RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o", "RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4"},
      {"RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o", "RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4p"},
      {"\"cfg_sha256\":\"RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o\",", ""},
      {"\"tee\":\"sim\",", "\"tee\":\"sim\",\"tls_spki_sha256\":1,"},
      {"\"tee\":\"sim\",", "\"tee\":\"sim\",\"tls_spki_sha256\":\"AAAA\","},
      {"\"eng\":\"e0\"", "\"eng\":null"},
      {"\"build\":\"neocompute 0.1.0\",", ""},
      {"\"kty\":\"EC\"", "\"kty\":\"OKP\""},
      {"P-256", "P-384"},
      {"X25519", "Ed25519"},
      {SIGN_JWK "," AGREE_JWK, AGREE_JWK "," SIGN_JWK},
      {SIGN_JWK ",", ""},
      {"," AGREE_JWK, ""},
      {"," AGREE_JWK, "," AGREE_JWK "," AGREE_JWK},
      {"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBF"},
      {"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFt"},
      {"\"kty\":\"EC\",", "\"kid\":\"1\",\"kty\":\"EC\","},
      {"\"jwks\"", "\"jwk\""},
      {"\"eng\"", "\"eat_nonce\":\"MDEyMzQ1Njc4OWFiY2Rl\",\"eng\""}, /* 15 bytes */
      {"\"eng\"", "\"eat_nonce\":1,\"eng\""},
      {"{", "["},
      {"{", "{ "},
      {DOCUMENT, "1"},
      {DOCUMENT, "{}"},
      {DOCUMENT, "[]"},
      {DOCUMENT, ""},
  };
  for (size_t i = 0; i < COUNT(twins); i++) {
    struct buf changed = buf_new(4096);
    const char *at = strstr(DOCUMENT, twins[i].from);
    assert_non_null(at);
    buf_put(&changed, DOCUMENT, (size_t)(at - DOCUMENT));
    buf_put_text(&changed, twins[i].to);
    buf_put_text(&changed, at + strlen(twins[i].from));
    struct reply r = genuine(DOCUMENT);
    r.document = r.bound = r.hashed = buf_span(&changed);
    expect_reply_refused(&r, NULL);
    buf_free(&changed);
  }
}

static void test_nonce(void **state) {
  (void)state;
  struct reply r = genuine(
      "{\"build\":\"b\",\"cfg_sha256\":\"RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o\",\"cnf\":{\"jwks\":[" SIGN_JWK
      "," AGREE_JWK
      "]},\"eat_nonce\":\"MDEyMzQ1Njc4OWFiY2RlZg\",\"eng\":\"e0\",\"exp\":2000000000,\"iat\":1,\"iso\":\"process\","
      "\"iss\":\"neocompute\","
      "\"tee\":\"sim\",\"ver\":2}");
  struct buf b = put_reply(&r), text = buf_new(32768);
  struct evidence_verdict v;
  assert_int_equal(evidence_check(buf_span(&b), &lenient, &text, &v), RESULT_OK);
  assert_true(span_is(v.nonce, "0123456789abcdef"));
  buf_free(&text);
  buf_free(&b);
}

static void test_names_of_keys_and_settings(void **state) {
  (void)state;
  char document[1024];
  const size_t head = strlen(DOCUMENT) - strlen(",\"ver\":2}");
  snprintf(document, sizeof document,
           "%.*s,\"tls_spki_sha256\":\"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM\",\"ver\":2}", (int)head, DOCUMENT);
  struct reply r = genuine(document);
  struct buf b = put_reply(&r), text = buf_new(32768);
  struct evidence_verdict v;
  assert_int_equal(evidence_check(buf_span(&b), &lenient, &text, &v), RESULT_OK);
  assert_true(v.has_tls && v.tls_spki[0] == 3 && v.tls_spki[31] == 3 && v.configuration_sha256[0] == 0x44);
  assert_true(v.expires_at == 1797776000 && v.configuration.len == 0);
  buf_free(&text);
  buf_free(&b);
}

/* The reply may say what the document has the hash of, but nothing else. */
static void test_configuration(void **state) {
  (void)state;
  static const struct {
    const char *member;
    bool good;
  } cases[] = {{"\"e30\"", true},   {"\"e31\"", false}, {"\"\"", false},
               {"\"e30=\"", false}, {"{}", false},      {"null", false}};
  const struct reply r = genuine(DOCUMENT);
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct buf b = put_reply(&r), with = buf_new(8192), text = buf_new(32768);
    struct evidence_verdict v;
    buf_printf(&with, "{\"configuration\":%s,%.*s", cases[i].member, (int)b.len - 1, (const char *)b.data + 1);
    assert_int_equal(evidence_check(buf_span(&with), &lenient, &text, &v),
                     cases[i].good ? RESULT_OK : RESULT_NOT_VERIFIED);
    if (cases[i].good) assert_true(span_is(v.configuration, "{}"));
    buf_free(&b);
    buf_free(&with);
    buf_free(&text);
  }
}

/* No byte of a reply can go or change, but where a change means the same. */
static void test_replies(void **state) {
  (void)state;
  static const char *const broken[] = {"", "null", "[]", "{}", "{\"document\":1}", "{\"document\":\"\"}", "\xff"};
  for (size_t i = 0; i < COUNT(broken); i++) expect_refused(span_text(broken[i]), &lenient, NULL);
  struct reply r = genuine(DOCUMENT);
  struct buf b = put_reply(&r);
  for (size_t len = 0; len < b.len; len++) expect_refused(span_of(b.data, len), &lenient, NULL);
  for (size_t i = 0; i < b.len; i++) {
    uint8_t was = b.data[i];
    b.data[i] = was == 'A' ? 'B' : 'A';
    expect_refused(buf_span(&b), &lenient, NULL);
    b.data[i] = was;
  }
  /* Said twice. */
  b.data[b.len - 1] = ',';
  buf_put_text(&b, "\"document\":\"\"}");
  expect_refused(buf_span(&b), &lenient, "the reply is not JSON");
  buf_free(&b);
}

static void test_unknown_members_of_the_reply(void **state) {
  (void)state;
  struct reply r = genuine(DOCUMENT);
  struct buf b = put_reply(&r);
  b.data[b.len - 1] = ',';
  buf_put_text(&b, "\"age_s\":12}");
  expect_accepted(buf_span(&b), &lenient);
  buf_free(&b);
}

static void test_no_room(void **state) {
  (void)state;
  struct reply r = genuine(DOCUMENT);
  struct buf b = put_reply(&r), text = buf_new(b.len);
  struct evidence_verdict v;
  assert_int_equal(evidence_check(buf_span(&b), &lenient, &text, &v), RESULT_NO_MEMORY);
  assert_non_null(v.problem);
  buf_free(&text);
  buf_free(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_verdict),
      cmocka_unit_test(test_simulated_only_when_allowed),
      cmocka_unit_test(test_age),
      cmocka_unit_test(test_binding),
      cmocka_unit_test(test_documents),
      cmocka_unit_test(test_nonce),
      cmocka_unit_test(test_names_of_keys_and_settings),
      cmocka_unit_test(test_configuration),
      cmocka_unit_test(test_replies),
      cmocka_unit_test(test_unknown_members_of_the_reply),
      cmocka_unit_test(test_no_room),
  };
  return cmocka_run_group_tests_name("evidence", tests, start_crypto, stop_crypto);
}
