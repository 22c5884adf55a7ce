#include "keeper/secrets_cache.h"

#include "base/table.h"
#include "crypto/hash.h"

struct slot {
  uint8_t key[HASH_SIZE];
  uint64_t version;
  size_t value_len;
  struct buf text; /* value and uses; empty: the slot is free */
};

struct secrets_cache {
  struct table *by_key;
  uint64_t drops;
  size_t hand; /* the slot that is filled next */
  struct slot slots[SECRETS_CACHE_ROWS];
};

/* No user's id and no name holds U+0000. */
static enum result key_of(struct span user_id, struct span name, uint8_t key[HASH_SIZE]) {
  const struct span parts[] = {user_id, span_of("", 1), name};
  return hash_sha256(parts, sizeof parts / sizeof parts[0], key);
}

static void empty(struct slot *s) {
  buf_free(&s->text);
  s->text = buf_new(SECRETS_CACHE_ROW_MAX);
}

enum result secrets_cache_new(struct secrets_cache **out) {
  struct secrets_cache *c = calloc(1, sizeof *c);
  if (c == NULL) return RESULT_NO_MEMORY;
  for (size_t i = 0; i < SECRETS_CACHE_ROWS; i++) empty(&c->slots[i]);
  enum result r = table_new(HASH_SIZE, &c->by_key);
  if (r == RESULT_OK)
    *out = c;
  else
    free(c);
  return r;
}

uint64_t secrets_cache_drops(const struct secrets_cache *c) {
  return c->drops;
}

static void take_out(struct secrets_cache *c, const uint8_t key[HASH_SIZE]) {
  struct slot *s = table_remove(c->by_key, key);
  if (s != NULL) empty(s);
}

static void fill(struct slot *s, const uint8_t key[HASH_SIZE], const struct secret_row *row) {
  memcpy(s->key, key, HASH_SIZE);
  s->version = row->version;
  s->value_len = row->value.len;
  buf_put_span(&s->text, row->value);
  buf_put_span(&s->text, row->uses);
}

void secrets_cache_put(struct secrets_cache *c, struct span user_id, struct span name, const struct secret_row *row,
                       uint64_t drops) {
  uint8_t key[HASH_SIZE];
  struct slot *s = &c->slots[c->hand];
  if (drops != c->drops || row->value.len == 0 || key_of(user_id, name, key) != RESULT_OK) return;
  take_out(c, key);
  if (s->text.len > 0) take_out(c, s->key);
  fill(s, key, row);
  if (s->text.bad || table_put(c->by_key, key, s) != RESULT_OK)
    empty(s);
  else
    c->hand = (c->hand + 1) % SECRETS_CACHE_ROWS;
}

bool secrets_cache_get(const struct secrets_cache *c, struct span user_id, struct span name, struct secret_row *row) {
  uint8_t key[HASH_SIZE];
  const struct slot *s = key_of(user_id, name, key) == RESULT_OK ? table_get(c->by_key, key) : NULL;
  if (s == NULL) return false;
  *row = (struct secret_row){.statement = STATEMENT_FIND,
                             .version = s->version,
                             .value = span_of(s->text.data, s->value_len),
                             .uses = span_of(s->text.data + s->value_len, s->text.len - s->value_len)};
  return true;
}

enum result secrets_cache_drop(struct secrets_cache *c, struct span user_id, struct span name) {
  uint8_t key[HASH_SIZE];
  enum result r = key_of(user_id, name, key);
  if (r == RESULT_OK) take_out(c, key);
  c->drops++;
  return r;
}

void secrets_cache_free(struct secrets_cache *c) {
  if (c == NULL) return;
  for (size_t i = 0; i < SECRETS_CACHE_ROWS; i++) buf_free(&c->slots[i].text);
  table_free(c->by_key);
  free(c);
}
