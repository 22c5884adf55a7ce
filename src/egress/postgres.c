#include "egress/postgres.h"

#include <libpq-fe.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "egress/postgres_statements.h"
#include "wire/statements.h"

#define QUEUE_MAX 1024u  /* queries that wait or are on their way */
#define CONNECT_MS 5000u /* until a connection is ready, its statements prepared */
#define AGAIN_MS 1000u   /* after a failure, before the next attempt */
#define ROWS_TEXT_MAX (8u << 20)
#define CONFLICT "22012" /* division_by_zero, see postgres_statements.h */
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct statement {
  uint32_t number;
  const char *name, *sql;
  bool rows;
} statements[] = {
#define SQL_ROW(id, has_rows, text) {STATEMENT_##id, #id, text, has_rows},
    POSTGRES_STATEMENTS(SQL_ROW)
#undef SQL_ROW
};

static const struct {
  uint32_t number, values;
} takes[] = {
#define VALUES_ROW(id, number, values) {number, values},
    SECRET_STATEMENTS(VALUES_ROW)
#undef VALUES_ROW
};

struct query {
  struct query *next;
  uint64_t ticket, due_ms; /* monotonic */
  enum result result;
  uint32_t count, at; /* statements; the one whose result comes next */
  uint32_t row_count;
  bool sent;
  struct buf body; /* SERVER_QUERY's */
  struct buf rows; /* wire_put_statement, one behind the other */
};

enum phase { OFF, CONNECTING, PREPARING, READY };

struct postgres {
  struct postgres_setup setup;
  struct buf connection; /* NUL-terminated */
  int authorities;       /* the file that libpq reads them from, without a name in any directory; -1: none */
  PGconn *server;
  enum phase phase;
  struct event *io, *timer;
  uint64_t phase_due_ms, again_ms; /* monotonic */
  struct query *first;             /* in the order they came; those that are sent come first */
  unsigned queries;
  struct buf message;
};

/* ---- answers ---- */

static void query_free(struct query *q) {
  buf_free(&q->body);
  buf_free(&q->rows);
  free(q);
}

static bool put_answer(struct buf *message, struct query *q) {
  struct wire_statement *rows = calloc(q->row_count + 1, sizeof *rows);
  struct cursor c = cursor_of(buf_span(&q->rows));
  bool ok = rows != NULL && !q->rows.bad;
  for (uint32_t i = 0; ok && i < q->row_count; i++) ok = wire_get_statement(&c, &rows[i]);
  if (ok) {
    const struct wire_rows m = {.ticket = q->ticket, .result = RESULT_OK, .count = q->row_count, .rows = rows};
    wire_put_rows(message, WIRE_SERVER_ROWS, &m);
  }
  free(rows);
  return ok && !message->bad;
}

static void put_failure(struct buf *message, uint64_t ticket, enum result why) {
  wire_put_rows(message, WIRE_SERVER_ROWS, &(struct wire_rows){.ticket = ticket, .result = (uint32_t)why});
}

static void tell(struct postgres *p) {
  p->setup.tell(p->setup.context, &p->message);
  wipe(p->message.data, p->message.len);
  buf_clear(&p->message);
}

/* Takes the query out of the list, and answers it. */
static void finish(struct postgres *p, struct query *q) {
  struct query **at = &p->first;
  while (*at != q) at = &(*at)->next;
  *at = q->next;
  p->queries--;
  if (q->result == RESULT_OK && !put_answer(&p->message, q)) q->result = RESULT_SECRET_STORE_UNAVAILABLE;
  if (q->result != RESULT_OK) put_failure(&p->message, q->ticket, q->result);
  query_free(q);
  tell(p);
}

/* ---- the connection ---- */

static void watch(struct postgres *p, short what);
static void pump(struct postgres *p);

static void complain(struct postgres *p, const char *why) {
  size_t len = strlen(why);
  while (len > 0 && why[len - 1] == '\n') len--;
  p->setup.trouble(p->setup.context, span_of(why, len));
}

static void hang_up(struct postgres *p) {
  if (p->io != NULL) event_free(p->io);
  p->io = NULL;
  if (p->server != NULL) PQfinish(p->server);
  p->server = NULL;
  p->phase = OFF;
  p->again_ms = clock_monotonic_ms() + AGAIN_MS;
}

/* What was sent may or may not have been done. What was not waits for a server only if there was one just now. */
static void lose(struct postgres *p, const char *why) {
  const bool was_there = p->phase == READY;
  complain(p, why);
  hang_up(p);
  for (struct query *q = p->first, *next; q != NULL; q = next) {
    next = q->next;
    if (was_there && !q->sent) continue;
    q->result = RESULT_SECRET_STORE_UNAVAILABLE;
    finish(p, q);
  }
}

