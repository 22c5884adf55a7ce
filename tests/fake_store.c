#include "fake_store.h"

#include "base/text.h"

struct fake fakes[FAKES];

static struct event_base *loop;
static struct secrets *served;

/* An answer on its way. */
struct delivery {
  struct delivery *next;
  struct fake *fake;
  struct event *timer;
  uint64_t ticket;
  secrets_rows *answer; /* NULL: through secrets_store_rows */
  void *context;
  struct buf message;
  unsigned times;
};
static struct delivery *deliveries;
static uint64_t last_ticket;

static void drop(struct delivery *d) {
  struct delivery **at = &deliveries;
  while (*at != d) at = &(*at)->next;
  *at = d->next;
  event_free(d->timer);
  buf_free(&d->message);
  free(d);
}

void fakes_reset(struct event_base *base) {
  while (deliveries != NULL) drop(deliveries);
  for (size_t f = 0; f < FAKES; f++) {
    for (size_t i = 0; i < fakes[f].row_count; i++) buf_free(&fakes[f].rows[i].value);
    fakes[f] = (struct fake){0};
  }
  loop = base;
  served = NULL;
}

void fakes_serve(struct secrets *s) {
  served = s;
}

/* ---- the table ---- */

static void copy(char *to, size_t size, struct span from) {
  snprintf(to, size, "%.*s", (int)from.len, from.len > 0 ? (const char *)from.data : "");
}

static uint64_t number(struct span text) {
  uint64_t n = 0;
  (void)!text_u64(text, 0, UINT64_MAX, &n);
  return n;
}

struct fake_row *fake_row(struct fake *f, const char *user, const char *name) {
  for (size_t i = 0; i < f->row_count; i++)
    if (strcmp(f->rows[i].user, user) == 0 && strcmp(f->rows[i].name, name) == 0) return &f->rows[i];
  return NULL;
}

static struct fake_row *row_of(struct fake *f, const struct wire_statement *m) {
  char user[64], name[136];
  copy(user, sizeof user, m->values[0]);
  copy(name, sizeof name, m->values[1]);
  return fake_row(f, user, name);
}

struct fake_row *fake_add(struct fake *f, const char *user, const char *name, uint64_t version, struct span value) {
  if (f->row_count == FAKE_ROWS) abort();
  struct fake_row *row = &f->rows[f->row_count++];
  *row = (struct fake_row){.version = version, .value = buf_new(1u << 20)};
  copy(row->user, sizeof row->user, span_text(user));
  copy(row->name, sizeof row->name, span_text(name));
  buf_put_span(&row->value, value);
  return row;
}

/* ---- statements ---- */

static struct {
  struct wire_statement rows[WIRE_ROWS_MAX];
  uint32_t count;
  char numbers[4 * WIRE_ROWS_MAX][24];
  uint32_t number_count;
} found;

static struct span decimal(uint64_t n) {
  char *text = found.numbers[found.number_count++];
  snprintf(text, 24, "%llu", (unsigned long long)n);
  return span_text(text);
}

static struct wire_statement *add_row(uint32_t index, uint32_t count) {
  struct wire_statement *row = &found.rows[found.count++];
  *row = (struct wire_statement){.statement = index, .count = count};
  return row;
}

static void set(struct wire_statement *row, const struct span *values) {
  memcpy(row->values, values, row->count * sizeof *values);
}

static enum result find(struct fake *f, const struct wire_statement *m, uint32_t index) {
  const struct fake_row *r = row_of(f, m);
  if (r == NULL) return RESULT_OK;
  set(add_row(index, 4),
      (const struct span[]){decimal(r->version), buf_span(&r->value), span_text(r->uses), span_text("1700000001")});
  return RESULT_OK;
}

static enum result all(struct fake *f, const struct wire_statement *m, uint32_t index) {
  for (size_t i = 0; i < f->row_count; i++) {
    const struct fake_row *r = &f->rows[i];
    if (!span_is(m->values[0], r->user)) continue;
    set(add_row(index, 6), (const struct span[]){span_text(r->name), decimal(r->version), buf_span(&r->value),
                                                 span_text(r->uses), span_text("1700000000"), span_text("")});
  }
  return RESULT_OK;
}

static enum result write_row(struct fake *f, const struct wire_statement *m, uint32_t index) {
  (void)index;
  struct fake_row *r = row_of(f, m);
  if ((r == NULL ? 0 : r->version) != number(m->values[4])) return RESULT_SECRET_CONFLICT;
  if (r == NULL) {
    char user[64], name[136];
    copy(user, sizeof user, m->values[0]);
    copy(name, sizeof name, m->values[1]);
    r = fake_add(f, user, name, 0, span_text(""));
  }
  r->version = number(m->values[2]);
  buf_clear(&r->value);
  buf_put_span(&r->value, m->values[3]);
  r->uses[0] = 0;
  return RESULT_OK;
}

static enum result remove_row(struct fake *f, const struct wire_statement *m, uint32_t index) {
  struct fake_row *r = row_of(f, m);
  if (r == NULL) return RESULT_OK;
  add_row(index, 1)->values[0] = decimal(r->version);
  buf_free(&r->value);
  *r = f->rows[--f->row_count];
  return RESULT_OK;
}

