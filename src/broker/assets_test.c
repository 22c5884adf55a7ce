#include "broker/assets.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/digest.h"
#include "base/text.h"

static const struct asset *find(const char *path) {
  return assets_find(span_text(path));
}

static void test_the_contract_is_there(void **state) {
  (void)state;
  const struct asset *a = find("/openapi.json");
  assert_non_null(a);
  assert_string_equal(a->media_type, "application/json");
  json_t *api = json_loadb((const char *)a->bytes.data, a->bytes.len, JSON_REJECT_DUPLICATES, NULL);
  assert_string_equal(json_string_value(json_object_get(api, "openapi")), "3.1.0");
  assert_non_null(json_object_get(json_object_get(api, "paths"), "/execute"));
  json_decref(api);
}

static void test_the_page_is_there(void **state) {
  (void)state;
  const struct asset *a = find("/");
  assert_non_null(a);
  assert_ptr_equal(a, find("/index.html"));
  assert_string_equal(a->media_type, "text/html; charset=utf-8");
  assert_true(a->bytes.len > 15);
  assert_memory_equal(a->bytes.data, "<!doctype html>", 15);
  assert_non_null(strstr(a->policy, "frame-ancestors 'none'"));
  assert_null(strstr(a->policy, "unsafe"));
}

static void test_nothing_else_is(void **state) {
  (void)state;
  static const char *const paths[] = {"",
                                      "//",
                                      "/index",
                                      "/index.htm",
                                      "/index.html/",
                                      "/openapi.json?",
                                      "/../openapi.json",
                                      "/%6fpenapi.json",
                                      "openapi.json",
                                      "/.",
                                      "/Index.html"};
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) assert_null(find(paths[i]));
  assert_null(assets_find(span_of(NULL, 0)));
  assert_null(assets_find(span_of("/index.html\0", 12)));
}

/* The tags are of the bytes that were linked in. */
static void test_tags_are_of_the_bytes(void **state) {
  (void)state;
  size_t count = 0;
  for (const struct asset *a; (a = assets_at(count)) != NULL; count++) {
    uint8_t hash[DIGEST_SIZE];
    struct buf tag = buf_new(64);
    digest_sha256(a->bytes, hash);
    buf_put_text(&tag, "\"");
    text_put_hex(&tag, span_of(hash, 16));
    buf_put_text(&tag, "\"");
    assert_true(span_is(buf_span(&tag), a->etag));
    assert_ptr_equal(find(a->path), a);
    buf_free(&tag);
  }
  assert_true(count >= 2);
}

static bool unchanged(const struct asset *a, const char *format) {
  char value[256];
  struct buf b = buf_fixed(value, sizeof value);
  for (const char *at = format; *at != '\0'; at++) {
    if (*at == '$') {
      buf_put_text(&b, a->etag);
    } else {
      buf_put(&b, at, 1);
    }
  }
  assert_false(b.bad);
  return assets_unchanged(a, buf_span(&b));
}

/* `$` stands for the tag. */
static void test_if_none_match(void **state) {
  (void)state;
  static const char *const yes[] = {"$", "*", " * ", "W/$", "\"a\", $", "\"a\",$,\"b\"", " \t$\t", "\"x,y\", W/$"};
  static const char *const no[] = {"", ",", "\"a\"", "W/", "w/$", "$x", "x$", "*,", "\"*\"", "$ $"};
  const struct asset *a = find("/");
  for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
    if (!unchanged(a, yes[i])) fail_msg("%s", yes[i]);
  }
  for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
    if (unchanged(a, no[i])) fail_msg("%s", no[i]);
  }
  assert_false(assets_unchanged(a, span_of(NULL, 0)));
  assert_false(assets_unchanged(a, span_text(find("/openapi.json")->etag)));
}

static void test_fields(void **state) {
  (void)state;
  struct http_field fields[ASSETS_FIELDS];
  const struct asset *a = find("/openapi.json");
  assert_int_equal(assets_fields(a, fields), ASSETS_FIELDS);
  assert_true(span_is(fields[0].name, "content-type") && span_is(fields[0].value, a->media_type));
  assert_true(span_is(fields[1].name, "etag") && span_is(fields[1].value, a->etag));
  assert_true(span_is(fields[3].name, "content-security-policy") && span_is(fields[3].value, a->policy));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_contract_is_there), cmocka_unit_test(test_the_page_is_there),
      cmocka_unit_test(test_nothing_else_is),       cmocka_unit_test(test_tags_are_of_the_bytes),
      cmocka_unit_test(test_if_none_match),         cmocka_unit_test(test_fields),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
