/*
 * HTTP/1.1 (RFC 9112), one connection. A head is collected whole and then read twice: here, strictly, and by llhttp;
 * where they see different requests there is none. Bodies are framed by llhttp, counted here. One request at a time:
 * what was pipelined behind it stays as it came until its reply is on the way.
 *
 * Refused although RFC 9112 lets a server tolerate or repair it, for somebody in front of us might read it differently:
 * Transfer-Encoding with Content-Length, in HTTP/1.0, or other than "chunked"; a second Content-Length, even the same;
 * lines that end in LF alone; folded fields; chunk extensions; trailers; an empty or doubtful Host.
 */
#include "base/text.h"
#include "http/codec.h"
#include "http/llhttp.h"

#define OUT_MAX (64u << 20)
#define IN_MAX (256u << 10) /* past a head; only a server that reads on unasked gets there */
#define REFUSAL_MAX 16384u
#define GAP_MAX 16u /* between two pieces of a chunked body: two line ends, 8 digits; at the end two more */

/* Bytes that go out in the order they came in. */
struct queue {
  struct buf bytes;
  size_t at;
};

enum state {
  START, /* between two requests, or in a head */
  BODY,
  HELD,
  ENDED /* once `out` is empty, the connection is to be closed */
};

struct http1 {
  struct codec base;
  enum state state;
  bool old;                             /* the request is HTTP/1.0 */
  bool keep_alive, draining;            /* the connection may be used again; … but is wanted no longer */
  bool chunked;                         /* the request's body */
  bool head_only, mute, chunked_answer; /* the request is HEAD; no body follows the head that was sent; or in chunks */
  bool delivered;                       /* the owner knows of `x` */
  bool line_skipped;                    /* the one empty line that may come before a request */
  uint8_t gap;                          /* bytes since the last piece of a chunked body */
  size_t scanned;                       /* of a head that is not whole yet */
  struct http_exchange *x;              /* from its whole head to the end of its reply */
  struct llhttp parser;
  struct queue in, out;
};

static struct http1 *http1_of(struct codec *c) {
  return (struct http1 *)c;
}

/* ---- queues ---- */

static size_t queue_len(const struct queue *q) {
  return q->bytes.len - q->at;
}

static struct span queue_span(const struct queue *q) {
  return span_of(q->bytes.data + (q->bytes.data == NULL ? 0 : q->at), queue_len(q));
}

/* Gives the memory back: a connection that does nothing holds none. */
static void queue_empty(struct queue *q) {
  size_t max = q->bytes.max;
  if (q->bytes.data == NULL && !q->bytes.bad) return;
  buf_free(&q->bytes);
  *q = (struct queue){buf_new(max), 0};
}

static void queue_take(struct queue *q, size_t n) {
  q->at += n;
  if (q->at == q->bytes.len) queue_empty(q);
}

/* Before more is put: what was taken shall not pile up in front. */
static struct buf *queue_end(struct queue *q) {
  if (q->at > q->bytes.len / 2) {
    memmove(q->bytes.data, q->bytes.data + q->at, queue_len(q));
    q->bytes.len -= q->at;
    q->at = 0;
  }
  return &q->bytes;
}

/* ---- replies ---- */

static const struct reason {
  int status;
  const char *line;
} reasons[] = {
    {200, "200 OK"},
    {201, "201 Created"},
    {202, "202 Accepted"},
    {204, "204 No Content"},
    {304, "304 Not Modified"},
    {400, "400 Bad Request"},
    {401, "401 Unauthorized"},
    {403, "403 Forbidden"},
    {404, "404 Not Found"},
    {405, "405 Method Not Allowed"},
    {406, "406 Not Acceptable"},
    {408, "408 Request Timeout"},
    {409, "409 Conflict"},
    {413, "413 Content Too Large"},
    {415, "415 Unsupported Media Type"},
    {417, "417 Expectation Failed"},
    {422, "422 Unprocessable Content"},
    {429, "429 Too Many Requests"},
    {431, "431 Request Header Fields Too Large"},
    {500, "500 Internal Server Error"},
    {501, "501 Not Implemented"},
    {503, "503 Service Unavailable"},
};

