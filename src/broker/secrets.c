#include "broker/state.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/text.h"
#include "broker/envelope.h"
#include "wire/statements.h"

#define PATIENCE_MS 10000u        /* of a caller */
#define LATER_US 2000             /* what nobody waits for waits so long for company in the store */
#define KEEPER_PATIENCE_MS 60000u /* after which a keeper that says nothing is as good as gone */
#define CALLS_MAX 256u            /* that the keeper has not answered, whoever still waits for them */
#define CALLS_OF_USER 16u
#define AUDIT_DEFAULT 100u
#define AUDIT_MAX 1000u
#define ROWS_WAITING (32u << 20) /* bytes on their way to the keeper, past which the store has to wait its turn */
#define DETAIL_MAX 512u

/* ---- a caller's question ---- */

static unsigned calls_of(const struct broker *b, const uint8_t user[STORE_USER]) {
  unsigned count = 0;
  size_t at = 0;
  for (const struct call *call; (call = table_next(b->secret_calls, &at)) != NULL;)
    count += memcmp(call->user, user, STORE_USER) == 0;
  return count;
}

/* Whether the service can take it now. */
static enum result may_ask(const struct call *call) {
  const struct broker *b = call->broker;
  if (b->stopping) return RESULT_STOPPING;
  if (!b->ready || broker_is_full(b) || table_count(b->secret_calls) >= CALLS_MAX) return RESULT_BUSY;
  return calls_of(b, call->user) < CALLS_OF_USER ? RESULT_OK : RESULT_TOO_MANY_REQUESTS;
}

static void set_timer(struct broker *b, uint64_t ms) {
  struct timeval time = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
  event_add(b->secrets, &time);
}

/* The message may hold a secret: it has a buffer of its own, which is wiped. */
static enum result tell_keeper(struct broker *b, const struct wire_secret_call *m) {
  struct buf message = buf_new(SERVICE_REQUEST_MAX + MSG_HEADER);
  wire_put_secret_call(&message, m);
  enum result r = message.bad ? RESULT_NO_MEMORY : link_send(b->keeper, &message);
  buf_free(&message);
  return r == RESULT_PEER_LOST ? RESULT_OK : r; /* its link says so */
}

static void ask(struct call *call, struct wire_secret_call m) {
  struct broker *b = call->broker;
  call->wait = CALL_SECRET;
  call->ticket = m.ticket = broker_ticket(b);
  call->due_ms = clock_monotonic_ms() + PATIENCE_MS;
  memcpy(m.user, call->user, sizeof m.user);
  m.user_id = span_text(call->user_id);
  m.trace = span_text(call->trace.id);
  enum result r = table_put(b->secret_calls, &call->ticket, call);
  if (r == RESULT_OK) r = tell_keeper(b, &m);
  if (r != RESULT_OK) {
    table_remove(b->secret_calls, &call->ticket);
    call_problem(call, r == RESULT_NO_MEMORY ? RESULT_BUSY : r, NULL);
    return;
  }
  call_hold(call);
  if (!event_pending(b->secrets, EV_TIMEOUT, NULL)) set_timer(b, PATIENCE_MS);
}

/* The name in the path. */
static bool read_name(const struct call *call, char name[ENVELOPE_NAME_MAX + 1]) {
  return call_parameter(call, name, ENVELOPE_NAME_MAX + 1) && envelope_is_name(span_text(name));
}

static void ask_of_name(struct call *call, struct wire_secret_call m) {
  char name[ENVELOPE_NAME_MAX + 1];
  enum result r = may_ask(call);
  if (r != RESULT_OK) {
    call_problem(call, r, NULL);
    return;
  }
  if (!read_name(call, name)) {
    call_problem(call, RESULT_SECRET_INVALID, "a secret's name has 1 to 128 of A-Z a-z 0-9 _ . -");
    return;
  }
  m.name = span_text(name);
  ask(call, m);
}

static void ask_with_body(struct call *call, enum wire_secret_verb verb) {
  const struct span body = call_request(call)->body;
  if (!call_brings_json(call))
    call_problem(call, RESULT_MEDIA_TYPE, NULL);
  else if (body.len > SECRETS_BODY_MAX)
    call_problem(call, RESULT_BODY_TOO_LARGE, NULL);
  else
    ask_of_name(call, (struct wire_secret_call){.verb = verb, .body = body});
}

