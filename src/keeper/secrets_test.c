/* The secrets with stores that are honest, late, away or hostile (tests/fake_store.c). */
#include "keeper/secrets.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "crypto/testing.h"
#include "fake_store.h"
#include "keeper/secrets_state.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define MASTER "0123456789abcdef0123456789abcdef"
#define SECRETS_KEY "fedcba9876543210fedcba9876543210"
#define JOB "0192f0c1-2345-7abc-8def-0123456789ab"
#define USER "alice"
#define EMBEDDED (&fakes[FAKE_EMBEDDED])
#define POSTGRES (&fakes[FAKE_POSTGRES])
#define SUPABASE (&fakes[FAKE_SUPABASE])

static struct event_base *base;
static struct keys *keys;
static struct secrets *secrets;

/* ---- what comes back ---- */

/* The last SECRETED. */
static struct {
  unsigned count;
  uint64_t ticket;
  uint32_t result;
  char detail[600];
  struct buf reply;
} told;

static void copy(char *to, size_t size, struct span from) {
  snprintf(to, size, "%.*s", (int)from.len, from.len > 0 ? (const char *)from.data : "");
}

static void on_told(void *context, struct buf *message) {
  struct wire_secreted m;
  (void)context;
  assert_false(message->bad);
  assert_int_equal(message->data[MSG_HEADER - 1], WIRE_SECRETED);
  assert_true(wire_get_secreted(span_of(message->data + MSG_HEADER, message->len - MSG_HEADER), &m));
  told.count++;
  told.ticket = m.ticket;
  told.result = m.result;
  copy(told.detail, sizeof told.detail, m.detail);
  buf_free(&told.reply);
  told.reply = buf_new(SERVICE_ANSWER_MAX);
  buf_put_span(&told.reply, m.reply);
  buf_put_u8(&told.reply, 0);
}

static const char *reply(void) {
  return (const char *)told.reply.data;
}

struct answer {
  unsigned count;
  enum result result;
  char detail[600];
  size_t granted;
  struct {
    char name[130], value[100], format[20], placeholder[100], fetch_value[100], hosts[200], fetch_name[130];
    uint64_t version;
    bool egress_only;
  } got[WIRE_SECRETS_MAX];
};

static void on_answer(void *context, enum result result, struct span detail, const struct secrets_granted *granted,
                      size_t count) {
  struct answer *a = context;
  a->count++;
  a->result = result;
  a->granted = count;
  copy(a->detail, sizeof a->detail, detail);
  for (size_t i = 0; i < count; i++) {
    const struct secrets_granted *g = &granted[i];
    copy(a->got[i].name, sizeof a->got[i].name, g->name);
    copy(a->got[i].value, sizeof a->got[i].value, g->value);
    copy(a->got[i].format, sizeof a->got[i].format, span_text(g->format));
    copy(a->got[i].placeholder, sizeof a->got[i].placeholder, g->fetch.placeholder);
    copy(a->got[i].fetch_value, sizeof a->got[i].fetch_value, g->fetch.value);
    copy(a->got[i].fetch_name, sizeof a->got[i].fetch_name, g->fetch.name);
    copy(a->got[i].hosts, sizeof a->got[i].hosts, g->fetch.hosts);
    a->got[i].version = g->version;
    a->got[i].egress_only = g->egress_only;
  }
}

/* ---- what is asked ---- */

static struct secrets_setup setup_of(const char *stores, bool strict) {
  return (struct secrets_setup){.base = base,
                                .keys = keys,
                                .outlet = (struct outlet *)&fakes, /* not looked into */
                                .stores = stores,
                                .supabase_url = "https://project.supabase.example",
                                .supabase_key = span_text("service key"),
                                .secrets_key = span_text(SECRETS_KEY),
                                .strict = strict,
                                .ask_store = fake_ask_store,
                                .tell = on_told};
}

/* Outside strict mode a job is answered before it is written down. */
static void wait_for_audits(void) {
  const uint64_t end = clock_monotonic_ms() + 10000;
  while (secrets->outstanding > 0 && clock_monotonic_ms() < end) event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
  assert_int_equal(secrets->outstanding, 0);
}

static void serve(const char *stores, bool strict) {
  const struct secrets_setup setup = setup_of(stores, strict);
  secrets_free(secrets);
  secrets = NULL;
  assert_int_equal(secrets_new(&setup, &secrets), RESULT_OK);
  fakes_serve(secrets);
}

/* Until `*count` is at least `want`; in ten seconds at most. */
static void wait_for(const unsigned *count, unsigned want) {
  const uint64_t end = clock_monotonic_ms() + 10000;
  while (*count < want && clock_monotonic_ms() < end) event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
  assert_int_equal(*count, want);
}

static void hash_user(const char *user, uint8_t hash[32]) {
  const struct span text = span_text(user);
  assert_int_equal(hash_sha256(&text, 1, hash), RESULT_OK);
}

static uint64_t next_ticket = 100;

static enum result send_call(const struct wire_secret_call *m) {
  struct buf message = buf_new(SERVICE_REQUEST_MAX + MSG_HEADER);
  wire_put_secret_call(&message, m);
  assert_false(message.bad);
  enum result r = secrets_call(secrets, span_of(message.data + MSG_HEADER, message.len - MSG_HEADER));
  buf_free(&message);
  return r;
}

static struct wire_secret_call call_of(enum wire_secret_verb verb, const char *name, const char *body) {
  struct wire_secret_call m = {.ticket = ++next_ticket,
                               .verb = verb,
                               .user_id = span_text(USER),
                               .name = span_text(name),
                               .body = span_text(body),
                               .trace = span_text("trace-1"),
                               .limit = verb == SECRET_AUDIT ? 100 : 0};
  hash_user(USER, m.user);
  return m;
}

/* Asks, and waits for the answer. */
static enum result call(enum wire_secret_verb verb, const char *name, const char *body) {
  const struct wire_secret_call m = call_of(verb, name, body);
  const unsigned before = told.count;
  assert_int_equal(send_call(&m), RESULT_OK);
  wait_for(&told.count, before + 1);
  assert_int_equal(told.ticket, m.ticket);
  return (enum result)told.result;
}

static void put(const char *name, const char *value, const char *policy) {
  char body[1024];
  snprintf(body, sizeof body, "{\"value\":\"%s\"%s%s}", value, policy[0] != 0 ? ",\"policy\":" : "", policy);
  assert_int_equal(call(SECRET_PUT, name, body), RESULT_OK);
}

static uint64_t ask_as(struct answer *a, const char *user, const struct span *names, size_t count) {
  uint8_t hash[32];
  uint64_t ticket = 0;
  struct secrets_request m = {.user = hash,
                              .user_id = span_text(user),
                              .trace = span_text("trace-1"),
                              .job = span_text(JOB),
                              .names = names,
                              .count = count};
  hash_user(user, hash);
  memset(m.script, 0xaa, sizeof m.script);
  assert_int_equal(secrets_ask(secrets, &m, on_answer, a, &ticket), RESULT_OK);
  assert_int_not_equal(ticket, 0);
  return ticket;
}

static uint64_t ask(struct answer *a, const char *name) {
  const struct span names[] = {span_text(name)};
  return ask_as(a, USER, names, 1);
}

static struct answer get(const char *name) {
  struct answer a = {0};
  (void)ask(&a, name);
  assert_int_equal(a.count, 0); /* never from within the call */
  wait_for(&a.count, 1);
  wait_for_audits();
  return a;
}