static void put_status(struct buf *out, int status) {
  buf_put_text(out, "HTTP/1.1 ");
  for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
    if (reasons[i].status != status) continue;
    buf_put_text(out, reasons[i].line);
    return;
  }
  buf_printf(out, "%d ", status); /* the phrase may be empty, the space before it may not (RFC 9112 §4) */
}

static void put_field(struct buf *out, struct span name, struct span value) {
  buf_put_text(out, "\r\n");
  buf_put_span(out, name);
  buf_put_text(out, ": ");
  buf_put_span(out, value);
}

static void put_number(struct buf *out, size_t n, unsigned base) {
  char digits[20];
  size_t at = sizeof digits;
  do {
    digits[--at] = "0123456789abcdef"[n % base];
    n /= base;
  } while (n > 0);
  buf_put(out, digits + at, sizeof digits - at);
}

/* All but the fields that say where the body ends. */
static void put_head(struct http1 *c, struct buf *out, int status, const struct http_field *fields, size_t count) {
  if (c->draining) c->keep_alive = false;
  put_status(out, status);
  put_field(out, span_text("Date"), codec_date());
  for (size_t i = 0; i < count; i++) put_field(out, fields[i].name, fields[i].value);
  if (!c->keep_alive) buf_put_text(out, "\r\nConnection: close");
}

static bool has_no_body(int status) {
  return status == 204 || status == 304;
}

static void put_reply(struct http1 *c, int status, const struct http_field *fields, size_t count, struct span body) {
  /* Short replies are put together on the stack: then the queue allocates what they take, once. */
  uint8_t memory[2048];
  struct buf small = buf_fixed(memory, sizeof memory), *out = &small;
  size_t need = body.len + 512;
  for (size_t i = 0; i < count; i++) need += fields[i].name.len + fields[i].value.len + 4;
  if (need > sizeof memory) out = queue_end(&c->out);
  put_head(c, out, status, fields, count);
  if (!has_no_body(status)) {
    buf_put_text(out, "\r\nContent-Length: ");
    put_number(out, body.len, 10);
  }
  buf_put_text(out, "\r\n\r\n");
  if (!c->head_only && !has_no_body(status)) buf_put_span(out, body);
  if (out == &small) buf_put_span(queue_end(&c->out), buf_span(&small));
}

/* The owner made a reply that would be several, or none. It is not sent in parts. */
static void put_broken(struct http1 *c) {
  c->keep_alive = false;
  put_reply(c, 500, NULL, 0, (struct span){NULL, 0});
}

/* Forgets the exchange, answered or refused. */
static void finish(struct http1 *c) {
  codec_exchange_free(c->x);
  c->x = NULL;
  c->delivered = c->line_skipped = c->head_only = c->old = false;
  c->scanned = 0;
  c->state = c->keep_alive && !c->draining ? START : ENDED;
}

/* Nothing more comes in. If the owner still has a request, it hears that the client is gone when this is freed. */
static void give_up(struct http1 *c) {
  c->keep_alive = false;
  c->state = ENDED;
}

/* After anything that may have filled `out`. A reply that found no memory is cut off, so the connection ends. */
static void tell(struct http1 *c) {
  if (c->out.bytes.bad) {
    queue_empty(&c->out);
    give_up(c);
  }
  c->base.wake(c->base.connection);
}

static void refuse(struct http1 *c, enum result why) {
  const struct codec_events *events = c->base.events;
  const char *media_type = NULL;
  struct buf body = buf_new(REFUSAL_MAX);
  events->refusal(events->context, why, &body, &media_type);
  if (body.bad) buf_clear(&body);
  struct http_field type = {span_text("Content-Type"), span_text(media_type == NULL ? "" : media_type)};
  c->keep_alive = false;
  put_reply(c, result_status(why), &type, media_type == NULL ? 0 : 1, buf_span(&body));
  buf_free(&body);
  finish(c);
  tell(c);
}

static void http1_reply(struct codec *codec, struct http_exchange *x, int status, const struct http_field *fields,
                        size_t count, struct span body) {
  (void)x;
  struct http1 *c = http1_of(codec);
  if (codec_reply_sound(status, fields, count))
    put_reply(c, status, fields, count, body);
  else
    put_broken(c);
  finish(c);
  tell(c);
}

