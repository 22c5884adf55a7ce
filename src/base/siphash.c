#include "base/siphash.h"

struct state {
  uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, unsigned bits) {
  return x << bits | x >> (64 - bits);
}

static void rounds(struct state *s, unsigned count) {
  for (; count > 0; count--) {
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 = rotate(s->v0, 32) + s->v3;
    s->v2 += s->v1;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
  }
}

static void take_word(struct state *s, uint64_t word) {
  s->v3 ^= word;
  rounds(s, 2);
  s->v0 ^= word;
}

uint64_t siphash(const uint8_t key[SIPHASH_KEY], struct span bytes) {
  struct cursor k = cursor_of(span_of(key, SIPHASH_KEY)), c = cursor_of(bytes);
  uint64_t k0 = cursor_u64(&k), k1 = cursor_u64(&k);
  /* "somepseudorandomlygeneratedbytes" */
  struct state s = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573};
  while (c.rest.len >= 8) take_word(&s, cursor_u64(&c));
  /* The last word: what is left, and the length's low byte on top. */
  uint64_t last = (uint64_t)bytes.len << 56;
  for (unsigned shift = 0; c.rest.len > 0; shift += 8) last |= (uint64_t)cursor_u8(&c) << shift;
  take_word(&s, last);
  s.v2 ^= 0xff;
  rounds(&s, 4);
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
