#include "base/result.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_ok_is_zero(void **state) {
  (void)state;
  assert_int_equal(RESULT_OK, 0);
  assert_string_equal(result_name(RESULT_OK), "ok");
  assert_int_equal(result_status(RESULT_OK), 200);
}

/* These names are the API's error codes: whoever renames one breaks clients. */
static void test_names_are_stable(void **state) {
  (void)state;
  assert_string_equal(result_name(RESULT_TOO_MANY_SECRETS), "too_many_secret_refs");
  assert_string_equal(result_name(RESULT_INPUT_INVALID), "input_invalid");
  assert_string_equal(result_name(RESULT_TIMEOUT), "timeout");
  assert_string_equal(result_name(RESULT_WORKER_LIED), "worker_lied");
  assert_int_equal(result_status(RESULT_INPUT_INVALID), 400);
  assert_int_equal(result_status(RESULT_SCRIPT_TOO_LARGE), 413);
  assert_int_equal(result_status(RESULT_TIMEOUT), 200);
  assert_int_equal(result_status(RESULT_WORKER_LOST), 500);
}

static void test_every_result_is_described(void **state) {
  (void)state;
  for (int r = 0; r < RESULT_COUNT; r++) {
    const char *name = result_name((enum result)r);
    int status = result_status((enum result)r);
    assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
    assert_true(strlen(name) > 0 && strlen(result_sentence((enum result)r)) > 0);
    assert_true(status == 200 || (status >= 400 && status <= 431) || status == 500 || status == 503);
    for (int other = 0; other < r; other++) assert_string_not_equal(name, result_name((enum result)other));
  }
}

static void test_a_value_outside_the_list_is_unknown(void **state) {
  (void)state;
  const int strangers[] = {RESULT_COUNT, RESULT_COUNT + 1, -1, INT32_MIN, INT32_MAX};
  for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
    enum result r = (enum result)strangers[i];
    assert_string_equal(result_name(r), "unknown");
    assert_true(strlen(result_sentence(r)) > 0);
    assert_int_equal(result_status(r), 500);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ok_is_zero),
      cmocka_unit_test(test_names_are_stable),
      cmocka_unit_test(test_every_result_is_described),
      cmocka_unit_test(test_a_value_outside_the_list_is_unknown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
