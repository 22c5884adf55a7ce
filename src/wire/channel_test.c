#include "wire/channel.h"
#include "wire/pass.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MAX_IN (10u << 20)

/* ---- two ends ---- */

struct pair {
  struct channel *from, *to;
};

static void raw_pair(int fds[2]) {
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

static struct channel *channel_on(int fd, size_t max_in, size_t max_out) {
  struct channel *c;
  assert_int_equal(channel_new(fd, max_in, max_out, &c), RESULT_OK);
  assert_int_equal(channel_fd(c), fd);
  return c;
}

/* `room`: what the socket holds, about; 0 for the usual. */
static struct pair pair_new(size_t max_out, int room) {
  int fds[2];
  raw_pair(fds);
  if (room > 0) assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
  return (struct pair){channel_on(fds[0], MAX_IN, max_out), channel_on(fds[1], MAX_IN, max_out)};
}

static void pair_free(struct pair *p) {
  channel_free(p->from);
  channel_free(p->to);
}

/* A channel whose peer is a bare descriptor. */
static struct channel *half_raw(size_t max_in, int *peer) {
  int fds[2];
  raw_pair(fds);
  *peer = fds[1];
  return channel_on(fds[0], max_in, 1000);
}

static unsigned open_fds(void) {
  unsigned count = 0;
  DIR *dir = opendir("/proc/self/fd");
  assert_non_null(dir);
  while (readdir(dir) != NULL) count++;
  closedir(dir);
  return count;
}

/* ---- messages whose bytes follow from type and length ---- */

static struct buf message_of(uint8_t type, size_t len) {
  struct buf b = buf_new(MAX_IN + MSG_HEADER);
  msg_begin(&b, type);
  uint8_t *body = malloc(len > 0 ? len : 1);
  assert_non_null(body);
  for (size_t i = 0; i < len; i++) body[i] = (uint8_t)(type + i * 7 + (i >> 8));
  buf_put(&b, body, len);
  free(body);
  assert_int_equal(msg_end(&b), RESULT_OK);
  return b;
}

static enum result send_fd(struct channel *c, uint8_t type, size_t len, int fd) {
  struct buf b = message_of(type, len);
  enum result r = channel_send_fd(c, &b, fd);
  buf_free(&b);
  return r;
}

static enum result send_plain(struct channel *c, uint8_t type, size_t len) {
  struct buf b = message_of(type, len);
  enum result r = channel_send(c, &b);
  buf_free(&b);
  return r;
}

static void assert_message(const struct channel_message *m, uint8_t type, size_t len) {
  struct buf want = message_of(type, len);
  assert_int_equal(m->type, type);
  assert_int_equal(m->body.len, len);
  assert_true(span_equal(m->body, span_of(want.data + MSG_HEADER, len)));
  buf_free(&want);
}

/* The next message, whatever has to be read for it. */
static void receive(struct channel *c, struct channel_message *m) {
  assert_int_equal(channel_next(c, m), RESULT_OK);
  while (m->type == 0) {
    assert_int_equal(channel_read(c), RESULT_OK);
    assert_int_equal(channel_next(c, m), RESULT_OK);
  }
}

static void expect(struct channel *c, uint8_t type, size_t len) {
  struct channel_message m;
  receive(c, &m);
  assert_message(&m, type, len);
  assert_int_equal(m.fd, -1);
}

static void expect_none(struct channel *c) {
  struct channel_message m;
  assert_int_equal(channel_read(c), RESULT_OK);
  assert_int_equal(channel_next(c, &m), RESULT_OK);
  assert_int_equal(m.type, 0);
  assert_int_equal(m.fd, -1);
}

static ino_t inode_of(int fd) {
  struct stat s;
  assert_int_equal(fstat(fd, &s), 0);
  return s.st_ino;
}

static int new_fd(void) {
  int fd = memfd_create("channel_test", MFD_CLOEXEC);
  assert_true(fd >= 0);
  return fd;
}

/* The next message, with the descriptor that `inode` tells. */
static void expect_fd(struct channel *c, uint8_t type, size_t len, ino_t inode) {
  struct channel_message m;
  receive(c, &m);
  assert_message(&m, type, len);
  assert_true(m.fd >= 0);
  assert_int_equal(inode_of(m.fd), inode);
  assert_int_equal(fcntl(m.fd, F_GETFD), FD_CLOEXEC);
  close(m.fd);
}

/* ---- messages ---- */

static void test_one_send_many_messages(void **state) {
  (void)state;
  struct pair p = pair_new(100000, 0);
  struct channel_message m;
  for (uint8_t type = 1; type <= 100; type++) assert_int_equal(send_plain(p.from, type, type - 1u), RESULT_OK);
  assert_int_equal(channel_pending(p.from), 0);
  assert_int_equal(channel_read(p.to), RESULT_OK);
  for (uint8_t type = 1; type <= 100; type++) {
    assert_int_equal(channel_next(p.to, &m), RESULT_OK);
    assert_message(&m, type, type - 1u);
  }
  expect_none(p.to);
  pair_free(&p);
}

static void test_held_messages_wait_for_the_flush(void **state) {
  (void)state;
  struct pair p = pair_new(1000, 0);
  channel_hold(p.from);
  assert_int_equal(send_plain(p.from, 1, 10), RESULT_OK);
  assert_int_equal(send_plain(p.from, 2, 20), RESULT_OK);
  assert_int_equal(channel_pending(p.from), 2 * MSG_HEADER + 30);
  expect_none(p.to);
  assert_int_equal(channel_flush(p.from), RESULT_OK);
  assert_int_equal(channel_pending(p.from), 0);
  assert_int_equal(send_plain(p.from, 3, 30), RESULT_OK);
  assert_int_equal(channel_pending(p.from), 0);
  expect(p.to, 1, 10);
  expect(p.to, 2, 20);
  expect(p.to, 3, 30);
  pair_free(&p);
}

static void write_raw(int fd, const uint8_t *data, size_t len) {
  if (len > 0) assert_int_equal(write(fd, data, len), (ssize_t)len);
}

/* A stream of three messages, cut in two at every byte, and cut everywhere. */
static void test_every_split(void **state) {
  (void)state;
  static const size_t lens[] = {0, 3, 300};
  int peer;
  struct buf stream = buf_new(4096);
  struct channel *c = half_raw(300, &peer);
  for (uint8_t i = 0; i < 3; i++) {
    struct buf b = message_of(i + 1, lens[i]);
    buf_put_span(&stream, buf_span(&b));
    buf_free(&b);
  }
  for (size_t cut = 0; cut <= stream.len; cut++) {
    uint8_t whole = (uint8_t)((cut >= 5) + (cut >= 13) + (cut >= stream.len));
    write_raw(peer, stream.data, cut);
    for (uint8_t i = 0; i < whole; i++) expect(c, i + 1, lens[i]);
    if (cut < stream.len) expect_none(c);
    write_raw(peer, stream.data + cut, stream.len - cut);
    for (uint8_t i = whole; i < 3; i++) expect(c, i + 1, lens[i]);
    expect_none(c);
  }
  for (size_t i = 0; i < stream.len; i++) {
    write_raw(peer, stream.data + i, 1);
    if (i == 4) expect(c, 1, 0);
    if (i == 12) expect(c, 2, 3);
    if (i + 1 < stream.len) expect_none(c);
  }
  expect(c, 3, 300);
  buf_free(&stream);
  channel_free(c);
  close(peer);
}

/* Moves everything that waits, an end at a time, until nothing does. */
static void pump(struct pair *p, struct channel_message *m) {
  do {
    assert_int_equal(channel_flush(p->from), RESULT_OK);
    assert_int_equal(channel_read(p->to), RESULT_OK);
    assert_int_equal(channel_next(p->to, m), RESULT_OK);
  } while (m->type == 0);
}

static void test_large_bodies(void **state) {
  (void)state;
  struct pair p = pair_new(2 * MAX_IN, 0);
  struct channel_message m;
  size_t sizes[] = {MAX_IN, 65536 - MSG_HEADER, 65536, 1, 3000001};
  for (uint8_t i = 0; i < 5; i++) assert_int_equal(send_plain(p.from, i + 1, sizes[i]), RESULT_OK);
  assert_true(channel_pending(p.from) > MAX_IN);
  for (uint8_t i = 0; i < 5; i++) {
    if (i == 0) pump(&p, &m);
    if (i > 0) {
      assert_int_equal(channel_next(p.to, &m), RESULT_OK);
      if (m.type == 0) pump(&p, &m);
    }
    assert_message(&m, i + 1, sizes[i]);
  }
  assert_int_equal(channel_pending(p.from), 0);
  pair_free(&p);
}

#ifndef SANITIZE /* whose allocator does not tell */
static void test_memory_is_given_back(void **state) {
  (void)state;
  struct pair p = pair_new(2 * MAX_IN, 0);
  struct channel_message m;
  assert_int_equal(send_plain(p.from, 1, MAX_IN), RESULT_OK);
  pump(&p, &m);
  struct mallinfo2 large = mallinfo2();
  expect_none(p.to);
  struct mallinfo2 after = mallinfo2();
  assert_true(large.uordblks + large.hblkhd > after.uordblks + after.hblkhd + MAX_IN);
  pair_free(&p);
}
#endif

static void test_what_was_read_is_wiped(void **state) {
  (void)state;
  struct pair p = pair_new(1000, 0);
  struct channel_message m;
  assert_int_equal(send_plain(p.from, 1, 50), RESULT_OK);
  assert_int_equal(send_plain(p.from, 2, 50), RESULT_OK);
  receive(p.to, &m);
  struct span first = m.body;
  assert_int_not_equal(first.data[0], 0);
  receive(p.to, &m);
  /* The channel keeps its buffer; the first message in it is gone, the second stands. */
  for (size_t i = 0; i < first.len; i++) assert_int_equal(first.data[i], 0);
  assert_message(&m, 2, 50);
  struct span second = m.body;
  expect_none(p.to);
  for (size_t i = 0; i < second.len; i++) assert_int_equal(second.data[i], 0);
  pair_free(&p);
}

/* ---- faults ---- */

static void test_ceiling_of_what_waits(void **state) {
  (void)state;
  struct pair p = pair_new(100000, 4096);
  unsigned sent = 0;
  enum result r;
  while ((r = send_plain(p.from, 9, 1000)) == RESULT_OK) sent++;
  assert_int_equal(r, RESULT_NO_MEMORY);
  size_t waiting = channel_pending(p.from);
  assert_in_range(waiting, 100000 - 1005 + 1, 100000);
  /* A smaller one still fits; the largest never would. */
  assert_int_equal(send_plain(p.from, 8, 100000 - waiting - MSG_HEADER), RESULT_OK);
  assert_int_equal(channel_pending(p.from), 100000);
  assert_int_equal(send_plain(p.from, 8, 0), RESULT_NO_MEMORY);
  for (unsigned i = 0; i < sent; i++) {
    expect(p.to, 9, 1000);
    assert_int_equal(channel_flush(p.from), RESULT_OK);
  }
  expect(p.to, 8, 100000 - waiting - MSG_HEADER);
  expect_none(p.to);
  assert_int_equal(send_plain(p.from, 8, 100000), RESULT_NO_MEMORY);
  assert_int_equal(send_plain(p.from, 8, 99995), RESULT_OK);
  pair_free(&p);
}

static void test_message_with_a_hole_is_not_sent(void **state) {
  (void)state;
  struct pair p = pair_new(1000, 0);
  uint8_t memory[MSG_HEADER + 3];
  struct buf b = buf_fixed(memory, sizeof memory);
  msg_begin(&b, 1);
  buf_put_text(&b, "four");
  assert_int_equal(channel_send(p.from, &b), RESULT_NO_MEMORY);
  buf_clear(&b);
  assert_int_equal(channel_send(p.from, &b), RESULT_NO_MEMORY);
  expect_none(p.to);
  pair_free(&p);
}

static void test_peer_ends_inside_a_message(void **state) {
  (void)state;
  struct pair p = pair_new(1000, 0);
  struct channel_message m;
  assert_int_equal(send_plain(p.from, 1, 5), RESULT_OK);
  write_raw(channel_fd(p.from), (const uint8_t *)"\x05\0\0\0\x02half", 9);
  channel_free(p.from);
  assert_int_equal(channel_read(p.to), RESULT_OK);
  assert_int_equal(channel_read(p.to), RESULT_PEER_LOST);
  expect(p.to, 1, 5);
  assert_int_equal(channel_next(p.to, &m), RESULT_OK);
  assert_int_equal(m.type, 0);
  assert_int_equal(channel_read(p.to), RESULT_PEER_LOST);
  assert_int_equal(send_plain(p.to, 1, 5), RESULT_PEER_LOST);
  assert_int_equal(send_plain(p.to, 1, 5), RESULT_PEER_LOST);
  assert_int_equal(channel_flush(p.to), RESULT_PEER_LOST);
  channel_free(p.to);
}

static void test_lies(void **state) {
  (void)state;
  static const struct {
    const char *header;
    enum result want;
  } cases[] = {{"\x2c\x01\0\0\x07", RESULT_OK},
               {"\x2d\x01\0\0\x07", RESULT_PEER_LIED},
               {"\xff\xff\xff\xff\x07", RESULT_PEER_LIED},
               {"\0\0\0\0\0", RESULT_PEER_LIED},
               {"\0\0\0\x80\x01", RESULT_PEER_LIED}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    int peer;
    struct channel_message m;
    struct channel *c = half_raw(300, &peer);
    write_raw(peer, (const uint8_t *)cases[i].header, MSG_HEADER);
    assert_int_equal(channel_read(c), RESULT_OK);
    assert_int_equal(channel_next(c, &m), cases[i].want);
    assert_int_equal(channel_next(c, &m), cases[i].want);
    assert_int_equal(m.type, 0);
    channel_free(c);
    close(peer);
  }
}

/* An owner who reads and does not look holds one body and one read, and no more. */
static void test_flood(void **state) {
  (void)state;
  int peer;
  struct channel *c = half_raw(100000, &peer);
  uint8_t zeros[4096] = {0};
  size_t wrote = 0;
  enum result r = RESULT_OK;
  while (r == RESULT_OK) {
    ssize_t n = write(peer, zeros, sizeof zeros);
    if (n > 0) wrote += (size_t)n;
    r = channel_read(c);
    assert_true(wrote < (1u << 20));
  }
  assert_int_equal(r, RESULT_NO_MEMORY);
  assert_true(wrote >= 100000 + (256u << 10));
  channel_free(c);
  close(peer);
}

/* ---- descriptors ---- */

static void test_descriptors_come_with_their_message(void **state) {
  (void)state;
  struct pair p = pair_new(1000000, 0);
  unsigned before = open_fds();
  for (unsigned held = 0; held < 2; held++) {
    int a = new_fd(), b = new_fd();
    ino_t inode_a = inode_of(a), inode_b = inode_of(b);
    if (held == 1) channel_hold(p.from);
    assert_int_equal(send_plain(p.from, 1, 10), RESULT_OK);
    assert_int_equal(send_fd(p.from, 2, 0, a), RESULT_OK);
    assert_int_equal(send_fd(p.from, 3, 20, b), RESULT_OK);
    assert_int_equal(send_plain(p.from, 4, 0), RESULT_OK);
    assert_int_equal(send_plain(p.from, 5, 100), RESULT_OK);
    close(a);
    close(b);
    assert_int_equal(channel_flush(p.from), RESULT_OK);
    expect(p.to, 1, 10);
    expect_fd(p.to, 2, 0, inode_a);
    expect_fd(p.to, 3, 20, inode_b);
    expect(p.to, 4, 0);
    expect(p.to, 5, 100);
  }
  assert_int_equal(open_fds(), before);
  pair_free(&p);
}

/* A message too large for the socket, behind others that do not go out either. */
static void test_descriptor_of_a_message_in_parts(void **state) {
  (void)state;
  struct pair p = pair_new(1000000, 4096);
  struct channel_message m;
  int fd = new_fd();
  assert_int_equal(send_fd(p.from, 1, 300000, fd), RESULT_OK);
  assert_int_equal(send_plain(p.from, 2, 3), RESULT_OK);
  assert_int_equal(send_fd(p.from, 3, 300000, fd), RESULT_OK);
  assert_true(channel_pending(p.from) > 300000);
  for (uint8_t type = 1; type <= 3; type++) {
    assert_int_equal(channel_next(p.to, &m), RESULT_OK);
    if (m.type == 0) pump(&p, &m);
    assert_message(&m, type, type == 2 ? 3 : 300000);
    assert_int_equal(m.fd >= 0, type != 2);
    if (m.fd >= 0) close(m.fd);
  }
  close(fd);
  pair_free(&p);
}

/* As a hostile peer would: `count` copies of `fd` with `bytes`. */
static void send_raw_fds(int to, struct span bytes, int fd, unsigned count) {
  union {
    struct cmsghdr header;
    uint8_t room[CMSG_SPACE(16 * sizeof(int))];
  } control = {0};
  struct iovec part = {(void *)bytes.data, bytes.len};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
  control.header =
      (struct cmsghdr){.cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  for (unsigned i = 0; i < count; i++) memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &fd, sizeof fd);
  assert_int_equal(sendmsg(to, &message, 0), (ssize_t)bytes.len);
}

static void test_excess_descriptors_are_closed(void **state) {
  (void)state;
  if (pass_by_number) skip();
  int peer;
  struct channel *c = half_raw(300, &peer);
  unsigned before = open_fds();
  for (unsigned count = 1; count <= 16; count++) {
    struct channel_message m;
    struct buf b = message_of(1, 8);
    send_raw_fds(peer, span_of(b.data, 7), peer, count);
    send_raw_fds(peer, span_of(b.data + 7, 6), peer, count);
    receive(c, &m);
    assert_true(m.fd >= 0);
    assert_int_equal(open_fds(), before + 1);
    close(m.fd);
    buf_free(&b);
  }
  channel_free(c);
  close(peer);
}

/* A peer that puts a descriptor on each byte of a long message. */
static void test_flood_of_descriptors(void **state) {
  (void)state;
  if (pass_by_number) skip();
  int peer;
  unsigned before = open_fds();
  struct channel *c = half_raw(300, &peer);
  struct buf b = message_of(1, 300);
  enum result r = RESULT_OK;
  unsigned sent = 0;
  for (; r == RESULT_OK; sent++) {
    assert_true(sent < 300);
    send_raw_fds(peer, span_of(b.data + sent, 1), peer, 1);
    r = channel_read(c);
  }
  assert_int_equal(r, RESULT_PEER_LIED);
  assert_int_equal(sent, CHANNEL_FDS + 1);
  channel_free(c);
  close(peer);
  assert_int_equal(open_fds(), before);
  buf_free(&b);
}

/* Neither end keeps a descriptor of a message that did not go through. */
static void test_descriptors_do_not_leak(void **state) {
  (void)state;
  unsigned before = open_fds();
  struct pair p = pair_new(100000, 4096);
  int fd = new_fd();
  assert_int_equal(send_fd(p.from, 1, 50000, fd), RESULT_OK);
  assert_int_equal(send_fd(p.from, 2, 10, fd), RESULT_OK);
  assert_int_equal(send_fd(p.from, 3, 60000, fd), RESULT_NO_MEMORY);
  assert_int_equal(channel_read(p.to), RESULT_OK);
  assert_true(open_fds() > before + 3);
  close(fd);
  pair_free(&p);
  assert_int_equal(open_fds(), before);
}

static void test_ceiling_of_descriptors_that_wait(void **state) {
  (void)state;
  struct pair p = pair_new(100000, 0);
  int fd = new_fd();
  ino_t inode = inode_of(fd);
  channel_hold(p.from);
  for (unsigned i = 0; i < CHANNEL_FDS; i++) assert_int_equal(send_fd(p.from, 1, i, fd), RESULT_OK);
  size_t waiting = channel_pending(p.from);
  assert_int_equal(send_fd(p.from, 1, 0, fd), RESULT_NO_MEMORY);
  assert_int_equal(channel_pending(p.from), waiting);
  assert_int_equal(channel_flush(p.from), RESULT_OK);
  for (unsigned i = 0; i < CHANNEL_FDS; i++) expect_fd(p.to, 1, i, inode);
  close(fd);
  pair_free(&p);
}

/* ---- all of it at once, against a list ---- */

#define MODEL 4096

struct model {
  struct {
    uint8_t type;
    size_t len;
    bool has_fd;
  } sent[MODEL];
  unsigned count, got;
  uint64_t random;
};

static unsigned pick(struct model *model, unsigned below) {
  model->random = model->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
  return (unsigned)(model->random >> 33) % below;
}

static void model_send(struct model *model, struct pair *p, int fd) {
  size_t len = pick(model, 20) == 0 ? pick(model, 200000) : pick(model, 200);
  uint8_t type = (uint8_t)(1 + pick(model, 254));
  bool has_fd = pick(model, 6) == 0;
  enum result r = send_fd(p->from, type, len, has_fd ? fd : -1);
  if (r != RESULT_OK) {
    assert_int_equal(r, RESULT_NO_MEMORY);
    return;
  }
  model->sent[model->count].type = type;
  model->sent[model->count].len = len;
  model->sent[model->count++].has_fd = has_fd;
}

static void model_receive(struct model *model, struct pair *p, ino_t inode) {
  struct channel_message m;
  for (;;) {
    assert_int_equal(channel_next(p->to, &m), RESULT_OK);
    if (m.type == 0) return;
    assert_true(model->got < model->count);
    assert_message(&m, model->sent[model->got].type, model->sent[model->got].len);
    assert_int_equal(m.fd >= 0, model->sent[model->got++].has_fd);
    if (m.fd < 0) continue;
    assert_int_equal(inode_of(m.fd), inode);
    close(m.fd);
  }
}

static void test_against_a_list(void **state) {
  (void)state;
  static struct model model;
  int fd = new_fd();
  ino_t inode = inode_of(fd);
  for (uint64_t seed = 1; seed <= 8; seed++) {
    struct pair p = pair_new(400000, seed % 2 == 0 ? 4096 : 0);
    model = (struct model){.random = seed};
    while (model.got < MODEL) {
      unsigned act = pick(&model, 10);
      if (act < 6 && model.count < MODEL) model_send(&model, &p, fd);
      if (act == 6) channel_hold(p.from);
      if (act == 7) assert_int_equal(channel_flush(p.from), RESULT_OK);
      if (act >= 8) {
        assert_int_equal(channel_read(p.to), RESULT_OK);
        model_receive(&model, &p, inode);
      }
    }
    assert_int_equal(channel_pending(p.from), 0);
    pair_free(&p);
  }
  close(fd);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_send_many_messages),
      cmocka_unit_test(test_held_messages_wait_for_the_flush),
      cmocka_unit_test(test_every_split),
      cmocka_unit_test(test_large_bodies),
#ifndef SANITIZE
      cmocka_unit_test(test_memory_is_given_back),
#endif
      cmocka_unit_test(test_what_was_read_is_wiped),
      cmocka_unit_test(test_ceiling_of_what_waits),
      cmocka_unit_test(test_message_with_a_hole_is_not_sent),
      cmocka_unit_test(test_peer_ends_inside_a_message),
      cmocka_unit_test(test_lies),
      cmocka_unit_test(test_flood),
      cmocka_unit_test(test_descriptors_come_with_their_message),
      cmocka_unit_test(test_descriptor_of_a_message_in_parts),
      cmocka_unit_test(test_excess_descriptors_are_closed),
      cmocka_unit_test(test_flood_of_descriptors),
      cmocka_unit_test(test_descriptors_do_not_leak),
      cmocka_unit_test(test_ceiling_of_descriptors_that_wait),
      cmocka_unit_test(test_against_a_list),
  };
  return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
