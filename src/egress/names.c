#include "egress/names.h"

#include "egress/address.h"

static bool is_blank(uint8_t c) {
  return c == ' ' || c == '\t' || c == '\r';
}

static struct span take_line(struct span *text) {
  const uint8_t *end = text->len == 0 ? NULL : memchr(text->data, '\n', text->len);
  const size_t len = end == NULL ? text->len : (size_t)(end - text->data);
  const struct span line = span_of(text->data, len);
  *text = span_of(text->data + len, text->len - len);
  if (end != NULL) *text = span_of(text->data + 1, text->len - 1);
  const uint8_t *comment = line.len == 0 ? NULL : memchr(line.data, '#', line.len);
  return comment == NULL ? line : span_of(line.data, (size_t)(comment - line.data));
}

/* Empty at the line's end. */
static struct span take_word(struct span *line) {
  while (line->len > 0 && is_blank(line->data[0])) *line = span_of(line->data + 1, line->len - 1);
  size_t len = 0;
  while (len < line->len && !is_blank(line->data[len])) len++;
  const struct span word = span_of(line->data, len);
  *line = span_of(line->data + len, line->len - len);
  return word;
}

static bool is_same_name(struct span word, struct span host) {
  if (word.len != host.len) return false;
  for (size_t i = 0; i < word.len; i++) {
    const bool upper = word.data[i] >= 'A' && word.data[i] <= 'Z';
    if ((upper ? word.data[i] | 32 : word.data[i]) != host.data[i]) return false;
  }
  return true;
}

static bool has_name(struct span line, struct span host) {
  for (struct span word = take_word(&line); word.len > 0; word = take_word(&line))
    if (is_same_name(word, host)) return true;
  return false;
}

bool names_find(struct span hosts, struct span host, struct buf *addresses) {
  const size_t before = addresses->len;
  while (hosts.len > 0) {
    struct address a;
    struct span line = take_line(&hosts);
    const struct span address = take_word(&line);
    if (!has_name(line, host) || !address_parse(address, &a)) continue;
    if (addresses->len > before) buf_put_u8(addresses, ',');
    if (a.bits == 128) buf_put_u8(addresses, '[');
    buf_put_span(addresses, address);
    if (a.bits == 128) buf_put_u8(addresses, ']');
  }
  return addresses->len > before;
}
