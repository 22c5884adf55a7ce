/*
 * What the owner of a secret allows, sealed with it: JSON {"expires_at":"RFC 3339","expose":"value"|"egress-only",
 * "hosts":["api.example.com","*.example.com"],"scripts":["<SHA-256 hex>"],"services":["neocompute"],"uses":N}. Every
 * member may be left out; what is not there does not restrict, but for `services`, which is then ["neocompute"]. Pure.
 */
#pragma once

#include "crypto/hash.h"

#define SECRET_SERVICE "neocompute"
#define SECRET_USES_MAX 1000000000u

struct secret_policy {
  struct buf services; /* each with a space behind it; empty: ours */
  struct buf hosts;    /* base/hosts.h */
  struct buf scripts;  /* HASH_SIZE bytes each; empty: any */
  bool egress_only;
  uint64_t uses;       /* 0: any number */
  uint64_t expires_ns; /* Unix time; 0: never */
};

/* Empty `json` is the policy that restricts nothing. RESULT_SECRET_INVALID: `detail` then has a sentence that names the
 * member at fault; RESULT_NO_MEMORY. To be freed in every case. */
enum result must_use secret_policy_parse(struct span json, struct secret_policy *out, struct buf *detail);
/* The canonical form (RFC 8785), which is at most SECRET_POLICY_MAX bytes; nothing for one that restricts nothing. */
void secret_policy_put(struct buf *b, const struct secret_policy *policy);
void secret_policy_free(struct secret_policy *policy);

/* One access. */
struct secret_access {
  struct span service;
  const uint8_t *script; /* HASH_SIZE bytes */
  uint64_t now_ns;       /* Unix time */
  uint64_t used;         /* accesses before this one */
};

/* RESULT_OK, RESULT_SECRET_FORBIDDEN or RESULT_SECRET_EXPIRED, and in `rule` the member that says so. Asked in this
 * order: services, expires_at, scripts, uses. */
enum result must_use secret_policy_evaluate(const struct secret_policy *policy, const struct secret_access *access,
                                            const char **rule);
