/*
 * What a job gets of its user's secrets. Stores are asked in order for what is not found yet, or were before and what
 * they had is still known; what was found is opened and its policy evaluated; then the accesses are counted and written
 * down, and the job is answered: afterwards, or, where nothing hangs on it, meanwhile. Whatever is amiss, it gets
 * nothing, and that is written down.
 */
#include "keeper/secrets_state.h"

#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/random.h"

#define NOWHERE SIZE_MAX
/* A count that others change meanwhile is looked up again. Each round at least one of them gets through, and a user has
 * five jobs at a time; the deadline holds for all rounds. */
#define ROUNDS 8u
#define PLACEHOLDER "secret_"
#define PLACEHOLDER_LEN (sizeof PLACEHOLDER - 1 + 32)

struct wanted {
  uint8_t name_bytes[SECRET_NAME_MAX];
  struct span name;
  size_t store; /* where it was found, or NOWHERE */
  enum result result;
  const char *rule;            /* of its policy, that forbids it */
  bool any_policy, our_policy; /* POLICIES rows */
  bool recorded;
  uint64_t version, used;
  struct buf plain; /* policy and value */
  struct span value;
  struct secret_policy policy;
  struct buf uses; /* as the store has them */
  uint8_t placeholder[PLACEHOLDER_LEN];
};

struct lookup {
  struct lookup *next;
  struct secrets *all;
  struct query *query;
  uint64_t ticket, deadline_ns;
  uint8_t user[32], script[HASH_SIZE];
  struct buf user_id, agent;
  size_t store;   /* the one that is being asked */
  size_t away;    /* the one that did not answer, or NOWHERE */
  size_t failed;  /* the first secret that is refused; the job's result is its; or NOWHERE */
  uint64_t drops; /* secrets_cache_drops of the store that is being asked, then */
  unsigned rounds;
  uint8_t asked[WIRE_STATEMENTS_MAX]; /* which secret a statement is about */
  struct event due;                   /* to answer, while the store still writes */
  secrets_answer *answer;             /* NULL: it was given */
  void *context;
  size_t count;
  struct wanted wanted[]; /* as many as were asked for */
};

/* ---- beginning and end ---- */

static void forget_found(struct wanted *w) {
  secret_policy_free(&w->policy);
  buf_free(&w->plain);
  buf_free(&w->uses);
  w->policy = (struct secret_policy){0};
  w->value = span_of(NULL, 0);
  w->store = NOWHERE;
  w->used = 0;
  w->any_policy = w->our_policy = false;
}

static void lookup_free(struct lookup *l) {
  query_free(l->query);
  (void)event_del(&l->due);
  for (size_t i = 0; i < l->count; i++) forget_found(&l->wanted[i]);
  buf_free(&l->user_id);
  buf_free(&l->agent);
  wipe(l, sizeof *l + l->count * sizeof l->wanted[0]);
  free(l);
}

static void take_off(struct lookup *l) {
  struct lookup **at = &l->all->lookups;
  while (*at != l) at = &(*at)->next;
  *at = l->next;
  l->all->outstanding--;
}

static void put_detail(struct buf *b, const struct lookup *l, const struct wanted *w) {
  buf_put_span(b, w->name);
  switch (w->result) {
    case RESULT_SECRET_NOT_FOUND:
      return buf_put_text(b, ": there is no secret of that name");
    case RESULT_SECRET_FORBIDDEN:
      return buf_printf(b, ": forbidden by its policy (%s)", w->rule);
    case RESULT_SECRET_EXPIRED:
      buf_put_text(b, ": expired at ");
      return text_put_rfc3339(b, w->policy.expires_ns);
    case RESULT_SECRET_STORE_UNAVAILABLE:
      return buf_printf(b, ": the secret store %s %s", l->all->stores[l->away]->store, w->rule);
    default:
      return buf_printf(b, ": %s", result_sentence(w->result));
  }
}

static struct secrets_granted granted(const struct lookup *l, const struct wanted *w) {
  const struct span placeholder = span_of(w->placeholder, sizeof w->placeholder);
  struct secrets_granted g = {.name = w->name,
                              .value = w->value,
                              .version = w->version,
                              .format = secrets_format_name(l->all->stores[w->store]),
                              .egress_only = w->policy.egress_only};
  if (!g.egress_only) return g;
  g.value = placeholder;
  g.fetch = (struct fetch_secret){
      .name = w->name, .placeholder = placeholder, .value = w->value, .hosts = buf_span(&w->policy.hosts)};
  return g;
}

