#include "store/store.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store/db.h"
#include "store/statements.h"

static char directory[] = "/tmp/store-test-XXXXXX";

/* ---- a store, and one question at a time ---- */

/* A new path each time. */
static const char *new_path(void) {
  static char path[128];
  static unsigned count;
  snprintf(path, sizeof path, "%s/jobs-%u.sqlite", directory, count++);
  return path;
}

static struct store *open_store(const char *path) {
  struct store *s = NULL;
  char problem[256] = "";
  enum result r = store_open(&(struct store_config){.path = path}, problem, sizeof problem, &s);
  if (r != RESULT_OK) fail_msg("%s", problem);
  return s;
}

#define KEPT 64

/* What was answered; records copied. */
struct got {
  bool here;
  enum result result;
  size_t count;
  bool more;
  uint8_t first_byte[KEPT]; /* of each record */
  size_t length[KEPT];
  uint8_t ids[KEPT][STORE_ID];
  enum store_status status[KEPT];
};

static void on_answer(void *context, const struct store_answer *answer) {
  struct got *got = context;
  assert_false(got->here);
  *got = (struct got){true, answer->result, answer->count, answer->more, {0}, {0}, {{0}}, {0}};
  for (size_t i = 0; i < answer->count && i < KEPT; i++) {
    const struct store_job *job = &answer->jobs[i];
    memcpy(got->ids[i], job->id, STORE_ID);
    got->status[i] = job->status;
    got->length[i] = job->record.len;
    got->first_byte[i] = job->record.len > 0 ? job->record.data[0] : 0;
    for (size_t at = 1; at < job->record.len; at++) assert_int_equal(job->record.data[at], job->record.data[0]);
  }
}

/* Until the store has something to say; it says it. */
static void hear(struct store *s) {
  struct pollfd wait = {.fd = store_fd(s), .events = POLLIN};
  assert_int_equal(poll(&wait, 1, 20000), 1);
  store_collect(s);
}

static struct got *await(struct store *s, struct got *got) {
  while (!got->here) hear(s);
  return got;
}

#define ASK(s, call) (got = (struct got){0}, assert_int_equal((call), RESULT_OK), await(s, &got)->result)
static struct got got;

/* ---- jobs ---- */

static const uint8_t alice[STORE_USER] = {1}, bob[STORE_USER] = {2};

static const uint8_t *id(unsigned number) {
  static uint8_t ids[8][STORE_ID];
  static unsigned next;
  uint8_t *out = ids[next++ % 8];
  memset(out, 0, STORE_ID);
  for (unsigned i = 0; i < 4; i++) out[5 - i] = (uint8_t)(number >> 8 * i);
  return out;
}

static const uint8_t *key(unsigned number) {
  static uint8_t keys[4][STORE_KEY];
  static unsigned next;
  uint8_t *out = keys[next++ % 4];
  memset(out, 0, STORE_KEY);
  memcpy(out, &number, sizeof number);
  return out;
}

/* Its record is `len` bytes, each the job's number. */
static struct store_job job(const uint8_t *user, unsigned number, enum store_status status, size_t len) {
  static uint8_t bytes[2u << 20];
  struct store_job j = {.status = status, .expires_ms = status == STORE_RUNNING ? 0 : UINT64_MAX >> 1};
  assert_true(len <= sizeof bytes);
  memset(bytes, (int)(number & 0xff), len);
  memcpy(j.id, id(number), STORE_ID);
  memcpy(j.user, user, STORE_USER);
  j.record = span_of(bytes, len);
  return j;
}

static struct store_job with_key(struct store_job j, unsigned number) {
  j.has_key = true;
  memcpy(j.key, key(number), STORE_KEY);
  memset(j.request, 7, sizeof j.request);
  return j;
}

static enum result put(struct store *s, struct store_job j) {
  return ASK(s, store_put(s, &j, on_answer, &got));
}

static void put_new(struct store *s, const uint8_t *user, unsigned number, enum store_status status) {
  assert_int_equal(put(s, job(user, number, status, 10)), RESULT_OK);
}

static enum result get(struct store *s, const uint8_t *user, unsigned number) {
  return ASK(s, store_get(s, user, id(number), on_answer, &got));
}

