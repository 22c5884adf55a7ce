/*
 * What callers do with their secrets: each call is a question to a store, a write with its audit row, and one SECRETED.
 * A value goes in and is never answered.
 */
#include "base/base64.h"
#include "base/json.h"
#include "base/text.h"
#include "keeper/secrets_state.h"

#define SEALED_INFO "neocompute-secret-seal-v1"
#define AUDIT_MAX 1000u
#define STORE_BITS 48u /* of an audit row's id, the rest says which store has it */
#define REPLY_MAX (SERVICE_ANSWER_MAX - 65536u)

struct call {
  struct call *next;
  struct secrets *all;
  struct query *query;
  uint64_t ticket, before, deadline_ns;
  uint32_t verb, limit;
  uint8_t user[32];
  struct buf user_id, name, agent;
  struct buf value, policy; /* policy: canonical */
  uint64_t uses;            /* that the policy allows */
  size_t store;             /* the one that is being asked */
  uint64_t version;         /* that is written */
  bool created;
  enum result result; /* while a failure is being written down */
  struct buf detail, reply;
};

/* ---- beginning and end ---- */

static void call_free(struct call *c) {
  struct buf *const bufs[] = {&c->user_id, &c->name, &c->agent, &c->value, &c->policy, &c->detail, &c->reply};
  query_free(c->query);
  for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) buf_free(bufs[i]);
  wipe(c, sizeof *c);
  free(c);
}

static void drop(struct call *c) {
  struct call **at = &c->all->calls;
  while (*at != c) at = &(*at)->next;
  *at = c->next;
  c->all->outstanding--;
  call_free(c);
}

static void tell(struct secrets *s, uint64_t ticket, enum result result, struct span detail, struct span reply) {
  wire_put_secreted(&s->message, &(struct wire_secreted){
                                     .ticket = ticket, .result = (uint32_t)result, .detail = detail, .reply = reply});
  s->setup.tell(s->setup.context, &s->message);
  buf_clear(&s->message);
}

/* The one way out. */
static void finish(struct call *c, enum result result) {
  if (result == RESULT_OK && c->reply.bad) result = RESULT_NO_MEMORY;
  const struct span none = span_of(NULL, 0);
  tell(c->all, c->ticket, result, result == RESULT_OK ? none : buf_span(&c->detail),
       result == RESULT_OK ? buf_span(&c->reply) : none);
  drop(c);
}

static enum result say(struct call *c, enum result result, const char *sentence) {
  buf_clear(&c->detail);
  buf_put_text(&c->detail, sentence);
  return result;
}

/* ---- asking stores ---- */

static struct secrets_backend *store_of(const struct call *c) {
  return c->all->stores[c->store];
}

static void ask(struct call *c, query_answer *answer) {
  query_ask(c->query, store_of(c), secrets_left_ms(c->deadline_ns, SECRETS_RECORD_MS), answer, c);
}

/* Goes on to the next store that can be written, from the one at hand; false if there is none. */
static bool to_writable(struct call *c) {
  while (c->store < c->all->store_count && !store_of(c)->writable) c->store++;
  return c->store < c->all->store_count;
}

static const char *action_of(const struct call *c) {
  static const char *const actions[] = {[SECRET_PUT] = "write", [SECRET_DELETE] = "delete", [SECRET_POLICY] = "policy"};
  return actions[c->verb];
}

static void put_audit(struct call *c, const char *error) {
  secrets_put_audit(c->query, &(struct secrets_audit){.user_id = buf_span(&c->user_id),
                                                      .name = buf_span(&c->name),
                                                      .agent = buf_span(&c->agent),
                                                      .action = action_of(c),
                                                      .error = error});
}

/* A question about the secret: the values are its user and name. */
static void put_named(struct call *c, enum secret_statement statement) {
  query_put(c->query, statement, (const struct span[]){buf_span(&c->user_id), buf_span(&c->name)}, 2);
}

static void on_failure_audited(void *context, enum result result, uint32_t rows, struct cursor *rest) {
  struct call *c = context;
  (void)result, (void)rows, (void)rest; /* nothing was done that would have to be undone */
  finish(c, c->result);
}

