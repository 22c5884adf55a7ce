#include "broker/tokens.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define NOW 1795456800u

static struct tokens *open_tokens(void) {
  struct tokens *t = NULL;
  assert_int_equal(tokens_new(&t), RESULT_OK);
  return t;
}

static bool finds(const struct tokens *t, const char *token, uint64_t now, const char *want) {
  char name[TOKENS_NAME_MAX] = "";
  if (!tokens_find(t, span_text(token), now, name, sizeof name)) return false;
  assert_string_equal(name, want);
  return true;
}

static void test_from_its_verification_to_its_end(void **state) {
  (void)state;
  static const struct {
    double expires;
    uint64_t last; /* seconds from now at which it counts */
  } cases[] = {{NOW + 10, 9},    {NOW + 10.5, 10}, {NOW + 1, 0},    {NOW + 300, 299},  {NOW + 301, 299},
               {NOW + 1e9, 299}, {1e300, 299},     {NOW + 0.25, 0}, {NOW + 299.5, 299}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct tokens *t = open_tokens();
    tokens_put(t, span_text("a.b.c"), NOW, cases[i].expires, "ada");
    assert_true(finds(t, "a.b.c", NOW, "ada"));
    assert_true(finds(t, "a.b.c", NOW + cases[i].last, "ada"));
    assert_false(finds(t, "a.b.c", NOW + cases[i].last + 1, "ada"));
    /* A clock that was set back: it was not verified for then. */
    assert_false(finds(t, "a.b.c", NOW - 1, "ada"));
    tokens_free(t);
  }
}

static void test_what_is_over_is_never_found(void **state) {
  (void)state;
  static const double ends[] = {NOW, NOW - 1, 0, -5, 0.5};
  struct tokens *t = open_tokens();
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
    tokens_put(t, span_text("a.b.c"), NOW, ends[i], "ada");
    assert_false(finds(t, "a.b.c", NOW, "ada"));
  }
  assert_false(finds(t, "", 0, ""));
  tokens_free(t);
}

static void test_only_the_same_token(void **state) {
  (void)state;
  struct tokens *t = open_tokens();
  char name[TOKENS_NAME_MAX];
  tokens_put(t, span_text("a.b.c"), NOW, NOW + 60, "ada");
  tokens_put(t, span_text("a.b.d"), NOW, NOW + 60, "bob");
  assert_true(finds(t, "a.b.c", NOW, "ada"));
  assert_true(finds(t, "a.b.d", NOW, "bob"));
  assert_false(finds(t, "a.b.", NOW, ""));
  assert_false(finds(t, "a.b.cc", NOW, ""));
  assert_false(finds(t, "", NOW, ""));
  /* Again, with another end: the newer verification counts. */
  tokens_put(t, span_text("a.b.c"), NOW + 1, NOW + 2, "ada");
  assert_false(finds(t, "a.b.c", NOW + 2, "ada"));
  /* A name is given whole or not at all. */
  assert_false(tokens_find(t, span_text("a.b.d"), NOW, name, 3));
  assert_true(tokens_find(t, span_text("a.b.d"), NOW, name, 4));
  tokens_free(t);
}

static void test_forgotten(void **state) {
  (void)state;
  struct tokens *t = open_tokens();
  tokens_put(t, span_text("a.b.c"), NOW, NOW + 60, "ada");
  tokens_forget(t);
  assert_false(finds(t, "a.b.c", NOW, "ada"));
  tokens_free(t);
  tokens_free(NULL);
}

/* Ten times as many as there is room for: each is found right away, and no more are kept than said. */
static void test_bounded(void **state) {
  (void)state;
  struct tokens *t = open_tokens();
  size_t kept = 0;
  char token[32], name[32];
  for (unsigned i = 0; i < 10 * TOKENS_MAX; i++) {
    snprintf(token, sizeof token, "token-%u", i);
    snprintf(name, sizeof name, "user-%u", i);
    tokens_put(t, span_text(token), NOW, NOW + 60, name);
    assert_true(finds(t, token, NOW, name));
  }
  for (unsigned i = 0; i < 10 * TOKENS_MAX; i++) {
    snprintf(token, sizeof token, "token-%u", i);
    snprintf(name, sizeof name, "user-%u", i);
    kept += finds(t, token, NOW, name);
  }
  assert_in_range(kept, TOKENS_MAX / 2, TOKENS_MAX);
  tokens_free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_from_its_verification_to_its_end),
      cmocka_unit_test(test_what_is_over_is_never_found),
      cmocka_unit_test(test_only_the_same_token),
      cmocka_unit_test(test_forgotten),
      cmocka_unit_test(test_bounded),
  };
  return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
