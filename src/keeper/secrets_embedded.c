/* The store in the broker's database: asked with STORE_QUERY, which STORE_ROWS answers. */
#include "keeper/secrets_backend.h"

struct pending {
  struct pending *next;
  uint64_t ticket;
  secrets_rows *answer;
  void *context;
};

struct embedded {
  struct secrets_backend backend;
  enum result (*ask_store)(void *context, struct buf *message);
  void *context;
  struct pending *first;
  uint64_t last; /* ticket that was given */
  struct buf message;
};

static struct embedded *of(struct secrets_backend *b) {
  return (struct embedded *)((uint8_t *)b - offsetof(struct embedded, backend));
}

/* Takes it off the list; NULL if it is not there. */
static struct pending *take(struct embedded *e, uint64_t ticket) {
  struct pending **at = &e->first;
  while (*at != NULL && (*at)->ticket != ticket) at = &(*at)->next;
  struct pending *p = *at;
  if (p != NULL) *at = p->next;
  return p;
}

static enum result drop_written(struct secrets_cache *cache, const struct wire_query *query) {
  enum result r = RESULT_OK;
  for (uint32_t i = 0; r == RESULT_OK && i < query->count; i++) {
    const struct wire_statement *m = &query->statements[i];
    if (m->statement == STATEMENT_WRITE || m->statement == STATEMENT_REMOVE || m->statement == STATEMENT_USE)
      r = secrets_cache_drop(cache, m->values[0], m->values[1]);
  }
  return r;
}

static enum result ask(struct secrets_backend *b, const struct wire_query *query, secrets_rows *answer, void *context,
                       uint64_t *ticket) {
  struct embedded *e = of(b);
  struct wire_query m = *query;
  struct pending *p = malloc(sizeof *p);
  if (p == NULL) return RESULT_NO_MEMORY;
  m.ticket = ++e->last;
  enum result r = drop_written(b->cache, query);
  if (r == RESULT_OK) {
    wire_put_query(&e->message, WIRE_STORE_QUERY, &m);
    r = e->ask_store(e->context, &e->message);
    buf_clear(&e->message);
  }
  if (r != RESULT_OK) {
    free(p);
    return r;
  }
  *p = (struct pending){.next = e->first, .ticket = m.ticket, .answer = answer, .context = context};
  e->first = p;
  *ticket = m.ticket;
  return RESULT_OK;
}

static void forget(struct secrets_backend *b, uint64_t ticket) {
  free(take(of(b), ticket));
}

static void free_embedded(struct secrets_backend *b) {
  struct embedded *e = of(b);
  while (e->first != NULL) forget(b, e->first->ticket);
  secrets_cache_free(b->cache);
  buf_free(&e->message);
  free(e);
}

enum result secrets_embedded_new(const struct secrets_setup *setup, struct secrets_backend **out) {
  struct embedded *e = calloc(1, sizeof *e);
  if (e == NULL) return RESULT_NO_MEMORY;
  e->backend = (struct secrets_backend){.store = "embedded",
                                        .format = SECRETS_SEALED,
                                        .writable = true,
                                        .in_order = true,
                                        .ask = ask,
                                        .forget = forget,
                                        .free = free_embedded};
  e->ask_store = setup->ask_store;
  e->context = setup->context;
  e->message = buf_new(SERVICE_ANSWER_MAX + MSG_HEADER);
  enum result r = secrets_cache_new(&e->backend.cache);
  if (r == RESULT_OK)
    *out = &e->backend;
  else
    free_embedded(&e->backend);
  return r;
}

/* An answer that is not waited for any more is no fault; one to what was never asked is. */
enum result secrets_embedded_rows(struct secrets_backend *b, struct span body) {
  struct embedded *e = of(b);
  struct wire_rows m;
  struct cursor rest;
  if (!wire_get_rows(body, &m, &rest) || m.ticket == 0 || m.ticket > e->last) return RESULT_PEER_LIED;
  struct pending *p = take(e, m.ticket);
  if (p == NULL) return RESULT_OK;
  const struct pending asked = *p;
  free(p);
  asked.answer(asked.context, &m, &rest);
  return RESULT_OK;
}
