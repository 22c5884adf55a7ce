/*
 * Checks evidence: pure functions of (bytes, policy, now). No clock, no file, no network in here. One verifier a kind
 * of evidence (verifier.h).
 */
#pragma once

#include "crypto/agree.h"
#include "crypto/hash.h"
#include "crypto/sign.h"
#include "evidence/policy.h"
#include "evidence/report.h"

#define EVIDENCE_CLOCK_SKEW 300u /* seconds that a document may be ahead of the verifier's clock */

/* What a checked attestation document says. Spans point into `text`. */
struct evidence_verdict {
  uint8_t sign_key[SIGN_PUBLIC], agree_key[AGREE_PUBLIC];
  uint8_t document_sha256[HASH_SIZE];
  uint8_t configuration_sha256[HASH_SIZE];
  struct span configuration; /* what that is the hash of, if the reply has it */
  bool has_tls;
  uint8_t tls_spki[HASH_SIZE]; /* SHA-256 of the listening certificate's SubjectPublicKeyInfo */
  struct span tee, engine, isolation, build, nonce;
  uint64_t issued_at, expires_at;
  struct evidence_report report; /* of the evidence, and of the document behind it */
  const char *problem;           /* why RESULT_NOT_VERIFIED, a sentence (maybe the report's); NULL otherwise */
};

/* What the reply says, line by line, for people; nothing is checked. RESULT_NOT_VERIFIED if it cannot be read (what
 * could be is in `out`), RESULT_NO_MEMORY. */
enum result must_use evidence_show(struct span reply, struct buf *out);

/* Reads an attestation reply (GET /attestation) and checks that its evidence binds its document, and that the policy
 * takes it; whether the policy lists the verdict's names (TEE, engine, isolation profile) is left to whoever asks what
 * runs there. Default deny: RESULT_NOT_VERIFIED unless every check was made and held. `text` receives the document and
 * what the verdict's spans point at, at most twice the reply's length (RESULT_NO_MEMORY if it has no room for that);
 * append nothing more to it. Members of the reply that are not known are left alone (nobody vouches for them); in the
 * document they are refused. */
enum result must_use evidence_check(struct span reply, const struct evidence_policy *policy, struct buf *text,
                                    struct evidence_verdict *verdict);
