/*
 * HTTP/2 (RFC 9113), one connection. nghttp2 does frames, HPACK, flow control and the rules for streams; here is what
 * it leaves to its user: what a request is, how much of everything there may be, and when enough is enough.
 *
 * A request goes up once all of it is there and nghttp2 has returned, so that nobody answers from inside of one of its
 * callbacks. What is wrong with HTTP/2 itself is a stream or connection error (RFC 9113 §5.4); what is wrong with a
 * well-formed request is answered, and the stream reset behind the answer so that the rest of the body need not be
 * read. Refused although a server may tolerate it, as in http1.c: trailers, a Host that is not the authority.
 */
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/text.h"
#include "http/codec.h"

#define FRAME_HEAD 9u /* RFC 9113 §4.1 */
#define FRAME_TYPE 3u /* where in it */
#define OUT_MAX (64u << 20)
#define REFUSAL_MAX 16384u
#define REPLY_FIELDS_MAX 32u
#define STREAM_WINDOW 65536
#define CONNECTION_WINDOW (1 << 20)
#define REPLIES_WAITING (1u << 20) /* past it, for a peer that does not read, its next requests wait as well */
#define LIST_FACTOR 4u             /* a field list of so many times head_bytes is decoded only to be refused */
#define CONTINUATIONS_MAX 8u
#define SETTINGS_MAX 32u
#define ACKS_MAX 200u /* of pings and settings, unsent */
#define RESETS_A_SECOND 20u
#define LINGERING_MAX 8u
#define STEP 16384u      /* what a peer must take of a reply within write_ms, if there is as much */
#define NOISE_MAX 10000u /* frames in a row that are neither a request nor its body nor let a reply go on */

/* Where a stream stands; each place has its list, in order of since_ms. */
enum place {
  ARRIVING,
  READY,     /* whole, and the owner does not know of it yet */
  HELD,      /* with the owner; its reply may have begun, and all there was of it has gone out */
  REPLYING,  /* what there is of its reply is on the way; if it is the whole, there is no exchange any more */
  LINGERING, /* the reply is out, and the peer has not ended its request, which nobody reads */
  PLACES
};

struct stream {
  TAILQ_ENTRY(stream) link;
  struct http2 *c;
  int32_t id;
  enum place place;
  uint64_t since_ms; /* it came here; ARRIVING: or its head was whole; REPLYING: or the peer took STEP bytes … */
  size_t taken;      /* … of which it took these since then */
  bool body;         /* ARRIVING: its head is whole */
  bool host_known;   /* by :authority */
  bool host_agreed;  /* … and Host said the same */
  bool head_only, mute, ended, deferred;
  enum result fault; /* of its head */
  size_t list_bytes; /* RFC 9113 §10.5.1 */
  struct http_exchange *x;
  struct buf out; /* of the reply's body */
  size_t out_at;
};

TAILQ_HEAD(streams, stream);

enum drain { SERVING, NOTICED, LEAVING };

struct http2 {
  struct codec base;
  nghttp2_session *session;
  struct streams streams[PLACES];
  bool ended;   /* nothing more is taken in */
  bool broken;  /* … nor said */
  bool flooded; /* noted in a callback, acted upon after it */
  enum drain drain;
  unsigned noise;
  unsigned lingering;
  unsigned abandoned;  /* streams that ended before their reply, less those that got theirs */
  size_t waiting;      /* bytes in all streams' `out` */
  struct span frame;   /* nghttp2's, taken from it and not produced yet */
  struct span payload; /* of that frame if it is DATA: in nghttp2's memory, which keeps it until its next frame */
};

static struct http2 *http2_of(struct codec *c) {
  return (struct http2 *)c;
}

static struct stream *stream_of(const struct http2 *c, int32_t id) {
  return nghttp2_session_get_stream_user_data(c->session, id);
}

/* ---- streams ---- */

