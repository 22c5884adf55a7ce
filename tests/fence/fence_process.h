/* Looks at a fenced process from outside, by /proc, and fails the running test over what is not as it must be. */
#pragma once

#include "sandbox/sandbox.h"

/* `pid` waits inside its fence and claims to hold `held`. What only root may see of it is skipped, with a word about
 * it, if we are not root. */
void fence_process_check(pid_t pid, enum sandbox_role role, sandbox_set held);

/* Fails over mappings that can be written and executed, and over executable ones besides its program's and the
 * kernel's. */
void fence_process_check_maps(pid_t pid);
