/*
 * Intel's collateral, and policies, from strangers. The first byte says which: collateral as it comes, TCB info or QE
 * identity that our own Intel signs whatever it says (for SGX or TDX), or a policy.
 */
#include "crypto/crypto.h"
#include "evidence/verifier.h"
#include "intel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t report_data[64] = "report data";
static struct intel *vendor;
static struct buf quotes[2]; /* SGX, TDX */
static struct evidence_policy policy;

static void must(bool holds) {
  if (!holds) abort();
}

static void start(void) {
  struct intel_vendor usual = intel_vendor();
  must(crypto_init() == RESULT_OK);
  vendor = intel_new(&usual);
  policy = (struct evidence_policy){.now = INTEL_NOW, .root_count = 1};
  intel_root(vendor, policy.roots[0]);
  policy.sgx.mrenclave.any = policy.tdx.mrtd.any = true;
  for (size_t i = 0; i < POLICY_RTMRS; i++) policy.tdx.rtmr[i].any = true;
  for (size_t i = 0; i < 2; i++) {
    struct intel_quote q = intel_quote(i == 0 ? 3 : 53, report_data);
    quotes[i] = buf_new(65536);
    intel_put_quote(vendor, &q, &quotes[i]);
  }
}

static struct evidence_report check(bool tdx, struct span collateral) {
  struct evidence_report r = {0};
  policy.collateral = collateral;
  (tdx ? &evidence_tdx : &evidence_sgx)->check(buf_span(&quotes[tdx]), report_data, &policy, &r);
  must(r.count > 0 && !r.overflow);
  return r;
}

static void check_raw(struct span text) {
  for (int tdx = 0; tdx < 2; tdx++) {
    struct evidence_report r = check(tdx, text);
    must(!report_good(&r));
  }
}

/* A text that our own Intel signed is good only if it says so. */
static void check_signed(struct span text, bool tdx, bool info) {
  struct buf line = buf_new(65536), collateral = buf_new(262144);
  buf_put_span(&line, text);
  buf_put_u8(&line, 0);
  const char *said = (const char *)line.data;
  if (intel_put_collateral(vendor, info ? said : intel_tcb_info(tdx), info ? intel_qe_identity(tdx) : said,
                           &collateral)) {
    struct evidence_report r = check(tdx, buf_span(&collateral));
    if (report_good(&r)) must(strstr(said, "UpToDate") != NULL || strchr(said, '\\') != NULL);
  }
  buf_free(&line);
  buf_free(&collateral);
}

static void check_policy(struct span text) {
  struct evidence_policy p = {0};
  struct buf problem = buf_new(1024);
  enum result r = policy_read(text, &p, &problem);
  must((r == RESULT_OK) == (problem.len == 0));
  must(p.root_count <= POLICY_ROOTS_MAX && p.tees.count <= POLICY_LIST_MAX && p.tdx.mrtd.count <= POLICY_LIST_MAX);
  buf_free(&problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (vendor == NULL) start();
  if (size == 0) return 0;
  unsigned what = data[0] % 6;
  struct span text = span_of(data + 1, size - 1);
  if (what == 0)
    check_raw(text);
  else if (what == 1)
    check_policy(text);
  else
    check_signed(text, (what & 1) != 0, what < 4);
  return 0;
}
