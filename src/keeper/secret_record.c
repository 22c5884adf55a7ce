#include "keeper/secret_record.h"

#include "base/base64.h"
#include "base/text.h"

#define FORM "nc1." /* no base64 has a dot: it cannot be taken for the reference's */
#define USER 32u

/* What a seal is for; their NUL is part of the additional data. */
static const char value_domain[] = "neocompute-secret-v1";
static const char uses_domain[] = "neocompute-secret-uses-v1";
#define AAD_MAX (sizeof uses_domain + USER + 1 + SECRET_NAME_MAX + 8)

static bool put_place(struct buf *aad, struct span domain, const struct secret_place *place) {
  if (place->name.len == 0 || place->name.len > SECRET_NAME_MAX) return false;
  buf_put_span(aad, domain);
  buf_put(aad, place->user, USER);
  buf_put_u8(aad, (uint8_t)place->name.len);
  buf_put_span(aad, place->name);
  buf_put_u64(aad, place->version);
  return !aad->bad;
}

static enum result seal(const uint8_t key[AEAD_KEY], struct span domain, const struct secret_place *place,
                        struct span plain, struct buf *text) {
  uint8_t memory[AAD_MAX];
  struct buf aad = buf_fixed(memory, sizeof memory), sealed = buf_new(plain.len + AEAD_OVERHEAD);
  if (!put_place(&aad, domain, place)) return RESULT_CRYPTO;
  const size_t before = text->len;
  enum result r = text->bad ? RESULT_NO_MEMORY : aead_seal(key, buf_span(&aad), plain, &sealed);
  if (r == RESULT_OK) {
    buf_put_text(text, FORM);
    base64_put(text, buf_span(&sealed));
    if (text->bad) {
      text->len = before;
      text->bad = false;
      r = RESULT_NO_MEMORY;
    }
  }
  buf_free(&sealed);
  return r;
}

static enum result open_base64(const uint8_t key[AEAD_KEY], struct span aad, struct span text, struct buf *plain) {
  struct buf sealed = buf_new(text.len);
  enum result r = base64_get(&sealed, text);
  if (r == RESULT_OK) r = aead_open(key, aad, buf_span(&sealed), plain);
  buf_free(&sealed);
  return r == RESULT_BAD_REQUEST || r == RESULT_RECORD_CORRUPT ? RESULT_SECRET_UNDECRYPTABLE : r;
}

static enum result open_sealed(const uint8_t key[AEAD_KEY], struct span domain, const struct secret_place *place,
                               struct span text, struct buf *plain) {
  uint8_t memory[AAD_MAX];
  struct buf aad = buf_fixed(memory, sizeof memory);
  const size_t form = sizeof FORM - 1;
  if (!put_place(&aad, domain, place)) return RESULT_CRYPTO;
  if (text.len < form || text.len > SECRET_TEXT_MAX || memcmp(text.data, FORM, form) != 0)
    return RESULT_SECRET_UNDECRYPTABLE;
  return open_base64(key, buf_span(&aad), span_of(text.data + form, text.len - form), plain);
}

/* Takes back what was appended. */
static enum result undo(struct buf *plain, size_t before, enum result r) {
  if (plain->len > before) wipe(plain->data + before, plain->len - before);
  plain->len = before;
  return r;
}

static bool value_fits(struct span value) {
  return value.len >= 1 && value.len <= SECRET_VALUE_MAX && text_utf8_valid(value);
}

enum result secret_record_seal(const uint8_t key[AEAD_KEY], const struct secret_place *place, struct span policy,
                               struct span value, struct buf *text) {
  struct buf plain = buf_new(policy.len + value.len + 8);
  (void)buf_extend(&plain, plain.max); /* all of it at once, not grown and copied */
  plain.len = 0;
  buf_put_block(&plain, policy);
  buf_put_block(&plain, value);
  enum result r = plain.bad ? RESULT_NO_MEMORY
                            : seal(key, span_of(value_domain, sizeof value_domain), place, buf_span(&plain), text);
  buf_free(&plain);
  return r;
}

enum result secret_record_open(const uint8_t key[AEAD_KEY], const struct secret_place *place, struct span text,
                               struct buf *plain, struct span *policy, struct span *value) {
  const size_t before = plain->len;
  enum result r = open_sealed(key, span_of(value_domain, sizeof value_domain), place, text, plain);
  if (r != RESULT_OK) return r;
  struct cursor c = cursor_of(buf_since(plain, before));
  *policy = cursor_block(&c);
  *value = cursor_block(&c);
  if (cursor_end(&c) && policy->len <= SECRET_POLICY_MAX && value_fits(*value)) return RESULT_OK;
  *policy = *value = span_of(NULL, 0);
  return undo(plain, before, RESULT_SECRET_UNDECRYPTABLE);
}

enum result secret_record_seal_uses(const uint8_t key[AEAD_KEY], const struct secret_place *place, uint64_t uses,
                                    struct buf *text) {
  uint8_t memory[8];
  struct buf plain = buf_fixed(memory, sizeof memory);
  buf_put_u64(&plain, uses);
  return seal(key, span_of(uses_domain, sizeof uses_domain), place, buf_span(&plain), text);
}

enum result secret_record_open_uses(const uint8_t key[AEAD_KEY], const struct secret_place *place, struct span text,
                                    uint64_t *uses) {
  uint8_t memory[8];
  struct buf plain = buf_fixed(memory, sizeof memory);
  enum result r = open_sealed(key, span_of(uses_domain, sizeof uses_domain), place, text, &plain);
  if (r == RESULT_NO_MEMORY) return RESULT_SECRET_UNDECRYPTABLE; /* it is longer than a number */
  if (r != RESULT_OK) return r;
  struct cursor c = cursor_of(buf_span(&plain));
  const uint64_t count = cursor_u64(&c);
  if (!cursor_end(&c)) return RESULT_SECRET_UNDECRYPTABLE;
  *uses = count;
  return RESULT_OK;
}

enum result secret_record_open_reference(const uint8_t key[AEAD_KEY], struct span text, struct buf *plain,
                                         struct span *value) {
  const size_t before = plain->len;
  if (text.len > SECRET_TEXT_MAX) return RESULT_SECRET_UNDECRYPTABLE;
  enum result r = open_base64(key, span_of(NULL, 0), text, plain);
  if (r != RESULT_OK) return r;
  *value = buf_since(plain, before);
  if (value_fits(*value)) return RESULT_OK;
  *value = span_of(NULL, 0);
  return undo(plain, before, RESULT_SECRET_UNDECRYPTABLE);
}
