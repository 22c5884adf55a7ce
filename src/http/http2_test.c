#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include "http/codec.h"

#include <cmocka.h>

/* ---- time stands still unless a test moves it ---- */

static uint64_t now_ms = 1000000;

uint64_t __wrap_clock_monotonic_ms(void);
uint64_t __wrap_clock_monotonic_ms(void) {
  return now_ms;
}

/* ---- a server's side without a socket, and an owner ---- */

#define BODY_MAX 100000u
#define STREAMS 256u
#define SPACE (1u << 20)

struct side {
  struct codec *codec;
  struct http_peer peer;
  struct http_limits limits;
  struct codec_events events;
  bool hold;                           /* the owner answers later … */
  struct http_exchange *held[STREAMS]; /* … these */
  size_t held_count;
  size_t answer_bytes; /* of a reply made at once; 0: the request's own body */
  char seen[256];      /* the last request: "POST /a?b host=h 3" */
  struct buf body;     /* … and its body */
  size_t space, reserved;
  unsigned requests, gone, wakes;
  enum result refusal;
};

static void answer(const struct side *s, struct http_exchange *x) {
  static const uint8_t big[2u << 20];
  const struct http_field fields[] = {{span_text("content-type"), span_text("text/plain")}};
  struct span body = s->answer_bytes > 0 ? span_of(big, s->answer_bytes) : http_request_of(x)->body;
  http_reply(x, 200, fields, 1, body);
}

static void on_request(void *context, struct http_exchange *x) {
  struct side *s = context;
  const struct http_request *r = http_request_of(x);
  struct span host = http_field_of(r, "host");
  s->requests++;
  snprintf(s->seen, sizeof s->seen, "%.*s %.*s%s%.*s host=%.*s %zu", (int)r->method.len, (const char *)r->method.data,
           (int)r->path.len, (const char *)r->path.data, r->query.data != NULL ? "?" : "", (int)r->query.len,
           (const char *)r->query.data, (int)host.len, (const char *)host.data, r->body.len);
  buf_clear(&s->body);
  buf_put_span(&s->body, r->body);
  if (!s->hold) {
    answer(s, x);
    return;
  }
  assert_true(s->held_count < STREAMS);
  s->held[s->held_count++] = x;
}

static void on_gone(void *context, struct http_exchange *x) {
  struct side *s = context;
  size_t i = 0;
  while (i < s->held_count && s->held[i] != x) i++;
  assert_true(i < s->held_count);
  s->held[i] = s->held[--s->held_count];
  s->gone++;
}

static void on_refusal(void *context, enum result why, struct buf *body, const char **media_type) {
  struct side *s = context;
  s->refusal = why;
  *media_type = "application/problem+json";
  buf_put_text(body, result_name(why));
}

static bool on_reserve(void *context, size_t bytes) {
  struct side *s = context;
  if (bytes > s->space - s->reserved) return false;
  s->reserved += bytes;
  return true;
}

static void on_release(void *context, size_t bytes) {
  struct side *s = context;
  assert_true(bytes <= s->reserved);
  s->reserved -= bytes;
}

static void on_wake(void *connection) {
  ((struct side *)connection)->wakes++;
}

/* ---- a client: nghttp2's own, or bytes by hand ---- */

struct reply {
  int32_t id;
  unsigned informational, status;
  char length[24];
  size_t bytes;
  bool ended, closed;
  uint32_t error;
  char text[64]; /* the body's first bytes */
};

/* The window of a client that widens none by itself. */
#define THRIFTY 10

struct client {
  struct side side;
  nghttp2_session *session;
  struct buf wire; /* what a client without a session got */
  size_t seen;     /* … and looked at */
  size_t cut;      /* how many bytes the server gets at once; 0: all */
  struct reply replies[1100];
  size_t reply_count;
  unsigned goaways;
  uint32_t goaway_error;
  int32_t goaway_last;
  struct span upload[1100]; /* of a request; by reply */
};

static struct reply *reply_of(struct client *c, int32_t id) {
  for (size_t i = c->reply_count; i > 0; i--) {
    if (c->replies[i - 1].id == id) return &c->replies[i - 1];
  }
  fail_msg("no stream %d", id);
  return NULL;
}

static int got_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *context) {
  (void)session, (void)flags;
  struct reply *r = reply_of(context, frame->hd.stream_id);
  if (span_is(span_of(name, name_len), "content-length"))
    snprintf(r->length, sizeof r->length, "%.*s", (int)value_len, (const char *)value);
  if (!span_is(span_of(name, name_len), ":status")) return 0;
  unsigned status = (unsigned)strtoul((const char *)value, NULL, 10);
  if (status < 200)
    r->informational = status;
  else
    r->status = status;
  return 0;
}

static int got_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                    void *context) {
  (void)session, (void)flags;
  struct reply *r = reply_of(context, id);
  for (size_t i = 0; i < len && r->bytes + i < sizeof r->text - 1; i++) r->text[r->bytes + i] = (char)data[i];
  r->bytes += len;
  return 0;
}

static int got_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context) {
  (void)session;
  struct client *c = context;
  if (frame->hd.type == NGHTTP2_GOAWAY) {
    c->goaways++;
    c->goaway_error = frame->goaway.error_code;
    c->goaway_last = frame->goaway.last_stream_id;
  }
  bool part = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
  if (part && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) reply_of(c, frame->hd.stream_id)->ended = true;
  return 0;
}

static int got_close(nghttp2_session *session, int32_t id, uint32_t error, void *context) {
  (void)session;
  struct reply *r = reply_of(context, id);
  r->closed = true;
  r->error = error;
  return 0;
}

static void client_start(struct client *c, int32_t window) {
  nghttp2_session_callbacks *callbacks;
  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)window}};
  assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, got_field);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, got_data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, got_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, got_close);
  nghttp2_option *option;
  assert_int_equal(nghttp2_option_new(&option), 0);
  nghttp2_option_set_no_http_messaging(option, 1); /* it may send what nobody may */
  nghttp2_option_set_no_auto_window_update(option, window == THRIFTY);
  assert_int_equal(nghttp2_session_client_new2(&c->session, callbacks, c, option), 0);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  assert_int_equal(nghttp2_submit_settings(c->session, 0, settings, 1), 0);
}

static struct client *open_with(struct http_limits limits, int32_t window) {
  struct client *c = calloc(1, sizeof *c);
  assert_non_null(c);
  struct side *s = &c->side;
  s->limits = limits;
  s->limits.head_ms = 10000;
  s->limits.body_ms = 30000;
  s->limits.write_ms = 20000;
  s->space = SPACE;
  s->body = buf_new(BODY_MAX);
  s->events = (struct codec_events){s, on_request, on_gone, on_refusal, on_reserve, on_release};
  assert_int_equal(http2_new(&s->events, &s->limits, &s->peer, s, on_wake, &s->codec), RESULT_OK);
  c->wire = buf_new(16u << 20);
  client_start(c, window);
  return c;
}

