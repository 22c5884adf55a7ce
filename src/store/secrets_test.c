/* The embedded store of secrets: every statement, all or none, bounds, files of the version before and hostile ones. */
#include "store/store.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/statements.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static char directory[] = "/tmp/secrets-test-XXXXXX";
static char path[64];

static struct store *open_store(const char *at) {
  struct store *s = NULL;
  char problem[256] = "";
  if (store_open(&(struct store_config){.path = at}, problem, sizeof problem, &s) != RESULT_OK) fail_msg("%s", problem);
  return s;
}

static void remove_files(void) {
  char name[80];
  static const char *const ends[] = {"", "-wal", "-shm"};
  for (size_t i = 0; i < COUNT(ends); i++) {
    snprintf(name, sizeof name, "%s%s", path, ends[i]);
    unlink(name);
  }
}

static void sql(const char *text) {
  sqlite3 *db = NULL;
  char *why = NULL;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK) fail_msg("%s", why);
  sqlite3_close(db);
}

/* Runs a test in memory and on a file. */
#define ON_BOTH(name)                                        \
  static void name##_both(void **state) {                    \
    (void)state;                                             \
    for (int file = 0; file < 2; file++) {                   \
      struct store *s = open_store(file == 1 ? path : NULL); \
      name(s);                                               \
      store_free(s);                                         \
      remove_files();                                        \
    }                                                        \
  }

/* ---- questions and answers ---- */

/* What was answered: rows as text, "index|column|column\n". */
struct got {
  bool here;
  enum result result;
  size_t count;
  char text[8192];
};
static struct got got;

static void on_answer(void *context, const struct store_answer *answer) {
  struct got *g = context;
  assert_false(g->here);
  struct buf text = buf_fixed(g->text, sizeof g->text - 1);
  for (size_t i = 0; i < answer->row_count; i++) {
    const struct store_statement *row = &answer->rows[i];
    buf_printf(&text, "%u", row->statement);
    for (uint32_t v = 0; v < row->count; v++) {
      buf_put_u8(&text, '|');
      buf_put_span(&text, row->values[v]);
    }
    buf_put_u8(&text, '\n');
  }
  g->text[text.len] = 0;
  g->here = true;
  g->result = answer->result;
  g->count = answer->row_count;
}

static enum result await(struct store *s, struct got *g) {
  while (!g->here) {
    struct pollfd wait = {.fd = store_fd(s), .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 20000), 1);
    store_collect(s);
  }
  return g->result;
}

#define VALUES(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct store_statement statement(uint32_t number, const char *const *values) {
  struct store_statement s = {.statement = number};
  for (; values[s.count] != NULL; s.count++) s.values[s.count] = span_text(values[s.count]);
  return s;
}

static enum result ask_all(struct store *s, const struct store_statement *statements, size_t count) {
  got = (struct got){0};
  enum result r = store_secrets(s, statements, count, false, on_answer, &got);
  return r != RESULT_OK ? r : await(s, &got);
}

static enum result ask(struct store *s, uint32_t number, const char *const *values) {
  const struct store_statement one = statement(number, values);
  return ask_all(s, &one, 1);
}

#define ASK(s, name, ...) ask(s, STORE_SECRET_##name, VALUES(__VA_ARGS__))
#define MUST(s, name, ...) assert_int_equal(ASK(s, name, __VA_ARGS__), RESULT_OK)

/* The rows so far, each without its last `times` columns, which are times of now. */
static void assert_rows(unsigned times, const char *want) {
  char text[sizeof got.text];
  size_t len = 0;
  for (const char *line = got.text; *line != 0;) {
    const char *end = strchr(line, '\n'), *cut = end;
    for (unsigned i = 0; i < times; i++) do
        cut--;
      while (*cut != '|');
    memcpy(text + len, line, (size_t)(cut - line));
    len += (size_t)(cut - line);
    text[len++] = '\n';
    line = end + 1;
  }
  text[len] = 0;
  assert_string_equal(text, want);
}

/* ---- statements ---- */

