/*
 * Output protection as the reference service does it, byte for byte: `output_hash`, `signature` and `encrypted_output`
 * (docs/protocol.md, "Output protection"). And the keys that COMPUTE_MASTER_KEY gives; it never makes identity keys.
 */
#pragma once

#include "crypto/aead.h"
#include "crypto/hash.h"

#define PROTECT_MASTER_MIN 32u
#define PROTECT_HEX 64u /* digits of a hash or a signature */

struct protect_keys {
  uint8_t signing[HASH_SIZE]; /* of `signature` */
  uint8_t output[AEAD_KEY];   /* of `encrypted_output`: the master key's first bytes, as the reference has it */
  uint8_t store[AEAD_KEY];    /* of sealed records (receipt/seal.h) */
  uint8_t secret[AEAD_KEY];   /* of callers' secrets (keeper/secret_record.h) */
};

/* RESULT_CONFIG_INVALID if the master key is shorter than PROTECT_MASTER_MIN bytes; RESULT_CRYPTO. The keys are zeros
 * then. */
enum result must_use protect_derive(struct span master, struct protect_keys *out);
void protect_wipe(struct protect_keys *keys);

/* `hash` is the SHA-256 of the output as sent; hexadecimal digits, with a NUL behind them, come out. */
enum result must_use protect_sign(const struct protect_keys *keys, const uint8_t hash[HASH_SIZE],
                                  char signature[PROTECT_HEX + 1]);
/* Appends base64(nonce | ciphertext | tag) of the output as sent. RESULT_NO_MEMORY or RESULT_CRYPTO; `out` is then as
 * before. */
enum result must_use protect_encrypt(const struct protect_keys *keys, struct span output, struct buf *out);
