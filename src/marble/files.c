#include "marble/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- paths ---- */

static bool is_simple(const char *path, size_t len) {
  if (len < 2 || len >= PATH_MAX || path[0] != '/' || memchr(path, 0, len) != NULL) return false;
  for (const char *at = path + 1; at <= path + len;) {
    const char *slash = memchr(at, '/', (size_t)(path + len - at));
    const size_t part = (size_t)((slash == NULL ? path + len : slash) - at);
    if (part == 0 || part > NAME_MAX || (at[0] == '.' && (part == 1 || (part == 2 && at[1] == '.')))) return false;
    at += part + 1;
  }
  return true;
}

/* The directory that the path is below, or NULL. */
static const char *home_of(const char *const *directories, struct span path) {
  for (; *directories != NULL; directories++) {
    const size_t len = strlen(*directories);
    if (path.len > len + 1 && memcmp(path.data, *directories, len) == 0 && path.data[len] == '/') return *directories;
  }
  return NULL;
}

bool files_may_be(const char *const *directories, struct span path) {
  return path.len > 0 && is_simple((const char *)path.data, path.len) && home_of(directories, path) != NULL;
}

/* ---- one file ---- */

/* The directory itself is the operator's to name, links in its path included. */
static int open_home(const char *home) {
  const int fd = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0 || errno != ENOENT || mkdir(home, 0700) != 0) return fd;
  return open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Goes down one directory, which is made if there is none; closes the one above. */
static int step_into(int above, const char *name) {
  const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  int fd = openat(above, name, flags);
  if (fd < 0 && errno == ENOENT && mkdirat(above, name, 0700) == 0) fd = openat(above, name, flags);
  const int saved = errno;
  close(above);
  errno = saved;
  return fd;
}

static bool write_all(int fd, struct span content) {
  while (content.len > 0) { /* a Gramine key wants to be written at once: so it is, if the kernel takes it */
    const ssize_t n = write(fd, content.data, content.len);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    content = span_of(content.data + n, content.len - (size_t)n);
  }
  return true;
}

/* What was there before may be another's to read. */
static bool is_private(int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0) return false;
  return !S_ISREG(st.st_mode) || (st.st_mode & 077) == 0 || fchmod(fd, 0600) == 0;
}

static bool write_at(int directory, const char *name, struct span content) {
  const int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  bool written = is_private(fd) && write_all(fd, content);
  if (close(fd) != 0) written = false;
  return written;
}

/* `below` is cut into its parts. */
static bool write_file(const char *home, char *below, struct span content) {
  int directory = open_home(home);
  for (char *slash; directory >= 0 && (slash = strchr(below, '/')) != NULL; below = slash + 1) {
    *slash = 0;
    directory = step_into(directory, below);
  }
  if (directory < 0) return false;
  const bool written = write_at(directory, below, content);
  const int saved = errno;
  close(directory);
  errno = saved;
  return written;
}

/* ---- all of them ---- */

static enum result check(const char *const *directories, const parameters *p, struct buf *problem) {
  for (size_t i = 0; i < p->n_files; i++) {
    const struct span path = message_bytes(p->files[i]->name);
    if (files_may_be(directories, path)) continue;
    buf_printf(problem, "the manifest has a file where none may be (--files): %.*s",
               (int)(path.len < 200 ? path.len : 200), path.len == 0 ? "" : (const char *)path.data);
    return RESULT_CONFIG_INVALID;
  }
  return RESULT_OK;
}

static enum result write_those(const char *const *directories, const parameters *p, bool devices, struct buf *problem) {
  for (size_t i = 0; i < p->n_files; i++) {
    char path[PATH_MAX];
    const struct span name = message_bytes(p->files[i]->name);
    const char *home = home_of(directories, name);
    snprintf(path, sizeof path, "%.*s", (int)name.len, (const char *)name.data);
    if ((strncmp(path, "/dev/", 5) == 0) != devices) continue;
    if (write_file(home, path + strlen(home) + 1, message_bytes(p->files[i]->value))) continue;
    buf_printf(problem, "%.*s: %s", (int)(name.len < 200 ? name.len : 200), (const char *)name.data, strerror(errno));
    return RESULT_IO;
  }
  return RESULT_OK;
}

enum result files_write(const char *const *directories, const parameters *p, struct buf *problem) {
  enum result r = check(directories, p, problem);
  if (r == RESULT_OK) r = write_those(directories, p, true, problem);
  return r == RESULT_OK ? write_those(directories, p, false, problem) : r;
}
