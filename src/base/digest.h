/* SHA-256 (FIPS 180-4), from libmd: small enough for the worker, which may not link a TLS library. */
#pragma once

#include "base/bytes.h"

#define DIGEST_SIZE 32u

void digest_sha256(struct span bytes, uint8_t out[DIGEST_SIZE]);
