/*
 * Connections: sockets, TLS, which protocol, how long each phase may take. What the bytes mean is the codec's.
 *
 * Everything of a connection happens from the loop, and a connection that ends is freed only after the event that ended
 * it: whoever is further up the stack still holds it.
 */
#include "http/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event_struct.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/codec.h"
#include "http/tls.h"

#define READ_BYTES 65536u
#define WRITE_BYTES 65536u
#define READS_AT_ONCE 8 /* then others have their turn */
#define ACCEPTS_AT_ONCE 64
#define TICK_MS 50u          /* how exact deadlines are */
#define LINGER_MS 2000u      /* after the last reply, for a peer that still sends */
#define NO_DESCRIPTOR_MS 100 /* until accepting is tried again */
#define ENDS_AT_ONCE 64

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"; /* RFC 9113 §3.4 */
#define PREFACE (sizeof preface - 1)

/* What a connection is waited for. Each has one length, so a list in order of entry is a list in order of deadlines. */
enum wait { WAIT_HANDSHAKE, WAIT_IDLE, WAIT_HEAD, WAIT_BODY, WAIT_WRITE, WAIT_LINGER, WAIT_COUNT, WAIT_NONE };

enum stage { STAGE_HANDSHAKE, STAGE_CHOOSE, STAGE_SERVE, STAGE_LINGER, STAGE_DEAD };

struct connection {
  struct http_server *server;
  TAILQ_ENTRY(connection) all, waiting, woken;
  int fd;
  struct event readable, writable;
  struct tls *tls;
  struct codec *codec;
  enum stage stage;
  enum wait wait;
  enum codec_phase phase;
  uint64_t deadline_ms;
  bool is_woken, in_work, write_blocked, peer_ended, paused, asked; /* … a request came in this turn */
  uint8_t begun[PREFACE]; /* of a connection whose protocol is not known yet */
  size_t begun_len;
  struct buf rest; /* produced, and not taken by the socket yet */
  size_t rest_sent;
  size_t counted; /* bytes of replies that are in the statistics */
  struct http_peer peer;
};

TAILQ_HEAD(connections, connection);

struct http_server {
  struct event_base *loop;
  int listener;
  struct event *accept, *accept_again, *tick, *work;
  uint64_t tick_ms; /* when it is, 0: never */
  int ends;         /* an epoll of connections that are not read: tells when their peers leave */
  struct event *ended;
  struct tls_context *tls;
  struct http_limits limits;
  struct http_handler handler;
  struct codec_events events;
  struct connections all, waiting[WAIT_COUNT], woken, dead;
  size_t buffered;
  bool draining;
  struct http_stats stats;
  struct buf out;
  uint8_t in[READ_BYTES]; /* a TLS record fits, so none is left in OpenSSL that the socket would not announce again */
};

/* ---- deadlines ---- */

static unsigned wait_ms(const struct http_server *s, enum wait wait) {
  const unsigned table[WAIT_COUNT] = {
      [WAIT_HANDSHAKE] = s->limits.handshake_ms, [WAIT_IDLE] = s->limits.idle_ms,   [WAIT_HEAD] = s->limits.head_ms,
      [WAIT_BODY] = s->limits.body_ms,           [WAIT_WRITE] = s->limits.write_ms, [WAIT_LINGER] = LINGER_MS};
  return table[wait];
}

/* Rings at the deadline, or a little later together with others. */
static void set_tick(struct http_server *s, uint64_t now, uint64_t deadline) {
  uint64_t left = deadline > now ? deadline - now : 0;
  if (left < TICK_MS) left = TICK_MS;
  if (s->tick_ms != 0 && s->tick_ms <= now + left) return;
  const struct timeval soon = {.tv_sec = (time_t)(left / 1000), .tv_usec = (suseconds_t)(left % 1000 * 1000)};
  s->tick_ms = now + left;
  evtimer_add(s->tick, &soon);
}

