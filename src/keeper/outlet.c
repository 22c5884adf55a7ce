#include "keeper/outlet.h"

#include <unistd.h>

#include "base/table.h"
#include "base/text.h"
#include "wire/link.h"

#define WAITING_BYTES ((size_t)64 << 20) /* of requests, for an egress that does not read */
#define QUESTION_MAX (4u << 20)          /* bytes of one */
#define ERROR_MAX 1024u                  /* bytes of a sentence of egress's */

/* One question, from outlet_ask or outlet_query to its answer. */
struct question {
  uint64_t ticket;
  outlet_answer *answer; /* of the two, the one that is not NULL says what was asked; neither: it was forgotten */
  outlet_rows *rows;
  void *context;
  uint32_t response_max, statements;
  bool away;             /* never reached egress, or egress is gone: to be answered here */
  struct question *next; /* among those that are away */
};

struct outlet {
  struct event_base *base;
  void (*broken)(void *context, enum result why);
  void *context;
  struct link *link;
  struct event *failing; /* answers the questions that are away */
  struct question *away, **away_end;
  size_t away_count;
  struct table *questions; /* by ticket */
  uint64_t ticket, first;  /* last one given out; first one that this egress may answer */
  struct buf message;
};

/* ---- questions that egress will not answer ---- */

static void put_away(struct outlet *o, struct question *q) {
  q->away = true;
  q->next = NULL;
  *o->away_end = q;
  o->away_end = &q->next;
  o->away_count++;
  event_active(o->failing, EV_TIMEOUT, 1);
}

static void put_all_away(struct outlet *o) {
  struct question *q;
  for (size_t at = 0; (q = table_next(o->questions, &at)) != NULL;)
    if (!q->away) put_away(o, q);
}

static void answer_away(struct question *q) {
  static const char absent[] = "the service's way out is not there at the moment";
  const struct wire_response response = {
      .ticket = q->ticket, .result = RESULT_FETCH_FAILED, .error = span_text(absent)};
  const struct wire_rows rows = {.ticket = q->ticket, .result = RESULT_SECRET_STORE_UNAVAILABLE};
  struct cursor rest = cursor_of(span_of(NULL, 0));
  if (q->answer != NULL) q->answer(q->context, &response);
  if (q->rows != NULL) q->rows(q->context, &rows, &rest);
}

/* As many as there are now: an answer may ask again at once. */
static void on_failing(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct outlet *o = context;
  for (size_t n = o->away_count; n > 0 && o->away != NULL; n--) {
    struct question *q = o->away;
    o->away = q->next;
    if (o->away == NULL) o->away_end = &o->away;
    o->away_count--;
    table_remove(o->questions, &q->ticket);
    answer_away(q);
    free(q);
  }
}

/* ---- what egress says ---- */

/* The question that a message answers; NULL if it was forgotten. RESULT_PEER_LIED if this egress was never asked it, or
 * was asked something else. */
static enum result find_question(struct outlet *o, uint64_t ticket, bool response, struct question **out) {
  if (ticket < o->first || ticket > o->ticket) return RESULT_PEER_LIED;
  *out = table_get(o->questions, &ticket);
  const bool other = *out != NULL && ((*out)->away || ((*out)->answer != NULL) != response);
  return other ? RESULT_PEER_LIED : RESULT_OK;
}

static bool is_among(uint32_t result, const enum result *list, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (result == list[i]) return true;
  return false;
}

static bool are_headers(struct span headers) {
  struct cursor c = cursor_of(headers);
  struct span name, value;
  while (c.rest.len > 0)
    if (!wire_get_header(&c, &name, &value)) return false;
  return true;
}

static bool is_response(const struct wire_response *m) {
  static const enum result failures[] = {RESULT_FETCH_ADDRESS, RESULT_FETCH_TIMEOUT,  RESULT_FETCH_TLS,
                                         RESULT_FETCH_FAILED,  RESULT_FETCH_RESPONSE, RESULT_FETCH_HEADERS};
  if (m->result != RESULT_OK)
    return is_among(m->result, failures, sizeof failures / sizeof failures[0]) && m->error.len <= ERROR_MAX &&
           text_utf8_valid(m->error);
  return m->status >= 200 && m->status <= 599 && are_headers(m->headers);
}

static enum result hear_response(struct outlet *o, struct span body) {
  struct wire_response m;
  struct question *q;
  if (!wire_get_response(body, &m) || !is_response(&m)) return RESULT_PEER_LIED;
  const enum result r = find_question(o, m.ticket, true, &q);
  if (r != RESULT_OK || q == NULL) return r;
  if (m.body.len > q->response_max) return RESULT_PEER_LIED;
  table_remove(o->questions, &m.ticket);
  q->answer(q->context, &m);
  free(q);
  return RESULT_OK;
}

/* Rows are seen to be whole before anybody reads them. */
static bool are_rows(const struct wire_rows *m, struct cursor rest, uint32_t statements) {
  static const enum result results[] = {RESULT_OK, RESULT_SECRET_STORE_UNAVAILABLE, RESULT_SECRET_CONFLICT};
  if (!is_among(m->result, results, sizeof results / sizeof results[0])) return false;
  if (m->result != RESULT_OK && m->count > 0) return false;
  struct wire_statement row;
  for (uint32_t i = 0; i < m->count; i++)
    if (!wire_get_statement(&rest, &row) || row.statement >= statements) return false;
  return cursor_end(&rest);
}

