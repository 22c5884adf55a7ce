#include "broker/state.h"

#include "base/json.h"
#include "base/text.h"
#include "base/uuid.h"

/*
 * Server-sent events (WHATWG HTML §9.2). Each event of a job has a number, from 1, as its id: a caller who comes back
 * with Last-Event-ID goes on where he was. All of a live job's events are kept as they are sent.
 */

static const char *const level_names[] = {"log", "info", "warn", "error", "debug"}; /* enum engine_level */

static struct span line_of(struct span *text) {
  const char *end = memmem(text->data, text->len, "\n\n", 2);
  size_t len = end != NULL ? (size_t)((const uint8_t *)end - text->data) + 2 : text->len;
  struct span event = span_of(text->data, len);
  *text = span_of(text->data + len, text->len - len);
  return event;
}

/* Sends what the caller has not had; ends the stream of one who does not read. */
static void send_missing(struct job *job, struct call *call) {
  struct span rest = buf_span(&job->events);
  uint32_t number = 0;
  while (rest.len > 0) {
    struct span event = line_of(&rest);
    if (++number <= call->events_seen) continue;
    call->events_seen = number;
    if (call_write(call, event)) continue;
    job_detach(job, call);
    call_end(call);
    return;
  }
}

static void send_all(struct job *job) {
  for (struct call *call = job->calls, *next; call != NULL; call = next) {
    next = call->next;
    if (call->wait == CALL_EVENTS) send_missing(job, call);
  }
}

static bool is_followed(const struct job *job) {
  for (const struct call *call = job->calls; call != NULL; call = call->next) {
    if (call->wait == CALL_EVENTS) return true;
  }
  return false;
}

static void begin_event(struct job *job, const char *name) {
  buf_printf(&job->events, "id: %u\nevent: %s\ndata: ", ++job->event_count, name);
}

static void end_event(struct job *job) {
  buf_put_text(&job->events, "\n\n");
  send_all(job);
}

static void put_status(struct job *job) {
  char id[UUID_TEXT + 1];
  job_id_text(job->id, id);
  begin_event(job, "status");
  buf_printf(&job->events, "{\"job_id\":\"%s\",\"status\":\"%s\"}", id,
             job->state == JOB_WAITING ? "waiting" : "running");
  end_event(job);
}

void events_log(struct job *job, const struct wire_logged *m) {
  /* A synchronous job that ends at once has no followers: nothing is kept for it but its reply. */
  if (!job->async && !job->stored && !is_followed(job)) return;
  if (job->event_count == 0) put_status(job);
  begin_event(job, "log");
  const char *level = m->level < sizeof level_names / sizeof level_names[0] ? level_names[m->level] : "log";
  buf_printf(&job->events, "{\"level\":\"%s\",\"text\":", level);
  json_put_string(&job->events, m->text);
  buf_put_u8(&job->events, '}');
  end_event(job);
}

/* One line: JSON as the keeper writes it has no line breaks. */
void events_end(struct job *job) {
  if (!is_followed(job)) return;
  begin_event(job, "end");
  buf_put_span(&job->events, buf_span(&job->reply));
  end_event(job);
}

static void heartbeat(struct job *job) {
  for (struct call *call = job->calls, *next; call != NULL; call = next) {
    next = call->next;
    if (call->wait != CALL_EVENTS || call_write(call, span_text(":\n\n"))) continue;
    job_detach(job, call);
    call_end(call);
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
  struct buf text = buf_new(SERVICE_REPLY_MAX + 256);
  buf_put_text(&text, "id: 1\nevent: end\ndata: ");
  buf_put_span(&text, answer->reply);
  buf_put_text(&text, "\n\n");
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
  call->events_seen = last_seen(call);
  if (job->event_count == 0) put_status(job);
  call_stream(call);
  job_join(job, call, CALL_EVENTS);
  send_missing(job, call);
}
