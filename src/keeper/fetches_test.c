#include "keeper/fetches.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "crypto/hash.h"
#include "egress_stage.h"
#include "keeper/contacts.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define SECOND UINT64_C(1000000000)

/* ---- a job, its egress, and the answers that its worker gets ---- */

struct answer {
  unsigned count;
  enum result result;
  uint32_t status;
  bool redirected;
  struct buf error, url, headers, body;
};

struct stage {
  struct egress_stage egress;
  struct fetches *fetches;
  struct answer answers[64];
  unsigned total, free_at; /* free_at: the answer at which the job ends */
};

static void on_answer(void *context, const struct wire_fetched *m) {
  struct stage *s = context;
  assert_true(m->number < COUNT(s->answers));
  struct answer *a = &s->answers[m->number];
  a->count++;
  a->result = (enum result)m->result;
  a->status = m->status;
  a->redirected = m->redirected;
  buf_put_span(&a->error, m->error);
  buf_put_span(&a->url, m->url);
  buf_put_span(&a->headers, m->headers);
  buf_put_span(&a->body, m->body);
  if (++s->total == s->free_at) {
    fetches_free(s->fetches);
    s->fetches = NULL;
  }
}

static struct fetch_secret secret(const char *name, const char *hosts, const char *placeholder, const char *value) {
  return (struct fetch_secret){.name = span_text(name),
                               .hosts = span_text(hosts),
                               .placeholder = span_text(placeholder),
                               .value = span_text(value)};
}

#define KEY_PLACEHOLDER "secret-placeholder-0001"
#define KEY_VALUE "hunter2-hunter2"

struct terms {
  const char *operator_hosts, *hosts;
  bool allow_http;
  uint64_t left_ns;
};
static const struct terms usual = {"*.example", "", false, 60 * SECOND};

static void open_with(struct stage *s, const struct terms *terms) {
  const struct fetch_secret secrets[] = {
      secret("key", "a.example *.keys.example", KEY_PLACEHOLDER, KEY_VALUE),
      secret("long", "a.example", "secret-placeholder-0002", KEY_VALUE "-and-more"),
      secret("bad", "a.example", "secret-placeholder-0003", "line\r\nx-injected: 1"),
      secret("empty", "a.example", "secret-placeholder-0004", ""),
  };
  memset(s, 0, sizeof *s);
  for (size_t i = 0; i < COUNT(s->answers); i++)
    s->answers[i] = (struct answer){.error = buf_new(4096),
                                    .url = buf_new(URL_MAX),
                                    .headers = buf_new(65536),
                                    .body = buf_new(FETCHES_RESPONSE_MAX)};
  egress_stage_open(&s->egress, true);
  const struct fetches_setup setup = {.base = s->egress.base,
                                      .outlet = s->egress.outlet,
                                      .operator_hosts = span_text(terms->operator_hosts),
                                      .allow_http = terms->allow_http};
  const struct fetches_job job = {.user = {7, 8, 9},
                                  .hosts = span_text(terms->hosts),
                                  .secrets = secrets,
                                  .secret_count = COUNT(secrets),
                                  .deadline_ns = clock_monotonic_ns() + terms->left_ns,
                                  .answer = on_answer,
                                  .context = s};
  assert_int_equal(fetches_new(&setup, &job, &s->fetches), RESULT_OK);
}

static void open_usual(struct stage *s) {
  open_with(s, &usual);
}

static void close_stage(struct stage *s) {
  fetches_free(s->fetches);
  egress_stage_close(&s->egress);
  for (size_t i = 0; i < COUNT(s->answers); i++) {
    struct answer *a = &s->answers[i];
    assert_true(a->count <= 1);
    buf_free(&a->error);
    buf_free(&a->url);
    buf_free(&a->headers);
    buf_free(&a->body);
  }
  assert_int_equal(s->egress.broken, 0);
}

/* ---- words of the tests ---- */

struct ask {
  uint32_t number, redirect;
  const char *method, *url;
  const char *headers[8]; /* name, value, … */
  const char *body;
};

static void put_headers(struct buf *b, const char *const *headers) {
  for (size_t i = 0; i < 8 && headers[i] != NULL; i += 2)
    wire_put_header(b, span_text(headers[i]), span_text(headers[i + 1]));
}

static void ask(struct stage *s, const struct ask *a) {
  struct buf headers = buf_new(65536);
  put_headers(&headers, a->headers);
  const struct wire_fetch m = {.number = a->number,
                               .redirect = (uint8_t)a->redirect,
                               .method = span_text(a->method == NULL ? "GET" : a->method),
                               .url = span_text(a->url == NULL ? "https://a.example/" : a->url),
                               .headers = buf_span(&headers),
                               .body = span_text(a->body == NULL ? "" : a->body)};
  assert_int_equal(fetches_ask(s->fetches, &m), RESULT_OK);
  buf_free(&headers);
  egress_stage_turn(&s->egress);
}

/* A header's value in a list; NULL data if it is not there. */
static struct span header(struct span headers, const char *wanted) {
  struct cursor c = cursor_of(headers);
  struct span name, value;
  while (c.rest.len > 0) {
    assert_true(wire_get_header(&c, &name, &value));
    if (span_is(name, wanted)) return value;
  }
  return span_of(NULL, 0);
}