static void expect_given(const char *name, const char *value) {
  const struct answer a = get(name);
  assert_string_equal(a.detail, "");
  assert_int_equal(a.result, RESULT_OK);
  assert_int_equal(a.granted, 1);
  assert_string_equal(a.got[0].name, name);
  assert_string_equal(a.got[0].value, value);
}

static void expect_refused(const char *name, enum result result, const char *detail) {
  const struct answer a = get(name);
  assert_string_equal(a.detail, detail);
  assert_int_equal(a.result, result);
  assert_int_equal(a.granted, 0);
}

static void expect_audit(const struct fake *f, const char *name, const char *action, const char *error) {
  assert_true(f->audit_count > 0);
  const struct fake_audit *a = &f->audits[f->audit_count - 1];
  assert_string_equal(a->name, name);
  assert_string_equal(a->action, action);
  assert_string_equal(a->service, "neocompute");
  assert_string_equal(a->error, error);
  assert_int_equal(a->success, error[0] == 0);
}

/* ---- jobs ---- */

static void test_a_job_gets_its_secrets(void **state) {
  (void)state;
  put("api_key", "s3cret", "");
  put("other", "two", "");
  const struct span names[] = {span_text("other"), span_text("api_key")};
  struct answer a = {0};
  const unsigned queries = EMBEDDED->queries;
  (void)ask_as(&a, USER, names, 2);
  wait_for(&a.count, 1);
  assert_int_equal(a.result, RESULT_OK);
  assert_int_equal(a.granted, 2);
  assert_string_equal(a.got[0].name, "other");
  assert_string_equal(a.got[0].value, "two");
  assert_string_equal(a.got[1].value, "s3cret");
  assert_string_equal(a.got[1].format, "sealed-v1");
  assert_int_equal(a.got[1].version, 1);
  assert_false(a.got[1].egress_only);
  assert_int_equal(EMBEDDED->queries - queries, 2); /* one that asks, one that writes down */
  expect_audit(EMBEDDED, "api_key", "read", "");
  assert_string_equal(EMBEDDED->audits[EMBEDDED->audit_count - 1].agent,
                      "neocompute/" NEOCOMPUTE_VERSION " job=" JOB " trace=trace-1");
}

static void test_refusals_name_their_cause(void **state) {
  (void)state;
  static const struct {
    const char *policy;
    enum result result;
    const char *detail, *error;
  } rows[] = {
      {"{\"services\":[\"other\"]}", RESULT_SECRET_FORBIDDEN, "k: forbidden by its policy (services)", "services"},
      {"{\"expires_at\":\"2001-02-03T04:05:06Z\"}", RESULT_SECRET_EXPIRED, "k: expired at 2001-02-03T04:05:06Z",
       "secret_expired"},
      {"{\"scripts\":[\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"]}", RESULT_SECRET_FORBIDDEN,
       "k: forbidden by its policy (scripts)", "scripts"},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    put("k", "v", rows[i].policy);
    expect_refused("k", rows[i].result, rows[i].detail);
    expect_audit(EMBEDDED, "k", "read", rows[i].error);
  }
  put("k", "v",
      "{\"scripts\":[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"],"
      "\"services\":[\"neocompute\"],\"expires_at\":\"2099-01-01T00:00:00Z\"}");
  expect_given("k", "v");
  expect_refused("absent", RESULT_SECRET_NOT_FOUND, "absent: there is no secret of that name");
  expect_audit(EMBEDDED, "absent", "read", "secret_not_found");
  expect_refused("no such name", RESULT_SECRET_NOT_FOUND, "no such name: there is no secret of that name");
  expect_audit(EMBEDDED, "-", "read", "secret_not_found");
}

/* One that is refused keeps all of them back; each access is written down, none is counted. */
static void test_all_or_none(void **state) {
  (void)state;
  put("good", "v", "{\"uses\":1}");
  put("bad", "v", "{\"services\":[\"other\"]}");
  const struct span names[] = {span_text("good"), span_text("bad"), span_text("absent")};
  struct answer a = {0};
  const size_t before = EMBEDDED->audit_count;
  (void)ask_as(&a, USER, names, 3);
  wait_for(&a.count, 1);
  assert_int_equal(a.result, RESULT_SECRET_FORBIDDEN); /* the first in the order of the request */
  assert_string_equal(a.detail, "bad: forbidden by its policy (services)");
  assert_int_equal(a.granted, 0);
  assert_int_equal(EMBEDDED->audit_count, before + 3);
  const char *const errors[] = {"withheld", "services", "secret_not_found"};
  for (size_t i = 0; i < 3; i++) {
    assert_string_equal(EMBEDDED->audits[before + i].error, errors[i]);
    assert_false(EMBEDDED->audits[before + i].success);
  }
  expect_given("good", "v"); /* its one use is still there */
}

/* Whoever can write the store. */
#define DETAIL_SHUT "k: the secret does not open: it was changed, moved or sealed with another key"
static void expect_shut(void) {
  expect_refused("k", RESULT_SECRET_UNDECRYPTABLE, DETAIL_SHUT);
  expect_audit(EMBEDDED, "k", "read", "secret_undecryptable");
}

static void test_a_hostile_store_moves_records(void **state) {
  (void)state;
  put("k", "old", "");
  put("k2", "of another name", "");
  struct buf old = buf_new(1000);
  buf_put_span(&old, buf_span(&fake_row(EMBEDDED, USER, "k")->value));
  put("k", "new", "");
  struct fake_row *row = fake_row(EMBEDDED, USER, "k");
  struct buf genuine = row->value;
  row->value = old; /* an older version in place of the newer */
  expect_shut();
  row->value = fake_row(EMBEDDED, USER, "k2")->value;
  expect_shut();
  row->value = genuine;
  row->version = 1;
  expect_shut();
  row->version = 0;
  expect_shut();
  row->version = 2;
  row->value.data[10] = row->value.data[10] == 'A' ? 'B' : 'A';
  expect_shut();
  buf_free(&row->value);
  row->value = old;
  /* Another user's record of the same name and version. */
  const struct span names[] = {span_text("k2")};
  fake_add(EMBEDDED, "mallory", "k2", 1, buf_span(&fake_row(EMBEDDED, USER, "k2")->value));
  struct answer a = {0};
  (void)ask_as(&a, "mallory", names, 1);
  wait_for(&a.count, 1);
  assert_int_equal(a.result, RESULT_SECRET_UNDECRYPTABLE);
}

static void seal_reference(struct buf *text, const char *value) {
  struct buf sealed = buf_new(1000);
  *text = buf_new(2000);
  assert_int_equal(aead_seal((const uint8_t *)SECRETS_KEY, span_text(""), span_text(value), &sealed), RESULT_OK);
  base64_put(text, buf_span(&sealed));
  buf_free(&sealed);
}

/* Records without binding are for the store of the reference alone. */
static void test_the_embedded_store_has_one_form(void **state) {
  (void)state;
  struct buf text;
  seal_reference(&text, "v");
  fake_add(EMBEDDED, USER, "k", 1, buf_span(&text));
  expect_shut();
  buf_free(&text);
}

/* ---- uses ---- */

static void test_uses_run_out(void **state) {
  (void)state;
  put("k", "v", "{\"uses\":2}");
  expect_given("k", "v");
  expect_given("k", "v");
  expect_refused("k", RESULT_SECRET_FORBIDDEN, "k: forbidden by its policy (uses)");
  expect_audit(EMBEDDED, "k", "read", "uses");
  put("k", "v2", "{\"uses\":1}"); /* a new version has new ones */
  expect_given("k", "v2");
  expect_refused("k", RESULT_SECRET_FORBIDDEN, "k: forbidden by its policy (uses)");
}