static struct store_query all_of(const uint8_t *user) {
  struct store_query q = {.limit = 1000, .bytes = UINT64_MAX};
  memcpy(q.user, user, STORE_USER);
  memset(q.before, 0xff, sizeof q.before);
  return q;
}

static size_t list(struct store *s, struct store_query q) {
  assert_int_equal(ASK(s, store_list(s, &q, on_answer, &got)), RESULT_OK);
  return got.count;
}

/* Runs a test on a file and in memory. */
#define ON_BOTH(name)                         \
  static void name##_both(void **state) {     \
    (void)state;                              \
    const char *paths[] = {NULL, new_path()}; \
    for (size_t i = 0; i < 2; i++) {          \
      struct store *s = open_store(paths[i]); \
      name(s);                                \
      store_free(s);                          \
    }                                         \
  }

/* ---- operations ---- */

static void test_put_get_delete(struct store *s) {
  put_new(s, alice, 5, STORE_COMPLETED);
  assert_int_equal(get(s, alice, 5), RESULT_OK);
  assert_int_equal(got.count, 1);
  assert_int_equal(got.first_byte[0], 5);
  assert_int_equal(got.length[0], 10);
  assert_memory_equal(got.ids[0], id(5), STORE_ID);
  assert_int_equal(get(s, bob, 5), RESULT_JOB_NOT_FOUND);
  assert_int_equal(get(s, alice, 6), RESULT_JOB_NOT_FOUND);
  assert_int_equal(store_stats(s).jobs, 1);
  assert_int_equal(ASK(s, store_delete(s, bob, id(5), on_answer, &got)), RESULT_JOB_NOT_FOUND);
  assert_int_equal(ASK(s, store_delete(s, alice, id(5), on_answer, &got)), RESULT_OK);
  assert_int_equal(ASK(s, store_delete(s, alice, id(5), on_answer, &got)), RESULT_JOB_NOT_FOUND);
  assert_int_equal(get(s, alice, 5), RESULT_JOB_NOT_FOUND);
  assert_int_equal(store_stats(s).jobs, 0);
}
ON_BOTH(test_put_get_delete)

static struct store_job fresh(struct store_job j) {
  j.fresh = true;
  return j;
}

/* The first record of an id, which a later one replaces as any other. */
static void test_fresh(struct store *s) {
  assert_int_equal(put(s, fresh(job(alice, 3, STORE_RUNNING, 10))), RESULT_OK);
  assert_int_equal(get(s, alice, 3), RESULT_OK);
  assert_int_equal(put(s, job(alice, 3, STORE_COMPLETED, 20)), RESULT_OK);
  assert_int_equal(get(s, alice, 3), RESULT_OK);
  assert_int_equal(got.length[0], 20);
  assert_int_equal(put(s, fresh(with_key(job(alice, 4, STORE_COMPLETED, 10), 1))), RESULT_OK);
  assert_int_equal(put(s, fresh(with_key(job(alice, 5, STORE_COMPLETED, 10), 1))), RESULT_IDEMPOTENCY_MISMATCH);
  assert_int_equal(store_stats(s).jobs, 2);
}
ON_BOTH(test_fresh)

static void test_running_then_ended(struct store *s) {
  put_new(s, alice, 1, STORE_RUNNING);
  put_new(s, bob, 2, STORE_RUNNING);
  assert_int_equal(ASK(s, store_list_running(s, id(0), 10, on_answer, &got)), RESULT_OK);
  assert_int_equal(got.count, 2);
  assert_int_equal(ASK(s, store_list_running(s, id(0), 1, on_answer, &got)), RESULT_OK);
  assert_int_equal(got.count, 1);
  assert_memory_equal(got.ids[0], id(1), STORE_ID);
  assert_int_equal(ASK(s, store_list_running(s, id(1), 10, on_answer, &got)), RESULT_OK);
  assert_int_equal(got.count, 1);
  assert_memory_equal(got.ids[0], id(2), STORE_ID);
  assert_int_equal(put(s, job(alice, 1, STORE_FAILED, 100)), RESULT_OK);
  assert_int_equal(store_stats(s).jobs, 2);
  assert_int_equal(get(s, alice, 1), RESULT_OK);
  assert_int_equal(got.status[0], STORE_FAILED);
  assert_int_equal(got.length[0], 100);
  assert_int_equal(ASK(s, store_list_running(s, id(0), 10, on_answer, &got)), RESULT_OK);
  assert_int_equal(got.count, 1);
  assert_memory_equal(got.ids[0], id(2), STORE_ID);
}
ON_BOTH(test_running_then_ended)

