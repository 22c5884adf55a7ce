#include "keeper/sealed.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/base64.h"
#include "crypto/crypto.h"

#define NOW 1800000000u
#define MOST 20u
#define SCRIPT "function main() {}"
#define INFO "neocompute-sealed-input-v1"

static struct keys *keys;
static struct sealed_replays *replays;
static uint8_t key[AGREE_PUBLIC], user[32], attestation[32];

static int open_keys(void **state) {
  (void)state;
  uint8_t sign[SIGN_PUBLIC];
  if (crypto_init() != RESULT_OK || keys_new(span_text(""), &keys) != RESULT_OK) return -1;
  keys_public(keys, sign, key);
  memset(user, 1, sizeof user);
  memset(attestation, 2, sizeof attestation);
  return 0;
}

static int close_keys(void **state) {
  (void)state;
  keys_free(keys);
  crypto_free();
  return 0;
}

static int begin(void **state) {
  (void)state;
  return sealed_replays_new(MOST, &replays) == RESULT_OK ? 0 : -1;
}

static int finish(void **state) {
  (void)state;
  sealed_replays_free(replays);
  return 0;
}

static void put(struct buf *b, const char *before, const void *bytes, size_t len) {
  buf_put_text(b, before);
  base64_put_url(b, span_of(bytes, len));
  buf_put_u8(b, '"');
}

/* As a caller would; `serial` makes its nonce. */
static void seal(struct buf *out, const char *plain, bool with_script, uint64_t expires, uint64_t serial) {
  uint8_t nonce[16] = {0}, enc[HPKE_ENC], script[HASH_SIZE] = {0};
  struct buf info = buf_new(128), aad = buf_new(128), sealed = buf_new(4096);
  const struct span text = span_text(SCRIPT);
  memcpy(nonce, &serial, sizeof serial);
  if (with_script) assert_int_equal(hash_sha256(&text, 1, script), RESULT_OK);
  buf_put(&info, INFO, sizeof INFO);
  buf_put(&info, attestation, sizeof attestation);
  buf_put(&aad, script, sizeof script);
  buf_put(&aad, user, sizeof user);
  for (int shift = 56; shift >= 0; shift -= 8) buf_put_u8(&aad, (uint8_t)(expires >> shift));
  buf_put(&aad, nonce, sizeof nonce);
  assert_int_equal(hpke_seal(key, buf_span(&info), buf_span(&aad), span_text(plain), enc, &sealed), RESULT_OK);
  buf_clear(out);
  put(out, " { \"enc\" : \"", enc, sizeof enc);
  put(out, ",\"nonce\":\"", nonce, sizeof nonce);
  put(out, ",\"ciphertext\":\"", sealed.data, sealed.len);
  buf_printf(out, ",\"expires\": %llu }", (unsigned long long)expires);
  buf_free(&info);
  buf_free(&aad);
  buf_free(&sealed);
}

static enum result open_at(const struct buf *message, bool with_script, uint64_t now, struct sealed **out) {
  const struct sealed_request q = {.user = user,
                                   .attestation = attestation,
                                   .script = with_script ? span_text(SCRIPT) : span_text(""),
                                   .message = buf_span(message),
                                   .now = now};
  return sealed_open(keys, replays, &q, out);
}

static void expect(const struct buf *message, uint64_t now, enum result result) {
  struct sealed *s = NULL;
  assert_int_equal(open_at(message, true, now, &s), result);
  assert_true((s != NULL) == (result == RESULT_OK));
  sealed_free(s);
}

static void test_contents(void **state) {
  (void)state;
  struct buf m = buf_new(8192);
  struct sealed *s = NULL;
  const struct wire_secret *secrets;
  seal(&m, "{\"secrets\":{\"A.b-c_1\":\"\\u00e9\\n\",\"B\":\"\"},\"script\":\"x\\u0000\", \"input\" : {\"a\": [1]} }",
       false, NOW + 10, 1);
  assert_int_equal(open_at(&m, false, NOW, &s), RESULT_OK);
  assert_true(span_is(sealed_input(s), "{\"a\": [1]}")); /* as it was written */
  assert_true(span_equal(sealed_script(s), span_of("x\0", 2)));
  assert_int_equal(sealed_secrets(s, &secrets), 2);
  assert_true(span_is(secrets[0].name, "A.b-c_1") && span_is(secrets[0].value, "\xc3\xa9\n"));
  assert_true(span_is(secrets[1].name, "B") && secrets[1].value.len == 0);
  sealed_free(s);
  buf_free(&m);
}