/* The values are the job's then. */
static void give(struct lookup *l) {
  struct secrets_granted all[WIRE_SECRETS_MAX] = {0};
  char memory[512];
  struct buf detail = buf_fixed(memory, sizeof memory);
  const struct wanted *failed = l->failed != NOWHERE ? &l->wanted[l->failed] : NULL;
  for (size_t i = 0; failed == NULL && i < l->count; i++) all[i] = granted(l, &l->wanted[i]);
  if (failed != NULL) put_detail(&detail, l, failed);
  secrets_answer *answer = l->answer;
  l->answer = NULL;
  answer(l->context, failed != NULL ? failed->result : RESULT_OK, buf_span(&detail), failed != NULL ? NULL : all,
         failed != NULL ? 0 : l->count);
  for (size_t i = 0; i < l->count; i++) {
    buf_free(&l->wanted[i].plain);
    l->wanted[i].value = span_of(NULL, 0);
  }
}

/* The one way out. */
static void finish(struct lookup *l) {
  take_off(l); /* who is answered may well forget it */
  if (l->answer != NULL) give(l);
  lookup_free(l);
}

static void refuse(struct lookup *l, struct wanted *w, enum result why, const char *rule) {
  w->result = why;
  w->rule = rule;
  const size_t index = (size_t)(w - l->wanted);
  if (l->failed == NOWHERE || index < l->failed) l->failed = index;
}

/* ---- counting and writing down ---- */

static void record(struct lookup *l);
static void find(struct lookup *l);

/* What no store has is written down in the first that answers. */
static size_t audit_store(const struct lookup *l, const struct wanted *w) {
  if (w->store != NOWHERE) return w->store;
  return l->away == 0 && l->all->store_count > 1 ? 1 : 0;
}

/* Whether it is to be written down in the store that is being asked. */
static bool is_at_hand(const struct lookup *l, const struct wanted *w) {
  return !w->recorded && audit_store(l, w) == l->store;
}

static const char *error_of(const struct lookup *l, const struct wanted *w) {
  if (w->result == RESULT_SECRET_FORBIDDEN) return w->rule;
  if (w->result != RESULT_OK) return result_name(w->result);
  return l->failed != NOWHERE ? "withheld" : ""; /* this one could be had, but the job does not run */
}

static bool is_counted(const struct lookup *l, const struct wanted *w) {
  return l->failed == NOWHERE && w->policy.uses > 0;
}

static enum result put_use(struct lookup *l, const struct wanted *w) {
  const struct secret_place place = {.user = l->user, .name = w->name, .version = w->version};
  char memory[256];
  struct buf text = buf_fixed(memory, sizeof memory);
  enum result r = keys_secret_seal_uses(l->all->setup.keys, &place, w->used + 1, &text);
  const struct span values[] = {buf_span(&l->user_id), w->name, buf_span(&text), buf_span(&w->uses)};
  if (r == RESULT_OK) query_put(l->query, STATEMENT_USE, values, sizeof values / sizeof values[0]);
  return r;
}

/* The statements of the store at hand; an access that cannot be counted is none. */
static void put_record(struct lookup *l) {
  query_begin(l->query);
  for (size_t i = 0; i < l->count; i++) {
    struct wanted *w = &l->wanted[i];
    if (!is_at_hand(l, w) || !is_counted(l, w)) continue;
    enum result r = put_use(l, w);
    if (r != RESULT_OK) refuse(l, w, r, NULL);
  }
  if (l->failed != NOWHERE) query_begin(l->query); /* nothing is given, nothing is counted */
  for (size_t i = 0; i < l->count; i++) {
    const struct wanted *w = &l->wanted[i];
    if (!is_at_hand(l, w)) continue;
    secrets_put_audit(l->query, &(struct secrets_audit){.user_id = buf_span(&l->user_id),
                                                        .name = secrets_name_valid(w->name) ? w->name : span_text("-"),
                                                        .agent = buf_span(&l->agent),
                                                        .action = "read",
                                                        .error = error_of(l, w)});
  }
}

static void log_lost_audit(const struct lookup *l) {
  log_begin(LOG_WARN, "secret_audit_lost");
  log_text("store", span_text(l->all->stores[l->store]->store));
  log_text("access", buf_span(&l->agent));
  log_end();
}

