/* What a file can suffer: strangers' files, damaged ones, disks that are full or fail. */
#include "store/store.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define FUTURE 4000000000000u /* ms: the year 2096 */
#define PAST 1000u
#define KEEP 64 /* jobs of an answer that the test keeps */

static char directory[64], path[96], log_path[112];
static char problem[256];

static struct store *open_at(const char *where) {
  struct store *s = NULL;
  enum result r = store_open(&(struct store_config){where, false}, problem, sizeof problem, &s);
  if (r != RESULT_OK) print_error("%s\n", problem);
  assert_int_equal(r, RESULT_OK);
  return s;
}

static enum result try_open(void) {
  struct store *s = NULL;
  problem[0] = 0;
  enum result r = store_open(&(struct store_config){path, false}, problem, sizeof problem, &s);
  store_free(s);
  return r;
}

static void remove_files(void) {
  unlink(path);
  unlink(log_path);
}

/* ---- answers ---- */

struct reply {
  unsigned calls;
  enum result result;
  size_t count;
  bool more;
  struct store_job jobs[KEEP];
  uint8_t first_byte[KEEP];
};

static void keep(void *context, const struct store_answer *answer) {
  struct reply *reply = context;
  reply->calls++;
  reply->result = answer->result;
  reply->count = answer->count;
  reply->more = answer->more;
  for (size_t i = 0; i < answer->count && i < KEEP; i++) {
    reply->jobs[i] = answer->jobs[i];
    reply->first_byte[i] = answer->jobs[i].record.len > 0 ? answer->jobs[i].record.data[0] : 0;
  }
}

static bool wait_and_collect(struct store *s) {
  struct pollfd wait = {.fd = store_fd(s), .events = POLLIN};
  if (poll(&wait, 1, 30000) != 1) return false;
  store_collect(s);
  return true;
}

static void collect_once(struct store *s) {
  assert_true(wait_and_collect(s));
}

static void await(struct store *s, const struct reply *reply) {
  while (reply->calls == 0) collect_once(s);
  assert_int_equal(reply->calls, 1);
}