static bool has_header(struct span headers, const char *wanted) {
  return header(headers, wanted).data != NULL;
}

static struct wire_request hear(struct stage *s) {
  return egress_stage_request(&s->egress);
}

static void say(struct stage *s, uint64_t ticket, uint32_t status, const char *location, const char *body) {
  egress_stage_answer(
      &s->egress, &(struct wire_response){
                      .ticket = ticket, .status = status, .location = span_text(location), .body = span_text(body)});
}

static bool contains(const struct buf *b, const char *text) {
  return memmem(b->data, b->len, text, strlen(text)) != NULL;
}

/* The ask ends with this, and egress hears nothing of it. */
static void refused(const struct terms *terms, const struct ask *a, enum result result) {
  struct stage s;
  open_with(&s, terms);
  ask(&s, a);
  if (s.answers[a->number].result != result)
    fail_msg("%s %s: %s", a->method, a->url, result_name(s.answers[a->number].result));
  assert_int_equal(s.answers[a->number].count, 1);
  assert_true(s.answers[a->number].error.len > 0);
  assert_true(egress_stage_quiet(&s.egress));
  struct buf b = buf_new(1024);
  assert_false(fetches_put_summary(s.fetches, &b));
  assert_int_equal(b.len, 0);
  close_stage(&s);
}

/* The twin: it is sent. */
static void sent(const struct terms *terms, const struct ask *a) {
  struct stage s;
  open_with(&s, terms);
  ask(&s, a);
  if (s.answers[a->number].count != 0) fail_msg("%s: %s", a->url, result_name(s.answers[a->number].result));
  const struct wire_request m = hear(&s);
  assert_true(m.ticket != 0);
  close_stage(&s);
}

/* ---- what may be asked ---- */

static void test_exchange(void **state) {
  (void)state;
  struct stage s;
  open_usual(&s);
  ask(&s, &(struct ask){.number = 5,
                        .method = "POST",
                        .url = "https://a.example:8443/p?q",
                        .headers = {"x-a", "1", "content-length", "9", "connection", "close", "x-a", "2"},
                        .body = "hello"});
  const struct wire_request m = hear(&s);
  assert_int_equal(m.flags, 0);
  assert_int_equal(m.port, 8443);
  assert_int_equal(m.pool[0], 7);
  assert_true(m.timeout_ms > 0 && m.timeout_ms <= FETCHES_TIMEOUT_MS);
  assert_int_equal(m.response_max, FETCHES_RESPONSE_MAX);
  assert_true(span_is(m.method, "POST"));
  assert_true(span_is(m.host, "a.example"));
  assert_true(span_is(m.target, "/p?q"));
  assert_true(span_is(m.body, "hello"));
  assert_true(span_is(header(m.headers, "user-agent"), "neocompute/" NEOCOMPUTE_VERSION));
  assert_true(span_is(header(m.headers, "accept"), "*/*"));
  assert_true(span_is(header(m.headers, "x-a"), "1"));
  assert_false(has_header(m.headers, "content-length"));
  assert_false(has_header(m.headers, "connection"));
  struct buf headers = buf_new(1024);
  put_headers(&headers, (const char *const[8]){"set-cookie", "a", "transfer-encoding", "chunked", "set-cookie", "b",
                                               "connection", "x"});
  egress_stage_answer(&s.egress,
                      &(struct wire_response){
                          .ticket = m.ticket, .status = 404, .headers = buf_span(&headers), .body = span_text("none")});
  buf_clear(&headers);
  put_headers(&headers, (const char *const[8]){"set-cookie", "a", "set-cookie", "b"});
  const struct answer *a = &s.answers[5];
  assert_int_equal(a->count, 1);
  assert_int_equal(a->result, RESULT_OK);
  assert_int_equal(a->status, 404);
  assert_false(a->redirected);
  assert_true(span_is(buf_span(&a->url), "https://a.example:8443/p?q"));
  assert_true(span_is(buf_span(&a->body), "none"));
  assert_true(span_equal(buf_span(&a->headers), buf_span(&headers)));
  buf_free(&headers);
  close_stage(&s);
}

static void test_own_agent(void **state) {
  (void)state;
  struct stage s;
  open_usual(&s);
  ask(&s, &(struct ask){.headers = {"user-agent", "mine", "accept", "text/plain"}});
  const struct wire_request m = hear(&s);
  struct buf headers = buf_new(1024);
  put_headers(&headers, (const char *const[8]){"user-agent", "mine", "accept", "text/plain"});
  assert_true(span_equal(m.headers, buf_span(&headers)));
  buf_free(&headers);
  close_stage(&s);
}