static enum result use(struct fake *f, const struct wire_statement *m, uint32_t index) {
  (void)index;
  struct fake_row *r = row_of(f, m);
  if (r == NULL || !span_is(m->values[3], r->uses)) return RESULT_SECRET_CONFLICT;
  copy(r->uses, sizeof r->uses, m->values[2]);
  return RESULT_OK;
}

static enum result audit(struct fake *f, const struct wire_statement *m, uint32_t index) {
  (void)index;
  if (f->audit_count == FAKE_AUDITS) abort();
  struct fake_audit *a = &f->audits[f->audit_count++];
  copy(a->name, sizeof a->name, m->values[1]);
  copy(a->action, sizeof a->action, m->values[2]);
  copy(a->service, sizeof a->service, m->values[3]);
  copy(a->agent, sizeof a->agent, m->values[4]);
  a->success = span_is(m->values[5], "1");
  copy(a->error, sizeof a->error, m->values[6]);
  return RESULT_OK;
}

static enum result audits(struct fake *f, const struct wire_statement *m, uint32_t index) {
  const uint64_t before = number(m->values[2]), limit = number(m->values[3]);
  uint64_t given = 0;
  for (size_t i = f->audit_count; i-- > 0 && given < limit;) {
    const struct fake_audit *a = &f->audits[i];
    if (!span_is(m->values[1], a->name) || (before != 0 && i + 1 >= before)) continue;
    given++;
    set(add_row(index, 7),
        (const struct span[]){decimal(i + 1), span_text(a->action), span_text(a->service), span_text(a->agent),
                              span_text(a->success ? "1" : "0"), span_text(a->error), span_text("1700000000")});
  }
  return RESULT_OK;
}

static enum result policies(struct fake *f, const struct wire_statement *m, uint32_t index) {
  for (size_t i = 0; i < f->policy_count; i++)
    if (span_is(m->values[0], f->policies[i].user) && span_is(m->values[1], f->policies[i].name))
      add_row(index, 1)->values[0] = span_text(f->policies[i].service);
  return RESULT_OK;
}

static const struct {
  uint32_t values;
  enum result (*run)(struct fake *f, const struct wire_statement *m, uint32_t index);
} statements[] = {
    [STATEMENT_FIND] = {2, find},         [STATEMENT_ALL] = {1, all},           [STATEMENT_WRITE] = {5, write_row},
    [STATEMENT_REMOVE] = {2, remove_row}, [STATEMENT_USE] = {4, use},           [STATEMENT_AUDIT] = {7, audit},
    [STATEMENT_AUDITS] = {4, audits},     [STATEMENT_POLICIES] = {2, policies},
};

/* All or none: the table as it was is kept beside. */
static struct fake before;
static struct buf values_before[FAKE_ROWS];

static void keep(const struct fake *f) {
  before = *f;
  for (size_t i = 0; i < f->row_count; i++) {
    values_before[i] = buf_new(1u << 20);
    buf_put_span(&values_before[i], buf_span(&f->rows[i].value));
  }
}

static void end(struct fake *f, bool done) {
  for (size_t i = 0; i < before.row_count; i++)
    if (done) buf_free(&values_before[i]);
  if (done) return;
  for (size_t i = 0; i < f->row_count; i++) buf_free(&f->rows[i].value);
  *f = before;
  for (size_t i = 0; i < f->row_count; i++) f->rows[i].value = values_before[i];
}

static bool writes(const struct wire_query *q) {
  for (uint32_t i = 0; i < q->count; i++) {
    const uint32_t s = q->statements[i].statement;
    if (s == STATEMENT_WRITE || s == STATEMENT_REMOVE || s == STATEMENT_USE) return true;
  }
  return false;
}

static enum result run(struct fake *f, const struct wire_query *q) {
  const bool undo = writes(q);
  enum result r = RESULT_OK;
  found.count = found.number_count = 0;
  if (undo) keep(f);
  for (uint32_t i = 0; r == RESULT_OK && i < q->count; i++) {
    const struct wire_statement *m = &q->statements[i];
    if (m->statement == 0 || m->statement >= sizeof statements / sizeof statements[0]) abort();
    if (m->count != statements[m->statement].values) abort();
    for (uint32_t v = 0; v < m->count; v++)
      if (!text_utf8_valid(m->values[v]) || (m->values[v].len > 0 && memchr(m->values[v].data, 0, m->values[v].len)))
        abort();
    r = statements[m->statement].run(f, m, i);
  }
  if (undo) end(f, r == RESULT_OK);
  return r;
}

/* ---- how it answers ---- */

static void on_delivery(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct delivery *d = context;
  struct wire_rows m;
  struct cursor rest;
  struct buf message = d->message;
  const struct span body = span_of(message.data + MSG_HEADER, message.len - MSG_HEADER);
  const struct delivery copy_of = *d;
  d->message = buf_new(0);
  drop(d);
  for (unsigned i = 0; i < copy_of.times; i++) {
    if (copy_of.answer == NULL) {
      if (served != NULL && secrets_store_rows(served, body) != RESULT_OK) abort();
    } else if (wire_get_rows(body, &m, &rest)) {
      copy_of.answer(copy_of.context, &m, &rest);
    }
  }
  buf_free(&message);
}

