#include "broker/broker.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "broker/metrics.h"
#include "broker/state.h"

#define DRAIN_CHECK_MS 20 /* while the service stops */

/* ---- small things ---- */

uint64_t broker_ticket(struct broker *b) {
  return ++b->last_ticket;
}

void broker_fail(struct broker *b, const char *event, enum result why) {
  log_begin(LOG_ERROR, event);
  log_result(why);
  log_end();
  b->failed = true;
  event_base_loopbreak(b->loop);
}

void broker_send(struct broker *b) {
  enum result r = link_send(b->keeper, &b->outgoing);
  /* A keeper that takes nothing for so long that 64 MiB wait is as good as gone. */
  if (r == RESULT_NO_MEMORY) broker_fail(b, "keeper_does_not_read", r);
}

static void tell_supervisor(struct broker *b) {
  enum result r = link_send(b->supervisor, &b->outgoing);
  if (r == RESULT_NO_MEMORY) broker_fail(b, "supervisor_does_not_read", r);
}

static void set_timer(struct event *timer, uint64_t ms) {
  struct timeval time = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
  event_add(timer, &time);
}

void broker_gauges(struct broker *b) {
  struct http_stats http = b->http != NULL ? http_server_stats(b->http) : (struct http_stats){0};
  struct store_stats store = store_stats(b->store);
  struct admission_stats jobs = admission_stats(b->admission);
  const struct {
    enum metrics_id id;
    unsigned label;
    uint64_t value;
  } gauges[] = {{METRICS_JOBS_RUNNING, 0, jobs.running},
                {METRICS_JOBS_WAITING, 0, jobs.waiting},
                {METRICS_CONNECTIONS, 0, http.connections},
                {METRICS_HTTP_BYTES, METRICS_BYTES_IN, http.bytes_in},
                {METRICS_HTTP_BYTES, METRICS_BYTES_OUT, http.bytes_out},
                {METRICS_STORE_COMMITS, 0, store.commits},
                {METRICS_STORE_OPERATIONS, 0, store.operations},
                {METRICS_WORKERS, METRICS_WORKERS_IDLE, b->gauges.workers_idle},
                {METRICS_WORKERS, METRICS_WORKERS_BUSY, b->gauges.workers_busy},
                {METRICS_WORKERS, METRICS_WORKERS_STARTING, b->gauges.workers_starting},
                {METRICS_WORKERS_STARTED, 0, b->gauges.workers_started},
                {METRICS_WORKERS_KILLED, 0, b->gauges.workers_killed},
                {METRICS_RECEIPTS, 0, b->gauges.receipts}};
  for (size_t i = 0; i < sizeof gauges / sizeof gauges[0]; i++)
    metrics_set(gauges[i].id, gauges[i].label, gauges[i].value);
}

bool broker_is_full(const struct broker *b) {
  return b->http != NULL && http_server_stats(b->http).waiting >= BROKER_REPLIES_MAX;
}

void broker_opens(struct broker *b, size_t bytes) {
  b->opening += bytes;
  if (b->opening >= BROKER_OPENING_MAX) event_del(b->store_event);
}

void broker_opened(struct broker *b, size_t bytes) {
  b->opening -= bytes;
  if (b->opening < BROKER_OPENING_MAX && event_add(b->store_event, NULL) != 0)
    broker_fail(b, "store_not_heard", RESULT_NO_MEMORY);
}

/* ---- what the keeper says ---- */

static bool take_identity(struct broker *b, struct span body) {
  struct wire_identity m;
  if (!wire_get_identity(body, &m)) return false;
  /* The spans are to outlive the message: read them again from a copy. */
  buf_clear(&b->identity.text);
  buf_put_span(&b->identity.text, body);
  if (b->identity.text.bad || !wire_get_identity(buf_span(&b->identity.text), &m)) return false;
  b->identity.engine = m.engine;
  b->identity.isolation = m.isolation;
  b->identity.tee = m.tee;
  b->identity.attested = m.attested;
  b->identity.stores = m.stores;
  b->identity.worker_fences = m.worker_fences;
  b->identity.attested_at = m.attested_at;
  memcpy(b->identity.attestation, m.attestation, sizeof b->identity.attestation);
  metrics_build(m.engine, m.tee);
  b->identity.kept_until_ms = 0;
  attestation_keep(b);
  return true;
}

static bool on_identity(struct broker *b, struct span body) {
  if (!take_identity(b, body)) return false;
  jobs_recover(b);
  return true;
}

