/* Parsing of certificates, extensions and signatures; chains as such are tested with the evidence that has them. */
#include "evidence/chain.h"

#include <openssl/pem.h>

#include "crypto/testing.h"
#include "evidence/pck.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static EVP_PKEY *key;
static X509 *certificate;
static struct buf pem, der;

static int start(void **state) {
  if (start_crypto(state) != 0) return -1;
  uint8_t *at = NULL;
  key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
  certificate = X509_new();
  X509_NAME *name = X509_get_subject_name(certificate);
  ASN1_TIME_set(X509_getm_notBefore(certificate), 1000);
  ASN1_TIME_set(X509_getm_notAfter(certificate), 2000);
  if (X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"one", -1, -1, 0) != 1 ||
      X509_set_issuer_name(certificate, name) != 1 || X509_set_pubkey(certificate, key) != 1 ||
      X509_sign(certificate, key, EVP_sha384()) <= 0)
    return -1;
  int len = i2d_X509(certificate, &at);
  der = buf_new(4096);
  pem = buf_new(65536);
  buf_put(&der, at, (size_t)len);
  OPENSSL_free(at);
  BIO *bio = BIO_new(BIO_s_mem());
  char *text = NULL;
  if (PEM_write_bio_X509(bio, certificate) != 1) return -1;
  long size = BIO_get_mem_data(bio, &text);
  buf_put(&pem, text, (size_t)size);
  BIO_free(bio);
  return 0;
}

static int stop(void **state) {
  EVP_PKEY_free(key);
  X509_free(certificate);
  buf_free(&pem);
  buf_free(&der);
  return stop_crypto(state);
}

/* How many certificates these bytes are; -1: they are none. */
static int count(struct span bytes) {
  struct chain chain = {0};
  int found = chain_add(&chain, bytes) ? (int)chain.count : -1;
  chain_free(&chain);
  return found;
}

static void test_bundles(void **state) {
  (void)state;
  struct buf b = buf_new(1 << 20);
  assert_int_equal(count(span_of(NULL, 0)), -1);
  assert_int_equal(count(buf_span(&pem)), 1);
  assert_int_equal(count(buf_span(&der)), 1);
  for (unsigned i = 1; i <= CHAIN_MAX + 1; i++) {
    buf_put_text(&b, i > 1 ? "\r\n" : "");
    buf_put_span(&b, buf_span(&pem));
    assert_int_equal(count(buf_span(&b)), i <= CHAIN_MAX ? (int)i : -1);
  }
  buf_clear(&b);
  buf_put_span(&b, buf_span(&pem));
  buf_put(&b, "\0\0", 2);
  assert_int_equal(count(buf_span(&b)), 1);
  buf_put_text(&b, "x");
  assert_int_equal(count(buf_span(&b)), -1);
  buf_clear(&b);
  buf_put_text(&b, "x");
  buf_put_span(&b, buf_span(&pem));
  assert_int_equal(count(buf_span(&b)), -1);
  buf_clear(&b);
  buf_put_span(&b, buf_span(&der));
  buf_put_span(&b, buf_span(&der));
  assert_int_equal(count(buf_span(&b)), 2);
  buf_put_u8(&b, 0x30);
  assert_int_equal(count(buf_span(&b)), -1);
  for (size_t len = 0; len < der.len; len++) assert_int_equal(count(span_of(der.data, len)), -1);
  buf_free(&b);
}

static void test_roots(void **state) {
  (void)state;
  struct chain chain = {0};
  uint8_t pin[1][POLICY_ROOT];
  assert_true(chain_add(&chain, buf_span(&der)) && chain_fingerprint(certificate, pin[0]));
  struct chain_request q = {.leaf = chain.certificate[0], .pools = {&chain}, .roots = {pin, 1}, .now = 1500};
  assert_null(chain_verify(&q));
  q.now = 999;
  assert_non_null(chain_verify(&q));
  q.now = 2001;
  assert_non_null(chain_verify(&q));
  q.now = UINT64_MAX;
  assert_non_null(chain_verify(&q));
  q.now = 1500;
  q.roots.count = 0;
  assert_string_equal(chain_verify(&q), "no root is pinned");
  q.roots.count = 1;
  pin[0][0] ^= 1;
  assert_non_null(chain_verify(&q));
  pin[0][0] ^= 1;
  q.crl_count = 1; /* an empty one */
  assert_string_equal(chain_verify(&q), "a revocation list cannot be read");
  q.leaf = NULL;
  assert_non_null(chain_verify(&q));
  chain_free(&chain);
}

static void test_names(void **state) {
  (void)state;
  struct chain chain = {0};
  char name[4];
  struct span value;
  assert_true(chain_add(&chain, buf_span(&der)));
  assert_ptr_equal(chain_find(&chain, "one"), chain.certificate[0]);
  assert_null(chain_find(&chain, "two"));
  assert_true(chain_add(&chain, buf_span(&der)));
  assert_null(chain_find(&chain, "one")); /* which? */
  assert_true(chain_subject(certificate, name, sizeof name) && chain_issuer(certificate, name, sizeof name));
  assert_false(chain_subject(certificate, name, 3));
  assert_false(chain_extension(certificate, "1.2.3", &value));
  chain_free(&chain);
}

/* ECDSA over P-256 with SHA-256, RFC 6979 A.2.5, "sample". */
static void test_signatures(void **state) {
  (void)state;
  struct span point = unhex(
      "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
      "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299");
  struct span signature = unhex(
      "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
      "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8");
  EVP_PKEY *public = chain_p256(point.data);
  assert_non_null(public);
  assert_true(chain_signed(public, span_text("sample"), signature));
  assert_false(chain_signed(public, span_text("simple"), signature));
  for (size_t i = 0; i < signature.len; i++) {
    uint8_t changed[64];
    memcpy(changed, signature.data, 64);
    changed[i] ^= 0x10;
    assert_false(chain_signed(public, span_text("sample"), span_of(changed, 64)));
  }
  assert_false(chain_signed(public, span_text("sample"), span_of(signature.data, 63)));
  assert_false(chain_signed(key, span_text("sample"), signature)); /* P-384 wants 96 bytes */
  assert_false(chain_signed(NULL, span_text("sample"), signature));
  EVP_PKEY_free(public);
  uint8_t off[64] = {1};
  assert_null(chain_p256(off));
}

static void test_extension(void **state) {
  (void)state;
  static const char *const broken[] = {"", "30", "3000", "3080", "30800000", "300130", "02010130", "3002300000"};
  struct pck pck;
  for (size_t i = 0; i < COUNT(broken); i++) assert_false(pck_read(unhex(broken[i]), &pck));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bundles),    cmocka_unit_test(test_roots),     cmocka_unit_test(test_names),
      cmocka_unit_test(test_signatures), cmocka_unit_test(test_extension),
  };
  return cmocka_run_group_tests_name("chain", tests, start, stop);
}
