/* The provider of machines without a trusted execution environment: evidence that proves nothing, and says so. */
#include "attest/attest.h"
#include "base/base64.h"

static bool sim_probe(const struct attest_machine *machine) {
  (void)machine;
  return true;
}

static enum result sim_evidence(const struct attest_machine *machine, const struct attest_claim *claim,
                                struct buf *out) {
  (void)machine;
  buf_put_text(out, "{\"note\":\"simulated: signed by nobody, anybody can make this\",\"report_data\":\"");
  base64_put_url(out, span_of(claim->report_data, ATTEST_REPORT_DATA));
  buf_put_text(out, "\",\"simulated\":true}");
  return out->bad ? RESULT_NO_MEMORY : RESULT_OK;
}

const struct attest_provider attest_sim = {"sim", "sim", "application/vnd.neocompute.sim-evidence+json", sim_probe,
                                           sim_evidence};
