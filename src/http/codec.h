/*
 * One connection's protocol, between its bytes and its exchanges. A codec owns no descriptor and no timer: bytes that
 * arrived go in, requests come out; replies go in, bytes to send come out. http1.c and http2.c implement it, server.c
 * feeds it. Private to src/http.
 */
#pragma once

#include "http/http.h"

/* What a codec tells its connection. */
struct codec_events {
  void *context;
  /* A whole request. The exchange is the codec's memory, made by codec_exchange_new. */
  void (*request)(void *context, struct http_exchange *x);
  /* The peer gave up this exchange (RST_STREAM); it is freed after the call. */
  void (*gone)(void *context, struct http_exchange *x);
  /* The body of a refusal. */
  void (*refusal)(void *context, enum result why, struct buf *body, const char **media_type);
  /* Asks for `bytes` more of the space for request bodies; false: there is none, refuse with RESULT_BUSY. codec_release
   * gives back. */
  bool (*reserve)(void *context, size_t bytes);
  void (*release)(void *context, size_t bytes);
};

/* What a connection is doing, for its deadlines. */
enum codec_phase {
  CODEC_IDLE,    /* nothing begun */
  CODEC_HEAD,    /* a request's head is arriving */
  CODEC_BODY,    /* its body is */
  CODEC_HELD,    /* the owner has a request and owes the reply */
  CODEC_SENDING, /* replies wait for the peer's flow control to let them go (HTTP/2) */
  CODEC_CLOSED   /* once what is pending is sent, the connection ends */
};

struct codec;

struct codec_ops {
  /* Takes all of `bytes`. An error that the peer deserves is answered by the codec itself; phase is CODEC_CLOSED then.
   */
  void (*receive)(struct codec *c, struct span bytes);
  /* Whether it wants to be given more now. False while a reply is owed and the next request is already buffered. */
  bool (*wants_input)(const struct codec *c);
  /* Appends what is to be sent to `out` until `out` holds `most` bytes or nothing is left. In HTTP/1.1 the next request
   * that was pipelined is looked at here, once the reply before it was taken: events->request may be called. */
  void (*produce)(struct codec *c, struct buf *out, size_t most);
  enum codec_phase (*phase)(const struct codec *c);
  /* Bytes of replies that were not produced yet. */
  size_t (*waiting)(const struct codec *c);
  /* The deadline of the present phase has passed: answers 408 where that makes sense, and closes. */
  void (*expire)(struct codec *c);
  /* No new request after those under way. */
  void (*drain)(struct codec *c);
  void (*reply)(struct codec *c, struct http_exchange *x, int status, const struct http_field *fields,
                size_t field_count, struct span body);
  void (*begin)(struct codec *c, struct http_exchange *x, int status, const struct http_field *fields,
                size_t field_count);
  bool (*write)(struct codec *c, struct http_exchange *x, struct span bytes);
  void (*end)(struct codec *c, struct http_exchange *x);
  /* Frees; calls `gone` for every exchange that is not answered. */
  void (*free)(struct codec *c);
};

/* The head of every codec. */
struct codec {
  const struct codec_ops *ops;
  const struct codec_events *events;
  const struct http_limits *limits; /* every field set */
  struct http_peer *peer;
  void *connection; /* whom to tell that there is something to produce */
  /* Only makes a note of it: it may come from within any of the codec's calls, and must not call the codec. */
  void (*wake)(void *connection);
};

enum result must_use http1_new(const struct codec_events *events, const struct http_limits *limits,
                               struct http_peer *peer, void *connection, void (*wake)(void *), struct codec **out);
enum result must_use http2_new(const struct codec_events *events, const struct http_limits *limits,
                               struct http_peer *peer, void *connection, void (*wake)(void *), struct codec **out);

/* ---- exchange.c: the one exchange both codecs use ---- */

#define CODEC_FIELDS_MAX 100u             /* past it: RESULT_HEAD_TOO_LARGE */
#define CODEC_STREAM_PENDING (256u << 10) /* of a reply in pieces, see http_write */

struct codec_part {
  uint32_t at, len; /* in `head` */
};

struct http_exchange {
  struct codec *codec;
  struct http_request request;
  void *user;
  uint32_t stream;          /* HTTP/2 */
  bool answered, streaming; /* a reply was begun; it is in pieces */
  struct buf head;          /* the bytes that the request's spans point into: method, target, fields */
  struct buf body;
  size_t reserved; /* of the space for bodies */
  struct codec_part method, target;
  struct codec_field { /* while the head arrives: offsets, because `head` may move */
    struct codec_part name, value;
  } * parts;
  size_t part_count;
  struct http_field *fields;
};

/* NULL if there is no memory. */
struct http_exchange *codec_exchange_new(struct codec *c);
/* Gives its space for the body back; tells nobody. NULL is fine. */
void codec_exchange_free(struct http_exchange *x);

/* The head, piece by piece and in any order; all of it is copied. RESULT_BAD_HTTP for what no request may contain,
 * RESULT_HEAD_TOO_LARGE past the limits' head_bytes or CODEC_FIELDS_MAX, RESULT_NO_MEMORY. */
enum result must_use codec_exchange_method(struct http_exchange *x, struct span method); /* a token, once */
/* Once: origin-form, a '/' and then visible ASCII without '#'. */
enum result must_use codec_exchange_target(struct http_exchange *x, struct span target);
/* `name` is a token in any case, not a pseudo-field: HTTP/2's `:authority` is given as `host`. White space around
 * `value` is cut off. A `host` that is no host[:port] is refused. */
enum result must_use codec_exchange_field(struct http_exchange *x, struct span name, struct span value);
/* The head is whole: fills `request` except for its body, joins what came twice. */
enum result must_use codec_exchange_head(struct http_exchange *x);

/* A body of `length` bytes is to come: RESULT_BODY_TOO_LARGE, or RESULT_BUSY if there is no space for it. */
enum result must_use codec_exchange_expect(struct http_exchange *x, uint64_t length);
/* A piece of it, announced or not. */
enum result must_use codec_exchange_body(struct http_exchange *x, struct span piece);
/* The whole request is there: sets request.body and hands it to events->request. `x` may be gone afterwards. */
void codec_exchange_deliver(struct http_exchange *x);

/* Whether an owner may send these: status 200..599, names are tokens, no value has a control character other than a
 * tab, and none is a field that the codec makes (connection, content-length, date, transfer-encoding, …). If not, the
 * codec answers 500 without a body. */
bool codec_reply_sound(int status, const struct http_field *fields, size_t field_count);
/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 §5.6.7), now. Made once a second. */
struct span codec_date(void);
/* Letters of either case are equal (ASCII). */
bool codec_same(struct span a, const char *lower_case);
bool codec_token(struct span s);
