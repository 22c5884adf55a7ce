/* Who may be a caller (docs/API, "Who is calling"): decided once, at the start, from what is configured. */
#pragma once

#include "base/result.h"

struct callers {
  const char *mode; /* auth.mode: "", dev, mtls or jwt */
  bool loopback;    /* the service listens on loopback only */
  bool certificate; /* it speaks TLS */
  bool client_ca;   /* and can verify clients' certificates */
  bool jwt_key;     /* bearer tokens can be verified */
  bool strict;
};

/* `mode` becomes dev, mtls or jwt. RESULT_CONFIG_INVALID and a sentence in `problem` if that would let strangers in. */
enum result must_use callers_decide(struct callers *c, const char **problem);
