#include "broker/state.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/uuid.h"
#include "broker/metrics.h"

#define KEEPER_PATIENCE_MS 20000u /* beyond a job's limit of time; the keeper waits half as long for a worker */
#define RECOVER_STEP 500u         /* interrupted jobs at a time */
#define CALLS_MAX 32u             /* that wait for one job */

/* ---- finding ---- */

struct job *job_find(struct broker *b, const uint8_t user[STORE_USER], const uint8_t id[STORE_ID]) {
  struct job *job = table_get(b->by_id, id);
  return job != NULL && memcmp(job->user, user, STORE_USER) == 0 ? job : NULL;
}

struct job *job_find_key(struct broker *b, const uint8_t user[STORE_USER], const uint8_t key[STORE_KEY]) {
  struct job *job = table_get(b->by_key, key);
  return job != NULL && memcmp(job->user, user, STORE_USER) == 0 ? job : NULL;
}

static struct job *find_ticket(struct broker *b, uint64_t ticket) {
  return table_get(b->by_ticket, &ticket);
}

unsigned jobs_live(const struct broker *b) {
  return (unsigned)table_count(b->by_ticket);
}

/* From here on others find it. */
static enum result enlist(struct job *job) {
  struct broker *b = job->broker;
  enum result r = table_put(b->by_ticket, &job->ticket, job);
  if (r == RESULT_OK) r = table_put(b->by_id, job->id, job);
  if (r == RESULT_OK && job->has_key) r = table_put(b->by_key, job->key, job);
  return r;
}

static void release_key(struct job *job) {
  struct table *keys = job->broker->by_key;
  if (job->has_key && table_get(keys, job->key) == job) table_remove(keys, job->key);
  job->has_key = false;
}

static void strike(struct job *job) {
  struct broker *b = job->broker;
  release_key(job);
  if (table_get(b->by_ticket, &job->ticket) == job) table_remove(b->by_ticket, &job->ticket);
  if (table_get(b->by_id, job->id) == job) table_remove(b->by_id, job->id);
}

/* ---- the object ---- */

static struct job *job_alloc(struct broker *b) {
  struct job *job = calloc(1, sizeof *job);
  if (job == NULL) return NULL;
  job->broker = b;
  job->message = buf_new(SERVICE_REQUEST_MAX + MSG_HEADER);
  job->reply = buf_new(SERVICE_REPLY_MAX);
  job->sealed = buf_new(SERVICE_ANSWER_MAX);
  job->events = buf_new(EVENTS_MAX);
  return job;
}

enum result job_new(struct call *call, const struct wire_execute *execute, struct job **out) {
  struct job *job = job_alloc(call->broker);
  if (job == NULL) return RESULT_NO_MEMORY;
  job->ticket = execute->ticket;
  memcpy(job->id, execute->job, sizeof job->id);
  memcpy(job->user, execute->user, sizeof job->user);
  job->async = execute->flags & WIRE_EXECUTE_ASYNC;
  job->trace = call->trace;
  job->timeout_ms = execute->timeout_ms;
  wire_put_execute(&job->message, execute);
  if (job->message.bad) {
    job_free(job);
    return RESULT_NO_MEMORY;
  }
  job_join(job, call, job->async ? CALL_STORED : CALL_RESULT);
  *out = job;
  return RESULT_OK;
}

void job_free(struct job *job) {
  if (job == NULL) return;
  struct broker *b = job->broker;
  strike(job);
  if (job->admitted != NULL) admission_leave(b->admission, job->admitted);
  while (job->calls != NULL) job_detach(job, job->calls);
  buf_free(&job->message);
  buf_free(&job->reply);
  buf_free(&job->sealed);
  buf_free(&job->events);
  free(job);
}

/* ---- who waits for it ---- */

bool job_is_crowded(const struct job *job) {
  unsigned count = 0;
  for (const struct call *call = job->calls; call != NULL; call = call->next) count++;
  return count >= CALLS_MAX;
}

