#include "keeper/secrets_cache.h"

#include <stdio.h>

#include "crypto/testing.h"

static struct secrets_cache *cache;

static int begin(void **state) {
  (void)state;
  return secrets_cache_new(&cache) == RESULT_OK ? 0 : -1;
}

static int end(void **state) {
  (void)state;
  secrets_cache_free(cache);
  return 0;
}

static void put(const char *user, const char *name, uint64_t version, struct span value) {
  const struct secret_row row = {.version = version, .value = value, .uses = span_text("uses")};
  secrets_cache_put(cache, span_text(user), span_text(name), &row, secrets_cache_drops(cache));
}

static bool has(const char *user, const char *name) {
  struct secret_row row;
  return secrets_cache_get(cache, span_text(user), span_text(name), &row);
}

static void drop(const char *user, const char *name) {
  assert_int_equal(secrets_cache_drop(cache, span_text(user), span_text(name)), RESULT_OK);
}

static void test_keeps_the_last(void **state) {
  (void)state;
  struct secret_row row;
  put("alice", "k", 1, span_text("old"));
  put("alice", "k", 2, span_text("sealed"));
  assert_true(secrets_cache_get(cache, span_text("alice"), span_text("k"), &row));
  assert_int_equal(row.statement, STATEMENT_FIND);
  assert_int_equal(row.version, 2);
  assert_true(span_is(row.value, "sealed"));
  assert_true(span_is(row.uses, "uses"));
  drop("alice", "k");
  assert_false(has("alice", "k"));
  drop("alice", "k");
}

/* Neither another's secret of the same name nor what two texts come to together. */
static void test_whose_it_is(void **state) {
  (void)state;
  put("alice", "bk", 1, span_text("sealed"));
  assert_false(has("bob", "bk"));
  assert_false(has("aliceb", "k"));
  drop("bob", "bk");
  assert_true(has("alice", "bk"));
}

static void test_what_came_too_late(void **state) {
  (void)state;
  const struct secret_row row = {.version = 1, .value = span_text("sealed")};
  const uint64_t drops = secrets_cache_drops(cache);
  drop("alice", "k"); /* it was never there, but it is about to be written */
  secrets_cache_put(cache, span_text("alice"), span_text("k"), &row, drops);
  assert_false(has("alice", "k"));
}

static void test_sizes(void **state) {
  (void)state;
  static uint8_t bytes[SECRETS_CACHE_ROW_MAX];
  put("alice", "k", 1, span_of(bytes, sizeof bytes - 4)); /* and four of uses */
  assert_true(has("alice", "k"));
  put("alice", "k", 2, span_of(bytes, sizeof bytes - 3));
  assert_false(has("alice", "k")); /* the one before is none any more */
  put("alice", "none", 1, span_text(""));
  assert_false(has("alice", "none"));
}

static void test_the_oldest_goes(void **state) {
  (void)state;
  char name[16];
  for (unsigned i = 0; i <= SECRETS_CACHE_ROWS; i++) {
    snprintf(name, sizeof name, "k%u", i);
    put("alice", name, 1, span_text("sealed"));
  }
  assert_false(has("alice", "k0"));
  for (unsigned i = 1; i <= SECRETS_CACHE_ROWS; i++) {
    snprintf(name, sizeof name, "k%u", i);
    assert_true(has("alice", name));
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {TEST(test_keeps_the_last), TEST(test_whose_it_is), TEST(test_what_came_too_late),
                                     TEST(test_sizes), TEST(test_the_oldest_goes)};
  return cmocka_run_group_tests_name("secrets_cache", tests, start_crypto, stop_crypto);
}
