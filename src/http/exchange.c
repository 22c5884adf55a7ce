/* What HTTP/1.1 and HTTP/2 have in common: one request, its fields, its body, and the way of its reply. */
#include <time.h>

#include "http/codec.h"

#define RESERVE_STEP 16384u

/* ---- what bytes may be where ---- */

enum {
  TOKEN = 1,  /* RFC 9110 §5.6.2 */
  VALUE = 2,  /* RFC 9110 §5.5: visible, obs-text, space, tab */
  TARGET = 4, /* RFC 3986, loosely: visible ASCII, no '#' */
  HOST = 8    /* RFC 3986 §3.2.2 and a port */
};

#define ALPHANUMERIC "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* One byte of flags for each of the 256; made at the first use. */
static uint8_t classes[256];

static void put_class(const char *members, uint8_t class) {
  for (; *members != '\0'; members++) classes[(uint8_t)*members] |= class;
}

static void make_classes(void) {
  for (int c = ' '; c < 256; c++) classes[c] |= c == 0x7f ? 0 : VALUE;
  for (int c = '!'; c < 0x7f; c++) classes[c] |= c == '#' ? 0 : TARGET;
  put_class("\t", VALUE);
  put_class(ALPHANUMERIC "!#$%&'*+-.^_`|~", TOKEN);
  put_class(ALPHANUMERIC "-._~!$&'()*+,;=%:[]", HOST);
}

static bool all_of(struct span s, uint8_t class) {
  if (classes['a'] == 0) make_classes();
  for (size_t i = 0; i < s.len; i++) {
    if (!(classes[s.data[i]] & class)) return false;
  }
  return true;
}

bool codec_token(struct span s) {
  return s.len > 0 && all_of(s, TOKEN);
}

static uint8_t lower(uint8_t c) {
  return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

bool codec_same(struct span a, const char *lower_case) {
  if (a.len != strlen(lower_case)) return false;
  for (size_t i = 0; i < a.len; i++) {
    if (lower(a.data[i]) != (uint8_t)lower_case[i]) return false;
  }
  return true;
}

static struct span trim(struct span s) {
  while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) s = span_of(s.data + 1, s.len - 1);
  while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t')) s.len--;
  return s;
}

/* ---- life ---- */

struct http_exchange *codec_exchange_new(struct codec *c) {
  struct http_exchange *x = calloc(1, sizeof *x);
  if (x == NULL) return NULL;
  x->codec = c;
  /* Joined values stand behind what they were joined from. */
  x->head = buf_new(2 * c->limits->head_bytes + 2 * CODEC_FIELDS_MAX);
  x->body = buf_new(c->limits->body_bytes);
  return x;
}

void codec_exchange_free(struct http_exchange *x) {
  if (x == NULL) return;
  const struct codec_events *events = x->codec->events;
  if (x->reserved > 0) events->release(events->context, x->reserved);
  buf_free(&x->head);
  buf_free(&x->body);
  free(x->parts);
  free(x->fields);
  free(x);
}

/* ---- the head ---- */

static struct span bytes_of(const struct http_exchange *x, struct codec_part part) {
  return span_of(x->head.data + part.at, part.len);
}

static enum result keep(struct http_exchange *x, struct span bytes, struct codec_part *out) {
  if (bytes.len > x->codec->limits->head_bytes || x->head.len > x->codec->limits->head_bytes - bytes.len)
    return RESULT_HEAD_TOO_LARGE;
  *out = (struct codec_part){(uint32_t)x->head.len, (uint32_t)bytes.len};
  buf_put_span(&x->head, bytes);
  return x->head.bad ? RESULT_NO_MEMORY : RESULT_OK;
}

enum result codec_exchange_method(struct http_exchange *x, struct span method) {
  if (x->method.len > 0 || !codec_token(method)) return RESULT_BAD_HTTP;
  return keep(x, method, &x->method);
}

enum result codec_exchange_target(struct http_exchange *x, struct span target) {
  if (x->target.len > 0 || target.len == 0 || target.data[0] != '/' || !all_of(target, TARGET)) return RESULT_BAD_HTTP;
  return keep(x, target, &x->target);
}