/* Chunked; to an HTTP/1.0 client as it is, the end of the connection ends it. */
static void http1_begin(struct codec *codec, struct http_exchange *x, int status, const struct http_field *fields,
                        size_t count) {
  struct http1 *c = http1_of(codec);
  bool sound = codec_reply_sound(status, fields, count);
  x->answered = x->streaming = true;
  c->mute = c->head_only || has_no_body(status) || !sound;
  c->chunked_answer = !c->old && !has_no_body(status);
  if (sound) {
    struct buf *out = queue_end(&c->out);
    put_head(c, out, status, fields, count);
    buf_put_text(out, c->chunked_answer ? "\r\nTransfer-Encoding: chunked\r\n\r\n" : "\r\n\r\n");
  } else {
    put_broken(c);
  }
  tell(c);
}

static bool http1_write(struct codec *codec, struct http_exchange *x, struct span bytes) {
  (void)x;
  struct http1 *c = http1_of(codec);
  if (queue_len(&c->out) > CODEC_STREAM_PENDING) return false;
  if (c->mute || bytes.len == 0) return true; /* an empty chunk would be the last */
  struct buf *out = queue_end(&c->out);
  if (c->chunked_answer) {
    put_number(out, bytes.len, 16);
    buf_put_text(out, "\r\n");
  }
  buf_put_span(out, bytes);
  if (c->chunked_answer) buf_put_text(out, "\r\n");
  tell(c);
  return true;
}

static void http1_end(struct codec *codec, struct http_exchange *x) {
  (void)x;
  struct http1 *c = http1_of(codec);
  if (c->chunked_answer && !c->mute) buf_put_text(queue_end(&c->out), "0\r\n\r\n");
  finish(c);
  tell(c);
}

/* ---- a head ---- */

static bool is_text(uint8_t byte) {
  return (byte >= ' ' && byte != 0x7f) || byte == '\t';
}

static bool is_blank(uint8_t byte) {
  return byte == ' ' || byte == '\t';
}

/* Looks for the empty line that ends a head, from *scanned on, and moves that there: behind the line if it sets *whole.
 * What no head has is refused as soon as it is seen: a control character, CR or LF alone, a line that begins with white
 * space (a folded field), an empty first line. */
static enum result scan_head(struct span in, size_t *scanned, bool *whole) {
  for (size_t i = *scanned;; i += 2) {
    if (i < in.len && is_blank(in.data[i]) && (i == 0 || in.data[i - 1] == '\n')) return RESULT_BAD_HTTP;
    while (i < in.len && is_text(in.data[i])) i++;
    *scanned = i;
    if (i == in.len) return RESULT_OK;
    if (in.data[i] != '\r' || i == 0) return RESULT_BAD_HTTP;
    if (i + 1 == in.len) return RESULT_OK;
    if (in.data[i + 1] != '\n') return RESULT_BAD_HTTP;
    if (in.data[i - 1] != '\n') continue;
    *scanned = i + 2;
    *whole = true;
    return RESULT_OK;
  }
}

struct request_line {
  struct span method, target, authority, version;
  struct span rest; /* of the head, behind the method */
};

/* method SP target SP version; a space too many is in the target, where none may be. */
static enum result split_line(struct span head, struct request_line *line) {
  const uint8_t *start = head.data, *end = memchr(start, '\r', head.len);
  const uint8_t *first = memchr(start, ' ', (size_t)(end - start)), *last = memrchr(start, ' ', (size_t)(end - start));
  if (first == NULL || first == last) return RESULT_BAD_HTTP;
  *line = (struct request_line){.method = span_of(start, (size_t)(first - start)),
                                .target = span_of(first + 1, (size_t)(last - first - 1)),
                                .version = span_of(last + 1, (size_t)(end - last - 1)),
                                .rest = span_of(first, head.len - (size_t)(first - start))};
  return RESULT_OK;
}

/* absolute-form (RFC 9112 §3.2.2) as origin-form and an authority. */
static void split_absolute(struct request_line *line) {
  static const char *const schemes[] = {"http://", "https://"};
  for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
    size_t len = strlen(schemes[i]);
    if (line->target.len < len || !codec_same(span_of(line->target.data, len), schemes[i])) continue;
    struct span rest = span_of(line->target.data + len, line->target.len - len);
    const uint8_t *slash = memchr(rest.data, '/', rest.len);
    line->authority = span_of(rest.data, slash == NULL ? rest.len : (size_t)(slash - rest.data));
    line->target = slash == NULL ? span_text("/") : span_of(slash, rest.len - line->authority.len);
    return;
  }
}