static void test_uses_at_the_same_time(void **state) {
  (void)state;
  struct answer a[5];
  memset(a, 0, sizeof a);
  put("k", "v", "{\"uses\":3}");
  for (size_t i = 0; i < COUNT(a); i++) (void)ask(&a[i], "k");
  for (size_t i = 0; i < COUNT(a); i++) wait_for(&a[i].count, 1);
  unsigned given = 0, forbidden = 0;
  for (size_t i = 0; i < COUNT(a); i++) {
    given += a[i].result == RESULT_OK;
    forbidden += a[i].result == RESULT_SECRET_FORBIDDEN;
  }
  assert_int_equal(given, 3);
  assert_int_equal(forbidden, 2);
  assert_int_equal(EMBEDDED->audit_count, 1 + 5); /* the write, and each access once */
}

/* Taking the count away does not give it back; nor does another secret's. */
static void test_uses_are_sealed(void **state) {
  (void)state;
  put("k", "v", "{\"uses\":2}");
  put("k2", "v", "{\"uses\":2}");
  struct fake_row *row = fake_row(EMBEDDED, USER, "k");
  char fresh[128];
  memcpy(fresh, row->uses, sizeof fresh);
  row->uses[0] = 0;
  expect_shut();
  memcpy(row->uses, fake_row(EMBEDDED, USER, "k2")->uses, sizeof row->uses);
  expect_shut();
  memcpy(row->uses, fresh, sizeof fresh);
  expect_given("k", "v");
  put("k", "v", "{\"uses\":2}");
  memcpy(row->uses, fresh, sizeof fresh); /* an older version's */
  expect_shut();
}

static void test_a_count_that_others_change(void **state) {
  (void)state;
  put("k", "v", "{\"uses\":2}");
  EMBEDDED->spare = 1; /* the question */
  EMBEDDED->conflict = 1;
  expect_given("k", "v");
  expect_given("k", "v");
  expect_refused("k", RESULT_SECRET_FORBIDDEN, "k: forbidden by its policy (uses)");
}

/* A store that answers every count with a conflict keeps a job from running, not the service from answering. */
static void lie_about_counts(struct wire_rows *m, struct wire_statement *rows) {
  (void)rows;
  if (m->count == 0) m->result = RESULT_SECRET_CONFLICT;
}

static void test_a_store_that_only_conflicts(void **state) {
  (void)state;
  put("k", "v", "{\"uses\":100}");
  const unsigned queries = EMBEDDED->queries;
  struct answer a = {0};
  (void)ask(&a, "k");
  while (a.count == 0 && EMBEDDED->queries - queries < 100) {
    EMBEDDED->lie = lie_about_counts;
    event_base_loop(base, EVLOOP_ONCE);
  }
  EMBEDDED->lie = NULL;
  assert_int_equal(a.result, RESULT_SECRET_STORE_UNAVAILABLE);
  assert_string_equal(a.detail, "k: the secret store embedded is written by others all the time");
  assert_true(EMBEDDED->queries - queries < 40);
}

/* ---- stores that are away ---- */

static void test_one_retry(void **state) {
  (void)state;
  put("k", "v", "");
  EMBEDDED->away = 1;
  expect_given("k", "v");
  serve("embedded", false); /* which knows nothing yet */
  EMBEDDED->refuse = 1;
  expect_given("k", "v");
  serve("embedded", false);
  EMBEDDED->spare = 1;
  EMBEDDED->away = 1; /* the audit row */
  expect_given("k", "v");
  const unsigned queries = EMBEDDED->queries;
  serve("embedded", false);
  EMBEDDED->away = 2;
  expect_refused("k", RESULT_SECRET_STORE_UNAVAILABLE, "k: the secret store embedded is away");
  expect_audit(EMBEDDED, "k", "read", "secret_store_unavailable");
  assert_int_equal(EMBEDDED->queries - queries, 3); /* twice asked, once written down */
  EMBEDDED->refuse = 2;
  expect_refused("k", RESULT_SECRET_STORE_UNAVAILABLE, "k: the secret store embedded is away");
}

static void test_an_audit_row_that_is_lost(void **state) {
  (void)state;
  put("k", "v", "");
  put("counted", "v", "{\"uses\":5}");
  EMBEDDED->audits_away = true;
  expect_given("k", "v");
  expect_refused("counted", RESULT_SECRET_STORE_UNAVAILABLE, "counted: the secret store embedded is away");
  expect_refused("absent", RESULT_SECRET_NOT_FOUND, "absent: there is no secret of that name");
  serve("embedded", true);
  expect_refused("k", RESULT_SECRET_STORE_UNAVAILABLE, "k: the secret store embedded is away");
  EMBEDDED->audits_away = false;
  EMBEDDED->refuse_audits = true;
  expect_refused("k", RESULT_SECRET_STORE_UNAVAILABLE, "k: the secret store embedded is away");
  expect_refused("absent", RESULT_SECRET_NOT_FOUND, "absent: there is no secret of that name");
  EMBEDDED->refuse_audits = false;
  expect_given("k", "v");
}

/* The embedded store is not asked again for what nobody has written since. */
static void test_what_is_known(void **state) {
  (void)state;
  struct answer a = {0};
  const struct span names[] = {span_text("k"), span_text("k2")};
  put("k", "v", "");
  put("k2", "v2", "");
  expect_given("k", "v");
  unsigned queries = EMBEDDED->queries;
  expect_given("k", "v");
  assert_int_equal(EMBEDDED->queries - queries, 1); /* which writes it down */
  expect_audit(EMBEDDED, "k", "read", "");
  (void)ask_as(&a, USER, names, 2); /* one of them is not known */
  wait_for(&a.count, 1);
  assert_string_equal(a.got[0].value, "v");
  assert_string_equal(a.got[1].value, "v2");
  a.count = 0;
  (void)ask_as(&a, "bob", names, 1);
  wait_for(&a.count, 1);
  assert_int_equal(a.result, RESULT_SECRET_NOT_FOUND);
  wait_for_audits();
  serve("postgres", false); /* others may write there */
  put("k", "v", "");
  expect_given("k", "v");
  queries = POSTGRES->queries;
  expect_given("k", "v");
  assert_int_equal(POSTGRES->queries - queries, 2);
}

static void test_what_is_known_no_more(void **state) {
  (void)state;
  put("k", "v", "");
  expect_given("k", "v");
  put("k", "w", "");
  expect_given("k", "w");
  assert_int_equal(call(SECRET_POLICY, "k", "{\"services\":[\"other\"]}"), RESULT_OK);
  expect_refused("k", RESULT_SECRET_FORBIDDEN, "k: forbidden by its policy (services)");
  put("k", "x", "{\"uses\":2}");
  expect_given("k", "x");
  expect_given("k", "x");
  expect_refused("k", RESULT_SECRET_FORBIDDEN, "k: forbidden by its policy (uses)");
  put("k", "y", "");
  expect_given("k", "y");
  assert_int_equal(call(SECRET_DELETE, "k", ""), RESULT_OK);
  expect_refused("k", RESULT_SECRET_NOT_FOUND, "k: there is no secret of that name");
}