void secrets_put(struct call *call) {
  ask_with_body(call, SECRET_PUT);
}

void secrets_policy(struct call *call) {
  ask_with_body(call, SECRET_POLICY);
}

void secrets_delete(struct call *call) {
  ask_of_name(call, (struct wire_secret_call){.verb = SECRET_DELETE});
}

void secrets_list(struct call *call) {
  enum result r = may_ask(call);
  if (r == RESULT_OK)
    ask(call, (struct wire_secret_call){.verb = SECRET_LIST});
  else
    call_problem(call, r, NULL);
}

void secrets_audit(struct call *call) {
  char text[32];
  uint64_t limit = AUDIT_DEFAULT, before = 0;
  if (call_query(call, "limit", text, sizeof text) && text_u64(span_text(text), 1, AUDIT_MAX, &limit) != RESULT_OK) {
    call_problem(call, RESULT_BAD_REQUEST, "limit must be a number from 1 to 1000");
    return;
  }
  if (call_query(call, "before", text, sizeof text) && text_u64(span_text(text), 1, INT64_MAX, &before) != RESULT_OK) {
    call_problem(call, RESULT_BAD_REQUEST, "before must be the id of an entry");
    return;
  }
  ask_of_name(call, (struct wire_secret_call){.verb = SECRET_AUDIT, .before = before, .limit = (uint32_t)limit});
}

/* ---- the keeper's answer ---- */

/* What is a job's failure where a job asks is a refusal here. */
static enum result as_refusal(enum result why) {
  static const struct {
    enum result job, call;
  } table[] = {{RESULT_SECRET_NOT_FOUND, RESULT_SECRET_UNKNOWN},
               {RESULT_SECRET_STORE_UNAVAILABLE, RESULT_SECRETS_AWAY},
               {RESULT_SECRET_UNDECRYPTABLE, RESULT_RECORD_CORRUPT}};
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
    if (table[i].job == why) return table[i].call;
  return why;
}

static void refuse(struct call *call, enum result why, struct span detail) {
  char text[DETAIL_MAX + 1];
  const size_t len = text_utf8_cut(detail, DETAIL_MAX);
  snprintf(text, sizeof text, "%.*s", (int)len, len > 0 ? (const char *)detail.data : "");
  call_problem(call, as_refusal(why), text[0] != 0 ? text : NULL);
}

void secrets_answered(struct broker *b, const struct wire_secreted *m) {
  struct call *call = table_remove(b->secret_calls, &m->ticket);
  if (call == NULL) {
    broker_fail(b, "keeper_answered_nonsense", RESULT_PEER_LIED);
    return;
  }
  if (!call_drop(call)) return; /* the caller has left, or was told that it takes too long */
  if (m->result != RESULT_OK)
    refuse(call, (enum result)m->result, m->detail);
  else if (m->reply.len > 0)
    call_json(call, 200, m->reply);
  else
    call_empty(call, 204);
}

void secrets_expire(struct broker *b) {
  const uint64_t now = clock_monotonic_ms();
  uint64_t next = UINT64_MAX;
  size_t at = 0;
  for (struct call *call; (call = table_next(b->secret_calls, &at)) != NULL;) {
    if (now >= call->due_ms && call->exchange != NULL) call_problem(call, RESULT_SECRETS_AWAY, NULL);
    const uint64_t due = now < call->due_ms ? call->due_ms : call->due_ms + KEEPER_PATIENCE_MS;
    if (now >= due) {
      broker_fail(b, "keeper_silent", RESULT_PEER_LOST);
      return;
    }
    if (due < next) next = due;
  }
  if (next != UINT64_MAX) set_timer(b, next - now);
}

/* ---- the embedded store ---- */

