#include "broker/state.h"

#include "base/text.h"
#include "base/uuid.h"

#define LIST_DEFAULT 100u
#define LIST_MAX 1000u
#define LIST_BYTES (4u << 20) /* of sealed records in a page */

/* ---- asking the keeper ---- */

/* Has the keeper open these records for the call; records_opened goes on. */
static void open_records(struct call *call, const struct store_job *jobs, size_t count) {
  struct broker *b = call->broker;
  if (broker_is_full(b)) {
    call_problem(call, RESULT_BUSY, NULL);
    return;
  }
  struct wire_record *records = calloc(count, sizeof *records);
  struct wire_open m = {.ticket = broker_ticket(b), .count = (uint32_t)count, .records = records};
  call->list_ids = calloc(count, STORE_ID);
  enum result r = records == NULL || call->list_ids == NULL ? RESULT_NO_MEMORY : RESULT_OK;
  for (size_t i = 0; r == RESULT_OK && i < count; i++) {
    memcpy(records[i].job, jobs[i].id, STORE_ID);
    memcpy(call->list_ids + i * STORE_ID, jobs[i].id, STORE_ID);
    records[i].sealed = jobs[i].record;
    call->opening += jobs[i].record.len;
  }
  if (r == RESULT_OK) {
    memcpy(m.user, call->user, sizeof m.user);
    wire_put_open(&b->outgoing, &m);
    call->ticket = m.ticket;
    call->asked = m.count;
    r = table_put(b->asked, &call->ticket, call);
  }
  free(records);
  if (r != RESULT_OK) {
    call_problem(call, r, NULL);
    return;
  }
  call_hold(call);
  broker_opens(b, call->opening);
  broker_send(b);
}

void records_answer(struct call *call, const struct store_job *stored) {
  open_records(call, stored, 1);
}

/* ---- one job ---- */

static void answer_one(struct call *call, const struct wire_answer *answer) {
  if (answer->result != RESULT_OK)
    call_problem(call, (enum result)answer->result, NULL);
  else if (call->with_attestation)
    attestation_inline(call, answer->reply);
  else
    call_json(call, 200, answer->reply);
}

static void on_record(void *context, const struct store_answer *answer) {
  struct call *call = context;
  if (!call_drop(call)) return;
  if (answer->result != RESULT_OK)
    call_problem(call, answer->result, NULL);
  else
    open_records(call, answer->jobs, 1);
}

/* The id in the path. Whatever is no id is the id of no job. */
static bool job_id(const struct call *call, uint8_t id[STORE_ID]) {
  return uuid_parse(call->parameter, id);
}

/* What the store said when the operation was queued: on failure nobody else will answer. */
static void queued(struct call *call, enum result r) {
  if (r == RESULT_OK) return;
  if (call_drop(call)) call_problem(call, r, NULL);
}

void records_get(struct call *call) {
  uint8_t id[STORE_ID];
  if (!job_id(call, id)) {
    call_problem(call, RESULT_JOB_NOT_FOUND, NULL);
    return;
  }
  call->with_attestation = attestation_is_wanted(call);
  call_hold(call);
  queued(call, store_get(call->broker->store, call->user, id, on_record, call));
}

/* ---- delete ---- */

static void on_deleted(void *context, const struct store_answer *answer) {
  struct call *call = context;
  if (!call_drop(call)) return;
  if (answer->result == RESULT_OK)
    call_empty(call, 204);
  else
    call_problem(call, answer->result, NULL);
}

void records_delete(struct call *call) {
  uint8_t id[STORE_ID];
  if (!job_id(call, id)) {
    call_problem(call, RESULT_JOB_NOT_FOUND, NULL);
    return;
  }
  struct job *job = job_find(call->broker, call->user, id);
  if (job != NULL && job->state == JOB_RUNNING) {
    job_join(job, call, CALL_GONE);
    job_cancel(job, RESULT_CANCELLED);
    return;
  }
  call_hold(call);
  queued(call, store_delete(call->broker->store, call->user, id, on_deleted, call));
}

/* ---- the list ---- */

static const char *const status_names[] = {
    [STORE_RUNNING] = "running", [STORE_COMPLETED] = "completed", [STORE_FAILED] = "failed"};

static bool read_status(const char *name, enum store_status *status) {
  for (unsigned i = STORE_RUNNING; i <= STORE_FAILED; i++) {
    if (strcmp(name, status_names[i]) != 0) continue;
    *status = (enum store_status)i;
    return true;
  }
  return false;
}

