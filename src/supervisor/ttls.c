#include "supervisor/ttls.h"

#include <jansson.h>

static bool put_pem(struct buf *out, const json_t *entry, const char *name) {
  const json_t *text = json_object_get(entry, name);
  if (!json_is_string(text) || json_string_length(text) == 0) return false;
  buf_put(out, json_string_value(text), json_string_length(text));
  if (json_string_value(text)[json_string_length(text) - 1] != '\n') buf_put_u8(out, '\n');
  return !out->bad;
}

/* Certificates and key take the place of whatever was there. */
static bool take_entry(struct secrets_tls *out, const json_t *entry) {
  const json_t *required = json_object_get(entry, "clientAuth");
  buf_clear(&out->certificate);
  buf_clear(&out->key);
  buf_clear(&out->client_ca);
  out->require_client = json_is_true(required);
  return json_is_boolean(required) && put_pem(&out->certificate, entry, "clicrt") &&
         put_pem(&out->key, entry, "clikey") && put_pem(&out->client_ca, entry, "cacrt");
}

static unsigned count(const json_t *entries) {
  return (unsigned)json_object_size(entries);
}

/* An object, or nothing at all. */
static bool may_be_entries(const json_t *entries) {
  return entries == NULL || json_is_object(entries);
}

static enum result refuse(struct buf *problem, const char *sentence) {
  buf_put_text(problem, sentence);
  return RESULT_CONFIG_INVALID;
}

static enum result read_document(struct ttls *t, struct secrets_tls *out, const json_t *document, unsigned port,
                                 struct buf *problem) {
  char name[16];
  const json_t *tls = json_object_get(document, "tls");
  const json_t *incoming = json_object_get(tls, "Incoming"), *outgoing = json_object_get(tls, "Outgoing");
  if (!json_is_object(tls) || !may_be_entries(incoming) || !may_be_entries(outgoing))
    return refuse(problem, "MARBLE_TTLS_CONFIG has not the form that MarbleRun gives it");
  snprintf(name, sizeof name, "*:%u", port);
  const json_t *entry = json_object_get(incoming, name);
  *t = (struct ttls){entry != NULL, count(incoming) - (entry != NULL), count(outgoing)};
  if (entry == NULL || take_entry(out, entry)) return RESULT_OK;
  buf_printf(problem, "MARBLE_TTLS_CONFIG: the entry %s is not cacrt, clicrt, clikey (PEM) and clientAuth", name);
  return RESULT_CONFIG_INVALID;
}

enum result ttls_read(struct ttls *t, struct secrets_tls *out, const char *json, unsigned port, struct buf *problem) {
  json_set_alloc_funcs(malloc, wipe_and_free); /* what jansson frees held keys, as text */
  json_t *document = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
  const enum result r = document == NULL ? refuse(problem, "MARBLE_TTLS_CONFIG is not JSON")
                                         : read_document(t, out, document, port, problem);
  json_decref(document);
  return r;
}
