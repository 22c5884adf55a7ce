/*
 * Rows of a store of secrets, read: each must answer a statement that was asked, with the columns of that statement.
 * Stores are strangers. Pure.
 */
#pragma once

#include "wire/service.h"
#include "wire/statements.h"

#define SECRET_VERSION_MAX ((UINT64_C(1) << 53) - 1) /* what JSON's readers hold exactly */
#define SECRET_AUDIT_ID_MAX ((UINT64_C(1) << 48) - 1)

struct secret_row {
  uint32_t index;     /* of the statement in the query */
  uint32_t statement; /* enum secret_statement */
  /* FIND and ALL (which has name and created, too); REMOVE: version */
  struct span name, value, uses;
  uint64_t version, created, updated; /* Unix seconds; 0: none */
  /* AUDITS */
  uint64_t id, time;
  struct span action, service, agent, error; /* POLICIES: service */
  bool success;
};

/* The next row; `asked` are the statements of the query. The spans point into the rows. False if it is none. */
bool must_use secret_row_read(struct cursor *rest, const struct wire_statement *asked, uint32_t count,
                              struct secret_row *row);
