#include "attest/attest.h"

#include "base/base64.h"
#include "base/json.h"
#include "base/text.h"

#define BINDING "neocompute-key-binding-v1" /* its NUL is hashed, too */

/* What is found first is taken. Gramine runs in any machine, a confidential one too, and is the smaller world; the
 * kernel's common interface comes before the device that it replaces; no hardware comes last. */
static const struct attest_provider *const providers[] = {&attest_gramine, &attest_nitro,     &attest_tsm_tdx,
                                                          &attest_tsm_snp, &attest_sev_guest, &attest_sim};

const struct attest_provider *attest_find(const char *name) {
  for (size_t i = 0; i < sizeof providers / sizeof providers[0]; i++)
    if (strcmp(providers[i]->name, name) == 0) return providers[i];
  return NULL;
}

/* configfs-tsm is one interface with two kinds of machine behind it. */
static bool is_named(const struct attest_provider *provider, const char *name) {
  return strcmp(provider->name, name) == 0 ||
         (strcmp(name, "tsm") == 0 && (provider == &attest_tsm_tdx || provider == &attest_tsm_snp));
}

enum result attest_probe(const struct attest_machine *machine, const char *name, const struct attest_provider **out) {
  for (size_t i = 0; i < sizeof providers / sizeof providers[0]; i++) {
    if (name != NULL && !is_named(providers[i], name)) continue;
    if (!providers[i]->probe(machine)) continue;
    *out = providers[i];
    return RESULT_OK;
  }
  return RESULT_CONFIG_INVALID;
}

static void put_string(struct buf *b, const char *before, struct span value) {
  buf_put_text(b, before);
  json_put_string(b, value);
}

static void put_encoded(struct buf *b, const char *before, struct span bytes) {
  buf_put_text(b, before);
  buf_put_u8(b, '"');
  base64_put_url(b, bytes);
  buf_put_u8(b, '"');
}

static void put_keys(struct buf *b, const struct attest_facts *facts) {
  buf_put_text(b, ",\"cnf\":{\"jwks\":[");
  sign_put_jwk(b, facts->sign_key);
  put_encoded(b, ",{\"crv\":\"X25519\",\"kty\":\"OKP\",\"x\":", span_of(facts->agree_key, AGREE_PUBLIC));
  buf_put_text(b, "}]}");
}

void attest_put_document(struct buf *b, const struct attest_provider *provider, const struct attest_facts *facts) {
  put_string(b, "{\"build\":", facts->build);
  put_encoded(b, ",\"cfg_sha256\":", span_of(facts->configuration, HASH_SIZE));
  put_keys(b, facts);
  if (facts->nonce.len > 0) put_encoded(b, ",\"eat_nonce\":", facts->nonce);
  put_string(b, ",\"eng\":", facts->engine);
  buf_printf(b, ",\"exp\":%llu,\"iat\":%llu", (unsigned long long)facts->expires_at,
             (unsigned long long)facts->issued_at);
  put_string(b, ",\"iso\":", facts->isolation);
  put_string(b, ",\"iss\":\"neocompute\",\"tee\":", span_text(provider->tee));
  if (facts->tls_spki != NULL) put_encoded(b, ",\"tls_spki_sha256\":", span_of(facts->tls_spki, HASH_SIZE));
  buf_put_text(b, ",\"ver\":2}");
}

enum result attest_bind(struct span document, uint8_t report_data[ATTEST_REPORT_DATA]) {
  const struct span bound[] = {span_of(BINDING, sizeof BINDING), document};
  return hash_sha512(bound, 2, report_data);
}

static void put_reply(struct buf *b, const struct attest_provider *provider, struct span document,
                      struct span configuration, struct span evidence, const uint8_t hash[HASH_SIZE]) {
  put_encoded(b, "{\"configuration\":", configuration);
  put_encoded(b, ",\"document\":", document);
  buf_put_text(b, ",\"document_sha256\":\"");
  text_put_hex(b, span_of(hash, HASH_SIZE));
  put_string(b, "\",\"evidence\":{\"media_type\":", span_text(provider->media_type));
  put_encoded(b, ",\"raw\":", evidence);
  put_string(b, ",\"type\":", span_text(provider->tee));
  buf_put_text(b, "}}");
}

enum result attest_put_reply(struct buf *b, const struct attest_provider *provider, struct span document,
                             struct span configuration, struct span evidence) {
  uint8_t hash[HASH_SIZE];
  const size_t before = b->len;
  enum result r = b->bad ? RESULT_NO_MEMORY : hash_sha256(&document, 1, hash);
  if (r != RESULT_OK) return r;
  put_reply(b, provider, document, configuration, evidence, hash);
  if (!b->bad) return RESULT_OK;
  b->len = before;
  b->bad = false;
  return RESULT_NO_MEMORY;
}