static void test_methods(void **state) {
  (void)state;
  static const char *const good[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"};
  static const char *const bad[] = {"", "get", "G ET", "GET\r\n", "M-SEARCH", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG"};
  static const char *const forbidden[] = {"CONNECT", "TRACE", "TRACK"};
  for (size_t i = 0; i < COUNT(good); i++) sent(&usual, &(struct ask){.method = good[i]});
  for (size_t i = 0; i < COUNT(bad); i++) refused(&usual, &(struct ask){.method = bad[i]}, RESULT_FETCH_INVALID);
  for (size_t i = 0; i < COUNT(forbidden); i++)
    refused(&usual, &(struct ask){.method = forbidden[i]}, RESULT_FETCH_FORBIDDEN);
  refused(&usual, &(struct ask){.method = "GET", .body = "x"}, RESULT_FETCH_INVALID);
  refused(&usual, &(struct ask){.method = "HEAD", .body = "x"}, RESULT_FETCH_INVALID);
  refused(&usual, &(struct ask){.redirect = 3}, RESULT_FETCH_INVALID);
}

static void test_where_to(void **state) {
  (void)state;
  const struct terms none = {"", "", true, SECOND * 60}, http = {"*.example", "", true, SECOND * 60};
  const struct terms own = {"*.example", "b.example", false, SECOND * 60},
                     wider = {"a.example", "*", false, SECOND * 60};
  const struct ask a = {.url = "https://a.example/"}, b = {.url = "https://b.example:8443/"};
  const struct ask plain = {.url = "http://a.example/"};
  sent(&usual, &a);
  sent(&usual, &b);
  refused(&usual, &(struct ask){.url = "https://a.example.org/"}, RESULT_FETCH_FORBIDDEN);
  refused(&usual, &(struct ask){.url = "https://a.example@b.org/"}, RESULT_FETCH_INVALID);
  refused(&usual, &(struct ask){.url = "https://127.1/"}, RESULT_FETCH_INVALID);
  refused(&usual, &(struct ask){.url = "file:///etc/passwd"}, RESULT_FETCH_INVALID);
  refused(&none, &a, RESULT_FETCH_UNAVAILABLE);
  refused(&usual, &plain, RESULT_FETCH_FORBIDDEN);
  sent(&http, &plain);
  refused(&own, &a, RESULT_FETCH_FORBIDDEN);
  sent(&own, &b);
  refused(&wider, &b, RESULT_FETCH_FORBIDDEN); /* a job's list never widens the operator's */
  sent(&wider, &a);
}

static void test_plain_is_said(void **state) {
  (void)state;
  struct stage s;
  open_with(&s, &(struct terms){"*", "", true, SECOND});
  ask(&s, &(struct ask){.url = "http://a.example/"});
  const struct wire_request m = hear(&s);
  assert_int_equal(m.flags, WIRE_REQUEST_PLAIN); /* and never that it is the operator's own */
  assert_int_equal(m.port, 80);
  assert_true(m.timeout_ms <= 1000);
  close_stage(&s);
}

static void test_request_headers(void **state) {
  (void)state;
  static const char *const forbidden[] = {"host",    "transfer-encoding",   "trailer",
                                          "upgrade", "proxy-authorization", "proxy-x"};
  static const char *const names[] = {"", "X-A", "x a", "x:a", "x\r\na", "\xc3\xa9", "x\x7f"};
  static const char *const values[] = {"a\rb", "a\nb", "\x01", " a", "a\t", "\x7f"};
  for (size_t i = 0; i < COUNT(forbidden); i++)
    refused(&usual, &(struct ask){.headers = {forbidden[i], "a"}}, RESULT_FETCH_FORBIDDEN);
  for (size_t i = 0; i < COUNT(names); i++)
    refused(&usual, &(struct ask){.headers = {names[i], "a"}}, RESULT_FETCH_INVALID);
  for (size_t i = 0; i < COUNT(values); i++)
    refused(&usual, &(struct ask){.headers = {"x-a", values[i]}}, RESULT_FETCH_INVALID);
  sent(&usual, &(struct ask){.headers = {"x-a!#$%&'*+.^_`|~1", "a\tb\xc3\xa9", "x-b", ""}});
}

static void test_sizes(void **state) {
  (void)state;
  static char big[FETCHES_BODY_MAX + 2];
  memset(big, 'a', FETCHES_BODY_MAX + 1);
  refused(&usual, &(struct ask){.method = "POST", .body = big}, RESULT_FETCH_BODY);
  big[FETCHES_BODY_MAX] = 0;
  sent(&usual, &(struct ask){.method = "POST", .body = big});
  big[WIRE_REQUEST_HEADERS_MAX] = 0;
  refused(&usual, &(struct ask){.headers = {"x", big}}, RESULT_FETCH_HEADERS);
  big[WIRE_REQUEST_HEADERS_MAX - 200] = 0;
  sent(&usual, &(struct ask){.headers = {"x", big}});
}

static void test_header_list_that_is_none(void **state) {
  (void)state;
  struct stage s;
  open_usual(&s);
  const struct wire_fetch m = {.number = 1,
                               .method = span_text("GET"),
                               .url = span_text("https://a.example/"),
                               .headers = span_of("\1\0\0\0x\5\0\0\0y", 10)};
  assert_int_equal(fetches_ask(s.fetches, &m), RESULT_OK);
  assert_int_equal(s.answers[1].result, RESULT_FETCH_INVALID);
  assert_true(egress_stage_quiet(&s.egress));
  close_stage(&s);
}

static void test_how_many(void **state) {
  (void)state;
  struct stage s;
  uint64_t tickets[FETCHES_MAX];
  open_usual(&s);
  for (uint32_t i = 0; i < FETCHES_MAX + 2; i++) ask(&s, &(struct ask){.number = i});
  for (uint32_t i = 0; i < FETCHES_MAX; i++) assert_int_equal(s.answers[i].count, 0);
  assert_int_equal(s.answers[FETCHES_MAX].result, RESULT_FETCH_TOO_MANY);
  assert_int_equal(s.answers[FETCHES_MAX + 1].result, RESULT_FETCH_TOO_MANY);
  for (uint32_t i = 0; i < FETCHES_AT_ONCE; i++) tickets[i] = hear(&s).ticket;
  assert_true(egress_stage_quiet(&s.egress));
  for (uint32_t i = 0; i < FETCHES_MAX; i++) {
    say(&s, tickets[i], 200, "", "");
    assert_int_equal(s.answers[i].count, 1);
    if (i + FETCHES_AT_ONCE >= FETCHES_MAX) continue;
    tickets[i + FETCHES_AT_ONCE] = hear(&s).ticket; /* the next one, and only one */
    assert_true(egress_stage_quiet(&s.egress));
  }
  close_stage(&s);
}

static void test_abort(void **state) {
  (void)state;
  struct stage s;
  struct wire_forget forget;
  open_usual(&s);
  for (uint32_t i = 0; i < FETCHES_AT_ONCE + 2; i++) ask(&s, &(struct ask){.number = i});
  const uint64_t first = hear(&s).ticket;
  for (uint32_t i = 1; i < FETCHES_AT_ONCE; i++) hear(&s);
  fetches_abort(s.fetches, FETCHES_AT_ONCE); /* waits */
  assert_true(egress_stage_quiet(&s.egress));
  fetches_abort(s.fetches, 0);
  fetches_abort(s.fetches, 0);
  fetches_abort(s.fetches, 63);
  egress_stage_turn(&s.egress);
  assert_true(wire_get_forget(egress_stage_hear(&s.egress, WIRE_FORGET), &forget));
  assert_int_equal(forget.ticket, first);
  hear(&s); /* the place is taken by the one that is left */
  say(&s, first, 200, "", "late");
  assert_int_equal(s.total, 0);
  close_stage(&s);
}

static void test_deadline(void **state) {
  (void)state;
  struct stage s;
  struct wire_forget forget;
  open_with(&s, &(struct terms){"*", "", false, SECOND / 50});
  ask(&s, &(struct ask){.number = 1});
  const uint64_t ticket = hear(&s).ticket;
  egress_stage_until(&s.egress, &s.total, 1);
  assert_int_equal(s.answers[1].result, RESULT_FETCH_TIMEOUT);
  assert_true(wire_get_forget(egress_stage_hear(&s.egress, WIRE_FORGET), &forget));
  assert_int_equal(forget.ticket, ticket);
  say(&s, ticket, 200, "", "late");
  assert_int_equal(s.total, 1);
  close_stage(&s);
}

static void test_failures(void **state) {
  (void)state;
  struct stage s;
  open_usual(&s);
  ask(&s, &(struct ask){.number = 1});
  ask(&s, &(struct ask){.number = 2});
  egress_stage_answer(&s.egress, &(struct wire_response){.ticket = hear(&s).ticket,
                                                         .result = RESULT_FETCH_ADDRESS,
                                                         .error = span_text("a.example: private")});
  assert_int_equal(s.answers[1].result, RESULT_FETCH_ADDRESS);
  assert_true(span_is(buf_span(&s.answers[1].error), "a.example: private"));
  egress_stage_connect(&s.egress);
  egress_stage_turn(&s.egress);
  assert_int_equal(s.answers[2].result, RESULT_FETCH_FAILED);
  close_stage(&s);
}

/* A job that ends at an answer. */
static void test_freed_within_answer(void **state) {
  (void)state;
  for (int refuse = 0; refuse < 2; refuse++) {
    struct stage s;
    open_usual(&s);
    s.free_at = 1;
    for (uint32_t i = 0; i < 9; i++) ask(&s, &(struct ask){.number = i});
    if (refuse) ask(&s, &(struct ask){.number = 9, .url = "none"});
    if (!refuse) say(&s, hear(&s).ticket, 200, "", "body");
    assert_int_equal(s.total, 1);
    assert_null(s.fetches);
    close_stage(&s);
  }
}

/* ---- redirects ---- */

static void test_follows(void **state) {
  (void)state;
  static const struct {
    uint32_t status;
    const char *method, *then;
    bool body;
  } rows[] = {{301, "GET", "GET", false},  {302, "HEAD", "HEAD", false}, {301, "POST", "GET", false},
              {302, "POST", "GET", false}, {301, "PUT", "PUT", true},    {302, "DELETE", "DELETE", true},
              {303, "POST", "GET", false}, {303, "PUT", "GET", false},   {303, "HEAD", "HEAD", false},
              {307, "POST", "POST", true}, {308, "PUT", "PUT", true}};
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct stage s;
    open_usual(&s);
    const bool had_body = strcmp(rows[i].method, "GET") != 0 && strcmp(rows[i].method, "HEAD") != 0;
    ask(&s, &(struct ask){.method = rows[i].method,
                          .headers = {"content-type", "text/plain", "authorization", "Basic x", "x-a", "1"},
                          .body = had_body ? "hello" : ""});
    say(&s, hear(&s).ticket, rows[i].status, "HTTPS://A.example:443/next", "ignored");
    const struct wire_request m = hear(&s);
    assert_true(span_is(m.method, rows[i].then));
    assert_true(span_is(m.body, rows[i].body ? "hello" : ""));
    assert_int_equal(has_header(m.headers, "content-type"), rows[i].body || !had_body);
    assert_true(has_header(m.headers, "authorization")); /* the same origin */
    assert_true(has_header(m.headers, "x-a"));
    assert_true(span_is(m.target, "/next"));
    say(&s, m.ticket, 200, "", "there");
    assert_int_equal(s.answers[0].status, 200);
    assert_true(s.answers[0].redirected);
    assert_true(span_is(buf_span(&s.answers[0].url), "https://a.example/next"));
    assert_true(span_is(buf_span(&s.answers[0].body), "there"));
    close_stage(&s);
  }
}

static void test_not_followed(void **state) {
  (void)state;
  struct stage s;
  open_usual(&s);
  ask(&s, &(struct ask){.number = 1, .redirect = WIRE_REDIRECT_MANUAL});
  say(&s, hear(&s).ticket, 302, "https://b.example/", "moved");
  assert_int_equal(s.answers[1].status, 302);
  assert_false(s.answers[1].redirected);
  assert_true(span_is(buf_span(&s.answers[1].url), "https://a.example/"));
  ask(&s, &(struct ask){.number = 2, .redirect = WIRE_REDIRECT_ERROR});
  say(&s, hear(&s).ticket, 302, "https://b.example/", "moved");
  assert_int_equal(s.answers[2].result, RESULT_FETCH_REDIRECTS);
  ask(&s, &(struct ask){.number = 3, .redirect = WIRE_REDIRECT_ERROR});
  say(&s, hear(&s).ticket, 200, "", "there");
  assert_int_equal(s.answers[3].status, 200);
  ask(&s, &(struct ask){.number = 4});
  say(&s, hear(&s).ticket, 302, "", "without an address");
  assert_int_equal(s.answers[4].status, 302);
  ask(&s, &(struct ask){.number = 5});
  say(&s, hear(&s).ticket, 304, "https://b.example/", "");
  assert_int_equal(s.answers[5].status, 304);
  assert_true(egress_stage_quiet(&s.egress));
  close_stage(&s);
}

static void test_redirects_are_judged(void **state) {
  (void)state;
  const struct terms open = {"*.example", "", true, SECOND * 60}, own = {"*", "a.example", true, SECOND * 60};
  static const struct {
    const char *from, *to;
    bool own;
    enum result result;
  } rows[] = {
      {"https://a.example/", "https://b.example/", false, RESULT_OK},
      {"http://a.example/", "http://b.example/", false, RESULT_OK},
      {"http://a.example/", "https://b.example/", false, RESULT_OK},
      {"https://a.example/", "http://a.example/", false, RESULT_FETCH_FORBIDDEN},
      {"https://a.example/", "https://a.org/", false, RESULT_FETCH_FORBIDDEN},
      {"https://a.example/", "https://b.example/", true, RESULT_FETCH_FORBIDDEN},
      {"https://a.example/", "https://u@b.example/", false, RESULT_FETCH_INVALID},
      {"https://a.example/", "https://0x7f.1/", false, RESULT_FETCH_INVALID},
      {"https://a.example/", "ftp://b.example/", false, RESULT_FETCH_INVALID},
      {"https://a.example/", "https://b.example/?" KEY_PLACEHOLDER, false, RESULT_FETCH_FORBIDDEN},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct stage s;
    open_with(&s, rows[i].own ? &own : &open);
    ask(&s, &(struct ask){.url = rows[i].from});
    say(&s, hear(&s).ticket, 302, rows[i].to, "");
    if (rows[i].result == RESULT_OK) {
      assert_int_equal(s.answers[0].count, 0);
      assert_true(span_is(hear(&s).host, "b.example"));
    } else {
      assert_int_equal(s.answers[0].result, rows[i].result);
      assert_true(egress_stage_quiet(&s.egress));
    }
    close_stage(&s);
  }
}

static void test_redirects_end(void **state) {
  (void)state;
  struct stage s;
  open_usual(&s);
  ask(&s, &(struct ask){0});
  for (unsigned i = 0; i < FETCHES_REDIRECTS; i++) say(&s, hear(&s).ticket, 302, "https://a.example/", "");
  assert_int_equal(s.answers[0].count, 0);
  say(&s, hear(&s).ticket, 302, "https://a.example/", "");
  assert_int_equal(s.answers[0].result, RESULT_FETCH_REDIRECTS);
  close_stage(&s);
}

static void test_other_origin(void **state) {
  (void)state;
  static const char *const others[] = {"https://b.example/", "https://a.example:8443/"};
  for (size_t i = 0; i < COUNT(others); i++) {
    struct stage s;
    open_usual(&s);
    ask(&s, &(struct ask){.headers = {"authorization", "Basic x", "cookie", "a=b", "x-a", "1"}});
    say(&s, hear(&s).ticket, 302, others[i], "");
    struct wire_request m = hear(&s);
    assert_false(has_header(m.headers, "authorization"));
    assert_false(has_header(m.headers, "cookie"));
    assert_true(has_header(m.headers, "x-a"));
    say(&s, m.ticket, 302, "https://a.example/back", ""); /* they do not come back */
    m = hear(&s);
    assert_false(has_header(m.headers, "authorization"));
    assert_false(has_header(m.headers, "cookie"));
    close_stage(&s);
  }
}

/* ---- secrets ---- */

static void test_secret_goes_in(void **state) {
  (void)state;
  static const char twice[] = "k=" KEY_PLACEHOLDER ";" KEY_PLACEHOLDER;
  struct stage s;
  open_usual(&s);
  ask(&s, &(struct ask){
              .method = "POST",
              .headers = {"x-key", twice, "x-none", "secret-placeholder-", "x-empty", "a-secret-placeholder-0004-b"},
              .body = "{\"key\":\"" KEY_PLACEHOLDER "\",\"long\":\"secret-placeholder-0002\"}"});
  const struct wire_request m = hear(&s);
  assert_true(span_is(header(m.headers, "x-key"), "k=" KEY_VALUE ";" KEY_VALUE));
  assert_true(span_is(header(m.headers, "x-none"), "secret-placeholder-"));
  assert_true(span_is(header(m.headers, "x-empty"), "a--b"));
  assert_true(span_is(m.body, "{\"key\":\"" KEY_VALUE "\",\"long\":\"" KEY_VALUE "-and-more\"}"));
  close_stage(&s);
}

static void test_secret_stays(void **state) {
  (void)state;
  const struct terms http = {"*", "", true, SECOND * 60};
  refused(&usual, &(struct ask){.url = "https://a.example/?k=" KEY_PLACEHOLDER}, RESULT_FETCH_FORBIDDEN);
  refused(&usual, &(struct ask){.url = "https://" KEY_PLACEHOLDER ".example/"}, RESULT_FETCH_FORBIDDEN);
  refused(&usual, &(struct ask){.url = "https://b.example/", .headers = {"x", KEY_PLACEHOLDER}},
          RESULT_SECRET_FORBIDDEN);
  refused(&usual, &(struct ask){.method = "POST", .url = "https://b.example/", .body = "a" KEY_PLACEHOLDER "b"},
          RESULT_SECRET_FORBIDDEN);
  refused(&usual, &(struct ask){.url = "https://keys.example/", .headers = {"x", KEY_PLACEHOLDER}},
          RESULT_SECRET_FORBIDDEN);
  refused(&http, &(struct ask){.url = "http://a.example/", .headers = {"x", KEY_PLACEHOLDER}}, RESULT_SECRET_FORBIDDEN);
  refused(&usual, &(struct ask){.headers = {"x", "secret-placeholder-0003"}}, RESULT_FETCH_INVALID);
  sent(&usual, &(struct ask){.url = "https://b.keys.example/", .headers = {"x", KEY_PLACEHOLDER}});
  sent(&usual, &(struct ask){.method = "POST", .body = "secret-placeholder-0003"});
}

static void test_refusal_names_the_secret(void **state) {
  (void)state;
  struct stage s;
  open_usual(&s);
  ask(&s, &(struct ask){.number = 1, .url = "https://a.example/?" KEY_PLACEHOLDER});
  assert_true(contains(&s.answers[1].error, "key"));
  ask(&s, &(struct ask){.number = 2, .url = "https://b.example/", .headers = {"x", KEY_PLACEHOLDER}});
  assert_true(contains(&s.answers[2].error, "key"));
  assert_true(contains(&s.answers[2].error, "hosts"));
  assert_true(contains(&s.answers[2].error, "b.example"));
  assert_false(contains(&s.answers[2].error, KEY_VALUE));
  close_stage(&s);
}

static void test_secret_and_other_origin(void **state) {
  (void)state;
  static const struct {
    const char *to;
    bool kept;
  } rows[] = {{"https://b.example/", false}, {"https://b.keys.example/", true}, {"https://a.example/next", true}};
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct stage s;
    open_usual(&s);
    ask(&s, &(struct ask){.headers = {"x-key", KEY_PLACEHOLDER, "x-a", "1"}});
    say(&s, hear(&s).ticket, 302, rows[i].to, "");
    const struct wire_request m = hear(&s);
    assert_true(has_header(m.headers, "x-a"));
    assert_int_equal(has_header(m.headers, "x-key"), rows[i].kept);
    if (rows[i].kept) assert_true(span_is(header(m.headers, "x-key"), KEY_VALUE));
    assert_null(memmem(m.headers.data, m.headers.len, KEY_PLACEHOLDER, strlen(KEY_PLACEHOLDER)));
    close_stage(&s);
  }
}

