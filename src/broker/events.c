#include "broker/state.h"

#include "base/json.h"
#include "base/text.h"
#include "base/uuid.h"

/*
 * Server-sent events (WHATWG HTML §9.2). Each event of a job has a number, from 1, as its id: a caller who comes back
 * with Last-Event-ID goes on where he was. All of a live job's events are kept as they are sent.
 */

#define END_MAX (SERVICE_REPLY_MAX + 256u) /* of the last event */

static const char *const level_names[] = {"log", "info", "warn", "error", "debug"}; /* enum engine_level */

/* Where the events behind the first `seen` begin. */
static size_t events_behind(const struct job *job, uint32_t seen) {
  size_t at = 0;
  for (const uint8_t *end; seen > 0 && at < job->events.len; seen--) {
    end = memmem(job->events.data + at, job->events.len - at, "\n\n", 2);
    at = end != NULL ? (size_t)(end - job->events.data) + 2 : job->events.len;
  }
  return at;
}

static struct span missing(const struct job *job, const struct call *call) {
  return buf_since(&job->events, call->events_at);
}

/* Sends what the caller has not had, at once. One who reads slowly has it later: with the next event or heartbeat. */
static void send_missing(const struct job *job, struct call *call) {
  struct span rest = missing(job, call);
  if (rest.len > 0 && call_write(call, rest)) call->events_at += rest.len;
}

static void send_all(const struct job *job) {
  for (struct call *call = job->calls; call != NULL; call = call->next) {
    if (call->wait == CALL_EVENTS) send_missing(job, call);
  }
}

static bool is_followed(const struct job *job) {
  for (const struct call *call = job->calls; call != NULL; call = call->next) {
    if (call->wait == CALL_EVENTS) return true;
  }
  return false;
}

static void begin_event(struct buf *b, uint32_t id, const char *name) {
  buf_printf(b, "id: %u\nevent: %s\ndata: ", id, name);
}

/* Half an event is none. */
static void end_event(struct job *job, size_t before) {
  buf_put_text(&job->events, "\n\n");
  if (job->events.bad) job->events.len = before;
  send_all(job);
}

static void put_status(struct job *job) {
  char id[UUID_TEXT + 1];
  size_t before = job->events.len;
  job_id_text(job->id, id);
  begin_event(&job->events, ++job->event_count, "status");
  buf_printf(&job->events, "{\"job_id\":\"%s\",\"status\":\"%s\"}", id,
             job->state == JOB_WAITING ? "waiting" : "running");
  end_event(job, before);
}

void events_log(struct job *job, const struct wire_logged *m) {
  /* A synchronous job that ends at once has no followers: nothing is kept for it but its reply. */
  if (!job->async && !job->stored && !is_followed(job)) return;
  if (job->event_count == 0) put_status(job);
  size_t before = job->events.len;
  begin_event(&job->events, ++job->event_count, "log");
  const char *level = m->level < sizeof level_names / sizeof level_names[0] ? level_names[m->level] : "log";
  buf_printf(&job->events, "{\"level\":\"%s\",\"text\":", level);
  json_put_string(&job->events, m->text);
  buf_put_u8(&job->events, '}');
  end_event(job, before);
}

/* One line: JSON as the keeper writes it has no line breaks. */
static void put_end(struct buf *b, uint32_t id, struct span reply) {
  begin_event(b, id, "end");
  buf_put_span(b, reply);
  buf_put_text(b, "\n\n");
}

/* The end, with all that is missing before it. A caller who is so far behind that he cannot take it hears no end, and
 * knows by that to come back. */
void events_end(struct job *job) {
  struct buf last = buf_new(EVENTS_MAX + END_MAX);
  for (struct call *call = job->calls; call != NULL; call = call->next) {
    if (call->wait != CALL_EVENTS) continue;
    buf_clear(&last);
    buf_put_span(&last, missing(job, call));
    put_end(&last, job->event_count + 1, buf_span(&job->reply));
    if (!last.bad) (void)call_write(call, buf_span(&last));
  }
  buf_free(&last);
}

static void heartbeat(const struct job *job) {
  send_all(job);
  for (struct call *call = job->calls; call != NULL; call = call->next) {
    if (call->wait == CALL_EVENTS) (void)call_write(call, span_text(":\n\n"));
  }
}

void events_heartbeat(struct broker *b) {
  size_t at = 0;
  for (struct job *job; (job = table_next(b->by_ticket, &at)) != NULL;) heartbeat(job);
}

/* ---- the request ---- */

static uint32_t last_seen(const struct call *call) {
  uint64_t seen = 0;
  struct span last = http_field_of(call_request(call), "last-event-id");
  if (last.len == 0 || text_u64(last, 0, UINT32_MAX, &seen) != RESULT_OK) return 0;
  return (uint32_t)seen;
}

/* A job that has ended: its status, and its end. */
void events_ended_job(struct call *call, const struct wire_answer *answer) {
  if (answer->result != RESULT_OK) {
    call_problem(call, (enum result)answer->result, NULL);
    return;
  }
  struct buf text = buf_new(END_MAX);
  put_end(&text, 1, answer->reply);
  call_stream(call);
  if (!text.bad) call_write(call, buf_span(&text));
  buf_free(&text);
  call_end(call);
}

void events_get(struct call *call) {
  uint8_t id[STORE_ID];
  struct job *job = NULL;
  if (uuid_parse(call->parameter, id)) job = job_find(call->broker, call->user, id);
  call->wait = CALL_EVENTS;
  if (job == NULL || job->state > JOB_RUNNING) {
    records_get(call);
    return;
  }
  if (job_is_crowded(job)) {
    call_problem(call, RESULT_TOO_MANY_REQUESTS, NULL);
    return;
  }
  if (job->event_count == 0) put_status(job);
  bool head = span_is(call_request(call)->method, "HEAD");
  call_stream(call);
  if (head) {
    call_end(call);
    return;
  }
  call->events_at = events_behind(job, last_seen(call));
  job_join(job, call, CALL_EVENTS);
  send_missing(job, call);
}
