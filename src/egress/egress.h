/* The egress process: a program of its own (main.c), started by the supervisor with its socket as descriptor 0. */
#pragma once

#include "sandbox/sandbox.h"

/* Runs until its supervisor or its keeper is gone; `held` is what sandbox_spawn has done. Returns the exit status. */
int egress_main(sandbox_set held);
