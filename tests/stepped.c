/*
 * The service with a clock that is set back an hour while it runs: three seconds after each process has started. Linked
 * in front of clock_real_ns (--wrap), since a process of the service has no environment that could preload anything,
 * and a worker is static.
 */
#include "base/clock.h"

#define HOUR_NS (3600 * UINT64_C(1000000000))
#define STEP_AFTER_NS (3 * UINT64_C(1000000000))

uint64_t __real_clock_real_ns(void);
uint64_t __wrap_clock_real_ns(void);

static uint64_t started_ns;

__attribute__((constructor)) static void start(void) {
  started_ns = clock_monotonic_ns();
}

uint64_t __wrap_clock_real_ns(void) {
  const bool stepped = clock_monotonic_ns() - started_ns > STEP_AFTER_NS;
  return __real_clock_real_ns() - (stepped ? HOUR_NS : 0);
}
