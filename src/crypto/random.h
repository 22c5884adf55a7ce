/* Randomness for keys, nonces and salts: the kernel's, through OpenSSL's DRBG. */
#pragma once

#include "base/result.h"

/* RESULT_CRYPTO if there is none; `out` is then all zeros and must not be used. */
enum result must_use random_bytes(void *out, size_t len);