static void set_wait(struct connection *c, enum wait wait) {
  struct http_server *s = c->server;
  if (c->wait == wait) return;
  if (c->wait != WAIT_NONE) TAILQ_REMOVE(&s->waiting[c->wait], c, waiting);
  c->wait = wait;
  if (wait == WAIT_NONE) return;
  uint64_t now = clock_monotonic_ms();
  c->deadline_ms = now + wait_ms(s, wait);
  TAILQ_INSERT_TAIL(&s->waiting[wait], c, waiting);
  set_tick(s, now, c->deadline_ms);
}

/* Again the whole time: something was done. */
static void renew_wait(struct connection *c, enum wait wait) {
  set_wait(c, WAIT_NONE);
  set_wait(c, wait);
}

/* ---- the end of a connection ---- */

static void free_codec(struct connection *c) {
  struct codec *codec = c->codec;
  c->codec = NULL;
  if (codec != NULL) codec->ops->free(codec);
}

/* What is left of its replies goes into the statistics. */
static void count_waiting(struct connection *c) {
  size_t waiting = c->stage == STAGE_DEAD ? 0 : c->rest.len - c->rest_sent;
  if (c->codec != NULL) waiting += c->codec->ops->waiting(c->codec);
  c->server->stats.waiting += waiting;
  c->server->stats.waiting -= c->counted;
  c->counted = waiting;
}

static void bury(struct connection *c) {
  struct http_server *s = c->server;
  if (c->stage == STAGE_DEAD) return;
  c->stage = STAGE_DEAD;
  set_wait(c, WAIT_NONE);
  event_del(&c->readable);
  event_del(&c->writable);
  if (c->is_woken) TAILQ_REMOVE(&s->woken, c, woken);
  c->is_woken = false;
  free_codec(c);
  count_waiting(c);
  if (c->tls != NULL) tls_close(c->tls);
  tls_free(c->tls);
  c->tls = NULL;
  close(c->fd);
  TAILQ_REMOVE(&s->all, c, all);
  s->stats.connections--;
  TAILQ_INSERT_TAIL(&s->dead, c, all);
  event_active(s->work, EV_TIMEOUT, 0);
}

static void free_dead(struct http_server *s) {
  for (struct connection *c; (c = TAILQ_FIRST(&s->dead)) != NULL;) {
    TAILQ_REMOVE(&s->dead, c, all);
    buf_free(&c->rest);
    if (c->peer.dns_name[0] != 0) free((char *)(uintptr_t)c->peer.dns_name);
    free(c);
  }
}

/* Reading stops. The peer's departure is still told, by an epoll of its own: libevent would not pass on that a
 * connection was reset to one who waits for EV_CLOSED alone, and ask the kernel again and again. */
static void pause_reading(struct connection *c) {
  if (c->paused) return;
  c->paused = true;
  event_del(&c->readable);
  struct epoll_event end = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = c};
  if (epoll_ctl(c->server->ends, EPOLL_CTL_ADD, c->fd, &end) != 0) bury(c);
}

static void read_on(struct connection *c) {
  if (!c->paused) return;
  c->paused = false;
  epoll_ctl(c->server->ends, EPOLL_CTL_DEL, c->fd, NULL);
  event_add(&c->readable, NULL);
}

/* All is said. What the peer still sends is read and forgotten, so that it gets the reply and not a reset. */
static void begin_linger(struct connection *c) {
  c->stage = STAGE_LINGER;
  free_codec(c);
  if (c->tls != NULL) tls_close(c->tls);
  shutdown(c->fd, SHUT_WR);
  event_del(&c->writable);
  read_on(c);
  set_wait(c, WAIT_LINGER);
}

/* ---- bytes out ---- */

