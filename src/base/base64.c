#include "base/base64.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* One to three bytes become that many characters and one. */
static size_t encode_group(const char *alphabet, const uint8_t *in, size_t len, uint8_t out[4]) {
  uint32_t v = (uint32_t)in[0] << 16 | (len > 1 ? (uint32_t)in[1] << 8 : 0) | (len > 2 ? in[2] : 0);
  for (size_t i = 0; i <= len; i++) out[i] = (uint8_t)alphabet[v >> (18 - 6 * i) & 63];
  return len + 1;
}

static void put(struct buf *b, const char *alphabet, struct span bytes, size_t size) {
  uint8_t *out = buf_extend(b, size);
  if (b->bad) return;
  size_t at = 0;
  for (size_t i = 0; i < bytes.len; i += 3) {
    uint8_t group[4] = {'=', '=', '=', '='};
    size_t left = bytes.len - i;
    encode_group(alphabet, bytes.data + i, left < 3 ? left : 3, group);
    for (size_t k = 0; k < 4 && at < size; k++) out[at++] = group[k];
  }
}

void base64_put(struct buf *b, struct span bytes) {
  put(b, standard, bytes, (bytes.len + 2) / 3 * 4);
}

void base64_put_url(struct buf *b, struct span bytes) {
  put(b, url_safe, bytes, BASE64_URL_SIZE(bytes.len));
}

/* 64 for what is not in the alphabet. */
static uint32_t value_of(uint8_t c) {
  if (c >= 'A' && c <= 'Z') return (uint32_t)(c - 'A');
  if (c >= 'a' && c <= 'z') return (uint32_t)(c - 'a') + 26;
  if (c >= '0' && c <= '9') return (uint32_t)(c - '0') + 52;
  return c == '-' ? 62 : c == '_' ? 63 : 64;
}

bool base64_read_url(struct span text, uint8_t *out, size_t out_len) {
  if (text.len != BASE64_URL_SIZE(out_len)) return false;
  uint32_t bits = 0;
  unsigned held = 0;
  size_t at = 0;
  for (size_t i = 0; i < text.len; i++) {
    uint32_t v = value_of(text.data[i]);
    if (v == 64) return false;
    bits = bits << 6 | v;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out[at++] = (uint8_t)(bits >> held);
  }
  return (bits & ((1u << held) - 1)) == 0;
}

enum result base64_get_url(struct buf *b, struct span text) {
  if (text.len % 4 == 1) return RESULT_BAD_REQUEST;
  size_t before = b->len, len = text.len / 4 * 3 + (text.len % 4 > 0 ? text.len % 4 - 1 : 0);
  uint8_t *out = buf_extend(b, len);
  if (b->bad) return RESULT_NO_MEMORY;
  if (base64_read_url(text, out, len)) return RESULT_OK;
  wipe(out, len);
  b->len = before;
  return RESULT_BAD_REQUEST;
}
