/* What sandbox_enter is made of, a file each. Private to src/sandbox. */
#pragma once

#include "sandbox/sandbox.h"

/* From here on only the role's system calls; any other kills the process. */
bool sandbox_calls(enum sandbox_role role);

/* Landlock: no file, no TCP port, nobody outside to signal; but the files of `directory`, if it is not negative, and
 * for egress other people's ports and the resolver's files. */
bool sandbox_files(enum sandbox_role role, int directory);
