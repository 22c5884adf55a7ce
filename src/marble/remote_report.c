#include "marble/remote_report.h"

#define QUOTE_MAX 8192u
#define HEADER_VERSION 1u
#define SGX_REMOTE 2u

enum result remote_report_put(struct buf *b, const struct attest_machine *machine, struct span certificate) {
  struct attest_claim claim = {.agree_key = NULL};
  if (!attest_gramine.probe(machine)) return RESULT_OK;
  enum result r = hash_sha256(&certificate, 1, claim.report_data);
  if (r != RESULT_OK) return r;
  struct buf quote = buf_new(QUOTE_MAX);
  r = attest_gramine.evidence(machine, &claim, &quote);
  if (r == RESULT_OK) {
    buf_put_u32(b, HEADER_VERSION);
    buf_put_u32(b, SGX_REMOTE);
    buf_put_u64(b, quote.len);
    buf_put_span(b, buf_span(&quote));
    if (b->bad) r = RESULT_NO_MEMORY;
  }
  buf_free(&quote);
  return r;
}
