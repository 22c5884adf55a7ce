#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ---- spans ---- */

static void test_spans_compare_by_bytes(void **state) {
  (void)state;
  assert_true(span_is(span_text("abc"), "abc"));
  assert_false(span_is(span_text("abc"), "abd"));
  assert_false(span_is(span_text("abc"), "ab"));
  assert_false(span_is(span_text("ab"), "abc"));
  assert_true(span_equal(span_of("a\0b", 3), span_of("a\0b", 3)));
  assert_false(span_equal(span_of("a\0b", 3), span_of("a\0c", 3)));
}

static void test_an_empty_span_needs_no_memory(void **state) {
  (void)state;
  assert_true(span_equal(span_of(NULL, 0), span_text("")));
  assert_true(span_is(span_of(NULL, 0), ""));
  assert_false(span_equal(span_of(NULL, 0), span_text("x")));
}

/* ---- cursors ---- */

static void test_a_cursor_reads_little_endian(void **state) {
  (void)state;
  static const uint8_t bytes[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0xFF, 0, 0, 0, 0, 0, 0, 0x80, 'x'};
  struct cursor c = cursor_of(span_of(bytes, sizeof bytes));
  assert_int_equal(cursor_u8(&c), 0x01);
  assert_int_equal(cursor_u32(&c), 0x05040302);
  assert_false(cursor_end(&c));
  assert_int_equal(cursor_u64(&c), UINT64_C(0x80000000000000FF));
  assert_true(span_is(cursor_bytes(&c, 1), "x"));
  assert_true(cursor_end(&c));
}

static void test_a_cursor_stays_bad_and_still(void **state) {
  (void)state;
  struct cursor c = cursor_of(span_text("abc"));
  assert_int_equal(cursor_u32(&c), 0);
  assert_true(c.bad);
  assert_int_equal(c.rest.len, 3);
  assert_int_equal(cursor_u8(&c), 0); /* it would fit, but the record has a hole */
  assert_int_equal(cursor_bytes(&c, 0).len, 0);
  assert_int_equal(c.rest.len, 3);
  assert_false(cursor_end(&c));
}

static void test_a_bad_cursor_is_not_at_its_end(void **state) {
  (void)state;
  struct cursor c = cursor_of(span_of(NULL, 0));
  assert_true(cursor_end(&c));
  assert_int_equal(cursor_bytes(&c, 0).len, 0);
  assert_true(cursor_end(&c));
  assert_int_equal(cursor_u8(&c), 0);
  assert_false(cursor_end(&c));
}

static void test_a_block_may_not_claim_more_than_there_is(void **state) {
  (void)state;
  struct cursor c = cursor_of(span_of("\x02\0\0\0hi\0\0\0\0", 10));
  assert_true(span_is(cursor_block(&c), "hi"));
  assert_int_equal(cursor_block(&c).len, 0);
  assert_true(cursor_end(&c));
  c = cursor_of(span_of("\x03\0\0\0hi", 6));
  assert_int_equal(cursor_block(&c).len, 0);
  assert_true(c.bad);
  c = cursor_of(span_of("\xFF\xFF\xFF\xFFhi", 6));
  assert_null(cursor_block(&c).data);
  assert_true(c.bad);
}

/* ---- buffers ---- */

static void test_what_a_buffer_writes_a_cursor_reads(void **state) {
  (void)state;
  struct buf b = buf_new(1000);
  buf_put_u8(&b, 7);
  buf_put_u32(&b, 0xDEADBEEF);
  buf_put_u64(&b, UINT64_MAX - 1);
  buf_put_block(&b, span_text("block"));
  buf_put_text(&b, "text");
  buf_put_span(&b, span_of(NULL, 0));
  buf_printf(&b, "%d-%s", 42, "x");
  assert_false(b.bad);
  struct cursor c = cursor_of(buf_span(&b));
  assert_int_equal(cursor_u8(&c), 7);
  assert_int_equal(cursor_u32(&c), 0xDEADBEEF);
  assert_int_equal(cursor_u64(&c), UINT64_MAX - 1);
  assert_true(span_is(cursor_block(&c), "block"));
  assert_true(span_is(cursor_bytes(&c, 8), "text42-x"));
  assert_true(cursor_end(&c));
  buf_free(&b);
}

static void test_a_buffer_keeps_its_bytes_as_it_grows(void **state) {
  (void)state;
  struct buf b = buf_new(100000);
  for (unsigned i = 0; i < 25000; i++) buf_put_u32(&b, i);
  assert_false(b.bad);
  assert_int_equal(b.len, 100000);
  assert_true(b.cap <= b.max);
  struct cursor c = cursor_of(buf_span(&b));
  for (unsigned i = 0; i < 25000; i++) assert_int_equal(cursor_u32(&c), i);
  assert_true(cursor_end(&c));
  buf_free(&b);
}

