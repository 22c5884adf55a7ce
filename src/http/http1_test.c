#include <setjmp.h>
#include <stdarg.h>

#include "http/codec.h"
#include "http/llhttp.h"

#include <cmocka.h>

/* ---- a connection without a socket, and an owner ---- */

#define BODY_MAX 100000u

struct side {
  struct codec *codec;
  struct http_peer peer;
  struct http_limits limits;
  struct codec_events events;
  bool hold;                  /* the owner answers later */
  struct http_exchange *held; /* … this one */
  struct buf seen;            /* what the owner was asked: "POST /a?b 3:abc;" */
  struct buf sent;            /* what the client got */
  size_t space, reserved;     /* for bodies */
  unsigned requests, gone, wakes;
  enum result refusal;
};

static void answer(struct side *s, struct http_exchange *x) {
  const struct http_field fields[] = {{span_text("content-type"), span_text("text/plain")}};
  (void)s;
  http_reply(x, 200, fields, 1, http_request_of(x)->body);
}

static void on_request(void *context, struct http_exchange *x) {
  struct side *s = context;
  const struct http_request *r = http_request_of(x);
  s->requests++;
  buf_put_span(&s->seen, r->method);
  buf_put_text(&s->seen, " ");
  buf_put_span(&s->seen, r->path);
  if (r->query.data != NULL) buf_put_text(&s->seen, "?");
  buf_put_span(&s->seen, r->query);
  buf_printf(&s->seen, " %zu:", r->body.len);
  buf_put_span(&s->seen, r->body);
  buf_put_text(&s->seen, ";");
  assert_null(s->held);
  if (s->hold)
    s->held = x;
  else
    answer(s, x);
}

static void on_gone(void *context, struct http_exchange *x) {
  struct side *s = context;
  assert_ptr_equal(s->held, x);
  s->held = NULL;
  s->gone++;
}

static void on_refusal(void *context, enum result why, struct buf *body, const char **media_type) {
  struct side *s = context;
  s->refusal = why;
  *media_type = "application/problem+json";
  buf_printf(body, "{\"error_code\":\"%s\"}", result_name(why));
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

static void side_open(struct side *s) {
  *s = (struct side){
      .limits = {.head_bytes = 16384, .body_bytes = BODY_MAX},
      .seen = buf_new(16u << 20),
      .sent = buf_new(64u << 20),
      .space = 1u << 20,
  };
  s->events = (struct codec_events){s, on_request, on_gone, on_refusal, on_reserve, on_release};
  assert_int_equal(http1_new(&s->events, &s->limits, &s->peer, s, on_wake, &s->codec), RESULT_OK);
}

static void side_close(struct side *s) {
  s->codec->ops->free(s->codec);
  assert_null(s->held);
  assert_int_equal(s->reserved, 0);
  buf_free(&s->seen);
  buf_free(&s->sent);
}

static void flush(struct side *s) {
  size_t before;
  do {
    before = s->sent.len;
    s->codec->ops->produce(s->codec, &s->sent, s->sent.len + 4096);
  } while (s->sent.len > before);
}

static void feed(struct side *s, struct span bytes) {
  s->codec->ops->receive(s->codec, bytes);
  flush(s);
}

static void feed_text(struct side *s, const char *text) {
  feed(s, span_text(text));
}

static enum codec_phase phase(const struct side *s) {
  return s->codec->ops->phase(s->codec);
}

static bool wants_input(const struct side *s) {
  return s->codec->ops->wants_input(s->codec);
}

static bool contains(struct span s, const char *text) {
  return memmem(s.data, s.len, text, strlen(text)) != NULL;
}

static void assert_sent(const struct side *s, const char *text) {
  if (contains(buf_span(&s->sent), text)) return;
  fail_msg("not sent: %s\nbut: %.*s", text, (int)s->sent.len, (const char *)s->sent.data);
}

static void assert_seen(const struct side *s, const char *text) {
  if (span_is(buf_span(&s->seen), text)) return;
  fail_msg("not seen: %s\nbut: %.*s", text, (int)s->seen.len, (const char *)s->seen.data);
}

/* The statuses of all replies: "100 200 400". Bodies here never look like one. */
static void statuses(struct span sent, char *out, size_t size) {
  struct buf list = buf_fixed(out, size - 1);
  for (size_t i = 0; i + 12 <= sent.len; i++) {
    if (memcmp(sent.data + i, "HTTP/1.1 ", 9) != 0) continue;
    if (list.len > 0) buf_put_text(&list, " ");
    buf_put(&list, sent.data + i + 9, 3);
  }
  assert_false(list.bad);
  out[list.len] = '\0';
}

static void assert_statuses(const struct side *s, const char *wanted) {
  char got[256];
  statuses(buf_span(&s->sent), got, sizeof got);
  assert_string_equal(got, wanted);
}

/* ---- how input is cut ---- */

static uint64_t random_state = 88172645463325252u;

static size_t below(size_t n) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return n == 0 ? 0 : (size_t)(random_state % n);
}

enum cut { WHOLE, BYTES, RANDOM, CUTS };

/* Each piece in memory of its own size, freed at once: what is kept of it, or read past it, an ASan build sees. */
static void feed_cut(struct side *s, struct span bytes, enum cut cut) {
  for (size_t at = 0; at < bytes.len;) {
    size_t left = bytes.len - at, n = cut == WHOLE ? left : cut == BYTES ? 1 : 1 + below(left);
    uint8_t *piece = malloc(n);
    assert_non_null(piece);
    memcpy(piece, bytes.data + at, n);
    feed(s, span_of(piece, n));
    free(piece);
    at += n;
  }
}

/* ---- what must be refused, and what not ---- */

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST /execute HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

/* name, request (a literal: it may contain NULs), statuses, what the owner saw */
#define P(name, request, statuses, seen) \
  { name, request, sizeof(request) - 1, statuses, seen }

