#include "base/json.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Exactly as long as the text, so that the sanitizer sees an overread. */
static uint8_t *exact_copy(struct span text) {
  uint8_t *copy = malloc(text.len > 0 ? text.len : 1);
  assert_non_null(copy);
  if (text.len > 0) memcpy(copy, text.data, text.len);
  return copy;
}

static bool is_json(struct span text) {
  uint8_t *copy = exact_copy(text);
  enum result r = json_check(span_of(copy, text.len), JSON_DEPTH_MAX);
  free(copy);
  assert_true(r == RESULT_OK || r == RESULT_INPUT_INVALID);
  return r == RESULT_OK;
}

static enum json_canon canon(struct span text) {
  uint8_t *copy = exact_copy(text);
  enum json_canon result = json_canonical(span_of(copy, text.len));
  free(copy);
  return result;
}

static void assert_canon(struct span text, enum json_canon want) {
  enum json_canon got = canon(text);
  if (got != want) fail_msg("%.*s: %d, not %d", (int)text.len, (const char *)text.data, (int)got, (int)want);
}

/* Calls `check` with each word of a list; words are parted by spaces. */
static void for_each_word(const char *list, void (*check)(struct span word)) {
  while (*list != '\0') {
    size_t len = strcspn(list, " ");
    check(span_of(list, len));
    list += len + strspn(list + len, " ");
  }
}

static void assert_canonical(struct span text) {
  assert_canon(text, JSON_CANONICAL);
}

static void assert_unsorted(struct span text) {
  assert_canon(text, JSON_UNSORTED);
}

static void assert_only_json(struct span text) {
  assert_true(is_json(text));
  assert_canon(text, JSON_BROKEN);
}

/* ---- json_check ---- */

/* After the y_ files of Nicolas Seriot's JSONTestSuite, and i_ files (RFC 8259 leaves the choice) that we accept. */
static const char *const accepted[] = {
    "[[]   ]", "[\"\"]", "[]", "[\"a\"]", "[false]", "[null, 1, \"1\", {}]", "[null]", "[1\n]", " [1]",
    "[1,null,null,null,2]", "[2] ",
    /* numbers */
    "[123e65]", "[0e+1]", "[0e1]", "[ 4]", "[-0]", "[-123]", "[-1]", "[20e1]",
    "[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]\n", "[1E22]", "[1E-2]",
    "[1E+2]", "[123e45]", "[123.456e78]", "[1e-2]", "[1e+2]", "[123]", "[123.456789]", "[1e999999999]", "[-1e+9999]",
    "[100000000000000000000]", "0", "-0.1e-0",
    /* objects */
    "{\"asd\":\"sdf\", \"dfg\":\"fgh\"}", "{\"a\":\"b\",\"a\":\"c\"}", "{}", "{\"\":0}", "{\"foo\\u0000bar\": 42}",
    "{\"a\":[]}", "{\n\"a\": \"b\"\n}", "{ \"min\": -1.0e+28, \"max\": 1.0e+28 }",
    /* strings */
    "[\"\\u0060\\u012a\\u12AB\"]", "[\"\\uD801\\udc37\"]", "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", "[\"\\\\u0000\"]",
    "[\"a/*b*/c/*d//e\"]", "[\"\x7F\"]", "[\"\xE2\x80\xA8\xE2\x80\xA9\"]", "[\"\xF4\x8F\xBF\xBF\xEF\xBF\xBF\"]",
    "\"\xF0\x9D\x84\x9E\"", "[\"\\uDFAA\"]", "[\"\\uD888\\u1234\"]", "[\"\\uDd1e\\uD834\"]", "\" \"", "false", "true",
    "null", "42", "-0.1", "\"asd\"", "[\"a\"]\n", " [] ", "\t\r\n {\t\r\n \"a\"\t\r\n :\t\r\n 1\t\r\n }\t\r\n "};

