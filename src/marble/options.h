/* What neocompute-marble is told: by its options, and by the EDG_ variables that every marble has. Private to
 * src/marble. */
#pragma once

#include "base/result.h"

#define OPTIONS_LIST_MAX 32u

struct options {
  const char *coordinator, *type, *names; /* EDG_MARBLE_COORDINATOR_ADDR, _TYPE, _DNS_NAMES */
  char uuid_path[4096];
  const char *directories[OPTIONS_LIST_MAX + 1]; /* where files may go; ends with NULL */
  const char *variables[OPTIONS_LIST_MAX + 1];   /* what else may be set; ends with NULL */
  const char *machine_root;
  uint64_t wait_ms, pause_ms, timeout_ms;
  bool strict;    /* no simulation */
  bool activated; /* by somebody before */
  char **program; /* its path and arguments, ended by NULL */
};

enum options_outcome { OPTIONS_GO, OPTIONS_DONE /* help was asked for */, OPTIONS_WRONG /* said on standard error */ };

enum options_outcome must_use options_read(struct options *o, int argc, char **argv);
