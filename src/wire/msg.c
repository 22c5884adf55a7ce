#include "wire/msg.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static enum result write_all(int fd, const uint8_t *data, size_t len) {
  while (len > 0) {
    /* write, not send: a worker's sandbox knows one way to write. SIGPIPE is ignored by every process of ours. */
    ssize_t n = write(fd, data, len);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return RESULT_IO;
    data += n;
    len -= (size_t)n;
  }
  return RESULT_OK;
}

static enum result read_all(int fd, uint8_t *data, size_t len) {
  while (len > 0) {
    ssize_t n = read(fd, data, len);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return RESULT_IO;
    data += n;
    len -= (size_t)n;
  }
  return RESULT_OK;
}

static void put_header(uint8_t header[MSG_HEADER], uint8_t type, size_t len) {
  struct buf b = buf_fixed(header, MSG_HEADER);
  buf_put_u32(&b, (uint32_t)len);
  buf_put_u8(&b, type);
}

enum result msg_send(int fd, uint8_t type, struct span body) {
  uint8_t header[MSG_HEADER];
  put_header(header, type, body.len);
  enum result r = write_all(fd, header, sizeof header);
  return r == RESULT_OK ? write_all(fd, body.data, body.len) : r;
}

enum result msg_receive(int fd, uint8_t *type, struct buf *body) {
  uint8_t header[MSG_HEADER], part[4096];
  enum result r = read_all(fd, header, sizeof header);
  if (r != RESULT_OK) return r;
  struct cursor c = cursor_of(span_of(header, sizeof header));
  size_t len = cursor_u32(&c);
  *type = cursor_u8(&c);
  buf_clear(body);
  /* Room is made as bytes arrive: a length alone makes nobody allocate. */
  while (len > 0 && r == RESULT_OK) {
    size_t n = len < sizeof part ? len : sizeof part;
    r = read_all(fd, part, n);
    if (r == RESULT_OK) buf_put(body, part, n);
    if (body->bad) r = RESULT_WORKER_LIED;
    len -= n;
  }
  wipe(part, sizeof part);
  return r;
}

void msg_begin(struct buf *b, uint8_t type) {
  uint8_t header[MSG_HEADER];
  buf_clear(b);
  put_header(header, type, 0);
  buf_put(b, header, sizeof header);
}

enum result msg_end(struct buf *b) {
  if (b->bad || b->len < MSG_HEADER || b->len - MSG_HEADER > UINT32_MAX) return RESULT_NO_MEMORY;
  put_header(b->data, b->data[4], b->len - MSG_HEADER);
  return RESULT_OK;
}

enum result msg_send_built(int fd, struct buf *b) {
  enum result r = msg_end(b);
  return r == RESULT_OK ? write_all(fd, b->data, b->len) : r;
}
