/* What a receipt says of a job as it was asked for. It is sealed beside the record of a job that runs, so that a
 * service which finds the record after a crash can sign that the job was interrupted. */
#pragma once

#include "receipt/receipt.h"

struct facts {
  uint8_t script[HASH_SIZE], input[HASH_SIZE], limits[HASH_SIZE], secrets[HASH_SIZE];
  uint8_t keeper[HASH_SIZE]; /* identity.born of the one that began it */
  uint8_t salt[RECEIPT_SALT];
  uint64_t script_bytes, started_ns; /* Unix time */
  struct span entry, nonce;
};

void facts_put(struct buf *b, const struct facts *f);
/* False if `bytes` are none. Spans point into them. */
bool facts_get(struct span bytes, struct facts *f);
