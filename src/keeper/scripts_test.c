#include "keeper/scripts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/text.h"
#include "egress_stage.h"
#include "keeper/documents.h"
#include "keeper/manifest.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define SCRIPT_MAX 102400u

struct answer {
  unsigned count;
  enum result result;
  struct buf detail, script, entry;
};

struct stage {
  struct egress_stage egress;
  struct scripts *scripts;
  struct answer answers[8];
};

static void on_answer(void *context, enum result result, struct span detail, struct span script, struct span entry) {
  struct answer *a = context;
  a->count++;
  a->result = result;
  buf_clear(&a->detail);
  buf_clear(&a->script);
  buf_clear(&a->entry);
  buf_put_span(&a->detail, detail);
  buf_put_span(&a->script, script);
  buf_put_span(&a->entry, entry);
  assert_int_equal(result == RESULT_OK, detail.len == 0);
}

static void open_at(struct stage *s, const char *base) {
  memset(s, 0, sizeof *s);
  for (size_t i = 0; i < COUNT(s->answers); i++)
    s->answers[i] = (struct answer){.detail = buf_new(4096), .script = buf_new(1u << 20), .entry = buf_new(4096)};
  egress_stage_open(&s->egress, true);
  assert_int_equal(scripts_new(s->egress.base, s->egress.outlet, base, &s->scripts), RESULT_OK);
}

static void open_usual(struct stage *s) {
  open_at(s, "https://store.example/base/");
}

static void close_stage(struct stage *s) {
  scripts_free(s->scripts);
  egress_stage_close(&s->egress);
  for (size_t i = 0; i < COUNT(s->answers); i++) {
    buf_free(&s->answers[i].detail);
    buf_free(&s->answers[i].script);
    buf_free(&s->answers[i].entry);
  }
  assert_int_equal(s->egress.broken, 0);
}

static uint64_t ask(struct stage *s, unsigned number, const char *app, const char *name) {
  uint64_t ticket = 0;
  struct answer *a = &s->answers[number];
  a->count = 0;
  assert_int_equal(scripts_ask(s->scripts, span_text(app), span_text(name), on_answer, a, &ticket), RESULT_OK);
  assert_int_equal(a->count, 0);
  egress_stage_turn(&s->egress);
  return ticket;
}

/* ---- the store ---- */

static bool has_header(struct span headers, const char *wanted, const char *value) {
  struct cursor c = cursor_of(headers);
  struct span name, is;
  while (c.rest.len > 0) {
    assert_true(wire_get_header(&c, &name, &is));
    if (span_is(name, wanted)) return span_is(is, value);
  }
  return false;
}

static struct wire_request hear(struct stage *s, const char *target) {
  const struct wire_request m = egress_stage_request(&s->egress);
  if (!span_is(m.target, target)) fail_msg("asked for %.*s", (int)m.target.len, (const char *)m.target.data);
  return m;
}

static void say(struct stage *s, uint64_t ticket, uint32_t status, const char *const *headers, struct span body) {
  struct buf list = buf_new(4096);
  for (size_t i = 0; headers != NULL && headers[i] != NULL; i += 2)
    wire_put_header(&list, span_text(headers[i]), span_text(headers[i + 1]));
  egress_stage_answer(&s->egress, &(struct wire_response){
                                      .ticket = ticket, .status = status, .headers = buf_span(&list), .body = body});
  buf_free(&list);
}

static void serve(struct stage *s, const char *target, const char *body) {
  say(s, hear(s, target).ticket, 200, NULL, span_text(body));
}

#define MANIFEST_URL "/base/apps/app/manifest.json"
#define SCRIPT "function main() { return 1; }"
static const char manifest[] =
    "{\"name\":\"x\",\"tee_scripts\":{"
    "\"hello\":{\"file\":\"js/hello.js\",\"entry_point\":\"go\",\"description\":\"d\"},"
    "\"bare\":{\"file\":\"bare.js\"}}}";

/* ---- tests ---- */

