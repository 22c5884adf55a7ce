/*
 * Text as people and other programs write it: UTF-8, decimal numbers, times, hexadecimal. Nothing here allocates, and a
 * failed parse leaves its `out` alone unless the comment says otherwise.
 */
#pragma once

#include "base/result.h"

/* What text_utf8_next answers for bytes that are no character. Above every code point. */
#define TEXT_ILL_FORMED UINT32_MAX

/* Takes one character from the front of `rest`, which must not be empty, and returns its code point. For bytes that are
 * not UTF-8 it takes the maximal subpart (Unicode Standard 3.9, "U+FFFD Substitution of Maximal Subparts"; 1 to 3
 * bytes) and returns TEXT_ILL_FORMED. */
uint32_t text_utf8_next(struct span *rest);

/* Length of the longest prefix that is valid UTF-8 (RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF).
 */
size_t text_utf8_prefix(struct span s);

/* True if all of `s` is valid UTF-8. Empty text is. */
bool text_utf8_valid(struct span s);

/* The largest length <= `max` at which valid UTF-8 may be cut without splitting a character. Of text that is not UTF-8,
 * at most the last three bytes before `max` are given up. */
size_t text_utf8_cut(struct span s, size_t max);

/* Decimal digits and nothing else (leading zeros are fine), from `min` to `max`. RESULT_LIMIT_INVALID otherwise. */
enum result must_use text_u64(struct span s, uint64_t min, uint64_t max, uint64_t *out);

/* Decimal seconds with at most three decimals, as "30", "0.5" or "1.250", in milliseconds from `min` to `max`
 * (milliseconds, too). RESULT_LIMIT_INVALID otherwise; ".5" and "5." are refused. */
enum result must_use text_millis(struct span s, uint64_t min, uint64_t max, uint64_t *out);

/* An RFC 3339 date-time (section 5.6; `T` and `Z` in either case, no space for `T`) in nanoseconds since
 * 1970-01-01T00:00:00Z. The year as written is 1970 to 2554, and the instant is one that 64 bits hold: up to
 * 2554-07-21T23:34:33.709551615Z. A fraction has 1 to 9 digits. Leap seconds (":60") and everything else are
 * RESULT_LIMIT_INVALID. */
enum result must_use text_rfc3339(struct span s, uint64_t *unix_ns);

/* The same instant in UTC, as Go's time.RFC3339Nano writes it: 2026-11-23T18:00:00.5Z, zeros at the fraction's end
 * dropped. */
void text_put_rfc3339(struct buf *b, uint64_t unix_ns);

/* A duration as Go's time.Duration.String writes it: "0s", "850µs", "12.3ms", "1m0.5s", "1h0m0s". */
void text_put_go_duration(struct buf *b, uint64_t ns);

/* A duration as Go's time.ParseDuration reads it, in nanoseconds: "1h30m", "250ms", "1.5s", "24h0m0s", "0"; units ns,
 * us, µs, ms, s, m and h, in any order. Decimals beyond the nanosecond are cut off. RESULT_LIMIT_INVALID for any minus
 * sign, for more than 2^63 - 1 ns, and for everything that Go refuses. */
enum result must_use text_go_duration(struct span s, uint64_t *ns);

/* Lower-case hexadecimal, two digits a byte. */
void text_put_hex(struct buf *b, struct span bytes);

/* Reads exactly 2 * `out_len` hexadecimal digits of either case. After false, `out` holds rubbish. Not constant-time.
 */
bool must_use text_unhex(struct span hex, uint8_t *out, size_t out_len);
