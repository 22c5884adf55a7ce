#include "crypto/hpke.h"

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/state.h"

#define SHARED 32u
#define MODE_BASE 0

struct hpke {
  uint8_t key[AEAD_KEY], nonce[AEAD_NONCE], exporter[HASH_SIZE];
  uint64_t sequence;
  bool seals;
};

/* suite_id of 4.1 and 5.1: who derives. */
static const uint8_t kem[] = {'K', 'E', 'M', 0x00, 0x20};
static const uint8_t suite[] = {'H', 'P', 'K', 'E', 0x00, 0x20, 0x00, 0x01, 0x00, 0x02};
static const struct span kem_id = {kem, sizeof kem}, suite_id = {suite, sizeof suite}, nothing = {NULL, 0};

/* ---- LabeledExtract and LabeledExpand (section 4) over HKDF (RFC 5869) ---- */

static enum result extract(struct span salt, struct span id, const char *label, struct span ikm,
                           uint8_t out[HASH_SIZE]) {
  const struct span parts[] = {span_text("HPKE-v1"), id, span_text(label), ikm};
  return hash_hmac_parts(salt, parts, 4, out);
}

static enum result expand(const uint8_t prk[HASH_SIZE], struct span id, const char *label, struct span info,
                          uint8_t *out, size_t len) {
  uint8_t block[HASH_SIZE], counter = 1;
  const uint8_t length[] = {(uint8_t)(len >> 8), (uint8_t)len};
  struct span parts[] = {nothing, span_of(length, 2),  span_text("HPKE-v1"), id, span_text(label),
                         info,    span_of(&counter, 1)};
  enum result r = len <= HPKE_EXPORT_MAX ? RESULT_OK : RESULT_CRYPTO;
  for (size_t done = 0; r == RESULT_OK && done < len; done += HASH_SIZE, counter++) {
    r = hash_hmac_parts(span_of(prk, HASH_SIZE), parts, 7, block);
    if (r == RESULT_OK) memcpy(out + done, block, len - done < HASH_SIZE ? len - done : HASH_SIZE);
    parts[0] = span_of(block, HASH_SIZE);
  }
  wipe(block, sizeof block);
  if (r != RESULT_OK) wipe(out, len);
  return r;
}

/* ---- setting up (4.1, 5.1) ---- */

/* ExtractAndExpand. Wipes `dh`. */
static enum result share(uint8_t dh[AGREE_SECRET], const uint8_t enc[HPKE_ENC], const uint8_t public[AGREE_PUBLIC],
                         uint8_t shared[SHARED]) {
  uint8_t prk[HASH_SIZE], both[HPKE_ENC + AGREE_PUBLIC];
  memcpy(both, enc, HPKE_ENC);
  memcpy(both + HPKE_ENC, public, AGREE_PUBLIC);
  enum result r = extract(nothing, kem_id, "eae_prk", span_of(dh, AGREE_SECRET), prk);
  if (r == RESULT_OK) r = expand(prk, kem_id, "shared_secret", span_of(both, sizeof both), shared, SHARED);
  wipe(dh, AGREE_SECRET);
  wipe(prk, sizeof prk);
  return r;
}

/* KeySchedule without a pre-shared key. Wipes `shared`. */
static enum result schedule(uint8_t shared[SHARED], struct span info, struct hpke *h) {
  uint8_t secret[HASH_SIZE], context[1 + 2 * HASH_SIZE] = {MODE_BASE};
  const struct span bound = span_of(context, sizeof context);
  enum result r = extract(nothing, suite_id, "psk_id_hash", nothing, context + 1);
  if (r == RESULT_OK) r = extract(nothing, suite_id, "info_hash", info, context + 1 + HASH_SIZE);
  if (r == RESULT_OK) r = extract(span_of(shared, SHARED), suite_id, "secret", nothing, secret);
  if (r == RESULT_OK) r = expand(secret, suite_id, "key", bound, h->key, sizeof h->key);
  if (r == RESULT_OK) r = expand(secret, suite_id, "base_nonce", bound, h->nonce, sizeof h->nonce);
  if (r == RESULT_OK) r = expand(secret, suite_id, "exp", bound, h->exporter, sizeof h->exporter);
  wipe(shared, SHARED);
  wipe(secret, sizeof secret);
  return r;
}

/* From Diffie-Hellman's secret, which it wipes, to a context. Either all of `h` is set, or none. */
static enum result set_up(uint8_t dh[AGREE_SECRET], const uint8_t enc[HPKE_ENC], const uint8_t public[AGREE_PUBLIC],
                          struct span info, struct hpke *h) {
  uint8_t shared[SHARED];
  enum result r = share(dh, enc, public, shared);
  if (r == RESULT_OK) r = schedule(shared, info, h);
  hash_hmac_forget();
  if (r != RESULT_OK) wipe(h, sizeof *h);
  return r;
}

static enum result set_up_sender(const struct agree_key *once, const uint8_t public[AGREE_PUBLIC], struct span info,
                                 struct hpke *h) {
  uint8_t dh[AGREE_SECRET], enc[HPKE_ENC];
  *h = (struct hpke){.seals = true};
  enum result r = agree_shared(once, public, dh);
  if (r != RESULT_OK) return r;
  agree_public(once, enc);
  return set_up(dh, enc, public, info, h);
}

