/*
 * Compact JWS (RFC 7515 §7.1) from strangers, checked with cjose against keys that are pinned: each key has exactly one
 * algorithm, HS256, ES256 or RS256, given by what the key is and never by what a token says.
 *
 * All files are read and all of OpenSSL that is needed is loaded while keys are added; jws_verify makes no system call
 * but for memory, so that a sandboxed process may call it.
 */
#pragma once

#include "base/result.h"

#define JWS_MAX 8192u      /* bytes of a token; longer ones are refused unread */
#define JWS_KEYS_MAX 16u   /* keys of one set */
#define JWS_SECRET_MIN 32u /* bytes of an HS256 secret (RFC 7518 §3.2) */
#define JWS_RSA_BITS_MIN 2048u

struct jws_keys;

enum result must_use jws_keys_new(struct jws_keys **out);

/* Each adds to the set: RESULT_CONFIG_INVALID with a sentence in `problem` (at least 128 bytes), or RESULT_NO_MEMORY.
 */

/* A secret for HS256. */
enum result must_use jws_keys_add_secret(struct jws_keys *keys, struct span secret, char *problem, size_t problem_size);
/* The public keys of a JWKS document (RFC 7517 §5): EC keys on P-256 for ES256, RSA keys for RS256. Keys that say they
 * are for something else (`use`, `alg`, `kty`, `crv`) are passed over; a set with nothing left, with a secret or
 * private key in it, or with two keys of the same `kid`, is refused. */
enum result must_use jws_keys_add_jwks(struct jws_keys *keys, struct span json, char *problem, size_t problem_size);
/* An RSA public key in PEM for RS256. */
enum result must_use jws_keys_add_pem(struct jws_keys *keys, struct span pem, char *problem, size_t problem_size);

/* Appends the payload of a token that one of the keys signed: the key with the token's `kid`, or, if no key has that
 * name or the token names none, the only key of the token's algorithm, provided that key has no name of its own when
 * the token has one. RESULT_NOT_VERIFIED otherwise, with the reason (a literal) in `why`. */
enum result must_use jws_verify(const struct jws_keys *keys, struct span token, struct buf *payload, const char **why);

/* Wipes. NULL is fine. */
void jws_keys_free(struct jws_keys *keys);
