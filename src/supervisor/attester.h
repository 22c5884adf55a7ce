/*
 * This machine's evidence, fetched for the keeper, which opens no files. A provider may wait, for seconds on hardware,
 * so each errand has a thread of its own and the supervisor's loop goes on; there is one at a time. One that does not
 * come back in time is given up on with all that wait for it, and until it does come back nothing is begun.
 *
 * Evidence is public, and bound to report data that the keeper made: what is done wrong here does not verify.
 */
#pragma once

#include <event2/event.h>

#include "attest/attest.h"
#include "wire/service.h"

#define ATTESTER_WAITING_MAX 64u

struct attester;

struct attester_hooks {
  void *context;
  /* Each ask once. RESULT_OK and the evidence; RESULT_EVIDENCE_AWAY: it did not come in time; RESULT_BUSY: too many
   * wait; or what the provider says. */
  void (*done)(void *context, uint64_t ticket, enum result r, struct span raw);
};

/* `root` is copied. */
enum result must_use attester_new(struct event_base *base, const struct attest_provider *provider, const char *root,
                                  const struct attester_hooks *hooks, struct attester **out);
/* False if this is no question. `done` may be called before it returns. */
bool must_use attester_ask(struct attester *a, const struct wire_evidence *m);
/* NULL is fine. A thread that has not come back is left to end with the process. */
void attester_free(struct attester *a);
