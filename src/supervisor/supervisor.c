/*
 * The supervisor: starts the keeper, the broker, egress and the workers, and ends them.
 *
 * Alone holds: nothing once they run; at the start all keys, which it hands to whom they belong and wipes, but for what
 * egress is started again with (outside.h). Hears: the keeper and the broker, by two tables of what they may ask
 * (below), that egress is up, and the operator's signals. Never: reads a
 * request, a script or a record. It has no system-call filter, since it makes namespaces; it has no privilege that it
 * needs not, and cannot get any.
 *
 * If the keeper or the broker ends, the service ends, with status 1: whoever started it starts it again, and what was
 * running says so then (failed: interrupted). If egress ends, it is started again. If the supervisor ends, however, all
 * others do (PR_SET_PDEATHSIG).
 */
#include "supervisor/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "crypto/certificate.h"
#include "supervisor/attester.h"
#include "supervisor/child.h"
#include "supervisor/listen.h"
#include "supervisor/outside.h"
#include "supervisor/prepare.h"
#include "wire/link.h"
#include "wire/service.h"

#define START_PATIENCE_MS 30000u
#define STOP_PATIENCE_MS 2000u /* beyond the grace that the broker was given */
#define END_PATIENCE_MS 1000   /* for a process whose socket is closed */
#define OTHER_PATIENCE_MS 100  /* for one that may have ended before the one whose end was heard of */
#define HEARD_MAX 256u         /* what the supervisor hears are words */
#define SAID_MAX (8u << 20)    /* what it says holds certificates */
#define DESCRIPTORS_WANTED 65536u

enum phase { STARTING, SERVING, STOPPING };

struct supervisor;

/* What a peer may ask: a body's handler answers false if it may not be so. */
struct verb {
  uint8_t type;
  bool (*handle)(struct supervisor *s, struct span body);
};

struct peer {
  struct supervisor *supervisor;
  const char *name;
  enum sandbox_role role;
  enum service_peer who;
  const struct verb *verbs; /* ends with type 0 */
  struct child *child;
  struct link *link;
  bool begun; /* its first message has come */
};

struct worker {
  struct supervisor *supervisor;
  struct child *child; /* NULL: the number is free */
  int nice;
  bool killed;
};

struct supervisor {
  struct event_base *base;
  struct config *config;
  char *const *environment;
  struct prepared prepared;
  int program, worker_program, egress_program;
  struct peer keeper, broker;
  struct outside *outside;
  struct attester *attester;
  uint8_t tls_spki[HASH_SIZE]; /* of the listening certificate */
  bool has_tls;
  struct worker *workers;
  uint32_t worker_count; /* numbers that may be asked for; twice as many as may run, since some are ending */
  struct event *signals[4], *patience, *watchdog;
  bool nice_refused;
  enum phase phase;
  bool finished;
  int status;
};

/* Leaves the loop; all else is ended after it. */
static void finish(struct supervisor *s, int status) {
  s->status = status;
  s->finished = true;
  event_base_loopbreak(s->base);
}

static void fail(struct supervisor *s, const char *event, const char *process, enum result r) {
  log_begin(LOG_ERROR, event);
  log_text("of", span_text(process));
  log_result(r);
  log_end();
  finish(s, 1);
}

/* Wipes and frees `message`. Of a peer that is gone, word comes from the loop. */
static void tell(struct peer *p, struct buf *message, int fd) {
  enum result r = fd < 0 ? link_send(p->link, message) : link_send_fd(p->link, message, fd);
  buf_free(message);
  if (r != RESULT_OK && r != RESULT_PEER_LOST) fail(p->supervisor, "process_stuck", p->name, r);
}

