/* ExecuteResponse: what callers get for a job, as JSON (docs/openapi.yaml). Pure: everything that is said comes in. */
#pragma once

#include "keeper/prepare.h"

struct reply {
  struct span job;              /* UUID as text */
  bool running;                 /* then nothing but job, script_bytes and started_ns counts */
  const struct wire_done *done; /* result, output, error, stack, usage */
  struct span logs;             /* JSON strings, joined by commas */
  const struct prepare_secret *secrets;
  size_t secret_count;
  struct span network; /* JSON, left out if empty */
  struct span entry;   /* for the error of an entry point that is none */
  size_t script_bytes;
  uint64_t started_ns, duration_ns; /* Unix time; as the keeper's clock has it */
  bool hide_output;                 /* only encrypted_output is sent */
  bool sealed;                      /* it is sealed to the caller: the receipt's output and logs are salted */
  /* Text; left out if empty. */
  struct span encrypted_output, output_hash, signature, receipt, receipt_salt, attestation;
};

void reply_put(struct buf *b, const struct reply *r);
/* What strangers may see of a reply that is sealed: not what the script said, nor what opens the receipt's commitments.
 * `sealed_output` is the sealed reply, JSON; left out if empty. */
void reply_put_around(struct buf *b, const struct reply *r, struct span sealed_output);

/* A failure of the service, not of the job: nothing but its name. */
void reply_put_fault(struct buf *b, struct span job, enum result fault);

/* Gas of the reference service. */
uint64_t reply_gas(size_t script_bytes);