/* Somebody else counted, or wrote a new version: from the beginning with those of this store. */
static bool look_again(struct lookup *l) {
  if (l->answer == NULL || l->failed != NOWHERE || ++l->rounds >= ROUNDS || clock_monotonic_ns() >= l->deadline_ns)
    return false;
  for (size_t i = 0; i < l->count; i++)
    if (is_at_hand(l, &l->wanted[i])) forget_found(&l->wanted[i]);
  l->store = 0;
  find(l);
  return true;
}

/* Nothing of the store's part was done. It matters if the access was to be counted, and always in strict mode. */
static void record_failed(struct lookup *l, enum result why) {
  struct wanted *first = NULL;
  bool counted = false;
  for (size_t i = l->count; i-- > 0;) {
    if (!is_at_hand(l, &l->wanted[i])) continue;
    first = &l->wanted[i];
    counted |= is_counted(l, first);
  }
  log_lost_audit(l);
  if (first == NULL || l->failed != NOWHERE || !(counted || l->all->setup.strict)) return;
  l->away = l->store;
  refuse(l, first, RESULT_SECRET_STORE_UNAVAILABLE,
         why == RESULT_SECRET_CONFLICT ? "is written by others all the time" : "is away");
}

static void on_recorded(void *context, enum result result, uint32_t rows, struct cursor *rest) {
  struct lookup *l = context;
  (void)rest;
  if (result == RESULT_SECRET_CONFLICT && look_again(l)) return;
  if (result != RESULT_OK || rows > 0) record_failed(l, result);
  for (size_t i = 0; i < l->count; i++)
    if (audit_store(l, &l->wanted[i]) == l->store) l->wanted[i].recorded = true;
  l->store++;
  record(l);
}

/* Whether the job may begin meanwhile: what is written down is neither counted nor, outside strict mode, a condition,
 * and it is there before the job's end is. */
static bool need_not_wait(const struct lookup *l) {
  if (l->all->setup.strict || !l->all->stores[l->store]->in_order) return false;
  for (size_t i = 0; i < l->count; i++)
    if (is_counted(l, &l->wanted[i]) || !(l->wanted[i].recorded || is_at_hand(l, &l->wanted[i]))) return false;
  return true;
}

static void on_due(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct lookup *l = context;
  if (l->answer != NULL) give(l);
}

/* The answer is never given from within secrets_ask. */
static void record_meanwhile(struct lookup *l) {
  query_ask_later(l->query, l->all->stores[l->store], secrets_left_ms(l->deadline_ns, SECRETS_RECORD_MS), on_recorded,
                  l);
  event_active(&l->due, EV_TIMEOUT, 0);
}

static void record(struct lookup *l) {
  for (; l->store < l->all->store_count; l->store++) {
    put_record(l);
    if (query_count(l->query) == 0) continue;
    if (need_not_wait(l)) return record_meanwhile(l);
    return query_ask(l->query, l->all->stores[l->store], secrets_left_ms(l->deadline_ns, SECRETS_RECORD_MS),
                     on_recorded, l);
  }
  finish(l);
}

/* ---- what was found ---- */

static enum result make_placeholder(struct wanted *w) {
  uint8_t random[16];
  struct buf text = buf_fixed(w->placeholder, sizeof w->placeholder);
  enum result r = random_bytes(random, sizeof random);
  buf_put_text(&text, PLACEHOLDER);
  text_put_hex(&text, span_of(random, sizeof random));
  return r;
}

/* A secret with a number of uses has had its count since it was written: without one, somebody took it away. */
static enum result read_uses(struct lookup *l, struct wanted *w) {
  const struct secret_place place = {.user = l->user, .name = w->name, .version = w->version};
  if (w->policy.uses == 0) return RESULT_OK;
  return keys_secret_open_uses(l->all->setup.keys, &place, buf_span(&w->uses), &w->used);
}

static void judge_sealed(struct lookup *l, struct wanted *w, struct span policy) {
  char memory[256];
  struct buf detail = buf_fixed(memory, sizeof memory);
  const char *rule = NULL;
  enum result r = secret_policy_parse(policy, &w->policy, &detail);
  if (r == RESULT_OK) r = read_uses(l, w);
  if (r == RESULT_SECRET_INVALID) r = RESULT_SECRET_UNDECRYPTABLE;
  const struct secret_access access = {
      .service = span_text(SECRET_SERVICE), .script = l->script, .now_ns = clock_real_ns(), .used = w->used};
  if (r == RESULT_OK) r = secret_policy_evaluate(&w->policy, &access, &rule);
  if (r == RESULT_OK && w->policy.egress_only) r = make_placeholder(w);
  if (r != RESULT_OK) refuse(l, w, r, rule);
}

