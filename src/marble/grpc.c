#include "marble/grpc.h"

#include <strings.h>

#include "base/text.h"

#define FRAME_HEADER 5u

#define GRPC_NAME(name) #name,
static const char *const names[] = {GRPC_CODES(GRPC_NAME)};
#undef GRPC_NAME

const char *grpc_name(enum grpc_code code) {
  return code < GRPC_CODE_COUNT ? names[code] : names[GRPC_UNKNOWN];
}

bool grpc_may_pass(enum grpc_code code) {
  return code == GRPC_UNAVAILABLE || code == GRPC_FAILED_PRECONDITION;
}

/* ---- frames ---- */

void grpc_put_frame(struct buf *b, struct span message) {
  buf_put_u8(b, 0);
  for (int shift = 24; shift >= 0; shift -= 8) buf_put_u8(b, (uint8_t)(message.len >> shift));
  buf_put_span(b, message);
}

enum result grpc_get_frame(struct span body, struct span *message) {
  struct cursor c = cursor_of(body);
  const uint8_t compressed = cursor_u8(&c);
  size_t len = 0;
  for (int i = 0; i < 4; i++) len = len << 8 | cursor_u8(&c);
  const struct span bytes = cursor_bytes(&c, len);
  if (compressed != 0 || !cursor_end(&c)) return RESULT_INPUT_INVALID;
  *message = bytes;
  return RESULT_OK;
}

/* ---- headers ---- */

static bool begins(struct span s, const char *prefix) {
  const size_t len = strlen(prefix);
  return s.len >= len && strncasecmp((const char *)s.data, prefix, len) == 0;
}

static struct span after(struct span s, size_t len) {
  return span_of(s.data + len, s.len - len);
}

static struct span trimmed(struct span s) {
  while (s.len > 0 && strchr(" \t\r\n", s.data[s.len - 1]) != NULL) s.len--;
  while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) s = after(s, 1);
  return s;
}

static void take_type(struct grpc_answer *a, struct span value) {
  static const char type[] = "application/grpc";
  a->is_grpc =
      begins(value, type) && (value.len == sizeof type - 1 || strchr("+;", value.data[sizeof type - 1]) != NULL);
}

/* Twice the same is once; a code that is none is as good as two. */
static void take_code(struct grpc_answer *a, struct span value) {
  uint64_t code;
  if (text_u64(value, 0, GRPC_CODE_COUNT - 1, &code) != RESULT_OK || (a->has_code && a->code != (enum grpc_code)code))
    a->contradicts = true;
  else
    a->code = (enum grpc_code)code;
  a->has_code = true;
}

/* %XX; what is not that stays as it is, as the specification asks. */
static void take_message(struct grpc_answer *a, struct span value) {
  size_t len = 0;
  for (size_t i = 0; i < value.len && len < GRPC_MESSAGE_MAX; i++) {
    uint8_t byte = value.data[i];
    if (byte == '%' && value.len - i > 2 && text_unhex(span_of(value.data + i + 1, 2), &byte, 1)) i += 2;
    a->message[len++] = (char)(byte == 0 ? '?' : byte);
  }
  a->message[len] = 0;
}

static const struct {
  const char *name;
  void (*take)(struct grpc_answer *a, struct span value);
} headers[] = {{"content-type:", take_type}, {"grpc-status:", take_code}, {"grpc-message:", take_message}};

/* "HTTP/2 200 " */
static void take_status_line(struct grpc_answer *a, struct span line) {
  const uint8_t *space = memchr(line.data, ' ', line.len);
  *a = (struct grpc_answer){0};
  if (space == NULL) return;
  struct span status = trimmed(after(line, (size_t)(space - line.data)));
  if (status.len > 3) status.len = 3;
  if (text_u64(status, 100, 599, &a->http) != RESULT_OK) a->contradicts = true;
}

void grpc_take_line(struct grpc_answer *a, struct span line) {
  if (begins(line, "HTTP/")) take_status_line(a, line);
  for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
    if (begins(line, headers[i].name)) headers[i].take(a, trimmed(after(line, strlen(headers[i].name))));
  }
}

/* ---- the outcome ---- */

static enum grpc_code of_http(uint64_t status) {
  static const struct {
    uint64_t status;
    enum grpc_code code;
  } map[] = {{400, GRPC_INTERNAL},      {401, GRPC_UNAUTHENTICATED}, {403, GRPC_PERMISSION_DENIED},
             {404, GRPC_UNIMPLEMENTED}, {429, GRPC_UNAVAILABLE},     {502, GRPC_UNAVAILABLE},
             {503, GRPC_UNAVAILABLE},   {504, GRPC_UNAVAILABLE}};
  for (size_t i = 0; i < sizeof map / sizeof map[0]; i++)
    if (map[i].status == status) return map[i].code;
  return GRPC_UNKNOWN;
}

enum grpc_code grpc_outcome(const struct grpc_answer *a) {
  if (a->contradicts) return GRPC_INTERNAL;
  if (a->http != 200) return of_http(a->http);
  return a->has_code && (a->is_grpc || a->code != GRPC_OK) ? a->code : GRPC_UNKNOWN;
}
