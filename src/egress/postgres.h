/*
 * The secret store in PostgreSQL: the statements of wire/statements.h over one connection of libpq that never blocks.
 * Every query is one pipeline and so one transaction: all of it or nothing (PostgreSQL manual, "Pipeline Mode"). The
 * connection is made when it is first needed, and again after it broke.
 */
#pragma once

#include <event2/event.h>

#include "wire/service.h"

struct postgres;

/* `connection`: a connection string or URI of libpq; empty: every query is answered with
 * RESULT_SECRET_STORE_UNAVAILABLE. `tell` sends SERVER_ROWS to the keeper; `trouble` hears, for the log, why the server
 * cannot be used: what libpq says, which holds no password. */
struct postgres_setup {
  struct event_base *base;
  struct span connection;
  struct span authorities; /* PEM: by whom a server is verified, if the string says sslmode=verify-ca or verify-full */
  void (*tell)(void *context, struct buf *message);
  void (*trouble)(void *context, struct span why);
  void *context;
};

enum result must_use postgres_new(const struct postgres_setup *setup, struct postgres **out);
/* SERVER_QUERY: answered by one SERVER_ROWS, within its time. RESULT_PEER_LIED. */
enum result must_use postgres_query(struct postgres *p, struct span body);
/* Wipes. NULL is fine; nothing is answered any more. */
void postgres_free(struct postgres *p);