static struct client *open_client(void) {
  return open_with((struct http_limits){.head_bytes = 16384, .body_bytes = BODY_MAX, .streams = STREAMS}, 1 << 20);
}

static void close_client(struct client *c) {
  c->side.codec->ops->free(c->side.codec);
  assert_int_equal(c->side.held_count, 0);
  assert_int_equal(c->side.reserved, 0);
  buf_free(&c->side.body);
  buf_free(&c->wire);
  nghttp2_session_del(c->session);
  free(c);
}

static enum codec_phase phase(const struct client *c) {
  return c->side.codec->ops->phase(c->side.codec);
}

static uint32_t number(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* A client without a session looks for GOAWAY only. */
static void look(struct client *c, struct span bytes) {
  buf_put_span(&c->wire, bytes);
  while (c->wire.len - c->seen >= 9) {
    const uint8_t *frame = c->wire.data + c->seen;
    size_t len = number(frame) >> 8;
    if (c->wire.len - c->seen < 9 + len) return;
    c->seen += 9 + len;
    if (frame[3] != NGHTTP2_GOAWAY) continue;
    c->goaways++;
    c->goaway_last = (int32_t)number(frame + 9);
    c->goaway_error = number(frame + 13);
  }
}

/* What the codec has to say, to the client; as a loop would, some of it at a time. */
static bool flush(struct client *c) {
  bool any = false;
  struct buf out = buf_new(65536);
  for (;;) {
    buf_clear(&out);
    c->side.codec->ops->produce(c->side.codec, &out, 10000);
    assert_false(out.bad);
    assert_true(out.len <= 10000);
    if (out.len == 0) break;
    any = true;
    if (c->session == NULL)
      look(c, buf_span(&out));
    else
      assert_int_equal(nghttp2_session_mem_recv(c->session, out.data, out.len), out.len);
  }
  buf_free(&out);
  return any;
}

/* Each piece in memory of its own size, freed at once: what is kept of it, or read past it, an ASan build sees. */
static void feed(struct client *c, struct span bytes) {
  size_t cut = c->cut == 0 ? 65536 : c->cut;
  for (size_t at = 0; at < bytes.len;) {
    size_t n = bytes.len - at < cut ? bytes.len - at : cut;
    uint8_t *piece = malloc(n);
    assert_non_null(piece);
    memcpy(piece, bytes.data + at, n);
    c->side.codec->ops->receive(c->side.codec, span_of(piece, n));
    free(piece);
    at += n;
  }
}

static bool send_all(struct client *c) {
  bool any = false;
  const uint8_t *data;
  for (ssize_t n; c->session != NULL && (n = nghttp2_session_mem_send(c->session, &data)) > 0; any = true)
    feed(c, span_of(data, (size_t)n));
  return any;
}

static void run(struct client *c) {
  while (send_all(c) | flush(c)) {
  }
}

static ssize_t upload(nghttp2_session *session, int32_t id, uint8_t *to, size_t most, uint32_t *flags,
                      nghttp2_data_source *source, void *context) {
  (void)session, (void)id, (void)context;
  struct span *rest = source->ptr;
  size_t n = rest->len < most ? rest->len : most;
  if (n > 0) memcpy(to, rest->data, n);
  *rest = span_of(rest->data + n, rest->len - n);
  if (rest->len == 0) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return (ssize_t)n;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): nghttp2's type */
static ssize_t never(nghttp2_session *session, int32_t id, uint8_t *to, size_t most, uint32_t *flags,
                     nghttp2_data_source *source, void *context) {
  (void)session, (void)id, (void)to, (void)most, (void)flags, (void)source, (void)context;
  return NGHTTP2_ERR_DEFERRED;
}

/* `fields`: lines of "name: value". `body` NULL: none; "…": one that never comes. */
static int32_t submit(struct client *c, const char *fields, const char *body, size_t body_len) {
  nghttp2_nv list[128];
  size_t count = 0;
  for (const char *line = fields; *line != '\0' && count < 128; count++) {
    const char *end = strchr(line, '\n'), *colon = strchr(line + 1, ':');
    list[count] = (nghttp2_nv){(uint8_t *)(uintptr_t)line, (uint8_t *)(uintptr_t)(colon + 2), (size_t)(colon - line),
                               (size_t)(end - colon - 2), 0};
    line = end + 1;
  }
  struct span *rest = &c->upload[c->reply_count];
  *rest = span_of(body, body_len);
  bool comes = body == NULL || strcmp(body, "…") != 0;
  nghttp2_data_provider provider = {.source = {.ptr = rest}, .read_callback = comes ? upload : never};
  int32_t id = nghttp2_submit_request(c->session, NULL, list, count, body == NULL ? NULL : &provider, NULL);
  assert_true(id > 0);
  c->replies[c->reply_count++] = (struct reply){.id = id};
  return id;
}

#define LINE(method, path) ":method: " method "\n:scheme: https\n:authority: a.example\n:path: " path "\n"
#define GET LINE("GET", "/")
#define POST LINE("POST", "/execute")

static struct reply *ask(struct client *c, const char *fields, const char *body) {
  int32_t id = submit(c, fields, body, body == NULL ? 0 : strlen(body));
  run(c);
  return reply_of(c, id);
}

static void put_frame(struct buf *out, uint8_t type, uint8_t flags, uint32_t id, struct span payload) {
  const uint8_t head[9] = {
      (uint8_t)(payload.len >> 16), (uint8_t)(payload.len >> 8), (uint8_t)payload.len, type,       flags,
      (uint8_t)(id >> 24),          (uint8_t)(id >> 16),         (uint8_t)(id >> 8),   (uint8_t)id};
  buf_put(out, head, sizeof head);
  buf_put_span(out, payload);
}

static void feed_frame(struct client *c, uint8_t type, uint8_t flags, uint32_t id, struct span payload) {
  struct buf out = buf_new(1u << 20);
  put_frame(&out, type, flags, id, payload);
  feed(c, buf_span(&out));
  buf_free(&out);
}

/* A client that has said hello, and whose frames are made by hand from here on. */
static struct client *open_half(void) {
  struct client *c = open_client();
  run(c);
  nghttp2_session_del(c->session);
  c->session = NULL;
  return c;
}

/* :method GET, :scheme https, :path /, :authority a — static table, and one literal */
static const uint8_t get_block[] = {0x82, 0x87, 0x84, 0x41, 0x01, 'a'};

/* ---- requests ---- */

static void test_requests(void **state) {
  (void)state;
  struct client *c = open_client();
  struct reply *r = ask(c, LINE("GET", "/a?b=1"), NULL);
  assert_string_equal(c->side.seen, "GET /a?b=1 host=a.example 0");
  assert_int_equal(r->status, 200);
  assert_string_equal(r->length, "0");
  assert_true(r->ended && r->closed);
  assert_int_equal(r->error, NGHTTP2_NO_ERROR);

  r = ask(c, POST "content-length: 5\n", "hello");
  assert_string_equal(c->side.seen, "POST /execute host=a.example 5");
  assert_string_equal(r->text, "hello");
  assert_string_equal(r->length, "5");
  r = ask(c, POST, "of no known length");
  assert_string_equal(r->text, "of no known length");
  assert_int_equal(phase(c), CODEC_IDLE);
  assert_int_equal(c->side.reserved, 0);
  close_client(c);
}

static void test_byte_by_byte(void **state) {
  (void)state;
  struct client *c = open_client();
  c->cut = 1;
  struct reply *r = ask(c, POST "content-length: 5\n", "hello");
  assert_string_equal(r->text, "hello");
  assert_int_equal(c->side.requests, 1);
  close_client(c);
}

static void test_no_body_where_none_may_be(void **state) {
  (void)state;
  struct client *c = open_client();
  c->side.answer_bytes = 1000;
  struct reply *r = ask(c, LINE("HEAD", "/"), NULL);
  assert_string_equal(r->length, "1000");
  assert_int_equal(r->bytes, 0);
  assert_true(r->closed);
  c->side.hold = true;
  static const int statuses[] = {204, 304};
  for (size_t i = 0; i < 2; i++) {
    r = ask(c, GET, NULL);
    http_reply(c->side.held[--c->side.held_count], statuses[i], NULL, 0, span_text("x"));
    run(c);
    assert_int_equal(r->status, statuses[i]);
    assert_int_equal(r->bytes, 0);
    assert_string_equal(r->length, "");
    assert_true(r->closed);
  }
  close_client(c);
}

static void test_large_reply(void **state) {
  (void)state;
  struct client *c = open_with((struct http_limits){16384, BODY_MAX, .streams = 8}, 1000);
  c->side.answer_bytes = 1u << 20;
  assert_int_equal(ask(c, GET, NULL)->bytes, 1u << 20);
  close_client(c);
}

/* Nobody looks at what is asked by somebody who does not take what he has. */
static void test_replies_that_wait(void **state) {
  (void)state;
  struct client *c = open_with((struct http_limits){16384, BODY_MAX, .streams = 64}, 0);
  c->side.answer_bytes = 600u << 10;
  for (int i = 0; i < 10; i++) submit(c, GET, NULL, 0);
  run(c);
  assert_int_equal(c->side.requests, 2);
  const nghttp2_settings_entry wide = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1u << 20};
  nghttp2_submit_settings(c->session, 0, &wide, 1);
  run(c);
  assert_int_equal(c->side.requests, 10);
  for (size_t i = 0; i < 10; i++) assert_int_equal(c->replies[i].bytes, 600u << 10);
  close_client(c);
}