/* Records of no and of many bytes. */
static void test_sizes(struct store *s) {
  const size_t sizes[] = {0, 1, 4096, 100000, 2u << 20};
  for (unsigned i = 0; i < 5; i++) assert_int_equal(put(s, job(alice, i, STORE_COMPLETED, sizes[i])), RESULT_OK);
  for (unsigned i = 0; i < 5; i++) {
    assert_int_equal(get(s, alice, i), RESULT_OK);
    assert_int_equal(got.length[0], sizes[i]);
  }
}
ON_BOTH(test_sizes)

static void test_pages(struct store *s) {
  for (unsigned i = 1; i <= 30; i++) put_new(s, alice, i, (enum store_status)(1 + i % 3));
  put_new(s, bob, 99, STORE_COMPLETED);
  struct store_query q = all_of(alice);
  assert_int_equal(list(s, q), 30);
  assert_false(got.more);
  for (unsigned i = 0; i < 30; i++) assert_memory_equal(got.ids[i], id(30 - i), STORE_ID);
  q.limit = 12;
  unsigned seen = 0;
  for (;;) {
    size_t count = list(s, q);
    for (size_t i = 0; i < count; i++) assert_memory_equal(got.ids[i], id(30 - seen - (unsigned)i), STORE_ID);
    seen += (unsigned)count;
    memcpy(q.before, got.ids[count - 1], STORE_ID);
    if (!got.more) break;
    assert_int_equal(count, 12);
  }
  assert_int_equal(seen, 30);
  /* As many as there are: nothing lies behind them. */
  q = all_of(alice);
  q.limit = 30;
  assert_int_equal(list(s, q), 30);
  assert_false(got.more);
  q.status = STORE_COMPLETED;
  q.limit = 9;
  assert_int_equal(list(s, q), 9);
  assert_true(got.more);
  for (unsigned i = 0; i < 9; i++) assert_int_equal(got.status[i], STORE_COMPLETED);
  memcpy(q.before, got.ids[8], STORE_ID);
  assert_int_equal(list(s, q), 1);
  assert_false(got.more);
  uint8_t nobody[STORE_USER] = {3};
  assert_int_equal(list(s, all_of(nobody)), 0);
}
ON_BOTH(test_pages)

/* A page ends once its records come to so many bytes; one record at least is in it. */
static void test_pages_by_bytes(struct store *s) {
  for (unsigned i = 1; i <= 10; i++) assert_int_equal(put(s, job(alice, i, STORE_COMPLETED, 1000)), RESULT_OK);
  struct store_query q = all_of(alice);
  const struct {
    uint64_t bytes;
    size_t count;
  } pages[] = {{0, 1}, {1, 1}, {1000, 1}, {1001, 2}, {5000, 5}, {9001, 10}, {10001, 10}};
  for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
    q.bytes = pages[i].bytes;
    assert_int_equal(list(s, q), pages[i].count);
    assert_int_equal(got.more, pages[i].count < 10);
  }
}
ON_BOTH(test_pages_by_bytes)

static void test_keys(struct store *s) {
  assert_int_equal(put(s, with_key(job(alice, 1, STORE_RUNNING, 10), 1)), RESULT_OK);
  /* Another job of hers with the key is refused, bob's is not. */
  assert_int_equal(put(s, with_key(job(alice, 2, STORE_RUNNING, 10), 1)), RESULT_IDEMPOTENCY_MISMATCH);
  assert_int_equal(get(s, alice, 2), RESULT_JOB_NOT_FOUND);
  assert_int_equal(put(s, with_key(job(bob, 3, STORE_RUNNING, 10), 1)), RESULT_OK);
  assert_int_equal(store_stats(s).jobs, 2);
  /* The end of the job keeps its key. */
  assert_int_equal(put(s, with_key(job(alice, 1, STORE_COMPLETED, 20), 1)), RESULT_OK);
  assert_int_equal(ASK(s, store_find_key(s, alice, key(1), on_answer, &got)), RESULT_OK);
  assert_memory_equal(got.ids[0], id(1), STORE_ID);
  assert_int_equal(got.length[0], 20);
  assert_int_equal(ASK(s, store_find_key(s, bob, key(1), on_answer, &got)), RESULT_OK);
  assert_memory_equal(got.ids[0], id(3), STORE_ID);
  assert_int_equal(ASK(s, store_find_key(s, alice, key(2), on_answer, &got)), RESULT_JOB_NOT_FOUND);
}
ON_BOTH(test_keys)

