#include "cli/sealing.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/entropy.h"
#include "base/json.h"
#include "crypto/crypto.h"
#include "crypto/hpke.h"
#include "evidence/evidence.h"

#define NONCE_SIZE 32u
#define INFO "neocompute-secret-seal-v1"

/* The reply to a question that nobody has asked before: the key is the one that the service has now. */
static bool ask_attestation(const struct client *c, const uint8_t nonce[NONCE_SIZE], struct client_reply *reply) {
  struct buf path = buf_new(256);
  buf_put_text(&path, "/attestation?nonce=");
  base64_put_url(&path, span_of(nonce, NONCE_SIZE));
  buf_put_u8(&path, 0);
  bool good = !path.bad && client_ask(c, "GET", (const char *)path.data, NULL, NULL, reply) == RESULT_OK;
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
