/*
 * This machine's evidence that our keys live in a trusted execution environment. One provider a file, one rule for all:
 * report data = SHA-512("neocompute-key-binding-v1\0" || document), where the document is one exact UTF-8 JSON byte
 * string that carries the public keys (docs/protocol.md, "The attestation document").
 *
 * Providers open files and devices and may wait up to a second, so they are not for a process behind its fence: whoever
 * calls them does so before it, or in a process of its own that hands the evidence over. `sim` touches nothing.
 */
#pragma once

#include "crypto/agree.h"
#include "crypto/hash.h"
#include "crypto/sign.h"

#define ATTEST_REPORT_DATA 64u
#define ATTEST_DOCUMENT_MAX 1536u /* bytes, for facts of ours: build, engine and isolation of at most 64 bytes each */
#define ATTEST_NONCE_MIN 16u
#define ATTEST_NONCE_MAX 64u

/* Where providers look. */
struct attest_machine {
  const char *root;                 /* every path begins with it: "/", or a test's tree */
  const struct attest_files *files; /* attest/machine.h; NULL: the system's own */
};

extern const struct attest_machine attest_this_machine;

/* What evidence is to vouch for. The last two are in the document already; Nitro has fields of its own for them. */
struct attest_claim {
  uint8_t report_data[ATTEST_REPORT_DATA];
  const uint8_t *agree_key; /* AGREE_PUBLIC bytes */
  struct span nonce;
};

struct attest_provider {
  const char *name;       /* gramine, nitro, tdx, snp, sev-guest, sim: what a setting may ask for */
  const char *tee;        /* sgx, tdx, snp, nitro, sim */
  const char *media_type; /* of the evidence */
  /* Whether this machine has it. */
  bool (*probe)(const struct attest_machine *machine);
  /* Evidence over the claim, appended. What the kernel answers is looked at: evidence over anybody else's report data
   * is none. RESULT_IO; RESULT_BUSY if others kept the machine busy for a second; RESULT_NO_MEMORY. */
  enum result (*evidence)(const struct attest_machine *machine, const struct attest_claim *claim, struct buf *out);
};

/* Gramine's /dev/attestation: an SGX DCAP quote. One attestation at a time in a process. */
extern const struct attest_provider attest_gramine;
/* The kernel's configfs-tsm (Linux 6.7 and later), as root: a TDX quote; an SNP report with the host's certificates. */
extern const struct attest_provider attest_tsm_tdx, attest_tsm_snp;
/* SNP by /dev/sev-guest, for kernels without configfs-tsm. */
extern const struct attest_provider attest_sev_guest;
/* AWS Nitro's /dev/nsm: an attestation document. */
extern const struct attest_provider attest_nitro;
/* No hardware: says so and is signed by nobody. */
extern const struct attest_provider attest_sim;

/* The provider of that name, whether or not this machine has it; NULL if there is none. */
const struct attest_provider *attest_find(const char *name);

/* The provider of that name (tsm is tdx or snp); or, without a name (NULL), the first that this machine has. `sim` is
 * the last of them: the caller logs which one it got, and that one as a warning. RESULT_CONFIG_INVALID if there is no
 * provider of that name, or the machine has not got it; nothing else takes its place. */
enum result must_use attest_probe(const struct attest_machine *machine, const char *name,
                                  const struct attest_provider **out);

struct attest_facts {
  uint8_t sign_key[SIGN_PUBLIC], agree_key[AGREE_PUBLIC];
  struct span nonce;              /* raw bytes of the caller's nonce, 16..64, or empty */
  uint64_t issued_at, expires_at; /* Unix seconds */
  const uint8_t *configuration;   /* SHA-256 of its canonical JSON */
  const uint8_t *tls_spki;        /* SHA-256 of the listening certificate's SubjectPublicKeyInfo; NULL: none */
  struct span engine;             /* engine build id */
  struct span build;              /* version of the service */
  struct span isolation;          /* profile */
};

/* Appends the document: {"build":…,"cfg_sha256":…,"cnf":{"jwks":[…]},"eat_nonce":…,"eng":…,"exp":…,"iat":…,"iso":…,
 * "iss":"neocompute","tee":…,"tls_spki_sha256":…,"ver":2}, canonical JSON; no eat_nonce without a nonce, no
 * tls_spki_sha256 without TLS. */
void attest_put_document(struct buf *b, const struct attest_provider *provider, const struct attest_facts *facts);

/* The report data that stands for a document. */
enum result must_use attest_bind(struct span document, uint8_t report_data[ATTEST_REPORT_DATA]);

/* Appends what GET /attestation answers: {"configuration":base64url,"document":base64url,"document_sha256":hex,
 * "evidence":{"media_type":…,"raw":base64url,"type":tee}}. `configuration` is the JSON that the document has the hash
 * of, `evidence` what the provider answered for the document's report data. RESULT_NO_MEMORY or RESULT_CRYPTO; `b` is
 * then as before. */
enum result must_use attest_put_reply(struct buf *b, const struct attest_provider *provider, struct span document,
                                      struct span configuration, struct span evidence);