static void test_found(void **state) {
  (void)state;
  struct stage s;
  open_usual(&s);
  ask(&s, 0, "app", "hello");
  struct wire_request m = hear(&s, MANIFEST_URL);
  static const uint8_t zeros[32];
  assert_memory_equal(m.pool, zeros, sizeof zeros);
  assert_int_equal(m.flags, WIRE_REQUEST_OPERATOR);
  assert_int_equal(m.port, 443);
  assert_true(span_is(m.host, "store.example"));
  assert_true(span_is(m.method, "GET"));
  assert_int_equal(m.response_max, MANIFEST_MAX);
  assert_true(m.timeout_ms > 0 && m.timeout_ms <= DOCUMENTS_TIMEOUT_MS);
  say(&s, m.ticket, 200, NULL, span_text(manifest));
  m = hear(&s, "/base/apps/app/js/hello.js");
  assert_int_equal(m.response_max, SCRIPT_MAX);
  say(&s, m.ticket, 200, NULL, span_text(SCRIPT));
  assert_int_equal(s.answers[0].count, 1);
  assert_int_equal(s.answers[0].result, RESULT_OK);
  assert_true(span_is(buf_span(&s.answers[0].script), SCRIPT));
  assert_true(span_is(buf_span(&s.answers[0].entry), "go"));
  ask(&s, 1, "app", "bare");
  serve(&s, MANIFEST_URL, manifest);
  serve(&s, "/base/apps/app/bare.js", "");
  assert_int_equal(s.answers[1].result, RESULT_OK);
  assert_int_equal(s.answers[1].entry.len + s.answers[1].script.len, 0);
  close_stage(&s);
}

static void test_base_urls(void **state) {
  (void)state;
  static const char *const bad[] = {
      "store.example",           "ftp://store.example",   "https://u@store.example/", "https://store.example/?",
      "https://store.example/#", "https://STORE.example", "https://127.1/",           "/"};
  static const char *const good[][2] = {{"https://store.example", "/apps/app/manifest.json"},
                                        {"https://store.example/", "/apps/app/manifest.json"},
                                        {"http://10.0.0.1:8080/a/b", "/a/b/apps/app/manifest.json"}};
  struct egress_stage e;
  struct scripts *none = NULL;
  egress_stage_open(&e, true);
  for (size_t i = 0; i < COUNT(bad); i++)
    assert_int_equal(scripts_new(e.base, e.outlet, bad[i], &none), RESULT_CONFIG_INVALID);
  egress_stage_close(&e);
  for (size_t i = 0; i < COUNT(good); i++) {
    struct stage s;
    open_at(&s, good[i][0]);
    ask(&s, 0, "app", "hello");
    const struct wire_request m = hear(&s, good[i][1]);
    assert_int_equal(m.flags & WIRE_REQUEST_PLAIN, good[i][0][4] == 's' ? 0 : WIRE_REQUEST_PLAIN);
    close_stage(&s);
  }
}

static void test_no_base_url(void **state) {
  (void)state;
  struct stage s;
  open_at(&s, "");
  ask(&s, 0, "app", "hello");
  assert_int_equal(s.answers[0].count, 1);
  assert_int_equal(s.answers[0].result, RESULT_SCRIPT_STORE_UNAVAILABLE);
  assert_true(egress_stage_quiet(&s.egress));
  close_stage(&s);
}

static void test_names(void **state) {
  (void)state;
  static const char *const bad[] = {"", ".", "..", "a/b", "../a", "a b", "a%2e", "a?b", "a\\b", "\xc3\xa9", "a#"};
  static char long_name[130];
  struct stage s;
  open_usual(&s);
  for (size_t i = 0; i < COUNT(bad); i++) {
    ask(&s, 0, bad[i], "hello");
    ask(&s, 1, "app", bad[i]);
    for (int n = 0; n < 2; n++) {
      assert_int_equal(s.answers[n].count, 1);
      assert_int_equal(s.answers[n].result, RESULT_SCRIPT_NOT_FOUND);
    }
  }
  memset(long_name, 'a', 129);
  ask(&s, 0, long_name, "hello");
  assert_int_equal(s.answers[0].result, RESULT_SCRIPT_NOT_FOUND);
  assert_true(egress_stage_quiet(&s.egress));
  long_name[128] = 0;
  ask(&s, 0, long_name, "..."); /* the twins */
  assert_int_equal(s.answers[0].count, 0);
  assert_false(egress_stage_quiet(&s.egress));
  close_stage(&s);
}

