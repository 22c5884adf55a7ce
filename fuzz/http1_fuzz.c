/*
 * What a client may send over HTTP/1.1. The first eight bytes are the seed of everything that is not the client's: how
 * its bytes are cut, when the owner answers and how, how much the socket takes, when a deadline passes. What must hold:
 * a request that is handed over is one (see check_request), space for bodies is given back, an owner hears of a caller
 * who left exactly once, and which requests there are does not depend on how the bytes were cut.
 */
#include "http/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct side {
  struct codec *codec;
  struct http_peer peer;
  struct codec_events events;
  bool prompt; /* the owner answers at once */
  bool streaming;
  struct http_exchange *held;
  struct buf seen;
  size_t reserved;
  uint64_t random;
};

static const struct http_limits limits = {.head_bytes = 1024, .body_bytes = 4096};

#define MUST(condition)        \
  do {                         \
    if (!(condition)) abort(); \
  } while (0)

static size_t below(struct side *s, size_t n) {
  s->random ^= s->random << 13;
  s->random ^= s->random >> 7;
  s->random ^= s->random << 17;
  return n == 0 ? 0 : (size_t)(s->random % n);
}

/* ---- the owner ---- */

static bool is_visible(struct span s) {
  for (size_t i = 0; i < s.len; i++) {
    if (s.data[i] <= ' ' || s.data[i] >= 0x7f) return false;
  }
  return true;
}

static void check_field(struct http_field f) {
  MUST(codec_token(f.name));
  for (size_t i = 0; i < f.name.len; i++) MUST(f.name.data[i] < 'A' || f.name.data[i] > 'Z');
  for (size_t i = 0; i < f.value.len; i++)
    MUST(f.value.data[i] == '\t' || (f.value.data[i] >= ' ' && f.value.data[i] != 0x7f));
  if (f.value.len > 0) MUST(f.value.data[0] != ' ' && f.value.data[f.value.len - 1] != ' ');
}

static void check_request(const struct http_request *r) {
  MUST(codec_token(r->method) && !span_is(r->method, "CONNECT"));
  MUST(r->path.len > 0 && r->path.data[0] == '/' && is_visible(r->path) && is_visible(r->query));
  MUST(memchr(r->path.data, '?', r->path.len) == NULL);
  MUST(r->body.len <= limits.body_bytes && r->field_count <= CODEC_FIELDS_MAX);
  for (size_t i = 0; i < r->field_count; i++) {
    check_field(r->fields[i]);
    for (size_t j = 0; j < i; j++) MUST(!span_equal(r->fields[i].name, r->fields[j].name));
  }
  struct span length = http_field_of(r, "content-length"), coding = http_field_of(r, "transfer-encoding");
  MUST(length.data == NULL || coding.data == NULL);
  MUST(r->body.len == 0 || length.data != NULL || coding.data != NULL);
}

static struct http_exchange *take(struct side *s) {
  struct http_exchange *x = s->held;
  s->held = NULL;
  return x;
}

static void answer(struct side *s) {
  static const int statuses[] = {200, 204, 304, 404, 299, 100};
  static const char *const values[] = {"v", "", "a\r\nb: c"};
  static const uint8_t body[3000];
  struct http_field field = {span_text("x"), span_text(values[s->prompt ? 0 : below(s, 3)])};
  int status = s->prompt ? 200 : statuses[below(s, 6)];
  if (!s->streaming && (s->prompt || below(s, 2) == 0)) {
    http_reply(take(s), status, &field, 1, span_of(body, below(s, sizeof body)));
    return;
  }
  if (!s->streaming) http_begin(s->held, status, &field, 1);
  s->streaming = true;
  for (size_t n = below(s, 4); n > 0; n--) (void)http_write(s->held, span_of(body, below(s, sizeof body)));
  if (below(s, 2) == 0) return;
  s->streaming = false;
  http_end(take(s));
}

static void put_part(struct buf *b, struct span part) {
  buf_put_block(b, part);
}

