#include "keeper/secrets_query.h"

#include "base/clock.h"

#define TEXT_MAX (512u << 10)
#define PAUSE_MS 50u
#define IDLE_MS 3600000u
#define ATTEMPTS 2u

enum state { IDLE, ASKED, PAUSED, FAILED };

struct query {
  struct event *timer; /* always pending: what is in the loop's heap can be moved there without memory */
  enum state state;
  enum result failure;
  struct secrets_backend *backend;
  uint64_t ticket, deadline_ns;
  unsigned attempts;
  query_answer *answer;
  void *context;
  struct buf text; /* the values, one after the other */
  uint32_t count;
  bool overflow, later;
  struct wire_statement statements[WIRE_STATEMENTS_MAX]; /* their spans are set when all values are there */
};

static void arm(struct query *q, uint64_t ms) {
  (void)event_add(q->timer, &(struct timeval){(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)});
}

static uint64_t left_ms(const struct query *q) {
  const uint64_t now = clock_monotonic_ns();
  return now < q->deadline_ns ? (q->deadline_ns - now + 999999) / 1000000 : 0;
}

static void answer(struct query *q, enum result result, uint32_t rows, struct cursor *rest) {
  q->state = IDLE;
  arm(q, IDLE_MS);
  q->answer(q->context, result, rows, rest); /* the query may be no more after this */
}

static void fail(struct query *q, enum result result) {
  struct cursor none = cursor_of(span_of(NULL, 0));
  answer(q, result, 0, &none);
}

/* Once more, after a pause, if there is time for it; false if not. */
static bool pause_for_another(struct query *q) {
  if (q->attempts >= ATTEMPTS || left_ms(q) <= PAUSE_MS) return false;
  q->state = PAUSED;
  arm(q, PAUSE_MS);
  return true;
}

static void on_rows(void *context, const struct wire_rows *rows, struct cursor *rest) {
  struct query *q = context;
  q->ticket = 0;
  if (rows->result == RESULT_OK) return answer(q, RESULT_OK, rows->count, rest);
  if (rows->result == RESULT_SECRET_CONFLICT || rows->result == RESULT_SECRETS_FULL)
    return fail(q, (enum result)rows->result);
  if (!pause_for_another(q)) fail(q, RESULT_SECRET_STORE_UNAVAILABLE);
}

static void fail_soon(struct query *q, enum result why) {
  q->state = FAILED;
  q->failure = why;
  arm(q, 0);
}

static void ask(struct query *q) {
  const uint32_t left = (uint32_t)left_ms(q);
  const struct wire_query m = {.timeout_ms = left, .count = q->count, .statements = q->statements, .later = q->later};
  q->attempts++;
  q->state = ASKED;
  arm(q, left);
  if (q->backend->ask(q->backend, &m, on_rows, q, &q->ticket) == RESULT_OK) return;
  q->ticket = 0;
  if (!pause_for_another(q)) fail_soon(q, RESULT_SECRET_STORE_UNAVAILABLE);
}

static void on_timer(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct query *q = context;
  if (q->state == IDLE) return arm(q, IDLE_MS);
  if (q->state == PAUSED) return ask(q);
  if (q->state == FAILED) return fail(q, q->failure);
  q->backend->forget(q->backend, q->ticket);
  q->ticket = 0;
  fail(q, RESULT_SECRET_STORE_UNAVAILABLE);
}

enum result query_new(struct event_base *base, struct query **out) {
  struct query *q = calloc(1, sizeof *q);
  if (q == NULL) return RESULT_NO_MEMORY;
  q->text = buf_new(TEXT_MAX);
  q->timer = evtimer_new(base, on_timer, q);
  if (q->timer == NULL || event_add(q->timer, &(struct timeval){IDLE_MS / 1000, 0}) != 0) {
    query_free(q);
    return RESULT_NO_MEMORY;
  }
  *out = q;
  return RESULT_OK;
}

void query_begin(struct query *q) {
  if (q->text.len > 0) wipe(q->text.data, q->text.len);
  buf_clear(&q->text);
  q->count = 0;
  q->overflow = q->later = false;
}

void query_put(struct query *q, enum secret_statement statement, const struct span *values, uint32_t count) {
  if (q->count == WIRE_STATEMENTS_MAX || count > WIRE_VALUES_MAX) {
    q->overflow = true;
    return;
  }
  struct wire_statement *m = &q->statements[q->count++];
  *m = (struct wire_statement){.statement = statement, .count = count};
  for (uint32_t i = 0; i < count; i++) {
    buf_put_span(&q->text, values[i]);
    m->values[i].len = values[i].len;
  }
}

uint32_t query_count(const struct query *q) {
  return q->count;
}

/* The text moves while it grows; now it stays. */
static void set_values(struct query *q) {
  const uint8_t *at = q->text.data;
  for (uint32_t i = 0; i < q->count; i++)
    for (uint32_t v = 0; v < q->statements[i].count; v++) {
      q->statements[i].values[v].data = at;
      if (at != NULL) at += q->statements[i].values[v].len;
    }
}

void query_ask(struct query *q, struct secrets_backend *backend, uint32_t timeout_ms, query_answer *answer_,
               void *context) {
  q->backend = backend;
  q->deadline_ns = clock_monotonic_ns() + (uint64_t)timeout_ms * 1000000;
  q->attempts = 0;
  q->answer = answer_;
  q->context = context;
  if (q->text.bad || q->overflow) return fail_soon(q, RESULT_NO_MEMORY);
  set_values(q);
  ask(q);
}

void query_ask_later(struct query *q, struct secrets_backend *backend, uint32_t timeout_ms, query_answer *answer_,
                     void *context) {
  q->later = true;
  query_ask(q, backend, timeout_ms, answer_, context);
}

const struct wire_statement *query_statements(const struct query *q) {
  return q->statements;
}

void query_free(struct query *q) {
  if (q == NULL) return;
  if (q->ticket != 0) q->backend->forget(q->backend, q->ticket);
  if (q->timer != NULL) event_free(q->timer);
  buf_free(&q->text);
  free(q);
}
