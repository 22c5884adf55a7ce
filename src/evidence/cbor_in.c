#include "evidence/cbor_in.h"

#include <cbor.h>

#define TAG_HEAD 0xc0u

enum kind { OTHER, UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, OPEN_MAP, NIL, BREAK };

/* One item's head, and the string behind it. */
struct item {
  enum kind kind;
  uint64_t number; /* the value, or how many */
  struct span string;
};

/* ---- what libcbor calls ---- */

static void put(void *context, enum kind kind, uint64_t number) {
  struct item *item = context;
  item->kind = kind;
  item->number = number;
}

#define NUMBER(name, type, kind)            \
  static void name(void *context, type v) { \
    put(context, kind, v);                  \
  }
NUMBER(on_uint8, uint8_t, UNSIGNED)
NUMBER(on_uint16, uint16_t, UNSIGNED)
NUMBER(on_uint32, uint32_t, UNSIGNED)
NUMBER(on_uint64, uint64_t, UNSIGNED)
NUMBER(on_negative8, uint8_t, NEGATIVE)
NUMBER(on_negative16, uint16_t, NEGATIVE)
NUMBER(on_negative32, uint32_t, NEGATIVE)
NUMBER(on_negative64, uint64_t, NEGATIVE)
NUMBER(on_array, size_t, ARRAY)
NUMBER(on_map, size_t, MAP)
#undef NUMBER

static void on_open_map(void *context) {
  put(context, OPEN_MAP, 0);
}
static void on_null(void *context) {
  put(context, NIL, 0);
}
static void on_break(void *context) {
  put(context, BREAK, 0);
}

static void on_bytes(void *context, cbor_data data, size_t len) {
  put(context, BYTES, len);
  ((struct item *)context)->string = span_of(data, len);
}

static void on_text(void *context, cbor_data data, size_t len) {
  put(context, TEXT, len);
  ((struct item *)context)->string = span_of(data, len);
}

/* ---- items ---- */

static size_t decode(struct span bytes, struct item *item) {
  struct cbor_callbacks callbacks = cbor_empty_callbacks;
  callbacks.uint8 = on_uint8;
  callbacks.uint16 = on_uint16;
  callbacks.uint32 = on_uint32;
  callbacks.uint64 = on_uint64;
  callbacks.negint8 = on_negative8;
  callbacks.negint16 = on_negative16;
  callbacks.negint32 = on_negative32;
  callbacks.negint64 = on_negative64;
  callbacks.byte_string = on_bytes;
  callbacks.string = on_text;
  callbacks.array_start = on_array;
  callbacks.map_start = on_map;
  callbacks.indef_map_start = on_open_map;
  callbacks.null = on_null;
  callbacks.indef_break = on_break;
  *item = (struct item){.kind = OTHER};
  if (bytes.len == 0) return 0;
  struct cbor_decoder_result r = cbor_stream_decode(bytes.data, bytes.len, &callbacks, item);
  return r.status == CBOR_DECODER_FINISHED && r.read <= bytes.len ? r.read : 0;
}

/* Takes the next item if it is of this kind. */
static bool take(struct cbor_in *c, enum kind kind, struct item *item) {
  size_t len = c->bad ? 0 : decode(c->rest, item);
  if (len == 0 || item->kind != kind) {
    *item = (struct item){.kind = OTHER};
    return false;
  }
  c->rest = span_of(c->rest.data + len, c->rest.len - len);
  return true;
}

static struct item need(struct cbor_in *c, enum kind kind) {
  struct item item;
  if (!take(c, kind, &item)) c->bad = true;
  return item;
}

struct cbor_in cbor_in_of(struct span bytes) {
  return (struct cbor_in){.rest = bytes};
}

uint64_t cbor_in_uint(struct cbor_in *c) {
  return need(c, UNSIGNED).number;
}

uint64_t cbor_in_negative(struct cbor_in *c) {
  return need(c, NEGATIVE).number;
}

struct span cbor_in_bytes(struct cbor_in *c) {
  return need(c, BYTES).string;
}

struct span cbor_in_text(struct cbor_in *c) {
  return need(c, TEXT).string;
}

uint64_t cbor_in_array(struct cbor_in *c) {
  return need(c, ARRAY).number;
}

struct cbor_in_map cbor_in_map(struct cbor_in *c) {
  struct item item;
  if (take(c, OPEN_MAP, &item)) return (struct cbor_in_map){.open = true};
  return (struct cbor_in_map){.left = need(c, MAP).number};
}

bool cbor_in_pair(struct cbor_in *c, struct cbor_in_map *map) {
  struct item item;
  if (map->open) return !take(c, BREAK, &item) && !c->bad;
  if (c->bad || map->left == 0) return false;
  map->left--;
  return true;
}

/* The head is compared here: libcbor 0.8 refuses tags 6 to 20. */
void cbor_in_skip_tag(struct cbor_in *c, uint8_t tag) {
  if (c->rest.len > 0 && c->rest.data[0] == (TAG_HEAD | tag)) c->rest = span_of(c->rest.data + 1, c->rest.len - 1);
}

bool cbor_in_null(struct cbor_in *c) {
  struct item item;
  return take(c, NIL, &item);
}

bool cbor_in_end(const struct cbor_in *c) {
  return !c->bad && c->rest.len == 0;
}
