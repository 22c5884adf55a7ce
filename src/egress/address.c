#include "egress/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define NAME_MAX_BYTES 253u /* RFC 1035 section 2.3.4 */
#define LABEL_MAX 63u

struct special {
  struct address_net net;
  bool never; /* not even for the operator */
};

#define V4(a, b, c, d, prefix_) \
  { .first = {.bytes = {a, b, c, d}, .bits = 32}, .prefix = prefix_ }
#define V6(prefix_, ...) \
  { .first = {.bytes = {__VA_ARGS__}, .bits = 128}, .prefix = prefix_ }

/* IANA IPv4 Special-Purpose Address Registry (RFC 6890 and its updates), and what is not unicast. Two of its anycast
 * services within 192.0.0.0/24 count as globally reachable; nobody serves HTTP there. */
static const struct special special_v4[] = {
    {V4(0, 0, 0, 0, 8), true},        /* this network; Linux takes 0.0.0.0 for itself */
    {V4(10, 0, 0, 0, 8), false},      /* private (RFC 1918) */
    {V4(100, 64, 0, 0, 10), false},   /* carriers' NAT (RFC 6598) */
    {V4(127, 0, 0, 0, 8), false},     /* loopback */
    {V4(169, 254, 0, 0, 16), false},  /* link-local; clouds' metadata */
    {V4(172, 16, 0, 0, 12), false},   /* private */
    {V4(192, 0, 0, 0, 24), false},    /* protocol assignments */
    {V4(192, 0, 2, 0, 24), false},    /* documentation */
    {V4(192, 88, 99, 0, 24), false},  /* 6to4 relays, withdrawn (RFC 7526) */
    {V4(192, 168, 0, 0, 16), false},  /* private */
    {V4(198, 18, 0, 0, 15), false},   /* benchmarks */
    {V4(198, 51, 100, 0, 24), false}, /* documentation */
    {V4(203, 0, 113, 0, 24), false},  /* documentation */
    {V4(224, 0, 0, 0, 4), true},      /* multicast */
    {V4(240, 0, 0, 0, 4), true},      /* reserved; broadcast */
};