static enum tls_step send_some(struct connection *c, struct span bytes, size_t *sent) {
  if (c->tls != NULL) return tls_write(c->tls, bytes.data, bytes.len, sent);
  ssize_t n = send(c->fd, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
  *sent = n > 0 ? (size_t)n : 0;
  if (n > 0) return TLS_DONE;
  return errno == EAGAIN || errno == EINTR ? TLS_WANT_WRITE : TLS_ENDED;
}

/* Sends `bytes` as far as the socket takes them. */
static enum tls_step send_all(struct connection *c, struct span bytes, size_t *sent) {
  enum tls_step step = TLS_DONE;
  *sent = 0;
  while (step == TLS_DONE && *sent < bytes.len) {
    size_t n = 0;
    step = send_some(c, span_of(bytes.data + *sent, bytes.len - *sent), &n);
    *sent += n;
  }
  c->server->stats.bytes_out += *sent;
  return step;
}

static void blocked(struct connection *c, bool moved) {
  if (!c->write_blocked) event_add(&c->writable, NULL);
  c->write_blocked = true;
  if (moved || c->wait != WAIT_WRITE) renew_wait(c, WAIT_WRITE);
}

/* What was left of the last attempt. False if there is still something, or the connection is over. */
static bool send_rest(struct connection *c) {
  size_t sent = 0;
  if (c->rest.len == 0) return true;
  enum tls_step step = send_all(c, span_of(c->rest.data + c->rest_sent, c->rest.len - c->rest_sent), &sent);
  c->rest_sent += sent;
  if (step == TLS_ENDED) {
    bury(c);
    return false;
  }
  if (c->rest_sent < c->rest.len) {
    blocked(c, sent > 0);
    return false;
  }
  buf_free(&c->rest);
  c->rest = buf_new(WRITE_BYTES + (64u << 10));
  c->rest_sent = 0;
  return true;
}

static void keep_rest(struct connection *c, struct span bytes) {
  c->rest = buf_new(bytes.len);
  c->rest_sent = 0;
  buf_put_span(&c->rest, bytes);
  if (c->rest.bad) bury(c); /* a reply with a hole in it is worse than none */
}

/* Somebody's reply does not stay where the next one is made. */
static void forget(struct buf *out) {
  wipe(out->data, out->len);
  buf_clear(out);
}

/* Has the codec say what it has to say, until the socket is full. */
static void produce(struct connection *c) {
  struct buf *out = &c->server->out;
  if (!send_rest(c)) return;
  for (;;) {
    size_t sent = 0;
    forget(out);
    c->codec->ops->produce(c->codec, out, WRITE_BYTES);
    if (out->bad) bury(c);
    if (out->bad || out->len == 0) break;
    enum tls_step step = send_all(c, buf_span(out), &sent);
    if (step == TLS_ENDED) {
      bury(c);
      break;
    }
    if (sent == out->len) continue;
    keep_rest(c, span_of(out->data + sent, out->len - sent));
    if (c->stage != STAGE_DEAD) blocked(c, sent > 0);
    break;
  }
  forget(out);
  if (c->stage == STAGE_DEAD || c->rest.len > 0 || !c->write_blocked) return;
  event_del(&c->writable);
  c->write_blocked = false;
}

/* ---- bytes in ---- */

static enum tls_step receive_some(struct connection *c, size_t *count) {
  struct http_server *s = c->server;
  if (c->tls != NULL) return tls_read(c->tls, s->in, sizeof s->in, count);
  ssize_t n = recv(c->fd, s->in, sizeof s->in, MSG_DONTWAIT);
  *count = n > 0 ? (size_t)n : 0;
  if (n > 0) return TLS_DONE;
  return n < 0 && (errno == EAGAIN || errno == EINTR) ? TLS_WANT_READ : TLS_ENDED;
}

/* The codec has something to say. It may be in the middle of something: the loop comes back to it. */
static void on_wake(void *context) {
  struct connection *c = context;
  struct http_server *s = c->server;
  if (c->is_woken || c->in_work || c->stage == STAGE_DEAD) return;
  c->is_woken = true;
  TAILQ_INSERT_TAIL(&s->woken, c, woken);
  event_active(s->work, EV_TIMEOUT, 0);
}

static enum result make_codec(struct connection *c, bool http2) {
  struct http_server *s = c->server;
  enum result (*make)(const struct codec_events *, const struct http_limits *, struct http_peer *, void *,
                      void (*)(void *), struct codec **) = http2 ? http2_new : http1_new;
  enum result r = make(&s->events, &s->limits, &c->peer, c, on_wake, &c->codec);
  if (r == RESULT_OK && s->draining) c->codec->ops->drain(c->codec);
  return r;
}

static void start_serving(struct connection *c, bool http2) {
  if (make_codec(c, http2) != RESULT_OK) {
    bury(c);
    return;
  }
  c->stage = STAGE_SERVE;
  if (c->begun_len > 0) c->codec->ops->receive(c->codec, span_of(c->begun, c->begun_len));
}

/* A plain connection: the first bytes that are not HTTP/2's preface make it HTTP/1.1. Returns how many were used. */
static size_t choose(struct connection *c, struct span bytes) {
  size_t used = 0;
  while (used < bytes.len && c->begun_len < PREFACE) {
    if (bytes.data[used] != (uint8_t)preface[c->begun_len]) {
      start_serving(c, false);
      return used;
    }
    c->begun[c->begun_len++] = bytes.data[used++];
  }
  if (c->begun_len == PREFACE) start_serving(c, true);
  return used;
}

static void take(struct connection *c, struct span bytes) {
  c->server->stats.bytes_in += bytes.len;
  if (c->stage == STAGE_CHOOSE) {
    size_t used = choose(c, bytes);
    bytes = span_of(bytes.data + used, bytes.len - used);
  }
  if (c->stage == STAGE_SERVE && bytes.len > 0) c->codec->ops->receive(c->codec, bytes);
}

static bool wants_input(const struct connection *c) {
  if (c->stage == STAGE_CHOOSE) return true;
  return c->stage == STAGE_SERVE && c->rest.len == 0 && c->codec->ops->wants_input(c->codec);
}

/* Nobody hears what we would say, or nobody waits for it. */
static void peer_ended(struct connection *c) {
  c->peer_ended = true;
  if (c->stage == STAGE_SERVE) produce(c);
  if (c->stage == STAGE_DEAD) return;
  enum codec_phase phase = c->codec != NULL ? c->codec->ops->phase(c->codec) : CODEC_IDLE;
  /* The last reply may still arrive; a request that is held, or not even whole, has lost its caller. */
  if (c->rest.len == 0 || (phase != CODEC_IDLE && phase != CODEC_CLOSED)) bury(c);
}

static void receive(struct connection *c) {
  for (int i = 0; i < READS_AT_ONCE && wants_input(c); i++) {
    size_t count = 0;
    enum tls_step step = receive_some(c, &count);
    if (count > 0) take(c, span_of(c->server->in, count));
    wipe(c->server->in, count);
    if (c->stage == STAGE_DEAD) return;
    if (step == TLS_ENDED) {
      peer_ended(c);
      return;
    }
    if (step == TLS_WANT_WRITE && !c->write_blocked) {
      event_add(&c->writable, NULL);
      c->write_blocked = true;
    }
    /* A plain socket that gave less than was asked for is empty. */
    if (step != TLS_DONE || (c->tls == NULL && count < sizeof c->server->in)) return;
    if (c->stage == STAGE_SERVE) produce(c);
    if (c->stage == STAGE_DEAD) return;
  }
}

/* ---- a turn: read, answer, set what is waited for ---- */

static enum wait wait_for(enum codec_phase phase) {
  static const enum wait table[] = {[CODEC_IDLE] = WAIT_IDLE, [CODEC_HEAD] = WAIT_HEAD,     [CODEC_BODY] = WAIT_BODY,
                                    [CODEC_HELD] = WAIT_NONE, [CODEC_SENDING] = WAIT_WRITE, [CODEC_CLOSED] = WAIT_NONE};
  return table[phase];
}

/* Reading goes on while a request is held, so that its caller's departure is seen, until no more can be kept. */
static void watch(struct connection *c) {
  if (wants_input(c))
    read_on(c);
  else
    pause_reading(c);
}

static void settle(struct connection *c) {
  if (c->stage == STAGE_SERVE) {
    c->phase = c->codec->ops->phase(c->codec);
    bool said = c->rest.len == 0;
    if (said && c->phase == CODEC_CLOSED) {
      begin_linger(c);
      return;
    }
    if (said && c->peer_ended) {
      bury(c);
      return;
    }
    if (said && c->asked) set_wait(c, WAIT_NONE); /* the deadlines of the next request are its own */
    enum wait wait = wait_for(c->phase);
    if (c->server->draining && wait == WAIT_IDLE) wait = WAIT_LINGER; /* it was told; some never answer */
    if (said) set_wait(c, wait);
    c->asked = false;
  } else if (c->stage == STAGE_CHOOSE) {
    set_wait(c, c->begun_len > 0 ? WAIT_HEAD : WAIT_IDLE);
  }
  if (c->stage == STAGE_SERVE || c->stage == STAGE_CHOOSE) watch(c);
}

static void work(struct connection *c) {
  c->in_work = true;
  if (c->stage == STAGE_SERVE) produce(c);
  if (c->stage != STAGE_DEAD) settle(c);
  count_waiting(c);
  c->in_work = false;
}

/* TLS is closed on our side; below it, bytes are bytes. */
static void discard(struct connection *c) {
  for (int i = 0; i < READS_AT_ONCE; i++) {
    ssize_t n = recv(c->fd, c->server->in, sizeof c->server->in, MSG_DONTWAIT);
    if (n > 0) continue;
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) bury(c);
    return;
  }
}

