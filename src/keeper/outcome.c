#include "keeper/outcome.h"

#include "base/base64.h"
#include "base/text.h"
#include "base/uuid.h"
#include "keeper/reply.h"

/* What a sealed record is longer than its reply: the facts of a running job, and the seal. */
#define RECORD_MORE 4096u

/* The texts of a reply that are made from bytes. */
struct texts {
  char uuid_memory[UUID_TEXT], hash_memory[2 * HASH_SIZE], signature[PROTECT_HEX + 1],
      attestation_memory[2 * HASH_SIZE], salt_memory[32];
  struct buf uuid, hash, attestation, salt, encrypted, receipt;
};

static void texts_begin(struct texts *t) {
  t->uuid = buf_fixed(t->uuid_memory, sizeof t->uuid_memory);
  t->hash = buf_fixed(t->hash_memory, sizeof t->hash_memory);
  t->signature[0] = 0;
  t->attestation = buf_fixed(t->attestation_memory, sizeof t->attestation_memory);
  t->salt = buf_fixed(t->salt_memory, sizeof t->salt_memory);
  t->encrypted = buf_new(2 * WIRE_ANSWER_MAX);
  t->receipt = buf_new(RECEIPT_MAX);
}

static void texts_end(struct texts *t) {
  buf_free(&t->encrypted);
  buf_free(&t->receipt);
}

static enum result protect(const struct keys *keys, const struct outcome *o, uint8_t hash[HASH_SIZE], struct texts *t) {
  if (o->done->result != RESULT_OK) return RESULT_OK;
  enum result r = hash_sha256(&o->done->output, 1, hash);
  if (r == RESULT_OK) r = keys_sign_output(keys, hash, t->signature);
  if (r == RESULT_OK && o->flags & (WIRE_EXECUTE_ENCRYPT_ONLY | WIRE_EXECUTE_ENCRYPT_BESIDE))
    r = keys_encrypt_output(keys, o->done->output, &t->encrypted);
  if (r != RESULT_OK) return r;
  text_put_hex(&t->hash, span_of(hash, HASH_SIZE));
  return RESULT_OK;
}

/* Where the input did not open and no recipient is named, there is nobody to seal to, and nothing to hide. */
static bool is_sealed(const struct outcome *o) {
  return o->flags & WIRE_EXECUTE_SEAL_OUTPUT && (o->sealed != NULL || o->recipient != NULL);
}

/* What only the caller may read must not be guessed at through its hash by those who pass it on. */
static bool is_for_caller(const struct outcome *o) {
  return o->flags & WIRE_EXECUTE_ENCRYPT_ONLY || is_sealed(o);
}

static enum result hash_logs(const struct outcome *o, const struct span logs[3], uint8_t out[HASH_SIZE]) {
  const struct span salted[] = {span_of(o->facts->salt, RECEIPT_SALT), logs[0], logs[1], logs[2]};
  return is_sealed(o) ? hash_sha256(salted, 4, out) : hash_sha256(logs, 3, out);
}

static enum result certify(struct keys *keys, const struct identity *id, const struct outcome *o, struct texts *t,
                           struct receipt_claims *c) {
  const struct span logs[] = {span_text("["), o->logs, span_text("]")};
  c->issuer = span_text("neocompute");
  c->job = buf_span(&t->uuid);
  c->result = (enum result)o->done->result;
  c->entry = o->facts->entry;
  c->nonce = o->facts->nonce;
  c->gas = reply_gas(o->facts->script_bytes);
  c->steps = o->done->steps;
  c->issued_at = o->now;
  c->duration_us = o->duration_ns / 1000;
  c->engine = span_of(id->engine, sizeof id->engine);
  c->isolation = buf_span(&id->isolation);
  c->tee = span_text(id->provider->tee);
  memcpy(c->subject, o->user, HASH_SIZE);
  memcpy(c->script, o->facts->script, HASH_SIZE);
  memcpy(c->input, o->facts->input, HASH_SIZE);
  memcpy(c->limits, o->facts->limits, HASH_SIZE);
  memcpy(c->secrets, o->facts->secrets, HASH_SIZE);
  memcpy(c->attestation, id->attestation, HASH_SIZE);
  enum result r = hash_logs(o, logs, c->logs);
  return r == RESULT_OK ? keys_receipt(keys, c, &t->receipt) : r;
}

static struct reply describe(const struct identity *id, const struct outcome *o, struct texts *t) {
  text_put_hex(&t->attestation, span_of(id->attestation, HASH_SIZE));
  base64_put_url(&t->salt, span_of(o->facts->salt, RECEIPT_SALT));
  return (struct reply){.job = buf_span(&t->uuid),
                        .done = o->done,
                        .logs = o->logs,
                        .secrets = o->secrets,
                        .secret_count = o->secret_count,
                        .network = o->network,
                        .entry = o->facts->entry,
                        .script_bytes = o->facts->script_bytes,
                        .started_ns = o->facts->started_ns,
                        .duration_ns = o->duration_ns,
                        .hide_output = o->flags & WIRE_EXECUTE_ENCRYPT_ONLY,
                        .encrypted_output = buf_span(&t->encrypted),
                        .output_hash = buf_span(&t->hash),
                        .signature = span_text(t->signature),
                        .receipt = buf_span(&t->receipt),
                        .receipt_salt = buf_span(&t->salt),
                        .attestation = buf_span(&t->attestation)};
}