static void move(struct stream *s, enum place place) {
  TAILQ_REMOVE(&s->c->streams[s->place], s, link);
  s->place = place;
  s->since_ms = clock_monotonic_ms();
  s->taken = 0;
  TAILQ_INSERT_TAIL(&s->c->streams[place], s, link);
}

static struct stream *stream_new(struct http2 *c, int32_t id) {
  struct stream *s = calloc(1, sizeof *s);
  struct http_exchange *x = codec_exchange_new(&c->base);
  if (s == NULL || x == NULL) {
    free(s);
    codec_exchange_free(x);
    return NULL;
  }
  *s = (struct stream){.c = c, .id = id, .since_ms = clock_monotonic_ms(), .x = x, .out = buf_new(OUT_MAX)};
  x->stream = (uint32_t)id;
  TAILQ_INSERT_TAIL(&c->streams[ARRIVING], s, link);
  return s;
}

static size_t unsent(const struct stream *s) {
  return s->out.len - s->out_at;
}

static void drop_out(struct stream *s) {
  s->c->waiting -= unsent(s);
  buf_free(&s->out);
  s->out = buf_new(OUT_MAX);
  s->out_at = 0;
}

/* The owner knows of it, and has not ended its reply. */
static bool owed(const struct stream *s) {
  return s->x != NULL && (s->place == HELD || s->place == REPLYING);
}

/* Tells an owner who waits for it. */
static void stream_free(struct stream *s) {
  const struct codec_events *events = s->c->base.events;
  TAILQ_REMOVE(&s->c->streams[s->place], s, link);
  if (s->place == LINGERING) s->c->lingering--;
  if (owed(s)) events->gone(events->context, s->x);
  codec_exchange_free(s->x);
  drop_out(s);
  free(s);
}

/* ---- the end of a connection ---- */

/* GOAWAY, and nothing after it. Not from a callback of nghttp2's. */
static void leave(struct http2 *c, uint32_t error) {
  if (c->ended) return;
  c->ended = true;
  if (nghttp2_session_terminate_session(c->session, error) != 0) c->broken = true;
  c->base.wake(c->base.connection);
}

