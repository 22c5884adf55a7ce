#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/db.h"

/*
 * Two lists between two threads: what is to be done, and what was done. The store's thread takes all that is to be done
 * at once, does it in one transaction, and hands it over as done once that is committed.
 */

#define WAITING_MAX (64u << 20)
#define STACK_BYTES (512u << 10)
#define ANSWERS_MAX (8u << 20) /* records that were read and not yet collected: past it nothing more is done */
#define EXPIRE_STEP 500u
#define SECRETS_TEXT_MAX (16u << 20)

struct op;
typedef enum result op_run(struct db *db, struct op *op);

struct op {
  struct op *next;
  op_run *run;
  store_callback *callback;
  void *context;
  enum result result;
  enum result fault; /* what a fault of the store is called here; RESULT_OK: as it comes */
  struct rows rows;
  size_t bytes; /* that it counts for while it waits */
  struct store_job job;
  struct store_query query;
  uint8_t sha256[32];
  uint64_t number; /* a time, or a limit */
  bool later;      /* it waits for company */
  bool again;      /* there is more to do: it goes to the end of the list */
  uint8_t record[];
};

struct list {
  struct op *first, **end;
};

struct store {
  struct db *db;
  pthread_t thread;
  bool has_thread;
  int event;
  pthread_mutex_t lock;
  pthread_cond_t work;
  /* under the lock */
  struct list todo, finished;
  size_t bytes, answers; /* of operations that wait, and of records in what is finished */
  bool wanted, stopping; /* wanted: something that is to be done is not for later */
  struct store_stats stats;
};

/* ---- lists ---- */

static void list_clear(struct list *l) {
  l->first = NULL;
  l->end = &l->first;
}

static void list_add(struct list *l, struct op *op) {
  op->next = NULL;
  *l->end = op;
  l->end = &op->next;
}

static struct op *list_take(struct list *l) {
  struct op *first = l->first;
  list_clear(l);
  return first;
}

/* In front of what came meanwhile. */
static void list_put_back(struct list *l, struct op *ops) {
  if (ops == NULL) return;
  struct op **end = &ops->next;
  while (*end != NULL) end = &(*end)->next;
  *end = l->first;
  if (l->first == NULL) l->end = end;
  l->first = ops;
}

/* ---- the thread ---- */

static void fail_all(struct op *ops, enum result why) {
  for (struct op *op = ops; op != NULL; op = op->next) {
    rows_free(&op->rows);
    op->result = op->fault != RESULT_OK ? op->fault : why;
    op->again = false;
  }
}

/* What an operation says of the jobs or secrets it looked for is no fault of the store. */
static bool is_fault(enum result r) {
  static const enum result said[] = {
      RESULT_OK,           RESULT_JOB_NOT_FOUND,           RESULT_IDEMPOTENCY_MISMATCH, RESULT_SECRET_CONFLICT,
      RESULT_SECRETS_FULL, RESULT_SECRET_STORE_UNAVAILABLE};
  for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
    if (said[i] == r) return false;
  return true;
}

/* If what was read so far is as much as may lie about, `op` is the last of its group: the others are the `rest`. */
static void cut_group(struct op *op, size_t *answers, struct op **rest) {
  *answers += op->rows.bytes;
  if (*answers < ANSWERS_MAX || op->next == NULL) return;
  *rest = op->next;
  op->next = NULL;
}

/* One transaction for `ops`; on a fault nothing of it is left. */
static enum result try_all(struct db *db, struct op *ops, struct op **rest) {
  enum result r = db_begin(db);
  size_t answers = 0;
  for (struct op *op = ops; op != NULL && r == RESULT_OK; op = op->next) {
    op->result = op->run(db, op);
    if (is_fault(op->result)) r = op->result;
    if (r == RESULT_OK) cut_group(op, &answers, rest);
  }
  if (r == RESULT_OK) return db_commit(db);
  db_rollback(db);
  return r;
}

