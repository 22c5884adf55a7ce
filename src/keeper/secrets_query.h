/*
 * One query of a store: statements that are written here, asked of a backend, asked once more if the store was away,
 * and answered within a time in any case. Private to the secrets.
 */
#pragma once

#include "keeper/secrets_backend.h"

struct query;

/* One can be used for one query after another. */
enum result must_use query_new(struct event_base *base, struct query **out);
/* Empties it. */
void query_begin(struct query *q);
/* One more statement; its values are copied. A query that they do not fit into is answered with RESULT_NO_MEMORY. */
void query_put(struct query *q, enum secret_statement statement, const struct span *values, uint32_t count);
uint32_t query_count(const struct query *q);

/* RESULT_OK and `rows` rows (secret_row_read), or RESULT_SECRET_STORE_UNAVAILABLE, _SECRET_CONFLICT, _SECRETS_FULL,
 * _NO_MEMORY.
 * The query may be used again, or freed, from within. */
typedef void query_answer(void *context, enum result result, uint32_t rows, struct cursor *rest);
/* The answer comes exactly once, never from within the call, within timeout_ms. */
void query_ask(struct query *q, struct secrets_backend *backend, uint32_t timeout_ms, query_answer *answer,
               void *context);
/* The same, if nothing waits for the answer (wire_query.later). */
void query_ask_later(struct query *q, struct secrets_backend *backend, uint32_t timeout_ms, query_answer *answer,
                     void *context);
/* The statements, for secret_row_read. */
const struct wire_statement *query_statements(const struct query *q);
/* No answer comes. NULL is fine. */
void query_free(struct query *q);