static void leave_flood(struct http2 *c) {
  if (c->flooded) leave(c, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* nghttp2 could not do what it was asked for: it has no memory. What is half done cannot be told from what is whole. */
static void check(struct http2 *c, int error) {
  if (error == 0) return;
  c->ended = c->broken = true;
  c->base.wake(c->base.connection);
}

static void reset(struct stream *s, uint32_t error) {
  check(s->c, nghttp2_submit_rst_stream(s->c->session, NGHTTP2_FLAG_NONE, s->id, error));
}

/* ---- replies ---- */

struct reply_head {
  nghttp2_nv fields[REPLY_FIELDS_MAX + 3];
  size_t count;
  char status[8], length[24];
};

static void add_field(struct reply_head *head, struct span name, struct span value) {
  head->fields[head->count++] = (nghttp2_nv){(uint8_t *)(uintptr_t)name.data, (uint8_t *)(uintptr_t)value.data,
                                             name.len, value.len, NGHTTP2_NV_FLAG_NONE};
}

static void make_head(struct reply_head *head, int status, const struct http_field *fields, size_t count) {
  head->count = 0;
  snprintf(head->status, sizeof head->status, "%03d", status);
  add_field(head, span_text(":status"), span_text(head->status));
  add_field(head, span_text("date"), codec_date());
  for (size_t i = 0; i < count; i++) add_field(head, fields[i].name, fields[i].value);
}

static bool has_no_body(int status) {
  return status == 204 || status == 304;
}

/* nghttp2 asks for the next piece of a reply's body. */
static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *to, size_t most, uint32_t *flags,
                       nghttp2_data_source *source, void *context) {
  (void)session, (void)id, (void)context;
  struct stream *s = source->ptr;
  size_t n = unsent(s) < most ? unsent(s) : most;
  if (n > 0) memcpy(to, s->out.data + s->out_at, n);
  s->out_at += n;
  s->taken += n;
  s->c->waiting -= n;
  if (n > 0) s->c->noise = 0;
  if (unsent(s) == 0) drop_out(s);
  if (unsent(s) == 0 && s->ended) *flags |= NGHTTP2_DATA_FLAG_EOF;
  s->deferred = n == 0 && !s->ended;
  if (n > 0 && unsent(s) == 0 && !s->ended)
    move(s, HELD);
  else if (s->taken >= STEP)
    move(s, REPLYING);
  return s->deferred ? NGHTTP2_ERR_DEFERRED : (ssize_t)n;
}

/* A reply that found no memory is cut off, and looks so. */
static void put_out(struct stream *s, struct span bytes) {
  if (s->out_at > s->out.len / 2) {
    memmove(s->out.data, s->out.data + s->out_at, unsent(s));
    s->out.len -= s->out_at;
    s->out_at = 0;
  }
  size_t before = s->out.len;
  buf_put_span(&s->out, bytes);
  s->c->waiting += s->out.len - before;
  if (s->out.bad) reset(s, NGHTTP2_INTERNAL_ERROR);
}

/* `more`: there is a body, or will be. */
static void submit(struct stream *s, const struct reply_head *head, bool more) {
  const nghttp2_data_provider provider = {.source = {.ptr = s}, .read_callback = on_read};
  check(s->c, nghttp2_submit_response(s->c->session, s->id, head->fields, head->count, more ? &provider : NULL));
  s->c->base.wake(s->c->base.connection);
}

/* Forgets the exchange, answered or refused. */
static void finish(struct stream *s) {
  codec_exchange_free(s->x);
  s->x = NULL;
  s->ended = true;
  move(s, REPLYING);
}

static void put_reply(struct stream *s, int status, const struct http_field *fields, size_t count, struct span body) {
  struct reply_head head;
  bool more = body.len > 0 && !s->head_only && !has_no_body(status);
  make_head(&head, status, fields, count);
  snprintf(head.length, sizeof head.length, "%zu", body.len);
  if (!has_no_body(status)) add_field(&head, span_text("content-length"), span_text(head.length));
  if (more) put_out(s, body);
  finish(s);
  submit(s, &head, more);
}

static void refuse(struct stream *s, enum result why) {
  const struct codec_events *events = s->c->base.events;
  const char *media_type = NULL;
  struct buf body = buf_new(REFUSAL_MAX);
  events->refusal(events->context, why, &body, &media_type);
  if (body.bad) buf_clear(&body);
  struct http_field type = {span_text("content-type"), span_text(media_type == NULL ? "" : media_type)};
  put_reply(s, result_status(why), &type, media_type == NULL ? 0 : 1, buf_span(&body));
  buf_free(&body);
}

static bool sound(int status, const struct http_field *fields, size_t count) {
  return count <= REPLY_FIELDS_MAX && codec_reply_sound(status, fields, count);
}

static void http2_reply(struct codec *codec, struct http_exchange *x, int status, const struct http_field *fields,
                        size_t count, struct span body) {
  struct stream *s = stream_of(http2_of(codec), (int32_t)x->stream);
  if (sound(status, fields, count))
    put_reply(s, status, fields, count, body);
  else
    put_reply(s, 500, NULL, 0, (struct span){NULL, 0});
}

/* Even a reply without a body is ended by http2_end: until then the exchange is the owner's, and so is the stream. */
static void http2_begin(struct codec *codec, struct http_exchange *x, int status, const struct http_field *fields,
                        size_t count) {
  struct stream *s = stream_of(http2_of(codec), (int32_t)x->stream);
  struct reply_head head;
  bool good = sound(status, fields, count);
  x->answered = x->streaming = true;
  s->mute = !good || s->head_only || has_no_body(status);
  make_head(&head, good ? status : 500, fields, good ? count : 0);
  submit(s, &head, true);
}

static void resume(struct stream *s) {
  if (s->deferred) check(s->c, nghttp2_session_resume_data(s->c->session, s->id));
  s->deferred = false;
  s->c->base.wake(s->c->base.connection);
}

static bool http2_write(struct codec *codec, struct http_exchange *x, struct span bytes) {
  struct stream *s = stream_of(http2_of(codec), (int32_t)x->stream);
  if (unsent(s) > CODEC_STREAM_PENDING) return false;
  if (s->mute || bytes.len == 0) return true;
  put_out(s, bytes);
  if (s->place == HELD) move(s, REPLYING);
  resume(s);
  return true;
}

static void http2_end(struct codec *codec, struct http_exchange *x) {
  struct stream *s = stream_of(http2_of(codec), (int32_t)x->stream);
  finish(s);
  resume(s);
}

/* ---- a head ---- */

static enum result take_method(struct stream *s, struct span value) {
  s->head_only = span_is(value, "HEAD");
  return codec_exchange_method(s->x, value);
}

static enum result take_path(struct stream *s, struct span value) {
  return codec_exchange_target(s->x, value);
}

static enum result take_scheme(struct stream *s, struct span value) {
  (void)s;
  return codec_same(value, "https") || codec_same(value, "http") ? RESULT_OK : RESULT_BAD_HTTP;
}

static enum result take_authority(struct stream *s, struct span value) {
  s->host_known = true;
  return codec_exchange_field(s->x, span_text("host"), value);
}

/* With an authority, which came before it as the exchange's first field, Host may only repeat it. */
static enum result take_host(struct stream *s, struct span value) {
  if (!s->host_known) return codec_exchange_field(s->x, span_text("host"), value);
  const struct http_exchange *x = s->x;
  struct span authority = span_of(x->head.data + x->parts[0].value.at, x->parts[0].value.len);
  if (s->host_agreed || !span_equal(authority, value)) return RESULT_BAD_HTTP;
  s->host_agreed = true;
  return RESULT_OK;
}

/* These name no field of the exchange, or not under that name. That each pseudo-field is there, once and in front,
 * nghttp2 sees to. */
static const struct special {
  const char *name;
  enum result (*take)(struct stream *s, struct span value);
} specials[] = {{":method", take_method},
                {":path", take_path},
                {":scheme", take_scheme},
                {":authority", take_authority},
                {"host", take_host}};

static enum result take_field(struct stream *s, struct span name, struct span value) {
  for (size_t i = 0; i < sizeof specials / sizeof specials[0]; i++) {
    if (span_is(name, specials[i].name)) return specials[i].take(s, value);
  }
  return codec_exchange_field(s->x, name, value);
}

/* RFC 9110 §10.1.1 */
static enum result check_expectation(struct stream *s, bool more) {
  struct span expect = http_field_of(&s->x->request, "expect");
  if (expect.data == NULL) return RESULT_OK;
  if (!codec_same(expect, "100-continue")) return RESULT_EXPECTATION_FAILED;
  if (!more) return RESULT_OK;
  struct reply_head head = {.count = 0};
  add_field(&head, span_text(":status"), span_text("100"));
  int32_t sent = nghttp2_submit_headers(s->c->session, NGHTTP2_FLAG_NONE, s->id, NULL, head.fields, head.count, NULL);
  return sent < 0 ? RESULT_NO_MEMORY : RESULT_OK;
}

static enum result frame_body(struct stream *s) {
  struct span length = http_field_of(&s->x->request, "content-length");
  uint64_t bytes = 0;
  if (length.data != NULL && text_u64(length, 0, UINT64_MAX, &bytes) != RESULT_OK) return RESULT_BAD_HTTP;
  return codec_exchange_expect(s->x, bytes);
}

static void head_whole(struct stream *s, bool more) {
  enum result r = s->fault;
  if (r == RESULT_OK) r = codec_exchange_head(s->x);
  if (r == RESULT_OK && http_field_of(&s->x->request, "host").data == NULL) r = RESULT_BAD_HTTP;
  if (r == RESULT_OK) r = frame_body(s);
  if (r == RESULT_OK) r = check_expectation(s, more);
  s->body = true;
  s->since_ms = clock_monotonic_ms();
  if (r != RESULT_OK) refuse(s, r);
}

/* ---- what nghttp2 tells of what came in ---- */

/* Frames that cost the peer nothing and bring nobody further (CVE-2019-9512, -9515, -9518 and what is like them). */
static int on_frame_begin(nghttp2_session *session, const nghttp2_frame_hd *frame, void *context) {
  (void)session;
  struct http2 *c = context;
  bool useful = frame->type == NGHTTP2_HEADERS || (frame->type == NGHTTP2_DATA && frame->length > 0);
  c->noise = useful ? 0 : c->noise + 1;
  if (c->noise > NOISE_MAX) c->flooded = true;
  return c->flooded ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_head_begin(nghttp2_session *session, const nghttp2_frame *frame, void *context) {
  struct http2 *c = context;
  if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
    struct stream *s = stream_of(c, frame->hd.stream_id);
    if (s != NULL && s->place == ARRIVING) s->fault = RESULT_BAD_HTTP; /* trailers */
    return 0;
  }
  struct stream *s = stream_new(c, frame->hd.stream_id);
  if (s == NULL) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  return nghttp2_session_set_stream_user_data(session, s->id, s);
}

/* The list is decoded to its end, for that is the connection's state, but not without one. */
static int on_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                    const uint8_t *value, size_t value_len, uint8_t flags, void *context) {
  (void)session, (void)flags;
  struct http2 *c = context;
  struct stream *s = stream_of(c, frame->hd.stream_id);
  if (s == NULL) return 0;
  s->list_bytes += name_len + value_len + 32;
  if (s->list_bytes > LIST_FACTOR * (c->base.limits->head_bytes + 32u * CODEC_FIELDS_MAX)) {
    c->flooded = true;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }
  if (s->place == ARRIVING && s->fault == RESULT_OK)
    s->fault = take_field(s, span_of(name, name_len), span_of(value, value_len));
  return 0;
}

