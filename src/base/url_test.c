#include "base/url.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static enum result reads(const char *text) {
  struct url u;
  return url_read(span_text(text), &u);
}

static void test_parts(void **state) {
  (void)state;
  static const struct {
    const char *text, *origin, *host, *target;
    uint16_t port;
    bool plain;
  } good[] = {
      {"https://a.example/", "https://a.example", "a.example", "/", 443, false},
      {"http://a.example/", "http://a.example", "a.example", "/", 80, true},
      {"https://a.example:80/", "https://a.example:80", "a.example", "/", 80, false},
      {"http://a_b.x-y.example:65535/p;q/%00?a=b?c&d=/../{}", "http://a_b.x-y.example:65535", "a_b.x-y.example",
       "/p;q/%00?a=b?c&d=/../{}", 65535, true},
      {"https://xn--bcher-kva.example/?", "https://xn--bcher-kva.example", "xn--bcher-kva.example", "/?", 443, false},
      {"https://192.0.2.1:8443/a//b", "https://192.0.2.1:8443", "192.0.2.1", "/a//b", 8443, false},
      {"https://[::1]/", "https://[::1]", "[::1]", "/", 443, false},
      {"https://[2001:db8::1:0:0:1]:1/", "https://[2001:db8::1:0:0:1]:1", "[2001:db8::1:0:0:1]", "/", 1, false},
      {"https://[::ffff:102:304]/", "https://[::ffff:102:304]", "[::ffff:102:304]", "/", 443, false},
      {"https://[::]/", "https://[::]", "[::]", "/", 443, false},
      {"https://[1::]/", "https://[1::]", "[1::]", "/", 443, false},
      {"https://[1:0:2:3:4:5:6:7]/", "https://[1:0:2:3:4:5:6:7]", "[1:0:2:3:4:5:6:7]", "/", 443, false},
      {"https://1a/...", "https://1a", "1a", "/...", 443, false},
      {"https://0x7g/a.%2f", "https://0x7g", "0x7g", "/a.%2f", 443, false},
  };
  for (size_t i = 0; i < COUNT(good); i++) {
    struct url u;
    assert_int_equal(url_read(span_text(good[i].text), &u), RESULT_OK);
    assert_true(span_is(u.origin, good[i].origin));
    assert_true(span_is(u.host, good[i].host));
    assert_true(span_is(u.target, good[i].target));
    assert_int_equal(u.port, good[i].port);
    assert_int_equal(u.plain, good[i].plain);
  }
}

static void test_refused(void **state) {
  (void)state;
  static const char *const bad[] = {
      "",
      "https",
      "https:",
      "https://",
      "https:///",
      "https:a.example/",
      "https:/a.example/",
      "//a.example/",
      "ftp://a.example/",
      "file:///etc/passwd",
      "HTTPS://a.example/",
      "javascript:1",
      "https ://a.example/",
      /* user information, and what only looks like a host */
      "https://user@a.example/",
      "https://a.example:pw@b.example/",
      "https://@a.example/",
      "https://a.example\\@b/",
      "https://a.example#@b.example/",
      "https://a.example?@b.example/",
      "https://a.example%2f@b.example/",
      "https://a.example%00.b.example/",
      "https://a.example;b/",
      "https://a.example,b/",
      "https://*/",
      /* hosts */
      "https://A.example/",
      "https://a.example./",
      "https://.a.example/",
      "https://a..example/",
      "https://./",
      "https://b\xc3\xbc.example/",
      "https://a example/",
      "https://a\texample/",
      /* numbers that are read as addresses */
      "https://127.1/",
      "https://2130706433/",
      "https://0x7f000001/",
      "https://0x7f.0.0.1/",
      "https://0177.0.0.1/",
      "https://127.0.0.01/",
      "https://256.0.0.1/",
      "https://1.2.3.4.5/",
      "https://127.0.0.0x1/",
      "https://a.0x/",
      "https://a.example.7/",
      "https://0x/",
      "https://127.0.0.1./",
      /* IPv6 in another form than the one */
      "https://[::1/",
      "https://[]/",
      "https://[::1]a/",
      "https://::1/",
      "https://[::0001]/",
      "https://[0:0::1]/",
      "https://[::FFFF:1]/",
      "https://[::ffff:1.2.3.4]/",
      "https://[fe80::1%25eth0]/",
      "https://[::1%lo]/",
      "https://[1:2:3:4:5:6:7:8:9]/",
      "https://[1::2::3]/",
      "https://[1:2:3::5:6:7:8]/",
      "https://[::1]]/",
      "https://[2001:db8:0:0:1::1]/",
      /* ports */
      "https://a.example:/",
      "https://a.example:443/",
      "http://a.example:80/",
      "https://a.example:0/",
      "https://a.example:65536/",
      "https://a.example:080/",
      "https://a.example:8x/",
      "https://a.example:-1/",
      "https://a.example:99999999999999999999/",
      "https://a.example:8443",
      "https://a.example:8443?a",
      /* targets */
      "https://a.example",
      "https://a.example?a",
      "https://a.example/#",
      "https://a.example/a#b",
      "https://a.example/\\",
      "https://a.example/a b",
      "https://a.example/?a b",
      "https://a.example/\r\nx:1",
      "https://a.example/\x7f",
      "https://a.example/\xc3\xbc",
      "https://a.example/.",
      "https://a.example/..",
      "https://a.example/../",
      "https://a.example/a/./b",
      "https://a.example/a/%2e%2E/b",
      "https://a.example/.%2e",
      "https://a.example/%2e?a",
  };
  for (size_t i = 0; i < COUNT(bad); i++)
    if (reads(bad[i]) != RESULT_FETCH_INVALID) fail_msg("%s was read", bad[i]);
}