static struct timeval after_ms(uint64_t ms) {
  return (struct timeval){(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
}

/* ---- workers, at the keeper's word ---- */

static void tell_worker(struct supervisor *s, void (*put)(struct buf *b, const struct wire_worker *m),
                        uint32_t number) {
  struct buf b = buf_new(64);
  put(&b, &(struct wire_worker){number});
  tell(&s->keeper, &b, -1);
}

static void tell_gone(struct supervisor *s, uint32_t number) {
  tell_worker(s, wire_put_worker_gone, number);
}

/* A worker that the fence or the system ended is worth a line; one that was told to is not. */
static void log_worker_end(const struct worker *w, uint32_t number, const siginfo_t *end) {
  log_begin(w->killed ? LOG_DEBUG : LOG_WARN, "worker_ended");
  log_number("worker", number);
  log_number(end->si_code == CLD_EXITED ? "status" : "signal", (uint64_t)end->si_status);
  log_end();
}

static void on_worker_end(void *context, const siginfo_t *end) {
  struct worker *w = context;
  struct supervisor *s = w->supervisor;
  uint32_t number = (uint32_t)(w - s->workers);
  log_worker_end(w, number, end);
  child_free(w->child);
  *w = (struct worker){.supervisor = s};
  tell_gone(s, number);
}

static bool handle_spawn(struct supervisor *s, struct span body) {
  struct wire_worker m;
  if (!wire_get_spawn(body, &m) || m.number >= s->worker_count || s->workers[m.number].child != NULL) return false;
  struct worker *w = &s->workers[m.number];
  const struct child_hooks hooks = {w, on_worker_end};
  int socket;
  enum result r =
      child_start(s->base, SANDBOX_WORKER, "neocompute-worker", s->worker_program, &hooks, &socket, &w->child);
  if (r != RESULT_OK) {
    log_begin(LOG_ERROR, "worker_not_started");
    log_result(r);
    log_end();
    tell_gone(s, m.number);
    return true;
  }
  struct buf b = buf_new(64);
  wire_put_worker_started(&b, &m);
  tell(&s->keeper, &b, socket);
  close(socket);
  return true;
}

static void kill_worker(struct worker *w) {
  w->killed = true;
  child_kill(w->child);
}

/* One that has ended already is no fault: word of it may be on its way. */
static bool handle_kill(struct supervisor *s, struct span body) {
  struct wire_worker m;
  if (!wire_get_kill(body, &m) || m.number >= s->worker_count) return false;
  if (s->workers[m.number].child != NULL) kill_worker(&s->workers[m.number]);
  return true;
}

/* Where a worker cannot get its priority back, it is ended: the keeper asks for a new one, and nobody's script runs
 * slower for what another's did. */
static void refuse_nice(struct supervisor *s, struct worker *w, int level) {
  if (!s->nice_refused) {
    log_begin(LOG_WARN, "priority_refused");
    log_number("errno", (uint64_t)errno);
    log_end();
  }
  s->nice_refused = true;
  if (level < w->nice) kill_worker(w);
}

static bool handle_nice(struct supervisor *s, struct span body) {
  struct wire_nice m;
  if (!wire_get_nice(body, &m) || m.number >= s->worker_count || m.level > 19) return false;
  struct worker *w = &s->workers[m.number];
  if (w->child == NULL) return true;
  if (child_nice(w->child, (int)m.level) == RESULT_OK)
    w->nice = (int)m.level;
  else
    refuse_nice(s, w, (int)m.level);
  if (m.level == 0 && !w->killed) tell_worker(s, wire_put_worker_restored, m.number);
  return true;
}

static void log_fences(const char *process, sandbox_set possible, uint32_t fences) {
  char missing[256];
  struct buf b = buf_fixed(missing, sizeof missing);
  for (unsigned bit = 0; bit < SANDBOX_COUNT; bit++)
    if (possible & ~fences & 1u << bit)
      buf_printf(&b, "%s%s", b.len > 0 ? " " : "", sandbox_name((enum sandbox_bit)bit));
  log_begin(LOG_INFO, "fenced");
  log_text("of", span_text(process));
  log_text("without", buf_span(&b));
  log_end();
}

static bool handle_keeper_up(struct supervisor *s, struct span body) {
  struct wire_up m;
  (void)s;
  if (!wire_get_keeper_up(body, &m) || !sandbox_suffices(m.fences)) return false;
  log_fences("keeper", SANDBOX_SERVICE, m.fences);
  return true;
}

/* Nobody can check a service that has no evidence: it does not start. One that runs goes on with what it had. */
static void on_evidence(void *context, uint64_t ticket, enum result r, struct span raw) {
  struct supervisor *s = context;
  struct buf b = buf_new(SAID_MAX);
  if (r != RESULT_OK) {
    log_begin(s->phase == STARTING ? LOG_ERROR : LOG_WARN, "evidence_failed");
    log_text("provider", span_text(s->prepared.provider->name));
    log_result(r);
    log_end();
  }
  if (r != RESULT_OK && s->phase == STARTING) finish(s, 1);
  wire_put_evidenced(&b, &(struct wire_evidenced){ticket, (uint32_t)r, raw});
  tell(&s->keeper, &b, -1);
}

static bool handle_evidence(struct supervisor *s, struct span body) {
  struct wire_evidence m;
  return wire_get_evidence(body, &m) && attester_ask(s->attester, &m);
}

static const struct verb keeper_verbs[] = {{WIRE_KEEPER_UP, handle_keeper_up}, {WIRE_SPAWN, handle_spawn},
                                           {WIRE_KILL, handle_kill},           {WIRE_NICE, handle_nice},
                                           {WIRE_EVIDENCE, handle_evidence},   {0, NULL}};

/* ---- the broker's word ---- */

static void log_listener(const char *event, int fd) {
  char name[64];
  struct buf b = buf_fixed(name, sizeof name);
  listen_put_name(&b, fd);
  log_begin(LOG_INFO, event);
  log_text("address", buf_span(&b));
  log_end();
}

/* It serves: its listeners are its own from here on. */
static bool handle_broker_up(struct supervisor *s, struct span body) {
  struct wire_up m;
  if (!wire_get_broker_up(body, &m) || !sandbox_suffices(m.fences)) return false;
  log_fences("broker", SANDBOX_SERVICE, m.fences);
  if (s->phase != STARTING) return true;
  s->phase = SERVING;
  event_del(s->patience);
  for (unsigned i = 0; i < s->prepared.http_count; i++) log_listener("listening", s->prepared.http[i]);
  if (s->prepared.metrics >= 0) log_listener("metrics_listening", s->prepared.metrics);
  prepare_close_listeners(&s->prepared); /* the broker has them: when it closes them, callers are refused */
  notify_send(s->environment, "READY=1");
  return true;
}

static bool handle_drained(struct supervisor *s, struct span body) {
  if (!wire_get_empty(body) || s->phase != STOPPING) return false;
  finish(s, 0);
  return true;
}

static const struct verb broker_verbs[] = {
    {WIRE_BROKER_UP, handle_broker_up}, {WIRE_DRAINED, handle_drained}, {0, NULL}};

/* ---- the two peers ---- */

static bool may_ask(struct peer *p, const struct channel_message *m) {
  if (m->fd >= 0 || !service_in_order(p->who, SERVICE_SUPERVISOR, m->type, &p->begun)) return false;
  for (const struct verb *v = p->verbs; v->type != 0; v++)
    if (v->type == m->type) return v->handle(p->supervisor, m->body);
  return false;
}

static void on_message(void *context, const struct channel_message *m) {
  struct peer *p = context;
  if (!p->supervisor->finished && !may_ask(p, m)) fail(p->supervisor, "process_lied", p->name, RESULT_PEER_LIED);
  if (m->fd >= 0) close(m->fd);
}

static void log_peer_end(const struct peer *p, const siginfo_t *end) {
  log_begin(LOG_ERROR, "process_ended");
  log_text("of", span_text(p->name));
  log_number(end->si_code == CLD_EXITED ? "status" : "signal", (uint64_t)end->si_status);
  log_end();
}

/* Who is without the other ends, too, and word of that may come first: both are named. */
static void on_peer_end(void *context, const siginfo_t *end) {
  struct peer *p = context;
  struct supervisor *s = p->supervisor;
  struct peer *other = p == &s->keeper ? &s->broker : &s->keeper;
  siginfo_t its_end;
  log_peer_end(p, end);
  if (other->child != NULL && child_wait(other->child, OTHER_PATIENCE_MS, &its_end)) log_peer_end(other, &its_end);
  finish(s, 1);
}

/* A closed socket is how most ends are seen first. */
static void on_lost(void *context, enum result why) {
  struct peer *p = context;
  siginfo_t end;
  if (p->supervisor->finished) return;
  if (why == RESULT_PEER_LOST && child_wait(p->child, END_PATIENCE_MS, &end))
    on_peer_end(p, &end);
  else
    fail(p->supervisor, why == RESULT_PEER_LOST ? "process_lost" : "process_lied", p->name, why);
}

static enum result start_peer(struct peer *p, const char *name) {
  struct supervisor *s = p->supervisor;
  const struct child_hooks hooks = {p, on_peer_end};
  const struct link_handler handler = {p, on_message, on_lost};
  int socket;
  enum result r = child_start(s->base, p->role, name, s->program, &hooks, &socket, &p->child);
  if (r != RESULT_OK) return r;
  evutil_make_socket_nonblocking(socket);
  return link_new(s->base, socket, HEARD_MAX, SAID_MAX, &handler, &p->link);
}

static struct span tls_spki_of(const struct supervisor *s) {
  return s->has_tls ? span_of(s->tls_spki, sizeof s->tls_spki) : span_text("");
}

/* Whether the certificate has another key than the last one. */
static bool note_certificate(struct supervisor *s, const struct secrets_tls *tls) {
  uint8_t spki[HASH_SIZE];
  if (tls->certificate.len == 0 || certificate_spki(buf_span(&tls->certificate), spki) != RESULT_OK) return false;
  const bool same = s->has_tls && memcmp(spki, s->tls_spki, sizeof spki) == 0;
  memcpy(s->tls_spki, spki, sizeof spki);
  s->has_tls = true;
  return !same;
}

static void set_up_keeper(struct supervisor *s) {
  struct buf config = buf_new(SAID_MAX), b = buf_new(SAID_MAX);
  config_put(&config, s->config);
  wire_put_keeper_setup(&b, &(struct wire_keeper_setup){.config = buf_span(&config),
                                                        .master_key = buf_span(&s->prepared.secrets.master_key),
                                                        .secrets_key = buf_span(&s->prepared.secrets.secrets_key),
                                                        .supabase_key = buf_span(&s->prepared.secrets.supabase_key),
                                                        .tls_spki = tls_spki_of(s),
                                                        .strict = s->prepared.secrets.strict});
  tell(&s->keeper, &b, -1);
  buf_free(&config);
}

static void set_up_broker(struct supervisor *s) {
  const struct secrets *keys = &s->prepared.secrets;
  struct buf config = buf_new(SAID_MAX), b = buf_new(SAID_MAX);
  config_put(&config, s->config);
  wire_put_broker_setup(&b, &(struct wire_broker_setup){.config = buf_span(&config),
                                                        .store = span_text(s->prepared.state.store),
                                                        .jwt_secret = buf_span(&keys->jwt_secret),
                                                        .jwt_jwks = buf_span(&keys->jwt_jwks),
                                                        .service_key = buf_span(&keys->service_key),
                                                        .strict = keys->strict});
  tell(&s->broker, &b, -1);
  buf_free(&config);
}

static void hand_certificates(struct supervisor *s, const struct secrets_tls *tls) {
  if (tls->certificate.len == 0) return;
  struct buf b = buf_new(SAID_MAX);
  wire_put_tls(&b, &(struct wire_tls){buf_span(&tls->certificate), buf_span(&tls->key), buf_span(&tls->client_ca),
                                      tls->require_client});
  tell(&s->broker, &b, -1);
}

static void hand_listener(struct supervisor *s, enum wire_listener_kind kind, int fd) {
  char name[64];
  struct buf address = buf_fixed(name, sizeof name), b = buf_new(256);
  listen_put_name(&address, fd);
  wire_put_listener(&b, &(struct wire_listener){kind, buf_span(&address)});
  tell(&s->broker, &b, fd);
}

static void hand_end(struct peer *p, enum service_type type, int fd) {
  struct buf b = buf_new(64);
  wire_put_empty(&b, type);
  tell(p, &b, fd);
}

/* The socket that keeper and broker talk by. */
static enum result introduce(struct supervisor *s) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) return RESULT_IO;
  hand_end(&s->keeper, WIRE_CLIENT, pair[0]);
  hand_end(&s->broker, WIRE_PEER, pair[1]);
  close(pair[0]);
  close(pair[1]);
  return RESULT_OK;
}

