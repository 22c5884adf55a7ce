#include "cli/checks.h"

#include <jansson.h>
#include <stddef.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/members.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- the response ---- */

static const struct {
  const char *name;
  size_t at;
} response_members[] = {
    {"job_id", offsetof(struct checks_response, job_id)},
    {"status", offsetof(struct checks_response, status)},
    {"error_code", offsetof(struct checks_response, error_code)},
    {"gas_used", offsetof(struct checks_response, gas_used)},
    {"usage", offsetof(struct checks_response, usage)},
    {"output", offsetof(struct checks_response, output)},
    {"encrypted_output", offsetof(struct checks_response, encrypted_output)},
    {"output_hash", offsetof(struct checks_response, output_hash)},
    {"logs", offsetof(struct checks_response, logs)},
    {"secrets", offsetof(struct checks_response, secrets)},
    {"network", offsetof(struct checks_response, network)},
    {"sealed", offsetof(struct checks_response, sealed)},
    {"receipt", offsetof(struct checks_response, receipt)},
    {"receipt_salt", offsetof(struct checks_response, receipt_salt)},
    {"attestation", offsetof(struct checks_response, attestation)},
    {"attestation_reply", offsetof(struct checks_response, attestation_reply)},
    /* no receipt speaks of these */
    {"error", offsetof(struct checks_response, rest[0])},
    {"error_details", offsetof(struct checks_response, rest[1])},
    {"started_at", offsetof(struct checks_response, rest[2])},
    {"duration", offsetof(struct checks_response, rest[3])},
    {"signature", offsetof(struct checks_response, rest[4])},
};

static struct span *member_of(struct checks_response *r, struct span name) {
  for (size_t i = 0; i < COUNT(response_members); i++) {
    if (span_is(name, response_members[i].name)) return (struct span *)((uint8_t *)r + response_members[i].at);
  }
  return NULL;
}

/* NULL, or what is wrong. A name with escapes could be one of ours in disguise, and so could "Output": Go's reader, for
 * one, takes it for "output". Only what is known by its exact name is let through. */
static const char *read_response(struct span text, struct checks_response *r) {
  struct span rest, name, value;
  if (json_check(text, JSON_DEPTH_MAX) != RESULT_OK || !members_open(text, &rest))
    return "the response is not a JSON object";
  while (members_next(&rest, &name, &value)) {
    if (memchr(name.data, '\\', name.len) != NULL) return "the response has a member whose name is escaped";
    struct span *place = member_of(r, name);
    if (place == NULL) return "the response has a member that a service does not send";
    if (place->data != NULL) return "the response has a member twice";
    *place = value;
  }
  return members_end(rest) ? NULL : "the response cannot be taken apart";
}

/* ---- checks: each says what it found in `detail` ---- */

typedef enum verdict check(struct checks *c, struct buf *detail);

static enum verdict found(bool holds, struct buf *detail, const char *if_not) {
  if (holds) return VERDICT_OK;
  buf_clear(detail);
  buf_put_text(detail, if_not);
  return VERDICT_FAILED;
}

static enum verdict not_made(struct buf *detail, const char *why) {
  buf_put_text(detail, why);
  return VERDICT_NOT_MADE;
}

static void put_instant(struct buf *b, uint64_t seconds) {
  if (seconds <= UINT64_MAX / 1000000000u)
    text_put_rfc3339(b, seconds * 1000000000u);
  else
    buf_put_text(b, "far in the future");
}

/* The file's; or, of a response that has it with it, that. Evidence vouches for itself, wherever it comes from. */
static struct span attestation_of(const struct checks *c) {
  const struct span inlined = c->response_problem == NULL ? c->response.attestation_reply : span_text("");
  if (c->attestation.path != NULL) return buf_span(&c->attestation.bytes);
  return inlined.len > 0 && inlined.data[0] == '{' ? inlined : span_text("");
}

