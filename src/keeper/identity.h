/* What this keeper is: its keys, the engine its workers run, their fence, and the attestation document that binds all
 * of it to the machine. Known once the first worker is ready. */
#pragma once

#include "attest/attest.h"
#include "dispatch/conversation.h"
#include "keeper/keys.h"
#include "wire/service.h"

/* The largest attestation reply: evidence of the largest kind, certificates included, is a tenth of it. */
#define IDENTITY_ATTESTED_MAX (1u << 20)

struct identity {
  const struct attest_provider *provider;
  bool known;
  char engine[64];
  sandbox_set fences;   /* of every worker */
  struct buf isolation; /* the profile: "process", "process-landlock" */
  struct buf attested;  /* what GET /attestation answers */
  uint64_t attested_at; /* Unix seconds */
  uint8_t attestation[HASH_SIZE];
};

/* The first worker: makes the document. A later one: RESULT_WORKER_LIED unless it is of the same engine and behind the
 * same fences, which receipts name. */
enum result must_use identity_meet(struct identity *id, const struct keys *keys, const struct wire_ready *ready,
                                   uint64_t now);
/* Appends a reply whose document carries this nonce. */
enum result must_use identity_attest(const struct identity *id, const struct keys *keys, struct span nonce,
                                     uint64_t now, struct buf *reply);
/* The IDENTITY message. `limits` holds the text of one of its members. */
void identity_describe(const struct identity *id, struct buf *limits, struct wire_identity *m);
void identity_clear(struct identity *id);