/* Outside strict mode, and only what the embedded store writes down: that is done before the job's end is stored. */
static void test_written_down_meanwhile(void **state) {
  (void)state;
  struct answer a = {0};
  put("k", "v", "");
  put("counted", "v", "{\"uses\":5}");
  expect_given("k", "v"); /* known from here on */
  const size_t audits = EMBEDDED->audit_count;
  EMBEDDED->delay_ms = 20;
  const uint64_t ticket = ask(&a, "k");
  assert_int_equal(a.count, 0);
  wait_for(&a.count, 1);
  assert_string_equal(a.got[0].value, "v");
  assert_int_equal(secrets->outstanding, 1);
  secrets_forget(secrets, ticket); /* the job has ended: its access is written down all the same */
  assert_int_equal(secrets->outstanding, 1);
  wait_for_audits();
  assert_int_equal(EMBEDDED->audit_count, audits + 1);
  expect_audit(EMBEDDED, "k", "read", "");
  /* A store that says meanwhile what cannot be does not have the job answered again. */
  a = (struct answer){0};
  const unsigned queries = EMBEDDED->queries;
  EMBEDDED->lie = lie_about_counts;
  (void)ask(&a, "k");
  wait_for_audits();
  EMBEDDED->lie = NULL;
  assert_int_equal(a.count, 1);
  assert_int_equal(EMBEDDED->queries - queries, 1);
  a = (struct answer){0};
  (void)ask(&a, "counted");
  wait_for(&a.count, 1);
  assert_int_equal(secrets->outstanding, 0);
  serve("embedded", true);
  a = (struct answer){0};
  (void)ask(&a, "k");
  wait_for(&a.count, 1);
  assert_int_equal(secrets->outstanding, 0);
  expect_audit(EMBEDDED, "k", "read", "");
}

/* What was found is on its way while another is written in its place. */
static void test_written_meanwhile(void **state) {
  (void)state;
  struct answer a = {0};
  put("k", "v", "");
  EMBEDDED->delay_ms = 20;
  (void)ask(&a, "k");
  put("k", "w", "");
  wait_for(&a.count, 1);
  EMBEDDED->delay_ms = 0;
  expect_given("k", "w");
}

static void test_order_of_stores(void **state) {
  (void)state;
  put("both", "embedded", "");
  serve("postgres", false);
  put("both", "postgres", "");
  put("second", "postgres", "");
  serve("embedded postgres", false);
  expect_given("both", "embedded");
  expect_audit(EMBEDDED, "both", "read", "");
  expect_given("second", "postgres");
  expect_audit(POSTGRES, "second", "read", "");
  const struct span names[] = {span_text("second"), span_text("both")};
  struct answer a = {0};
  (void)ask_as(&a, USER, names, 2);
  wait_for(&a.count, 1);
  assert_string_equal(a.got[0].value, "postgres");
  assert_string_equal(a.got[1].value, "embedded");
  serve("postgres,embedded", false);
  expect_given("both", "postgres");
  serve("embedded postgres", false);
  /* The first may have it: the second is not asked for it. It takes the audit row. */
  EMBEDDED->away = 2;
  expect_refused("second", RESULT_SECRET_STORE_UNAVAILABLE, "second: the secret store embedded is away");
  expect_audit(POSTGRES, "second", "read", "secret_store_unavailable");
  POSTGRES->away = 2;
  expect_refused("second", RESULT_SECRET_STORE_UNAVAILABLE, "second: the secret store postgres is away");
  POSTGRES->away = 9;
  expect_given("both", "embedded"); /* nobody asks it */
  POSTGRES->away = 0;
}

/* What cannot be counted in the second store is not given, though it was in the first. */
static void test_counting_in_two_stores(void **state) {
  (void)state;
  put("a", "v", "{\"uses\":5}");
  serve("postgres", false);
  put("b", "v", "{\"uses\":1}");
  serve("embedded postgres", false);
  const struct span names[] = {span_text("a"), span_text("b")};
  struct answer a = {0};
  POSTGRES->spare = 1;
  POSTGRES->conflict = 1; /* is looked up again, without counting "a" twice */
  const size_t before = EMBEDDED->audit_count;
  (void)ask_as(&a, USER, names, 2);
  wait_for(&a.count, 1);
  assert_int_equal(a.result, RESULT_OK);
  assert_int_equal(EMBEDDED->audit_count, before + 1);
  a = (struct answer){0};
  (void)ask_as(&a, USER, names, 2);
  wait_for(&a.count, 1);
  assert_int_equal(a.result, RESULT_SECRET_FORBIDDEN);
  assert_string_equal(a.detail, "b: forbidden by its policy (uses)");
}

/* ---- time ---- */

static void test_a_store_that_says_nothing(void **state) {
  (void)state;
  put("k", "v", "");
  struct answer a = {0}, b = {0};
  EMBEDDED->silent = 3;
  (void)ask(&a, "k");
  (void)ask(&b, "absent");
  const struct wire_secret_call m = call_of(SECRET_LIST, "", "");
  const unsigned before = told.count;
  assert_int_equal(send_call(&m), RESULT_OK);
  wait_for(&a.count, 1);
  wait_for(&b.count, 1);
  wait_for(&told.count, before + 1);
  assert_int_equal(a.result, RESULT_SECRET_STORE_UNAVAILABLE);
  assert_int_equal(b.result, RESULT_SECRET_STORE_UNAVAILABLE);
  assert_int_equal(told.result, RESULT_SECRETS_AWAY);
  assert_string_equal(told.detail, "the secret store embedded is away");
  expect_given("k", "v");
}

static void test_answers_of_the_past(void **state) {
  (void)state;
  put("k", "v", "");
  struct answer a = {0};
  EMBEDDED->delay_ms = 30;
  const uint64_t ticket = ask(&a, "k");
  secrets_forget(secrets, ticket);
  secrets_forget(secrets, ticket);
  secrets_forget(secrets, 0);
  EMBEDDED->delay_ms = 0;
  EMBEDDED->twice = 2;
  expect_given("k", "v"); /* both of its answers came twice */
  EMBEDDED->delay_ms = 40;
  expect_given("k", "v"); /* and the forgotten one's in between */
  assert_int_equal(a.count, 0);
  /* Freed with a lookup and a call under way: their answers find nobody. */
  (void)ask(&a, "k");
  const struct wire_secret_call m = call_of(SECRET_LIST, "", "");
  const unsigned before = told.count;
  assert_int_equal(send_call(&m), RESULT_OK);
  serve("embedded", false);
  assert_int_equal(a.count, 0);
  assert_int_equal(told.count, before);
}

/* A job that ends while it is answered. */
static uint64_t asked_last;

static void on_answer_forget(void *context, enum result result, struct span detail,
                             const struct secrets_granted *granted, size_t count) {
  secrets_forget(secrets, asked_last);
  on_answer(context, result, detail, granted, count);
}

static void test_forgotten_while_it_is_answered(void **state) {
  (void)state;
  uint8_t hash[32];
  struct answer a = {0};
  const struct span name = span_text("k");
  const struct secrets_request m = {
      .user = hash, .user_id = span_text(USER), .job = span_text(JOB), .names = &name, .count = 1};
  put("k", "v", "");
  hash_user(USER, hash);
  assert_int_equal(secrets_ask(secrets, &m, on_answer_forget, &a, &asked_last), RESULT_OK);
  wait_for(&a.count, 1);
  assert_string_equal(a.got[0].value, "v");
}

