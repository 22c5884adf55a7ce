/*
 * A kernel for the tests of this folder: it keeps the rules of Linux and of Gramine's /dev/attestation, and breaks them
 * on demand. One test program includes it once.
 */
#pragma once

#include <errno.h>
#include <linux/sev-guest.h>
#include <sys/ioctl.h>

#include "attest/machine.h"
#include "crypto/testing.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define ROOT "/fake"
#define ATTESTATION ROOT "/dev/attestation/"
#define REPORTS ROOT "/sys/kernel/config/tsm/report/"
#define FIRST_FD 100
#define LAST_FD 108

enum content { CONTENT_GOOD, CONTENT_SHORT, CONTENT_LONG, CONTENT_OTHER_KIND };

static struct {
  /* what there is */
  const char *attestation_type; /* NULL: not under Gramine */
  const char *driver;           /* of configfs-tsm; NULL: none */
  bool sev_guest, nsm;
  /* what goes wrong, so many times */
  int interrupted, busy, interlopers, meddlers;
  int flush_dropped;            /* the how-manieth; -1: all */
  size_t read_most, write_most; /* bytes a call; 0: any */
  enum content content;
  bool many_certificates;
  uint32_t snp_status;
  const char *nsm_answer; /* hex; NULL: a document */
  /* what it knows */
  uint8_t report_data[ATTEST_REPORT_DATA]; /* Gramine's file, or inblob */
  size_t report_data_len;
  uint64_t generation;
  char folder[256];
  int folders, made, waits, asked, flushes;
  uint8_t table[16384];
  size_t table_len;
  struct buf request; /* the last one to the NSM */
} kernel;

static struct file {
  bool used, made;
  char path[256];
  struct buf content;
  size_t at;
} files[LAST_FD - FIRST_FD];

static struct file *file_of(int fd) {
  assert_in_range(fd, FIRST_FD, LAST_FD - 1);
  assert_true(files[fd - FIRST_FD].used);
  return &files[fd - FIRST_FD];
}

static int fails(int error) {
  errno = error;
  return -1;
}

/* A call that a signal interrupts, and that is to be made again. */
static bool interrupted(void) {
  if (kernel.interrupted == 0) return false;
  kernel.interrupted--;
  errno = EINTR;
  return true;
}

static void put_zeros(struct buf *b, size_t len) {
  for (size_t i = 0; i < len; i++) buf_put_u8(b, 0);
}

static void put_quote(struct buf *b, uint32_t version, uint32_t tee, size_t before_report_data, size_t whole) {
  buf_put_u32(b, version | 2u << 16);
  buf_put_u32(b, tee);
  put_zeros(b, before_report_data - 8);
  buf_put(b, kernel.report_data, ATTEST_REPORT_DATA);
  put_zeros(b, whole - b->len);
}

static void put_sgx(struct buf *b) {
  put_quote(b, kernel.content == CONTENT_OTHER_KIND ? 4 : 3, kernel.content == CONTENT_OTHER_KIND ? 0x81 : 0, 368,
            4600);
  if (kernel.content == CONTENT_SHORT) b->len = 368 + ATTEST_REPORT_DATA - 1;
  if (kernel.content == CONTENT_LONG) put_zeros(b, 8193 - b->len);
}

static void put_tdx(struct buf *b) {
  put_quote(b, kernel.content == CONTENT_OTHER_KIND ? 3 : 4, 0x81, 48 + 520, 5000);
  if (kernel.content == CONTENT_SHORT) b->len = 48 + 520 + ATTEST_REPORT_DATA - 1;
  if (kernel.content == CONTENT_LONG) put_zeros(b, (32 << 10) + 1 - b->len);
}

static void put_snp(struct buf *b) {
  buf_put_u32(b, 2);
  put_zeros(b, 0x4c);
  buf_put(b, kernel.report_data, ATTEST_REPORT_DATA);
  put_zeros(b, 1184 - b->len);
  if (kernel.content == CONTENT_SHORT) b->len--;
  if (kernel.content == CONTENT_LONG) put_zeros(b, 1);
}

/* Somebody else writes to the same file. */
static void interlope(void) {
  if (kernel.interlopers == 0) return;
  kernel.interlopers--;
  kernel.generation++;
  memset(kernel.report_data, 0xee, sizeof kernel.report_data);
}

static bool ends(const char *path, const char *name) {
  const size_t len = strlen(path), tail = strlen(name);
  return len >= tail && strcmp(path + len - tail, name) == 0;
}

