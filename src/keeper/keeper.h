/* The keeper: a process that `neocompute serve` becomes with its supervisor's socket as descriptor 0, or a thread. */
#pragma once

#include "sandbox/sandbox.h"

/* Runs until the supervisor's or the broker's socket is closed; returns the exit status: 0 then, 1 if a peer sent what
 * it may not send or the keeper itself failed. Leave with _exit: under its sandbox nothing of the C library's exit is
 * of use. */
int keeper_main(const struct sandbox_place *place);