#define SAME(name) _Static_assert((int)STORE_SECRET_##name == (int)STATEMENT_##name, "another number in the store")
SAME(FIND);
SAME(ALL);
SAME(WRITE);
SAME(REMOVE);
SAME(USE);
SAME(AUDIT);
SAME(AUDITS);
SAME(POLICIES);
#undef SAME
_Static_assert(STORE_VALUES_MAX == WIRE_VALUES_MAX && STORE_STATEMENTS_MAX == WIRE_STATEMENTS_MAX &&
                   STORE_ROWS_MAX == WIRE_ROWS_MAX,
               "other bounds in the store");

/* A query that the store has. */
struct query {
  struct broker *broker;
  uint64_t ticket;
};

static void send_rows(const struct query *q, enum result result, const struct wire_statement *rows, size_t count) {
  struct broker *b = q->broker;
  wire_put_rows(
      &b->outgoing, WIRE_STORE_ROWS,
      &(struct wire_rows){.ticket = q->ticket, .result = (uint32_t)result, .count = (uint32_t)count, .rows = rows});
  broker_send(b);
}

static void copy_rows(struct wire_statement *to, const struct store_statement *from, size_t count) {
  for (size_t i = 0; i < count; i++) {
    to[i] = (struct wire_statement){.statement = from[i].statement, .count = from[i].count};
    memcpy(to[i].values, from[i].values, sizeof to[i].values);
  }
}

static void on_rows(void *context, const struct store_answer *answer) {
  struct query *q = context;
  const bool many = link_pending(q->broker->keeper) > ROWS_WAITING;
  struct wire_statement *rows = calloc(answer->row_count + 1, sizeof *rows);
  if (answer->result != RESULT_OK || many || rows == NULL) {
    send_rows(q, answer->result != RESULT_OK ? answer->result : RESULT_SECRET_STORE_UNAVAILABLE, NULL, 0);
  } else {
    copy_rows(rows, answer->rows, answer->row_count);
    send_rows(q, RESULT_OK, rows, answer->row_count);
  }
  free(rows);
  free(q);
}

/* As with jobs, the database knows users by a hash: first value of every statement. False if it has none. */
static bool hide_user(struct store_statement *s, uint8_t hex[2 * DIGEST_SIZE]) {
  uint8_t digest[DIGEST_SIZE];
  struct buf text = buf_fixed(hex, 2 * DIGEST_SIZE);
  if (s->count == 0) return false;
  digest_sha256(s->values[0], digest);
  text_put_hex(&text, span_of(digest, sizeof digest));
  s->values[0] = buf_span(&text);
  return true;
}

static bool read_statements(struct store_statement *statements, uint32_t count, struct cursor rest,
                            uint8_t users[][2 * DIGEST_SIZE]) {
  for (uint32_t i = 0; i < count; i++) {
    struct wire_statement m;
    if (!wire_get_statement(&rest, &m)) return false;
    statements[i] = (struct store_statement){.statement = m.statement, .count = m.count};
    memcpy(statements[i].values, m.values, sizeof m.values);
    if (!hide_user(&statements[i], users[i])) return false;
  }
  return cursor_end(&rest);
}

/* If nothing else has the store at work until then. */
static void do_soon(struct broker *b) {
  static const struct timeval soon = {0, LATER_US};
  if (!event_pending(b->later, EV_TIMEOUT, NULL)) event_add(b->later, &soon);
}

bool secrets_query(struct broker *b, const struct wire_query *m, struct cursor rest) {
  struct store_statement statements[STORE_STATEMENTS_MAX];
  uint8_t users[STORE_STATEMENTS_MAX][2 * DIGEST_SIZE];
  if (!read_statements(statements, m->count, rest, users)) return false;
  struct query *q = malloc(sizeof *q);
  enum result r = RESULT_NO_MEMORY;
  if (q != NULL) {
    *q = (struct query){b, m->ticket};
    r = store_secrets(b->store, statements, m->count, m->later, on_rows, q);
  }
  if (r == RESULT_OK && m->later) do_soon(b);
  if (r == RESULT_OK) return true;
  free(q);
  if (r != RESULT_BAD_REQUEST) send_rows(&(struct query){b, m->ticket}, RESULT_SECRET_STORE_UNAVAILABLE, NULL, 0);
  return r != RESULT_BAD_REQUEST;
}