static void test_nul(void **state) {
  (void)state;
  static const char *const texts[] = {"https://a.example/", "https://[::1]/", "https://192.0.2.1:81/"};
  for (size_t i = 0; i < COUNT(texts); i++) {
    const size_t len = strlen(texts[i]);
    for (size_t at = 0; at <= len; at++) { /* a zero byte in every place */
      char text[64];
      struct url u;
      memcpy(text, texts[i], at);
      text[at] = 0;
      memcpy(text + at + 1, texts[i] + at, len - at);
      assert_int_equal(url_read(span_of(text, len + 1), &u), RESULT_FETCH_INVALID);
    }
  }
}

static void test_longest(void **state) {
  (void)state;
  struct buf b = buf_new(URL_MAX + 1);
  struct url u;
  buf_put_text(&b, "https://a.example/");
  while (b.len < URL_MAX) buf_put_u8(&b, 'a');
  assert_int_equal(url_read(buf_span(&b), &u), RESULT_OK);
  buf_put_u8(&b, 'a');
  assert_int_equal(url_read(buf_span(&b), &u), RESULT_FETCH_INVALID);
  buf_free(&b);
}

static void test_tidy(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"HTTPS://A.Example:443/Path?Q=A", "https://a.example/Path?Q=A"},
      {"http://A.example:80", "http://a.example"},
      {"http://a.example:443/", "http://a.example:443/"},
      {"https://[2001:DB8::1]:443/", "https://[2001:db8::1]/"},
      {"https://a.example?A:443", "https://a.example?A:443"},
      {"https://user:443@A.example/", "https://user:443@a.example/"},
      {"nothing", "nothing"},
      {"", ""},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct buf b = buf_new(256);
    url_tidy(span_text(rows[i][0]), &b);
    assert_true(span_is(buf_span(&b), rows[i][1]));
    buf_free(&b);
  }
}

static void test_origin(void **state) {
  (void)state;
  struct url a, b;
  static const struct {
    const char *a, *b;
    bool same;
  } rows[] = {{"https://a.example/1", "https://a.example/2?3", true},
              {"https://a.example/", "http://a.example/", false},
              {"https://a.example/", "https://a.example:8443/", false},
              {"https://a.example/", "https://b.a.example/", false}};
  for (size_t i = 0; i < COUNT(rows); i++) {
    assert_int_equal(url_read(span_text(rows[i].a), &a), RESULT_OK);
    assert_int_equal(url_read(span_text(rows[i].b), &b), RESULT_OK);
    assert_int_equal(url_same_origin(&a, &b), rows[i].same);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_parts), cmocka_unit_test(test_refused),
                                     cmocka_unit_test(test_nul),   cmocka_unit_test(test_longest),
                                     cmocka_unit_test(test_tidy),  cmocka_unit_test(test_origin)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