static void test_time(void **state) {
  (void)state;
  struct buf m = buf_new(8192);
  seal(&m, "{\"input\":{}}", true, NOW + SEALED_WINDOW + 1, 1);
  expect(&m, NOW, RESULT_SEALED_INPUT_REJECTED);
  expect(&m, NOW + 1, RESULT_OK);
  seal(&m, "{\"input\":{}}", true, NOW + 100, 2);
  expect(&m, NOW + 101, RESULT_SEALED_INPUT_REJECTED);
  expect(&m, NOW + 100, RESULT_SEALED_INPUT_REJECTED); /* the host's clock goes back, ours does not */
  buf_free(&m);
}

/* Forgotten once it is too late for it anyway, whatever the clock says after that. */
static void test_once(void **state) {
  (void)state;
  struct buf first = buf_new(8192), second = buf_new(8192);
  seal(&first, "{\"input\":{}}", true, NOW + 50, 1);
  seal(&second, "{\"input\":{}}", true, NOW + 300, 2);
  expect(&first, NOW, RESULT_OK);
  expect(&first, NOW, RESULT_SEALED_INPUT_REJECTED);
  expect(&first, NOW + 50, RESULT_SEALED_INPUT_REJECTED);
  expect(&second, NOW + 51, RESULT_OK); /* the first is forgotten now */
  expect(&first, NOW, RESULT_SEALED_INPUT_REJECTED);
  expect(&second, NOW, RESULT_SEALED_INPUT_REJECTED);
  buf_free(&first);
  buf_free(&second);
}

/* More than can be remembered are refused, not believed; there is room again when the first have ended. */
static void test_no_room(void **state) {
  (void)state;
  struct buf m = buf_new(8192);
  for (uint64_t i = 0; i < MOST; i++) {
    seal(&m, "{\"input\":{}}", true, NOW + 60, i);
    expect(&m, NOW, RESULT_OK);
  }
  seal(&m, "{\"input\":{}}", true, NOW + 60, MOST);
  expect(&m, NOW, RESULT_SEALED_INPUT_REJECTED);
  seal(&m, "{\"input\":{}}", true, NOW + 100, MOST + 1);
  expect(&m, NOW + 61, RESULT_OK);
  buf_free(&m);
}

/* Who cannot seal to the key cannot fill the memory. */
static void test_garbage_is_not_remembered(void **state) {
  (void)state;
  struct buf m = buf_new(8192);
  seal(&m, "{\"input\":{}}", true, NOW + 60, 1);
  uint8_t *middle = m.data + m.len / 2, was = *middle;
  *middle = was == 'A' ? 'B' : 'A';
  expect(&m, NOW, RESULT_SEALED_INPUT_REJECTED);
  *middle = was;
  expect(&m, NOW, RESULT_OK);
  buf_free(&m);
}

static void test_recipient_of_small_order(void **state) {
  (void)state;
  static const uint8_t zeros[AGREE_PUBLIC], job[16];
  struct buf out = buf_new(4096);
  assert_int_not_equal(sealed_put_output(NULL, zeros, attestation, job, span_text("{}"), &out), RESULT_OK);
  assert_int_equal(sealed_put_output(NULL, key, attestation, job, span_text("{}"), &out), RESULT_OK);
  buf_free(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_contents, begin, finish),
      cmocka_unit_test_setup_teardown(test_time, begin, finish),
      cmocka_unit_test_setup_teardown(test_once, begin, finish),
      cmocka_unit_test_setup_teardown(test_no_room, begin, finish),
      cmocka_unit_test_setup_teardown(test_garbage_is_not_remembered, begin, finish),
      cmocka_unit_test(test_recipient_of_small_order),
  };
  return cmocka_run_group_tests_name("sealed", tests, open_keys, close_keys);
}