/* Room for one more part: doubled whenever their count is a power of two. */
static struct codec_field *next_part(struct http_exchange *x) {
  size_t n = x->part_count;
  if (n == 0 || (n >= 8 && (n & (n - 1)) == 0)) {
    void *parts = realloc(x->parts, (n == 0 ? 8 : 2 * n) * sizeof *x->parts);
    if (parts == NULL) return NULL;
    x->parts = parts;
  }
  return &x->parts[x->part_count++];
}

enum result codec_exchange_field(struct http_exchange *x, struct span name, struct span value) {
  value = trim(value);
  if (!codec_token(name) || !all_of(value, VALUE)) return RESULT_BAD_HTTP;
  if (codec_same(name, "host") && (value.len == 0 || !all_of(value, HOST))) return RESULT_BAD_HTTP;
  if (x->part_count == CODEC_FIELDS_MAX) return RESULT_HEAD_TOO_LARGE;
  struct codec_field *part = next_part(x);
  if (part == NULL) return RESULT_NO_MEMORY;
  enum result r = keep(x, name, &part->name);
  if (r == RESULT_OK) r = keep(x, value, &part->value);
  if (r != RESULT_OK) return r;
  uint8_t *kept = x->head.data + part->name.at;
  for (size_t i = 0; i < name.len; i++) kept[i] = lower(kept[i]);
  return RESULT_OK;
}

/* What may not come twice: whoever reads the other one of the two sees another request (RFC 9112 §11.2), or another
 * caller. */
static bool once_only(struct span name) {
  static const char *const names[] = {"host",          "content-length",    "content-type",
                                      "authorization", "transfer-encoding", "idempotency-key",
                                      "x-user-id",     "x-service-token"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (span_is(name, names[i])) return true;
  }
  return false;
}

/* Joins part `first` with all that have its name and stand behind it; these lose their name. */
static enum result join(struct http_exchange *x, size_t first, size_t second) {
  struct codec_field *parts = x->parts;
  struct buf joined = buf_new(x->head.max);
  buf_put_span(&joined, bytes_of(x, parts[first].value));
  for (size_t i = second; i < x->part_count; i++) {
    if (!span_equal(bytes_of(x, parts[i].name), bytes_of(x, parts[first].name))) continue;
    struct span value = bytes_of(x, parts[i].value);
    if (joined.len > 0 && value.len > 0) buf_put_text(&joined, ", "); /* an empty element means nothing */
    buf_put_span(&joined, value);
    parts[i].name.len = 0;
  }
  parts[first].value = (struct codec_part){(uint32_t)x->head.len, (uint32_t)joined.len};
  buf_put_span(&x->head, buf_span(&joined));
  bool bad = joined.bad || x->head.bad;
  buf_free(&joined);
  return bad ? RESULT_NO_MEMORY : RESULT_OK;
}

static enum result join_repeated(struct http_exchange *x) {
  for (size_t i = 0; i < x->part_count; i++) {
    struct span name = bytes_of(x, x->parts[i].name);
    for (size_t j = i + 1; name.len > 0 && j < x->part_count; j++) {
      if (!span_equal(name, bytes_of(x, x->parts[j].name))) continue;
      if (once_only(name)) return RESULT_BAD_HTTP;
      enum result r = join(x, i, j);
      if (r != RESULT_OK) return r;
      break;
    }
  }
  return RESULT_OK;
}

static void split_target(struct http_request *request, struct span target) {
  const uint8_t *mark = memchr(target.data, '?', target.len);
  size_t path = mark == NULL ? target.len : (size_t)(mark - target.data);
  request->path = span_of(target.data, path);
  if (mark != NULL) request->query = span_of(mark + 1, target.len - path - 1);
}

enum result codec_exchange_head(struct http_exchange *x) {
  if (x->method.len == 0 || x->target.len == 0) return RESULT_BAD_HTTP;
  enum result r = join_repeated(x);
  if (r != RESULT_OK) return r;
  x->fields = calloc(x->part_count + 1, sizeof *x->fields); /* + 1: never a size of zero */
  if (x->fields == NULL) return RESULT_NO_MEMORY;
  size_t count = 0;
  for (size_t i = 0; i < x->part_count; i++) {
    if (x->parts[i].name.len == 0) continue;
    x->fields[count++] = (struct http_field){bytes_of(x, x->parts[i].name), bytes_of(x, x->parts[i].value)};
  }
  free(x->parts);
  x->parts = NULL;
  x->request.method = bytes_of(x, x->method);
  x->request.fields = x->fields;
  x->request.field_count = count;
  split_target(&x->request, bytes_of(x, x->target));
  return RESULT_OK;
}

