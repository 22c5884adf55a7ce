#include "crypto/agree.h"

#include <openssl/crypto.h>

#include "crypto/state.h"

struct agree_key {
  EVP_PKEY *pair;
  uint8_t public[AGREE_PUBLIC];
};

/* Takes `pair`, which may be NULL. */
static enum result hold(EVP_PKEY *pair, struct agree_key **out) {
  size_t len = AGREE_PUBLIC;
  struct agree_key *key = calloc(1, sizeof *key);
  if (key == NULL) {
    EVP_PKEY_free(pair);
    return RESULT_NO_MEMORY;
  }
  key->pair = pair;
  if (pair == NULL || EVP_PKEY_get_raw_public_key(pair, key->public, &len) != 1 || len != AGREE_PUBLIC) {
    agree_key_free(key);
    return RESULT_CRYPTO;
  }
  *out = key;
  return RESULT_OK;
}

enum result agree_key_new(struct agree_key **out) {
  if (crypto_state() == NULL) return RESULT_CRYPTO;
  return hold(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), out);
}

enum result agree_key_import(const uint8_t secret[AGREE_SECRET], struct agree_key **out) {
  if (crypto_state() == NULL) return RESULT_CRYPTO;
  return hold(EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, secret, AGREE_SECRET), out);
}

void agree_public(const struct agree_key *key, uint8_t out[AGREE_PUBLIC]) {
  memcpy(out, key->public, AGREE_PUBLIC);
}

/* Said here, whatever the library says. */
static bool all_zero(const uint8_t secret[AGREE_SECRET]) {
  static const uint8_t zeros[AGREE_SECRET];
  return CRYPTO_memcmp(secret, zeros, AGREE_SECRET) == 0;
}

enum result agree_shared(const struct agree_key *key, const uint8_t peer[AGREE_PUBLIC], uint8_t out[AGREE_SECRET]) {
  if (crypto_state() == NULL) return RESULT_CRYPTO;
  size_t len = AGREE_SECRET;
  EVP_PKEY *other = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, peer, AGREE_PUBLIC);
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->pair, NULL);
  bool done = other != NULL && context != NULL && EVP_PKEY_derive_init(context) == 1 &&
              EVP_PKEY_derive_set_peer(context, other) == 1 && EVP_PKEY_derive(context, out, &len) == 1 &&
              len == AGREE_SECRET && !all_zero(out);
  EVP_PKEY_CTX_free(context);
  EVP_PKEY_free(other);
  if (done) return RESULT_OK;
  wipe(out, AGREE_SECRET);
  return RESULT_CRYPTO;
}

/* OpenSSL wipes private keys. */
void agree_key_free(struct agree_key *key) {
  if (key == NULL) return;
  EVP_PKEY_free(key->pair);
  free(key);
}