static void on_request(void *context, struct http_exchange *x) {
  struct side *s = context;
  const struct http_request *r = http_request_of(x);
  MUST(s->held == NULL);
  check_request(r);
  put_part(&s->seen, r->method);
  put_part(&s->seen, r->path);
  put_part(&s->seen, r->query);
  put_part(&s->seen, r->body);
  for (size_t i = 0; i < r->field_count; i++) {
    put_part(&s->seen, r->fields[i].name);
    put_part(&s->seen, r->fields[i].value);
  }
  s->held = x;
  if (s->prompt || below(s, 2) == 0) answer(s);
}

static void on_gone(void *context, struct http_exchange *x) {
  struct side *s = context;
  MUST(take(s) == x);
}

static void on_refusal(void *context, enum result why, struct buf *body, const char **media_type) {
  (void)context;
  MUST(result_status(why) >= 400);
  *media_type = "text/plain";
  buf_put_text(body, result_name(why));
}

static bool on_reserve(void *context, size_t bytes) {
  struct side *s = context;
  s->reserved += bytes;
  MUST(s->reserved <= limits.body_bytes);
  return s->prompt || below(s, 16) != 0 || (s->reserved -= bytes, false);
}

static void on_release(void *context, size_t bytes) {
  struct side *s = context;
  MUST(bytes <= s->reserved);
  s->reserved -= bytes;
}

static void on_wake(void *connection) {
  (void)connection;
}

/* ---- the connection ---- */

static void open_side(struct side *s, bool prompt, uint64_t seed) {
  *s = (struct side){.prompt = prompt, .seen = buf_new(1u << 24), .random = seed | 1};
  s->events = (struct codec_events){s, on_request, on_gone, on_refusal, on_reserve, on_release};
  MUST(http1_new(&s->events, &limits, &s->peer, NULL, on_wake, &s->codec) == RESULT_OK);
}

static void close_side(struct side *s) {
  s->codec->ops->free(s->codec);
  MUST(s->held == NULL && s->reserved == 0);
}

static void produce(struct side *s, size_t most) {
  struct buf out = buf_new(1u << 24);
  s->codec->ops->produce(s->codec, &out, most);
  MUST(out.len <= most);
  buf_free(&out);
}

static void happen(struct side *s) {
  if (s->held != NULL && below(s, 3) == 0) answer(s);
  if (below(s, 2) == 0) produce(s, below(s, 5000));
  if (below(s, 64) == 0) s->codec->ops->drain(s->codec);
  if (below(s, 64) == 0) s->codec->ops->expire(s->codec);
  (void)s->codec->ops->wants_input(s->codec);
  (void)s->codec->ops->phase(s->codec);
}

/* Each piece in memory of its own, so that a read past it, or later, is seen. */
static void feed(struct side *s, struct span bytes, size_t most) {
  for (size_t at = 0; at < bytes.len;) {
    size_t left = bytes.len - at, n = most == 0 ? left : 1 + below(s, left < most ? left : most);
    uint8_t *piece = malloc(n);
    MUST(piece != NULL);
    memcpy(piece, bytes.data + at, n);
    s->codec->ops->receive(s->codec, span_of(piece, n));
    free(piece);
    at += n;
    if (s->prompt)
      produce(s, 1u << 20);
    else
      happen(s);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint64_t seed = 0;
  if (size < sizeof seed) return 0;
  memcpy(&seed, data, sizeof seed);
  struct span input = span_of(data + sizeof seed, size - sizeof seed);
  struct side whole, cut, wild;
  open_side(&whole, true, seed);
  feed(&whole, input, 0);
  open_side(&cut, true, seed);
  feed(&cut, input, 1 + (size_t)(seed & 63));
  MUST(span_equal(buf_span(&whole.seen), buf_span(&cut.seen)));
  MUST(whole.codec->ops->phase(whole.codec) == cut.codec->ops->phase(cut.codec));
  open_side(&wild, false, seed);
  feed(&wild, input, 1 + (size_t)(seed >> 8 & 1023));
  /* What an owner is handed however it behaves is the beginning of what a prompt one is handed. */
  MUST(wild.seen.len <= whole.seen.len && span_equal(buf_span(&wild.seen), span_of(whole.seen.data, wild.seen.len)));
  close_side(&whole);
  close_side(&cut);
  close_side(&wild);
  buf_free(&whole.seen);
  buf_free(&cut.seen);
  buf_free(&wild.seen);
  return 0;
}
