#include "crypto/agree.h"

#include "crypto/state.h"

struct agree_key {
  EVP_PKEY *pair;
  uint8_t public[AGREE_PUBLIC];
};

enum result agree_key_new(struct agree_key **out) {
  struct agree_key *key = NULL;
  size_t len = AGREE_PUBLIC;
  if (crypto_state() == NULL) return RESULT_CRYPTO;
  key = calloc(1, sizeof *key);
  if (key == NULL) return RESULT_NO_MEMORY;
  key->pair = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
  if (key->pair == NULL || EVP_PKEY_get_raw_public_key(key->pair, key->public, &len) != 1 || len != AGREE_PUBLIC) {
    agree_key_free(key);
    return RESULT_CRYPTO;
  }
  *out = key;
  return RESULT_OK;
}

void agree_public(const struct agree_key *key, uint8_t out[AGREE_PUBLIC]) {
  memcpy(out, key->public, AGREE_PUBLIC);
}

/* OpenSSL wipes private keys. */
void agree_key_free(struct agree_key *key) {
  if (key == NULL) return;
  EVP_PKEY_free(key->pair);
  free(key);
}
