#include "base/clock.h"

#include <time.h>

static uint64_t read_clock(clockid_t id) {
  struct timespec now = {0};
  clock_gettime(id, &now); /* fails only for a clock that is not there */
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t clock_monotonic_ns(void) {
  return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_monotonic_ms(void) {
  return read_clock(CLOCK_MONOTONIC) / 1000000u;
}

uint64_t clock_real_ns(void) {
  return read_clock(CLOCK_REALTIME);
}