static const struct probe {
  const char *name, *request;
  size_t len;
  const char *statuses, *seen;
} probes[] = {
    /* c-libraries.md, table 2.2 */
    P("TE and CL", POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "400", ""),
    P("CL and TE", POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", "400", ""),
    P("two lengths", POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "400", ""),
    P("two equal lengths", POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "400", ""),
    P("list of lengths", POST "Content-Length: 3, 3\r\n\r\nabc", "400", ""),
    P("length +3", POST "Content-Length: +3\r\n\r\nabc", "400", ""),
    P("length -3", POST "Content-Length: -3\r\n\r\nabc", "400", ""),
    P("length 3 3", POST "Content-Length: 3 3\r\n\r\nabc", "400", ""),
    P("length 0x3", POST "Content-Length: 0x3\r\n\r\nabc", "400", ""),
    P("length empty", POST "Content-Length:\r\n\r\n", "400", ""),
    P("length past 64 bits", POST "Content-Length: 18446744073709551616\r\n\r\n", "400", ""),
    P("space before colon", GET "X : b\r\n\r\n", "400", ""),
    P("space before colon of TE", POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "400", ""),
    P("tab before colon", GET "X\t: b\r\n\r\n", "400", ""),
    P("TE gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "400", ""),
    P("TE chunked, chunked", POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "400", ""),
    P("TE twice", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400", ""),
    P("TE identity", POST "Transfer-Encoding: identity\r\n\r\n", "400", ""),
    P("TE xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "400", ""),
    P("TE chunked;a", POST "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n", "400", ""),
    P("TE empty", POST "Transfer-Encoding:\r\n\r\n", "400", ""),
    P("TE in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400", ""),
    P("folded field", GET "X: b\r\n c\r\n\r\n", "400", ""),
    P("folded field, tab", GET "X: b\r\n\tc\r\n\r\n", "400", ""),
    P("folded first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400", ""),
    P("no Host", "GET / HTTP/1.1\r\n\r\n", "400", ""),
    P("two Hosts", GET "Host: a\r\n\r\n", "400", ""),
    P("empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "400", ""),
    P("Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400", ""),
    P("Host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "400", ""),
    P("Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400", ""),
    P("bare LF after the line", "GET / HTTP/1.1\nHost: a\r\n\r\n", "400", ""),
    P("bare LF after a field", "GET / HTTP/1.1\r\nHost: a\n\r\n", "400", ""),
    P("bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", "400", ""),
    P("only bare LFs", "GET / HTTP/1.1\nHost: a\n\n", "400", ""),
    P("bare CR in a value", GET "X: a\rb\r\n\r\n", "400", ""),
    P("bare CR at the end", GET "\r\r\n", "400", ""),
    P("NUL in a value", GET "X: a\0b\r\n\r\n", "400", ""),
    P("control character in a value",
      GET "X: a\x01"
          "b\r\n\r\n",
      "400", ""),
    P("DEL in a value", GET "X: a\x7f\r\n\r\n", "400", ""),
    P("content type twice", POST "Content-Type: a\r\nContent-Type: a\r\n\r\n", "400", ""),
    P("authorization twice", GET "Authorization: a\r\nauthorization: b\r\n\r\n", "400", ""),
    P("x-user-id twice", GET "X-User-ID: a\r\nx-user-id: b\r\n\r\n", "400", ""),
    P("x-service-token twice", GET "X-Service-Token: a\r\nX-Service-Token: a\r\n\r\n", "400", ""),
    P("idempotency-key twice", GET "Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n", "400", ""),
    /* the request line */
    P("no version", "GET /\r\nHost: a\r\n\r\n", "400", ""),
    P("HTTP/0.9", "GET /\r\n\r\n", "400", ""),
    P("HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", "400", ""),
    P("HTTP/2.0", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400", ""),
    P("HTTP/11.1", "GET / HTTP/11.1\r\nHost: a\r\n\r\n", "400", ""),
    P("http/1.1", "GET / http/1.1\r\nHost: a\r\n\r\n", "400", ""),
    P("two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "400", ""),
    P("space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "400", ""),
    P("tab in the line", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "400", ""),
    P("space after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "400", ""),
    P("space before the method", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", "400", ""),
    P("method is no token", "G{T / HTTP/1.1\r\nHost: a\r\n\r\n", "400", ""),
    P("fragment", "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", "400", ""),
    P("target beyond ASCII", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", "400", ""),
    P("asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "400", ""),
    P("authority", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", "400", ""),
    P("CONNECT to a path", "CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n", "400", ""),
    P("other scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "400", ""),
    P("absolute, other host", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "400", ""),
    P("absolute, no host", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", "400", ""),
    P("absolute, no Host", "GET http://a/ HTTP/1.0\r\n\r\n", "400", ""),
    P("relative", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", "400", ""),
    P("two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400", ""),
    P("a TLS client", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc", "400", ""),
    /* fields */
    P("no colon", GET "X\r\n\r\n", "400", ""),
    P("no name", GET ": b\r\n\r\n", "400", ""),
    P("pseudo-field", GET ":method: PUT\r\n\r\n", "400", ""),
    P("name is no token", GET "X(y: b\r\n\r\n", "400", ""),
    P("name beyond ASCII", GET "X\xc3\xa9: b\r\n\r\n", "400", ""),
    P("unknown expectation", POST "Expect: 200-ok\r\nContent-Length: 3\r\n\r\nabc", "417", ""),
    P("two expectations", POST "Expect: 100-continue\r\nExpect: x\r\nContent-Length: 3\r\n\r\nabc", "417", ""),
    /* chunks */
    P("chunk extension", CHUNKED "3;a=b\r\nabc\r\n0\r\n\r\n", "400", ""),
    P("extension of the last", CHUNKED "3\r\nabc\r\n0;a\r\n\r\n", "400", ""),
    P("trailer", CHUNKED "3\r\nabc\r\n0\r\nX: b\r\n\r\n", "400", ""),
    P("trailer that is a length", CHUNKED "3\r\nabc\r\n0\r\nContent-Length: 4\r\n\r\n", "400", ""),
    P("trailer of hexadecimal", CHUNKED "3\r\nabc\r\n0\r\nabc\r\n\r\n", "400", ""),
    P("chunk size -3", CHUNKED "-3\r\nabc\r\n0\r\n\r\n", "400", ""),
    P("chunk size +3", CHUNKED "+3\r\nabc\r\n0\r\n\r\n", "400", ""),
    P("chunk size 0x3", CHUNKED "0x3\r\nabc\r\n0\r\n\r\n", "400", ""),
    P("no chunk size", CHUNKED "\r\nabc\r\n0\r\n\r\n", "400", ""),
    P("space after a size", CHUNKED "3 \r\nabc\r\n0\r\n\r\n", "400", ""),
    P("space before a size", CHUNKED " 3\r\nabc\r\n0\r\n\r\n", "400", ""),
    P("size in bare LF", CHUNKED "3\nabc\r\n0\r\n\r\n", "400", ""),
    P("size in bare CR", CHUNKED "3\rabc\r\n0\r\n\r\n", "400", ""),
    P("chunk in bare LF", CHUNKED "3\r\nabc\n0\r\n\r\n", "400", ""),
    P("end in bare LF", CHUNKED "3\r\nabc\r\n0\r\n\n", "400", ""),
    P("last in bare LF", CHUNKED "3\r\nabc\r\n0\n\r\n", "400", ""),
    P("chunk longer than said", CHUNKED "3\r\nabcd\r\n0\r\n\r\n", "400", ""),
    P("chunk shorter than said", CHUNKED "4\r\nabc\r\n0\r\n\r\n", "400", ""),
    P("size past 64 bits", CHUNKED "11111111111111111\r\nabc", "400", ""),
    P("zeros without end", CHUNKED "00000000000000003\r\nabc\r\n0\r\n\r\n", "400", ""),
    /* and what is fine */
    P("GET", GET "\r\n", "200", "GET / 0:;"),
    P("HEAD", "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n", "200", "HEAD /a 0:;"),
    P("POST", POST "Content-Length: 3\r\n\r\nabc", "200", "POST /execute 3:abc;"),
    P("length 003", POST "Content-Length: 003\r\n\r\nabc", "200", "POST /execute 3:abc;"),
    P("length 0", POST "Content-Length: 0\r\n\r\n", "200", "POST /execute 0:;"),
    P("GET with a body", GET "Content-Length: 3\r\n\r\nabc", "200", "GET / 3:abc;"),
    P("body of CR and LF", POST "Content-Length: 4\r\n\r\n\r\n\r\n", "200", "POST /execute 4:\r\n\r\n;"),
    P("chunks", CHUNKED "3\r\nabc\r\n00a\r\n0123456789\r\n0\r\n\r\n", "200", "POST /execute 13:abc0123456789;"),
    P("chunk of CR and LF", CHUNKED "4\r\n\r\n\r\n\r\n0\r\n\r\n", "200", "POST /execute 4:\r\n\r\n;"),
    P("no chunks", CHUNKED "0\r\n\r\n", "200", "POST /execute 0:;"),
    P("TE Chunked", POST "Transfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "200", "POST /execute 1:a;"),
    P("query", "GET /a/b?c=d&e? HTTP/1.1\r\nHost: a:80\r\n\r\n", "200", "GET /a/b?c=d&e? 0:;"),
    P("empty query", "GET /? HTTP/1.1\r\nHost: a\r\n\r\n", "200", "GET /? 0:;"),
    P("dots are the owner's", "GET /../etc/%2e%2e HTTP/1.1\r\nHost: a\r\n\r\n", "200", "GET /../etc/%2e%2e 0:;"),
    P("absolute", "GET http://a:1/b?c HTTP/1.1\r\nHost: a:1\r\n\r\n", "200", "GET /b?c 0:;"),
    P("absolute without a path", "GET HTTPS://a HTTP/1.1\r\nHost: a\r\n\r\n", "200", "GET / 0:;"),
    P("unknown method", "BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n", "200", "BREW /pot 0:;"),
    P("small method", "get / HTTP/1.1\r\nHost: a\r\n\r\n", "200", "get / 0:;"),
    P("one empty line first", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "200", "GET / 0:;"),
    P("HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "200", "GET / 0:;"),
    P("HTTP/1.0 POST", "POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", "200", "POST / 3:abc;"),
    P("IPv6 host", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", "200", "GET / 0:;"),
    P("empty value", GET "X:\r\nY: \r\n\r\n", "200", "GET / 0:;"),
    P("value beyond ASCII", GET "X: \xc3\xa9\tb\r\n\r\n", "200", "GET / 0:;"),
    P("upgrade", GET "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n", "200",
      "GET / 0:;"),
    P("upgrade with a body", POST "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc", "200",
      "POST /execute 3:abc;"),
    P("leftover after close", GET "Connection: close\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\x01", "200", "GET / 0:;"),
    P("leftover after HTTP/1.0", "GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n", "200", "GET / 0:;"),
    P("two requests", GET "\r\n" POST "Content-Length: 1\r\n\r\na", "200 200", "GET / 0:;POST /execute 1:a;"),
    P("three, chunked", CHUNKED "1\r\na\r\n0\r\n\r\n" CHUNKED "1\r\nb\r\n0\r\n\r\n" CHUNKED "1\r\nc\r\n0\r\n\r\n",
      "200 200 200", "POST /execute 1:a;POST /execute 1:b;POST /execute 1:c;"),
    P("a good and a bad one", GET "\r\nGET / HTTP/1.1\r\n\r\n", "200 400", "GET / 0:;"),
    P("bytes behind a body", POST "Content-Length: 3\r\n\r\nabcdef\r\n\r\n", "200 400", "POST /execute 3:abc;"),
};

static void try_probe(const struct probe *p, enum cut cut) {
  struct side s;
  side_open(&s);
  feed_cut(&s, span_of(p->request, p->len), cut);
  char got[256];
  statuses(buf_span(&s.sent), got, sizeof got);
  if (strcmp(got, p->statuses) != 0 || !span_is(buf_span(&s.seen), p->seen))
    fail_msg("%s (cut %d): statuses %s, seen %.*s", p->name, (int)cut, got, (int)s.seen.len, (const char *)s.seen.data);
  /* A refusal is the last word. */
  bool refused = strstr(p->statuses, "4") != NULL;
  if (refused && (phase(&s) != CODEC_CLOSED || !contains(buf_span(&s.sent), "\r\nConnection: close\r\n")))
    fail_msg("%s (cut %d): not closed", p->name, (int)cut);
  side_close(&s);
}

static void test_probes(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
    try_probe(&probes[i], WHOLE);
    try_probe(&probes[i], BYTES);
    for (int n = 0; n < 20; n++) try_probe(&probes[i], RANDOM);
  }
}

/* Every prefix of a good request is no request: nothing is refused, and nothing seen, before its last byte. */
static void test_prefixes(void **state) {
  (void)state;
  static const char *const requests[] = {GET "\r\n", POST "Content-Length: 3\r\n\r\nabc",
                                         CHUNKED "3\r\nabc\r\n0\r\n\r\n"};
  for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
    for (size_t len = 0; len <= strlen(requests[i]); len++) {
      struct side s;
      side_open(&s);
      feed(&s, span_of(requests[i], len));
      assert_int_equal(s.requests, len == strlen(requests[i]));
      if (s.requests == 0) assert_int_equal(s.sent.len, 0);
      side_close(&s);
    }
  }
}

/* ---- fields ---- */

static void test_fields(void **state) {
  (void)state;
  struct side s;
  side_open(&s);
  s.hold = true;
  feed_text(&s, GET
            "X-User-ID:\t u1 \t\r\nACCEPT: a\r\nCookie: x\r\naccept:b\r\nEmpty:\r\nAccept:\r\nAccept: c, d\r\nempty: "
            "\r\n\r\n");
  assert_non_null(s.held);
  const struct http_request *r = http_request_of(s.held);
  assert_true(span_is(http_field_of(r, "x-user-id"), "u1"));
  assert_true(span_is(http_field_of(r, "accept"), "a, b, c, d"));
  assert_true(span_is(http_field_of(r, "cookie"), "x"));
  assert_true(span_is(http_field_of(r, "host"), "a"));
  assert_true(http_field_of(r, "empty").data != NULL && http_field_of(r, "empty").len == 0);
  assert_null(http_field_of(r, "absent").data);
  assert_int_equal(r->field_count, 5);
  assert_ptr_equal(http_peer_of(s.held), &s.peer);
  http_set_user(s.held, &s);
  assert_ptr_equal(http_user(s.held), &s);
  side_close(&s);
  assert_int_equal(s.gone, 1);
}

/* ---- limits ---- */

static void put_many(struct buf *b, unsigned count, const char *field) {
  for (unsigned i = 0; i < count; i++) buf_put_text(b, field);
}

static void put_long_head(struct buf *b, size_t len) {
  buf_put_text(b, GET "X: ");
  while (b->len < len - 4) buf_put_text(b, "y");
  buf_put_text(b, "\r\n\r\n");
}

static void assert_answer(struct span request, const char *wanted, enum result refusal) {
  for (enum cut cut = WHOLE; cut < CUTS; cut++) {
    struct side s;
    side_open(&s);
    feed_cut(&s, request, cut);
    assert_statuses(&s, wanted);
    assert_int_equal(s.refusal, refusal);
    side_close(&s);
  }
}

static void test_head_limit(void **state) {
  (void)state;
  struct buf b = buf_new(1u << 20);
  put_long_head(&b, 16384);
  assert_answer(buf_span(&b), "200", RESULT_OK);
  buf_clear(&b);
  put_long_head(&b, 16385);
  assert_answer(buf_span(&b), "431", RESULT_HEAD_TOO_LARGE);
  buf_clear(&b);
  buf_put_text(&b, "GET /");
  while (b.len < 65536) buf_put_text(&b, "aaaaaaaaaaaaaaaa");
  assert_answer(buf_span(&b), "431", RESULT_HEAD_TOO_LARGE);
  buf_free(&b);
}

static void test_field_count(void **state) {
  (void)state;
  struct buf b = buf_new(1u << 20);
  buf_put_text(&b, GET);
  put_many(&b, CODEC_FIELDS_MAX - 1, "a: b\r\n");
  size_t len = b.len;
  buf_put_text(&b, "\r\n");
  assert_answer(buf_span(&b), "200", RESULT_OK);
  b.len = len;
  buf_put_text(&b, "c: d\r\n\r\n");
  assert_answer(buf_span(&b), "431", RESULT_HEAD_TOO_LARGE);
  buf_free(&b);
}

static void put_body(struct buf *b, size_t len) {
  buf_printf(b, POST "Content-Length: %zu\r\n\r\n", len);
  for (size_t i = 0; i < len; i++) buf_put_u8(b, (uint8_t)i);
}

static void test_body_limit(void **state) {
  (void)state;
  struct buf b = buf_new(1u << 20);
  put_body(&b, BODY_MAX);
  assert_answer(buf_span(&b), "200", RESULT_OK);
  buf_clear(&b);
  put_body(&b, BODY_MAX + 1);
  assert_answer(buf_span(&b), "413", RESULT_BODY_TOO_LARGE);
  buf_free(&b);
  /* At once, before anything of it came, and without an invitation. */
  assert_answer(span_text(POST "Expect: 100-continue\r\nContent-Length: 2147483648\r\n\r\n"), "413",
                RESULT_BODY_TOO_LARGE);
  assert_answer(span_text(POST "Content-Length: 18446744073709551615\r\n\r\n"), "413", RESULT_BODY_TOO_LARGE);
}

static void put_chunks(struct buf *b, size_t len, size_t size) {
  buf_put_text(b, CHUNKED);
  for (size_t at = 0; at < len; at += size) {
    size_t n = len - at < size ? len - at : size;
    buf_printf(b, "%zX\r\n", n);
    for (size_t i = 0; i < n; i++) buf_put_u8(b, (uint8_t)i);
    buf_put_text(b, "\r\n");
  }
  buf_put_text(b, "0\r\n\r\n");
}

static void test_chunked_limit(void **state) {
  (void)state;
  struct buf b = buf_new(1u << 20);
  static const size_t sizes[] = {BODY_MAX, 16384, 7};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    buf_clear(&b);
    put_chunks(&b, BODY_MAX, sizes[i]);
    assert_answer(buf_span(&b), "200", RESULT_OK);
    buf_clear(&b);
    put_chunks(&b, BODY_MAX + 1, sizes[i] + 1);
    assert_answer(buf_span(&b), "413", RESULT_BODY_TOO_LARGE);
  }
  buf_free(&b);
}

/* All requests share one space for bodies. */
static void test_space(void **state) {
  (void)state;
  struct side s;
  struct buf b = buf_new(1u << 20);
  put_chunks(&b, 50000, 1000);
  for (enum cut cut = WHOLE; cut < CUTS; cut++) {
    side_open(&s);
    s.space = 40000;
    feed_cut(&s, buf_span(&b), cut);
    assert_statuses(&s, "503");
    assert_int_equal(s.refusal, RESULT_BUSY);
    assert_int_equal(s.reserved, 0);
    side_close(&s);
  }
  side_open(&s);
  s.space = 99;
  feed_text(&s, POST "Expect: 100-continue\r\nContent-Length: 100\r\n\r\n");
  assert_statuses(&s, "503");
  side_close(&s);
  side_open(&s);
  s.space = 100;
  s.hold = true;
  feed_text(&s, POST "Content-Length: 100\r\n\r\n");
  assert_int_equal(s.reserved, 100);
  side_close(&s);
  buf_free(&b);
}

/* ---- one after the other ---- */

static void reply_text(struct side *s, const char *text) {
  struct http_exchange *x = s->held;
  assert_non_null(x);
  s->held = NULL;
  http_reply(x, 200, NULL, 0, span_text(text));
}

static void test_pipelining(void **state) {
  (void)state;
  struct side s;
  side_open(&s);
  s.hold = true;
  feed_text(&s, POST "Content-Length: 1\r\n\r\na" POST "Content-Length: 1\r\n\r\nb" GET "\r\n");
  assert_seen(&s, "POST /execute 1:a;");
  assert_int_equal(phase(&s), CODEC_HELD);
  unsigned wakes = s.wakes;
  reply_text(&s, "one");
  assert_true(s.wakes > wakes);
  /* Not from within the reply: when it is on its way. */
  assert_int_equal(s.requests, 1);
  flush(&s);
  assert_seen(&s, "POST /execute 1:a;POST /execute 1:b;");
  reply_text(&s, "two");
  flush(&s);
  reply_text(&s, "three");
  flush(&s);
  assert_int_equal(phase(&s), CODEC_IDLE);
  assert_statuses(&s, "200 200 200");
  const uint8_t *one = memmem(s.sent.data, s.sent.len, "one", 3), *two = memmem(s.sent.data, s.sent.len, "two", 3);
  assert_true(one != NULL && two != NULL && one < two);
  assert_sent(&s, "\r\n\r\nthree");
  side_close(&s);
}

/* A client that does not read gets no second request looked at. */
static void test_slow_reader(void **state) {
  (void)state;
  struct side s;
  side_open(&s);
  struct buf out = buf_new(1u << 20);
  s.codec->ops->receive(s.codec, span_text(GET "\r\n" GET "\r\n"));
  s.codec->ops->produce(s.codec, &out, 10);
  assert_int_equal(out.len, 10);
  s.codec->ops->receive(s.codec, span_text(GET "\r\n"));
  assert_int_equal(s.requests, 1);
  for (size_t before = 0; before < out.len;) {
    before = out.len;
    s.codec->ops->produce(s.codec, &out, out.len + 1);
  }
  assert_int_equal(s.requests, 3);
  char got[64];
  statuses(buf_span(&out), got, sizeof got);
  assert_string_equal(got, "200 200 200");
  buf_free(&out);
  side_close(&s);
}

static void test_wants_input(void **state) {
  (void)state;
  struct side s;
  side_open(&s);
  s.hold = true;
  assert_true(wants_input(&s));
  feed_text(&s, GET "\r\n");
  assert_true(wants_input(&s));
  struct buf next = buf_new(1u << 20);
  put_long_head(&next, 16384);
  feed(&s, buf_span(&next));
  assert_false(wants_input(&s));
  reply_text(&s, "");
  flush(&s);
  assert_int_equal(s.requests, 2);
  assert_true(wants_input(&s));
  reply_text(&s, "");
  flush(&s);
  /* One that is fed all the same is cut off, once there is too much. */
  feed_text(&s, GET "\r\n");
  for (int i = 0; i < 20; i++) feed(&s, buf_span(&next));
  assert_int_equal(phase(&s), CODEC_CLOSED);
  assert_false(wants_input(&s));
  buf_free(&next);
  side_close(&s);
  assert_int_equal(s.gone, 1);
}

static void test_keep_alive(void **state) {
  (void)state;
  static const struct {
    const char *request;
    bool stays;
  } cases[] = {
      {GET "\r\n", true},
      {GET "Connection: keep-alive\r\n\r\n", true},
      {GET "Connection: close\r\n\r\n", false},
      {GET "Connection: x, Close\r\n\r\n", false},
      {"GET / HTTP/1.0\r\n\r\n", false},
      {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct side s;
    side_open(&s);
    feed_text(&s, cases[i].request);
    assert_int_equal(phase(&s), cases[i].stays ? CODEC_IDLE : CODEC_CLOSED);
    assert_int_equal(contains(buf_span(&s.sent), "\r\nConnection: close\r\n"), !cases[i].stays);
    side_close(&s);
  }
}

/* ---- replies ---- */

static void hold(struct side *s, const char *request) {
  side_open(s);
  s->hold = true;
  feed_text(s, request);
  assert_non_null(s->held);
}

static struct http_exchange *take(struct side *s) {
  struct http_exchange *x = s->held;
  s->held = NULL;
  return x;
}

static void test_reply(void **state) {
  (void)state;
  struct side s;
  hold(&s, GET "\r\n");
  const struct http_field fields[] = {{span_text("X-A"), span_text("b")}, {span_text("Retry-After"), span_text("1")}};
  http_reply(take(&s), 429, fields, 2, span_text("body"));
  flush(&s);
  assert_sent(&s, "HTTP/1.1 429 Too Many Requests\r\nDate: ");
  assert_sent(&s, " GMT\r\nX-A: b\r\nRetry-After: 1\r\nContent-Length: 4\r\n\r\nbody");
  side_close(&s);
  hold(&s, GET "\r\n");
  http_reply(take(&s), 299, NULL, 0, (struct span){NULL, 0});
  flush(&s);
  assert_sent(&s, "HTTP/1.1 299 \r\n");
  assert_sent(&s, "\r\nContent-Length: 0\r\n\r\n");
  side_close(&s);
}

static void test_large_reply(void **state) {
  (void)state;
  struct side s;
  hold(&s, GET "\r\n");
  size_t len = 5u << 20;
  uint8_t *body = malloc(len);
  assert_non_null(body);
  for (size_t i = 0; i < len; i++) body[i] = (uint8_t)(i * 7);
  http_reply(take(&s), 200, NULL, 0, span_of(body, len));
  flush(&s);
  assert_sent(&s, "\r\nContent-Length: 5242880\r\n\r\n");
  assert_true(s.sent.len > len);
  assert_memory_equal(s.sent.data + s.sent.len - len, body, len);
  free(body);
  side_close(&s);
}

static void test_bodiless(void **state) {
  (void)state;
  struct side s;
  static const int without[] = {204, 304};
  for (size_t i = 0; i < 2; i++) {
    hold(&s, GET "\r\n");
    http_reply(take(&s), without[i], NULL, 0, span_text("body"));
    flush(&s);
    assert_false(contains(buf_span(&s.sent), "Content-Length"));
    assert_false(contains(buf_span(&s.sent), "body"));
    assert_int_equal(phase(&s), CODEC_IDLE);
    side_close(&s);
  }
  hold(&s, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  http_reply(take(&s), 200, NULL, 0, span_text("body"));
  flush(&s);
  assert_sent(&s, "\r\nContent-Length: 4\r\n\r\n");
  assert_false(contains(buf_span(&s.sent), "body"));
  /* The next reply has its body again. */
  feed_text(&s, GET "\r\n");
  reply_text(&s, "second");
  flush(&s);
  assert_sent(&s, "\r\n\r\nsecond");
  side_close(&s);
}

/* What would be two replies, or contradict what is sent beside it, is none. */
static void test_unsound_reply(void **state) {
  (void)state;
  static const struct {
    int status;
    const char *name, *value;
  } cases[] = {
      {200, "x", "a\r\nSet-Cookie: b"},
      {200, "x", "a\nb"},
      {200, "x\r\ny", "a"},
      {200, "", "a"},
      {200, "x y", "a"},
      {200, "Content-Length", "3"},
      {200, "transfer-encoding", "chunked"},
      {200, "Connection", "close"},
      {200, "Date", "now"},
      {100, "x", "a"},
      {999, "x", "a"},
      {0, "x", "a"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    for (int streamed = 0; streamed < 2; streamed++) {
      struct side s;
      hold(&s, GET "\r\n");
      struct http_field field = {span_text(cases[i].name), span_text(cases[i].value)};
      struct http_exchange *x = take(&s);
      if (streamed) {
        http_begin(x, cases[i].status, &field, 1);
        assert_true(http_write(x, span_text("secret")));
        http_end(x);
      } else {
        http_reply(x, cases[i].status, &field, 1, span_text("secret"));
      }
      flush(&s);
      assert_statuses(&s, "500");
      assert_sent(&s, "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      assert_false(contains(buf_span(&s.sent), "secret"));
      assert_int_equal(phase(&s), CODEC_CLOSED);
      side_close(&s);
    }
  }
}

static void test_refusal_body(void **state) {
  (void)state;
  struct side s;
  side_open(&s);
  feed_text(&s, "GET / HTTP/1.1\r\n\r\n");
  assert_sent(&s, "HTTP/1.1 400 Bad Request\r\n");
  assert_sent(&s, "\r\nContent-Type: application/problem+json\r\n");
  assert_sent(&s, "\r\nContent-Length: 25\r\n\r\n{\"error_code\":\"bad_http\"}");
  side_close(&s);
}

/* ---- in pieces ---- */

static void stream(struct side *s, const char *request) {
  hold(s, request);
  struct http_exchange *x = s->held;
  const struct http_field type = {span_text("content-type"), span_text("text/event-stream")};
  http_begin(x, 200, &type, 1);
  flush(s);
  assert_sent(s, "\r\n\r\n");
  assert_int_equal(phase(s), CODEC_HELD);
  assert_true(http_write(x, span_text("data: 1\n\n")));
  assert_true(http_write(x, span_text("")));
  flush(s);
  assert_true(http_write(x, span_text("0123456789abcdef0")));
  http_end(take(s));
  flush(s);
}

static void test_stream(void **state) {
  (void)state;
  struct side s;
  stream(&s, GET "\r\n");
  assert_sent(&s, "\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n11\r\n0123456789abcdef0\r\n0\r\n\r\n");
  assert_false(contains(buf_span(&s.sent), "Content-Length"));
  assert_int_equal(phase(&s), CODEC_IDLE);
  side_close(&s);

  stream(&s, "GET / HTTP/1.0\r\n\r\n");
  assert_sent(&s, "\r\nConnection: close\r\n\r\ndata: 1\n\n0123456789abcdef0");
  assert_false(contains(buf_span(&s.sent), "Transfer-Encoding"));
  assert_int_equal(phase(&s), CODEC_CLOSED);
  side_close(&s);

  stream(&s, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  assert_false(contains(buf_span(&s.sent), "data"));
  assert_true(memcmp(s.sent.data + s.sent.len - 4, "\r\n\r\n", 4) == 0);
  assert_int_equal(phase(&s), CODEC_IDLE);
  side_close(&s);
}

static void test_stream_is_bounded(void **state) {
  (void)state;
  struct side s;
  hold(&s, GET "\r\n");
  static uint8_t piece[65536];
  struct http_exchange *x = s.held;
  http_begin(x, 200, NULL, 0);
  unsigned taken = 0;
  while (http_write(x, span_of(piece, sizeof piece))) assert_true(++taken <= 5);
  assert_int_equal(taken, 4);
  flush(&s);
  /* What was refused was not taken; now there is room again. */
  assert_true(s.sent.len < 5 * sizeof piece);
  assert_true(http_write(x, span_of(piece, sizeof piece)));
  http_end(take(&s));
  flush(&s);
  assert_int_equal(phase(&s), CODEC_IDLE);
  side_close(&s);
}

static void test_stream_gone(void **state) {
  (void)state;
  struct side s;
  hold(&s, GET "\r\n");
  http_begin(s.held, 200, NULL, 0);
  assert_true(http_write(s.held, span_text("a")));
  side_close(&s);
  assert_int_equal(s.gone, 1);
}

/* ---- Expect ---- */

static void test_continue(void **state) {
  (void)state;
  struct side s;
  side_open(&s);
  feed_text(&s, POST "Expect: 100-Continue\r\nContent-Length: 3\r\n\r\n");
  assert_true(span_is(buf_span(&s.sent), "HTTP/1.1 100 Continue\r\n\r\n"));
  assert_int_equal(phase(&s), CODEC_BODY);
  feed_text(&s, "abc");
  assert_statuses(&s, "100 200");
  assert_seen(&s, "POST /execute 3:abc;");
  side_close(&s);

  static const struct {
    const char *request, *statuses;
  } cases[] = {
      {POST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\na", ""}, /* it did not wait */
      {POST "Expect: 100-continue\r\n\r\n", "200"},                    /* nothing to wait for */
      {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", ""},
      {"POST / HTTP/1.0\r\nExpect: other\r\n\r\n", "200"},
      {POST "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n", "100"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    side_open(&s);
    feed_text(&s, cases[i].request);
    assert_statuses(&s, cases[i].statuses);
    side_close(&s);
  }
}

/* ---- deadlines and the end ---- */

static void expire(struct side *s) {
  s->codec->ops->expire(s->codec);
  flush(s);
}

static void test_expire(void **state) {
  (void)state;
  static const struct {
    const char *request;
    enum codec_phase before, after;
    const char *statuses;
  } cases[] = {
      {"", CODEC_IDLE, CODEC_CLOSED, ""},
      {GET "\r\n", CODEC_IDLE, CODEC_CLOSED, "200"},
      {"G", CODEC_HEAD, CODEC_CLOSED, "408"},
      {"\r", CODEC_HEAD, CODEC_CLOSED, "408"},
      {GET, CODEC_HEAD, CODEC_CLOSED, "408"},
      {GET "\r\nG", CODEC_HEAD, CODEC_CLOSED, "200 408"},
      {POST "Content-Length: 3\r\n\r\nab", CODEC_BODY, CODEC_CLOSED, "408"},
      {CHUNKED "3\r\nabc\r\n", CODEC_BODY, CODEC_CLOSED, "408"},
      {GET "Connection: close\r\n\r\n", CODEC_CLOSED, CODEC_CLOSED, "200"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct side s;
    side_open(&s);
    feed_text(&s, cases[i].request);
    assert_int_equal(phase(&s), cases[i].before);
    expire(&s);
    assert_int_equal(phase(&s), cases[i].after);
    assert_statuses(&s, cases[i].statuses);
    feed_text(&s, GET "\r\n");
    assert_statuses(&s, cases[i].statuses);
    side_close(&s);
  }
  struct side s;
  hold(&s, GET "\r\n");
  expire(&s);
  assert_int_equal(phase(&s), CODEC_HELD);
  reply_text(&s, "");
  flush(&s);
  assert_statuses(&s, "200");
  side_close(&s);
}

static void drain(struct side *s) {
  s->codec->ops->drain(s->codec);
  flush(s);
}

static void test_drain(void **state) {
  (void)state;
  struct side s;
  side_open(&s);
  drain(&s);
  assert_int_equal(phase(&s), CODEC_CLOSED);
  side_close(&s);

  /* What is under way is answered, what waits behind it is not. */
  hold(&s, GET "\r\n" GET "\r\n");
  drain(&s);
  assert_int_equal(phase(&s), CODEC_HELD);
  reply_text(&s, "last");
  flush(&s);
  assert_int_equal(phase(&s), CODEC_CLOSED);
  assert_statuses(&s, "200");
  assert_sent(&s, "\r\nConnection: close\r\n");
  assert_int_equal(s.requests, 1);
  side_close(&s);

  side_open(&s);
  feed_text(&s, POST "Content-Length: 3\r\n\r\na");
  drain(&s);
  feed_text(&s, "bc");
  assert_seen(&s, "POST /execute 3:abc;");
  assert_sent(&s, "\r\nConnection: close\r\n");
  assert_int_equal(phase(&s), CODEC_CLOSED);
  side_close(&s);
}

static void test_gone(void **state) {
  (void)state;
  struct side s;
  hold(&s, POST "Content-Length: 3\r\n\r\nabc");
  side_close(&s);
  assert_int_equal(s.gone, 1);
  /* Answered, but not taken yet: the owner is done with it. */
  hold(&s, GET "\r\n");
  reply_text(&s, "a");
  side_close(&s);
  assert_int_equal(s.gone, 0);
  side_open(&s);
  feed_text(&s, POST "Content-Length: 3\r\n\r\nab");
  side_close(&s);
  assert_int_equal(s.gone, 0);
}

/* ---- the parser behind its fence ---- */

static bool ignore(void *context, struct span piece) {
  (void)context, (void)piece;
  return true;
}

static const struct llhttp_events ignore_all = {NULL, ignore, ignore, ignore};

/* States that no input leads to: whatever it does, it stays inside, and the next request is served. */
static void test_broken_parser(void **state) {
  (void)state;
  struct llhttp_report report;
  struct llhttp other;
  unsigned failed = 0;
  assert_int_equal(llhttp_start(&other), RESULT_OK);
  assert_int_equal(llhttp_execute(&other, &ignore_all, span_text(" / HTTP/1.1\r\nContent-Length: 3\r\n\r\na"), &report),
                   RESULT_OK);
  for (int round = 0; round < 2000; round++) {
    struct llhttp p;
    assert_int_equal(llhttp_start(&p), RESULT_OK);
    size_t at = below(LLHTTP_STATE), len = 1 + below(LLHTTP_STATE - at);
    for (size_t i = at; i < at + len; i++) p.state[i] = (uint8_t)(round == 0 ? 0xff : below(256));
    if (llhttp_execute(&p, &ignore_all, span_text(" / HTTP/1.1\r\nX: y\r\n\r\n"), &report) != RESULT_OK) failed++;
    assert_true(report.taken <= 22);
  }
  assert_true(failed > 0);
  /* Another connection's parser, begun before, goes on. */
  assert_int_equal(llhttp_execute(&other, &ignore_all, span_text("bcd"), &report), RESULT_OK);
  assert_true(report.end);
  assert_int_equal(report.taken, 2);
  struct side s;
  side_open(&s);
  feed_text(&s, POST "Content-Length: 3\r\n\r\nabc");
  assert_seen(&s, "POST /execute 3:abc;");
  side_close(&s);
}

/* A head longer than the parser's window comes to it in parts. */
static void test_long_head(void **state) {
  (void)state;
  struct side s;
  side_open(&s);
  s.limits.head_bytes = 200000;
  s.hold = true;
  struct buf b = buf_new(1u << 20);
  put_long_head(&b, 100000);
  b.len -= 2;
  for (int i = 0; i < 90; i++) {
    for (int n = 0; n < 400; n++) buf_put_text(&b, "n");
    buf_printf(&b, "%d: v%d\r\n", i, i);
  }
  buf_put_text(&b, "\r\n");
  feed(&s, buf_span(&b));
  assert_non_null(s.held);
  const struct http_request *r = http_request_of(s.held);
  assert_int_equal(r->field_count, 92);
  assert_int_equal(http_field_of(r, "x").len, 100000 - 4 - strlen(GET "X: "));
  for (int i = 0; i < 90; i++) {
    assert_int_equal(r->fields[2 + i].name.len, i < 10 ? 401 : 402);
    assert_int_equal(r->fields[2 + i].value.len, i < 10 ? 2 : 3);
  }
  buf_free(&b);
  side_close(&s);
}

/* ---- no memory ---- */

/* Linked in front of the C library's (tests/CMakeLists.txt). The n-th allocation from now on fails, once. */
static unsigned allocations_left = 0;

static bool fails(void) {
  return allocations_left > 0 && --allocations_left == 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_malloc(size_t size) {
  return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
  return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size) {
  return fails() ? NULL : __real_realloc(memory, size);
}

static void converse(struct side *s) {
  static const char request[] = POST
      "Expect: 100-continue\r\nAccept: a\r\nAccept: b\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\n"
      "Transfer-Encoding: chunked\r\n\r\n";
  feed_text(s, request);
  feed_text(s, "3\r\nabc\r\n");
  feed_text(s, "0\r\n\r\n" GET "\r\n" GET);
  if (s->held != NULL) reply_text(s, "one");
  flush(s);
  if (s->held == NULL) return;
  http_begin(s->held, 200, NULL, 0);
  (void)http_write(s->held, span_text("piece"));
  http_end(take(s));
  flush(s);
  feed_text(s, "X: y");
}

/* Whatever is missing, a request is served, refused with a 500, or its connection ends; nothing is lost or done twice.
 */
static void test_no_memory(void **state) {
  (void)state;
  static uint8_t seen[4096], sent[8192];
  bool complete = false;
  unsigned n = 1;
  for (; !complete; n++) {
    struct side s;
    side_open(&s);
    s.hold = true;
    s.seen = buf_fixed(seen, sizeof seen);
    s.sent = buf_fixed(sent, sizeof sent);
    allocations_left = n;
    converse(&s);
    complete = allocations_left > 0;
    allocations_left = 0;
    assert_true(n < 100);
    char got[256];
    statuses(buf_span(&s.sent), got, sizeof got);
    if (complete) assert_string_equal(got, "100 200 200");
    if (!complete && phase(&s) == CODEC_CLOSED && s.refusal != RESULT_OK) assert_int_equal(s.refusal, RESULT_NO_MEMORY);
    side_close(&s);
  }
  assert_true(n > 10);
}

static void test_date(void **state) {
  (void)state;
  struct span date = codec_date();
  assert_int_equal(date.len, strlen("Sun, 06 Nov 1994 08:49:37 GMT"));
  assert_true(contains(date, " GMT") && date.data[3] == ',');
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_probes),
      cmocka_unit_test(test_prefixes),
      cmocka_unit_test(test_fields),
      cmocka_unit_test(test_head_limit),
      cmocka_unit_test(test_field_count),
      cmocka_unit_test(test_body_limit),
      cmocka_unit_test(test_chunked_limit),
      cmocka_unit_test(test_space),
      cmocka_unit_test(test_pipelining),
      cmocka_unit_test(test_slow_reader),
      cmocka_unit_test(test_wants_input),
      cmocka_unit_test(test_keep_alive),
      cmocka_unit_test(test_reply),
      cmocka_unit_test(test_large_reply),
      cmocka_unit_test(test_bodiless),
      cmocka_unit_test(test_unsound_reply),
      cmocka_unit_test(test_refusal_body),
      cmocka_unit_test(test_stream),
      cmocka_unit_test(test_stream_is_bounded),
      cmocka_unit_test(test_stream_gone),
      cmocka_unit_test(test_continue),
      cmocka_unit_test(test_expire),
      cmocka_unit_test(test_drain),
      cmocka_unit_test(test_gone),
      cmocka_unit_test(test_broken_parser),
      cmocka_unit_test(test_long_head),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_date),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