void job_join(struct job *job, struct call *call, enum call_wait wait) {
  call->job = job;
  call->wait = wait;
  call->next = job->calls;
  job->calls = call;
}

void job_detach(struct job *job, struct call *call) {
  for (struct call **at = &job->calls; *at != NULL; at = &(*at)->next) {
    if (*at != call) continue;
    *at = call->next;
    break;
  }
  call->job = NULL;
  call->next = NULL;
}

/* Answers everybody who waits with this problem. */
static void refuse(struct job *job, enum result why) {
  while (job->calls != NULL) {
    struct call *call = job->calls;
    job_detach(job, call);
    if (call->wait == CALL_EVENTS)
      call_end(call);
    else
      call_problem(call, why, NULL);
  }
}

static bool is_awaited(const struct job *job) {
  for (const struct call *call = job->calls; call != NULL; call = call->next) {
    if (call->wait == CALL_RESULT || call->wait == CALL_STORED) return true;
  }
  return false;
}

void job_leave(struct job *job, struct call *call) {
  job_detach(job, call);
  /* An asynchronous job belongs to its caller until it is accepted, and to itself from then on. */
  if ((job->async && job->stored) || is_awaited(job)) return;
  if (job->state == JOB_CHECKING || job->state == JOB_WAITING) {
    refuse(job, RESULT_CANCELLED); /* who only watched it */
    job_free(job);
  } else if (!job->has_key) {
    job_cancel(job, RESULT_CANCELLED);
  }
}

void job_cancel(struct job *job, enum result why) {
  struct broker *b = job->broker;
  if (job->state != JOB_RUNNING || job->cancelled) return;
  job->cancelled = true;
  wire_put_cancel(&b->outgoing, &(struct wire_cancel){.ticket = job->ticket, .result = why});
  broker_send(b);
}

/* The job's id as text, and where it is found. */
struct location {
  char id[UUID_TEXT + 1], path[UUID_TEXT + 8];
};

void job_id_text(const uint8_t id[STORE_ID], char out[UUID_TEXT + 1]) {
  struct buf b = buf_fixed(out, UUID_TEXT);
  uuid_put(&b, id);
  out[b.len] = 0;
}

static struct location location_of(const uint8_t id[STORE_ID]) {
  struct location at;
  job_id_text(id, at.id);
  snprintf(at.path, sizeof at.path, "/jobs/%s", at.id);
  return at;
}

void job_accepted(const struct job *job, struct call *call) {
  struct location at = location_of(job->id);
  char body[128];
  int len = snprintf(body, sizeof body, "{\"job_id\":\"%s\",\"status\":\"running\"}", at.id);
  const struct http_field fields[] = {{span_text("location"), span_text(at.path)},
                                      {span_text("preference-applied"), span_text("respond-async")}};
  call_reply(call, 202, "application/json", span_of(body, (size_t)len), fields, 2);
}

/* ---- waiting ---- */

static void count_refused(enum result why, enum metrics_reason busy) {
  metrics_add(METRICS_REFUSED, why == RESULT_TOO_MANY_JOBS ? METRICS_REFUSED_USER : busy, 1);
}

void job_admit(struct job *job) {
  struct broker *b = job->broker;
  job->waits_since_ns = clock_monotonic_ns();
  /* Its key may have been looked up while the service began to stop. */
  enum result r = b->stopping ? RESULT_STOPPING : enlist(job);
  if (r == RESULT_OK) r = admission_enter(b->admission, job->user, job, job->waits_since_ns / 1000000u, &job->admitted);
  if (r != RESULT_OK) {
    count_refused(r, METRICS_REFUSED_QUEUE);
    refuse(job, r);
    job_free(job);
    return;
  }
  job->state = JOB_WAITING;
  jobs_pump(b);
}

static void set_timer(struct event *timer, uint64_t ms) {
  struct timeval time = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
  event_add(timer, &time);
}

