/*
 * JSON without a tree: scanners that say what a text is or cut it into its parts, and a reader and a writer for one
 * string. Nothing here allocates, and nothing recurses: which levels are objects is a bit each, on the C stack.
 */
#pragma once

#include "base/result.h"

/* Arrays and objects inside one another. No check here accepts a deeper text. */
#define JSON_DEPTH_MAX 10000u

/* RESULT_OK if `text` is exactly one value (RFC 8259) in valid UTF-8, with or without whitespace around it, whose
 * arrays and objects nest at most `max_depth` deep ("1" is 0 deep, "[]" is 1; more than JSON_DEPTH_MAX counts as
 * JSON_DEPTH_MAX). RESULT_INPUT_INVALID otherwise, so for a byte order mark. As the RFC allows: keys may repeat, and an
 * escape may be half of a surrogate pair. */
enum result must_use json_check(struct span text, unsigned max_depth);

/* The first byte that is not white space, which tells what kind of value a text can be; 0 if there is none. */
uint8_t json_first(struct span text);

/* One member of an object or one element of an array: its bytes as they stand in the text. */
struct json_item {
  struct span key; /* a string with its quotes; {NULL, 0} in an array */
  struct span value;
};
typedef enum result json_visit(void *context, const struct json_item *item);

/* Calls `visit` for the items of the object or array that `text` is, in order, each as soon as it has been checked as
 * json_check does; what comes behind it has been seen to be UTF-8, no more. Ends with the first result that is not
 * RESULT_OK. RESULT_INPUT_INVALID, too, if `text` is not one such value, and in `at` the offset of the byte that did
 * not belong. */
enum result must_use json_each(struct span text, unsigned max_depth, json_visit *visit, void *context, size_t *at);

enum json_canon {
  JSON_CANONICAL, /* as RFC 8785 writes it */
  JSON_UNSORTED,  /* all but the keys: somewhere they are out of order, or one repeats */
  JSON_BROKEN     /* anything else */
};

/* Whether `text` is what RFC 8785 would write for some value: no whitespace, strings escaped as ECMAScript's
 * JSON.stringify does and without lone surrogates, keys ascending by UTF-16 code units, depth at most JSON_DEPTH_MAX.
 * Of numbers the shape is checked (ECMAScript's Number::toString: where the exponent begins, at most 17 significant
 * digits, none to spare); not that the digits are the shortest that name their double, nor that they stay below
 * infinity in the last decade, 1e+308. Takes 80 KB of C stack. */
enum json_canon must_use json_canonical(struct span text);

/* Appends what a string says. `string` has its quotes and has been checked. False if an escape in it is half of a
 * surrogate pair, which UTF-8 cannot hold; `out` then has the beginning. U+0000 is a character like any other. */
bool must_use json_get_string(struct span string, struct buf *out);

/* Writes `utf8` as a JSON string, quotes included, escaped as json_canonical wants it. Bytes that are not UTF-8 become
 * U+FFFD, one for each maximal subpart (see text_utf8_next). */
void json_put_string(struct buf *b, struct span utf8);

/* For an object written member by member: the key with its colon, and a comma before it unless it is the first. `key`
 * is a literal that needs no escape. */
void json_put_key(struct buf *b, const char *key);
void json_put_member_string(struct buf *b, const char *key, struct span utf8);
void json_put_member_number(struct buf *b, const char *key, uint64_t value);
