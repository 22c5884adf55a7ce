/*
 * Every key of the service, and the only things that may be done with them. There is no sign(bytes): what is signed or
 * sealed is built here or in src/receipt, under names of its own.
 *
 * From the master key: the key of stored records and the two of the compatible output protection. The identity keys
 * (ES256, X25519) are made at start and anew when they are to be changed, and never leave.
 */
#pragma once

#include "crypto/hpke.h"
#include "keeper/secret_record.h"
#include "receipt/protect.h"
#include "receipt/receipt.h"

struct keys;

/* An empty `master` makes an ephemeral one. `master` may be wiped afterwards. RESULT_CONFIG_INVALID if it is too
 * short, RESULT_CRYPTO, RESULT_NO_MEMORY. */
enum result must_use keys_new(struct span master, struct keys **out);
void keys_public(const struct keys *k, uint8_t sign[SIGN_PUBLIC], uint8_t agree[AGREE_PUBLIC]);

/* New keys of identity, beside those in use, for whom a document is made first; once more, and they are others. */
enum result must_use keys_prepare(struct keys *k);
void keys_prepared(const struct keys *k, uint8_t sign[SIGN_PUBLIC], uint8_t agree[AGREE_PUBLIC]);
/* From now on these are the keys; the chain of receipts begins anew. Those they replace are wiped. */
void keys_turn(struct keys *k);

/* Signs, and chains: fills in the claims' sequence and previous. A receipt that was not made takes no number. */
enum result must_use keys_receipt(struct keys *k, struct receipt_claims *claims, struct buf *jws);
/* All that were signed, with whatever key. */
uint64_t keys_receipts(const struct keys *k);

/* A job's record, bound to its user and id: a reply, and of a job that runs its facts. */
enum result must_use keys_seal(const struct keys *k, const uint8_t user[32], const uint8_t job[16], struct span reply,
                               struct span facts, struct buf *sealed);
/* RESULT_RECORD_CORRUPT if it does not open there. The spans point into `text`, to which it is appended. */
enum result must_use keys_open(const struct keys *k, const uint8_t user[32], const uint8_t job[16], struct span sealed,
                               struct buf *text, struct span *reply, struct span *facts);

/* The reference's protection of an output: HMAC of its hash in hexadecimal digits; base64 of it encrypted, appended. */
enum result must_use keys_sign_output(const struct keys *k, const uint8_t hash[HASH_SIZE],
                                      char signature[PROTECT_HEX + 1]);
enum result must_use keys_encrypt_output(const struct keys *k, struct span output, struct buf *encrypted);

/* Callers' secrets: secret_record.h, under the secret key. */
enum result must_use keys_secret_seal(const struct keys *k, const struct secret_place *place, struct span policy,
                                      struct span value, struct buf *text);
enum result must_use keys_secret_open(const struct keys *k, const struct secret_place *place, struct span text,
                                      struct buf *plain, struct span *policy, struct span *value);
enum result must_use keys_secret_seal_uses(const struct keys *k, const struct secret_place *place, uint64_t uses,
                                           struct buf *text);
enum result must_use keys_secret_open_uses(const struct keys *k, const struct secret_place *place, struct span text,
                                           uint64_t *uses);

/* A conversation that its sender began with a message sealed to the service's X25519 key: hpke_receiver_new. */
enum result must_use keys_receive(const struct keys *k, const uint8_t enc[HPKE_ENC], struct span info,
                                  struct hpke **out);
/* Opens what was sealed to the service's X25519 key (crypto/hpke.h: hpke_open). */
enum result must_use keys_open_sealed(const struct keys *k, const uint8_t enc[HPKE_ENC], struct span info,
                                      struct span aad, struct span sealed, struct buf *out);

/* Wipes. NULL is fine. */
void keys_free(struct keys *k);
