/* Message bodies as tables: one list of fields serves put and get. Private to src/wire. */
#pragma once

#include "wire/msg.h"

enum field_kind {
  U8,
  U32,
  U64,
  FLAG,    /* bool, one byte, 0 or 1 */
  BLOCK,   /* struct span: u32 length, bytes */
  BYTES16, /* uint8_t[16] */
  BYTES32  /* uint8_t[32] */
};

struct field {
  enum field_kind kind;
  size_t offset;
};

#define FIELD(kind, type, name) \
  { kind, offsetof(struct type, name) }
#define COUNT(fields) (sizeof(fields) / sizeof((fields)[0]))

void wire_put_fields(struct buf *b, const struct field *fields, size_t count, const void *record);
void wire_get_fields(struct cursor *c, const struct field *fields, size_t count, void *record);

/* A message whose body is one table of fields. */
#define PLAIN_MESSAGE(name, NAME, type)                              \
  void wire_put_##name(struct buf *b, const struct wire_##type *m) { \
    msg_begin(b, WIRE_##NAME);                                       \
    wire_put_fields(b, type##_fields, COUNT(type##_fields), m);      \
  }                                                                  \
  bool wire_get_##name(struct span body, struct wire_##type *m) {    \
    struct cursor c = cursor_of(body);                               \
    *m = (struct wire_##type){0};                                    \
    wire_get_fields(&c, type##_fields, COUNT(type##_fields), m);     \
    return cursor_end(&c);                                           \
  }