/* ---- refusals ---- */

static const struct probe {
  const char *name, *fields, *body;
  unsigned status; /* 0: a stream error */
} probes[] = {
    {"host as the authority", GET "host: a.example\n", NULL, 200},
    {"host instead of the authority", ":method: GET\n:scheme: https\n:path: /\nhost: a\n", NULL, 200},
    {"te: trailers", GET "te: trailers\n", NULL, 200},
    {"cookies apart", GET "cookie: a=1\ncookie: b=2\n", NULL, 200},
    {"body as long as it said", POST "content-length: 3\n", "abc", 200},
    {"expectation", POST "expect: 100-continue\n", "abc", 200},
    {"expectation without a body", POST "expect: 100-continue\n", NULL, 200},
    {"host and authority differ", GET "host: b.example\n", NULL, 400},
    {"doubtful authority", ":method: GET\n:scheme: https\n:authority: u@a\n:path: /\n", NULL, 400},
    {"scheme", ":method: GET\n:scheme: ftp\n:authority: a\n:path: /\n", NULL, 400},
    {"content-type twice", POST "content-type: a/b\ncontent-type: a/b\n", "x", 400},
    {"authorization twice", GET "authorization: a\nauthorization: b\n", NULL, 400},
    {"control character", GET "x: a\001b\n", NULL, 400},
    {"upper case", GET "\001pper: a\n", NULL, 400},
    {"fragment", LINE("GET", "/a#b"), NULL, 400},
    {"asterisk", LINE("OPTIONS", "*"), NULL, 400},
    {"absolute path", LINE("GET", "http://a/"), NULL, 0},
    {"connect", ":method: CONNECT\n:authority: a:443\n", NULL, 400},
    {"another expectation", POST "expect: cake\n", "abc", 417},
    {"body announced too large", POST "content-length: 100001\n", "…", 413},
    {"host twice", ":method: GET\n:scheme: https\n:path: /\nhost: a\nhost: a\n", NULL, 0},
    {"neither host nor authority", ":method: GET\n:scheme: https\n:path: /\n", NULL, 0},
    {"no path", ":method: GET\n:scheme: https\n:authority: a\n", NULL, 0},
    {"empty path", ":method: GET\n:scheme: https\n:authority: a\n:path: \n", NULL, 0},
    {"path twice", LINE("GET", "/") ":path: /b\n", NULL, 0},
    {"no method", ":scheme: https\n:authority: a\n:path: /\n", NULL, 0},
    {"no scheme", ":method: GET\n:authority: a\n:path: /\n", NULL, 0},
    {"unknown pseudo-field", GET ":colour: red\n", NULL, 0},
    {"a reply's pseudo-field", GET ":status: 200\n", NULL, 0},
    {"extended connect", LINE("CONNECT", "/") ":protocol: websocket\n", NULL, 0},
    {"pseudo-field behind a field", ":method: GET\n:scheme: https\n:authority: a\nx: y\n:path: /\n", NULL, 0},
    {"connection", GET "connection: close\n", NULL, 0},
    {"keep-alive", GET "keep-alive: 5\n", NULL, 0},
    {"proxy-connection", GET "proxy-connection: close\n", NULL, 0},
    {"transfer-encoding", POST "transfer-encoding: chunked\n", "x", 0},
    {"upgrade", GET "upgrade: h2c\n", NULL, 0},
    {"te", GET "te: gzip\n", NULL, 0},
    {"content-length twice", POST "content-length: 3\ncontent-length: 3\n", "abc", 0},
    {"content-length is no number", POST "content-length: 3x\n", "abc", 0},
    {"body shorter than it said", POST "content-length: 4\n", "abc", 0},
    {"body longer than it said", POST "content-length: 2\n", "abc", 0},
    {"no body though it said so", POST "content-length: 2\n", NULL, 0},
};

