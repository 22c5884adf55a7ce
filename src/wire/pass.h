/* How descriptors go from one end of a channel to the other: which of two files is linked says it. */
#pragma once

#include <stdbool.h>

/* pass_rights.c, in the library: false, SCM_RIGHTS, from process to process. pass_number.c, in the program whose roles
 * are threads: true; both ends have the same descriptors, and Gramine, which runs that program in an enclave, has no
 * SCM_RIGHTS (its libos_socket.c). */
extern const bool pass_by_number;
