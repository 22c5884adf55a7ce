/*
 * Which fences this kernel, or the container around us, grants: found out without the code under test. And the two
 * worlds that tests are run in besides the one they are started in.
 */
#pragma once

#include "sandbox/sandbox.h"

/* All that a spawned and entered process must report. */
sandbox_set fence_kernel_grants(void);

/* From here on this process and its children are refused what container engines refuse by default: namespaces, mounts,
 * and clone3, which they answer with ENOSYS because a filter cannot see its flags. */
bool fence_kernel_contain(void);
/* No filter can be loaded any more. */
bool fence_kernel_refuse_filters(void);
/* This process, which is root, has no capability of that number any more. */
bool fence_kernel_drop(int capability);
/* This process becomes nobody. */
bool fence_kernel_become_nobody(void);
