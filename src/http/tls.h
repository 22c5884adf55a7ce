/* TLS 1.3 on a non-blocking socket, over OpenSSL. Private to src/http. */
#pragma once

#include "http/http.h"

struct tls_context; /* certificate, key and policy; shared by its connections */
struct tls;         /* one connection */

/* RESULT_CONFIG_INVALID with a sentence in `problem`; RESULT_NO_MEMORY. Reads no file, now or later. */
enum result must_use tls_context_new(const struct http_tls *config, char *problem, size_t problem_size,
                                     struct tls_context **out);
/* Connections that were made with it keep it. NULL is fine. */
void tls_context_free(struct tls_context *context);

/* What became of an attempt: bytes moved, or what the socket must be watched for before the next. */
enum tls_step { TLS_DONE, TLS_WANT_READ, TLS_WANT_WRITE, TLS_ENDED /* by the peer, in order or not */ };

/* NULL if there is no memory. The descriptor stays the caller's. */
struct tls *tls_new(const struct tls_context *context, int fd);
enum tls_step tls_handshake(struct tls *t);
enum tls_step tls_read(struct tls *t, void *out, size_t size, size_t *count);
enum tls_step tls_write(struct tls *t, const void *bytes, size_t len, size_t *count);
/* Tells the peer that no more is coming, as far as the socket takes it. */
void tls_close(struct tls *t);
/* Whether the peer chose HTTP/2 (ALPN). After the handshake. */
bool tls_chose_http2(const struct tls *t);
/* Fills what the peer's certificate says; dns_name is malloc'd, or stays "". */
void tls_identify(const struct tls *t, struct http_peer *peer);
/* NULL is fine. */
void tls_free(struct tls *t);