/* What opening a file of Gramine's puts into it: the quote is made there and then. */
static int open_gramine(const char *name, struct file *f) {
  if (kernel.attestation_type == NULL) return fails(ENOENT);
  if (strcmp(name, "attestation_type") == 0) buf_put_text(&f->content, kernel.attestation_type);
  if (strcmp(name, "quote") != 0) return 0;
  interlope();
  if (strcmp(kernel.attestation_type, "dcap") != 0) return fails(EACCES);
  put_sgx(&f->content);
  return 0;
}

static int open_report(struct file *f) {
  if (kernel.folders == 0 || strncmp(f->path, kernel.folder, strlen(kernel.folder)) != 0) return fails(ENOENT);
  if (ends(f->path, "/auxblob") && strcmp(kernel.driver, "tdx_guest") == 0) return fails(ENOENT);
  return 0;
}

static int open_device(bool there) {
  return there ? 0 : fails(ENOENT);
}

static int open_file(struct file *f) {
  if (strncmp(f->path, ATTESTATION, strlen(ATTESTATION)) == 0) return open_gramine(f->path + strlen(ATTESTATION), f);
  if (strncmp(f->path, REPORTS, strlen(REPORTS)) == 0) return open_report(f);
  if (strcmp(f->path, ROOT "/dev/sev-guest") == 0) return open_device(kernel.sev_guest);
  if (strcmp(f->path, ROOT "/dev/nsm") == 0) return open_device(kernel.nsm);
  return fails(ENOENT);
}

static int fake_open(const char *path, int flags) {
  (void)flags;
  size_t i = 0;
  if (interrupted()) return -1;
  while (i < COUNT(files) && files[i].used) i++;
  assert_true(i < COUNT(files) && strlen(path) < sizeof files[i].path);
  files[i] = (struct file){.used = true, .content = buf_new(1 << 20)};
  memcpy(files[i].path, path, strlen(path));
  if (open_file(&files[i]) == 0) return FIRST_FD + (int)i;
  files[i].used = false;
  return -1;
}

/* configfs makes the content when it is first read. */
static int fill(struct file *f) {
  f->made = true;
  if (ends(f->path, "/provider")) buf_printf(&f->content, "%s\n", kernel.driver);
  if (ends(f->path, "/generation")) buf_printf(&f->content, "%llu\n", (unsigned long long)kernel.generation);
  if (ends(f->path, "/auxblob")) buf_put(&f->content, kernel.table, kernel.table_len);
  if (!ends(f->path, "/outblob")) return 0;
  if (kernel.busy > 0) {
    kernel.busy--;
    return fails(EBUSY);
  }
  interlope();
  if (kernel.meddlers > 0) { /* somebody sets an option: a write, too */
    kernel.meddlers--;
    kernel.generation++;
  }
  if (kernel.report_data_len != ATTEST_REPORT_DATA) return fails(EINVAL);
  if (strcmp(kernel.driver, "tdx_guest") == 0)
    put_tdx(&f->content);
  else
    put_snp(&f->content);
  return 0;
}

static ssize_t fake_read(int fd, void *to, size_t len) {
  struct file *f = file_of(fd);
  if (interrupted()) return -1;
  if (!f->made && fill(f) != 0) return -1;
  const size_t left = f->content.len - f->at;
  if (kernel.read_most > 0 && len > kernel.read_most) len = kernel.read_most;
  if (len > left) len = left;
  if (len > 0) memcpy(to, f->content.data + f->at, len);
  f->at += len;
  return (ssize_t)len;
}

static ssize_t fake_write(int fd, const void *from, size_t len) {
  struct file *f = file_of(fd);
  if (interrupted()) return -1;
  if (kernel.write_most > 0 && len > kernel.write_most) len = kernel.write_most;
  buf_put(&f->content, from, len);
  if (!ends(f->path, "/user_report_data")) return (ssize_t)len;
  memset(kernel.report_data, 0, sizeof kernel.report_data); /* each write replaces all; a short one is padded */
  memcpy(kernel.report_data, from, len);
  return (ssize_t)len;
}

/* configfs hands on what was written when the file is closed, and nobody hears whether that went well. */
static void flush(struct file *f) {
  if (!ends(f->path, "/inblob")) return;
  kernel.flushes++;
  if (kernel.flush_dropped == kernel.flushes || kernel.flush_dropped < 0) return;
  kernel.generation++;
  kernel.report_data_len = f->content.len;
  assert_true(f->content.len <= sizeof kernel.report_data);
  memcpy(kernel.report_data, f->content.data, f->content.len);
}

