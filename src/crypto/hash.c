#include "crypto/hash.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>

#include "crypto/state.h"

static enum result digest(const EVP_MD *algorithm, const struct span *parts, size_t count, uint8_t *out) {
  EVP_MD_CTX *context = crypto_state()->digest;
  if (EVP_DigestInit_ex2(context, algorithm, NULL) != 1) return RESULT_CRYPTO;
  for (size_t i = 0; i < count; i++) {
    if (EVP_DigestUpdate(context, parts[i].data, parts[i].len) != 1) return RESULT_CRYPTO;
  }
  return EVP_DigestFinal_ex(context, out, NULL) == 1 ? RESULT_OK : RESULT_CRYPTO;
}

enum result hash_sha256(const struct span *parts, size_t count, uint8_t out[HASH_SIZE]) {
  if (crypto_state() == NULL) return RESULT_CRYPTO;
  return digest(crypto_state()->sha256, parts, count, out);
}

enum result hash_sha512(const struct span *parts, size_t count, uint8_t out[64]) {
  if (crypto_state() == NULL) return RESULT_CRYPTO;
  return digest(crypto_state()->sha512, parts, count, out);
}

/* To OpenSSL, no pointer means "the last key again" or "no such parameter". */
static const void *never_null(struct span s) {
  return s.data != NULL ? s.data : (const void *)"";
}

enum result hash_hmac_parts(struct span key, const struct span *parts, size_t count, uint8_t out[HASH_SIZE]) {
  if (crypto_state() == NULL) return RESULT_CRYPTO;
  EVP_MAC_CTX *context = crypto_state()->hmac;
  size_t len = 0;
  if (EVP_MAC_init(context, never_null(key), key.len, NULL) != 1) return RESULT_CRYPTO;
  for (size_t i = 0; i < count; i++) {
    if (EVP_MAC_update(context, never_null(parts[i]), parts[i].len) != 1) return RESULT_CRYPTO;
  }
  return EVP_MAC_final(context, out, &len, HASH_SIZE) == 1 && len == HASH_SIZE ? RESULT_OK : RESULT_CRYPTO;
}

enum result hash_hmac(struct span key, struct span data, uint8_t out[HASH_SIZE]) {
  return hash_hmac_parts(key, &data, 1, out);
}

void hash_hmac_forget(void) {
  if (crypto_state() != NULL) (void)EVP_MAC_init(crypto_state()->hmac, (const void *)"", 0, NULL);
}

static OSSL_PARAM octets(const char *name, struct span s) {
  return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)never_null(s), s.len);
}

enum result hash_hkdf(struct span key, struct span salt, struct span info, uint8_t *out, size_t out_len) {
  if (crypto_state() == NULL) return RESULT_CRYPTO;
  OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char[]){"SHA256"}, 0),
                         octets(OSSL_KDF_PARAM_KEY, key), octets(OSSL_KDF_PARAM_SALT, salt),
                         octets(OSSL_KDF_PARAM_INFO, info), OSSL_PARAM_construct_end()};
  EVP_KDF_CTX *context = EVP_KDF_CTX_new(crypto_state()->hkdf);
  bool done = context != NULL && EVP_KDF_derive(context, out, out_len, params) == 1;
  EVP_KDF_CTX_free(context);
  if (done) return RESULT_OK;
  wipe(out, out_len);
  return RESULT_CRYPTO;
}

bool hash_equal(const uint8_t a[HASH_SIZE], const uint8_t b[HASH_SIZE]) {
  return CRYPTO_memcmp(a, b, HASH_SIZE) == 0;
}
