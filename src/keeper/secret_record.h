/*
 * A caller's secret as stores hold it: "nc1." and base64 of AES-256-GCM under the secret key, bound to whose it is, its
 * name and its version, so that whoever can write the store can neither change nor move it (docs/protocol.md, "The
 * sealed secret"). And the reference's form, which is bound to nothing.
 */
#pragma once

#include "crypto/aead.h"

#define SECRET_NAME_MAX 128u
#define SECRET_VALUE_MAX 65536u
#define SECRET_POLICY_MAX 8192u
/* Bytes of the longest sealed form: policy and value with their lengths, sealed, in base64. */
#define SECRET_TEXT_MAX (4 + (SECRET_POLICY_MAX + SECRET_VALUE_MAX + 8 + AEAD_OVERHEAD + 2) / 3 * 4)

struct secret_place {
  const uint8_t *user; /* 32 bytes: SHA-256 of user_id */
  struct span name;    /* 1..SECRET_NAME_MAX bytes */
  uint64_t version;
};

/* Appends the sealed form. `policy`: canonical JSON, or empty. RESULT_NO_MEMORY, RESULT_CRYPTO; `text` is then as
 * before. */
enum result must_use secret_record_seal(const uint8_t key[AEAD_KEY], const struct secret_place *place,
                                        struct span policy, struct span value, struct buf *text);
/* The spans point into `plain`, to which it is appended. RESULT_SECRET_UNDECRYPTABLE if it does not open here, or
 * RESULT_NO_MEMORY, RESULT_CRYPTO: nothing is appended then. */
enum result must_use secret_record_open(const uint8_t key[AEAD_KEY], const struct secret_place *place, struct span text,
                                        struct buf *plain, struct span *policy, struct span *value);

/* How often a secret was used that has a number of uses; results as above. */
enum result must_use secret_record_seal_uses(const uint8_t key[AEAD_KEY], const struct secret_place *place,
                                             uint64_t uses, struct buf *text);
enum result must_use secret_record_open_uses(const uint8_t key[AEAD_KEY], const struct secret_place *place,
                                             struct span text, uint64_t *uses);

/* The reference's: base64(nonce | ciphertext | tag), no additional data. Results as above; a value that is not UTF-8 of
 * 1..SECRET_VALUE_MAX bytes is RESULT_SECRET_UNDECRYPTABLE. */
enum result must_use secret_record_open_reference(const uint8_t key[AEAD_KEY], struct span text, struct buf *plain,
                                                  struct span *value);
