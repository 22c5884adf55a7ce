/*
 * Lists of hosts that may be reached: names ("api.example.com"), names under a name ("*.example.com", not
 * "example.com" itself), addresses as they stand in a URL ("192.0.2.1", "[2001:db8::1]"), or "*" for all; one or more
 * spaces, commas or line breaks between them.
 */
#pragma once

#include "base/bytes.h"

#define HOSTS_MAX 64u       /* entries of a list */
#define HOSTS_NAME_MAX 253u /* bytes of one */

/* Whether `list` is one; the empty one is. Entries are in lower case. */
bool hosts_valid(struct span list);
/* Whether an entry stands for `host`, which is in lower case and without a dot at its end. Never for the empty list. */
bool hosts_allow(struct span list, struct span host);
