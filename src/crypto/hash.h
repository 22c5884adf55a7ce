/* SHA-256 (FIPS 180-4), HMAC-SHA-256 (RFC 2104) and HKDF-SHA-256 (RFC 5869), from OpenSSL: hardware does the work. */
#pragma once

#include "base/result.h"

#define HASH_SIZE 32u

/* Over the parts one after the other. Aborts nothing: RESULT_CRYPTO if OpenSSL fails. */
enum result must_use hash_sha256(const struct span *parts, size_t count, uint8_t out[HASH_SIZE]);
enum result must_use hash_sha512(const struct span *parts, size_t count, uint8_t out[64]);
enum result must_use hash_hmac(struct span key, struct span data, uint8_t out[HASH_SIZE]);
/* The same over the parts one after the other. */
enum result must_use hash_hmac_parts(struct span key, const struct span *parts, size_t count, uint8_t out[HASH_SIZE]);
/* Displaces the key of the last HMAC, which would stay until the next one. */
void hash_hmac_forget(void);
/* Extract and expand; out_len at most 255 * 32. */
enum result must_use hash_hkdf(struct span key, struct span salt, struct span info, uint8_t *out, size_t out_len);
/* Whether two hashes are equal, in constant time. */
bool hash_equal(const uint8_t a[HASH_SIZE], const uint8_t b[HASH_SIZE]);