static void start(struct job *job) {
  struct broker *b = job->broker;
  job->state = JOB_RUNNING;
  job->due_ms = clock_monotonic_ms() + job->timeout_ms + KEEPER_PATIENCE_MS;
  metrics_observe(METRICS_QUEUE_WAIT, clock_monotonic_ns() - job->waits_since_ns);
  /* A keeper that is gone takes the service with it: its link says so. */
  enum result r = link_send(b->keeper, &job->message);
  buf_free(&job->message);
  if (r == RESULT_NO_MEMORY) {
    refuse(job, RESULT_BUSY);
    job_free(job);
  }
}

void jobs_pump(struct broker *b) {
  for (struct job *job; (job = admission_next(b->admission)) != NULL;) start(job);
  uint64_t deadline = admission_deadline(b->admission), now = clock_monotonic_ms();
  if (deadline == UINT64_MAX)
    event_del(b->queue);
  else
    set_timer(b->queue, deadline > now ? deadline - now : 0);
}

void jobs_expire_waiting(struct broker *b) {
  for (struct job *job; (job = admission_expired(b->admission, clock_monotonic_ms())) != NULL;) {
    job->admitted = NULL;
    count_refused(RESULT_BUSY, METRICS_REFUSED_WAIT);
    refuse(job, RESULT_BUSY);
    job_free(job);
  }
  jobs_pump(b);
}

/* ---- running ---- */

/* Everybody has been answered. Nobody may find it any more: he would wait for good. */
static void done(struct job *job) {
  job->state = JOB_DONE;
  strike(job);
  if (job->references == 0) job_free(job);
}

static void fill_record(const struct job *job, struct store_job *record, struct span sealed) {
  *record = (struct store_job){.status = STORE_RUNNING, .has_key = job->has_key, .record = sealed};
  memcpy(record->id, job->id, sizeof record->id);
  memcpy(record->user, job->user, sizeof record->user);
  memcpy(record->key, job->key, sizeof record->key);
  memcpy(record->request, job->request, sizeof record->request);
}

static void log_store_failure(const struct job *job, enum result why) {
  log_begin(LOG_ERROR, "record_not_stored");
  log_text("trace_id", span_text(job->trace.id));
  log_result(why);
  log_end();
}

/* The record that says it runs is committed: an asynchronous caller may go. */
static void on_stored(void *context, const struct store_answer *answer) {
  struct job *job = context;
  job->references--;
  if (answer->result == RESULT_OK) job->stored = true;
  if (answer->result != RESULT_OK) log_store_failure(job, answer->result);
  for (struct call *call = job->calls, *next; call != NULL; call = next) {
    next = call->next;
    if (call->wait != CALL_STORED) continue;
    job_detach(job, call);
    if (answer->result == RESULT_OK)
      job_accepted(job, call);
    else
      call_problem(call, answer->result, NULL);
  }
  /* What could not be acknowledged need not run, and whoever tries again is to get another job. */
  if (answer->result != RESULT_OK && job->async) {
    release_key(job);
    job_cancel(job, RESULT_CANCELLED);
  }
  if (job->state == JOB_DONE) done(job);
}

void jobs_stored(struct broker *b, const struct wire_stored *m) {
  struct job *job = find_ticket(b, m->ticket);
  struct store_job record;
  if (job == NULL || job->state != JOB_RUNNING) return;
  fill_record(job, &record, m->sealed);
  job->references++;
  enum result r = store_put(b->store, &record, on_stored, job);
  if (r != RESULT_OK) on_stored(job, &(struct store_answer){.result = r});
}

void jobs_logged(struct broker *b, const struct wire_logged *m) {
  struct job *job = find_ticket(b, m->ticket);
  if (job != NULL && job->state == JOB_RUNNING) events_log(job, m);
}

/* ---- the end ---- */

