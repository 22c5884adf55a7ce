#include "egress_stage.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void on_broken(void *context, enum result why) {
  struct egress_stage *s = context;
  s->broken++;
  s->why = why;
}

void egress_stage_connect(struct egress_stage *s) {
  int fds[2];
  if (s->fd >= 0) close(s->fd);
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
  const int size = 4 << 20; /* a whole message fits */
  (void)!setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  (void)!setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  s->fd = fds[1];
  assert_int_equal(outlet_connect(s->outlet, fds[0]), RESULT_OK);
}

void egress_stage_open(struct egress_stage *s, bool connected) {
  *s = (struct egress_stage){.base = event_base_new(), .fd = -1, .body = buf_new(SERVICE_ANSWER_MAX)};
  assert_non_null(s->base);
  assert_int_equal(outlet_new(s->base, on_broken, s, &s->outlet), RESULT_OK);
  if (connected) egress_stage_connect(s);
}

void egress_stage_close(struct egress_stage *s) {
  outlet_free(s->outlet);
  if (s->fd >= 0) close(s->fd);
  buf_free(&s->body);
  event_base_free(s->base);
}

void egress_stage_turn(struct egress_stage *s) {
  for (int i = 0; i < 8; i++) (void)event_base_loop(s->base, EVLOOP_NONBLOCK);
}

void egress_stage_until(struct egress_stage *s, const unsigned *flag, unsigned value) {
  for (int i = 0; *flag != value && i < 10000; i++) {
    (void)event_base_loop(s->base, EVLOOP_NONBLOCK);
    if (*flag != value) usleep(1000);
  }
  assert_int_equal(*flag, value);
}

/* A message that is more than the socket holds leaves as it is read. Ten seconds at most. */
static void await_bytes(struct egress_stage *s, uint8_t *to, size_t len) {
  for (size_t have = 0, turns = 0; have < len; turns++) {
    assert_true(turns < 100000);
    const ssize_t n = recv(s->fd, to + have, len - have, MSG_DONTWAIT);
    if (n > 0) have += (size_t)n;
    if (n > 0) continue;
    (void)event_base_loop(s->base, EVLOOP_NONBLOCK);
    usleep(100); /* it may be a timer's affair */
  }
}

struct span egress_stage_hear(struct egress_stage *s, uint8_t type) {
  uint8_t head[MSG_HEADER];
  await_bytes(s, head, sizeof head);
  struct cursor c = cursor_of(span_of(head, sizeof head));
  const uint32_t len = cursor_u32(&c);
  assert_int_equal(cursor_u8(&c), type);
  buf_clear(&s->body);
  uint8_t *to = len > 0 ? buf_extend(&s->body, len) : NULL;
  if (len > 0) {
    assert_non_null(to);
    await_bytes(s, to, len);
  }
  return buf_span(&s->body);
}

struct wire_request egress_stage_request(struct egress_stage *s) {
  struct wire_request m;
  assert_true(wire_get_request(egress_stage_hear(s, WIRE_REQUEST), &m));
  return m;
}

bool egress_stage_quiet(struct egress_stage *s) {
  int bytes = 0;
  egress_stage_turn(s);
  assert_int_equal(ioctl(s->fd, FIONREAD, &bytes), 0);
  return bytes == 0;
}

void egress_stage_say(struct egress_stage *s, struct buf *message) {
  assert_int_equal(msg_end(message), RESULT_OK);
  size_t sent = 0;
  while (sent < message->len) {
    const ssize_t n = send(s->fd, message->data + sent, message->len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) sent += (size_t)n;
    if (n <= 0) (void)event_base_loop(s->base, EVLOOP_NONBLOCK);
  }
  buf_free(message);
  egress_stage_turn(s);
}

void egress_stage_answer(struct egress_stage *s, const struct wire_response *response) {
  struct buf b = buf_new(SERVICE_ANSWER_MAX);
  wire_put_response(&b, response);
  egress_stage_say(s, &b);
}
