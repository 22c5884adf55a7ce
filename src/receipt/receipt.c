#include "receipt/receipt.h"

#include <stddef.h>

#include "base/base64.h"
#include "base/digest.h"
#include "base/text.h"

#define SAFE_INTEGER ((UINT64_C(1) << 53) - 1) /* what RFC 8785 can write exactly */
#define HASH_TEXT 43u                          /* base64url of HASH_SIZE bytes */
#define HASHED "sha256:"

/* ---- values: each kind is written in one way and read in that way only ---- */

struct field;
struct kind {
  bool (*present)(const struct receipt_claims *claims, const struct field *f); /* NULL: always */
  bool (*put)(struct buf *b, const struct receipt_claims *claims, const struct field *f);
  bool (*get)(struct cursor *c, struct receipt_claims *claims, const struct field *f);
};
struct field {
  const char *name;
  const struct kind *kind;
  size_t at;        /* in struct receipt_claims */
  uint64_t max;     /* of a number, or of a name's length */
  const char *text; /* of a constant */
};

static const void *value_of(const struct receipt_claims *claims, const struct field *f) {
  return (const uint8_t *)claims + f->at;
}

static void *place_of(struct receipt_claims *claims, const struct field *f) {
  return (uint8_t *)claims + f->at;
}

/* Takes exactly these bytes from the front. */
static bool take(struct cursor *c, const char *text) {
  size_t len = strlen(text);
  if (c->rest.len < len || memcmp(c->rest.data, text, len) != 0) return false;
  (void)cursor_bytes(c, len);
  return true;
}

static void put_quoted(struct buf *b, struct span text) {
  buf_put_u8(b, '"');
  buf_put_span(b, text);
  buf_put_u8(b, '"');
}

/* What JSON writes as it stands. */
static bool is_plain(struct span text) {
  for (size_t i = 0; i < text.len; i++) {
    if (text.data[i] < 0x20 || text.data[i] == '"' || text.data[i] == '\\') return false;
  }
  return text_utf8_valid(text);
}

static bool take_quoted(struct cursor *c, struct span *out) {
  if (!take(c, "\"")) return false;
  const uint8_t *end = c->rest.len > 0 ? memchr(c->rest.data, '"', c->rest.len) : NULL;
  if (end == NULL) return false;
  *out = cursor_bytes(c, (size_t)(end - c->rest.data));
  return take(c, "\"") && is_plain(*out);
}

static bool put_hash(struct buf *b, const struct receipt_claims *claims, const struct field *f) {
  buf_put_u8(b, '"');
  base64_put_url(b, span_of(value_of(claims, f), HASH_SIZE));
  buf_put_u8(b, '"');
  return true;
}

static bool get_hash(struct cursor *c, struct receipt_claims *claims, const struct field *f) {
  struct span text;
  return take_quoted(c, &text) && base64_read_url(text, place_of(claims, f), HASH_SIZE);
}

static bool put_number(struct buf *b, const struct receipt_claims *claims, const struct field *f) {
  const uint64_t *value = value_of(claims, f);
  buf_printf(b, "%llu", (unsigned long long)*value);
  return *value <= f->max;
}

static bool get_number(struct cursor *c, struct receipt_claims *claims, const struct field *f) {
  size_t len = 0;
  while (len < c->rest.len && c->rest.data[len] >= '0' && c->rest.data[len] <= '9') len++;
  struct span digits = cursor_bytes(c, len);
  if (len > 1 && digits.data[0] == '0') return false;
  return text_u64(digits, 0, f->max, place_of(claims, f)) == RESULT_OK;
}

static bool put_name(struct buf *b, const struct receipt_claims *claims, const struct field *f) {
  const struct span *value = value_of(claims, f);
  put_quoted(b, *value);
  return value->len > 0 && value->len <= f->max && is_plain(*value);
}

static bool get_name(struct cursor *c, struct receipt_claims *claims, const struct field *f) {
  struct span *value = place_of(claims, f);
  return take_quoted(c, value) && value->len > 0 && value->len <= f->max;
}

/* A caller's text of any length and content has to fit. */
static bool stands_as_it_is(struct span text) {
  size_t mark = strlen(HASHED);
  return text.len <= RECEIPT_TEXT_MAX && is_plain(text) && (text.len < mark || memcmp(text.data, HASHED, mark) != 0);
}

static void put_hashed(struct buf *b, struct span text) {
  uint8_t hash[DIGEST_SIZE];
  digest_sha256(text, hash);
  buf_put_text(b, HASHED);
  base64_put_url(b, span_of(hash, sizeof hash));
}

static bool has_text(const struct receipt_claims *claims, const struct field *f) {
  return ((const struct span *)value_of(claims, f))->len > 0;
}

