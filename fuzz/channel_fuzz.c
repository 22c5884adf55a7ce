/*
 * A peer that writes what it likes, in pieces: each piece is a byte of length, a byte that says whether a descriptor
 * rides with it, and its bytes. The messages that come out must be those that a plain walk over the stream finds, and
 * no descriptor may be lost.
 */
#include "wire/channel.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_IN 300u

static void check(bool holds) {
  if (!holds) abort();
}

static void write_piece(int to, struct span piece, bool with_fd) {
  union {
    struct cmsghdr header;
    uint8_t room[CMSG_SPACE(sizeof(int))];
  } control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
  struct iovec part = {(void *)piece.data, piece.len};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  memcpy(CMSG_DATA(&control.header), &to, sizeof to);
  if (with_fd) {
    message.msg_control = &control;
    message.msg_controllen = sizeof control.room;
  }
  check(sendmsg(to, &message, MSG_NOSIGNAL) == (ssize_t)piece.len);
}

/* The next message of the stream, if it is whole: true, or false with what channel_next must answer. */
static bool plain_next(struct cursor *stream, uint8_t *type, struct span *body, enum result *want) {
  struct cursor c = *stream;
  size_t len = cursor_u32(&c);
  *type = cursor_u8(&c);
  bool lie = !c.bad && (len > MAX_IN || *type == 0);
  *body = cursor_bytes(&c, len);
  *want = lie ? RESULT_PEER_LIED : RESULT_OK;
  if (c.bad || lie) return false;
  *stream = c;
  return true;
}

/* All that can be had now. False once the peer has lied. */
static bool compare(struct channel *c, struct cursor *stream) {
  struct channel_message m;
  struct span body;
  enum result want;
  uint8_t type;
  while (plain_next(stream, &type, &body, &want)) {
    check(channel_next(c, &m) == RESULT_OK);
    check(m.type == type && span_equal(m.body, body));
    if (m.fd >= 0) check(close(m.fd) == 0);
  }
  check(channel_next(c, &m) == want);
  check(m.type == 0 && m.fd == -1);
  return want == RESULT_OK;
}

static void converse(struct channel *c, int peer, struct cursor input, struct buf *stream) {
  size_t read = 0;
  while (input.rest.len > 2) {
    size_t len = cursor_u8(&input);
    bool with_fd = cursor_u8(&input) % 4 == 1;
    if (len > input.rest.len) len = input.rest.len;
    if (len == 0) continue;
    struct span piece = cursor_bytes(&input, len);
    write_piece(peer, piece, with_fd);
    buf_put_span(stream, piece);
    if (channel_read(c) != RESULT_OK) return; /* more descriptors than one message may have */
    struct cursor rest = cursor_of(span_of(stream->data + read, stream->len - read));
    if (!compare(c, &rest)) return;
    read = stream->len - rest.rest.len;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int fds[2];
  struct channel *c;
  check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
  check(channel_new(fds[0], MAX_IN, 1000, &c) == RESULT_OK);
  struct buf stream = buf_new(1u << 20);
  converse(c, fds[1], cursor_of(span_of(data, size)), &stream);
  channel_free(c);
  close(fds[1]);
  /* Everything is closed: the lowest number is free again. */
  int lowest = dup(STDERR_FILENO);
  check(lowest == fds[0]);
  close(lowest);
  buf_free(&stream);
  return 0;
}
