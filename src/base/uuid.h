/*
 * UUIDs, version 7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then 74 random bits. Ids of one maker ascend,
 * in memory as in text, also within a millisecond and when the clock steps back (section 6.2, method 2: the random
 * bits are a counter that takes random steps).
 */
#pragma once

#include "base/result.h"

#define UUID_SIZE 16u
#define UUID_TEXT 36u /* characters, without a NUL */

/* The last id made. Starts as zeros; each maker serves one thread. */
struct uuid_maker {
  uint64_t ms;
  uint16_t rand_a; /* 12 bits */
  uint64_t rand_b; /* 62 bits */
};

/* The next id. RESULT_CRYPTO if the kernel gives no random bytes, RESULT_LIMIT_INVALID if 48 bits do not hold the time.
 */
enum result must_use uuid_v7(struct uuid_maker *maker, uint64_t unix_ms, uint8_t out[UUID_SIZE]);

/* Lower-case, 8-4-4-4-12 digits. */
void uuid_put(struct buf *b, const uint8_t id[UUID_SIZE]);
/* Reads that form, digits of either case, any version; nothing else. After false, `out` holds rubbish. */
bool must_use uuid_parse(struct span text, uint8_t out[UUID_SIZE]);
