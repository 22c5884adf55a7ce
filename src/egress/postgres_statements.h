/* wire/statements.h in PostgreSQL's words. Private to src/egress. A change that finds another version (or other uses)
 * than it was told divides by zero, which takes the whole transaction back: SQLSTATE 22012 is the conflict. */
#pragma once

#define EPOCH(column) "extract(epoch from " column ")::bigint"
/* `change` is a statement that returns a row if it changed one. */
#define OR_CONFLICT(change) "WITH changed AS (" change " RETURNING 1) SELECT 1 / count(*) FROM changed"

/* statement, rows count, SQL */
#define POSTGRES_STATEMENTS(X)                                                                                          \
  X(FIND, true,                                                                                                       \
    "SELECT s.version, s.encrypted_value, coalesce(u.uses, ''), " EPOCH("s.updated_at")                               \
    " FROM secrets s LEFT JOIN secret_uses u USING (user_id, name)"                                                   \
    " WHERE s.user_id = $1 AND s.name = $2 ORDER BY s.version DESC LIMIT 1") \
  X(ALL, true,                                                                                                        \
    "SELECT s.name, s.version, s.encrypted_value, coalesce(u.uses, ''), " EPOCH("s.created_at") ", "                  \
    EPOCH("s.updated_at") " FROM secrets s LEFT JOIN secret_uses u USING (user_id, name)"                             \
    " WHERE s.user_id = $1 ORDER BY s.name LIMIT 1000") \
  X(WRITE, false,                                                                                                       \
    "WITH forgotten AS (DELETE FROM secret_uses WHERE user_id = $1::text AND name = $2::text), changed AS ("            \
    "INSERT INTO secrets (user_id, name, version, encrypted_value) SELECT $1::text, $2::text, $3::bigint, $4::text"     \
    " WHERE $5::bigint = 0 OR EXISTS (SELECT FROM secrets WHERE user_id = $1 AND name = $2 AND version = $5)"           \
    " ON CONFLICT (user_id, name) DO UPDATE SET version = excluded.version,"                                            \
    " encrypted_value = excluded.encrypted_value, updated_at = now() WHERE secrets.version = $5 RETURNING 1)"           \
    " SELECT 1 / count(*) FROM changed")                                                                                \
  X(REMOVE, true,                                                                                                       \
    "WITH forgotten AS (DELETE FROM secret_uses WHERE user_id = $1 AND name = $2), policies AS ("                       \
    "DELETE FROM secret_policies WHERE user_id = $1 AND secret_name = $2)"                                              \
    " DELETE FROM secrets WHERE user_id = $1 AND name = $2 RETURNING version")                                          \
  X(USE, false,                                                                                                         \
    OR_CONFLICT("INSERT INTO secret_uses (user_id, name, uses) SELECT $1::text, $2::text, $3::text"                     \
                " WHERE $4::text = '' OR EXISTS (SELECT FROM secret_uses WHERE user_id = $1 AND name = $2"              \
                " AND uses = $4)"                                                                                       \
                " ON CONFLICT (user_id, name) DO UPDATE SET uses = excluded.uses WHERE secret_uses.uses = $4"))         \
  X(AUDIT, false,                                                                                                       \
    "INSERT INTO secret_audit_logs (user_id, secret_name, action, service_id, user_agent, success, error_message)"      \
    " VALUES ($1, $2, $3, $4, $5, $6::text = '1', nullif($7, ''))")                                                     \
  X(AUDITS, true,                                                                                                     \
    "SELECT id, action, service_id, coalesce(user_agent, ''), success::int, coalesce(error_message, ''), "            \
    EPOCH("created_at") " FROM secret_audit_logs WHERE user_id = $1 AND secret_name = $2"                             \
    " AND ($3::bigint = 0 OR id < $3::bigint) ORDER BY id DESC LIMIT $4::bigint") \
  X(POLICIES, true, "SELECT service_id FROM secret_policies WHERE user_id = $1 AND secret_name = $2 LIMIT 100")