/* Runs one operation to its end: CALL(store_get, s, user, id). */
#define CALL(function, s, ...)                                                 \
  ({                                                                           \
    static struct reply answer_;                                               \
    answer_.calls = 0;                                                         \
    assert_int_equal(function((s), ##__VA_ARGS__, keep, &answer_), RESULT_OK); \
    await((s), &answer_);                                                      \
    &answer_;                                                                  \
  })

/* ---- jobs ---- */

static const uint8_t alice[STORE_USER] = {'a'}, bob[STORE_USER] = {'b'};

/* The n-th job: the id ascends with n; the record is n % 256, 100 times. */
static struct store_job job_of(const uint8_t user[STORE_USER], uint32_t n, enum store_status status) {
  static uint8_t records[256][100];
  uint8_t *record = records[n % 256];
  struct store_job job = {.status = status, .expires_ms = status == STORE_RUNNING ? 0 : FUTURE};
  memset(record, (int)(n % 256), sizeof records[0]);
  memcpy(job.user, user, STORE_USER);
  for (size_t i = 0; i < 4; i++) job.id[i + 2] = job.id[15 - i] = (uint8_t)(n >> (24 - 8 * i));
  job.record = span_of(record, sizeof records[0]);
  return job;
}

static enum result put(struct store *s, struct store_job job) {
  return CALL(store_put, s, &job)->result;
}

static enum result get(struct store *s, struct store_job job) {
  return CALL(store_get, s, job.user, job.id)->result;
}

static struct store_query query_of(const uint8_t user[STORE_USER], enum store_status status, uint32_t limit) {
  struct store_query query = {.status = status, .limit = limit, .bytes = UINT64_MAX};
  memcpy(query.user, user, STORE_USER);
  memset(query.before, 0xff, STORE_ID);
  return query;
}

/* ---- a file ---- */

static void run_sql(const char *sql) {
  sqlite3 *db = NULL;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
  assert_int_equal(chmod(path, 0600), 0);
}

static size_t read_file(uint8_t *out, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? read(fd, out, size) : -1;
  assert_true(n >= 0);
  close(fd);
  return (size_t)n;
}

static void overwrite(off_t at, const void *bytes, size_t len) {
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  assert_int_equal(pwrite(fd, bytes, len, at), (ssize_t)len);
  close(fd);
}

/* Whatever is refused is left as it was. */
static void expect_refusal(const char *why) {
  static uint8_t before[65536], after[65536];
  size_t len = read_file(before, sizeof before);
  assert_int_equal(try_open(), RESULT_STORE_UNAVAILABLE);
  if (strstr(problem, why) == NULL) print_error("%s\n", problem);
  assert_non_null(strstr(problem, why));
  assert_non_null(strstr(problem, path));
  assert_int_equal(read_file(after, sizeof after), len);
  assert_memory_equal(before, after, len);
  remove_files();
}

static void make_store(uint32_t jobs) {
  remove_files();
  struct store *s = open_at(path);
  for (uint32_t n = 0; n < jobs; n++) assert_int_equal(put(s, job_of(alice, n, STORE_COMPLETED)), RESULT_OK);
  store_free(s);
}

static void test_strangers_files(void **state) {
  (void)state;
  static uint8_t rubbish[8192];
  memset(rubbish, 'x', sizeof rubbish);
  overwrite(0, rubbish, sizeof rubbish);
  expect_refusal("not a database");
  run_sql("CREATE TABLE t (x)");
  expect_refusal("another program");
  run_sql("PRAGMA application_id = 7");
  expect_refusal("another program");
  make_store(1);
  run_sql("PRAGMA user_version = 3");
  expect_refusal("another version");
  make_store(1);
  run_sql("PRAGMA user_version = 0");
  expect_refusal("another version");
  make_store(1);
  run_sql("DROP TABLE documents");
  expect_refusal("no such table");
  make_store(1);
  run_sql("UPDATE counts SET value = -5");
  expect_refusal("damaged");
}

/* A trigger in the file does not run, and rows of another form are not believed. */
static void test_tampered_rows(void **state) {
  (void)state;
  static const char *const changes[] = {
      "UPDATE jobs SET id = x'01'",       "UPDATE jobs SET user = x'61'", "UPDATE jobs SET status = 9",
      "UPDATE jobs SET expires_ms = -1",  "UPDATE jobs SET key = x'00'",  "UPDATE jobs SET key = zeroblob(32)",
      "UPDATE jobs SET status = 1000000",
  };
  for (size_t i = 0; i < COUNT(changes); i++) {
    make_store(1);
    run_sql(changes[i]);
    struct store *s = open_at(path);
    struct store_job job = job_of(alice, 0, STORE_COMPLETED);
    assert_int_not_equal(get(s, job), RESULT_OK);
    struct store_query query = query_of(alice, 0, 10);
    assert_int_equal(CALL(store_list, s, &query)->count, 0);
    store_free(s);
    remove_files();
  }
  make_store(1);
  run_sql("CREATE TRIGGER t AFTER INSERT ON jobs BEGIN DELETE FROM jobs; END");
  struct store *s = open_at(path);
  assert_int_equal(put(s, job_of(alice, 1, STORE_COMPLETED)), RESULT_OK);
  assert_int_equal(get(s, job_of(alice, 0, STORE_COMPLETED)), RESULT_OK);
  assert_int_equal(get(s, job_of(alice, 1, STORE_COMPLETED)), RESULT_OK);
  store_free(s);
  remove_files();
}

/* A page of the file is rubbish: an answer is right, missing or refused; never wrong, and never the end. */
static void test_damaged_pages(void **state) {
  (void)state;
  static const uint8_t rubbish[4096] = {0x0d, 0xff, 0xff, 0xff};
  struct stat st;
  unsigned refused = 0;
  make_store(200);
  assert_int_equal(stat(path, &st), 0);
  off_t pages = st.st_size / 4096;
  remove_files();
  for (off_t page = 1; page < pages; page++) {
    make_store(200);
    overwrite(page * 4096, rubbish, sizeof rubbish);
    struct store *s = NULL;
    bool opened = store_open(&(struct store_config){path, false}, problem, sizeof problem, &s) == RESULT_OK;
    for (uint32_t n = 0; opened && n < 200; n += 7) {
      struct store_job job = job_of(alice, n, STORE_COMPLETED);
      struct reply *reply = CALL(store_get, s, alice, job.id);
      if (reply->result == RESULT_OK) assert_int_equal(reply->first_byte[0], n);
      if (reply->result == RESULT_STORE_UNAVAILABLE) refused++;
      (void)put(s, job);
    }
    if (opened) (void)CALL(store_expire, s, FUTURE + 1);
    store_free(s);
    remove_files();
  }
  assert_true(refused > 0);
}

/* ---- the process is killed ---- */

struct acknowledgement {
  int pipe;
  uint32_t n;
};

static void acknowledge(void *context, const struct store_answer *answer) {
  struct acknowledgement *a = context;
  if (answer->result != RESULT_OK || write(a->pipe, &a->n, sizeof a->n) != sizeof a->n) _exit(1);
}

/* Puts jobs as fast as it can, until it is killed: job n % 3 == 0 runs on, the others end, each told of through the
 * pipe. */
static void put_forever(int pipe_end) {
  static struct acknowledgement slots[1u << 16];
  struct store *s = NULL; /* no assertions here: they would run the other tests in this process */
  if (store_open(&(struct store_config){path, false}, problem, sizeof problem, &s) != RESULT_OK) _exit(3);
  for (uint32_t n = 0; n < COUNT(slots); n++) {
    struct store_job running = job_of(alice, n, STORE_RUNNING), ended = job_of(alice, n, STORE_COMPLETED);
    slots[n] = (struct acknowledgement){pipe_end, n};
    if (n % 3 != 0 && store_put(s, &running, NULL, NULL) != RESULT_OK) _exit(2);
    if (store_put(s, n % 3 == 0 ? &running : &ended, acknowledge, &slots[n]) != RESULT_OK) _exit(2);
    if (n % 16 == 15) wait_and_collect(s);
  }
  for (;;) wait_and_collect(s);
}

/* Kills the child after `wanted` acknowledgements; `acknowledged` has all it gave. */
static void kill_writer(size_t wanted, bool *acknowledged, size_t max) {
  int ends[2];
  uint32_t n;
  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) put_forever(ends[1]);
  close(ends[1]);
  for (size_t heard = 0; read(ends[0], &n, sizeof n) == sizeof n; heard++) {
    assert_true(n < max);
    acknowledged[n] = true;
    if (heard == wanted) kill(pid, SIGKILL);
  }
  close(ends[0]);
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFSIGNALED(status));
}