/* Reads ?limit=, ?status= and ?before=; a sentence if one is wrong. */
static const char *read_query(const struct call *call, struct store_query *query) {
  char text[64];
  uint64_t limit = LIST_DEFAULT;
  *query = (struct store_query){.bytes = LIST_BYTES};
  memcpy(query->user, call->user, sizeof query->user);
  memset(query->before, 0xff, sizeof query->before);
  if (call_query(call, "limit", text, sizeof text) && text_u64(span_text(text), 1, LIST_MAX, &limit) != RESULT_OK)
    return "limit must be a number from 1 to 1000";
  if (call_query(call, "status", text, sizeof text) && !read_status(text, &query->status))
    return "status must be running, completed or failed";
  if (call_query(call, "before", text, sizeof text) && !uuid_parse(span_text(text), query->before))
    return "before must be a job id";
  query->limit = (uint32_t)limit;
  return NULL;
}

static void on_list(void *context, const struct store_answer *answer) {
  struct call *call = context;
  if (!call_drop(call)) return;
  if (answer->result != RESULT_OK) {
    call_problem(call, answer->result, NULL);
    return;
  }
  if (answer->count == 0) {
    call_json(call, 200, span_text("[]"));
    return;
  }
  call->more = answer->more;
  memcpy(call->last, answer->jobs[answer->count - 1].id, STORE_ID);
  open_records(call, answer->jobs, answer->count);
}

void records_list(struct call *call) {
  struct store_query query;
  const char *wrong = read_query(call, &query);
  if (wrong != NULL) {
    call_problem(call, RESULT_BAD_REQUEST, wrong);
    return;
  }
  call->wait = CALL_LIST;
  call_hold(call);
  queued(call, store_list(call->broker->store, &query, on_list, call));
}

/* A record that does not open has its place in the list, and says what is wrong with it. */
static void put_corrupt(struct buf *b, const uint8_t id[STORE_ID], enum result why) {
  char text[UUID_TEXT + 1];
  job_id_text(id, text);
  buf_printf(b, "{\"job_id\":\"%s\",\"status\":\"failed\",\"error\":\"%s\",\"error_code\":\"%s\"}", text,
             result_sentence(why), result_name(why));
}

/* The next page (RFC 8288). */
static size_t put_link(struct call *call, struct buf *link, struct http_field *field) {
  char id[UUID_TEXT + 1], limit[32], status[32];
  if (!call->more) return 0;
  job_id_text(call->last, id);
  buf_printf(link, "</jobs?before=%s", id);
  if (call_query(call, "limit", limit, sizeof limit)) buf_printf(link, "&limit=%s", limit);
  if (call_query(call, "status", status, sizeof status)) buf_printf(link, "&status=%s", status);
  buf_put_text(link, ">; rel=\"next\"");
  *field = (struct http_field){span_text("link"), buf_span(link)};
  return 1;
}

static void answer_list(struct call *call, uint32_t count, struct cursor rest) {
  struct buf body = buf_new(2 * SERVICE_ANSWER_MAX), link = buf_new(512);
  struct http_field field;
  buf_put_u8(&body, '[');
  for (uint32_t i = 0; i < count; i++) {
    struct wire_answer answer;
    if (i > 0) buf_put_u8(&body, ',');
    (void)wire_get_answer(&rest, &answer); /* it was read before */
    if (answer.result == RESULT_OK)
      buf_put_span(&body, answer.reply);
    else
      put_corrupt(&body, call->list_ids + i * STORE_ID, (enum result)answer.result);
  }
  buf_put_u8(&body, ']');
  size_t fields = put_link(call, &link, &field);
  if (body.bad)
    call_problem(call, RESULT_NO_MEMORY, NULL);
  else
    call_reply(call, 200, "application/json", buf_span(&body), &field, fields);
  buf_free(&body);
  buf_free(&link);
}

/* As many answers as were asked for, and nothing after them. */
static bool answers_fit(const struct call *call, const struct wire_opened *m, struct cursor rest,
                        struct wire_answer *first) {
  if (call == NULL || m->count == 0 || m->count != call->asked) return false;
  for (uint32_t i = 0; i < m->count; i++) {
    struct wire_answer answer;
    if (!wire_get_answer(&rest, &answer) || answer.result >= RESULT_COUNT) return false;
    if (i == 0) *first = answer;
  }
  return cursor_end(&rest);
}

void records_opened(struct broker *b, const struct wire_opened *m, struct cursor rest) {
  struct call *call = table_get(b->asked, &m->ticket);
  struct wire_answer first;
  if (!answers_fit(call, m, rest, &first)) {
    broker_fail(b, "keeper_answered_nonsense", RESULT_PEER_LIED);
    return;
  }
  table_remove(b->asked, &m->ticket);
  broker_opened(b, call->opening);
  if (!call_drop(call)) return;
  if (broker_is_full(b))
    call_problem(call, RESULT_BUSY, NULL);
  else if (call->wait == CALL_LIST)
    answer_list(call, m->count, rest);
  else if (call->wait == CALL_EVENTS)
    events_ended_job(call, &first);
  else
    answer_one(call, &first);
}
