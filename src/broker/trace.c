#include "broker/trace.h"

#include "base/entropy.h"
#include "base/text.h"

#define ID_BYTES 16u
#define SPAN_BYTES 8u

/* {NULL, 0} if the field is absent or came twice. */
static struct span only_field(const struct http_request *request, const char *name) {
  struct span value = {NULL, 0};
  size_t found = 0;
  for (size_t i = 0; i < request->field_count; i++) {
    if (!span_is(request->fields[i].name, name)) continue;
    value = request->fields[i].value;
    found++;
  }
  return found == 1 ? value : span_of(NULL, 0);
}

static bool is_id(struct span text) {
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.data[i], letter = c | 0x20;
    if ((letter < 'a' || letter > 'z') && (c < '0' || c > '9') && c != '_' && c != '-') return false;
  }
  return text.len > 0 && text.len <= TRACE_ID_MAX;
}

/* `bytes` bytes in lower-case hexadecimal, not all of them zero. */
static bool is_hex_id(struct span text, size_t bytes) {
  bool zero = true;
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.data[i];
    if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) return false;
    zero = zero && c == '0';
  }
  return text.len == 2 * bytes && !zero;
}

/* Trace Context §3.2: 00-<trace id>-<parent id>-<flags>. Of flags, any two digits. */
static bool is_parent(struct span text, struct span *id) {
  struct cursor c = cursor_of(text);
  struct span version = cursor_bytes(&c, 3);
  *id = cursor_bytes(&c, 2 * ID_BYTES);
  uint8_t dash = cursor_u8(&c);
  struct span parent = cursor_bytes(&c, 2 * SPAN_BYTES);
  uint8_t second_dash = cursor_u8(&c);
  struct span flags = cursor_bytes(&c, 2);
  bool form = cursor_end(&c) && span_is(version, "00-") && dash == '-' && second_dash == '-';
  return form && is_hex_id(*id, ID_BYTES) && is_hex_id(parent, SPAN_BYTES) &&
         (is_hex_id(flags, 1) || span_is(flags, "00"));
}

static void copy(struct span text, char *out) {
  if (text.len > 0) memcpy(out, text.data, text.len);
  out[text.len] = '\0';
}

/* Random bytes as hexadecimal. The first one is never 0: an id of zeros would be none. */
static enum result random_hex(size_t bytes, char *out) {
  uint8_t random[ID_BYTES];
  struct buf hex = buf_fixed(out, 2 * bytes);
  enum result r = entropy_take(random, bytes);
  if (r != RESULT_OK) return r;
  random[0] |= 1;
  text_put_hex(&hex, span_of(random, bytes));
  out[2 * bytes] = '\0';
  return RESULT_OK;
}

static enum result make_parent(struct trace *t) {
  char span[2 * SPAN_BYTES + 1];
  struct buf b = buf_fixed(t->parent, TRACE_PARENT);
  if (!is_hex_id(span_text(t->id), ID_BYTES)) return RESULT_OK;
  if (random_hex(SPAN_BYTES, span) != RESULT_OK) return RESULT_IO;
  buf_printf(&b, "00-%s-%s-00", t->id, span);
  return RESULT_OK;
}

enum result trace_read(const struct http_request *request, struct trace *out) {
  struct span id = only_field(request, "x-trace-id"), parent = only_field(request, "traceparent"), parent_id;
  enum result r = RESULT_OK;
  *out = (struct trace){0};
  bool has_parent = is_parent(parent, &parent_id);
  if (has_parent) copy(parent, out->parent);
  if (is_id(id)) {
    copy(id, out->id);
  } else if (has_parent) {
    copy(parent_id, out->id);
  } else {
    r = random_hex(ID_BYTES, out->id);
  }
  if (r == RESULT_OK && !has_parent) r = make_parent(out);
  if (r != RESULT_OK) *out = (struct trace){0};
  return r;
}

size_t trace_fields(const struct trace *trace, struct http_field fields[2]) {
  size_t count = 0;
  if (trace->id[0] != '\0') fields[count++] = (struct http_field){span_text("x-trace-id"), span_text(trace->id)};
  if (trace->parent[0] != '\0')
    fields[count++] = (struct http_field){span_text("traceparent"), span_text(trace->parent)};
  return count;
}
