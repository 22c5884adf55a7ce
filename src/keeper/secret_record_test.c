#include "keeper/secret_record.h"

#include "base/base64.h"
#include "crypto/testing.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define POLICY "{\"uses\":3}"
#define VALUE "s3cret"

/* Made with node:crypto; the key is that of protect_test.c's master key. */
#define TEXT "nc1.AAECAwQFBgcICQoLWIUmLLeVkx9cKmulSprBrO781vtydaK15qqRNMapxjTH3fOLO83DWg=="
#define USES "nc1.AAECAwQFBgcICQoLUIUmLMy35mxWiNBEJjBYk+6JhZMJVQr7" /* 2 */
#define REFERENCE "AAECAwQFBgcICQoLIbZFXqnDlza+saCTyglKWIY9869c+A=="

static uint8_t key[AEAD_KEY], user[32];
static struct secret_place here;

static int start(void **state) {
  memcpy(key, unhex("13b408c4d6b168fd929c12d6989bcdf823561acb877242837c6261b6ceb4db69").data, sizeof key);
  memcpy(user, unhex("2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90").data, sizeof user);
  here = (struct secret_place){.user = user, .name = span_text("api_key"), .version = 7};
  return start_crypto(state);
}

static void expect_opens(struct span text, const char *want_policy, const char *want_value) {
  struct buf plain = buf_new(SECRET_TEXT_MAX);
  struct span policy, value;
  assert_int_equal(secret_record_open(key, &here, text, &plain, &policy, &value), RESULT_OK);
  assert_true(span_is(policy, want_policy));
  assert_true(span_is(value, want_value));
  buf_free(&plain);
}

static void expect_shut(const struct secret_place *place, struct span text) {
  struct buf plain = buf_new(SECRET_TEXT_MAX);
  struct span policy, value;
  buf_put_text(&plain, "kept");
  assert_int_equal(secret_record_open(key, place, text, &plain, &policy, &value), RESULT_SECRET_UNDECRYPTABLE);
  assert_true(!plain.bad && span_is(buf_span(&plain), "kept"));
  buf_free(&plain);
}

static void expect_uses_shut(const struct secret_place *place, struct span text) {
  uint64_t uses = 99;
  assert_int_equal(secret_record_open_uses(key, place, text, &uses), RESULT_SECRET_UNDECRYPTABLE);
  assert_int_equal(uses, 99);
}

static void test_opens_foreign_records(void **state) {
  (void)state;
  struct buf plain = buf_new(100);
  struct span value;
  uint64_t uses;
  expect_opens(span_text(TEXT), POLICY, VALUE);
  assert_int_equal(secret_record_open_uses(key, &here, span_text(USES), &uses), RESULT_OK);
  assert_int_equal(uses, 2);
  assert_int_equal(secret_record_open_reference(key, span_text(REFERENCE), &plain, &value), RESULT_OK);
  assert_true(span_is(value, VALUE));
  buf_free(&plain);
}

static void test_round_trips(void **state) {
  (void)state;
  static char large[SECRET_VALUE_MAX + 1], policy[SECRET_POLICY_MAX + 1];
  memset(large, 'v', sizeof large - 1);
  memset(policy, 'p', sizeof policy - 1);
  const char *const rows[][2] = {{POLICY, VALUE}, {"", "v"}, {"", large}, {policy, large}};
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct buf text = buf_new(SECRET_TEXT_MAX);
    assert_int_equal(secret_record_seal(key, &here, span_text(rows[i][0]), span_text(rows[i][1]), &text), RESULT_OK);
    assert_true(text.len <= SECRET_TEXT_MAX);
    expect_opens(buf_span(&text), rows[i][0], rows[i][1]);
    buf_free(&text);
  }
}

/* Whoever can write the store: another user's record, another secret's, an older version's, one of another key. */
static void test_refuses_what_was_moved(void **state) {
  (void)state;
  uint8_t other_user[32];
  memcpy(other_user, user, sizeof user);
  other_user[31] ^= 1;
  const struct secret_place elsewhere[] = {{other_user, here.name, 7},
                                           {user, span_text("api_key2"), 7},
                                           {user, span_text("api_ke"), 7},
                                           {user, span_text("Api_key"), 7},
                                           {user, here.name, 6},
                                           {user, here.name, 8},
                                           {user, here.name, UINT64_C(7) << 8}};
  for (size_t i = 0; i < COUNT(elsewhere); i++) {
    expect_shut(&elsewhere[i], span_text(TEXT));
    expect_uses_shut(&elsewhere[i], span_text(USES));
  }
  key[0] ^= 1;
  expect_shut(&here, span_text(TEXT));
  expect_uses_shut(&here, span_text(USES));
  key[0] ^= 1;
}