/* ---- egress ---- */

static void hand_outlet(void *context, int fd) {
  struct supervisor *s = context;
  hand_end(&s->keeper, WIRE_OUTLET, fd);
}

static void on_egress_fenced(void *context, uint32_t fences) {
  (void)context;
  log_fences("egress", SANDBOX_OUTSIDE, fences);
}

static enum result start_egress(struct supervisor *s) {
  const struct secrets *keys = &s->prepared.secrets;
  const struct outside_hooks hooks = {s, hand_outlet, on_egress_fenced};
  struct buf config = buf_new(SAID_MAX), b = buf_new(SAID_MAX);
  config_put(&config, s->config);
  wire_put_egress_setup(&b, &(struct wire_egress_setup){.config = buf_span(&config),
                                                        .authorities = buf_span(&keys->authorities),
                                                        .names = buf_span(&keys->names),
                                                        .database = buf_span(&keys->database)});
  buf_free(&config);
  return outside_new(s->base, s->egress_program, &b, &hooks, &s->outside);
}

static enum result start_peers(struct supervisor *s) {
  enum result r = start_peer(&s->keeper, SUPERVISOR_KEEPER);
  if (r == RESULT_OK) r = start_peer(&s->broker, SUPERVISOR_BROKER);
  if (r != RESULT_OK) return r;
  (void)note_certificate(s, &s->prepared.tls);
  set_up_keeper(s);
  set_up_broker(s);
  hand_certificates(s, &s->prepared.tls);
  for (unsigned i = 0; i < s->prepared.http_count; i++) hand_listener(s, WIRE_LISTENER_HTTP, s->prepared.http[i]);
  if (s->prepared.metrics >= 0) hand_listener(s, WIRE_LISTENER_METRICS, s->prepared.metrics);
  r = start_egress(s);
  /* Whom they belong to has them now. */
  secrets_wipe(&s->prepared.secrets);
  secrets_free_tls(&s->prepared.tls);
  return r == RESULT_OK ? introduce(s) : r;
}

