/*
 * HPKE (RFC 9180) in base mode with one suite: DHKEM(X25519, HKDF-SHA256) 0x0020, HKDF-SHA256 0x0001, AES-256-GCM
 * 0x0002. Whoever holds a public key seals to it; only the holder of the secret opens; the sender stays anonymous.
 */
#pragma once

#include "crypto/agree.h"

#define HPKE_ENC AGREE_PUBLIC /* the sender's one-time public key */
#define HPKE_TAG 16u          /* what sealing adds */
#define HPKE_EXPORT_MAX (255u * 32u)

/* Encryption context (RFC 9180 5.2): the key, where its nonces stand, and what it exports. */
struct hpke;

/* SetupBaseS: a context that seals to `public`, and the `enc` to send along. RESULT_CRYPTO, also for a `public` of
 * small order; RESULT_NO_MEMORY. */
enum result must_use hpke_sender_new(const uint8_t public[AGREE_PUBLIC], struct span info, uint8_t enc[HPKE_ENC],
                                     struct hpke **out);
/* The same with a given one-time key: for test vectors. Two contexts of one such key, public key and info are one and
 * the same, and use the same nonces. */
enum result must_use hpke_sender_import(const struct agree_key *once, const uint8_t public[AGREE_PUBLIC],
                                        struct span info, struct hpke **out);
/* SetupBaseR: the context that opens what the sender of `enc` sealed. RESULT_SEALED_INVALID for an `enc` of small
 * order; RESULT_CRYPTO, RESULT_NO_MEMORY. Any other `enc` makes a context, but one that opens nothing of anybody
 * else's. */
enum result must_use hpke_receiver_new(const struct agree_key *key, const uint8_t enc[HPKE_ENC], struct span info,
                                       struct hpke **out);
/* NULL is fine; wipes. */
void hpke_free(struct hpke *context);

/* Seals the next message of a sender: appends ciphertext | tag. RESULT_CRYPTO (also for a receiver's context, and after
 * 2^64 - 1 messages) or RESULT_NO_MEMORY; `out` and the context are then as before. */
enum result must_use hpke_context_seal(struct hpke *context, struct span aad, struct span plain, struct buf *out);
/* Opens a receiver's next message. RESULT_SEALED_INVALID if it is not that (the context still waits for it), or as
 * above. */
enum result must_use hpke_context_open(struct hpke *context, struct span aad, struct span sealed, struct buf *out);
/* A secret of `len` bytes, at most HPKE_EXPORT_MAX, that both sides and nobody else can name (RFC 9180 5.3).
 * RESULT_CRYPTO; `out` is then wiped. */
enum result must_use hpke_export(const struct hpke *context, struct span exporter_context, uint8_t *out, size_t len);

/* One message: SealBase and OpenBase (RFC 9180 6.1). Results as above; on failure `out` is as before and `enc` worth
 * nothing. */
enum result must_use hpke_seal(const uint8_t public[AGREE_PUBLIC], struct span info, struct span aad, struct span plain,
                               uint8_t enc[HPKE_ENC], struct buf *out);
enum result must_use hpke_open(const struct agree_key *key, const uint8_t enc[HPKE_ENC], struct span info,
                               struct span aad, struct span sealed, struct buf *out);