static void test_write_find_remove(struct store *s) {
  MUST(s, FIND, "alice", "key");
  assert_int_equal(got.count, 0);
  MUST(s, WRITE, "alice", "key", "1", "sealed one", "0");
  assert_int_equal(got.count, 0);
  MUST(s, FIND, "alice", "key");
  assert_rows(1, "0|1|sealed one|\n");
  MUST(s, FIND, "bob", "key");
  assert_int_equal(got.count, 0);
  MUST(s, WRITE, "alice", "key", "2", "sealed two", "1");
  MUST(s, FIND, "alice", "key");
  assert_rows(1, "0|2|sealed two|\n");
  MUST(s, REMOVE, "bob", "key");
  assert_int_equal(got.count, 0);
  MUST(s, REMOVE, "alice", "key");
  assert_string_equal(got.text, "0|2\n");
  MUST(s, REMOVE, "alice", "key");
  assert_int_equal(got.count, 0);
}
ON_BOTH(test_write_find_remove)

/* Who writes says what is there now. */
static void test_conflicts(struct store *s) {
  assert_int_equal(ASK(s, WRITE, "alice", "key", "2", "x", "1"), RESULT_SECRET_CONFLICT);
  MUST(s, WRITE, "alice", "key", "1", "one", "0");
  assert_int_equal(ASK(s, WRITE, "alice", "key", "1", "x", "0"), RESULT_SECRET_CONFLICT);
  assert_int_equal(ASK(s, WRITE, "alice", "key", "3", "x", "2"), RESULT_SECRET_CONFLICT);
  MUST(s, WRITE, "bob", "key", "1", "his", "0");
  MUST(s, FIND, "alice", "key");
  assert_rows(1, "0|1|one|\n");
}
ON_BOTH(test_conflicts)

static void test_uses(struct store *s) {
  assert_int_equal(ASK(s, USE, "alice", "key", "u1", ""), RESULT_SECRET_CONFLICT); /* there is no such secret */
  MUST(s, WRITE, "alice", "key", "1", "one", "0");
  assert_int_equal(ASK(s, USE, "alice", "key", "u2", "u1"), RESULT_SECRET_CONFLICT);
  MUST(s, USE, "alice", "key", "u1", "");
  assert_int_equal(ASK(s, USE, "alice", "key", "u1", ""), RESULT_SECRET_CONFLICT);
  MUST(s, USE, "alice", "key", "u2", "u1");
  assert_int_equal(ASK(s, USE, "alice", "key", "u2", "u1"), RESULT_SECRET_CONFLICT);
  MUST(s, FIND, "alice", "key");
  assert_rows(1, "0|1|one|u2\n");
  /* What is written anew, or anew after it was removed, has not been used. */
  MUST(s, WRITE, "alice", "key", "2", "two", "1");
  MUST(s, FIND, "alice", "key");
  assert_rows(1, "0|2|two|\n");
  MUST(s, USE, "alice", "key", "u1", "");
  MUST(s, REMOVE, "alice", "key");
  MUST(s, WRITE, "alice", "key", "1", "three", "0");
  MUST(s, FIND, "alice", "key");
  assert_rows(1, "0|1|three|\n");
}
ON_BOTH(test_uses)

static void test_all(struct store *s) {
  MUST(s, ALL, "alice");
  assert_int_equal(got.count, 0);
  MUST(s, WRITE, "alice", "b", "1", "vb", "0");
  MUST(s, WRITE, "alice", "a", "7", "va", "0");
  MUST(s, WRITE, "alice", "B", "1", "vB", "0");
  MUST(s, WRITE, "bob", "c", "1", "vc", "0");
  MUST(s, USE, "alice", "a", "used", "");
  MUST(s, ALL, "alice");
  assert_rows(2, "0|B|1|vB|\n0|a|7|va|used\n0|b|1|vb|\n");
}
ON_BOTH(test_all)

static void test_audit(struct store *s) {
  MUST(s, AUDIT, "alice", "a", "read", "svc", "agent 1", "1", "");
  MUST(s, AUDIT, "alice", "b", "read", "", "", "0", "expired");
  MUST(s, AUDIT, "bob", "a", "write", "", "", "1", "");
  MUST(s, AUDIT, "alice", "a", "delete", "", "", "1", "");
  MUST(s, AUDITS, "alice", "a", "0", "100");
  assert_rows(1, "0|3|delete|||1|\n0|1|read|svc|agent 1|1|\n");
  MUST(s, AUDITS, "alice", "a", "0", "1");
  assert_rows(1, "0|3|delete|||1|\n");
  MUST(s, AUDITS, "alice", "a", "3", "100");
  assert_rows(1, "0|1|read|svc|agent 1|1|\n");
  MUST(s, AUDITS, "alice", "b", "0", "100");
  assert_rows(1, "0|2|read|||0|expired\n");
  MUST(s, AUDITS, "bob", "a", "0", "100");
  assert_rows(1, "0|1|write|||1|\n");
  MUST(s, POLICIES, "alice", "a");
  assert_int_equal(got.count, 0);
}
ON_BOTH(test_audit)

