/* Callers' secrets at a broker whose keeper is this test: what it is asked, what callers hear, what is refused before.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/digest.h"
#include "broker_stage.h"
#include "wire/channel.h"
#include "wire/statements.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define SOON 5000 /* ms: for what must come */
#define NEVER 100 /* ms: for what must not */
#define JSON "application/json"

static struct broker_stage stage;

/* A broker's clock may be ahead of the test's: by what stood here when it was forked. */
static volatile uint64_t *ahead_ms;
static pid_t test;

uint64_t __real_clock_monotonic_ms(void);
uint64_t __wrap_clock_monotonic_ms(void);
uint64_t __wrap_clock_monotonic_ms(void) {
  return __real_clock_monotonic_ms() + (getpid() != test && ahead_ms != NULL ? *ahead_ms : 0);
}

static int begin(void **state) {
  (void)state;
  broker_stage_open(&stage, BROKER_STAGE_SERVES);
  return 0;
}

/* It went on to the end. */
static int end(void **state) {
  (void)state;
  channel_free(stage.control);
  stage.control = NULL;
  return broker_stage_close(&stage, SOON) == 1 ? 0 : -1;
}

/* ---- asking and answering ---- */

static int ask(const char *method_and_path, const char *body) {
  return broker_stage_ask(&stage, method_and_path, body);
}

static struct wire_secret_call hear(void) {
  struct span body;
  struct wire_secret_call m;
  assert_true(broker_stage_hear(stage.keeper, WIRE_SECRET, SOON, &body));
  assert_true(wire_get_secret_call(body, &m));
  return m;
}

static void say(uint64_t ticket, enum result result, const char *detail, const char *reply) {
  wire_put_secreted(&stage.message, &(struct wire_secreted){ticket, result, span_text(detail), span_text(reply)});
  broker_stage_send(stage.keeper, &stage.message);
}

static char reply[65536];

static int read_reply(int fd) {
  return broker_stage_read(fd, SOON, reply, sizeof reply);
}

/* Refused before the keeper hears of it, with this code in the reply. */
static void assert_refused(int fd, int status, const char *code) {
  struct span body;
  int got = read_reply(fd);
  if (got != status || strstr(reply, code) == NULL) fail_msg("%d: %s", got, reply);
  assert_false(broker_stage_hear(stage.keeper, WIRE_SECRET, NEVER, &body));
}

static bool is(struct span got, const char *want) {
  if (!span_is(got, want)) print_error("\"%.*s\", not \"%s\"\n", (int)got.len, (const char *)got.data, want);
  return span_is(got, want);
}

/* ---- routes ---- */

static const struct {
  const char *ask, *body;
  enum wire_secret_verb verb;
  const char *name;
  uint64_t before;
  uint32_t limit;
  const char *reply; /* the keeper's */
  int status;
} routes[] = {
    {"PUT /secrets/api_key", "{\"value\":\"s3cret\"}", SECRET_PUT, "api_key", 0, 0, "{\"version\":1}", 200},
    {"PUT /secrets/%61.B-9_", "{}", SECRET_PUT, "a.B-9_", 0, 0, "{\"version\":1}", 200},
    {"GET /secrets", "", SECRET_LIST, "", 0, 0, "[]", 200},
    {"DELETE /secrets/api_key", "", SECRET_DELETE, "api_key", 0, 0, "", 204},
    {"GET /secrets/api_key/audit", "", SECRET_AUDIT, "api_key", 0, 100, "[]", 200},
    {"GET /secrets/api_key/audit?limit=1&before=9223372036854775807", "", SECRET_AUDIT, "api_key", INT64_MAX, 1, "[]",
     200},
    {"GET /secrets/api_key/audit?limit=1000", "", SECRET_AUDIT, "api_key", 0, 1000, "[]", 200},
    {"PUT /secrets/api_key/policy", "{\"max_uses\":1}", SECRET_POLICY, "api_key", 0, 0, "{\"version\":2}", 200},
    {"PUT /secrets/audit", "{}", SECRET_PUT, "audit", 0, 0, "{\"version\":1}", 200},
};