static void test_secret_in_a_body_sent_again(void **state) {
  (void)state;
  static const struct {
    uint32_t status;
    const char *to;
    enum result result;
  } rows[] = {{307, "https://b.example/", RESULT_SECRET_FORBIDDEN},
              {308, "https://b.example/", RESULT_SECRET_FORBIDDEN},
              {307, "https://b.keys.example/", RESULT_OK},
              {303, "https://b.example/", RESULT_OK}};
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct stage s;
    open_usual(&s);
    ask(&s, &(struct ask){.method = "POST", .body = KEY_PLACEHOLDER});
    say(&s, hear(&s).ticket, rows[i].status, rows[i].to, "");
    if (rows[i].result == RESULT_OK)
      assert_true(span_is(hear(&s).body, rows[i].status == 303 ? "" : KEY_VALUE));
    else
      assert_int_equal(s.answers[0].result, rows[i].result);
    assert_true(egress_stage_quiet(&s.egress));
    close_stage(&s);
  }
}

static void answer_with_echo(struct stage *s, uint64_t ticket, const char *body) {
  static const char echo[] = "<" KEY_VALUE ">";
  struct buf headers = buf_new(1024);
  put_headers(&headers, (const char *const[8]){"x-echo", echo, KEY_VALUE, "1", "x-a", "1"});
  egress_stage_answer(
      &s->egress,
      &(struct wire_response){.ticket = ticket, .status = 200, .headers = buf_span(&headers), .body = span_text(body)});
  buf_free(&headers);
}

