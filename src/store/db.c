#include "store/db_state.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define CACHE_KB 2048
#define LOG_PAGES 4000 /* the log goes into the database at this length: 16 MB */
#define LOG_STEP 256   /* so many pages of it at a time are sent to the disk meanwhile */

/* ---- statements ---- */

/* SQLite's trouble, whatever its kind, is that the store cannot be used now. */
enum result db_done(struct db *db, enum statement id, int code) {
  sqlite3_reset(db->statements[id]);
  sqlite3_clear_bindings(db->statements[id]);
  return code == SQLITE_DONE || code == SQLITE_ROW ? RESULT_OK : RESULT_STORE_UNAVAILABLE;
}

static void bind_bytes(sqlite3_stmt *s, int at, const void *data, size_t len) {
  sqlite3_bind_blob64(s, at, len > 0 ? data : "", len, SQLITE_STATIC);
}

void db_bind_number(sqlite3_stmt *s, int at, uint64_t value) {
  sqlite3_bind_int64(s, at, value > INT64_MAX ? INT64_MAX : (sqlite3_int64)value);
}

enum result db_run(struct db *db, enum statement id) {
  return db_done(db, id, sqlite3_step(db->statements[id]));
}

/* ---- rows ---- */

void rows_free(struct rows *rows) {
  for (size_t i = 0; i < rows->count; i++) free((void *)(uintptr_t)rows->jobs[i].record.data);
  free(rows->jobs);
  free(rows->rows);
  buf_free(&rows->text);
  *rows = (struct rows){0};
}

/* False if the column has not exactly that many bytes. */
static bool copy_column(sqlite3_stmt *s, int column, uint8_t *out, size_t len) {
  const void *bytes = sqlite3_column_blob(s, column);
  if (bytes == NULL || (size_t)sqlite3_column_bytes(s, column) != len) return false;
  memcpy(out, bytes, len);
  return true;
}

/* The file is not trusted: a row that we would not have written is none. */
static bool read_columns(sqlite3_stmt *s, struct store_job *job) {
  int64_t status = sqlite3_column_int64(s, 2), expires_ms = sqlite3_column_int64(s, 3);
  if (status < STORE_RUNNING || status > STORE_FAILED || expires_ms < 0) return false;
  bool has_key = sqlite3_column_type(s, 4) != SQLITE_NULL;
  *job =
      (struct store_job){.status = (enum store_status)status, .expires_ms = (uint64_t)expires_ms, .has_key = has_key};
  if (has_key &&
      (!copy_column(s, 4, job->key, sizeof job->key) || !copy_column(s, 5, job->request, sizeof job->request)))
    return false;
  return copy_column(s, 0, job->id, sizeof job->id) && copy_column(s, 1, job->user, sizeof job->user);
}

static enum result read_row(sqlite3_stmt *s, struct store_job *job) {
  if (!read_columns(s, job)) return RESULT_STORE_UNAVAILABLE;
  size_t len = (size_t)sqlite3_column_bytes(s, 6);
  uint8_t *record = malloc(len > 0 ? len : 1);
  if (record == NULL) return RESULT_NO_MEMORY;
  if (len > 0) memcpy(record, sqlite3_column_blob(s, 6), len);
  job->record = (struct span){record, len};
  return RESULT_OK;
}

/* Appends the row where the statement stands. */
static enum result add_row(struct rows *rows, sqlite3_stmt *s) {
  enum result r = read_row(s, &rows->jobs[rows->count]);
  if (r == RESULT_OK) rows->bytes += rows->jobs[rows->count++].record.len;
  return r;
}

/* … or the row that it names by its first column. */
static enum result add_named_row(struct db *db, struct rows *rows, sqlite3_stmt *s) {
  sqlite3_stmt *get = db->statements[S_GET_ROW];
  sqlite3_bind_int64(get, 1, sqlite3_column_int64(s, 0));
  int code = sqlite3_step(get);
  enum result r = code == SQLITE_ROW ? add_row(rows, get) : RESULT_STORE_UNAVAILABLE;
  enum result end = db_done(db, S_GET_ROW, code);
  return r == RESULT_OK ? end : r;
}

