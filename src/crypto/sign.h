/*
 * ES256: ECDSA over P-256 with SHA-256 (RFC 7518 §3.4). Signatures are r || s, 32 bytes each, big-endian, with s in the
 * lower half of the order (some smart contracts ask for it).
 */
#pragma once

#include "base/result.h"

#define SIGN_SIZE 64u
#define SIGN_PUBLIC 65u     /* 0x04 || x || y (SEC 1 §2.3.3) */
#define SIGN_THUMBPRINT 43u /* base64url of SHA-256, RFC 7638 */

struct sign_key;

enum result must_use sign_key_new(struct sign_key **out);
enum result must_use sign_message(struct sign_key *key, struct span message, uint8_t out[SIGN_SIZE]);
void sign_public(const struct sign_key *key, uint8_t out[SIGN_PUBLIC]);
/* Wipes. NULL is fine. */
void sign_key_free(struct sign_key *key);

/* RESULT_NOT_VERIFIED if the signature is not the key's, or the key is no point on the curve. */
enum result must_use sign_verify(const uint8_t key[SIGN_PUBLIC], struct span message, struct span signature);

/* {"crv":"P-256","kty":"EC","x":…,"y":…}: the members and the order of RFC 7638, so its SHA-256 is the thumbprint. */
void sign_put_jwk(struct buf *b, const uint8_t key[SIGN_PUBLIC]);
void sign_thumbprint(const uint8_t key[SIGN_PUBLIC], char out[SIGN_THUMBPRINT + 1]);
