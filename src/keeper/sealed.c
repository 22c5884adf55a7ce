#include "keeper/sealed.h"

#include "base/base64.h"
#include "base/json.h"
#include "base/table.h"
#include "base/text.h"
#include "crypto/aead.h"

#define INPUT_DOMAIN "neocompute-sealed-input-v1" /* its NUL is part of it, as of those below */
#define OUTPUT_DOMAIN "neocompute-sealed-output-v1"
#define ANSWER_KEY "neocompute-sealed-output-key-v1"
#define NONCE_MIN 16u
#define NONCE_MAX 32u
#define PLAIN_MAX (WIRE_JOB_MAX + 65536u)
#define SCRIPT_MAX 102400u
#define INPUT_MAX 1048576u
#define SECRET_MAX 65536u
#define NAME_BYTES_MAX 128u
#define DEPTH_MAX 128u

/* ---- messages that were opened ---- */

struct replay {
  struct replay *next;
  uint8_t name[HASH_SIZE];
  uint64_t end; /* Unix seconds */
};

struct sealed_replays {
  struct table *table;
  struct replay *first; /* in the order they came */
  struct replay **last;
  uint64_t now; /* the latest time that was ever said */
  size_t most;
};

enum result sealed_replays_new(size_t most, struct sealed_replays **out) {
  struct sealed_replays *r = calloc(1, sizeof *r);
  if (r == NULL) return RESULT_NO_MEMORY;
  r->last = &r->first;
  r->most = most;
  enum result result = table_new(HASH_SIZE, &r->table);
  if (result == RESULT_OK)
    *out = r;
  else
    sealed_replays_free(r);
  return result;
}

static void forget_first(struct sealed_replays *r) {
  struct replay *gone = r->first;
  r->first = gone->next;
  if (r->first == NULL) r->last = &r->first;
  (void)table_remove(r->table, gone->name);
  free(gone);
}

void sealed_replays_free(struct sealed_replays *r) {
  if (r == NULL) return;
  while (r->first != NULL) forget_first(r);
  table_free(r->table);
  free(r);
}

/* Ends are at most a window apart, so what is behind one that has not ended soon has. */
static void forget_ended(struct sealed_replays *r) {
  while (r->first != NULL && r->first->end < r->now) forget_first(r);
}

/* False if it is known, or no more can be. */
static bool remember(struct sealed_replays *r, const uint8_t name[HASH_SIZE], uint64_t end) {
  forget_ended(r);
  if (table_get(r->table, name) != NULL || table_count(r->table) >= r->most) return false;
  struct replay *new = calloc(1, sizeof *new);
  if (new == NULL) return false;
  memcpy(new->name, name, HASH_SIZE);
  new->end = end;
  if (table_put(r->table, name, new) != RESULT_OK) {
    free(new);
    return false;
  }
  *r->last = new;
  r->last = &new->next;
  return true;
}

/* ---- reading JSON ---- */

struct sealed {
  struct buf plain; /* what was sealed */
  struct buf text;  /* its strings, decoded: never moves, for it cannot be longer than `plain` */
  struct span input, script;
  struct wire_secret secrets[WIRE_SECRETS_MAX];
  size_t secret_count;
  uint8_t answer_key[AEAD_KEY], attestation[HASH_SIZE];
};

static bool key_is(const struct json_item *item, const char *name) {
  const struct span key = item->key;
  return key.len == strlen(name) + 2 && memcmp(key.data + 1, name, key.len - 2) == 0;
}

static bool is_string(struct span value) {
  return json_first(value) == '"';
}

/* A value stands in the text as it is, white space before it included. */
static struct span trimmed(struct span value) {
  while (value.len > 0 && strchr(" \t\r\n", value.data[0]) != NULL) value = span_of(value.data + 1, value.len - 1);
  while (value.len > 0 && strchr(" \t\r\n", value.data[value.len - 1]) != NULL) value.len--;
  return value;
}

/* base64url in a string without escapes. */
static bool get_bytes(struct span value, struct buf *out) {
  value = trimmed(value);
  return value.len >= 2 && value.data[0] == '"' &&
         base64_get_url(out, span_of(value.data + 1, value.len - 2)) == RESULT_OK;
}

struct message {
  struct buf enc, nonce, ciphertext;
  uint64_t expires;
  unsigned seen;
};

static enum result take_member(void *context, const struct json_item *item) {
  struct message *m = context;
  static const char *const names[] = {"enc", "nonce", "ciphertext", "expires"};
  struct buf *const parts[] = {&m->enc, &m->nonce, &m->ciphertext};
  for (unsigned i = 0; i < 4; i++) {
    if (!key_is(item, names[i])) continue;
    if (m->seen & 1u << i) return RESULT_SEALED_INPUT_REJECTED;
    m->seen |= 1u << i;
    const bool ok = i < 3 ? get_bytes(item->value, parts[i])
                          : text_u64(trimmed(item->value), 0, INT64_MAX, &m->expires) == RESULT_OK;
    return ok ? RESULT_OK : RESULT_SEALED_INPUT_REJECTED;
  }
  return RESULT_SEALED_INPUT_REJECTED;
}