static void test_probes(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
    const struct probe *p = &probes[i];
    for (size_t cut = 0; cut < 2; cut++) {
      struct client *c = open_client();
      c->cut = cut;
      struct reply *r = ask(c, p->fields, p->body);
      bool good = p->status == 200;
      if (r->status != p->status || c->side.requests != (good ? 1 : 0) ||
          r->closed != (p->body == NULL || strcmp(p->body, "…") != 0) ||
          (r->error == NGHTTP2_NO_ERROR) != (p->status != 0))
        fail_msg("%s: status %u, %u requests, closed %d, error %u", p->name, r->status, c->side.requests, r->closed,
                 r->error);
      if (p->status >= 400) assert_int_equal(result_status(c->side.refusal), p->status);
      /* The connection lives on. */
      assert_int_equal(ask(c, GET, NULL)->status, 200);
      close_client(c);
    }
  }
}

static void test_continue(void **state) {
  (void)state;
  struct client *c = open_client();
  struct reply *r = ask(c, POST "expect: 100-continue\n", "…");
  assert_int_equal(r->informational, 100);
  assert_int_equal(phase(c), CODEC_BODY);
  close_client(c);
}

static void test_trailers(void **state) {
  (void)state;
  struct client *c = open_client();
  int32_t id = submit(c, POST, "…", 0);
  const nghttp2_nv trailer = {(uint8_t *)(uintptr_t) "x", (uint8_t *)(uintptr_t) "y", 1, 1, 0};
  run(c);
  assert_int_equal(nghttp2_submit_headers(c->session, NGHTTP2_FLAG_END_STREAM, id, NULL, &trailer, 1, NULL), 0);
  run(c);
  assert_int_equal(reply_of(c, id)->status, 400);
  assert_int_equal(c->side.requests, 0);
  close_client(c);
}

static void test_head_too_large(void **state) {
  (void)state;
  struct client *c = open_client();
  struct buf fields = buf_new(1u << 20);
  buf_put_text(&fields, GET);
  for (int i = 0; i < 100; i++) buf_printf(&fields, "f%d: v\n", i); /* with host: one too many */
  buf_put_u8(&fields, 0);
  assert_int_equal(ask(c, (const char *)fields.data, NULL)->status, 431);

  buf_clear(&fields);
  buf_put_text(&fields, GET "x: ");
  for (int i = 0; i < 17000; i++) buf_put_u8(&fields, 'a');
  buf_put(&fields, "\n", 2);
  assert_int_equal(ask(c, (const char *)fields.data, NULL)->status, 431);
  assert_int_equal(c->side.requests, 0);
  assert_int_equal(ask(c, GET, NULL)->status, 200);
  buf_free(&fields);
  close_client(c);
}

static void test_body_too_large(void **state) {
  (void)state;
  struct client *c = open_client();
  char *body = calloc(1, BODY_MAX * 5);
  assert_non_null(body);
  int32_t id = submit(c, POST, body, (size_t)BODY_MAX * 5);
  run(c);
  struct reply *r = reply_of(c, id);
  assert_int_equal(r->status, 413);
  assert_true(r->ended);
  assert_true(c->upload[0].len > BODY_MAX * 3); /* the rest was not read */
  assert_int_equal(c->side.requests, 0);
  /* The connection's window is whole again: more than it has can still be sent. */
  for (int i = 0; i < 15; i++) {
    id = submit(c, POST, body, BODY_MAX);
    run(c);
    assert_int_equal(reply_of(c, id)->bytes, BODY_MAX);
  }
  free(body);
  close_client(c);
}

/* Space is taken as a body comes, not as it is announced. */
static void test_no_space_for_bodies(void **state) {
  (void)state;
  struct client *c = open_client();
  static const char body[30000];
  c->side.space = 20000;
  assert_int_equal(ask(c, POST "content-length: 50001\n", "…")->status, 0);
  assert_in_range(c->side.reserved, 1, 20000);
  assert_int_equal(ask(c, POST "content-length: 50000\n", "…")->status, 503);
  assert_int_equal(c->side.refusal, RESULT_BUSY);
  assert_int_equal(ask(c, POST, "x")->status, 503);
  c->side.space = 40000;
  int32_t id = submit(c, POST, body, sizeof body);
  run(c);
  assert_int_equal(reply_of(c, id)->status, 503);
  close_client(c);
}

/* Who leaves its refused requests open is told that they are over. */
static void test_lingering(void **state) {
  (void)state;
  struct client *c = open_client();
  for (int i = 0; i < 20; i++) assert_int_equal(ask(c, POST "content-length: 100001\n", "…")->status, 413);
  for (size_t i = 0; i < 20; i++) {
    assert_true(c->replies[i].ended);
    assert_int_equal(c->replies[i].closed, i < 12);
    assert_int_equal(c->replies[i].error, NGHTTP2_NO_ERROR);
  }
  assert_int_equal(phase(c), CODEC_IDLE);
  c->side.codec->ops->drain(c->side.codec);
  run(c);
  for (size_t i = 0; i < 20; i++) assert_true(c->replies[i].closed);
  assert_int_equal(phase(c), CODEC_CLOSED);
  close_client(c);
}

/* ---- replies in pieces ---- */

static void test_stream(void **state) {
  (void)state;
  struct client *c = open_client();
  c->side.hold = true;
  struct reply *r = ask(c, GET, NULL);
  struct http_exchange *x = c->side.held[0];
  http_begin(x, 200, NULL, 0);
  run(c);
  assert_int_equal(r->status, 200);
  assert_int_equal(phase(c), CODEC_HELD);
  unsigned wakes = c->side.wakes;
  assert_true(http_write(x, span_text("data: 1\n\n")));
  assert_int_equal(c->side.wakes, wakes + 1);
  run(c);
  assert_string_equal(r->text, "data: 1\n\n");
  assert_true(http_write(x, (struct span){NULL, 0}));
  assert_true(http_write(x, span_text("data: 2\n\n")));
  assert_true(http_write(x, span_text("data: 3\n\n")));
  c->side.held_count = 0;
  http_end(x);
  run(c);
  assert_string_equal(r->text, "data: 1\n\ndata: 2\n\ndata: 3\n\n");
  assert_true(r->closed);
  assert_int_equal(c->side.gone, 0);
  close_client(c);
}

