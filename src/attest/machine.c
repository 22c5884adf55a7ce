#include "attest/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATH_SIZE 512u
#define TRIES 20
#define PAUSE_MS 50u

static int system_open(const char *path, int flags) {
  return open(path, flags | O_CLOEXEC);
}

static int system_ioctl(int fd, unsigned long request, void *argument) {
  return ioctl(fd, request, argument);
}

static void system_wait(unsigned ms) {
  nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL); /* sooner, if a signal comes */
}

static const struct attest_files system_files = {system_open, read,  write, system_ioctl,
                                                 close,       mkdir, rmdir, system_wait};
const struct attest_machine attest_this_machine = {"/", NULL};

static const struct attest_files *files_of(const struct attest_machine *machine) {
  return machine->files != NULL ? machine->files : &system_files;
}

static enum result failure(void) {
  return errno == EBUSY || errno == EAGAIN ? RESULT_BUSY : RESULT_IO;
}

static bool join(const struct attest_machine *machine, const char *path, char out[PATH_SIZE]) {
  const char *root = strcmp(machine->root, "/") == 0 ? "" : machine->root;
  const int len = snprintf(out, PATH_SIZE, "%s%s", root, path);
  return len > 0 && len < (int)PATH_SIZE;
}

enum result machine_open(const struct attest_machine *machine, const char *path, int flags, int *fd) {
  char whole[PATH_SIZE];
  if (!join(machine, path, whole)) return RESULT_IO;
  do *fd = files_of(machine)->open(whole, flags);
  while (*fd < 0 && errno == EINTR);
  return *fd >= 0 ? RESULT_OK : failure();
}

void machine_close(const struct attest_machine *machine, int fd) {
  (void)files_of(machine)->close(fd);
}

/* Up to the end of the file, which must come after `max` bytes or sooner. */
static enum result read_all(const struct attest_machine *machine, int fd, size_t max, struct buf *out) {
  uint8_t chunk[4096];
  const size_t before = out->len;
  for (;;) {
    const ssize_t got = files_of(machine)->read(fd, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure();
    if (got == 0) return RESULT_OK;
    if ((size_t)got > max - (out->len - before)) return RESULT_IO;
    buf_put(out, chunk, (size_t)got);
    if (out->bad) return RESULT_NO_MEMORY;
  }
}

enum result machine_read(const struct attest_machine *machine, const char *path, size_t max, struct buf *out) {
  const size_t before = out->len;
  int fd = -1;
  if (out->bad) return RESULT_NO_MEMORY;
  enum result r = machine_open(machine, path, O_RDONLY, &fd);
  if (r != RESULT_OK) return r;
  r = read_all(machine, fd, max, out);
  machine_close(machine, fd);
  if (r == RESULT_OK) return r;
  out->len = before;
  out->bad = false;
  return r;
}

enum result machine_write(const struct attest_machine *machine, const char *path, struct span content) {
  int fd = -1;
  ssize_t put;
  enum result r = machine_open(machine, path, O_WRONLY, &fd);
  if (r != RESULT_OK) return r;
  do put = files_of(machine)->write(fd, content.data, content.len);
  while (put < 0 && errno == EINTR);
  if (put < 0) r = failure();
  /* Half of it is in place now, and the other half would take its place. */
  if (put >= 0 && (size_t)put != content.len) r = RESULT_IO;
  if (files_of(machine)->close(fd) != 0 && r == RESULT_OK) r = failure();
  return r;
}

bool machine_says(const struct attest_machine *machine, const char *path, const char *word) {
  uint8_t memory[64];
  struct buf text = buf_fixed(memory, sizeof memory);
  if (machine_read(machine, path, sizeof memory, &text) != RESULT_OK) return false;
  if (text.len > 0 && text.data[text.len - 1] == '\n') text.len--;
  return span_is(buf_span(&text), word);
}

bool machine_has(const struct attest_machine *machine, const char *path, int flags) {
  int fd = -1;
  if (machine_open(machine, path, flags, &fd) != RESULT_OK) return false;
  machine_close(machine, fd);
  return true;
}

enum result machine_ioctl(const struct attest_machine *machine, int fd, unsigned long request, void *argument) {
  int done;
  do done = files_of(machine)->ioctl(fd, request, argument);
  while (done < 0 && errno == EINTR);
  return done >= 0 ? RESULT_OK : failure();
}

enum result machine_mkdir(const struct attest_machine *machine, const char *path) {
  char whole[PATH_SIZE];
  if (!join(machine, path, whole)) return RESULT_IO;
  return files_of(machine)->mkdir(whole, 0700) == 0 ? RESULT_OK : failure();
}

void machine_rmdir(const struct attest_machine *machine, const char *path) {
  char whole[PATH_SIZE];
  if (join(machine, path, whole)) (void)files_of(machine)->rmdir(whole);
}

enum result machine_insist(const struct attest_machine *machine, machine_attempt attempt,
                           const struct attest_claim *claim, const char *path, struct buf *out) {
  const size_t before = out->len;
  enum result r = RESULT_BUSY;
  for (int i = 0; i < TRIES && r == RESULT_BUSY; i++) {
    if (i > 0) files_of(machine)->wait(PAUSE_MS);
    r = attempt(machine, claim, path, out);
    if (r != RESULT_OK) out->len = before;
  }
  return r;
}