static void go_on_with_handshake(struct connection *c) {
  enum tls_step step = tls_handshake(c->tls);
  if (step == TLS_ENDED) {
    bury(c);
    return;
  }
  if (step == TLS_WANT_WRITE && !c->write_blocked) event_add(&c->writable, NULL);
  if (step != TLS_WANT_WRITE && c->write_blocked) event_del(&c->writable); /* or it would ring for good */
  c->write_blocked = step == TLS_WANT_WRITE;
  if (step != TLS_DONE) return;
  tls_identify(c->tls, &c->peer);
  set_wait(c, WAIT_NONE);
  start_serving(c, tls_chose_http2(c->tls));
}

static void on_readable(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct connection *c = context;
  if (c->stage == STAGE_DEAD) return;
  c->in_work = true;
  if (c->stage == STAGE_HANDSHAKE) go_on_with_handshake(c);
  if (c->stage == STAGE_LINGER)
    discard(c);
  else if (c->stage == STAGE_CHOOSE || c->stage == STAGE_SERVE)
    receive(c);
  if (c->stage != STAGE_DEAD && c->stage != STAGE_LINGER) work(c);
  c->in_work = false;
}

static void on_writable(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct connection *c = context;
  if (c->stage == STAGE_DEAD) return;
  c->in_work = true;
  if (c->stage == STAGE_HANDSHAKE)
    go_on_with_handshake(c);
  else if (c->stage == STAGE_SERVE && c->rest.len == 0 && c->tls != NULL)
    receive(c); /* TLS wanted to write before it could read on */
  if (c->stage != STAGE_DEAD) work(c);
  c->in_work = false;
}

