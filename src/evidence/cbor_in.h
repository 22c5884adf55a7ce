/*
 * CBOR (RFC 8949) read item by item, as its format is written down, with libcbor's streaming decoder: it allocates
 * nothing, follows no nesting, and believes no length that the bytes do not cover. (libcbor's tree would allocate what
 * a stranger's head announces, and free it recursively.) Private to src/evidence.
 */
#pragma once

#include "base/bytes.h"

/* As struct cursor: an item of another kind than was asked for sets `bad`, and everything after it reads as zero. */
struct cbor_in {
  struct span rest;
  bool bad;
};

/* What is left of a map, in pairs. */
struct cbor_in_map {
  uint64_t left;
  bool open; /* of indefinite length: a "break" ends it */
};

struct cbor_in cbor_in_of(struct span bytes);
uint64_t cbor_in_uint(struct cbor_in *c);
/* Of definite length, as all strings here. */
struct span cbor_in_bytes(struct cbor_in *c);
struct span cbor_in_text(struct cbor_in *c);
/* -1 - n: the n of a negative number. */
uint64_t cbor_in_negative(struct cbor_in *c);
/* Elements of an array of definite length. */
uint64_t cbor_in_array(struct cbor_in *c);
struct cbor_in_map cbor_in_map(struct cbor_in *c);
/* Whether another pair follows. False, too, once something was bad. */
bool cbor_in_pair(struct cbor_in *c, struct cbor_in_map *map);
/* Takes the tag, below 24, if it is next and in its shortest form. */
void cbor_in_skip_tag(struct cbor_in *c, uint8_t tag);
/* Takes a null, if it is next. */
bool cbor_in_null(struct cbor_in *c);
/* True if every item was of its kind and nothing is left. */
bool cbor_in_end(const struct cbor_in *c);
