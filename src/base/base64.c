#include "base/base64.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Three bytes become four characters. */
static void encode_group(const char *alphabet, const uint8_t in[3], uint8_t out[4]) {
  out[0] = (uint8_t)alphabet[in[0] >> 2];
  out[1] = (uint8_t)alphabet[(in[0] & 3) << 4 | in[1] >> 4];
  out[2] = (uint8_t)alphabet[(in[1] & 15) << 2 | in[2] >> 6];
  out[3] = (uint8_t)alphabet[in[2] & 63];
}

/* `size` characters: what the last one or two bytes need, and padding if there is room for it. */
static void put(struct buf *b, const char *alphabet, struct span bytes, size_t size) {
  uint8_t *out = buf_extend(b, size);
  if (out == NULL) return;
  size_t whole = bytes.len / 3, left = bytes.len % 3;
  for (size_t i = 0; i < whole; i++) encode_group(alphabet, bytes.data + 3 * i, out + 4 * i);
  if (left == 0) return;
  uint8_t last[3] = {0}, group[4];
  memcpy(last, bytes.data + 3 * whole, left);
  encode_group(alphabet, last, group);
  if (left == 1) group[2] = '=';
  group[3] = '=';
  memcpy(out + 4 * whole, group, size - 4 * whole);
}

void base64_put(struct buf *b, struct span bytes) {
  put(b, standard, bytes, (bytes.len + 2) / 3 * 4);
}

void base64_put_url(struct buf *b, struct span bytes) {
  put(b, url_safe, bytes, BASE64_URL_SIZE(bytes.len));
}

/* 64 for what is not in the alphabet, whose last two are `plus` and `slash`. */
static uint32_t value_of(uint8_t c, uint8_t plus, uint8_t slash) {
  if (c >= 'A' && c <= 'Z') return (uint32_t)(c - 'A');
  if (c >= 'a' && c <= 'z') return (uint32_t)(c - 'a') + 26;
  if (c >= '0' && c <= '9') return (uint32_t)(c - '0') + 52;
  return c == plus ? 62 : c == slash ? 63 : 64;
}

static bool read_digits(const char *alphabet, struct span text, uint8_t *out, size_t out_len) {
  const uint8_t plus = (uint8_t)alphabet[62], slash = (uint8_t)alphabet[63];
  if (text.len != BASE64_URL_SIZE(out_len)) return false;
  uint32_t bits = 0;
  unsigned held = 0;
  size_t at = 0;
  for (size_t i = 0; i < text.len; i++) {
    uint32_t v = value_of(text.data[i], plus, slash);
    if (v == 64) return false;
    bits = bits << 6 | v;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out[at++] = (uint8_t)(bits >> held);
  }
  return (bits & ((1u << held) - 1)) == 0;
}

bool base64_read_url(struct span text, uint8_t *out, size_t out_len) {
  return read_digits(url_safe, text, out, out_len);
}

/* `text` is without padding. */
static enum result get(struct buf *b, const char *alphabet, struct span text) {
  if (text.len % 4 == 1) return RESULT_BAD_REQUEST;
  size_t before = b->len, len = text.len / 4 * 3 + (text.len % 4 > 0 ? text.len % 4 - 1 : 0);
  uint8_t *out = buf_extend(b, len);
  if (b->bad) return RESULT_NO_MEMORY;
  if (read_digits(alphabet, text, out, len)) return RESULT_OK;
  wipe(out, len);
  b->len = before;
  return RESULT_BAD_REQUEST;
}

enum result base64_get_url(struct buf *b, struct span text) {
  return get(b, url_safe, text);
}

enum result base64_get(struct buf *b, struct span text) {
  size_t padding = 0;
  if (text.len % 4 != 0) return RESULT_BAD_REQUEST;
  while (padding < 2 && padding < text.len && text.data[text.len - 1 - padding] == '=') padding++;
  return get(b, standard, span_of(text.data, text.len - padding));
}
