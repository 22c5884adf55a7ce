/*
 * How current a platform is, by Intel's TCB info and QE identity (versions 3 and 2 of the provisioning service's API
 * 4), whose signatures others have checked. Private to src/evidence.
 */
#pragma once

#include <jansson.h>

#include "evidence/pck.h"
#include "evidence/policy.h"
#include "evidence/quote.h"

struct tcb_finding {
  enum policy_tcb status;
  const json_t *advisories; /* a list of names in the JSON's memory; NULL if there are none */
};

/* All: NULL, or why there is no finding, a static sentence. */

/* Whether the info is about this kind of TEE on this kind of platform. No finding. */
const char *must_use tcb_is_for(const json_t *info, const struct pck *pck, bool tdx);
/* The highest level that platform and report reach. */
const char *must_use tcb_platform(const json_t *info, const struct pck *pck, const struct quote *quote,
                                  struct tcb_finding *finding);
/* The module that started the trust domain; TDX only. */
const char *must_use tcb_module(const json_t *info, const struct quote *quote, struct tcb_finding *finding);
/* Whether the report is one of Intel's quoting enclave, and how current that is. */
const char *must_use tcb_qe(const json_t *identity, const struct quote *quote, struct tcb_finding *finding);

/* The status of a platform whose module or quoting enclave has that other status. */
enum policy_tcb tcb_merge(enum policy_tcb platform, enum policy_tcb part);
/* The names of all advisories, each once, with spaces between. */
void tcb_put_advisories(struct buf *b, const struct tcb_finding *findings, size_t count);