/* What nghttp2 would only pass over. */
static int on_bad_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                        const uint8_t *value, size_t value_len, uint8_t flags, void *context) {
  int error = on_field(session, frame, name, name_len, value, value_len, flags, context);
  struct stream *s = stream_of(context, frame->hd.stream_id);
  if (s != NULL && s->fault == RESULT_OK) s->fault = RESULT_BAD_HTTP;
  return error;
}

static int on_body(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                   void *context) {
  (void)flags;
  struct http2 *c = context;
  struct stream *s = stream_of(c, id);
  /* Behind a refusal: its stream's window stays as it is, the connection's serves the others. */
  if (s == NULL || s->place != ARRIVING) return nghttp2_session_consume_connection(session, len);
  enum result r = codec_exchange_body(s->x, span_of(data, len));
  if (r != RESULT_OK) {
    refuse(s, r);
    return nghttp2_session_consume_connection(session, len);
  }
  return nghttp2_session_consume(session, id, len);
}

/* A reply that overtook its request. The peer may be told to stop by RST_STREAM (RFC 9113 §8.1), but curl 7.88 then
 * forgets the reply; without it, it stops by itself, as others do, and the stream's window, which nobody widens any
 * more, sees to it. So only those who do it again and again are told, or those whom a graceful end waits for. */
