#include "evidence/show.h"

#include <jansson.h>
#include <openssl/err.h>
#include <stdarg.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/text.h"
#include "evidence/evidence.h"
#include "evidence/verifier.h"

#define REPLY_MAX (1u << 20)

/* ---- lines ---- */

/* What does not print, from files that may not be trusted, is a question mark. */
static void put_printable(struct buf *out, struct span text) {
  for (size_t i = 0; i < text.len; i++)
    buf_put_u8(out, text.data[i] >= 0x20 && text.data[i] < 0x7f ? text.data[i] : '?');
}

void show_text(struct buf *out, const char *name, const char *format, ...) {
  char value[1024];
  va_list list;
  va_start(list, format);
  vsnprintf(value, sizeof value, format, list);
  va_end(list);
  buf_printf(out, "%-20s ", name);
  put_printable(out, span_text(value));
  buf_put_u8(out, '\n');
}

void show_hex(struct buf *out, const char *name, struct span bytes) {
  buf_printf(out, "%-20s ", name);
  text_put_hex(out, bytes);
  buf_put_u8(out, '\n');
}

static void put_name(struct buf *out, const char *name, X509_NAME *x509_name) {
  BIO *bio = BIO_new(BIO_s_mem());
  char *text = NULL;
  if (bio == NULL) return;
  (void)X509_NAME_print_ex(bio, x509_name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
  const long len = BIO_get_mem_data(bio, &text);
  show_text(out, name, "%.*s", len > 0 ? (int)len : 0, len > 0 ? text : "");
  BIO_free(bio);
}

static void put_time(struct buf *out, const char *name, const ASN1_TIME *time) {
  struct tm t;
  if (ASN1_TIME_to_tm(time, &t) == 1)
    show_text(out, name, "%04d-%02d-%02dT%02d:%02d:%02dZ", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour,
              t.tm_min, t.tm_sec);
}

void show_chain(struct buf *out, const struct chain *chain) {
  for (size_t i = 0; i < chain->count; i++) {
    const X509 *c = chain->certificate[i];
    put_name(out, "certificate", X509_get_subject_name(c));
    put_name(out, "  issuer", X509_get_issuer_name(c));
    put_time(out, "  not before", X509_get0_notBefore(c));
    put_time(out, "  not after", X509_get0_notAfter(c));
  }
}

void show_certificates(struct buf *out, struct span bytes) {
  struct chain chain = {0};
  if (bytes.len > 0 && !chain_add(&chain, bytes)) show_text(out, "certificate", "(cannot be read)");
  show_chain(out, &chain);
  chain_free(&chain);
  ERR_clear_error();
}

/* ---- the reply ---- */

static void show_value(struct buf *out, const char *name, const json_t *value) {
  char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
  show_text(out, name, "%s", json_is_string(value) ? json_string_value(value) : text != NULL ? text : "");
  free(text);
}

static void show_time(struct buf *out, const char *name, const json_t *value) {
  char memory[40];
  struct buf text = buf_fixed(memory, sizeof memory - 1);
  const json_int_t seconds = json_integer_value(value);
  if (!json_is_integer(value) || seconds < 0 || seconds > 253402300799) {
    show_value(out, name, value);
    return;
  }
  text_put_rfc3339(&text, (uint64_t)seconds * 1000000000u);
  memory[text.len] = 0;
  show_text(out, name, "%lld (%s)", (long long)seconds, memory);
}

/* Members in their order; the keys one by one. */
static void show_document(struct buf *out, json_t *document) {
  const char *name;
  json_t *value;
  json_object_foreach(document, name, value) {
    const json_t *keys = json_object_get(value, "jwks");
    const bool is_time = strcmp(name, "iat") == 0 || strcmp(name, "exp") == 0;
    for (size_t i = 0; i < json_array_size(keys); i++) show_value(out, "key", json_array_get(keys, i));
    if (is_time)
      show_time(out, name, value);
    else if (keys == NULL)
      show_value(out, name, value);
  }
}

static void show_members(struct buf *out, json_t *object) {
  const char *name;
  json_t *value;
  json_object_foreach(object, name, value) show_value(out, name, value);
}

/* base64url of a JSON object; false if it is none. */
static bool show_encoded(struct buf *out, const json_t *encoded, void (*show)(struct buf *out, json_t *object)) {
  struct buf text = buf_new(REPLY_MAX);
  const char *said = json_string_value(encoded);
  const bool read = said != NULL && base64_get_url(&text, span_text(said)) == RESULT_OK;
  json_t *object = read ? json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
  const bool good = json_is_object(object);
  if (good) show(out, object);
  json_decref(object);
  buf_free(&text);
  return good;
}

static bool show_evidence(struct buf *out, const json_t *evidence) {
  const char *type = json_string_value(json_object_get(evidence, "type"));
  const char *media_type = json_string_value(json_object_get(evidence, "media_type"));
  const char *said = json_string_value(json_object_get(evidence, "raw"));
  struct buf raw = buf_new(REPLY_MAX);
  const struct evidence_verifier *verifier =
      type != NULL && media_type != NULL ? evidence_verifier_of(type, media_type) : NULL;
  const bool good = verifier != NULL && said != NULL && base64_get_url(&raw, span_text(said)) == RESULT_OK;
  show_text(out, "type", "%s", type != NULL ? type : "(none)");
  if (good) show_text(out, "bytes", "%zu", raw.len);
  if (good) verifier->show(buf_span(&raw), out);
  buf_free(&raw);
  return good;
}

enum result evidence_show(struct span reply, struct buf *out) {
  json_t *parsed =
      reply.len > REPLY_MAX ? NULL : json_loadb((const char *)reply.data, reply.len, JSON_REJECT_DUPLICATES, NULL);
  buf_put_text(out, "Document (what it says, not whether that is true)\n");
  bool good = show_encoded(out, json_object_get(parsed, "document"), show_document);
  if (good && json_object_get(parsed, "configuration") != NULL) {
    buf_put_text(out, "\nConfiguration\n");
    good = show_encoded(out, json_object_get(parsed, "configuration"), show_members);
  }
  buf_put_text(out, "\nEvidence\n");
  good = good && show_evidence(out, json_object_get(parsed, "evidence"));
  json_decref(parsed);
  if (out->bad) return RESULT_NO_MEMORY;
  return good ? RESULT_OK : RESULT_NOT_VERIFIED;
}