static enum result with_manifest(const char *text) {
  struct stage s;
  open_usual(&s);
  ask(&s, 0, "app", "hello");
  serve(&s, MANIFEST_URL, text);
  const enum result r = s.answers[0].count == 0 ? RESULT_OK : s.answers[0].result;
  if (r != RESULT_OK) assert_true(egress_stage_quiet(&s.egress)); /* nothing else is asked for */
  if (r != RESULT_OK) assert_non_null(memmem(s.answers[0].detail.data, s.answers[0].detail.len, "app/hello: ", 11));
  close_stage(&s);
  return r;
}

static void test_manifests(void **state) {
  (void)state;
  static const char *const none[] = {"{}", "{\"tee_scripts\":{}}", "{\"tee_scripts\":{\"Hello\":{\"file\":\"a\"}}}",
                                     "{\"hello\":{\"file\":\"a\"}}"};
  static const char *const bad[] = {
      "",
      "<!doctype html><title>Welcome</title>",
      "[]",
      "null",
      "{\"tee_scripts\":[]}",
      "{\"tee_scripts\":{\"hello\":\"a.js\"}}",
      "{\"tee_scripts\":{\"hello\":{}}}",
      "{\"tee_scripts\":{\"hello\":{\"file\":1}}}",
      "{\"tee_scripts\":{\"hello\":{\"file\":\"a\",\"file\":\"b\"}}}",
      "{\"tee_scripts\":{\"hello\":{\"file\":\"a\"},\"hello\":{\"file\":\"b\"}}}",
      "{\"tee_scripts\":{\"hello\":{\"file\":\"a\"}}} x",
      "{\"tee_scripts\":{\"hello\":{\"file\":\"a\",\"entry_point\":1}}}",
      "{\"tee_scripts\":{\"hello\":{\"file\":\"a\",\"sha256\":\"00\"}}}",
      "{\"tee_scripts\":{\"hello\":{\"file\":\"a\",\"sha256\":null}}}",
      "{\"tee_scripts\":{\"hello\":{\"file\":\"a\\u0000b\"}}}",
      "\xff",
  };
  static const char *const files[] = {"",
                                      "/a",
                                      "a/",
                                      "a//b",
                                      "../a",
                                      "a/../b",
                                      "a/..",
                                      ".",
                                      "./a",
                                      "a?b",
                                      "a#b",
                                      "a b",
                                      "a%2fb",
                                      "a\\\\b",
                                      "https://b.example/a",
                                      "//b.example/a",
                                      "a:b"};
  for (size_t i = 0; i < COUNT(none); i++) assert_int_equal(with_manifest(none[i]), RESULT_SCRIPT_NOT_FOUND);
  for (size_t i = 0; i < COUNT(bad); i++) assert_int_equal(with_manifest(bad[i]), RESULT_SCRIPT_STORE_INVALID);
  for (size_t i = 0; i < COUNT(files); i++) {
    char text[256];
    snprintf(text, sizeof text, "{\"tee_scripts\":{\"hello\":{\"file\":\"%s\"}}}", files[i]);
    if (with_manifest(text) != RESULT_SCRIPT_STORE_INVALID) fail_msg("file %s", files[i]);
  }
  assert_int_equal(with_manifest("{\"tee_scripts\":{\"hello\":{\"file\":\"a/b_C-1/..x\"}}}"), RESULT_OK);
  /* What another entry says is its own affair. */
  assert_int_equal(with_manifest("{\"tee_scripts\":{\"hello\":{\"file\":\"a\"},\"b\":{\"file\":\"../c\"}}}"),
                   RESULT_OK);
}

static void test_another_apps_entry(void **state) {
  (void)state;
  struct stage s;
  open_usual(&s);
  ask(&s, 0, "app", "hello");
  serve(&s, MANIFEST_URL, manifest);
  serve(&s, "/base/apps/app/js/hello.js", SCRIPT);
  ask(&s, 1, "other", "hello");
  serve(&s, "/base/apps/other/manifest.json", "{\"tee_scripts\":{\"mine\":{\"file\":\"a.js\"}}}");
  assert_int_equal(s.answers[1].result, RESULT_SCRIPT_NOT_FOUND);
  assert_true(egress_stage_quiet(&s.egress));
  close_stage(&s);
}

