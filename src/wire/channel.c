/*
 * How a descriptor finds its message. unix(7), "SCM_RIGHTS": ancillary data is a barrier, so a receive that brings a
 * descriptor ends with bytes of the send that carried it. The sender makes a send of its own for a message with a
 * descriptor; so, to the receiver, the descriptor belongs to the message that holds the last byte it came with.
 *
 * Where both ends are threads of one process (pass.h), a descriptor is a number, and a message of its own before the
 * one that it goes with.
 */
#include "wire/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/pass.h"

#define NUMBER_TYPE 0xffu /* the message before one with a descriptor; never handed up */
#define NUMBER_BODY 4u
#define UNHEARD_MAX ((size_t)32 << 20)
#define USUAL_SIZE ((size_t)64 << 10) /* of a buffer between large messages */
#define READ_LEAST ((size_t)16 << 10) /* room made before a read */
#define READ_MOST ((size_t)256 << 10)

/* ---- bytes that wait: written at the end, taken from the front ---- */

struct queue {
  uint8_t *data;
  size_t start, end, cap;
};

static size_t queue_len(const struct queue *q) {
  return q->end - q->start;
}

static struct span queue_span(const struct queue *q) {
  return q->data == NULL ? span_of(NULL, 0) : span_of(q->data + q->start, queue_len(q));
}

static void queue_free(struct queue *q) {
  if (q->data != NULL) wipe(q->data + q->start, queue_len(q));
  free(q->data);
  *q = (struct queue){0};
}

static void queue_to_front(struct queue *q) {
  size_t len = queue_len(q), from = q->start > len ? q->start : len;
  memmove(q->data, q->data + q->start, len);
  wipe(q->data + from, q->end - from);
  q->start = 0;
  q->end = len;
}

/* Room for `more` bytes at the end. Bytes move only when as many have left before them, or when the size doubles: so
 * often as their number allows, however they come. */
static bool queue_reserve(struct queue *q, size_t more) {
  size_t len = queue_len(q);
  if (more <= q->cap - q->end) return true;
  if (more <= q->cap - len && len <= q->start) {
    queue_to_front(q);
    return true;
  }
  struct queue grown = {.end = len, .cap = 2 * q->cap};
  if (grown.cap < USUAL_SIZE) grown.cap = USUAL_SIZE;
  if (grown.cap < len + more) grown.cap = len + more;
  grown.data = malloc(grown.cap);
  if (grown.data == NULL) return false;
  if (len > 0) memcpy(grown.data, q->data + q->start, len);
  queue_free(q);
  *q = grown;
  return true;
}

/* Into the room that queue_reserve made. */
static void queue_put(struct queue *q, struct span bytes) {
  memcpy(q->data + q->end, bytes.data, bytes.len);
  q->end += bytes.len;
}

/* Drops and wipes `len` bytes at the front; an empty queue gives back what a large message took. */
static void queue_take(struct queue *q, size_t len) {
  wipe(q->data + q->start, len);
  q->start += len;
  if (q->start < q->end) return;
  q->start = q->end = 0;
  if (q->cap > USUAL_SIZE) queue_free(q);
}

/* ---- descriptors that wait ---- */

/* A descriptor and the stream's bytes [at, end) it goes with. */
struct passed {
  uint64_t at, end;
  int fd;
};

struct passing {
  struct passed item[CHANNEL_FDS];
  size_t count;
};

static bool passing_put(struct passing *p, struct passed item) {
  if (p->count == CHANNEL_FDS) return false;
  p->item[p->count++] = item;
  return true;
}

/* The first descriptor if it came before `end`, else -1; the caller's from here on. */
static int passing_take(struct passing *p, uint64_t end) {
  if (p->count == 0 || p->item[0].at >= end) return -1;
  int fd = p->item[0].fd;
  p->count--;
  memmove(p->item, p->item + 1, p->count * sizeof p->item[0]);
  return fd;
}

static void passing_close(struct passing *p) {
  for (int fd = passing_take(p, UINT64_MAX); fd >= 0; fd = passing_take(p, UINT64_MAX)) close(fd);
}

/* ---- the channel ---- */

struct channel {
  int fd;
  size_t max_in, max_out;
  bool held, broken;
  struct queue in, out;
  size_t given;           /* bytes of the message that channel_next gave last; still in front of `in` */
  uint64_t in_at, out_at; /* where in the stream the queue's first byte stands */
  int numbered;           /* a descriptor whose message comes next, or -1 */
  struct passing fds_in, fds_out;
};

enum result channel_new(int fd, size_t max_in, size_t max_out, struct channel **out) {
  struct channel *c = calloc(1, sizeof *c);
  if (c == NULL) return RESULT_NO_MEMORY;
  c->fd = fd;
  c->numbered = -1;
  c->max_in = max_in;
  c->max_out = max_out;
  *out = c;
  return RESULT_OK;
}

int channel_fd(const struct channel *c) {
  return c->fd;
}

static int take_number(struct channel *c) {
  const int fd = c->numbered;
  c->numbered = -1;
  return fd;
}

