/* The state as a whole: nothing works before it is there, and nothing more is opened once it is. */
#include "crypto/crypto.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/aead.h"
#include "crypto/agree.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "crypto/random.h"
#include "crypto/sign.h"
#include "crypto/testing.h"

static const uint8_t key[AEAD_KEY] = {7};

static void test_nothing_works_before_init(void **state) {
  (void)state;
  uint8_t out[64] = {1}, zeros[16] = {0};
  struct buf b = buf_new(100);
  struct sign_key *sign = NULL;
  struct agree_key *agree = NULL;
  struct span abc = span_text("abc");
  crypto_free();
  assert_int_equal(random_bytes(out, 16), RESULT_CRYPTO);
  assert_memory_equal(out, zeros, 16);
  assert_int_equal(hash_sha256(&abc, 1, out), RESULT_CRYPTO);
  assert_int_equal(hash_sha512(&abc, 1, out), RESULT_CRYPTO);
  assert_int_equal(hash_hmac(abc, abc, out), RESULT_CRYPTO);
  assert_int_equal(hash_hkdf(abc, abc, abc, out, 32), RESULT_CRYPTO);
  assert_int_equal(aead_seal(key, abc, abc, &b), RESULT_CRYPTO);
  assert_int_equal(aead_open(key, abc, span_of(out, 40), &b), RESULT_CRYPTO);
  assert_int_equal(sign_key_new(&sign), RESULT_CRYPTO);
  assert_int_equal(agree_key_new(&agree), RESULT_CRYPTO);
  assert_int_equal(agree_key_import(out, &agree), RESULT_CRYPTO);
  assert_int_equal(agree_shared(NULL, out, out), RESULT_CRYPTO);
  assert_int_equal(hpke_seal(out, abc, abc, abc, out, &b), RESULT_CRYPTO);
  assert_int_equal(hpke_open(NULL, out, abc, abc, abc, &b), RESULT_CRYPTO);
  assert_null(sign);
  assert_null(agree);
  assert_int_equal(b.len, 0);
}

/* Every operation, once. The exit status of a child is all it can say. */
static int everything(void) {
  uint8_t out[64], public[SIGN_PUBLIC];
  struct span abc = span_text("abc");
  struct buf sealed = buf_new(100), plain = buf_new(100);
  struct sign_key *sign = NULL;
  struct agree_key *agree = NULL;
  if (random_bytes(out, sizeof out) != RESULT_OK) return 2;
  if (hash_sha512(&abc, 1, out) != RESULT_OK || hash_sha256(&abc, 1, out) != RESULT_OK) return 3;
  if (hash_hmac(abc, abc, out) != RESULT_OK || hash_hkdf(abc, abc, abc, out, 32) != RESULT_OK) return 4;
  if (aead_seal(key, abc, abc, &sealed) != RESULT_OK) return 5;
  if (aead_open(key, abc, buf_span(&sealed), &plain) != RESULT_OK || !span_is(buf_span(&plain), "abc")) return 6;
  if (agree_key_new(&agree) != RESULT_OK || sign_key_new(&sign) != RESULT_OK) return 7;
  sign_public(sign, public);
  if (sign_message(sign, abc, out) != RESULT_OK) return 8;
  if (sign_verify(public, abc, span_of(out, SIGN_SIZE)) != RESULT_OK) return 9;
  agree_public(agree, public);
  buf_clear(&sealed);
  buf_clear(&plain);
  if (hpke_seal(public, abc, abc, abc, out, &sealed) != RESULT_OK) return 10;
  if (hpke_open(agree, out, abc, abc, buf_span(&sealed), &plain) != RESULT_OK || !span_is(buf_span(&plain), "abc"))
    return 11;
  agree_key_free(agree);
  sign_key_free(sign);
  buf_free(&sealed);
  buf_free(&plain);
  return 0;
}

/* A child that can open no file at all, and that was forked: its random generator must notice and still be fed. */
static void test_works_where_nothing_can_be_opened(void **state) {
  (void)state;
  assert_int_equal(crypto_init(), RESULT_OK);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    struct rlimit none = {0, 0};
    _exit(setrlimit(RLIMIT_NOFILE, &none) != 0 ? 1 : everything());
  }
  int status = -1;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_int_equal(status, 0);
}

static void test_init_may_be_repeated(void **state) {
  (void)state;
  assert_int_equal(crypto_init(), RESULT_OK);
  assert_int_equal(crypto_init(), RESULT_OK);
  assert_int_equal(everything(), 0);
  crypto_free();
  crypto_free();
  assert_int_equal(crypto_init(), RESULT_OK);
  assert_int_equal(everything(), 0);
  crypto_free();
}

static void test_random_bytes_differ(void **state) {
  (void)state;
  uint8_t a[32], b[32];
  assert_int_equal(crypto_init(), RESULT_OK);
  assert_int_equal(random_bytes(a, sizeof a), RESULT_OK);
  assert_int_equal(random_bytes(b, sizeof b), RESULT_OK);
  assert_memory_not_equal(a, b, sizeof a);
  assert_int_equal(random_bytes(NULL, 0), RESULT_OK);
  crypto_free();
}

static void test_agree_keys(void **state) {
  (void)state;
  struct agree_key *a = NULL, *b = NULL;
  uint8_t of_a[AGREE_PUBLIC], again[AGREE_PUBLIC], of_b[AGREE_PUBLIC];
  assert_int_equal(crypto_init(), RESULT_OK);
  assert_int_equal(agree_key_new(&a), RESULT_OK);
  assert_int_equal(agree_key_new(&b), RESULT_OK);
  agree_public(a, of_a);
  agree_public(a, again);
  agree_public(b, of_b);
  assert_memory_equal(of_a, again, AGREE_PUBLIC);
  assert_memory_not_equal(of_a, of_b, AGREE_PUBLIC);
  agree_key_free(a);
  agree_key_free(b);
  agree_key_free(NULL);
  crypto_free();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nothing_works_before_init),
      cmocka_unit_test(test_works_where_nothing_can_be_opened),
      cmocka_unit_test(test_init_may_be_repeated),
      cmocka_unit_test(test_random_bytes_differ),
      cmocka_unit_test(test_agree_keys),
  };
  return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