/* Nothing was done; that is written down, if it can be. */
static void fail(struct call *c, enum result result) {
  c->result = result;
  query_begin(c->query);
  put_audit(c, result_name(result));
  ask(c, on_failure_audited);
}

/* What a store's failure is to a caller; RESULT_OK if there is none. */
static enum result failure(struct call *c, enum result result) {
  if (result != RESULT_SECRET_STORE_UNAVAILABLE) return result;
  buf_clear(&c->detail);
  buf_printf(&c->detail, "the secret store %s is away", store_of(c)->store);
  return RESULT_SECRETS_AWAY;
}

static bool read_row(const struct call *c, struct cursor *rest, struct secret_row *row) {
  return secret_row_read(rest, query_statements(c->query), query_count(c->query), row);
}

/* ---- writing ---- */

static void put_written(struct call *c) {
  buf_put_u8(&c->reply, '{');
  json_put_member_string(&c->reply, "name", buf_span(&c->name));
  json_put_member_number(&c->reply, "version", c->version);
  json_put_key(&c->reply, "created");
  buf_put_text(&c->reply, c->created ? "true}" : "false}");
}

static void on_written(void *context, enum result result, uint32_t rows, struct cursor *rest) {
  struct call *c = context;
  (void)rest;
  if (result == RESULT_OK && rows > 0) result = RESULT_SECRET_STORE_UNAVAILABLE;
  result = failure(c, result);
  if (result == RESULT_SECRET_CONFLICT || result == RESULT_SECRETS_FULL) return fail(c, result);
  if (result == RESULT_OK) put_written(c);
  finish(c, result);
}

static void put_number(struct buf *b, uint64_t number) {
  buf_printf(b, "%llu", (unsigned long long)number);
}

/* The sealed record in place of version `old` (0: of none), and a count of uses if the policy limits them. */
static enum result put_write(struct call *c, uint64_t old) {
  const struct secret_place place = {.user = c->user, .name = buf_span(&c->name), .version = c->version};
  char old_memory[24], new_memory[24], uses_memory[256];
  struct buf old_text = buf_fixed(old_memory, sizeof old_memory), new_text = buf_fixed(new_memory, sizeof new_memory);
  struct buf uses = buf_fixed(uses_memory, sizeof uses_memory), text = buf_new(SECRET_TEXT_MAX);
  put_number(&old_text, old);
  put_number(&new_text, c->version);
  enum result r = keys_secret_seal(c->all->setup.keys, &place, buf_span(&c->policy), buf_span(&c->value), &text);
  if (r == RESULT_OK && c->uses > 0) r = keys_secret_seal_uses(c->all->setup.keys, &place, 0, &uses);
  const struct span user = buf_span(&c->user_id), none = span_of(NULL, 0);
  if (r == RESULT_OK)
    query_put(c->query, STATEMENT_WRITE,
              (const struct span[]){user, place.name, buf_span(&new_text), buf_span(&text), buf_span(&old_text)}, 5);
  if (r == RESULT_OK && c->uses > 0)
    query_put(c->query, STATEMENT_USE, (const struct span[]){user, place.name, buf_span(&uses), none}, 4);
  buf_free(&text);
  return r;
}

static void write(struct call *c, uint64_t old) {
  if (old >= SECRET_VERSION_MAX) return finish(c, say(c, RESULT_SECRET_INVALID, "it was written too often"));
  c->version = old + 1;
  query_begin(c->query);
  enum result r = put_write(c, old);
  if (r != RESULT_OK) return finish(c, r);
  put_audit(c, "");
  ask(c, on_written);
}

/* ---- PUT ---- */

/* What a user has before the write. */
struct holdings {
  size_t count, bytes;
  uint64_t version; /* of the secret of this name; 0: there is none */
};

