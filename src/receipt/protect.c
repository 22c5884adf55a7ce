#include "receipt/protect.h"

#include "base/base64.h"
#include "base/text.h"

/* Labels: the first pair is the reference's, the second ours. */
#define SIGNING_SALT "neocompute-signing-key"
#define SIGNING_INFO "tee-result-signing"
#define STORE_SALT "neocompute"
#define STORE_INFO "store-sealing-v1"
#define SECRET_INFO "secret-sealing-v1"

enum result protect_derive(struct span master, struct protect_keys *out) {
  *out = (struct protect_keys){0};
  if (master.len < PROTECT_MASTER_MIN) return RESULT_CONFIG_INVALID;
  memcpy(out->output, master.data, sizeof out->output);
  enum result r =
      hash_hkdf(master, span_text(SIGNING_SALT), span_text(SIGNING_INFO), out->signing, sizeof out->signing);
  if (r == RESULT_OK)
    r = hash_hkdf(master, span_text(STORE_SALT), span_text(STORE_INFO), out->store, sizeof out->store);
  if (r == RESULT_OK)
    r = hash_hkdf(master, span_text(STORE_SALT), span_text(SECRET_INFO), out->secret, sizeof out->secret);
  if (r != RESULT_OK) protect_wipe(out);
  return r;
}

void protect_wipe(struct protect_keys *keys) {
  wipe(keys, sizeof *keys);
}

enum result protect_sign(const struct protect_keys *keys, const uint8_t hash[HASH_SIZE],
                         char signature[PROTECT_HEX + 1]) {
  uint8_t mac[HASH_SIZE];
  struct buf hex = buf_fixed(signature, PROTECT_HEX);
  signature[0] = signature[PROTECT_HEX] = 0;
  enum result r = hash_hmac(span_of(keys->signing, sizeof keys->signing), span_of(hash, HASH_SIZE), mac);
  if (r == RESULT_OK) text_put_hex(&hex, span_of(mac, sizeof mac));
  return r;
}

enum result protect_encrypt(const struct protect_keys *keys, struct span output, struct buf *out) {
  struct buf sealed = buf_new(output.len + AEAD_OVERHEAD);
  enum result r = aead_seal(keys->output, span_of(NULL, 0), output, &sealed);
  if (r == RESULT_OK && out->bad) r = RESULT_NO_MEMORY;
  if (r == RESULT_OK) {
    base64_put(out, buf_span(&sealed));
    if (out->bad) r = RESULT_NO_MEMORY;
    out->bad = false;
  }
  buf_free(&sealed);
  return r;
}