static void prepare(struct postgres *p) {
  bool ok = PQsetnonblocking(p->server, 1) == 0 && PQenterPipelineMode(p->server) == 1;
  for (size_t i = 0; ok && i < COUNT(statements); i++)
    ok = PQsendPrepare(p->server, statements[i].name, statements[i].sql, 0, NULL) == 1;
  if (!ok || PQpipelineSync(p->server) != 1) return lose(p, PQerrorMessage(p->server));
  p->phase = PREPARING;
  watch(p, EV_READ | EV_WRITE);
}

static void go_on_connecting(struct postgres *p) {
  switch (PQconnectPoll(p->server)) {
    case PGRES_POLLING_READING:
      return watch(p, EV_READ);
    case PGRES_POLLING_WRITING:
      return watch(p, EV_WRITE);
    case PGRES_POLLING_OK:
      return prepare(p);
    default:
      return lose(p, PQerrorMessage(p->server));
  }
}

/* Libpq looks at nothing but the string and its own defaults: no service file, no password file, and no Kerberos, which
 * would load plugins. */
static void call_up(struct postgres *p) {
  char authorities[64];
  snprintf(authorities, sizeof authorities, p->authorities < 0 ? "" : "/proc/self/fd/%d", p->authorities);
  const char *const keys[] = {"dbname",          "passfile",    "gssencmode", "application_name",
                              "client_encoding", "sslrootcert", NULL};
  const char *const values[] = {
      (const char *)p->connection.data, "/dev/null/none", "disable", "neocompute", "UTF8", authorities, NULL};
  p->server = PQconnectStartParams(keys, values, 1);
  if (p->server == NULL) return complain(p, result_sentence(RESULT_NO_MEMORY));
  p->phase = CONNECTING;
  p->phase_due_ms = clock_monotonic_ms() + CONNECT_MS;
  if (PQstatus(p->server) == CONNECTION_BAD) return lose(p, PQerrorMessage(p->server));
  watch(p, EV_WRITE);
}

/* ---- queries on their way out ---- */

/* Values as C strings, NUL between them. */
static bool send_statement(struct postgres *p, const struct wire_statement *s, struct buf *text) {
  const char *values[WIRE_VALUES_MAX];
  size_t at[WIRE_VALUES_MAX];
  buf_clear(text);
  for (uint32_t i = 0; i < s->count; i++) {
    at[i] = text->len;
    buf_put_span(text, s->values[i]);
    buf_put_u8(text, 0);
  }
  if (text->bad) return false;
  for (uint32_t i = 0; i < s->count; i++) values[i] = (const char *)text->data + at[i];
  for (size_t i = 0; i < COUNT(statements); i++) {
    if (statements[i].number != s->statement) continue;
    return PQsendQueryPrepared(p->server, statements[i].name, (int)s->count, values, NULL, NULL, 0) == 1;
  }
  return false;
}

static bool send_query(struct postgres *p, struct query *q) {
  struct wire_query m;
  struct cursor rest;
  struct wire_statement s;
  struct buf text = buf_new(SERVICE_REQUEST_MAX);
  bool ok = wire_get_query(buf_span(&q->body), &m, &rest);
  for (uint32_t i = 0; ok && i < q->count; i++) ok = wire_get_statement(&rest, &s) && send_statement(p, &s, &text);
  buf_free(&text);
  q->sent = true;
  return ok && PQpipelineSync(p->server) == 1;
}

static void arm(struct postgres *p) {
  uint64_t due = p->phase == CONNECTING || p->phase == PREPARING ? p->phase_due_ms : UINT64_MAX;
  const uint64_t now = clock_monotonic_ms();
  if (p->phase == OFF && p->first != NULL) due = p->again_ms;
  for (const struct query *q = p->first; q != NULL; q = q->next)
    if (q->due_ms < due) due = q->due_ms;
  if (due == UINT64_MAX) {
    event_del(p->timer);
    return;
  }
  const uint64_t left = due > now ? due - now : 0;
  (void)event_add(p->timer, &(struct timeval){(time_t)(left / 1000), (suseconds_t)(left % 1000 * 1000 + 1)});
}