static bool count_holdings(const struct call *c, uint32_t rows, struct cursor *rest, struct holdings *h) {
  struct secret_row row;
  *h = (struct holdings){0};
  for (uint32_t i = 0; i < rows; i++) {
    if (!read_row(c, rest, &row)) return false;
    if (span_equal(row.name, buf_span(&c->name))) {
      if (h->version != 0) return false;
      h->version = row.version;
      continue;
    }
    h->count++;
    h->bytes += row.value.len;
  }
  return cursor_end(rest);
}

static void on_holdings(void *context, enum result result, uint32_t rows, struct cursor *rest) {
  struct call *c = context;
  struct holdings h;
  if (result == RESULT_OK && !count_holdings(c, rows, rest, &h)) result = RESULT_SECRET_STORE_UNAVAILABLE;
  result = failure(c, result);
  if (result != RESULT_OK) return finish(c, result);
  const size_t bytes = (c->value.len + c->policy.len + 8 + AEAD_OVERHEAD) * 4 / 3 + 8;
  if (h.count >= SECRETS_MOST) result = say(c, RESULT_SECRETS_FULL, "there are 1000 secrets already");
  if (h.bytes + bytes > SECRETS_TOTAL)
    result = say(c, RESULT_SECRETS_FULL, "all secrets together, sealed, exceed 4194304 bytes");
  if (result != RESULT_OK) return fail(c, result);
  c->created = h.version == 0;
  write(c, h.version);
}

static void put(struct call *c) {
  if (!to_writable(c))
    return finish(c, say(c, RESULT_METHOD_NOT_ALLOWED, "this service's store of secrets cannot be written here"));
  query_put(c->query, STATEMENT_ALL, (const struct span[]){buf_span(&c->user_id)}, 1);
  ask(c, on_holdings);
}

/* ---- POLICY and DELETE: where it is ---- */

static void locate(struct call *c);

static void set_policy(struct call *c, const struct secret_row *row) {
  struct buf plain = buf_new(row->value.len);
  struct span policy, value;
  enum result r = secrets_open(c->all, store_of(c), c->user, buf_span(&c->name), row, &plain, &policy, &value);
  if (r == RESULT_OK) buf_put_span(&c->value, value);
  buf_free(&plain);
  if (r == RESULT_SECRET_UNDECRYPTABLE) return fail(c, say(c, RESULT_RECORD_CORRUPT, result_sentence(r)));
  if (r == RESULT_OK && c->value.bad) r = RESULT_NO_MEMORY;
  if (r != RESULT_OK) return finish(c, r);
  write(c, row->version);
}

static void on_removed(void *context, enum result result, uint32_t rows, struct cursor *rest) {
  struct call *c = context;
  (void)rows, (void)rest; /* no row: somebody else did it, at the same time */
  finish(c, failure(c, result));
}

static void remove_it(struct call *c) {
  query_begin(c->query);
  put_named(c, STATEMENT_REMOVE);
  put_audit(c, "");
  ask(c, on_removed);
}

static void on_located(void *context, enum result result, uint32_t rows, struct cursor *rest) {
  struct call *c = context;
  struct secret_row row;
  if (result == RESULT_OK && (rows > 1 || (rows == 1 && !read_row(c, rest, &row)) || !cursor_end(rest)))
    result = RESULT_SECRET_STORE_UNAVAILABLE;
  result = failure(c, result);
  if (result != RESULT_OK) return finish(c, result);
  if (rows == 1) return c->verb == SECRET_DELETE ? remove_it(c) : set_policy(c, &row);
  c->store++;
  locate(c);
}

static void locate(struct call *c) {
  query_begin(c->query);
  if (to_writable(c)) {
    put_named(c, STATEMENT_FIND);
    return ask(c, on_located);
  }
  c->store = 0;
  fail(c, RESULT_SECRET_UNKNOWN);
}

/* ---- LIST ---- */

static void put_time(struct buf *b, const char *key, uint64_t seconds) {
  if (seconds == 0) return;
  json_put_key(b, key);
  buf_put_u8(b, '"');
  text_put_rfc3339(b, seconds * 1000000000u);
  buf_put_u8(b, '"');
}