static enum result begin_rows(struct rows *rows, size_t limit) {
  *rows = (struct rows){.jobs = calloc(limit, sizeof *rows->jobs)};
  return rows->jobs != NULL ? RESULT_OK : RESULT_NO_MEMORY;
}

static enum result end_rows(struct db *db, enum statement id, int code, enum result r, struct rows *rows) {
  enum result end = db_done(db, id, code);
  if (r == RESULT_OK) r = end;
  if (r != RESULT_OK) rows_free(rows);
  return r;
}

/* Reads what the statement finds, at most `limit` rows. */
static enum result read_rows(struct db *db, enum statement id, size_t limit, struct rows *rows) {
  sqlite3_stmt *s = db->statements[id];
  int code = SQLITE_DONE;
  enum result r = begin_rows(rows, limit);
  while (r == RESULT_OK && rows->count < limit && (code = sqlite3_step(s)) == SQLITE_ROW) r = add_row(rows, s);
  return end_rows(db, id, code, r, rows);
}

/* Reads a page. The statement puts rows in order by what the index holds, and a record is read only once it has its
 * place: what the page has no room for costs nothing, however large it is. */
static enum result read_page(struct db *db, enum statement id, size_t limit, uint64_t bytes, struct rows *rows) {
  sqlite3_stmt *s = db->statements[id];
  int code = SQLITE_DONE;
  enum result r = begin_rows(rows, limit);
  while (r == RESULT_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
    rows->more = rows->count == limit || (rows->count > 0 && rows->bytes >= bytes);
    if (rows->more) break;
    r = add_named_row(db, rows, s);
  }
  return end_rows(db, id, code, r, rows);
}

static enum result read_one(struct db *db, enum statement id, struct rows *rows) {
  enum result r = read_rows(db, id, 1, rows);
  return r == RESULT_OK && rows->count == 0 ? RESULT_JOB_NOT_FOUND : r;
}

/* ---- operations ---- */

static void bind_job(sqlite3_stmt *s, const struct store_job *job, bool with_key) {
  bind_bytes(s, 1, job->id, sizeof job->id);
  bind_bytes(s, 2, job->user, sizeof job->user);
  db_bind_number(s, 3, job->status);
  db_bind_number(s, 4, job->expires_ms);
  if (with_key && job->has_key) {
    bind_bytes(s, 5, job->key, sizeof job->key);
    bind_bytes(s, 6, job->request, sizeof job->request);
  }
  bind_bytes(s, 7, job->record.data, job->record.len);
}

/* A job that ends replaces its record that said it runs; most have none. */
static enum result update(struct db *db, const struct store_job *job, bool *found) {
  bind_job(db->statements[S_UPDATE], job, false);
  enum result r = db_run(db, S_UPDATE);
  *found = r == RESULT_OK && sqlite3_changes(db->sqlite) > 0;
  return r;
}

enum result db_put(struct db *db, const struct store_job *job) {
  bool found = false;
  enum result r = job->fresh ? RESULT_OK : update(db, job, &found);
  if (r != RESULT_OK || found) return r;
  bind_job(db->statements[S_INSERT], job, true);
  int code = sqlite3_step(db->statements[S_INSERT]);
  r = db_done(db, S_INSERT, code);
  if (r == RESULT_OK) db->count++;
  /* The one thing that must be unique is a user's key. */
  return (code & 0xff) == SQLITE_CONSTRAINT ? RESULT_IDEMPOTENCY_MISMATCH : r;
}

static void bind_pair(sqlite3_stmt *s, const uint8_t *user, const uint8_t *other, size_t len) {
  bind_bytes(s, 1, user, STORE_USER);
  bind_bytes(s, 2, other, len);
}

enum result db_get(struct db *db, const uint8_t *user, const uint8_t *id, struct rows *rows) {
  bind_pair(db->statements[S_GET], user, id, STORE_ID);
  return read_one(db, S_GET, rows);
}

