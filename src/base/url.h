/*
 * URLs as the URL Standard (url.spec.whatwg.org) writes them, and no other way: what a script or a redirect names is
 * read here once, and everything that decides by it (lists of hosts, secrets) and acts on it sees the same parts.
 */
#pragma once

#include "base/result.h"

#define URL_MAX 8192u /* bytes */

struct url {
  bool plain; /* http, not https */
  uint16_t port;
  struct span origin; /* scheme, "://", host and port if it is written */
  struct span host;   /* lower case; an IPv6 address in brackets */
  struct span target; /* path and query: visible ASCII, begins with "/" */
};

/*
 * Reads "http" or "https", "://", host, maybe ":" and a port that is not the scheme's own, path, maybe "?" and query;
 * the spans point into `text`. The host is a name of [a-z0-9._-] without empty labels (so without a dot at its end), a
 * dotted quad as inet_ntop writes it, or an IPv6 address in the standard's one form. RESULT_FETCH_INVALID for
 * everything else: user information, a fragment, upper case in the host, numbers that only some readers take for an
 * address ("127.1", "0x7f.1"), dot segments, a backslash, or a byte that is not visible ASCII.
 */
enum result must_use url_read(struct span text, struct url *out);

/* Appends an absolute URL with scheme and host in lower case and without the scheme's own port, as servers do not
 * always write it. Does not judge: what url_read refuses for other reasons, it still refuses. */
void url_tidy(struct span text, struct buf *out);

/* Whether scheme, host and port are equal. */
bool url_same_origin(const struct url *a, const struct url *b);
