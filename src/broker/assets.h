/*
 * Files that are linked into the program and served as they are: the contract (/openapi.json) and what lies in web/.
 * tools/assets.mjs packs them.
 */
#pragma once

#include "http/http.h"

struct asset {
  const char *path; /* as in a request */
  const char *media_type;
  const char *etag;   /* strong (RFC 9110 §8.8.3), quoted: from the bytes' SHA-256 */
  const char *policy; /* Content-Security-Policy */
  struct span bytes;
};

/* NULL if there is none of that path; "/" is "/index.html". The path is compared as sent: no asset's needs percent
 * encoding. */
const struct asset *assets_find(struct span path);
const struct asset *assets_at(size_t index); /* all of them, in order; NULL behind the last */

/* Whether a caller who sends this If-None-Match (RFC 9110 §13.1.2; empty: none was sent) has the bytes already: then
 * the answer is 304 with the same fields and no body. */
bool assets_unchanged(const struct asset *asset, struct span if_none_match);

#define ASSETS_FIELDS 6u
/* The fields of the reply. Returns how many. */
size_t assets_fields(const struct asset *asset, struct http_field fields[ASSETS_FIELDS]);