enum result db_delete(struct db *db, const uint8_t *user, const uint8_t *id) {
  bind_pair(db->statements[S_DELETE], user, id, STORE_ID);
  enum result r = db_run(db, S_DELETE);
  int deleted = sqlite3_changes(db->sqlite);
  if (r != RESULT_OK) return r;
  db->count -= (uint64_t)deleted;
  return deleted > 0 ? RESULT_OK : RESULT_JOB_NOT_FOUND;
}

enum result db_list(struct db *db, const struct store_query *query, struct rows *rows) {
  enum statement id = query->status == 0 ? S_LIST : S_LIST_STATUS;
  bind_pair(db->statements[id], query->user, query->before, STORE_ID);
  db_bind_number(db->statements[id], 3, query->limit + 1);
  if (query->status != 0) db_bind_number(db->statements[id], 4, query->status);
  return read_page(db, id, query->limit, query->bytes, rows);
}

/* The key of a job that has expired and is not deleted yet is free. */
enum result db_find_key(struct db *db, const uint8_t *user, const uint8_t *key, uint64_t now_ms, struct rows *rows) {
  bind_pair(db->statements[S_FIND_KEY], user, key, STORE_KEY);
  db_bind_number(db->statements[S_FIND_KEY], 3, now_ms);
  enum result r = read_one(db, S_FIND_KEY, rows);
  if (r != RESULT_JOB_NOT_FOUND) return r;
  bind_pair(db->statements[S_FORGET_KEY], user, key, STORE_KEY);
  db_bind_number(db->statements[S_FORGET_KEY], 3, now_ms);
  r = db_run(db, S_FORGET_KEY);
  return r == RESULT_OK ? RESULT_JOB_NOT_FOUND : r;
}

enum result db_list_running(struct db *db, const uint8_t *after, uint32_t limit, struct rows *rows) {
  db_bind_number(db->statements[S_LIST_RUNNING], 1, limit);
  bind_bytes(db->statements[S_LIST_RUNNING], 2, after, STORE_ID);
  return read_rows(db, S_LIST_RUNNING, limit, rows);
}

enum result db_expire(struct db *db, uint64_t now_ms, uint32_t limit, bool *more) {
  db_bind_number(db->statements[S_EXPIRE], 1, now_ms);
  db_bind_number(db->statements[S_EXPIRE], 2, limit);
  enum result r = db_run(db, S_EXPIRE);
  int deleted = r == RESULT_OK ? sqlite3_changes(db->sqlite) : 0;
  db->count -= (uint64_t)deleted;
  *more = deleted == (int)limit;
  if (r != RESULT_OK || *more) return r;
  db_bind_number(db->statements[S_EXPIRE_DOCUMENTS], 1, now_ms);
  return db_run(db, S_EXPIRE_DOCUMENTS);
}

enum result db_put_document(struct db *db, const uint8_t *sha256, struct span bytes, uint64_t expires_ms) {
  sqlite3_stmt *s = db->statements[S_PUT_DOCUMENT];
  bind_bytes(s, 1, sha256, 32);
  db_bind_number(s, 2, expires_ms);
  bind_bytes(s, 3, bytes.data, bytes.len);
  return db_run(db, S_PUT_DOCUMENT);
}

enum result db_get_document(struct db *db, const uint8_t *sha256, struct rows *rows) {
  bind_bytes(db->statements[S_GET_DOCUMENT], 1, sha256, 32);
  return read_one(db, S_GET_DOCUMENT, rows);
}

uint64_t db_count(const struct db *db) {
  return db->count;
}

/* ---- transactions ---- */

enum result db_begin(struct db *db) {
  return db_run(db, S_BEGIN);
}

void db_rollback(struct db *db) {
  if (!sqlite3_get_autocommit(db->sqlite)) (void)!db_run(db, S_ROLLBACK);
  db->count = db->committed;
}