static void answer_call(struct job *job, struct call *call) {
  struct location at = location_of(job->id);
  const struct http_field fields[] = {{span_text("location"), span_text(at.path)}};
  switch (call->wait) {
    case CALL_RESULT:
      call_reply(call, 200, "application/json", buf_span(&job->reply), fields, 1);
      break;
    case CALL_STORED:
      job_accepted(job, call);
      break;
    case CALL_GONE:
      call_empty(call, 204);
      break;
    case CALL_EVENTS:
      call_end(call);
      break;
    case CALL_RECORD:
    case CALL_LIST:
    case CALL_SECRET: /* never in a job's list */
      break;
  }
}

static void finish(struct job *job) {
  events_end(job);
  while (job->calls != NULL) {
    struct call *call = job->calls;
    job_detach(job, call);
    answer_call(job, call);
  }
}

static void recovered_one(struct broker *b) {
  if (b->recovering > 0 && --b->recovering == 0) jobs_recover(b);
}

static void try_later(struct job *job) {
  struct broker *b = job->broker;
  refuse(job, RESULT_STORE_UNAVAILABLE);
  job->retry = b->retries != NULL ? b->retries : job; /* a list that ends with itself */
  b->retries = job;
  set_timer(b->retry, 1000);
}

static void on_committed(void *context, const struct store_answer *answer) {
  struct job *job = context;
  struct broker *b = job->broker;
  job->references--;
  if (answer->result != RESULT_OK) log_store_failure(job, answer->result);
  if (answer->result != RESULT_OK && job->stored) {
    /* Somebody was told that it runs: its end is owed. Whoever still waits hears that it could not be stored. */
    try_later(job);
    return;
  }
  if (answer->result == RESULT_OK)
    finish(job);
  else
    refuse(job, answer->result);
  done(job);
  if (!b->ready) recovered_one(b);
}

static void commit(struct job *job) {
  struct broker *b = job->broker;
  struct store_job record;
  fill_record(job, &record, buf_span(&job->sealed));
  if (!job->unread) record.status = job->result == RESULT_OK ? STORE_COMPLETED : STORE_FAILED;
  record.fresh = !job->stored && job->references == 0;
  record.expires_ms = clock_real_ns() / 1000000u + b->result_ttl_ms;
  job->references++;
  enum result r = store_put(b->store, &record, on_committed, job);
  if (r != RESULT_OK) on_committed(job, &(struct store_answer){.result = r});
}

void jobs_retry(struct broker *b) {
  struct job *job = b->retries;
  b->retries = NULL;
  while (job != NULL) {
    struct job *next = job->retry == job ? NULL : job->retry;
    job->retry = NULL;
    commit(job);
    job = next;
  }
}

/* Nothing unsigned is ever returned as if it were a record; and the one that says it runs would say so for good. */
static void end_without_record(struct job *job) {
  bool told = job->stored || job->references > 0; /* there is such a record, or will be */
  enum result r = told ? store_delete(job->broker->store, job->user, job->id, NULL, NULL) : RESULT_OK;
  if (r != RESULT_OK) log_store_failure(job, r);
  refuse(job, job->result != RESULT_OK ? job->result : RESULT_NO_MEMORY);
  done(job);
}

/* The next one may run while this one is stored. */
static void leave_turn(struct job *job, const struct wire_ended *m) {
  struct broker *b = job->broker;
  if (job->admitted == NULL) return; /* of a service that is no more */
  admission_leave(b->admission, job->admitted);
  job->admitted = NULL;
  metrics_add(METRICS_JOBS, job->result, 1);
  metrics_add(METRICS_JOB_CPU, 0, m->cpu_ns);
  metrics_observe(METRICS_JOB_DURATION, m->wall_ns);
  jobs_pump(b);
}

