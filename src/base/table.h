/*
 * A hash table from keys of one fixed size (ids, digests) to pointers. Open addressing; every operation is O(1), and
 * memory follows what is in it both ways. Hashes are keyed with random bytes, so no stranger can choose keys that
 * collide.
 */
#pragma once

#include "base/result.h"

#define TABLE_KEY_MAX 32u

struct table;

/* `key_size`: 1 to TABLE_KEY_MAX bytes. RESULT_NO_MEMORY, or RESULT_CRYPTO if the kernel gives no random bytes. */
enum result must_use table_new(size_t key_size, struct table **out);
/* Adds, or replaces what the key had. The key is copied; `value` stays the caller's and is not NULL. RESULT_NO_MEMORY
 * changes nothing. */
enum result must_use table_put(struct table *t, const void *key, void *value);
/* NULL if there is none. */
void *table_get(const struct table *t, const void *key);
/* Takes out and returns what the key had; NULL if nothing. */
void *table_remove(struct table *t, const void *key);
size_t table_count(const struct table *t);
/* Walks the values in no order: `*at` starts at 0, NULL is the end. Nothing may be put or removed on the way. */
void *table_next(const struct table *t, size_t *at);
/* Frees the table, not the values. NULL is fine. */
void table_free(struct table *t);