/* Jobs that ended name the document before this one, which is kept long enough (attestation_keep). */
static bool on_rotated(struct broker *b, struct span body) {
  return take_identity(b, body);
}

static bool on_stored(struct broker *b, struct span body) {
  struct wire_stored m;
  if (!wire_get_stored(body, &m)) return false;
  jobs_stored(b, &m);
  return true;
}

static bool on_logged(struct broker *b, struct span body) {
  struct wire_logged m;
  if (!wire_get_logged(body, &m)) return false;
  jobs_logged(b, &m);
  return true;
}

static bool on_ended(struct broker *b, struct span body) {
  struct wire_ended m;
  if (!wire_get_ended(body, &m) || m.result >= RESULT_COUNT) return false;
  jobs_ended(b, &m);
  return true;
}

static bool on_opened(struct broker *b, struct span body) {
  struct wire_opened m;
  struct cursor rest;
  if (!wire_get_opened(body, &m, &rest)) return false;
  records_opened(b, &m, rest);
  return true;
}

static bool on_attested(struct broker *b, struct span body) {
  struct wire_attested m;
  if (!wire_get_attested(body, &m) || m.result >= RESULT_COUNT) return false;
  attestation_answered(b, &m);
  return true;
}

static bool on_secreted(struct broker *b, struct span body) {
  struct wire_secreted m;
  if (!wire_get_secreted(body, &m) || m.result >= RESULT_COUNT) return false;
  secrets_answered(b, &m);
  return true;
}

static bool on_store_query(struct broker *b, struct span body) {
  struct wire_query m;
  struct cursor rest;
  return wire_get_query(body, &m, &rest) && secrets_query(b, &m, rest);
}

static bool on_gauges(struct broker *b, struct span body) {
  return wire_get_gauges(body, &b->gauges);
}

/* Jobs that wait for the outside hold a worker, but no core: as many others run beside them. */
static bool on_parked(struct broker *b, struct span body) {
  struct wire_parked m;
  if (!wire_get_parked(body, &m)) return false;
  const uint64_t more = m.jobs < b->parked ? m.jobs : b->parked;
  admission_set_slots(b->admission, (unsigned)(b->workers + more));
  jobs_pump(b);
  return true;
}

/* ---- what the supervisor says ---- */

static bool on_peer(struct broker *b, struct span body, int fd);
static bool on_listener(struct broker *b, struct span body, int fd);

static void log_problem(const char *event, enum result why, const char *problem) {
  log_begin(LOG_ERROR, event);
  log_result(why);
  log_text("problem", span_text(problem));
  log_end();
}

static bool keep_block(struct buf *b, struct span bytes) {
  buf_free(b);
  *b = buf_new(1u << 20);
  buf_put_span(b, bytes);
  return !b->bad;
}

/* OpenSSL has it: the key's text is needed no longer. */
static void forget_tls(struct broker *b) {
  buf_free(&b->tls_text);
  b->tls = (struct http_tls){0};
}

/* New certificates; the old ones stay if these are of no use. */
static bool on_tls(struct broker *b, struct span body) {
  struct wire_tls m;
  char problem[256] = "";
  if (!wire_get_tls(body, &m)) return false;
  if (!keep_block(&b->tls_text, body) || !wire_get_tls(buf_span(&b->tls_text), &m)) return false;
  b->tls = (struct http_tls){m.certificate, m.key, m.client_ca, m.require_client};
  b->has_tls = true;
  if (b->http == NULL) return true;
  auth_forget(b->auth); /* a reload is when trust is taken away */
  enum result r = http_server_reload(b->http, &b->tls, problem, sizeof problem);
  forget_tls(b);
  if (r != RESULT_OK) {
    log_problem("certificates_refused", r, problem);
    return true;
  }
  log_begin(LOG_INFO, "certificates_reloaded");
  log_end();
  return true;
}

/* Held requests go on for so long; what is left then is cancelled. */
static bool on_stop(struct broker *b, struct span body) {
  struct wire_stop m;
  if (!wire_get_stop(body, &m)) return false;
  if (b->stopping) return true;
  b->stopping = true;
  if (b->http != NULL) http_server_drain(b->http);
  set_timer(b->grace, m.grace_ms);
  set_timer(b->drain, 0);
  return true;
}

/* Every reply is on its way once every connection is closed; there is no event for that. */
static void when_drained(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct broker *b = context;
  bool busy = jobs_live(b) > 0 || b->calls > 0 || (b->http != NULL && http_server_stats(b->http).connections > 0);
  if (b->said_drained) return;
  if (busy) {
    set_timer(b->drain, DRAIN_CHECK_MS);
    return;
  }
  b->said_drained = true;
  wire_put_empty(&b->outgoing, WIRE_DRAINED);
  tell_supervisor(b);
}