static void test_routes(void **state) {
  (void)state;
  uint8_t user[32];
  digest_sha256(span_text("alice"), user);
  for (size_t i = 0; i < COUNT(routes); i++) {
    int caller = ask(routes[i].ask, routes[i].body);
    struct wire_secret_call m = hear();
    assert_int_equal(m.verb, routes[i].verb);
    assert_memory_equal(m.user, user, sizeof user);
    assert_true(is(m.user_id, "alice") && is(m.name, routes[i].name) && is(m.body, routes[i].body));
    assert_true(m.trace.len > 0);
    assert_true(m.before == routes[i].before);
    assert_int_equal(m.limit, routes[i].limit);
    say(m.ticket, RESULT_OK, "", routes[i].reply);
    assert_int_equal(read_reply(caller), routes[i].status);
    assert_non_null(strstr(reply, "cache-control: no-store"));
    assert_string_equal(strstr(reply, "\r\n\r\n") + 4, routes[i].reply);
  }
}

/* What the keeper says is wrong is a refusal with its words. */
static void test_refusals_of_the_keeper(void **state) {
  (void)state;
  static const struct {
    enum result result;
    int status;
    const char *code;
  } refusals[] = {{RESULT_SECRET_INVALID, 400, "\"error_code\":\"secret_invalid\""},
                  {RESULT_SECRET_UNKNOWN, 404, "\"error_code\":\"secret_unknown\""},
                  {RESULT_SECRET_CONFLICT, 409, "\"error_code\":\"secret_conflict\""},
                  {RESULT_SECRETS_FULL, 409, "\"error_code\":\"secrets_full\""},
                  {RESULT_SECRET_TOO_LARGE, 413, "\"details\":{\"limit_bytes\":65536}"},
                  {RESULT_SECRETS_AWAY, 503, "\"error_code\":\"secrets_away\""},
                  {RESULT_SECRETS_AWAY, 503, "retry-after: 5"},
                  {RESULT_SECRET_STORE_UNAVAILABLE, 503, "\"error_code\":\"secrets_away\""},
                  {RESULT_SECRET_NOT_FOUND, 404, "\"error_code\":\"secret_unknown\""},
                  {RESULT_SECRET_UNDECRYPTABLE, 500, "\"error_code\":\"record_corrupt\""}};
  for (size_t i = 0; i < COUNT(refusals); i++) {
    int caller = ask("PUT /secrets/a", "{}");
    say(hear().ticket, refusals[i].result, "\"expires_at\" is past \xe2\x82\xac", "");
    int status = read_reply(caller);
    if (status != refusals[i].status || strstr(reply, refusals[i].code) == NULL) fail_msg("%d: %s", status, reply);
    assert_non_null(strstr(reply, "\"detail\":\"\\\"expires_at\\\" is past \xe2\x82\xac\""));
  }
}

/* However long the keeper's words are, there is one reply and it is whole. */
static void test_a_long_detail_is_cut(void **state) {
  (void)state;
  char detail[2001];
  memset(detail, '\x01', sizeof detail - 1); /* six bytes each, in JSON */
  detail[sizeof detail - 1] = 0;
  int caller = ask("PUT /secrets/a", "{}");
  say(hear().ticket, RESULT_SECRET_INVALID, detail, "");
  assert_int_equal(read_reply(caller), 400);
  assert_non_null(strstr(reply, "\"trace_id\":"));
  assert_int_equal(reply[strlen(reply) - 1], '}');
}

/* ---- what the keeper never hears of ---- */

