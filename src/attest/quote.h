/* DCAP quotes, as far as those who ask for one look into them. Private to src/attest. */
#pragma once

#include "attest/attest.h"

#define QUOTE_SGX 0x00u
#define QUOTE_TDX 0x81u

/* Whether it is a quote of this kind of TEE over this report data (Intel's sgx_quote_3.h, _4.h and _5.h); all else is
 * for verifiers. RESULT_BUSY if it is over other report data, RESULT_IO if it is no such quote. */
enum result must_use quote_check(struct span quote, uint32_t tee, const uint8_t report_data[ATTEST_REPORT_DATA]);
