#include "keeper/placeholders.h"

typedef struct span side(const struct fetch_secret *secret);

static struct span placeholder_of(const struct fetch_secret *secret) {
  return secret->placeholder;
}

static struct span value_of(const struct fetch_secret *secret) {
  return secret->value;
}

static bool has(uint32_t which, size_t i) {
  return (which >> i & 1) != 0;
}

static bool contains(struct span text, struct span part) {
  return part.len > 0 && text.len >= part.len && memmem(text.data, text.len, part.data, part.len) != NULL;
}

static uint32_t found(struct span text, const struct fetch_secret *secrets, size_t count, uint32_t which, side *of) {
  uint32_t is = 0;
  for (size_t i = 0; i < count; i++)
    if (has(which, i) && contains(text, of(&secrets[i]))) is |= UINT32_C(1) << i;
  return is;
}

uint32_t placeholders_in(struct span text, const struct fetch_secret *secrets, size_t count) {
  return found(text, secrets, count, UINT32_MAX, placeholder_of);
}

uint32_t placeholders_values_in(struct span text, const struct fetch_secret *secrets, size_t count, uint32_t which) {
  return found(text, secrets, count, which, value_of);
}

/* The secret whose text of this side stands at the front of `text`; NULL if none does. */
static const struct fetch_secret *longest(struct span text, const struct fetch_secret *secrets, size_t count,
                                          uint32_t which, side *of) {
  const struct fetch_secret *best = NULL;
  for (size_t i = 0; i < count; i++) {
    const struct span part = of(&secrets[i]);
    if (!has(which, i) || part.len == 0 || part.len > text.len || memcmp(text.data, part.data, part.len) != 0) continue;
    if (best == NULL || part.len > of(best).len) best = &secrets[i];
  }
  return best;
}

/* `which` are found in `text`, so a text without any is copied at once. */
static void exchange(struct buf *out, struct span text, const struct fetch_secret *secrets, size_t count,
                     uint32_t which, side *of, side *by) {
  size_t start = 0, at = 0;
  while (which != 0 && at < text.len && !out->bad) {
    const struct fetch_secret *s = longest(span_of(text.data + at, text.len - at), secrets, count, which, of);
    if (s == NULL) {
      at++;
      continue;
    }
    buf_put(out, text.data + start, at - start);
    buf_put_span(out, by(s));
    at += of(s).len;
    start = at;
  }
  buf_put_span(out, span_of(text.data + start, text.len - start));
}

void placeholders_fill(struct buf *out, struct span text, const struct fetch_secret *secrets, size_t count,
                       uint32_t which) {
  which = found(text, secrets, count, which, placeholder_of);
  exchange(out, text, secrets, count, which, placeholder_of, value_of);
}

void placeholders_mask(struct buf *out, struct span text, const struct fetch_secret *secrets, size_t count,
                       uint32_t which) {
  which = found(text, secrets, count, which, value_of);
  exchange(out, text, secrets, count, which, value_of, placeholder_of);
}
