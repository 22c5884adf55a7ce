/*
 * This machine's evidence that our keys live in a trusted execution environment. One provider a file (sim.c; others to
 * come), one rule for all: report data = SHA-512("neocompute-key-binding-v1\0" || document), where the document is one
 * exact UTF-8 JSON byte string that carries the public keys (docs/protocol.md, "The attestation document").
 */
#pragma once

#include "crypto/agree.h"
#include "crypto/hash.h"
#include "crypto/sign.h"

#define ATTEST_REPORT_DATA 64u
#define ATTEST_DOCUMENT_MAX 1024u /* bytes, for facts of ours: build, engine and isolation of at most 64 bytes each */
#define ATTEST_NONCE_MIN 16u
#define ATTEST_NONCE_MAX 64u

struct attest_provider {
  const char *tee;        /* sgx, tdx, snp, nitro, sim */
  const char *media_type; /* of the evidence */
  /* Evidence over `report_data`, appended. */
  enum result (*evidence)(const uint8_t report_data[ATTEST_REPORT_DATA], struct buf *out);
};

/* No hardware: says so and is signed by nobody. */
extern const struct attest_provider attest_sim;

/* The provider of this machine. `sim` is the last resort and says so. */
const struct attest_provider *attest_probe(void);

struct attest_facts {
  uint8_t sign_key[SIGN_PUBLIC], agree_key[AGREE_PUBLIC];
  struct span nonce;     /* raw bytes of the caller's nonce, 16..64, or empty */
  uint64_t issued_at;    /* Unix seconds */
  struct span engine;    /* engine build id */
  struct span build;     /* version of the service */
  struct span isolation; /* profile */
};

/* Appends the document: {"build":…,"cnf":{"jwks":[…]},"eat_nonce":…,"eng":…,"iat":…,"iso":…,"iss":"neocompute",
 * "tee":…,"ver":1}, canonical JSON; no eat_nonce without a nonce. */
void attest_put_document(struct buf *b, const struct attest_provider *provider, const struct attest_facts *facts);

/* Appends what GET /attestation answers: {"document":base64url,"evidence":{"type":tee,"media_type":…,"raw":base64url},
 * "document_sha256":hex}. RESULT_NO_MEMORY, RESULT_CRYPTO or what the provider says; `b` is then as before. */
enum result must_use attest_put_reply(struct buf *b, const struct attest_provider *provider, struct span document);
