/* How often each caller may ask for something that costs, and how often all of them together: a moment is remembered
 * for each who asked in the last second, and there are only so many moments. */
#pragma once

#include "base/result.h"

#define PACE_KEY 32u
#define PACE_ALL 64u /* a second */

struct pace {
  struct {
    uint8_t key[PACE_KEY];
    uint64_t until_ms; /* on a clock that never goes back */
  } moments[PACE_ALL];
};

/* RESULT_TOO_MANY_REQUESTS if this caller asked within the second before; RESULT_BUSY if too many others did. */
enum result must_use pace_take(struct pace *p, const uint8_t key[PACE_KEY], uint64_t now_ms);
