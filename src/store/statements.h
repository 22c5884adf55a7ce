/*
 * What the database looks like, and everything that is ever asked of it. Private to src/store. Its test has SQLite say
 * how it would go about each (EXPLAIN QUERY PLAN).
 */
#pragma once

#define APPLICATION_ID 0x4e435354 /* "NCST": file(1) and we know whose it is */
#define SCHEMA_VERSION 2

/*
 * One index serves every question about a user's jobs: (user, status, id). Asking without a status is asking three
 * times, which costs less than a second index at each write. Rows that run, that expire and that have a key are few, or
 * in order: a partial index each.
 */
#define SCHEMA_1                                                                                                  \
  "CREATE TABLE jobs(id BLOB NOT NULL, user BLOB NOT NULL, status INTEGER NOT NULL, expires_ms INTEGER NOT NULL," \
  " key BLOB, request BLOB, record BLOB NOT NULL) STRICT;"                                                        \
  "CREATE INDEX jobs_by_user ON jobs(user, status, id);"                                                          \
  "CREATE INDEX jobs_running ON jobs(id) WHERE status = 1;"                                                       \
  "CREATE INDEX jobs_by_expiry ON jobs(expires_ms) WHERE expires_ms > 0;"                                         \
  "CREATE UNIQUE INDEX jobs_by_key ON jobs(user, key) WHERE key IS NOT NULL;"                                     \
  "CREATE TABLE documents(sha256 BLOB PRIMARY KEY, expires_ms INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;"     \
  "CREATE TABLE counts(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;"                                    \
  "INSERT INTO counts VALUES('jobs', 0);"

/*
 * Secrets, as the reference names their tables and columns; times in Unix seconds. A user's secrets are found by name,
 * and what they come to is summed from an index alone. Ids of audit rows count each user's own: the next one is one
 * more than the newest, and the oldest is so many behind it. No index has their secrets' names: every use of a secret
 * would write a page of it, and who reads the audit can wait for a user's rows to be gone through.
 */
#define SCHEMA_2                                                                                                    \
  "CREATE TABLE secrets(user_id TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,"                       \
  " created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, bytes INTEGER NOT NULL,"                              \
  " encrypted_value TEXT NOT NULL, PRIMARY KEY(user_id, name)) STRICT;"                                             \
  "CREATE INDEX secrets_by_size ON secrets(user_id, bytes);"                                                        \
  "CREATE TABLE secret_uses(user_id TEXT NOT NULL, name TEXT NOT NULL, uses TEXT NOT NULL,"                         \
  " PRIMARY KEY(user_id, name)) STRICT, WITHOUT ROWID;"                                                             \
  "CREATE TABLE secret_policies(user_id TEXT NOT NULL, secret_name TEXT NOT NULL, service_id TEXT NOT NULL,"        \
  " PRIMARY KEY(user_id, secret_name, service_id)) STRICT, WITHOUT ROWID;"                                          \
  "CREATE TABLE secret_audit_logs(user_id TEXT NOT NULL, id INTEGER NOT NULL, secret_name TEXT NOT NULL,"           \
  " action TEXT NOT NULL, service_id TEXT NOT NULL, ip_address TEXT NOT NULL DEFAULT '', user_agent TEXT NOT NULL," \
  " success INTEGER NOT NULL, error_message TEXT NOT NULL, created_at INTEGER NOT NULL, PRIMARY KEY(user_id, id))"  \
  " STRICT, WITHOUT ROWID;"

#define SCHEMA SCHEMA_1 SCHEMA_2

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
  X(SET_COUNT, "UPDATE counts SET value = ?1 WHERE name = 'jobs'")                                                   \
  SECRET_STATEMENTS(X)

/* Of secrets. ?1 is the user and ?2 the name everywhere. */
#define SECRET_STATEMENTS(X)                                                                                          \
  X(SAVEPOINT, "SAVEPOINT secrets")                                                                                   \
  X(RELEASE, "RELEASE secrets")                                                                                       \
  X(ROLLBACK_TO, "ROLLBACK TO secrets")                                                                               \
  X(SECRET_FIND,                                                                                                      \
    "SELECT version, encrypted_value, coalesce((SELECT uses FROM secret_uses WHERE user_id = ?1 AND name = ?2), '')," \
    " updated_at FROM secrets WHERE user_id = ?1 AND name = ?2")                                                      \
  X(SECRET_ALL,                                                                                                       \
    "SELECT name, version, encrypted_value, coalesce((SELECT uses FROM secret_uses u WHERE u.user_id = ?1"            \
    " AND u.name = secrets.name), ''), created_at, updated_at FROM secrets WHERE user_id = ?1 ORDER BY name"          \
    " LIMIT 1000")                                                                                                    \
  X(SECRET_INSERT,                                                                                                    \
    "INSERT INTO secrets(user_id, name, version, encrypted_value, bytes, created_at, updated_at)"                     \
    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?6)")                                                                            \
  X(SECRET_UPDATE,                                                                                                    \
    "UPDATE secrets SET version = ?3, encrypted_value = ?4, bytes = ?5, updated_at = ?6"                              \
    " WHERE user_id = ?1 AND name = ?2 AND version = ?7")                                                             \
  X(SECRET_SUM, "SELECT count(*), coalesce(sum(bytes), 0) FROM secrets WHERE user_id = ?1")                           \
  X(SECRET_REMOVE, "DELETE FROM secrets WHERE user_id = ?1 AND name = ?2 RETURNING version")                          \
  X(USES_FORGET, "DELETE FROM secret_uses WHERE user_id = ?1 AND name = ?2")                                          \
  X(USES_INSERT,                                                                                                      \
    "INSERT INTO secret_uses(user_id, name, uses) SELECT user_id, name, ?3 FROM secrets"                              \
    " WHERE user_id = ?1 AND name = ?2 AND NOT EXISTS(SELECT 1 FROM secret_uses WHERE user_id = ?1 AND name = ?2)")   \
  X(USES_UPDATE, "UPDATE secret_uses SET uses = ?3 WHERE user_id = ?1 AND name = ?2 AND uses = ?4")                   \
  X(AUDIT_INSERT,                                                                                                     \
    "INSERT INTO secret_audit_logs(user_id, secret_name, action, service_id, user_agent, success, error_message,"     \
    " created_at, id) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"                                                         \
    " (SELECT coalesce(max(id), 0) + 1 FROM secret_audit_logs WHERE user_id = ?1))")                                  \
  X(AUDIT_TRIM,                                                                                                       \
    "DELETE FROM secret_audit_logs WHERE user_id = ?1"                                                                \
    " AND id <= (SELECT max(id) FROM secret_audit_logs WHERE user_id = ?1) - ?2")                                     \
  X(AUDITS,                                                                                                           \
    "SELECT id, action, service_id, user_agent, success, error_message, created_at FROM secret_audit_logs"            \
    " WHERE user_id = ?1 AND secret_name = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4")                                 \
  X(POLICIES,                                                                                                         \
    "SELECT service_id FROM secret_policies WHERE user_id = ?1 AND secret_name = ?2 ORDER BY service_id LIMIT 100")