static void test_the_ceiling_holds_to_the_byte(void **state) {
  (void)state;
  struct buf b = buf_new(5);
  buf_put_text(&b, "12345");
  assert_false(b.bad);
  buf_put_span(&b, span_of(NULL, 0));
  assert_false(b.bad);
  buf_put_u8(&b, '6');
  assert_true(b.bad);
  assert_true(span_is(buf_span(&b), "12345"));
  buf_free(&b);
}

static void test_a_refused_append_changes_nothing_and_sticks(void **state) {
  (void)state;
  struct buf b = buf_new(10);
  buf_put_text(&b, "1234");
  buf_put_block(&b, span_text("123")); /* 4 + 3 does not fit, the length alone would */
  assert_true(b.bad);
  assert_true(span_is(buf_span(&b), "1234"));
  buf_put_u8(&b, '5');
  buf_printf(&b, "%d", 5);
  assert_true(b.bad);
  assert_true(span_is(buf_span(&b), "1234"));
  buf_clear(&b);
  buf_put_text(&b, "ok");
  assert_false(b.bad);
  assert_true(span_is(buf_span(&b), "ok"));
  buf_free(&b);
}

static void test_lengths_cannot_overflow(void **state) {
  (void)state;
  struct buf b = buf_new(100);
  buf_put_text(&b, "x");
  buf_put(&b, "y", SIZE_MAX);
  assert_true(b.bad);
  assert_int_equal(b.len, 1);
  buf_clear(&b);
  buf_put_block(&b, span_of("y", SIZE_MAX));
  assert_true(b.bad);
  assert_int_equal(b.len, 0);
  buf_free(&b);
}

static void test_a_fixed_buffer_stays_in_its_memory(void **state) {
  (void)state;
  uint8_t memory[6] = "-----!";
  struct buf b = buf_fixed(memory, 5);
  buf_put_text(&b, "abcde");
  assert_false(b.bad);
  assert_ptr_equal(b.data, memory);
  buf_put_u8(&b, 'f');
  assert_true(b.bad);
  assert_memory_equal(memory, "abcde!", 6);
  buf_free(&b); /* the sanitizer stops a free of memory on the stack */
  assert_int_equal(memory[5], '!');
}

static void test_extend_gives_room_or_nothing(void **state) {
  (void)state;
  struct buf b = buf_new(10);
  buf_put_text(&b, "ab");
  uint8_t *room = buf_extend(&b, 8);
  assert_non_null(room);
  memset(room, 'x', 8);
  assert_true(span_is(buf_span(&b), "abxxxxxxxx"));
  assert_true(span_is(buf_since(&b, 1), "bxxxxxxxx"));
  assert_int_equal(buf_since(&b, 10).len, 0);
  assert_null(buf_extend(&b, 1));
  assert_true(b.bad && b.len == 10);
  buf_free(&b);
}

static void test_free_may_be_repeated(void **state) {
  (void)state;
  struct buf b = buf_new(10);
  buf_put_text(&b, "secret");
  buf_free(&b);
  assert_null(b.data);
  assert_int_equal(b.len, 0);
  assert_true(b.bad);
  buf_free(&b);
  buf_free(NULL);
}

static void test_memory_for_libraries(void **state) {
  (void)state;
  uint8_t *memory = wiping_realloc(NULL, 100);
  assert_non_null(memory);
  memset(memory, 'x', 100);
  for (size_t size = 50; size <= 100000; size *= 10) {
    memory = wiping_realloc(memory, size);
    assert_non_null(memory);
    for (size_t i = 0; i < 50; i++) assert_int_equal(memory[i], 'x');
  }
  wipe_and_free(memory);
  wipe_and_free(NULL);
}

static void test_wipe_leaves_zeros(void **state) {
  (void)state;
  char memory[] = "secret!";
  wipe(memory, 6);
  assert_memory_equal(memory, "\0\0\0\0\0\0!", 8);
  wipe(NULL, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_spans_compare_by_bytes),
      cmocka_unit_test(test_an_empty_span_needs_no_memory),
      cmocka_unit_test(test_a_cursor_reads_little_endian),
      cmocka_unit_test(test_a_cursor_stays_bad_and_still),
      cmocka_unit_test(test_a_bad_cursor_is_not_at_its_end),
      cmocka_unit_test(test_a_block_may_not_claim_more_than_there_is),
      cmocka_unit_test(test_what_a_buffer_writes_a_cursor_reads),
      cmocka_unit_test(test_a_buffer_keeps_its_bytes_as_it_grows),
      cmocka_unit_test(test_the_ceiling_holds_to_the_byte),
      cmocka_unit_test(test_a_refused_append_changes_nothing_and_sticks),
      cmocka_unit_test(test_lengths_cannot_overflow),
      cmocka_unit_test(test_a_fixed_buffer_stays_in_its_memory),
      cmocka_unit_test(test_extend_gives_room_or_nothing),
      cmocka_unit_test(test_free_may_be_repeated),
      cmocka_unit_test(test_memory_for_libraries),
      cmocka_unit_test(test_wipe_leaves_zeros),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
