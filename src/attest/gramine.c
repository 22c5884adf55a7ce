/* SGX under Gramine: what is written to user_report_data is in the quote that is made when `quote` is next opened
 * (Gramine, Documentation/attestation.rst). */
#include "attest/machine.h"
#include "attest/quote.h"

#define FOLDER "/dev/attestation/"
#define QUOTE_MAX 8192u

static bool gramine_probe(const struct attest_machine *machine) {
  return machine_says(machine, FOLDER "attestation_type", "dcap");
}

static enum result attempt(const struct attest_machine *machine, const struct attest_claim *claim, const char *path,
                           struct buf *out) {
  const size_t before = out->len;
  enum result r = machine_write(machine, path, span_of(claim->report_data, ATTEST_REPORT_DATA));
  if (r == RESULT_OK) r = machine_read(machine, FOLDER "quote", QUOTE_MAX, out);
  /* The file is the whole process's: over other report data if another thread has written to it in between. */
  return r == RESULT_OK ? quote_check(buf_since(out, before), QUOTE_SGX, claim->report_data) : r;
}

static enum result gramine_evidence(const struct attest_machine *machine, const struct attest_claim *claim,
                                    struct buf *out) {
  return machine_insist(machine, attempt, claim, FOLDER "user_report_data", out);
}

const struct attest_provider attest_gramine = {"gramine", "sgx", "application/vnd.intel.sgx-quote", gramine_probe,
                                               gramine_evidence};
