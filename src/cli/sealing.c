#include "cli/sealing.h"

#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/entropy.h"
#include "base/json.h"
#include "base/uuid.h"
#include "cli/members.h"
#include "crypto/aead.h"
#include "crypto/crypto.h"
#include "crypto/hpke.h"
#include "evidence/evidence.h"

#define NONCE_SIZE 32u
#define TRIES 5
#define INFO "neocompute-secret-seal-v1"
#define INPUT_INFO "neocompute-sealed-input-v1" /* its NUL is part of it, as of the next */
#define ANSWER_KEY "neocompute-sealed-output-key-v1"
#define INPUT_NONCE 16u
#define INPUT_SECONDS 120u
#define PLAIN_MAX (4u << 20)

/* The reply to a question that nobody has asked before: the key is the one that the service has now. */
static bool ask_attestation(const struct client *c, const uint8_t nonce[NONCE_SIZE], struct client_reply *reply) {
  struct buf path = buf_new(256);
  buf_put_text(&path, "/attestation?nonce=");
  base64_put_url(&path, span_of(nonce, NONCE_SIZE));
  buf_put_u8(&path, 0);
  bool good = !path.bad && client_ask(c, "GET", (const char *)path.data, NULL, NULL, reply) == RESULT_OK;
  for (int tries = 0; good && reply->status == 429 && tries < TRIES; tries++) { /* each caller has one a second */
    buf_free(&reply->body);
    sleep(1);
    good = client_ask(c, "GET", (const char *)path.data, NULL, NULL, reply) == RESULT_OK;
  }
  buf_free(&path);
  if (!good || reply->status == 200) return good;
  cli_complain(c->verb, "%s/attestation answers %ld", c->url, reply->status);
  buf_free(&reply->body);
  return false;
}

/* NULL and the key, or what is wrong with the attestation. */
static const char *read_key(struct span reply, const uint8_t nonce[NONCE_SIZE], bool allow_simulated,
                            uint8_t key[AGREE_PUBLIC]) {
  const struct evidence_policy policy = {.allow_simulated = allow_simulated, .now = clock_real_ns() / 1000000000u};
  struct evidence_verdict verdict = {.problem = NULL};
  struct buf text = buf_new(2 * reply.len);
  const char *problem = NULL;
  if (evidence_check(reply, &policy, &text, &verdict) != RESULT_OK)
    problem = verdict.problem != NULL ? verdict.problem : "it cannot be checked";
  else if (!span_equal(verdict.nonce, span_of(nonce, NONCE_SIZE)))
    problem = "it is not the answer to this question";
  else
    memcpy(key, verdict.agree_key, AGREE_PUBLIC);
  buf_free(&text);
  return problem;
}

static bool attested_key(const struct client *c, bool allow_simulated, uint8_t key[AGREE_PUBLIC]) {
  struct client_reply reply;
  uint8_t nonce[NONCE_SIZE];
  if (entropy_take(nonce, sizeof nonce) != RESULT_OK) {
    cli_complain(c->verb, "no random bytes");
    return false;
  }
  if (!ask_attestation(c, nonce, &reply)) return false;
  const char *problem = read_key(buf_span(&reply.body), nonce, allow_simulated, key);
  if (problem != NULL) cli_complain(c->verb, "the service's attestation: %s", problem);
  buf_free(&reply.body);
  return problem == NULL;
}

static enum result seal(const char *user, const uint8_t key[AGREE_PUBLIC], struct span name, struct span value,
                        struct buf *out) {
  uint8_t enc[HPKE_ENC];
  struct buf aad = buf_new(strlen(user) + 1 + name.len), sealed = buf_new(value.len + HPKE_TAG);
  buf_put_text(&aad, user);
  buf_put_u8(&aad, 0);
  buf_put_span(&aad, name);
  enum result r = aad.bad ? RESULT_NO_MEMORY : hpke_seal(key, span_text(INFO), buf_span(&aad), value, enc, &sealed);
  if (r == RESULT_OK) {
    buf_put_text(out, "{\"enc\":\"");
    base64_put_url(out, span_of(enc, sizeof enc));
    buf_put_text(out, "\",\"ciphertext\":\"");
    base64_put_url(out, buf_span(&sealed));
    buf_put_text(out, "\"}");
  }
  buf_free(&aad);
  buf_free(&sealed);
  return r;
}