static void test_echo(void **state) {
  (void)state;
  struct stage s;
  open_usual(&s);
  ask(&s, &(struct ask){.number = 1, .headers = {"x", KEY_PLACEHOLDER "secret-placeholder-0002"}});
  answer_with_echo(&s, hear(&s).ticket, "1" KEY_VALUE "2" KEY_VALUE "-and-more3");
  assert_true(span_is(buf_span(&s.answers[1].body), "1" KEY_PLACEHOLDER "2secret-placeholder-00023"));
  assert_true(span_is(header(buf_span(&s.answers[1].headers), "x-echo"), "<" KEY_PLACEHOLDER ">"));
  assert_true(has_header(buf_span(&s.answers[1].headers), "x-a"));
  assert_false(contains(&s.answers[1].headers, KEY_VALUE));
  /* Later: the host was told, another was not. */
  ask(&s, &(struct ask){.number = 2});
  answer_with_echo(&s, hear(&s).ticket, KEY_VALUE);
  assert_true(span_is(buf_span(&s.answers[2].body), KEY_PLACEHOLDER));
  ask(&s, &(struct ask){.number = 3, .url = "https://b.example/"});
  answer_with_echo(&s, hear(&s).ticket, KEY_VALUE);
  assert_true(span_is(buf_span(&s.answers[3].body), KEY_VALUE));
  close_stage(&s);
}

