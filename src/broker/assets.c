#include "broker/assets.h"

#include "assets_list.h"

__asm__(
    ".section .rodata.assets, \"a\", @progbits\n"
    ".globl assets_blob\n"
    "assets_blob:\n"
    ".incbin \"" ASSETS_BIN
    "\"\n"
    ".previous\n");

__attribute__((visibility("hidden"))) extern const uint8_t assets_blob[]; /* NOLINT: defined by the lines above */

/* A page loads what lies beside it and nothing else, talks to this service only, and stands in nobody's frame. */
static const char page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/* What is no page is not to become one. */
static const char data_policy[] = "default-src 'none'; frame-ancestors 'none'; sandbox";

static const struct asset assets[] = {
#define ASSET_ENTRY(path, media_type, etag, policy, offset, len) \
  {path, media_type, etag, policy, {assets_blob + (offset), len}},
    ASSETS_LIST(ASSET_ENTRY)
#undef ASSET_ENTRY
};

const struct asset *assets_at(size_t index) {
  return index < sizeof assets / sizeof assets[0] ? &assets[index] : NULL;
}

const struct asset *assets_find(struct span path) {
  if (span_is(path, "/")) path = span_text("/index.html");
  for (size_t i = 0; assets_at(i) != NULL; i++) {
    if (span_is(path, assets[i].path)) return &assets[i];
  }
  return NULL;
}

static struct span trimmed(struct span s) {
  while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) s = span_of(s.data + 1, s.len - 1);
  while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t')) s.len--;
  return s;
}

/* The next of a list's entries, taken from its front. Ours hold no comma, so one inside of another's quotes does no
 * harm. */
static struct span take_entry(struct span *list) {
  const uint8_t *comma = memchr(list->data, ',', list->len);
  size_t len = comma != NULL ? (size_t)(comma - list->data) : list->len, taken = comma != NULL ? len + 1 : len;
  struct span entry = trimmed(span_of(list->data, len));
  *list = span_of(list->data + taken, list->len - taken);
  /* The comparison is the weak one: W/ does not count. */
  return entry.len > 2 && memcmp(entry.data, "W/", 2) == 0 ? span_of(entry.data + 2, entry.len - 2) : entry;
}

bool assets_unchanged(const struct asset *asset, struct span if_none_match) {
  if (span_is(trimmed(if_none_match), "*")) return true;
  while (if_none_match.len > 0) {
    if (span_is(take_entry(&if_none_match), asset->etag)) return true;
  }
  return false;
}

size_t assets_fields(const struct asset *asset, struct http_field fields[ASSETS_FIELDS]) {
  const struct {
    const char *name, *value;
  } all[ASSETS_FIELDS] = {{"content-type", asset->media_type},
                          {"etag", asset->etag},
                          {"cache-control", "no-cache"}, /* ask, and get a 304 */
                          {"content-security-policy", asset->policy},
                          {"x-content-type-options", "nosniff"},
                          {"referrer-policy", "no-referrer"}};
  for (size_t i = 0; i < ASSETS_FIELDS; i++) {
    fields[i] = (struct http_field){span_text(all[i].name), span_text(all[i].value)};
  }
  return ASSETS_FIELDS;
}