/* The oldest go, and nobody else's. */
static void test_audit_is_bounded(void **state) {
  (void)state;
  struct store *s = open_store(NULL);
  struct store_statement many[STORE_STATEMENTS_MAX];
  MUST(s, AUDIT, "bob", "a", "read", "", "", "1", "");
  for (size_t i = 0; i < COUNT(many); i++)
    many[i] = statement(STORE_SECRET_AUDIT, VALUES("alice", i % 2 == 0 ? "a" : "b", "read", "", "", "1", ""));
  for (unsigned i = 0; i < 320; i++) assert_int_equal(ask_all(s, many, COUNT(many)), RESULT_OK); /* 10,240 */
  MUST(s, AUDITS, "alice", "a", "245", "10");                                                    /* 240 are gone */
  assert_rows(1, "0|243|read|||1|\n0|241|read|||1|\n");
  MUST(s, AUDITS, "alice", "b", "0", "1");
  assert_rows(1, "0|10240|read|||1|\n");
  MUST(s, AUDITS, "bob", "a", "0", "10");
  assert_int_equal(got.count, 1);
  store_free(s);
}

/* ---- all or none ---- */

static void test_all_or_none(struct store *s) {
  MUST(s, WRITE, "alice", "key", "1", "one", "0");
  const struct store_statement some[] = {
      statement(STORE_SECRET_AUDIT, VALUES("alice", "key", "write", "", "", "1", "")),
      statement(STORE_SECRET_WRITE, VALUES("alice", "new", "1", "x", "0")),
      statement(STORE_SECRET_FIND, VALUES("alice", "new")),
      statement(STORE_SECRET_WRITE, VALUES("alice", "key", "9", "x", "8")),
  };
  assert_int_equal(ask_all(s, some, 4), RESULT_SECRET_CONFLICT);
  assert_int_equal(got.count, 0);
  MUST(s, FIND, "alice", "new");
  assert_int_equal(got.count, 0);
  MUST(s, AUDITS, "alice", "key", "0", "10");
  assert_int_equal(got.count, 0);
  /* Without the last one, all is done, and each sees what was done before it. */
  assert_int_equal(ask_all(s, some, 3), RESULT_OK);
  assert_rows(1, "2|1|x|\n");
  MUST(s, AUDITS, "alice", "key", "0", "10");
  assert_int_equal(got.count, 1);
}
ON_BOTH(test_all_or_none)

/* What nobody waits for is done before what comes next and is waited for, in one transaction with it; or when told. */
static void test_later(struct store *s) {
  struct got gots[3] = {0};
  const struct store_statement read = statement(STORE_SECRET_AUDIT, VALUES("alice", "key", "read", "", "", "1", ""));
  const struct store_stats before = store_stats(s);
  assert_int_equal(store_secrets(s, &read, 1, true, on_answer, &gots[0]), RESULT_OK);
  assert_int_equal(store_secrets(s, &read, 1, true, on_answer, &gots[1]), RESULT_OK);
  MUST(s, AUDITS, "alice", "key", "0", "10");
  assert_rows(1, "0|2|read|||1|\n0|1|read|||1|\n");
  assert_true(gots[0].here && gots[1].here && gots[0].result == RESULT_OK && gots[1].result == RESULT_OK);
  const struct store_stats after = store_stats(s);
  assert_int_equal(after.operations - before.operations, 3);
  assert_int_equal(after.commits - before.commits, 1);
  assert_int_equal(store_secrets(s, &read, 1, true, on_answer, &gots[2]), RESULT_OK);
  store_hurry(s);
  assert_int_equal(await(s, &gots[2]), RESULT_OK);
}
ON_BOTH(test_later)

