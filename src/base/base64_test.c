#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* RFC 4648 §10. */
static const struct {
  const char *plain, *standard, *url;
} vectors[] = {{"", "", ""},
               {"f", "Zg==", "Zg"},
               {"fo", "Zm8=", "Zm8"},
               {"foo", "Zm9v", "Zm9v"},
               {"foob", "Zm9vYg==", "Zm9vYg"},
               {"fooba", "Zm9vYmE=", "Zm9vYmE"},
               {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
               {"\xfb\xff\xbf", "+/+/", "-_-_"}};

static void test_vectors(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
    struct buf b = buf_new(64);
    base64_put(&b, span_text(vectors[i].plain));
    assert_true(span_is(buf_span(&b), vectors[i].standard));
    buf_clear(&b);
    base64_put_url(&b, span_text(vectors[i].plain));
    assert_true(span_is(buf_span(&b), vectors[i].url));
    buf_clear(&b);
    assert_int_equal(base64_get_url(&b, span_text(vectors[i].url)), RESULT_OK);
    assert_true(span_is(buf_span(&b), vectors[i].plain));
    buf_clear(&b);
    assert_int_equal(base64_get(&b, span_text(vectors[i].standard)), RESULT_OK);
    assert_true(span_is(buf_span(&b), vectors[i].plain));
    buf_free(&b);
  }
}

static void test_every_byte_and_length(void **state) {
  (void)state;
  uint8_t bytes[256], back[256];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 167 + 13);
  for (size_t len = 0; len <= sizeof bytes; len++) {
    struct buf b = buf_new(400);
    base64_put_url(&b, span_of(bytes, len));
    assert_int_equal(b.len, BASE64_URL_SIZE(len));
    assert_true(base64_read_url(buf_span(&b), back, len));
    assert_memory_equal(back, bytes, len);
    if (len > 0) assert_false(base64_read_url(buf_span(&b), back, len - 1));
    buf_free(&b);
  }
}

static void test_refuses(void **state) {
  (void)state;
  static const char *const broken[] = {"Z",    "Zg==", "Zh",         "Zm9", "Zm9v=", "Zm9vY", "Zm 9", "Zm\n9v",
                                       "+/+/", "Zm9*", "\xc3\xa4==", "=",   "Zg=",   "Z_==",  " ",    "ZZ"};
  for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
    struct buf b = buf_new(64);
    buf_put_text(&b, "kept");
    assert_int_equal(base64_get_url(&b, span_text(broken[i])), RESULT_BAD_REQUEST);
    assert_true(!b.bad && span_is(buf_span(&b), "kept"));
    buf_free(&b);
  }
}

static void test_refuses_padding_that_is_wrong(void **state) {
  (void)state;
  static const char *const broken[] = {"Zg", "Zg=",      "Zh==", "Zm9=", "Zm9v=",    "Z===", "====",
                                       "=",  "Zg==Zg==", "-_-_", "Zm 9", "Zm9v====", "Zm9*", "Zg=A"};
  for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
    struct buf b = buf_new(64);
    buf_put_text(&b, "kept");
    assert_int_equal(base64_get(&b, span_text(broken[i])), RESULT_BAD_REQUEST);
    assert_true(!b.bad && span_is(buf_span(&b), "kept"));
    buf_free(&b);
  }
}

static void test_no_room(void **state) {
  (void)state;
  uint8_t memory[7];
  struct buf b = buf_fixed(memory, sizeof memory);
  base64_put(&b, span_text("foobar"));
  assert_true(b.bad && b.len == 0);
  buf_clear(&b);
  assert_int_equal(base64_get_url(&b, span_text("Zm9vYmFyZm9v")), RESULT_NO_MEMORY);
  assert_int_equal(b.len, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_vectors), cmocka_unit_test(test_every_byte_and_length), cmocka_unit_test(test_refuses),
      cmocka_unit_test(test_refuses_padding_that_is_wrong), cmocka_unit_test(test_no_room)};
  return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
