#include "receipt/seal.h"

#include "crypto/testing.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define REPLY "{\"job_id\":\"x\"}"

static uint8_t key[AEAD_KEY], user[SEAL_USER], job[SEAL_JOB];
static const struct seal_place here = {"jobs", user, job};

static int start(void **state) {
  memset(user, 0x11, sizeof user);
  memset(job, 0x22, sizeof job);
  memcpy(key, unhex("45300476084f00994f4d1555646ffc6fa53449e6dc08e7baecf19afc0e1210df").data, sizeof key);
  return start_crypto(state);
}

static struct buf sealed_record(struct span reply, struct span claims) {
  struct buf b = buf_new(reply.len + claims.len + 100);
  assert_int_equal(seal_record(key, &here, reply, claims, &b), RESULT_OK);
  return b;
}

static void expect_corrupt(const struct seal_place *place, struct span sealed) {
  struct buf text = buf_new(1000);
  struct span reply, claims;
  buf_put_text(&text, "kept");
  assert_int_equal(seal_open(key, place, sealed, &text, &reply, &claims), RESULT_RECORD_CORRUPT);
  assert_true(!text.bad && span_is(buf_span(&text), "kept"));
  buf_free(&text);
}

static void expect_opens(struct span sealed, struct span want_reply, struct span want_claims) {
  struct buf text = buf_new(sealed.len);
  struct span reply, claims;
  assert_int_equal(seal_open(key, &here, sealed, &text, &reply, &claims), RESULT_OK);
  assert_true(span_equal(reply, want_reply));
  assert_true(span_equal(claims, want_claims));
  buf_free(&text);
}

/* Made with node:crypto. */
static void test_opens_a_foreign_record(void **state) {
  (void)state;
  expect_opens(unhex("000102030405060708090a0b8f617f2647cbf502bf89a9c7995c12b8680ec9d43bdb30f9192335ba3c4055cf1c2189e1"
                     "6b65a9e9def3a81b"),
               span_text(REPLY), span_text("claims"));
}

static void test_round_trips(void **state) {
  (void)state;
  static uint8_t large[300000];
  const struct span rows[][2] = {{span_text(REPLY), span_text("claims")},
                                 {span_text(""), span_text("")},
                                 {span_text(REPLY), span_text("")},
                                 {span_of(large, sizeof large), span_text("c")}};
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct buf sealed = sealed_record(rows[i][0], rows[i][1]);
    assert_int_equal(sealed.len, rows[i][0].len + rows[i][1].len + 8 + AEAD_OVERHEAD);
    expect_opens(buf_span(&sealed), rows[i][0], rows[i][1]);
    buf_free(&sealed);
  }
}

/* Whoever can write the database: another user's, another job's, another table's record, or a changed one. */
static void test_refuses_what_was_changed_or_moved(void **state) {
  (void)state;
  struct buf sealed = sealed_record(span_text(REPLY), span_text("claims"));
  uint8_t other_user[SEAL_USER], other_job[SEAL_JOB];
  memcpy(other_user, user, sizeof user);
  memcpy(other_job, job, sizeof job);
  other_user[31] ^= 1;
  other_job[0] ^= 1;
  const struct seal_place elsewhere[] = {{"jobs", other_user, job}, {"jobs", user, other_job}, {"documents", user, job},
                                         {"job", user, job},        {"jobs2", user, job},      {"", user, job}};
  for (size_t i = 0; i < COUNT(elsewhere); i++) expect_corrupt(&elsewhere[i], buf_span(&sealed));
  for (size_t bit = 0; bit < 8 * sealed.len; bit++) {
    sealed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    expect_corrupt(&here, buf_span(&sealed));
    sealed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
  }
  for (size_t len = 0; len < sealed.len; len++) expect_corrupt(&here, span_of(sealed.data, len));
  buf_put_u8(&sealed, 0);
  expect_corrupt(&here, buf_span(&sealed));
  sealed.len--;
  key[0] ^= 1;
  expect_corrupt(&here, buf_span(&sealed));
  key[0] ^= 1;
  buf_free(&sealed);
}

/* Genuine as far as the cipher goes, but no record of ours. */
static void test_refuses_other_plaintexts(void **state) {
  (void)state;
  struct buf aad = buf_new(200);
  buf_put(&aad, "neocompute-record-v1\0jobs", 26);
  buf_put(&aad, user, sizeof user);
  buf_put(&aad, job, sizeof job);
  static const struct {
    const char *bytes;
    size_t len;
    bool opens;
  } plains[] = {
      {"", 0, false},
      {"\0\0\0\0\0\0\0\0", 8, true},
      {"\0\0\0\0\0\0\0", 7, false},
      {"\0\0\0\0\0\0\0\0\0", 9, false},
      {"\1\0\0\0r\1\0\0\0c", 10, true},
      {"\2\0\0\0r\1\0\0\0c", 10, false},
      {"\1\0\0\0r\2\0\0\0c", 10, false},
      {"\377\377\377\377r\1\0\0\0c", 10, false},
  };
  for (size_t i = 0; i < COUNT(plains); i++) {
    struct buf sealed = buf_new(100);
    assert_int_equal(aead_seal(key, buf_span(&aad), span_of(plains[i].bytes, plains[i].len), &sealed), RESULT_OK);
    if (!plains[i].opens) expect_corrupt(&here, buf_span(&sealed));
    if (plains[i].len == 10 && plains[i].opens) expect_opens(buf_span(&sealed), span_text("r"), span_text("c"));
    buf_free(&sealed);
  }
  buf_free(&aad);
}

static void test_limits(void **state) {
  (void)state;
  struct buf out = buf_new(20), text = buf_new(10);
  struct span reply, claims;
  const struct seal_place longest = {"0123456789012345678901234567890", user, job};
  const struct seal_place longer = {"012345678901234567890123456789012", user, job};
  assert_int_equal(seal_record(key, &here, span_text(REPLY), span_text(""), &out), RESULT_NO_MEMORY);
  assert_true(!out.bad && out.len == 0);
  buf_free(&out);
  out = buf_new(200);
  assert_int_equal(seal_record(key, &longer, span_text(REPLY), span_text(""), &out), RESULT_CRYPTO);
  assert_int_equal(seal_record(key, &longest, span_text(REPLY), span_text(""), &out), RESULT_OK);
  assert_int_equal(seal_open(key, &longest, buf_span(&out), &text, &reply, &claims), RESULT_NO_MEMORY);
  buf_free(&out);
  buf_free(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_opens_a_foreign_record),
      cmocka_unit_test(test_round_trips),
      cmocka_unit_test(test_refuses_what_was_changed_or_moved),
      cmocka_unit_test(test_refuses_other_plaintexts),
      cmocka_unit_test(test_limits),
  };
  return cmocka_run_group_tests_name("seal", tests, start, stop_crypto);
}
