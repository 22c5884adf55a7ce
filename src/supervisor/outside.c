#include "supervisor/outside.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "supervisor/child.h"
#include "wire/link.h"
#include "wire/service.h"

#define NAME "neocompute: egress"
#define HEARD_MAX 256u
#define SAID_MAX (16u << 20)
#define END_PATIENCE_MS 1000
#define PAUSE_MIN_MS 100u /* before it is started again: twice as long each time, */
#define PAUSE_MAX_MS 10000u
#define STEADY_MS 60000u /* until it has run for so long */

struct outside {
  struct event_base *base;
  struct event *again;
  struct outside_hooks hooks;
  int program;
  struct buf setup;
  struct child *child;
  struct link *link;
  bool begun; /* its first message has come */
  uint64_t started_ms, pause_ms;
};

/* ---- its end ---- */

static void start(struct outside *o);

static void forget(struct outside *o) {
  link_free(o->link);
  child_free(o->child);
  o->link = NULL;
  o->child = NULL;
  o->begun = false;
}

static void start_later(struct outside *o) {
  if (clock_monotonic_ms() - o->started_ms >= STEADY_MS) o->pause_ms = PAUSE_MIN_MS;
  const struct timeval when = {(time_t)(o->pause_ms / 1000), (suseconds_t)(o->pause_ms % 1000 * 1000)};
  event_add(o->again, &when);
  o->pause_ms = o->pause_ms * 2 < PAUSE_MAX_MS ? o->pause_ms * 2 : PAUSE_MAX_MS;
}

static void log_end_of(const siginfo_t *end) {
  log_begin(LOG_WARN, "egress_lost");
  log_number(end->si_code == CLD_EXITED ? "status" : "signal", (uint64_t)end->si_status);
  log_end();
}

static void log_problem(const char *event, enum result why) {
  log_begin(LOG_ERROR, event);
  log_result(why);
  log_end();
}

static void on_end(void *context, const siginfo_t *end) {
  struct outside *o = context;
  log_end_of(end);
  forget(o);
  start_later(o);
}

static void on_lost(void *context, enum result why) {
  struct outside *o = context;
  siginfo_t end;
  if (why == RESULT_PEER_LOST && child_wait(o->child, END_PATIENCE_MS, &end)) {
    on_end(o, &end);
    return;
  }
  log_problem(why == RESULT_PEER_LOST ? "egress_stuck" : "egress_lied", why);
  forget(o);
  start_later(o);
}

/* ---- its word ---- */

/* All that it may say is that it is up, and in its fence. */
static void on_message(void *context, const struct channel_message *m) {
  struct outside *o = context;
  struct wire_up up;
  const bool fits = m->fd < 0 && service_in_order(SERVICE_EGRESS, SERVICE_SUPERVISOR, m->type, &o->begun) &&
                    wire_get_egress_up(m->body, &up) && sandbox_suffices(up.fences);
  if (m->fd >= 0) close(m->fd);
  if (fits)
    o->hooks.fenced(o->hooks.context, up.fences);
  else
    on_lost(o, RESULT_PEER_LIED);
}

/* ---- its start ---- */

static enum result introduce(struct outside *o) {
  int pair[2];
  struct buf b = buf_new(64);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) return RESULT_IO;
  wire_put_empty(&b, WIRE_EGRESS_PEER);
  enum result r = link_send_fd(o->link, &b, pair[0]);
  if (r == RESULT_OK) o->hooks.hand(o->hooks.context, pair[1]);
  close(pair[0]);
  close(pair[1]);
  buf_free(&b);
  return r;
}

static enum result try_start(struct outside *o) {
  const struct child_hooks hooks = {o, on_end};
  const struct link_handler handler = {o, on_message, on_lost};
  int socket;
  enum result r = child_start(o->base, SANDBOX_EGRESS, NAME, o->program, &hooks, &socket, &o->child);
  if (r != RESULT_OK) return r;
  evutil_make_socket_nonblocking(socket);
  r = link_new(o->base, socket, HEARD_MAX, SAID_MAX, &handler, &o->link);
  if (r == RESULT_OK) r = link_send(o->link, &o->setup);
  return r == RESULT_OK ? introduce(o) : r;
}

static void start(struct outside *o) {
  o->started_ms = clock_monotonic_ms();
  enum result r = try_start(o);
  /* Of one that is gone already, word comes from the loop. */
  if (r == RESULT_OK || (r == RESULT_PEER_LOST && o->link != NULL)) return;
  log_problem("egress_not_started", r);
  forget(o);
  start_later(o);
}

static void on_again(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  start(context);
}

enum result outside_new(struct event_base *base, int program, struct buf *setup, const struct outside_hooks *hooks,
                        struct outside **out) {
  struct outside *o = calloc(1, sizeof *o);
  struct event *again = o == NULL ? NULL : evtimer_new(base, on_again, o);
  if (again == NULL) {
    buf_free(setup);
    free(o);
    return RESULT_NO_MEMORY;
  }
  *o = (struct outside){
      .base = base, .again = again, .hooks = *hooks, .program = program, .setup = *setup, .pause_ms = PAUSE_MIN_MS};
  *setup = buf_new(0);
  *out = o;
  start(o);
  return RESULT_OK;
}

void outside_free(struct outside *o) {
  siginfo_t end;
  if (o == NULL) return;
  link_free(o->link);
  o->link = NULL;
  if (o->child != NULL) (void)child_wait(o->child, END_PATIENCE_MS, &end);
  forget(o);
  event_free(o->again);
  buf_free(&o->setup);
  free(o);
}
