/* All that the service needs before a process of it is started: keys, certificates, the state directory, sockets. What
 * is not as it must be stops the start here, with a sentence for the operator. */
#pragma once

#include "attest/attest.h"
#include "supervisor/notify.h"
#include "supervisor/secrets.h"
#include "supervisor/state.h"

#define PREPARE_LISTENERS 16u
#define PREPARE_WORKERS_MAX 1024u

struct prepared {
  struct secrets secrets;
  struct secrets_tls tls;
  struct state state;
  const struct attest_provider *provider; /* of evidence */
  int http[PREPARE_LISTENERS];
  unsigned http_count;
  int metrics; /* -1: none */
};

/* Sets auth.mode and attest.provider in `config` to what was decided, and takes keys out of `environment`.
 * RESULT_CONFIG_INVALID and a sentence in `problem`. `out` is to be freed in either case. */
enum result must_use prepare(struct prepared *out, struct config *config, char **environment, struct buf *problem);
/* Once others hold them. */
void prepare_close_listeners(struct prepared *p);
void prepare_end(struct prepared *p);