/* The whole reply, sealed, inside one that tells strangers what they have to know. */
static enum result put_sealed_reply(const struct identity *id, const struct outcome *o, struct reply *r,
                                    struct buf *reply) {
  struct buf plain = buf_new(SERVICE_REPLY_MAX), sealed = buf_new(2 * SERVICE_REPLY_MAX);
  r->sealed = true;
  reply_put(&plain, r);
  enum result result =
      plain.bad ? RESULT_NO_MEMORY
                : sealed_put_output(o->sealed, o->recipient, id->attestation, o->job, buf_span(&plain), &sealed);
  if (result == RESULT_OK) reply_put_around(reply, r, buf_span(&sealed));
  buf_free(&plain);
  buf_free(&sealed);
  return result;
}

static enum result put_reply(const struct identity *id, const struct outcome *o, struct texts *t, struct buf *reply) {
  struct reply r = describe(id, o, t);
  if (is_sealed(o)) return put_sealed_reply(id, o, &r, reply);
  reply_put(reply, &r);
  return RESULT_OK;
}

/* An append that found no memory shows in the buffer, not in the call. */
static enum result whole(enum result r, const struct buf *b) {
  return r == RESULT_OK && b->bad ? RESULT_NO_MEMORY : r;
}

static enum result build(struct keys *keys, const struct identity *id, const struct outcome *o, struct buf *reply,
                         struct buf *sealed) {
  struct texts t;
  struct receipt_claims claims = {0};
  texts_begin(&t);
  uuid_put(&t.uuid, o->job);
  enum result r = protect(keys, o, claims.output, &t);
  /* What is sealed to the caller must not be guessed at through its hash. */
  if (r == RESULT_OK && o->done->result == RESULT_OK && is_for_caller(o))
    r = receipt_commit(o->facts->salt, o->done->output, claims.output);
  if (r == RESULT_OK) r = certify(keys, id, o, &t, &claims);
  if (r == RESULT_OK && t.receipt.len == 0) r = RESULT_CRYPTO; /* reply_put leaves out what is empty */
  if (r == RESULT_OK) r = put_reply(id, o, &t, reply);
  r = whole(r, reply);
  if (r == RESULT_OK) r = keys_seal(keys, o->user, o->job, buf_span(reply), span_text(""), sealed);
  texts_end(&t);
  return r;
}

void outcome_put_ended(struct buf *message, struct keys *keys, const struct identity *id, uint64_t ticket,
                       const struct outcome *o) {
  struct buf reply = buf_new(SERVICE_REPLY_MAX), sealed = buf_new(SERVICE_REPLY_MAX + RECORD_MORE);
  enum result r = build(keys, id, o, &reply, &sealed);
  if (r == RESULT_OK) {
    wire_put_ended(message, &(struct wire_ended){.ticket = ticket,
                                                 .result = o->done->result,
                                                 .reply = buf_span(&reply),
                                                 .sealed = buf_span(&sealed),
                                                 .wall_ns = o->duration_ns,
                                                 .cpu_ns = o->done->cpu_ns,
                                                 .steps = o->done->steps});
    r = whole(r, message);
  }
  buf_free(&reply);
  buf_free(&sealed);
  if (r != RESULT_OK) outcome_put_fault(message, ticket, o->job, r == RESULT_NO_MEMORY ? r : RESULT_CRYPTO);
}

void outcome_put_fault(struct buf *message, uint64_t ticket, const uint8_t job[16], enum result fault) {
  char memory[512], uuid_memory[UUID_TEXT];
  struct buf reply = buf_fixed(memory, sizeof memory);
  struct buf uuid = buf_fixed(uuid_memory, sizeof uuid_memory);
  uuid_put(&uuid, job);
  reply_put_fault(&reply, buf_span(&uuid), fault);
  wire_put_ended(message, &(struct wire_ended){.ticket = ticket, .result = (uint32_t)fault, .reply = buf_span(&reply)});
}

enum result outcome_running(const struct keys *keys, const uint8_t job[16], const uint8_t user[32],
                            const struct facts *facts, struct buf *sealed) {
  char memory[512], uuid_memory[UUID_TEXT], claims_memory[1024];
  struct buf reply = buf_fixed(memory, sizeof memory), uuid = buf_fixed(uuid_memory, sizeof uuid_memory);
  struct buf claims = buf_fixed(claims_memory, sizeof claims_memory);
  uuid_put(&uuid, job);
  reply_put(&reply, &(struct reply){.job = buf_span(&uuid),
                                    .running = true,
                                    .script_bytes = facts->script_bytes,
                                    .started_ns = facts->started_ns});
  facts_put(&claims, facts);
  if (reply.bad || claims.bad) return RESULT_NO_MEMORY;
  return keys_seal(keys, user, job, buf_span(&reply), buf_span(&claims), sealed);
}