static void stop_lingering(struct http2 *c) {
  unsigned most = c->drain == LEAVING ? 0 : LINGERING_MAX;
  for (; c->lingering > most; c->lingering--) {
    struct stream *oldest = TAILQ_FIRST(&c->streams[LINGERING]);
    move(oldest, REPLYING);
    reset(oldest, NGHTTP2_NO_ERROR);
  }
}

static void linger(struct stream *s) {
  move(s, LINGERING);
  s->c->lingering++;
  stop_lingering(s->c);
}

/* A graceful end (RFC 9113 §6.8): GOAWAY, which names no stream; a ping behind it; when that came back, what the peer
 * sent before it knew has arrived, and the GOAWAY that counts is sent. */
static void take_ping(struct http2 *c, const nghttp2_frame *frame) {
  if (c->drain != NOTICED || !(frame->hd.flags & NGHTTP2_FLAG_ACK)) return;
  c->drain = LEAVING;
  stop_lingering(c);
  int32_t last = nghttp2_session_get_last_proc_stream_id(c->session);
  check(c, nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0));
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context) {
  (void)session;
  struct http2 *c = context;
  if (frame->hd.type == NGHTTP2_PING) take_ping(c, frame);
  if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
  struct stream *s = stream_of(c, frame->hd.stream_id);
  bool more = !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
  if (s == NULL || s->place != ARRIVING) return 0;
  if (frame->hd.type == NGHTTP2_HEADERS && !s->body)
    head_whole(s, more);
  else if (s->fault != RESULT_OK)
    refuse(s, s->fault);
  if (s->place == ARRIVING && !more) move(s, READY);
  return 0;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *context) {
  struct http2 *c = context;
  if (frame->hd.type == NGHTTP2_GOAWAY && c->drain == NOTICED)
    check(c, nghttp2_submit_ping(session, NGHTTP2_FLAG_NONE, NULL));
  if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
  if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
  struct stream *s = stream_of(c, frame->hd.stream_id);
  if (s != NULL && nghttp2_session_get_stream_remote_close(session, s->id) == 0) linger(s);
  return 0;
}

