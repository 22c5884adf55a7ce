#include "base/url.h"

#include <arpa/inet.h>

#include "base/hosts.h"
#include "base/text.h"

/* ---- pieces ---- */

static bool begins(struct span text, const char *with) {
  const size_t len = strlen(with);
  return text.len >= len && memcmp(text.data, with, len) == 0;
}

static struct span from(struct span text, size_t at) {
  return span_of(text.data + at, text.len - at);
}

/* The bytes before the first one that is in `stops`. */
static size_t length_until(struct span text, const char *stops) {
  size_t n = 0;
  while (n < text.len && (text.data[n] == 0 || strchr(stops, text.data[n]) == NULL)) n++;
  return n;
}

static uint16_t own_port(bool plain) {
  return plain ? 80 : 443;
}

/* ---- hosts ---- */

static bool is_digit(uint8_t c) {
  return c >= '0' && c <= '9';
}

static bool is_hex(uint8_t c) {
  return is_digit(c) || (c >= 'a' && c <= 'f');
}

static bool all(struct span text, bool (*is)(uint8_t c)) {
  for (size_t i = 0; i < text.len; i++)
    if (!is(text.data[i])) return false;
  return true;
}

static bool is_name_byte(uint8_t c) {
  return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_' || c == '.';
}

/* Whether the URL Standard takes the name for an IPv4 address: its last label is a number in one of C's notations. */
static bool ends_in_number(struct span name) {
  size_t at = name.len;
  while (at > 0 && name.data[at - 1] != '.') at--;
  const struct span last = from(name, at);
  return all(last, is_digit) || (begins(last, "0x") && all(from(last, 2), is_hex));
}

/* An address has one text. */
static bool is_quad(struct span text) {
  char given[INET_ADDRSTRLEN] = "", again[INET_ADDRSTRLEN];
  struct in_addr address;
  if (text.len >= sizeof given) return false;
  memcpy(given, text.data, text.len);
  if (inet_pton(AF_INET, given, &address) != 1) return false;
  return inet_ntop(AF_INET, &address, again, sizeof again) != NULL && strcmp(given, again) == 0;
}

static bool is_name(struct span name) {
  if (name.len == 0 || name.len > HOSTS_NAME_MAX || !all(name, is_name_byte)) return false;
  if (name.data[0] == '.' || name.data[name.len - 1] == '.' || memmem(name.data, name.len, "..", 2) != NULL)
    return false;
  return !ends_in_number(name) || is_quad(name);
}

/* The longest run of zeros among the eight pieces, the first of equal ones; of at least two, or none. */
static size_t longest_zeros(const uint16_t *piece, size_t *start) {
  size_t best = 1;
  for (size_t i = 0; i < 8; i++) {
    size_t n = 0;
    while (i + n < 8 && piece[i + n] == 0) n++;
    if (n <= best) continue;
    best = n;
    *start = i;
  }
  return best > 1 ? best : 0;
}

/* As the standard writes an address ("IPv6 serializer"): unlike inet_ntop, never with a dotted quad at its end. */
static void put_ipv6(struct buf *b, const struct in6_addr *address) {
  uint16_t piece[8];
  for (size_t i = 0; i < 8; i++) piece[i] = (uint16_t)(address->s6_addr[2 * i] << 8 | address->s6_addr[2 * i + 1]);
  size_t start = 8;
  const size_t zeros = longest_zeros(piece, &start);
  for (size_t i = 0; i < 8; i++) {
    if (i == start) {
      buf_put_text(b, i == 0 ? "::" : ":");
      i += zeros - 1;
      continue;
    }
    buf_printf(b, "%x%s", (unsigned)piece[i], i < 7 ? ":" : "");
  }
}

static bool is_ipv6(struct span text) {
  char given[INET6_ADDRSTRLEN] = "", memory[INET6_ADDRSTRLEN];
  struct in6_addr address;
  if (text.len >= sizeof given || memchr(text.data, 0, text.len) != NULL) return false;
  memcpy(given, text.data, text.len);
  if (inet_pton(AF_INET6, given, &address) != 1) return false;
  struct buf again = buf_fixed(memory, sizeof memory);
  put_ipv6(&again, &address);
  return !again.bad && span_equal(buf_span(&again), text);
}

