#include "keeper/identity.h"

#include "base/json.h"

/* A receipt has room for so much of it. */
#define ISOLATION_MAX 64u

/* "process", and "-name" for each fence that could not be had; where that are too many, their set as a number. Or
 * "thread". */
static void put_isolation(struct buf *b, sandbox_set fences) {
  const sandbox_set missing = sandbox_profile.possible & ~fences;
  buf_put_text(b, sandbox_profile.name);
  for (unsigned i = 0; i < SANDBOX_COUNT; i++)
    if (missing & 1u << i) buf_printf(b, "-%s", sandbox_name((enum sandbox_bit)i));
  if (b->len <= ISOLATION_MAX) return;
  buf_clear(b);
  buf_printf(b, "%s-without-0x%x", sandbox_profile.name, missing);
}

/* ---- how it is set up ---- */

static void put_member(struct buf *b, const char *name, struct span value) {
  buf_printf(b, "%s\"%s\":", b->len > 1 ? "," : "", name);
  json_put_string(b, value);
}

static void put_limits(struct buf *b) {
  const struct wire_job job = wire_default_job(span_text(""));
  receipt_put_limits(b, &(struct receipt_limits){.timeout_ms = job.timeout_ms,
                                                 .memory_bytes = job.memory,
                                                 .output_bytes = job.output,
                                                 .log_entries = job.log_entries,
                                                 .log_entry_bytes = job.log_entry});
}

/* The settings that decide whose word is taken, what scripts reach and where secrets come from, as they are in force;
 * canonical, so in the order of their names. */
static void put_configuration(struct buf *b, const struct config *c, struct span hosts, bool strict) {
  static const enum config_id before[] = {CONFIG_JWT_AUDIENCE, CONFIG_JWT_ISSUER, CONFIG_AUTH_MODE},
                              between[] = {CONFIG_EGRESS_HTTP, CONFIG_EGRESS_PRIVATE, CONFIG_ENCRYPTED_OUTPUT,
                                           CONFIG_PER_USER, CONFIG_RESULT_TTL},
                              after[] = {CONFIG_SCRIPTS_URL, CONFIG_SECRETS_STORES, CONFIG_SUPABASE_URL};
  buf_put_u8(b, '{');
  for (size_t i = 0; i < sizeof before / sizeof before[0]; i++)
    put_member(b, config_name(before[i]), span_text(config_text(c, before[i])));
  put_member(b, config_name(CONFIG_EGRESS_HOSTS), hosts);
  for (size_t i = 0; i < sizeof between / sizeof between[0]; i++)
    put_member(b, config_name(between[i]), span_text(config_text(c, between[i])));
  buf_put_text(b, ",\"limits\":");
  put_limits(b);
  for (size_t i = 0; i < sizeof after / sizeof after[0]; i++)
    put_member(b, config_name(after[i]), span_text(config_text(c, after[i])));
  put_member(b, config_name(CONFIG_STRICT), span_text(strict ? "on" : "off"));
  buf_put_u8(b, '}');
}

enum result identity_begin(struct identity *id, const struct config *config, struct span hosts, bool strict) {
  id->provider = attest_find(config_text(config, CONFIG_ATTEST_PROVIDER));
  if (id->provider == NULL) return RESULT_CONFIG_INVALID;
  id->isolation = buf_new(1024);
  id->configuration = buf_new(65536);
  put_configuration(&id->configuration, config, hosts, strict);
  const struct span bytes = buf_span(&id->configuration);
  return id->configuration.bad ? RESULT_NO_MEMORY : hash_sha256(&bytes, 1, id->configuration_sha256);
}

bool identity_set_tls(struct identity *id, struct span tls_spki) {
  if (tls_spki.len != 0 && tls_spki.len != HASH_SIZE) return false;
  id->has_tls = tls_spki.len > 0;
  if (id->has_tls) memcpy(id->tls_spki, tls_spki.data, HASH_SIZE);
  return true;
}

enum result identity_meet(struct identity *id, const struct wire_ready *ready) {
  const sandbox_set fences = ready->fences & SANDBOX_ALL;
  if (id->met)
    return span_equal(ready->engine_id, span_of(id->engine, sizeof id->engine)) && fences == id->fences
               ? RESULT_OK
               : RESULT_WORKER_LIED;
  memcpy(id->engine, ready->engine_id.data, sizeof id->engine);
  id->fences = fences;
  put_isolation(&id->isolation, fences);
  id->met = !id->isolation.bad;
  return id->met ? RESULT_OK : RESULT_NO_MEMORY;
}

/* ---- documents ---- */

enum result identity_put_document(const struct identity *id, const uint8_t sign_key[SIGN_PUBLIC],
                                  const uint8_t agree_key[AGREE_PUBLIC], struct span nonce, uint64_t now,
                                  struct buf *document, uint8_t report_data[ATTEST_REPORT_DATA]) {
  struct attest_facts facts = {.nonce = nonce,
                               .issued_at = now,
                               .expires_at = now + IDENTITY_LIFETIME_S,
                               .configuration = id->configuration_sha256,
                               .tls_spki = id->has_tls ? id->tls_spki : NULL,
                               .engine = span_of(id->engine, sizeof id->engine),
                               .build = span_text(NEOCOMPUTE_VERSION),
                               .isolation = buf_span(&id->isolation)};
  memcpy(facts.sign_key, sign_key, sizeof facts.sign_key);
  memcpy(facts.agree_key, agree_key, sizeof facts.agree_key);
  attest_put_document(document, id->provider, &facts);
  return document->bad ? RESULT_NO_MEMORY : attest_bind(buf_span(document), report_data);
}

enum result identity_adopt(struct identity *id, struct span document, struct span evidence, uint64_t now) {
  uint8_t hash[HASH_SIZE];
  struct buf attested = buf_new(IDENTITY_ATTESTED_MAX);
  enum result r = hash_sha256(&document, 1, hash);
  if (r == RESULT_OK) r = attest_put_reply(&attested, id->provider, document, buf_span(&id->configuration), evidence);
  if (r != RESULT_OK) {
    buf_free(&attested);
    return r;
  }
  buf_free(&id->attested);
  id->attested = attested;
  id->attested_at = now;
  id->expires_at = now + IDENTITY_LIFETIME_S;
  memcpy(id->attestation, hash, sizeof hash);
  if (!id->known) memcpy(id->born, hash, sizeof hash);
  id->known = true;
  return RESULT_OK;
}

void identity_describe(const struct identity *id, struct wire_identity *m) {
  *m = (struct wire_identity){.engine = span_of(id->engine, sizeof id->engine),
                              .isolation = buf_span(&id->isolation),
                              .tee = span_text(id->provider->tee),
                              .worker_fences = id->fences,
                              .attested = buf_span(&id->attested),
                              .attested_at = id->attested_at};
  memcpy(m->attestation, id->attestation, sizeof m->attestation);
}

void identity_clear(struct identity *id) {
  buf_free(&id->isolation);
  buf_free(&id->configuration);
  buf_free(&id->attested);
  *id = (struct identity){0};
}