/* The log of another store beside ours: any answer but a wrong one. */
static void test_swapped_log(void **state) {
  (void)state;
  static bool acknowledged[1u << 16];
  char other[112];
  snprintf(other, sizeof other, "%s/other-wal", directory);
  kill_writer(100, acknowledged, COUNT(acknowledged));
  assert_int_equal(rename(log_path, other), 0);
  unlink(path);
  make_store(20);
  assert_int_equal(rename(other, log_path), 0);
  struct store *s = NULL;
  if (store_open(&(struct store_config){path, false}, problem, sizeof problem, &s) == RESULT_OK) {
    for (uint32_t n = 0; n < 100; n++) {
      struct store_job job = job_of(alice, n, STORE_COMPLETED);
      struct reply *reply = CALL(store_get, s, alice, job.id);
      if (reply->result == RESULT_OK) assert_int_equal(reply->first_byte[0], n % 256);
    }
  }
  store_free(s);
  remove_files();
}

/* ---- a disk that fails: SQLite's files behind a layer of ours ---- */

/* After `left` more writes (or syncs), each fails with `code`; 0: none does. */
static struct {
  int code, left;
  bool syncs;
} volatile fault;

struct faulty_file {
  sqlite3_file base;
  sqlite3_file *real;
};

static sqlite3_file *real_file(sqlite3_file *f) {
  return ((struct faulty_file *)f)->real;
}

static int fail_here(bool sync) {
  if (fault.code == 0 || fault.syncs != sync) return SQLITE_OK;
  if (fault.left > 0) {
    fault.left = fault.left - 1;
    return SQLITE_OK;
  }
  return fault.code;
}