static void test_all_audits_or_none(struct store *s) {
  static char agent[STORE_TEXT_MAX + 2];
  memset(agent, 'a', sizeof agent - 1);
  const struct store_statement some[] = {
      statement(STORE_SECRET_AUDIT, VALUES("alice", "key", "read", "", "one", "1", "")),
      statement(STORE_SECRET_AUDIT, VALUES("alice", "key", "read", "", "two", "1", "")),
      statement(STORE_SECRET_AUDIT, VALUES("alice", "key", "read", "", agent, "1", "")),
  };
  assert_int_equal(ask_all(s, some, 3), RESULT_SECRET_STORE_UNAVAILABLE);
  MUST(s, AUDITS, "alice", "key", "0", "10");
  assert_int_equal(got.count, 0);
  assert_int_equal(ask_all(s, some, 2), RESULT_OK);
  MUST(s, AUDITS, "alice", "key", "0", "10");
  assert_rows(1, "0|2|read||two|1|\n0|1|read||one|1|\n");
}
ON_BOTH(test_all_audits_or_none)

/* In a group, among jobs, each stands for itself. */
static void test_neighbours(struct store *s) {
  struct got gots[30] = {0};
  static const uint8_t nobody[STORE_USER] = {9};
  for (unsigned i = 0; i < COUNT(gots); i++) {
    char name[16];
    snprintf(name, sizeof name, "n%u", i);
    const struct store_statement one =
        statement(STORE_SECRET_WRITE, VALUES("alice", i % 3 == 2 ? "n0" : name, "1", "x", "0"));
    assert_int_equal(store_secrets(s, &one, 1, false, on_answer, &gots[i]), RESULT_OK);
    assert_int_equal(store_delete(s, nobody, nobody, NULL, NULL), RESULT_OK);
  }
  for (unsigned i = 0; i < COUNT(gots); i++)
    assert_int_equal(await(s, &gots[i]), i % 3 == 2 ? RESULT_SECRET_CONFLICT : RESULT_OK);
  MUST(s, ALL, "alice");
  assert_int_equal(got.count, 20);
}
ON_BOTH(test_neighbours)

/* ---- values ---- */

static void test_hostile_values(struct store *s) {
  static const char *const texts[] = {
      "'; DROP TABLE secrets; --", "\" OR 1=1", "%", "_", "?1", "\\", "\n\t\x01", "äöü€😀", " ", ".", "..", "NULL"};
  for (size_t i = 0; i < COUNT(texts); i++) {
    MUST(s, WRITE, texts[i], texts[i], "1", texts[i], "0");
    MUST(s, AUDIT, texts[i], texts[i], texts[i], texts[i], texts[i], "1", texts[i]);
    MUST(s, FIND, texts[i], texts[i]);
    assert_int_equal(got.count, 1);
    assert_non_null(strstr(got.text, texts[i]));
    MUST(s, ALL, texts[i]);
    assert_int_equal(got.count, 1);
    MUST(s, AUDITS, texts[i], texts[i], "0", "10");
    assert_int_equal(got.count, 1);
  }
  /* The largest versions and ids there are. */
  MUST(s, WRITE, "alice", "k", "9223372036854775807", "", "0");
  MUST(s, FIND, "alice", "k");
  assert_rows(1, "0|9223372036854775807||\n");
  MUST(s, AUDITS, "alice", "k", "9223372036854775807", "9223372036854775807");
}
ON_BOTH(test_hostile_values)

