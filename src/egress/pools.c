#include "egress/pools.h"

#include <malloc.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/table.h"

#define SWEEP_S 5

struct pool {
  struct pools *owner;
  TAILQ_ENTRY(pool) place; /* the longest unused one first */
  uint8_t key[POOLS_KEY];
  bool by_operator;
  CURLM *multi;
  struct event *timer;
  unsigned exchanges;
  uint64_t used_ms;
};

struct pools {
  struct event_base *base;
  struct event *sweep;
  pools_done *done;
  struct table *by_key[2]; /* operator's: 1 */
  TAILQ_HEAD(, pool) all;
};

/* ---- curl's sockets and timers on the loop ---- */

/* Whatever has ended. */
static void collect(struct pool *pool) {
  int left;
  for (CURLMsg *m; (m = curl_multi_info_read(pool->multi, &left)) != NULL;) {
    CURL *exchange = m->easy_handle;
    const CURLcode code = m->data.result; /* `m` is curl's, and gone with the handle */
    if (m->msg != CURLMSG_DONE) continue;
    pools_remove(pool, exchange);
    pool->owner->done(exchange, code);
  }
}

static void on_ready(evutil_socket_t fd, short what, void *context) {
  struct pool *pool = context;
  int running;
  (void)curl_multi_socket_action(
      pool->multi, fd, (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0), &running);
  collect(pool);
}

static void on_timeout(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct pool *pool = context;
  int running;
  (void)curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT, 0, &running);
  collect(pool);
}

/* curl_socket_callback: `event` is what the last call for this socket left there. */
static int on_socket(CURL *exchange, curl_socket_t fd, int what, void *context, void *event) {
  (void)exchange;
  struct pool *pool = context;
  const short wanted = (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
  if (event != NULL) event_free(event);
  struct event *now =
      what == CURL_POLL_REMOVE ? NULL : event_new(pool->owner->base, fd, (short)(wanted | EV_PERSIST), on_ready, pool);
  curl_multi_assign(pool->multi, fd, now);
  return what == CURL_POLL_REMOVE || (now != NULL && event_add(now, NULL) == 0) ? 0 : -1;
}

static int on_timer(CURLM *multi, long ms, void *context) {
  (void)multi;
  const struct pool *pool = context;
  const struct timeval when = {ms / 1000, ms % 1000 * 1000};
  return ms < 0 ? event_del(pool->timer) : event_add(pool->timer, &when);
}

/* ---- pools ---- */

static void free_pool(struct pool *pool) {
  if (pool == NULL) return;
  if (pool->multi != NULL) curl_multi_cleanup(pool->multi); /* frees its sockets' events by on_socket */
  if (pool->timer != NULL) event_free(pool->timer);
  free(pool);
}

static bool configure(struct pool *pool) {
  bool bad = curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK;
  bad |= curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool) != CURLM_OK;
  bad |= curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_timer) != CURLM_OK;
  bad |= curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool) != CURLM_OK;
  bad |= curl_multi_setopt(pool->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX) != CURLM_OK;
  bad |= curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, (long)POOLS_IDLE_CONNECTIONS) != CURLM_OK;
  return !bad;
}

static struct pool *make_pool(struct pools *p, const uint8_t key[POOLS_KEY], bool by_operator) {
  struct pool *pool = calloc(1, sizeof *pool);
  if (pool == NULL) return NULL;
  pool->owner = p;
  pool->by_operator = by_operator;
  memcpy(pool->key, key, POOLS_KEY);
  pool->multi = curl_multi_init();
  pool->timer = evtimer_new(p->base, on_timeout, pool);
  if (pool->multi != NULL && pool->timer != NULL && configure(pool) &&
      table_put(p->by_key[by_operator], key, pool) == RESULT_OK) {
    TAILQ_INSERT_TAIL(&p->all, pool, place);
    return pool;
  }
  free_pool(pool);
  return NULL;
}

static void drop(struct pools *p, struct pool *pool) {
  table_remove(p->by_key[pool->by_operator], pool->key);
  TAILQ_REMOVE(&p->all, pool, place);
  free_pool(pool);
}

static size_t count(const struct pools *p) {
  return table_count(p->by_key[0]) + table_count(p->by_key[1]);
}

static void make_room(struct pools *p) {
  struct pool *next;
  for (struct pool *pool = TAILQ_FIRST(&p->all); pool != NULL && count(p) >= POOLS_KEPT; pool = next) {
    next = TAILQ_NEXT(pool, place);
    if (pool->exchanges == 0) drop(p, pool);
  }
}

static void sweep_later(struct pools *p) {
  static const struct timeval later = {SWEEP_S, 0};
  if (!TAILQ_EMPTY(&p->all)) event_add(p->sweep, &later);
}

static void on_sweep(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct pools *p = context;
  const uint64_t now = clock_monotonic_ms();
  struct pool *next;
  for (struct pool *pool = TAILQ_FIRST(&p->all); pool != NULL; pool = next) {
    next = TAILQ_NEXT(pool, place);
    if (pool->exchanges == 0 && now - pool->used_ms >= POOLS_IDLE_S * 1000u) drop(p, pool);
  }
  if (TAILQ_EMPTY(&p->all)) malloc_trim(0); /* nothing is left of what a busy hour took */
  sweep_later(p);
}

/* ---- the module ---- */

enum result pools_new(struct event_base *base, pools_done *done, struct pools **out) {
  struct pools *p = calloc(1, sizeof *p);
  if (p == NULL) return RESULT_NO_MEMORY;
  p->base = base;
  p->done = done;
  TAILQ_INIT(&p->all);
  p->sweep = evtimer_new(base, on_sweep, p);
  enum result r = p->sweep == NULL ? RESULT_NO_MEMORY : table_new(POOLS_KEY, &p->by_key[0]);
  if (r == RESULT_OK) r = table_new(POOLS_KEY, &p->by_key[1]);
  if (r == RESULT_OK) {
    *out = p;
    p = NULL;
  }
  pools_free(p);
  return r;
}

static void use(struct pool *pool) {
  struct pools *p = pool->owner;
  TAILQ_REMOVE(&p->all, pool, place);
  TAILQ_INSERT_TAIL(&p->all, pool, place);
  pool->used_ms = clock_monotonic_ms();
}

enum result pools_add(struct pools *p, const uint8_t key[POOLS_KEY], bool by_operator, CURL *exchange,
                      struct pool **out) {
  struct pool *pool = table_get(p->by_key[by_operator], key);
  if (pool == NULL) {
    make_room(p);
    pool = make_pool(p, key, by_operator);
  }
  if (pool == NULL) return RESULT_NO_MEMORY;
  use(pool);
  if (curl_multi_add_handle(pool->multi, exchange) != CURLM_OK) return RESULT_NO_MEMORY;
  pool->exchanges++;
  *out = pool;
  sweep_later(p);
  return RESULT_OK;
}

void pools_remove(struct pool *pool, CURL *exchange) {
  (void)curl_multi_remove_handle(pool->multi, exchange);
  pool->exchanges--;
  use(pool);
}

void pools_free(struct pools *p) {
  if (p == NULL) return;
  struct pool *next;
  for (struct pool *pool = TAILQ_FIRST(&p->all); pool != NULL; pool = next) {
    next = TAILQ_NEXT(pool, place);
    drop(p, pool);
  }
  table_free(p->by_key[0]);
  table_free(p->by_key[1]);
  if (p->sweep != NULL) event_free(p->sweep);
  free(p);
}
