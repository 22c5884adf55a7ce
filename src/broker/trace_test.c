#include "broker/trace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
/* W3C Trace Context, §3.2.2.3 */
#define ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00-" ID "-00f067aa0ba902b7-01"

static struct trace read_fields(const struct http_field *fields, size_t count) {
  const struct http_request request = {.fields = fields, .field_count = count};
  struct trace t;
  assert_int_equal(trace_read(&request, &t), RESULT_OK);
  return t;
}

static struct trace read_both(const char *id, const char *parent) {
  struct http_field fields[2];
  size_t count = 0;
  if (id != NULL) fields[count++] = (struct http_field){span_text("x-trace-id"), span_text(id)};
  if (parent != NULL) fields[count++] = (struct http_field){span_text("traceparent"), span_text(parent)};
  return read_fields(fields, count);
}

static void assert_made(const struct trace *t) {
  assert_int_equal(strlen(t->id), 32);
  assert_int_equal(strspn(t->id, "0123456789abcdef"), 32);
  assert_int_equal(strlen(t->parent), TRACE_PARENT);
  assert_memory_equal(t->parent, "00-", 3);
  assert_memory_equal(t->parent + 3, t->id, 32);
  assert_int_equal(strspn(t->parent + 36, "0123456789abcdef"), 16);
  assert_string_equal(t->parent + 52, "-00");
}

static void test_ids_that_are_taken(void **state) {
  (void)state;
  static const struct {
    const char *id, *parent, *want_id, *want_parent;
  } cases[] = {{"a", NULL, "a", ""},
               {"A_b-9", NULL, "A_b-9", ""},
               {"0123456789012345678901234567890123456789012345678901234567890123", NULL,
                "0123456789012345678901234567890123456789012345678901234567890123", ""},
               {NULL, PARENT, ID, PARENT},
               {"mine", PARENT, "mine", PARENT},
               {"bad id", PARENT, ID, PARENT},
               {"mine", "00-bad", "mine", ""},
               {"4BF92F3577B34DA6A3CE929D0E0E4736", NULL, "4BF92F3577B34DA6A3CE929D0E0E4736", ""},
               {"00000000000000000000000000000000", NULL, "00000000000000000000000000000000", ""}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct trace t = read_both(cases[i].id, cases[i].parent);
    assert_string_equal(t.id, cases[i].want_id);
    assert_string_equal(t.parent, cases[i].want_parent);
  }
  struct trace t = read_both(ID, NULL);
  assert_string_equal(t.id, ID);
  assert_made(&t);
}

static void test_ids_that_are_not(void **state) {
  (void)state;
  static const char *const ids[] = {
      "", "a b", "a.b", "a/b", "é", "a\r\nb", "01234567890123456789012345678901234567890123456789012345678901234"};
  static const char *const parents[] = {"",
                                        "00",
                                        "01-" ID "-00f067aa0ba902b7-01",
                                        "ff-" ID "-00f067aa0ba902b7-01",
                                        "00-" ID "-00f067aa0ba902b7-01-",
                                        "00-" ID "-00f067aa0ba902b7-01-extra",
                                        "00-" ID "-00f067aa0ba902b7",
                                        "00-" ID "-00f067aa0ba902b7-0",
                                        "00-" ID "-00f067aa0ba902b7-0g",
                                        "00-" ID "-0000000000000000-01",
                                        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                                        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                                        "00-" ID "_00f067aa0ba902b7-01",
                                        "00-" ID "-00f067aa0ba902b7_01",
                                        "00_" ID "-00f067aa0ba902b7-01"};
  for (size_t i = 0; i < COUNT(ids); i++) {
    struct trace t = read_both(ids[i], NULL);
    assert_made(&t);
    assert_string_not_equal(t.id, ids[i]);
  }
  for (size_t i = 0; i < COUNT(parents); i++) {
    struct trace t = read_both(NULL, parents[i]);
    assert_made(&t);
    assert_string_not_equal(t.id, ID);
  }
}

static void test_twice_is_not_at_all(void **state) {
  (void)state;
  struct http_field fields[] = {{span_text("x-trace-id"), span_text("a")},
                                {span_text("x-trace-id"), span_text("a")},
                                {span_text("traceparent"), span_text(PARENT)},
                                {span_text("traceparent"), span_text(PARENT)}};
  struct trace t = read_fields(fields, 4);
  assert_made(&t);
  assert_string_not_equal(t.id, ID);
}

static void test_made_ids_differ(void **state) {
  (void)state;
  struct trace a = read_fields(NULL, 0), b = read_fields(NULL, 0);
  assert_made(&a);
  assert_string_not_equal(a.id, b.id);
  assert_string_not_equal(a.parent + 36, b.parent + 36);
}

static void test_what_is_echoed(void **state) {
  (void)state;
  struct http_field fields[2];
  struct trace t = read_both("mine", PARENT);
  assert_int_equal(trace_fields(&t, fields), 2);
  assert_true(span_is(fields[0].name, "x-trace-id") && span_is(fields[0].value, "mine"));
  assert_true(span_is(fields[1].name, "traceparent") && span_is(fields[1].value, PARENT));
  t = read_both("mine", NULL);
  assert_int_equal(trace_fields(&t, fields), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ids_that_are_taken),  cmocka_unit_test(test_ids_that_are_not),
      cmocka_unit_test(test_twice_is_not_at_all), cmocka_unit_test(test_made_ids_differ),
      cmocka_unit_test(test_what_is_echoed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
