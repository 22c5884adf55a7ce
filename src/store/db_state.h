/* What the files of src/store that speak to SQLite share: the connection and its prepared statements. */
#pragma once

#include <sqlite3.h>

#include "store/db.h"
#include "store/statements.h"

#define STATEMENT_ID(id, sql) S_##id,
enum statement { STATEMENTS(STATEMENT_ID) S_COUNT_ALL };
#undef STATEMENT_ID

struct db {
  sqlite3 *sqlite;
  sqlite3_stmt *statements[S_COUNT_ALL];
  uint64_t count, committed; /* jobs: now, and as the last commit left them */
  int log;                   /* the log's descriptor, -1 in memory */
  int log_pages, sent, tidy_at;
};

/* One step of a statement that gives no rows. */
enum result must_use db_run(struct db *db, enum statement id);
/* After the last step, with what that returned: makes the statement ready for the next time. RESULT_STORE_UNAVAILABLE
 * for whatever trouble of SQLite's. */
enum result must_use db_done(struct db *db, enum statement id, int code);
void db_bind_number(sqlite3_stmt *s, int at, uint64_t value);