static int faulty_close(sqlite3_file *f) {
  return real_file(f)->pMethods->xClose(real_file(f));
}
static int faulty_read(sqlite3_file *f, void *out, int len, sqlite3_int64 at) {
  return real_file(f)->pMethods->xRead(real_file(f), out, len, at);
}
static int faulty_write(sqlite3_file *f, const void *bytes, int len, sqlite3_int64 at) {
  int code = fail_here(false);
  return code != SQLITE_OK ? code : real_file(f)->pMethods->xWrite(real_file(f), bytes, len, at);
}
static int faulty_truncate(sqlite3_file *f, sqlite3_int64 size) {
  return real_file(f)->pMethods->xTruncate(real_file(f), size);
}
static int faulty_sync(sqlite3_file *f, int flags) {
  int code = fail_here(true);
  return code != SQLITE_OK ? code : real_file(f)->pMethods->xSync(real_file(f), flags);
}
static int faulty_size(sqlite3_file *f, sqlite3_int64 *size) {
  return real_file(f)->pMethods->xFileSize(real_file(f), size);
}
static int faulty_lock(sqlite3_file *f, int level) {
  return real_file(f)->pMethods->xLock(real_file(f), level);
}
static int faulty_unlock(sqlite3_file *f, int level) {
  return real_file(f)->pMethods->xUnlock(real_file(f), level);
}
static int faulty_reserved(sqlite3_file *f, int *out) {
  return real_file(f)->pMethods->xCheckReservedLock(real_file(f), out);
}
static int faulty_control(sqlite3_file *f, int op, void *arg) {
  return real_file(f)->pMethods->xFileControl(real_file(f), op, arg);
}
static int faulty_sector(sqlite3_file *f) {
  return real_file(f)->pMethods->xSectorSize(real_file(f));
}
static int faulty_traits(sqlite3_file *f) {
  return real_file(f)->pMethods->xDeviceCharacteristics(real_file(f));
}

static sqlite3_vfs *disk, faulty_disk;

static int faulty_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *f, int flags, int *out_flags) {
  static const sqlite3_io_methods methods = {.iVersion = 1,
                                             .xClose = faulty_close,
                                             .xRead = faulty_read,
                                             .xWrite = faulty_write,
                                             .xTruncate = faulty_truncate,
                                             .xSync = faulty_sync,
                                             .xFileSize = faulty_size,
                                             .xLock = faulty_lock,
                                             .xUnlock = faulty_unlock,
                                             .xCheckReservedLock = faulty_reserved,
                                             .xFileControl = faulty_control,
                                             .xSectorSize = faulty_sector,
                                             .xDeviceCharacteristics = faulty_traits};
  struct faulty_file *file = (struct faulty_file *)f;
  (void)vfs;
  file->real = (sqlite3_file *)(file + 1);
  int code = disk->xOpen(disk, name, file->real, flags, out_flags);
  file->base.pMethods = code == SQLITE_OK ? &methods : NULL;
  return code;
}

static int use_faulty_disk(void **state) {
  (void)state;
  disk = sqlite3_vfs_find(NULL);
  faulty_disk = *disk;
  faulty_disk.zName = "faulty";
  faulty_disk.szOsFile = (int)sizeof(struct faulty_file) + disk->szOsFile;
  faulty_disk.xOpen = faulty_open;
  fault.code = 0;
  return sqlite3_vfs_register(&faulty_disk, 1);
}

static int use_real_disk(void **state) {
  (void)state;
  return sqlite3_vfs_unregister(&faulty_disk);
}

#define CROWD 12u

/* Puts a crowd of jobs, then fails the disk after so many writes. Returns how many were acknowledged in spite of it. */
static unsigned put_crowd(struct store *s, struct reply replies[CROWD]) {
  unsigned kept = 0;
  for (uint32_t n = 0; n < CROWD; n++) {
    struct store_job job = job_of(alice, 100 + n, STORE_COMPLETED);
    replies[n].calls = 0;
    assert_int_equal(store_put(s, &job, keep, &replies[n]), RESULT_OK);
    if (n % 4 == 3) await(s, &replies[n]);
  }
  for (uint32_t n = 0; n < CROWD; n++) {
    assert_int_equal(replies[n].calls, 1);
    assert_true(replies[n].result == RESULT_OK || replies[n].result == RESULT_STORE_UNAVAILABLE);
    if (replies[n].result == RESULT_OK) kept++;
  }
  return kept;
}