static bool put_text(struct buf *b, const struct receipt_claims *claims, const struct field *f) {
  const struct span *value = value_of(claims, f);
  buf_put_u8(b, '"');
  if (stands_as_it_is(*value))
    buf_put_span(b, *value);
  else
    put_hashed(b, *value);
  buf_put_u8(b, '"');
  return true;
}

static bool get_text(struct cursor *c, struct receipt_claims *claims, const struct field *f) {
  struct span *value = place_of(claims, f);
  uint8_t hash[HASH_SIZE];
  if (!take_quoted(c, value)) return false;
  if (stands_as_it_is(*value)) return true;
  size_t mark = strlen(HASHED);
  return value->len == mark + HASH_TEXT && memcmp(value->data, HASHED, mark) == 0 &&
         base64_read_url(span_of(value->data + mark, HASH_TEXT), hash, sizeof hash);
}

static bool failed(const struct receipt_claims *claims, const struct field *f) {
  (void)f;
  return claims->result != RESULT_OK;
}

static bool completed(const struct receipt_claims *claims, const struct field *f) {
  return !failed(claims, f);
}

static bool put_code(struct buf *b, const struct receipt_claims *claims, const struct field *f) {
  (void)f;
  put_quoted(b, span_text(result_name(claims->result)));
  return claims->result < RESULT_COUNT;
}

static bool get_code(struct cursor *c, struct receipt_claims *claims, const struct field *f) {
  (void)f;
  struct span name;
  if (!take_quoted(c, &name)) return false;
  for (unsigned i = RESULT_OK + 1; i < RESULT_COUNT; i++) {
    if (!span_is(name, result_name((enum result)i))) continue;
    claims->result = (enum result)i;
    return true;
  }
  return false;
}

static const char *status_of(const struct receipt_claims *claims) {
  return claims->result == RESULT_OK ? "completed" : "failed";
}

static bool put_status(struct buf *b, const struct receipt_claims *claims, const struct field *f) {
  (void)f;
  put_quoted(b, span_text(status_of(claims)));
  return true;
}

/* The code came before it. */
static bool get_status(struct cursor *c, struct receipt_claims *claims, const struct field *f) {
  (void)f;
  struct span status;
  return take_quoted(c, &status) && span_is(status, status_of(claims));
}

static bool put_constant(struct buf *b, const struct receipt_claims *claims, const struct field *f) {
  (void)claims;
  buf_put_text(b, f->text);
  return true;
}

static bool get_constant(struct cursor *c, struct receipt_claims *claims, const struct field *f) {
  (void)claims;
  return take(c, f->text);
}

static const struct kind hash = {NULL, put_hash, get_hash};
static const struct kind number = {NULL, put_number, get_number};
static const struct kind name = {NULL, put_name, get_name};
static const struct kind text_always = {NULL, put_text, get_text};
static const struct kind text_if_any = {has_text, put_text, get_text};
static const struct kind output_hash = {completed, put_hash, get_hash};
static const struct kind code = {failed, put_code, get_code};
static const struct kind status = {NULL, put_status, get_status};
static const struct kind constant = {NULL, put_constant, get_constant};

/* ---- the two objects, in canonical order ---- */

