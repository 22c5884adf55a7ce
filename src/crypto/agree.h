/* X25519 (RFC 7748) key pairs: what callers seal inputs and secrets to (hpke.h). */
#pragma once

#include "base/result.h"

#define AGREE_PUBLIC 32u
#define AGREE_SECRET 32u

struct agree_key;

enum result must_use agree_key_new(struct agree_key **out);
/* The key pair of a given secret: for test vectors. RESULT_CRYPTO. */
enum result must_use agree_key_import(const uint8_t secret[AGREE_SECRET], struct agree_key **out);
void agree_public(const struct agree_key *key, uint8_t out[AGREE_PUBLIC]);
/* The secret that `key` and the holder of `peer` share: X25519's output, to be hashed before it is a key. RESULT_CRYPTO
 * if it is all zeros, which a peer of small order brings about (RFC 9180 7.1.4); `out` is then wiped. */
enum result must_use agree_shared(const struct agree_key *key, const uint8_t peer[AGREE_PUBLIC],
                                  uint8_t out[AGREE_SECRET]);
/* NULL is fine; wipes. */
void agree_key_free(struct agree_key *key);