/* After its n_ files, and i_ files that we refuse. */
static const char *const refused[] = {
    "", " ", "[1 true]", "[a\xE5]", "[\"\": 1]", "[\"\"],", "[,1]", "[1,,2]", "[\"x\",,]", "[\"x\"]]", "[\"\",]",
    "[\"x\"", "[x", "[3[4]]", "[\xFF]", "[1:2]", "[,]", "[-]", "[   , \"\"]", "[\"a\",\n4\n,1,", "[1,]", "[1,,]",
    "[\"\va\"\\f]", "[*]", "[\"\"", "[1,", "[1,\n1\n,1", "[{}", "[fals]", "[nul]", "[tru]", "[True]", "nul", "nulll",
    "truefalse",
    /* numbers */
    "[++1234]", "[+1]", "[+Inf]", "[-01]", "[-1.0.]", "[-2.]", "[-NaN]", "[.-1]", "[.2e-3]", "[0.1.2]", "[0.3e+]",
    "[0.3e]", "[0.e1]", "[0E]", "[0E+]", "[1.0e+]", "[1.0e-]", "[1 000.0]", "[1eE2]", "[2.e+3]", "[2.e3]", "[9.e+]",
    "[Inf]", "[NaN]", "[\xEF\xBC\x91]", "[1+2]", "[0x1]", "[0x42]", "[Infinity]", "[0e+-1]", "[-123.123foo]",
    "[123\xE5]", "[-foo]", "[- 1]", "[-012]", "[-.123]", "[1ea]", "[1.]", "[.123]", "[1.2a-3]", "[012]", "[00]", "00.0",
    "-00.0", "00e0", "-", "1e", "1e+", "1.", "2@", "1]",
    /* objects */
    "[\"x\", truth]", "{[: \"x\"}", "{\"x\", null}", "{\"x\"::\"b\"}", "{\"a\":\"a\" 123}", "{key: 'value'}",
    "{\"a\" b}", "{:\"b\"}", "{\"a\" \"b\"}", "{\"a\":", "{\"a\"", "{1:1}", "{null:null}", "{\"id\":0,,,,,}", "{'a':0}",
    "{\"id\":0,}", "{\"a\":\"b\"}/**/", "{\"a\":\"b\",,\"c\":\"d\"}", "{a: \"b\"}", "{\"a\":\"a",
    "{ \"foo\" : \"bar\", \"a\" }", "{\"a\"}", "{1}", "{\"a\":1,2}", "{[]}", "{\"a\":1,[]}", "{\"a\":\"b\"}#", "{]",
    "[}", "{,", "{\"a\":1]", "[1}",
    /* strings */
    "[\"\\uD800\\\"]", "[\"\\uD800\\u\"]", "[\"\\uD800\\u1\"]", "[\"\\uD800\\u1x\"]", "[\xC3\xA9]", "[\"\\\\\\\"]",
    "[\"\\\t\"]", "[\"\\\xF0\x9F\x8C\x80\"]", "[\"\\\"]", "[\"\\u00A\"]", "[\"\\uD834\\uDd\"]", "[\"\\a\"]",
    "[\"\\uqqqq\"]", "[\"\\\xE5\"]", "[\\u0020\"asd\"]", "[\\n]", "\"", "['single quote']", "abc", "[\"\\",
    "[\"new\nline\"]", "[\"\t\"]", "\"\\UA66D\"", "\"\"x", "\"\\u00", "\"\\u0041", "\"\\0\"", "\"\\x00\"",
    "[\"\\u 041\"]", "[\"\\u+041\"]", "\"\x1F\"",
    /* bytes that are not UTF-8 */
    "[\"\xE5\"]", "[\"\xED\xA0\x80\"]", "[\"\xC0\xAF\"]", "[\"\xF4\xBF\xBF\xBF\"]", "[\"\x81\"]", "[\"\xE0\xFF\"]",
    "[\"\xFC\x83\xBF\xBF\xBF\xBF\"]", "\xEF\xBB\xBF{}", "\xEF\xBB{}",
    /* structure */
    "<.>", "[<null>]", "[1]x", "[1]]", "[\"asd]", "{\"x\": true,", "[][]", "]", "[", "{}}",
    "{\"\":", "{\"a\":/*comment*/\"b\"}", "{\"a\": true} \"x\"", "['", "[,", "[{", "[\"a", "{", "{\"a", "{'a'",
    "[\"\\{[\"\\{[\"\\{[\"\\{", "*", "{\"a\":\"b\"}#{}", "[\\\n\"\"]", "[1", "[ false, nul", "[ true, fals",
    "{\"asd\":\"asd\"", "\xC3\xA5", "[\xE2\x81\xA0]", "[\f]", "[\xC2\xA0]", "1 2"};

static void test_json_is_accepted(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(accepted); i++) {
    if (!is_json(span_text(accepted[i]))) fail_msg("refused: %s", accepted[i]);
  }
}

static void assert_refused(struct span text) {
  if (is_json(text)) fail_msg("accepted: %.*s", (int)text.len, (const char *)text.data);
  assert_canon(text, JSON_BROKEN);
}

static void test_other_text_is_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(refused); i++) assert_refused(span_text(refused[i]));
  assert_refused(span_of(NULL, 0));
}