/* ---- the operator's word ---- */

static void stop(struct supervisor *s) {
  uint64_t grace = 0;
  if (config_duration_ms(s->config, CONFIG_STOP_GRACE, &grace) != RESULT_OK) grace = 0;
  notify_send(s->environment, "STOPPING=1");
  log_begin(LOG_INFO, "stopping");
  log_number("grace_ms", grace);
  log_end();
  if (s->phase != SERVING) { /* nothing is held yet, or a second word: at once */
    finish(s, 0);
    return;
  }
  struct buf b = buf_new(64);
  const struct timeval patience = after_ms(grace + STOP_PATIENCE_MS);
  s->phase = STOPPING;
  wire_put_stop(&b, &(struct wire_stop){grace});
  event_add(s->patience, &patience);
  tell(&s->broker, &b, -1);
}

static void on_stop(evutil_socket_t number, short what, void *context) {
  (void)number, (void)what;
  stop(context);
}

static void rotate(struct supervisor *s) {
  struct buf b = buf_new(256);
  log_begin(LOG_INFO, "rotating");
  log_end();
  wire_put_rotate(&b, &(struct wire_rotate){tls_spki_of(s)});
  tell(&s->keeper, &b, -1);
}

static void on_rotate(evutil_socket_t number, short what, void *context) {
  (void)number, (void)what;
  struct supervisor *s = context;
  if (s->phase == SERVING) rotate(s);
}

