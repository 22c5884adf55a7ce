/*
 * Stored job records: AES-256-GCM under the store key. Where a record belongs (table, user, job) is bound into it, so
 * that whoever can write the database can neither change a record nor move it (docs/protocol.md, "The sealed record").
 */
#pragma once

#include "crypto/aead.h"

#define SEAL_USER 32u /* SHA-256 of the user id */
#define SEAL_JOB 16u  /* UUID */

struct seal_place {
  const char *table; /* its name, at most SEAL_TABLE_MAX bytes */
  const uint8_t *user, *job;
};
#define SEAL_TABLE_MAX 32u

/* Appends the sealed form of a reply (JSON) and of claims (bytes of the caller's own making; may be empty).
 * RESULT_NO_MEMORY or RESULT_CRYPTO; `out` is then as before. */
enum result must_use seal_record(const uint8_t key[AEAD_KEY], const struct seal_place *place, struct span reply,
                                 struct span claims, struct buf *out);

/* Opens a record; the spans point into `text`, to which it is appended. RESULT_RECORD_CORRUPT if it was changed, moved
 * or sealed with another key; RESULT_NO_MEMORY. Nothing is appended then. */
enum result must_use seal_open(const uint8_t key[AEAD_KEY], const struct seal_place *place, struct span sealed,
                               struct buf *text, struct span *reply, struct span *claims);
