/*
 * A store of secrets in memory that carries out wire/statements.h, and can be told to do it late, wrongly, twice or
 * not at all. Three of them stand in for the broker's database, for egress with PostgreSQL (outlet_query) and for
 * Supabase (secrets_supabase_new), each behind the real backend but the last.
 */
#pragma once

#include "keeper/secrets_backend.h"

#define FAKE_ROWS 1010u
#define FAKE_AUDITS 3000u

struct fake_row {
  char user[64], name[136], uses[128];
  uint64_t version;
  struct buf value;
};

struct fake_audit {
  char name[136], action[16], service[32], agent[256], error[40];
  bool success;
};

struct fake_policy {
  const char *user, *name, *service;
};

struct fake {
  struct fake_row rows[FAKE_ROWS];
  size_t row_count;
  struct fake_audit audits[FAKE_AUDITS];
  size_t audit_count;
  struct fake_policy policies[4];
  size_t policy_count;
  unsigned queries; /* that came */
  /* Of the next queries, so many … */
  unsigned refuse;                 /* … are not taken */
  unsigned away;                   /* … are answered with RESULT_SECRET_STORE_UNAVAILABLE */
  unsigned conflict;               /* … with RESULT_SECRET_CONFLICT */
  unsigned silent;                 /* … are carried out and never answered */
  unsigned twice;                  /* … are answered twice */
  unsigned spare;                  /* so many pass before those above count */
  bool refuse_audits, audits_away; /* … those that have an AUDIT */
  unsigned delay_ms;
  /* Instead of the rows of the next answer. */
  void (*lie)(struct wire_rows *m, struct wire_statement *rows);
};

enum { FAKE_EMBEDDED, FAKE_POSTGRES, FAKE_SUPABASE, FAKES };
extern struct fake fakes[FAKES];

/* Empties them. */
void fakes_reset(struct event_base *base);
/* The secrets that the embedded one answers. */
void fakes_serve(struct secrets *s);
enum result fake_ask_store(void *context, struct buf *message);

struct fake_row *fake_row(struct fake *f, const char *user, const char *name);
struct fake_row *fake_add(struct fake *f, const char *user, const char *name, uint64_t version, struct span value);
