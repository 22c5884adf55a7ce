/* The embedded store of secrets: wire/statements.h, in SQL. */
#include "base/text.h"
#include "store/db_state.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define ROWS_BYTES (9u << 20) /* of all rows of one answer */

/* Values and columns: t text, n a number, v a secret's value. */
struct work;
struct secret_kind {
  const char *values, *columns; /* columns "": no rows */
  bool writes, refuses;         /* refuses: it may say no, and then nothing of its query shall be done */
  enum result (*run)(struct work *w);
};

struct work {
  struct db *db;
  struct store_statement s;
  const struct secret_kind *kind;
  uint32_t index;
  uint64_t now_s;
  struct span audited; /* user of the audit rows that were written */
  struct rows *rows;
};

/* ---- values ---- */

static bool is_number(struct span text) {
  uint64_t number;
  return text_u64(text, 0, INT64_MAX, &number) == RESULT_OK;
}

static bool is_text(struct span text) {
  return text_utf8_valid(text) && (text.len == 0 || memchr(text.data, 0, text.len) == NULL);
}

static bool is_sound(char kind, struct span value) {
  return kind == 'n' ? is_number(value) : is_text(value);
}

static bool has_room(char kind, struct span value) {
  return value.len <= (kind == 'v' ? STORE_SECRET_MAX : STORE_TEXT_MAX);
}

static uint64_t number_of(struct span text) {
  uint64_t number = 0;
  (void)!text_u64(text, 0, INT64_MAX, &number); /* it was checked */
  return number;
}

static bool is_one(struct span text) {
  return number_of(text) == 1;
}

static void bind_text(sqlite3_stmt *s, int at, struct span text) {
  sqlite3_bind_text64(s, at, text.len > 0 ? (const char *)text.data : "", text.len, SQLITE_STATIC, SQLITE_UTF8);
}

/* Binds the statement's first `count` values, as what they are. */
static sqlite3_stmt *bind(const struct work *w, enum statement id, uint32_t count) {
  sqlite3_stmt *s = w->db->statements[id];
  for (uint32_t i = 0; i < count; i++) {
    const struct span value = w->s.values[i];
    if (w->kind->values[i] == 'n')
      db_bind_number(s, (int)i + 1, number_of(value));
    else
      bind_text(s, (int)i + 1, value);
  }
  return s;
}

/* Whether the last statement changed a row: if not, another version was there. */
static enum result changed(const struct work *w, enum result r) {
  return r == RESULT_OK && sqlite3_changes(w->db->sqlite) == 0 ? RESULT_SECRET_CONFLICT : r;
}

/* ---- rows ---- */

/* The file is not trusted: what we would not have written is not handed on. */
static enum result put_row(struct work *w, sqlite3_stmt *s) {
  struct buf *text = &w->rows->text;
  const char *columns = w->kind->columns;
  buf_put_u32(text, w->index);
  buf_put_u32(text, (uint32_t)strlen(columns));
  for (int i = 0; columns[i] != 0; i++) {
    const unsigned char *bytes = sqlite3_column_text(s, i);
    const struct span value = span_of(bytes, (size_t)sqlite3_column_bytes(s, i));
    if (bytes == NULL || !is_sound(columns[i], value) || !has_room(columns[i], value))
      return RESULT_SECRET_STORE_UNAVAILABLE;
    buf_put_block(text, value);
  }
  w->rows->row_count++;
  return text->bad || w->rows->row_count > STORE_ROWS_MAX ? RESULT_SECRET_STORE_UNAVAILABLE : RESULT_OK;
}

static enum result put_rows(struct work *w, enum statement id) {
  sqlite3_stmt *s = w->db->statements[id];
  enum result r = RESULT_OK;
  int code = SQLITE_DONE;
  while (r == RESULT_OK && (code = sqlite3_step(s)) == SQLITE_ROW) r = put_row(w, s);
  enum result end = db_done(w->db, id, code);
  return end != RESULT_OK ? end : r;
}

static bool take_statement(struct cursor *c, struct store_statement *s) {
  *s = (struct store_statement){.statement = cursor_u32(c), .count = cursor_u32(c)};
  for (uint32_t i = 0; !c->bad && i < s->count && i < STORE_VALUES_MAX; i++) s->values[i] = cursor_block(c);
  return !c->bad;
}

