#include "wire/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define TYPE 9

static struct { unsigned messages, lost; } heard;

static void on_message(void *context, const struct channel_message *m) {
  (void)context;
  assert_int_equal(m->type, TYPE);
  heard.messages++;
}

static void on_lost(void *context, enum result why) {
  (void)context;
  assert_int_equal(why, RESULT_PEER_LOST);
  heard.lost++;
}

struct pair {
  struct event_base *loop;
  struct link *link;
  int peer;
};

static struct pair make_pair(bool gather) {
  static const struct link_handler handler = {NULL, on_message, on_lost};
  struct pair p = {.loop = event_base_new()};
  int fds[2];
  heard.messages = heard.lost = 0;
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  p.peer = fds[1];
  assert_int_equal(link_new(p.loop, fds[0], 1024, 1u << 20, &handler, &p.link), RESULT_OK);
  if (gather) assert_int_equal(link_gather(p.link), RESULT_OK);
  return p;
}

static void free_pair(struct pair *p) {
  link_free(p->link);
  if (p->peer >= 0) close(p->peer);
  event_base_free(p->loop);
}

static void send_one(struct pair *p, size_t len) {
  static const uint8_t zeros[1000];
  struct buf b = buf_new(2048);
  msg_begin(&b, TYPE);
  buf_put(&b, zeros, len);
  assert_int_equal(link_send(p->link, &b), RESULT_OK);
  buf_free(&b);
}

static size_t arrived(const struct pair *p) {
  int bytes = 0;
  assert_int_equal(ioctl(p->peer, FIONREAD, &bytes), 0);
  return (size_t)bytes;
}

static void test_leaves_at_once(void **state) {
  (void)state;
  struct pair p = make_pair(false);
  send_one(&p, 10);
  assert_int_equal(arrived(&p), MSG_HEADER + 10);
  free_pair(&p);
}

static void test_gathered_leaves_with_the_loop(void **state) {
  (void)state;
  struct pair p = make_pair(true);
  for (int round = 1; round <= 2; round++) {
    for (int i = 0; i < 3; i++) send_one(&p, 10);
    assert_int_equal(link_pending(p.link), 3 * (MSG_HEADER + 10));
    assert_int_equal(event_base_loop(p.loop, EVLOOP_NONBLOCK), 0);
    assert_int_equal(link_pending(p.link), 0);
    assert_int_equal(arrived(&p), (size_t)round * 3 * (MSG_HEADER + 10));
  }
  free_pair(&p);
}

/* What the socket does not take goes out as the peer reads, in order and to the last byte. */
static void test_gathered_more_than_the_socket_takes(void **state) {
  (void)state;
  struct pair p = make_pair(true);
  const size_t sent = 800 * (MSG_HEADER + 1000);
  for (int i = 0; i < 800; i++) send_one(&p, 1000);
  size_t got = 0;
  static uint8_t part[65536];
  for (int turns = 0; got < sent && turns < 10000; turns++) {
    assert_int_equal(event_base_loop(p.loop, EVLOOP_NONBLOCK), 0);
    ssize_t n = recv(p.peer, part, sizeof part, MSG_DONTWAIT);
    if (n > 0) got += (size_t)n;
  }
  assert_int_equal(got, sent);
  send_one(&p, 10);
  assert_int_equal(arrived(&p), 0);
  assert_int_equal(event_base_loop(p.loop, EVLOOP_NONBLOCK), 0);
  assert_int_equal(arrived(&p), MSG_HEADER + 10);
  free_pair(&p);
}

static void test_gathered_for_a_peer_that_is_gone(void **state) {
  (void)state;
  struct pair p = make_pair(true);
  send_one(&p, 10);
  close(p.peer);
  p.peer = -1;
  for (int i = 0; i < 5; i++) (void)event_base_loop(p.loop, EVLOOP_NONBLOCK);
  assert_int_equal(heard.lost, 1);
  free_pair(&p);
}

static void test_freed_with_messages_gathered(void **state) {
  (void)state;
  struct pair p = make_pair(true);
  send_one(&p, 10);
  link_free(p.link);
  p.link = NULL;
  (void)event_base_loop(p.loop, EVLOOP_NONBLOCK);
  assert_int_equal(heard.lost, 0);
  free_pair(&p);
}

static void test_hears(void **state) {
  (void)state;
  struct pair p = make_pair(true);
  assert_int_equal(msg_send(p.peer, TYPE, span_text("word")), RESULT_OK);
  assert_int_equal(msg_send(p.peer, TYPE, span_text("")), RESULT_OK);
  assert_int_equal(event_base_loop(p.loop, EVLOOP_NONBLOCK), 0);
  assert_int_equal(heard.messages, 2);
  free_pair(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_leaves_at_once),
      cmocka_unit_test(test_gathered_leaves_with_the_loop),
      cmocka_unit_test(test_gathered_more_than_the_socket_takes),
      cmocka_unit_test(test_gathered_for_a_peer_that_is_gone),
      cmocka_unit_test(test_freed_with_messages_gathered),
      cmocka_unit_test(test_hears),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