static void expect_crowd(struct store *s, const struct reply replies[CROWD]) {
  for (uint32_t n = 0; n < CROWD; n++) {
    enum result r = get(s, job_of(alice, 100 + n, STORE_COMPLETED));
    assert_int_equal(r, replies[n].result == RESULT_OK ? RESULT_OK : RESULT_JOB_NOT_FOUND);
  }
  for (uint32_t n = 0; n < 4; n++) assert_int_equal(get(s, job_of(alice, n, STORE_COMPLETED)), RESULT_OK);
}

/* The disk fails at the `left`-th write from now and ever after, until it is well again. */
static unsigned fail_at(int code, int left, bool syncs) {
  static struct reply replies[CROWD];
  struct store *s = NULL;
  assert_int_equal(store_open(&(struct store_config){path, syncs}, problem, sizeof problem, &s), RESULT_OK);
  for (uint32_t n = 0; n < 4; n++) assert_int_equal(put(s, job_of(alice, n, STORE_COMPLETED)), RESULT_OK);
  fault.left = left;
  fault.syncs = syncs;
  fault.code = code;
  unsigned kept = put_crowd(s, replies);
  expect_crowd(s, replies); /* what can be read is read */
  assert_int_equal(store_stats(s).jobs, 4 + kept);
  fault.code = 0;
  assert_int_equal(put(s, job_of(bob, 1, STORE_COMPLETED)), RESULT_OK); /* it recovers by itself */
  store_free(s);
  s = open_at(path);
  expect_crowd(s, replies);
  assert_int_equal(store_stats(s).jobs, 5 + kept);
  store_free(s);
  remove_files();
  return kept;
}

static void test_failing_disk(void **state) {
  (void)state;
  static const int codes[] = {SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_READONLY};
  for (size_t i = 0; i < COUNT(codes); i++) {
    assert_int_equal(fail_at(codes[i], 0, false), 0);
    for (int left = 1; left < 60; left += 3) (void)fail_at(codes[i], left, false);
    assert_int_equal(fail_at(codes[i], 10000, false), CROWD);
  }
  for (int left = 0; left < 3; left++) assert_true(fail_at(SQLITE_IOERR_FSYNC, left, true) < CROWD);
  assert_int_equal(fail_at(SQLITE_IOERR_FSYNC, 10000, true), CROWD);
}

/* The log cannot be moved into the database: nothing is lost, it only grows. */
static void test_failing_checkpoint(void **state) {
  (void)state;
  static uint8_t record[3000];
  struct store *s = open_at(path);
  fault.left = 0;
  fault.syncs = true;
  fault.code = SQLITE_IOERR_FSYNC;
  for (uint32_t n = 0; n < 5000; n++) {
    struct store_job job = job_of(alice, n, STORE_COMPLETED);
    job.record = span_of(record, sizeof record);
    if (n % 10 != 9)
      assert_int_equal(store_put(s, &job, NULL, NULL), RESULT_OK);
    else
      assert_int_equal(put(s, job), RESULT_OK);
  }
  fault.code = 0;
  for (uint32_t n = 0; n < 5000; n += 77) assert_int_equal(get(s, job_of(alice, n, STORE_COMPLETED)), RESULT_OK);
  store_free(s);
  s = open_at(path);
  assert_int_equal(store_stats(s).jobs, 5000);
  for (uint32_t n = 0; n < 5000; n += 77) assert_int_equal(get(s, job_of(alice, n, STORE_COMPLETED)), RESULT_OK);
  store_free(s);
  remove_files();
}

static int make_directory(void **state) {
  (void)state;
  snprintf(directory, sizeof directory, "%s/store_test.XXXXXX", "/tmp");
  if (mkdtemp(directory) == NULL) return -1;
  snprintf(path, sizeof path, "%s/store.db", directory);
  snprintf(log_path, sizeof log_path, "%s-wal", path);
  return 0;
}

static int remove_directory(void **state) {
  (void)state;
  remove_files();
  return rmdir(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_strangers_files),
      cmocka_unit_test(test_tampered_rows),
      cmocka_unit_test(test_damaged_pages),
      cmocka_unit_test(test_swapped_log),
      cmocka_unit_test_setup_teardown(test_failing_disk, use_faulty_disk, use_real_disk),
      cmocka_unit_test_setup_teardown(test_failing_checkpoint, use_faulty_disk, use_real_disk),
  };
  return cmocka_run_group_tests_name("disk", tests, make_directory, remove_directory);
}