static void test_zero_bytes_are_refused(void **state) {
  (void)state;
  assert_refused(span_of("\0", 1));
  assert_refused(span_of("123\0", 4));
  assert_refused(span_of("[\0]", 3));
  assert_refused(span_of("[\"\\\0\"]", 6));
  assert_refused(span_of("[\"a\0b\"]", 7));
  assert_refused(span_of("[\0\"\0a\0\"\0]\0", 10)); /* UTF-16 */
}

/* Strings are read eight bytes at a time: each byte in each place, quiet ones and others. */
static void test_every_byte_at_every_place_of_a_string(void **state) {
  (void)state;
  for (unsigned byte = 0; byte < 256; byte++) {
    for (size_t at = 1; at < 20; at++) {
      uint8_t text[21] = "\"aaaaaaaaaaaaaaaaaaa\"";
      text[at] = (uint8_t)byte;
      bool fine = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
      assert_int_equal(is_json(span_of(text, sizeof text)), fine);
      assert_canon(span_of(text, sizeof text), fine ? JSON_CANONICAL : JSON_BROKEN);
      text[20] = 'a'; /* the closing quote gone */
      assert_false(is_json(span_of(text, sizeof text)) && byte != '"');
    }
  }
}

/* ---- depth ---- */

static struct buf nested(const char *open, const char *inner, const char *close, size_t depth) {
  struct buf b = buf_new(1 << 20);
  for (size_t i = 0; i < depth; i++) buf_put_text(&b, open);
  buf_put_text(&b, inner);
  for (size_t i = 0; i < depth; i++) buf_put_text(&b, close);
  assert_false(b.bad);
  return b;
}

static void test_depth_is_counted(void **state) {
  (void)state;
  assert_int_equal(json_check(span_text("1"), 0), RESULT_OK);
  assert_int_equal(json_check(span_text("[]"), 0), RESULT_INPUT_INVALID);
  assert_int_equal(json_check(span_text("[]"), 1), RESULT_OK);
  assert_int_equal(json_check(span_text("{\"a\":[{}]}"), 3), RESULT_OK);
  assert_int_equal(json_check(span_text("{\"a\":[{}]}"), 2), RESULT_INPUT_INVALID);
}

static void test_depth_has_a_ceiling(void **state) {
  (void)state;
  static const char *const shapes[][3] = {{"[", "", "]"}, {"{\"a\":", "1", "}"}, {"[", "[{}],0", "]"}};
  for (size_t i = 0; i < COUNT(shapes); i++) {
    size_t inner = i == 2 ? 2 : 0;
    struct buf most = nested(shapes[i][0], shapes[i][1], shapes[i][2], JSON_DEPTH_MAX - inner);
    assert_int_equal(json_check(buf_span(&most), UINT32_MAX), RESULT_OK);
    assert_canon(buf_span(&most), JSON_CANONICAL);
    struct buf more = nested(shapes[i][0], shapes[i][1], shapes[i][2], JSON_DEPTH_MAX - inner + 1);
    assert_int_equal(json_check(buf_span(&more), UINT32_MAX), RESULT_INPUT_INVALID);
    assert_canon(buf_span(&more), JSON_BROKEN);
    buf_free(&most);
    buf_free(&more);
  }
}

/* n_structure_100000_opening_arrays and n_structure_open_array_object of JSONTestSuite. */
static void test_endless_opening_is_refused(void **state) {
  (void)state;
  struct buf b = nested("[", "", "", 100000);
  assert_refused(buf_span(&b));
  buf_free(&b);
  b = nested("[{\"\":", "", "", 50000);
  assert_refused(buf_span(&b));
  buf_free(&b);
}

static void *check_deep_text(void *arg) {
  struct buf *b = arg;
  bool good = json_check(buf_span(b), JSON_DEPTH_MAX) == RESULT_OK && json_canonical(buf_span(b)) == JSON_CANONICAL;
  return good ? b : NULL;
}

/* A recursion of 10,000 calls would not fit. */
static void test_depth_costs_no_stack(void **state) {
  (void)state;
  struct buf b = nested("[{\"a\":", "1", "}]", JSON_DEPTH_MAX / 2);
  pthread_t thread;
  pthread_attr_t attr;
  void *good = NULL;
  assert_int_equal(pthread_attr_init(&attr), 0);
  assert_int_equal(pthread_attr_setstacksize(&attr, 192 * 1024), 0);
  assert_int_equal(pthread_create(&thread, &attr, check_deep_text, &b), 0);
  assert_int_equal(pthread_join(thread, &good), 0);
  pthread_attr_destroy(&attr);
  assert_ptr_equal(good, &b);
  buf_free(&b);
}

