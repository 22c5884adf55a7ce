/*
 * The C side of tests/protocol.test.mjs: each verb reads hexadecimal arguments and prints what the protocol's functions
 * make of them, one `name value` a line.
 */
#include "attest/attest.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "evidence/evidence.h"
#include "keeper/secret_record.h"
#include "receipt/protect.h"
#include "receipt/receipt.h"
#include "receipt/seal.h"

#define MAX (1u << 20)

static struct span unhex(const char *text) {
  static uint8_t memory[MAX];
  static size_t used;
  size_t len = strlen(text) / 2;
  uint8_t *out = memory + used;
  if (len > sizeof memory - used || !text_unhex(span_text(text), out, len)) exit(2);
  used += len;
  return span_of(out, len);
}

static void print(const char *name, struct span value) {
  printf("%s %.*s\n", name, (int)value.len, (const char *)value.data);
}

static void print_hex(const char *name, struct span value) {
  struct buf hex = buf_new(2 * value.len);
  text_put_hex(&hex, value);
  print(name, buf_span(&hex));
  buf_free(&hex);
}

/* MASTER OUTPUT CIPHERTEXT: all of output protection, and the opening of what Node encrypted. */
static enum result protect(char **args) {
  struct protect_keys keys;
  struct span output = unhex(args[1]);
  uint8_t hash[HASH_SIZE];
  char signature[PROTECT_HEX + 1];
  struct buf encrypted = buf_new(MAX), opened = buf_new(MAX);
  if (protect_derive(unhex(args[0]), &keys) != RESULT_OK || hash_sha256(&output, 1, hash) != RESULT_OK ||
      protect_sign(&keys, hash, signature) != RESULT_OK || protect_encrypt(&keys, output, &encrypted) != RESULT_OK)
    return RESULT_CRYPTO;
  print_hex("store", span_of(keys.store, sizeof keys.store));
  print_hex("hash", span_of(hash, sizeof hash));
  print("signature", span_text(signature));
  print("encrypted", buf_span(&encrypted));
  enum result r = aead_open(keys.output, span_of(NULL, 0), unhex(args[2]), &opened);
  print_hex("opened", buf_span(&opened));
  buf_free(&encrypted);
  buf_free(&opened);
  return r;
}

/* KEY TABLE USER JOB REPLY CLAIMS SEALED: seals, and opens what Node sealed. */
static enum result seal(char **args) {
  const uint8_t *key = unhex(args[0]).data;
  struct seal_place place = {args[1], unhex(args[2]).data, unhex(args[3]).data};
  struct buf sealed = buf_new(MAX), text = buf_new(MAX);
  struct span reply, claims;
  enum result r = seal_record(key, &place, unhex(args[4]), unhex(args[5]), &sealed);
  print_hex("sealed", buf_span(&sealed));
  if (r == RESULT_OK) r = seal_open(key, &place, unhex(args[6]), &text, &reply, &claims);
  if (r == RESULT_OK) print_hex("reply", reply);
  if (r == RESULT_OK) print_hex("claims", claims);
  buf_free(&sealed);
  buf_free(&text);
  return r;
}

static uint64_t number(const char *text) {
  uint64_t n;
  if (text_u64(span_text(text), 0, UINT64_MAX, &n) != RESULT_OK) exit(2);
  return n;
}

/* MASTER USER NAME VERSION POLICY VALUE COUNT TEXT USES: seals a secret and a count, and opens what Node sealed. */
static enum result secret(char **args) {
  struct protect_keys keys;
  const struct secret_place place = {unhex(args[1]).data, unhex(args[2]), number(args[3])};
  struct buf text = buf_new(MAX), uses = buf_new(MAX), plain = buf_new(MAX);
  struct span policy, value;
  uint64_t count = 0;
  enum result r = protect_derive(unhex(args[0]), &keys);
  if (r == RESULT_OK) r = secret_record_seal(keys.secret, &place, unhex(args[4]), unhex(args[5]), &text);
  if (r == RESULT_OK) r = secret_record_seal_uses(keys.secret, &place, number(args[6]), &uses);
  print("sealed", buf_span(&text));
  print("counted", buf_span(&uses));
  if (r == RESULT_OK) r = secret_record_open(keys.secret, &place, span_text(args[7]), &plain, &policy, &value);
  if (r == RESULT_OK) r = secret_record_open_uses(keys.secret, &place, span_text(args[8]), &count);
  if (r == RESULT_OK) {
    print_hex("policy", policy);
    print_hex("value", value);
    printf("count %llu\n", (unsigned long long)count);
  }
  buf_free(&text);
  buf_free(&uses);
  buf_free(&plain);
  return r;
}