/* How the file comes; the answer. */
static enum result with_file(uint32_t status, const char *const *headers, struct span body) {
  struct stage s;
  open_usual(&s);
  ask(&s, 0, "app", "hello");
  serve(&s, MANIFEST_URL, manifest);
  say(&s, hear(&s, "/base/apps/app/js/hello.js").ticket, status, headers, body);
  assert_int_equal(s.answers[0].count, 1);
  assert_int_equal(s.answers[0].result == RESULT_OK, s.answers[0].script.len > 0);
  const enum result r = s.answers[0].result;
  close_stage(&s);
  return r;
}

static void test_files(void **state) {
  (void)state;
  static const char *const html[] = {"content-type", "Text/HTML; charset=utf-8", NULL};
  static const char *const xhtml[] = {"content-type", "application/xhtml+xml", NULL};
  static const char *const js[] = {"content-type", "text/javascript", NULL};
  const struct span script = span_text(SCRIPT);
  assert_int_equal(with_file(200, js, script), RESULT_OK);
  assert_int_equal(with_file(200, html, script), RESULT_SCRIPT_STORE_INVALID);
  assert_int_equal(with_file(200, xhtml, script), RESULT_SCRIPT_STORE_INVALID);
  assert_int_equal(with_file(200, NULL, span_text("\xff")), RESULT_SCRIPT_INVALID);
  assert_int_equal(with_file(404, html, script), RESULT_SCRIPT_NOT_FOUND);
  assert_int_equal(with_file(304, NULL, script), RESULT_SCRIPT_STORE_INVALID); /* to no condition of ours */
  static const uint32_t others[] = {201, 204, 206, 301, 302, 401, 403, 410};
  for (size_t i = 0; i < COUNT(others); i++)
    assert_int_equal(with_file(others[i], NULL, script), RESULT_SCRIPT_STORE_UNAVAILABLE);
}

static void test_sizes(void **state) {
  (void)state;
  static const enum result results[] = {RESULT_SCRIPT_STORE_INVALID, RESULT_SCRIPT_TOO_LARGE};
  for (int file = 0; file < 2; file++) {
    struct stage s;
    open_usual(&s);
    ask(&s, 0, "app", "hello");
    if (file) serve(&s, MANIFEST_URL, manifest);
    const struct wire_request m = egress_stage_request(&s.egress);
    egress_stage_answer(&s.egress, &(struct wire_response){.ticket = m.ticket, .result = RESULT_FETCH_RESPONSE});
    assert_int_equal(s.answers[0].result, results[file]);
    close_stage(&s);
  }
}

/* A manifest may name itself as a script, which has less room. */
static void test_manifest_as_script(void **state) {
  (void)state;
  for (size_t more = 0; more < 2; more++) {
    struct stage s;
    struct buf text = buf_new(MANIFEST_MAX);
    buf_put_text(&text, "{\"tee_scripts\":{\"hello\":{\"file\":\"manifest.json\"}}}");
    while (text.len < SCRIPT_MAX + more) buf_put_u8(&text, ' ');
    open_usual(&s);
    ask(&s, 0, "app", "hello");
    for (int i = 0; i < 2; i++) say(&s, hear(&s, MANIFEST_URL).ticket, 200, NULL, buf_span(&text));
    assert_int_equal(s.answers[0].result, more ? RESULT_SCRIPT_TOO_LARGE : RESULT_OK);
    buf_free(&text);
    close_stage(&s);
  }
}

static void test_pin(void **state) {
  (void)state;
  static const char *const contents[] = {SCRIPT, SCRIPT " "};
  uint8_t hash[DIGEST_SIZE];
  digest_sha256(span_text(SCRIPT), hash);
  struct buf text = buf_new(4096);
  buf_put_text(&text, "{\"tee_scripts\":{\"hello\":{\"file\":\"a.js\",\"sha256\":\"");
  text_put_hex(&text, span_of(hash, sizeof hash));
  buf_put_text(&text, "\"}}}");
  for (size_t i = 0; i < COUNT(contents); i++) {
    struct stage s;
    open_usual(&s);
    ask(&s, 0, "app", "hello");
    say(&s, hear(&s, MANIFEST_URL).ticket, 200, NULL, buf_span(&text));
    serve(&s, "/base/apps/app/a.js", contents[i]);
    assert_int_equal(s.answers[0].result, i == 0 ? RESULT_OK : RESULT_SCRIPT_CHANGED);
    close_stage(&s);
  }
  buf_free(&text);
}