static void test_names(void **state) {
  (void)state;
  static const char *const names[] = {"a%20b", "a%2Fb", "%2e",      "..",  ".",   "%00", "a%",
                                      "a%2",   "%zz",   "\xc3\xa4", "a:b", "a+b", "~"};
  char line[256], long_name[130];
  for (size_t i = 0; i < COUNT(names); i++) {
    snprintf(line, sizeof line, "PUT /secrets/%s", names[i]);
    int caller = ask(line, "{}");
    int status = read_reply(caller);
    if (status != 400) fail_msg("%s: %s", names[i], reply);
  }
  memset(long_name, 'x', sizeof long_name - 1);
  long_name[129] = 0;
  snprintf(line, sizeof line, "DELETE /secrets/%s", long_name);
  assert_refused(ask(line, ""), 400, "\"secret_invalid\"");
  snprintf(line, sizeof line, "DELETE /secrets/%s", long_name + 1);
  int caller = ask(line, "");
  say(hear().ticket, RESULT_OK, "", "");
  assert_int_equal(read_reply(caller), 204);
  assert_refused(ask("GET /secrets/a%20b/audit", ""), 400, "\"secret_invalid\"");
  assert_refused(ask("PUT /secrets/a%20b/policy", "{}"), 400, "\"secret_invalid\"");
}

static void test_paths(void **state) {
  (void)state;
  assert_refused(ask("GET /secrets/", ""), 404, "\"not_found\"");
  assert_refused(ask("GET /secrets/a", ""), 405, "allow: PUT, DELETE");
  assert_refused(ask("POST /secrets", "{}"), 405, "allow: GET, HEAD");
  assert_refused(ask("DELETE /secrets/a/audit", ""), 405, "allow: GET, HEAD");
  assert_refused(ask("GET /secrets/a/policy", ""), 405, "allow: PUT");
  assert_refused(ask("PUT /secrets/a/other", "{}"), 404, "\"not_found\"");
  assert_refused(ask("PUT /secrets/a/policy/b", "{}"), 404, "\"not_found\"");
}

static void test_queries(void **state) {
  (void)state;
  static const char *const bad[] = {"limit=0", "limit=1001", "limit=",   "limit=-1",
                                    "limit=a", "before=0",   "before=x", "before=9223372036854775808"};
  char line[128];
  for (size_t i = 0; i < COUNT(bad); i++) {
    snprintf(line, sizeof line, "GET /secrets/a/audit?%s", bad[i]);
    assert_refused(ask(line, ""), 400, "\"bad_request\"");
  }
}

static void test_bodies(void **state) {
  (void)state;
  static uint8_t large[204801];
  memset(large, ' ', sizeof large);
  assert_refused(broker_stage_ask_as(&stage, "alice", "text/plain", "PUT /secrets/a", span_text("{}")), 415,
                 "unsupported_media_type");
  assert_refused(broker_stage_ask_as(&stage, "alice", JSON, "PUT /secrets/a", span_of(large, sizeof large)), 413,
                 "\"limit_bytes\":204800");
  assert_refused(broker_stage_ask_as(&stage, "alice", JSON, "PUT /secrets/a/policy", span_of(large, sizeof large)), 413,
                 "\"body_too_large\"");
  int caller = broker_stage_ask_as(&stage, "alice", JSON, "PUT /secrets/a", span_of(large, sizeof large - 1));
  struct wire_secret_call m = hear();
  assert_int_equal(m.body.len, 204800);
  say(m.ticket, RESULT_OK, "", "{}");
  assert_int_equal(read_reply(caller), 200);
}

static void test_nobody(void **state) {
  (void)state;
  static const char *const all[] = {"GET /secrets", "PUT /secrets/a", "DELETE /secrets/a", "GET /secrets/a/audit",
                                    "PUT /secrets/a/policy"};
  for (size_t i = 0; i < COUNT(all); i++)
    assert_refused(broker_stage_ask_as(&stage, "", JSON, all[i], span_text("{}")), 401, "\"unauthorized\"");
}

static void test_not_ready(void **state) {
  (void)state;
  broker_stage_open(&stage, BROKER_STAGE_SET_UP);
  assert_refused(ask("PUT /secrets/a", "{}"), 503, "\"busy\"");
  (void)end(NULL);
}

/* ---- bounds ---- */