static void test_postgres_forgets(void **state) {
  (void)state;
  serve("postgres", false);
  put("k", "v", "");
  struct answer a = {0};
  POSTGRES->delay_ms = 20;
  secrets_forget(secrets, ask(&a, "k"));
  expect_given("k", "v");
  assert_int_equal(a.count, 0);
}

/* ---- rows ---- */

static char huge[SECRET_TEXT_MAX + 2];

static void lie_index(struct wire_rows *m, struct wire_statement *rows) {
  (void)m;
  rows[0].statement = 1;
}
static void lie_columns(struct wire_rows *m, struct wire_statement *rows) {
  (void)m;
  rows[0].count = 3;
}
static void lie_version(struct wire_rows *m, struct wire_statement *rows) {
  (void)m;
  rows[0].values[0] = span_text("9007199254740992");
}
static void lie_text(struct wire_rows *m, struct wire_statement *rows) {
  (void)m;
  rows[0].values[0] = span_text("-1");
}
static void lie_large(struct wire_rows *m, struct wire_statement *rows) {
  (void)m;
  memset(huge, 'A', sizeof huge - 1);
  rows[0].values[1] = span_text(huge);
}
static void lie_time(struct wire_rows *m, struct wire_statement *rows) {
  (void)m;
  rows[0].values[3] = span_text("18446744073709551615");
}
static void lie_twice(struct wire_rows *m, struct wire_statement *rows) {
  rows[m->count++] = rows[0];
}
static void lie_result(struct wire_rows *m, struct wire_statement *rows) {
  (void)rows;
  m->result = RESULT_UNAUTHORIZED;
}
static void lie_unknown(struct wire_rows *m, struct wire_statement *rows) {
  (void)rows;
  m->result = 0xffffffff;
}
static void lie_conflict(struct wire_rows *m, struct wire_statement *rows) {
  (void)rows;
  m->result = RESULT_SECRET_CONFLICT;
}

static void test_rows_that_are_none(void **state) {
  (void)state;
  static void (*const lies[])(struct wire_rows * m, struct wire_statement * rows) = {
      lie_index, lie_columns, lie_version, lie_text, lie_large, lie_time, lie_twice, lie_conflict};
  put("k", "v", "");
  for (size_t i = 0; i < COUNT(lies); i++) {
    EMBEDDED->lie = lies[i];
    expect_refused("k", RESULT_SECRET_STORE_UNAVAILABLE, "k: the secret store embedded is away");
    expect_audit(EMBEDDED, "k", "read", "secret_store_unavailable");
  }
  EMBEDDED->lie = lie_result; /* as good as away: once more */
  expect_given("k", "v");
  EMBEDDED->lie = lie_unknown;
  expect_given("k", "v");
}

static void test_messages_that_are_none(void **state) {
  (void)state;
  struct buf message = buf_new(200);
  wire_put_rows(&message, WIRE_STORE_ROWS, &(struct wire_rows){.ticket = UINT64_C(1) << 40});
  const struct span never = span_of(message.data + MSG_HEADER, message.len - MSG_HEADER);
  assert_int_equal(secrets_store_rows(secrets, never), RESULT_PEER_LIED);
  assert_int_equal(secrets_store_rows(secrets, span_of(never.data, never.len - 1)), RESULT_PEER_LIED);
  assert_int_equal(secrets_store_rows(secrets, span_text("")), RESULT_PEER_LIED);
  serve("postgres", false);
  assert_int_equal(secrets_store_rows(secrets, never), RESULT_PEER_LIED);
  buf_free(&message);
  struct wire_secret_call bad[7];
  for (size_t i = 0; i < COUNT(bad); i++) bad[i] = call_of(SECRET_AUDIT, "k", "");
  bad[0].verb = 0;
  bad[1].verb = 6;
  bad[2].limit = 0;
  bad[3].limit = 1001;
  bad[4].user[0] ^= 1;
  bad[5].user_id = span_text("");
  bad[6].user_id = span_text("\xff");
  for (size_t i = 0; i < COUNT(bad); i++) assert_int_equal(send_call(&bad[i]), RESULT_PEER_LIED);
  assert_int_equal(secrets_call(secrets, span_text("x")), RESULT_PEER_LIED);
}

static void test_requests_that_are_none(void **state) {
  (void)state;
  uint8_t hash[32];
  uint64_t ticket;
  struct answer a = {0};
  struct span names[11];
  for (size_t i = 0; i < COUNT(names); i++) names[i] = span_text("k");
  struct secrets_request m = {
      .user = hash, .user_id = span_text(USER), .job = span_text(JOB), .names = names, .count = 0};
  hash_user(USER, hash);
  assert_int_equal(secrets_ask(secrets, &m, on_answer, &a, &ticket), RESULT_TOO_MANY_SECRETS);
  m.count = 11;
  assert_int_equal(secrets_ask(secrets, &m, on_answer, &a, &ticket), RESULT_TOO_MANY_SECRETS);
  m.count = 1;
  hash[0] ^= 1;
  assert_int_equal(secrets_ask(secrets, &m, on_answer, &a, &ticket), RESULT_PEER_LIED);
  hash[0] ^= 1;
  /* Bounded: what is outstanding. */
  EMBEDDED->delay_ms = 1000;
  for (size_t i = 0; i < 1024; i++) assert_int_equal(secrets_ask(secrets, &m, on_answer, &a, &ticket), RESULT_OK);
  assert_int_equal(secrets_ask(secrets, &m, on_answer, &a, &ticket), RESULT_BUSY);
  assert_int_equal(call(SECRET_LIST, "", ""), RESULT_BUSY);
}

/* ---- egress-only ---- */

static void test_egress_only(void **state) {
  (void)state;
  put("k", "s3cret", "{\"expose\":\"egress-only\",\"hosts\":[\"api.example.com\",\"*.example.org\"]}");
  const struct answer a = get("k"), b = get("k");
  assert_int_equal(a.result, RESULT_OK);
  assert_true(a.got[0].egress_only);
  assert_int_equal(strlen(a.got[0].value), 7 + 32);
  assert_memory_equal(a.got[0].value, "secret_", 7);
  assert_int_equal(strspn(a.got[0].value + 7, "0123456789abcdef"), 32);
  assert_string_equal(a.got[0].placeholder, a.got[0].value);
  assert_string_equal(a.got[0].fetch_value, "s3cret");
  assert_string_equal(a.got[0].fetch_name, "k");
  assert_string_equal(a.got[0].hosts, "api.example.com *.example.org");
  assert_string_not_equal(a.got[0].value, b.got[0].value);
}

/* ---- the reference's store ---- */

