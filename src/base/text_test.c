#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define BYTES(literal) span_of(literal, sizeof(literal) - 1)

/* Memory exactly as long as said, so that the sanitizer sees an overread; a copy of `bytes` unless that is NULL. */
static uint8_t *exactly(const void *bytes, size_t len) {
  uint8_t *memory = malloc(len > 0 ? len : 1);
  assert_non_null(memory);
  if (bytes != NULL) memcpy(memory, bytes, len);
  return memory;
}

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

/* All strings of three bytes, counted: the valid ones are three ASCII characters, one and one of the 1920 of two bytes
 * in either order, or one of the 61440 of three bytes. Another form of what test_every_code_point_but_surrogates says,
 * from outside. */
static void test_three_bytes_are_valid_as_often_as_counted(void **state) {
  (void)state;
  size_t valid = 0;
  for (uint32_t v = 0; v < 0x1000000; v++) {
    uint8_t bytes[3] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16)};
    valid += text_utf8_valid(span_of(bytes, sizeof bytes));
  }
  assert_int_equal(valid, 128 * 128 * 128 + 2 * 128 * 1920 + 61440);
}

/* Bytes from Markus Kuhn's "UTF-8 decoder capability and stress test", sections 3 to 5, and from RFC 3629, section 10.
 */
static void test_ill_formed(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t prefix;
  } cases[] = {{"\x80", 0},
               {"\xBF", 0},
               {"\xC0\x80", 0},
               {"\xC1\xBF", 0},
               {"\xE0\x80\x80", 0},
               {"\xE0\x9F\xBF", 0},
               {"\xF0\x80\x80\x80", 0},
               {"\xF0\x8F\xBF\xBF", 0},
               {"\xED\xA0\x80", 0},
               {"\xED\xBF\xBF", 0},
               {"\xED\xA0\x80\xED\xB0\x80", 0},
               {"\xF4\x90\x80\x80", 0},
               {"\xF5\x80\x80\x80", 0},
               {"\xF8\x88\x80\x80\x80", 0},
               {"\xFE", 0},
               {"\xFF", 0},
               {"ab\xC3", 2},
               {"ab\xE2\x82", 2},
               {"ab\xF0\x9F\x98", 2},
               {"12345678\xC3\xA9\x80", 10},
               {"1234567\xFF"
                "90123456",
                7},
               {"\xC3(", 0},
               {"/\xC0\xAE./", 1}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    assert_false(text_utf8_valid(span_text(cases[i].bytes)));
    assert_int_equal(text_utf8_prefix(span_text(cases[i].bytes)), cases[i].prefix);
  }
}