static void test_stream_to_a_slow_reader(void **state) {
  (void)state;
  struct client *c = open_with((struct http_limits){16384, BODY_MAX, .streams = 8}, 0);
  static const uint8_t piece[10000];
  c->side.hold = true;
  struct reply *r = ask(c, GET, NULL);
  struct http_exchange *x = c->side.held[0];
  size_t written = 0;
  http_begin(x, 200, NULL, 0);
  while (http_write(x, span_of(piece, sizeof piece))) {
    written += sizeof piece;
    run(c);
    assert_true(written <= CODEC_STREAM_PENDING + sizeof piece);
  }
  assert_true(written > CODEC_STREAM_PENDING);
  nghttp2_submit_window_update(c->session, 0, r->id, 1 << 20);
  run(c);
  assert_int_equal(r->bytes, written);
  assert_true(http_write(x, span_of(piece, sizeof piece)));
  c->side.held_count = 0;
  http_end(x);
  run(c);
  assert_int_equal(r->bytes, written + sizeof piece);
  assert_true(r->closed);
  close_client(c);
}

static void expire(struct client *c);

/* A peer that lets no byte of a reply go for a whole period does not get it. */
static void take_more(struct client *c, const struct reply *r, int32_t bytes) {
  nghttp2_submit_window_update(c->session, 0, 0, bytes);
  nghttp2_submit_window_update(c->session, 0, r->id, bytes);
  run(c);
}

/* A trickle is not progress. */
static void test_reply_that_nobody_takes(void **state) {
  (void)state;
  struct client *c = open_with((struct http_limits){16384, BODY_MAX, .streams = 8}, THRIFTY);
  c->side.answer_bytes = 100000;
  struct reply *r = ask(c, GET, NULL);
  for (int i = 0; i < 3; i++) {
    now_ms += 15000;
    take_more(c, r, 20000);
    assert_int_equal(phase(c), CODEC_SENDING);
  }
  for (int i = 0; i < 19; i++) {
    now_ms += 1000;
    take_more(c, r, 100);
    expire(c);
  }
  assert_false(r->closed);
  now_ms += 1000;
  expire(c);
  assert_true(r->closed);
  assert_int_equal(r->error, NGHTTP2_CANCEL);
  assert_int_equal(r->bytes, THRIFTY + 61900);
  assert_int_equal(phase(c), CODEC_IDLE);
  close_client(c);
}

/* Nor does what else the connection does give it time. */
static void test_reply_that_nobody_takes_beside_others(void **state) {
  (void)state;
  struct client *c = open_with((struct http_limits){16384, BODY_MAX, .streams = 8}, 0);
  c->side.answer_bytes = 100000;
  struct reply *r = ask(c, GET, NULL);
  c->side.answer_bytes = 0;
  for (int i = 0; i < 4; i++) {
    assert_false(r->closed);
    now_ms += 5000;
    assert_int_equal(ask(c, GET, NULL)->status, 200);
  }
  assert_true(r->closed);
  close_client(c);
}

/* The owner of a reply in pieces hears of it. */
static void test_pieces_that_nobody_takes(void **state) {
  (void)state;
  struct client *c = open_with((struct http_limits){16384, BODY_MAX, .streams = 8}, THRIFTY);
  static const uint8_t piece[1000];
  c->side.hold = true;
  struct reply *r = ask(c, GET, NULL);
  http_begin(c->side.held[0], 200, NULL, 0);
  assert_true(http_write(c->side.held[0], span_of(piece, THRIFTY)));
  run(c);
  assert_int_equal(phase(c), CODEC_HELD);
  now_ms += 60000; /* the owner has the time it takes */
  assert_true(http_write(c->side.held[0], span_of(piece, sizeof piece)));
  run(c);
  assert_int_equal(phase(c), CODEC_SENDING);
  now_ms += 19999;
  expire(c);
  assert_int_equal(c->side.gone, 0);
  now_ms += 1;
  expire(c);
  assert_int_equal(c->side.gone, 1);
  assert_int_equal(c->side.held_count, 0);
  assert_true(r->closed);
  close_client(c);
}

static void test_stream_without_a_body(void **state) {
  (void)state;
  struct client *c = open_client();
  c->side.hold = true;
  struct reply *r = ask(c, LINE("HEAD", "/"), NULL);
  struct http_exchange *x = c->side.held[0];
  http_begin(x, 200, NULL, 0);
  assert_true(http_write(x, span_text("x")));
  run(c);
  assert_int_equal(r->status, 200);
  assert_int_equal(c->side.gone, 0);
  c->side.held_count = 0;
  http_end(x);
  run(c);
  assert_int_equal(r->bytes, 0);
  assert_true(r->closed);
  close_client(c);
}

static void test_unsound_replies(void **state) {
  (void)state;
  struct client *c = open_client();
  c->side.hold = true;
  const struct http_field bad = {span_text("x"), span_text("a\r\nb: c")};
  struct reply *r = ask(c, GET, NULL);
  http_reply(c->side.held[--c->side.held_count], 200, &bad, 1, span_text("body"));
  run(c);
  assert_int_equal(r->status, 500);
  assert_int_equal(r->bytes, 0);
  r = ask(c, GET, NULL);
  struct http_exchange *x = c->side.held[--c->side.held_count];
  http_begin(x, 100, NULL, 0);
  assert_true(http_write(x, span_text("body")));
  http_end(x);
  run(c);
  assert_int_equal(r->status, 500);
  assert_int_equal(r->bytes, 0);
  assert_true(r->closed);
  close_client(c);
}

/* ---- callers who leave ---- */

static void test_reset_of_a_held_request(void **state) {
  (void)state;
  struct client *c = open_client();
  c->side.hold = true;
  struct reply *first = ask(c, GET, NULL), *second = ask(c, GET, NULL);
  nghttp2_submit_rst_stream(c->session, 0, first->id, NGHTTP2_CANCEL);
  run(c);
  assert_int_equal(c->side.gone, 1);
  assert_int_equal(c->side.held_count, 1);
  answer(&c->side, c->side.held[--c->side.held_count]);
  run(c);
  assert_int_equal(second->status, 200);
  assert_int_equal(c->side.gone, 1);
  close_client(c);
}

static void test_reset_of_a_stream(void **state) {
  (void)state;
  struct client *c = open_client();
  c->side.hold = true;
  struct reply *r = ask(c, GET, NULL);
  http_begin(c->side.held[0], 200, NULL, 0);
  assert_true(http_write(c->side.held[0], span_text("x")));
  nghttp2_submit_rst_stream(c->session, 0, r->id, NGHTTP2_CANCEL);
  run(c);
  assert_int_equal(c->side.gone, 1);
  close_client(c);
}

