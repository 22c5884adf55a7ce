/* COSE_Sign1 (RFC 9052 §4.2) with ES384 (RFC 9053 §2.1). Private to src/evidence. */
#pragma once

#include <openssl/types.h>

#include "base/bytes.h"

#define COSE_SIGNATURE 96u /* r || s, big-endian */
#define COSE_MAX 16384u    /* of what is read */

/* Spans point into the bytes that were read. */
struct cose {
  struct span protected_header, payload, signature;
};

/* Reads one COSE_Sign1, tagged (18) or not, whose one header is "alg: ES384", protected, and nothing else. */
bool cose_read(struct span bytes, struct cose *out);

/* Whether the key, one on P-384, signed it. */
bool cose_verify(const struct cose *c, EVP_PKEY *key);