static enum verdict check_attestation(struct checks *c, struct buf *detail) {
  const struct span reply = attestation_of(c);
  if (reply.len == 0 && c->attestation.path == NULL)
    return not_made(detail, "needs --attestation: no key can be trusted without it");
  c->policy.allow_simulated = c->allow_simulated;
  c->policy.now = c->at;
  c->policy.collateral = buf_span(&c->collateral.bytes);
  c->evidence_text = buf_new(2 * reply.len);
  enum result r = evidence_check(reply, &c->policy, &c->evidence_text, &c->evidence);
  if (r != RESULT_OK)
    return found(false, detail, c->evidence.problem != NULL ? c->evidence.problem : result_sentence(r));
  c->attested = true;
  buf_put_span(detail, c->evidence.tee);
  buf_put_text(detail, ", issued ");
  put_instant(detail, c->evidence.issued_at);
  buf_put_text(detail, ", document ");
  text_put_hex(detail, span_of(c->evidence.document_sha256, HASH_SIZE));
  if (c->evidence.nonce.len > 0) buf_put_text(detail, ", nonce ");
  base64_put_url(detail, c->evidence.nonce);
  return VERDICT_OK;
}

static enum verdict check_signature(struct checks *c, struct buf *detail) {
  struct span jws;
  char kid[SIGN_THUMBPRINT + 1];
  if (!c->attested) return not_made(detail, "needs an attested key");
  if (c->response_problem != NULL) return found(false, detail, c->response_problem);
  if (!members_string(c->response.receipt, &jws)) return found(false, detail, "the response has no receipt");
  sign_thumbprint(c->evidence.sign_key, kid);
  c->receipt_text = buf_new(RECEIPT_MAX);
  enum result r = receipt_read(jws, c->evidence.sign_key, &c->receipt_text, &c->claims);
  c->genuine = r == RESULT_OK;
  buf_printf(detail, "ES256, key %s", kid);
  return found(c->genuine, detail,
               r == RESULT_NOT_VERIFIED ? "the receipt is not one that the attested key signed" : result_sentence(r));
}

static bool is_hex_hash(struct span value, const uint8_t hash[HASH_SIZE]) {
  struct span text;
  uint8_t memory[2 * HASH_SIZE];
  struct buf hex = buf_fixed(memory, sizeof memory);
  text_put_hex(&hex, span_of(hash, HASH_SIZE));
  return members_string(value, &text) && span_equal(text, buf_span(&hex));
}

/* A document fetched with a nonce is another one than the receipt names, but binds the same key. */
static enum verdict check_document(struct checks *c, struct buf *detail) {
  bool same = hash_equal(c->evidence.document_sha256, c->claims.attestation);
  if (!same && c->evidence.nonce.len == 0)
    return found(false, detail, "the receipt names another attestation document (GET /attestation/{att} has it)");
  if (!is_hex_hash(c->response.attestation, c->claims.attestation))
    return found(false, detail, "the response's attestation is not the receipt's");
  buf_put_text(detail, same ? "the one that the receipt names" : "a later one with a nonce; the same key");
  const bool agree = span_equal(c->claims.tee, c->evidence.tee) && span_equal(c->claims.engine, c->evidence.engine) &&
                     span_equal(c->claims.isolation, c->evidence.isolation);
  return found(agree, detail, "receipt and document name different engines, TEEs or isolation profiles");
}

static enum verdict check_policy(struct checks *c, struct buf *detail) {
  buf_printf(detail, "tee %.*s, isolation %.*s, engine %.*s", (int)c->claims.tee.len, (const char *)c->claims.tee.data,
             (int)c->claims.isolation.len, (const char *)c->claims.isolation.data, (int)c->claims.engine.len,
             (const char *)c->claims.engine.data);
  if (!c->has_policy) return VERDICT_NOT_ASKED;
  if (!policy_accepts_name(&c->policy.engines, c->claims.engine))
    return found(false, detail, "the policy does not list the engine");
  if (!policy_accepts_name(&c->policy.tees, c->claims.tee))
    return found(false, detail, "the policy does not list the TEE");
  return found(policy_accepts_name(&c->policy.isolation, c->claims.isolation), detail,
               "the policy does not list the isolation profile");
}

static enum verdict check_time(struct checks *c, struct buf *detail) {
  put_instant(detail, c->claims.issued_at);
  buf_put_text(detail, " as the service's host had it");
  return found(c->claims.issued_at <= c->at + EVIDENCE_CLOCK_SKEW, detail, "the receipt is from the future");
}

