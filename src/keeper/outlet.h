/*
 * What the keeper asks of egress: HTTP exchanges, and queries of the secret store in PostgreSQL. Egress may end at any
 * time, and is then started again: what it had not answered is answered here, with RESULT_FETCH_FAILED or
 * RESULT_SECRET_STORE_UNAVAILABLE, and what is asked meanwhile likewise. A message of its that is not in order costs it
 * the link.
 */
#pragma once

#include <event2/event.h>

#include "wire/service.h"

struct outlet;

/* `broken` hears that the link is gone, for the log; may be NULL. */
enum result must_use outlet_new(struct event_base *base, void (*broken)(void *context, enum result why), void *context,
                                struct outlet **out);
/* OUTLET: the link to a fresh egress process. `fd` is the outlet's in every case. */
enum result must_use outlet_connect(struct outlet *o, int fd);
bool outlet_connected(const struct outlet *o);

/* The spans hold until the call returns. Called exactly once, from the loop (never from within outlet_ask), unless
 * outlet_forget comes first. */
typedef void outlet_answer(void *context, const struct wire_response *response);
typedef void outlet_rows(void *context, const struct wire_rows *rows, struct cursor *rest);

/* `m->ticket` is chosen here and goes out in `ticket`, never 0. RESULT_NO_MEMORY. */
enum result must_use outlet_ask(struct outlet *o, struct wire_request *m, outlet_answer *answer, void *context,
                                uint64_t *ticket);
enum result must_use outlet_query(struct outlet *o, struct wire_query *m, outlet_rows *answer, void *context,
                                  uint64_t *ticket);
/* Egress breaks off; no answer comes. An unknown ticket is fine. */
void outlet_forget(struct outlet *o, uint64_t ticket);
/* NULL is fine; no answers come. */
void outlet_free(struct outlet *o);
