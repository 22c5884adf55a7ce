#include "broker/envelope.h"

#include <stdarg.h>

#include "base/base64.h"
#include "base/hosts.h"
#include "base/json.h"
#include "base/text.h"

#define TIMEOUT_DEFAULT 30u /* seconds */
#define TIMEOUT_MAX 120u
#define MEMORY_DEFAULT 128u /* MiB */
#define MEMORY_MIN 16u
#define MEMORY_MAX 1024u
#define STEPS_MAX (UINT64_C(1) << 53) /* the last whole number that every JSON reader holds exactly */

#define FIELDS_MAX 15u
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A table's members are cut out of the text first, then read one by one in the table's order, so that what is wrong
 * with a request is named in the same way however its members stand. */
struct reader {
  struct envelope *e;
  char *detail;
  size_t detail_size;
};

/* A member: how it is read, and what that needs to know. */
struct field {
  const char *name; /* as complaints call it */
  size_t key;       /* how much of the name comes before the key itself, as in "limits." */
  enum result (*read)(struct reader *r, const struct field *f, struct span value);
  struct span *(*text)(struct envelope *e);
  size_t max;
};

/* ---- complaints ---- */

static enum result complain(const struct reader *r, enum result why, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum result complain(const struct reader *r, enum result why, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(r->detail, r->detail_size, format, args);
  va_end(args);
  return why;
}

/* `key` is a JSON string from the caller: shown as one, cut so that its escapes have room. */
static enum result complain_of_key(const struct reader *r, enum result why, const char *what, struct span key) {
  struct buf name = buf_new(key.len), shown = buf_fixed(r->detail, r->detail_size - 1);
  bool whole = json_get_string(key, &name);
  if (name.bad) return RESULT_NO_MEMORY;
  size_t room = (r->detail_size - 1 - strlen(what) - sizeof " \"\"") / sizeof "\\u0000";
  buf_printf(&shown, "%s ", what);
  /* What is behind half of a surrogate pair, nobody can spell. */
  json_put_string(&shown, whole ? span_of(name.data, text_utf8_cut(buf_span(&name), room)) : span_text("?"));
  r->detail[shown.len] = '\0';
  buf_free(&name);
  return why;
}

/* ---- one member ---- */

static bool is_string(struct span value) {
  return value.data[0] == '"';
}

static bool is_null(struct span value) {
  return value.data[0] == 'n';
}

/* Decodes a string into the envelope's text, which has room for all of them: the spans stay where they are. */
static bool decode(struct reader *r, struct span string, struct span *out) {
  struct buf *text = &r->e->text;
  size_t start = text->len;
  bool whole = json_get_string(string, text);
  *out = span_of(text->data + start, text->len - start);
  return whole && !text->bad;
}

static bool has_control(struct span text) {
  while (text.len > 0) {
    uint32_t code = text_utf8_next(&text);
    if (code < 0x20 || (code >= 0x7F && code < 0xA0)) return true;
  }
  return false;
}

/* Of what lies beyond ASCII the engine knows best which characters make names. */
static bool is_identifier(struct span text) {
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.data[i], letter = c | 0x20;
    bool start = (letter >= 'a' && letter <= 'z') || c == '_' || c == '$' || c >= 0x80;
    if (!start && (i == 0 || c < '0' || c > '9')) return false;
  }
  return text.len > 0 && !has_control(text);
}

static bool is_secret_name(struct span text) {
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.data[i], letter = c | 0x20;
    bool fits = (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
    if (!fits) return false;
  }
  return text.len > 0 && text.len <= ENVELOPE_NAME_MAX;
}

bool envelope_is_name(struct span text) {
  return is_secret_name(text) && !span_is(text, ".") && !span_is(text, "..");
}

/* What a receipt can carry as it is. */
static bool is_plain_ascii(struct span text) {
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.data[i];
    if (c < 0x20 || c > 0x7E || c == '"' || c == '\\') return false;
  }
  return true;
}

