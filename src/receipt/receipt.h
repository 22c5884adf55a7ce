/*
 * The receipt: a compact JWS (RFC 7515), `alg` ES256, `typ` neocompute-receipt+jwt, `kid` the signing key's RFC 7638
 * thumbprint, payload at most RECEIPT_PAYLOAD_MAX bytes of canonical JSON (RFC 8785), so that a smart contract can
 * parse it. What is public is hashed plainly; what was secret is committed to with a salt that only the caller gets.
 */
#pragma once

#include "crypto/hash.h"
#include "crypto/sign.h"

#define RECEIPT_PAYLOAD_MAX 768u
#define RECEIPT_SALT 16u
#define RECEIPT_NONCE_MAX 128u

/* Payload member names are those of the API ("The receipt" in docs/protocol.md). Hashes go out as base64url. */
struct receipt_claims {
  struct span issuer;             /* iss */
  struct span job;                /* job: the UUID as text */
  uint8_t subject[HASH_SIZE];     /* sub: SHA-256 of the user id */
  enum result result;             /* status completed or failed; code: result_name, only when failed */
  uint8_t script[HASH_SIZE];      /* script: SHA-256 of its bytes */
  struct span entry;              /* entry */
  uint8_t input[HASH_SIZE];       /* input: SHA-256 of salt || input bytes as received */
  uint8_t output[HASH_SIZE];      /* output: SHA-256 of the output as sent; left out when failed */
  uint8_t logs[HASH_SIZE];        /* logs: SHA-256 of the JSON array as sent */
  uint8_t secrets[HASH_SIZE];     /* secrets: SHA-256 over lines of name@version */
  uint8_t limits[HASH_SIZE];      /* limits: SHA-256 of the canonical JSON of the effective limits */
  uint64_t gas, steps;            /* gas, steps */
  uint64_t issued_at;             /* iat: Unix seconds, as the host says */
  uint64_t duration_us;           /* dur_us */
  struct span nonce;              /* nonce: at most RECEIPT_NONCE_MAX bytes; left out when empty */
  struct span engine;             /* eng: engine build id, 64 hexadecimal digits */
  struct span isolation;          /* iso: isolation profile */
  struct span tee;                /* tee: sgx, tdx, snp, nitro, sim */
  uint8_t attestation[HASH_SIZE]; /* att: SHA-256 of the attestation document */
  uint64_t sequence;              /* seq: 1 for the first receipt of a signing key */
  uint8_t previous[HASH_SIZE];    /* prev: SHA-256 of the previous receipt's JWS; zeros for the first */
};

/* The effective limits as canonical JSON: what `limits` hashes. Milliseconds, bytes, counts; steps 0: no limit. */
struct receipt_limits {
  uint64_t timeout_ms, memory_bytes, steps, output_bytes, log_entries, log_entry_bytes;
  bool deterministic;
};
void receipt_put_limits(struct buf *b, const struct receipt_limits *limits);

/* Appends the JWS. RESULT_NO_MEMORY if the payload would pass RECEIPT_PAYLOAD_MAX, RESULT_CRYPTO. */
enum result must_use receipt_sign(struct sign_key *key, const struct receipt_claims *claims, struct buf *out);

/* Checks form, algorithm, type, `kid` and signature, and reads the claims; spans point into `text`, which the caller
 * keeps. RESULT_NOT_VERIFIED otherwise. What the claims say is the caller's to compare. */
enum result must_use receipt_read(struct span jws, const uint8_t key[SIGN_PUBLIC], struct buf *text,
                                  struct receipt_claims *claims);