static bool read_message(struct span text, struct message *m) {
  size_t at;
  *m = (struct message){.enc = buf_new(HPKE_ENC), .nonce = buf_new(NONCE_MAX), .ciphertext = buf_new(PLAIN_MAX)};
  return json_first(text) == '{' && json_each(text, 2, take_member, m, &at) == RESULT_OK && m->seen == 15 &&
         m->enc.len == HPKE_ENC && m->nonce.len >= NONCE_MIN;
}

static void free_message(struct message *m) {
  buf_free(&m->enc);
  buf_free(&m->nonce);
  buf_free(&m->ciphertext);
}

/* Appends a decoded string to the text that does not move. */
static bool take_string(struct sealed *s, struct span value, struct span *out) {
  const size_t before = s->text.len;
  value = trimmed(value);
  if (!is_string(value) || !json_get_string(value, &s->text)) return false;
  *out = buf_since(&s->text, before);
  return true;
}

static bool is_secret_name(struct span name) {
  for (size_t i = 0; i < name.len; i++) {
    const uint8_t c = name.data[i], letter = c | 32;
    if (!(letter >= 'a' && letter <= 'z') && !(c >= '0' && c <= '9') && strchr("_.-", c) == NULL) return false;
  }
  return name.len >= 1 && name.len <= NAME_BYTES_MAX;
}

static enum result take_secret(void *context, const struct json_item *item) {
  struct sealed *s = context;
  struct wire_secret secret;
  if (s->secret_count == WIRE_SECRETS_MAX) return RESULT_SEALED_INPUT_REJECTED;
  if (!take_string(s, item->key, &secret.name) || !take_string(s, item->value, &secret.value))
    return RESULT_SEALED_INPUT_REJECTED;
  if (!is_secret_name(secret.name) || secret.value.len > SECRET_MAX) return RESULT_SEALED_INPUT_REJECTED;
  for (size_t i = 0; i < s->secret_count; i++)
    if (span_equal(s->secrets[i].name, secret.name)) return RESULT_SEALED_INPUT_REJECTED;
  s->secrets[s->secret_count++] = secret;
  return RESULT_OK;
}

static enum result take_content(void *context, const struct json_item *item) {
  struct sealed *s = context;
  size_t at;
  bool ok = false;
  if (key_is(item, "input") && s->input.len == 0) {
    s->input = trimmed(item->value);
    ok = s->input.len > 0 && s->input.data[0] == '{' && s->input.len <= INPUT_MAX;
  } else if (key_is(item, "script") && s->script.len == 0) {
    ok = take_string(s, item->value, &s->script) && s->script.len > 0 && s->script.len <= SCRIPT_MAX;
  } else if (key_is(item, "secrets") && s->secret_count == 0) {
    ok = json_first(item->value) == '{' && json_each(item->value, 1, take_secret, s, &at) == RESULT_OK;
  }
  return ok ? RESULT_OK : RESULT_SEALED_INPUT_REJECTED;
}

static bool read_content(struct sealed *s, bool has_script) {
  const struct span plain = buf_span(&s->plain);
  size_t at;
  if (buf_extend(&s->text, plain.len + 1) == NULL) return false;
  s->text.len = 0;
  if (json_first(plain) != '{' || json_each(plain, DEPTH_MAX, take_content, s, &at) != RESULT_OK) return false;
  return s->input.len > 0 && has_script == (s->script.len == 0);
}

/* ---- opening ---- */

/* What a message is bound to (docs/protocol.md): AAD = SHA-256(script) or zeros | user | expires, big-endian | nonce.
 */
static enum result put_bound(const struct sealed_request *q, const struct message *m, struct buf *aad) {
  uint8_t script[HASH_SIZE] = {0};
  enum result r = q->script.len > 0 ? hash_sha256(&q->script, 1, script) : RESULT_OK;
  buf_put(aad, script, sizeof script);
  buf_put(aad, q->user, HASH_SIZE);
  for (int shift = 56; shift >= 0; shift -= 8) buf_put_u8(aad, (uint8_t)(m->expires >> shift));
  buf_put_span(aad, buf_span(&m->nonce));
  return r == RESULT_OK && aad->bad ? RESULT_NO_MEMORY : r;
}

static enum result unseal(const struct keys *keys, const struct sealed_request *q, const struct message *m,
                          struct sealed *s) {
  uint8_t info_memory[sizeof INPUT_DOMAIN + HASH_SIZE], aad_memory[3 * HASH_SIZE + NONCE_MAX];
  struct buf info = buf_fixed(info_memory, sizeof info_memory), aad = buf_fixed(aad_memory, sizeof aad_memory);
  struct hpke *context = NULL;
  buf_put(&info, INPUT_DOMAIN, sizeof INPUT_DOMAIN);
  buf_put(&info, q->attestation, HASH_SIZE);
  enum result r = put_bound(q, m, &aad);
  if (r == RESULT_OK) r = keys_receive(keys, m->enc.data, buf_span(&info), &context);
  if (r == RESULT_OK) r = hpke_context_open(context, buf_span(&aad), buf_span(&m->ciphertext), &s->plain);
  if (r == RESULT_OK) r = hpke_export(context, span_of(ANSWER_KEY, sizeof ANSWER_KEY), s->answer_key, AEAD_KEY);
  hpke_free(context);
  return r == RESULT_SEALED_INVALID ? RESULT_SEALED_INPUT_REJECTED : r;
}

