/* Egress: a program of its own (main.c), started by the supervisor with its socket as descriptor 0, or a thread. */
#pragma once

#include "sandbox/sandbox.h"

/* Runs until its supervisor or its keeper is gone. Returns the exit status. */
int egress_main(const struct sandbox_place *place);