/* The policy as it was sealed is canonical JSON; one that is none would break the reply. */
static bool policy_fits(struct span policy) {
  return policy.len == 0 || (json_first(policy) == '{' && json_check(policy, 2) == RESULT_OK);
}

static void put_listed(struct call *c, const struct secret_row *row) {
  struct buf plain = buf_new(row->value.len), *b = &c->reply;
  struct span policy, value;
  enum result r = secrets_open(c->all, store_of(c), c->user, row->name, row, &plain, &policy, &value);
  if (r == RESULT_OK && !policy_fits(policy)) r = RESULT_SECRET_UNDECRYPTABLE;
  buf_put_text(b, b->data[b->len - 1] == '[' ? "{" : ",{");
  json_put_member_string(b, "name", row->name);
  json_put_member_number(b, "version", row->version);
  if (r == RESULT_OK && store_of(c)->format == SECRETS_SEALED) {
    json_put_key(b, "policy");
    buf_put_span(b, policy.len > 0 ? policy : span_text("{}"));
  }
  json_put_member_string(b, "store", span_text(store_of(c)->store));
  json_put_member_string(b, "format", span_text(secrets_format_name(store_of(c))));
  put_time(b, "created_at", row->created);
  put_time(b, "updated_at", row->updated);
  if (r != RESULT_OK) json_put_member_string(b, "error", span_text(result_name(r)));
  buf_put_u8(b, '}');
  buf_free(&plain);
}

static void list(struct call *c);

static void on_listed(void *context, enum result result, uint32_t rows, struct cursor *rest) {
  struct call *c = context;
  struct secret_row row;
  bool fits = result != RESULT_OK || rows <= SECRETS_MOST;
  for (uint32_t i = 0; fits && i < rows; i++) {
    fits = read_row(c, rest, &row);
    if (fits && !c->reply.bad) put_listed(c, &row);
  }
  if (result == RESULT_OK && (!fits || !cursor_end(rest))) result = RESULT_SECRET_STORE_UNAVAILABLE;
  result = failure(c, result);
  if (result != RESULT_OK) return finish(c, result);
  c->store++;
  list(c);
}

static void list(struct call *c) {
  if (c->reply.len == 0) buf_put_text(&c->reply, "{\"secrets\":[");
  if (c->store == c->all->store_count) {
    buf_put_text(&c->reply, "]}");
    return finish(c, RESULT_OK);
  }
  query_begin(c->query);
  query_put(c->query, STATEMENT_ALL, (const struct span[]){buf_span(&c->user_id)}, 1);
  ask(c, on_listed);
}

/* ---- AUDIT ---- */

/* Ids of several stores in one descending order: those of the first store are the highest. */
static uint64_t rank_of(const struct call *c) {
  return (uint64_t)(c->all->store_count - 1 - c->store) << STORE_BITS;
}

static void put_access(struct call *c, const struct secret_row *row) {
  struct buf *b = &c->reply;
  buf_put_text(b, b->data[b->len - 1] == '[' ? "{" : ",{");
  json_put_member_number(b, "id", rank_of(c) + row->id);
  json_put_member_string(b, "action", row->action);
  json_put_member_string(b, "service", row->service);
  json_put_key(b, "success");
  buf_put_text(b, row->success ? "true" : "false");
  if (row->error.len > 0) json_put_member_string(b, "error", row->error);
  json_put_member_string(b, "agent", row->agent);
  put_time(b, "time", row->time);
  buf_put_u8(b, '}');
}

/* Newest first, or the store's answer is none. */
static bool take_accesses(struct call *c, uint32_t rows, struct cursor *rest) {
  struct secret_row row;
  for (uint32_t i = 0; i < rows; i++) {
    if (c->limit == 0 || !read_row(c, rest, &row) || rank_of(c) + row.id >= c->before) return false;
    if (!c->reply.bad) put_access(c, &row);
    c->before = rank_of(c) + row.id;
    c->limit--;
  }
  return cursor_end(rest);
}

static void audit(struct call *c);

