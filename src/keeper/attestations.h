/*
 * Attestations in the making: documents whose evidence the supervisor was asked for. Those for a caller's nonce, and
 * the keeper's own, with which new keys come into use.
 */
#pragma once

#include "keeper/identity.h"

#define ATTESTATIONS_MAX 64u /* for callers, at a time */

struct attestations;

struct attestations_setup {
  struct keys *keys;
  struct identity *identity;
  void *context;
  void (*ask)(void *context, const struct wire_evidence *m);
  /* A document of the keeper's own: the identity has it, and its keys are in use. If it could not be had, the identity
   * is what it was. */
  void (*renewed)(void *context, enum result r);
  /* For a caller. */
  void (*attested)(void *context, uint64_t ticket, enum result r, struct span reply);
};

enum result must_use attestations_new(const struct attestations_setup *setup, struct attestations **out);
/* Has the keeper's own document made: the first of the keys there are, each later one of new keys. While one is being
 * made, one more is made after it. */
enum result must_use attestations_renew(struct attestations *a, uint64_t now);
/* `attested` is called for the ticket, maybe before this returns. */
void attestations_make(struct attestations *a, uint64_t ticket, struct span nonce, uint64_t now);
/* EVIDENCED. RESULT_PEER_LIED if it is not one, or nobody asked. */
enum result must_use attestations_evidenced(struct attestations *a, struct span body, uint64_t now);
/* NULL is fine. */
void attestations_free(struct attestations *a);