bool sealing_put(const struct client *c, struct span name, struct span value, bool allow_simulated, struct buf *out) {
  uint8_t key[AGREE_PUBLIC];
  enum result r = crypto_init();
  if (r == RESULT_OK && !attested_key(c, allow_simulated, key)) {
    crypto_free();
    return false;
  }
  if (r == RESULT_OK) r = seal(c->user, key, name, value, out);
  crypto_free();
  if (r != RESULT_OK) cli_complain(c->verb, "%s", result_sentence(r));
  return r == RESULT_OK;
}

/* ---- an input, and its answer ---- */

/* The service's present document, which inputs are bound to: it has to hold the key that the fresh one vouched for. */
static bool present_document(const struct client *c, bool allow_simulated, const uint8_t key[AGREE_PUBLIC],
                             uint8_t hash[HASH_SIZE]) {
  const struct evidence_policy policy = {.allow_simulated = allow_simulated, .now = clock_real_ns() / 1000000000u};
  struct evidence_verdict verdict = {.problem = NULL};
  struct client_reply reply;
  if (client_ask(c, "GET", "/attestation", NULL, NULL, &reply) != RESULT_OK) return false;
  struct buf text = buf_new(2 * reply.body.len + 1);
  bool good = reply.status == 200 && evidence_check(buf_span(&reply.body), &policy, &text, &verdict) == RESULT_OK &&
              memcmp(verdict.agree_key, key, AGREE_PUBLIC) == 0;
  if (good) memcpy(hash, verdict.document_sha256, HASH_SIZE);
  if (!good) cli_complain(c->verb, "the service's present attestation is not that of the key it has just attested");
  buf_free(&text);
  buf_free(&reply.body);
  return good;
}

/* 32 zero bytes for the script, which is sealed, too; user; end; nonce. */
static enum result put_bound(const struct client *c, uint64_t expires, const uint8_t nonce[INPUT_NONCE],
                             struct buf *aad) {
  static const uint8_t no_script[HASH_SIZE];
  uint8_t user[HASH_SIZE];
  const struct span name = span_text(c->user);
  enum result r = hash_sha256(&name, 1, user);
  buf_put(aad, no_script, sizeof no_script);
  buf_put(aad, user, sizeof user);
  for (int shift = 56; shift >= 0; shift -= 8) buf_put_u8(aad, (uint8_t)(expires >> shift));
  buf_put(aad, nonce, INPUT_NONCE);
  return r == RESULT_OK && aad->bad ? RESULT_NO_MEMORY : r;
}

static void put_content(struct buf *plain, struct span input, struct span script) {
  buf_put_text(plain, "{\"input\":");
  buf_put_span(plain, input.len > 0 ? input : span_text("{}"));
  buf_put_text(plain, ",\"script\":");
  json_put_string(plain, script);
  buf_put_u8(plain, '}');
}

static void put_member(struct buf *out, const char *before, struct span bytes) {
  buf_put_text(out, before);
  base64_put_url(out, bytes);
  buf_put_u8(out, '"');
}