/* Whatever is wrong with the new files, the old certificates serve on. The broker looks into them and says the same. */
static void on_reload(evutil_socket_t number, short what, void *context) {
  (void)number, (void)what;
  struct supervisor *s = context;
  struct secrets_tls tls;
  struct buf problem = buf_new(1024);
  enum result r = secrets_read_tls(&tls, s->config, s->environment, &problem);
  log_begin(r == RESULT_OK ? LOG_INFO : LOG_WARN, r == RESULT_OK ? "certificates_read" : "certificates_kept");
  if (r != RESULT_OK) log_text("reason", buf_span(&problem));
  log_end();
  if (r == RESULT_OK) hand_certificates(s, &tls);
  /* The document names the key that callers meet. */
  if (r == RESULT_OK && note_certificate(s, &tls) && s->phase == SERVING) rotate(s);
  secrets_free_tls(&tls);
  buf_free(&problem);
}

/* The start or the stop takes too long. */
static void on_patience(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct supervisor *s = context;
  const bool stopping = s->phase == STOPPING;
  log_begin(stopping ? LOG_WARN : LOG_ERROR, stopping ? "not_drained" : "start_timeout");
  log_end();
  finish(s, stopping ? 0 : 1);
}

static void on_watchdog(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  const struct supervisor *s = context;
  notify_send(s->environment, "WATCHDOG=1");
}

static bool add_event(struct event *e, const struct timeval *when) {
  return e != NULL && event_add(e, when) == 0;
}

