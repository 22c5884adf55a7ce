/* Random bytes of the kernel for ids that nobody shall guess: fetched many at a time, each given once. Keys are made
 * from crypto/random.h. */
#pragma once

#include "base/result.h"

/* RESULT_CRYPTO if the kernel gives none. */
enum result must_use entropy_take(void *out, size_t len);