static enum result seal_input(const struct client *c, const uint8_t key[AGREE_PUBLIC], struct span plain,
                              struct buf *out, struct sealing_answer *answer) {
  uint8_t nonce[INPUT_NONCE], enc[HPKE_ENC], info_memory[sizeof INPUT_INFO + HASH_SIZE], aad_memory[128];
  struct buf info = buf_fixed(info_memory, sizeof info_memory), aad = buf_fixed(aad_memory, sizeof aad_memory);
  struct buf sealed = buf_new(plain.len + HPKE_TAG);
  struct hpke *context = NULL;
  const uint64_t expires = clock_real_ns() / 1000000000u + INPUT_SECONDS;
  buf_put(&info, INPUT_INFO, sizeof INPUT_INFO);
  buf_put(&info, answer->attestation, HASH_SIZE);
  enum result r = entropy_take(nonce, sizeof nonce);
  if (r == RESULT_OK) r = put_bound(c, expires, nonce, &aad);
  if (r == RESULT_OK) r = hpke_sender_new(key, buf_span(&info), enc, &context);
  if (r == RESULT_OK) r = hpke_context_seal(context, buf_span(&aad), plain, &sealed);
  if (r == RESULT_OK) r = hpke_export(context, span_of(ANSWER_KEY, sizeof ANSWER_KEY), answer->key, sizeof answer->key);
  hpke_free(context);
  if (r == RESULT_OK) {
    put_member(out, "{\"enc\":\"", span_of(enc, sizeof enc));
    put_member(out, ",\"nonce\":\"", span_of(nonce, sizeof nonce));
    put_member(out, ",\"ciphertext\":\"", buf_span(&sealed));
    buf_printf(out, ",\"expires\":%llu}", (unsigned long long)expires);
  }
  buf_free(&sealed);
  return r;
}

bool sealing_put_input(const struct client *c, struct span input, struct span script, bool allow_simulated,
                       struct buf *out, struct sealing_answer *answer) {
  uint8_t key[AGREE_PUBLIC];
  struct buf plain = buf_new(PLAIN_MAX);
  enum result r = crypto_init();
  bool good = r == RESULT_OK && attested_key(c, allow_simulated, key) &&
              present_document(c, allow_simulated, key, answer->attestation);
  if (good) {
    put_content(&plain, input, script);
    r = plain.bad ? RESULT_NO_MEMORY : seal_input(c, key, buf_span(&plain), out, answer);
  }
  buf_free(&plain);
  crypto_free();
  if (r != RESULT_OK) cli_complain(c->verb, "%s", result_sentence(r));
  return good && r == RESULT_OK;
}

static bool find_member(struct span object, const char *want, struct span *out) {
  struct span rest, name;
  if (json_check(object, JSON_DEPTH_MAX) != RESULT_OK || !members_open(object, &rest)) return false;
  while (members_next(&rest, &name, out))
    if (span_is(name, want)) return true;
  return false;
}

static enum result open_answer(const struct sealing_answer *answer, struct span reply, struct buf *plain) {
  static const uint8_t nonce[AEAD_NONCE];
  uint8_t aad_memory[HASH_SIZE + 16], job[16];
  struct buf aad = buf_fixed(aad_memory, sizeof aad_memory), sealed = buf_new(reply.len);
  struct span id, output, text, digits;
  bool good = find_member(reply, "job_id", &id) && members_string(id, &digits) && uuid_parse(digits, job) &&
              find_member(reply, "sealed_output", &output) && find_member(output, "ciphertext", &text) &&
              members_string(text, &digits) && base64_get_url(&sealed, digits) == RESULT_OK;
  buf_put(&aad, answer->attestation, HASH_SIZE);
  buf_put(&aad, job, good ? sizeof job : 0);
  enum result r =
      good ? aead_open_at(answer->key, nonce, buf_span(&aad), buf_span(&sealed), plain) : RESULT_SEALED_INVALID;
  buf_free(&sealed);
  return r;
}

bool sealing_open(const struct client *c, const struct sealing_answer *answer, struct span reply, struct buf *plain) {
  enum result r = crypto_init();
  if (r == RESULT_OK) r = open_answer(answer, reply, plain);
  crypto_free();
  if (r != RESULT_OK) cli_complain(c->verb, "the sealed answer does not open: %s", result_sentence(r));
  return r == RESULT_OK;
}