static void on_grace_over(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  jobs_interrupt_all(context);
}

/* ---- both links ---- */

struct verb {
  uint8_t type;
  bool (*take)(struct broker *b, struct span body);
  bool (*take_fd)(struct broker *b, struct span body, int fd);
};

static const struct verb verbs[] = {
    {WIRE_IDENTITY, on_identity, NULL}, {WIRE_ROTATED, on_rotated, NULL},   {WIRE_STORED, on_stored, NULL},
    {WIRE_LOGGED, on_logged, NULL},     {WIRE_ENDED, on_ended, NULL},       {WIRE_OPENED, on_opened, NULL},
    {WIRE_ATTESTED, on_attested, NULL}, {WIRE_GAUGES, on_gauges, NULL},     {WIRE_PARKED, on_parked, NULL},
    {WIRE_TLS, on_tls, NULL},           {WIRE_STOP, on_stop, NULL},         {WIRE_PEER, NULL, on_peer},
    {WIRE_LISTENER, NULL, on_listener}, {WIRE_SECRETED, on_secreted, NULL}, {WIRE_STORE_QUERY, on_store_query, NULL}};

/* A message that is not in order, or that does not fit, is the end: whoever sent it is not what we think. */
static void take(struct broker *b, enum service_peer sender, bool *begun, const struct channel_message *m) {
  bool good = !b->failed && service_in_order(sender, SERVICE_BROKER, m->type, begun);
  int fd = m->fd;
  for (size_t i = 0; good && i < sizeof verbs / sizeof verbs[0]; i++) {
    if (verbs[i].type != m->type) continue;
    if (verbs[i].take_fd != NULL) {
      good = fd >= 0 && verbs[i].take_fd(b, m->body, fd);
      fd = -1;
    } else {
      good = fd < 0 && verbs[i].take(b, m->body);
    }
  }
  if (fd >= 0) close(fd);
  if (!good && !b->failed)
    broker_fail(b, sender == SERVICE_KEEPER ? "keeper_lied" : "supervisor_lied", RESULT_PEER_LIED);
}

static void from_keeper(void *context, const struct channel_message *m) {
  struct broker *b = context;
  take(b, SERVICE_KEEPER, &b->keeper_begun, m);
}

static void from_supervisor(void *context, const struct channel_message *m) {
  struct broker *b = context;
  take(b, SERVICE_SUPERVISOR, &b->supervisor_begun, m);
}

static void keeper_lost(void *context, enum result why) {
  struct broker *b = context;
  if (!b->said_drained) broker_fail(b, "keeper_lost", why);
}

/* After DRAINED that is how a service ends. */
static void supervisor_lost(void *context, enum result why) {
  struct broker *b = context;
  if (b->said_drained)
    event_base_loopbreak(b->loop);
  else
    broker_fail(b, "supervisor_lost", why);
}

static bool on_peer(struct broker *b, struct span body, int fd) {
  const struct link_handler handler = {b, from_keeper, keeper_lost};
  if (!wire_get_empty(body) || b->keeper != NULL) return false;
  return link_new(b->loop, fd, SERVICE_ANSWER_MAX, 64u << 20, &handler, &b->keeper) == RESULT_OK &&
         link_gather(b->keeper) == RESULT_OK;
}

static bool on_listener(struct broker *b, struct span body, int fd) {
  struct wire_listener m;
  char problem[256] = "";
  if (!wire_get_listener(body, &m) || m.kind > WIRE_LISTENER_METRICS) return false;
  bool main_one = m.kind == WIRE_LISTENER_HTTP;
  struct http_handler handler = main_one ? routes_handler(b) : routes_metrics_handler(b);
  enum result r = http_server_new(b->loop, fd, main_one && b->has_tls ? &b->tls : NULL,
                                  &(struct http_limits){.body_bytes = BROKER_BODY_MAX}, &handler, problem,
                                  sizeof problem, main_one ? &b->http : &b->metrics);
  if (r != RESULT_OK) log_problem("listener_refused", r, problem);
  if (main_one) forget_tls(b);
  return r == RESULT_OK;
}

void broker_recovered(struct broker *b) {
  if (b->ready) return;
  b->ready = true;
  wire_put_broker_up(&b->outgoing, &(struct wire_up){.fences = b->fences});
  tell_supervisor(b);
}

/* ---- timers ---- */

static void on_store(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct broker *b = context;
  store_collect(b->store);
}