/* What is no query is not taken at all. */
static void test_no_queries(void **state) {
  (void)state;
  struct store *s = open_store(NULL);
  static const struct {
    uint32_t number;
    const char *values[9];
  } bad[] = {
      {0, {"alice"}},
      {9, {"alice"}},
      {UINT32_MAX, {"alice"}},
      {STORE_SECRET_ALL, {NULL}},
      {STORE_SECRET_ALL, {"alice", "b"}},
      {STORE_SECRET_FIND, {"alice"}},
      {STORE_SECRET_FIND, {"alice", "\xff"}},
      {STORE_SECRET_FIND, {"\xed\xa0\x80", "a"}},
      {STORE_SECRET_WRITE, {"alice", "a", "", "x", "0"}},
      {STORE_SECRET_WRITE, {"alice", "a", "-1", "x", "0"}},
      {STORE_SECRET_WRITE, {"alice", "a", "1.0", "x", "0"}},
      {STORE_SECRET_WRITE, {"alice", "a", "1", "x", "9223372036854775808"}},
      {STORE_SECRET_AUDIT, {"alice", "a", "b", "c", "d", "yes", "f"}},
      {STORE_SECRET_AUDITS, {"alice", "a", "x", "1"}},
  };
  for (size_t i = 0; i < COUNT(bad); i++) assert_int_equal(ask(s, bad[i].number, bad[i].values), RESULT_BAD_REQUEST);
  struct store_statement many[STORE_STATEMENTS_MAX + 1];
  for (size_t i = 0; i < COUNT(many); i++) many[i] = statement(STORE_SECRET_FIND, VALUES("alice", "a"));
  assert_int_equal(ask_all(s, many, 0), RESULT_BAD_REQUEST);
  assert_int_equal(ask_all(s, many, COUNT(many)), RESULT_BAD_REQUEST);
  assert_int_equal(ask_all(s, many, COUNT(many) - 1), RESULT_OK);
  many[1].values[1] = span_of("a\0b", 3);
  assert_int_equal(ask_all(s, many, 2), RESULT_BAD_REQUEST);
  many[1].count = 10;
  assert_int_equal(ask_all(s, many, 2), RESULT_BAD_REQUEST);
  store_free(s);
}

/* ---- bounds ---- */

static enum result write_large(struct store *s, const char *name, size_t len) {
  static char bytes[STORE_SECRET_MAX + 1];
  memset(bytes, 'x', sizeof bytes);
  struct store_statement one = statement(STORE_SECRET_WRITE, VALUES("alice", name, "1", "", "0"));
  one.values[3] = span_of(bytes, len);
  return ask_all(s, &one, 1);
}

static void test_sizes(struct store *s) {
  assert_int_equal(write_large(s, "a", STORE_SECRET_MAX), RESULT_OK);
  assert_int_equal(write_large(s, "b", STORE_SECRET_MAX + 1), RESULT_SECRET_STORE_UNAVAILABLE);
  char text[STORE_TEXT_MAX + 2];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = 0;
  assert_int_equal(ASK(s, FIND, "alice", text), RESULT_SECRET_STORE_UNAVAILABLE);
  MUST(s, FIND, "alice", text + 1);
  MUST(s, FIND, "alice", "b");
  assert_int_equal(got.count, 0);
}
ON_BOTH(test_sizes)

/* A user's secrets have so much room and no more; what another one takes is no matter. */
static void test_room(struct store *s) {
  char name[16];
  for (unsigned i = 0; i < STORE_SECRETS_BYTES / STORE_SECRET_MAX; i++) {
    snprintf(name, sizeof name, "n%u", i);
    assert_int_equal(write_large(s, name, STORE_SECRET_MAX), RESULT_OK);
  }
  assert_int_equal(write_large(s, "more", 1), RESULT_SECRETS_FULL);
  MUST(s, FIND, "alice", "more");
  assert_int_equal(got.count, 0);
  MUST(s, WRITE, "bob", "more", "1", "x", "0");
  MUST(s, WRITE, "alice", "n0", "2", "x", "1");
  assert_int_equal(write_large(s, "more", 1), RESULT_OK);
  MUST(s, ALL, "alice"); /* all of it fits an answer */
  assert_int_equal(got.count, 9);
}
ON_BOTH(test_room)

static void test_count(struct store *s) {
  char name[16];
  for (unsigned i = 0; i < STORE_SECRETS_OF_USER; i++) {
    snprintf(name, sizeof name, "n%u", i);
    MUST(s, WRITE, "alice", name, "1", "x", "0");
  }
  assert_int_equal(ASK(s, WRITE, "alice", "more", "1", "x", "0"), RESULT_SECRETS_FULL);
  MUST(s, ALL, "alice");
  assert_int_equal(got.count, STORE_SECRETS_OF_USER);
  struct store_statement many[5];
  for (size_t i = 0; i < COUNT(many); i++) many[i] = statement(STORE_SECRET_ALL, VALUES("alice"));
  assert_int_equal(ask_all(s, many, 4), RESULT_OK);
  assert_int_equal(got.count, 4000);
  assert_int_equal(ask_all(s, many, 5), RESULT_SECRET_STORE_UNAVAILABLE);
  assert_int_equal(got.count, 0);
}
ON_BOTH(test_count)

