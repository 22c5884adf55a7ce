/*
 * Intel's DCAP quotes: SGX (version 3, and 4 and 5 with an enclave's report) and TDX (version 4, and 5 with the report
 * of TDX 1.0 or 1.5), as in sgx_quote_3.h, _4.h and _5.h of Intel's SGXDataCenterAttestationPrimitives. Parsing only.
 * Private to src/evidence.
 */
#pragma once

#include "base/result.h"

#define QUOTE_SGX_REPORT 384u
#define QUOTE_TD_REPORT 584u    /* TDX 1.0 */
#define QUOTE_TD_REPORT_15 648u /* TDX 1.5 */

/* A field of a report: where it starts and how long it is. */
struct quote_field {
  uint16_t at, len;
};

/* Of an enclave's report (SGX). */
#define QUOTE_MISCSELECT ((struct quote_field){16, 4})
#define QUOTE_ATTRIBUTES ((struct quote_field){48, 16})
#define QUOTE_MRENCLAVE ((struct quote_field){64, 32})
#define QUOTE_MRSIGNER ((struct quote_field){128, 32})
#define QUOTE_ISVPRODID ((struct quote_field){256, 2})
#define QUOTE_ISVSVN ((struct quote_field){258, 2})
#define QUOTE_SGX_REPORT_DATA ((struct quote_field){320, 64})

/* Of a trust domain's report (TDX). */
#define QUOTE_TEE_TCB_SVN ((struct quote_field){0, 16})
#define QUOTE_MRSIGNERSEAM ((struct quote_field){64, 48})
#define QUOTE_SEAM_ATTRIBUTES ((struct quote_field){112, 8})
#define QUOTE_TD_ATTRIBUTES ((struct quote_field){120, 8})
#define QUOTE_MRTD ((struct quote_field){136, 48})
#define QUOTE_RTMR(n) ((struct quote_field){(uint16_t)(328 + 48 * (n)), 48})
#define QUOTE_TD_REPORT_DATA ((struct quote_field){520, 64})
#define QUOTE_MRSERVICETD ((struct quote_field){600, 48}) /* TDX 1.5 only */

enum quote_certification { /* what the certification data are */
                           QUOTE_PPID_FIRST =
                               1, /* 1 to 3: an identifier of the platform, which leads to its certificate */
                           QUOTE_PPID_LAST = 3,
                           QUOTE_PCK_LEAF = 4,
                           QUOTE_PCK_CHAIN = 5
};

/* Spans point into the quote. */
struct quote {
  unsigned version;
  bool tdx;
  struct span body;                       /* the report: of an enclave or of a trust domain */
  struct span signed_part;                /* what the attestation key signed: all from the start to the report's end */
  struct span signature, attestation_key; /* r || s, x || y; 64 bytes each */
  struct span qe_report, qe_signature, qe_auth; /* the quoting enclave's own report, signed by the platform's key */
  unsigned certification;
  struct span certificates;
  size_t trailing; /* bytes behind the quote: real ones come in buffers of fixed size; nobody signed them, nobody reads
                      them */
};

/* NULL, or what is wrong, a static sentence. */
const char *must_use quote_read(struct span raw, struct quote *quote);

/* The field's bytes; the report must be long enough for it. */
struct span quote_get(struct span report, struct quote_field field);
/* The same of a field of two bytes, as a number. */
unsigned quote_get_u16(struct span report, struct quote_field field);
