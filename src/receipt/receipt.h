/*
 * The receipt: a compact JWS (RFC 7515), `alg` ES256, `typ` neocompute-receipt+jwt, `kid` the signing key's RFC 7638
 * thumbprint. The payload is canonical JSON (RFC 8785) of at most RECEIPT_PAYLOAD_MAX bytes, whatever the job, so that
 * a smart contract can parse it: what is the same for all receipts of a key (att, eng, iso) stands in the header,
 * which is signed, too. What is public is hashed plainly; what was secret is committed to with a salt that only the
 * caller gets. docs/protocol.md, "The receipt".
 */
#pragma once

#include "crypto/hash.h"
#include "crypto/sign.h"

#define RECEIPT_PAYLOAD_MAX 768u
#define RECEIPT_HEADER_MAX 384u
#define RECEIPT_MAX 1664u /* bytes of a JWS */
#define RECEIPT_SALT 16u
#define RECEIPT_NONCE_MAX 128u
#define RECEIPT_TEXT_MAX 50u /* of entry and nonce as they stand in a receipt */

/* Member names are those of the API. Hashes go out as base64url. */
struct receipt_claims {
  struct span issuer;             /* iss: at most 12 bytes */
  struct span job;                /* job: the UUID as text */
  uint8_t subject[HASH_SIZE];     /* sub: SHA-256 of the user id */
  enum result result;             /* status completed or failed; code: result_name, only when failed */
  uint8_t script[HASH_SIZE];      /* script: SHA-256 of its bytes */
  struct span entry;              /* entry, see below */
  uint8_t input[HASH_SIZE];       /* input: SHA-256 of salt || input bytes as received */
  uint8_t output[HASH_SIZE];      /* output: SHA-256 of the output as sent, or of salt || output if it was sealed to the
                                     caller; left out when failed */
  uint8_t logs[HASH_SIZE];        /* logs: SHA-256 of the JSON array as sent */
  uint8_t secrets[HASH_SIZE];     /* secrets: SHA-256 over lines of name@version (receipt_put_secret) */
  uint8_t limits[HASH_SIZE];      /* limits: SHA-256 of the canonical JSON of the effective limits */
  uint64_t gas, steps;            /* gas, steps */
  uint64_t issued_at;             /* iat: Unix seconds, as the host says */
  uint64_t duration_us;           /* dur_us */
  struct span nonce;              /* nonce, see below; left out when empty */
  struct span engine;             /* eng: engine build id, at most 64 bytes */
  struct span isolation;          /* iso: isolation profile, at most 64 bytes */
  struct span tee;                /* tee: sgx, tdx, snp, nitro, sim */
  uint8_t attestation[HASH_SIZE]; /* att: SHA-256 of the attestation document */
  uint64_t sequence;              /* seq: 1 for the first receipt of a signing key */
  uint8_t previous[HASH_SIZE];    /* prev: SHA-256 of the previous receipt's JWS; zeros for the first */
};

/* The effective limits as canonical JSON: what `limits` hashes. Milliseconds, bytes, counts; steps 0: no limit, and so
 * is one above 2^53 - 1, which no job reaches and no JSON number holds. */
struct receipt_limits {
  uint64_t timeout_ms, memory_bytes, steps, output_bytes, log_entries, log_entry_bytes;
  bool deterministic;
  struct span hosts; /* the request's list (base/hosts.h), with spaces, commas or line breaks; empty: left out */
};
void receipt_put_limits(struct buf *b, const struct receipt_limits *limits);

/* One secret's line, "name@version\n", or "name@version reference\n" if it was read in a format that is not bound to
 * where it stood: what `secrets` hashes is one line a secret, in the order of the response. */
void receipt_put_secret(struct buf *b, struct span secret, uint64_t version, bool bound);
/* The line behind these of a job that asked the outside: "*network@" and the hexadecimal SHA-256 of the response's
 * `network` as sent. No secret's name begins with an asterisk. */
void receipt_put_network(struct buf *b, struct span network);

/* SHA-256(salt || bytes). */
enum result must_use receipt_commit(const uint8_t salt[RECEIPT_SALT], struct span bytes, uint8_t out[HASH_SIZE]);

/* Appends the JWS, at most RECEIPT_MAX bytes. Give `entry` and `nonce` as they are: what is longer than
 * RECEIPT_TEXT_MAX bytes, would need an escape in JSON, or begins with "sha256:", goes in as "sha256:" and the
 * base64url of its hash. RESULT_LIMIT_INVALID if a claim is none (a name too long, gas of 10^7, a time of 10^10 s or a
 * duration of 10^12 us, a number above 2^53 - 1), RESULT_NO_MEMORY, RESULT_CRYPTO; `out` is then as before. */
enum result must_use receipt_sign(struct sign_key *key, const struct receipt_claims *claims, struct buf *out);

/* Checks form, algorithm, type, `kid` and signature, and reads the claims; spans point into `text`, which the caller
 * keeps and appends nothing more to. There is one form of a receipt: whatever receipt_sign would not have written
 * is RESULT_NOT_VERIFIED. What the claims say is the caller's to compare. RESULT_NO_MEMORY if `text` has no room for
 * RECEIPT_MAX bytes, RESULT_CRYPTO. */
enum result must_use receipt_read(struct span jws, const uint8_t key[SIGN_PUBLIC], struct buf *text,
                                  struct receipt_claims *claims);

/* Whether an `entry` or `nonce` claim, as read, stands for this text. */
bool receipt_text_is(struct span claim, struct span text);
