/*
 * What verifying Intel's evidence costs, with collateral: `evidence_bench [ROUNDS]` prints one JSON object a kind of
 * quote, µs a verification of one thread. The evidence is made by tests/intel.c, and is as long as the real thing.
 */
#include <time.h>

#include "crypto/crypto.h"
#include "evidence/verifier.h"
#include "intel.h"

static const uint8_t report_data[64] = "report data";

static double now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static bool measure(struct intel *vendor, const char *name, unsigned kind, unsigned rounds) {
  struct intel_quote q = intel_quote(kind, report_data);
  struct buf quote = buf_new(65536), collateral = buf_new(65536);
  struct evidence_policy policy = {.now = INTEL_NOW, .root_count = 1};
  bool good = intel_put_collateral(vendor, intel_tcb_info(q.tdx), intel_qe_identity(q.tdx), &collateral);
  intel_put_quote(vendor, &q, &quote);
  intel_root(vendor, policy.roots[0]);
  policy.collateral = buf_span(&collateral);
  policy.sgx.mrenclave.any = policy.tdx.mrtd.any = true;
  for (size_t i = 0; i < POLICY_RTMRS; i++) policy.tdx.rtmr[i].any = true;
  double start = now_us();
  for (unsigned i = 0; i < rounds; i++) {
    struct evidence_report r = {0};
    (q.tdx ? &evidence_tdx : &evidence_sgx)->check(buf_span(&quote), report_data, &policy, &r);
    good = good && report_good(&r);
  }
  printf("{\"bench\":\"evidence\",\"quote\":\"%s\",\"us\":%.0f}\n", name, (now_us() - start) / rounds);
  buf_free(&quote);
  buf_free(&collateral);
  return good;
}

int main(int argc, char **argv) {
  unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 200;
  struct intel_vendor usual = intel_vendor();
  if (rounds == 0 || crypto_init() != RESULT_OK) return 2;
  struct intel *vendor = intel_new(&usual);
  bool good = measure(vendor, "sgx v3", 3, rounds) && measure(vendor, "tdx v4", 4, rounds) &&
              measure(vendor, "tdx v5", 53, rounds);
  intel_free(vendor);
  crypto_free();
  return good ? 0 : 1;
}
