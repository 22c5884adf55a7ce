/* The vendors' roots of trust, by the SHA-256 of the certificate's DER: what ends a chain is compared with these, so a
 * root may come with the evidence. */
#pragma once

#include "evidence/policy.h"

enum roots_vendor { ROOTS_INTEL_SGX, ROOTS_AMD_MILAN, ROOTS_AMD_GENOA, ROOTS_AMD_TURIN, ROOTS_AWS_NITRO, ROOTS_COUNT };

struct roots {
  const uint8_t (*pins)[POLICY_ROOT];
  size_t count;
};

/* The vendor's, or those of the policy if it has any. */
struct roots roots_of(enum roots_vendor vendor, const struct evidence_policy *policy);
