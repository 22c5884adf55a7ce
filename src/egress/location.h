/* Where a redirect goes: a Location header against the URL that it answers (RFC 3986 section 5), by libcurl's URL API.
 */
#pragma once

#include "base/bytes.h"

/* Appends the absolute URL, without fragment and without credentials. False if it is none. */
bool location_resolve(const char *base, const char *location, struct buf *out);
