/*
 * Pools of connections, each a curl multi handle on the event loop: who has another pool never gets a connection of
 * this one, so nobody sees from an answer's speed, or from a server that knows its connection again, whom others call.
 * Pools without an exchange are closed after a minute, or when there are too many of them.
 */
#pragma once

#include <curl/curl.h>
#include <event2/event.h>

#include "base/result.h"

#define POOLS_KEY 32u
#define POOLS_KEPT 64u           /* with or without exchanges; beyond it the longest unused one is closed */
#define POOLS_IDLE_CONNECTIONS 8 /* of one pool */
#define POOLS_IDLE_S 60          /* how long a connection waits to be used again */

struct pools;
struct pool;

/* The exchange has ended with `code`; it is in no pool any more. Called from the loop. */
typedef void pools_done(CURL *exchange, CURLcode code);

enum result must_use pools_new(struct event_base *base, pools_done *done, struct pools **out);
/* Begins an exchange. What the operator chose the address of has pools of its own. `*out` is for pools_remove.
 * RESULT_NO_MEMORY. */
enum result must_use pools_add(struct pools *p, const uint8_t key[POOLS_KEY], bool by_operator, CURL *exchange,
                               struct pool **out);
/* Breaks an exchange off. Not from within one of curl's callbacks. */
void pools_remove(struct pool *pool, CURL *exchange);
/* No exchange may be left. NULL is fine. */
void pools_free(struct pools *p);
