/* Real sockets on loopback; server and clients share one thread and one loop. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <nghttp2/nghttp2.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/http.h"

#include <cmocka.h>

#define PATIENCE_MS 10000u /* a test that waits longer has failed */

/* ---- the owner ---- */

struct owner {
  struct event_base *loop;
  struct http_server *server;
  uint16_t port;
  struct http_exchange *held[64];
  unsigned held_count, requests, gone;
  char big[1 << 20];
};

static struct owner owner;

static void on_request(void *context, struct http_exchange *x) {
  struct owner *o = context;
  const struct http_request *r = http_request_of(x);
  const struct http_peer *peer = http_peer_of(x);
  o->requests++;
  if (span_is(r->path, "/hold")) {
    o->held[o->held_count++] = x;
    return;
  }
  struct buf body = buf_new(2u << 20);
  if (span_is(r->path, "/big"))
    buf_put(&body, o->big, sizeof o->big);
  else if (span_is(r->path, "/peer"))
    buf_printf(&body, "[%d %d %s]", peer->loopback, peer->verified, peer->dns_name);
  else
    buf_printf(&body, "[%.*s %zu]", (int)r->path.len, (const char *)r->path.data, r->body.len);
  http_reply(x, 200, NULL, 0, buf_span(&body));
  buf_free(&body);
}

static void on_gone(void *context, struct http_exchange *x) {
  struct owner *o = context;
  for (unsigned i = 0; i < o->held_count; i++) {
    if (o->held[i] == x) o->held[i] = NULL;
  }
  o->gone++;
}

static void on_refusal(void *context, enum result why, struct buf *body, const char **media_type) {
  (void)context, (void)media_type;
  buf_put_text(body, result_name(why));
}

static void answer_held(unsigned i) {
  assert_true(i < owner.held_count);
  assert_non_null(owner.held[i]);
  http_reply(owner.held[i], 200, NULL, 0, span_text("[late]"));
  owner.held[i] = NULL;
}

