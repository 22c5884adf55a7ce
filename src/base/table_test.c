#include "base/table.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/siphash.h"

/* From the reference implementation's vectors_sip64: key 00 01 .. 0f, input 00 01 .. of each length. The one of 15
 * bytes is the paper's, appendix A. */
static void test_siphash_vectors(void **state) {
  (void)state;
  static const struct {
    size_t len;
    uint64_t hash;
  } vectors[] = {{0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd},  {7, 0xab0200f58b01d137},
                 {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5}, {63, 0x958a324ceb064572}};
  uint8_t key[SIPHASH_KEY], input[64];
  for (unsigned i = 0; i < sizeof key; i++) key[i] = (uint8_t)i;
  for (unsigned i = 0; i < sizeof input; i++) input[i] = (uint8_t)i;
  for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
    assert_int_equal(siphash(key, span_of(input, vectors[i].len)), vectors[i].hash);
  key[15] ^= 0x80;
  assert_int_not_equal(siphash(key, span_of(input, 15)), 0xa129ca6149be45e5);
}

static struct table *new_table(size_t key_size) {
  struct table *t;
  assert_int_equal(table_new(key_size, &t), RESULT_OK);
  return t;
}

static void test_put_get_remove(void **state) {
  (void)state;
  int one = 1, two = 2;
  static const size_t sizes[] = {1, 8, 16, 32};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    uint8_t a[32] = {1}, b[32] = {1};
    struct table *t = new_table(sizes[i]);
    b[sizes[i] - 1] ^= 0x40;
    assert_null(table_get(t, a));
    assert_null(table_remove(t, a));
    assert_int_equal(table_put(t, a, &one), RESULT_OK);
    assert_null(table_get(t, b));
    assert_int_equal(table_put(t, b, &two), RESULT_OK);
    assert_ptr_equal(table_get(t, a), &one);
    assert_ptr_equal(table_get(t, b), &two);
    assert_int_equal(table_put(t, a, &two), RESULT_OK);
    assert_ptr_equal(table_get(t, a), &two);
    assert_int_equal(table_count(t), 2);
    assert_ptr_equal(table_remove(t, a), &two);
    assert_null(table_get(t, a));
    assert_ptr_equal(table_get(t, b), &two);
    assert_int_equal(table_count(t), 1);
    table_free(t);
  }
  table_free(NULL);
}

/* Random acts, against an array that says of each key whether it is in. */
#define KEYS 3000u

static uint64_t random_state = 1;

static unsigned pick(unsigned below) {
  random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
  return (unsigned)(random_state >> 33) % below;
}

static void check_all(const struct table *t, int *const values[KEYS]) {
  size_t at = 0, seen = 0, want = 0;
  for (uint64_t key = 0; key < KEYS; key++) {
    assert_ptr_equal(table_get(t, &key), values[key]);
    want += values[key] != NULL;
  }
  for (const int *value = table_next(t, &at); value != NULL; value = table_next(t, &at), seen++)
    assert_ptr_equal(values[*value], value);
  assert_int_equal(seen, want);
  assert_int_equal(table_count(t), want);
}

static void test_against_an_array(void **state) {
  (void)state;
  static int numbers[KEYS];
  static int *values[KEYS];
  struct table *t = new_table(sizeof(uint64_t));
  for (unsigned i = 0; i < KEYS; i++) numbers[i] = (int)i;
  /* It fills, empties, and fills again: more is put than removed, then less. */
  for (unsigned phase = 0; phase < 6; phase++) {
    for (unsigned i = 0; i < 3 * KEYS; i++) {
      uint64_t key = pick(KEYS);
      if (pick(10) < (phase % 2 == 0 ? 8u : 1u)) {
        assert_int_equal(table_put(t, &key, &numbers[key]), RESULT_OK);
        values[key] = &numbers[key];
      } else {
        assert_ptr_equal(table_remove(t, &key), values[key]);
        values[key] = NULL;
      }
    }
    check_all(t, values);
  }
  for (uint64_t key = 0; key < KEYS; key++) {
    assert_ptr_equal(table_remove(t, &key), values[key]);
    values[key] = NULL;
  }
  check_all(t, values);
  table_free(t);
}

static void test_empty_table_has_nothing_to_walk(void **state) {
  (void)state;
  size_t at = 0;
  struct table *t = new_table(16);
  assert_null(table_next(t, &at));
  assert_null(table_next(t, &at));
  table_free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_siphash_vectors),
      cmocka_unit_test(test_put_get_remove),
      cmocka_unit_test(test_against_an_array),
      cmocka_unit_test(test_empty_table_has_nothing_to_walk),
  };
  return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
