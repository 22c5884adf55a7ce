#include "base/hosts.h"

static bool is_between(uint8_t c) {
  return c == ' ' || c == ',' || c == '\n' || c == '\r' || c == '\t';
}

/* The next entry, taken off the list; empty at its end. */
static struct span take(struct span *list) {
  while (list->len > 0 && is_between(list->data[0])) *list = span_of(list->data + 1, list->len - 1);
  size_t len = 0;
  while (len < list->len && !is_between(list->data[len])) len++;
  const struct span entry = span_of(list->data, len);
  if (len > 0) *list = span_of(list->data + len, list->len - len); /* an empty list may be no memory at all */
  return entry;
}

static bool is_name_byte(uint8_t c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

static bool is_address_byte(uint8_t c) {
  return (c >= 'a' && c <= 'f') || (c >= '0' && c <= '9') || c == ':' || c == '.';
}

static bool consists_of(struct span text, bool (*may)(uint8_t c)) {
  for (size_t i = 0; i < text.len; i++)
    if (!may(text.data[i])) return false;
  return text.len > 0;
}

static bool is_name(struct span name) {
  if (!consists_of(name, is_name_byte) || name.data[0] == '.' || name.data[name.len - 1] == '.') return false;
  return memmem(name.data, name.len, "..", 2) == NULL;
}

static bool is_entry(struct span entry) {
  if (span_is(entry, "*")) return true;
  if (entry.len > HOSTS_NAME_MAX) return false;
  if (entry.len > 2 && entry.data[0] == '[' && entry.data[entry.len - 1] == ']')
    return consists_of(span_of(entry.data + 1, entry.len - 2), is_address_byte);
  if (entry.len > 2 && memcmp(entry.data, "*.", 2) == 0) return is_name(span_of(entry.data + 2, entry.len - 2));
  return is_name(entry);
}

bool hosts_valid(struct span list) {
  unsigned count = 0;
  for (struct span entry = take(&list); entry.len > 0; entry = take(&list))
    if (!is_entry(entry) || ++count > HOSTS_MAX) return false;
  return true;
}

static bool stands_for(struct span entry, struct span host) {
  if (span_is(entry, "*") || span_equal(entry, host)) return true;
  if (entry.len < 3 || memcmp(entry.data, "*.", 2) != 0) return false;
  const struct span end = span_of(entry.data + 1, entry.len - 1); /* with its dot */
  return host.len > end.len && memcmp(host.data + host.len - end.len, end.data, end.len) == 0;
}

bool hosts_allow(struct span list, struct span host) {
  for (struct span entry = take(&list); host.len > 0 && entry.len > 0; entry = take(&list))
    if (stands_for(entry, host)) return true;
  return false;
}
