/* The two clocks. Everything that can takes `now` as an argument; these are for the mains. */
#pragma once

#include "base/bytes.h"

/* Since some moment of the past; never steps back. For deadlines and durations. */
uint64_t clock_monotonic_ns(void);
uint64_t clock_monotonic_ms(void);
/* Since 1970-01-01T00:00:00Z, as the host says: it may step, and the host may lie. For what people read. */
uint64_t clock_real_ns(void);