static void test_free_with_held_requests(void **state) {
  (void)state;
  struct client *c = open_client();
  c->side.hold = true;
  ask(c, GET, NULL);
  ask(c, GET, NULL);
  http_begin(c->side.held[1], 200, NULL, 0);
  ask(c, POST, "…");
  c->side.codec->ops->free(c->side.codec);
  assert_int_equal(c->side.gone, 2);
  assert_int_equal(http2_new(&c->side.events, &c->side.limits, &c->side.peer, &c->side, on_wake, &c->side.codec),
                   RESULT_OK);
  close_client(c);
}

/* ---- floods ---- */

static void assert_ended(struct client *c, uint32_t error, unsigned goaways) {
  run(c);
  assert_int_equal(phase(c), CODEC_CLOSED);
  assert_false(c->side.codec->ops->wants_input(c->side.codec));
  assert_int_equal(c->goaways, goaways);
  assert_int_equal(c->goaway_error, error);
}

static void test_rapid_reset(void **state) {
  (void)state;
  struct client *c = open_half();
  c->side.hold = true;
  size_t rounds = 0;
  for (; rounds < 5000 && phase(c) != CODEC_CLOSED; rounds++) {
    uint32_t id = (uint32_t)(2 * rounds + 1);
    feed_frame(c, NGHTTP2_HEADERS, 5, id, span_of(get_block, sizeof get_block));
    feed_frame(c, NGHTTP2_RST_STREAM, 0, id, span_of("\0\0\0\10", 4));
    flush(c);
  }
  assert_int_equal(rounds, STREAMS + 1);
  assert_int_equal(c->side.requests, STREAMS + 1);
  assert_int_equal(c->side.gone, STREAMS + 1);
  assert_ended(c, NGHTTP2_ENHANCE_YOUR_CALM, 1);
  close_client(c);
}

/* All in one piece: what is reset before the owner could see it is not started. */
static void test_rapid_reset_at_once(void **state) {
  (void)state;
  struct client *c = open_half();
  struct buf wire = buf_new(1u << 20);
  c->side.hold = true;
  for (uint32_t id = 1; id < 4000; id += 2) {
    put_frame(&wire, NGHTTP2_HEADERS, 5, id, span_of(get_block, sizeof get_block));
    put_frame(&wire, NGHTTP2_RST_STREAM, 0, id, span_of("\0\0\0\10", 4));
  }
  feed(c, buf_span(&wire));
  assert_int_equal(c->side.requests, 0);
  buf_free(&wire);
  assert_ended(c, NGHTTP2_ENHANCE_YOUR_CALM, 1);
  close_client(c);
}

/* The peer has the server reset (CVE-2025-8671): a window past its most is an error of the stream's. */
static void test_made_resets(void **state) {
  (void)state;
  struct client *c = open_half();
  c->side.hold = true;
  for (uint32_t id = 1; id < 2000 && phase(c) != CODEC_CLOSED; id += 2) {
    feed_frame(c, NGHTTP2_HEADERS, 5, id, span_of(get_block, sizeof get_block));
    feed_frame(c, NGHTTP2_WINDOW_UPDATE, 0, id, span_of("\177\377\377\377", 4));
    flush(c);
  }
  assert_true(c->side.requests <= STREAMS + 1);
  assert_ended(c, NGHTTP2_ENHANCE_YOUR_CALM, 1);
  close_client(c);
}

/* … but whoever takes replies as well may give up as many. */
static void test_resets_among_replies(void **state) {
  (void)state;
  struct client *c = open_client();
  c->side.limits.streams = 4;
  for (int i = 0; i < 8; i++) {
    c->side.hold = i % 2 == 0;
    struct reply *r = ask(c, GET, NULL);
    if (c->side.hold) nghttp2_submit_rst_stream(c->session, 0, r->id, NGHTTP2_CANCEL);
    run(c);
  }
  assert_int_equal(c->side.gone, 4);
  assert_int_equal(phase(c), CODEC_IDLE);
  close_client(c);
}

static void test_continuation_flood(void **state) {
  (void)state;
  struct client *c = open_half();
  feed_frame(c, NGHTTP2_HEADERS, 1, 1, span_of(get_block, sizeof get_block));
  for (int i = 0; i < 20; i++) feed_frame(c, NGHTTP2_CONTINUATION, 0, 1, (struct span){NULL, 0});
  assert_ended(c, NGHTTP2_ENHANCE_YOUR_CALM, 1);
  assert_int_equal(c->side.requests, 0);
  close_client(c);
}

/* A small block that means a large list (RFC 7541 §7): one entry of the table, again and again. */
static void test_hpack_bomb(void **state) {
  (void)state;
  struct client *c = open_half();
  struct buf block = buf_new(1u << 20);
  buf_put(&block, get_block, sizeof get_block);
  static const uint8_t literal[] = {0x40, 0x01, 'x', 0x7f, 0x81, 0x1e}; /* 4,000 bytes, to be kept */
  buf_put(&block, literal, sizeof literal);
  for (int i = 0; i < 4000; i++) buf_put_u8(&block, 'a');
  for (int i = 0; i < 10000; i++) buf_put_u8(&block, 0xbe);
  feed_frame(c, NGHTTP2_HEADERS, 5, 1, buf_span(&block));
  buf_free(&block);
  assert_ended(c, NGHTTP2_ENHANCE_YOUR_CALM, 1);
  assert_int_equal(c->side.requests, 0);
  close_client(c);
}

static void feed_many(struct client *c, unsigned count, uint8_t type, uint32_t id, struct span payload) {
  struct buf wire = buf_new(1u << 20);
  for (unsigned i = 0; i < count; i++) put_frame(&wire, type, 0, id, payload);
  feed(c, buf_span(&wire));
  buf_free(&wire);
}

static void test_ping_flood(void **state) {
  (void)state;
  struct client *c = open_half();
  feed_many(c, 1000, NGHTTP2_PING, 0, span_of("12345678", 8));
  assert_ended(c, NGHTTP2_ENHANCE_YOUR_CALM, 1);
  close_client(c);
  /* Taken one by one no queue grows; yet it comes to an end. */
  c = open_half();
  unsigned pings = 0;
  for (; pings < 20000 && phase(c) != CODEC_CLOSED; pings++) {
    feed_many(c, 1, NGHTTP2_PING, 0, span_of("12345678", 8));
    flush(c);
  }
  assert_true(pings > 5000 && pings <= 10001);
  assert_ended(c, NGHTTP2_ENHANCE_YOUR_CALM, 1);
  close_client(c);
}