static void test_a_bad_byte_is_found_wherever_it_stands(void **state) {
  (void)state;
  for (size_t len = 0; len < 40; len++) {
    uint8_t *text = exactly(NULL, len);
    memset(text, 'a', len);
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
  } cases[] = {{"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82", {1, 1, 1, 1, 1, 1, 1, 1}},
               {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF", {1, 1, 1, 1, 1, 1, 1, 1}},
               {"\xF4\x91\x92\x93\xFF\x80\xBF", {1, 1, 1, 1, 1, 1, 1}},
               {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF", {2, 1, 3, 2}}};
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
  uint8_t *text = exactly("aé€😀", 10); /* characters begin at 0, 1, 3 and 6 */
  struct span s = span_of(text, 10);
  static const size_t cuts[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
  for (size_t max = 0; max < COUNT(cuts); max++) assert_int_equal(text_utf8_cut(s, max), cuts[max]);
  assert_int_equal(text_utf8_cut(s, SIZE_MAX), 10);
  assert_int_equal(text_utf8_cut(span_of(NULL, 0), 5), 0);
  free(text);
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
  static const char *const bad[] = {"",
                                    "+1",
                                    "-1",
                                    " 1",
                                    "1 ",
                                    "1.0",
                                    "0x10",
                                    "1e3",
                                    "a",
                                    "१",
                                    ":",
                                    "/",
                                    "1\n",
                                    "18446744073709551616",
                                    "18446744073709551620",
                                    "28446744073709551615",
                                    "99999999999999999999999999999"};
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
  } cases[] = {{"30", 30000},   {"0.5", 500},     {"1.25", 1250},
               {"1.250", 1250}, {"0.001", 1},     {"0", 0},
               {"0.000", 0},    {"10.01", 10010}, {"18446744073709550.615", UINT64_C(18446744073709550615)}};
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
  static const char *const bad[] = {"",
                                    ".",
                                    ".5",
                                    "5.",
                                    "1.2345",
                                    "1.0000",
                                    "1..2",
                                    "1.2.3",
                                    "-1",
                                    "+1",
                                    "1.-2",
                                    "1. 2",
                                    "1e3",
                                    "1,5",
                                    "1s",
                                    "0x1",
                                    " 1",
                                    "1 ",
                                    "inf",
                                    "18446744073709551615",
                                    "18446744073709551616",
                                    "99999999999999999999.5"};
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
} dates[] = {{"1985-04-12T23:20:50.52Z", NULL, SECONDS(482196050) + 520000000},
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
             {"2554-07-21T23:34:33.709551615Z", NULL, UINT64_MAX}};

static void test_rfc3339(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(dates); i++) {
    uint64_t ns = 77;
    assert_int_equal(text_rfc3339(span_text(dates[i].text), &ns), RESULT_OK);
    assert_true(ns == dates[i].ns);
    struct buf b = buf_new(100);
    text_put_rfc3339(&b, ns);
    assert_written(&b, dates[i].written != NULL ? dates[i].written : dates[i].text);
  }
}

static void test_rfc3339_refuses(void **state) {
  (void)state;
  static const char *const bad[] = {
      "", "2026-11-23", "2026-11-23T18:00:00", "2026-11-23 18:00:00Z", "2026-11-23T18:00Z", "20261123T180000Z",
      "2026-11-23T18:00:00Z ", " 2026-11-23T18:00:00Z", "2026-11-23T18:00:00ZZ", "2026-11-23T18:00:00.Z",
      "2026-11-23T18:00:00,5Z", "2026-11-23T18:00:00.1234567890Z", "2026-11-23T18:00:00.-1Z",
      /* leap seconds (RFC 3339, section 5.8), days and hours that are not */
      "1990-12-31T23:59:60Z", "1990-12-31T15:59:60-08:00", "2026-11-23T24:00:00Z", "2026-11-23T18:60:00Z",
      "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2024-02-30T00:00:00Z", "2026-04-31T00:00:00Z",
      "2026-00-10T00:00:00Z", "2026-13-10T00:00:00Z", "2026-11-00T00:00:00Z", "2026-01-32T00:00:00Z",
      /* offsets */
      "2026-11-23T18:00:00+", "2026-11-23T18:00:00+01", "2026-11-23T18:00:00+0100", "2026-11-23T18:00:00+24:00",
      "2026-11-23T18:00:00+01:60", "2026-11-23T18:00:00Z+01:00", "2026-11-23T18:00:00+1:00",
      /* signs, and fields too short or too long */
      "+026-11-23T18:00:00Z", "2026-1-23T18:00:00Z", "2026-11-23T+8:00:00Z", "12026-11-23T18:00:00Z",
      "2026-11-23T18:00:5Z",
      /* out of range */
      "1969-12-31T23:59:59Z", "1970-01-01T00:59:59+01:00", "2554-07-21T23:34:33.709551616Z", "2554-07-21T23:34:34Z",
      "2554-07-21T23:33:34-00:01", "2554-12-31T00:00:00Z", "2555-01-01T00:00:00Z", "9999-12-31T23:59:59Z"};
  uint64_t ns = 77;
  for (size_t i = 0; i < COUNT(bad); i++) {
    if (text_rfc3339(span_text(bad[i]), &ns) != RESULT_LIMIT_INVALID) fail_msg("accepted %s", bad[i]);
  }
  assert_int_equal(text_rfc3339(BYTES("2026-11-23T18:00:00\0"), &ns), RESULT_LIMIT_INVALID);
  assert_int_equal(text_rfc3339(BYTES("2026\0-11-23T18:00:00Z"), &ns), RESULT_LIMIT_INVALID);
  assert_int_equal(text_rfc3339(span_of(NULL, 0), &ns), RESULT_LIMIT_INVALID);
  assert_int_equal(ns, 77);
}

static void test_every_prefix_of_a_date_is_refused(void **state) {
  (void)state;
  static const char whole[] = "2026-11-23T18:00:00.25+01:30";
  uint64_t ns;
  assert_int_equal(text_rfc3339(span_text(whole), &ns), RESULT_OK);
  for (size_t len = 0; len < sizeof whole - 1; len++) {
    uint8_t *text = exactly(whole, len);
    assert_int_equal(text_rfc3339(span_of(text, len), &ns), RESULT_LIMIT_INVALID);
    free(text);
  }
}

/* The C library's calendar is the oracle, one instant a day for all the years that 64 bits of nanoseconds hold. */
static void test_every_day_is_the_c_librarys_day(void **state) {
  (void)state;
  for (uint64_t seconds = 1; seconds < UINT64_MAX / SECONDS(1); seconds += 86400 + 7) {
    char want[32];
    struct tm tm;
    time_t time = (time_t)seconds;
    assert_non_null(gmtime_r(&time, &tm));
    strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%SZ", &tm);
    uint64_t ns;
    assert_int_equal(text_rfc3339(span_text(want), &ns), RESULT_OK);
    assert_true(ns == seconds * SECONDS(1));
    struct buf b = buf_new(100);
    text_put_rfc3339(&b, ns);
    assert_written(&b, want);
  }
}

/* ---- durations ---- */

/* durationTests in Go's src/time/time_test.go (the ones from 0 up), then more of our own. */
static void test_go_durations(void **state) {
  (void)state;
  static const struct {
    uint64_t ns;
    const char *text;
  } cases[] = {{0, "0s"},
               {1, "1ns"},
               {1100, "1.1µs"},
               {2200000, "2.2ms"},
               {UINT64_C(3300000000), "3.3s"},
               {SECONDS(245), "4m5s"},
               {SECONDS(245) + 1000000, "4m5.001s"},
               {SECONDS(18367) + 1000000, "5h6m7.001s"},
               {SECONDS(480) + 1, "8m0.000000001s"},
               {INT64_MAX, "2562047h47m16.854775807s"},
               {999, "999ns"},
               {1000, "1µs"},
               {850000, "850µs"},
               {999999, "999.999µs"},
               {1000000, "1ms"},
               {12300000, "12.3ms"},
               {999999999, "999.999999ms"},
               {SECONDS(1), "1s"},
               {SECONDS(60), "1m0s"},
               {SECONDS(60) + 500000000, "1m0.5s"},
               {SECONDS(3600), "1h0m0s"},
               {SECONDS(90000), "25h0m0s"},
               {UINT64_MAX, "5124095h34m33.709551615s"}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct buf b = buf_new(100);
    text_put_go_duration(&b, cases[i].ns);
    assert_written(&b, cases[i].text);
  }
}

/* Where a comment says so, from Go's own tests (src/time/time_test.go, parseDurationTests). */
static void test_go_durations_are_read(void **state) {
  (void)state;
  static const struct {
    const char *text;
    uint64_t ns;
  } cases[] = {{"0", 0},
               {"+0", 0},
               {"0s", 0},
               {"5s", SECONDS(5)},
               {"+5s", SECONDS(5)},
               {"5.6s", 5600000000},
               {"5.s", SECONDS(5)},
               {".5s", 500000000},
               {"1.0040s", 1004000000},
               {"100.00100s", 100001000000},
               {"10ns", 10},
               {"11us", 11000},
               {"12\u00b5s", 12000},
               {"12\u03bcs", 12000},
               {"13ms", 13000000},
               {"15m", SECONDS(900)},
               {"16h", SECONDS(57600)},
               {"1h30m", SECONDS(5400)},
               {"24h0m0s", SECONDS(86400)},
               {"10.5s4m", SECONDS(240) + 10500000000},
               {"1h2m3s4ms5us6ns", SECONDS(3723) + 4005006},
               {"39h9m14.425s", SECONDS(140954) + 425000000},
               {"0.3333333333333333333h", SECONDS(1200)},
               {"9007199254740993ns", (UINT64_C(1) << 53) + 1},
               {"9223372036854775807ns", INT64_MAX},
               {"9223372036854775.807us", INT64_MAX},
               {"9223372036s854ms775us807ns", INT64_MAX},
               {"0.100000000000000000000h", SECONDS(360)},
               {"0.830103483285477580700h", SECONDS(2988) + 372539827},
               /* ours */
               {"0s0s", 0},
               {"000001s", SECONDS(1)},
               {"1.9999999999ns", 1},
               {"0.0000000000000000000000000000001h", 0}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    uint64_t ns = 1;
    assert_int_equal(text_go_duration(span_text(cases[i].text), &ns), RESULT_OK);
    assert_int_equal(ns, cases[i].ns);
  }
}

static void test_what_is_no_go_duration(void **state) {
  (void)state;
  static const char *const bad[] = {
      /* Go's */
      "", "3", "-", "s", ".", "-.", ".s", "+.s", "-0", "-5s", "3000000h", "9223372036854775808ns",
      "9223372036854775.808us", "9223372036854ms775us808ns", "18446744073709551616ns",
      /* ours */
      "+", "++1s", "00", "1s0", "0 s", "1 s", " 1s", "1s ", "1d", "1S", "1.2.3s", "1..2s", "1h-1m", "1,5s", "1e3s",
      "\u00b5s", "1\xb5s", "1\xb5", "2562047h47m16.854775808s"};
  for (size_t i = 0; i < COUNT(bad); i++) {
    uint64_t ns = 77;
    size_t len = strlen(bad[i]);
    uint8_t *copy = exactly(bad[i], len);
    assert_int_equal(text_go_duration(span_of(copy, len), &ns), RESULT_LIMIT_INVALID);
    assert_int_equal(ns, 77);
    free(copy);
  }
  uint64_t ns;
  assert_int_equal(text_go_duration(BYTES("1s\0"), &ns), RESULT_LIMIT_INVALID);
}

/* Every duration that is written is read back. */
static void test_go_durations_there_and_back(void **state) {
  (void)state;
  uint64_t v = 1;
  for (unsigned i = 0; i < 20000; i++) {
    uint64_t ns;
    struct buf b = buf_new(100);
    v = v * UINT64_C(6364136223846793005) + 1442695040888963407u;
    uint64_t want = v >> (1 + i % 63);
    text_put_go_duration(&b, want);
    assert_int_equal(text_go_duration(buf_span(&b), &ns), RESULT_OK);
    /* A fraction may lose a nanosecond to the doubles, as in Go. */
    assert_in_range(ns, want == 0 ? 0 : want - 1, want);
    buf_free(&b);
  }
}

/* ---- hexadecimal ---- */

/* RFC 4648, section 10, in lower case. */
static void test_hex(void **state) {
  (void)state;
  struct buf b = buf_new(100);
  text_put_hex(&b, span_text("foobar"));
  assert_written(&b, "666f6f626172");
  b = buf_new(100);
  text_put_hex(&b, span_of(NULL, 0));
  assert_written(&b, "");
}

static void test_unhex_reads_every_byte_back(void **state) {
  (void)state;
  uint8_t all[256], back[256];
  for (size_t i = 0; i < sizeof all; i++) all[i] = (uint8_t)i;
  struct buf b = buf_new(512);
  text_put_hex(&b, span_of(all, sizeof all));
  assert_true(text_unhex(buf_span(&b), back, sizeof back));
  assert_memory_equal(back, all, sizeof all);
  buf_free(&b);
  assert_true(text_unhex(span_text("fFAa09"), back, 3));
  assert_memory_equal(back, "\xFF\xAA\x09", 3);
  assert_true(text_unhex(span_of(NULL, 0), NULL, 0));
}

static void test_unhex_refuses(void **state) {
  (void)state;
  uint8_t out[2];
  static const char *const bad[] = {"",     "0",    "000",  "00000", "000000", "000g", "g000", "0x00",
                                    " 000", "00 0", "@000", "`000",  "/000",   ":000", "G000", "00\xC3\xA9"};
  for (size_t i = 0; i < COUNT(bad); i++) assert_false(text_unhex(span_text(bad[i]), out, sizeof out));
  /* Only the 22 digits are digits. */
  size_t digits = 0;
  for (unsigned byte = 0; byte < 256; byte++) {
    uint8_t text[2] = {'0', (uint8_t)byte};
    digits += text_unhex(span_of(text, sizeof text), out, 1);
  }
  assert_int_equal(digits, 22);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_code_point_but_surrogates),
      cmocka_unit_test(test_three_bytes_are_valid_as_often_as_counted),
      cmocka_unit_test(test_ill_formed),
      cmocka_unit_test(test_a_bad_byte_is_found_wherever_it_stands),
      cmocka_unit_test(test_ill_formed_bytes_are_taken_by_maximal_subparts),
      cmocka_unit_test(test_a_cut_spares_characters),
      cmocka_unit_test(test_a_cut_of_other_bytes_stays_near),
      cmocka_unit_test(test_u64),
      cmocka_unit_test(test_u64_refuses),
      cmocka_unit_test(test_millis),
      cmocka_unit_test(test_millis_refuses),
      cmocka_unit_test(test_rfc3339),
      cmocka_unit_test(test_rfc3339_refuses),
      cmocka_unit_test(test_every_prefix_of_a_date_is_refused),
      cmocka_unit_test(test_every_day_is_the_c_librarys_day),
      cmocka_unit_test(test_go_durations),
      cmocka_unit_test(test_go_durations_are_read),
      cmocka_unit_test(test_what_is_no_go_duration),
      cmocka_unit_test(test_go_durations_there_and_back),
      cmocka_unit_test(test_hex),
      cmocka_unit_test(test_unhex_reads_every_byte_back),
      cmocka_unit_test(test_unhex_refuses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
