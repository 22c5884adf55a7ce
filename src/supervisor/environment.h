/* The environment as the kernel keeps it: what carried a key is overwritten where it stands, since /proc/PID/environ
 * shows those bytes, whatever getenv says. `environment` is a block as main gets it, ending with NULL. */
#pragma once

#include "base/bytes.h"

/* What follows "name=", or NULL. */
const char *environment_get(char *const *environment, const char *name);

/* Wipes the strings of every variable that may carry a key or a token, and takes them out of the block. */
void environment_forget_keys(char **environment);