/* Each level is closed by its own bracket, on both sides of a border in the bit stack. */
static void test_a_wrong_bracket_is_found_at_any_depth(void **state) {
  (void)state;
  for (size_t depth = 2; depth < 200; depth += 2) {
    struct buf b = nested("[{\"a\":", "1", "}]", depth / 2);
    assert_true(is_json(buf_span(&b)));
    for (size_t level = 0; level < depth; level++) {
      uint8_t *bracket = &b.data[b.len - 1 - level], right = *bracket;
      *bracket = right == ']' ? '}' : ']';
      assert_false(is_json(buf_span(&b)));
      *bracket = right;
    }
    buf_free(&b);
  }
}

/* ---- json_canonical ---- */

/* RFC 8785, section 3.2.4: the bytes of the example in section 3.2.2. */
static const uint8_t rfc_example[] = {
    0x7b, 0x22, 0x6c, 0x69, 0x74, 0x65, 0x72, 0x61, 0x6c, 0x73, 0x22, 0x3a, 0x5b, 0x6e, 0x75, 0x6c, 0x6c,
    0x2c, 0x74, 0x72, 0x75, 0x65, 0x2c, 0x66, 0x61, 0x6c, 0x73, 0x65, 0x5d, 0x2c, 0x22, 0x6e, 0x75, 0x6d,
    0x62, 0x65, 0x72, 0x73, 0x22, 0x3a, 0x5b, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x2e,
    0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x2c, 0x31, 0x65, 0x2b, 0x33, 0x30, 0x2c, 0x34, 0x2e, 0x35,
    0x2c, 0x30, 0x2e, 0x30, 0x30, 0x32, 0x2c, 0x31, 0x65, 0x2d, 0x32, 0x37, 0x5d, 0x2c, 0x22, 0x73, 0x74,
    0x72, 0x69, 0x6e, 0x67, 0x22, 0x3a, 0x22, 0xe2, 0x82, 0xac, 0x24, 0x5c, 0x75, 0x30, 0x30, 0x30, 0x66,
    0x5c, 0x6e, 0x41, 0x27, 0x42, 0x5c, 0x22, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x22, 0x2f, 0x22, 0x7d};

static void test_rfc_example(void **state) {
  (void)state;
  assert_canon(span_of(rfc_example, sizeof rfc_example), JSON_CANONICAL);
  for (size_t len = 0; len < sizeof rfc_example; len++) assert_canon(span_of(rfc_example, len), JSON_BROKEN);
  /* Much the same value as section 3.2.2 gives it: JSON, but not canonical. */
  struct span input = span_text(
      "{ \"numbers\": [333333333.33333329, 1E30, 4.50, 2e-3],\n"
      "  \"string\": \"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\" }");
  assert_true(is_json(input));
  assert_canon(input, JSON_BROKEN);
}

/* RFC 8785, section 3.2.3: these properties in this order. By code points, or by the bytes of UTF-8, the last two would
 * change places. */
static void test_rfc_sorting(void **state) {
  (void)state;
  assert_canon(span_text("{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xC2\x80\":\"Control\","
                         "\"\xC3\xB6\":\"Latin Small Letter O With Diaeresis\",\"\xE2\x82\xAC\":\"Euro Sign\","
                         "\"\xF0\x9F\x98\x80\":\"Emoji: Grinning Face\","
                         "\"\xEF\xAC\xB3\":\"Hebrew Letter Dalet With Dagesh\"}"),
               JSON_CANONICAL);
  assert_canon(span_text("{\"\xEF\xAC\xB3\":\"Hebrew Letter Dalet With Dagesh\","
                         "\"\xF0\x9F\x98\x80\":\"Emoji: Grinning Face\"}"),
               JSON_UNSORTED);
}

