#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define BYTES(literal) span_of(literal, sizeof(literal) - 1)

/* What a writer wrote, for comparison with a string. */
static void assert_written(struct buf *b, const char *want) {
  assert_false(b->bad);
  buf_put_u8(b, 0);
  assert_string_equal((const char *)b->data, want);
  buf_free(b);
}

/* ---- UTF-8 ---- */

static size_t encode(uint32_t code, uint8_t out[4]) {
  if (code < 0x80) {
    out[0] = (uint8_t)code;
    return 1;
  }
  size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (size_t i = len - 1; i > 0; i--, code >>= 6) out[i] = (uint8_t)(0x80 | (code & 0x3F));
  out[0] = (uint8_t)(0xF00u >> len | code);
  return len;
}

static void test_every_code_point_but_surrogates(void **state) {
  (void)state;
  uint8_t bytes[4];
  for (uint32_t code = 0; code < 0x120000; code++) {
    struct span s = span_of(bytes, encode(code, bytes));
    bool character = code < 0xD800 || (code > 0xDFFF && code < 0x110000);
    assert_int_equal(text_utf8_valid(s), character);
    assert_int_equal(text_utf8_next(&s), character ? code : TEXT_ILL_FORMED);
    if (character) assert_int_equal(s.len, 0);
  }
}

/* All strings of three bytes, counted: the valid ones are three ASCII characters, one and one of the 1920 of two bytes in either
 * order, or one of the 61440 of three bytes. Another form of what test_every_code_point_but_surrogates says, from outside. */
static void test_three_bytes_are_valid_as_often_as_counted(void **state) {
  (void)state;
  size_t valid = 0;
  for (uint32_t v = 0; v < 0x1000000; v++) {
    uint8_t bytes[3] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16)};
    valid += text_utf8_valid(span_of(bytes, sizeof bytes));
  }
  assert_int_equal(valid, 128 * 128 * 128 + 2 * 128 * 1920 + 61440);
}

/* Bytes from Markus Kuhn's "UTF-8 decoder capability and stress test", sections 3 to 5, and from RFC 3629, section 10. */
static void test_ill_formed(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t prefix;
  } cases[] = {
      {"\x80", 0},         {"\xBF", 0},
      {"\xC0\x80", 0},     {"\xC1\xBF", 0},
      {"\xE0\x80\x80", 0}, {"\xE0\x9F\xBF", 0},
      {"\xF0\x80\x80\x80", 0}, {"\xF0\x8F\xBF\xBF", 0},
      {"\xED\xA0\x80", 0}, {"\xED\xBF\xBF", 0},
      {"\xED\xA0\x80\xED\xB0\x80", 0}, {"\xF4\x90\x80\x80", 0},
      {"\xF5\x80\x80\x80", 0}, {"\xF8\x88\x80\x80\x80", 0},
      {"\xFE", 0},         {"\xFF", 0},
      {"ab\xC3", 2},       {"ab\xE2\x82", 2},
      {"ab\xF0\x9F\x98", 2}, {"12345678\xC3\xA9\x80", 10},
      {"1234567\xFF""90123456", 7}, {"\xC3(", 0},
      {"/\xC0\xAE./", 1},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    assert_false(text_utf8_valid(span_text(cases[i].bytes)));
    assert_int_equal(text_utf8_prefix(span_text(cases[i].bytes)), cases[i].prefix);
  }
}

static void test_a_bad_byte_is_found_wherever_it_stands(void **state) {
  (void)state;
  for (size_t len = 0; len < 40; len++) {
    uint8_t *text = malloc(len + 1); /* exactly as long as said, so that the sanitizer sees an overread */
    assert_non_null(text);
    memset(text, 'a', len + 1);
    assert_true(text_utf8_valid(span_of(text, len)));
    for (size_t at = 0; at < len; at++) {
      text[at] = 0x80;
      assert_int_equal(text_utf8_prefix(span_of(text, len)), at);
      text[at] = 'a';
    }
    free(text);
  }
  assert_true(text_utf8_valid(span_of(NULL, 0)));
}

