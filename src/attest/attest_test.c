#include "attest/attest.h"

#include "base/base64.h"
#include "base/json.h"
#include "base/text.h"
#include "crypto/testing.h"

static const uint8_t hash[HASH_SIZE] = {4};

static struct attest_facts facts_of(void) {
  struct attest_facts f = {.sign_key = {4},
                           .issued_at = 1790000000,
                           .engine = span_text("e0"),
                           .build = span_text("neocompute 0.1.0"),
                           .isolation = span_text("process"),
                           .expires_at = 1790000001,
                           .configuration = hash};
  memset(f.sign_key + 1, 1, 32);
  memset(f.sign_key + 33, 2, 32);
  memset(f.agree_key, 3, AGREE_PUBLIC);
  return f;
}

#define KEYS                                                                                                    \
  "\"cnf\":{\"jwks\":[{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\"," \
  "\"y\":\"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI\"},{\"crv\":\"X25519\",\"kty\":\"OKP\","                 \
  "\"x\":\"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM\"}]}"

#define CONFIGURATION "\"cfg_sha256\":\"BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","

static void test_document(void **state) {
  (void)state;
  struct attest_facts f = facts_of();
  struct buf b = buf_new(ATTEST_DOCUMENT_MAX);
  attest_put_document(&b, &attest_sim, &f);
  assert_true(span_is(
      buf_span(&b), "{\"build\":\"neocompute 0.1.0\"," CONFIGURATION KEYS
                    ",\"eng\":\"e0\",\"exp\":1790000001,\"iat\":1790000000,\"iso\":\"process\",\"iss\":\"neocompute\","
                    "\"tee\":\"sim\",\"ver\":2}"));
  buf_clear(&b);
  f.nonce = span_text("0123456789abcdef");
  f.tls_spki = hash;
  attest_put_document(&b, &attest_sim, &f);
  assert_true(span_is(buf_span(&b), "{\"build\":\"neocompute 0.1.0\"," CONFIGURATION KEYS
                                    ",\"eat_nonce\":\"MDEyMzQ1Njc4OWFiY2RlZg\",\"eng\":\"e0\",\"exp\":1790000001,"
                                    "\"iat\":1790000000,"
                                    "\"iso\":\"process\",\"iss\":\"neocompute\",\"tee\":\"sim\","
                                    "\"tls_spki_sha256\":\"BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"ver\":2}"));
  buf_free(&b);
}

static void test_the_largest_document(void **state) {
  (void)state;
  char text[65] = {0};
  struct attest_facts f = facts_of();
  struct buf b = buf_new(ATTEST_DOCUMENT_MAX);
  memset(text, 'x', 64);
  f.engine = f.build = f.isolation = f.nonce = span_text(text);
  f.issued_at = f.expires_at = UINT64_MAX;
  f.tls_spki = hash;
  attest_put_document(&b, &attest_sim, &f);
  assert_false(b.bad);
  buf_free(&b);
  b = buf_new(ATTEST_DOCUMENT_MAX);
  f.issued_at = f.expires_at = 1;
  f.build = span_text("\"\x01\xff"); /* written so that it stays canonical JSON */
  attest_put_document(&b, &attest_sim, &f);
  assert_int_equal(json_canonical(buf_span(&b)), JSON_CANONICAL);
  buf_free(&b);
}

static struct span between(struct span text, const char *before, const char *after) {
  const uint8_t *start = memmem(text.data, text.len, before, strlen(before));
  assert_non_null(start);
  start += strlen(before);
  size_t left = (size_t)(text.data + text.len - start);
  const uint8_t *end = memmem(start, left, after, strlen(after));
  assert_non_null(end);
  return span_of(start, (size_t)(end - start));
}

/* SHA-512 of "neocompute-key-binding-v1\0abc", from node:crypto. */
static const char bound[] =
    "76f650c2879424222d5f3e91cf9f3d984a06fa2f6a986474e8b8b2a0524373082e540a0e3897d629316b019604a5e9592605442389d15dbb71"
    "2e56bb1b9ba7fa";

static void test_reply(void **state) {
  (void)state;
  struct buf b = buf_new(4096), raw = buf_new(1024);
  struct attest_claim claim = {.agree_key = hash};
  assert_int_equal(attest_bind(span_text("abc"), claim.report_data), RESULT_OK);
  assert_int_equal(attest_sim.evidence(&attest_this_machine, &claim, &raw), RESULT_OK);
  assert_int_equal(attest_put_reply(&b, &attest_sim, span_text("abc"), span_text("{}"), buf_span(&raw)), RESULT_OK);
  buf_clear(&raw);
  struct span reply = buf_span(&b);
  assert_int_equal(json_check(reply, 3), RESULT_OK);
  assert_true(span_is(between(reply, ",\"document\":\"", "\""), "YWJj"));
  assert_int_equal(json_canonical(reply), JSON_CANONICAL);
  assert_true(span_is(between(reply, "{\"configuration\":\"", "\""), "e30"));
  assert_true(span_is(between(reply, "\"type\":\"", "\""), "sim"));
  assert_true(span_is(between(reply, "\"media_type\":\"", "\""), "application/vnd.neocompute.sim-evidence+json"));
  assert_true(span_is(between(reply, "\"document_sha256\":\"", "\""),
                      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
  assert_int_equal(base64_get_url(&raw, between(reply, "\"raw\":\"", "\"")), RESULT_OK);
  assert_int_equal(json_canonical(buf_span(&raw)), JSON_CANONICAL);
  assert_true(memmem(raw.data, raw.len, "\"simulated\":true", 16) != NULL);
  uint8_t report_data[ATTEST_REPORT_DATA];
  assert_true(base64_read_url(between(buf_span(&raw), "\"report_data\":\"", "\""), report_data, sizeof report_data));
  assert_memory_equal(report_data, unhex(bound).data, sizeof report_data);
  buf_free(&raw);
  buf_free(&b);
}

static void test_nothing_by_halves(void **state) {
  (void)state;
  uint8_t memory[64];
  struct buf b = buf_fixed(memory, sizeof memory);
  buf_put_text(&b, "kept");
  assert_int_equal(attest_put_reply(&b, &attest_sim, span_text("abc"), span_text("{}"), span_text("raw")),
                   RESULT_NO_MEMORY);
  assert_true(!b.bad && span_is(buf_span(&b), "kept"));
}

static void test_names(void **state) {
  (void)state;
  static const char *const names[] = {"gramine", "nitro", "tdx", "snp", "sev-guest", "sim"};
  const struct attest_machine nowhere = {"/nowhere", NULL};
  const struct attest_provider *got = NULL;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    assert_string_equal(attest_find(names[i])->name, names[i]);
  assert_null(attest_find("auto"));
  assert_null(attest_find(""));
  assert_int_equal(attest_probe(&nowhere, "tsm", &got), RESULT_CONFIG_INVALID);
  assert_int_equal(attest_probe(&nowhere, "tpm", &got), RESULT_CONFIG_INVALID);
  assert_int_equal(attest_probe(&nowhere, NULL, &got), RESULT_OK);
  assert_ptr_equal(got, &attest_sim);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_document), cmocka_unit_test(test_the_largest_document),
                                     cmocka_unit_test(test_reply), cmocka_unit_test(test_nothing_by_halves),
                                     cmocka_unit_test(test_names)};
  return cmocka_run_group_tests_name("attest", tests, start_crypto, stop_crypto);
}