/* Canonical keys, ascending by the UTF-16 code units of the characters they stand for. */
static const char *const ascending[] = {
    "", "\\u0000", "\\u0000\\u0000", "\\u0001", "\\u0007", "\\b", "\\t", "\\n", "\\u000b", "\\f", "\\r", "\\u000e",
    "\\u001f", " ", "!", "\\\"", "\\\"a", "#", "/", "0", "10", "2", "A", "[", "\\\\", "\\\\n", "\\\\u0000", "]", "a",
    "a\\n", "a ", "a0", "aa", "aa\\u0000", "aaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaaa",
    "aaaaaaaaaaaaaaaaaaaaaaaab", "ab", "b", "u0000", "~", "\x7F", "\xC2\x80", "é", "éa", "éé", "\xDF\xBF",
    "\xE0\xA0\x80", "€", "\xED\x9F\xBF",
    /* surrogate pairs */
    "\xF0\x90\x80\x80", "\xF0\x90\x80\x80\xEF\xBF\xBF", "\xF0\x90\x80\x81", "\xF0\x90\x90\x80", "😀", "😀a", "😁",
    "\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF\xF4\x8F\xBF\xBF",
    /* and what is above them */
    "\xEE\x80\x80", "\xEF\xAC\xB3", "\xEF\xBF\xBD", "\xEF\xBF\xBF", "\xEF\xBF\xBF\xF0\x90\x80\x80",
    "\xEF\xBF\xBF\xEE\x80\x80"};

static void test_all_pairs_of_keys(void **state) {
  (void)state;
  struct buf b = buf_new(1000);
  for (size_t i = 0; i < COUNT(ascending); i++) {
    for (size_t j = 0; j < COUNT(ascending); j++) {
      buf_clear(&b);
      buf_printf(&b, "{\"%s\":1,\"%s\":2}", ascending[i], ascending[j]);
      assert_canon(buf_span(&b), i < j ? JSON_CANONICAL : JSON_UNSORTED);
    }
  }
  buf_free(&b);
}

static void test_keys_are_compared_within_their_object(void **state) {
  (void)state;
  for_each_word(
      "{\"a\":{\"z\":1},\"b\":{\"a\":1}} [{\"b\":1},{\"a\":1}] {\"a\":{},\"b\":{\"a\":{\"a\":1}}}"
      " {\"b\":{\"a\":1,\"b\":2},\"c\":[{\"a\":1},{\"a\":2}]}",
      assert_canonical);
  for_each_word(
      "{\"b\":{\"x\":1},\"a\":{\"y\":1}} {\"a\":{\"c\":1,\"b\":2},\"b\":1} [0,[{\"a\":1,\"a\":1}]]"
      " {\"a\":1,\"b\":{\"a\":1},\"b\":1} {\"b\":[[],{\"c\":0}],\"a\":0} {\"a\":1,\"b\":2,\"a\":3}",
      assert_unsorted);
}

static void test_broken_outweighs_unsorted(void **state) {
  (void)state;
  assert_canon(span_text("{\"b\":1,\"a\":1}"), JSON_UNSORTED);
  assert_canon(span_text("{\"b\":1,\"a\":1.0}"), JSON_BROKEN);
  assert_canon(span_text("{\"b\":1,\"a\":1} "), JSON_BROKEN);
  assert_canon(span_text("{\"b\":1,\"a\":\"\\/\"}"), JSON_BROKEN);
  assert_canon(span_text("{\"b\":1,\"a\":\"\xFF\"}"), JSON_BROKEN);
}

/* RFC 8785, appendix B; then what ECMAScript prints around each border of Number::toString. */
static void test_numbers_as_ecmascript_prints_them(void **state) {
  (void)state;
  static const char numbers[] =
      "0 5e-324 -5e-324 1.7976931348623157e+308 -1.7976931348623157e+308 9007199254740992 -9007199254740992 "
      "295147905179352830000 9.999999999999997e+22 1e+23 1.0000000000000001e+23 999999999999999700000 "
      "999999999999999900000 1e+21 9.999999999999997e-7 0.000001 333333333.3333332 333333333.33333325 "
      "333333333.3333333 333333333.3333334 333333333.33333343 -0.0000033333333333333333 1424953923781206.2 1 -1 "
      "10 100000000000000000000 0.1 -0.5 1.5 10.5 1e-7 1.5e+300 1.5e-10 123456789.123 0.30000000000000004 "
      "2.2250738585072014e-308 1e+100 12345678901234567000";
  for_each_word(numbers, assert_canonical);
}

static void test_numbers_nobody_prints(void **state) {
  (void)state;
  static const char numbers[] =
      "-0 1.0 -0.0 0.0 0.50 1.10 10.0 1E21 1e21 1E+21 1e+20 1e+021 1e+0 1e0 1e-0 1e-6 1e-07 1.0e+21 1.50e+21 "
      "10e+21 15e+20 0e+21 0.1e-7 0e-7 -0e-7 0.0000001 0.00000015 1000000000000000000000 "
      "-1000000000000000000000 1e+309 1e-325 1e+1000 1e+99999999999999999999 123456789012345678 "
      "100000000000000001 0.123456789012345678 1.12345678901234567 1.12345678901234567e+30 "
      "0.000000000000000000000000001 1e30";
  for_each_word(numbers, assert_only_json);
}

