#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

static void test_monotonic_never_steps_back(void **state) {
  (void)state;
  uint64_t last = clock_monotonic_ns();
  for (int i = 0; i < 10000; i++) {
    uint64_t now = clock_monotonic_ns();
    assert_true(now >= last);
    last = now;
  }
  uint64_t ms = clock_monotonic_ms();
  assert_true(ms >= last / 1000000 && ms <= clock_monotonic_ns() / 1000000);
}

static void test_real_is_the_date(void **state) {
  (void)state;
  uint64_t before = (uint64_t)time(NULL), seconds = clock_real_ns() / 1000000000u, after = (uint64_t)time(NULL);
  /* time() may read a coarser clock, up to a tick behind. */
  assert_in_range(seconds, before, after + 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_monotonic_never_steps_back),
                                     cmocka_unit_test(test_real_is_the_date)};
  return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
