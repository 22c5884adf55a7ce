/* AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce: sealed = nonce 12 | ciphertext | tag 16. */
#pragma once

#include "base/result.h"

#define AEAD_KEY 32u
#define AEAD_NONCE 12u
#define AEAD_TAG 16u
#define AEAD_OVERHEAD (AEAD_NONCE + AEAD_TAG)

/* Appends the sealed form of `plain` to `out`. `aad` is bound, not carried. RESULT_CRYPTO or RESULT_NO_MEMORY; `out` is
 * then as before. */
enum result must_use aead_seal(const uint8_t key[AEAD_KEY], struct span aad, struct span plain, struct buf *out);
/* Appends the plaintext. RESULT_RECORD_CORRUPT if it does not open under this key and aad; nothing is appended then. */
enum result must_use aead_open(const uint8_t key[AEAD_KEY], struct span aad, struct span sealed, struct buf *out);

/* For protocols with nonces of their own (HPKE): sealed = ciphertext | tag 16. A nonce must never come again under the
 * same key. Otherwise as above; nothing of the key stays behind in OpenSSL's memory. */
enum result must_use aead_seal_at(const uint8_t key[AEAD_KEY], const uint8_t nonce[AEAD_NONCE], struct span aad,
                                  struct span plain, struct buf *out);
enum result must_use aead_open_at(const uint8_t key[AEAD_KEY], const uint8_t nonce[AEAD_NONCE], struct span aad,
                                  struct span sealed, struct buf *out);