static enum result hear_rows(struct outlet *o, struct span body) {
  struct wire_rows m;
  struct cursor rest;
  struct question *q;
  if (!wire_get_rows(body, &m, &rest)) return RESULT_PEER_LIED;
  const enum result r = find_question(o, m.ticket, false, &q);
  if (r != RESULT_OK) return r;
  if (!are_rows(&m, rest, q == NULL ? UINT32_MAX : q->statements)) return RESULT_PEER_LIED;
  if (q == NULL) return RESULT_OK;
  table_remove(o->questions, &m.ticket);
  q->rows(q->context, &m, &rest);
  free(q);
  return RESULT_OK;
}

/* ---- the link ---- */

static void drop_link(struct outlet *o) {
  link_free(o->link);
  o->link = NULL;
  put_all_away(o);
}

static void on_lost(void *context, enum result why) {
  struct outlet *o = context;
  drop_link(o);
  if (o->broken != NULL) o->broken(o->context, why);
}

static void on_message(void *context, const struct channel_message *m) {
  struct outlet *o = context;
  bool begun = true;
  enum result r = RESULT_PEER_LIED;
  if (m->fd >= 0) close(m->fd);
  if (m->fd < 0 && service_in_order(SERVICE_EGRESS, SERVICE_KEEPER, m->type, &begun))
    r = m->type == WIRE_RESPONSE ? hear_response(o, m->body) : hear_rows(o, m->body);
  if (r != RESULT_OK) on_lost(o, r);
}

enum result outlet_connect(struct outlet *o, int fd) {
  const struct link_handler handler = {.context = o, .message = on_message, .lost = on_lost};
  drop_link(o);
  o->first = o->ticket + 1;
  return link_new(o->base, fd, SERVICE_ANSWER_MAX, WAITING_BYTES, &handler, &o->link);
}

bool outlet_connected(const struct outlet *o) {
  return o->link != NULL;
}

/* ---- asking ---- */

/* Sends the message in o->message. What cannot be sent is answered later; the caller need not tell the two apart. */
static enum result ask(struct outlet *o, const struct question *question, uint64_t *ticket) {
  struct question *q = malloc(sizeof *q);
  enum result r = q == NULL || o->message.bad ? RESULT_NO_MEMORY : RESULT_OK;
  if (r == RESULT_OK) {
    *q = *question;
    r = table_put(o->questions, &q->ticket, q);
  }
  if (r != RESULT_OK) {
    free(q);
  } else {
    *ticket = question->ticket;
    if (o->link == NULL || link_send(o->link, &o->message) != RESULT_OK) put_away(o, q);
  }
  wipe(o->message.data, o->message.len);
  buf_clear(&o->message);
  return r;
}

enum result outlet_ask(struct outlet *o, struct wire_request *m, outlet_answer *answer, void *context,
                       uint64_t *ticket) {
  m->ticket = ++o->ticket;
  wire_put_request(&o->message, m);
  return ask(
      o, &(struct question){.ticket = m->ticket, .answer = answer, .context = context, .response_max = m->response_max},
      ticket);
}

enum result outlet_query(struct outlet *o, struct wire_query *m, outlet_rows *answer, void *context, uint64_t *ticket) {
  m->ticket = ++o->ticket;
  wire_put_query(&o->message, WIRE_SERVER_QUERY, m);
  return ask(o, &(struct question){.ticket = m->ticket, .rows = answer, .context = context, .statements = m->count},
             ticket);
}

/* One that is away stays in its list, without anybody to answer. */
void outlet_forget(struct outlet *o, uint64_t ticket) {
  struct question *q = table_get(o->questions, &ticket);
  if (q == NULL) return;
  if (q->away) {
    q->answer = NULL;
    q->rows = NULL;
    return;
  }
  table_remove(o->questions, &ticket);
  free(q);
  wire_put_forget(&o->message, &(struct wire_forget){.ticket = ticket});
  /* If it cannot be told, its answer comes and is ignored. */
  if (o->link != NULL) (void)!link_send(o->link, &o->message);
  buf_clear(&o->message);
}

/* ---- the whole ---- */

enum result outlet_new(struct event_base *base, void (*broken)(void *context, enum result why), void *context,
                       struct outlet **out) {
  struct outlet *o = calloc(1, sizeof *o);
  if (o == NULL) return RESULT_NO_MEMORY;
  o->base = base;
  o->broken = broken;
  o->context = context;
  o->away_end = &o->away;
  o->message = buf_new(QUESTION_MAX);
  enum result r = table_new(sizeof o->ticket, &o->questions);
  o->failing = event_new(base, -1, 0, on_failing, o);
  if (r == RESULT_OK && o->failing == NULL) r = RESULT_NO_MEMORY;
  if (r == RESULT_OK) {
    *out = o;
    o = NULL;
  }
  outlet_free(o);
  return r;
}

void outlet_free(struct outlet *o) {
  if (o == NULL) return;
  link_free(o->link);
  if (o->failing != NULL) event_free(o->failing);
  struct question *q;
  for (size_t at = 0; o->questions != NULL && (q = table_next(o->questions, &at)) != NULL;) free(q);
  table_free(o->questions);
  buf_free(&o->message);
  free(o);
}