/* Unicode Standard 16, tables 3-8 to 3-11: how many bytes make one U+FFFD. */
static void test_ill_formed_bytes_are_taken_by_maximal_subparts(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    uint8_t taken[8];
  } cases[] = {
      {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82", {1, 1, 1, 1, 1, 1, 1, 1}},
      {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF", {1, 1, 1, 1, 1, 1, 1, 1}},
      {"\xF4\x91\x92\x93\xFF\x80\xBF", {1, 1, 1, 1, 1, 1, 1}},
      {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF", {2, 1, 3, 2}},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct span rest = span_text(cases[i].bytes);
    for (size_t step = 0; rest.len > 0; step++) {
      size_t before = rest.len;
      assert_int_equal(text_utf8_next(&rest), TEXT_ILL_FORMED);
      assert_int_equal(before - rest.len, cases[i].taken[step]);
    }
  }
}

static void test_a_cut_spares_characters(void **state) {
  (void)state;
  struct span s = span_text("aé€😀"); /* characters begin at 0, 1, 3 and 6; the end is 10 */
  static const size_t cuts[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
  for (size_t max = 0; max < COUNT(cuts); max++) assert_int_equal(text_utf8_cut(s, max), cuts[max]);
  assert_int_equal(text_utf8_cut(s, SIZE_MAX), 10);
  assert_int_equal(text_utf8_cut(span_of(NULL, 0), 5), 0);
}

static void test_a_cut_of_other_bytes_stays_near(void **state) {
  (void)state;
  for (size_t max = 0; max <= 8; max++) {
    size_t cut = text_utf8_cut(BYTES("\x80\x80\x80\x80\x80\x80\x80\x80"), max);
    assert_true(cut <= max && cut + 3 >= max);
  }
}

/* ---- numbers ---- */

static void test_u64(void **state) {
  (void)state;
  uint64_t v = 0;
  assert_int_equal(text_u64(span_text("0"), 0, 9, &v), RESULT_OK);
  assert_int_equal(v, 0);
  assert_int_equal(text_u64(span_text("007"), 7, 7, &v), RESULT_OK);
  assert_int_equal(v, 7);
  assert_int_equal(text_u64(span_text("18446744073709551615"), 0, UINT64_MAX, &v), RESULT_OK);
  assert_true(v == UINT64_MAX);
  assert_int_equal(text_u64(span_text("00000000000000000000000018446744073709551615"), 0, UINT64_MAX, &v), RESULT_OK);
}

static void test_u64_refuses(void **state) {
  (void)state;
  static const char *const bad[] = {"",   "+1", "-1",  " 1",  "1 ", "1.0", "0x10", "1e3", "a",
                                    "१", ":",  "/", "1\n", "18446744073709551616", "18446744073709551620",
                                    "28446744073709551615", "99999999999999999999999999999"};
  uint64_t v = 77;
  for (size_t i = 0; i < COUNT(bad); i++) {
    assert_int_equal(text_u64(span_text(bad[i]), 0, UINT64_MAX, &v), RESULT_LIMIT_INVALID);
  }
  assert_int_equal(text_u64(span_of(NULL, 0), 0, UINT64_MAX, &v), RESULT_LIMIT_INVALID);
  assert_int_equal(text_u64(BYTES("1\0"), 0, UINT64_MAX, &v), RESULT_LIMIT_INVALID);
  assert_int_equal(text_u64(span_text("4"), 5, 9, &v), RESULT_LIMIT_INVALID);
  assert_int_equal(text_u64(span_text("10"), 5, 9, &v), RESULT_LIMIT_INVALID);
  assert_int_equal(v, 77);
}

static void test_millis(void **state) {
  (void)state;
  static const struct {
    const char *text;
    uint64_t millis;
  } cases[] = {{"30", 30000}, {"0.5", 500},   {"1.25", 1250}, {"1.250", 1250}, {"0.001", 1},
               {"0", 0},      {"0.000", 0},   {"10.01", 10010}, {"18446744073709550.615", UINT64_C(18446744073709550615)}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    uint64_t v = 77;
    assert_int_equal(text_millis(span_text(cases[i].text), 0, UINT64_MAX, &v), RESULT_OK);
    assert_true(v == cases[i].millis);
    assert_int_equal(text_millis(span_text(cases[i].text), cases[i].millis, cases[i].millis, &v), RESULT_OK);
    assert_int_equal(text_millis(span_text(cases[i].text), cases[i].millis + 1, UINT64_MAX, &v), RESULT_LIMIT_INVALID);
    if (cases[i].millis > 0) {
      assert_int_equal(text_millis(span_text(cases[i].text), 0, cases[i].millis - 1, &v), RESULT_LIMIT_INVALID);
    }
  }
}

static void test_millis_refuses(void **state) {
  (void)state;
  static const char *const bad[] = {"",      ".",    ".5",  "5.",   "1.2345", "1.0000", "1..2", "1.2.3", "-1", "+1",
                                    "1.-2", "1. 2", "1e3", "1,5", "1s",     "0x1",    " 1",   "1 ",    "inf",
                                    "18446744073709551615", "18446744073709551616", "99999999999999999999.5"};
  uint64_t v = 77;
  for (size_t i = 0; i < COUNT(bad); i++) {
    assert_int_equal(text_millis(span_text(bad[i]), 0, UINT64_MAX, &v), RESULT_LIMIT_INVALID);
  }
  assert_int_equal(text_millis(span_of(NULL, 0), 0, UINT64_MAX, &v), RESULT_LIMIT_INVALID);
  assert_int_equal(v, 77);
}

/* ---- dates ---- */

#define SECONDS(s) (UINT64_C(s) * 1000000000)

/* Seconds from `date -u -d ... +%s` of GNU coreutils; the first two texts are RFC 3339's own, section 5.8. */
static const struct {
  const char *text, *written; /* NULL: written as read */
  uint64_t ns;
} dates[] = {
    {"1985-04-12T23:20:50.52Z", NULL, SECONDS(482196050) + 520000000},
    {"1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57Z", SECONDS(851042397)},
    {"1970-01-01T00:00:00Z", NULL, 0},
    {"1970-01-01T00:00:00.000000001Z", NULL, 1},
    {"1970-01-01T01:00:00+01:00", "1970-01-01T00:00:00Z", 0},
    {"1970-01-01T00:00:00-00:00", "1970-01-01T00:00:00Z", 0},
    {"1999-12-31T23:59:59.999999999Z", NULL, SECONDS(946684799) + 999999999},
    {"2000-02-29T12:00:00Z", NULL, SECONDS(951825600)},
    {"2000-03-01T00:00:00Z", NULL, SECONDS(951868800)},
    {"2026-11-23T18:00:00.123456789Z", NULL, SECONDS(1795456800) + 123456789},
    {"2026-11-23T18:00:00.100Z", "2026-11-23T18:00:00.1Z", SECONDS(1795456800) + 100000000},
    {"2026-11-23T18:00:00.000Z", "2026-11-23T18:00:00Z", SECONDS(1795456800)},
    {"2026-11-23t18:00:00z", "2026-11-23T18:00:00Z", SECONDS(1795456800)},
    {"2026-11-24T00:00:00+23:59", "2026-11-23T00:01:00Z", SECONDS(1795392060)},
    {"2099-12-31T23:59:59Z", NULL, SECONDS(4102444799)},
    {"2100-02-28T23:59:59Z", NULL, SECONDS(4107542399)},
    {"2100-03-01T00:00:00Z", NULL, SECONDS(4107542400)},
    {"2400-12-31T00:00:00Z", NULL, SECONDS(13601001600)},
    {"2554-07-21T23:34:33.709551615Z", NULL, UINT64_MAX},
};