/* Once the text grows no more, rows can point into it. */
static enum result list_rows(struct rows *rows) {
  struct cursor c = cursor_of(buf_span(&rows->text));
  rows->bytes = rows->text.len;
  if (rows->row_count == 0) return RESULT_OK;
  rows->rows = calloc(rows->row_count, sizeof *rows->rows);
  if (rows->rows == NULL) return RESULT_SECRET_STORE_UNAVAILABLE;
  for (size_t i = 0; i < rows->row_count; i++) (void)take_statement(&c, &rows->rows[i]);
  return RESULT_OK;
}

/* ---- the statements ---- */

static enum result find(struct work *w) {
  (void)bind(w, S_SECRET_FIND, 2);
  return put_rows(w, S_SECRET_FIND);
}

static enum result all(struct work *w) {
  (void)bind(w, S_SECRET_ALL, 1);
  return put_rows(w, S_SECRET_ALL);
}

/* What the user has now, with what was just written. */
static enum result check_room(struct work *w) {
  sqlite3_stmt *s = bind(w, S_SECRET_SUM, 1);
  int code = sqlite3_step(s);
  bool full = code == SQLITE_ROW &&
              (sqlite3_column_int64(s, 0) > STORE_SECRETS_OF_USER || sqlite3_column_int64(s, 1) > STORE_SECRETS_BYTES);
  enum result r = db_done(w->db, S_SECRET_SUM, code);
  return r == RESULT_OK && full ? RESULT_SECRETS_FULL : r;
}

static enum result forget_uses(struct work *w) {
  (void)bind(w, S_USES_FORGET, 2);
  return db_run(w->db, S_USES_FORGET);
}

static enum result insert(struct work *w) {
  int code = sqlite3_step(w->db->statements[S_SECRET_INSERT]);
  enum result r = db_done(w->db, S_SECRET_INSERT, code);
  return (code & 0xff) == SQLITE_CONSTRAINT ? RESULT_SECRET_CONFLICT : r;
}

static enum result write_secret(struct work *w) {
  const bool fresh = number_of(w->s.values[4]) == 0;
  sqlite3_stmt *s = bind(w, fresh ? S_SECRET_INSERT : S_SECRET_UPDATE, 4);
  db_bind_number(s, 5, w->s.values[3].len);
  db_bind_number(s, 6, w->now_s);
  if (!fresh) db_bind_number(s, 7, number_of(w->s.values[4]));
  enum result r = fresh ? insert(w) : changed(w, db_run(w->db, S_SECRET_UPDATE));
  if (r == RESULT_OK) r = check_room(w);
  return r == RESULT_OK ? forget_uses(w) : r;
}

static enum result remove_secret(struct work *w) {
  (void)bind(w, S_SECRET_REMOVE, 2);
  enum result r = put_rows(w, S_SECRET_REMOVE);
  return r == RESULT_OK ? forget_uses(w) : r;
}

/* Of a secret that is there: nothing else is ever used. */
static enum result use(struct work *w) {
  const bool first = w->s.values[3].len == 0;
  const enum statement id = first ? S_USES_INSERT : S_USES_UPDATE;
  (void)bind(w, id, first ? 3 : 4);
  return changed(w, db_run(w->db, id));
}

static enum result audit(struct work *w) {
  sqlite3_stmt *s = bind(w, S_AUDIT_INSERT, 7);
  db_bind_number(s, 6, is_one(w->s.values[5]));
  db_bind_number(s, 8, w->now_s);
  w->audited = w->s.values[0];
  return db_run(w->db, S_AUDIT_INSERT);
}

/* Once for all that a query audits, which is of one user. */
static enum result trim_audits(struct work *w) {
  if (w->audited.len == 0) return RESULT_OK;
  sqlite3_stmt *s = w->db->statements[S_AUDIT_TRIM];
  bind_text(s, 1, w->audited);
  db_bind_number(s, 2, STORE_AUDITS_OF_USER);
  return db_run(w->db, S_AUDIT_TRIM);
}

static enum result audits(struct work *w) {
  sqlite3_stmt *s = bind(w, S_AUDITS, 4);
  if (number_of(w->s.values[2]) == 0) db_bind_number(s, 3, INT64_MAX);
  return put_rows(w, S_AUDITS);
}