static enum result read_script(struct reader *r, const struct field *f, struct span value) {
  if (!is_string(value)) return complain(r, RESULT_BAD_REQUEST, "\"%s\" must be a string", f->name);
  if (!decode(r, value, &r->e->script)) {
    return complain(r, RESULT_SCRIPT_INVALID, "\"%s\" has half of a surrogate pair", f->name);
  }
  if (r->e->script.len <= ENVELOPE_SCRIPT_MAX) return RESULT_OK;
  return complain(r, RESULT_SCRIPT_TOO_LARGE, "\"%s\" has %zu bytes, at most %u are taken", f->name, r->e->script.len,
                  ENVELOPE_SCRIPT_MAX);
}

static enum result read_input(struct reader *r, const struct field *f, struct span value) {
  if (value.data[0] != '{') return complain(r, RESULT_INPUT_INVALID, "\"%s\" must be an object", f->name);
  if (value.len > ENVELOPE_INPUT_MAX) {
    return complain(r, RESULT_INPUT_TOO_LARGE, "\"%s\" has %zu bytes, at most %u are taken", f->name, value.len,
                    ENVELOPE_INPUT_MAX);
  }
  r->e->input = value;
  return RESULT_OK;
}

/* It is the keeper that looks inside. */
static enum result read_sealed(struct reader *r, const struct field *f, struct span value) {
  if (value.data[0] != '{') return complain(r, RESULT_BAD_REQUEST, "\"%s\" must be an object", f->name);
  r->e->sealed = value;
  return RESULT_OK;
}

static enum result read_recipient(struct reader *r, const struct field *f, struct span value) {
  const size_t start = r->e->text.len;
  struct span text;
  uint8_t key[32];
  if (!is_string(value) || !decode(r, value, &text) || !base64_read_url(text, key, sizeof key))
    return complain(r, RESULT_BAD_REQUEST, "\"%s\" must be an X25519 public key of 32 bytes in base64url", f->name);
  r->e->text.len = start; /* in place of its text, which is longer */
  buf_put(&r->e->text, key, sizeof key);
  r->e->recipient = buf_since(&r->e->text, start);
  return RESULT_OK;
}

static enum result read_text(struct reader *r, const struct field *f, struct span value) {
  struct span *out = f->text(r->e);
  if (!is_string(value)) return complain(r, RESULT_BAD_REQUEST, "\"%s\" must be a string", f->name);
  if (!decode(r, value, out) || out->len > f->max || has_control(*out)) {
    return complain(r, RESULT_BAD_REQUEST, "\"%s\" must be text of at most %zu bytes without control characters",
                    f->name, f->max);
  }
  return RESULT_OK;
}

static enum result read_nonce(struct reader *r, const struct field *f, struct span value) {
  enum result result = read_text(r, f, value);
  if (result != RESULT_OK || is_plain_ascii(r->e->nonce)) return result;
  return complain(r, RESULT_BAD_REQUEST, "\"%s\" must be printable ASCII without quotes and backslashes", f->name);
}

static enum result read_name(struct reader *r, const struct field *f, struct span value) {
  struct span *name = f->text(r->e);
  if (!is_string(value)) return complain(r, RESULT_BAD_REQUEST, "\"%s\" must be a string", f->name);
  if (decode(r, value, name) && (name->len == 0 || envelope_is_name(*name))) return RESULT_OK;
  return complain(r, RESULT_BAD_REQUEST, "\"%s\" must be 1 to %u of A-Z a-z 0-9 _ . -", f->name, ENVELOPE_NAME_MAX);
}