/* What the header leaves open: of these, only arithmetic could tell that ECMAScript prints them as 333333333.3333333,
 * 0.1 and not at all. */
static void test_numbers_of_a_possible_shape(void **state) {
  (void)state;
  for_each_word("333333333.33333329 0.10000000000000001 9e+308", assert_canonical);
}

/* Texts with one thing changed: the same value for any reader, and not canonical. */
static void test_tampered_twins(void **state) {
  (void)state;
  static const struct {
    const char *canonical, *twin;
  } cases[] = {{"[1,2]", "[1, 2]"},
               {"[1,2]", "[1,2]\n"},
               {"\"/\"", "\"\\/\""},
               {"\"a\"", "\"\\u0061\""},
               {"\"\\n\"", "\"\\u000a\""},
               {"\"\\b\"", "\"\\u0008\""},
               {"\"\\t\"", "\"\\u0009\""},
               {"\"\\r\"", "\"\\u000d\""},
               {"\"\\\"\"", "\"\\u0022\""},
               {"\"\\\\\"", "\"\\u005c\""},
               {"\"\x7F\"", "\"\\u007f\""},
               {"\"é\"", "\"\\u00e9\""},
               {"\"😀\"", "\"\\ud83d\\ude00\""},
               {"\"\\u001f\"", "\"\\u001F\""},
               {"\"\\u001a\"", "\"\\u001A\""},
               {"\" \"", "\"\\u0020\""},
               {"\"\xE2\x80\xA8\"", "\"\\u2028\""},
               {"{\"1\":1}", "{\"\\u0031\":1}"},
               {"1e+21", "1E+21"},
               {"100", "1e2"},
               {"0.1", "0.10"},
               {"0", "-0"}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    assert_canon(span_text(cases[i].canonical), JSON_CANONICAL);
    assert_true(is_json(span_text(cases[i].twin)));
    assert_canon(span_text(cases[i].twin), JSON_BROKEN);
  }
}

/* JSON, though no text: RFC 8785, section 3.2.2.2, wants an error. */
static void test_lone_surrogates(void **state) {
  (void)state;
  for_each_word("\"\\ud800\" \"\\udfff\" \"\\uD800\\u0000\" {\"\\udc00\":1}", assert_only_json);
}

static void test_a_space_anywhere_breaks_it(void **state) {
  (void)state;
  static const char whole[] = "{\"a\":[true,{\"b\":null,\"c\":-12.5},[]],\"d\":1e-7}";
  for (size_t at = 0; at < sizeof whole; at++) {
    struct buf b = buf_new(100);
    buf_put(&b, whole, at);
    buf_put_text(&b, " ");
    buf_put_text(&b, whole + at);
    char before = whole[at > 0 ? at - 1 : 0], behind = whole[at];
    bool in_key =
        (before == '"' && behind >= 'a' && behind <= 'd') || (behind == '"' && before >= 'a' && before <= 'd');
    assert_int_equal(canon(buf_span(&b)) != JSON_BROKEN, in_key);
    buf_free(&b);
  }
}

/* ---- json_put_string ---- */

static void assert_string(struct span text, const char *want) {
  struct buf b = buf_new(1000);
  json_put_string(&b, text);
  assert_false(b.bad);
  assert_canon(buf_span(&b), JSON_CANONICAL);
  buf_put_u8(&b, 0);
  assert_string_equal((const char *)b.data, want);
  buf_free(&b);
}

static void test_strings_are_escaped(void **state) {
  (void)state;
  assert_string(span_of(NULL, 0), "\"\"");
  assert_string(span_text("plain, é€😀/ and \x7F"), "\"plain, é€😀/ and \x7F\"");
  assert_string(span_text("€$\x0F\nA'B\"\\\\\"/"),
                "\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\""); /* RFC 8785, section 3.2.2 */
  assert_string(span_of("\0", 1), "\"\\u0000\"");
  assert_string(span_text("\b\t\n\v\f\r\x1B\x1F"), "\"\\b\\t\\n\\u000b\\f\\r\\u001b\\u001f\"");
}

static void test_ill_formed_text_becomes_replacements(void **state) {
  (void)state;
  assert_string(span_text("a\xFFz"), "\"a\uFFFDz\"");
  assert_string(span_text("\xED\xA0\x80"), "\"\uFFFD\uFFFD\uFFFD\"");
  assert_string(span_text("\xF0\x9F\x98"), "\"\uFFFD\"");
  assert_string(span_text("\xE2\x82\"\xC3"), "\"\uFFFD\\\"\uFFFD\"");
}

