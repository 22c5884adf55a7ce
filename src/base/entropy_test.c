#include "base/entropy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* More than the pool holds several times over: no two ids are the same, also where it is filled anew. */
static void test_each_byte_is_given_once(void **state) {
  (void)state;
  uint64_t ids[200];
  for (size_t i = 0; i < 200; i++) {
    assert_int_equal(entropy_take(&ids[i], sizeof ids[i]), RESULT_OK);
    for (size_t j = 0; j < i; j++) assert_true(ids[i] != ids[j]);
  }
}

/* What is left is less than asked for. */
static void test_odd_sizes(void **state) {
  (void)state;
  static const uint8_t zeros[200];
  uint8_t bytes[200] = {0};
  for (int i = 0; i < 5; i++) {
    assert_int_equal(entropy_take(bytes, sizeof bytes), RESULT_OK);
    assert_memory_not_equal(bytes + 184, zeros, 16);
    memset(bytes, 0, sizeof bytes);
  }
}

static void test_more_than_it_ever_holds(void **state) {
  (void)state;
  uint8_t bytes[257] = {7};
  assert_int_equal(entropy_take(bytes, sizeof bytes), RESULT_CRYPTO);
  assert_int_equal(bytes[0], 7);
  assert_int_equal(entropy_take(bytes, 256), RESULT_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_byte_is_given_once),
      cmocka_unit_test(test_odd_sizes),
      cmocka_unit_test(test_more_than_it_ever_holds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