/* A group that fails is tried one by one: what is wrong with one operation is not its neighbours' loss. */
static uint64_t do_all(struct db *db, struct op *ops, struct op **rest) {
  enum result r = try_all(db, ops, rest);
  if (r == RESULT_OK || ops->next == NULL) {
    if (r != RESULT_OK) fail_all(ops, r);
    return r == RESULT_OK;
  }
  uint64_t commits = 0;
  size_t answers = 0;
  for (struct op *op = ops; op != NULL; op = op->next) {
    struct op *next = op->next;
    op->next = NULL;
    rows_free(&op->rows);
    r = try_all(db, op, rest);
    if (r != RESULT_OK) fail_all(op, r);
    commits += r == RESULT_OK;
    op->next = next;
    cut_group(op, &answers, rest);
  }
  return commits;
}

/* Hands over what is finished; under the lock. */
static void finish(struct store *s, struct op *ops, uint64_t commits) {
  bool wake = s->finished.first == NULL;
  s->stats.commits += commits;
  s->stats.jobs = db_count(s->db);
  for (struct op *op = ops, *next; op != NULL; op = next) {
    next = op->next;
    s->stats.operations++;
    if (op->again && !s->stopping) {
      list_add(&s->todo, op);
      s->wanted = true;
      continue;
    }
    s->bytes -= op->bytes;
    s->answers += op->rows.bytes;
    list_add(&s->finished, op);
  }
  uint64_t one = 1;
  if (wake && s->finished.first != NULL && write(s->event, &one, sizeof one) < 0) abort(); /* an eventfd takes it */
}

/* Waits until there is something to do that is wanted, and room for what comes of it; under the lock. */
static struct op *wait_for_work(struct store *s) {
  while ((!s->wanted || s->answers >= ANSWERS_MAX) && !s->stopping) pthread_cond_wait(&s->work, &s->lock);
  s->wanted = false;
  return list_take(&s->todo);
}

static void *thread_main(void *context) {
  struct store *s = context;
  pthread_mutex_lock(&s->lock);
  for (struct op *ops; (ops = wait_for_work(s)) != NULL;) {
    struct op *rest = NULL;
    pthread_mutex_unlock(&s->lock);
    uint64_t commits = do_all(s->db, ops, &rest);
    pthread_mutex_lock(&s->lock);
    list_put_back(&s->todo, rest);
    s->wanted |= rest != NULL;
    finish(s, ops, commits);
    pthread_mutex_unlock(&s->lock);
    db_tidy(s->db);
    pthread_mutex_lock(&s->lock);
  }
  pthread_mutex_unlock(&s->lock);
  return NULL;
}

/* ---- opening and closing ---- */

static enum result start_thread(struct store *s) {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return RESULT_NO_MEMORY;
  pthread_cond_init(&s->work, NULL);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  s->has_thread = pthread_create(&s->thread, &attributes, thread_main, s) == 0;
  pthread_attr_destroy(&attributes);
  return s->has_thread ? RESULT_OK : RESULT_IO;
}

enum result store_open(const struct store_config *config, char *problem, size_t problem_size, struct store **out) {
  struct store *s = calloc(1, sizeof *s);
  if (s == NULL) return RESULT_NO_MEMORY;
  pthread_mutex_init(&s->lock, NULL);
  list_clear(&s->todo);
  list_clear(&s->finished);
  s->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  enum result r = s->event < 0 ? RESULT_IO : db_open(config, problem, problem_size, &s->db);
  if (r == RESULT_OK) {
    s->stats.jobs = db_count(s->db);
    r = start_thread(s);
  }
  if (r == RESULT_OK) {
    *out = s;
    s = NULL;
  }
  store_free(s);
  return r;
}

static void op_free(struct op *op) {
  rows_free(&op->rows);
  wipe(op->record, op->job.record.len);
  free(op);
}

void store_free(struct store *s) {
  if (s == NULL) return;
  if (s->has_thread) {
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->work);
  }
  for (struct op *op = list_take(&s->finished), *next; op != NULL; op = next) {
    next = op->next;
    op_free(op);
  }
  db_close(s->db);
  if (s->event >= 0) close(s->event);
  pthread_mutex_destroy(&s->lock);
  free(s);
}