static void test_refuses_what_was_changed(void **state) {
  (void)state;
  char text[] = TEXT, uses[] = USES;
  for (size_t i = 0; i < sizeof text - 1; i++) {
    const char was = text[i];
    text[i] = was == 'A' ? 'B' : 'A';
    expect_shut(&here, span_text(text));
    text[i] = was;
    expect_shut(&here, span_of(text, i));
  }
  for (size_t i = 0; i < sizeof uses - 1; i++) {
    const char was = uses[i];
    uses[i] = was == 'A' ? 'B' : 'A';
    expect_uses_shut(&here, span_text(uses));
    uses[i] = was;
    expect_uses_shut(&here, span_of(uses, i));
  }
  expect_shut(&here, span_text(TEXT "A"));
  expect_uses_shut(&here, span_text(""));
}

/* One form is not taken for another: a count for a value, the reference's for ours, ours for the reference's. */
static void test_refuses_other_forms(void **state) {
  (void)state;
  struct buf plain = buf_new(200);
  struct span value;
  expect_shut(&here, span_text(USES));
  expect_uses_shut(&here, span_text(TEXT));
  expect_shut(&here, span_text(REFERENCE));
  expect_shut(&here, span_text("nc1." REFERENCE));
  expect_shut(&here, span_text("nc2.AAECAwQFBgcICQoLWIUmLLeVkx9cKmulSprBrO781vtydaK15qqRNMapxjTH3fOLO83DWg=="));
  expect_shut(&here, span_text("nc1.AAECAwQFBgcICQoLWIUmLLeVkx9cKmulSprBrO781vtydaK15qqRNMapxjTH3fOLO83DWg"));
  const char *const refused[] = {TEXT, "", "=", "AAAA", "nc1." REFERENCE, REFERENCE "A", REFERENCE "===="};
  for (size_t i = 0; i < COUNT(refused); i++) {
    assert_int_equal(secret_record_open_reference(key, span_text(refused[i]), &plain, &value),
                     RESULT_SECRET_UNDECRYPTABLE);
    assert_true(!plain.bad && plain.len == 0);
  }
  buf_free(&plain);
}

/* Genuine as far as the cipher goes, but no value of ours. */
static void test_refuses_other_plaintexts(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t len;
    bool opens;
  } plains[] = {{"", 0, false},
                {"\0\0\0\0\0\0\0\0", 8, false}, /* an empty value */
                {"\0\0\0\0\1\0\0\0v", 9, true},
                {"\0\0\0\0\1\0\0\0", 8, false},
                {"\0\0\0\0\1\0\0\0vw", 10, false},
                {"\0\0\0\0\1\0\0\0\xff", 9, false}, /* no UTF-8 */
                {"\377\377\377\377\1\0\0\0v", 9, false}};
  struct buf aad = buf_new(200);
  buf_put(&aad, "neocompute-secret-v1", 21);
  buf_put(&aad, user, sizeof user);
  buf_put_text(&aad, "\7api_key");
  buf_put_u64(&aad, 7);
  for (size_t i = 0; i < COUNT(plains); i++) {
    struct buf sealed = buf_new(100), text = buf_new(200);
    assert_int_equal(aead_seal(key, buf_span(&aad), span_of(plains[i].bytes, plains[i].len), &sealed), RESULT_OK);
    buf_put_text(&text, "nc1.");
    base64_put(&text, buf_span(&sealed));
    if (plains[i].opens)
      expect_opens(buf_span(&text), "", "v");
    else
      expect_shut(&here, buf_span(&text));
    buf_free(&sealed);
    buf_free(&text);
  }
  buf_free(&aad);
}

static void test_limits(void **state) {
  (void)state;
  struct buf small = buf_new(20), plain = buf_new(3);
  struct span policy, value;
  static char name[SECRET_NAME_MAX + 2];
  memset(name, 'n', sizeof name - 1);
  const struct secret_place longer = {user, span_text(name), 1}, nameless = {user, span_text(""), 1};
  assert_int_equal(secret_record_seal(key, &here, span_text(POLICY), span_text(VALUE), &small), RESULT_NO_MEMORY);
  assert_true(!small.bad && small.len == 0);
  assert_int_equal(secret_record_seal(key, &longer, span_text(""), span_text(VALUE), &small), RESULT_CRYPTO);
  assert_int_equal(secret_record_seal(key, &nameless, span_text(""), span_text(VALUE), &small), RESULT_CRYPTO);
  assert_int_equal(secret_record_open(key, &here, span_text(TEXT), &plain, &policy, &value), RESULT_NO_MEMORY);
  buf_free(&small);
  buf_free(&plain);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_opens_foreign_records),
      cmocka_unit_test(test_round_trips),
      cmocka_unit_test(test_refuses_what_was_moved),
      cmocka_unit_test(test_refuses_what_was_changed),
      cmocka_unit_test(test_refuses_other_forms),
      cmocka_unit_test(test_refuses_other_plaintexts),
      cmocka_unit_test(test_limits),
  };
  return cmocka_run_group_tests_name("secret_record", tests, start, stop_crypto);
}