static enum result set_up_receiver(const struct agree_key *key, const uint8_t enc[HPKE_ENC], struct span info,
                                   struct hpke *h) {
  uint8_t dh[AGREE_SECRET], public[AGREE_PUBLIC];
  *h = (struct hpke){.seals = false};
  if (crypto_state() == NULL) return RESULT_CRYPTO;
  if (agree_shared(key, enc, dh) != RESULT_OK) return RESULT_SEALED_INVALID; /* the stranger's part, not ours */
  agree_public(key, public);
  return set_up(dh, enc, public, info, h);
}

/* With a key that is made here and gone afterwards. */
static enum result set_up_once(const uint8_t public[AGREE_PUBLIC], struct span info, uint8_t enc[HPKE_ENC],
                               struct hpke *h) {
  struct agree_key *once = NULL;
  enum result r = agree_key_new(&once);
  if (r != RESULT_OK) return r;
  agree_public(once, enc);
  r = set_up_sender(once, public, info, h);
  agree_key_free(once);
  return r;
}

/* ---- contexts ---- */

/* Hands over a copy of `h`, which it wipes. */
static enum result keep(enum result r, struct hpke *h, struct hpke **out) {
  struct hpke *context = r == RESULT_OK ? malloc(sizeof *context) : NULL;
  if (r == RESULT_OK && context == NULL) r = RESULT_NO_MEMORY;
  if (r == RESULT_OK) *context = *h;
  wipe(h, sizeof *h);
  if (r == RESULT_OK) *out = context;
  return r;
}

enum result hpke_sender_new(const uint8_t public[AGREE_PUBLIC], struct span info, uint8_t enc[HPKE_ENC],
                            struct hpke **out) {
  struct hpke h = {0};
  return keep(set_up_once(public, info, enc, &h), &h, out);
}

enum result hpke_sender_import(const struct agree_key *once, const uint8_t public[AGREE_PUBLIC], struct span info,
                               struct hpke **out) {
  struct hpke h = {0};
  return keep(set_up_sender(once, public, info, &h), &h, out);
}

enum result hpke_receiver_new(const struct agree_key *key, const uint8_t enc[HPKE_ENC], struct span info,
                              struct hpke **out) {
  struct hpke h = {0};
  return keep(set_up_receiver(key, enc, info, &h), &h, out);
}

void hpke_free(struct hpke *context) {
  if (context == NULL) return;
  wipe(context, sizeof *context);
  free(context);
}

/* ComputeNonce: the sequence number, big-endian, into the base nonce. */
static void nonce_of(const struct hpke *h, uint8_t nonce[AEAD_NONCE]) {
  memcpy(nonce, h->nonce, AEAD_NONCE);
  for (size_t i = 0; i < sizeof h->sequence; i++) nonce[AEAD_NONCE - 1 - i] ^= (uint8_t)(h->sequence >> (8 * i));
}

enum result hpke_context_seal(struct hpke *context, struct span aad, struct span plain, struct buf *out) {
  uint8_t nonce[AEAD_NONCE];
  if (!context->seals || context->sequence == UINT64_MAX) return RESULT_CRYPTO;
  nonce_of(context, nonce);
  enum result r = aead_seal_at(context->key, nonce, aad, plain, out);
  if (r == RESULT_OK) context->sequence++;
  return r;
}

enum result hpke_context_open(struct hpke *context, struct span aad, struct span sealed, struct buf *out) {
  uint8_t nonce[AEAD_NONCE];
  if (context->seals || context->sequence == UINT64_MAX) return RESULT_CRYPTO;
  nonce_of(context, nonce);
  enum result r = aead_open_at(context->key, nonce, aad, sealed, out);
  if (r == RESULT_OK) context->sequence++;
  return r == RESULT_RECORD_CORRUPT ? RESULT_SEALED_INVALID : r;
}

enum result hpke_export(const struct hpke *context, struct span exporter_context, uint8_t *out, size_t len) {
  enum result r = expand(context->exporter, suite_id, "sec", exporter_context, out, len);
  hash_hmac_forget();
  return r;
}

/* ---- one message ---- */

enum result hpke_seal(const uint8_t public[AGREE_PUBLIC], struct span info, struct span aad, struct span plain,
                      uint8_t enc[HPKE_ENC], struct buf *out) {
  struct hpke h = {0};
  enum result r = set_up_once(public, info, enc, &h);
  if (r == RESULT_OK) r = hpke_context_seal(&h, aad, plain, out);
  wipe(&h, sizeof h);
  return r;
}

enum result hpke_open(const struct agree_key *key, const uint8_t enc[HPKE_ENC], struct span info, struct span aad,
                      struct span sealed, struct buf *out) {
  struct hpke h = {0};
  enum result r = set_up_receiver(key, enc, info, &h);
  if (r == RESULT_OK) r = hpke_context_open(&h, aad, sealed, out);
  wipe(&h, sizeof h);
  return r;
}
