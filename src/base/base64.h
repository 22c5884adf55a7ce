/* Base64 (RFC 4648): the standard alphabet with padding (§4), and the one for URLs without (§5), as JOSE uses it. */
#pragma once

#include "base/result.h"

/* Bytes that base64_put_url writes for `len` bytes. */
#define BASE64_URL_SIZE(len) (((len)*4u + 2u) / 3u)

void base64_put(struct buf *b, struct span bytes);
void base64_put_url(struct buf *b, struct span bytes);

/* Appends what the URL form encodes. RESULT_BAD_REQUEST, and nothing appended, unless it is the one form that
 * base64_put_url writes: no padding, no other character, no bits set that carry nothing. RESULT_NO_MEMORY if there is
 * no room. Not constant-time. */
enum result must_use base64_get_url(struct buf *b, struct span text);
/* The same for what base64_put writes. */
enum result must_use base64_get(struct buf *b, struct span text);
/* The same as base64_get_url for exactly `out_len` bytes of a known size; false otherwise, and `out` then holds
 * rubbish. */
bool must_use base64_read_url(struct span text, uint8_t *out, size_t out_len);