static void pump(struct postgres *p) {
  if (p->phase == OFF && p->first != NULL && clock_monotonic_ms() >= p->again_ms) call_up(p);
  for (struct query *q = p->first; p->phase == READY && q != NULL; q = q->next) {
    if (!q->sent && !send_query(p, q)) return lose(p, PQerrorMessage(p->server));
  }
  if (p->phase == READY) watch(p, EV_READ | EV_WRITE);
}

/* ---- what comes back ---- */

static bool asks_for_rows(const struct query *q, struct wire_statement *s) {
  struct wire_query m;
  struct cursor rest;
  if (!wire_get_query(buf_span(&q->body), &m, &rest)) return false;
  for (uint32_t i = 0; i <= q->at; i++)
    if (!wire_get_statement(&rest, s)) return false;
  for (size_t i = 0; i < COUNT(statements); i++)
    if (statements[i].number == s->statement) return statements[i].rows;
  return false;
}

static void take_rows(struct query *q, const PGresult *r) {
  struct wire_statement s;
  const int rows = PQntuples(r), columns = PQnfields(r);
  if (!asks_for_rows(q, &s)) return;
  for (int row = 0; row < rows && columns <= (int)WIRE_VALUES_MAX; row++) {
    s = (struct wire_statement){.statement = q->at, .count = (uint32_t)columns};
    for (int i = 0; i < columns; i++) s.values[i] = span_of(PQgetvalue(r, row, i), (size_t)PQgetlength(r, row, i));
    wire_put_statement(&q->rows, &s);
    q->row_count++;
  }
}

static void take_error(struct postgres *p, struct query *q, const PGresult *r) {
  const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
  const bool conflict = state != NULL && strcmp(state, CONFLICT) == 0;
  if (q->result != RESULT_OK) return;
  q->result = conflict ? RESULT_SECRET_CONFLICT : RESULT_SECRET_STORE_UNAVAILABLE;
  if (!conflict) complain(p, PQresultErrorMessage(r));
}

static void take_result(struct postgres *p, struct query *q, const PGresult *r) {
  const ExecStatusType status = PQresultStatus(r);
  if (status == PGRES_PIPELINE_SYNC) return finish(p, q);
  if (status == PGRES_TUPLES_OK)
    take_rows(q, r);
  else if (status == PGRES_FATAL_ERROR)
    take_error(p, q, r);
  q->at++;
}

/* The results of prepare(). False if the server does not have the tables, say. */
static bool take_prepared(struct postgres *p, const PGresult *r) {
  if (PQresultStatus(r) == PGRES_PIPELINE_SYNC) p->phase = READY;
  return p->phase == READY || PQresultStatus(r) == PGRES_COMMAND_OK;
}

static bool expects(const struct postgres *p) {
  return p->phase == PREPARING || (p->phase == READY && p->first != NULL && p->first->sent);
}

static void take_results(struct postgres *p) {
  while (expects(p) && !PQisBusy(p->server)) {
    PGresult *r = PQgetResult(p->server);
    if (r == NULL) continue; /* between one statement's results and the next's */
    const bool preparing = p->phase == PREPARING;
    if (!preparing) take_result(p, p->first, r);
    if (preparing && !take_prepared(p, r)) {
      lose(p, PQresultErrorMessage(r));
      PQclear(r);
      return;
    }
    PQclear(r);
  }
}

static void on_io(evutil_socket_t fd, short what, void *context) {
  (void)fd;
  struct postgres *p = context;
  if (p->phase == CONNECTING) {
    go_on_connecting(p);
  } else {
    if (what & EV_READ && PQconsumeInput(p->server) != 1)
      lose(p, PQerrorMessage(p->server));
    else
      take_results(p);
    if (p->phase == READY) pump(p);
    if (p->phase == PREPARING) watch(p, EV_READ | EV_WRITE);
  }
  arm(p);
}

/* The socket may be another one after each call of libpq's ("Database Connection Control Functions"). */
static void watch(struct postgres *p, short what) {
  if (what & EV_WRITE && p->phase != CONNECTING) {
    const int left = PQflush(p->server);
    if (left < 0) return lose(p, PQerrorMessage(p->server));
    if (left == 0) what = EV_READ;
  }
  if (p->io != NULL) event_free(p->io);
  p->io = event_new(p->setup.base, PQsocket(p->server), what, on_io, p);
  if (p->io == NULL || event_add(p->io, NULL) != 0) lose(p, result_sentence(RESULT_NO_MEMORY));
}

