/*
 * OpenSSL's state behind this folder: algorithms fetched once, contexts used again and again. For one thread of a
 * process. Until crypto_init has succeeded, everything in this folder answers RESULT_CRYPTO.
 */
#pragma once

#include "base/result.h"

/* Fetches the algorithms and seeds the random generator, reading no configuration file. Afterwards nothing here opens a
 * file or loads anything; what is left are getrandom(2), getpid(2), clock_gettime(2) and memory. So it comes before a
 * sandbox. May be repeated. RESULT_CRYPTO. */
enum result must_use crypto_init(void);

/* Frees, and wipes the keys that the contexts still hold. crypto_init may follow. */
void crypto_free(void);