#define AT(member) offsetof(struct receipt_claims, member)
static const struct field payload_fields[] = {
    {"code", &code, 0, 0, NULL},
    {"dur_us", &number, AT(duration_us), 999999999999, NULL},
    {"entry", &text_always, AT(entry), 0, NULL},
    {"gas", &number, AT(gas), 9999999, NULL},
    {"iat", &number, AT(issued_at), 9999999999, NULL},
    {"input", &hash, AT(input), 0, NULL},
    {"iss", &name, AT(issuer), 12, NULL},
    {"job", &name, AT(job), 36, NULL},
    {"limits", &hash, AT(limits), 0, NULL},
    {"logs", &hash, AT(logs), 0, NULL},
    {"nonce", &text_if_any, AT(nonce), 0, NULL},
    {"output", &output_hash, AT(output), 0, NULL},
    {"prev", &hash, AT(previous), 0, NULL},
    {"script", &hash, AT(script), 0, NULL},
    {"secrets", &hash, AT(secrets), 0, NULL},
    {"seq", &number, AT(sequence), SAFE_INTEGER, NULL},
    {"status", &status, 0, 0, NULL},
    {"steps", &number, AT(steps), SAFE_INTEGER, NULL},
    {"sub", &hash, AT(subject), 0, NULL},
    {"tee", &name, AT(tee), 6, NULL},
    {"v", &constant, 0, 0, "1"},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define HEADER_FIELDS 6u

/* `kid` is a JSON string, quotes included. */
static void header_fields(struct field fields[HEADER_FIELDS], const char *kid) {
  const struct field all[HEADER_FIELDS] = {
      {"alg", &constant, 0, 0, "\"ES256\""}, {"att", &hash, AT(attestation), 0, NULL},
      {"eng", &name, AT(engine), 64, NULL},  {"iso", &name, AT(isolation), 64, NULL},
      {"kid", &constant, 0, 0, kid},         {"typ", &constant, 0, 0, "\"neocompute-receipt+jwt\""},
  };
  memcpy(fields, all, sizeof all);
}

struct key_id {
  char quoted[SIGN_THUMBPRINT + 3];
};

static struct key_id key_id_of(const uint8_t key[SIGN_PUBLIC]) {
  struct key_id id;
  char thumbprint[SIGN_THUMBPRINT + 1];
  sign_thumbprint(key, thumbprint);
  snprintf(id.quoted, sizeof id.quoted, "\"%s\"", thumbprint);
  return id;
}

static bool put_object(struct buf *b, const struct field *fields, size_t count, const struct receipt_claims *claims) {
  bool legal = true;
  char before = '{';
  for (const struct field *f = fields; f < fields + count; f++) {
    if (f->kind->present != NULL && !f->kind->present(claims, f)) continue;
    buf_put_u8(b, (uint8_t)before);
    put_quoted(b, span_text(f->name));
    buf_put_u8(b, ':');
    legal = f->kind->put(b, claims, f) && legal;
    before = ',';
  }
  buf_put_u8(b, '}');
  return legal;
}

static bool take_name(struct cursor *c, char before, const char *member) {
  struct cursor ahead = *c;
  const char opening[] = {before, '"', 0};
  if (!take(&ahead, opening) || !take(&ahead, member) || !take(&ahead, "\":")) return false;
  *c = ahead;
  return true;
}

/* A member that may be absent says by itself, once read, whether it had to be there. */
static bool get_object(struct span json, const struct field *fields, size_t count, struct receipt_claims *claims) {
  struct cursor c = cursor_of(json);
  char before = '{';
  for (const struct field *f = fields; f < fields + count; f++) {
    bool found = take_name(&c, before, f->name);
    if (found && !f->kind->get(&c, claims, f)) return false;
    if (found) before = ',';
    if (found != (f->kind->present == NULL || f->kind->present(claims, f))) return false;
  }
  return take(&c, "}") && cursor_end(&c);
}

/* ---- the JWS ---- */

static enum result put_signed(struct sign_key *key, struct span header, struct span payload, struct buf *out) {
  uint8_t signature[SIGN_SIZE];
  size_t before = out->len;
  base64_put_url(out, header);
  buf_put_u8(out, '.');
  base64_put_url(out, payload);
  if (out->bad) return RESULT_NO_MEMORY;
  enum result r = sign_message(key, buf_since(out, before), signature);
  if (r != RESULT_OK) return r;
  buf_put_u8(out, '.');
  base64_put_url(out, span_of(signature, sizeof signature));
  return out->bad ? RESULT_NO_MEMORY : RESULT_OK;
}

enum result receipt_sign(struct sign_key *key, const struct receipt_claims *claims, struct buf *out) {
  uint8_t header_memory[RECEIPT_HEADER_MAX], payload_memory[RECEIPT_PAYLOAD_MAX], public[SIGN_PUBLIC];
  struct buf header = buf_fixed(header_memory, sizeof header_memory);
  struct buf payload = buf_fixed(payload_memory, sizeof payload_memory);
  struct field fields[HEADER_FIELDS];
  sign_public(key, public);
  struct key_id id = key_id_of(public);
  header_fields(fields, id.quoted);
  bool legal = put_object(&header, fields, HEADER_FIELDS, claims);
  legal = put_object(&payload, payload_fields, COUNT(payload_fields), claims) && legal;
  if (!legal || header.bad || payload.bad) return RESULT_LIMIT_INVALID;
  if (out->bad) return RESULT_NO_MEMORY;
  size_t before = out->len;
  enum result r = put_signed(key, buf_span(&header), buf_span(&payload), out);
  if (r == RESULT_OK) return RESULT_OK;
  out->len = before;
  out->bad = false;
  return r;
}

struct parts {
  struct span header, payload, signature, message;
};

static bool split(struct span jws, struct parts *p) {
  if (jws.len > RECEIPT_MAX || jws.len == 0) return false;
  const uint8_t *end = jws.data + jws.len, *first = memchr(jws.data, '.', jws.len);
  const uint8_t *second = first != NULL ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
  if (second == NULL) return false;
  *p = (struct parts){span_of(jws.data, (size_t)(first - jws.data)), span_of(first + 1, (size_t)(second - first - 1)),
                      span_of(second + 1, (size_t)(end - second - 1)), span_of(jws.data, (size_t)(second - jws.data))};
  return true;
}

/* RESULT_NOT_VERIFIED for text that is not base64url. */
static enum result decode(struct buf *text, struct span encoded) {
  enum result r = base64_get_url(text, encoded);
  return r == RESULT_BAD_REQUEST ? RESULT_NOT_VERIFIED : r;
}

/* Header and payload one after the other: spans come once both are in, for the memory may have moved. */
static enum result decode_both(struct buf *text, const struct parts *p, struct span *header, struct span *payload) {
  size_t start = text->len;
  enum result r = decode(text, p->header);
  if (r != RESULT_OK) return r;
  size_t middle = text->len;
  r = decode(text, p->payload);
  if (r != RESULT_OK) return r;
  *header = span_of(buf_since(text, start).data, middle - start);
  *payload = buf_since(text, middle);
  return header->len <= RECEIPT_HEADER_MAX && payload->len <= RECEIPT_PAYLOAD_MAX ? RESULT_OK : RESULT_NOT_VERIFIED;
}

enum result receipt_read(struct span jws, const uint8_t key[SIGN_PUBLIC], struct buf *text,
                         struct receipt_claims *claims) {
  struct parts p;
  struct span header, payload;
  struct field fields[HEADER_FIELDS];
  uint8_t signature[SIGN_SIZE];
  *claims = (struct receipt_claims){0};
  if (!split(jws, &p) || !base64_read_url(p.signature, signature, sizeof signature)) return RESULT_NOT_VERIFIED;
  enum result r = decode_both(text, &p, &header, &payload);
  if (r != RESULT_OK) return r;
  struct key_id id = key_id_of(key);
  header_fields(fields, id.quoted);
  if (!get_object(header, fields, HEADER_FIELDS, claims)) return RESULT_NOT_VERIFIED;
  r = sign_verify(key, p.message, span_of(signature, sizeof signature));
  if (r != RESULT_OK) return r;
  return get_object(payload, payload_fields, COUNT(payload_fields), claims) ? RESULT_OK : RESULT_NOT_VERIFIED;
}

/* ---- what is hashed ---- */

/* As a JSON array, in its order. */
static void put_hosts(struct buf *b, struct span list) {
  static const char between[] = " ,\n\r\t";
  bool first = true;
  buf_put_text(b, ",\"hosts\":[");
  for (size_t i = 0, len; i < list.len; i += len + 1) {
    for (len = 0; i + len < list.len && strchr(between, list.data[i + len]) == NULL;) len++;
    if (len == 0) continue;
    if (!first) buf_put_u8(b, ',');
    put_quoted(b, span_of(list.data + i, len));
    first = false;
  }
  buf_put_u8(b, ']');
}

void receipt_put_limits(struct buf *b, const struct receipt_limits *limits) {
  const struct {
    const char *name;
    uint64_t value;
  } numbers[] = {
      {"log_entries", limits->log_entries},
      {"log_entry_bytes", limits->log_entry_bytes},
      {"memory_bytes", limits->memory_bytes},
      {"output_bytes", limits->output_bytes},
      {"steps", limits->steps > SAFE_INTEGER ? 0 : limits->steps},
      {"timeout_ms", limits->timeout_ms},
  };
  buf_printf(b, "{\"deterministic\":%s", limits->deterministic ? "true" : "false");
  if (limits->hosts.len > 0) put_hosts(b, limits->hosts);
  for (size_t i = 0; i < COUNT(numbers); i++)
    buf_printf(b, ",\"%s\":%llu", numbers[i].name, (unsigned long long)numbers[i].value);
  buf_put_u8(b, '}');
}

void receipt_put_secret(struct buf *b, struct span secret, uint64_t version, bool bound) {
  buf_put_span(b, secret);
  buf_printf(b, "@%llu%s\n", (unsigned long long)version, bound ? "" : " reference");
}

void receipt_put_network(struct buf *b, struct span network) {
  uint8_t digest[DIGEST_SIZE];
  digest_sha256(network, digest);
  buf_put_text(b, "*network@");
  text_put_hex(b, span_of(digest, sizeof digest));
  buf_put_u8(b, '\n');
}

enum result receipt_commit(const uint8_t salt[RECEIPT_SALT], struct span bytes, uint8_t out[HASH_SIZE]) {
  const struct span parts[] = {span_of(salt, RECEIPT_SALT), bytes};
  return hash_sha256(parts, COUNT(parts), out);
}

bool receipt_text_is(struct span claim, struct span text) {
  uint8_t memory[RECEIPT_TEXT_MAX];
  struct buf hashed = buf_fixed(memory, sizeof memory);
  if (stands_as_it_is(text)) return span_equal(claim, text);
  put_hashed(&hashed, text);
  return span_equal(claim, buf_span(&hashed));
}