/* The key of what has expired is free, even before that is deleted. */
static void test_keys_expire(struct store *s) {
  struct store_job old = with_key(job(alice, 1, STORE_COMPLETED, 10), 1);
  old.expires_ms = clock_real_ns() / 1000000 - 1;
  assert_int_equal(put(s, old), RESULT_OK);
  assert_int_equal(ASK(s, store_find_key(s, alice, key(1), on_answer, &got)), RESULT_JOB_NOT_FOUND);
  assert_int_equal(put(s, with_key(job(alice, 2, STORE_COMPLETED, 10), 1)), RESULT_OK);
  assert_int_equal(ASK(s, store_find_key(s, alice, key(1), on_answer, &got)), RESULT_OK);
  assert_memory_equal(got.ids[0], id(2), STORE_ID);
  assert_int_equal(get(s, alice, 1), RESULT_OK);
}
ON_BOTH(test_keys_expire)

static void test_expire(struct store *s) {
  /* More than one step deletes. */
  for (unsigned i = 1; i <= 1300; i++) {
    struct store_job j = job(alice, i, STORE_COMPLETED, 10);
    j.expires_ms = i;
    assert_int_equal(store_put(s, &j, NULL, NULL), RESULT_OK);
  }
  put_new(s, bob, 1, STORE_RUNNING);
  assert_int_equal(ASK(s, store_expire(s, 1200, on_answer, &got)), RESULT_OK);
  assert_int_equal(store_stats(s).jobs, 101);
  assert_int_equal(get(s, alice, 1200), RESULT_JOB_NOT_FOUND);
  assert_int_equal(get(s, alice, 1201), RESULT_OK);
  /* A clock that was stepped back deletes nothing, what runs never expires. */
  assert_int_equal(ASK(s, store_expire(s, 5, on_answer, &got)), RESULT_OK);
  assert_int_equal(store_stats(s).jobs, 101);
  assert_int_equal(ASK(s, store_expire(s, UINT64_MAX, on_answer, &got)), RESULT_OK);
  assert_int_equal(store_stats(s).jobs, 1);
  assert_int_equal(get(s, bob, 1), RESULT_OK);
}
ON_BOTH(test_expire)

static void test_documents(struct store *s) {
  const uint8_t a[32] = {1}, b[32] = {2};
  const struct span text = span_text("{{{{{");
  assert_int_equal(ASK(s, store_put_document(s, a, text, 100, on_answer, &got)), RESULT_OK);
  assert_int_equal(ASK(s, store_put_document(s, a, text, 200, on_answer, &got)), RESULT_OK);
  assert_int_equal(ASK(s, store_put_document(s, b, text, UINT64_MAX >> 1, on_answer, &got)), RESULT_OK);
  assert_int_equal(ASK(s, store_get_document(s, a, on_answer, &got)), RESULT_OK);
  assert_int_equal(got.length[0], 5);
  assert_int_equal(got.first_byte[0], '{');
  assert_int_equal(ASK(s, store_expire(s, 150, on_answer, &got)), RESULT_OK);
  assert_int_equal(ASK(s, store_get_document(s, a, on_answer, &got)), RESULT_OK);
  assert_int_equal(ASK(s, store_expire(s, 200, on_answer, &got)), RESULT_OK);
  assert_int_equal(ASK(s, store_get_document(s, a, on_answer, &got)), RESULT_JOB_NOT_FOUND);
  assert_int_equal(ASK(s, store_get_document(s, b, on_answer, &got)), RESULT_OK);
  assert_int_equal(store_stats(s).jobs, 0);
}
ON_BOTH(test_documents)

/* ---- the queue ---- */