static enum result policies(struct work *w) {
  (void)bind(w, S_POLICIES, 2);
  return put_rows(w, S_POLICIES);
}

static const struct secret_kind kinds[] = {
    [STORE_SECRET_FIND] = {"tt", "nvtn", false, true, find},
    [STORE_SECRET_ALL] = {"t", "tnvtnn", false, true, all},
    [STORE_SECRET_WRITE] = {"ttnvn", "", true, true, write_secret},
    [STORE_SECRET_REMOVE] = {"tt", "n", true, true, remove_secret},
    [STORE_SECRET_USE] = {"tttt", "", true, true, use},
    [STORE_SECRET_AUDIT] = {"tttttnt", "", true, false, audit},
    [STORE_SECRET_AUDITS] = {"ttnn", "ntttntn", false, true, audits},
    [STORE_SECRET_POLICIES] = {"tt", "t", false, true, policies},
};

/* ---- queries ---- */

static bool fits_kind(const struct store_statement *s) {
  if (s->statement == 0 || s->statement >= COUNT(kinds)) return false;
  const char *values = kinds[s->statement].values;
  if (s->count != strlen(values)) return false;
  for (uint32_t i = 0; i < s->count; i++)
    if (!is_sound(values[i], s->values[i])) return false;
  return true;
}

enum result db_secrets_put(struct buf *b, const struct store_statement *statements, size_t count) {
  if (count == 0 || count > STORE_STATEMENTS_MAX) return RESULT_BAD_REQUEST;
  for (size_t i = 0; i < count; i++) {
    const struct store_statement *s = &statements[i];
    if (!fits_kind(s)) return RESULT_BAD_REQUEST;
    buf_put_u32(b, s->statement);
    buf_put_u32(b, s->count);
    for (uint32_t v = 0; v < s->count; v++) buf_put_block(b, s->values[v]);
  }
  return b->bad ? RESULT_NO_MEMORY : RESULT_OK;
}

static bool have_room(const struct store_statement *s) {
  for (uint32_t i = 0; i < s->count; i++)
    if (!has_room(kinds[s->statement].values[i], s->values[i])) return false;
  return true;
}

static enum result run_one(struct work *w) {
  w->kind = &kinds[w->s.statement];
  return have_room(&w->s) ? w->kind->run(w) : RESULT_SECRET_STORE_UNAVAILABLE;
}

static enum result run_all(struct work *w, struct span statements) {
  enum result r = RESULT_OK;
  for (struct cursor c = cursor_of(statements); r == RESULT_OK && !cursor_end(&c); w->index++) {
    if (!take_statement(&c, &w->s)) return RESULT_SECRET_STORE_UNAVAILABLE;
    r = run_one(w);
  }
  if (r == RESULT_OK) r = trim_audits(w);
  return r == RESULT_OK ? list_rows(w->rows) : r;
}

/* Whether it may write something and then say no. A fault takes back the whole transaction; audit rows, which are most
 * of what is written, say no at once or not at all. */
static bool may_stop_halfway(struct span statements) {
  struct store_statement s;
  bool writes = false, refuses = false;
  for (struct cursor c = cursor_of(statements); !cursor_end(&c) && take_statement(&c, &s);) {
    writes |= kinds[s.statement].writes;
    refuses |= kinds[s.statement].refuses || !have_room(&s);
  }
  return writes && refuses;
}

/* A savepoint costs a copy of each page that is written. */
static enum result run_within(struct work *w, struct span statements) {
  if (!may_stop_halfway(statements)) return run_all(w, statements);
  enum result r = db_run(w->db, S_SAVEPOINT);
  if (r != RESULT_OK) return r;
  r = run_all(w, statements);
  enum result back = r != RESULT_OK ? db_run(w->db, S_ROLLBACK_TO) : RESULT_OK;
  enum result end = db_run(w->db, S_RELEASE);
  return back == RESULT_OK && end == RESULT_OK ? r : RESULT_STORE_UNAVAILABLE;
}

enum result db_secrets(struct db *db, struct span statements, uint64_t now_s, struct rows *rows) {
  struct work w = {.db = db, .now_s = now_s, .rows = rows};
  rows->text = buf_new(ROWS_BYTES);
  enum result r = run_within(&w, statements);
  if (r != RESULT_OK) rows_free(rows);
  return r;
}