enum result db_commit(struct db *db) {
  enum result r = RESULT_OK;
  if (db->count != db->committed) {
    db_bind_number(db->statements[S_SET_COUNT], 1, db->count);
    r = db_run(db, S_SET_COUNT);
  }
  if (r == RESULT_OK) r = db_run(db, S_COMMIT);
  if (r == RESULT_OK)
    db->committed = db->count;
  else
    db_rollback(db);
  return r;
}

/* ---- the log ---- */

static int note_length(void *context, sqlite3 *sqlite, const char *name, int pages) {
  struct db *db = context;
  (void)sqlite, (void)name;
  db->log_pages = pages;
  return SQLITE_OK;
}

/* Where it fails (a full disk), the log goes on growing and nothing is lost; it is tried again further on. */
static void empty_log(struct db *db) {
  bool done = sqlite3_wal_checkpoint_v2(db->sqlite, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) == SQLITE_OK;
  db->tidy_at = done ? LOG_PAGES : db->log_pages + LOG_PAGES;
  if (done) db->log_pages = 0;
}

void db_tidy(struct db *db) {
  if (db->log_pages < db->sent) db->sent = 0;
  if (db->log_pages >= db->sent + LOG_STEP) {
    db->sent = db->log_pages;
    (void)sync_file_range(db->log, 0, 0, SYNC_FILE_RANGE_WRITE); /* advice: without it the wait is only longer */
  }
  if (db->log_pages >= db->tidy_at) empty_log(db);
}

/* Only reads and advises through this descriptor. SQLite's locks are on the database, so closing it drops none. */
static bool watch_log(struct db *db, const char *path) {
  char name[4096];
  if (snprintf(name, sizeof name, "%s-wal", path) >= (int)sizeof name) return false;
  db->log = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  sqlite3_wal_hook(db->sqlite, note_length, db); /* takes the place of SQLite's own, which makes the commit wait */
  return db->log >= 0;
}

/* ---- opening ---- */