/* ---- the body ---- */

static enum result reserve(struct http_exchange *x, uint64_t length) {
  const struct codec_events *events = x->codec->events;
  if (length > x->codec->limits->body_bytes) return RESULT_BODY_TOO_LARGE;
  if (length <= x->reserved) return RESULT_OK;
  if (!events->reserve(events->context, (size_t)length - x->reserved)) return RESULT_BUSY;
  x->reserved = (size_t)length;
  return RESULT_OK;
}

/* Whoever only announces a body takes no space from those who send one. */
enum result codec_exchange_expect(struct http_exchange *x, uint64_t length) {
  if (length > x->codec->limits->body_bytes) return RESULT_BODY_TOO_LARGE;
  return reserve(x, length < RESERVE_STEP ? length : RESERVE_STEP);
}

/* Space is reserved in steps, as the body comes. */
static size_t step_up(const struct http_exchange *x, size_t length) {
  size_t most = x->codec->limits->body_bytes;
  if (length <= x->reserved || length > most) return length;
  return most - length < RESERVE_STEP ? most : length + RESERVE_STEP;
}

enum result codec_exchange_body(struct http_exchange *x, struct span piece) {
  if (piece.len > x->codec->limits->body_bytes) return RESULT_BODY_TOO_LARGE;
  enum result r = reserve(x, step_up(x, x->body.len + piece.len));
  if (r != RESULT_OK) return r;
  buf_put_span(&x->body, piece);
  return x->body.bad ? RESULT_NO_MEMORY : RESULT_OK;
}

void codec_exchange_deliver(struct http_exchange *x) {
  const struct codec_events *events = x->codec->events;
  x->request.body = buf_span(&x->body);
  events->request(events->context, x);
}

/* ---- what replies share ---- */

bool codec_reply_sound(int status, const struct http_field *fields, size_t field_count) {
  static const char *const ours[] = {"connection", "content-length", "date",    "keep-alive",
                                     "te",         "trailer",        "upgrade", "transfer-encoding"};
  if (status < 200 || status > 599) return false;
  for (size_t i = 0; i < field_count; i++) {
    if (!codec_token(fields[i].name) || !all_of(fields[i].value, VALUE)) return false;
    for (size_t j = 0; j < sizeof ours / sizeof ours[0]; j++) {
      if (codec_same(fields[i].name, ours[j])) return false;
    }
  }
  return true;
}

struct span codec_date(void) {
  static time_t made;
  static char text[32];
  static size_t len;
  time_t now = time(NULL);
  struct tm parts;
  if ((now != made || len == 0) && gmtime_r(&now, &parts) != NULL) {
    /* The C locale: no process of ours sets another. */
    len = strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    made = now;
  }
  return span_of(text, len);
}

/* ---- http.h ---- */

struct span http_field_of(const struct http_request *request, const char *name) {
  for (size_t i = 0; i < request->field_count; i++) {
    if (span_is(request->fields[i].name, name)) return request->fields[i].value;
  }
  return (struct span){NULL, 0};
}

const struct http_request *http_request_of(const struct http_exchange *x) {
  return &x->request;
}

const struct http_peer *http_peer_of(const struct http_exchange *x) {
  return x->codec->peer;
}

void http_set_user(struct http_exchange *x, void *user) {
  x->user = user;
}

void *http_user(const struct http_exchange *x) {
  return x->user;
}

void http_reply(struct http_exchange *x, int status, const struct http_field *fields, size_t field_count,
                struct span body) {
  x->codec->ops->reply(x->codec, x, status, fields, field_count, body);
}

void http_begin(struct http_exchange *x, int status, const struct http_field *fields, size_t field_count) {
  x->codec->ops->begin(x->codec, x, status, fields, field_count);
}

bool http_write(struct http_exchange *x, struct span bytes) {
  return x->codec->ops->write(x->codec, x, bytes);
}

void http_end(struct http_exchange *x) {
  x->codec->ops->end(x->codec, x);
}