static void test_the_reference(void **state) {
  (void)state;
  struct buf text;
  seal_reference(&text, "theirs");
  fake_add(SUPABASE, USER, "free", 3, buf_span(&text));
  fake_add(SUPABASE, USER, "ours", 1, buf_span(&text));
  fake_add(SUPABASE, USER, "another's", 1, buf_span(&text));
  fake_add(SUPABASE, USER, "others", 1, buf_span(&text));
  text.data[20] ^= 1;
  fake_add(SUPABASE, USER, "changed", 1, buf_span(&text));
  fake_add(SUPABASE, USER, "sealed", 1, span_text("nc1.AAAA"));
  SUPABASE->policies[0] = (struct fake_policy){USER, "others", "oracle"};
  SUPABASE->policies[1] = (struct fake_policy){USER, "ours", "oracle"};
  SUPABASE->policies[2] = (struct fake_policy){USER, "ours", "neocompute"};
  SUPABASE->policy_count = 3;
  serve("supabase", false);
  expect_given("free", "theirs");
  expect_audit(SUPABASE, "free", "read", "");
  const struct answer a = get("free");
  assert_string_equal(a.got[0].format, "reference");
  assert_int_equal(a.got[0].version, 3);
  expect_given("ours", "theirs");
  expect_refused("others", RESULT_SECRET_FORBIDDEN, "others: forbidden by its policy (services)");
  expect_audit(SUPABASE, "others", "read", "services");
  expect_refused("changed", RESULT_SECRET_UNDECRYPTABLE,
                 "changed: the secret does not open: it was changed, moved or sealed with another key");
  expect_refused("sealed", RESULT_SECRET_UNDECRYPTABLE,
                 "sealed: the secret does not open: it was changed, moved or sealed with another key");
  serve("supabase", true);
  expect_refused("free", RESULT_SECRET_FORBIDDEN, "free: forbidden by its policy (services)");
  expect_given("ours", "theirs");
  assert_int_equal(call(SECRET_PUT, "k", "{\"value\":\"v\"}"), RESULT_METHOD_NOT_ALLOWED);
  assert_int_equal(call(SECRET_LIST, "", ""), RESULT_OK);
  assert_non_null(strstr(reply(), "{\"name\":\"free\",\"version\":3,\"store\":\"supabase\",\"format\":\"reference\","));
  buf_free(&text);
}

/* A store that cannot be written takes audit rows all the same; one refusal holds for secrets of every store. */
static void test_two_kinds_of_stores(void **state) {
  (void)state;
  struct buf text;
  seal_reference(&text, "theirs");
  fake_add(SUPABASE, USER, "a", 1, buf_span(&text));
  fake_add(SUPABASE, USER, "both", 1, buf_span(&text));
  put("b", "ours", "{\"uses\":1}");
  put("both", "ours", "");
  serve("supabase embedded", false);
  const struct span names[] = {span_text("b"), span_text("a"), span_text("both")};
  struct answer a = {0};
  SUPABASE->policies[0] = (struct fake_policy){USER, "a", "oracle"};
  SUPABASE->policy_count = 1;
  (void)ask_as(&a, USER, names, 2);
  wait_for(&a.count, 1);
  assert_string_equal(a.detail, "a: forbidden by its policy (services)");
  expect_audit(SUPABASE, "a", "read", "services");
  expect_audit(EMBEDDED, "b", "read", "withheld");
  SUPABASE->policy_count = 0;
  a = (struct answer){0};
  (void)ask_as(&a, USER, names, 3);
  wait_for(&a.count, 1);
  assert_int_equal(a.result, RESULT_OK);
  assert_string_equal(a.got[0].format, "sealed-v1");
  assert_string_equal(a.got[1].format, "reference");
  assert_string_equal(a.got[2].value, "theirs"); /* the first store wins */
  expect_audit(SUPABASE, "both", "read", "");
  expect_audit(EMBEDDED, "b", "read", "");
  assert_int_equal(call(SECRET_PUT, "c", "{\"value\":\"v\"}"), RESULT_OK); /* into the first that can be written */
  assert_non_null(fake_row(EMBEDDED, USER, "c"));
  buf_free(&text);
}

/* ---- callers ---- */

static void test_write_and_list(void **state) {
  (void)state;
  assert_int_equal(call(SECRET_LIST, "", ""), RESULT_OK);
  assert_string_equal(reply(), "{\"secrets\":[]}");
  assert_int_equal(call(SECRET_PUT, "k", "{\"value\":\"v\\u00e4\\n\\u0000\",\"policy\":{\"uses\": 3}}"), RESULT_OK);
  assert_string_equal(reply(), "{\"name\":\"k\",\"version\":1,\"created\":true}");
  expect_audit(EMBEDDED, "k", "write", "");
  assert_string_equal(EMBEDDED->audits[0].agent, "neocompute/" NEOCOMPUTE_VERSION " trace=trace-1");
  assert_int_equal(call(SECRET_PUT, "k", "{\"value\":\"v2\"}"), RESULT_OK);
  assert_string_equal(reply(), "{\"name\":\"k\",\"version\":2,\"created\":false}");
  assert_int_equal(call(SECRET_POLICY, "k", "{\"uses\":1}"), RESULT_OK);
  assert_string_equal(reply(), "{\"name\":\"k\",\"version\":3,\"created\":false}");
  expect_audit(EMBEDDED, "k", "policy", "");
  put("broken", "v", "");
  fake_row(EMBEDDED, USER, "broken")->version = 9;
  assert_int_equal(call(SECRET_LIST, "", ""), RESULT_OK);
  assert_string_equal(reply(),
                      "{\"secrets\":[{\"name\":\"k\",\"version\":3,\"policy\":{\"uses\":1},\"store\":\"embedded\","
                      "\"format\":\"sealed-v1\",\"created_at\":\"2023-11-14T22:13:20Z\"},"
                      "{\"name\":\"broken\",\"version\":9,\"store\":\"embedded\",\"format\":\"sealed-v1\","
                      "\"created_at\":\"2023-11-14T22:13:20Z\",\"error\":\"secret_undecryptable\"}]}");
  expect_given("k", "v2");
  expect_refused("k", RESULT_SECRET_FORBIDDEN, "k: forbidden by its policy (uses)");
  assert_int_equal(call(SECRET_POLICY, "broken", "{}"), RESULT_RECORD_CORRUPT);
  expect_audit(EMBEDDED, "broken", "policy", "record_corrupt");
}

static void test_delete(void **state) {
  (void)state;
  assert_int_equal(call(SECRET_DELETE, "k", ""), RESULT_SECRET_UNKNOWN);
  expect_audit(EMBEDDED, "k", "delete", "secret_unknown");
  assert_int_equal(call(SECRET_POLICY, "k", "{}"), RESULT_SECRET_UNKNOWN);
  put("k", "v", "");
  assert_int_equal(call(SECRET_DELETE, "k", ""), RESULT_OK);
  assert_string_equal(reply(), "");
  expect_audit(EMBEDDED, "k", "delete", "");
  expect_refused("k", RESULT_SECRET_NOT_FOUND, "k: there is no secret of that name");
  serve("postgres", false);
  put("k", "v", "");
  serve("supabase embedded postgres", false);
  assert_int_equal(call(SECRET_DELETE, "k", ""), RESULT_OK);
  assert_int_equal(POSTGRES->row_count, 0);
}