static void on_accesses(void *context, enum result result, uint32_t rows, struct cursor *rest) {
  struct call *c = context;
  if (result == RESULT_OK && !take_accesses(c, rows, rest)) result = RESULT_SECRET_STORE_UNAVAILABLE;
  result = failure(c, result);
  if (result != RESULT_OK) return finish(c, result);
  if (c->limit > 0) c->store++;
  audit(c);
}

static void put_audits(struct call *c) {
  char before_memory[24], limit_memory[24];
  struct buf before = buf_fixed(before_memory, sizeof before_memory),
             limit = buf_fixed(limit_memory, sizeof limit_memory);
  const uint64_t id = c->before - rank_of(c);
  put_number(&before, id > SECRET_AUDIT_ID_MAX ? 0 : id);
  put_number(&limit, c->limit);
  query_begin(c->query);
  query_put(c->query, STATEMENT_AUDITS,
            (const struct span[]){buf_span(&c->user_id), buf_span(&c->name), buf_span(&before), buf_span(&limit)}, 4);
}

static void audit(struct call *c) {
  if (c->reply.len == 0) buf_put_text(&c->reply, "{\"audit\":[");
  /* Stores that have nothing below it. */
  while (c->store < c->all->store_count && c->before <= rank_of(c) + 1) c->store++;
  if (c->limit > 0 && c->store < c->all->store_count) {
    put_audits(c);
    return ask(c, on_accesses);
  }
  buf_put_u8(&c->reply, ']');
  if (c->limit == 0) json_put_member_number(&c->reply, "next", c->before);
  buf_put_u8(&c->reply, '}');
  finish(c, RESULT_OK);
}

/* ---- what a call says ---- */

struct body {
  struct call *call;
  bool has_value, has_sealed, has_policy, has_enc, has_ciphertext;
  uint8_t enc[HPKE_ENC];
  struct buf ciphertext;
};

static enum result get_text(struct call *c, struct span value, struct buf *out, const char *sentence) {
  if (json_first(value) == '"' && json_get_string(value, out) && !out->bad) return RESULT_OK;
  return say(c, RESULT_SECRET_INVALID, sentence);
}

static enum result check_value(struct call *c) {
  if (c->value.len > SECRET_VALUE_MAX) return say(c, RESULT_SECRET_TOO_LARGE, "value: exceeds 65536 bytes");
  if (c->value.len > 0 && text_utf8_valid(buf_span(&c->value))) return RESULT_OK;
  return say(c, RESULT_SECRET_INVALID, "value: must be 1 to 65536 bytes of UTF-8");
}

static enum result read_value(struct body *b, struct span value) {
  struct call *c = b->call;
  if (json_first(value) != '"') return say(c, RESULT_SECRET_INVALID, "value: must be a string");
  if (!json_get_string(value, &c->value))
    return say(c, RESULT_SECRET_INVALID, "value: has an escape that is half of a surrogate pair");
  /* What did not fit was too long: the buffer holds any value and all that escapes add. */
  if (c->value.bad) return say(c, RESULT_SECRET_TOO_LARGE, "value: exceeds 65536 bytes");
  return check_value(c);
}

static enum result read_enc(struct body *b, struct span value) {
  char memory[BASE64_URL_SIZE(HPKE_ENC)];
  struct buf text = buf_fixed(memory, sizeof memory);
  const char *sentence = "sealed.enc: must be base64url of 32 bytes";
  enum result r = get_text(b->call, value, &text, sentence);
  if (r != RESULT_OK || base64_read_url(buf_span(&text), b->enc, sizeof b->enc)) return r;
  return say(b->call, RESULT_SECRET_INVALID, sentence);
}

static enum result read_ciphertext(struct body *b, struct span value) {
  struct buf text = buf_new(value.len);
  const char *sentence = "sealed.ciphertext: must be base64url";
  enum result r = get_text(b->call, value, &text, sentence);
  if (r == RESULT_OK) r = base64_get_url(&b->ciphertext, buf_span(&text));
  buf_free(&text);
  if (r == RESULT_BAD_REQUEST) return say(b->call, RESULT_SECRET_INVALID, sentence);
  return r == RESULT_NO_MEMORY ? say(b->call, RESULT_SECRET_TOO_LARGE, "sealed.ciphertext: exceeds 65552 bytes") : r;
}

