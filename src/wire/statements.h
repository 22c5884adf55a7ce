/*
 * What may be asked of a store of secrets, in terms that SQLite (store/secrets.c, in the broker) and PostgreSQL
 * (egress/postgres.c) carry out alike. Values and columns are text; numbers and times (Unix seconds) in decimal, "" for
 * none. What `value`, `uses` hold is the keeper's affair: sealed, in base64. Tables as the reference has them:
 * secrets(user_id, name, encrypted_value, version, created_at, updated_at), secret_policies(user_id, secret_name,
 * service_id), secret_audit_logs(user_id, secret_name, action, service_id, ip_address, user_agent, success,
 * error_message, created_at); and secret_uses(user_id, name, uses).
 *
 * The embedded one takes values of at most 1,024 bytes (512 KiB of a secret's own) and answers of 4,096 rows and 9 MiB;
 * a user may have 1,000 secrets of 4 MiB together (RESULT_SECRETS_FULL) and has the newest 10,000 audit rows, whose ids
 * count that user's.
 */
#pragma once

/* name, number, values that it takes -> columns of its rows */
#define SECRET_STATEMENTS(X)                                                                                        \
  X(FIND, 1, 2)     /* user, name -> version, value, uses, updated; no row: there is none */                        \
  X(ALL, 2, 1)      /* user -> name, version, value, uses, created, updated; by name, at most 1,000 */              \
  X(WRITE, 3, 5)    /* user, name, version, value, version that is there now ("0": none) -> no row; another version \
                       is there: RESULT_SECRET_CONFLICT. `uses` is forgotten */                                     \
  X(REMOVE, 4, 2)   /* user, name -> version; no row: there was none */                                             \
  X(USE, 5, 4)      /* user, name, uses, uses that are there now ("": none) -> no row; others: _SECRET_CONFLICT */  \
  X(AUDIT, 6, 7)    /* user, name, action, service, agent, "1" for success or "0", error -> no row */               \
  X(AUDITS, 7, 4)   /* user, name, id, limit -> id, action, service, agent, success, error, time; newest first, ids \
                       below `id` ("0": all) */                                                                     \
  X(POLICIES, 8, 2) /* user, name -> service */

#define SECRET_STATEMENT(name, number, values) STATEMENT_##name = number,
enum secret_statement { SECRET_STATEMENTS(SECRET_STATEMENT) };
#undef SECRET_STATEMENT
