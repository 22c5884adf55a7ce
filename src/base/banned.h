/* Calls that lose a length or a cause. Included by base/bytes.h, so by every file of ours. */
#pragma once

#include <alloca.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef alloca /* a macro in <alloca.h>: its expansion would escape the poison */
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets strtok strtok_r system popen atoi atol atof \
    alloca