static enum result read_line(struct http1 *c, struct span head, struct request_line *line) {
  enum result r = split_line(head, line);
  if (r != RESULT_OK) return r;
  c->old = span_is(line->version, "HTTP/1.0");
  if (!c->old && !span_is(line->version, "HTTP/1.1")) return RESULT_BAD_HTTP;
  split_absolute(line);
  c->head_only = span_is(line->method, "HEAD");
  /* Its target is no path, and nothing is tunnelled here. */
  if (span_is(line->method, "CONNECT")) return RESULT_BAD_HTTP;
  r = codec_exchange_method(c->x, line->method);
  return r == RESULT_OK ? codec_exchange_target(c->x, line->target) : r;
}

/* A field while llhttp tells of it. Its pieces are neighbours, for the whole head lies in one place. */
struct reading {
  struct http_exchange *x;
  struct span name, value;
  enum result result;
};

static bool extends(struct span s, struct span piece) {
  return s.data != NULL && s.data + s.len == piece.data;
}

static bool keep_field(struct reading *r) {
  if (r->name.data != NULL) r->result = codec_exchange_field(r->x, r->name, r->value);
  r->name = r->value = (struct span){NULL, 0};
  return r->result == RESULT_OK;
}

static bool on_name(void *context, struct span piece) {
  struct reading *r = context;
  if (r->value.data == NULL && extends(r->name, piece)) {
    r->name.len += piece.len;
    return true;
  }
  bool kept = keep_field(r);
  r->name = piece;
  return kept;
}

static bool on_value(void *context, struct span piece) {
  struct reading *r = context;
  if (r->value.data == NULL) {
    r->value = piece;
    return true;
  }
  if (!extends(r->value, piece)) return false;
  r->value.len += piece.len;
  return true;
}

static bool on_nothing(void *context, struct span piece) {
  (void)context, (void)piece;
  return false;
}

static enum result read_fields(struct http1 *c, struct span rest, struct llhttp_report *report) {
  struct reading reading = {.x = c->x, .result = RESULT_OK};
  const struct llhttp_events events = {&reading, on_name, on_value, on_nothing};
  enum result r = llhttp_start(&c->parser);
  if (r == RESULT_OK) r = llhttp_execute(&c->parser, &events, rest, report);
  if (r == RESULT_OK) keep_field(&reading);
  if (reading.result != RESULT_OK) return reading.result;
  /* The head ends for llhttp where it ended for us. */
  if (r == RESULT_OK && (!report->head || report->taken != rest.len)) return RESULT_BAD_HTTP;
  return r == RESULT_OK ? codec_exchange_head(c->x) : r;
}

static enum result check_host(const struct http1 *c, struct span authority) {
  struct span host = http_field_of(&c->x->request, "host");
  if (authority.data != NULL) return span_equal(host, authority) ? RESULT_OK : RESULT_BAD_HTTP;
  return host.data != NULL || c->old ? RESULT_OK : RESULT_BAD_HTTP;
}

/* RFC 9112 §6.3, without its cases that need a choice. llhttp must have come to the same. */
static enum result frame_body(struct http1 *c, bool llhttp_ended, bool *body) {
  struct span length = http_field_of(&c->x->request, "content-length");
  struct span coding = http_field_of(&c->x->request, "transfer-encoding");
  uint64_t bytes = 0;
  c->chunked = coding.data != NULL;
  if (c->chunked && (c->old || length.data != NULL || !codec_same(coding, "chunked"))) return RESULT_BAD_HTTP;
  if (length.data != NULL && text_u64(length, 0, UINT64_MAX, &bytes) != RESULT_OK) return RESULT_BAD_HTTP;
  *body = c->chunked || bytes > 0;
  if (llhttp_ended == *body) return RESULT_BAD_HTTP;
  return codec_exchange_expect(c->x, bytes);
}