/* Streams that are begun to be thrown away (CVE-2023-44487), or to have them thrown away by an error of the peer's own
 * (CVE-2025-8671). The rate is nghttp2's affair; the number, less those that came to their end, is ours. */
static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *context) {
  (void)session, (void)error;
  struct http2 *c = context;
  struct stream *s = stream_of(c, id);
  if (s == NULL) return 0;
  bool whole = s->x == NULL && unsent(s) == 0;
  if (!whole && ++c->abandoned > c->base.limits->streams) c->flooded = true;
  if (whole && c->abandoned > 0) c->abandoned--;
  stream_free(s);
  return 0;
}

/* ---- what is overdue ---- */

static struct stream *overdue(const struct http2 *c, enum place place, unsigned limit_ms) {
  struct stream *s = TAILQ_FIRST(&c->streams[place]);
  return s != NULL && clock_monotonic_ms() - s->since_ms >= limit_ms ? s : NULL;
}

/* If the peer lets us send, and it is only the socket that is full, the connection has a deadline for that. */
static bool window_closed(const struct stream *s) {
  return nghttp2_session_get_remote_window_size(s->c->session) <= 0 ||
         nghttp2_session_get_stream_remote_window_size(s->c->session, s->id) <= 0;
}

/* A stream that drips, or whose reply nobody takes, has its end whatever else the connection does, and costs the others
 * nothing. Only in the middle of a field list nothing else can arrive. */
static void cut_overdue(struct http2 *c) {
  const struct http_limits *limits = c->base.limits;
  struct stream *s = TAILQ_FIRST(&c->streams[ARRIVING]);
  if (s != NULL && !s->body && overdue(c, ARRIVING, limits->head_ms)) leave(c, NGHTTP2_NO_ERROR);
  while (!c->ended && (s = overdue(c, ARRIVING, limits->body_ms)) != NULL && s->body) refuse(s, RESULT_REQUEST_TIMEOUT);
  while (!c->ended && (s = overdue(c, REPLYING, limits->write_ms)) != NULL) {
    if (window_closed(s)) reset(s, NGHTTP2_CANCEL);
    move(s, REPLYING);
  }
}

