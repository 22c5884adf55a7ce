/*
 * The checks of `neocompute verify`: is this response what an attested service answered to this script and input? Bytes
 * and a time in, a verdict a check out; no clock, no file, no network. Private to src/cli.
 */
#pragma once

#include "evidence/evidence.h"
#include "receipt/receipt.h"

enum verdict { VERDICT_OK, VERDICT_FAILED, VERDICT_NOT_MADE, VERDICT_NOT_ASKED, VERDICT_WAIVED };

/* A file that may have been given; its path goes into what is said. */
struct checks_file {
  const char *path; /* NULL: not given */
  struct buf bytes;
};

/* Members of the response, raw; `data` is NULL for one that is not there. */
struct checks_response {
  struct span job_id, status, error_code, gas_used, usage, output, encrypted_output, output_hash, logs, secrets,
      network, sealed;
  struct span receipt, receipt_salt, attestation, attestation_reply;
  struct span rest[5]; /* known, and not compared with anything */
};

struct checks {
  /* The question. */
  struct checks_file response_file, script, input, output, attestation, collateral;
  const char *entry, *user, *nonce; /* the last two may be NULL: not asked */
  struct receipt_limits limits;
  uint64_t at; /* Unix seconds */
  bool allow_simulated;
  struct evidence_policy policy; /* but for `now` and `allow_simulated` */
  bool has_policy;
  unsigned waived; /* bits: numbers of checks */
  /* What the checks found so far. */
  struct checks_response response;
  const char *response_problem;
  struct buf evidence_text, receipt_text;
  struct evidence_verdict evidence;
  struct receipt_claims claims;
  bool attested, genuine;
};

/* How many there are. They are made in order, each once, after checks_begin. */
size_t checks_count(void);
const char *checks_name(size_t i);
bool checks_may_be_waived(size_t i);
void checks_begin(struct checks *c);
/* What was found, or what is wrong, is appended to `detail`. */
enum verdict checks_make(struct checks *c, size_t i, struct buf *detail);
/* Whether the whole may be verified in spite of this verdict. */
bool checks_stands(enum verdict v);
/* Whether the attested key is one that no hardware vouches for. */
bool checks_simulated(const struct checks *c);

void checks_free(struct checks *c);