static bool execute(struct db *db, const char *sql) {
  return sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool ask_number(struct db *db, const char *sql, int64_t *out) {
  sqlite3_stmt *s = NULL;
  bool good = sqlite3_prepare_v2(db->sqlite, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW;
  if (good) *out = sqlite3_column_int64(s, 0);
  sqlite3_finalize(s);
  return good;
}

/* The file may be a stranger's work: nothing in its schema runs. */
static bool harden(struct db *db) {
  static const int options[][2] = {{SQLITE_DBCONFIG_DEFENSIVE, 1},
                                   {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                                   {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
                                   {SQLITE_DBCONFIG_ENABLE_VIEW, 0}};
  bool good = true;
  for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
    good = good && sqlite3_db_config(db->sqlite, options[i][0], options[i][1], NULL) == SQLITE_OK;
  return good;
}

/* Exclusive: one process has it, there is no shared memory beside it, and no lock is taken for each transaction. */
static bool set_up_connection(struct db *db, bool full_sync) {
  char cache[64];
  snprintf(cache, sizeof cache, "PRAGMA cache_size = -%d", CACHE_KB);
  return harden(db) && execute(db, "PRAGMA locking_mode = EXCLUSIVE") &&
         execute(db, full_sync ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL") && execute(db, cache) &&
         execute(db, "PRAGMA temp_store = MEMORY") && execute(db, "PRAGMA journal_size_limit = 33554432") &&
         execute(db, "PRAGMA cell_size_check = ON");
}

/* Whose file is it? Nothing is written before that is known. */
static const char *check_owner(struct db *db) {
  int64_t version = 0, application = 0, tables = 0;
  if (!ask_number(db, "PRAGMA user_version", &version) || !ask_number(db, "PRAGMA application_id", &application) ||
      !ask_number(db, "SELECT count(*) FROM sqlite_schema", &tables))
    return sqlite3_errmsg(db->sqlite);
  if (version == 0 && application == 0 && tables == 0) return NULL;
  if (application != APPLICATION_ID) return "it is another program's database";
  bool ours = version >= 1 && version <= SCHEMA_VERSION;
  return ours ? NULL : "it was written by another version of this service";
}

/* From the version that is there, 0 for none, to ours: what each version added, all or nothing. */
static bool bring_schema(struct db *db) {
  static const char *const added[SCHEMA_VERSION] = {SCHEMA_1, SCHEMA_2};
  int64_t version = 0;
  char marks[128];
  if (!ask_number(db, "PRAGMA user_version", &version)) return false;
  if (version == SCHEMA_VERSION) return true;
  snprintf(marks, sizeof marks, "PRAGMA user_version = %d; PRAGMA application_id = %d", SCHEMA_VERSION, APPLICATION_ID);
  bool good = execute(db, "BEGIN EXCLUSIVE");
  for (int64_t i = version; good && i < SCHEMA_VERSION; i++) good = execute(db, added[i]);
  return good && execute(db, marks) && execute(db, "COMMIT");
}

static bool prepare_all(struct db *db) {
  static const char *const texts[] = {
#define STATEMENT_TEXT(id, sql) sql,
      STATEMENTS(STATEMENT_TEXT)
#undef STATEMENT_TEXT
  };
  for (int i = 0; i < S_COUNT_ALL; i++) {
    if (sqlite3_prepare_v3(db->sqlite, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &db->statements[i], NULL) != SQLITE_OK)
      return false;
  }
  return true;
}

static bool read_count(struct db *db) {
  int64_t count = -1;
  if (sqlite3_step(db->statements[S_COUNT]) == SQLITE_ROW) count = sqlite3_column_int64(db->statements[S_COUNT], 0);
  sqlite3_reset(db->statements[S_COUNT]);
  if (count >= 0) db->count = db->committed = (uint64_t)count;
  return count >= 0;
}

/* Records are sealed, but whose and how many they are is nobody's business. SQLite's other files take this one's mode.
 */
static const char *create_file(const char *path) {
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return strerror(errno);
  close(fd);
  return NULL;
}

static const char *open_file(struct db *db, const struct store_config *config) {
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const char *problem = config->path != NULL ? create_file(config->path) : NULL;
  if (problem != NULL) return problem;
  int code = sqlite3_open_v2(config->path != NULL ? config->path : ":memory:", &db->sqlite, flags, NULL);
  if (db->sqlite == NULL || code != SQLITE_OK) problem = db->sqlite != NULL ? sqlite3_errmsg(db->sqlite) : "no memory";
  if (problem == NULL && !set_up_connection(db, config->full_sync)) problem = sqlite3_errmsg(db->sqlite);
  if (problem == NULL) problem = check_owner(db);
  if (problem == NULL && (!execute(db, "PRAGMA journal_mode = WAL") || !bring_schema(db)))
    problem = sqlite3_errmsg(db->sqlite);
  if (problem == NULL && !prepare_all(db)) problem = sqlite3_errmsg(db->sqlite);
  if (problem == NULL && config->path != NULL && !watch_log(db, config->path)) problem = "its log cannot be opened";
  if (problem == NULL && !read_count(db)) problem = "it is damaged: it does not say how many jobs it holds";
  return problem;
}

enum result db_open(const struct store_config *config, char *problem, size_t problem_size, struct db **out) {
  struct db *db = calloc(1, sizeof *db);
  if (db == NULL) return RESULT_NO_MEMORY;
  db->log = -1;
  db->tidy_at = LOG_PAGES;
  const char *why = open_file(db, config);
  if (why == NULL) {
    *out = db;
    return RESULT_OK;
  }
  snprintf(problem, problem_size, "%s: %s", config->path != NULL ? config->path : "memory", why);
  db_close(db);
  return RESULT_STORE_UNAVAILABLE;
}

void db_close(struct db *db) {
  if (db == NULL) return;
  for (int i = 0; i < S_COUNT_ALL; i++) sqlite3_finalize(db->statements[i]);
  sqlite3_close(db->sqlite);
  if (db->log >= 0) close(db->log);
  free(db);
}