/* ---- a connection ---- */

static void deliver(struct http2 *c) {
  struct stream *s;
  while (!c->ended && c->waiting <= REPLIES_WAITING && (s = TAILQ_FIRST(&c->streams[READY])) != NULL) {
    move(s, HELD);
    codec_exchange_deliver(s->x);
  }
}

static uint32_t error_of(ssize_t error) {
  bool flood = error == NGHTTP2_ERR_FLOODED || error == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS;
  return flood ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR;
}

static void http2_receive(struct codec *codec, struct span bytes) {
  struct http2 *c = http2_of(codec);
  if (c->ended || bytes.len == 0) return;
  ssize_t taken = nghttp2_session_mem_recv(c->session, bytes.data, bytes.len);
  leave_flood(c);
  if (taken < 0) leave(c, error_of(taken));
  if (nghttp2_session_want_read(c->session) == 0) c->ended = true;
  cut_overdue(c);
  deliver(c);
}

static bool http2_wants_input(const struct codec *codec) {
  const struct http2 *c = (const struct http2 *)codec;
  return !c->ended && nghttp2_session_want_read(c->session) != 0;
}

/* The next of what is to be sent, a frame or less. False: nothing now. */
static bool next_frame(struct http2 *c) {
  const uint8_t *data = NULL;
  if (c->frame.len > 0) return true;
  if (c->broken) return false;
  ssize_t n = nghttp2_session_mem_send(c->session, &data);
  if (n < 0) c->ended = c->broken = true;
  leave_flood(c);
  if (n <= 0) return false;
  c->frame = span_of(data, (size_t)n);
  const bool is_data = c->frame.len > FRAME_HEAD && data[FRAME_TYPE] == NGHTTP2_DATA;
  c->payload = is_data ? span_of(data + FRAME_HEAD, c->frame.len - FRAME_HEAD) : span_of(NULL, 0);
  return true;
}

static void http2_produce(struct codec *codec, struct buf *out, size_t most) {
  struct http2 *c = http2_of(codec);
  while (out->len < most && !out->bad) {
    if (!next_frame(c)) {
      bool more = c->waiting <= REPLIES_WAITING && !TAILQ_EMPTY(&c->streams[READY]) && !c->ended;
      if (!more) break;
      deliver(c);
      continue;
    }
    size_t n = most - out->len < c->frame.len ? most - out->len : c->frame.len;
    buf_put(out, c->frame.data, n);
    c->frame = span_of(c->frame.data + n, c->frame.len - n);
    if (c->frame.len == 0) wipe((uint8_t *)(uintptr_t)c->payload.data, c->payload.len);
  }
}

/* Of the streams that arrive, the oldest says which deadline runs: if the youngest did, a peer that keeps beginning new
 * ones would have none. */
static enum codec_phase http2_phase(const struct codec *codec) {
  const struct http2 *c = (const struct http2 *)codec;
  if (c->ended || nghttp2_session_want_read(c->session) == 0) return CODEC_CLOSED;
  const struct stream *oldest = TAILQ_FIRST(&c->streams[ARRIVING]);
  if (oldest != NULL) return oldest->body ? CODEC_BODY : CODEC_HEAD;
  if (!TAILQ_EMPTY(&c->streams[REPLYING])) return CODEC_SENDING;
  return TAILQ_EMPTY(&c->streams[HELD]) ? CODEC_IDLE : CODEC_HELD;
}

static size_t http2_waiting(const struct codec *codec) {
  return ((const struct http2 *)codec)->waiting;
}

/* All deadlines of streams are looked at. The connection's come when it is quiet, and begin anew with what it does. */
static void http2_expire(struct codec *codec) {
  struct http2 *c = http2_of(codec);
  if (http2_phase(codec) == CODEC_IDLE)
    leave(c, NGHTTP2_NO_ERROR);
  else
    cut_overdue(c);
}