static unsigned order[200], ordered;

static void on_turn(void *context, const struct store_answer *answer) {
  assert_int_equal(answer->result, RESULT_OK);
  order[ordered++] = *(unsigned *)context;
}

/* A read sees every write queued before it, and answers come in the order of the questions. */
static void test_order(struct store *s) {
  static unsigned numbers[200];
  ordered = 0;
  for (unsigned i = 0; i < 200; i += 2) {
    struct store_job j = job(alice, i, STORE_COMPLETED, 10);
    numbers[i] = i;
    numbers[i + 1] = i + 1;
    assert_int_equal(store_put(s, &j, on_turn, &numbers[i]), RESULT_OK);
    assert_int_equal(store_get(s, alice, id(i), on_turn, &numbers[i + 1]), RESULT_OK);
  }
  while (ordered < 200) hear(s);
  for (unsigned i = 0; i < 200; i++) assert_int_equal(order[i], i);
}
ON_BOTH(test_order)

/* Without a callback nobody waits, and it is done all the same. */
static void test_hurry(struct store *s) {
  store_hurry(s);
  for (unsigned i = 0; i < 10; i++) {
    struct store_job j = job(alice, i, STORE_COMPLETED, 10);
    assert_int_equal(store_put(s, &j, NULL, NULL), RESULT_OK);
  }
  store_hurry(s);
  while (store_stats(s).operations < 10) hear(s);
  assert_int_equal(store_stats(s).jobs, 10);
  assert_int_equal(store_stats(s).bytes_waiting, 0);
}
ON_BOTH(test_hurry)

static unsigned refused, stored;

static void on_put(void *context, const struct store_answer *answer) {
  (void)context;
  if (answer->result == RESULT_OK) stored++;
}

/* 64 MiB may wait, and not more; what is refused leaves nothing. */
static void test_bound(struct store *s) {
  const unsigned all = 100;
  refused = stored = 0;
  for (unsigned i = 0; i < all; i++) {
    struct store_job j = job(alice, i, STORE_COMPLETED, 2u << 20);
    enum result r = store_put(s, &j, on_put, NULL);
    assert_true(r == RESULT_OK || r == RESULT_BUSY);
    assert_true(store_stats(s).bytes_waiting <= 64u << 20);
    refused += r == RESULT_BUSY;
  }
  while (stored + refused < all) hear(s);
  assert_true(refused > 0);
  assert_int_equal(store_stats(s).jobs, stored);
  assert_int_equal(store_stats(s).bytes_waiting, 0);
  put_new(s, alice, 1000, STORE_COMPLETED);
}

static unsigned collected;

static void on_large(void *context, const struct store_answer *answer) {
  (void)context;
  assert_int_equal(answer->result, RESULT_OK);
  assert_int_equal(answer->count, 1);
  collected++;
}

/* However many ask at once, few records lie about at a time, and all are answered in order. */
static void test_answers(struct store *s) {
  struct store_stats before;
  collected = 0;
  assert_int_equal(put(s, job(alice, 1, STORE_COMPLETED, 1u << 20)), RESULT_OK);
  before = store_stats(s);
  for (unsigned i = 0; i < 100; i++) assert_int_equal(store_get(s, alice, id(1), on_large, NULL), RESULT_OK);
  put_new(s, alice, 2, STORE_COMPLETED); /* its answer comes last */
  assert_int_equal(collected, 100);
  assert_true(store_stats(s).commits - before.commits >= 100 / 9);
}
ON_BOTH(test_answers)

/* On a disk only: memory is too fast for it. */
static void test_bound_of_the_queue(void **state) {
  (void)state;
  struct store *s = open_store(new_path());
  test_bound(s);
  store_free(s);
}