/* So many of a user's, and so many in all, wait for the keeper, whoever has left meanwhile. */
static void test_outstanding(void **state) {
  (void)state;
  int callers[256];
  uint64_t tickets[256];
  char user[16];
  for (unsigned i = 0; i < 256; i++) {
    snprintf(user, sizeof user, "user%u", i / 16);
    callers[i] = broker_stage_ask_as(&stage, user, JSON, "GET /secrets", span_text(""));
    tickets[i] = hear().ticket;
    if (i == 0) close(callers[0]);
    if (i == 15)
      assert_refused(broker_stage_ask_as(&stage, user, JSON, "GET /secrets", span_text("")), 429, "retry-after: 1");
  }
  assert_refused(broker_stage_ask_as(&stage, "other", JSON, "GET /secrets", span_text("")), 503, "\"busy\"");
  for (unsigned i = 0; i < 256; i++) {
    say(tickets[i], RESULT_OK, "", "[]");
    if (i > 0) assert_int_equal(read_reply(callers[i]), 200);
  }
  int caller = ask("GET /secrets", "");
  say(hear().ticket, RESULT_OK, "", "[]");
  assert_int_equal(read_reply(caller), 200);
}

/* A keeper that takes its time: the caller is told so, a late answer is no fault, a keeper that stays silent is one. */
static void test_patience(void **state) {
  (void)state;
  static struct broker_stage stuck;
  volatile uint64_t *ahead = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct span body;
  assert_true(ahead != MAP_FAILED);
  ahead_ms = ahead;
  broker_stage_open(&stuck, BROKER_STAGE_SERVES);
  ahead_ms = NULL;
  int its = broker_stage_ask(&stuck, "GET /secrets", "");
  assert_true(broker_stage_hear(stuck.keeper, WIRE_SECRET, SOON, &body));
  int caller = ask("GET /secrets", "");
  uint64_t ticket = hear().ticket;
  *ahead = 90000;
  assert_int_equal(broker_stage_read(caller, 30000, reply, sizeof reply), 503);
  assert_non_null(strstr(reply, "\"secrets_away\""));
  say(ticket, RESULT_OK, "", "[]");
  caller = ask("GET /secrets", "");
  say(hear().ticket, RESULT_OK, "", "[]");
  assert_int_equal(read_reply(caller), 200);
  assert_int_equal(broker_stage_close(&stuck, SOON), 1);
  assert_int_equal(broker_stage_reply(its, SOON), 0);
  munmap((void *)(uintptr_t)ahead, 4096);
}

/* ---- the store ---- */

static struct wire_statement statement(uint32_t number, uint32_t count, const char *const *values) {
  struct wire_statement s = {.statement = number, .count = count};
  for (uint32_t i = 0; i < count; i++) s.values[i] = span_text(values[i]);
  return s;
}

/* Asks the store; its rows. */
static struct wire_rows query_at(bool later, uint64_t ticket, const struct wire_statement *statements, uint32_t count,
                                 struct wire_statement *rows, size_t room) {
  struct span body;
  struct cursor rest;
  struct wire_rows m;
  wire_put_query(&stage.message, WIRE_STORE_QUERY, &(struct wire_query){ticket, 1000, count, statements, later});
  broker_stage_send(stage.keeper, &stage.message);
  assert_true(broker_stage_hear(stage.keeper, WIRE_STORE_ROWS, SOON, &body));
  assert_true(wire_get_rows(body, &m, &rest));
  assert_true(m.ticket == ticket && m.count <= room);
  for (uint32_t i = 0; i < m.count; i++) assert_true(wire_get_statement(&rest, &rows[i]));
  assert_true(cursor_end(&rest));
  return m;
}

static struct wire_rows query(uint64_t ticket, const struct wire_statement *statements, uint32_t count,
                              struct wire_statement *rows, size_t room) {
  return query_at(false, ticket, statements, count, rows, room);
}

/* It is done although nothing else comes. */
static void test_store_later(void **state) {
  (void)state;
  struct wire_statement rows[8] = {{0}};
  const struct wire_statement read =
      statement(STATEMENT_AUDIT, 7, (const char *const[]){"alice", "later", "read", "", "", "1", ""});
  const struct wire_statement audits =
      statement(STATEMENT_AUDITS, 4, (const char *const[]){"alice", "later", "0", "10"});
  assert_int_equal(query_at(true, 1, &read, 1, rows, COUNT(rows)).result, RESULT_OK);
  assert_int_equal(query(2, &audits, 1, rows, COUNT(rows)).count, 1);
}