static bool one_of(struct fake *f, unsigned *count) {
  if (*count == 0 || f->spare > 0) return false;
  --*count;
  return true;
}

static bool has_audit(const struct wire_query *q) {
  for (uint32_t i = 0; i < q->count; i++)
    if (q->statements[i].statement == STATEMENT_AUDIT) return true;
  return false;
}

static enum result take(struct fake *f, const struct wire_query *q, secrets_rows *answer, void *context) {
  f->queries++;
  if (one_of(f, &f->refuse) || (f->refuse_audits && has_audit(q))) return RESULT_PEER_LOST;
  struct delivery *d = calloc(1, sizeof *d);
  if (d == NULL) abort();
  *d = (struct delivery){.next = deliveries, .fake = f, .ticket = q->ticket, .answer = answer, .context = context};
  deliveries = d;
  d->timer = evtimer_new(loop, on_delivery, d);
  d->message = buf_new(16u << 20);
  d->times = answer == NULL && one_of(f, &f->twice) ? 2 : 1;
  struct wire_rows m = {.ticket = q->ticket};
  if (one_of(f, &f->away) || (f->audits_away && has_audit(q)))
    m.result = RESULT_SECRET_STORE_UNAVAILABLE;
  else if (one_of(f, &f->conflict))
    m.result = RESULT_SECRET_CONFLICT;
  else
    m.result = (uint32_t)run(f, q);
  const bool silent = one_of(f, &f->silent);
  if (f->spare > 0) f->spare--;
  m.rows = found.rows;
  m.count = m.result == RESULT_OK ? found.count : 0;
  if (f->lie != NULL) f->lie(&m, found.rows);
  f->lie = NULL;
  wire_put_rows(&d->message, WIRE_STORE_ROWS, &m);
  if (!silent) event_add(d->timer, &(struct timeval){f->delay_ms / 1000, f->delay_ms % 1000 * 1000});
  return RESULT_OK;
}

static void forget(struct fake *f, uint64_t ticket) {
  struct delivery *d = deliveries;
  while (d != NULL && !(d->fake == f && d->ticket == ticket)) d = d->next;
  if (d != NULL) drop(d);
}

enum result fake_ask_store(void *context, struct buf *message) {
  static struct wire_statement list[WIRE_STATEMENTS_MAX];
  (void)context;
  struct wire_query q;
  struct cursor rest;
  if (message->bad || message->data[MSG_HEADER - 1] != WIRE_STORE_QUERY) abort();
  if (!wire_get_query(span_of(message->data + MSG_HEADER, message->len - MSG_HEADER), &q, &rest)) abort();
  for (uint32_t i = 0; i < q.count; i++)
    if (!wire_get_statement(&rest, &list[i])) abort();
  if (q.count == 0 || !cursor_end(&rest)) abort();
  q.statements = list;
  return take(&fakes[FAKE_EMBEDDED], &q, NULL, NULL);
}

/* ---- in place of keeper/outlet.c ---- */

enum result outlet_query(struct outlet *o, struct wire_query *m, outlet_rows *answer, void *context, uint64_t *ticket) {
  (void)o;
  m->ticket = ++last_ticket;
  enum result r = take(&fakes[FAKE_POSTGRES], m, answer, context);
  if (r == RESULT_OK) *ticket = m->ticket;
  return r;
}

void outlet_forget(struct outlet *o, uint64_t ticket) {
  (void)o;
  forget(&fakes[FAKE_POSTGRES], ticket);
}

/* ---- in place of keeper/secrets_supabase.c ---- */

static enum result ask_supabase(struct secrets_backend *b, const struct wire_query *query, secrets_rows *answer,
                                void *context, uint64_t *ticket) {
  (void)b;
  struct wire_query m = *query;
  m.ticket = ++last_ticket;
  if (writes(&m)) abort(); /* it cannot */
  enum result r = take(&fakes[FAKE_SUPABASE], &m, answer, context);
  if (r == RESULT_OK) *ticket = m.ticket;
  return r;
}

static void forget_supabase(struct secrets_backend *b, uint64_t ticket) {
  (void)b;
  forget(&fakes[FAKE_SUPABASE], ticket);
}

static void free_supabase(struct secrets_backend *b) {
  (void)b;
}

enum result secrets_supabase_new(const struct secrets_setup *setup, struct secrets_backend **out) {
  static struct secrets_backend supabase = {.store = "supabase",
                                            .format = SECRETS_REFERENCE,
                                            .ask = ask_supabase,
                                            .forget = forget_supabase,
                                            .free = free_supabase};
  if (setup->supabase_url == NULL || setup->supabase_url[0] == 0) return RESULT_CONFIG_INVALID;
  *out = &supabase;
  return RESULT_OK;
}
