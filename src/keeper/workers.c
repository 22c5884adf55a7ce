#include "keeper/workers.h"

#include <unistd.h>

#include "wire/link.h"

#define IDLE_MS 10000                                  /* one more idle worker than wanted lives this long */
#define OUTGOING_MAX (6u * (WIRE_FETCHED_MAX + 1024u)) /* responses that a worker has not read */
#define START_MS 10000                                 /* from SPAWN to READY; milliseconds on a quiet machine */

#define STARTING_MAX 16u /* at a time: of a thousand that start at once, some would not be ready in time */

/* RESTORING: its job is done, and the supervisor is to give it its priority back, or to end it. */
enum place { FREE, STARTING, IDLE, BUSY, RESTORING, DYING, PLACES };

struct worker {
  struct workers *pool;
  struct link *link;
  struct conversation talk;
  void *job;
  enum place place;
  uint32_t number, nice;
  uint64_t since_ms; /* in this place */
};

struct workers {
  struct workers_hooks hooks;
  struct event_base *base;
  uint32_t most, idle, waiting, slots, failures;
  uint32_t in[PLACES]; /* how many are where */
  uint32_t peak;       /* most of them busy at a time since peak_ms */
  uint64_t started, killed, now_ms, peak_ms;
  bool held; /* a start failed: no other before the next tick */
  struct buf message, answer;
  struct worker worker[];
};

static void move_to(struct worker *k, enum place place) {
  k->pool->in[k->place]--;
  k->pool->in[place]++;
  k->place = place;
  k->since_ms = k->pool->now_ms;
}

/* ---- how many ---- */

static struct worker *free_slot(struct workers *w) {
  for (uint32_t i = 0; i < w->slots; i++)
    if (w->worker[i].place == FREE) return &w->worker[i];
  return NULL;
}

static void balance(struct workers *w) {
  const uint32_t wanted = w->waiting > w->idle ? w->waiting : w->idle;
  for (;;) {
    const uint32_t coming = w->in[STARTING] + w->in[IDLE] + w->in[RESTORING];
    if (w->held || w->in[STARTING] >= STARTING_MAX || coming >= wanted || coming + w->in[BUSY] >= w->most) return;
    struct worker *k = free_slot(w);
    if (k == NULL) return; /* as many as that are dying: their ends come first */
    conversation_begin(&k->talk);
    move_to(k, STARTING);
    w->hooks.spawn(w->hooks.context, k->number);
  }
}

/* ---- the end of a worker ---- */

static void leave(struct worker *k, enum place place) {
  if (k->place == STARTING) {
    k->pool->failures++;
    k->pool->held = true;
  }
  link_free(k->link);
  k->link = NULL;
  k->job = NULL;
  k->nice = 0;
  move_to(k, place);
}

/* Whatever state it is in, it gets no word in any more. Its job, if it has one, stays with the caller. */
static void put_down(struct worker *k) {
  struct workers *w = k->pool;
  leave(k, DYING);
  w->killed++;
  w->hooks.kill(w->hooks.context, k->number);
  balance(w);
}

static void fail(struct worker *k, enum result why) {
  struct workers *w = k->pool;
  void *job = k->job;
  if (k->place != RESTORING || why != RESULT_WORKER_LOST) w->hooks.failed(w->hooks.context, why);
  put_down(k);
  if (job != NULL) w->hooks.done(w->hooks.context, job, &(struct wire_done){.result = (uint32_t)why});
}

enum result workers_gone(struct workers *w, uint32_t number) {
  if (number >= w->slots || w->worker[number].place == FREE) return RESULT_PEER_LIED;
  struct worker *k = &w->worker[number];
  /* Word of its end may be here before its last message: they come on two links. */
  if (k->link != NULL && k->job != NULL) link_hear_out(k->link);
  void *job = k->job;
  if (k->place != DYING && k->place != RESTORING) w->hooks.failed(w->hooks.context, RESULT_WORKER_LOST);
  leave(k, FREE);
  balance(w);
  if (job != NULL) w->hooks.done(w->hooks.context, job, &(struct wire_done){.result = RESULT_WORKER_LOST});
  return RESULT_OK;
}

enum result workers_restored(struct workers *w, uint32_t number) {
  if (number >= w->slots) return RESULT_PEER_LIED;
  struct worker *k = &w->worker[number];
  if (k->place == DYING) return RESULT_OK; /* its end was asked for meanwhile */
  if (k->place != RESTORING) return RESULT_PEER_LIED;
  move_to(k, IDLE);
  w->hooks.idle(w->hooks.context);
  return RESULT_OK;
}

/* ---- what it says ---- */

static void hear_ready(struct worker *k) {
  struct workers *w = k->pool;
  if (!w->hooks.meet(w->hooks.context, &k->talk.ready)) {
    put_down(k);
    return;
  }
  w->started++;
  w->failures = 0;
  move_to(k, IDLE);
  w->hooks.idle(w->hooks.context);
  balance(w); /* one fewer is starting */
}

static void hear_done(struct worker *k, const struct wire_done *done) {
  struct workers *w = k->pool;
  void *job = k->job;
  struct link *link = NULL; /* of one that ends: the answer's bytes are still in it */
  k->job = NULL;
  if (done->reusable) {
    move_to(k, k->nice > 0 ? RESTORING : IDLE);
    workers_nice(k, 0);
  } else {
    link = k->link;
    k->link = NULL;
    put_down(k);
  }
  w->hooks.done(w->hooks.context, job, done);
  link_free(link);
  if (k->place == IDLE) w->hooks.idle(w->hooks.context);
}