void jobs_ended(struct broker *b, const struct wire_ended *m) {
  struct job *job = find_ticket(b, m->ticket);
  if (job == NULL || job->state != JOB_RUNNING) {
    broker_fail(b, "unknown_job_ended", RESULT_PEER_LIED);
    return;
  }
  job->state = JOB_COMMITTING;
  job->result = (enum result)m->result;
  leave_turn(job, m);
  buf_put_span(&job->reply, m->reply);
  job->unread = job->sealed.len > 0 && m->sealed.len == 0;
  if (m->sealed.len > 0) {
    buf_clear(&job->sealed); /* of a job that was interrupted: the record it had */
    buf_put_span(&job->sealed, m->sealed);
  }
  /* What a service that is no more left behind is stored even if it is empty: else the start would wait for it. */
  if ((job->sealed.len > 0 || !b->ready) && !job->reply.bad && !job->sealed.bad)
    commit(job);
  else
    end_without_record(job);
}

/* ---- after a restart ---- */

/* A record that does not open stays as it is, but for a day on which it goes: whoever asks for it is told what is wrong
 * with it, and once the key is the right one again, it is recovered after all. */
static void interrupt(struct broker *b, const struct store_job *found) {
  struct job *job = job_alloc(b);
  if (job == NULL) {
    broker_fail(b, "recovery_failed", RESULT_NO_MEMORY);
    return;
  }
  job->state = JOB_RUNNING;
  job->async = job->stored = true;
  job->ticket = broker_ticket(b);
  job->has_key = found->has_key;
  memcpy(job->id, found->id, sizeof job->id);
  memcpy(job->user, found->user, sizeof job->user);
  memcpy(job->key, found->key, sizeof job->key);
  memcpy(job->request, found->request, sizeof job->request);
  buf_put_span(&job->sealed, found->record);
  b->recovering++;
  if (enlist(job) != RESULT_OK) broker_fail(b, "recovery_failed", RESULT_NO_MEMORY);
  struct wire_interrupt m = {.ticket = job->ticket, .sealed = found->record};
  memcpy(m.job, job->id, sizeof m.job);
  memcpy(m.user, job->user, sizeof m.user);
  wire_put_interrupt(&b->outgoing, &m);
  broker_send(b);
}

static void on_running(void *context, const struct store_answer *answer) {
  struct broker *b = context;
  if (answer->result != RESULT_OK) {
    broker_fail(b, "recovery_failed", answer->result);
    return;
  }
  if (answer->count > 0) memcpy(b->recovered, answer->jobs[answer->count - 1].id, sizeof b->recovered);
  for (size_t i = 0; i < answer->count; i++) interrupt(b, &answer->jobs[i]);
  if (answer->count == 0) broker_recovered(b);
}

void jobs_recover(struct broker *b) {
  enum result r = store_list_running(b->store, b->recovered, RECOVER_STEP, on_running, b);
  if (r != RESULT_OK) broker_fail(b, "recovery_failed", r);
}

/* A keeper that is stopped, or stuck, is as good as gone: callers would wait for ever. */
void jobs_check_keeper(struct broker *b) {
  const uint64_t now = clock_monotonic_ms();
  size_t at = 0;
  for (struct job *job; (job = table_next(b->by_ticket, &at)) != NULL;) {
    if (job->state != JOB_RUNNING || job->due_ms == 0 || now < job->due_ms) continue;
    broker_fail(b, "keeper_silent", RESULT_PEER_LOST);
    return;
  }
}

/* ---- the stop ---- */

/* What waits for its turn will not get one. */
static void refuse_waiting(struct broker *b) {
  struct job *waiting[64];
  for (size_t count = 1; count > 0;) {
    size_t at = 0;
    count = 0;
    for (struct job *job; count < 64 && (job = table_next(b->by_ticket, &at)) != NULL;) {
      if (job->state == JOB_WAITING) waiting[count++] = job;
    }
    for (size_t i = 0; i < count; i++) {
      refuse(waiting[i], RESULT_STOPPING);
      job_free(waiting[i]);
    }
  }
}

void jobs_interrupt_all(struct broker *b) {
  size_t at = 0;
  refuse_waiting(b);
  for (struct job *job; (job = table_next(b->by_ticket, &at)) != NULL;) job_cancel(job, RESULT_INTERRUPTED);
}
