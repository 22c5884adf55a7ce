#include "keeper/identity.h"

/* A receipt has room for so much of it. */
#define ISOLATION_MAX 64u

/* "process", and "-name" for each fence that could not be had; where that are too many, their set as a number. */
static void put_isolation(struct buf *b, sandbox_set fences) {
  buf_put_text(b, "process");
  for (unsigned i = 0; i < SANDBOX_COUNT; i++)
    if (!(fences & 1u << i)) buf_printf(b, "-%s", sandbox_name((enum sandbox_bit)i));
  if (b->len <= ISOLATION_MAX) return;
  buf_clear(b);
  buf_printf(b, "process-without-0x%x", SANDBOX_ALL & ~fences);
}

static enum result make_document(const struct identity *id, const struct keys *keys, struct span nonce, uint64_t now,
                                 struct attest_facts *facts, struct buf *document) {
  *facts = (struct attest_facts){.nonce = nonce,
                                 .issued_at = now,
                                 .engine = span_of(id->engine, sizeof id->engine),
                                 .build = span_text(NEOCOMPUTE_VERSION),
                                 .isolation = buf_span(&id->isolation)};
  keys_public(keys, facts->sign_key, facts->agree_key);
  attest_put_document(document, id->provider, facts);
  return document->bad ? RESULT_NO_MEMORY : RESULT_OK;
}

static enum result introduce(struct identity *id, const struct keys *keys, const struct wire_ready *ready,
                             uint64_t now) {
  struct attest_facts facts;
  struct buf document = buf_new(IDENTITY_ATTESTED_MAX);
  memcpy(id->engine, ready->engine_id.data, sizeof id->engine);
  id->fences = ready->fences & SANDBOX_ALL;
  id->attested_at = now;
  id->provider = &attest_sim; /* the others open files, and the fence is up */
  id->isolation = buf_new(1024);
  id->attested = buf_new(IDENTITY_ATTESTED_MAX);
  put_isolation(&id->isolation, id->fences);
  enum result r = make_document(id, keys, span_text(""), now, &facts, &document);
  const struct span bytes = buf_span(&document);
  if (r == RESULT_OK) r = hash_sha256(&bytes, 1, id->attestation);
  if (r == RESULT_OK) r = attest_put_reply(&id->attested, &attest_this_machine, id->provider, &facts, bytes);
  buf_free(&document);
  id->known = r == RESULT_OK;
  return r;
}

enum result identity_meet(struct identity *id, const struct keys *keys, const struct wire_ready *ready, uint64_t now) {
  if (!id->known) {
    identity_clear(id);
    return introduce(id, keys, ready, now);
  }
  const bool same = span_equal(ready->engine_id, span_of(id->engine, sizeof id->engine)) &&
                    (ready->fences & SANDBOX_ALL) == id->fences;
  return same ? RESULT_OK : RESULT_WORKER_LIED;
}

enum result identity_attest(const struct identity *id, const struct keys *keys, struct span nonce, uint64_t now,
                            struct buf *reply) {
  struct attest_facts facts;
  struct buf document = buf_new(IDENTITY_ATTESTED_MAX);
  enum result r = make_document(id, keys, nonce, now, &facts, &document);
  if (r == RESULT_OK) r = attest_put_reply(reply, &attest_this_machine, id->provider, &facts, buf_span(&document));
  buf_free(&document);
  return r;
}

void identity_describe(const struct identity *id, struct buf *limits, struct wire_identity *m) {
  const struct wire_job job = wire_default_job(span_text(""));
  receipt_put_limits(limits, &(struct receipt_limits){.timeout_ms = job.timeout_ms,
                                                      .memory_bytes = job.memory,
                                                      .output_bytes = job.output,
                                                      .log_entries = job.log_entries,
                                                      .log_entry_bytes = job.log_entry});
  *m = (struct wire_identity){.engine = span_of(id->engine, sizeof id->engine),
                              .isolation = buf_span(&id->isolation),
                              .tee = span_text(id->provider->tee),
                              .worker_fences = id->fences,
                              .attested = buf_span(&id->attested),
                              .attested_at = id->attested_at,
                              .limits = buf_span(limits)};
  memcpy(m->attestation, id->attestation, sizeof m->attestation);
}

void identity_clear(struct identity *id) {
  buf_free(&id->isolation);
  buf_free(&id->attested);
  *id = (struct identity){0};
}