static void test_every_byte_makes_a_canonical_string(void **state) {
  (void)state;
  for (unsigned byte = 0; byte < 256; byte++) {
    uint8_t text[11];
    memset(text, 'x', sizeof text);
    text[byte % sizeof text] = (uint8_t)byte;
    struct buf b = buf_new(1000);
    json_put_string(&b, span_of(text, sizeof text));
    assert_canon(buf_span(&b), JSON_CANONICAL);
    buf_free(&b);
  }
}

static void test_a_string_too_long_spoils_the_buffer(void **state) {
  (void)state;
  struct buf b = buf_new(6);
  json_put_string(&b, span_text("abc\n"));
  assert_true(b.bad);
  buf_clear(&b);
  json_put_string(&b, span_text("ab\n"));
  assert_false(b.bad);
  assert_true(span_is(buf_span(&b), "\"ab\\n\""));
  buf_free(&b);
}

/* ---- json_each and json_get_string ---- */

static enum result note_item(void *context, const struct json_item *item) {
  struct buf *notes = context;
  buf_put_span(notes, item->key);
  buf_put_text(notes, "=");
  buf_put_span(notes, item->value);
  buf_put_text(notes, "|");
  return span_is(item->value, "\"stop\"") ? RESULT_BUSY : RESULT_OK;
}

static void test_items_are_cut_out_as_they_stand(void **state) {
  (void)state;
  static const struct {
    const char *text, *notes;
    enum result result;
    size_t at;
  } cases[] = {{"{}", "", RESULT_OK, 2},
               {" [ ] ", "", RESULT_OK, 5},
               {"{\"a\":1}", "\"a\"=1|", RESULT_OK, 7},
               {" { \"a\" : [1, {}] , \"\\u0061\":\"x\" }\n", "\"a\"=[1, {}]|\"\\u0061\"=\"x\"|", RESULT_OK, 34},
               {"[ 1 ,[[]],{\"a\":{}}]", "=1|=[[]]|={\"a\":{}}|", RESULT_OK, 19},
               {"[\"stop\",2]", "=\"stop\"|", RESULT_BUSY, 7},
               {"[1,\"stop\" oh", "=1|=\"stop\"|", RESULT_BUSY, 9},
               /* what came before the fault was seen */
               {"[1,]", "=1|", RESULT_INPUT_INVALID, 3},
               {"[1 2]", "=1|", RESULT_INPUT_INVALID, 3},
               {"{\"a\":1,}", "\"a\"=1|", RESULT_INPUT_INVALID, 7},
               {"{\"a\":1]", "\"a\"=1|", RESULT_INPUT_INVALID, 6},
               {"[1}", "=1|", RESULT_INPUT_INVALID, 2},
               {"{\"a\" 1}", "", RESULT_INPUT_INVALID, 5},
               {"{1:1}", "", RESULT_INPUT_INVALID, 1},
               {"[1]x", "=1|", RESULT_INPUT_INVALID, 3},
               {"[1", "=1|", RESULT_INPUT_INVALID, 2},
               {"[1,[2,[3]]]", "=1|", RESULT_INPUT_INVALID, 6}, /* too deep */
               {"[1,\"\xFF\"]", "", RESULT_INPUT_INVALID, 4},
               {"1", "", RESULT_INPUT_INVALID, 0},
               {"", "", RESULT_INPUT_INVALID, 0},
               {" ", "", RESULT_INPUT_INVALID, 1}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct span text = span_text(cases[i].text);
    uint8_t *copy = exact_copy(text);
    struct buf notes = buf_new(256);
    size_t at = SIZE_MAX;
    enum result r = json_each(span_of(copy, text.len), strchr(cases[i].text, '3') ? 2 : 3, note_item, &notes, &at);
    if (r != cases[i].result || at != cases[i].at || !span_is(buf_span(&notes), cases[i].notes)) {
      fail_msg("%s: %s at %zu, %.*s", cases[i].text, result_name(r), at, (int)notes.len, (char *)notes.data);
    }
    buf_free(&notes);
    free(copy);
  }
}

static enum result count_item(void *context, const struct json_item *item) {
  (void)item;
  ++*(size_t *)context;
  return RESULT_OK;
}