static void test_bodies_that_are_refused(void **state) {
  (void)state;
  static const struct {
    enum wire_secret_verb verb;
    const char *name, *body;
    enum result result;
    const char *detail;
  } rows[] = {
      {SECRET_PUT, "k", "", RESULT_BAD_REQUEST, "the request must be a JSON object"},
      {SECRET_PUT, "k", "[]", RESULT_BAD_REQUEST, "the request must be a JSON object"},
      {SECRET_PUT, "k", "{\"value\":\"v\"", RESULT_BAD_REQUEST, "the request must be a JSON object"},
      {SECRET_PUT, "k", "{}", RESULT_SECRET_INVALID, "value: there must be value or sealed, one of them"},
      {SECRET_PUT, "k", "{\"value\":1}", RESULT_SECRET_INVALID, "value: must be a string"},
      {SECRET_PUT, "k", "{\"value\":null}", RESULT_SECRET_INVALID, "value: must be a string"},
      {SECRET_PUT, "k", "{\"value\":\"\"}", RESULT_SECRET_INVALID, "value: must be 1 to 65536 bytes of UTF-8"},
      {SECRET_PUT, "k", "{\"value\":\"\\ud800\"}", RESULT_SECRET_INVALID,
       "value: has an escape that is half of a surrogate pair"},
      {SECRET_PUT, "k", "{\"value\":\"v\",\"value\":\"w\"}", RESULT_SECRET_INVALID, "a member comes twice"},
      {SECRET_PUT, "k", "{\"value\":\"v\",\"Policy\":{}}", RESULT_UNKNOWN_FIELD,
       "the request has a member that is not known"},
      {SECRET_PUT, "k", "{\"value\":\"v\",\"policy\":null}", RESULT_SECRET_INVALID, "policy: must be a JSON object"},
      {SECRET_PUT, "k", "{\"value\":\"v\",\"policy\":{\"uses\":0}}", RESULT_SECRET_INVALID,
       "policy.uses: must be a whole number from 1 to 1000000000"},
      {SECRET_PUT, "k", "{\"sealed\":1}", RESULT_SECRET_INVALID, "sealed: must be an object"},
      {SECRET_PUT, "k", "{\"sealed\":{}}", RESULT_SECRET_INVALID, "sealed: must have enc and ciphertext"},
      {SECRET_PUT, "k", "{\"sealed\":{\"enc\":\"AA\"}}", RESULT_SECRET_INVALID,
       "sealed.enc: must be base64url of 32 bytes"},
      {SECRET_PUT, "k", "{\"sealed\":{\"ciphertext\":\"=\"}}", RESULT_SECRET_INVALID,
       "sealed.ciphertext: must be base64url"},
      {SECRET_PUT, "k", "{\"sealed\":{\"key\":\"\"}}", RESULT_UNKNOWN_FIELD, "sealed: has a member that is not known"},
      {SECRET_PUT, "", "{\"value\":\"v\"}", RESULT_SECRET_INVALID, "name: must be [A-Za-z0-9_.-]{1,128}"},
      {SECRET_PUT, "a/b", "{\"value\":\"v\"}", RESULT_SECRET_INVALID, "name: must be [A-Za-z0-9_.-]{1,128}"},
      {SECRET_DELETE, "a b", "", RESULT_SECRET_INVALID, "name: must be [A-Za-z0-9_.-]{1,128}"},
      {SECRET_POLICY, "k", "", RESULT_BAD_REQUEST, "the request must be a policy"},
      {SECRET_POLICY, "k", "{\"use\":1}", RESULT_SECRET_INVALID, "policy: has a member that is not known: \"use\""},
      {SECRET_LIST, "", "{}", RESULT_BAD_REQUEST, ""},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    assert_int_equal(call(rows[i].verb, rows[i].name, rows[i].body), rows[i].result);
    assert_string_equal(told.detail, rows[i].detail);
  }
  assert_int_equal(EMBEDDED->queries, 0);
}

static enum result put_large(size_t len, const char *what) {
  struct buf body = buf_new(1u << 20);
  buf_put_text(&body, "{\"value\":\"");
  for (size_t i = 0; i < len; i++) buf_put_text(&body, what);
  buf_put_text(&body, "\"}");
  buf_put_u8(&body, 0);
  enum result r = call(SECRET_PUT, "large", (const char *)body.data);
  buf_free(&body);
  return r;
}

static void test_sizes(void **state) {
  (void)state;
  assert_int_equal(put_large(65536, "v"), RESULT_OK);
  assert_int_equal(put_large(65537, "v"), RESULT_SECRET_TOO_LARGE);
  assert_int_equal(put_large(65536, "\\n"), RESULT_OK);
  assert_int_equal(put_large(21846, "\xe2\x82\xac"), RESULT_SECRET_TOO_LARGE);
  assert_int_equal(get("large").result, RESULT_OK);
}

static void seal_to_us(char *body, size_t size, const char *user, const char *name, const char *value) {
  uint8_t sign[SIGN_PUBLIC], agree[AGREE_PUBLIC], enc[HPKE_ENC];
  struct buf aad = buf_new(200), sealed = buf_new(1000), text = buf_fixed(body, size - 1);
  keys_public(keys, sign, agree);
  buf_put_text(&aad, user);
  buf_put_u8(&aad, 0);
  buf_put_text(&aad, name);
  assert_int_equal(
      hpke_seal(agree, span_text("neocompute-secret-seal-v1"), buf_span(&aad), span_text(value), enc, &sealed),
      RESULT_OK);
  buf_put_text(&text, "{\"sealed\":{\"enc\":\"");
  base64_put_url(&text, span_of(enc, sizeof enc));
  buf_put_text(&text, "\",\"ciphertext\":\"");
  base64_put_url(&text, buf_span(&sealed));
  buf_put_text(&text, "\"}}");
  body[text.len] = 0;
  assert_false(text.bad);
  buf_free(&aad);
  buf_free(&sealed);
}

static void test_sealed_by_its_owner(void **state) {
  (void)state;
  char body[1000];
  seal_to_us(body, sizeof body, USER, "k", "s3cret");
  assert_int_equal(call(SECRET_PUT, "k", body), RESULT_OK);
  expect_given("k", "s3cret");
  const char *const elsewhere[][2] = {{USER, "k2"}, {"mallory", "k"}, {USER "k", ""}};
  for (size_t i = 0; i < COUNT(elsewhere); i++) {
    seal_to_us(body, sizeof body, elsewhere[i][0], elsewhere[i][1], "s3cret");
    assert_int_equal(call(SECRET_PUT, "k", body), RESULT_SEALED_INVALID);
  }
  seal_to_us(body, sizeof body, USER, "k", "\xff");
  assert_int_equal(call(SECRET_PUT, "k", body), RESULT_SECRET_INVALID);
  seal_to_us(body, sizeof body, USER, "k", "");
  assert_int_equal(call(SECRET_PUT, "k", body), RESULT_SECRET_INVALID);
}

static void test_conflicts_and_stores_that_are_away(void **state) {
  (void)state;
  put("k", "v", "");
  EMBEDDED->spare = 1;
  EMBEDDED->conflict = 1;
  assert_int_equal(call(SECRET_PUT, "k", "{\"value\":\"w\"}"), RESULT_SECRET_CONFLICT);
  expect_audit(EMBEDDED, "k", "write", "secret_conflict");
  expect_given("k", "v");
  static const struct {
    enum wire_secret_verb verb;
    const char *body;
  } rows[] = {{SECRET_PUT, "{\"value\":\"w\"}"},
              {SECRET_LIST, ""},
              {SECRET_DELETE, ""},
              {SECRET_POLICY, "{}"},
              {SECRET_AUDIT, ""}};
  for (size_t i = 0; i < COUNT(rows); i++) {
    EMBEDDED->away = 2;
    assert_int_equal(call(rows[i].verb, "k", rows[i].body), RESULT_SECRETS_AWAY);
    assert_string_equal(told.detail, "the secret store embedded is away");
    if (rows[i].verb == SECRET_AUDIT || rows[i].verb == SECRET_LIST) continue;
    EMBEDDED->spare = 1;
    EMBEDDED->away = 2;
    assert_int_equal(call(rows[i].verb, "k", rows[i].body), RESULT_SECRETS_AWAY);
  }
  static void (*const lies[])(struct wire_rows * m, struct wire_statement * rows) = {lie_index, lie_columns};
  for (size_t i = 0; i < COUNT(rows); i++)
    for (size_t l = 0; l < COUNT(lies); l++) {
      EMBEDDED->lie = lies[l];
      assert_int_equal(call(rows[i].verb, "k", rows[i].body), RESULT_SECRETS_AWAY);
    }
  expect_given("k", "v");
}