static bool is_string(struct span value, const char *want) {
  struct span text;
  return members_string(value, &text) && span_is(text, want);
}

static bool is_number(struct span value, uint64_t want) {
  uint64_t number = 0;
  return text_u64(value, 0, UINT64_MAX, &number) == RESULT_OK && number == want;
}

/* usage.steps, if each member is one of usage's and comes once: of two, somebody else may read the other. */
static struct span steps_of(struct span usage) {
  static const char *const names[] = {"steps", "cpu_us", "wall_us", "memory_peak_bytes", "log_entries_dropped"};
  const struct span none = span_of(NULL, 0);
  struct span rest, name, value, found[COUNT(names)] = {{NULL, 0}};
  if (!members_open(usage, &rest)) return none;
  while (members_next(&rest, &name, &value)) {
    size_t i = 0;
    while (i < COUNT(names) && !span_is(name, names[i])) i++;
    if (i == COUNT(names) || found[i].data != NULL) return none;
    found[i] = value;
  }
  return members_end(rest) ? found[0] : none;
}

/* What the response says of the job outside of its output. */
static enum verdict check_job(struct checks *c, struct buf *detail) {
  const struct checks_response *r = &c->response;
  const bool failed = c->claims.result != RESULT_OK;
  struct span id = span_of(NULL, 0);
  if (!members_string(r->job_id, &id) || !span_equal(id, c->claims.job))
    return found(false, detail, "job_id is not the receipt's");
  if (!is_string(r->status, failed ? "failed" : "completed"))
    return found(false, detail, "status is not the receipt's");
  if (failed ? !is_string(r->error_code, result_name(c->claims.result)) : r->error_code.data != NULL)
    return found(false, detail, "error_code is not the receipt's");
  if (!is_number(r->gas_used, c->claims.gas)) return found(false, detail, "gas_used is not the receipt's");
  if (!is_number(steps_of(r->usage), c->claims.steps)) return found(false, detail, "usage.steps is not the receipt's");
  buf_printf(detail, "%.*s, %s", (int)id.len, (const char *)id.data,
             failed ? result_name(c->claims.result) : "completed");
  buf_printf(detail, ", receipt %llu of its key", (unsigned long long)c->claims.sequence);
  return VERDICT_OK;
}

static bool hashes_to(struct span bytes, const uint8_t want[HASH_SIZE]) {
  uint8_t hash[HASH_SIZE];
  return hash_sha256(&bytes, 1, hash) == RESULT_OK && hash_equal(hash, want);
}

static enum verdict check_script(struct checks *c, struct buf *detail) {
  if (c->script.path == NULL) return not_made(detail, "needs --script");
  buf_put_text(detail, c->script.path);
  return found(hashes_to(buf_span(&c->script.bytes), c->claims.script), detail, "another script ran");
}

static enum verdict check_entry(struct checks *c, struct buf *detail) {
  buf_put_text(detail, c->entry);
  return found(receipt_text_is(c->claims.entry, span_text(c->entry)), detail,
               "another entry point was called (--entry names it)");
}

static bool get_salt(const struct checks *c, uint8_t salt[RECEIPT_SALT]) {
  struct span text;
  return members_string(c->response.receipt_salt, &text) && base64_read_url(text, salt, RECEIPT_SALT);
}

static bool commits_to(const uint8_t salt[RECEIPT_SALT], struct span bytes, const uint8_t want[HASH_SIZE]) {
  uint8_t hash[HASH_SIZE];
  return receipt_commit(salt, bytes, hash) == RESULT_OK && hash_equal(hash, want);
}

/* Editors end files with a newline that was not sent. */
static struct span without_newline(struct span s) {
  if (s.len > 0 && s.data[s.len - 1] == '\n') s.len--;
  if (s.len > 0 && s.data[s.len - 1] == '\r') s.len--;
  return s;
}

