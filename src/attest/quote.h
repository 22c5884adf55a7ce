/* DCAP quotes, as far as those who ask for one look into them. Private to src/attest. */
#pragma once

#include "attest/attest.h"

#define QUOTE_SGX 0x00u
#define QUOTE_TDX 0x81u

enum quote_verdict {
  QUOTE_BINDS,
  QUOTE_OF_OTHERS, /* well-formed, but over other report data */
  QUOTE_NONE,      /* no quote of this kind of TEE */
};

/* Whose report data the quote carries (Intel's sgx_quote_3.h, _4.h and _5.h). Nothing else is checked: that is for
 * verifiers. */
enum quote_verdict quote_check(struct span quote, uint32_t tee, const uint8_t report_data[ATTEST_REPORT_DATA]);