static void test_validators(void **state) {
  (void)state;
  static const char *const first[] = {"ETag", "\"1\"", "last-modified", "Mon, 23 Nov 2026 10:00:00 GMT", NULL};
  static const char *const second[] = {"etag", "W/\"2\"", NULL};
  static const char *const broken[] = {"etag", "\"\x01\"", "last-modified", "Mon, 23 Nov 2026 10:00:00 GMT", NULL};
  const char *const file = "/base/apps/app/js/hello.js";
  struct stage s;
  open_usual(&s);
  ask(&s, 0, "app", "hello");
  struct wire_request m = hear(&s, MANIFEST_URL);
  assert_false(has_header(m.headers, "if-none-match", "\"1\""));
  say(&s, m.ticket, 200, first, span_text(manifest));
  serve(&s, file, SCRIPT);
  /* Again: the manifest stands, the file has no validator. */
  ask(&s, 1, "app", "hello");
  m = hear(&s, MANIFEST_URL);
  assert_true(has_header(m.headers, "if-none-match", "\"1\""));
  assert_true(has_header(m.headers, "if-modified-since", "Mon, 23 Nov 2026 10:00:00 GMT"));
  say(&s, m.ticket, 304, NULL, span_text(""));
  m = hear(&s, file);
  assert_false(has_header(m.headers, "if-none-match", "\"1\""));
  say(&s, m.ticket, 200, second, span_text("changed"));
  assert_true(span_is(buf_span(&s.answers[1].script), "changed"));
  /* Again: the file stands, the manifest changed. */
  ask(&s, 2, "app", "hello");
  say(&s, hear(&s, MANIFEST_URL).ticket, 200, broken, span_text(manifest));
  m = hear(&s, file);
  assert_true(has_header(m.headers, "if-none-match", "W/\"2\""));
  assert_false(has_header(m.headers, "if-modified-since", "Mon, 23 Nov 2026 10:00:00 GMT"));
  say(&s, m.ticket, 304, NULL, span_text(""));
  assert_int_equal(s.answers[2].result, RESULT_OK);
  assert_true(span_is(buf_span(&s.answers[2].script), "changed"));
  /* Again: both are gone, and what was kept is not handed out. */
  ask(&s, 3, "app", "hello");
  m = hear(&s, MANIFEST_URL);
  assert_false(has_header(m.headers, "if-none-match", "\"\x01\""));
  say(&s, m.ticket, 404, NULL, span_text(""));
  assert_int_equal(s.answers[3].result, RESULT_SCRIPT_NOT_FOUND);
  ask(&s, 4, "app", "hello");
  scripts_forget(s.scripts, ask(&s, 5, "app", "hello"));
  m = hear(&s, MANIFEST_URL);
  assert_false(has_header(m.headers, "if-modified-since", "Mon, 23 Nov 2026 10:00:00 GMT"));
  say(&s, m.ticket, 304, NULL, span_text("")); /* nor brought back to life */
  assert_int_equal(s.answers[4].result, RESULT_SCRIPT_STORE_INVALID);
  close_stage(&s);
}

static void test_fresh(void **state) {
  (void)state;
  static const struct {
    const char *control;
    bool fresh;
  } rows[] = {{"max-age=3600", true},          {"public, max-age=30", true},   {"max-age=0", false}, {"public", false},
              {"no-cache, max-age=30", false}, {"max-age=30,no-store", false}, {"max-age=x", false}, {"", false}};
  for (size_t i = 0; i < COUNT(rows); i++) {
    const char *const headers[] = {"cache-control", rows[i].control, NULL};
    struct stage s;
    open_usual(&s);
    ask(&s, 0, "app", "hello");
    say(&s, hear(&s, MANIFEST_URL).ticket, 200, headers, span_text(manifest));
    say(&s, hear(&s, "/base/apps/app/js/hello.js").ticket, 200, headers, span_text(SCRIPT));
    ask(&s, 1, "app", "hello");
    assert_int_equal(s.answers[1].count, rows[i].fresh);
    assert_int_equal(egress_stage_quiet(&s.egress), rows[i].fresh);
    if (rows[i].fresh) assert_true(span_is(buf_span(&s.answers[1].script), SCRIPT));
    close_stage(&s);
  }
}