static void test_audit_rows(void **state) {
  (void)state;
  put("k", "v", "");
  put("k2", "v", "");
  (void)get("k");
  put("k", "v", "{\"services\":[\"other\"]}");
  (void)get("k");
  assert_int_equal(call(SECRET_AUDIT, "k", ""), RESULT_OK);
  const char *agent = "\"agent\":\"neocompute/" NEOCOMPUTE_VERSION " job=" JOB " trace=trace-1\"";
  char want[400];
  snprintf(want, sizeof want,
           "{\"audit\":[{\"id\":5,\"action\":\"read\",\"service\":\"neocompute\",\"success\":false,"
           "\"error\":\"services\",%s,\"time\":\"2023-11-14T22:13:20Z\"},{\"id\":4,\"action\":\"write\"",
           agent);
  assert_memory_equal(reply(), want, strlen(want));
  assert_null(strstr(reply(), "\"next\""));
  struct wire_secret_call m = call_of(SECRET_AUDIT, "k", "");
  m.limit = 2;
  const unsigned before = told.count;
  assert_int_equal(send_call(&m), RESULT_OK);
  wait_for(&told.count, before + 1);
  assert_non_null(strstr(reply(), "],\"next\":4}"));
  m.before = 4;
  assert_int_equal(send_call(&m), RESULT_OK);
  wait_for(&told.count, before + 2);
  assert_memory_equal(reply(), "{\"audit\":[{\"id\":3,", 18);
}

/* Ids of two stores: one order, walked from page to page without loss or repetition. */
static void test_audit_rows_of_two_stores(void **state) {
  (void)state;
  put("k", "v", "");
  (void)get("k");
  serve("postgres", false);
  put("k", "v", "");
  (void)get("k");
  (void)get("k");
  serve("embedded postgres", false);
  struct wire_secret_call m = call_of(SECRET_AUDIT, "k", "");
  m.limit = 1;
  unsigned rows = 0;
  for (const char *next = ""; next != NULL; rows++) {
    const unsigned before = told.count;
    assert_int_equal(send_call(&m), RESULT_OK);
    wait_for(&told.count, before + 1);
    assert_int_equal(told.result, RESULT_OK);
    next = strstr(reply(), "\"next\":");
    if (next == NULL) break;
    const uint64_t last = m.before;
    m.before = strtoull(next + 7, NULL, 10);
    assert_true(last == 0 || m.before < last);
  }
  assert_int_equal(rows, 5);
}

static void test_not_more_than_there_is_room_for(void **state) {
  (void)state;
  put("k", "v", "");
  char name[32];
  for (size_t i = 1; i < 1000; i++) {
    snprintf(name, sizeof name, "n%zu", i);
    fake_add(EMBEDDED, USER, name, 1, span_text("x"));
  }
  fake_add(EMBEDDED, "bob", "b", 1, span_text("x"));
  assert_int_equal(call(SECRET_PUT, "more", "{\"value\":\"v\"}"), RESULT_SECRETS_FULL);
  expect_audit(EMBEDDED, "more", "write", "secrets_full");
  assert_int_equal(call(SECRET_PUT, "k", "{\"value\":\"w\"}"), RESULT_OK);
  assert_int_equal(call(SECRET_LIST, "", ""), RESULT_OK);
}

/* ---- the beginning ---- */

static void test_configuration(void **state) {
  (void)state;
  static const struct {
    const char *stores, *url, *key;
    enum result result;
    const char *described;
  } rows[] = {
      {"", "", "", RESULT_OK, "[{\"store\":\"embedded\",\"format\":\"sealed-v1\"}]"},
      {" ", "https://x.example", SECRETS_KEY, RESULT_OK, "[{\"store\":\"supabase\",\"format\":\"reference\"}]"},
      {"postgres, embedded", "", "", RESULT_OK,
       "[{\"store\":\"postgres\",\"format\":\"sealed-v1\"},{\"store\":\"embedded\",\"format\":\"sealed-v1\"}]"},
      {"embedded embedded", "", "", RESULT_CONFIG_INVALID, NULL},
      {"vault", "", "", RESULT_CONFIG_INVALID, NULL},
      {"embedded postgres supabase more", "https://x.example", SECRETS_KEY, RESULT_CONFIG_INVALID, NULL},
      {"supabase", "https://x.example", "", RESULT_CONFIG_INVALID, NULL},
      {"supabase", "", SECRETS_KEY, RESULT_CONFIG_INVALID, NULL},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct secrets_setup setup = setup_of(rows[i].stores, false);
    struct secrets *s = NULL;
    struct buf text = buf_new(500);
    setup.supabase_url = rows[i].url;
    setup.secrets_key = span_text(rows[i].key);
    assert_int_equal(secrets_new(&setup, &s), rows[i].result);
    if (rows[i].described != NULL) {
      secrets_describe(s, &text);
      assert_true(span_is(buf_span(&text), rows[i].described));
    } else {
      assert_null(s);
    }
    secrets_free(s);
    buf_free(&text);
  }
}

static int begin(void **state) {
  (void)state;
  fakes_reset(base);
  serve("embedded", false);
  return 0;
}

static int start(void **state) {
  if (start_crypto(state) != 0) return -1;
  log_open("test", LOG_ERROR);
  told.reply = buf_new(1);
  base = event_base_new();
  return base != NULL && keys_new(span_text(MASTER), &keys) == RESULT_OK ? 0 : -1;
}

static int stop(void **state) {
  secrets_free(secrets);
  fakes_reset(base);
  keys_free(keys);
  buf_free(&told.reply);
  event_base_free(base);
  return stop_crypto(state);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_a_job_gets_its_secrets),
      TEST(test_refusals_name_their_cause),
      TEST(test_all_or_none),
      TEST(test_a_hostile_store_moves_records),
      TEST(test_the_embedded_store_has_one_form),
      TEST(test_uses_run_out),
      TEST(test_uses_at_the_same_time),
      TEST(test_uses_are_sealed),
      TEST(test_a_count_that_others_change),
      TEST(test_a_store_that_only_conflicts),
      TEST(test_one_retry),
      TEST(test_an_audit_row_that_is_lost),
      TEST(test_what_is_known),
      TEST(test_what_is_known_no_more),
      TEST(test_written_down_meanwhile),
      TEST(test_written_meanwhile),
      TEST(test_order_of_stores),
      TEST(test_counting_in_two_stores),
      TEST(test_a_store_that_says_nothing),
      TEST(test_answers_of_the_past),
      TEST(test_forgotten_while_it_is_answered),
      TEST(test_postgres_forgets),
      TEST(test_rows_that_are_none),
      TEST(test_messages_that_are_none),
      TEST(test_requests_that_are_none),
      TEST(test_egress_only),
      TEST(test_the_reference),
      TEST(test_two_kinds_of_stores),
      TEST(test_write_and_list),
      TEST(test_delete),
      TEST(test_bodies_that_are_refused),
      TEST(test_sizes),
      TEST(test_sealed_by_its_owner),
      TEST(test_conflicts_and_stores_that_are_away),
      TEST(test_audit_rows),
      TEST(test_audit_rows_of_two_stores),
      TEST(test_not_more_than_there_is_room_for),
      TEST(test_configuration),
  };
  return cmocka_run_group_tests_name("secrets", tests, start, stop);
}