/* ---- files ---- */

static void test_kept(void **state) {
  (void)state;
  struct store *s = open_store(path);
  MUST(s, WRITE, "alice", "key", "1", "one", "0");
  MUST(s, AUDIT, "alice", "key", "write", "", "", "1", "");
  store_free(s);
  s = open_store(path);
  MUST(s, FIND, "alice", "key");
  assert_rows(1, "0|1|one|\n");
  MUST(s, AUDIT, "alice", "key", "read", "", "", "1", "");
  MUST(s, AUDITS, "alice", "key", "0", "10");
  assert_rows(1, "0|2|read|||1|\n0|1|write|||1|\n");
  store_free(s);
  remove_files();
}

static void put_version_1(const char *more) {
  char text[128];
  sql(SCHEMA_1);
  sql("PRAGMA journal_mode = WAL; INSERT INTO jobs VALUES(zeroblob(16), zeroblob(32), 2, 4000000000000, NULL, NULL, "
      "x'07');"
      "UPDATE counts SET value = 1");
  snprintf(text, sizeof text, "PRAGMA user_version = 1; PRAGMA application_id = %d", APPLICATION_ID);
  sql(text);
  sql(more);
}

static void on_job(void *context, const struct store_answer *answer) {
  struct got *g = context;
  g->here = true;
  g->result = answer->result;
  g->count = answer->count > 0 ? answer->jobs[0].record.data[0] : 0;
}

/* A file of the version before: its jobs are there, and secrets can be. */
static void test_migration(void **state) {
  (void)state;
  static const uint8_t zeros[STORE_USER];
  put_version_1("");
  for (unsigned opened = 0; opened < 2; opened++) {
    struct store *s = open_store(path);
    assert_int_equal(store_stats(s).jobs, 1);
    got = (struct got){0};
    assert_int_equal(store_get(s, zeros, zeros, on_job, &got), RESULT_OK);
    assert_int_equal(await(s, &got), RESULT_OK);
    assert_int_equal(got.count, 7);
    MUST(s, FIND, "alice", "key");
    assert_int_equal(got.count, opened);
    if (opened == 0) MUST(s, WRITE, "alice", "key", "1", "one", "0");
    store_free(s);
  }
  sql("SELECT 1 / (SELECT user_version = 2 FROM pragma_user_version)");
  remove_files();
}

/* One that cannot be brought forward is refused, and stays of that version. */
static void test_migration_refused(void **state) {
  (void)state;
  struct store *s = NULL;
  char problem[256] = "";
  put_version_1("CREATE TABLE secret_audit_logs(x)");
  assert_int_equal(store_open(&(struct store_config){.path = path}, problem, sizeof problem, &s),
                   RESULT_STORE_UNAVAILABLE);
  assert_non_null(strstr(problem, "already exists"));
  sqlite3 *db = NULL;
  sqlite3_stmt *statement_ = NULL;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_prepare_v2(db,
                                      "SELECT (SELECT count(*) FROM sqlite_schema WHERE name = 'secrets'),"
                                      " (SELECT user_version FROM pragma_user_version)",
                                      -1, &statement_, NULL),
                   SQLITE_OK);
  assert_int_equal(sqlite3_step(statement_), SQLITE_ROW);
  assert_int_equal(sqlite3_column_int(statement_, 0), 0);
  assert_int_equal(sqlite3_column_int(statement_, 1), 1);
  sqlite3_finalize(statement_);
  sqlite3_close(db);
  remove_files();
}

/* A stranger's idea of our table, and a row of it. */
static const char loosened[] =
    "PRAGMA writable_schema = ON;"
    "UPDATE sqlite_schema SET sql = replace(replace(sql, 'STRICT', ''), 'NOT NULL', '') WHERE name = 'secrets';"
    "PRAGMA writable_schema = RESET; UPDATE secrets SET version = NULL WHERE user_id = 'alice'";

