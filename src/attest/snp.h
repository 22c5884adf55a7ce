/* SEV-SNP reports and the table of certificates that the host adds. Private to src/attest. */
#pragma once

#include "attest/attest.h"

#define SNP_REPORT 1184u

/* Appends the evidence: the report, then the table (GHCB 2.0, 4.1.8.1: entries of GUID 16 | offset u32 | length u32,
 * ended by zeros, then what they point at) without what lies behind its last certificate. The table may be empty or
 * all zeros: no certificates. RESULT_BUSY if the report is over other report data; RESULT_IO if it is none, or if the
 * table points outside itself. */
enum result must_use snp_put_evidence(struct buf *out, struct span report, struct span table,
                                      const uint8_t report_data[ATTEST_REPORT_DATA]);