/* What nobody was told is no echo: guesses are not confirmed. */
static void test_no_echo(void **state) {
  (void)state;
  struct stage s;
  open_usual(&s);
  ask(&s, &(struct ask){.number = 1});
  answer_with_echo(&s, hear(&s).ticket, KEY_VALUE);
  assert_true(span_is(buf_span(&s.answers[1].body), KEY_VALUE));
  close_stage(&s);
}

static void test_redirect_with_the_value(void **state) {
  (void)state;
  for (int told = 0; told < 2; told++) {
    struct stage s;
    open_usual(&s);
    ask(&s, &(struct ask){.headers = {"x", told ? KEY_PLACEHOLDER : "nothing"}});
    say(&s, hear(&s).ticket, 302, "https://b.example/?" KEY_VALUE, "");
    assert_int_equal(s.answers[0].count, told);
    if (told) assert_int_equal(s.answers[0].result, RESULT_FETCH_FORBIDDEN);
    if (told) assert_false(contains(&s.answers[0].error, KEY_VALUE));
    close_stage(&s);
  }
}

/* ---- what the job asked of the outside ---- */

static void expect_summary(struct stage *s, const char *lines, const char *hosts, unsigned requests) {
  uint8_t hash[HASH_SIZE];
  const struct span text = span_text(lines);
  struct buf b = buf_new(4096), expected = buf_new(4096);
  assert_int_equal(hash_sha256(&text, 1, hash), RESULT_OK);
  buf_put_text(&expected, "{\"hash\":\"");
  text_put_hex(&expected, span_of(hash, sizeof hash));
  buf_printf(&expected, "\",\"hosts\":[%s],\"requests\":%u}", hosts, requests);
  assert_true(fetches_put_summary(s->fetches, &b));
  assert_true(span_equal(buf_span(&b), buf_span(&expected)));
  buf_free(&b);
  buf_free(&expected);
}

