/* The marble's name: a UUID as text in a file of the host's. The Coordinator derives this marble's own secrets from it,
 * so a file that is broken is an error, not a reason for a new name. Private to src/marble. */
#pragma once

#include "base/uuid.h"

/* Reads it, or makes a random one (RFC 9562, version 4) and writes it, with mode 0600, if there is no such file.
 * RESULT_CONFIG_INVALID if it holds no UUID; RESULT_IO with errno; RESULT_CRYPTO. */
enum result must_use uuid_file(const char *path, char out[UUID_TEXT + 1]);