static int bound_socket(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t len = sizeof address;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(listen(fd, 128), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
  owner.port = ntohs(address.sin_port);
  return fd;
}

static enum result try_server(const struct http_tls *tls, const struct http_limits *limits, char *problem,
                              size_t problem_size) {
  const struct http_handler handler = {&owner, on_request, on_gone, on_refusal};
  const struct http_limits none = {0};
  owner.held_count = owner.requests = owner.gone = 0;
  owner.loop = event_base_new();
  owner.server = NULL;
  return http_server_new(owner.loop, bound_socket(), tls, limits != NULL ? limits : &none, &handler, problem,
                         problem_size, &owner.server);
}

static void open_server(const struct http_tls *tls, const struct http_limits *limits) {
  char problem[128] = "";
  if (try_server(tls, limits, problem, sizeof problem) != RESULT_OK) fail_msg("%s", problem);
}

static void close_server(void) {
  http_server_free(owner.server);
  event_base_free(owner.loop);
  for (unsigned i = 0; i < owner.held_count; i++) assert_null(owner.held[i]);
}

static struct http_stats stats(void) {
  return http_server_stats(owner.server);
}

static void turn(void) {
  event_base_loop(owner.loop, EVLOOP_NONBLOCK);
  usleep(500);
}

static void turn_for(unsigned ms) {
  for (uint64_t end = clock_monotonic_ms() + ms; clock_monotonic_ms() < end;) turn();
}

#define UNTIL(condition)                                        \
  do {                                                          \
    uint64_t end_ = clock_monotonic_ms() + PATIENCE_MS;         \
    while (!(condition) && clock_monotonic_ms() < end_) turn(); \
    assert_true(condition);                                     \
  } while (0)

/* ---- clients ---- */

struct client {
  int fd;
  SSL *ssl;
  struct buf got;
  bool ended; /* by the server */
};

static int try_connect(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(owner.port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int r = connect(fd, (struct sockaddr *)&address, sizeof address);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  if (r == 0) return fd;
  close(fd);
  return -1;
}

static struct client dial(void) {
  struct client c = {.fd = try_connect(), .got = buf_new(64u << 20)};
  assert_true(c.fd >= 0);
  return c;
}

static void hang_up(struct client *c) {
  SSL_free(c->ssl);
  if (c->fd >= 0) close(c->fd);
  buf_free(&c->got);
}

static void hang_up_with_reset(struct client *c) {
  const struct linger none = {.l_onoff = 1};
  setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  hang_up(c);
}

/* What there is to read. */
static void listen_to(struct client *c) {
  uint8_t bytes[65536];
  ssize_t n;
  do {
    if (c->ssl != NULL) {
      n = SSL_read(c->ssl, bytes, sizeof bytes);
      int error = SSL_get_error(c->ssl, (int)n);
      c->ended |= n <= 0 && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE;
    } else {
      n = recv(c->fd, bytes, sizeof bytes, 0);
      c->ended |= n == 0 || (n < 0 && errno != EAGAIN);
    }
    if (n > 0) buf_put(&c->got, bytes, (size_t)n);
  } while (n > 0);
}

static void say_bytes(struct client *c, struct span bytes) {
  for (size_t at = 0; at < bytes.len;) {
    int n = c->ssl != NULL ? SSL_write(c->ssl, bytes.data + at, (int)(bytes.len - at))
                           : (int)send(c->fd, bytes.data + at, bytes.len - at, MSG_NOSIGNAL);
    if (n > 0) at += (size_t)n;
    if (n > 0) continue;
    turn();
    if (c->ssl == NULL && errno != EAGAIN) return; /* it is not heard any more */
  }
}

static void say(struct client *c, const char *text) {
  say_bytes(c, span_text(text));
}

static bool has(const struct client *c, const char *text) {
  return c->got.len > 0 && memmem(c->got.data, c->got.len, text, strlen(text)) != NULL;
}

static bool hears(struct client *c, const char *text) {
  listen_to(c);
  return has(c, text);
}

static bool is_ended(struct client *c) {
  listen_to(c);
  return c->ended;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: here\r\n\r\n"

/* HTTP/2: preface, SETTINGS, and a request for /hold or / on stream 1. */
static void say_http2(struct client *c, bool hold) {
  static const uint8_t start[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
  static const uint8_t get[] = "\0\0\x09\1\5\0\0\0\1\x82\x86\x84\1\4here";
  static const uint8_t get_hold[] = "\0\0\x0f\1\5\0\0\0\1\x82\x86\4\5/hold\1\4here";
  say_bytes(c, span_of(start, sizeof start));
  say_bytes(c, hold ? span_of(get_hold, sizeof get_hold - 1) : span_of(get, sizeof get - 1));
}

/* Whether a frame of this type came for this stream. */
static bool hears_frame(struct client *c, uint8_t type, uint8_t stream) {
  listen_to(c);
  for (size_t at = 0; at + 9 <= c->got.len;) {
    const uint8_t *f = c->got.data + at;
    if (f[3] == type && f[8] == stream) return true;
    at += 9 + ((size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2]);
  }
  return false;
}

static size_t pings_of(struct client *c) {
  size_t count = 0;
  listen_to(c);
  for (size_t at = 0; at + 9 <= c->got.len;) {
    const uint8_t *f = c->got.data + at;
    count += f[3] == NGHTTP2_PING;
    at += 9 + ((size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2]);
  }
  return count;
}

/* ---- certificates ---- */

struct identity {
  EVP_PKEY *key;
  X509 *certificate;
  struct buf key_pem, certificate_pem;
};

static struct buf pem_of(BIO *bio) {
  char *data;
  long len = BIO_get_mem_data(bio, &data);
  struct buf out = buf_new(65536);
  buf_put(&out, data, (size_t)len);
  BIO_free(bio);
  return out;
}

static void add_extension(X509 *certificate, int nid, const char *value) {
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
  assert_non_null(extension);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

/* `issuer` NULL: a CA that signs itself. `alternative`: its names; `days` it lasts from now. */
static struct identity identity_new(const struct identity *issuer, const char *name, const char *alternative,
                                    int days) {
  static long serial = 1;
  struct identity id = {.key = EVP_EC_gen("P-256"), .certificate = X509_new()};
  X509_set_version(id.certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(id.certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(id.certificate), -10L * 86400);
  X509_gmtime_adj(X509_getm_notAfter(id.certificate), days * 86400L);
  X509_set_pubkey(id.certificate, id.key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(id.certificate), "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1,
                             0);
  const X509 *above = issuer != NULL ? issuer->certificate : id.certificate;
  X509_set_issuer_name(id.certificate, X509_get_subject_name(above));
  if (issuer == NULL) add_extension(id.certificate, NID_basic_constraints, "critical,CA:TRUE");
  if (alternative != NULL) add_extension(id.certificate, NID_subject_alt_name, alternative);
  assert_true(X509_sign(id.certificate, issuer != NULL ? issuer->key : id.key, EVP_sha256()) > 0);
  BIO *bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, id.certificate);
  id.certificate_pem = pem_of(bio);
  bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, id.key, NULL, NULL, 0, NULL, NULL);
  id.key_pem = pem_of(bio);
  return id;
}

static void identity_free(struct identity *id) {
  EVP_PKEY_free(id->key);
  X509_free(id->certificate);
  buf_free(&id->key_pem);
  buf_free(&id->certificate_pem);
}

static struct identity ca, other_ca, old_ca, server_id, second_id, client_id, stranger_id, odd_id, nameless_id;

static int make_identities(void **state) {
  (void)state;
  ca = identity_new(NULL, "CA", NULL, 10);
  other_ca = identity_new(NULL, "Other CA", NULL, 10);
  old_ca = identity_new(NULL, "Old CA", NULL, -1);
  server_id = identity_new(&ca, "first", "DNS:localhost", 10);
  second_id = identity_new(&ca, "second", "DNS:localhost", 10);
  client_id = identity_new(&ca, "client", "IP:10.0.0.1,DNS:Gateway.Example,DNS:second.example", 10);
  stranger_id = identity_new(&other_ca, "stranger", "DNS:gateway.example", 10);
  odd_id = identity_new(&ca, "odd", "DNS:a b,DNS:gateway.example", 10);
  nameless_id = identity_new(&ca, "gateway.example", NULL, 10);
  return 0;
}

static int free_identities(void **state) {
  (void)state;
  struct identity *all[] = {&ca,        &other_ca,    &old_ca, &server_id,  &second_id,
                            &client_id, &stranger_id, &odd_id, &nameless_id};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) identity_free(all[i]);
  return 0;
}

static struct http_tls tls_of(const struct identity *id) {
  return (struct http_tls){.certificate = buf_span(&id->certificate_pem), .key = buf_span(&id->key_pem)};
}

struct tls_client {
  const struct identity *id;
  const char *protocols; /* as in ALPN: length, name … */
  int version;           /* at most */
};

/* Shakes hands. `ended` if that failed; in TLS 1.3 the client may learn of a refusal only when it reads. */
static struct client dial_tls(struct tls_client how) {
  struct client c = dial();
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  if (how.version != 0) SSL_CTX_set_max_proto_version(context, how.version);
  if (how.id != NULL) {
    assert_int_equal(SSL_CTX_use_certificate(context, how.id->certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, how.id->key), 1);
  }
  c.ssl = SSL_new(context);
  SSL_CTX_free(context);
  SSL_set_fd(c.ssl, c.fd);
  if (how.protocols != NULL)
    SSL_set_alpn_protos(c.ssl, (const uint8_t *)how.protocols, (unsigned)strlen(how.protocols));
  for (uint64_t end = clock_monotonic_ms() + PATIENCE_MS; clock_monotonic_ms() < end; turn()) {
    int r = SSL_connect(c.ssl);
    int error = SSL_get_error(c.ssl, r);
    if (r == 1 || error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL) {
      c.ended = r != 1;
      break;
    }
  }
  return c;
}

static bool chose(const struct client *c, const char *protocol) {
  const uint8_t *name = NULL;
  unsigned len = 0;
  SSL_get0_alpn_selected(c->ssl, &name, &len);
  return span_is(span_of(name, len), protocol);
}

/* ---- tests: plain ---- */

static void test_http1(void **state) {
  (void)state;
  open_server(NULL, NULL);
  struct client c = dial();
  for (int i = 0; i < 3; i++) {
    say(&c, GET("/a"));
    UNTIL(hears(&c, "[/a 0]"));
    buf_clear(&c.got);
  }
  say(&c, GET("/peer"));
  UNTIL(hears(&c, "[1 0 ]"));
  assert_int_equal(stats().connections, 1);
  assert_int_equal(stats().requests, 4);
  assert_true(stats().bytes_in > 100 && stats().bytes_out > 100);
  hang_up(&c);
  UNTIL(stats().connections == 0);
  close_server();
}

static void test_http2_by_preface(void **state) {
  (void)state;
  open_server(NULL, NULL);
  struct client c = dial(), slow = dial();
  say_http2(&c, false);
  UNTIL(hears_frame(&c, NGHTTP2_DATA, 1));
  assert_true(has(&c, "[/ 0]"));
  static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  for (size_t i = 0; i < sizeof preface - 1; i++) {
    say_bytes(&slow, span_of(preface + i, 1));
    turn();
  }
  UNTIL(hears_frame(&slow, NGHTTP2_SETTINGS, 0));
  hang_up(&c);
  hang_up(&slow);
  close_server();
}

/* It begins as the preface does. */
static void test_almost_preface(void **state) {
  (void)state;
  open_server(NULL, NULL);
  struct client c = dial();
  say(&c, "PRI ");
  turn_for(5);
  say(&c, "/x HTTP/1.1\r\nHost: a\r\n\r\n");
  UNTIL(hears(&c, "HTTP/1.1 "));
  hang_up(&c);
  close_server();
}

static void test_pipelined(void **state) {
  (void)state;
  open_server(NULL, NULL);
  struct client c = dial();
  say(&c, GET("/1") GET("/hold") GET("/3"));
  UNTIL(owner.held_count == 1);
  assert_true(hears(&c, "[/1 0]"));
  answer_held(0);
  UNTIL(hears(&c, "[/3 0]"));
  hang_up(&c);
  close_server();
}

/* The reply arrives although the request's body was never read. */
static void test_refused_body(void **state) {
  (void)state;
  static uint8_t body[200000];
  open_server(NULL, NULL);
  struct client c = dial();
  say(&c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n");
  for (int i = 0; i < 5; i++) {
    say_bytes(&c, span_of(body, sizeof body));
    turn();
  }
  UNTIL(is_ended(&c));
  assert_true(has(&c, "HTTP/1.1 413 ") && has(&c, "body_too_large"));
  hang_up(&c);
  close_server();
}

static void test_space_for_bodies(void **state) {
  (void)state;
  const struct http_limits limits = {.buffered_bytes = 1000};
  open_server(NULL, &limits);
  struct client a = dial(), b = dial();
  say(&a, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 800\r\n\r\n");
  UNTIL(stats().bytes_in > 0);
  say(&b, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300\r\n\r\n");
  UNTIL(hears(&b, "HTTP/1.1 503 "));
  hang_up(&a);
  hang_up(&b);
  UNTIL(stats().connections == 0);
  b = dial();
  say(&b, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  UNTIL(hears(&b, "[/ 3]"));
  hang_up(&b);
  close_server();
}

/* ---- TLS ---- */

static void test_tls(void **state) {
  (void)state;
  static const struct {
    const char *protocols, *chosen;
  } cases[] = {{NULL, ""}, {"\x08http/1.1", "http/1.1"}, {"\x08http/1.1\x02h2", "h2"}, {"\x02h2", "h2"}};
  const struct http_tls tls = tls_of(&server_id);
  open_server(&tls, NULL);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct client c = dial_tls((struct tls_client){.protocols = cases[i].protocols});
    assert_false(c.ended);
    assert_int_equal(SSL_version(c.ssl), TLS1_3_VERSION);
    assert_true(chose(&c, cases[i].chosen));
    if (strcmp(cases[i].chosen, "h2") == 0) {
      say_http2(&c, false);
      UNTIL(hears_frame(&c, NGHTTP2_DATA, 1));
    } else {
      say(&c, GET("/"));
    }
    UNTIL(hears(&c, "[/ 0]"));
    hang_up(&c);
  }
  UNTIL(stats().connections == 0);
  close_server();
}

static void test_tls_refused(void **state) {
  (void)state;
  const struct http_tls tls = tls_of(&server_id);
  open_server(&tls, NULL);
  struct client old = dial_tls((struct tls_client){.version = TLS1_2_VERSION});
  assert_true(old.ended);
  struct client foreign = dial_tls((struct tls_client){.protocols = "\x06gopher"});
  assert_true(foreign.ended);
  struct client plain = dial();
  say(&plain, GET("/"));
  UNTIL(is_ended(&plain));
  assert_false(has(&plain, "HTTP/1.1"));
  assert_int_equal(owner.requests, 0);
  hang_up(&old);
  hang_up(&foreign);
  hang_up(&plain);
  close_server();
}

/* Whole pipelines lie in OpenSSL when the socket is empty long since. */
static void test_tls_pipelined(void **state) {
  (void)state;
  const struct http_tls tls = tls_of(&server_id);
  struct buf requests = buf_new(1u << 20);
  open_server(&tls, NULL);
  struct client c = dial_tls((struct tls_client){0});
  buf_put_text(&requests, GET("/hold"));
  for (int i = 0; i < 60; i++) buf_printf(&requests, "GET /%0*d HTTP/1.1\r\nHost: a\r\n\r\n", 1000, i);
  say_bytes(&c, buf_span(&requests));
  buf_free(&requests);
  UNTIL(owner.held_count == 1);
  turn_for(20);
  answer_held(0);
  UNTIL(owner.requests == 61);
  UNTIL(hears(&c, "0059 0]"));
  hang_up(&c);
  close_server();
}

static void test_client_certificates(void **state) {
  (void)state;
  const struct {
    const struct identity *id;
    const char *optional, *required; /* what /peer says; NULL: refused */
  } cases[] = {
      {NULL, "[1 0 ]", NULL},
      {&client_id, "[1 1 gateway.example]", "[1 1 gateway.example]"},
      {&nameless_id, "[1 1 ]", "[1 1 ]"},
      {&odd_id, "[1 1 ]", "[1 1 ]"},
      {&stranger_id, NULL, NULL},
      {&other_ca, NULL, NULL},
  };
  for (int required = 0; required < 2; required++) {
    struct http_tls tls = tls_of(&server_id);
    tls.client_ca = buf_span(&ca.certificate_pem);
    tls.require_client = required;
    open_server(&tls, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
      const char *expected = required ? cases[i].required : cases[i].optional;
      struct client c = dial_tls((struct tls_client){.id = cases[i].id});
      if (!c.ended) say(&c, GET("/peer"));
      UNTIL(is_ended(&c) || has(&c, "]"));
      assert_int_equal(c.ended, expected == NULL);
      if (expected != NULL) assert_true(has(&c, expected));
      hang_up(&c);
    }
    close_server();
  }
}

static void test_unusable_certificates(void **state) {
  (void)state;
  const struct span junk = span_text("junk"), good = buf_span(&server_id.certificate_pem),
                    key = buf_span(&server_id.key_pem), old = buf_span(&old_ca.certificate_pem);
  struct buf half = buf_new(65536);
  buf_put_span(&half, buf_span(&ca.certificate_pem));
  buf_put_text(&half, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  const struct {
    struct http_tls tls;
    const char *problem;
  } cases[] = {
      {{junk, key, {NULL, 0}, false}, "the certificate is not PEM"},
      {{{NULL, 0}, key, {NULL, 0}, false}, "the certificate is not PEM"},
      {{good, junk, {NULL, 0}, false}, "the private key is not PEM, or needs a pass phrase"},
      {{good, buf_span(&client_id.key_pem), {NULL, 0}, false}, "the private key does not belong to the certificate"},
      {{good, key, junk, false}, "the client CA is not PEM"},
      {{good, key, buf_span(&half), false}, "the client CA is not PEM"},
      {{good, key, old, false}, "a client CA has expired"},
      {{good, key, {NULL, 0}, true}, "client certificates need a client CA"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char problem[128] = "";
    assert_int_equal(try_server(&cases[i].tls, NULL, problem, sizeof problem), RESULT_CONFIG_INVALID);
    assert_string_equal(problem, cases[i].problem);
    event_base_free(owner.loop);
  }
  buf_free(&half);
}

static void assert_shows(const struct identity *id) {
  struct client c = dial_tls((struct tls_client){0});
  X509 *shown = SSL_get1_peer_certificate(c.ssl);
  assert_int_equal(X509_cmp(shown, id->certificate), 0);
  X509_free(shown);
  hang_up(&c);
}

static void test_reload(void **state) {
  (void)state;
  char problem[128] = "";
  const struct http_tls first = tls_of(&server_id), second = tls_of(&second_id);
  const struct http_tls wrong = {.certificate = first.certificate, .key = second.key};
  open_server(&first, NULL);
  struct client c = dial_tls((struct tls_client){0});
  assert_shows(&server_id);
  assert_int_equal(http_server_reload(owner.server, &wrong, problem, sizeof problem), RESULT_CONFIG_INVALID);
  assert_shows(&server_id);
  assert_int_equal(http_server_reload(owner.server, &second, problem, sizeof problem), RESULT_OK);
  assert_shows(&second_id);
  say(&c, GET("/still"));
  UNTIL(hears(&c, "[/still 0]"));
  hang_up(&c);
  close_server();
}

/* ---- deadlines ---- */

/* Says a byte of `text` again and again until the server has enough. */
static void drip_until_ended(struct client *c, const char *text) {
  size_t at = 0;
  uint64_t end = clock_monotonic_ms() + PATIENCE_MS;
  while (!is_ended(c) && clock_monotonic_ms() < end) {
    say_bytes(c, span_of(text + at % strlen(text), 1));
    at++;
    turn_for(5);
  }
  assert_true(c->ended);
}

static void test_head_that_drips(void **state) {
  (void)state;
  const struct http_limits limits = {.head_ms = 150};
  open_server(NULL, &limits);
  struct client c = dial();
  say(&c, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
  drip_until_ended(&c, "y");
  assert_true(has(&c, "HTTP/1.1 408 ") && has(&c, "request_timeout"));
  hang_up(&c);
  c = dial();
  say(&c, "PRI * HT"); /* what will it be? */
  UNTIL(is_ended(&c));
  hang_up(&c);
  close_server();
}

static void test_body_that_drips(void **state) {
  (void)state;
  const struct http_limits limits = {.body_ms = 150};
  open_server(NULL, &limits);
  struct client c = dial();
  say(&c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  drip_until_ended(&c, "y");
  assert_true(has(&c, "HTTP/1.1 408 "));
  assert_int_equal(owner.requests, 0);
  hang_up(&c);
  close_server();
}

/* In HTTP/2 other requests, served meanwhile, give it no time. */
static void test_body_that_drips_beside_others(void **state) {
  (void)state;
  static const uint8_t start[] =
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
      "\0\0\x09\1\4\0\0\0\1\x83\x86\x84\1\4here";
  static const uint8_t data[] = "\0\0\1\0\0\0\0\0\1x";
  uint8_t get[] = "\0\0\x09\1\5\0\0\0\0\x82\x86\x84\1\4here";
  const struct http_limits limits = {.body_ms = 300};
  open_server(NULL, &limits);
  struct client c = dial();
  say_bytes(&c, span_of(start, sizeof start - 1));
  for (uint8_t id = 3; id < 255 && !hears_frame(&c, NGHTTP2_HEADERS, 1); id += 2) {
    get[8] = id;
    say_bytes(&c, span_of(get, sizeof get - 1));
    say_bytes(&c, span_of(data, sizeof data - 1));
    turn_for(20);
  }
  assert_true(hears_frame(&c, NGHTTP2_HEADERS, 1) && has(&c, "request_timeout"));
  assert_true(hears_frame(&c, NGHTTP2_DATA, 3));
  hang_up(&c);
  close_server();
}

static void test_silent_clients(void **state) {
  (void)state;
  const struct http_limits limits = {.handshake_ms = 100, .idle_ms = 100, .head_ms = 100};
  const struct http_tls tls = tls_of(&server_id);
  open_server(&tls, &limits);
  struct client silent = dial(), drips = dial(), idle = dial_tls((struct tls_client){.protocols = "\x02h2"});
  say_http2(&idle, false);
  drip_until_ended(&drips, "\x16\x03\x01\x7f\xff\x01\x01\x01\x01\x01");
  UNTIL(is_ended(&silent) && is_ended(&idle));
  assert_true(hears_frame(&idle, NGHTTP2_DATA, 1) && hears_frame(&idle, NGHTTP2_GOAWAY, 0));
  UNTIL(stats().connections == 0);
  hang_up(&silent);
  hang_up(&drips);
  hang_up(&idle);
  close_server();
}

/* Idle is since the last request. */
static void test_busy_is_not_idle(void **state) {
  (void)state;
  const struct http_limits limits = {.idle_ms = 1000};
  open_server(NULL, &limits);
  struct client c = dial();
  for (uint64_t end = clock_monotonic_ms() + 1500; clock_monotonic_ms() < end;) {
    buf_clear(&c.got);
    say(&c, GET("/"));
    UNTIL(hears(&c, "[/ 0]"));
    turn_for(20);
  }
  assert_false(is_ended(&c));
  UNTIL(is_ended(&c));
  hang_up(&c);
  close_server();
}

static void test_held_has_no_deadline(void **state) {
  (void)state;
  const struct http_limits limits = {.idle_ms = 100, .head_ms = 100, .body_ms = 100, .write_ms = 100};
  open_server(NULL, &limits);
  struct client c = dial();
  say(&c, GET("/hold"));
  UNTIL(owner.held_count == 1);
  turn_for(400);
  answer_held(0);
  UNTIL(hears(&c, "[late]"));
  hang_up(&c);
  close_server();
}

static void shrink_window(const struct client *c) {
  const int small = 65536;
  setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
}

static void test_slow_reader(void **state) {
  (void)state;
  const struct http_limits limits = {.write_ms = 2000};
  open_server(NULL, &limits);
  struct client c = dial();
  shrink_window(&c);
  for (int i = 0; i < 4; i++) say(&c, GET("/big"));
  uint8_t bytes[65536];
  size_t taken = 0;
  UNTIL(stats().bytes_out > 0);
  for (uint64_t end = clock_monotonic_ms() + PATIENCE_MS; taken < 4u << 20 && clock_monotonic_ms() < end; turn()) {
    ssize_t n = recv(c.fd, bytes, sizeof bytes, 0);
    if (n > 0) taken += (size_t)n;
  }
  assert_true(taken >= 4u << 20);
  assert_int_equal(owner.requests, 4);
  hang_up(&c);
  close_server();
}

/* What waits for it is bounded, and not for ever. */
static void test_reader_that_does_not(void **state) {
  (void)state;
  const struct http_limits limits = {.write_ms = 200};
  open_server(NULL, &limits);
  struct client c = dial();
  shrink_window(&c);
  for (int i = 0; i < 60; i++) say(&c, GET("/big"));
  UNTIL(stats().requests > 0);
  UNTIL(stats().connections == 0);
  assert_true(owner.requests < 20);
  hang_up(&c);
  close_server();
}

/* Nothing is read while replies wait: they would pile up; and so many frames that ask for nothing end the connection.
 */
static void test_pings_that_nobody_hears(void **state) {
  (void)state;
  static const uint8_t ping[17] = "\0\0\x08\6\0\0\0\0\0pingpong";
  static uint8_t pings[17 * 1000];
  for (size_t i = 0; i < 1000; i++) memcpy(pings + sizeof ping * i, ping, sizeof ping);
  open_server(NULL, NULL);
  struct client c = dial();
  size_t sent = 0, refused = 0;
  shrink_window(&c);
  say_http2(&c, false);
  for (; refused < 100 && sent < 64u << 20; turn()) {
    size_t at = sent % sizeof pings; /* may be within a frame */
    ssize_t n = send(c.fd, pings + at, sizeof pings - at, MSG_NOSIGNAL);
    if (n > 0) sent += (size_t)n;
    refused = n > 0 ? 0 : refused + 1;
  }
  assert_true(sent < 64u << 20);
  UNTIL(is_ended(&c));
  assert_true(pings_of(&c) < sent / 17);
  hang_up(&c);
  close_server();
}

/* ---- callers that leave ---- */

enum departure { CLOSES, RESETS, HALF_CLOSES, DEPARTURES };

static void depart(struct client *c, enum departure how) {
  if (how == CLOSES) hang_up(c);
  if (how == RESETS) hang_up_with_reset(c);
  if (how == HALF_CLOSES) shutdown(c->fd, SHUT_WR);
}

static void assert_noticed(struct client *c, enum departure how) {
  UNTIL(owner.held_count == 1);
  turn_for(20); /* everything is as quiet as it gets */
  assert_int_equal(owner.gone, 0);
  depart(c, how);
  UNTIL(owner.gone == 1);
  UNTIL(stats().connections == 0);
  if (how == HALF_CLOSES) hang_up(c);
}

static void test_departures(void **state) {
  (void)state;
  const struct http_tls tls = tls_of(&server_id);
  for (int how = CLOSES; how < DEPARTURES; how++) {
    for (int kind = 0; kind < 4; kind++) {
      open_server(kind < 2 ? NULL : &tls, NULL);
      struct client c =
          kind < 2 ? dial() : dial_tls((struct tls_client){.protocols = kind == 2 ? "\x08http/1.1" : "\x02h2"});
      if (kind % 2 == 0)
        say(&c, GET("/hold"));
      else
        say_http2(&c, true);
      assert_noticed(&c, (enum departure)how);
      close_server();
    }
  }
}

/* So much is pipelined behind the request that nothing more is read; not so much that the end is stuck behind it. */
static void test_departures_unread(void **state) {
  (void)state;
  static uint8_t rest[100000];
  for (int how = CLOSES; how < DEPARTURES; how++) {
    open_server(NULL, NULL);
    struct client c = dial();
    say(&c, GET("/hold"));
    assert_int_equal(send(c.fd, rest, sizeof rest, 0), sizeof rest);
    assert_noticed(&c, (enum departure)how);
    close_server();
  }
}

static void test_free_tells_owner(void **state) {
  (void)state;
  open_server(NULL, NULL);
  struct client a = dial(), b = dial(), idle = dial();
  say(&a, GET("/hold"));
  say_http2(&b, true);
  UNTIL(owner.held_count == 2);
  close_server();
  assert_int_equal(owner.gone, 2);
  hang_up(&a);
  hang_up(&b);
  hang_up(&idle);
}

/* The last request of a client that closes its side at once is answered if the owner does not hold it. */
static void test_request_and_half_close(void **state) {
  (void)state;
  open_server(NULL, NULL);
  struct client c = dial();
  say(&c, GET("/"));
  shutdown(c.fd, SHUT_WR);
  UNTIL(is_ended(&c));
  assert_true(has(&c, "[/ 0]"));
  hang_up(&c);
  close_server();
}

/* ---- how many ---- */

static void test_connection_cap(void **state) {
  (void)state;
  const struct http_limits limits = {.connections = 2};
  open_server(NULL, &limits);
  struct client a = dial(), b = dial(), c = dial();
  UNTIL(is_ended(&c));
  assert_int_equal(stats().refused, 1);
  say(&a, GET("/"));
  UNTIL(hears(&a, "[/ 0]"));
  hang_up(&b);
  UNTIL(stats().connections == 1);
  hang_up(&c);
  c = dial();
  say(&c, GET("/"));
  UNTIL(hears(&c, "[/ 0]"));
  hang_up(&a);
  hang_up(&c);
  close_server();
}

static void test_no_descriptors(void **state) {
  (void)state;
  struct rlimit usual, none;
  open_server(NULL, NULL);
  struct client c = dial();
  int next = dup(c.fd);
  close(next);
  getrlimit(RLIMIT_NOFILE, &usual);
  none = usual;
  none.rlim_cur = (rlim_t)next;
  setrlimit(RLIMIT_NOFILE, &none);
  turn_for(50);
  unsigned before = stats().connections;
  setrlimit(RLIMIT_NOFILE, &usual);
  assert_int_equal(before, 0);
  say(&c, GET("/"));
  UNTIL(hears(&c, "[/ 0]"));
  hang_up(&c);
  close_server();
}

/* ---- the end ---- */

static void test_drain(void **state) {
  (void)state;
  open_server(NULL, NULL);
  struct client idle = dial(), used = dial(), held = dial(), held2 = dial(), idle2 = dial();
  say(&used, GET("/"));
  say(&held, GET("/hold"));
  say_http2(&held2, true);
  say_http2(&idle2, false);
  UNTIL(owner.held_count == 2 && hears(&used, "[/ 0]") && hears_frame(&idle2, NGHTTP2_DATA, 1));
  http_server_drain(owner.server);
  http_server_drain(owner.server);
  UNTIL(is_ended(&idle) && is_ended(&used) && is_ended(&idle2));
  assert_true(hears_frame(&idle2, NGHTTP2_GOAWAY, 0));
  assert_int_equal(try_connect(), -1);
  UNTIL(stats().connections == 2);
  answer_held(0);
  answer_held(1);
  UNTIL(is_ended(&held) && is_ended(&held2));
  assert_true(has(&held, "Connection: close") && has(&held, "[late]"));
  assert_true(has(&held2, "[late]") && hears_frame(&held2, NGHTTP2_GOAWAY, 0));
  struct client *all[] = {&idle, &used, &held, &held2, &idle2};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) hang_up(all[i]);
  UNTIL(stats().connections == 0);
  close_server();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_http1),
      cmocka_unit_test(test_http2_by_preface),
      cmocka_unit_test(test_almost_preface),
      cmocka_unit_test(test_pipelined),
      cmocka_unit_test(test_refused_body),
      cmocka_unit_test(test_space_for_bodies),
      cmocka_unit_test(test_tls),
      cmocka_unit_test(test_tls_refused),
      cmocka_unit_test(test_tls_pipelined),
      cmocka_unit_test(test_client_certificates),
      cmocka_unit_test(test_unusable_certificates),
      cmocka_unit_test(test_reload),
      cmocka_unit_test(test_head_that_drips),
      cmocka_unit_test(test_body_that_drips),
      cmocka_unit_test(test_body_that_drips_beside_others),
      cmocka_unit_test(test_silent_clients),
      cmocka_unit_test(test_busy_is_not_idle),
      cmocka_unit_test(test_held_has_no_deadline),
      cmocka_unit_test(test_slow_reader),
      cmocka_unit_test(test_reader_that_does_not),
      cmocka_unit_test(test_pings_that_nobody_hears),
      cmocka_unit_test(test_departures),
      cmocka_unit_test(test_departures_unread),
      cmocka_unit_test(test_free_tells_owner),
      cmocka_unit_test(test_request_and_half_close),
      cmocka_unit_test(test_connection_cap),
      cmocka_unit_test(test_no_descriptors),
      cmocka_unit_test(test_drain),
  };
  signal(SIGPIPE, SIG_IGN);
  return cmocka_run_group_tests(tests, make_identities, free_identities);
}
