/* What is asked about jobs of the past, from their sealed records: OPEN and INTERRUPT. Pure: a message in, a message
 * out. */
#pragma once

#include "keeper/outcome.h"

/* OPENED. A record that does not open, or is none, is answered with RESULT_RECORD_CORRUPT. The call's result is
 * RESULT_PEER_LIED if the message does not fit, RESULT_NO_MEMORY. */
enum result must_use past_open(const struct keys *keys, struct span body, struct buf *message);

/* ENDED of a job that was running when its service ended: failed, interrupted, with a receipt. A record that does not
 * open, or is not of a running job, ends with RESULT_RECORD_CORRUPT and nothing to store. RESULT_PEER_LIED, too, if it
 * is this very keeper that began the job: it would get a second receipt. */
enum result must_use past_interrupt(struct keys *keys, const struct identity *id, struct span body, uint64_t now,
                                    struct buf *message);