/* RFC 9110 §10.1.1. `awaited`: of the body that is to come nothing has arrived. */
static enum result check_expectation(struct http1 *c, bool awaited) {
  struct span expect = http_field_of(&c->x->request, "expect");
  if (expect.data == NULL || c->old) return RESULT_OK;
  if (!codec_same(expect, "100-continue")) return RESULT_EXPECTATION_FAILED;
  if (!awaited) return RESULT_OK;
  buf_put_text(queue_end(&c->out), "HTTP/1.1 100 Continue\r\n\r\n");
  c->base.wake(c->base.connection);
  return RESULT_OK;
}

static void deliver(struct http1 *c) {
  c->state = HELD;
  c->delivered = true;
  codec_exchange_deliver(c->x);
}

static enum result read_head(struct http1 *c, struct span head, bool more) {
  struct request_line line;
  struct llhttp_report report = {0};
  bool body = false;
  c->x = codec_exchange_new(&c->base);
  if (c->x == NULL) return RESULT_NO_MEMORY;
  enum result r = read_line(c, head, &line);
  if (r == RESULT_OK) r = read_fields(c, line.rest, &report);
  if (r == RESULT_OK) r = check_host(c, line.authority);
  if (r == RESULT_OK) r = frame_body(c, report.end, &body);
  if (r == RESULT_OK) r = check_expectation(c, body && !more);
  if (r != RESULT_OK) return r;
  c->keep_alive = report.keep_alive && !c->old;
  c->gap = 0;
  if (body)
    c->state = BODY;
  else
    deliver(c);
  return RESULT_OK;
}

/* Bytes taken of `in`; 0 if the head is not whole. */
static size_t take_head(struct http1 *c, struct span in) {
  bool whole = false;
  if (in.data[0] == '\r' && !c->line_skipped && c->scanned == 0) { /* RFC 9112 §2.2 */
    c->line_skipped = in.len > 1 && in.data[1] == '\n';
    if (c->line_skipped) return 2;
    if (in.len == 1) return 0;
  }
  enum result r = scan_head(in, &c->scanned, &whole);
  size_t len = whole ? c->scanned : in.len;
  if (r == RESULT_OK && len > c->base.limits->head_bytes) r = RESULT_HEAD_TOO_LARGE;
  if (r == RESULT_OK && !whole) return 0;
  if (r == RESULT_OK) r = read_head(c, span_of(in.data, len), in.len > len);
  if (r != RESULT_OK) refuse(c, r);
  return len;
}

/* ---- a body ---- */

struct body_reading {
  struct http1 *c;
  const uint8_t *seen; /* the input up to here is accounted for */
  enum result result;
};

static bool frames_chunks(uint8_t byte) {
  return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f') || byte == '\r' || byte == '\n';
}

/* Between the pieces of a chunked body stand sizes and line ends and nothing else, so no extension and no trailer, and
 * no more of them than need be. Of any other body, nothing at all. */
static void check_gap(struct body_reading *r, const uint8_t *until) {
  for (; r->seen < until; r->seen++) {
    if (r->c->chunked && frames_chunks(*r->seen) && r->c->gap++ < GAP_MAX) continue;
    r->result = RESULT_BAD_HTTP;
    return;
  }
}

static bool on_body(void *context, struct span piece) {
  struct body_reading *r = context;
  check_gap(r, piece.data);
  if (r->result == RESULT_OK) r->result = codec_exchange_body(r->c->x, piece);
  r->seen = piece.data + piece.len;
  r->c->gap = 0;
  return r->result == RESULT_OK;
}

static size_t take_body(struct http1 *c, struct span in) {
  struct body_reading reading = {c, in.data, RESULT_OK};
  const struct llhttp_events events = {&reading, on_nothing, on_nothing, on_body};
  struct llhttp_report report;
  enum result r = llhttp_execute(&c->parser, &events, in, &report);
  if (reading.result == RESULT_OK) check_gap(&reading, in.data + report.taken);
  if (reading.result != RESULT_OK) r = reading.result;
  if (r != RESULT_OK) {
    refuse(c, r);
    return in.len;
  }
  if (report.end) deliver(c);
  return report.taken;
}

/* ---- a connection ---- */

/* A request is looked at only when the replies before it are on their way: a client that pipelines and does not read
 * makes us hold one reply, not many. */
static bool ready(const struct http1 *c) {
  return c->state == BODY || (c->state == START && queue_len(&c->out) == 0);
}

