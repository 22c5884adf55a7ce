/* `neocompute serve`: the process that starts, watches and ends the others. */
#pragma once

#include "base/config.h"

/* Paths of what it starts beside its own program. */
struct supervisor_programs {
  const char *worker, *egress;
};

/* Runs the service until it is told to stop or a process of it is lost; returns the exit status: 0 if it was told to.
 * `environment` is main's: variables that carried keys are wiped. Changes `config` where it decides what was left open.
 */
int supervisor_run(struct config *config, char **environment, const struct supervisor_programs *programs);

/* Whether this process is one of the service's: the supervisor starts its own program again for them, with a name that
 * no user gives and a socket as descriptor 0. Then it runs to its end and does not return. */
void supervisor_become_child(int argc, char **argv);

/* The names by which they are started. */
#define SUPERVISOR_KEEPER "neocompute: keeper"
#define SUPERVISOR_BROKER "neocompute: broker"
