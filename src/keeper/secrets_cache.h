/*
 * Rows of secrets as a store has them, sealed, for the next job that asks. Only of a store that nobody but the keeper
 * has written (the service holds its database's lock): what is about to be written is dropped before it is. Private to
 * the secrets.
 */
#pragma once

#include "keeper/secret_rows.h"

#define SECRETS_CACHE_ROWS 1024u
#define SECRETS_CACHE_ROW_MAX 4096u /* bytes of value and uses; a larger one is fetched each time */

struct secrets_cache;

enum result must_use secrets_cache_new(struct secrets_cache **out);
/* How many drops there were: who asks the store notes it, and what comes back is kept only if there was none since. */
uint64_t secrets_cache_drops(const struct secrets_cache *c);
/* Copies the row's version, value and uses, in place of the oldest one if there are SECRETS_CACHE_ROWS. One that is too
 * large, that there is no memory for or that may have been written since `drops` is not kept. */
void secrets_cache_put(struct secrets_cache *c, struct span user_id, struct span name, const struct secret_row *row,
                       uint64_t drops);
/* Version, value and uses; the spans hold until the next put or drop. False if there is none. */
bool must_use secrets_cache_get(const struct secrets_cache *c, struct span user_id, struct span name,
                                struct secret_row *row);
/* RESULT_CRYPTO: it may still be there. */
enum result must_use secrets_cache_drop(struct secrets_cache *c, struct span user_id, struct span name);
/* NULL is fine. */
void secrets_cache_free(struct secrets_cache *c);