/* Of IPv6 only 2000::/3 is given out as global unicast; these are what is special in it. */
static const struct address_net global_unicast = V6(3, 0x20);
static const struct special special_v6[] = {
    {V6(23, 0x20, 0x01), false},             /* protocol assignments: Teredo, benchmarks, ORCHID */
    {V6(32, 0x20, 0x01, 0x0d, 0xb8), false}, /* documentation */
    {V6(16, 0x20, 0x02), false},             /* 6to4: carries an IPv4 address */
    {V6(20, 0x3f, 0xff), false},             /* documentation (RFC 9637) */
};
static const struct address_net never_v6[] = {
    V6(128, 0),                                          /* unspecified */
    V6(96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff),    /* IPv4-mapped: the kernel would call the IPv4 address */
    V6(96, 0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0), /* NAT64: carries an IPv4 address (RFC 6052) */
    V6(48, 0, 0x64, 0xff, 0x9b, 0, 1),                   /* NAT64, local (RFC 8215) */
    V6(8, 0xff),                                         /* multicast */
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static bool is_within(const struct address *a, const struct address_net *net) {
  if (a->bits != net->first.bits) return false;
  const unsigned whole = net->prefix / 8, rest = net->prefix % 8;
  if (memcmp(a->bytes, net->first.bytes, whole) != 0) return false;
  return rest == 0 || (a->bytes[whole] ^ net->first.bytes[whole]) >> (8 - rest) == 0;
}

/* ---- judging ---- */

static bool is_special(const struct address *a, const struct special *table, size_t count, bool *never) {
  for (size_t i = 0; i < count; i++) {
    if (!is_within(a, &table[i].net)) continue;
    *never = table[i].never;
    return true;
  }
  return false;
}

static bool is_public(const struct address *a, bool *never) {
  *never = false;
  if (a->bits == 32) return !is_special(a, special_v4, COUNT(special_v4), never);
  for (size_t i = 0; i < COUNT(never_v6); i++) *never |= is_within(a, &never_v6[i]);
  return is_within(a, &global_unicast) && !is_special(a, special_v6, COUNT(special_v6), &(bool){false});
}

bool address_is_public(const struct address *a) {
  bool never;
  return is_public(a, &never);
}

bool address_may(const struct address *a, const struct address_nets *exceptions, bool by_operator) {
  bool never;
  if (is_public(a, &never)) return true;
  if (never || by_operator) return !never;
  for (unsigned i = 0; i < exceptions->count; i++)
    if (is_within(a, &exceptions->nets[i])) return true;
  return false;
}

/* ---- reading ---- */

bool address_of_socket(const struct sockaddr *socket, size_t len, struct address *out) {
  *out = (struct address){.bits = 0};
  if (len >= sizeof(struct sockaddr_in) && socket->sa_family == AF_INET) {
    struct sockaddr_in v4;
    memcpy(&v4, socket, sizeof v4);
    memcpy(out->bytes, &v4.sin_addr, 4);
    out->bits = 32;
  } else if (len >= sizeof(struct sockaddr_in6) && socket->sa_family == AF_INET6) {
    struct sockaddr_in6 v6;
    memcpy(&v6, socket, sizeof v6);
    memcpy(out->bytes, &v6.sin6_addr, 16);
    out->bits = 128;
  }
  return out->bits != 0;
}

bool address_parse(struct span text, struct address *out) {
  char copy[INET6_ADDRSTRLEN] = "";
  *out = (struct address){.bits = 0};
  if (text.len == 0 || text.len >= sizeof copy || memchr(text.data, 0, text.len) != NULL) return false;
  memcpy(copy, text.data, text.len);
  if (inet_pton(AF_INET, copy, out->bytes) == 1)
    out->bits = 32;
  else if (inet_pton(AF_INET6, copy, out->bytes) == 1)
    out->bits = 128;
  return out->bits != 0;
}

/* Decimal, without leading zeros, at most `max`. */
static bool parse_prefix(struct span text, unsigned max, unsigned *out) {
  unsigned n = 0;
  if (text.len == 0 || text.len > 3 || (text.len > 1 && text.data[0] == '0')) return false;
  for (size_t i = 0; i < text.len; i++) {
    if (text.data[i] < '0' || text.data[i] > '9') return false;
    n = 10 * n + (unsigned)(text.data[i] - '0');
  }
  *out = n;
  return n <= max;
}

/* Bits set beyond the prefix are a mistake, whichever of the two was meant. */
static bool ends_with_zeros(const struct address_net *net) {
  for (unsigned bit = net->prefix; bit < net->first.bits; bit++)
    if (net->first.bytes[bit / 8] & 0x80 >> bit % 8) return false;
  return true;
}

static bool parse_net(struct span text, struct address_net *out) {
  const uint8_t *slash = memchr(text.data, '/', text.len);
  const size_t len = slash == NULL ? text.len : (size_t)(slash - text.data);
  if (!address_parse(span_of(text.data, len), &out->first)) return false;
  out->prefix = out->first.bits;
  if (slash != NULL && !parse_prefix(span_of(slash + 1, text.len - len - 1), out->first.bits, &out->prefix))
    return false;
  return ends_with_zeros(out);
}

static bool is_between(uint8_t c) {
  return c == ' ' || c == ',' || c == '\n' || c == '\r' || c == '\t';
}

bool address_parse_nets(struct span list, struct address_nets *out) {
  *out = (struct address_nets){.count = 0};
  for (size_t at = 0; at < list.len;) {
    size_t end = at;
    while (end < list.len && !is_between(list.data[end])) end++;
    if (end > at) {
      if (out->count == ADDRESS_NETS_MAX) return false;
      if (!parse_net(span_of(list.data + at, end - at), &out->nets[out->count++])) return false;
    }
    at = end + 1;
  }
  return true;
}

/* ---- hosts ---- */

static bool is_digit(uint8_t c) {
  return c >= '0' && c <= '9';
}

static bool is_label_byte(uint8_t c) {
  return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_';
}

static bool is_name(struct span host) {
  size_t label = 0;
  if (host.len == 0 || host.len > NAME_MAX_BYTES) return false;
  for (size_t i = 0; i < host.len; i++) {
    if (host.data[i] == '.' ? label == 0 : !is_label_byte(host.data[i]) || label == LABEL_MAX) return false;
    label = host.data[i] == '.' ? 0 : label + 1;
  }
  return label > 0;
}

/* A last label that is a number, decimal, octal or hexadecimal, makes the whole an IPv4 address for those who read such
 * (URL Standard, "ends in a number"). */
static bool ends_in_number(struct span name) {
  size_t start = name.len;
  while (start > 0 && name.data[start - 1] != '.') start--;
  const struct span label = span_of(name.data + start, name.len - start);
  if (label.len >= 2 && label.data[0] == '0' && label.data[1] == 'x') return true;
  for (size_t i = 0; i < label.len; i++)
    if (!is_digit(label.data[i])) return false;
  return true;
}

enum address_host address_host(struct span host, struct address *out) {
  if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
    return address_parse(span_of(host.data + 1, host.len - 2), out) && out->bits == 128 ? ADDRESS_LITERAL
                                                                                        : ADDRESS_NO_HOST;
  if (!is_name(host)) return ADDRESS_NO_HOST;
  if (!ends_in_number(host)) return ADDRESS_NAME;
  return address_parse(host, out) && out->bits == 32 ? ADDRESS_LITERAL : ADDRESS_NO_HOST;
}
