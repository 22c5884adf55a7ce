#include "base/table.h"

#include <errno.h>
#include <sys/random.h>

#include "base/siphash.h"

#define SLOTS_LEAST 16u /* a power of two, as every number of slots is */

/* A key whose place is taken stands in the next free slot behind it; no slot between the two is ever empty. */
struct slot {
  void *value; /* NULL: empty */
  uint8_t key[TABLE_KEY_MAX];
};

struct table {
  size_t key_size, count, slot_count;
  struct slot *slots;
  uint8_t seed[SIPHASH_KEY];
};

static enum result must_use draw_seed(struct table *t) {
  ssize_t n;
  while ((n = getrandom(t->seed, sizeof t->seed, 0)) < 0 && errno == EINTR) continue;
  return n == (ssize_t)sizeof t->seed ? RESULT_OK : RESULT_CRYPTO;
}

enum result table_new(size_t key_size, struct table **out) {
  struct table *t = calloc(1, sizeof *t);
  if (t == NULL) return RESULT_NO_MEMORY;
  t->key_size = key_size;
  t->slot_count = SLOTS_LEAST;
  t->slots = calloc(SLOTS_LEAST, sizeof t->slots[0]);
  enum result r = t->slots == NULL ? RESULT_NO_MEMORY : draw_seed(t);
  if (r == RESULT_OK) {
    *out = t;
    t = NULL;
  }
  table_free(t);
  return r;
}

static size_t home_of(const struct table *t, const void *key) {
  return (size_t)siphash(t->seed, span_of(key, t->key_size)) & (t->slot_count - 1);
}

static size_t after(const struct table *t, size_t at) {
  return (at + 1) & (t->slot_count - 1);
}

/* The key's slot, or the empty one where it would go. */
static struct slot *find(const struct table *t, const void *key) {
  size_t at = home_of(t, key);
  while (t->slots[at].value != NULL && memcmp(t->slots[at].key, key, t->key_size) != 0) at = after(t, at);
  return &t->slots[at];
}

static bool resize(struct table *t, size_t slot_count) {
  struct slot *slots = calloc(slot_count, sizeof slots[0]);
  if (slots == NULL) return false;
  struct table old = *t;
  t->slots = slots;
  t->slot_count = slot_count;
  for (size_t i = 0; i < old.slot_count; i++) {
    if (old.slots[i].value != NULL) *find(t, old.slots[i].key) = old.slots[i];
  }
  free(old.slots);
  return true;
}

enum result table_put(struct table *t, const void *key, void *value) {
  struct slot *slot = find(t, key);
  if (slot->value == NULL) {
    /* At most three quarters full. */
    if (t->count + 1 > t->slot_count / 4 * 3) {
      if (!resize(t, t->slot_count * 2)) return RESULT_NO_MEMORY;
      slot = find(t, key);
    }
    memcpy(slot->key, key, t->key_size);
    t->count++;
  }
  slot->value = value;
  return RESULT_OK;
}

void *table_get(const struct table *t, const void *key) {
  return find(t, key)->value;
}

/* Moves up what would no longer be found across the hole (Knuth, The Art of Computer Programming 3, algorithm 6.4R). */
static void close_hole(struct table *t, size_t hole) {
  for (size_t at = after(t, hole); t->slots[at].value != NULL; at = after(t, at)) {
    size_t mask = t->slot_count - 1, home = home_of(t, t->slots[at].key);
    if (((at - home) & mask) < ((at - hole) & mask)) continue; /* its home lies behind the hole */
    t->slots[hole] = t->slots[at];
    hole = at;
  }
  t->slots[hole].value = NULL;
}

void *table_remove(struct table *t, const void *key) {
  struct slot *slot = find(t, key);
  void *value = slot->value;
  if (value == NULL) return NULL;
  close_hole(t, (size_t)(slot - t->slots));
  t->count--;
  /* Without memory for a smaller table, the large one does. */
  if (t->slot_count > SLOTS_LEAST && t->count < t->slot_count / 8) (void)resize(t, t->slot_count / 2);
  return value;
}

size_t table_count(const struct table *t) {
  return t->count;
}

void *table_next(const struct table *t, size_t *at) {
  while (*at < t->slot_count) {
    void *value = t->slots[(*at)++].value;
    if (value != NULL) return value;
  }
  return NULL;
}

void table_free(struct table *t) {
  if (t == NULL) return;
  free(t->slots);
  free(t);
}