/* What is wrong with one of a group is not its neighbours' loss. */
static void test_group_failure(void **state) {
  (void)state;
  struct store *s = open_store(new_path());
  struct got gots[20] = {0};
  struct rlimit limit, old;
  getrlimit(RLIMIT_FSIZE, &old);
  put_new(s, alice, 100, STORE_COMPLETED);
  /* A file may grow to 1 MiB: the one job that is larger fails. */
  limit = (struct rlimit){1u << 20, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &limit);
  for (unsigned i = 0; i < 20; i++) {
    struct store_job j = job(alice, i, STORE_COMPLETED, i == 10 ? 2u << 20 : 10);
    assert_int_equal(store_put(s, &j, on_answer, &gots[i]), RESULT_OK);
  }
  for (unsigned i = 0; i < 20; i++)
    assert_int_equal(await(s, &gots[i])->result, i == 10 ? RESULT_STORE_UNAVAILABLE : RESULT_OK);
  assert_int_equal(store_stats(s).jobs, 20);
  assert_int_equal(get(s, alice, 10), RESULT_JOB_NOT_FOUND);
  assert_int_equal(get(s, alice, 100), RESULT_OK);
  setrlimit(RLIMIT_FSIZE, &old);
  assert_int_equal(put(s, job(alice, 10, STORE_COMPLETED, 2u << 20)), RESULT_OK);
  assert_int_equal(list(s, all_of(alice)), 21);
  store_free(s);
}

/* ---- a file ---- */

static void test_closed_and_opened(void **state) {
  (void)state;
  char path[128];
  struct stat st;
  snprintf(path, sizeof path, "%s", new_path());
  struct store *s = open_store(path);
  for (unsigned i = 0; i < 10; i++) {
    struct store_job j = job(alice, i, STORE_COMPLETED, 10);
    assert_int_equal(store_put(s, &j, NULL, NULL), RESULT_OK);
  }
  store_free(s); /* commits what is queued */
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0600);
  s = open_store(path);
  assert_int_equal(store_stats(s).jobs, 10);
  assert_int_equal(list(s, all_of(alice)), 10);
  store_free(s);
  store_free(NULL);
}

static void sql(const char *path, const char *text) {
  sqlite3 *db = NULL;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
}

static void assert_not_opened(const char *path, const char *why) {
  struct store *s = NULL;
  char problem[256] = "";
  assert_int_equal(store_open(&(struct store_config){.path = path}, problem, sizeof problem, &s),
                   RESULT_STORE_UNAVAILABLE);
  assert_null(s);
  if (strstr(problem, why) == NULL || strstr(problem, path) == NULL) fail_msg("%s", problem);
}

static void test_files_that_are_not_ours(void **state) {
  (void)state;
  char path[128];
  snprintf(path, sizeof path, "%s", new_path());
  store_free(open_store(path));
  sql(path, "PRAGMA user_version = 3");
  assert_not_opened(path, "another version");
  sql(path, "PRAGMA user_version = 2; PRAGMA application_id = 5");
  assert_not_opened(path, "another program's");
  snprintf(path, sizeof path, "%s", new_path());
  sql(path, "CREATE TABLE theirs(x)");
  assert_not_opened(path, "another program's");
  snprintf(path, sizeof path, "%s", new_path());
  FILE *f = fopen(path, "w");
  for (int i = 0; i < 1000; i++) fputs("this is no database ", f);
  fclose(f);
  assert_not_opened(path, "not a database");
  assert_not_opened("/nowhere/jobs.sqlite", "No such file");
  assert_not_opened(directory, "directory");
  snprintf(path, sizeof path, "%s", new_path());
  assert_int_equal(symlink("/etc/passwd", path), 0);
  assert_not_opened(path, "symbolic links");
}

/* One store has a file. */
static void test_two_stores(void **state) {
  (void)state;
  char path[128];
  snprintf(path, sizeof path, "%s", new_path());
  struct store *s = open_store(path);
  assert_not_opened(path, "locked");
  put_new(s, alice, 1, STORE_COMPLETED);
  store_free(s);
}

/* In the child: puts jobs until it is killed, and tells which are committed. */
static void on_committed(void *context, const struct store_answer *answer) {
  unsigned number = (unsigned)(uintptr_t)context;
  if (answer->result != RESULT_OK || write(STDOUT_FILENO, &number, sizeof number) != sizeof number) _exit(1);
}

static _Noreturn void put_until_killed(const char *path) {
  struct store *s = open_store(path);
  for (unsigned i = 0;; i++) {
    struct store_job j = job(alice, i, i % 2 == 0 ? STORE_RUNNING : STORE_COMPLETED, i % 5000);
    while (store_put(s, &j, on_committed, (void *)(uintptr_t)i) == RESULT_BUSY) hear(s);
    store_collect(s);
  }
}

