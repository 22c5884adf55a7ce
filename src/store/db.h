/*
 * The database under the store: every operation is one call, inside a transaction that store.c begins and ends. Private
 * to src/store. SQLite; one connection, one thread at a time.
 */
#pragma once

#include "store/store.h"

struct db;

/* What an operation found. Freed with rows_free. */
struct rows {
  struct store_job *jobs; /* records included in one allocation each */
  size_t count;
  size_t bytes; /* of the records, or of the rows */
  bool more;
  struct store_statement *rows; /* of secrets: … */
  size_t row_count;
  struct buf text; /* … what their values point to */
};
void rows_free(struct rows *rows);

/* See store_open. */
enum result must_use db_open(const struct store_config *config, char *problem, size_t problem_size, struct db **out);
void db_close(struct db *db);

/* One transaction. A failed commit has been rolled back. */
enum result must_use db_begin(struct db *db);
enum result must_use db_commit(struct db *db);
void db_rollback(struct db *db);

enum result must_use db_put(struct db *db, const struct store_job *job);
enum result must_use db_get(struct db *db, const uint8_t *user, const uint8_t *id, struct rows *rows);
enum result must_use db_delete(struct db *db, const uint8_t *user, const uint8_t *id);
enum result must_use db_list(struct db *db, const struct store_query *query, struct rows *rows);
enum result must_use db_find_key(struct db *db, const uint8_t *user, const uint8_t *key, uint64_t now_ms,
                                 struct rows *rows);
enum result must_use db_list_running(struct db *db, const uint8_t *after, uint32_t limit, struct rows *rows);
/* At most `limit` of them; `more` says whether it met the limit. */
enum result must_use db_expire(struct db *db, uint64_t now_ms, uint32_t limit, bool *more);
enum result must_use db_put_document(struct db *db, const uint8_t *sha256, struct span bytes, uint64_t expires_ms);
enum result must_use db_get_document(struct db *db, const uint8_t *sha256, struct rows *rows);

/* `statements`: store_statement after store_statement, each as its number, its count of values and these as blocks; put
 * there by db_secrets_put. What is done stays within a savepoint: RESULT_SECRET_CONFLICT, _SECRETS_FULL and
 * _SECRET_STORE_UNAVAILABLE have changed nothing, RESULT_STORE_UNAVAILABLE is the transaction's end. */
enum result must_use db_secrets(struct db *db, struct span statements, uint64_t now_s, struct rows *rows);
/* RESULT_BAD_REQUEST as store_secrets says it. */
enum result must_use db_secrets_put(struct buf *b, const struct store_statement *statements, size_t count);

/* Moves the log into the database once it is long, which waits for the disk: after the answers, not before. */
void db_tidy(struct db *db);

/* Stored jobs, those of an open transaction included. */
uint64_t db_count(const struct db *db);