int store_fd(const struct store *s) {
  return s->event;
}

void store_collect(struct store *s) {
  uint64_t count;
  if (read(s->event, &count, sizeof count) < 0 && errno != EAGAIN) return;
  pthread_mutex_lock(&s->lock);
  struct op *ops = list_take(&s->finished);
  pthread_mutex_unlock(&s->lock);
  size_t answers = 0;
  for (struct op *op = ops, *next; op != NULL; op = next) {
    next = op->next;
    const struct store_answer answer = {.result = op->result,
                                        .jobs = op->rows.jobs,
                                        .count = op->rows.count,
                                        .more = op->rows.more,
                                        .rows = op->rows.rows,
                                        .row_count = op->rows.row_count};
    if (op->callback != NULL) op->callback(op->context, &answer);
    answers += op->rows.bytes;
    op_free(op);
  }
  if (answers == 0) return;
  pthread_mutex_lock(&s->lock);
  s->answers -= answers;
  pthread_cond_signal(&s->work);
  pthread_mutex_unlock(&s->lock);
}

/* ---- queueing ---- */

static struct op *op_new(op_run *run, struct span record, store_callback *callback, void *context) {
  struct op *op = calloc(1, sizeof *op + record.len);
  if (op == NULL) return NULL;
  op->run = run;
  op->callback = callback;
  op->context = context;
  op->bytes = sizeof *op + record.len;
  if (record.len > 0) memcpy(op->record, record.data, record.len);
  op->job.record = span_of(op->record, record.len);
  return op;
}

static enum result queue(struct store *s, struct op *op) {
  if (op == NULL) return RESULT_NO_MEMORY;
  pthread_mutex_lock(&s->lock);
  bool full = s->bytes + op->bytes > WAITING_MAX;
  if (!full) {
    list_add(&s->todo, op);
    s->bytes += op->bytes;
    if (!op->later && !s->wanted) pthread_cond_signal(&s->work);
    if (!op->later) s->wanted = true;
  }
  pthread_mutex_unlock(&s->lock);
  if (full) op_free(op);
  return full ? RESULT_BUSY : RESULT_OK;
}

void store_hurry(struct store *s) {
  pthread_mutex_lock(&s->lock);
  if (s->todo.first != NULL && !s->wanted) pthread_cond_signal(&s->work);
  s->wanted = s->todo.first != NULL;
  pthread_mutex_unlock(&s->lock);
}

struct store_stats store_stats(const struct store *s) {
  struct store *mine = (struct store *)(uintptr_t)s;
  pthread_mutex_lock(&mine->lock);
  struct store_stats stats = s->stats;
  stats.bytes_waiting = s->bytes;
  pthread_mutex_unlock(&mine->lock);
  return stats;
}

/* ---- the operations ---- */

static enum result run_put(struct db *db, struct op *op) {
  return db_put(db, &op->job);
}

enum result store_put(struct store *s, const struct store_job *job, store_callback *callback, void *context) {
  struct op *op = op_new(run_put, job->record, callback, context);
  if (op != NULL) {
    struct span record = op->job.record;
    op->job = *job;
    op->job.record = record;
  }
  return queue(s, op);
}

static struct op *op_for(op_run *run, const uint8_t *user, const uint8_t *id, size_t id_len, store_callback *callback,
                         void *context) {
  struct op *op = op_new(run, span_of(NULL, 0), callback, context);
  if (op == NULL) return NULL;
  memcpy(op->job.user, user, STORE_USER);
  memcpy(id_len == STORE_ID ? op->job.id : op->job.key, id, id_len);
  return op;
}

static enum result run_get(struct db *db, struct op *op) {
  return db_get(db, op->job.user, op->job.id, &op->rows);
}

