#include "keeper/facts.h"

#define LAYOUT 2u /* the first byte */

void facts_put(struct buf *b, const struct facts *f) {
  buf_put_u8(b, LAYOUT);
  buf_put(b, f->script, HASH_SIZE);
  buf_put(b, f->input, HASH_SIZE);
  buf_put(b, f->limits, HASH_SIZE);
  buf_put(b, f->secrets, HASH_SIZE);
  buf_put(b, f->keeper, HASH_SIZE);
  buf_put(b, f->salt, RECEIPT_SALT);
  buf_put_u64(b, f->script_bytes);
  buf_put_u64(b, f->started_ns);
  buf_put_block(b, f->entry);
  buf_put_block(b, f->nonce);
}

static void get(struct cursor *c, uint8_t *out, size_t len) {
  struct span bytes = cursor_bytes(c, len);
  if (bytes.len == len) memcpy(out, bytes.data, len);
}

bool facts_get(struct span bytes, struct facts *f) {
  struct cursor c = cursor_of(bytes);
  *f = (struct facts){0};
  if (cursor_u8(&c) != LAYOUT) return false;
  get(&c, f->script, HASH_SIZE);
  get(&c, f->input, HASH_SIZE);
  get(&c, f->limits, HASH_SIZE);
  get(&c, f->secrets, HASH_SIZE);
  get(&c, f->keeper, HASH_SIZE);
  get(&c, f->salt, RECEIPT_SALT);
  f->script_bytes = cursor_u64(&c);
  f->started_ns = cursor_u64(&c);
  f->entry = cursor_block(&c);
  f->nonce = cursor_block(&c);
  return cursor_end(&c);
}