static void on_cleanup(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct broker *b = context;
  enum result r = store_expire(b->store, clock_real_ns() / 1000000u, NULL, NULL);
  if (r != RESULT_OK) log_problem("cleanup_failed", r, "");
  attestation_keep(b);
}

static void on_queue(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  jobs_expire_waiting(context);
}

static void on_retry(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  jobs_retry(context);
}

static void on_heartbeat(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  events_heartbeat(context);
  jobs_check_keeper(context);
}

static void on_later(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct broker *b = context;
  store_hurry(b->store);
}

static void on_secrets(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  secrets_expire(context);
}

static enum result make_timers(struct broker *b) {
  const struct {
    struct event **timer;
    short flags;
    event_callback_fn call;
    uint64_t every_ms; /* 0: set when it is needed */
  } timers[] = {{&b->queue, 0, on_queue, 0},
                {&b->retry, 0, on_retry, 0},
                {&b->grace, 0, on_grace_over, 0},
                {&b->drain, 0, when_drained, 0},
                {&b->secrets, 0, on_secrets, 0},
                {&b->later, 0, on_later, 0},
                {&b->heartbeat, EV_PERSIST, on_heartbeat, 15000},
                {&b->cleanup, EV_PERSIST, on_cleanup, b->cleanup_ms}};
  for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++) {
    *timers[i].timer = event_new(b->loop, -1, timers[i].flags, timers[i].call, b);
    if (*timers[i].timer == NULL) return RESULT_NO_MEMORY;
    if (timers[i].every_ms > 0) set_timer(*timers[i].timer, timers[i].every_ms);
  }
  b->store_event = event_new(b->loop, store_fd(b->store), EV_READ | EV_PERSIST, on_store, b);
  return b->store_event != NULL && event_add(b->store_event, NULL) == 0 ? RESULT_OK : RESULT_NO_MEMORY;
}

/* ---- the start ---- */

static enum result read_config(struct broker *b, struct span bytes) {
  enum result r = config_new(&b->config);
  if (r == RESULT_OK) r = config_get(bytes, b->config);
  if (r == RESULT_OK) r = config_duration_ms(b->config, CONFIG_RESULT_TTL, &b->result_ttl_ms);
  if (r == RESULT_OK) r = config_duration_ms(b->config, CONFIG_CLEANUP, &b->cleanup_ms);
  if (r == RESULT_OK) r = config_number(b->config, CONFIG_PER_USER, 1, 1000000, &b->per_user);
  if (r == RESULT_OK) r = config_number(b->config, CONFIG_WAITING, 0, 1000000, &b->waiting);
  if (r == RESULT_OK) r = config_number(b->config, CONFIG_WORKERS, 1, 10000, &b->workers);
  if (r == RESULT_OK) r = config_number(b->config, CONFIG_PARKED, 0, 10000, &b->parked);
  if (r != RESULT_OK) return r;
  b->encrypt_always = strcmp(config_text(b->config, CONFIG_ENCRYPTED_OUTPUT), "always") == 0;
  const struct admission_config admission = {.per_user = (unsigned)b->per_user,
                                             .waiting = (unsigned)b->waiting,
                                             .slots = (unsigned)b->workers,
                                             .wait_ms = BROKER_WAIT_MS};
  return admission_new(&admission, &b->admission);
}

static enum result make_auth(struct broker *b, const struct wire_broker_setup *m) {
  static const struct {
    const char *name;
    enum auth_mode mode;
  } modes[] = {{"dev", AUTH_DEV}, {"mtls", AUTH_MTLS}, {"jwt", AUTH_JWT}};
  struct auth_config config = {.jwt_secret = m->jwt_secret,
                               .jwt_jwks = m->jwt_jwks,
                               .jwt_issuer = span_text(config_text(b->config, CONFIG_JWT_ISSUER)),
                               .jwt_audience = span_text(config_text(b->config, CONFIG_JWT_AUDIENCE)),
                               .service_key = m->service_key};
  char problem[256] = "";
  const char *mode = config_text(b->config, CONFIG_AUTH_MODE);
  for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
    if (strcmp(mode, modes[i].name) != 0) continue;
    config.mode = modes[i].mode;
    enum result r = auth_new(&config, problem, sizeof problem, &b->auth);
    if (r != RESULT_OK) log_problem("callers_cannot_be_checked", r, problem);
    return r;
  }
  return RESULT_CONFIG_INVALID;
}

