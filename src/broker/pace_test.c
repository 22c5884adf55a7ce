#include "broker/pace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static enum result take(struct pace *p, unsigned caller, uint64_t now_ms) {
  uint8_t key[PACE_KEY] = {(uint8_t)caller};
  key[PACE_KEY - 1] = 1;
  return pace_take(p, key, now_ms);
}

static void test_one_caller(void **state) {
  (void)state;
  struct pace p = {0};
  assert_int_equal(take(&p, 1, 5000), RESULT_OK);
  assert_int_equal(take(&p, 1, 5000), RESULT_TOO_MANY_REQUESTS);
  assert_int_equal(take(&p, 2, 5000), RESULT_OK);
  assert_int_equal(take(&p, 1, 5999), RESULT_TOO_MANY_REQUESTS); /* being refused costs no more time */
  assert_int_equal(take(&p, 1, 6000), RESULT_OK);
  assert_int_equal(take(&p, 1, 6000), RESULT_TOO_MANY_REQUESTS);
}

static void test_all_callers(void **state) {
  (void)state;
  struct pace p = {0};
  for (unsigned i = 0; i < PACE_ALL; i++) assert_int_equal(take(&p, i, 1000 + i), RESULT_OK);
  assert_int_equal(take(&p, PACE_ALL, 1999), RESULT_BUSY);
  assert_int_equal(take(&p, 3, 1999), RESULT_TOO_MANY_REQUESTS);
  assert_int_equal(take(&p, PACE_ALL, 2000), RESULT_OK);
  assert_int_equal(take(&p, PACE_ALL + 1, 2000), RESULT_BUSY);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_caller), cmocka_unit_test(test_all_callers)};
  return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
