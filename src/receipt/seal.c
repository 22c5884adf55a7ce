#include "receipt/seal.h"

#define DOMAIN "neocompute-record-v1" /* its NUL is part of the aad */
#define AAD_MAX (sizeof DOMAIN + SEAL_TABLE_MAX + 1 + SEAL_USER + SEAL_JOB)

static bool put_place(struct buf *aad, const struct seal_place *place) {
  buf_put(aad, DOMAIN, sizeof DOMAIN);
  buf_put(aad, place->table, strnlen(place->table, SEAL_TABLE_MAX + 1));
  buf_put_u8(aad, 0);
  buf_put(aad, place->user, SEAL_USER);
  buf_put(aad, place->job, SEAL_JOB);
  return !aad->bad;
}

enum result seal_record(const uint8_t key[AEAD_KEY], const struct seal_place *place, struct span reply,
                        struct span claims, struct buf *out) {
  uint8_t memory[AAD_MAX];
  struct buf aad = buf_fixed(memory, sizeof memory);
  if (!put_place(&aad, place)) return RESULT_CRYPTO;
  struct buf plain = buf_new(reply.len + claims.len + 8);
  (void)buf_extend(&plain, plain.max); /* all of it at once, not grown and copied */
  plain.len = 0;
  buf_put_block(&plain, reply);
  buf_put_block(&plain, claims);
  enum result r = plain.bad ? RESULT_NO_MEMORY : aead_seal(key, buf_span(&aad), buf_span(&plain), out);
  buf_free(&plain);
  return r;
}

enum result seal_open(const uint8_t key[AEAD_KEY], const struct seal_place *place, struct span sealed, struct buf *text,
                      struct span *reply, struct span *claims) {
  uint8_t memory[AAD_MAX];
  struct buf aad = buf_fixed(memory, sizeof memory);
  if (!put_place(&aad, place)) return RESULT_CRYPTO;
  size_t before = text->len;
  enum result r = aead_open(key, buf_span(&aad), sealed, text);
  if (r != RESULT_OK) return r;
  struct cursor c = cursor_of(buf_since(text, before));
  *reply = cursor_block(&c);
  *claims = cursor_block(&c);
  if (cursor_end(&c)) return RESULT_OK;
  if (text->len > before) wipe(text->data + before, text->len - before);
  text->len = before;
  *reply = *claims = span_of(NULL, 0);
  return RESULT_RECORD_CORRUPT;
}