static enum result read_entry(struct reader *r, const struct field *f, struct span value) {
  struct span entry;
  if (!is_string(value)) return complain(r, RESULT_BAD_REQUEST, "\"%s\" must be a string", f->name);
  bool whole = decode(r, value, &entry);
  if (whole && entry.len == 0) return RESULT_OK;
  if (!whole || entry.len > f->max || !is_identifier(entry)) {
    return complain(r, RESULT_ENTRY_INVALID, "\"%s\" must be an identifier of at most %zu bytes", f->name, f->max);
  }
  r->e->entry = entry;
  return RESULT_OK;
}

static enum result read_bool(struct reader *r, const struct field *f, struct span value, bool *out) {
  *out = value.data[0] == 't';
  if (*out || value.data[0] == 'f') return RESULT_OK;
  return complain(r, RESULT_BAD_REQUEST, "\"%s\" must be true or false", f->name);
}

static enum result read_async(struct reader *r, const struct field *f, struct span value) {
  return read_bool(r, f, value, &r->e->async);
}

static enum result read_deterministic(struct reader *r, const struct field *f, struct span value) {
  return read_bool(r, f, value, &r->e->deterministic);
}

static enum result read_seal_output(struct reader *r, const struct field *f, struct span value) {
  return read_bool(r, f, value, &r->e->seal_output);
}

/* A whole number as JSON.stringify writes it, without point and exponent. What is beyond 64 bits counts as the most
 * they hold, what is below zero as zero: both are beyond every range here. */
static enum result read_whole(struct reader *r, const struct field *f, struct span value, uint64_t *out) {
  bool negative = value.data[0] == '-';
  struct span digits = span_of(value.data + negative, value.len - negative);
  for (size_t i = 0; i < digits.len; i++) {
    if (digits.data[i] >= '0' && digits.data[i] <= '9') continue;
    return complain(r, RESULT_BAD_REQUEST, "\"%s\" must be a whole number, in digits", f->name);
  }
  if (text_u64(digits, 0, UINT64_MAX, out) != RESULT_OK) *out = UINT64_MAX;
  if (negative) *out = 0;
  return RESULT_OK;
}

static enum result read_timeout(struct reader *r, const struct field *f, struct span value) {
  uint64_t seconds = 0;
  enum result result = read_whole(r, f, value, &seconds);
  if (seconds < 1) seconds = 1;
  if (seconds > TIMEOUT_MAX) seconds = TIMEOUT_MAX;
  r->e->timeout_ms = seconds * 1000;
  return result;
}

static enum result read_limit(struct reader *r, const struct field *f, struct span value, uint64_t min, uint64_t max,
                              uint64_t *out) {
  enum result result = read_whole(r, f, value, out);
  if (result != RESULT_OK || (*out >= min && *out <= max)) return result;
  return complain(r, RESULT_LIMIT_INVALID, "\"%s\" must be from %llu to %llu", f->name, (unsigned long long)min,
                  (unsigned long long)max);
}

static enum result read_memory(struct reader *r, const struct field *f, struct span value) {
  uint64_t mib = 0;
  enum result result = read_limit(r, f, value, MEMORY_MIN, MEMORY_MAX, &mib);
  r->e->memory = mib << 20;
  return result;
}

static enum result read_steps(struct reader *r, const struct field *f, struct span value) {
  return read_limit(r, f, value, 1, STEPS_MAX, &r->e->steps);
}

/* ---- hosts ---- */

struct hosts {
  struct reader *reader;
  const struct field *field;
  size_t seen;
};

/* One entry, and nothing that would make it two. */
static bool is_host(struct span text) {
  for (size_t i = 0; i < text.len; i++)
    if (strchr(" ,\t\r\n", text.data[i]) != NULL) return false;
  return text.len > 0 && hosts_valid(text);
}