static void on_end(struct connection *c) {
  if (c->stage == STAGE_DEAD) return;
  c->in_work = true;
  peer_ended(c);
  c->in_work = false;
}

static void on_ended(evutil_socket_t ends, short what, void *context) {
  (void)what, (void)context;
  struct epoll_event events[ENDS_AT_ONCE];
  int count = epoll_wait(ends, events, ENDS_AT_ONCE, 0);
  for (int i = 0; i < count; i++) on_end(events[i].data.ptr);
}

/* ---- the loop's other events ---- */

static void on_work(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct http_server *s = context;
  for (struct connection *c; (c = TAILQ_FIRST(&s->woken)) != NULL;) {
    TAILQ_REMOVE(&s->woken, c, woken);
    c->is_woken = false;
    work(c);
  }
  free_dead(s);
}

/* The codec says good-bye, if it is not the socket itself that takes nothing. */
static void expire(struct connection *c) {
  if (c->stage != STAGE_SERVE || c->rest.len > 0) {
    bury(c);
    return;
  }
  set_wait(c, WAIT_NONE);
  c->in_work = true;
  c->codec->ops->expire(c->codec);
  work(c);
  c->in_work = false;
}

static void on_tick(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct http_server *s = context;
  uint64_t now = clock_monotonic_ms();
  struct connection *c;
  s->tick_ms = 0;
  for (int i = 0; i < WAIT_COUNT; i++) {
    while ((c = TAILQ_FIRST(&s->waiting[i])) != NULL && c->deadline_ms <= now) expire(c);
    if (c != NULL) set_tick(s, now, c->deadline_ms);
  }
}

