#include "keeper/secrets_state.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#define USER_ID_MAX 1024u

/* ---- what the parts share ---- */

bool secrets_name_valid(struct span name) {
  for (size_t i = 0; i < name.len; i++) {
    const uint8_t c = name.data[i], lower = c | 0x20;
    if (!((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-')) return false;
  }
  return name.len >= 1 && name.len <= SECRET_NAME_MAX;
}

bool secrets_user_valid(struct span user_id, const uint8_t *user) {
  uint8_t hash[HASH_SIZE];
  if (user_id.len == 0 || user_id.len > USER_ID_MAX || !text_utf8_valid(user_id)) return false;
  if (memchr(user_id.data, 0, user_id.len) != NULL) return false;
  return hash_sha256(&user_id, 1, hash) == RESULT_OK && memcmp(hash, user, sizeof hash) == 0;
}

enum result secrets_open(const struct secrets *s, const struct secrets_backend *store, const uint8_t *user,
                         struct span name, const struct secret_row *row, struct buf *plain, struct span *policy,
                         struct span *value) {
  *policy = *value = span_of(NULL, 0);
  if (store->format == SECRETS_REFERENCE)
    return secret_record_open_reference(s->reference_key, row->value, plain, value);
  if (!secrets_name_valid(name)) return RESULT_SECRET_UNDECRYPTABLE;
  const struct secret_place place = {.user = user, .name = name, .version = row->version};
  return keys_secret_open(s->setup.keys, &place, row->value, plain, policy, value);
}

const char *secrets_format_name(const struct secrets_backend *store) {
  return store->format == SECRETS_REFERENCE ? SECRETS_FORMAT_REFERENCE : SECRETS_FORMAT_SEALED;
}

void secrets_put_audit(struct query *q, const struct secrets_audit *a) {
  const struct span values[] = {a->user_id,
                                a->name,
                                span_text(a->action),
                                span_text(SECRET_SERVICE),
                                a->agent,
                                span_text(a->error[0] == 0 ? "1" : "0"),
                                span_text(a->error)};
  query_put(q, STATEMENT_AUDIT, values, sizeof values / sizeof values[0]);
}

/* What a stranger chose goes into a row only as text on one line. */
static void put_plain(struct buf *b, const char *key, struct span text) {
  if (text.len == 0) return;
  buf_put_text(b, key);
  for (size_t i = 0; i < text.len && i < 128; i++)
    buf_put_u8(b, text.data[i] > ' ' && text.data[i] < 0x7F ? text.data[i] : '?');
}

void secrets_put_agent(struct buf *b, struct span job, struct span trace) {
  buf_put_text(b, SECRET_SERVICE "/" NEOCOMPUTE_VERSION);
  put_plain(b, " job=", job);
  put_plain(b, " trace=", trace);
}

uint64_t secrets_deadline_ns(void) {
  return clock_monotonic_ns() + (uint64_t)SECRETS_DEADLINE_MS * 1000000;
}

uint32_t secrets_left_ms(uint64_t deadline_ns, uint32_t least) {
  const uint64_t now = clock_monotonic_ns();
  const uint64_t left = now < deadline_ns ? (deadline_ns - now) / 1000000 : 0;
  return left > least ? (uint32_t)left : least;
}

/* ---- the stores ---- */

static const struct {
  const char *name;
  enum result (*make)(const struct secrets_setup *setup, struct secrets_backend **out);
} known[SECRETS_STORES] = {
    {"embedded", secrets_embedded_new}, {"postgres", secrets_postgres_new}, {"supabase", secrets_supabase_new}};

static enum result add_store(struct secrets *s, const struct secrets_setup *setup, struct span name) {
  struct secrets_backend **at = &s->stores[s->store_count];
  size_t i = 0;
  while (i < SECRETS_STORES && !span_is(name, known[i].name)) i++;
  if (i == SECRETS_STORES) return RESULT_CONFIG_INVALID;
  for (size_t other = 0; other < s->store_count; other++)
    if (span_is(name, s->stores[other]->store)) return RESULT_CONFIG_INVALID;
  enum result r = known[i].make(setup, at);
  if (r != RESULT_OK) return r;
  if (i == 0) s->embedded = *at;
  s->store_count++;
  return (*at)->format == SECRETS_REFERENCE && setup->secrets_key.len != AEAD_KEY ? RESULT_CONFIG_INVALID : RESULT_OK;
}

static enum result add_stores(struct secrets *s, const struct secrets_setup *setup) {
  const char *at = setup->stores;
  const bool has_supabase = setup->supabase_url != NULL && setup->supabase_url[0] != 0;
  if (at == NULL || at[strspn(at, " ,")] == 0) at = has_supabase ? "supabase" : "embedded";
  enum result r = RESULT_OK;
  for (at += strspn(at, " ,"); r == RESULT_OK && *at != 0; at += strspn(at, " ,")) {
    const size_t len = strcspn(at, " ,");
    r = add_store(s, setup, span_of(at, len));
    at += len;
  }
  return r;
}

enum result secrets_new(const struct secrets_setup *setup, struct secrets **out) {
  struct secrets *s = calloc(1, sizeof *s);
  if (s == NULL) return RESULT_NO_MEMORY;
  s->setup = *setup;
  s->message = buf_new(SERVICE_ANSWER_MAX + MSG_HEADER);
  if (setup->secrets_key.len == AEAD_KEY) memcpy(s->reference_key, setup->secrets_key.data, AEAD_KEY);
  enum result r = add_stores(s, setup);
  /* Borrowed for the length of this call only. */
  s->setup.secrets_key = s->setup.supabase_key = span_of(NULL, 0);
  s->setup.stores = s->setup.supabase_url = NULL;
  if (r == RESULT_OK) {
    *out = s;
    s = NULL;
  }
  secrets_free(s);
  return r;
}

enum result secrets_store_rows(struct secrets *s, struct span body) {
  return s->embedded != NULL ? secrets_embedded_rows(s->embedded, body) : RESULT_PEER_LIED;
}

void secrets_describe(const struct secrets *s, struct buf *b) {
  for (size_t i = 0; i < s->store_count; i++) {
    buf_put_text(b, i == 0 ? "[{" : ",{");
    json_put_member_string(b, "store", span_text(s->stores[i]->store));
    json_put_member_string(b, "format", span_text(secrets_format_name(s->stores[i])));
    buf_put_u8(b, '}');
  }
  buf_put_u8(b, ']');
}

void secrets_free(struct secrets *s) {
  if (s == NULL) return;
  secrets_drop_lookups(s);
  secrets_drop_calls(s);
  for (size_t i = 0; i < s->store_count; i++) s->stores[i]->free(s->stores[i]);
  buf_free(&s->message);
  wipe(s, sizeof *s);
  free(s);
}