static size_t run(struct http1 *c, struct span in) {
  size_t taken = 0;
  while (taken < in.len && ready(c)) {
    struct span rest = span_of(in.data + taken, in.len - taken);
    size_t n = c->state == START ? take_head(c, rest) : take_body(c, rest);
    if (n == 0) break;
    taken += n;
  }
  return taken;
}

static void run_queued(struct http1 *c) {
  if (queue_len(&c->in) > 0) queue_take(&c->in, run(c, queue_span(&c->in)));
  if (c->state == ENDED) queue_empty(&c->in);
}

static void http1_receive(struct codec *codec, struct span bytes) {
  struct http1 *c = http1_of(codec);
  if (c->state == ENDED) return;
  /* Straight from the caller's memory, if nothing stands before it. */
  if (queue_len(&c->in) == 0) {
    size_t taken = run(c, bytes);
    bytes = span_of(bytes.data + taken, bytes.len - taken);
  }
  if (bytes.len == 0 || c->state == ENDED) return;
  buf_put_span(queue_end(&c->in), bytes);
  if (c->in.bytes.bad) give_up(c);
  run_queued(c);
}

static bool http1_wants_input(const struct codec *codec) {
  const struct http1 *c = (const struct http1 *)codec;
  return c->state != ENDED && (ready(c) || queue_len(&c->in) < c->base.limits->head_bytes);
}

static void http1_produce(struct codec *codec, struct buf *out, size_t most) {
  struct http1 *c = http1_of(codec);
  do {
    size_t n = queue_len(&c->out), room = most > out->len ? most - out->len : 0;
    if (n > room) n = room;
    if (n > 0) buf_put(out, queue_span(&c->out).data, n);
    queue_take(&c->out, n);
    run_queued(c);
  } while (queue_len(&c->out) > 0 && out->len < most && !out->bad);
}

static enum codec_phase http1_phase(const struct codec *codec) {
  static const enum codec_phase phases[] = {
      [START] = CODEC_HEAD, [BODY] = CODEC_BODY, [HELD] = CODEC_HELD, [ENDED] = CODEC_CLOSED};
  const struct http1 *c = (const struct http1 *)codec;
  return c->state == START && queue_len(&c->in) == 0 ? CODEC_IDLE : phases[c->state];
}

static size_t http1_waiting(const struct codec *codec) {
  return queue_len(&((const struct http1 *)codec)->out);
}

static void http1_expire(struct codec *codec) {
  struct http1 *c = http1_of(codec);
  switch (http1_phase(codec)) {
    case CODEC_HEAD:
    case CODEC_BODY:
      refuse(c, RESULT_REQUEST_TIMEOUT);
      break;
    case CODEC_IDLE:
      give_up(c);
      break;
    case CODEC_HELD: /* the owner has the time it takes */
    case CODEC_SENDING:
    case CODEC_CLOSED:
      break;
  }
}

static void http1_drain(struct codec *codec) {
  struct http1 *c = http1_of(codec);
  c->draining = true;
  if (http1_phase(codec) == CODEC_IDLE) give_up(c);
}

static void http1_free(struct codec *codec) {
  struct http1 *c = http1_of(codec);
  if (c->delivered) c->base.events->gone(c->base.events->context, c->x);
  codec_exchange_free(c->x);
  buf_free(&c->in.bytes);
  buf_free(&c->out.bytes);
  wipe(c, sizeof *c);
  free(c);
}

static const struct codec_ops http1_ops = {
    .receive = http1_receive,
    .wants_input = http1_wants_input,
    .produce = http1_produce,
    .phase = http1_phase,
    .waiting = http1_waiting,
    .expire = http1_expire,
    .drain = http1_drain,
    .reply = http1_reply,
    .begin = http1_begin,
    .write = http1_write,
    .end = http1_end,
    .free = http1_free,
};

enum result http1_new(const struct codec_events *events, const struct http_limits *limits, struct http_peer *peer,
                      void *connection, void (*wake)(void *), struct codec **out) {
  struct http1 *c = calloc(1, sizeof *c);
  if (c == NULL) return RESULT_NO_MEMORY;
  c->base = (struct codec){&http1_ops, events, limits, peer, connection, wake};
  c->in.bytes = buf_new(limits->head_bytes + IN_MAX);
  c->out.bytes = buf_new(OUT_MAX);
  *out = &c->base;
  return RESULT_OK;
}
