#include "wire/fields.h"

static void put_field(struct buf *b, enum field_kind kind, const void *at) {
  switch (kind) {
    case U8:
      return buf_put_u8(b, *(const uint8_t *)at);
    case U32:
      return buf_put_u32(b, *(const uint32_t *)at);
    case U64:
      return buf_put_u64(b, *(const uint64_t *)at);
    case FLAG:
      return buf_put_u8(b, *(const bool *)at);
    case BLOCK:
      return buf_put_block(b, *(const struct span *)at);
    case BYTES16:
      return buf_put(b, at, 16);
    case BYTES32:
      return buf_put(b, at, 32);
  }
}

static void get_bytes(struct cursor *c, uint8_t *out, size_t len) {
  struct span bytes = cursor_bytes(c, len);
  if (bytes.len == len) memcpy(out, bytes.data, len);
}

static bool get_flag(struct cursor *c) {
  uint8_t flag = cursor_u8(c);
  if (flag > 1) c->bad = true;
  return flag == 1;
}

static void get_field(struct cursor *c, enum field_kind kind, void *at) {
  switch (kind) {
    case U8:
      *(uint8_t *)at = cursor_u8(c);
      break;
    case U32:
      *(uint32_t *)at = cursor_u32(c);
      break;
    case U64:
      *(uint64_t *)at = cursor_u64(c);
      break;
    case FLAG:
      *(bool *)at = get_flag(c);
      break;
    case BLOCK:
      *(struct span *)at = cursor_block(c);
      break;
    case BYTES16:
      get_bytes(c, at, 16);
      break;
    case BYTES32:
      get_bytes(c, at, 32);
      break;
  }
}

void wire_put_fields(struct buf *b, const struct field *fields, size_t count, const void *record) {
  for (size_t i = 0; i < count; i++) put_field(b, fields[i].kind, (const uint8_t *)record + fields[i].offset);
}

void wire_get_fields(struct cursor *c, const struct field *fields, size_t count, void *record) {
  for (size_t i = 0; i < count; i++) get_field(c, fields[i].kind, (uint8_t *)record + fields[i].offset);
}