/* Descriptors in messages that nobody asked for. */
static void close_unheard(struct channel *c) {
  struct channel_message m;
  while (channel_next(c, &m) == RESULT_OK && m.type != 0)
    if (m.fd >= 0) close(m.fd);
  if (c->numbered >= 0) close(take_number(c));
}

void channel_free(struct channel *c) {
  if (c == NULL) return;
  if (pass_by_number) close_unheard(c);
  queue_free(&c->in);
  queue_free(&c->out);
  passing_close(&c->fds_in);
  passing_close(&c->fds_out);
  close(c->fd);
  free(c);
}

void channel_close(int fd) {
  struct pollfd waiting = {.fd = fd, .events = POLLIN};
  struct channel *c = NULL;
  if (!pass_by_number || channel_new(fd, UNHEARD_MAX, 0, &c) != RESULT_OK) {
    close(fd);
    return;
  }
  while (poll(&waiting, 1, 0) > 0 && channel_read(c) == RESULT_OK) close_unheard(c);
  channel_free(c);
}

/* ---- sending ---- */

union control { /* room for one descriptor, aligned as the kernel wants it */
  struct cmsghdr header;
  uint8_t bytes[CMSG_SPACE(sizeof(int))];
};

/* One system call. Sends with the first byte `fd` (-1: none); `*sent` is 0 if the socket takes nothing now. */
static enum result send_some(struct channel *c, struct span bytes, int fd, size_t *sent) {
  union control control = {0};
  struct iovec part = {(void *)bytes.data, bytes.len};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (fd >= 0) {
    message.msg_control = &control;
    message.msg_controllen = sizeof control.bytes;
    control.header =
        (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
  }
  ssize_t n;
  while ((n = sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT)) < 0 && errno == EINTR) continue;
  if (n < 0 && errno != EAGAIN) {
    c->broken = true;
    return RESULT_PEER_LOST;
  }
  *sent = n < 0 ? 0 : (size_t)n;
  return RESULT_OK;
}

/* What may go in one send: up to the next message with a descriptor, or such a message alone. */
static struct span next_part(const struct channel *c, int *fd) {
  const struct passed *first = &c->fds_out.item[0];
  struct span part = queue_span(&c->out);
  *fd = -1;
  if (c->fds_out.count == 0 || pass_by_number) return part;
  if (first->at == c->out_at) *fd = first->fd;
  part.len = (size_t)((*fd < 0 ? first->at : first->end) - c->out_at);
  return part;
}

enum result channel_flush(struct channel *c) {
  c->held = false;
  if (c->broken) return RESULT_PEER_LOST;
  while (queue_len(&c->out) > 0) {
    int fd;
    size_t sent;
    struct span part = next_part(c, &fd);
    enum result r = send_some(c, part, fd, &sent);
    if (r != RESULT_OK || sent == 0) return r;
    if (fd >= 0) close(passing_take(&c->fds_out, UINT64_MAX));
    c->out_at += sent;
    queue_take(&c->out, sent);
    /* A number that has left is the peer's. */
    while (pass_by_number && passing_take(&c->fds_out, c->out_at) >= 0) continue;
  }
  return RESULT_OK;
}

/* A copy of the descriptor waits, so that the caller may close his. */
static bool queue_fd(struct channel *c, size_t len, int fd) {
  uint64_t at = c->out_at + queue_len(&c->out);
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return false;
  if (passing_put(&c->fds_out, (struct passed){at, at + len, copy})) return true;
  close(copy);
  return false;
}

static enum result wait_in_line(struct channel *c, struct span bytes, int fd) {
  if (!queue_reserve(&c->out, bytes.len)) return RESULT_NO_MEMORY;
  if (fd >= 0 && !queue_fd(c, bytes.len, fd)) return RESULT_NO_MEMORY;
  queue_put(&c->out, bytes);
  return RESULT_OK;
}

/* Nothing waits, so the message need not be copied. */
static enum result send_directly(struct channel *c, struct span bytes, int fd) {
  size_t sent;
  enum result r = send_some(c, bytes, fd, &sent);
  if (r != RESULT_OK) return r;
  if (sent == 0) return wait_in_line(c, bytes, fd);
  c->out_at += sent;
  if (sent == bytes.len) return RESULT_OK;
  struct span rest = span_of(bytes.data + sent, bytes.len - sent);
  if (!queue_reserve(&c->out, rest.len)) {
    /* Half a message is out and nothing can hold the rest: the peer must not take the next one for it. */
    c->broken = true;
    shutdown(c->fd, SHUT_RDWR);
    return RESULT_PEER_LOST;
  }
  queue_put(&c->out, rest);
  return RESULT_OK;
}

/* A copy's number, and the message behind it. */
static enum result send_numbered(struct channel *c, struct span bytes, int fd) {
  uint8_t memory[MSG_HEADER + NUMBER_BODY];
  struct buf number = buf_fixed(memory, sizeof memory);
  const size_t before = queue_len(&c->out);
  if (!queue_reserve(&c->out, sizeof memory + bytes.len) || !queue_fd(c, sizeof memory, fd)) return RESULT_NO_MEMORY;
  msg_begin(&number, NUMBER_TYPE);
  buf_put_u32(&number, (uint32_t)c->fds_out.item[c->fds_out.count - 1].fd);
  if (msg_end(&number) != RESULT_OK) return RESULT_NO_MEMORY;
  queue_put(&c->out, buf_span(&number));
  queue_put(&c->out, bytes);
  return before == 0 && !c->held ? channel_flush(c) : RESULT_OK;
}

