#include "keeper/prepare.h"

#include "base/uuid.h"

struct prepare {
  struct prepare_setup setup;
  prepare_answer *answer;
  void *context;
  uint64_t script_ticket, secrets_ticket; /* 0: nothing is asked */
  uint8_t user[32], script_hash[HASH_SIZE];
  char job[UUID_TEXT];
  struct buf request; /* user id, trace, app, name and the secrets' names, one behind the other */
  struct span user_id, trace, app, name, names[WIRE_SECRETS_MAX];
  size_t name_count;
  struct buf script, entry;
  struct buf granted; /* what the secrets' spans point into */
  struct prepare_secret secrets[WIRE_SECRETS_MAX];
  struct fetch_secret fetch[WIRE_SECRETS_MAX];
  size_t secret_count, fetch_count;
};

bool prepare_needed(const struct wire_execute *m) {
  return m->name.len > 0 || m->secret_count > 0;
}

/* ---- texts that have to stay ---- */

static size_t length_of(const struct span *all, size_t count) {
  size_t len = 0;
  for (size_t i = 0; i < count; i++) len += all[i].len;
  return len;
}

/* Room for so much: from then on a copy does not move those before it. */
static bool reserve(struct buf *b, size_t len) {
  const bool ok = len == 0 || buf_extend(b, len) != NULL;
  b->len = 0;
  return ok;
}

static struct span copy(struct buf *b, struct span text) {
  const size_t before = b->len;
  buf_put_span(b, text);
  return buf_since(b, before);
}

static bool keep_request(struct prepare *p, const struct wire_execute *m) {
  const struct span texts[] = {m->user_id, m->trace, m->app, m->name};
  if (!reserve(&p->request, length_of(texts, 4) + length_of(m->secrets, m->secret_count))) return false;
  p->user_id = copy(&p->request, m->user_id);
  p->trace = copy(&p->request, m->trace);
  p->app = copy(&p->request, m->app);
  p->name = copy(&p->request, m->name);
  for (uint32_t i = 0; i < m->secret_count; i++) p->names[i] = copy(&p->request, m->secrets[i]);
  p->name_count = m->secret_count;
  return !p->request.bad;
}

/* ---- the secrets ---- */

static size_t granted_length(const struct secrets_granted *granted, size_t count) {
  size_t len = 0;
  for (size_t i = 0; i < count; i++) {
    const struct secrets_granted *g = &granted[i];
    len += g->name.len + g->value.len;
    if (g->egress_only) len += g->fetch.value.len + g->fetch.hosts.len;
  }
  return len;
}

static void keep_secret(struct prepare *p, const struct secrets_granted *g) {
  struct prepare_secret *s = &p->secrets[p->secret_count++];
  *s = (struct prepare_secret){.name = copy(&p->granted, g->name),
                               .value = copy(&p->granted, g->value),
                               .version = g->version,
                               .bound = strcmp(g->format, SECRETS_FORMAT_SEALED) == 0,
                               .egress_only = g->egress_only};
  if (!g->egress_only) return;
  p->fetch[p->fetch_count++] = (struct fetch_secret){.name = s->name,
                                                     .placeholder = s->value,
                                                     .value = copy(&p->granted, g->fetch.value),
                                                     .hosts = copy(&p->granted, g->fetch.hosts)};
}

static void on_secrets(void *context, enum result result, struct span detail, const struct secrets_granted *granted,
                       size_t count) {
  struct prepare *p = context;
  p->secrets_ticket = 0;
  if (result == RESULT_OK && !reserve(&p->granted, granted_length(granted, count))) result = RESULT_NO_MEMORY;
  for (size_t i = 0; result == RESULT_OK && i < count; i++) keep_secret(p, &granted[i]);
  p->answer(p->context, result, detail);
}

static enum result ask_secrets(struct prepare *p) {
  struct secrets_request request = {.user = p->user,
                                    .user_id = p->user_id,
                                    .trace = p->trace,
                                    .job = span_of(p->job, sizeof p->job),
                                    .names = p->names,
                                    .count = p->name_count};
  memcpy(request.script, p->script_hash, sizeof request.script);
  return secrets_ask(p->setup.secrets, &request, on_secrets, p, &p->secrets_ticket);
}

/* ---- the script ---- */

static enum result take_script(struct prepare *p, struct span script, struct span entry) {
  buf_put_span(&p->script, script);
  buf_put_span(&p->entry, entry);
  return p->script.bad || p->entry.bad ? RESULT_NO_MEMORY : hash_sha256(&script, 1, p->script_hash);
}

static void on_script(void *context, enum result result, struct span detail, struct span script, struct span entry) {
  struct prepare *p = context;
  p->script_ticket = 0;
  if (result == RESULT_OK) result = take_script(p, script, entry);
  if (result == RESULT_OK && p->name_count > 0) {
    result = ask_secrets(p);
    if (result == RESULT_OK) return;
  }
  p->answer(p->context, result, detail);
}

/* ---- all of it ---- */

static enum result begin(struct prepare *p, const struct wire_execute *m) {
  if (!keep_request(p, m)) return RESULT_NO_MEMORY;
  if (m->name.len > 0) return scripts_ask(p->setup.scripts, p->app, p->name, on_script, p, &p->script_ticket);
  enum result r = hash_sha256(&m->script, 1, p->script_hash);
  return r == RESULT_OK ? ask_secrets(p) : r;
}

enum result prepare_new(const struct prepare_setup *setup, const struct wire_execute *m, prepare_answer *answer,
                        void *context, struct prepare **out) {
  struct prepare *p = calloc(1, sizeof *p);
  if (p == NULL) return RESULT_NO_MEMORY;
  p->setup = *setup;
  p->answer = answer;
  p->context = context;
  p->request = buf_new(SERVICE_REQUEST_MAX);
  p->script = buf_new(SERVICE_REQUEST_MAX);
  p->entry = buf_new(4096);
  p->granted = buf_new(WIRE_JOB_MAX);
  memcpy(p->user, m->user, sizeof p->user);
  struct buf job = buf_fixed(p->job, sizeof p->job);
  uuid_put(&job, m->job);
  enum result r = begin(p, m);
  if (r == RESULT_OK)
    *out = p;
  else
    prepare_free(p);
  return r;
}

void prepare_fill(const struct prepare *p, struct wire_execute *m) {
  if (m->name.len == 0) return;
  m->script = buf_span(&p->script);
  if (m->entry.len == 0) m->entry = p->entry.len > 0 ? buf_span(&p->entry) : span_text("main");
}

size_t prepare_secrets(const struct prepare *p, const struct prepare_secret **out) {
  *out = p->secrets;
  return p->secret_count;
}

size_t prepare_fetch_secrets(const struct prepare *p, const struct fetch_secret **out) {
  *out = p->fetch;
  return p->fetch_count;
}

void prepare_free(struct prepare *p) {
  if (p == NULL) return;
  if (p->script_ticket != 0) scripts_forget(p->setup.scripts, p->script_ticket);
  if (p->secrets_ticket != 0) secrets_forget(p->setup.secrets, p->secrets_ticket);
  buf_free(&p->request);
  buf_free(&p->script);
  buf_free(&p->entry);
  buf_free(&p->granted);
  free(p);
}