static bool is_in_time(struct sealed_replays *replays, uint64_t now, uint64_t expires) {
  if (now > replays->now) replays->now = now;
  return expires >= replays->now && expires - replays->now <= SEALED_WINDOW;
}

static enum result open_message(const struct keys *keys, struct sealed_replays *replays, const struct sealed_request *q,
                                const struct message *m, struct sealed *s) {
  uint8_t name[HASH_SIZE];
  const struct span parts[] = {buf_span(&m->enc), buf_span(&m->nonce)};
  if (!is_in_time(replays, q->now, m->expires)) return RESULT_SEALED_INPUT_REJECTED;
  enum result r = unseal(keys, q, m, s);
  if (r == RESULT_OK) r = hash_sha256(parts, 2, name);
  /* Only what was sealed by somebody who knows the key's owner is remembered: others cannot fill the memory. */
  if (r == RESULT_OK && !remember(replays, name, m->expires)) r = RESULT_SEALED_INPUT_REJECTED;
  if (r == RESULT_OK && !read_content(s, q->script.len > 0)) r = RESULT_SEALED_INPUT_REJECTED;
  return r;
}

enum result sealed_open(const struct keys *keys, struct sealed_replays *replays, const struct sealed_request *request,
                        struct sealed **out) {
  struct message m;
  struct sealed *s = calloc(1, sizeof *s);
  if (s == NULL) return RESULT_NO_MEMORY;
  s->plain = buf_new(PLAIN_MAX);
  s->text = buf_new(PLAIN_MAX + 1);
  memcpy(s->attestation, request->attestation, HASH_SIZE);
  enum result r =
      read_message(request->message, &m) ? open_message(keys, replays, request, &m, s) : RESULT_SEALED_INPUT_REJECTED;
  free_message(&m);
  if (r == RESULT_OK)
    *out = s;
  else
    sealed_free(s);
  return r;
}

struct span sealed_input(const struct sealed *s) {
  return s->input;
}

struct span sealed_script(const struct sealed *s) {
  return s->script;
}

size_t sealed_secrets(const struct sealed *s, const struct wire_secret **out) {
  *out = s->secrets;
  return s->secret_count;
}

void sealed_free(struct sealed *s) {
  if (s == NULL) return;
  buf_free(&s->plain);
  buf_free(&s->text);
  wipe(s, sizeof *s);
  free(s);
}

/* ---- the answer ---- */

static void put_encoded(struct buf *b, const char *before, struct span bytes) {
  buf_put_text(b, before);
  base64_put_url(b, bytes);
  buf_put_u8(b, '"');
}

/* To the sender of the input, under a key of the message's own: used once, so its nonce may be zeros. */
static enum result answer_sender(const struct sealed *s, struct span aad, struct span plain, struct buf *out) {
  static const uint8_t nonce[AEAD_NONCE];
  struct buf sealed = buf_new(plain.len + AEAD_TAG);
  enum result r = aead_seal_at(s->answer_key, nonce, aad, plain, &sealed);
  if (r == RESULT_OK) put_encoded(out, "{\"ciphertext\":\"", buf_span(&sealed));
  buf_free(&sealed);
  return r;
}

static enum result answer_recipient(const uint8_t recipient[AGREE_PUBLIC], struct span aad, struct span plain,
                                    struct buf *out) {
  uint8_t enc[HPKE_ENC];
  struct buf sealed = buf_new(plain.len + HPKE_TAG);
  const struct span info = span_of(OUTPUT_DOMAIN, sizeof OUTPUT_DOMAIN);
  enum result r = hpke_seal(recipient, info, aad, plain, enc, &sealed);
  if (r == RESULT_OK) put_encoded(out, "{\"ciphertext\":\"", buf_span(&sealed));
  if (r == RESULT_OK) put_encoded(out, ",\"enc\":\"", span_of(enc, sizeof enc));
  buf_free(&sealed);
  return r;
}

enum result sealed_put_output(const struct sealed *s, const uint8_t *recipient, const uint8_t attestation[32],
                              const uint8_t job[16], struct span plain, struct buf *out) {
  uint8_t aad_memory[HASH_SIZE + 16];
  struct buf aad = buf_fixed(aad_memory, sizeof aad_memory);
  buf_put(&aad, recipient != NULL ? attestation : s->attestation, HASH_SIZE);
  buf_put(&aad, job, 16);
  enum result r = recipient != NULL ? answer_recipient(recipient, buf_span(&aad), plain, out)
                                    : answer_sender(s, buf_span(&aad), plain, out);
  if (r != RESULT_OK) return r;
  buf_put_u8(out, '}');
  return out->bad ? RESULT_NO_MEMORY : RESULT_OK;
}
