/*
 * Bytes: a pointer with its length, a cursor that reads them, and a buffer that knows its ceiling.
 * Integers on our own wire are little-endian.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/banned.h"

/* Borrowed bytes; whoever made them keeps them alive. `data` may be NULL when `len` is 0. */
struct span {
  const uint8_t *data;
  size_t len;
};

struct span span_of(const void *data, size_t len);
struct span span_text(const char *text);
bool span_equal(struct span a, struct span b);
bool span_is(struct span a, const char *text);

/* Reads a span from front to back. A read past the end sets `bad`, returns zeros from then on and never moves again, so
 * a parser may read a whole record and check once. */
struct cursor {
  struct span rest;
  bool bad;
};

struct cursor cursor_of(struct span bytes);
uint8_t cursor_u8(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
struct span cursor_bytes(struct cursor *c, size_t len);
/* A u32 length, then that many bytes. */
struct span cursor_block(struct cursor *c);
/* True if every read fitted and nothing is left. */
bool cursor_end(const struct cursor *c);

/* Owned, growing bytes. An append that would pass `max`, or that finds no memory, changes nothing and sets `bad`; so
 * does every append after it: a record with a hole in it never looks whole. */
struct buf {
  uint8_t *data;
  size_t len, cap, max;
  bool bad;
};

/* An empty buffer that may grow to `max` bytes. Nothing is allocated yet. */
struct buf buf_new(size_t max);
/* A buffer of fixed memory that the caller keeps: it never allocates, and buf_free leaves it alone. */
struct buf buf_fixed(void *memory, size_t size);
void buf_put(struct buf *b, const void *data, size_t len);
void buf_put_span(struct buf *b, struct span bytes);
void buf_put_text(struct buf *b, const char *text);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
/* A u32 length, then the bytes. */
void buf_put_block(struct buf *b, struct span bytes);
/* `len` more bytes for the caller to fill at once: the next append may move them. NULL if that makes the buffer bad
 * (and maybe if `len` is 0). */
uint8_t *buf_extend(struct buf *b, size_t len);
/* printf into the buffer (without the terminating NUL). Up to 255 bytes need no allocation but the buffer's own. */
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct span buf_span(const struct buf *b);
/* What was appended since the buffer had `before` bytes. */
struct span buf_since(const struct buf *b, size_t before);
/* Empties the buffer and forgets `bad`; memory is kept. */
void buf_clear(struct buf *b);
/* Wipes and frees. */
void buf_free(struct buf *b);

/* Overwrites memory in a way the compiler may not drop. */
void wipe(void *memory, size_t len);
/* free, for libraries that take their memory from us: all that the allocation held is wiped. NULL is fine. */
void wipe_and_free(void *memory);
/* realloc that leaves no copy behind. */
void *wiping_realloc(void *memory, size_t size);
