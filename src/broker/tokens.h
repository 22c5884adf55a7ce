/*
 * Tokens that were verified a moment ago, so that a caller's next request need not cost another signature: an ES256 one
 * takes longer than all else that a trivial request does. Of a token it keeps only the SHA-256.
 *
 * What is here was verified by keys that are loaded now: whoever changes keys calls tokens_forget. Memory is all taken
 * at the start and bounded; nothing gets in but by a token that was good.
 */
#pragma once

#include "base/result.h"

#define TOKENS_MAX 1024u     /* more than that push one another out */
#define TOKENS_SECONDS 300u  /* and none is believed longer without being verified again */
#define TOKENS_NAME_MAX 256u /* its NUL included */

struct tokens;

enum result must_use tokens_new(struct tokens **out);
/* Who the token names, if it was put here and neither its time nor TOKENS_SECONDS are over at `now` (Unix seconds). A
 * clock that has stepped back finds nothing that was verified later than now. */
bool tokens_find(const struct tokens *t, struct span token, uint64_t now, char *name, size_t size);
/* `expires`: the token's exp, in Unix seconds, whole or not. */
void tokens_put(struct tokens *t, struct span token, uint64_t now, double expires, const char *name);
/* Wipes them all. */
void tokens_forget(struct tokens *t);
/* NULL is fine. */
void tokens_free(struct tokens *t);
