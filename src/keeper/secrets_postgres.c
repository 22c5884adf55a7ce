/* The store in PostgreSQL: egress has the connection and carries out the statements. */
#include "keeper/secrets_backend.h"

struct postgres {
  struct secrets_backend backend;
  struct outlet *outlet;
};

static struct postgres *of(struct secrets_backend *b) {
  return (struct postgres *)((uint8_t *)b - offsetof(struct postgres, backend));
}

static enum result ask(struct secrets_backend *b, const struct wire_query *query, secrets_rows *answer, void *context,
                       uint64_t *ticket) {
  struct wire_query m = *query;
  return outlet_query(of(b)->outlet, &m, answer, context, ticket);
}

static void forget(struct secrets_backend *b, uint64_t ticket) {
  outlet_forget(of(b)->outlet, ticket);
}

static void free_postgres(struct secrets_backend *b) {
  free(of(b));
}

enum result secrets_postgres_new(const struct secrets_setup *setup, struct secrets_backend **out) {
  if (setup->outlet == NULL) return RESULT_CONFIG_INVALID;
  struct postgres *p = calloc(1, sizeof *p);
  if (p == NULL) return RESULT_NO_MEMORY;
  p->backend = (struct secrets_backend){.store = "postgres",
                                        .format = SECRETS_SEALED,
                                        .writable = true,
                                        .ask = ask,
                                        .forget = forget,
                                        .free = free_postgres};
  p->outlet = setup->outlet;
  *out = &p->backend;
  return RESULT_OK;
}
