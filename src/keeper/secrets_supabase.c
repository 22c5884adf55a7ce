/*
 * The reference's store: PostgREST in front of a Supabase project, over HTTPS through egress. Every statement is one
 * request (facts: the reference service's tables and filters); those of a query are under way at the same time.
 */
#include <jansson.h>

#include "base/json.h"
#include "base/text.h"
#include "base/url.h"
#include "keeper/secret_rows.h"
#include "keeper/secrets_backend.h"

#define RESPONSE_MAX (4u << 20)
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct supabase {
  struct secrets_backend backend;
  struct outlet *outlet;
  struct buf url_text, key;
  struct url url;
  struct ask *asks;
  uint64_t last_ticket;
};

/* One query: a request for each of its statements. */
struct ask {
  struct ask *next;
  struct supabase *store;
  uint64_t ticket;
  secrets_rows *answer;
  void *context;
  uint32_t count, under_way, rows;
  bool failed;
  struct part {
    struct ask *ask;
    uint64_t ticket; /* of the request; 0: it is over */
    uint32_t statement;
    struct buf user, name; /* what was asked for: rows of others are refused */
    struct buf rows;       /* wire_put_statement */
    uint64_t audit_id;     /* the last row's; 0: there is none yet */
  } parts[WIRE_STATEMENTS_MAX];
};

static struct supabase *of(struct secrets_backend *b) {
  return (struct supabase *)((uint8_t *)b - offsetof(struct supabase, backend));
}

/* ---- requests ---- */

static void put_encoded(struct buf *b, struct span text) {
  for (size_t i = 0; i < text.len; i++) {
    const uint8_t c = text.data[i];
    const bool plain = ((c | 32) >= 'a' && (c | 32) <= 'z') || (c >= '0' && c <= '9') || (c != 0 && strchr("-._~", c));
    if (plain)
      buf_put_u8(b, c);
    else
      buf_printf(b, "%%%02X", c);
  }
}

/* table, select, name of the column with the secret's name, what follows */
static const struct shape {
  uint32_t statement;
  const char *method, *table, *name_column, *rest;
} shapes[] = {
    {STATEMENT_FIND, "GET", "secrets", "name", "&limit=1"},
    {STATEMENT_ALL, "GET", "secrets", NULL, "&order=name&limit=1000"},
    {STATEMENT_AUDIT, "POST", "secret_audit_logs", NULL, ""},
    {STATEMENT_AUDITS, "GET", "secret_audit_logs", "secret_name", "&order=created_at.desc&limit="},
    {STATEMENT_POLICIES, "GET", "secret_policies", "secret_name", "&limit=100"},
};

static const struct shape *shape_of(uint32_t statement) {
  for (size_t i = 0; i < COUNT(shapes); i++)
    if (shapes[i].statement == statement) return &shapes[i];
  return NULL;
}

/* Its ids are UUIDs, in no order: what counts here is the millisecond, and in audit_id_of() how many it had already. */
static void put_before(struct buf *target, struct span id) {
  char memory[40];
  struct buf time = buf_fixed(memory, sizeof memory);
  uint64_t ms;
  if (text_u64(id, 1, SECRET_AUDIT_ID_MAX, &ms) != RESULT_OK) return;
  text_put_rfc3339(&time, ms * 1000000u);
  buf_put_text(target, "&created_at=lt.");
  put_encoded(target, buf_span(&time));
}

static void put_target(const struct supabase *s, const struct shape *shape, const struct wire_statement *m,
                       struct buf *target) {
  struct span base = s->url.target;
  if (base.data[base.len - 1] == '/') base.len--;
  buf_put_span(target, base);
  buf_printf(target, "/rest/v1/%s", shape->table);
  if (m->statement == STATEMENT_AUDIT) return;
  buf_put_text(target, "?user_id=eq.");
  put_encoded(target, m->values[0]);
  if (shape->name_column != NULL) {
    buf_printf(target, "&%s=eq.", shape->name_column);
    put_encoded(target, m->values[1]);
  }
  buf_put_text(target, shape->rest);
  if (m->statement != STATEMENT_AUDITS) return;
  put_encoded(target, m->values[3]);
  put_before(target, m->values[2]);
}