static enum result read_policy(struct body *b, struct span value) {
  struct call *c = b->call;
  struct secret_policy policy;
  enum result r = secret_policy_parse(value, &policy, &c->detail);
  if (r == RESULT_OK) secret_policy_put(&c->policy, &policy);
  if (r == RESULT_OK && c->policy.bad) r = RESULT_NO_MEMORY;
  c->uses = policy.uses;
  secret_policy_free(&policy);
  return r;
}

static enum result read_sealed(struct body *b, struct span value);

struct member {
  const char *name;
  size_t seen; /* offset of the flag */
  enum result (*read)(struct body *b, struct span value);
};

static const struct member put_members[] = {{"value", offsetof(struct body, has_value), read_value},
                                            {"sealed", offsetof(struct body, has_sealed), read_sealed},
                                            {"policy", offsetof(struct body, has_policy), read_policy}};
static const struct member sealed_members[] = {{"enc", offsetof(struct body, has_enc), read_enc},
                                               {"ciphertext", offsetof(struct body, has_ciphertext), read_ciphertext}};
#define MEMBERS(table) table, sizeof table / sizeof table[0]

static enum result read_member(struct body *b, const struct json_item *item, const struct member *members, size_t count,
                               const char *unknown) {
  char memory[32];
  struct buf name = buf_fixed(memory, sizeof memory);
  const bool whole = item->key.len > 0 && json_get_string(item->key, &name) && !name.bad;
  for (size_t i = 0; whole && i < count; i++) {
    if (!span_is(buf_span(&name), members[i].name)) continue;
    bool *seen = (bool *)((uint8_t *)b + members[i].seen);
    if (*seen) return say(b->call, RESULT_SECRET_INVALID, "a member comes twice");
    *seen = true;
    return members[i].read(b, item->value);
  }
  return say(b->call, RESULT_UNKNOWN_FIELD, unknown);
}

static enum result visit_sealed(void *context, const struct json_item *item) {
  return read_member(context, item, MEMBERS(sealed_members), "sealed: has a member that is not known");
}

static enum result read_sealed(struct body *b, struct span value) {
  size_t at;
  if (json_first(value) != '{') return say(b->call, RESULT_SECRET_INVALID, "sealed: must be an object");
  enum result r = json_each(value, 1, visit_sealed, b, &at);
  if (r == RESULT_INPUT_INVALID || (r == RESULT_OK && !(b->has_enc && b->has_ciphertext)))
    return say(b->call, RESULT_SECRET_INVALID, "sealed: must have enc and ciphertext");
  return r;
}

/* docs/protocol.md, "A secret that its owner sealed". */
static enum result open_sealed(struct body *b) {
  struct call *c = b->call;
  struct buf aad = buf_new(c->user_id.len + 1 + c->name.len);
  buf_put_span(&aad, buf_span(&c->user_id));
  buf_put_u8(&aad, 0);
  buf_put_span(&aad, buf_span(&c->name));
  enum result r = aad.bad ? RESULT_NO_MEMORY
                          : keys_open_sealed(c->all->setup.keys, b->enc, span_text(SEALED_INFO), buf_span(&aad),
                                             buf_span(&b->ciphertext), &c->value);
  buf_free(&aad);
  if (r == RESULT_SEALED_INVALID) return say(c, r, "sealed: does not open with this service's key for this name");
  return r == RESULT_OK ? check_value(c) : r;
}

static enum result visit_put(void *context, const struct json_item *item) {
  return read_member(context, item, MEMBERS(put_members), "the request has a member that is not known");
}

static enum result read_put(struct call *c, struct span text) {
  struct body b = {.call = c, .ciphertext = buf_new(SECRET_VALUE_MAX + HPKE_TAG)};
  size_t at;
  enum result r = json_first(text) == '{' ? json_each(text, 4, visit_put, &b, &at) : RESULT_INPUT_INVALID;
  if (r == RESULT_INPUT_INVALID) r = say(c, RESULT_BAD_REQUEST, "the request must be a JSON object");
  if (r == RESULT_OK && b.has_value == b.has_sealed)
    r = say(c, RESULT_SECRET_INVALID, "value: there must be value or sealed, one of them");
  if (r == RESULT_OK && b.has_sealed) r = open_sealed(&b);
  buf_free(&b.ciphertext);
  return r;
}

