/*
 * Which addresses may be connected to, and which texts stand for hosts. Pure: the address that a socket is about to
 * connect to is judged, whatever name it came from, so a name that resolves to another address the second time gains
 * nothing.
 */
#pragma once

#include <sys/socket.h>

#include "base/bytes.h"

#define ADDRESS_NETS_MAX 64u

struct address {
  uint8_t bytes[16];
  unsigned bits; /* 32: IPv4, the first four bytes; 128: IPv6 */
};

struct address_net {
  struct address first;
  unsigned prefix;
};

/* The operator's exceptions: nets that are not public and may be reached all the same. */
struct address_nets {
  struct address_net nets[ADDRESS_NETS_MAX];
  unsigned count;
};

/* A list of nets ("10.1.0.0/16 ::1/128") or single addresses, between spaces, commas or line breaks; may be empty.
 * False if one is none, has bits set beyond its prefix, or there are more than ADDRESS_NETS_MAX. */
bool address_parse_nets(struct span list, struct address_nets *out);
/* One address: dotted quad without leading zeros, or IPv6 (RFC 4291 section 2.2) without brackets or zone. */
bool address_parse(struct span text, struct address *out);
/* False if it is neither IPv4 nor IPv6, or cut short. */
bool address_of_socket(const struct sockaddr *socket, size_t len, struct address *out);

/* Whether it is a public one by IANA's registries of special-purpose addresses; one that carries an IPv4 address within
 * (mapped, 6to4, NAT64, Teredo) is not. */
bool address_is_public(const struct address *a);
/* Public, or one of `exceptions`, or the operator chose it (`by_operator`). What nobody can mean (unspecified,
 * multicast, reserved, IPv4-mapped) never may. */
bool address_may(const struct address *a, const struct address_nets *exceptions, bool by_operator);

enum address_host { ADDRESS_NO_HOST, ADDRESS_NAME, ADDRESS_LITERAL };
/* What stands in a request for its host: a name in lower case, or an address (IPv6 in brackets), which goes to `out`.
 * What other programs read as an address though it is not written as one ("0x7f.1", "2130706433", "127.1") is no host.
 */
enum address_host address_host(struct span host, struct address *out);