static void hear(void *context, const struct channel_message *m) {
  struct worker *k = context;
  struct conversation_heard heard;
  if (m->fd >= 0) close(m->fd);
  enum result r = m->fd >= 0 ? RESULT_WORKER_LIED : conversation_hear(&k->talk, m->type, m->body, &heard);
  if (r != RESULT_OK)
    fail(k, r);
  else if (heard.type == WIRE_READY)
    hear_ready(k);
  else if (heard.type == WIRE_LOG)
    k->pool->hooks.log(k->pool->hooks.context, k->job, &heard.log);
  else if (heard.type == WIRE_FETCH)
    k->pool->hooks.fetch(k->pool->hooks.context, k->job, &heard.fetch);
  else if (heard.type == WIRE_ABORT)
    k->pool->hooks.abort(k->pool->hooks.context, k->job, heard.abort.number);
  else
    hear_done(k, &heard.done);
}

static void lost(void *context, enum result why) {
  fail(context, why == RESULT_PEER_LIED ? RESULT_WORKER_LIED : RESULT_WORKER_LOST);
}

/* ---- the pool ---- */

enum result workers_new(struct event_base *base, uint32_t most, uint32_t idle, const struct workers_hooks *hooks,
                        struct workers **out) {
  const uint32_t slots = 2 * most;
  struct workers *w = calloc(1, sizeof *w + slots * sizeof w->worker[0]);
  if (w == NULL) return RESULT_NO_MEMORY;
  w->hooks = *hooks;
  w->base = base;
  w->most = most;
  w->idle = idle < most ? idle : most;
  w->slots = w->in[FREE] = slots;
  w->message = buf_new(WIRE_JOB_MAX + MSG_HEADER);
  w->answer = buf_new(WIRE_FETCHED_MAX + MSG_HEADER + 1024);
  for (uint32_t i = 0; i < slots; i++) w->worker[i] = (struct worker){.pool = w, .number = i};
  *out = w;
  return RESULT_OK;
}

enum result workers_started(struct workers *w, uint32_t number, int fd) {
  struct worker *k = number < w->slots ? &w->worker[number] : NULL;
  if (k == NULL || k->link != NULL || (k->place != STARTING && k->place != DYING)) {
    close(fd);
    return RESULT_PEER_LIED;
  }
  if (k->place == DYING) { /* its end was asked for before its beginning was heard of */
    close(fd);
    return RESULT_OK;
  }
  const struct link_handler handler = {.context = k, .message = hear, .lost = lost};
  return link_new(w->base, fd, WIRE_SAID_MAX, WIRE_JOB_MAX + OUTGOING_MAX, &handler, &k->link);
}

void workers_want(struct workers *w, uint32_t waiting, uint64_t now_ms) {
  w->now_ms = now_ms;
  w->waiting = waiting;
  balance(w);
}

static struct worker *warmest(struct workers *w) {
  struct worker *best = NULL;
  for (uint32_t i = 0; w->in[IDLE] > 0 && i < w->slots; i++) {
    struct worker *k = &w->worker[i];
    if (k->place == IDLE && (best == NULL || k->since_ms > best->since_ms)) best = k;
  }
  return best;
}

static bool send_job(struct worker *k, const struct wire_job *job) {
  return conversation_ask(&k->talk, job) == RESULT_OK && link_send(k->link, &k->pool->message) == RESULT_OK;
}

struct worker *workers_give(struct workers *w, void *job, const struct wire_job *message) {
  struct worker *k = NULL;
  wire_put_job(&w->message, message);
  while (!w->message.bad && (k = warmest(w)) != NULL && !send_job(k, message)) fail(k, RESULT_WORKER_LOST);
  wipe(w->message.data, w->message.len);
  if (k == NULL) return NULL;
  k->job = job;
  if (w->waiting > 0) w->waiting--; /* this one no longer does */
  move_to(k, BUSY);
  if (w->in[BUSY] > w->peak) w->peak = w->in[BUSY];
  balance(w);
  return k;
}

void workers_take(struct worker *worker) {
  put_down(worker);
}

void workers_nice(struct worker *worker, uint32_t level) {
  if (worker->nice == level) return;
  worker->nice = level;
  worker->pool->hooks.nice(worker->pool->hooks.context, worker->number, level);
}

enum result workers_answer(struct worker *worker, const struct wire_fetched *fetched) {
  struct workers *w = worker->pool;
  struct wire_fetched m = *fetched;
  m.id = worker->talk.job;
  wire_put_fetched(&w->answer, &m);
  enum result r = link_send(worker->link, &w->answer);
  wipe(w->answer.data, w->answer.len);
  return r;
}

void workers_tick(struct workers *w, uint64_t now_ms) {
  w->now_ms = now_ms;
  w->held = false;
  for (uint32_t i = 0; i < w->slots; i++) {
    struct worker *k = &w->worker[i];
    if ((k->place == STARTING || k->place == RESTORING) && now_ms - k->since_ms > START_MS) put_down(k);
    if (k->place == IDLE && w->in[IDLE] + w->in[BUSY] > w->peak + w->idle && now_ms - k->since_ms > IDLE_MS)
      put_down(k);
  }
  if (now_ms - w->peak_ms <= IDLE_MS) return balance(w);
  w->peak = w->in[BUSY];
  w->peak_ms = now_ms;
  balance(w);
}

struct workers_count workers_count(const struct workers *w) {
  return (struct workers_count){.idle = w->in[IDLE],
                                .busy = w->in[BUSY],
                                .starting = w->in[STARTING] + w->in[RESTORING],
                                .started = w->started,
                                .killed = w->killed,
                                .failures = w->failures};
}

void workers_free(struct workers *w) {
  if (w == NULL) return;
  for (uint32_t i = 0; i < w->slots; i++) link_free(w->worker[i].link);
  buf_free(&w->message);
  buf_free(&w->answer);
  free(w);
}