/* ENTRY NONCE ISOLATION ATTEST-NONCE COUNT: a fresh key, its attestation and a chain of receipts of it. */
static enum result service(char **args) {
  struct sign_key *sign = NULL;
  struct agree_key *agree = NULL;
  const struct span settings = span_text("{}");
  uint8_t configuration[HASH_SIZE];
  if (hash_sha256(&settings, 1, configuration) != RESULT_OK) return RESULT_CRYPTO;
  struct attest_claim claim = {.agree_key = configuration};
  struct attest_facts facts = {.nonce = unhex(args[3]),
                               .issued_at = 1790000000,
                               .expires_at = 1797776000,
                               .configuration = configuration,
                               .engine = span_text("e1"),
                               .build = span_text("0.1.0"),
                               .isolation = unhex(args[2])};
  struct buf document = buf_new(MAX), reply = buf_new(MAX), jwk = buf_new(MAX), limits = buf_new(MAX),
             raw = buf_new(MAX);
  if (sign_key_new(&sign) != RESULT_OK || agree_key_new(&agree) != RESULT_OK) return RESULT_CRYPTO;
  sign_public(sign, facts.sign_key);
  agree_public(agree, facts.agree_key);
  attest_put_document(&document, &attest_sim, &facts);
  enum result r = attest_bind(buf_span(&document), claim.report_data);
  if (r == RESULT_OK) r = attest_sim.evidence(&attest_this_machine, &claim, &raw);
  if (r == RESULT_OK) r = attest_put_reply(&reply, &attest_sim, buf_span(&document), settings, buf_span(&raw));
  sign_put_jwk(&jwk, facts.sign_key);
  print("attestation", buf_span(&reply));
  print("jwk", buf_span(&jwk));
  struct receipt_limits defaults = {30000, 128u << 20, 0, 1048576, 100, 4096, false, {NULL, 0}};
  receipt_put_limits(&limits, &defaults);
  print("limits", buf_span(&limits));
  struct receipt_claims claims = {.issuer = span_text("neocompute"),
                                  .job = span_text("0192f0c1-2a3b-7c4d-8e5f-0123456789ab"),
                                  .entry = unhex(args[0]),
                                  .gas = 100,
                                  .steps = 9007199254740991,
                                  .issued_at = 1790000000,
                                  .duration_us = 42,
                                  .nonce = unhex(args[1]),
                                  .engine = facts.engine,
                                  .isolation = facts.isolation,
                                  .tee = span_text("sim")};
  struct span bytes = buf_span(&document), input = span_text("{\"a\":1}");
  if (r == RESULT_OK) r = hash_sha256(&bytes, 1, claims.attestation);
  if (r == RESULT_OK) r = receipt_commit((const uint8_t *)"0123456789abcdef", input, claims.input);
  for (long i = strtol(args[4], NULL, 10); i > 0 && r == RESULT_OK; i--) {
    struct buf jws = buf_new(RECEIPT_MAX);
    claims.sequence++;
    r = receipt_sign(sign, &claims, &jws);
    print("receipt", buf_span(&jws));
    bytes = buf_span(&jws);
    if (r == RESULT_OK) r = hash_sha256(&bytes, 1, claims.previous);
    buf_free(&jws);
  }
  struct buf *const bufs[] = {&document, &reply, &jwk, &limits, &raw};
  for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) buf_free(bufs[i]);
  sign_key_free(sign);
  agree_key_free(agree);
  return r;
}

/* ATTESTATION RECEIPT: what C says to what Node made. */
static enum result check(char **args) {
  struct evidence_policy policy = {.allow_simulated = true, .now = 1790000000};
  struct evidence_verdict verdict;
  struct receipt_claims claims;
  struct buf text = buf_new(MAX), jws = buf_new(MAX);
  enum result r = evidence_check(unhex(args[0]), &policy, &text, &verdict);
  if (r != RESULT_OK) print("problem", span_text(verdict.problem));
  if (r == RESULT_OK) r = receipt_read(unhex(args[1]), verdict.sign_key, &jws, &claims);
  if (r == RESULT_OK) print("job", claims.job);
  if (r == RESULT_OK) print_hex("script", span_of(claims.script, HASH_SIZE));
  buf_free(&text);
  buf_free(&jws);
  return r;
}

static const struct {
  const char *name;
  int arguments;
  enum result (*run)(char **args);
} verbs[] = {
    {"protect", 3, protect}, {"seal", 7, seal}, {"secret", 9, secret}, {"service", 5, service}, {"check", 2, check}};

int main(int argc, char **argv) {
  if (argc < 2 || crypto_init() != RESULT_OK) return 2;
  for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
    if (strcmp(argv[1], verbs[i].name) != 0 || argc != verbs[i].arguments + 2) continue;
    enum result r = verbs[i].run(argv + 2);
    print("result", span_text(result_name(r)));
    crypto_free();
    return 0;
  }
  return 2;
}