static void test_shared(void **state) {
  (void)state;
  struct stage s;
  open_usual(&s);
  for (unsigned i = 0; i < 4; i++) ask(&s, i, "app", i == 3 ? "bare" : "hello");
  serve(&s, MANIFEST_URL, manifest); /* one for all */
  const struct wire_request one = egress_stage_request(&s.egress);
  const bool bare_first = span_is(one.target, "/base/apps/app/bare.js");
  say(&s, one.ticket, 200, NULL, span_text(bare_first ? "bare" : SCRIPT));
  const struct wire_request two = egress_stage_request(&s.egress);
  say(&s, two.ticket, 200, NULL, span_text(bare_first ? SCRIPT : "bare"));
  assert_true(egress_stage_quiet(&s.egress));
  for (unsigned i = 0; i < 4; i++) {
    assert_int_equal(s.answers[i].count, 1);
    assert_true(span_is(buf_span(&s.answers[i].script), i == 3 ? "bare" : SCRIPT));
  }
  close_stage(&s);
}

static void test_forgotten(void **state) {
  (void)state;
  struct stage s;
  open_usual(&s);
  const uint64_t first = ask(&s, 0, "app", "hello");
  ask(&s, 1, "app", "hello");
  scripts_forget(s.scripts, first);
  scripts_forget(s.scripts, first);
  serve(&s, MANIFEST_URL, manifest);
  serve(&s, "/base/apps/app/js/hello.js", SCRIPT);
  assert_int_equal(s.answers[0].count, 0);
  assert_int_equal(s.answers[1].count, 1);
  /* The last one who waits takes the exchange along. */
  scripts_forget(s.scripts, ask(&s, 2, "new", "hello"));
  hear(&s, "/base/apps/new/manifest.json");
  egress_stage_turn(&s.egress);
  egress_stage_hear(&s.egress, WIRE_FORGET);
  uint64_t refused = 0; /* before it hears */
  assert_int_equal(scripts_ask(s.scripts, span_text(".."), span_text("a"), on_answer, &s.answers[3], &refused),
                   RESULT_OK);
  scripts_forget(s.scripts, refused);
  egress_stage_turn(&s.egress);
  assert_int_equal(s.answers[2].count + s.answers[3].count, 0);
  close_stage(&s);
}

static void test_second_try(void **state) {
  (void)state;
  static const struct wire_response first[] = {
      {.result = RESULT_FETCH_FAILED}, {.status = 503}, {.status = 429}, {.result = RESULT_FETCH_TIMEOUT}};
  for (size_t i = 0; i < COUNT(first); i++) {
    struct stage s;
    open_usual(&s);
    ask(&s, 0, "app", "hello");
    struct wire_response m = first[i];
    m.ticket = hear(&s, MANIFEST_URL).ticket;
    egress_stage_answer(&s.egress, &m);
    assert_int_equal(s.answers[0].count, 0);
    m.ticket = hear(&s, MANIFEST_URL).ticket; /* once more, and no more */
    egress_stage_answer(&s.egress, &m);
    assert_int_equal(s.answers[0].count, 1);
    assert_int_equal(s.answers[0].result, RESULT_SCRIPT_STORE_UNAVAILABLE);
    close_stage(&s);
  }
}

static void test_second_try_helps(void **state) {
  (void)state;
  struct stage s;
  open_usual(&s);
  ask(&s, 0, "app", "hello");
  hear(&s, MANIFEST_URL);
  egress_stage_connect(&s.egress); /* egress was started again */
  egress_stage_turn(&s.egress);
  serve(&s, MANIFEST_URL, manifest);
  serve(&s, "/base/apps/app/js/hello.js", SCRIPT);
  assert_int_equal(s.answers[0].result, RESULT_OK);
  close_stage(&s);
}

