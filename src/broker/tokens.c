#include "broker/tokens.h"

#include "base/digest.h"

/* A token has a few places, by its hash: callers cannot choose them, and one who has many good tokens pushes out few
 * of others'. */
#define WAYS 4u
#define SETS (TOKENS_MAX / WAYS)

struct entry {
  uint8_t hash[DIGEST_SIZE];
  uint64_t since, until; /* it counts from the one to before the other; zeros: the place is free */
  char name[TOKENS_NAME_MAX];
};

struct tokens {
  struct entry sets[SETS][WAYS];
};

enum result tokens_new(struct tokens **out) {
  *out = calloc(1, sizeof **out);
  return *out != NULL ? RESULT_OK : RESULT_NO_MEMORY;
}

static size_t set_of(const uint8_t hash[DIGEST_SIZE]) {
  return (hash[0] | (size_t)hash[1] << 8) % SETS;
}

static const struct entry *find(const struct entry set[WAYS], const uint8_t hash[DIGEST_SIZE], uint64_t now) {
  for (size_t i = 0; i < WAYS; i++) {
    const struct entry *e = &set[i];
    if (e->since <= now && now < e->until && memcmp(e->hash, hash, DIGEST_SIZE) == 0) return e;
  }
  return NULL;
}

bool tokens_find(const struct tokens *t, struct span token, uint64_t now, char *name, size_t size) {
  uint8_t hash[DIGEST_SIZE];
  digest_sha256(token, hash);
  const struct entry *e = find(t->sets[set_of(hash)], hash, now);
  if (e == NULL || strlen(e->name) >= size) return false;
  memcpy(name, e->name, strlen(e->name) + 1);
  return true;
}

/* The first second at which it counts no more. */
static uint64_t end_of(uint64_t now, double expires) {
  const uint64_t most = now + TOKENS_SECONDS;
  if (!(expires < (double)most)) return most;
  const uint64_t whole = expires > 0 ? (uint64_t)expires : 0;
  return whole + ((double)whole < expires);
}

/* One that is over goes first, then the one that is over soonest. The same token takes its own place. */
static struct entry *place_for(struct entry set[WAYS], const uint8_t hash[DIGEST_SIZE]) {
  struct entry *first = &set[0];
  for (size_t i = 0; i < WAYS; i++) {
    if (memcmp(set[i].hash, hash, DIGEST_SIZE) == 0) return &set[i];
    if (set[i].until < first->until) first = &set[i];
  }
  return first;
}

void tokens_put(struct tokens *t, struct span token, uint64_t now, double expires, const char *name) {
  uint8_t hash[DIGEST_SIZE];
  const size_t len = strlen(name);
  if (len >= TOKENS_NAME_MAX) return;
  digest_sha256(token, hash);
  struct entry *e = place_for(t->sets[set_of(hash)], hash);
  wipe(e, sizeof *e);
  memcpy(e->hash, hash, sizeof hash);
  memcpy(e->name, name, len + 1);
  e->since = now;
  e->until = end_of(now, expires);
}

void tokens_forget(struct tokens *t) {
  wipe(t, sizeof *t);
}

void tokens_free(struct tokens *t) {
  if (t == NULL) return;
  tokens_forget(t);
  free(t);
}
