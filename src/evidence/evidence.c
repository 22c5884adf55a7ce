#include "evidence/evidence.h"

#include <jansson.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/text.h"
#include "evidence/verifier.h"

#define BINDING "neocompute-key-binding-v1" /* its NUL is hashed, too */
#define REPLY_MAX (1u << 20)
#define RAW_MAX REPLY_MAX

static const struct evidence_verifier *const verifiers[] = {&evidence_sgx, &evidence_tdx, &evidence_snp,
                                                            &evidence_nitro, &evidence_sim};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- JSON ---- */

static json_t *parse(struct span text) {
  return json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
}

static const char *string_of(const json_t *object, const char *name) {
  return json_string_value(json_object_get(object, name));
}

static bool is_text(const json_t *object, const char *name, const char *want) {
  const char *text = string_of(object, name);
  return text != NULL && strcmp(text, want) == 0;
}

/* Decodes a base64url member of a known size. */
static bool get_bytes(const json_t *object, const char *name, uint8_t *out, size_t len) {
  const char *text = string_of(object, name);
  return text != NULL && base64_read_url(span_text(text), out, len);
}

/* ---- the document ---- */

/* What the parsed document says, in its own memory; a copy of each text goes to the caller's. */
static bool copy_text(const json_t *document, const char *name, struct buf *text, struct span *out) {
  const char *value = string_of(document, name);
  if (value == NULL || value[0] == 0) return false;
  size_t before = text->len;
  buf_put_text(text, value);
  *out = buf_since(text, before);
  return !text->bad;
}

static bool get_sign_key(const json_t *jwk, uint8_t key[SIGN_PUBLIC]) {
  key[0] = 4;
  return json_object_size(jwk) == 4 && is_text(jwk, "kty", "EC") && is_text(jwk, "crv", "P-256") &&
         get_bytes(jwk, "x", key + 1, 32) && get_bytes(jwk, "y", key + 33, 32);
}

static bool get_agree_key(const json_t *jwk, uint8_t key[AGREE_PUBLIC]) {
  return json_object_size(jwk) == 3 && is_text(jwk, "kty", "OKP") && is_text(jwk, "crv", "X25519") &&
         get_bytes(jwk, "x", key, AGREE_PUBLIC);
}

static const char *read_keys(const json_t *document, struct evidence_verdict *v) {
  const json_t *cnf = json_object_get(document, "cnf"), *jwks = json_object_get(cnf, "jwks");
  if (json_object_size(cnf) != 1 || json_array_size(jwks) != 2) return "the document does not hold two keys";
  if (!get_sign_key(json_array_get(jwks, 0), v->sign_key)) return "the document's first key is no P-256 key";
  if (!get_agree_key(json_array_get(jwks, 1), v->agree_key)) return "the document's second key is no X25519 key";
  return NULL;
}

/* Optional; 16 to 64 bytes. */
static bool read_nonce(const json_t *document, struct buf *text, struct evidence_verdict *v) {
  const json_t *nonce = json_object_get(document, "eat_nonce");
  if (nonce == NULL) return true;
  size_t before = text->len;
  if (!json_is_string(nonce) || base64_get_url(text, span_text(json_string_value(nonce))) != RESULT_OK) return false;
  v->nonce = buf_since(text, before);
  return v->nonce.len >= 16 && v->nonce.len <= 64;
}

static bool read_time(const json_t *document, const char *name, uint64_t *out) {
  const json_t *seconds = json_object_get(document, name);
  if (!json_is_integer(seconds) || json_integer_value(seconds) < 0) return false;
  *out = (uint64_t)json_integer_value(seconds);
  return true;
}

/* Members that are not known could change what the others mean: that is for another `ver`. */
static const char *read_document(const json_t *document, struct buf *text, struct evidence_verdict *v) {
  if (json_integer_value(json_object_get(document, "ver")) != 2 || !is_text(document, "iss", "neocompute"))
    return "the document is not one of NeoCompute's, version 2";
  v->has_tls = json_object_get(document, "tls_spki_sha256") != NULL;
  if (json_object_size(document) != 10u + (json_object_get(document, "eat_nonce") != NULL) + v->has_tls)
    return "the document has members that version 2 does not know";
  if (!read_time(document, "iat", &v->issued_at) || !read_time(document, "exp", &v->expires_at))
    return "the document has no dates";
  if (!get_bytes(document, "cfg_sha256", v->configuration_sha256, HASH_SIZE) ||
      (v->has_tls && !get_bytes(document, "tls_spki_sha256", v->tls_spki, HASH_SIZE)))
    return "the document has a hash that is none";
  if (!copy_text(document, "tee", text, &v->tee) || !copy_text(document, "eng", text, &v->engine) ||
      !copy_text(document, "iso", text, &v->isolation) || !copy_text(document, "build", text, &v->build))
    return "the document is not complete";
  if (!read_nonce(document, text, v)) return "the document's nonce is not one";
  return read_keys(document, v);
}

/* ---- the reply ---- */

const struct evidence_verifier *evidence_verifier_of(const char *tee, const char *media_type) {
  for (size_t i = 0; i < COUNT(verifiers); i++)
    if (strcmp(tee, verifiers[i]->tee) == 0 && strcmp(media_type, verifiers[i]->media_type) == 0) return verifiers[i];
  return NULL;
}

static const struct evidence_verifier *find_verifier(const json_t *evidence) {
  const char *tee = string_of(evidence, "type"), *media_type = string_of(evidence, "media_type");
  return tee != NULL && media_type != NULL ? evidence_verifier_of(tee, media_type) : NULL;
}

