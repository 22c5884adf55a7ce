#include "egress/names.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HOSTS                                  \
  "# a comment\n"                              \
  "192.0.2.1 one.example one  # two.example\n" \
  "\t2001:db8::1\tONE.example\r\n"             \
  "not-an-address one.example\n"               \
  "192.0.2.9\n"                                \
  "\n"                                         \
  "192.0.2.3 three.example"

static void test_finds(void **state) {
  (void)state;
  static const struct {
    const char *host, *addresses; /* NULL: none */
  } cases[] = {{"one.example", "192.0.2.1,[2001:db8::1]"},
               {"one", "192.0.2.1"},
               {"three.example", "192.0.2.3"},
               {"two.example", NULL},
               {"one.exampl", NULL},
               {"ne.example", NULL},
               {"192.0.2.9", NULL},
               {"", NULL}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct buf b = buf_new(256);
    const bool found = names_find(span_text(HOSTS), span_text(cases[i].host), &b);
    if (found != (cases[i].addresses != NULL)) fail_msg("%s", cases[i].host);
    if (found && !span_is(buf_span(&b), cases[i].addresses)) fail_msg("%s", cases[i].host);
    buf_free(&b);
  }
  struct buf none = buf_new(16);
  assert_false(names_find(span_text(""), span_text("one"), &none));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_finds)};
  return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