static enum verdict check_commitment(struct checks *c, const struct checks_file *file, const uint8_t want[HASH_SIZE],
                                     struct buf *detail, const char *if_not) {
  uint8_t salt[RECEIPT_SALT];
  struct span bytes = buf_span(&file->bytes);
  if (!get_salt(c, salt)) return found(false, detail, "the response has no receipt_salt");
  buf_put_text(detail, file->path);
  return found(commits_to(salt, bytes, want) || commits_to(salt, without_newline(bytes), want), detail, if_not);
}

static enum verdict check_input(struct checks *c, struct buf *detail) {
  if (c->input.path == NULL) return not_made(detail, "needs --input");
  return check_commitment(c, &c->input, c->claims.input, detail,
                          "another input was given (it must be as sent, byte for byte)");
}

/* Only the salt's holder can tell what was sealed. A hash beside it would be somebody else's, and a way to guess it. */
static enum verdict check_sealed_output(struct checks *c, struct buf *detail) {
  if (c->response.output_hash.data != NULL) return found(false, detail, "a sealed output has no output_hash");
  if (c->output.path == NULL)
    return not_made(detail, "the output is sealed: needs --output, what encrypted_output opens to");
  return check_commitment(c, &c->output, c->claims.output, detail, "that is not the sealed output");
}

/* In a response that came sealed, the receipt's hashes of what it says are salted. */
static bool is_committed(struct checks *c, struct span bytes, const uint8_t want[HASH_SIZE]) {
  uint8_t salt[RECEIPT_SALT];
  if (c->response.sealed.data == NULL) return hashes_to(bytes, want);
  return span_is(c->response.sealed, "true") && get_salt(c, salt) && commits_to(salt, bytes, want);
}

static enum verdict check_output(struct checks *c, struct buf *detail) {
  const struct checks_response *r = &c->response;
  const bool sealed = r->output.data == NULL && r->encrypted_output.data != NULL;
  uint8_t hash[HASH_SIZE];
  if (c->claims.result != RESULT_OK) {
    buf_put_text(detail, "none: the job failed");
    return found(r->output.data == NULL && r->encrypted_output.data == NULL && r->output_hash.data == NULL, detail,
                 "the job failed and cannot have an output");
  }
  if (sealed) return check_sealed_output(c, detail);
  if (r->output.data == NULL) return found(false, detail, "the response has no output");
  if (c->output.path != NULL) return found(false, detail, "--output is for sealed outputs; this response has its own");
  if (!is_committed(c, r->output, c->claims.output))
    return found(false, detail, "the output is not the receipt's (the response must be as it came, not re-formatted)");
  if (hash_sha256(&r->output, 1, hash) != RESULT_OK || !is_hex_hash(r->output_hash, hash))
    return found(false, detail, "output_hash is not the output's");
  buf_printf(detail, "%zu bytes", r->output.len);
  return VERDICT_OK;
}

static enum verdict check_logs(struct checks *c, struct buf *detail) {
  if (c->response.logs.data == NULL) return found(false, detail, "the response has no logs");
  buf_printf(detail, "%zu bytes", c->response.logs.len);
  return found(is_committed(c, c->response.logs, c->claims.logs), detail,
               "the logs are not the receipt's (the response must be as it came, not re-formatted)");
}

/* A line break in a name would make one secret look like two. */
static bool is_secret_name(const char *name) {
  if (name == NULL || name[0] == 0) return false;
  for (; *name != 0; name++)
    if ((uint8_t)*name < 0x20 || *name == 0x7f) return false;
  return true;
}

/* {"name","version"}, and "format" of one that was read in the reference's. */
static bool put_secret(struct buf *lines, const json_t *secret) {
  const json_t *version = json_object_get(secret, "version"), *format = json_object_get(secret, "format");
  const char *name = json_string_value(json_object_get(secret, "name"));
  const bool bound = format == NULL;
  if (!bound && (!json_is_string(format) || strcmp(json_string_value(format), "reference") != 0)) return false;
  if (json_object_size(secret) != (bound ? 2u : 3u) || !is_secret_name(name)) return false;
  if (!json_is_integer(version) || json_integer_value(version) < 0) return false;
  receipt_put_secret(lines, span_text(name), (uint64_t)json_integer_value(version), bound);
  return true;
}

