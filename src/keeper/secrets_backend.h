/*
 * A store of secrets as the flow (secrets.c) knows it: something that carries out the statements of wire/statements.h,
 * many at once, later. Those are the verbs: FIND, ALL, WRITE, REMOVE, USE, AUDIT, AUDITS, POLICIES. The embedded store
 * and PostgreSQL take them as they are (all or none of a query, in order); Supabase turns them into requests.
 *
 * What a store answers is believed by nobody: rows are read and opened by the flow, which asks again after a failure,
 * watches the time and forgets what takes too long. A backend only carries.
 */
#pragma once

#include "keeper/secrets.h"
#include "keeper/secrets_cache.h"
#include "wire/statements.h"

enum secrets_format {
  SECRETS_SEALED,   /* secret_record.h: bound to user, name and version; the policy is in the seal */
  SECRETS_REFERENCE /* as the reference service has it: bound to nothing; the policy is rows of POLICIES */
};

struct secrets_backend {
  const char *store; /* its name in the configuration */
  enum secrets_format format;
  /* Only such a one is asked for WRITE, REMOVE and USE, and those come with AUDIT in one query, all or none. Any store
   * is asked for: up to 10 FIND with as many POLICIES (those of a SECRETS_REFERENCE one); ALL; AUDITS; up to 10 AUDIT.
   * Each of these queries may be carried out in parts; its answer is RESULT_OK only if all of it was done. */
  bool writable;
  /* Of what it answered; `ask` drops what it writes. The backend's own. NULL: others may write to it. */
  struct secrets_cache *cache;
  /* What it was asked it does before a job that begins after that has its end stored, unless it cannot be done. */
  bool in_order;
  /* The statements are the caller's until this returns; at most query->timeout_ms may pass until the answer (ticket is
   * not used). `answer` comes exactly once, from the loop and never from within this call, unless `forget` comes first;
   * its rows have the index of their statement in the query. RESULT_SECRET_STORE_UNAVAILABLE for whatever is wrong with
   * the store, RESULT_SECRET_CONFLICT and RESULT_SECRETS_FULL as the statements say. Not RESULT_OK: it was not asked,
   * and no answer comes. A ticket is never 0. */
  enum result (*ask)(struct secrets_backend *b, const struct wire_query *query, secrets_rows *answer, void *context,
                     uint64_t *ticket);
  /* No answer comes; whether it is done is open. An unknown ticket is fine. */
  void (*forget)(struct secrets_backend *b, uint64_t ticket);
  /* No answers come. */
  void (*free)(struct secrets_backend *b);
};

/* Each copies what it needs of the setup. RESULT_NO_MEMORY; RESULT_CONFIG_INVALID if what it needs is not there. */
enum result must_use secrets_embedded_new(const struct secrets_setup *setup, struct secrets_backend **out);
enum result must_use secrets_postgres_new(const struct secrets_setup *setup, struct secrets_backend **out);
/* Not writable, SECRETS_REFERENCE: FIND answers version, encrypted_value as it is, "" and updated_at. It checks the
 * presence of supabase_url and supabase_key; secrets_key is the flow's, which opens the values. */
enum result must_use secrets_supabase_new(const struct secrets_setup *setup, struct secrets_backend **out);

/* STORE_ROWS for the embedded one; RESULT_PEER_LIED. */
enum result must_use secrets_embedded_rows(struct secrets_backend *b, struct span body);
