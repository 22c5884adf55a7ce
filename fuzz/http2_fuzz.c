/* A connection's life: records of one byte that says what happens and, for what is received, a length and that many
 * bytes. The owner's books must balance whatever the peer does. */
#include "base/clock.h"
#include "http/codec.h"

#define HELD_MAX 16
#define SPACE (64u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Instead of base/clock.c's: it passes when a deadline may have. */
static uint64_t now_ms;

uint64_t clock_monotonic_ms(void) {
  return now_ms;
}

struct owner {
  struct codec *codec;
  struct http_exchange *held[HELD_MAX];
  bool begun[HELD_MAX];
  size_t count, reserved;
};

static void require(bool condition) {
  if (!condition) abort();
}

static void forget(struct owner *o, size_t i) {
  o->count--;
  o->held[i] = o->held[o->count];
  o->begun[i] = o->begun[o->count];
}

static void on_request(void *context, struct http_exchange *x) {
  struct owner *o = context;
  const struct http_request *r = http_request_of(x);
  require(codec_token(r->method) && r->path.len > 0 && r->path.data[0] == '/');
  require(http_field_of(r, "host").len > 0 && r->body.len <= o->codec->limits->body_bytes);
  /* In one connection some are answered at once. */
  if (o->count == HELD_MAX || r->path.len > 1) {
    http_reply(x, 200, r->fields, 0, r->body);
    return;
  }
  o->begun[o->count] = false;
  o->held[o->count++] = x;
}

static void on_gone(void *context, struct http_exchange *x) {
  struct owner *o = context;
  size_t i = 0;
  while (i < o->count && o->held[i] != x) i++;
  require(i < o->count);
  forget(o, i);
}

static void on_refusal(void *context, enum result why, struct buf *body, const char **media_type) {
  (void)context, (void)media_type;
  buf_put_text(body, result_name(why));
}

static bool on_reserve(void *context, size_t bytes) {
  struct owner *o = context;
  if (bytes > SPACE - o->reserved) return false;
  o->reserved += bytes;
  return true;
}

static void on_release(void *context, size_t bytes) {
  struct owner *o = context;
  require(bytes <= o->reserved);
  o->reserved -= bytes;
}

static void on_wake(void *connection) {
  (void)connection;
}

static void produce(struct owner *o, size_t most) {
  struct buf out = buf_new(most);
  o->codec->ops->produce(o->codec, &out, most);
  require(!out.bad && out.len <= most);
  buf_free(&out);
}

static void receive(struct owner *o, struct span bytes) {
  uint8_t *own = malloc(bytes.len + 1); /* + 1: never a size of zero */
  require(own != NULL);
  if (bytes.len > 0) memcpy(own, bytes.data, bytes.len);
  if (o->codec->ops->wants_input(o->codec)) o->codec->ops->receive(o->codec, span_of(own, bytes.len));
  free(own);
}

static void reply(struct owner *o, uint8_t which) {
  static const uint8_t body[3000];
  size_t i = which % o->count;
  struct http_exchange *x = o->held[i];
  if (which & 0x10) {
    if (!o->begun[i]) http_begin(x, which & 0x20 ? 204 : 200, NULL, 0);
    o->begun[i] = true;
    if (which & 0x40) http_write(x, span_of(body, sizeof body));
    return;
  }
  if (o->begun[i])
    http_end(x);
  else
    http_reply(x, 200, NULL, 0, span_of(body, which & 0x40 ? sizeof body : 0));
  forget(o, i);
}

static void step(struct owner *o, struct cursor *c) {
  uint8_t what = cursor_u8(c);
  if (what < 0x80 && o->count > 0) reply(o, what);
  if (what == 0x80) now_ms += 10;
  if (what == 0x80) o->codec->ops->expire(o->codec);
  if (what == 0x81) o->codec->ops->drain(o->codec);
  if (what == 0x82) produce(o, 65536);
  if (what == 0x83) produce(o, 10);
  if (what < 0x84) return;
  size_t len = cursor_u8(c) + 256u * (what & 3u);
  if (len > c->rest.len) len = c->rest.len;
  receive(o, cursor_bytes(c, len));
  if (what & 8) produce(o, 65536);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const struct http_limits limits = {
      .head_bytes = 1000, .body_bytes = 20000, .streams = 20, .head_ms = 10, .body_ms = 30, .write_ms = 20};
  static struct http_peer peer;
  struct owner o = {.count = 0};
  const struct codec_events events = {&o, on_request, on_gone, on_refusal, on_reserve, on_release};
  struct cursor c = cursor_of(span_of(data, size));
  require(http2_new(&events, &limits, &peer, NULL, on_wake, &o.codec) == RESULT_OK);
  receive(&o, span_text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  while (c.rest.len > 0 && !c.bad) step(&o, &c);
  produce(&o, 1u << 20);
  require(o.codec->ops->phase(o.codec) <= CODEC_CLOSED);
  o.codec->ops->free(o.codec);
  require(o.count == 0 && o.reserved == 0);
  return 0;
}
