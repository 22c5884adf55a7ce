/* What this keeper is: the engine its workers run, their fence, how it is set up, and the attestation document that
 * binds all of it, and its keys, to the machine. Known once the first worker is ready and the machine has given
 * evidence. Evidence comes from the supervisor: see attestations.h. */
#pragma once

#include "attest/attest.h"
#include "base/config.h"
#include "dispatch/conversation.h"
#include "keeper/keys.h"
#include "wire/service.h"

/* The largest attestation reply: evidence of the largest kind, certificates included, is a tenth of it. */
#define IDENTITY_ATTESTED_MAX (1u << 20)
#define IDENTITY_LIFETIME_S (90u * 86400) /* of a document … */
#define IDENTITY_RENEWAL_S (10u * 86400)  /* … and how long before its end there is a new one */

struct identity {
  const struct attest_provider *provider;
  bool met;   /* a worker: engine, fences and isolation are known */
  bool known; /* there is a document, too */
  char engine[64];
  sandbox_set fences;       /* of every worker */
  struct buf isolation;     /* the profile: "process", "process-landlock", "thread" */
  struct buf configuration; /* canonical JSON */
  uint8_t configuration_sha256[HASH_SIZE];
  bool has_tls;
  uint8_t tls_spki[HASH_SIZE];
  struct buf attested;              /* what GET /attestation answers */
  uint64_t attested_at, expires_at; /* Unix seconds */
  uint8_t attestation[HASH_SIZE];   /* the current document's */
  uint8_t born[HASH_SIZE];          /* the first one's: of all keepers there were, it names this one */
};

/* RESULT_CONFIG_INVALID if the settings name no provider. */
enum result must_use identity_begin(struct identity *id, const struct config *config, struct span hosts, bool strict);
/* SHA-256 of the listening certificate's SubjectPublicKeyInfo, or nothing. False if it is neither. */
bool must_use identity_set_tls(struct identity *id, struct span tls_spki);
/* The first worker: what it is, all will be. A later one: RESULT_WORKER_LIED unless it is of the same engine and behind
 * the same fences, which receipts name. */
enum result must_use identity_meet(struct identity *id, const struct wire_ready *ready);
/* Appends a document of these keys, and gives its report data. */
enum result must_use identity_put_document(const struct identity *id, const uint8_t sign_key[SIGN_PUBLIC],
                                           const uint8_t agree_key[AGREE_PUBLIC], struct span nonce, uint64_t now,
                                           struct buf *document, uint8_t report_data[ATTEST_REPORT_DATA]);
/* This is the document from now on. On failure the one before it stays. */
enum result must_use identity_adopt(struct identity *id, struct span document, struct span evidence, uint64_t now);
/* The IDENTITY message, but for the stores of secrets. */
void identity_describe(const struct identity *id, struct wire_identity *m);
void identity_clear(struct identity *id);