static void test_settings_flood(void **state) {
  (void)state;
  struct client *c = open_half();
  feed_many(c, 1000, NGHTTP2_SETTINGS, 0, (struct span){NULL, 0});
  assert_ended(c, NGHTTP2_ENHANCE_YOUR_CALM, 1);
  close_client(c);
  c = open_half();
  uint8_t many[6 * 40] = {0};
  for (size_t i = 0; i < 40; i++) many[6 * i + 1] = 0xff; /* unknown ones */
  feed_many(c, 1, NGHTTP2_SETTINGS, 0, span_of(many, sizeof many));
  run(c);
  assert_int_equal(phase(c), CODEC_CLOSED);
  assert_int_equal(c->goaways, 1);
  close_client(c);
}

static void test_empty_data_flood(void **state) {
  (void)state;
  struct client *c = open_half();
  static const uint8_t post_block[] = {0x83, 0x87, 0x84, 0x41, 0x01, 'a'};
  feed_frame(c, NGHTTP2_HEADERS, 4, 1, span_of(post_block, sizeof post_block));
  feed_many(c, 10001, NGHTTP2_DATA, 1, (struct span){NULL, 0});
  assert_ended(c, NGHTTP2_ENHANCE_YOUR_CALM, 1);
  assert_int_equal(c->side.requests, 0);
  close_client(c);
}

/* ---- malformed connections ---- */

static const struct malformed {
  const char *name;
  uint8_t type, flags;
  uint32_t id;
  const char *payload;
  size_t len;
} malformed[] = {
    {"data on stream 0", 0, 0, 0, "x", 1},
    {"data on an idle stream", 0, 0, 1, "x", 1},
    {"fields on stream 0", 1, 5, 0, "\202", 1},
    {"fields on an even stream", 1, 5, 2, "\202", 1},
    {"padding longer than its frame", 1, 13, 1, "\7\202", 2},
    {"a block that is no HPACK", 1, 5, 1, "\377\377\377\377\377\377\377\377", 8},
    {"an index past the table", 1, 5, 1, "\376", 1},
    {"reset of stream 0", 3, 0, 0, "\0\0\0\10", 4},
    {"reset of an idle stream", 3, 0, 1, "\0\0\0\10", 4},
    {"reset of a wrong size", 3, 0, 1, "\0\0\0", 3},
    {"settings on a stream", 4, 0, 1, "", 0},
    {"settings of a wrong size", 4, 0, 0, "\0\0\0", 3},
    {"settings out of range", 4, 0, 0, "\0\4\377\377\377\377", 6},
    {"a push", 5, 4, 1, "\0\0\0\2\202", 5},
    {"a ping of a wrong size", 6, 0, 0, "1234567", 7},
    {"a window of zero more", 8, 0, 0, "\0\0\0\0", 4},
    {"a window past its most", 8, 0, 0, "\177\377\377\377", 4},
    {"a continuation of nothing", 9, 4, 1, "\202", 1},
};

static void test_malformed(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
    const struct malformed *m = &malformed[i];
    struct client *c = open_half();
    feed_frame(c, m->type, m->flags, m->id, span_of(m->payload, m->len));
    run(c);
    if (phase(c) != CODEC_CLOSED || c->goaways != 1 || c->goaway_error == NGHTTP2_NO_ERROR)
      fail_msg("%s: phase %d, %u GOAWAYs, error %u", m->name, (int)phase(c), c->goaways, c->goaway_error);
    assert_int_equal(c->side.requests, 0);
    close_client(c);
  }
}

static void test_bad_preface(void **state) {
  (void)state;
  struct client *c = open_client();
  feed(c, span_text("PRI * HTTP/2.0\r\n\r\nSM\r\n\rX and so on"));
  flush(c);
  assert_int_equal(phase(c), CODEC_CLOSED);
  feed(c, span_of(get_block, sizeof get_block)); /* no more than passed over */
  close_client(c);
  c = open_half();
  struct buf wire = buf_new(1u << 20);
  static const uint8_t zeros[20000];
  put_frame(&wire, NGHTTP2_DATA, 0, 1, span_of(zeros, sizeof zeros));
  feed(c, buf_span(&wire));
  buf_free(&wire);
  assert_ended(c, NGHTTP2_FRAME_SIZE_ERROR, 1);
  close_client(c);
}

/* ---- limits, deadlines, the end ---- */

static void test_streams_at_a_time(void **state) {
  (void)state;
  struct client *c = open_with((struct http_limits){16384, BODY_MAX, .streams = 2}, 65535);
  c->side.hold = true;
  run(c);
  /* nghttp2's client keeps to the limit: these three are by hand. */
  for (uint32_t id = 1; id <= 5; id += 2) feed_frame(c, NGHTTP2_HEADERS, 5, id, span_of(get_block, sizeof get_block));
  assert_int_equal(c->side.requests, 2);
  close_client(c);
  /* … and with it, all come one after the other. */
  c = open_with((struct http_limits){16384, BODY_MAX, .streams = 2}, 65535);
  run(c); /* … which it knows of */
  for (int i = 0; i < 10; i++) submit(c, POST, "abc", 3);
  run(c);
  assert_int_equal(c->side.requests, 10);
  assert_string_equal(c->replies[9].text, "abc");
  close_client(c);
}

static void test_256_held(void **state) {
  (void)state;
  struct client *c = open_client();
  c->side.hold = true;
  for (size_t i = 0; i < STREAMS; i++) submit(c, POST "content-length: 3\n", "abc", 3);
  run(c);
  assert_int_equal(c->side.held_count, STREAMS);
  assert_int_equal(phase(c), CODEC_HELD);
  while (c->side.held_count > 0) answer(&c->side, c->side.held[--c->side.held_count]);
  run(c);
  for (size_t i = 0; i < STREAMS; i++) assert_string_equal(c->replies[i].text, "abc");
  assert_int_equal(phase(c), CODEC_IDLE);
  close_client(c);
}

static void test_1000_streams(void **state) {
  (void)state;
  struct client *c = open_client();
  for (size_t i = 0; i < 1000; i++) submit(c, POST, "abc", 3);
  run(c);
  assert_int_equal(c->side.requests, 1000);
  for (size_t i = 0; i < 1000; i++) assert_string_equal(c->replies[i].text, "abc");
  close_client(c);
}

static void expire(struct client *c) {
  c->side.codec->ops->expire(c->side.codec);
  run(c);
}

static void test_deadline_of_a_body(void **state) {
  (void)state;
  struct client *c = open_client();
  c->side.hold = true;
  struct reply *held = ask(c, GET, NULL);
  assert_int_equal(phase(c), CODEC_HELD);
  struct reply *first = ask(c, POST, "…");
  now_ms += 20000;
  struct reply *second = ask(c, POST, "…");
  assert_int_equal(phase(c), CODEC_BODY);
  now_ms += 9999;
  expire(c);
  assert_int_equal(first->status, 0);
  now_ms += 1;
  expire(c);
  assert_int_equal(first->status, 408);
  assert_true(first->ended);
  assert_int_equal(second->status, 0);
  assert_int_equal(phase(c), CODEC_BODY);
  now_ms += 20000;
  expire(c);
  assert_int_equal(second->status, 408);
  assert_int_equal(phase(c), CODEC_HELD);
  now_ms += 1000000;
  expire(c); /* nothing arrives: nobody's deadline */
  answer(&c->side, c->side.held[--c->side.held_count]);
  run(c);
  assert_int_equal(held->status, 200);
  close_client(c);
}