static enum result visit_host(void *context, const struct json_item *item) {
  struct hosts *hosts = context;
  struct reader *r = hosts->reader;
  struct span host;
  if (hosts->seen == ENVELOPE_HOSTS_MAX) {
    return complain(r, RESULT_LIMIT_INVALID, "\"%s\" has more than %u entries", hosts->field->name, ENVELOPE_HOSTS_MAX);
  }
  if (hosts->seen > 0) buf_put_u8(&r->e->text, '\n');
  if (!is_string(item->value) || !decode(r, item->value, &host) || !is_host(host)) {
    return complain(r, RESULT_LIMIT_INVALID,
                    "\"%s[%zu]\" must be a host's name or address in lower case, \"*.\" and a name, or \"*\"",
                    hosts->field->name, hosts->seen);
  }
  hosts->seen++;
  return RESULT_OK;
}

/* The strings lie behind one another: a list as the keeper takes it. An empty one is refused, for to the keeper it
 * would be no limit. */
static enum result read_hosts(struct reader *r, const struct field *f, struct span value) {
  struct hosts hosts = {.reader = r, .field = f};
  size_t start = r->e->text.len, at;
  if (value.data[0] != '[') return complain(r, RESULT_LIMIT_INVALID, "\"%s\" must be a list of strings", f->name);
  enum result result = json_each(value, ENVELOPE_DEPTH_MAX, visit_host, &hosts, &at);
  if (result == RESULT_OK && hosts.seen == 0)
    return complain(r, RESULT_LIMIT_INVALID, "\"%s\" must name 1 to %u hosts", f->name, ENVELOPE_HOSTS_MAX);
  r->e->hosts = buf_since(&r->e->text, start);
  return result;
}

/* ---- secrets ---- */

struct refs {
  struct reader *reader;
  const struct field *field;
  size_t seen;
};

static void add_secret(struct envelope *e, struct span name) {
  for (size_t i = 0; i < e->secret_count; i++) {
    if (span_equal(e->secrets[i], name)) return;
  }
  e->secrets[e->secret_count++] = name;
}

static struct span without_prefix(struct span ref) {
  const size_t len = sizeof "secrets:" - 1;
  return ref.len >= len && memcmp(ref.data, "secrets:", len) == 0 ? span_of(ref.data + len, ref.len - len) : ref;
}

static enum result visit_ref(void *context, const struct json_item *item) {
  struct refs *refs = context;
  struct reader *r = refs->reader;
  struct span ref;
  if (refs->seen == ENVELOPE_SECRETS_MAX) {
    return complain(r, RESULT_TOO_MANY_SECRETS, "\"%s\" has more than %u entries", refs->field->name,
                    ENVELOPE_SECRETS_MAX);
  }
  bool good = is_string(item->value) && decode(r, item->value, &ref) && is_secret_name(without_prefix(ref));
  if (!good) {
    return complain(r, RESULT_BAD_REQUEST, "\"%s[%zu]\" must be a secret's name: 1 to %u of A-Z a-z 0-9 _ . -",
                    refs->field->name, refs->seen, ENVELOPE_NAME_MAX);
  }
  add_secret(r->e, without_prefix(ref));
  refs->seen++;
  return RESULT_OK;
}

static enum result read_refs(struct reader *r, const struct field *f, struct span value) {
  struct refs refs = {.reader = r, .field = f};
  size_t at;
  if (value.data[0] != '[') return complain(r, RESULT_BAD_REQUEST, "\"%s\" must be a list of strings", f->name);
  return json_each(value, ENVELOPE_DEPTH_MAX, visit_ref, &refs, &at);
}

/* ---- tables ---- */

static struct span *nonce_of(struct envelope *e) {
  return &e->nonce;
}

static struct span *app_id_of(struct envelope *e) {
  return &e->app_id;
}

static struct span *script_name_of(struct envelope *e) {
  return &e->script_name;
}

static enum result read_limits(struct reader *r, const struct field *f, struct span value);