enum result channel_send_fd(struct channel *c, struct buf *message, int fd) {
  enum result r = msg_end(message);
  if (r != RESULT_OK) return r;
  if (c->broken) return RESULT_PEER_LOST;
  size_t waiting = queue_len(&c->out);
  if (message->len > c->max_out || waiting > c->max_out - message->len) return RESULT_NO_MEMORY;
  if (fd >= 0 && pass_by_number) return send_numbered(c, buf_span(message), fd);
  if (waiting == 0 && !c->held) return send_directly(c, buf_span(message), fd);
  return wait_in_line(c, buf_span(message), fd);
}

enum result channel_send(struct channel *c, struct buf *message) {
  return channel_send_fd(c, message, -1);
}

void channel_hold(struct channel *c) {
  c->held = true;
}

size_t channel_pending(const struct channel *c) {
  return queue_len(&c->out);
}

/* ---- receiving ---- */

/* Descriptors that came with the bytes up to `end`. One that finds no room is closed: an open one that nobody knows
 * would stay for good. */
static enum result take_fds(struct channel *c, struct msghdr *message, uint64_t end) {
  enum result r = RESULT_OK;
  for (struct cmsghdr *h = CMSG_FIRSTHDR(message); h != NULL; h = CMSG_NXTHDR(message, h)) {
    if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
    for (size_t at = 0; at + sizeof(int) <= h->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
      int fd;
      memcpy(&fd, CMSG_DATA(h) + at, sizeof fd);
      if (passing_put(&c->fds_in, (struct passed){end - 1, end, fd})) continue;
      close(fd);
      r = RESULT_PEER_LIED;
    }
  }
  return r;
}

static void drop_given(struct channel *c) {
  c->in_at += c->given;
  if (c->given > 0) queue_take(&c->in, c->given);
  c->given = 0;
}

enum result channel_read(struct channel *c) {
  drop_given(c);
  /* After channel_next found no whole message, at least READ_MOST is left. */
  size_t limit = c->max_in + MSG_HEADER + READ_MOST - queue_len(&c->in);
  if (limit == 0 || !queue_reserve(&c->in, limit < READ_LEAST ? limit : READ_LEAST)) return RESULT_NO_MEMORY;
  size_t room = c->in.cap - c->in.end;
  if (room > limit) room = limit;
  union control control;
  struct iovec part = {c->in.data + c->in.end, room < READ_MOST ? room : READ_MOST};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (!pass_by_number) message.msg_control = &control, message.msg_controllen = sizeof control.bytes;
  /* Gramine refuses flags that it does not know. */
  const int flags = pass_by_number ? MSG_DONTWAIT : MSG_CMSG_CLOEXEC | MSG_DONTWAIT;
  ssize_t n;
  while ((n = recvmsg(c->fd, &message, flags)) < 0 && errno == EINTR) continue;
  if (n < 0) return errno == EAGAIN ? RESULT_OK : RESULT_PEER_LOST;
  if (n == 0) return RESULT_PEER_LOST;
  c->in.end += (size_t)n;
  return take_fds(c, &message, c->in_at + queue_len(&c->in));
}

static int take_one_fd(struct channel *c, uint64_t end) {
  int fd = passing_take(&c->fds_in, end);
  for (int more = fd; more >= 0;) {
    more = passing_take(&c->fds_in, end);
    if (more >= 0) close(more);
  }
  return fd;
}

/* The descriptor of the message that is next. */
static bool hear_number(struct channel *c, struct span body) {
  struct cursor cursor = cursor_of(body);
  const int fd = (int)cursor_u32(&cursor);
  if (!cursor_end(&cursor) || fd < 0 || c->numbered >= 0) return false;
  c->numbered = fd;
  return true;
}

enum result channel_next(struct channel *c, struct channel_message *m) {
  drop_given(c);
  *m = (struct channel_message){.fd = -1};
  struct cursor cursor = cursor_of(queue_span(&c->in));
  size_t len = cursor_u32(&cursor);
  uint8_t type = cursor_u8(&cursor);
  if (cursor.bad) return RESULT_OK;
  if (len > c->max_in || type == 0) return RESULT_PEER_LIED;
  struct span body = cursor_bytes(&cursor, len);
  if (cursor.bad) return RESULT_OK;
  c->given = MSG_HEADER + len;
  if (pass_by_number && type == NUMBER_TYPE) return hear_number(c, body) ? channel_next(c, m) : RESULT_PEER_LIED;
  const int fd = pass_by_number ? take_number(c) : take_one_fd(c, c->in_at + c->given);
  *m = (struct channel_message){.type = type, .body = body, .fd = fd};
  return RESULT_OK;
}