#define HASH_OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HASH_OF_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" /* FIPS 180-4's example */

static void test_summary(void **state) {
  (void)state;
  struct stage s;
  open_with(&s, &(struct terms){"*", "", true, SECOND * 60});
  ask(&s, &(struct ask){.number = 0, .headers = {"x", KEY_PLACEHOLDER}});
  ask(&s, &(struct ask){.number = 1, .url = "http://b.example:8080/?q", .method = "POST"});
  ask(&s, &(struct ask){.number = 2, .url = "none"});
  const uint64_t first = hear(&s).ticket, second = hear(&s).ticket;
  expect_summary(&s, "GET https://a.example/ cancelled\nPOST http://b.example:8080/?q cancelled\n",
                 "\"a.example\",\"http://b.example:8080\"", 2);
  say(&s, second, 302, "http://b.example/", "");
  say(&s, first, 200, "", "abc");
  egress_stage_answer(&s.egress, &(struct wire_response){.ticket = hear(&s).ticket, .result = RESULT_FETCH_TLS});
  const char *hosts = "\"a.example\",\"http://b.example:8080\",\"http://b.example\"";
  const char *lines = "POST http://b.example:8080/?q 302 " HASH_OF_NOTHING
                      "\n"
                      "GET https://a.example/ 200 " HASH_OF_ABC
                      "\n"
                      "GET http://b.example/ fetch_tls\n";
  expect_summary(&s, lines, hosts, 3);
  ask(&s, &(struct ask){.number = 3, .url = "https://a.example/again"});
  hear(&s);
  fetches_abort(s.fetches, 3);
  char more[1024];
  snprintf(more, sizeof more, "%sGET https://a.example/again cancelled\n", lines);
  expect_summary(&s, more, hosts, 4);
  close_stage(&s);
}