static const struct field envelope_fields[] = {
    {.name = "script", .read = read_script},
    {.name = "input", .read = read_input},
    {.name = "entry_point", .read = read_entry, .max = ENVELOPE_ENTRY_MAX},
    {.name = "secret_refs", .read = read_refs},
    {.name = "timeout", .read = read_timeout},
    {.name = "nonce", .read = read_nonce, .text = nonce_of, .max = ENVELOPE_NONCE_MAX},
    {.name = "async", .read = read_async},
    {.name = "deterministic", .read = read_deterministic},
    {.name = "limits", .read = read_limits},
    {.name = "app_id", .read = read_name, .text = app_id_of},
    {.name = "script_name", .read = read_name, .text = script_name_of},
    {.name = "encrypted_input", .read = read_sealed},
    {.name = "seal_output", .read = read_seal_output},
    {.name = "recipient", .read = read_recipient}};

#define IN_LIMITS (sizeof "limits." - 1)
static const struct field limits_fields[] = {{.name = "limits.memory_mb", .key = IN_LIMITS, .read = read_memory},
                                             {.name = "limits.steps", .key = IN_LIMITS, .read = read_steps},
                                             {.name = "limits.hosts", .key = IN_LIMITS, .read = read_hosts}};

_Static_assert(COUNT(envelope_fields) <= FIELDS_MAX && COUNT(limits_fields) <= FIELDS_MAX, "no room in struct cut");

/* ---- objects ---- */

/* An object cut into its members: values[i] belongs to fields[i]; data NULL if it did not come. */
struct cut {
  struct reader *reader;
  const struct field *fields;
  size_t count;
  struct span values[FIELDS_MAX];
};

/* The index of the field with this name, or `count`. */
static size_t find_field(const struct cut *cut, struct span name) {
  size_t i = 0;
  while (i < cut->count && !span_is(name, cut->fields[i].name + cut->fields[i].key)) i++;
  return i;
}

static enum result visit_member(void *context, const struct json_item *item) {
  struct cut *cut = context;
  uint8_t memory[32]; /* longer than any name in a table, so what does not fit is none of them */
  struct buf name = buf_fixed(memory, sizeof memory);
  bool whole = json_get_string(item->key, &name);
  size_t i = whole && !name.bad ? find_field(cut, buf_span(&name)) : cut->count;
  if (i == cut->count) return complain_of_key(cut->reader, RESULT_UNKNOWN_FIELD, "unknown field", item->key);
  if (cut->values[i].data != NULL) {
    return complain(cut->reader, RESULT_BAD_REQUEST, "\"%s\" comes twice", cut->fields[i].name);
  }
  cut->values[i] = item->value;
  return RESULT_OK;
}

static enum result read_fields(const struct cut *cut) {
  for (size_t i = 0; i < cut->count; i++) {
    struct span value = cut->values[i];
    if (value.data == NULL || is_null(value)) continue;
    enum result result = cut->fields[i].read(cut->reader, &cut->fields[i], value);
    if (result != RESULT_OK) return result;
  }
  return RESULT_OK;
}

static enum result read_limits(struct reader *r, const struct field *f, struct span value) {
  struct cut cut = {.reader = r, .fields = limits_fields, .count = COUNT(limits_fields)};
  size_t at;
  if (value.data[0] != '{') return complain(r, RESULT_BAD_REQUEST, "\"%s\" must be an object", f->name);
  enum result result = json_each(value, ENVELOPE_DEPTH_MAX, visit_member, &cut, &at);
  return result == RESULT_OK ? read_fields(&cut) : result;
}

/* Why json_each did not like the body. */
static enum result complain_of_body(const struct reader *r, struct span body, size_t at) {
  if (!text_utf8_valid(body)) return complain(r, RESULT_BAD_REQUEST, "the body is not UTF-8 at byte %zu", at);
  if (json_check(body, JSON_DEPTH_MAX) != RESULT_OK) {
    return complain(r, RESULT_BAD_REQUEST, "the body is not JSON at byte %zu", at);
  }
  return complain(r, RESULT_BAD_REQUEST, "the body nests deeper than %u levels", ENVELOPE_DEPTH_MAX);
}