/* Every put that was acknowledged is there after kill -9. */
static void test_killed(void **state) {
  (void)state;
  char path[128];
  snprintf(path, sizeof path, "%s", new_path());
  int tell[2];
  assert_int_equal(pipe(tell), 0);
  pid_t child = fork();
  if (child == 0) {
    dup2(tell[1], STDOUT_FILENO);
    put_until_killed(path);
  }
  close(tell[1]);
  unsigned number, heard = 0;
  while (heard < 3000 && read(tell[0], &number, sizeof number) == sizeof number) heard++;
  kill(child, SIGKILL);
  assert_int_equal(waitpid(child, NULL, 0), child);
  while (read(tell[0], &number, sizeof number) == sizeof number) heard++; /* said before it died */
  close(tell[0]);
  assert_true(heard >= 3000);
  struct store *s = open_store(path);
  for (unsigned i = 0; i < heard; i++) {
    assert_int_equal(get(s, alice, i), RESULT_OK);
    assert_int_equal(got.length[0], i % 5000);
    assert_int_equal(got.status[0], i % 2 == 0 ? STORE_RUNNING : STORE_COMPLETED);
  }
  assert_true(store_stats(s).jobs >= heard);
  struct store_query all = all_of(alice);
  all.limit = 1;
  assert_int_equal(list(s, all), 1);
  store_free(s);
}

/* ---- how SQLite goes about it ---- */

/* No question may read a table from one end to the other, or sort what it found; documents are few. */
static void test_plans(void **state) {
  (void)state;
  static const struct {
    const char *name, *text;
  } statements[] = {
#define NAMED(id, sql) {#id, "EXPLAIN QUERY PLAN " sql},
      STATEMENTS(NAMED)
#undef NAMED
  };
  sqlite3 *db = NULL;
  unsigned searches = 0;
  assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, SCHEMA, NULL, NULL, NULL), SQLITE_OK);
  for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, statements[i].text, -1, &s, NULL), SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
      const char *step = (const char *)sqlite3_column_text(s, 3);
      bool by_index = strncmp(step, "SCAN", 4) != 0;
      bool few = strstr(step, "documents") != NULL;
      if ((!by_index && !few) || strstr(step, "TEMP B-TREE") != NULL) fail_msg("%s: %s", statements[i].name, step);
      searches += strncmp(step, "SEARCH", 6) == 0;
    }
    sqlite3_finalize(s);
  }
  sqlite3_close(db);
  assert_true(searches >= 12);
}

static int make_directory(void **state) {
  (void)state;
  signal(SIGXFSZ, SIG_IGN);
  return mkdtemp(directory) != NULL ? 0 : -1;
}

static int remove_directory(void **state) {
  (void)state;
  char path[128], name[128];
  static const char *const ends[] = {"", "-wal", "-shm"};
  for (unsigned i = 0; i < 100; i++) {
    snprintf(path, sizeof path, "%s/jobs-%u.sqlite", directory, i);
    for (size_t e = 0; e < 3; e++) {
      snprintf(name, sizeof name, "%.100s%s", path, ends[e]);
      unlink(name);
    }
  }
  return rmdir(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_put_get_delete_both),
      cmocka_unit_test(test_fresh_both),
      cmocka_unit_test(test_running_then_ended_both),
      cmocka_unit_test(test_sizes_both),
      cmocka_unit_test(test_pages_both),
      cmocka_unit_test(test_pages_by_bytes_both),
      cmocka_unit_test(test_keys_both),
      cmocka_unit_test(test_keys_expire_both),
      cmocka_unit_test(test_expire_both),
      cmocka_unit_test(test_documents_both),
      cmocka_unit_test(test_order_both),
      cmocka_unit_test(test_hurry_both),
      cmocka_unit_test(test_answers_both),
      cmocka_unit_test(test_bound_of_the_queue),
      cmocka_unit_test(test_group_failure),
      cmocka_unit_test(test_closed_and_opened),
      cmocka_unit_test(test_files_that_are_not_ours),
      cmocka_unit_test(test_two_stores),
      cmocka_unit_test(test_killed),
      cmocka_unit_test(test_plans),
  };
  return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
