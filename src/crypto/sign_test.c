#include "crypto/sign.h"

#include "base/base64.h"
#include "crypto/hash.h"
#include "crypto/testing.h"

/* RFC 6979 A.2.5. */
#define RFC6979_KEY                                                    \
  "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6" \
  "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
/* SHA-256 of "test": s is low. */
#define RFC6979_TEST                                                 \
  "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367" \
  "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083"
/* SHA-256 of "sample": s is high. */
#define RFC6979_SAMPLE                                               \
  "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716" \
  "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
#define ORDER "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
#define ZERO "0000000000000000000000000000000000000000000000000000000000000000"
#define HALF "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8"

static enum result verify(const char *key, const char *message, struct span signature) {
  return sign_verify(unhex(key).data, span_text(message), signature);
}

static struct sign_key *new_key(uint8_t public[SIGN_PUBLIC]) {
  struct sign_key *key = NULL;
  assert_int_equal(sign_key_new(&key), RESULT_OK);
  sign_public(key, public);
  return key;
}

static void test_verifies_vectors(void **state) {
  (void)state;
  assert_int_equal(verify(RFC6979_KEY, "test", unhex(RFC6979_TEST)), RESULT_OK);
  assert_int_equal(verify(RFC6979_KEY, "test.", unhex(RFC6979_TEST)), RESULT_NOT_VERIFIED);
  assert_int_equal(verify(RFC6979_KEY, "sample", unhex(RFC6979_TEST)), RESULT_NOT_VERIFIED);
}

/* As the standard has it, it is a signature; here only its twin n - s is. */
static void test_refuses_high_s(void **state) {
  (void)state;
  assert_int_equal(verify(RFC6979_KEY, "sample", unhex(RFC6979_SAMPLE)), RESULT_NOT_VERIFIED);
  const char *twin =
      "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
      "0834e36ad29a83bf2bc9385e491d6099c8fdf9d1ed67aa7ea5f51f93782857a9";
  assert_int_equal(verify(RFC6979_KEY, "sample", unhex(twin)), RESULT_OK);
}

static void test_refuses_tampered_twins(void **state) {
  (void)state;
  uint8_t key[SIGN_PUBLIC], signature[SIGN_SIZE + 1] = {0};
  memcpy(key, unhex(RFC6979_KEY).data, sizeof key);
  memcpy(signature, unhex(RFC6979_TEST).data, SIGN_SIZE);
  for (size_t bit = 0; bit < 8 * SIGN_SIZE; bit++) {
    signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
    assert_int_equal(sign_verify(key, span_text("test"), span_of(signature, SIGN_SIZE)), RESULT_NOT_VERIFIED);
    signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
  }
  /* Another point, or none on the curve. */
  for (size_t bit = 0; bit < 8 * SIGN_PUBLIC; bit++) {
    key[bit / 8] ^= (uint8_t)(1u << bit % 8);
    assert_int_equal(sign_verify(key, span_text("test"), span_of(signature, SIGN_SIZE)), RESULT_NOT_VERIFIED);
    key[bit / 8] ^= (uint8_t)(1u << bit % 8);
  }
  for (size_t len = 0; len <= SIGN_SIZE + 1; len++) {
    assert_int_equal(sign_verify(key, span_text("test"), span_of(signature, len)),
                     len == SIGN_SIZE ? RESULT_OK : RESULT_NOT_VERIFIED);
  }
}

static void test_refuses_scalars_out_of_range(void **state) {
  (void)state;
  static const char *const broken[] = {ZERO ZERO, ZERO HALF, HALF ZERO, ORDER HALF, HALF ORDER, ORDER ORDER};
  for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
    assert_int_equal(verify(RFC6979_KEY, "test", unhex(broken[i])), RESULT_NOT_VERIFIED);
  uint8_t no_point[SIGN_PUBLIC] = {4};
  assert_int_equal(sign_verify(no_point, span_text("test"), unhex(RFC6979_TEST)), RESULT_NOT_VERIFIED);
}

static void test_signs(void **state) {
  (void)state;
  uint8_t public[SIGN_PUBLIC], other[SIGN_PUBLIC], signature[SIGN_SIZE];
  struct sign_key *key = new_key(public), *stranger = new_key(other);
  const uint8_t *half = unhex(HALF).data;
  for (int i = 0; i < 64; i++) { /* half of them would have a high s */
    char message[16];
    snprintf(message, sizeof message, "message %d", i);
    assert_int_equal(sign_message(key, span_text(message), signature), RESULT_OK);
    assert_true(memcmp(signature + 32, half, 32) <= 0);
    struct span s = span_of(signature, sizeof signature);
    assert_int_equal(sign_verify(public, span_text(message), s), RESULT_OK);
    assert_int_equal(sign_verify(public, span_text("message"), s), RESULT_NOT_VERIFIED);
    assert_int_equal(sign_verify(other, span_text(message), s), RESULT_NOT_VERIFIED);
  }
  assert_int_equal(sign_message(key, span_of(NULL, 0), signature), RESULT_OK);
  assert_int_equal(sign_verify(public, span_of(NULL, 0), span_of(signature, SIGN_SIZE)), RESULT_OK);
  sign_key_free(key);
  sign_key_free(stranger);
  sign_key_free(NULL);
}

/* RFC 9449 §6.1: the `jkt` of the key of its examples. */
static void test_thumbprint(void **state) {
  (void)state;
  uint8_t key[SIGN_PUBLIC] = {4};
  char text[SIGN_THUMBPRINT + 1];
  struct buf jwk = buf_new(200);
  assert_true(base64_read_url(span_text("l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs"), key + 1, 32));
  assert_true(base64_read_url(span_text("9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"), key + 33, 32));
  sign_thumbprint(key, text);
  assert_string_equal(text, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
  sign_put_jwk(&jwk, key);
  assert_true(span_is(buf_span(&jwk),
                      "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs\","
                      "\"y\":\"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA\"}"));
  buf_free(&jwk);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_verifies_vectors),
      cmocka_unit_test(test_refuses_high_s),
      cmocka_unit_test(test_refuses_tampered_twins),
      cmocka_unit_test(test_refuses_scalars_out_of_range),
      cmocka_unit_test(test_signs),
      cmocka_unit_test(test_thumbprint),
  };
  return cmocka_run_group_tests_name("sign", tests, start_crypto, stop_crypto);
}