/* However busy the connection is with others, and whichever phase it is in. */
static void test_deadline_of_a_body_beside_others(void **state) {
  (void)state;
  struct client *c = open_client();
  struct reply *drips = ask(c, POST, "…");
  for (int i = 0; i < 6; i++) {
    assert_int_equal(drips->status, 0);
    now_ms += 5000;
    assert_int_equal(ask(c, GET, NULL)->status, 200);
  }
  assert_int_equal(drips->status, 408);
  close_client(c);
}

static void test_deadline_of_a_head(void **state) {
  (void)state;
  struct client *c = open_half();
  struct buf wire = buf_new(1000);
  put_frame(&wire, NGHTTP2_HEADERS, 5, 1, span_of(get_block, sizeof get_block));
  feed(c, span_of(wire.data, wire.len - 1));
  buf_free(&wire);
  run(c);
  assert_int_equal(phase(c), CODEC_HEAD);
  now_ms += 10000;
  c->side.codec->ops->expire(c->side.codec);
  assert_ended(c, NGHTTP2_NO_ERROR, 1);
  close_client(c);
}

static void test_idle(void **state) {
  (void)state;
  struct client *c = open_half();
  assert_int_equal(phase(c), CODEC_IDLE);
  c->side.codec->ops->expire(c->side.codec);
  assert_ended(c, NGHTTP2_NO_ERROR, 1);
  close_client(c);
}

static void test_drain(void **state) {
  (void)state;
  struct client *c = open_client();
  c->side.hold = true;
  struct reply *r = ask(c, GET, NULL);
  c->side.codec->ops->drain(c->side.codec);
  c->side.codec->ops->drain(c->side.codec);
  flush(c);
  assert_int_equal(c->goaways, 1);
  assert_int_equal(c->goaway_last, INT32_MAX);
  run(c);
  assert_int_equal(c->goaways, 2);
  assert_int_equal(c->goaway_last, r->id);
  assert_int_equal(c->goaway_error, NGHTTP2_NO_ERROR);
  assert_int_equal(phase(c), CODEC_HELD);
  answer(&c->side, c->side.held[--c->side.held_count]);
  run(c);
  assert_int_equal(r->status, 200);
  assert_true(r->closed);
  assert_int_equal(phase(c), CODEC_CLOSED);
  close_client(c);
}

static void test_drain_of_an_idle_connection(void **state) {
  (void)state;
  struct client *c = open_half();
  c->side.codec->ops->drain(c->side.codec);
  flush(c);
  assert_int_equal(c->goaway_last, INT32_MAX);
  /* What was on its way when the first GOAWAY was sent is served. */
  feed_frame(c, NGHTTP2_HEADERS, 5, 1, span_of(get_block, sizeof get_block));
  flush(c);
  assert_int_equal(c->side.requests, 1);
  assert_int_equal(phase(c), CODEC_IDLE);
  feed_frame(c, NGHTTP2_PING, 1, 0, span_of("\0\0\0\0\0\0\0\0", 8));
  assert_ended(c, NGHTTP2_NO_ERROR, 2);
  assert_int_equal(c->goaway_last, 1);
  feed_frame(c, NGHTTP2_HEADERS, 5, 3, span_of(get_block, sizeof get_block));
  assert_int_equal(c->side.requests, 1);
  close_client(c);
}

static void test_goaway_of_the_peer(void **state) {
  (void)state;
  struct client *c = open_client();
  c->side.hold = true;
  struct reply *r = ask(c, GET, NULL);
  nghttp2_submit_goaway(c->session, 0, 0, NGHTTP2_NO_ERROR, NULL, 0);
  run(c);
  assert_int_equal(phase(c), CODEC_HELD);
  answer(&c->side, c->side.held[--c->side.held_count]);
  run(c);
  assert_int_equal(r->status, 200);
  assert_int_equal(phase(c), CODEC_CLOSED);
  close_client(c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_requests),
      cmocka_unit_test(test_byte_by_byte),
      cmocka_unit_test(test_no_body_where_none_may_be),
      cmocka_unit_test(test_large_reply),
      cmocka_unit_test(test_replies_that_wait),
      cmocka_unit_test(test_probes),
      cmocka_unit_test(test_continue),
      cmocka_unit_test(test_trailers),
      cmocka_unit_test(test_head_too_large),
      cmocka_unit_test(test_body_too_large),
      cmocka_unit_test(test_no_space_for_bodies),
      cmocka_unit_test(test_lingering),
      cmocka_unit_test(test_stream),
      cmocka_unit_test(test_stream_to_a_slow_reader),
      cmocka_unit_test(test_reply_that_nobody_takes),
      cmocka_unit_test(test_reply_that_nobody_takes_beside_others),
      cmocka_unit_test(test_pieces_that_nobody_takes),
      cmocka_unit_test(test_stream_without_a_body),
      cmocka_unit_test(test_unsound_replies),
      cmocka_unit_test(test_reset_of_a_held_request),
      cmocka_unit_test(test_reset_of_a_stream),
      cmocka_unit_test(test_free_with_held_requests),
      cmocka_unit_test(test_rapid_reset),
      cmocka_unit_test(test_rapid_reset_at_once),
      cmocka_unit_test(test_made_resets),
      cmocka_unit_test(test_resets_among_replies),
      cmocka_unit_test(test_continuation_flood),
      cmocka_unit_test(test_hpack_bomb),
      cmocka_unit_test(test_ping_flood),
      cmocka_unit_test(test_settings_flood),
      cmocka_unit_test(test_empty_data_flood),
      cmocka_unit_test(test_malformed),
      cmocka_unit_test(test_bad_preface),
      cmocka_unit_test(test_streams_at_a_time),
      cmocka_unit_test(test_256_held),
      cmocka_unit_test(test_1000_streams),
      cmocka_unit_test(test_deadline_of_a_body),
      cmocka_unit_test(test_deadline_of_a_body_beside_others),
      cmocka_unit_test(test_deadline_of_a_head),
      cmocka_unit_test(test_idle),
      cmocka_unit_test(test_drain),
      cmocka_unit_test(test_drain_of_an_idle_connection),
      cmocka_unit_test(test_goaway_of_the_peer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
