#include "crypto/aead.h"

#include <limits.h>

#include "crypto/random.h"
#include "crypto/state.h"

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

static bool seal_into(const uint8_t *key, const uint8_t *nonce, struct span aad, struct span plain, uint8_t *out) {
  EVP_CIPHER_CTX *context = crypto_state()->cipher;
  uint8_t *tag = out + plain.len;
  int len = 0;
  return begin(context, 1, key, nonce, aad) && update(context, out, plain) &&
         EVP_CipherFinal_ex(context, tag, &len) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG, tag) == 1;
}

/* `sealed` has room for the tag. */
static bool open_into(const uint8_t *key, const uint8_t *nonce, struct span aad, struct span sealed, uint8_t *out) {
  EVP_CIPHER_CTX *context = crypto_state()->cipher;
  uint8_t tag[AEAD_TAG], nothing[AEAD_TAG];
  size_t plain = sealed.len - AEAD_TAG;
  int len = 0;
  memcpy(tag, sealed.data + plain, AEAD_TAG);
  return begin(context, 0, key, nonce, aad) && update(context, out, span_of(sealed.data, plain)) &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG, tag) == 1 &&
         EVP_CipherFinal_ex(context, nothing, &len) == 1;
}

/* Takes back what was appended; of plaintext that is not genuine nothing stays. */
static enum result take_back(struct buf *out, size_t before, enum result r) {
  if (out->len > before) wipe(out->data + before, out->len - before);
  out->len = before;
  return r;
}

/* `len` more bytes; NULL, and `out` as before, if there is no room. */
static uint8_t *extend(struct buf *out, size_t len) {
  static uint8_t none[1]; /* no bytes need no memory, but an address */
  if (out->bad) return NULL;
  uint8_t *room = buf_extend(out, len);
  bool refused = out->bad;
  out->bad = false;
  if (refused) return NULL;
  return room != NULL ? room : none;
}

enum result aead_seal(const uint8_t key[AEAD_KEY], struct span aad, struct span plain, struct buf *out) {
  if (crypto_state() == NULL) return RESULT_CRYPTO;
  size_t before = out->len;
  if (!fits(aad) || !fits(plain)) return RESULT_NO_MEMORY;
  uint8_t *room = extend(out, plain.len + AEAD_OVERHEAD);
  if (room == NULL) return RESULT_NO_MEMORY;
  bool sealed = random_bytes(room, AEAD_NONCE) == RESULT_OK && seal_into(key, room, aad, plain, room + AEAD_NONCE);
  return sealed ? RESULT_OK : take_back(out, before, RESULT_CRYPTO);
}

enum result aead_open(const uint8_t key[AEAD_KEY], struct span aad, struct span sealed, struct buf *out) {
  if (crypto_state() == NULL) return RESULT_CRYPTO;
  size_t before = out->len;
  if (sealed.len < AEAD_OVERHEAD || !fits(sealed) || !fits(aad)) return RESULT_RECORD_CORRUPT;
  uint8_t *room = extend(out, sealed.len - AEAD_OVERHEAD);
  if (room == NULL) return RESULT_NO_MEMORY;
  struct span rest = span_of(sealed.data + AEAD_NONCE, sealed.len - AEAD_NONCE);
  return open_into(key, sealed.data, aad, rest, room) ? RESULT_OK : take_back(out, before, RESULT_RECORD_CORRUPT);
}

enum result aead_seal_at(const uint8_t key[AEAD_KEY], const uint8_t nonce[AEAD_NONCE], struct span aad,
                         struct span plain, struct buf *out) {
  if (crypto_state() == NULL) return RESULT_CRYPTO;
  size_t before = out->len;
  if (!fits(aad) || !fits(plain)) return RESULT_NO_MEMORY;
  uint8_t *room = extend(out, plain.len + AEAD_TAG);
  if (room == NULL) return RESULT_NO_MEMORY;
  bool sealed = seal_into(key, nonce, aad, plain, room);
  EVP_CIPHER_CTX_reset(crypto_state()->cipher);
  return sealed ? RESULT_OK : take_back(out, before, RESULT_CRYPTO);
}

enum result aead_open_at(const uint8_t key[AEAD_KEY], const uint8_t nonce[AEAD_NONCE], struct span aad,
                         struct span sealed, struct buf *out) {
  if (crypto_state() == NULL) return RESULT_CRYPTO;
  size_t before = out->len;
  if (sealed.len < AEAD_TAG || !fits(sealed) || !fits(aad)) return RESULT_RECORD_CORRUPT;
  uint8_t *room = extend(out, sealed.len - AEAD_TAG);
  if (room == NULL) return RESULT_NO_MEMORY;
  bool opened = open_into(key, nonce, aad, sealed, room);
  EVP_CIPHER_CTX_reset(crypto_state()->cipher);
  return opened ? RESULT_OK : take_back(out, before, RESULT_RECORD_CORRUPT);
}