/* A row that we would not have written is not handed on, and nobody else's suffers. */
static void test_tampered_rows(void **state) {
  (void)state;
  static const char *const changes[] = {
      "UPDATE secrets SET version = -1 WHERE user_id = 'alice'",
      "UPDATE secrets SET encrypted_value = CAST(x'ff' AS TEXT) WHERE user_id = 'alice'",
      "UPDATE secrets SET encrypted_value = CAST(x'610062' AS TEXT) WHERE user_id = 'alice'",
      "UPDATE secrets SET encrypted_value = printf('%.*c', 600000, 'x') WHERE user_id = 'alice'",
      "UPDATE secrets SET updated_at = -5 WHERE user_id = 'alice'",
      "INSERT INTO secret_uses VALUES('alice', 'key', printf('%.*c', 2000, 'x'))",
      loosened,
  };
  for (size_t i = 0; i < COUNT(changes); i++) {
    struct store *s = open_store(path);
    MUST(s, WRITE, "alice", "key", "1", "one", "0");
    MUST(s, WRITE, "bob", "key", "1", "his", "0");
    store_free(s);
    sql(changes[i]);
    s = open_store(path);
    assert_int_equal(ASK(s, FIND, "alice", "key"), RESULT_SECRET_STORE_UNAVAILABLE);
    assert_int_equal(ASK(s, ALL, "alice"), RESULT_SECRET_STORE_UNAVAILABLE);
    MUST(s, FIND, "bob", "key");
    assert_int_equal(got.count, 1);
    store_free(s);
    remove_files();
  }
}

/* A disk that takes no more: what does not fit fails as a whole, the others do not. */
static void test_full_disk(void **state) {
  (void)state;
  static char large[STORE_SECRET_MAX];
  struct got gots[10] = {0};
  struct rlimit old;
  struct store *s = open_store(path);
  memset(large, 'x', sizeof large);
  getrlimit(RLIMIT_FSIZE, &old);
  setrlimit(RLIMIT_FSIZE, &(struct rlimit){256u << 10, old.rlim_max});
  for (unsigned i = 0; i < COUNT(gots); i++) {
    char name[8];
    snprintf(name, sizeof name, "n%u", i);
    struct store_statement two[] = {statement(STORE_SECRET_AUDIT, VALUES("alice", name, "write", "", "", "1", "")),
                                    statement(STORE_SECRET_WRITE, VALUES("alice", name, "1", "x", "0"))};
    if (i == 4) two[1].values[3] = span_of(large, sizeof large);
    assert_int_equal(store_secrets(s, two, 2, false, on_answer, &gots[i]), RESULT_OK);
  }
  for (unsigned i = 0; i < COUNT(gots); i++)
    assert_int_equal(await(s, &gots[i]), i == 4 ? RESULT_SECRET_STORE_UNAVAILABLE : RESULT_OK);
  MUST(s, FIND, "alice", "n4");
  assert_int_equal(got.count, 0);
  MUST(s, AUDITS, "alice", "n4", "0", "10");
  assert_int_equal(got.count, 0);
  setrlimit(RLIMIT_FSIZE, &old);
  assert_int_equal(write_large(s, "n4", STORE_SECRET_MAX), RESULT_OK);
  store_free(s);
  remove_files();
}

static int make_directory(void **state) {
  (void)state;
  signal(SIGXFSZ, SIG_IGN);
  if (mkdtemp(directory) == NULL) return -1;
  snprintf(path, sizeof path, "%s/store.db", directory);
  return 0;
}

static int remove_directory(void **state) {
  (void)state;
  remove_files();
  return rmdir(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_write_find_remove_both),
      cmocka_unit_test(test_conflicts_both),
      cmocka_unit_test(test_uses_both),
      cmocka_unit_test(test_all_both),
      cmocka_unit_test(test_audit_both),
      cmocka_unit_test(test_audit_is_bounded),
      cmocka_unit_test(test_all_or_none_both),
      cmocka_unit_test(test_later_both),
      cmocka_unit_test(test_all_audits_or_none_both),
      cmocka_unit_test(test_neighbours_both),
      cmocka_unit_test(test_hostile_values_both),
      cmocka_unit_test(test_no_queries),
      cmocka_unit_test(test_sizes_both),
      cmocka_unit_test(test_room_both),
      cmocka_unit_test(test_count_both),
      cmocka_unit_test(test_kept),
      cmocka_unit_test(test_migration),
      cmocka_unit_test(test_migration_refused),
      cmocka_unit_test(test_tampered_rows),
      cmocka_unit_test(test_full_disk),
  };
  return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