/* It accepts of objects and arrays exactly what json_check does. */
static void test_each_judges_as_the_check_does(void **state) {
  (void)state;
  size_t seen = 0, at;
  for (size_t i = 0; i < COUNT(accepted); i++) {
    uint8_t first = json_first(span_text(accepted[i]));
    enum result want = first == '{' || first == '[' ? RESULT_OK : RESULT_INPUT_INVALID;
    assert_int_equal(json_each(span_text(accepted[i]), JSON_DEPTH_MAX, count_item, &seen, &at), want);
  }
  assert_true(seen > COUNT(accepted) / 2);
  for (size_t i = 0; i < COUNT(refused); i++) {
    assert_int_equal(json_each(span_text(refused[i]), JSON_DEPTH_MAX, count_item, &seen, &at), RESULT_INPUT_INVALID);
    assert_true(at <= strlen(refused[i]));
  }
}

static void test_the_first_byte(void **state) {
  (void)state;
  assert_int_equal(json_first(span_text(" \t\r\n{")), '{');
  assert_int_equal(json_first(span_text("\v{")), '\v');
  assert_int_equal(json_first(span_text("  ")), 0);
  assert_int_equal(json_first(span_of(NULL, 0)), 0);
}

static void test_strings_are_read(void **state) {
  (void)state;
  static const struct {
    const char *string, *text;
    size_t len;
  } cases[] = {{"\"\"", "", 0},
               {"\"plain, long enough for a word\"", "plain, long enough for a word", 29},
               {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8},
               {"\"a\\u0000b\"", "a\0b", 3},
               {"\"\\u007f\\u0080\\u07FF\\u0800\\uffff\"", "\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF", 11},
               {"\"\\ud800\\udc00\\uDBFF\\uDFFF\"", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 8},
               {"\"\\ud7ff\\ue000\"", "\xED\x9F\xBF\xEE\x80\x80", 6},
               {"\"\xC3\xA9\\n\"", "\xC3\xA9\n", 3}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct buf b = buf_new(64);
    struct span string = span_text(cases[i].string);
    uint8_t *copy = exact_copy(string);
    assert_true(json_get_string(span_of(copy, string.len), &b));
    assert_true(!b.bad && span_equal(buf_span(&b), span_of(cases[i].text, cases[i].len)));
    free(copy);
    buf_free(&b);
  }
}

static void test_half_a_pair_is_not_read(void **state) {
  (void)state;
  static const char *const cases[] = {"\"\\ud800\"",        "\"\\udfff\"",        "\"\\ud800x\"",
                                      "\"\\ud800\\n\"",     "\"\\udc00\\ud800\"", "\"\\ud800\\ud800\"",
                                      "\"\\ud800\\ue000\"", "\"\\ud800\\u0041\""};
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct buf b = buf_new(64);
    struct span string = span_text(cases[i]);
    uint8_t *copy = exact_copy(string);
    assert_false(json_get_string(span_of(copy, string.len), &b));
    free(copy);
    buf_free(&b);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_json_is_accepted),
      cmocka_unit_test(test_other_text_is_refused),
      cmocka_unit_test(test_zero_bytes_are_refused),
      cmocka_unit_test(test_every_byte_at_every_place_of_a_string),
      cmocka_unit_test(test_depth_is_counted),
      cmocka_unit_test(test_depth_has_a_ceiling),
      cmocka_unit_test(test_endless_opening_is_refused),
      cmocka_unit_test(test_depth_costs_no_stack),
      cmocka_unit_test(test_a_wrong_bracket_is_found_at_any_depth),
      cmocka_unit_test(test_rfc_example),
      cmocka_unit_test(test_rfc_sorting),
      cmocka_unit_test(test_all_pairs_of_keys),
      cmocka_unit_test(test_keys_are_compared_within_their_object),
      cmocka_unit_test(test_broken_outweighs_unsorted),
      cmocka_unit_test(test_numbers_as_ecmascript_prints_them),
      cmocka_unit_test(test_numbers_nobody_prints),
      cmocka_unit_test(test_numbers_of_a_possible_shape),
      cmocka_unit_test(test_tampered_twins),
      cmocka_unit_test(test_lone_surrogates),
      cmocka_unit_test(test_a_space_anywhere_breaks_it),
      cmocka_unit_test(test_strings_are_escaped),
      cmocka_unit_test(test_ill_formed_text_becomes_replacements),
      cmocka_unit_test(test_every_byte_makes_a_canonical_string),
      cmocka_unit_test(test_a_string_too_long_spoils_the_buffer),
      cmocka_unit_test(test_items_are_cut_out_as_they_stand),
      cmocka_unit_test(test_each_judges_as_the_check_does),
      cmocka_unit_test(test_the_first_byte),
      cmocka_unit_test(test_strings_are_read),
      cmocka_unit_test(test_half_a_pair_is_not_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