/* ---- accepting ---- */

static void name_peer(struct connection *c, const struct sockaddr_storage *address) {
  char text[INET6_ADDRSTRLEN] = "";
  c->peer.dns_name = "";
  if (address->ss_family == AF_INET) {
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    c->peer.loopback = ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    snprintf(c->peer.address, sizeof c->peer.address, "%s:%u", text, ntohs(v4->sin_port));
  } else if (address->ss_family == AF_INET6) {
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    c->peer.loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    snprintf(c->peer.address, sizeof c->peer.address, "[%s]:%u", text, ntohs(v6->sin6_port));
  }
}

static void connection_new(struct http_server *s, int fd, const struct sockaddr_storage *address) {
  struct connection *c = s->stats.connections < s->limits.connections ? calloc(1, sizeof *c) : NULL;
  struct tls *tls = c != NULL && s->tls != NULL ? tls_new(s->tls, fd) : NULL;
  if (c == NULL || (s->tls != NULL && tls == NULL)) {
    s->stats.refused++;
    free(c);
    close(fd);
    return;
  }
  const int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  c->server = s;
  c->fd = fd;
  c->tls = tls;
  c->stage = tls != NULL ? STAGE_HANDSHAKE : STAGE_CHOOSE;
  c->wait = WAIT_NONE;
  name_peer(c, address);
  event_assign(&c->readable, s->loop, fd, EV_READ | EV_PERSIST, on_readable, c);
  event_assign(&c->writable, s->loop, fd, EV_WRITE | EV_PERSIST, on_writable, c);
  event_add(&c->readable, NULL);
  TAILQ_INSERT_TAIL(&s->all, c, all);
  s->stats.connections++;
  s->stats.accepted++;
  set_wait(c, tls != NULL ? WAIT_HANDSHAKE : WAIT_IDLE);
}

static void on_accept_again(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct http_server *s = context;
  if (!s->draining) event_add(s->accept, NULL);
}

static void on_accept(evutil_socket_t listener, short what, void *context) {
  (void)what;
  struct http_server *s = context;
  for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    int fd = accept4(listener, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      connection_new(s, fd, &address);
      continue;
    }
    if (errno == ECONNABORTED || errno == EINTR) continue;
    if (errno == EAGAIN) return;
    /* No descriptor, or no memory: the kernel keeps them waiting, and we do not spin. */
    const struct timeval pause = {.tv_usec = NO_DESCRIPTOR_MS * 1000};
    event_del(s->accept);
    evtimer_add(s->accept_again, &pause);
    return;
  }
}

/* ---- what codecs tell ---- */

static void on_request(void *context, struct http_exchange *x) {
  struct http_server *s = context;
  ((struct connection *)x->codec->connection)->asked = true;
  s->stats.requests++;
  s->handler.request(s->handler.context, x);
}

static void on_gone(void *context, struct http_exchange *x) {
  struct http_server *s = context;
  s->handler.gone(s->handler.context, x);
}

static void on_refusal(void *context, enum result why, struct buf *body, const char **media_type) {
  struct http_server *s = context;
  s->handler.refusal(s->handler.context, why, body, media_type);
}

static bool on_reserve(void *context, size_t bytes) {
  struct http_server *s = context;
  if (bytes > s->limits.buffered_bytes - s->buffered) return false;
  s->buffered += bytes;
  return true;
}

static void on_release(void *context, size_t bytes) {
  struct http_server *s = context;
  s->buffered -= bytes;
}

/* ---- the server ---- */

static struct http_limits with_defaults(const struct http_limits *given) {
  struct http_limits l = *given;
  if (l.head_bytes == 0) l.head_bytes = 16384;
  if (l.body_bytes == 0) l.body_bytes = 1310720;
  if (l.buffered_bytes == 0) l.buffered_bytes = 256u << 20;
  if (l.connections == 0) l.connections = 16384;
  if (l.streams == 0) l.streams = 256;
  if (l.handshake_ms == 0) l.handshake_ms = 10000;
  if (l.head_ms == 0) l.head_ms = 10000;
  if (l.body_ms == 0) l.body_ms = 30000;
  if (l.idle_ms == 0) l.idle_ms = 60000;
  if (l.write_ms == 0) l.write_ms = 20000;
  return l;
}

