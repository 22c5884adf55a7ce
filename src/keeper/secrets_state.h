/* What the parts of the secrets share. Private to them. */
#pragma once

#include "keeper/secret_policy.h"
#include "keeper/secret_rows.h"
#include "keeper/secrets_query.h"

#define SECRETS_STORES 3u
#define SECRETS_OUTSTANDING 1024u /* lookups and calls at a time */
#define SECRETS_DEADLINE_MS 5000u
#define SECRETS_RECORD_MS 1000u  /* that what follows a late answer may take beyond it: audit rows above all */
#define SECRETS_MOST 1000u       /* of a user */
#define SECRETS_TOTAL (4u << 20) /* bytes of a user's sealed secrets: they all fit into one answer of a store */

struct lookup;
struct call;

struct secrets {
  struct secrets_setup setup;
  uint8_t reference_key[AEAD_KEY];
  struct secrets_backend *stores[SECRETS_STORES]; /* in the operator's order */
  size_t store_count;
  struct secrets_backend *embedded; /* one of them, or NULL */
  size_t outstanding;
  uint64_t last; /* ticket that was given */
  struct lookup *lookups;
  struct call *calls;
  struct buf message;
};

bool secrets_name_valid(struct span name);
/* Whether `user_id` is text that a store can hold, and `user` its hash. */
bool secrets_user_valid(struct span user_id, const uint8_t *user);

/* A record of a store, opened: a policy (empty of a reference one), and the value. Spans into `plain`. */
enum result must_use secrets_open(const struct secrets *s, const struct secrets_backend *store, const uint8_t *user,
                                  struct span name, const struct secret_row *row, struct buf *plain,
                                  struct span *policy, struct span *value);
const char *secrets_format_name(const struct secrets_backend *store);

/* An AUDIT statement. */
struct secrets_audit {
  struct span user_id, name, agent;
  const char *action, *error; /* error: "" if it succeeded */
};
void secrets_put_audit(struct query *q, const struct secrets_audit *a);
/* "neocompute/<version> job=<job> trace=<trace>", without what is empty. */
void secrets_put_agent(struct buf *b, struct span job, struct span trace);

/* Of what begins now; and what is left until then, or `least`. */
uint64_t secrets_deadline_ns(void);
uint32_t secrets_left_ms(uint64_t deadline_ns, uint32_t least);

void secrets_drop_lookups(struct secrets *s);
void secrets_drop_calls(struct secrets *s);
