/*
 * An Intel of our own: root, platforms' CA, a platform, quoting enclave, TCB signer, revocation lists. What it signs is
 * made like the real thing and is worth nothing, unless a policy pins its root. For tests, fuzzing and bench.
 */
#pragma once

#include "base/result.h"

#define INTEL_NOW 1790000000u /* 2026-09-21T14:13:20Z; what it makes is valid two weeks before and after */
#define INTEL_COMPONENTS \
  { 5, 5, 2, 2, 3, 1, 0, 3 }

struct intel_vendor {
  const char *ca, *pck, *signer; /* common names */
  uint8_t component[16];
  uint16_t pce_svn;
  bool ca_revoked, pck_revoked, signer_revoked;
  struct span extension; /* instead of the platform's SGX extension */
};

/* Reports as they are before they are signed: a test may change anything. */
struct intel_quote {
  unsigned version, type, certification;
  bool tdx;
  size_t body_size;
  uint8_t body[648], qe_report[384]; /* the latter's report data are filled in, but for what is xored to them */
  uint8_t spoil_key[64];
  size_t trailing;
};

struct intel;

/* The usual vendor: all names right, up to date. */
struct intel_vendor intel_vendor(void);
/* NULL if OpenSSL fails. */
struct intel *intel_new(const struct intel_vendor *vendor);
void intel_free(struct intel *f);
/* The SHA-256 of the root. */
void intel_root(const struct intel *f, uint8_t out[32]);

/* A quote that all is well with: kinds are 3 (SGX), 4 (TDX 1.0), 40 (SGX in version 4), 51, 52, 53 (version 5). */
struct intel_quote intel_quote(unsigned kind, const uint8_t report_data[64]);
void intel_put_quote(struct intel *f, const struct intel_quote *quote, struct buf *out);

/* What it says about that platform, and about that quoting enclave. */
const char *intel_tcb_info(bool tdx);
const char *intel_qe_identity(bool tdx);
/* Signs the two and puts all of the collateral. False, and nothing put, if a text is not UTF-8. */
bool intel_put_collateral(struct intel *f, const char *tcb_info, const char *qe_identity, struct buf *out);