static enum result start(struct http_server *s) {
  s->accept = event_new(s->loop, s->listener, EV_READ | EV_PERSIST, on_accept, s);
  s->accept_again = evtimer_new(s->loop, on_accept_again, s);
  s->tick = evtimer_new(s->loop, on_tick, s);
  s->work = evtimer_new(s->loop, on_work, s);
  s->ends = epoll_create1(EPOLL_CLOEXEC);
  if (s->ends < 0) return RESULT_IO;
  s->ended = event_new(s->loop, s->ends, EV_READ | EV_PERSIST, on_ended, s);
  bool made = s->accept != NULL && s->accept_again != NULL && s->tick != NULL && s->work != NULL && s->ended != NULL;
  return made && event_add(s->accept, NULL) == 0 && event_add(s->ended, NULL) == 0 ? RESULT_OK : RESULT_NO_MEMORY;
}

enum result http_server_new(struct event_base *loop, int listener, const struct http_tls *tls,
                            const struct http_limits *limits, const struct http_handler *handler, char *problem,
                            size_t problem_size, struct http_server **out) {
  struct http_server *s = calloc(1, sizeof *s);
  if (s == NULL) {
    close(listener);
    return RESULT_NO_MEMORY;
  }
  s->loop = loop;
  s->listener = listener;
  s->ends = -1;
  s->limits = with_defaults(limits);
  s->handler = *handler;
  s->events = (struct codec_events){s, on_request, on_gone, on_refusal, on_reserve, on_release};
  s->out = buf_new(WRITE_BYTES + (2u << 20));
  TAILQ_INIT(&s->all);
  TAILQ_INIT(&s->woken);
  TAILQ_INIT(&s->dead);
  for (int i = 0; i < WAIT_COUNT; i++) TAILQ_INIT(&s->waiting[i]);
  enum result r = tls != NULL ? tls_context_new(tls, problem, problem_size, &s->tls) : RESULT_OK;
  if (r == RESULT_OK) r = start(s);
  if (r == RESULT_OK) {
    *out = s;
    s = NULL;
  }
  http_server_free(s);
  return r;
}

enum result http_server_reload(struct http_server *s, const struct http_tls *tls, char *problem, size_t problem_size) {
  struct tls_context *fresh = NULL;
  if (s->tls == NULL) {
    snprintf(problem, problem_size, "this server speaks plain HTTP");
    return RESULT_CONFIG_INVALID;
  }
  enum result r = tls_context_new(tls, problem, problem_size, &fresh);
  if (r != RESULT_OK) return r;
  tls_context_free(s->tls);
  s->tls = fresh;
  return RESULT_OK;
}

void http_server_drain(struct http_server *s) {
  if (s->draining) return;
  s->draining = true;
  event_del(s->accept);
  event_del(s->accept_again);
  close(s->listener);
  s->listener = -1;
  for (struct connection *c = TAILQ_FIRST(&s->all), *next; c != NULL; c = next) {
    next = TAILQ_NEXT(c, all);
    if (c->codec == NULL) {
      if (c->stage != STAGE_LINGER && c->begun_len == 0) bury(c);
      continue;
    }
    c->codec->ops->drain(c->codec);
    on_wake(c);
  }
}

struct http_stats http_server_stats(const struct http_server *s) {
  return s->stats;
}

static void free_event(struct event *event) {
  if (event != NULL) event_free(event);
}

void http_server_free(struct http_server *s) {
  if (s == NULL) return;
  free_event(s->accept);
  free_event(s->accept_again);
  if (s->listener >= 0) close(s->listener);
  for (struct connection *c; (c = TAILQ_FIRST(&s->all)) != NULL;) bury(c);
  free_dead(s);
  free_event(s->tick);
  free_event(s->work);
  free_event(s->ended);
  if (s->ends >= 0) close(s->ends);
  tls_context_free(s->tls);
  buf_free(&s->out);
  wipe(s->in, sizeof s->in);
  free(s);
}
