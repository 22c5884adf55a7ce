/* The quote by which the Coordinator knows the marble, in OpenEnclave's framing. Private to src/marble. */
#pragma once

#include "attest/attest.h"

/* Appends it: u32 1 | u32 2 (SGX, remote) | u64 length | DCAP quote over SHA-256(certificate) and 32 zeros. Nothing is
 * appended if this machine is no SGX enclave under Gramine: the Coordinator knows no other evidence, and takes none
 * only in simulation. RESULT_BUSY, RESULT_IO, RESULT_CRYPTO, RESULT_NO_MEMORY. */
enum result must_use remote_report_put(struct buf *b, const struct attest_machine *machine, struct span certificate);