/* No second try for what will not be better. */
static void test_no_second_try(void **state) {
  (void)state;
  static const enum result results[] = {RESULT_FETCH_TLS, RESULT_FETCH_ADDRESS, RESULT_FETCH_HEADERS};
  for (size_t i = 0; i < COUNT(results); i++) {
    struct stage s;
    open_usual(&s);
    ask(&s, 0, "app", "hello");
    egress_stage_answer(&s.egress,
                        &(struct wire_response){.ticket = hear(&s, MANIFEST_URL).ticket, .result = results[i]});
    assert_int_equal(s.answers[0].count, 1);
    assert_int_equal(s.answers[0].result, RESULT_SCRIPT_STORE_UNAVAILABLE);
    close_stage(&s);
  }
}

/* What is kept is not handed out while the store does not answer. */
static void test_kept_and_away(void **state) {
  (void)state;
  struct stage s;
  open_usual(&s);
  ask(&s, 0, "app", "hello");
  serve(&s, MANIFEST_URL, manifest);
  serve(&s, "/base/apps/app/js/hello.js", SCRIPT);
  ask(&s, 1, "app", "hello");
  egress_stage_answer(&s.egress,
                      &(struct wire_response){.ticket = hear(&s, MANIFEST_URL).ticket, .result = RESULT_FETCH_TLS});
  assert_int_equal(s.answers[1].result, RESULT_SCRIPT_STORE_UNAVAILABLE);
  close_stage(&s);
}

/* ---- how much is kept ---- */

static void on_document(void *context, enum result result, struct span body) {
  (void)body;
  assert_int_equal(result, RESULT_OK);
  ++*(unsigned *)context;
}

static void test_bounds(void **state) {
  (void)state;
  static char body[SCRIPT_MAX];
  static const char *const fresh[] = {"cache-control", "max-age=60", NULL};
  struct stage s;
  struct documents *d;
  struct document_wait *wait;
  open_usual(&s);
  assert_int_equal(documents_new(s.egress.base, s.egress.outlet, "https://store.example", &d), RESULT_OK);
  for (unsigned large = 0; large < 2; large++) {
    const size_t size = large ? sizeof body : 0;
    for (unsigned i = 0; i < 100; i++) {
      char path[32];
      unsigned heard = 0;
      snprintf(path, sizeof path, "/%u/%u", large, i);
      assert_int_equal(documents_want(d, span_text(path), SCRIPT_MAX, on_document, &heard, &wait), RESULT_OK);
      say(&s, hear(&s, path).ticket, 200, fresh, span_of(body, size));
      assert_int_equal(heard, 1);
    }
    const size_t expected = large ? DOCUMENTS_BYTES / sizeof body : DOCUMENTS_MAX;
    assert_true(documents_count(d) <= DOCUMENTS_MAX);
    assert_true(documents_count(d) >= (expected < DOCUMENTS_MAX ? expected : DOCUMENTS_MAX));
  }
  /* The newest are kept. */
  unsigned heard = 0;
  assert_int_equal(documents_want(d, span_text("/1/99"), SCRIPT_MAX, on_document, &heard, &wait), RESULT_OK);
  egress_stage_turn(&s.egress);
  assert_int_equal(heard, 1);
  assert_true(egress_stage_quiet(&s.egress));
  documents_free(d);
  close_stage(&s);
}

static void test_freed_while_asked(void **state) {
  (void)state;
  struct stage s;
  open_usual(&s);
  ask(&s, 0, "app", "hello");
  ask(&s, 1, "other", "hello");
  serve(&s, MANIFEST_URL, manifest);
  close_stage(&s);
  assert_int_equal(s.answers[0].count + s.answers[1].count, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_found),
      cmocka_unit_test(test_base_urls),
      cmocka_unit_test(test_no_base_url),
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_manifests),
      cmocka_unit_test(test_another_apps_entry),
      cmocka_unit_test(test_files),
      cmocka_unit_test(test_sizes),
      cmocka_unit_test(test_manifest_as_script),
      cmocka_unit_test(test_pin),
      cmocka_unit_test(test_validators),
      cmocka_unit_test(test_fresh),
      cmocka_unit_test(test_shared),
      cmocka_unit_test(test_forgotten),
      cmocka_unit_test(test_second_try),
      cmocka_unit_test(test_second_try_helps),
      cmocka_unit_test(test_no_second_try),
      cmocka_unit_test(test_kept_and_away),
      cmocka_unit_test(test_bounds),
      cmocka_unit_test(test_freed_while_asked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
