#include "keeper/manifest.h"

#include <jansson.h>

#include "base/entropy.h"
#include "base/text.h"

#define NAME_MAX_BYTES 128u

static bool is_name_byte(uint8_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

static bool is_segment(struct span name) {
  for (size_t i = 0; i < name.len; i++)
    if (!is_name_byte(name.data[i])) return false;
  return name.len > 0 && !span_is(name, ".") && !span_is(name, "..");
}

bool manifest_name(struct span name) {
  return name.len <= NAME_MAX_BYTES && is_segment(name);
}

static bool is_file(struct span path) {
  if (path.len > MANIFEST_FILE_MAX) return false;
  for (;;) {
    const uint8_t *slash = path.len > 0 ? memchr(path.data, '/', path.len) : NULL;
    const size_t len = slash == NULL ? path.len : (size_t)(slash - path.data);
    if (!is_segment(span_of(path.data, len))) return false;
    if (slash == NULL) return true;
    path = span_of(path.data + len + 1, path.len - len - 1);
  }
}

/* ---- one entry ---- */

static struct span text_of(const json_t *value) {
  return span_of(json_string_value(value), json_string_length(value));
}

static bool read_file(const json_t *value, struct manifest_script *out) {
  if (!json_is_string(value) || !is_file(text_of(value))) return false;
  buf_put_span(&out->file, text_of(value));
  return !out->file.bad;
}

static bool read_entry(const json_t *value, struct manifest_script *out) {
  if (value == NULL) return true;
  if (!json_is_string(value)) return false;
  buf_put_span(&out->entry, text_of(value));
  return !out->entry.bad;
}

static bool read_pin(const json_t *value, struct manifest_script *out) {
  out->pinned = value != NULL;
  return value == NULL || (json_is_string(value) && text_unhex(text_of(value), out->sha256, sizeof out->sha256));
}

static enum result read_script(const json_t *entry, struct manifest_script *out, struct buf *why) {
  static const struct {
    const char *member, *problem;
    bool (*read)(const json_t *value, struct manifest_script *out);
  } members[] = {{"file", "an entry's file is not a relative path of plain names", read_file},
                 {"entry_point", "an entry's entry_point is not a short text", read_entry},
                 {"sha256", "an entry's sha256 is not 64 hexadecimal digits", read_pin}};
  for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
    if (members[i].read(json_object_get(entry, members[i].member), out)) continue;
    buf_put_text(why, members[i].problem);
    return RESULT_SCRIPT_STORE_INVALID;
  }
  return RESULT_OK;
}

/* ---- the whole ---- */

static enum result find(const json_t *root, struct span name, struct manifest_script *out, struct buf *why) {
  const json_t *scripts = json_object_get(root, "tee_scripts");
  if (!json_is_object(root) || (scripts != NULL && !json_is_object(scripts))) {
    buf_put_text(why, "the manifest has another form");
    return RESULT_SCRIPT_STORE_INVALID;
  }
  const json_t *entry = json_object_getn(scripts, (const char *)name.data, name.len);
  return entry == NULL ? RESULT_SCRIPT_NOT_FOUND : read_script(entry, out, why);
}

/* Left to itself, jansson would open /dev/urandom, which the keeper's fence refuses, and make do with the time. Only
 * the first seed counts. */
static enum result seed(void) {
  size_t bytes = 0;
  const enum result r = entropy_take(&bytes, sizeof bytes);
  if (r == RESULT_OK) json_object_seed(bytes | 1);
  return r;
}

enum result manifest_find(struct span text, struct span name, struct manifest_script *out, struct buf *why) {
  enum result r = seed();
  if (r != RESULT_OK) return r;
  json_t *root = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
  if (root == NULL) buf_put_text(why, "the manifest is not JSON");
  r = root == NULL ? RESULT_SCRIPT_STORE_INVALID : find(root, name, out, why);
  json_decref(root);
  return r;
}

struct manifest_script manifest_script_new(void) {
  return (struct manifest_script){.file = buf_new(MANIFEST_FILE_MAX), .entry = buf_new(MANIFEST_ENTRY_MAX)};
}

void manifest_script_free(struct manifest_script *s) {
  buf_free(&s->file);
  buf_free(&s->entry);
}