/* The verifier makes its checks; NULL unless it was not even asked. */
static const char *check_binding(const json_t *evidence, const struct evidence_verifier *verifier, struct span document,
                                 const struct evidence_policy *policy, struct evidence_report *report) {
  const struct span bound[] = {span_of(BINDING, sizeof BINDING), document};
  uint8_t report_data[EVIDENCE_REPORT_DATA];
  const char *text = string_of(evidence, "raw"), *problem = "the evidence is not base64url";
  struct buf raw = buf_new(RAW_MAX);
  if (text != NULL && base64_get_url(&raw, span_text(text)) == RESULT_OK) {
    problem = hash_sha512(bound, COUNT(bound), report_data) == RESULT_OK ? NULL : "hashing failed";
    if (problem == NULL) verifier->check(buf_span(&raw), report_data, policy, report);
  }
  buf_free(&raw);
  return problem;
}

static const char *find_age_problem(uint64_t issued_at, const struct evidence_policy *policy) {
  if (issued_at > policy->now && issued_at - policy->now > EVIDENCE_CLOCK_SKEW)
    return "the document is from the future";
  if (policy->max_age > 0 && issued_at < policy->now && policy->now - issued_at > policy->max_age)
    return "the document is too old";
  return NULL;
}

/* What the policy asks of the document, which the evidence binds. */
static void check_document(const struct evidence_verdict *v, const struct evidence_policy *policy,
                           struct evidence_report *report) {
  const char *problem = find_age_problem(v->issued_at, policy);
  if (problem != NULL)
    report_fail(report, "age", "%s", problem);
  else
    report_ok(report, "age", "%s", policy->max_age > 0 ? "young enough" : "any");
  if (policy->now > v->expires_at)
    report_fail(report, "expiry", "the document has expired");
  else
    report_ok(report, "expiry", "not yet");
}

static const char *verdict_of(const struct evidence_report *report) {
  const struct report_line *worst = report_worst(report);
  if (report_good(report)) return NULL;
  return worst != NULL ? worst->value : "the report of the evidence is not complete";
}

/* The document's bytes, decoded to the front of `text`, and its hash; the reply's own idea of that hash must agree. */
static const char *take_document(const json_t *reply, struct buf *text, struct span *document,
                                 struct evidence_verdict *v) {
  const char *encoded = string_of(reply, "document");
  char memory[2 * HASH_SIZE + 1] = "";
  struct buf hex = buf_fixed(memory, 2 * HASH_SIZE);
  size_t before = text->len;
  if (encoded == NULL || base64_get_url(text, span_text(encoded)) != RESULT_OK)
    return "the reply holds no document in base64url";
  *document = buf_since(text, before);
  if (json_canonical(*document) != JSON_CANONICAL) return "the document is not canonical JSON";
  if (hash_sha256(document, 1, v->document_sha256) != RESULT_OK) return "hashing failed";
  text_put_hex(&hex, span_of(v->document_sha256, HASH_SIZE));
  return is_text(reply, "document_sha256", memory) ? NULL : "document_sha256 is not the document's hash";
}

/* What is said of the configuration must be what the document has the hash of; that nothing is said is no fault. */
static const char *take_configuration(const json_t *reply, struct buf *text, struct evidence_verdict *v) {
  const json_t *encoded = json_object_get(reply, "configuration");
  uint8_t hash[HASH_SIZE];
  const size_t before = text->len;
  if (encoded == NULL) return NULL;
  if (!json_is_string(encoded) || base64_get_url(text, span_text(json_string_value(encoded))) != RESULT_OK)
    return "the configuration is not base64url";
  v->configuration = buf_since(text, before);
  if (hash_sha256(&v->configuration, 1, hash) != RESULT_OK) return "hashing failed";
  return hash_equal(hash, v->configuration_sha256) ? NULL : "the configuration is not the document's";
}

static const char *check_reply(const json_t *reply, const struct evidence_policy *policy, struct buf *text,
                               struct evidence_verdict *v) {
  struct span bytes;
  const char *problem = take_document(reply, text, &bytes, v);
  if (problem != NULL) return problem;
  json_t *document = parse(bytes);
  problem = read_document(document, text, v);
  json_decref(document);
  if (problem == NULL) problem = take_configuration(reply, text, v);
  if (problem != NULL) return problem;
  const json_t *evidence = json_object_get(reply, "evidence");
  const struct evidence_verifier *verifier = find_verifier(evidence);
  if (verifier == NULL) return "there is no verifier for this kind of evidence";
  if (!span_is(v->tee, verifier->tee)) return "the document names another kind of TEE than its evidence";
  problem = check_binding(evidence, verifier, bytes, policy, &v->report);
  if (problem != NULL) return problem;
  if (v->report.count == 0) return "nothing was checked";
  check_document(v, policy, &v->report);
  return verdict_of(&v->report);
}

enum result evidence_check(struct span reply, const struct evidence_policy *policy, struct buf *text,
                           struct evidence_verdict *verdict) {
  *verdict = (struct evidence_verdict){.problem = "the reply is not JSON"};
  /* Reserved at once: spans into it must not move. */
  size_t before = text->len;
  if (reply.len > REPLY_MAX || (buf_extend(text, 2 * reply.len) == NULL && reply.len > 0)) return RESULT_NO_MEMORY;
  text->len = before;
  json_t *parsed = parse(reply);
  if (parsed == NULL) return RESULT_NOT_VERIFIED;
  verdict->problem = check_reply(parsed, policy, text, verdict);
  json_decref(parsed);
  return verdict->problem == NULL ? RESULT_OK : RESULT_NOT_VERIFIED;
}