/* As the reference does: a row for us allows, and where nobody has a row everybody may, but not in strict mode. */
static void judge_reference(struct lookup *l, struct wanted *w) {
  const bool allowed = w->our_policy || (!w->any_policy && !l->all->setup.strict);
  if (!allowed) refuse(l, w, RESULT_SECRET_FORBIDDEN, "services");
}

static bool take_found(struct lookup *l, struct wanted *w, const struct secret_row *row) {
  const struct secrets_backend *store = l->all->stores[l->store];
  struct span policy;
  if (w->store != NOWHERE) return false; /* two rows of one secret */
  w->store = l->store;
  w->version = row->version;
  w->plain = buf_new(row->value.len);
  w->uses = buf_new(row->uses.len);
  buf_put_span(&w->uses, row->uses);
  enum result r = w->uses.bad ? RESULT_NO_MEMORY
                              : secrets_open(l->all, store, l->user, w->name, row, &w->plain, &policy, &w->value);
  if (r != RESULT_OK)
    refuse(l, w, r, NULL);
  else if (store->format == SECRETS_SEALED)
    judge_sealed(l, w, policy);
  return true;
}

static bool take_row(struct lookup *l, const struct secret_row *row) {
  struct wanted *w = &l->wanted[l->asked[row->index]];
  if (row->statement == STATEMENT_FIND) return take_found(l, w, row);
  w->any_policy = true;
  w->our_policy |= span_is(row->service, SECRET_SERVICE);
  return true;
}

static bool take_rows(struct lookup *l, uint32_t count, struct cursor *rest) {
  struct secret_row row;
  for (uint32_t i = 0; i < count; i++)
    if (!secret_row_read(rest, query_statements(l->query), query_count(l->query), &row) || !take_row(l, &row))
      return false;
  return cursor_end(rest);
}

/* Of an answer that was sound, what a job may have. */
static void keep_rows(const struct lookup *l, uint32_t count, struct cursor rest) {
  struct secrets_cache *cache = l->all->stores[l->store]->cache;
  struct secret_row row;
  if (cache == NULL) return;
  for (uint32_t i = 0; i < count && secret_row_read(&rest, query_statements(l->query), query_count(l->query), &row);
       i++) {
    const struct wanted *w = &l->wanted[l->asked[row.index]];
    if (w->result == RESULT_OK) secrets_cache_put(cache, buf_span(&l->user_id), w->name, &row, l->drops);
  }
}

static bool is_missing(const struct wanted *w) {
  return w->store == NOWHERE && w->result == RESULT_OK;
}

static void settle(struct lookup *l) {
  for (size_t i = 0; i < l->count; i++)
    if (is_missing(&l->wanted[i])) refuse(l, &l->wanted[i], RESULT_SECRET_NOT_FOUND, NULL);
  l->store = 0;
  record(l);
}

/* The store may have what it was asked for, and it comes before the others: nobody else is asked. */
static void store_failed(struct lookup *l, enum result why) {
  l->away = l->store;
  for (size_t i = 0; i < l->count; i++) {
    struct wanted *w = &l->wanted[i];
    if (w->store == l->store && !w->recorded) {
      forget_found(w);
      w->result = RESULT_OK;
    }
    if (is_missing(w)) refuse(l, w, why, "is away");
  }
  settle(l);
}

static void on_found(void *context, enum result result, uint32_t rows, struct cursor *rest) {
  struct lookup *l = context;
  const struct cursor all = *rest;
  if (result != RESULT_OK && result != RESULT_NO_MEMORY) result = RESULT_SECRET_STORE_UNAVAILABLE;
  if (result == RESULT_OK && !take_rows(l, rows, rest)) result = RESULT_SECRET_STORE_UNAVAILABLE;
  if (result != RESULT_OK) return store_failed(l, result);
  keep_rows(l, rows, all);
  for (size_t i = 0; i < l->count; i++)
    if (l->wanted[i].store == l->store && l->all->stores[l->store]->format == SECRETS_REFERENCE)
      judge_reference(l, &l->wanted[i]);
  l->store++;
  find(l);
}

