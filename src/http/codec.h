/*
 * One connection's protocol, between its bytes and its exchanges. A codec owns no descriptor and no clock: bytes that
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
  CODEC_IDLE,  /* nothing begun */
  CODEC_HEAD,  /* a request's head is arriving */
  CODEC_BODY,  /* its body is */
  CODEC_HELD,  /* the owner has a request and owes the reply */
  CODEC_CLOSED /* once what is pending is sent, the connection ends */
};

struct codec;

struct codec_ops {
  /* Takes all of `bytes`. An error that the peer deserves is answered by the codec itself; phase is CODEC_CLOSED then.
   */
  void (*receive)(struct codec *c, struct span bytes);
  /* Whether it wants to be given more now. False while a reply is owed and the next request is already buffered. */
  bool (*wants_input)(const struct codec *c);
  /* Appends what is to be sent to `out` until `out` holds `most` bytes or nothing is left. */
  void (*produce)(struct codec *c, struct buf *out, size_t most);
  enum codec_phase (*phase)(const struct codec *c);
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
  void (*wake)(void *connection);
};

enum result must_use http1_new(const struct codec_events *events, const struct http_limits *limits,
                               struct http_peer *peer, void *connection, void (*wake)(void *), struct codec **out);
enum result must_use http2_new(const struct codec_events *events, const struct http_limits *limits,
                               struct http_peer *peer, void *connection, void (*wake)(void *), struct codec **out);

/* exchange.c: the one exchange both codecs use. */
struct http_exchange {
  struct codec *codec;
  struct http_request request;
  void *user;
  uint32_t stream;          /* HTTP/2 */
  bool answered, streaming; /* a reply was begun; it is in pieces */
  struct buf head;          /* the bytes that the request's spans point into: method, target, fields */
  struct buf body;
  size_t reserved; /* of the space for bodies */
  struct {         /* while the head arrives: offsets, because `head` may move */
    uint32_t name, name_len, value, value_len;
  } * parts;
  size_t part_count;
  struct http_field *fields;
};