enum result store_get(struct store *s, const uint8_t user[STORE_USER], const uint8_t id[STORE_ID],
                      store_callback *callback, void *context) {
  return queue(s, op_for(run_get, user, id, STORE_ID, callback, context));
}

static enum result run_delete(struct db *db, struct op *op) {
  return db_delete(db, op->job.user, op->job.id);
}

enum result store_delete(struct store *s, const uint8_t user[STORE_USER], const uint8_t id[STORE_ID],
                         store_callback *callback, void *context) {
  return queue(s, op_for(run_delete, user, id, STORE_ID, callback, context));
}

static enum result run_find_key(struct db *db, struct op *op) {
  return db_find_key(db, op->job.user, op->job.key, clock_real_ns() / 1000000u, &op->rows);
}

enum result store_find_key(struct store *s, const uint8_t user[STORE_USER], const uint8_t key[STORE_KEY],
                           store_callback *callback, void *context) {
  return queue(s, op_for(run_find_key, user, key, STORE_KEY, callback, context));
}

static enum result run_list(struct db *db, struct op *op) {
  return db_list(db, &op->query, &op->rows);
}

enum result store_list(struct store *s, const struct store_query *query, store_callback *callback, void *context) {
  struct op *op = op_new(run_list, span_of(NULL, 0), callback, context);
  if (op != NULL) op->query = *query;
  return queue(s, op);
}

static struct op *op_with(op_run *run, uint64_t number, store_callback *callback, void *context) {
  struct op *op = op_new(run, span_of(NULL, 0), callback, context);
  if (op != NULL) op->number = number;
  return op;
}

static enum result run_list_running(struct db *db, struct op *op) {
  return db_list_running(db, op->job.id, (uint32_t)op->number, &op->rows);
}

enum result store_list_running(struct store *s, const uint8_t after[STORE_ID], uint32_t limit, store_callback *callback,
                               void *context) {
  struct op *op = op_with(run_list_running, limit, callback, context);
  if (op != NULL) memcpy(op->job.id, after, STORE_ID);
  return queue(s, op);
}

static enum result run_expire(struct db *db, struct op *op) {
  return db_expire(db, op->number, EXPIRE_STEP, &op->again);
}

enum result store_expire(struct store *s, uint64_t now_ms, store_callback *callback, void *context) {
  return queue(s, op_with(run_expire, now_ms, callback, context));
}

static enum result run_put_document(struct db *db, struct op *op) {
  return db_put_document(db, op->sha256, op->job.record, op->number);
}

enum result store_put_document(struct store *s, const uint8_t sha256[32], struct span bytes, uint64_t expires_ms,
                               store_callback *callback, void *context) {
  struct op *op = op_new(run_put_document, bytes, callback, context);
  if (op != NULL) {
    memcpy(op->sha256, sha256, sizeof op->sha256);
    op->number = expires_ms;
  }
  return queue(s, op);
}

static enum result run_get_document(struct db *db, struct op *op) {
  return db_get_document(db, op->sha256, &op->rows);
}

enum result store_get_document(struct store *s, const uint8_t sha256[32], store_callback *callback, void *context) {
  struct op *op = op_new(run_get_document, span_of(NULL, 0), callback, context);
  if (op != NULL) memcpy(op->sha256, sha256, sizeof op->sha256);
  return queue(s, op);
}

static enum result run_secrets(struct db *db, struct op *op) {
  return db_secrets(db, op->job.record, clock_real_ns() / 1000000000u, &op->rows);
}

enum result store_secrets(struct store *s, const struct store_statement *statements, size_t count, bool later,
                          store_callback *callback, void *context) {
  struct buf text = buf_new(SECRETS_TEXT_MAX);
  enum result r = db_secrets_put(&text, statements, count);
  struct op *op = r == RESULT_OK ? op_new(run_secrets, buf_span(&text), callback, context) : NULL;
  buf_free(&text);
  if (r != RESULT_OK) return r;
  if (op != NULL) {
    op->fault = RESULT_SECRET_STORE_UNAVAILABLE;
    op->later = later;
  }
  return queue(s, op);
}
