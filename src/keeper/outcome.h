/* The end of a job: from what was asked and what came of it to the signed reply and the sealed record. */
#pragma once

#include "keeper/facts.h"
#include "keeper/identity.h"
#include "keeper/prepare.h"
#include "keeper/sealed.h"

struct outcome {
  const uint8_t *job, *user; /* 16 and 32 bytes */
  uint32_t flags;            /* enum wire_execute_flag */
  const struct facts *facts;
  const struct wire_done *done;
  struct span logs; /* JSON strings, joined by commas */
  const struct prepare_secret *secrets;
  size_t secret_count;
  const struct sealed *sealed; /* of a sealed input; NULL: there is none */
  const uint8_t *recipient;    /* whom the answer is sealed to; NULL: to the sender of the input, if flags say so */
  struct span network;         /* fetches_put_summary; empty: nothing was asked of the outside */
  uint64_t duration_ns;        /* as the keeper's clock has it */
  uint64_t now;                /* Unix seconds */
};

/* A whole ENDED: the reply with its receipt, and the record to store. If they cannot be made, it is a fault of ours in
 * their place (RESULT_CRYPTO, RESULT_NO_MEMORY): nothing unsigned may be taken for a result. */
void outcome_put_ended(struct buf *message, struct keys *keys, const struct identity *id, uint64_t ticket,
                       const struct outcome *o);
/* The same for a fault: a reply without output and receipt, and nothing to store. */
void outcome_put_fault(struct buf *message, uint64_t ticket, const uint8_t job[16], enum result fault);

/* The record of a job that starts to run, sealed. */
enum result must_use outcome_running(const struct keys *keys, const uint8_t job[16], const uint8_t user[32],
                                     const struct facts *facts, struct buf *sealed);
