/* Values computed with node:crypto; tests/protocol.test.mjs computes others anew in every run. */
#include "receipt/protect.h"

#include "crypto/testing.h"

#define OUTPUT "{\"sum\":5}"

static struct protect_keys derive(void) {
  uint8_t master[40];
  struct protect_keys keys;
  for (size_t i = 0; i < sizeof master; i++) master[i] = (uint8_t)i;
  assert_int_equal(protect_derive(span_of(master, sizeof master), &keys), RESULT_OK);
  return keys;
}

static void test_keys(void **state) {
  (void)state;
  struct protect_keys keys = derive(), none = {0};
  assert_memory_equal(keys.signing, unhex("2e617c1e9d7d4f9156cee21ba329c9df035db85e1fed0369fa15169ef4a00f17").data, 32);
  assert_memory_equal(keys.output, unhex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f").data, 32);
  assert_memory_equal(keys.store, unhex("45300476084f00994f4d1555646ffc6fa53449e6dc08e7baecf19afc0e1210df").data, 32);
  assert_memory_equal(keys.secret, unhex("13b408c4d6b168fd929c12d6989bcdf823561acb877242837c6261b6ceb4db69").data, 32);
  protect_wipe(&keys);
  assert_memory_equal(&keys, &none, sizeof keys);
}

static void test_a_short_master_key(void **state) {
  (void)state;
  struct protect_keys keys = derive(), none = {0};
  const uint8_t master[PROTECT_MASTER_MIN] = {1};
  assert_int_equal(protect_derive(span_of(master, sizeof master - 1), &keys), RESULT_CONFIG_INVALID);
  assert_memory_equal(&keys, &none, sizeof keys);
  assert_int_equal(protect_derive(span_of(master, sizeof master), &keys), RESULT_OK);
}

static void test_signature(void **state) {
  (void)state;
  struct protect_keys keys = derive();
  char signature[PROTECT_HEX + 1];
  uint8_t hash[HASH_SIZE];
  struct span output = span_text(OUTPUT);
  assert_int_equal(hash_sha256(&output, 1, hash), RESULT_OK);
  assert_int_equal(protect_sign(&keys, hash, signature), RESULT_OK);
  assert_string_equal(signature, "e8c4c9524a077a23108d7197d6a6b8f9abe0e4d75cf7c93404cbb5561ba9e90a");
}

static void test_encrypted_output(void **state) {
  (void)state;
  struct protect_keys keys = derive();
  /* base64 yv66vvrO263eyviI8YHTU8dYdS474J9BiNVXZOnDejkqnZYt8A== */
  struct span theirs = unhex("cafebabefacedbaddecaf888f181d353c758752e3be09f4188d55764e9c37a392a9d962df0");
  struct buf plain = buf_new(100), ours = buf_new(100);
  assert_int_equal(aead_open(keys.output, span_text(""), theirs, &plain), RESULT_OK);
  assert_true(span_is(buf_span(&plain), OUTPUT));
  buf_put_text(&ours, "\"");
  assert_int_equal(protect_encrypt(&keys, span_text(OUTPUT), &ours), RESULT_OK);
  assert_int_equal(ours.len, 1 + (strlen(OUTPUT) + AEAD_OVERHEAD + 2) / 3 * 4);
  uint8_t memory[20];
  struct buf small = buf_fixed(memory, sizeof memory);
  assert_int_equal(protect_encrypt(&keys, span_text(OUTPUT), &small), RESULT_NO_MEMORY);
  assert_true(!small.bad && small.len == 0);
  buf_free(&plain);
  buf_free(&ours);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_keys), cmocka_unit_test(test_a_short_master_key),
                                     cmocka_unit_test(test_signature), cmocka_unit_test(test_encrypted_output)};
  return cmocka_run_group_tests_name("protect", tests, start_crypto, stop_crypto);
}
