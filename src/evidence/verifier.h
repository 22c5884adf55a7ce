/* One kind of evidence. Private to src/evidence. */
#pragma once

#include "evidence/evidence.h"

#define EVIDENCE_REPORT_DATA 64u

struct evidence_verifier {
  const char *tee, *media_type;
  /* Makes all checks of this kind of evidence, a line of the report each: whether it vouches for `report_data`, and
   * whether the policy takes what it vouches for. A check that cannot be made is reported as skipped. */
  void (*check)(struct span raw, const uint8_t report_data[EVIDENCE_REPORT_DATA], const struct evidence_policy *policy,
                struct evidence_report *report);
  /* Every field, a line each (show.h). */
  void (*show)(struct span raw, struct buf *out);
};

/* NULL if there is none for this kind of evidence. */
const struct evidence_verifier *evidence_verifier_of(const char *tee, const char *media_type);

/* Intel's DCAP quotes, raw; Intel's collateral comes with the policy (collateral.h), and without it what it is needed
 * for is skipped. */
extern const struct evidence_verifier evidence_sgx, evidence_tdx;
extern const struct evidence_verifier evidence_sim;
extern const struct evidence_verifier evidence_snp;
extern const struct evidence_verifier evidence_nitro;