static enum result read_policy_body(struct call *c, struct span text) {
  if (text.len == 0) return say(c, RESULT_BAD_REQUEST, "the request must be a policy");
  return read_policy(&(struct body){.call = c}, text);
}

static enum result read_nothing(struct call *c, struct span text) {
  (void)c;
  return text.len == 0 ? RESULT_OK : RESULT_BAD_REQUEST;
}

static const struct {
  bool named;
  enum result (*read)(struct call *c, struct span body);
  void (*begin)(struct call *c);
} verbs[] = {
    [SECRET_PUT] = {true, read_put, put},
    [SECRET_LIST] = {false, read_nothing, list},
    [SECRET_DELETE] = {true, read_nothing, locate},
    [SECRET_AUDIT] = {true, read_nothing, audit},
    [SECRET_POLICY] = {true, read_policy_body, locate},
};
#define VERBS (sizeof verbs / sizeof verbs[0])

/* ---- a call ---- */

static bool in_range(const struct wire_secret_call *m) {
  if (m->verb == 0 || m->verb >= VERBS || !secrets_user_valid(m->user_id, m->user)) return false;
  return m->verb != SECRET_AUDIT || (m->limit >= 1 && m->limit <= AUDIT_MAX);
}

static enum result fill(struct call *c, const struct wire_secret_call *m) {
  c->ticket = m->ticket;
  c->deadline_ns = secrets_deadline_ns();
  c->verb = m->verb;
  c->limit = m->limit;
  c->before = m->before == 0 ? UINT64_MAX : m->before;
  memcpy(c->user, m->user, sizeof c->user);
  c->user_id = buf_new(m->user_id.len);
  c->name = buf_new(SECRET_NAME_MAX);
  c->agent = buf_new(512);
  c->value = buf_new(SERVICE_REQUEST_MAX);
  c->policy = buf_new(SECRET_POLICY_MAX);
  c->detail = buf_new(512);
  c->reply = buf_new(REPLY_MAX);
  buf_put_span(&c->user_id, m->user_id);
  buf_put_span(&c->name, m->name);
  secrets_put_agent(&c->agent, span_of(NULL, 0), m->trace);
  if (c->user_id.bad || c->agent.bad) return RESULT_NO_MEMORY;
  return query_new(c->all->setup.base, &c->query);
}

static void begin(struct call *c, const struct wire_secret_call *m) {
  enum result r = fill(c, m);
  if (r == RESULT_OK && verbs[c->verb].named && !secrets_name_valid(m->name))
    r = say(c, RESULT_SECRET_INVALID, "name: must be [A-Za-z0-9_.-]{1,128}");
  if (r == RESULT_OK) r = verbs[c->verb].read(c, m->body);
  if (r != RESULT_OK) return finish(c, r);
  query_begin(c->query);
  verbs[c->verb].begin(c);
}

enum result secrets_call(struct secrets *s, struct span body) {
  struct wire_secret_call m;
  if (!wire_get_secret_call(body, &m) || !in_range(&m)) return RESULT_PEER_LIED;
  const struct span none = span_of(NULL, 0);
  struct call *c = s->outstanding < SECRETS_OUTSTANDING ? calloc(1, sizeof *c) : NULL;
  if (c == NULL) {
    tell(s, m.ticket, RESULT_BUSY, none, none);
    return RESULT_OK;
  }
  c->all = s;
  c->next = s->calls;
  s->calls = c;
  s->outstanding++;
  begin(c, &m);
  return RESULT_OK;
}

void secrets_drop_calls(struct secrets *s) {
  for (struct call *c = s->calls, *next; c != NULL; c = next) {
    next = c->next;
    call_free(c);
  }
  s->calls = NULL;
}
