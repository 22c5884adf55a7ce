#include "base/uuid.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* RFC 9562, appendix A.6 */
#define EXAMPLE "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
static const struct uuid_maker example = {0x017F22E279B0, 0xCC3, 0x18C4DC0C0C07398F};

static void make(struct uuid_maker *maker, uint64_t ms, uint8_t out[UUID_SIZE]) {
  assert_int_equal(uuid_v7(maker, ms, out), RESULT_OK);
}

static void test_fields_stand_where_the_rfc_puts_them(void **state) {
  (void)state;
  uint8_t want[UUID_SIZE], got[UUID_SIZE];
  struct uuid_maker maker = example;
  assert_true(uuid_parse(span_text(EXAMPLE), want));
  make(&maker, example.ms, got);
  /* One step further: only the last 33 bits may differ. */
  assert_memory_equal(got, want, 11);
  assert_true(memcmp(got, want, UUID_SIZE) > 0);
}

static void test_fields_of_a_fresh_id(void **state) {
  (void)state;
  uint8_t id[UUID_SIZE], ones[UUID_SIZE] = {0}, zeros[UUID_SIZE] = {0};
  for (unsigned i = 0; i < 200; i++) {
    struct uuid_maker maker = {0};
    make(&maker, 0x0123456789AB, id);
    assert_memory_equal(id, "\x01\x23\x45\x67\x89\xab", 6);
    assert_int_equal(id[6] >> 4, 7);
    assert_int_equal(id[8] >> 6, 2);
    for (size_t k = 0; k < UUID_SIZE; k++) {
      ones[k] |= id[k];
      zeros[k] |= (uint8_t)~id[k];
    }
  }
  /* Every random bit was both; that one of 74 was not has odds of 2^-192. */
  assert_int_equal(ones[6] & zeros[6], 0x0F);
  assert_int_equal(ones[8] & zeros[8], 0x3F);
  assert_int_equal(ones[7] & zeros[7], 0xFF);
  for (size_t k = 9; k < UUID_SIZE; k++) assert_int_equal(ones[k] & zeros[k], 0xFF);
}

/* In one millisecond, over several, with the clock stepping back, and text like bytes. */
static void test_ids_ascend(void **state) {
  (void)state;
  static const int steps[] = {0, 0, 1, 0, -1000, 3, 0, -1, 0, 1000, 0};
  struct uuid_maker maker = {0};
  uint64_t ms = 1700000000000;
  uint8_t last[UUID_SIZE], id[UUID_SIZE];
  char last_text[UUID_TEXT], text[UUID_TEXT];
  make(&maker, ms, last);
  memset(last_text, 0, sizeof last_text);
  for (unsigned i = 0; i < 100000; i++) {
    ms += (uint64_t)(int64_t)steps[i % (sizeof steps / sizeof steps[0])];
    make(&maker, ms, id);
    assert_true(memcmp(id, last, UUID_SIZE) > 0);
    struct buf b = buf_fixed(text, sizeof text);
    uuid_put(&b, id);
    assert_int_equal(b.len, UUID_TEXT);
    assert_true(memcmp(text, last_text, sizeof text) > 0);
    memcpy(last, id, sizeof last);
    memcpy(last_text, text, sizeof last_text);
  }
}

static void test_counter_runs_over(void **state) {
  (void)state;
  uint8_t id[UUID_SIZE];
  struct uuid_maker maker = {1000, 5, (UINT64_C(1) << 62) - 1};
  make(&maker, 1000, id);
  assert_int_equal(maker.ms, 1000);
  assert_int_equal(maker.rand_a, 6);
  assert_true(maker.rand_b < UINT64_C(1) << 32);
  maker = (struct uuid_maker){1000, 0xFFF, (UINT64_C(1) << 62) - 1};
  make(&maker, 1000, id);
  assert_int_equal(maker.ms, 1001);
  maker = (struct uuid_maker){(UINT64_C(1) << 48) - 1, 0xFFF, (UINT64_C(1) << 62) - 1};
  assert_int_equal(uuid_v7(&maker, 1000, id), RESULT_LIMIT_INVALID);
}

static void test_time_that_does_not_fit(void **state) {
  (void)state;
  uint8_t id[UUID_SIZE];
  struct uuid_maker maker = {0};
  assert_int_equal(uuid_v7(&maker, UINT64_C(1) << 48, id), RESULT_LIMIT_INVALID);
  make(&maker, (UINT64_C(1) << 48) - 1, id);
}

static void test_text_there_and_back(void **state) {
  (void)state;
  uint8_t id[UUID_SIZE], upper[UUID_SIZE];
  char text[UUID_TEXT];
  assert_true(uuid_parse(span_text(EXAMPLE), id));
  struct buf b = buf_fixed(text, sizeof text);
  uuid_put(&b, id);
  assert_true(span_is(buf_span(&b), EXAMPLE));
  for (size_t i = 0; i < UUID_TEXT; i++) text[i] = (char)toupper(text[i]);
  assert_true(uuid_parse(span_of(text, UUID_TEXT), upper));
  assert_memory_equal(upper, id, UUID_SIZE);
}

static void test_text_is_strict(void **state) {
  (void)state;
  uint8_t id[UUID_SIZE];
  static const char *const bad[] = {"",
                                    "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}",
                                    "017f22e279b07cc398c4dc0c0c07398f",
                                    "017f22e2-79b0-7cc3-98c4-dc0c0c07398f ",
                                    "017f22e-279b0-7cc3-98c4-dc0c0c07398f",
                                    "017f22e2_79b0-7cc3-98c4-dc0c0c07398f",
                                    "urn:uuid:017f22e2-79b0-7cc3-98c4-dc0c0c07398f"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(uuid_parse(span_text(bad[i]), id));
  for (size_t len = 0; len < UUID_TEXT; len++) assert_false(uuid_parse(span_of(EXAMPLE, len), id));
  for (size_t at = 0; at < UUID_TEXT; at++) {
    char text[UUID_TEXT];
    memcpy(text, EXAMPLE, sizeof text);
    text[at] = text[at] == '-' ? '0' : 'g';
    assert_false(uuid_parse(span_of(text, sizeof text), id));
    text[at] = '\0';
    assert_false(uuid_parse(span_of(text, sizeof text), id));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fields_stand_where_the_rfc_puts_them),
      cmocka_unit_test(test_fields_of_a_fresh_id),
      cmocka_unit_test(test_ids_ascend),
      cmocka_unit_test(test_counter_runs_over),
      cmocka_unit_test(test_time_that_does_not_fit),
      cmocka_unit_test(test_text_there_and_back),
      cmocka_unit_test(test_text_is_strict),
  };
  return cmocka_run_group_tests_name("uuid", tests, NULL, NULL);
}
