/* The provider of machines without a trusted execution environment: evidence that proves nothing, and says so. */
#include "attest/attest.h"
#include "base/base64.h"

static enum result sim_evidence(const uint8_t report_data[ATTEST_REPORT_DATA], struct buf *out) {
  buf_put_text(out, "{\"note\":\"simulated: signed by nobody, anybody can make this\",\"report_data\":\"");
  base64_put_url(out, span_of(report_data, ATTEST_REPORT_DATA));
  buf_put_text(out, "\",\"simulated\":true}");
  return out->bad ? RESULT_NO_MEMORY : RESULT_OK;
}

const struct attest_provider attest_sim = {"sim", "application/vnd.neocompute.sim-evidence+json", sim_evidence};
