/*
 * What the database looks like, and everything that is ever asked of it. Private to src/store. Its test has SQLite say
 * how it would go about each (EXPLAIN QUERY PLAN).
 */
#pragma once

#define APPLICATION_ID 0x4e435354 /* "NCST": file(1) and we know whose it is */
#define SCHEMA_VERSION 1

/*
 * One index serves every question about a user's jobs: (user, status, id). Asking without a status is asking three
 * times, which costs less than a second index at each write. Rows that run, that expire and that have a key are few, or
 * in order: a partial index each.
 */
#define SCHEMA                                                                                                    \
  "CREATE TABLE jobs(id BLOB NOT NULL, user BLOB NOT NULL, status INTEGER NOT NULL, expires_ms INTEGER NOT NULL," \
  " key BLOB, request BLOB, record BLOB NOT NULL) STRICT;"                                                        \
  "CREATE INDEX jobs_by_user ON jobs(user, status, id);"                                                          \
  "CREATE INDEX jobs_running ON jobs(id) WHERE status = 1;"                                                       \
  "CREATE INDEX jobs_by_expiry ON jobs(expires_ms) WHERE expires_ms > 0;"                                         \
  "CREATE UNIQUE INDEX jobs_by_key ON jobs(user, key) WHERE key IS NOT NULL;"                                     \
  "CREATE TABLE documents(sha256 BLOB PRIMARY KEY, expires_ms INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;"     \
  "CREATE TABLE counts(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;"                                    \
  "INSERT INTO counts VALUES('jobs', 0);"

#define COLUMNS "id, user, status, expires_ms, key, request, record"

#define STATEMENTS(X)                                                                                                \
  X(BEGIN, "BEGIN IMMEDIATE")                                                                                        \
  X(COMMIT, "COMMIT")                                                                                                \
  X(ROLLBACK, "ROLLBACK")                                                                                            \
  X(UPDATE, "UPDATE jobs SET status = ?3, expires_ms = ?4, record = ?7 WHERE user = ?2 AND status = 1 AND id = ?1")  \
  X(INSERT, "INSERT INTO jobs(" COLUMNS ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")                                      \
  X(GET, "SELECT " COLUMNS " FROM jobs WHERE user = ?1 AND status IN (1, 2, 3) AND id = ?2")                         \
  X(DELETE, "DELETE FROM jobs WHERE user = ?1 AND status IN (1, 2, 3) AND id = ?2")                                  \
  X(LIST,                                                                                                            \
    "SELECT rowid, id FROM jobs WHERE user = ?1 AND status = 1 AND id < ?2 UNION ALL "                               \
    "SELECT rowid, id FROM jobs WHERE user = ?1 AND status = 2 AND id < ?2 UNION ALL "                               \
    "SELECT rowid, id FROM jobs WHERE user = ?1 AND status = 3 AND id < ?2 ORDER BY id DESC LIMIT ?3")               \
  X(LIST_STATUS, "SELECT rowid, id FROM jobs WHERE user = ?1 AND status = ?4 AND id < ?2 ORDER BY id DESC LIMIT ?3") \
  X(GET_ROW, "SELECT " COLUMNS " FROM jobs WHERE rowid = ?1")                                                        \
  X(FIND_KEY, "SELECT " COLUMNS " FROM jobs WHERE user = ?1 AND key = ?2 AND (expires_ms = 0 OR expires_ms > ?3)")   \
  X(FORGET_KEY, "UPDATE jobs SET key = NULL WHERE user = ?1 AND key = ?2 AND expires_ms BETWEEN 1 AND ?3")           \
  X(LIST_RUNNING, "SELECT " COLUMNS " FROM jobs WHERE status = 1 AND id > ?2 ORDER BY id LIMIT ?1")                  \
  X(EXPIRE,                                                                                                          \
    "DELETE FROM jobs WHERE rowid IN (SELECT rowid FROM jobs WHERE expires_ms > 0 AND expires_ms <= ?1"              \
    " ORDER BY expires_ms LIMIT ?2)")                                                                                \
  X(EXPIRE_DOCUMENTS, "DELETE FROM documents WHERE expires_ms <= ?1")                                                \
  X(PUT_DOCUMENT, "INSERT OR REPLACE INTO documents(sha256, expires_ms, bytes) VALUES(?1, ?2, ?3)")                  \
  X(GET_DOCUMENT, "SELECT zeroblob(16), sha256, 2, expires_ms, NULL, NULL, bytes FROM documents WHERE sha256 = ?1")  \
  X(COUNT, "SELECT value FROM counts WHERE name = 'jobs'")                                                           \
  X(SET_COUNT, "UPDATE counts SET value = ?1 WHERE name = 'jobs'")