static enum result cut_body(struct reader *r, struct span body, struct cut *cut) {
  size_t at;
  if (json_first(body) == 0) return complain(r, RESULT_BAD_REQUEST, "the body is empty");
  if (json_first(body) != '{') return complain(r, RESULT_BAD_REQUEST, "the body must be a JSON object");
  enum result result = json_each(body, ENVELOPE_DEPTH_MAX, visit_member, cut, &at);
  return result == RESULT_INPUT_INVALID ? complain_of_body(r, body, at) : result;
}

/* Memory for all strings at once, so that none of them moves; a string is never longer than it was written. */
static bool make_room(struct envelope *e, const struct cut *cut) {
  size_t room = 1;
  for (size_t i = 0; i < cut->count; i++) {
    if (cut->fields[i].read != read_input && cut->fields[i].read != read_sealed) room += cut->values[i].len;
  }
  e->text = buf_new(room);
  e->text.data = malloc(room);
  e->text.cap = room;
  return e->text.data != NULL;
}

/* The script itself, or its name in an app; a manifest may name the entry point of the latter. */
static enum result settle_script(const struct reader *r) {
  struct envelope *e = r->e;
  if (e->script.len > 0 && e->script_name.len > 0)
    return complain(r, RESULT_BAD_REQUEST, "give \"script\" or \"script_name\", not both");
  if (e->script.len == 0 && e->script_name.len == 0 && e->sealed.len == 0)
    return complain(r, RESULT_SCRIPT_REQUIRED, "\"script\" is missing or empty");
  if (e->script_name.len > 0 && e->app_id.len == 0)
    return complain(r, RESULT_BAD_REQUEST, "\"script_name\" needs \"app_id\"");
  if (e->script_name.len == 0 && e->entry.len == 0) e->entry = span_text("main");
  return RESULT_OK;
}

/* What is sealed takes the place of what is not, and there must be somebody to seal to. */
static enum result settle_seals(const struct reader *r, bool has_input) {
  const struct envelope *e = r->e;
  if (e->sealed.len > 0 && has_input)
    return complain(r, RESULT_BAD_REQUEST, "give \"input\" or \"encrypted_input\", not both");
  if (e->sealed.len > 0 && e->script_name.len > 0)
    return complain(r, RESULT_BAD_REQUEST, "\"encrypted_input\" does not go with \"script_name\"");
  if (e->seal_output && e->sealed.len == 0 && e->recipient.len == 0)
    return complain(r, RESULT_BAD_REQUEST, "\"seal_output\" needs \"encrypted_input\" or \"recipient\"");
  if (!e->seal_output && e->recipient.len > 0)
    return complain(r, RESULT_BAD_REQUEST, "\"recipient\" needs \"seal_output\"");
  return RESULT_OK;
}

enum result envelope_read(struct span body, struct envelope *e, char *detail, size_t detail_size) {
  struct reader r = {e, detail, detail_size};
  struct cut cut = {.reader = &r, .fields = envelope_fields, .count = COUNT(envelope_fields)};
  *e = (struct envelope){.input = span_text("{}"),
                         .timeout_ms = TIMEOUT_DEFAULT * 1000,
                         .memory = (uint64_t)MEMORY_DEFAULT << 20,
                         .steps = INT64_MAX};
  detail[0] = '\0';
  enum result result = cut_body(&r, body, &cut);
  if (result == RESULT_OK && !make_room(e, &cut)) result = RESULT_NO_MEMORY;
  if (result == RESULT_OK) result = read_fields(&cut);
  if (result == RESULT_OK) result = settle_script(&r);
  if (result == RESULT_OK) result = settle_seals(&r, cut.values[1].data != NULL && !is_null(cut.values[1]));
  if (result != RESULT_OK) envelope_free(e);
  return result;
}

void envelope_free(struct envelope *e) {
  if (e == NULL) return;
  buf_free(&e->text);
  *e = (struct envelope){.text = {.bad = true}};
}