static enum result watch(struct supervisor *s) {
  static const struct {
    int number;
    event_callback_fn on;
  } signals[] = {{SIGTERM, on_stop}, {SIGINT, on_stop}, {SIGHUP, on_reload}, {SIGUSR1, on_rotate}};
  const struct timeval patience = after_ms(START_PATIENCE_MS);
  bool ok = true;
  for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
    s->signals[i] = evsignal_new(s->base, signals[i].number, signals[i].on, s);
    ok &= add_event(s->signals[i], NULL);
  }
  s->patience = evtimer_new(s->base, on_patience, s);
  ok &= add_event(s->patience, &patience);
  uint64_t watchdog = notify_watchdog_us(s->environment);
  if (watchdog > 0) {
    const struct timeval half = {(time_t)(watchdog / 2000000), (suseconds_t)(watchdog / 2 % 1000000)};
    s->watchdog = event_new(s->base, -1, EV_PERSIST, on_watchdog, s);
    ok &= add_event(s->watchdog, &half);
  }
  return ok ? RESULT_OK : RESULT_NO_MEMORY;
}

/* ---- a life ---- */

/* What starting, watching and ending workers takes, if it was there: namespaces, other users, priorities, signals. */
static void give_up_privileges(void) {
  static const int needed[] = {CAP_SYS_ADMIN, CAP_SETUID,       CAP_SETGID, CAP_SETPCAP,
                               CAP_SYS_NICE,  CAP_SYS_RESOURCE, CAP_KILL};
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct have[2], keep[2] = {{0}, {0}};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (syscall(SYS_capget, &header, have) != 0) return;
  for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
    const int word = needed[i] / 32;
    const uint32_t bit = 1u << needed[i] % 32;
    keep[word].permitted |= have[word].permitted & bit;
    keep[word].effective |= have[word].permitted & bit;
  }
  syscall(SYS_capset, &header, keep);
}

/* The broker holds a descriptor for each caller; it raises its soft limit to the hard one. */
static void raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max >= DESCRIPTORS_WANTED) return;
  limit.rlim_max = DESCRIPTORS_WANTED;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static enum result open_programs(struct supervisor *s, const struct supervisor_programs *programs,
                                 struct buf *problem) {
  const struct {
    const char *path;
    int *fd;
  } all[] = {
      {"/proc/self/exe", &s->program}, {programs->worker, &s->worker_program}, {programs->egress, &s->egress_program}};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    *all[i].fd = child_program(all[i].path);
    if (*all[i].fd >= 0) continue;
    buf_printf(problem, "%s: %s", all[i].path, strerror(errno));
    return RESULT_IO;
  }
  return RESULT_OK;
}

static enum result make(struct supervisor *s) {
  uint64_t workers = 0, parked = 0;
  enum result r = config_number(s->config, CONFIG_WORKERS, 1, PREPARE_WORKERS_MAX, &workers);
  if (r == RESULT_OK) r = config_number(s->config, CONFIG_PARKED, 0, PREPARE_WORKERS_MAX, &parked);
  if (r != RESULT_OK) return r;
  s->worker_count = 2 * (uint32_t)(workers + parked);
  s->workers = calloc(s->worker_count, sizeof *s->workers);
  s->base = event_base_new();
  if (s->workers == NULL || s->base == NULL) return RESULT_NO_MEMORY;
  for (uint32_t i = 0; i < s->worker_count; i++) s->workers[i].supervisor = s;
  s->keeper = (struct peer){s, "keeper", SANDBOX_KEEPER, SERVICE_KEEPER, keeper_verbs, NULL, NULL, false};
  s->broker = (struct peer){s, "broker", SANDBOX_BROKER, SERVICE_BROKER, broker_verbs, NULL, NULL, false};
  const struct attester_hooks hooks = {s, on_evidence};
  enum result made =
      attester_new(s->base, s->prepared.provider, config_text(s->config, CONFIG_ATTEST_ROOT), &hooks, &s->attester);
  return made == RESULT_OK ? watch(s) : made;
}

/* The broker first: it closes its callers' connections while the keeper still can seal. Closing the socket tells each
 * to end; who does not is killed. */
static void end_peer(struct peer *p) {
  siginfo_t end;
  link_free(p->link);
  if (p->child != NULL) (void)child_wait(p->child, END_PATIENCE_MS, &end);
  child_free(p->child);
}