static void put_headers(const struct supabase *s, bool writes, struct buf *headers) {
  struct buf bearer = buf_new(s->key.len + 16);
  buf_put_text(&bearer, "Bearer ");
  buf_put_span(&bearer, buf_span(&s->key));
  if (bearer.bad) headers->bad = true;
  wire_put_header(headers, span_text("accept"), span_text("application/json"));
  wire_put_header(headers, span_text("apikey"), buf_span(&s->key));
  wire_put_header(headers, span_text("authorization"), buf_span(&bearer));
  if (writes) {
    wire_put_header(headers, span_text("content-type"), span_text("application/json"));
    wire_put_header(headers, span_text("prefer"), span_text("return=minimal"));
  }
  buf_free(&bearer);
}

/* user, name, action, service, agent, success, error */
static void put_audit(const struct wire_statement *m, struct buf *body) {
  static const char *const columns[] = {"user_id",    "secret_name", "action",       "service_id",
                                        "user_agent", "success",     "error_message"};
  buf_put_u8(body, '{');
  for (uint32_t i = 0; i < COUNT(columns) && i < m->count; i++) {
    json_put_key(body, columns[i]);
    if (i == 5)
      buf_put_text(body, span_is(m->values[i], "1") ? "true" : "false");
    else
      json_put_string(body, m->values[i]);
  }
  buf_put_u8(body, '}');
}

static void on_response(void *context, const struct wire_response *response);

static enum result send_part(struct part *part, const struct wire_statement *m, uint32_t timeout_ms) {
  struct supabase *s = part->ask->store;
  const struct shape *shape = shape_of(m->statement);
  struct buf target = buf_new(URL_MAX), headers = buf_new(WIRE_REQUEST_HEADERS_MAX), body = buf_new(65536);
  const bool writes = m->statement == STATEMENT_AUDIT;
  put_target(s, shape, m, &target);
  put_headers(s, writes, &headers);
  if (writes) put_audit(m, &body);
  struct wire_request request = {.flags = WIRE_REQUEST_OPERATOR | (s->url.plain ? WIRE_REQUEST_PLAIN : 0),
                                 .port = s->url.port,
                                 .timeout_ms = timeout_ms,
                                 .response_max = RESPONSE_MAX,
                                 .method = span_text(shape->method),
                                 .host = s->url.host,
                                 .target = buf_span(&target),
                                 .headers = buf_span(&headers),
                                 .body = buf_span(&body)};
  enum result r = target.bad || headers.bad || body.bad
                      ? RESULT_NO_MEMORY
                      : outlet_ask(s->outlet, &request, on_response, part, &part->ticket);
  buf_free(&target);
  buf_free(&headers);
  buf_free(&body);
  return r;
}

/* ---- rows ---- */

static struct span text_of(const json_t *row, const char *column) {
  const json_t *value = json_object_get(row, column);
  return json_is_string(value) ? span_of(json_string_value(value), json_string_length(value)) : span_text("");
}

/* A number, or a moment as Unix seconds, in decimal. */
static struct span number_of(const json_t *row, const char *column, char memory[24]) {
  const json_t *value = json_object_get(row, column);
  struct buf b = buf_fixed(memory, 24);
  uint64_t ns = 0;
  if (json_is_integer(value) && json_integer_value(value) >= 0)
    buf_printf(&b, "%llu", (unsigned long long)json_integer_value(value));
  else if (json_is_string(value) && text_rfc3339(span_text(json_string_value(value)), &ns) == RESULT_OK)
    buf_printf(&b, "%llu", (unsigned long long)(ns / 1000000000u));
  else
    buf_put_u8(&b, '0');
  return buf_span(&b);
}

/* Newest first, each below the one before. */
static struct span audit_id_of(struct part *part, const json_t *row, char memory[24]) {
  struct buf b = buf_fixed(memory, 24);
  uint64_t ns = 0;
  if (text_rfc3339(text_of(row, "created_at"), &ns) != RESULT_OK) ns = 0;
  uint64_t id = ns / 1000000u;
  if (part->audit_id != 0 && id >= part->audit_id) id = part->audit_id - 1;
  part->audit_id = id;
  buf_printf(&b, "%llu", (unsigned long long)id);
  return buf_span(&b);
}