/* ---- the other parts ---- */

/* Takes the host off `rest`. */
static bool take_host(struct span *rest, struct span *host) {
  size_t len = length_until(*rest, ":/?");
  bool good;
  if (begins(*rest, "[")) {
    len = length_until(*rest, "]");
    if (len == rest->len) return false;
    good = is_ipv6(span_of(rest->data + 1, len - 1));
    len++;
  } else {
    good = is_name(span_of(rest->data, len));
  }
  *host = span_of(rest->data, len);
  *rest = from(*rest, len);
  return good;
}

static bool take_port(struct span *rest, bool plain, uint16_t *port) {
  *port = own_port(plain);
  if (!begins(*rest, ":")) return true;
  const size_t len = length_until(*rest, "/");
  uint64_t number;
  if (len < 2 || len > 6 || rest->data[1] == '0') return false;
  if (text_u64(span_of(rest->data + 1, len - 1), 1, UINT16_MAX, &number) != RESULT_OK || number == *port) return false;
  *port = (uint16_t)number;
  *rest = from(*rest, len);
  return true;
}

/* "." or "..", each dot maybe as %2e: resolved by whoever wrote the URL, and by some servers again. */
static bool is_dots(struct span segment) {
  unsigned dots = 0;
  for (size_t i = 0; i < segment.len; dots++) {
    const bool coded = segment.len - i >= 3 && segment.data[i] == '%' && segment.data[i + 1] == '2' &&
                       (segment.data[i + 2] | 0x20) == 'e';
    if (!coded && segment.data[i] != '.') return false;
    i += coded ? 3 : 1;
  }
  return dots == 1 || dots == 2;
}

static bool has_dots(struct span path) {
  while (path.len > 0) {
    path = from(path, 1); /* its "/" */
    const size_t len = length_until(path, "/");
    if (is_dots(span_of(path.data, len))) return true;
    path = from(path, len);
  }
  return false;
}

static bool is_target_byte(uint8_t c) {
  return c > ' ' && c < 0x7f && c != '#' && c != '\\';
}

static bool is_target(struct span target) {
  if (!begins(target, "/") || !all(target, is_target_byte)) return false;
  return !has_dots(span_of(target.data, length_until(target, "?")));
}

/* ---- the whole ---- */

enum result url_read(struct span text, struct url *out) {
  struct url u = {.plain = begins(text, "http://")};
  if (text.len > URL_MAX || (!u.plain && !begins(text, "https://"))) return RESULT_FETCH_INVALID;
  struct span rest = from(text, u.plain ? 7 : 8);
  if (!take_host(&rest, &u.host) || !take_port(&rest, u.plain, &u.port) || !is_target(rest))
    return RESULT_FETCH_INVALID;
  u.origin = span_of(text.data, text.len - rest.len);
  u.target = rest;
  *out = u;
  return RESULT_OK;
}

static void put_lower(struct buf *b, struct span text) {
  for (size_t i = 0; i < text.len; i++) {
    const uint8_t c = text.data[i];
    buf_put_u8(b, c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c);
  }
}

void url_tidy(struct span text, struct buf *out) {
  const uint8_t *scheme = memmem(text.data, text.len, "://", 3);
  if (scheme == NULL) return buf_put_span(out, text);
  size_t len = (size_t)(scheme - text.data) + 3;
  len += length_until(from(text, len), "/?#");
  const size_t before = out->len;
  put_lower(out, span_of(text.data, len));
  if (out->bad) return;
  const struct span origin = buf_since(out, before);
  const char *own = begins(origin, "http://") ? ":80" : ":443";
  const size_t own_len = strlen(own);
  if (origin.len > own_len && memcmp(origin.data + origin.len - own_len, own, own_len) == 0) out->len -= own_len;
  buf_put_span(out, from(text, len));
}

bool url_same_origin(const struct url *a, const struct url *b) {
  return span_equal(a->origin, b->origin);
}