static void free_events(struct supervisor *s) {
  struct event *const all[] = {s->signals[0], s->signals[1], s->signals[2], s->signals[3], s->patience, s->watchdog};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    if (all[i] != NULL) event_free(all[i]);
  if (s->base != NULL) event_base_free(s->base);
}

static void end(struct supervisor *s) {
  end_peer(&s->broker);
  end_peer(&s->keeper);
  outside_free(s->outside);
  attester_free(s->attester);
  for (uint32_t i = 0; s->workers != NULL && i < s->worker_count; i++) child_free(s->workers[i].child);
  free(s->workers);
  free_events(s);
  prepare_end(&s->prepared);
  if (s->program >= 0) close(s->program);
  if (s->worker_program >= 0) close(s->worker_program);
  if (s->egress_program >= 0) close(s->egress_program);
}

static void warn_ephemeral(const struct supervisor *s) {
  if (s->prepared.secrets.master_key.len > 0) return;
  log_begin(LOG_WARN, "master_key_ephemeral");
  log_text("consequence", span_text("COMPUTE_MASTER_KEY is not set: what is stored cannot be read after a restart"));
  log_end();
}

static void warn_simulated(const struct supervisor *s) {
  if (s->prepared.provider != &attest_sim) return;
  log_begin(LOG_WARN, "evidence_simulated");
  log_text("consequence", span_text("no hardware vouches for this service: nobody can tell it from another program"));
  log_end();
}

static void warn_unfenced(void) {
  if (sandbox_profile.possible != 0) return;
  log_begin(LOG_WARN, "no_fence");
  log_text("isolation", span_text(sandbox_profile.name));
  log_text("consequence", span_text("all is one process: only the engine keeps scripts from the keys"));
  log_end();
}

static void warn_trustless(const struct supervisor *s) {
  if (s->prepared.secrets.authorities.len > 0) return;
  log_begin(LOG_WARN, "egress_trusts_nobody");
  log_text("consequence", span_text("egress.ca is not there: no server can be called by https"));
  log_end();
}

/* A manifest that asks for what this service does not do. */
static void warn_ttls(const struct secrets_tls *tls) {
  if (tls->ttls_others == 0 && tls->ttls_outgoing == 0) return;
  log_begin(LOG_WARN, "ttls_not_used");
  log_text("note", span_text("of MARBLE_TTLS_CONFIG only the incoming entry for the port of server.listen counts"));
  log_number("incoming", tls->ttls_others);
  log_number("outgoing", tls->ttls_outgoing);
  log_end();
}

static enum result start(struct supervisor *s, char **environment, const struct supervisor_programs *programs,
                         struct buf *problem) {
  enum result r = prepare(&s->prepared, s->config, environment, problem);
  if (r == RESULT_OK) r = open_programs(s, programs, problem);
  if (r == RESULT_OK) r = make(s);
  if (r != RESULT_OK) return r;
  raise_descriptor_limit();
  give_up_privileges();
  warn_ephemeral(s);
  warn_trustless(s);
  warn_ttls(&s->prepared.tls);
  warn_simulated(s);
  warn_unfenced();
  return start_peers(s);
}

static enum log_level level_of(const char *name) {
  static const char *const names[] = {"debug", "info", "warn", "error"};
  for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strcmp(name, names[i]) == 0) return (enum log_level)i;
  return LOG_INFO;
}

int supervisor_run(struct config *config, char **environment, const struct supervisor_programs *programs) {
  struct supervisor s = {.config = config,
                         .environment = environment,
                         .program = -1,
                         .worker_program = -1,
                         .egress_program = -1,
                         .status = 1};
  struct buf problem = buf_new(4096);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  log_open("supervisor", level_of(config_text(config, CONFIG_LOG_LEVEL)));
  enum result r = start(&s, environment, programs, &problem);
  if (r == RESULT_OK) {
    if (!s.finished) event_base_dispatch(s.base);
  } else {
    log_begin(LOG_ERROR, "not_started");
    log_text("reason", problem.len > 0 ? buf_span(&problem) : span_text(result_sentence(r)));
    log_end();
  }
  buf_free(&problem);
  end(&s);
  if (r == RESULT_OK) {
    log_begin(LOG_INFO, "stopped");
    log_number("status", (uint64_t)s.status);
    log_end();
  }
  return s.status;
}
