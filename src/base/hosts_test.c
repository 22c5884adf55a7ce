#include "base/hosts.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static bool allows(const char *list, const char *host) {
  return hosts_allow(span_text(list), span_text(host));
}

static void test_lists(void **state) {
  (void)state;
  static const char *const good[] = {"",
                                     " \n",
                                     "*",
                                     "a.example",
                                     "a.example, *.b.example\n192.0.2.1 [2001:db8::1]",
                                     "localhost",
                                     "xn--bcher-kva.example",
                                     "a_b.example"};
  static const char *const bad[] = {"A.example",  "*.",         "*a.example", "a.*.example", "a..example",
                                    ".a.example", "a.example.", "a/b",        "a:80",        "https://a",
                                    "[::1",       "[]",         "[g::]",      "b\xc3\xbc"};
  assert_true(hosts_valid(span_of(NULL, 0)));
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) assert_true(hosts_valid(span_text(good[i])));
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(hosts_valid(span_text(bad[i])));
}

static void test_bounds(void **state) {
  (void)state;
  struct buf list = buf_new(8192);
  for (unsigned i = 0; i < HOSTS_MAX; i++) buf_put_text(&list, "a.example ");
  assert_true(hosts_valid(buf_span(&list)));
  buf_put_text(&list, "a.example");
  assert_false(hosts_valid(buf_span(&list)));
  buf_clear(&list);
  for (unsigned i = 0; i < HOSTS_NAME_MAX; i++) buf_put_u8(&list, 'a');
  assert_true(hosts_valid(buf_span(&list)));
  buf_put_u8(&list, 'a');
  assert_false(hosts_valid(buf_span(&list)));
  buf_free(&list);
}

static void test_who_is_allowed(void **state) {
  (void)state;
  assert_true(allows("a.example", "a.example"));
  assert_true(allows("b.example,a.example", "a.example"));
  assert_true(allows("*", "anything.example"));
  assert_true(allows("*.example", "a.example"));
  assert_true(allows("*.example", "b.a.example"));
  assert_true(allows("[::1]", "[::1]"));
  assert_false(allows("", "a.example"));
  assert_false(allows("*", ""));
  assert_false(allows("a.example", "b.a.example"));
  assert_false(allows("a.example", "aa.example"));
  assert_false(allows("a.example", "a.example.org"));
  assert_false(allows("*.example", "example"));
  assert_false(allows("*.example", ".example"));
  assert_false(allows("*.example", "an-example"));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_lists), cmocka_unit_test(test_bounds),
                                     cmocka_unit_test(test_who_is_allowed)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
