#include "crypto/aead.h"

#include <limits.h>

#include "crypto/random.h"
#include "crypto/state.h"

#define NONCE 12u
#define TAG 16u

static bool fits(struct span s) {
  return s.len <= INT_MAX - AEAD_OVERHEAD;
}

/* Starts the cipher in one direction and takes in the aad. */
static bool begin(EVP_CIPHER_CTX *context, int seal, const uint8_t *key, const uint8_t *nonce, struct span aad) {
  int len = 0;
  if (EVP_CipherInit_ex2(context, crypto_state()->aes256_gcm, key, nonce, seal, NULL) != 1) return false;
  return aad.len == 0 || EVP_CipherUpdate(context, NULL, &len, aad.data, (int)aad.len) == 1;
}

static bool update(EVP_CIPHER_CTX *context, uint8_t *out, struct span in) {
  int len = 0;
  return in.len == 0 || (EVP_CipherUpdate(context, out, &len, in.data, (int)in.len) == 1 && (size_t)len == in.len);
}

static bool seal_into(const uint8_t *key, struct span aad, struct span plain, uint8_t *out) {
  EVP_CIPHER_CTX *context = crypto_state()->cipher;
  uint8_t *tag = out + NONCE + plain.len;
  int len = 0;
  return random_bytes(out, NONCE) == RESULT_OK && begin(context, 1, key, out, aad) &&
         update(context, out + NONCE, plain) && EVP_CipherFinal_ex(context, tag, &len) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG, tag) == 1;
}

static bool open_into(const uint8_t *key, struct span aad, struct span sealed, uint8_t *out) {
  EVP_CIPHER_CTX *context = crypto_state()->cipher;
  uint8_t tag[TAG], nothing[TAG];
  size_t plain = sealed.len - AEAD_OVERHEAD;
  int len = 0;
  memcpy(tag, sealed.data + NONCE + plain, TAG);
  return begin(context, 0, key, sealed.data, aad) && update(context, out, span_of(sealed.data + NONCE, plain)) &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1 &&
         EVP_CipherFinal_ex(context, nothing, &len) == 1;
}

/* Takes back what was appended; of plaintext that is not genuine nothing stays. */
static enum result take_back(struct buf *out, size_t before, enum result r) {
  if (out->len > before) wipe(out->data + before, out->len - before);
  out->len = before;
  return r;
}

enum result aead_seal(const uint8_t key[AEAD_KEY], struct span aad, struct span plain, struct buf *out) {
  if (crypto_state() == NULL) return RESULT_CRYPTO;
  size_t before = out->len;
  if (out->bad || !fits(aad) || !fits(plain)) return RESULT_NO_MEMORY;
  uint8_t *room = buf_extend(out, plain.len + AEAD_OVERHEAD);
  out->bad = false;
  if (room == NULL) return RESULT_NO_MEMORY;
  return seal_into(key, aad, plain, room) ? RESULT_OK : take_back(out, before, RESULT_CRYPTO);
}

enum result aead_open(const uint8_t key[AEAD_KEY], struct span aad, struct span sealed, struct buf *out) {
  if (crypto_state() == NULL) return RESULT_CRYPTO;
  size_t before = out->len;
  if (sealed.len < AEAD_OVERHEAD || !fits(sealed) || !fits(aad)) return RESULT_RECORD_CORRUPT;
  if (out->bad) return RESULT_NO_MEMORY;
  uint8_t *room = buf_extend(out, sealed.len - AEAD_OVERHEAD);
  bool refused = out->bad;
  out->bad = false;
  if (refused) return RESULT_NO_MEMORY;
  return open_into(key, aad, sealed, room) ? RESULT_OK : take_back(out, before, RESULT_RECORD_CORRUPT);
}
