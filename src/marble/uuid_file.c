#include "marble/uuid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "crypto/random.h"

static void put_text(const uint8_t id[UUID_SIZE], char out[UUID_TEXT + 1]) {
  struct buf b = buf_fixed(out, UUID_TEXT);
  uuid_put(&b, id);
  out[UUID_TEXT] = 0;
}

/* A line break behind it is no part of it. */
static enum result read_uuid(int fd, char out[UUID_TEXT + 1]) {
  char text[UUID_TEXT + 2];
  uint8_t id[UUID_SIZE];
  size_t len = 0;
  for (ssize_t n; len < sizeof text; len += (size_t)n) {
    n = read(fd, text + len, sizeof text - len);
    if (n < 0) return RESULT_IO;
    if (n == 0) break;
  }
  if (len == UUID_TEXT + 1 && text[UUID_TEXT] == '\n') len--;
  if (!uuid_parse(span_of(text, len), id)) return RESULT_CONFIG_INVALID;
  put_text(id, out);
  return RESULT_OK;
}

static enum result make(uint8_t id[UUID_SIZE]) {
  if (random_bytes(id, UUID_SIZE) != RESULT_OK) return RESULT_CRYPTO;
  id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
  id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
  return RESULT_OK;
}

/* What is only half written would be an error for ever. */
static enum result write_uuid(const char *path, const char text[UUID_TEXT]) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return RESULT_IO;
  const ssize_t n = write(fd, text, UUID_TEXT);
  const int saved = n < 0 ? errno : ENOSPC;
  if (close(fd) == 0 && n == (ssize_t)UUID_TEXT) return RESULT_OK;
  unlink(path);
  errno = saved;
  return RESULT_IO;
}

enum result uuid_file(const char *path, char out[UUID_TEXT + 1]) {
  uint8_t id[UUID_SIZE];
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno != ENOENT) return RESULT_IO;
  enum result r;
  if (fd >= 0) {
    r = read_uuid(fd, out);
    const int saved = errno;
    close(fd);
    errno = saved;
    return r;
  }
  r = make(id);
  if (r != RESULT_OK) return r;
  put_text(id, out);
  return write_uuid(path, out);
}
