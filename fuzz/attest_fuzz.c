/* What a hostile host may answer to those who ask for evidence: quotes, tables of certificates, the NSM's CBOR. */
#include "attest/machine.h"
#include "attest/quote.h"
#include "attest/snp.h"

static struct span answer;

static int fuzz_open(const char *path, int flags) {
  (void)path;
  (void)flags;
  return 3;
}

static int fuzz_close(int fd) {
  (void)fd;
  return 0;
}

struct nsm_call {
  struct {
    uint64_t address, len;
  } request, response;
};

static int fuzz_ioctl(int fd, unsigned long request, void *argument) {
  struct nsm_call *call = argument;
  (void)fd;
  (void)request;
  if (answer.len > call->response.len) return -1;
  if (answer.len > 0) memcpy((void *)(uintptr_t)call->response.address, answer.data, answer.len);
  call->response.len = answer.len;
  return 0;
}

static const struct attest_files files = {.open = fuzz_open, .ioctl = fuzz_ioctl, .close = fuzz_close};
static const struct attest_machine machine = {"/", &files};

/* Nothing is appended but by success. */
static void expect(enum result r, struct buf *out) {
  if ((r == RESULT_OK) != (out->len > 0)) abort();
  buf_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const uint8_t key[AGREE_PUBLIC];
  static uint8_t report[SNP_REPORT];
  const struct attest_claim claim = {.agree_key = key};
  struct buf out = buf_new(1 << 16);
  answer = span_of(data, size);
  expect(snp_put_evidence(&out, span_of(report, sizeof report), answer, claim.report_data), &out);
  out = buf_new(1 << 16);
  expect(attest_nitro.evidence(&machine, &claim, &out), &out);
  if (quote_check(answer, QUOTE_SGX, claim.report_data) == RESULT_OK && size < 368 + ATTEST_REPORT_DATA) abort();
  if (quote_check(answer, QUOTE_TDX, claim.report_data) == RESULT_OK && size < 568 + ATTEST_REPORT_DATA) abort();
  return 0;
}
