/*
 * The job store: sealed records by id, and what is needed to find them; and beside it the embedded store of secrets. It
 * knows no key and no plaintext: a record is bytes. A SQLite file, or the same in memory only; store.c runs it on a
 * thread of its own, so that a slow disk never stops the event loop.
 *
 * Writes are queued and committed in groups; each may have a callback, which the owner's thread gets from store_collect
 * once the write is committed, never before. Reads go through the same queue, so they see every write queued before
 * them. The store_ functions are for one thread.
 */
#pragma once

#include "base/result.h"

#define STORE_ID 16u   /* a UUID version 7 (RFC 9562 §5.7): ids ascend with time, so new rows are appended */
#define STORE_USER 32u /* SHA-256 of the user id */
#define STORE_KEY 32u  /* SHA-256 of an idempotency key */

enum store_status { STORE_RUNNING = 1, STORE_COMPLETED, STORE_FAILED };

struct store;

struct store_config {
  const char *path; /* of the SQLite file; NULL: in memory only, gone with the process */
  bool full_sync;   /* wait for the disk at every commit (survives loss of power), or only for the kernel (survives any
                       end of the process) */
};

struct store_job {
  uint8_t id[STORE_ID], user[STORE_USER];
  enum store_status status;
  uint64_t expires_ms;        /* Unix time; 0: never (while it runs) */
  bool fresh;                 /* to store_put: there is no record of this id, so none is looked for */
  bool has_key;               /* an idempotency key came with the request */
  uint8_t key[STORE_KEY];     /* … and this is its hash */
  uint8_t request[STORE_KEY]; /* … and that of the request it came with */
  struct span record;         /* sealed */
};

/* ---- secrets: what is asked of them, in the numbers and values of wire/statements.h ---- */

#define STORE_VALUES_MAX 9u
#define STORE_STATEMENTS_MAX 32u
#define STORE_ROWS_MAX 4096u
#define STORE_TEXT_MAX 1024u          /* bytes of a value … */
#define STORE_SECRET_MAX (512u << 10) /* … but of a secret's own */
#define STORE_SECRETS_OF_USER 1000u
#define STORE_SECRETS_BYTES (4u << 20) /* of a user's secrets altogether */
#define STORE_AUDITS_OF_USER 10000u    /* past it the oldest go */

enum store_secret {
  STORE_SECRET_FIND = 1,
  STORE_SECRET_ALL,
  STORE_SECRET_WRITE,
  STORE_SECRET_REMOVE,
  STORE_SECRET_USE,
  STORE_SECRET_AUDIT,
  STORE_SECRET_AUDITS,
  STORE_SECRET_POLICIES
};

/* A statement, or a row: then `statement` is the index of the one that it answers. */
struct store_statement {
  uint32_t statement, count;
  struct span values[STORE_VALUES_MAX];
};

/* What comes back for a read or a write. `jobs` and their records hold until the callback returns. */
struct store_answer {
  enum result result; /* RESULT_OK, RESULT_JOB_NOT_FOUND, RESULT_IDEMPOTENCY_MISMATCH, RESULT_STORE_UNAVAILABLE */
  const struct store_job *jobs;
  size_t count;
  bool more;                          /* a list: further jobs lie behind the last one */
  const struct store_statement *rows; /* store_secrets; held as long */
  size_t row_count;
};
typedef void store_callback(void *context, const struct store_answer *answer);

/* Opens or creates. RESULT_STORE_UNAVAILABLE with errno or a logged SQLite message in `problem` (at least 256 bytes).
 */
enum result must_use store_open(const struct store_config *config, char *problem, size_t problem_size,
                                struct store **out);
/* Becomes readable when store_collect has something to do. */
int store_fd(const struct store *s);
/* Runs the callbacks of what was done. Who does not call it for a while makes the store wait once 8 MiB of records lie
 * there, with the writes behind them. */
void store_collect(struct store *s);

/* Each queues one operation; everything in the arguments is copied. RESULT_BUSY if 64 MiB already wait: nothing is
 * queued. `callback` may be NULL for a write. */

/* Inserts the job, or replaces the record of the same job that says it runs; its key stays the one it came with.
 * Whoever makes ids makes them unique. RESULT_IDEMPOTENCY_MISMATCH: another job of the user's has the key. */
enum result must_use store_put(struct store *s, const struct store_job *job, store_callback *callback, void *context);
/* One job of this user; another user's is RESULT_JOB_NOT_FOUND, exactly as one that never was. */
enum result must_use store_get(struct store *s, const uint8_t user[STORE_USER], const uint8_t id[STORE_ID],
                               store_callback *callback, void *context);
enum result must_use store_delete(struct store *s, const uint8_t user[STORE_USER], const uint8_t id[STORE_ID],
                                  store_callback *callback, void *context);

struct store_query {
  uint8_t user[STORE_USER];
  uint8_t before[STORE_ID]; /* only ids below this one; all 0xff: from the newest */
  enum store_status status; /* 0: any */
  uint32_t limit;           /* 1..1000 */
  uint64_t bytes;           /* the page also ends once its records come to this many bytes */
};
/* Newest first. */
enum result must_use store_list(struct store *s, const struct store_query *query, store_callback *callback,
                                void *context);
/* The job that a user's idempotency key belongs to. */
enum result must_use store_find_key(struct store *s, const uint8_t user[STORE_USER], const uint8_t key[STORE_KEY],
                                    store_callback *callback, void *context);
/* Every user's jobs that still say STORE_RUNNING, by ascending id from the one behind `after`, at most `limit`: asked
 * at the start, before any job is admitted. */
enum result must_use store_list_running(struct store *s, const uint8_t after[STORE_ID], uint32_t limit,
                                        store_callback *callback, void *context);
/* Deletes what expired before `now_ms`, in steps that never hold other operations up for long. */
enum result must_use store_expire(struct store *s, uint64_t now_ms, store_callback *callback, void *context);
/* A named document that outlives the process (attestation documents). */
enum result must_use store_put_document(struct store *s, const uint8_t sha256[32], struct span bytes,
                                        uint64_t expires_ms, store_callback *callback, void *context);
/* jobs[0].record is the document. */
enum result must_use store_get_document(struct store *s, const uint8_t sha256[32], store_callback *callback,
                                        void *context);

/* Does these statements (1 to STORE_STATEMENTS_MAX of them), all or none, in their order. RESULT_BAD_REQUEST, at once,
 * for what is no such list: a number that is not in enum store_secret, another count of values, a value that is not
 * UTF-8, holds U+0000, or is no number where one belongs. The answer is RESULT_OK with rows in the order of their
 * statements, RESULT_SECRET_CONFLICT, RESULT_SECRETS_FULL (a user may have no more), or
 * RESULT_SECRET_STORE_UNAVAILABLE, also for values and answers beyond the bounds above and for rows in the file that we
 * would not have written. An audit row's id counts its user's rows. `later`: nobody waits for it; it is done with the
 * next operation of another kind, before it, or at store_hurry, which is to come soon. */
enum result must_use store_secrets(struct store *s, const struct store_statement *statements, size_t count, bool later,
                                   store_callback *callback, void *context);

/* Has what is queued for later done now. */
void store_hurry(struct store *s);

struct store_stats {
  uint64_t jobs, bytes_waiting, commits, operations;
};
struct store_stats store_stats(const struct store *s);

/* Commits what is queued, ends the thread, closes. NULL is fine. */
void store_free(struct store *s);