static int fake_close(int fd) {
  struct file *f = file_of(fd);
  flush(f);
  buf_free(&f->content);
  f->used = false;
  return 0;
}

static int ask_sev_guest(struct snp_guest_request_ioctl *call) {
  const struct snp_ext_report_req *request = (const void *)(uintptr_t)call->req_data;
  struct snp_report_resp *response = (void *)(uintptr_t)call->resp_data;
  static const uint8_t zeros[sizeof request->data.rsvd];
  struct buf answer = buf_fixed(response->data, sizeof response->data);
  kernel.asked++;
  assert_int_equal(call->msg_version, 1);
  assert_int_equal(request->data.vmpl, 0);
  assert_memory_equal(request->data.rsvd, zeros, sizeof zeros);
  if (request->certs_len > 16384 || request->certs_len % 4096 != 0) return fails(EINVAL);
  if (kernel.busy > 0) {
    kernel.busy--;
    return fails(EBUSY);
  }
  if (kernel.many_certificates && request->certs_len > 0) return fails(ENOSPC);
  memcpy(kernel.report_data, request->data.user_data, sizeof kernel.report_data);
  interlope();
  buf_put_u32(&answer, kernel.snp_status);
  buf_put_u32(&answer, kernel.content == CONTENT_SHORT ? 1183 : kernel.content == CONTENT_LONG ? 4000 : 1184);
  put_zeros(&answer, 24);
  struct buf report = buf_new(4096);
  put_snp(&report);
  buf_put_span(&answer, buf_span(&report));
  buf_free(&report);
  if (request->certs_len > 0) memcpy((void *)(uintptr_t)request->certs_address, kernel.table, request->certs_len);
  return 0;
}

struct nsm_call {
  struct {
    uint64_t address, len;
  } request, response;
};

static int ask_nsm(struct nsm_call *call) {
  struct buf answer = buf_fixed((void *)(uintptr_t)call->response.address, call->response.len);
  assert_int_equal(call->response.len, 0x3000);
  assert_true(call->request.len <= 0x1000);
  kernel.asked++;
  buf_clear(&kernel.request);
  buf_put(&kernel.request, (const void *)(uintptr_t)call->request.address, call->request.len);
  if (kernel.nsm_answer != NULL) {
    buf_put_span(&answer, unhex(kernel.nsm_answer));
  } else {
    const uint8_t *user_data = memmem(kernel.request.data, kernel.request.len, "user_data\x58\x40", 11);
    assert_non_null(user_data);
    buf_put_text(&answer,
                 "\xa1\x6b"
                 "Attestation\xa1\x68"
                 "document\x58\x44"
                 "\xd2\x84");
    buf_put(&answer, user_data + 11, ATTEST_REPORT_DATA);
    buf_put_text(&answer, "xy");
  }
  assert_false(answer.bad);
  call->response.len = answer.len;
  return 0;
}

static int fake_ioctl(int fd, unsigned long request, void *argument) {
  const struct file *f = file_of(fd);
  if (interrupted()) return -1;
  if (ends(f->path, "/sev-guest") && request == SNP_GET_EXT_REPORT) return ask_sev_guest(argument);
  if (ends(f->path, "/nsm") && request == 0xc0200a00) return ask_nsm(argument);
  return fails(ENOTTY);
}

static int fake_mkdir(const char *path, mode_t mode) {
  (void)mode;
  if (strncmp(path, REPORTS, strlen(REPORTS)) != 0) return fails(ENOENT);
  if (kernel.driver == NULL) return fails(ENXIO);
  assert_string_not_equal(path, kernel.folder); /* a name of its own each time */
  snprintf(kernel.folder, sizeof kernel.folder, "%s", path);
  kernel.folders++;
  kernel.made++;
  kernel.report_data_len = 0;
  return 0;
}

static int fake_rmdir(const char *path) {
  assert_string_equal(path, kernel.folder);
  kernel.folders--;
  return 0;
}

static void fake_wait(unsigned ms) {
  assert_in_range(ms, 1, 1000);
  kernel.waits++;
}

static const struct attest_files fake_files = {fake_open,  fake_read,  fake_write, fake_ioctl,
                                               fake_close, fake_mkdir, fake_rmdir, fake_wait};
static const struct attest_machine fake = {ROOT, &fake_files};
