/* One kind of evidence. Private to src/evidence. */
#pragma once

#include "evidence/evidence.h"

#define EVIDENCE_REPORT_DATA 64u

struct evidence_verifier {
  const char *tee, *media_type;
  /* Whether the evidence vouches for `report_data`: NULL, or the problem as a sentence. */
  const char *(*check)(struct span raw, const uint8_t report_data[EVIDENCE_REPORT_DATA],
                       const struct evidence_policy *policy);
};

extern const struct evidence_verifier evidence_sim;