/* Whether the row is one of those that were asked for; a store that filters wrongly is not believed. */
static bool belongs(const struct part *part, const json_t *row) {
  const struct shape *shape = shape_of(part->statement);
  if (!json_is_object(row) || !span_equal(text_of(row, "user_id"), buf_span(&part->user))) return false;
  return shape->name_column == NULL || span_equal(text_of(row, shape->name_column), buf_span(&part->name));
}

static void put_row(struct part *part, uint32_t index, const json_t *row) {
  char version[24], created[24], updated[24], id[24];
  struct wire_statement m = {.statement = index};
  const struct span number = number_of(row, "version", version), made = number_of(row, "created_at", created),
                    changed = number_of(row, "updated_at", updated), value = text_of(row, "encrypted_value");
  const struct span find[] = {number, value, span_text(""), changed};
  const struct span all[] = {text_of(row, "name"), number, value, span_text(""), made, changed};
  const bool is_audit = part->statement == STATEMENT_AUDITS;
  const struct span audits[] = {is_audit ? audit_id_of(part, row, id) : span_text("0"),
                                text_of(row, "action"),
                                text_of(row, "service_id"),
                                text_of(row, "user_agent"),
                                span_text(json_is_true(json_object_get(row, "success")) ? "1" : "0"),
                                text_of(row, "error_message"),
                                made};
  const struct span policies[] = {text_of(row, "service_id")};
  const struct {
    uint32_t statement;
    const struct span *values;
    uint32_t count;
  } rows[] = {{STATEMENT_FIND, find, COUNT(find)},
              {STATEMENT_ALL, all, COUNT(all)},
              {STATEMENT_AUDITS, audits, COUNT(audits)},
              {STATEMENT_POLICIES, policies, COUNT(policies)}};
  for (size_t i = 0; i < COUNT(rows); i++) {
    if (rows[i].statement != part->statement) continue;
    m.count = rows[i].count;
    memcpy(m.values, rows[i].values, rows[i].count * sizeof *rows[i].values);
  }
  wire_put_statement(&part->rows, &m);
  part->ask->rows++;
}

static bool take_rows(struct part *part, struct span body) {
  const uint32_t index = (uint32_t)(part - part->ask->parts);
  json_t *rows = json_loadb((const char *)body.data, body.len, JSON_REJECT_DUPLICATES, NULL);
  bool ok = json_is_array(rows);
  for (size_t i = 0; ok && i < json_array_size(rows); i++) {
    ok = belongs(part, json_array_get(rows, i));
    if (ok) put_row(part, index, json_array_get(rows, i));
  }
  json_decref(rows);
  return ok && !part->rows.bad;
}

/* ---- a query ---- */

static void ask_free(struct ask *a) {
  for (uint32_t i = 0; i < a->count; i++) {
    if (a->parts[i].ticket != 0) outlet_forget(a->store->outlet, a->parts[i].ticket);
    buf_free(&a->parts[i].user);
    buf_free(&a->parts[i].name);
    buf_free(&a->parts[i].rows);
  }
  free(a);
}

static void unlink_ask(struct ask *a) {
  struct ask **at = &a->store->asks;
  while (*at != a) at = &(*at)->next;
  *at = a->next;
}

static void finish(struct ask *a) {
  struct buf rows = buf_new(RESPONSE_MAX * 2);
  unlink_ask(a);
  for (uint32_t i = 0; !a->failed && i < a->count; i++) buf_put_span(&rows, buf_span(&a->parts[i].rows));
  const bool ok = !a->failed && !rows.bad;
  struct cursor rest = cursor_of(ok ? buf_span(&rows) : span_text(""));
  const struct wire_rows m = {
      .ticket = a->ticket, .result = ok ? RESULT_OK : RESULT_SECRET_STORE_UNAVAILABLE, .count = ok ? a->rows : 0};
  a->answer(a->context, &m, &rest);
  buf_free(&rows);
  ask_free(a);
}