static void http2_drain(struct codec *codec) {
  struct http2 *c = http2_of(codec);
  if (c->drain != SERVING || c->ended) return;
  c->drain = NOTICED;
  check(c, nghttp2_submit_shutdown_notice(c->session));
  c->base.wake(c->base.connection);
}

static void http2_free(struct codec *codec) {
  struct http2 *c = http2_of(codec);
  c->ended = true;
  for (size_t i = 0; i < PLACES; i++) {
    for (struct stream *s; (s = TAILQ_FIRST(&c->streams[i])) != NULL;)
      stream_free(s); /* NOLINT(clang-analyzer-unix.Malloc): it does not see that s left the list */
  }
  nghttp2_session_del(c->session);
  wipe(c, sizeof *c);
  free(c);
}

static const struct codec_ops http2_ops = {
    .receive = http2_receive,
    .wants_input = http2_wants_input,
    .produce = http2_produce,
    .phase = http2_phase,
    .waiting = http2_waiting,
    .expire = http2_expire,
    .drain = http2_drain,
    .reply = http2_reply,
    .begin = http2_begin,
    .write = http2_write,
    .end = http2_end,
    .free = http2_free,
};

/* ---- its start ---- */

static void set_callbacks(nghttp2_session_callbacks *callbacks) {
  nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_frame_begin);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_head_begin);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_field);
  nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_bad_field);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_body);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
}

static void set_options(const struct http2 *c, nghttp2_option *option) {
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_outbound_ack(option, ACKS_MAX);
  nghttp2_option_set_max_settings(option, SETTINGS_MAX);
  nghttp2_option_set_max_continuations(option, CONTINUATIONS_MAX);
  nghttp2_option_set_stream_reset_rate_limit(option, 2u * c->base.limits->streams, RESETS_A_SECOND);
}

/* What nghttp2 held of a request, header fields among it, does not stay behind. */
static void give_memory(void *memory, void *context) {
  (void)context;
  wipe_and_free(memory);
}

static void *take_memory(size_t size, void *context) {
  (void)context;
  return malloc(size);
}

static void *take_zeroed(size_t count, size_t size, void *context) {
  (void)context;
  return calloc(count, size);
}

static void *take_more(void *memory, size_t size, void *context) {
  (void)context;
  return wiping_realloc(memory, size);
}

static int make_session(struct http2 *c) {
  static nghttp2_mem wiping = {NULL, take_memory, give_memory, take_zeroed, take_more};
  nghttp2_session_callbacks *callbacks = NULL;
  nghttp2_option *option = NULL;
  int error = nghttp2_session_callbacks_new(&callbacks);
  if (error == 0) error = nghttp2_option_new(&option);
  if (error == 0) {
    set_callbacks(callbacks);
    set_options(c, option);
    error = nghttp2_session_server_new3(&c->session, callbacks, c, option, &wiping);
  }
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  return error;
}

static int introduce(struct http2 *c) {
  const struct http_limits *limits = c->base.limits;
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->head_bytes},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  };
  int error = nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof settings[0]);
  if (error != 0) return error;
  return nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
}

enum result http2_new(const struct codec_events *events, const struct http_limits *limits, struct http_peer *peer,
                      void *connection, void (*wake)(void *), struct codec **out) {
  struct http2 *c = calloc(1, sizeof *c);
  if (c == NULL) return RESULT_NO_MEMORY;
  c->base = (struct codec){&http2_ops, events, limits, peer, connection, wake};
  for (size_t i = 0; i < PLACES; i++) TAILQ_INIT(&c->streams[i]);
  if (make_session(c) != 0 || introduce(c) != 0) {
    if (c->session != NULL) nghttp2_session_del(c->session);
    free(c);
    return RESULT_NO_MEMORY;
  }
  *out = &c->base;
  return RESULT_OK;
}