static void put_find(struct lookup *l, enum secret_statement statement) {
  for (size_t i = 0; i < l->count; i++) {
    const struct wanted *w = &l->wanted[i];
    if (!is_missing(w)) continue;
    l->asked[query_count(l->query)] = (uint8_t)i;
    query_put(l->query, statement, (const struct span[]){buf_span(&l->user_id), w->name}, 2);
  }
}

/* What the store at hand answered somebody before. */
static void recall(struct lookup *l) {
  const struct secrets_cache *cache = l->all->stores[l->store]->cache;
  struct secret_row row;
  if (cache == NULL) return;
  for (size_t i = 0; i < l->count; i++) {
    struct wanted *w = &l->wanted[i];
    if (is_missing(w) && secrets_cache_get(cache, buf_span(&l->user_id), w->name, &row)) (void)take_found(l, w, &row);
  }
  l->drops = secrets_cache_drops(cache);
}

static void find(struct lookup *l) {
  query_begin(l->query);
  if (l->store == l->all->store_count) return settle(l);
  recall(l);
  put_find(l, STATEMENT_FIND);
  if (query_count(l->query) == 0) return settle(l);
  if (l->all->stores[l->store]->format == SECRETS_REFERENCE) put_find(l, STATEMENT_POLICIES);
  query_ask(l->query, l->all->stores[l->store], secrets_left_ms(l->deadline_ns, 0), on_found, l);
}

/* ---- asking ---- */

static void want(struct lookup *l, struct span name) {
  struct wanted *w = &l->wanted[l->count++];
  const size_t len = name.len <= SECRET_NAME_MAX ? name.len : text_utf8_cut(name, SECRET_NAME_MAX);
  w->store = NOWHERE;
  if (len > 0) memcpy(w->name_bytes, name.data, len);
  w->name = span_of(w->name_bytes, len);
  if (!secrets_name_valid(name)) refuse(l, w, RESULT_SECRET_NOT_FOUND, NULL);
}

static enum result fill(struct lookup *l, const struct secrets_request *m) {
  l->away = l->failed = NOWHERE;
  memcpy(l->user, m->user, sizeof l->user);
  memcpy(l->script, m->script, sizeof l->script);
  l->user_id = buf_new(m->user_id.len);
  l->agent = buf_new(512);
  buf_put_span(&l->user_id, m->user_id);
  secrets_put_agent(&l->agent, m->job, m->trace);
  for (size_t i = 0; i < m->count; i++) want(l, m->names[i]);
  l->deadline_ns = secrets_deadline_ns();
  return l->user_id.bad || l->agent.bad ? RESULT_NO_MEMORY : query_new(l->all->setup.base, &l->query);
}

enum result secrets_ask(struct secrets *s, const struct secrets_request *request, secrets_answer *answer, void *context,
                        uint64_t *ticket) {
  if (request->count == 0 || request->count > WIRE_SECRETS_MAX) return RESULT_TOO_MANY_SECRETS;
  if (!secrets_user_valid(request->user_id, request->user)) return RESULT_PEER_LIED;
  if (s->outstanding >= SECRETS_OUTSTANDING) return RESULT_BUSY;
  struct lookup *l = calloc(1, sizeof *l + request->count * sizeof l->wanted[0]);
  if (l == NULL) return RESULT_NO_MEMORY;
  l->all = s;
  event_assign(&l->due, s->setup.base, -1, 0, on_due, l);
  enum result r = fill(l, request);
  if (r != RESULT_OK) {
    lookup_free(l);
    return r;
  }
  l->answer = answer;
  l->context = context;
  *ticket = l->ticket = ++s->last;
  l->next = s->lookups;
  s->lookups = l;
  s->outstanding++;
  find(l); /* at least one query follows, if only to write down that nothing was given */
  return RESULT_OK;
}

void secrets_forget(struct secrets *s, uint64_t ticket) {
  struct lookup *l = s->lookups;
  while (l != NULL && l->ticket != ticket) l = l->next;
  if (l == NULL || l->answer == NULL) return; /* what is being written down stays so */
  take_off(l);
  lookup_free(l);
}

void secrets_drop_lookups(struct secrets *s) {
  for (struct lookup *l = s->lookups, *next; l != NULL; l = next) {
    next = l->next;
    lookup_free(l);
  }
  s->lookups = NULL;
}
