/* Host names from a file instead of the resolver: hosts(5), an address and its names a line. */
#pragma once

#include "base/bytes.h"

/* Appends what libcurl takes as a host's addresses ("192.0.2.1,[2001:db8::1]"), in the order of the lines that have
 * `host`, which is in lower case. False if there is none. Lines that are not of that form do not count. */
bool names_find(struct span hosts, struct span host, struct buf *addresses);