/* The receipt vouches for what the script saw: the hash says nothing of the value. */
static void test_summary_of_an_echo(void **state) {
  (void)state;
  uint8_t hash[HASH_SIZE];
  const struct span seen = span_text("<" KEY_PLACEHOLDER ">");
  struct buf lines = buf_new(1024);
  struct stage s;
  open_usual(&s);
  ask(&s, &(struct ask){.headers = {"x", KEY_PLACEHOLDER}});
  say(&s, hear(&s).ticket, 302, "https://a.example/next", "<" KEY_VALUE ">");
  say(&s, hear(&s).ticket, 200, "", "<" KEY_VALUE ">");
  assert_int_equal(hash_sha256(&seen, 1, hash), RESULT_OK);
  buf_put_text(&lines, "GET https://a.example/ 302 ");
  text_put_hex(&lines, span_of(hash, sizeof hash));
  buf_put_text(&lines, "\nGET https://a.example/next 200 ");
  text_put_hex(&lines, span_of(hash, sizeof hash));
  buf_put(&lines, "\n\0", 2);
  expect_summary(&s, (const char *)lines.data, "\"a.example\"", 2);
  buf_free(&lines);
  close_stage(&s);
}

/* Placeholders are longer than what they stand for: what no longer fits is no response. */
static void test_echo_that_grows(void **state) {
  (void)state;
  for (unsigned more = 0; more < 2; more++) {
    struct stage s;
    struct buf body = buf_new(FETCHES_RESPONSE_MAX);
    open_usual(&s);
    ask(&s, &(struct ask){.headers = {"x", KEY_PLACEHOLDER}});
    buf_put_text(&body, KEY_VALUE);
    while (body.len + strlen(KEY_PLACEHOLDER) - strlen(KEY_VALUE) < FETCHES_RESPONSE_MAX + more) buf_put_u8(&body, '.');
    egress_stage_answer(&s.egress,
                        &(struct wire_response){.ticket = hear(&s).ticket, .status = 200, .body = buf_span(&body)});
    assert_int_equal(s.answers[0].count, 1);
    assert_int_equal(s.answers[0].result, more ? RESULT_FETCH_RESPONSE : RESULT_OK);
    buf_free(&body);
    close_stage(&s);
  }
}

static void test_hosts_are_counted(void **state) {
  (void)state;
  struct stage s;
  char to[64];
  open_usual(&s);
  unsigned made = 0;
  for (uint32_t n = 0; n < 5 && s.answers[n].count == 0; n++) {
    snprintf(to, sizeof to, "https://h%u.example/", made++);
    ask(&s, &(struct ask){.number = n, .url = to});
    for (unsigned hop = 0; hop < FETCHES_REDIRECTS && s.answers[n].count == 0; hop++) {
      const uint64_t ticket = hear(&s).ticket;
      snprintf(to, sizeof to, "https://h%u.example/", made++);
      say(&s, ticket, 302, to, "");
    }
    if (s.answers[n].count == 0) say(&s, hear(&s).ticket, 200, "", "");
    if (s.answers[n].result != RESULT_OK) break;
  }
  assert_int_equal(s.answers[2].result, RESULT_FETCH_TOO_MANY);
  assert_int_equal(made, FETCHES_HOSTS_MAX + 1);
  ask(&s, &(struct ask){.number = 9, .url = "https://h0.example/"}); /* a known one is no other */
  assert_true(span_is(hear(&s).host, "h0.example"));
  close_stage(&s);
}

static int start(void **state) {
  (void)state;
  return crypto_init() == RESULT_OK ? 0 : -1;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_exchange),
      cmocka_unit_test(test_own_agent),
      cmocka_unit_test(test_methods),
      cmocka_unit_test(test_where_to),
      cmocka_unit_test(test_plain_is_said),
      cmocka_unit_test(test_request_headers),
      cmocka_unit_test(test_sizes),
      cmocka_unit_test(test_header_list_that_is_none),
      cmocka_unit_test(test_how_many),
      cmocka_unit_test(test_abort),
      cmocka_unit_test(test_deadline),
      cmocka_unit_test(test_failures),
      cmocka_unit_test(test_freed_within_answer),
      cmocka_unit_test(test_follows),
      cmocka_unit_test(test_not_followed),
      cmocka_unit_test(test_redirects_are_judged),
      cmocka_unit_test(test_redirects_end),
      cmocka_unit_test(test_other_origin),
      cmocka_unit_test(test_secret_goes_in),
      cmocka_unit_test(test_secret_stays),
      cmocka_unit_test(test_refusal_names_the_secret),
      cmocka_unit_test(test_secret_and_other_origin),
      cmocka_unit_test(test_secret_in_a_body_sent_again),
      cmocka_unit_test(test_echo),
      cmocka_unit_test(test_no_echo),
      cmocka_unit_test(test_redirect_with_the_value),
      cmocka_unit_test(test_summary),
      cmocka_unit_test(test_summary_of_an_echo),
      cmocka_unit_test(test_echo_that_grows),
      cmocka_unit_test(test_hosts_are_counted),
  };
  return cmocka_run_group_tests(tests, start, NULL);
}
