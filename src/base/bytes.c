#include "base/bytes.h"

#include <malloc.h>
#include <stdarg.h>

/* As `max`: a fixed buffer, which has no room to grow and whose memory is not ours to free. */
#define FIXED SIZE_MAX

struct span span_of(const void *data, size_t len) {
  return (struct span){data, len};
}

struct span span_text(const char *text) {
  return span_of(text, strlen(text));
}

bool span_equal(struct span a, struct span b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool span_is(struct span a, const char *text) {
  return span_equal(a, span_text(text));
}

struct cursor cursor_of(struct span bytes) {
  return (struct cursor){bytes, false};
}

struct span cursor_bytes(struct cursor *c, size_t len) {
  if (c->bad || len > c->rest.len) {
    c->bad = true;
    return (struct span){NULL, 0};
  }
  struct span taken = {c->rest.data, len};
  if (len > 0) c->rest.data += len;
  c->rest.len -= len;
  return taken;
}

static uint64_t cursor_int(struct cursor *c, size_t size) {
  struct span bytes = cursor_bytes(c, size);
  uint64_t v = 0;
  for (size_t i = bytes.len; i > 0; i--) v = v << 8 | bytes.data[i - 1];
  return v;
}

uint8_t cursor_u8(struct cursor *c) {
  return (uint8_t)cursor_int(c, 1);
}

uint32_t cursor_u32(struct cursor *c) {
  return (uint32_t)cursor_int(c, 4);
}

uint64_t cursor_u64(struct cursor *c) {
  return cursor_int(c, 8);
}

struct span cursor_block(struct cursor *c) {
  return cursor_bytes(c, cursor_u32(c));
}

bool cursor_end(const struct cursor *c) {
  return !c->bad && c->rest.len == 0;
}

struct buf buf_new(size_t max) {
  return (struct buf){.max = max};
}

struct buf buf_fixed(void *memory, size_t size) {
  return (struct buf){.data = memory, .cap = size, .max = FIXED};
}

/* Room for `more` bytes, or `bad`. */
static bool buf_reserve(struct buf *b, size_t more) {
  size_t limit = b->max == FIXED ? b->cap : b->max;
  if (b->bad || more > limit - b->len) goto bad;
  if (b->len + more <= b->cap) return true;
  size_t cap = b->cap > limit / 2 ? limit : b->cap * 2;
  if (cap < b->len + more) cap = b->len + more;
  if (cap < 256 && limit >= 256) cap = 256;
  /* Not realloc: it would leave a copy behind that nobody wipes. */
  uint8_t *data = malloc(cap);
  if (data == NULL) goto bad;
  if (b->len > 0) memcpy(data, b->data, b->len);
  if (b->data != NULL) wipe(b->data, b->cap);
  free(b->data);
  b->data = data;
  b->cap = cap;
  return true;
bad:
  b->bad = true;
  return false;
}

void buf_put(struct buf *b, const void *data, size_t len) {
  if (!buf_reserve(b, len) || len == 0) return;
  memcpy(b->data + b->len, data, len);
  b->len += len;
}

uint8_t *buf_extend(struct buf *b, size_t len) {
  if (!buf_reserve(b, len) || b->data == NULL) return NULL;
  b->len += len;
  return b->data + (b->len - len);
}

void buf_put_span(struct buf *b, struct span bytes) {
  buf_put(b, bytes.data, bytes.len);
}

void buf_put_text(struct buf *b, const char *text) {
  buf_put(b, text, strlen(text));
}

static void buf_put_int(struct buf *b, uint64_t v, size_t size) {
  uint8_t bytes[8];
  for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)(v >> (8 * i));
  buf_put(b, bytes, size);
}

void buf_put_u8(struct buf *b, uint8_t v) {
  buf_put_int(b, v, 1);
}

void buf_put_u32(struct buf *b, uint32_t v) {
  buf_put_int(b, v, 4);
}

void buf_put_u64(struct buf *b, uint64_t v) {
  buf_put_int(b, v, 8);
}

void buf_put_block(struct buf *b, struct span bytes) {
  if (bytes.len > UINT32_MAX || !buf_reserve(b, 4 + bytes.len)) {
    b->bad = true;
    return;
  }
  buf_put_u32(b, (uint32_t)bytes.len);
  buf_put_span(b, bytes);
}

void buf_printf(struct buf *b, const char *format, ...) {
  char small[256], *text = small;
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  /* Not into the buffer itself: vsnprintf wants room for a NUL too. Short texts need no allocation, so that a forked
   * child may make them. */
  int len = vsnprintf(small, sizeof small, format, args);
  if (len >= (int)sizeof small) {
    text = malloc((size_t)len + 1);
    if (text != NULL) vsnprintf(text, (size_t)len + 1, format, again);
  }
  if (len < 0 || text == NULL) {
    b->bad = true;
  } else {
    buf_put(b, text, (size_t)len);
    wipe(text, (size_t)len);
  }
  if (text != small) free(text);
  va_end(again);
  va_end(args);
}

struct span buf_span(const struct buf *b) {
  return span_of(b->data, b->len);
}

struct span buf_since(const struct buf *b, size_t before) {
  return span_of(b->data != NULL ? b->data + before : NULL, b->len - before);
}

void buf_clear(struct buf *b) {
  b->len = 0;
  b->bad = false;
}

void buf_free(struct buf *b) {
  if (b == NULL) return;
  if (b->data != NULL && b->max != FIXED) {
    wipe(b->data, b->cap);
    free(b->data);
  }
  *b = (struct buf){.bad = true};
}

void wipe(void *memory, size_t len) {
  if (len > 0) explicit_bzero(memory, len);
}

void wipe_and_free(void *memory) {
  if (memory != NULL) wipe(memory, malloc_usable_size(memory));
  free(memory);
}

void *wiping_realloc(void *memory, size_t size) {
  if (memory == NULL) return malloc(size);
  const size_t had = malloc_usable_size(memory);
  void *more = malloc(size);
  if (more == NULL) return NULL;
  memcpy(more, memory, had < size ? had : size);
  wipe_and_free(memory);
  return more;
}