/* The array as lines; false if it is none. */
static bool put_secrets(struct buf *lines, struct span array) {
  json_t *secrets = json_loadb((const char *)array.data, array.len, JSON_REJECT_DUPLICATES, NULL);
  bool legal = json_is_array(secrets);
  for (size_t i = 0; legal && i < json_array_size(secrets); i++) {
    legal = put_secret(lines, json_array_get(secrets, i));
  }
  json_decref(secrets);
  return legal && !lines->bad;
}

static enum verdict check_secrets(struct checks *c, struct buf *detail) {
  struct buf lines = buf_new(65536);
  const struct span network = c->response.network;
  bool holds = c->response.secrets.data != NULL && put_secrets(&lines, c->response.secrets);
  buf_put_text(detail, lines.len == 0 ? "none" : "names and versions");
  if (network.data != NULL) receipt_put_network(&lines, network);
  if (network.data != NULL) buf_put_text(detail, ", and what the script asked of the outside");
  holds = holds && hashes_to(buf_span(&lines), c->claims.secrets);
  buf_free(&lines);
  return found(holds, detail, "the secrets, or what was asked of the outside, are not the receipt's");
}

static enum verdict check_limits(struct checks *c, struct buf *detail) {
  uint8_t memory[9216];
  struct buf json = buf_fixed(memory, sizeof memory);
  receipt_put_limits(&json, &c->limits);
  buf_put_span(detail, buf_span(&json));
  return found(hashes_to(buf_span(&json), c->claims.limits), detail,
               "other limits held (--timeout, --memory, --steps, --hosts and --deterministic name them)");
}

static enum verdict check_user(struct checks *c, struct buf *detail) {
  if (c->user == NULL) return VERDICT_NOT_ASKED;
  buf_put_text(detail, c->user);
  return found(hashes_to(span_text(c->user), c->claims.subject), detail, "the job is another user's");
}

static enum verdict check_nonce(struct checks *c, struct buf *detail) {
  if (c->nonce == NULL) return VERDICT_NOT_ASKED;
  buf_put_text(detail, c->nonce);
  return found(receipt_text_is(c->claims.nonce, span_text(c->nonce)), detail, "the receipt has another nonce");
}

static const struct {
  const char *name;
  check *make;
  bool needs_receipt, may_be_waived;
} checks[] = {
    {"attestation", check_attestation, false, false},
    {"signature", check_signature, false, false},
    {"document", check_document, true, false},
    {"policy", check_policy, true, false},
    {"time", check_time, true, false},
    {"job", check_job, true, false},
    {"script", check_script, true, true},
    {"entry", check_entry, true, true},
    {"input", check_input, true, true},
    {"output", check_output, true, true},
    {"logs", check_logs, true, false},
    {"secrets", check_secrets, true, false},
    {"limits", check_limits, true, true},
    {"user", check_user, true, false},
    {"nonce", check_nonce, true, false},
};

enum verdict checks_make(struct checks *c, size_t i, struct buf *detail) {
  if (c->waived >> i & 1) return VERDICT_WAIVED;
  if (checks[i].needs_receipt && !c->genuine) return not_made(detail, "needs a genuine receipt");
  return checks[i].make(c, detail);
}

bool checks_stands(enum verdict v) {
  return v == VERDICT_OK || v == VERDICT_NOT_ASKED || v == VERDICT_WAIVED;
}

size_t checks_count(void) {
  return COUNT(checks);
}

const char *checks_name(size_t i) {
  return checks[i].name;
}

bool checks_may_be_waived(size_t i) {
  return checks[i].may_be_waived;
}

void checks_begin(struct checks *c) {
  c->response_problem = read_response(buf_span(&c->response_file.bytes), &c->response);
}

bool checks_simulated(const struct checks *c) {
  return c->attested && span_is(c->evidence.tee, "sim");
}

void checks_free(struct checks *c) {
  struct buf *const bufs[] = {&c->response_file.bytes, &c->script.bytes,     &c->input.bytes,   &c->output.bytes,
                              &c->attestation.bytes,   &c->collateral.bytes, &c->evidence_text, &c->receipt_text};
  for (size_t i = 0; i < COUNT(bufs); i++) buf_free(bufs[i]);
}
