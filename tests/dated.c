/*
 * The service on a day on which the certificates of our own Intel (intel.h) are valid: the clock of each process begins
 * at that time. Linked in front of clock_real_ns (--wrap).
 */
#include "base/clock.h"

#define DAY_NS (UINT64_C(1790000000) * 1000000000u)

uint64_t __wrap_clock_real_ns(void);

static uint64_t started_ns;

__attribute__((constructor)) static void start(void) {
  started_ns = clock_monotonic_ns();
}

uint64_t __wrap_clock_real_ns(void) {
  return DAY_NS + clock_monotonic_ns() - started_ns;
}