static void test_store(void **state) {
  (void)state;
  struct wire_statement rows[8] = {{0}};
  const struct wire_statement some[] = {
      statement(STATEMENT_WRITE, 5, (const char *const[]){"alice", "key", "1", "sealed", "0"}),
      statement(STATEMENT_AUDIT, 7, (const char *const[]){"alice", "key", "write", "", "", "1", ""}),
      statement(STATEMENT_FIND, 2, (const char *const[]){"alice", "key"})};
  struct wire_rows m = query(1, some, 3, rows, COUNT(rows));
  assert_int_equal(m.result, RESULT_OK);
  assert_int_equal(m.count, 1);
  assert_int_equal(rows[0].statement, 2);
  assert_int_equal(rows[0].count, 4);
  assert_true(is(rows[0].values[0], "1") && is(rows[0].values[1], "sealed") && is(rows[0].values[2], ""));
  m = query(UINT64_MAX, some, 1, rows, COUNT(rows));
  assert_int_equal(m.result, RESULT_SECRET_CONFLICT);
  assert_int_equal(m.count, 0);
  const struct wire_statement audits =
      statement(STATEMENT_AUDITS, 4, (const char *const[]){"alice", "key", "0", "100"});
  m = query(1, &audits, 1, rows, COUNT(rows)); /* what a ticket is, is the keeper's affair */
  assert_int_equal(m.count, 1);
  assert_true(is(rows[0].values[0], "1") && is(rows[0].values[1], "write") && is(rows[0].values[4], "1"));
  char name[1026];
  memset(name, 'x', sizeof name - 1);
  name[sizeof name - 1] = 0;
  const struct wire_statement large = statement(STATEMENT_FIND, 2, (const char *const[]){"alice", name});
  assert_int_equal(query(2, &large, 1, rows, COUNT(rows)).result, RESULT_SECRET_STORE_UNAVAILABLE);
}

/* ---- jobs that name what they need ---- */

static struct wire_execute execute(const char *body) {
  struct span message;
  struct wire_execute m;
  close(ask("POST /execute", body));
  assert_true(broker_stage_hear(stage.keeper, WIRE_EXECUTE, SOON, &message));
  assert_true(wire_get_execute(message, &m));
  return m;
}

static void test_execute(void **state) {
  (void)state;
  struct wire_execute m = execute(
      "{\"app_id\":\"shop\",\"script_name\":\"price.js\",\"secret_refs\":[\"k\"],"
      "\"limits\":{\"hosts\":[\"a.example\",\"*.b.example\"]}}");
  uint8_t user[32];
  digest_sha256(span_text("alice"), user);
  assert_memory_equal(m.user, user, sizeof user);
  assert_true(is(m.user_id, "alice") && is(m.app, "shop") && is(m.name, "price.js") && is(m.script, ""));
  assert_true(is(m.entry, "") && is(m.hosts, "a.example\n*.b.example"));
  m = execute("{\"app_id\":\"shop\",\"script_name\":\"s\",\"entry_point\":\"go\"}");
  assert_true(is(m.entry, "go") && is(m.hosts, ""));
  /* A script that comes along is that app's, if it says so, and is not looked up. */
  m = execute("{\"app_id\":\"shop\",\"script\":\"1\"}");
  assert_true(is(m.app, "") && is(m.name, "") && is(m.script, "1") && is(m.entry, "main"));
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  test = getpid();
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      TEST(test_routes),
      TEST(test_refusals_of_the_keeper),
      TEST(test_a_long_detail_is_cut),
      TEST(test_names),
      TEST(test_paths),
      TEST(test_queries),
      TEST(test_bodies),
      TEST(test_nobody),
      cmocka_unit_test(test_not_ready),
      TEST(test_outstanding),
      TEST(test_patience),
      TEST(test_store),
      TEST(test_store_later),
      TEST(test_execute),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
