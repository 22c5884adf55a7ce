/*
 * Secrets: what a job gets of them, and what callers do with theirs. Records come from backends (secrets_embedded.c:
 * the broker's database; secrets_postgres.c: PostgreSQL, through egress; secrets_supabase.c: PostgREST, through
 * egress), which are asked in the operator's order until one has the secret. Policies are evaluated here, and every
 * access is written down before the job runs.
 */
#pragma once

#include "keeper/fetches.h"
#include "keeper/keys.h"

#define SECRETS_VALUE_MAX 65536u

/* The formats of a stored secret: ours, bound to its user, name and version; the reference's, bound to nothing: whoever
 * can write that store can move it. */
#define SECRETS_FORMAT_SEALED "sealed-v1"
#define SECRETS_FORMAT_REFERENCE "reference"

struct secrets;

/* One query of a backend that speaks wire/statements.h; the answer comes later, exactly once. */
typedef void secrets_rows(void *context, const struct wire_rows *rows, struct cursor *rest);

struct secrets_setup {
  struct event_base *base;
  const struct keys *keys;
  struct outlet *outlet;
  const char *stores; /* "embedded", "postgres", "supabase", spaces between them */
  const char *supabase_url;
  struct span supabase_key, secrets_key;
  bool strict;
  /* STORE_QUERY to the broker; its STORE_ROWS comes to secrets_store_rows. RESULT_OK or why it cannot be sent. */
  enum result (*ask_store)(void *context, struct buf *message);
  /* SECRETED to the broker. */
  void (*tell)(void *context, struct buf *message);
  void *context;
};

enum result must_use secrets_new(const struct secrets_setup *setup, struct secrets **out);
/* STORE_ROWS; RESULT_PEER_LIED. */
enum result must_use secrets_store_rows(struct secrets *s, struct span body);
/* SECRET: what a caller asks of the REST interface; ends with one SECRETED. RESULT_PEER_LIED. */
enum result must_use secrets_call(struct secrets *s, struct span body);

/* What a job asks for. Copied. */
struct secrets_request {
  const uint8_t *user;        /* 32 bytes: SHA-256 of user_id */
  struct span user_id, trace; /* trace: for the audit rows */
  struct span job;            /* UUID as text */
  uint8_t script[HASH_SIZE];
  const struct span *names; /* 1..10, each once */
  size_t count;
};

/* One secret as the job gets it. */
struct secrets_granted {
  struct span name, value; /* value: what the script sees, which of an egress-only one is the placeholder */
  uint64_t version;
  const char *format; /* SECRETS_FORMAT_SEALED or SECRETS_FORMAT_REFERENCE */
  bool egress_only;
  struct fetch_secret fetch; /* of an egress-only one */
};

/* RESULT_OK and all of them, in the order of the request; or why the job may not run, with the name of the secret and
 * a sentence in `detail` ("api_key: expired at …"), and none. The spans hold until the call returns. */
typedef void secrets_answer(void *context, enum result result, struct span detail,
                            const struct secrets_granted *granted, size_t count);
/* The answer comes exactly once, never from within the call, unless secrets_forget comes first. */
enum result must_use secrets_ask(struct secrets *s, const struct secrets_request *request, secrets_answer *answer,
                                 void *context, uint64_t *ticket);
void secrets_forget(struct secrets *s, uint64_t ticket);

/* JSON array of the stores in use and the formats they are read in, for /info: [{"store":"embedded","format":…}]. */
void secrets_describe(const struct secrets *s, struct buf *b);
/* NULL is fine; no answers come. */
void secrets_free(struct secrets *s);