static void on_timer(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct postgres *p = context;
  const uint64_t now = clock_monotonic_ms();
  const bool connecting = p->phase == CONNECTING || p->phase == PREPARING;
  bool stuck = connecting && now >= p->phase_due_ms;
  for (struct query *q = p->first, *next; q != NULL; q = next) {
    next = q->next;
    if (now < q->due_ms) continue;
    stuck |= q->sent; /* its answer could come at any time, and others wait behind it */
    if (q->sent) continue;
    q->result = RESULT_SECRET_STORE_UNAVAILABLE;
    finish(p, q);
  }
  if (stuck) lose(p, "the server does not answer in time");
  pump(p);
  arm(p);
}

/* ---- a query ---- */

static bool is_known(const struct wire_statement *s) {
  for (size_t i = 0; i < COUNT(takes); i++)
    if (takes[i].number == s->statement) return takes[i].values == s->count;
  return false;
}

static bool check_query(struct span body, struct wire_query *m) {
  struct cursor rest;
  struct wire_statement s;
  if (!wire_get_query(body, m, &rest) || m->count == 0) return false;
  for (uint32_t i = 0; i < m->count; i++) {
    if (!wire_get_statement(&rest, &s) || !is_known(&s)) return false;
    for (uint32_t k = 0; k < s.count; k++)
      if (s.values[k].len > 0 && memchr(s.values[k].data, 0, s.values[k].len) != NULL) return false;
  }
  return cursor_end(&rest);
}

static struct query *query_new(const struct wire_query *m, struct span body) {
  struct query *q = calloc(1, sizeof *q);
  if (q == NULL) return NULL;
  *q = (struct query){.ticket = m->ticket, .due_ms = clock_monotonic_ms() + m->timeout_ms, .count = m->count};
  q->body = buf_new(SERVICE_REQUEST_MAX);
  q->rows = buf_new(ROWS_TEXT_MAX);
  buf_put_span(&q->body, body);
  if (!q->body.bad) return q;
  query_free(q);
  return NULL;
}

enum result postgres_query(struct postgres *p, struct span body) {
  struct wire_query m;
  if (!check_query(body, &m)) return RESULT_PEER_LIED;
  struct query *q = p->connection.len > 1 && p->queries < QUEUE_MAX ? query_new(&m, body) : NULL;
  if (q == NULL) {
    put_failure(&p->message, m.ticket, RESULT_SECRET_STORE_UNAVAILABLE);
    tell(p);
    return RESULT_OK;
  }
  struct query **end = &p->first;
  while (*end != NULL) end = &(*end)->next;
  *end = q;
  p->queries++;
  pump(p);
  arm(p);
  return RESULT_OK;
}

/* ---- all of it ---- */

/* Whether the connection is to be one with a server that is verified: libpq verifies by any authorities it finds, also
 * where only encryption was asked for. */
static bool wants_verified(const char *connection) {
  PQconninfoOption *options = PQconninfoParse(connection, NULL);
  bool wants = false;
  for (const PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++)
    wants |= strcmp(o->keyword, "sslmode") == 0 && o->val != NULL && strncmp(o->val, "verify-", 7) == 0;
  PQconninfoFree(options);
  return wants;
}

/* Libpq takes them from a file only, and behind the fence there is none: this one is in memory. */
static int make_authorities(struct span pem) {
  int fd = memfd_create("authorities", MFD_CLOEXEC);
  if (fd < 0 || write(fd, pem.data, pem.len) == (ssize_t)pem.len) return fd;
  close(fd);
  return -1;
}

enum result postgres_new(const struct postgres_setup *setup, struct postgres **out) {
  struct postgres *p = calloc(1, sizeof *p);
  if (p == NULL) return RESULT_NO_MEMORY;
  p->setup = *setup;
  p->authorities = -1;
  p->connection = buf_new(8192);
  p->message = buf_new(ROWS_TEXT_MAX + 65536);
  buf_put_span(&p->connection, setup->connection);
  buf_put_u8(&p->connection, 0);
  p->timer = evtimer_new(setup->base, on_timer, p);
  if (!p->connection.bad && wants_verified((const char *)p->connection.data))
    p->authorities = make_authorities(setup->authorities);
  if (p->timer != NULL && !p->connection.bad) {
    *out = p;
    return RESULT_OK;
  }
  postgres_free(p);
  return RESULT_NO_MEMORY;
}

void postgres_free(struct postgres *p) {
  if (p == NULL) return;
  for (struct query *q = p->first, *next; q != NULL; q = next) {
    next = q->next;
    query_free(q);
  }
  hang_up(p);
  if (p->timer != NULL) event_free(p->timer);
  if (p->authorities >= 0) close(p->authorities);
  buf_free(&p->connection);
  buf_free(&p->message);
  free(p);
}
