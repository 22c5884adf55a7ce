/*
 * An HTTP server for one event loop: HTTP/1.1 (RFC 9112) and HTTP/2 (RFC 9113) on one listening socket, plain or
 * TLS 1.3. Whole requests go up to the owner, replies come down, at once or later. Everything is bounded; every phase
 * has a total deadline. Strict: what smuggles requests elsewhere is refused here (see http1.c).
 *
 * One thread, of a process that ignores SIGPIPE. Knows nothing of jobs, users or JSON.
 */
#pragma once

#include <event2/event.h>

#include "base/result.h"

struct http_field {
  struct span name, value; /* name in lower case; value without surrounding white space */
};

/* A request as it came. Holds, spans included, until its exchange ends. */
struct http_request {
  struct span method, path, query; /* path begins with '/', as sent (percent-encoded); query without '?' */
  const struct http_field *fields;
  size_t field_count;
  struct span body;
};

/* The value of a field, {NULL, 0} if it is absent. A field that came twice has its values joined by ", " (RFC 9110
 * §5.3); what says where a request ends or whose it is was refused if it came twice (exchange.c lists it). */
struct span http_field_of(const struct http_request *request, const char *name);

/* Who is at the other end of the connection. */
struct http_peer {
  bool loopback;        /* the address it came from */
  bool verified;        /* it showed a client certificate that a configured CA signed */
  const char *dns_name; /* first DNS name of that certificate's subjectAltName, lower case; "" */
  char address[64];     /* "127.0.0.1:4711", for the log */
};

/* One request and its reply. The owner answers each exactly once: http_reply, or http_begin … http_end. */
struct http_exchange;

const struct http_request *http_request_of(const struct http_exchange *x);
const struct http_peer *http_peer_of(const struct http_exchange *x);
/* One pointer for the owner. */
void http_set_user(struct http_exchange *x, void *user);
void *http_user(const struct http_exchange *x);

/* Answers. `fields` and `body` are copied. Content-Length, Date and Connection are made here. HEAD gets no body, the
 * length it would have had. The exchange is gone when the call returns. */
void http_reply(struct http_exchange *x, int status, const struct http_field *fields, size_t field_count,
                struct span body);

/* Answers in pieces, for server-sent events: chunked in HTTP/1.1, DATA frames in HTTP/2. http_write returns false if
 * more than 256 KiB wait for a slow reader: the owner must end the exchange or come back later. */
void http_begin(struct http_exchange *x, int status, const struct http_field *fields, size_t field_count);
bool http_write(struct http_exchange *x, struct span bytes);
/* The exchange is gone when the call returns. */
void http_end(struct http_exchange *x);

struct http_handler {
  void *context;
  /* A whole request arrived. */
  void (*request)(void *context, struct http_exchange *x);
  /* The caller left (closed, reset, or half-closed) before the reply was out. The exchange is gone when the call
   * returns: no reply may follow. Not called for an exchange that was answered. */
  void (*gone)(void *context, struct http_exchange *x);
  /* Writes the body of a refusal that the server makes by itself (bad_http, head_too_large, body_too_large,
   * request_timeout, expectation_failed, busy) and, if it likes, its media type. */
  void (*refusal)(void *context, enum result why, struct buf *body, const char **media_type);
};

/* Zero means the default in brackets. */
struct http_limits {
  size_t head_bytes;     /* request line and fields together [16,384] */
  size_t body_bytes;     /* [1,310,720] */
  size_t buffered_bytes; /* request bodies of all connections together; past it a request gets 503 [268,435,456] */
  unsigned connections;  /* past it new ones are closed at once [16,384] */
  unsigned streams;      /* of one HTTP/2 connection at a time [256] */
  unsigned handshake_ms, head_ms, body_ms; /* total, from the first byte (TLS: from accept) [10,000, 10,000, 30,000] */
  unsigned idle_ms;                        /* a connection without a request [60,000] */
  unsigned write_ms;                       /* no byte of a waiting reply was taken [20,000] */
};

/* PEM texts. `client_ca` NULL: no client certificate is asked for. */
struct http_tls {
  struct span certificate, key, client_ca;
  bool require_client;
};

struct http_server;

/* `listener`: a bound, listening, non-blocking socket, the server's from here on. `tls` NULL: plain HTTP (HTTP/2 by
 * prior knowledge). RESULT_CONFIG_INVALID if a certificate or key cannot be used, with a sentence in `problem`. */
enum result must_use http_server_new(struct event_base *loop, int listener, const struct http_tls *tls,
                                     const struct http_limits *limits, const struct http_handler *handler,
                                     char *problem, size_t problem_size, struct http_server **out);
/* New certificates for connections to come; on failure the old ones stay. */
enum result must_use http_server_reload(struct http_server *s, const struct http_tls *tls, char *problem,
                                        size_t problem_size);
/* Graceful stop: no new connection, GOAWAY or `Connection: close` on those that are, idle ones closed. Exchanges under
 * way can still be answered. */
void http_server_drain(struct http_server *s);

struct http_stats {
  uint64_t accepted, refused, requests, bytes_in, bytes_out;
  unsigned connections;
  uint64_t waiting; /* bytes of replies that their peers have not taken */
};
struct http_stats http_server_stats(const struct http_server *s);

/* Closes everything; `gone` is called for what was not answered. NULL is fine. */
void http_server_free(struct http_server *s);