static void on_response(void *context, const struct wire_response *r) {
  struct part *part = context;
  struct ask *a = part->ask;
  part->ticket = 0;
  a->under_way--;
  const bool done = r->result == RESULT_OK && r->status >= 200 && r->status <= 299;
  if (!done || (part->statement != STATEMENT_AUDIT && !take_rows(part, r->body))) a->failed = true;
  if (a->under_way == 0) finish(a);
}

static bool keep(struct buf *b, struct span text) {
  *b = buf_new(text.len + 1);
  buf_put_span(b, text);
  return !b->bad;
}

static enum result begin(struct ask *a, const struct wire_query *query) {
  enum result r = RESULT_OK;
  for (uint32_t i = 0; r == RESULT_OK && i < query->count; i++) {
    const struct wire_statement *m = &query->statements[i];
    struct part *part = &a->parts[a->count++];
    *part = (struct part){.ask = a, .statement = m->statement, .rows = buf_new(RESPONSE_MAX)};
    if (shape_of(m->statement) == NULL) return RESULT_SECRET_STORE_UNAVAILABLE;
    if (!keep(&part->user, m->values[0]) || !keep(&part->name, m->count > 1 ? m->values[1] : span_text("")))
      return RESULT_NO_MEMORY;
    r = send_part(part, m, query->timeout_ms);
    if (r == RESULT_OK) a->under_way++;
  }
  return r;
}

static enum result ask(struct secrets_backend *b, const struct wire_query *query, secrets_rows *answer, void *context,
                       uint64_t *ticket) {
  struct supabase *s = of(b);
  struct ask *a = query->count == 0 || query->count > WIRE_STATEMENTS_MAX ? NULL : calloc(1, sizeof *a);
  if (a == NULL) return RESULT_SECRET_STORE_UNAVAILABLE;
  a->store = s;
  a->answer = answer;
  a->context = context;
  a->ticket = ++s->last_ticket;
  enum result r = begin(a, query);
  if (r != RESULT_OK) {
    ask_free(a);
    return r;
  }
  a->next = s->asks;
  s->asks = a;
  *ticket = a->ticket;
  return RESULT_OK;
}

static void forget(struct secrets_backend *b, uint64_t ticket) {
  for (struct ask *a = of(b)->asks; a != NULL; a = a->next) {
    if (a->ticket != ticket) continue;
    unlink_ask(a);
    ask_free(a);
    return;
  }
}

static void free_supabase(struct secrets_backend *b) {
  struct supabase *s = of(b);
  for (struct ask *a = s->asks, *next; a != NULL; a = next) {
    next = a->next;
    ask_free(a);
  }
  buf_free(&s->url_text);
  buf_free(&s->key);
  free(s);
}

enum result secrets_supabase_new(const struct secrets_setup *setup, struct secrets_backend **out) {
  if (setup->outlet == NULL || setup->supabase_url == NULL || setup->supabase_key.len == 0)
    return RESULT_CONFIG_INVALID;
  struct supabase *s = calloc(1, sizeof *s);
  if (s == NULL) return RESULT_NO_MEMORY;
  s->backend = (struct secrets_backend){
      .store = "supabase", .format = SECRETS_REFERENCE, .ask = ask, .forget = forget, .free = free_supabase};
  s->outlet = setup->outlet;
  s->url_text = buf_new(URL_MAX);
  const char *end = strrchr(setup->supabase_url, '/');
  buf_put_text(&s->url_text, setup->supabase_url);
  if (end != NULL && end < setup->supabase_url + 8) buf_put_u8(&s->url_text, '/'); /* no path at all */
  const bool kept = keep(&s->key, setup->supabase_key) && !s->url_text.bad;
  if (kept && url_read(buf_span(&s->url_text), &s->url) == RESULT_OK) {
    *out = &s->backend;
    return RESULT_OK;
  }
  free_supabase(&s->backend);
  return kept ? RESULT_CONFIG_INVALID : RESULT_NO_MEMORY;
}
