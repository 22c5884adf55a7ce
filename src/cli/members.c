#include "cli/members.h"

static bool is_space(uint8_t c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip(struct span *rest, size_t len) {
  rest->data += len;
  rest->len -= len;
}

/* Whitespace, and one comma. */
static void skip_between(struct span *rest) {
  for (bool comma = false; rest->len > 0; skip(rest, 1)) {
    uint8_t c = rest->data[0];
    if (c == ',' && !comma)
      comma = true;
    else if (!is_space(c))
      return;
  }
}

static size_t string_length(struct span rest) {
  size_t i = 1;
  while (i < rest.len && rest.data[i] != '"') i += rest.data[i] == '\\' ? 2 : 1;
  return i < rest.len ? i + 1 : rest.len;
}

/* To the bracket that closes the first one. */
static size_t nested_length(struct span rest) {
  size_t depth = 0;
  for (size_t i = 0; i < rest.len;) {
    uint8_t c = rest.data[i];
    if (c == '{' || c == '[') depth++;
    if ((c == '}' || c == ']') && --depth == 0) return i + 1;
    i += c == '"' ? string_length(span_of(rest.data + i, rest.len - i)) : 1;
  }
  return rest.len;
}

static size_t scalar_length(struct span rest) {
  size_t i = 0;
  while (i < rest.len && rest.data[i] != ',' && rest.data[i] != '}' && !is_space(rest.data[i])) i++;
  return i;
}

static size_t value_length(struct span rest) {
  if (rest.len == 0) return 0;
  if (rest.data[0] == '"') return string_length(rest);
  return rest.data[0] == '{' || rest.data[0] == '[' ? nested_length(rest) : scalar_length(rest);
}

bool members_open(struct span json, struct span *rest) {
  *rest = json;
  skip_between(rest);
  if (rest->len == 0 || rest->data[0] != '{') return false;
  skip(rest, 1);
  return true;
}

bool members_next(struct span *rest, struct span *name, struct span *value) {
  skip_between(rest);
  if (rest->len == 0 || rest->data[0] != '"') return false;
  size_t len = string_length(*rest);
  if (len < 2) return false;
  *name = span_of(rest->data + 1, len - 2);
  skip(rest, len);
  skip_between(rest);
  if (rest->len == 0 || rest->data[0] != ':') return false;
  skip(rest, 1);
  skip_between(rest);
  *value = span_of(rest->data, value_length(*rest));
  skip(rest, value->len);
  return value->len > 0;
}

bool members_end(struct span rest) {
  skip_between(&rest);
  return rest.len > 0 && rest.data[0] == '}';
}

bool members_string(struct span value, struct span *text) {
  if (value.len < 2 || value.data[0] != '"' || memchr(value.data, '\\', value.len) != NULL) return false;
  *text = span_of(value.data + 1, value.len - 2);
  return true;
}
