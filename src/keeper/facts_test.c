#include "keeper/facts.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct facts usual(void) {
  struct facts f = {.script_bytes = 100000, .started_ns = 1795456800500000000u};
  memset(f.script, 1, sizeof f.script);
  memset(f.input, 2, sizeof f.input);
  memset(f.limits, 3, sizeof f.limits);
  memset(f.secrets, 4, sizeof f.secrets);
  memset(f.salt, 5, sizeof f.salt);
  memset(f.keeper, 6, sizeof f.keeper);
  f.entry = span_text("main");
  f.nonce = span_text("once");
  return f;
}

static void test_round_trip(void **state) {
  (void)state;
  const struct facts in = usual();
  struct facts out;
  struct buf b = buf_new(1024);
  facts_put(&b, &in);
  assert_true(facts_get(buf_span(&b), &out));
  assert_memory_equal(out.script, in.script, sizeof in.script);
  assert_memory_equal(out.input, in.input, sizeof in.input);
  assert_memory_equal(out.limits, in.limits, sizeof in.limits);
  assert_memory_equal(out.secrets, in.secrets, sizeof in.secrets);
  assert_memory_equal(out.salt, in.salt, sizeof in.salt);
  assert_memory_equal(out.keeper, in.keeper, sizeof in.keeper);
  assert_int_equal(out.script_bytes, in.script_bytes);
  assert_int_equal(out.started_ns, in.started_ns);
  assert_true(span_is(out.entry, "main"));
  assert_true(span_is(out.nonce, "once"));
  buf_free(&b);
}

static void test_other_bytes(void **state) {
  (void)state;
  const struct facts in = usual();
  struct facts out;
  struct buf b = buf_new(1024);
  facts_put(&b, &in);
  for (size_t len = 0; len < b.len; len++) assert_false(facts_get(span_of(b.data, len), &out));
  b.data[0]++; /* another layout */
  assert_false(facts_get(buf_span(&b), &out));
  b.data[0]--;
  buf_put_u8(&b, 0);
  assert_false(facts_get(buf_span(&b), &out));
  buf_free(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_other_bytes)};
  return cmocka_run_group_tests_name("keeper_facts", tests, NULL, NULL);
}