static enum result make_tables(struct broker *b) {
  enum result r = table_new(sizeof(uint64_t), &b->by_ticket);
  if (r == RESULT_OK) r = table_new(STORE_ID, &b->by_id);
  if (r == RESULT_OK) r = table_new(STORE_KEY, &b->by_key);
  if (r == RESULT_OK) r = table_new(sizeof(uint64_t), &b->asked);
  if (r == RESULT_OK) r = table_new(sizeof(uint64_t), &b->secret_calls);
  return r;
}

static enum log_level log_level_of(const char *name) {
  static const char *const names[] = {"debug", "info", "warn", "error"};
  for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (strcmp(names[i], name) == 0) return (enum log_level)i;
  }
  return LOG_INFO;
}

/* Everything that needs a file or a key of TLS's, then the fence, then strangers. */
static enum result set_up(struct broker *b, struct span body) {
  struct wire_broker_setup m;
  char path[4096] = "", directory[4096] = "", problem[256] = "";
  if (!wire_get_broker_setup(body, &m) || m.store.len >= sizeof path) return RESULT_PEER_LIED;
  memcpy(path, m.store.data, m.store.len);
  enum result r = read_config(b, m.config);
  if (r != RESULT_OK) return r;
  log_open("broker", log_level_of(config_text(b->config, CONFIG_LOG_LEVEL)));
  r = make_auth(b, &m);
  if (r == RESULT_OK) r = make_tables(b);
  snprintf(directory, sizeof directory, "%s", path);
  char *slash = strrchr(directory, '/');
  if (slash != NULL) *slash = 0;
  metrics_open();
  if (r == RESULT_OK) r = sandbox_enter(SANDBOX_BROKER, slash != NULL ? directory : NULL, &b->fences);
  /* Inside the fence: the store's thread is to be in it, too. */
  const struct store_config store = {.path = m.store.len > 0 ? path : NULL,
                                     .full_sync = strcmp(config_text(b->config, CONFIG_DISK_SYNC), "full") == 0};
  if (r == RESULT_OK) r = store_open(&store, problem, sizeof problem, &b->store);
  if (problem[0] != 0) log_problem("store_refused", r, problem);
  return r;
}

static enum result start(struct broker *b, int socket) {
  uint8_t type = 0;
  struct buf body = buf_new(4u << 20);
  const struct link_handler handler = {b, from_supervisor, supervisor_lost};
  enum result r = msg_receive(socket, &type, &body);
  if (r == RESULT_OK && !service_in_order(SERVICE_SUPERVISOR, SERVICE_BROKER, type, &b->supervisor_begun))
    r = RESULT_PEER_LIED;
  if (r == RESULT_OK && type != WIRE_BROKER_SETUP) r = RESULT_PEER_LIED;
  if (r == RESULT_OK) r = set_up(b, buf_span(&body));
  buf_free(&body);
  if (r == RESULT_OK && (b->loop = event_base_new()) == NULL) r = RESULT_NO_MEMORY;
  if (r == RESULT_OK) r = make_timers(b);
  if (r == RESULT_OK) r = link_new(b->loop, socket, 4u << 20, 1u << 20, &handler, &b->supervisor);
  return r;
}

static void tear_down(struct broker *b) {
  http_server_free(b->http);
  http_server_free(b->metrics);
  struct event *events[] = {b->store_event, b->cleanup,   b->queue,   b->retry, b->grace,
                            b->drain,       b->heartbeat, b->secrets, b->later};
  for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
    if (events[i] != NULL) event_free(events[i]);
  }
  store_free(b->store); /* commits what is queued */
  link_free(b->keeper);
  link_free(b->supervisor);
  auth_free(b->auth);
  struct table *tables[] = {b->by_ticket, b->by_id, b->by_key, b->asked, b->secret_calls};
  for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) table_free(tables[i]);
  admission_free(b->admission);
  config_free(b->config);
  buf_free(&b->identity.text);
  buf_free(&b->tls_text);
  buf_free(&b->outgoing);
  if (b->loop != NULL) event_base_free(b->loop);
}

int broker_main(const struct sandbox_place *place) {
  struct broker b = {.fences = place->held};
  log_open("broker", LOG_INFO);
  b.outgoing = buf_new(SERVICE_ANSWER_MAX + MSG_HEADER);
  b.identity.text = buf_new(1u << 20);
  enum result r = start(&b, place->socket);
  if (b.supervisor == NULL) channel_close(place->socket);
  if (r == RESULT_OK)
    event_base_dispatch(b.loop);
  else
    log_problem("start_failed", r, "");
  tear_down(&b);
  return r == RESULT_OK && !b.failed ? 0 : 1;
}
