/* The files through which a kernel attests, and the rules they have in common. Private to src/attest. */
#pragma once

#include <sys/types.h>

#include "attest/attest.h"

/* As the system calls of these names, errno included; a test is another kernel. */
struct attest_files {
  int (*open)(const char *path, int flags);
  ssize_t (*read)(int fd, void *to, size_t len);
  ssize_t (*write)(int fd, const void *from, size_t len);
  int (*ioctl)(int fd, unsigned long request, void *argument);
  int (*close)(int fd);
  int (*mkdir)(const char *path, mode_t mode);
  int (*rmdir)(const char *path);
  void (*wait)(unsigned ms);
};

/* All paths are below the machine's root and begin with "/". Failures are RESULT_BUSY for what may pass (EBUSY, EAGAIN)
 * and RESULT_IO for the rest. */

/* A descriptor, to be given to machine_close. */
enum result must_use machine_open(const struct attest_machine *machine, const char *path, int flags, int *fd);
void machine_close(const struct attest_machine *machine, int fd);
/* Appends the whole file: at most `max` bytes, or RESULT_IO; nothing is appended on failure. */
enum result must_use machine_read(const struct attest_machine *machine, const char *path, size_t max, struct buf *out);
/* Replaces the file's content by one write(2): a second one would replace it again. */
enum result must_use machine_write(const struct attest_machine *machine, const char *path, struct span content);
/* Whether the file holds this word, with or without a newline. */
bool machine_says(const struct attest_machine *machine, const char *path, const char *word);
/* Whether the file or device can be opened. */
bool machine_has(const struct attest_machine *machine, const char *path, int flags);
/* EINTR and EBUSY as above. */
enum result must_use machine_ioctl(const struct attest_machine *machine, int fd, unsigned long request, void *argument);
enum result must_use machine_mkdir(const struct attest_machine *machine, const char *path);
void machine_rmdir(const struct attest_machine *machine, const char *path);

/* One try at evidence; RESULT_BUSY if another might succeed. */
typedef enum result (*machine_attempt)(const struct attest_machine *machine, const struct attest_claim *claim,
                                       const char *path, struct buf *out);
/* Tries until it is not busy, for about a second. After a failure `out` is as before. */
enum result must_use machine_insist(const struct attest_machine *machine, machine_attempt attempt,
                                    const struct attest_claim *claim, const char *path, struct buf *out);
