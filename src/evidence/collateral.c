#include "evidence/collateral.h"

#include "base/text.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define JSON_MAX (1u << 20)
#define TCB_SIGNER "Intel SGX TCB Signing"

static struct span string_of(const json_t *object, const char *name) {
  const json_t *value = json_object_get(object, name);
  return span_of(json_string_value(value), json_string_length(value));
}

static bool unhex(struct span text, struct buf *out) {
  uint8_t *place = text.len > 0 && text.len % 2 == 0 ? buf_extend(out, text.len / 2) : NULL;
  return place != NULL && text_unhex(text, place, text.len / 2);
}

/* Also without collateral's strings: PEM stays as it is. */
static bool read_crl(struct collateral *c, size_t i, const char *name) {
  struct span text = string_of(c->json, name);
  c->crl_bytes[i] = buf_new(JSON_MAX);
  c->crls[i] = text;
  if (text.len > 0 && text.data[0] == '-') return true;
  if (!unhex(text, &c->crl_bytes[i])) return false;
  c->crls[i] = buf_span(&c->crl_bytes[i]);
  return true;
}

static bool read_statement(struct collateral *c, struct collateral_statement *s, const char *const names[3]) {
  struct span signature = string_of(c->json, names[1]);
  s->bytes = string_of(c->json, names[0]);
  if (s->bytes.len == 0) return false;
  s->json = json_loadb((const char *)s->bytes.data, s->bytes.len, JSON_REJECT_DUPLICATES, NULL);
  return json_is_object(s->json) && text_unhex(signature, s->signature, sizeof s->signature) &&
         chain_add_pem(&s->issuers, string_of(c->json, names[2]));
}

const char *collateral_read(struct span json, struct collateral *c) {
  static const char *const tcb[] = {"tcb_info", "tcb_info_signature", "tcb_info_issuer_chain"};
  static const char *const qe[] = {"qe_identity", "qe_identity_signature", "qe_identity_issuer_chain"};
  *c = (struct collateral){0};
  if (json.len > JSON_MAX) return "the collateral is too large";
  c->json = json_loadb((const char *)json.data, json.len, JSON_REJECT_DUPLICATES, NULL);
  if (!json_is_object(c->json)) return "the collateral is not a JSON object";
  if (!read_statement(c, &c->tcb_info, tcb)) return "the collateral's TCB info is not complete";
  if (!read_statement(c, &c->qe_identity, qe)) return "the collateral's QE identity is not complete";
  if (!read_crl(c, 0, "root_ca_crl") || !read_crl(c, 1, "pck_crl")) return "the collateral lacks a revocation list";
  if (!chain_add_pem(&c->pck_issuers, string_of(c->json, "pck_crl_issuer_chain")))
    return "the collateral lacks the issuers of its revocation list";
  struct span own = string_of(c->json, "pck_certificate_chain");
  if (own.len > 0 && !chain_add_pem(&c->pck, own)) return "the collateral's platform certificate cannot be read";
  return NULL;
}

static void free_statement(struct collateral_statement *s) {
  json_decref(s->json);
  chain_free(&s->issuers);
}

void collateral_free(struct collateral *c) {
  free_statement(&c->tcb_info);
  free_statement(&c->qe_identity);
  chain_free(&c->pck_issuers);
  chain_free(&c->pck);
  for (size_t i = 0; i < COUNT(c->crl_bytes); i++) buf_free(&c->crl_bytes[i]);
  json_decref(c->json);
  *c = (struct collateral){0};
}

/* ---- trust ---- */

static bool instant_of(const json_t *json, const char *name, uint64_t *seconds) {
  uint64_t ns = 0;
  if (text_rfc3339(string_of(json, name), &ns) != RESULT_OK) return false;
  *seconds = ns / 1000000000u;
  return true;
}

static const char *find_date_problem(const json_t *json, uint64_t now) {
  uint64_t issued = 0, next = 0;
  if (!instant_of(json, "issueDate", &issued) || !instant_of(json, "nextUpdate", &next)) return "it has no dates";
  if (now < issued) return "it is from the future";
  return now > next ? "it has expired" : NULL;
}

const char *collateral_problem(const struct collateral *c, const struct collateral_statement *s,
                               const struct evidence_policy *policy) {
  X509 *signer = chain_find(&s->issuers, TCB_SIGNER);
  if (signer == NULL) return "its certificates do not hold one " TCB_SIGNER;
  const struct chain_request request = {.leaf = signer,
                                        .pools = {&s->issuers, &c->pck_issuers},
                                        .roots = roots_of(ROOTS_INTEL_SGX, policy),
                                        .now = policy->now,
                                        .crls = {c->crls[0]},
                                        .crl_count = 1};
  const char *problem = chain_verify(&request);
  if (problem != NULL) return problem;
  if (!chain_signed(X509_get0_pubkey(signer), s->bytes, span_of(s->signature, sizeof s->signature)))
    return "its signature is not Intel's";
  return find_date_problem(s->json, policy->now);
}

uint32_t collateral_evaluation(const struct collateral_statement *s) {
  json_int_t number = json_integer_value(json_object_get(s->json, "tcbEvaluationDataNumber"));
  return number > 0 && number <= UINT32_MAX ? (uint32_t)number : 0;
}
