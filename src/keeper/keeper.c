/*
 * The keeper: holds the keys, gives jobs to workers, signs what came of them.
 *
 * Alone holds: the master key, the signing key, the key of stored records. Hears: its supervisor on its first socket,
 * the broker and the workers on sockets that the supervisor hands it. Never: opens a file or a socket, starts a
 * process, parses HTTP, signs bytes it did not build. System calls once it hears strangers: see sandbox_calls.c.
 */
#include "keeper/keeper.h"

#include <jansson.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "crypto/crypto.h"
#include "keeper/attestations.h"
#include "keeper/jobs.h"
#include "keeper/past.h"
#include "wire/link.h"

#define CONTROL_MAX (256u << 10) /* the largest message from the supervisor: settings */
#define WORKERS_MAX 1024u
#define FAILED_STARTS_MAX 5 /* before any worker was ready: then there never will be one */

struct keeper {
  struct event_base *base;
  struct event *tick;
  struct link *supervisor, *broker;
  bool supervisor_begun, broker_begun, introduced;
  struct keys *keys;
  struct identity identity;
  struct attestations *attestations;
  struct workers *workers;
  struct outlet *outlet;
  struct scripts *scripts;
  struct secrets *secrets;
  struct sealed_replays *replays;
  struct jobs *jobs;
  struct buf hosts; /* that scripts may reach */
  uint32_t most;
  sandbox_set fences;
  struct wire_gauges gauges; /* as last told */
  struct buf message;
  bool ended;
  enum result why;
};

static void end(struct keeper *k, enum result why) {
  if (k->ended) return;
  k->ended = true;
  k->why = why;
  event_base_loopbreak(k->base);
}

static uint64_t now_seconds(void) {
  return clock_real_ns() / 1000000000u;
}

/* ---- what it says ---- */

static void send_to(struct keeper *k, struct link *link, struct buf *message) {
  enum result r = link == NULL ? RESULT_PEER_LOST : link_send(link, message);
  if (r != RESULT_OK) end(k, r);
}

static void tell_broker(void *context, struct buf *message) {
  struct keeper *k = context;
  send_to(k, k->broker, message);
}

static void ask_spawn(void *context, uint32_t number) {
  struct keeper *k = context;
  wire_put_spawn(&k->message, &(struct wire_worker){number});
  send_to(k, k->supervisor, &k->message);
}

static void ask_kill(void *context, uint32_t number) {
  struct keeper *k = context;
  wire_put_kill(&k->message, &(struct wire_worker){number});
  send_to(k, k->supervisor, &k->message);
}

static void ask_nice(void *context, uint32_t number, uint32_t level) {
  struct keeper *k = context;
  wire_put_nice(&k->message, &(struct wire_nice){number, level});
  send_to(k, k->supervisor, &k->message);
}

static void log_identity(const char *event, const struct wire_identity *m) {
  log_begin(LOG_INFO, event);
  log_text("engine", m->engine);
  log_text("isolation", m->isolation);
  log_text("tee", m->tee);
  log_end();
}

static void tell_identity(struct keeper *k, void (*put)(struct buf *b, const struct wire_identity *m),
                          const char *event) {
  struct wire_identity m;
  struct buf stores = buf_new(1024);
  secrets_describe(k->secrets, &stores);
  identity_describe(&k->identity, &m);
  m.stores = buf_span(&stores);
  put(&k->message, &m);
  tell_broker(k, &k->message);
  log_identity(event, &m);
  buf_free(&stores);
}

/* The first message on the broker's link, as soon as there are a link, a worker and evidence. */
static void introduce(struct keeper *k) {
  if (k->introduced || k->broker == NULL || !k->identity.known) return;
  tell_identity(k, wire_put_identity, "keeper_ready");
  k->introduced = true;
}

static void tell_gauges(struct keeper *k) {
  const struct workers_count c = workers_count(k->workers);
  const struct wire_gauges now = {.workers_idle = c.idle,
                                  .workers_busy = c.busy,
                                  .workers_starting = c.starting,
                                  .workers_started = c.started,
                                  .workers_killed = c.killed,
                                  .receipts = keys_receipts(k->keys)};
  const bool same = now.workers_idle == k->gauges.workers_idle && now.workers_busy == k->gauges.workers_busy &&
                    now.workers_starting == k->gauges.workers_starting &&
                    now.workers_started == k->gauges.workers_started &&
                    now.workers_killed == k->gauges.workers_killed && now.receipts == k->gauges.receipts;
  if (same || !k->introduced) return;
  k->gauges = now;
  wire_put_gauges(&k->message, &now);
  tell_broker(k, &k->message);
}

/* ---- what the pool says ---- */

static bool on_meet(void *context, const struct wire_ready *ready) {
  struct keeper *k = context;
  const bool first = !k->identity.met;
  enum result r = identity_meet(&k->identity, ready);
  if (r == RESULT_OK && first) {
    workers_want(k->workers, 0, clock_monotonic_ms());
    r = attestations_renew(k->attestations, now_seconds());
  }
  if (r == RESULT_OK) return true;
  log_begin(LOG_ERROR, "worker_refused");
  log_result(r);
  log_end();
  if (first) end(k, r);
  return false;
}

static void on_idle(void *context) {
  struct keeper *k = context;
  jobs_idle(k->jobs);
}

static void on_log(void *context, void *job, const struct wire_log *entry) {
  struct keeper *k = context;
  jobs_log(k->jobs, job, entry);
}

static void on_failed(void *context, enum result why) {
  (void)context;
  log_begin(LOG_WARN, "worker_failed");
  log_result(why);
  log_end();
}

static void on_fetch(void *context, void *job, const struct wire_fetch *fetch) {
  struct keeper *k = context;
  jobs_fetch(k->jobs, job, fetch);
}

static void on_abort(void *context, void *job, uint32_t number) {
  struct keeper *k = context;
  jobs_abort(k->jobs, job, number);
}

static void on_done(void *context, void *job, const struct wire_done *done) {
  struct keeper *k = context;
  jobs_done(k->jobs, job, done);
}

/* ---- documents ---- */

static void ask_evidence(void *context, const struct wire_evidence *m) {
  struct keeper *k = context;
  wire_put_evidence(&k->message, m);
  send_to(k, k->supervisor, &k->message);
}

/* Without a first document there is no service; without a later one, it is what it was. */
static void on_renewed(void *context, enum result r) {
  struct keeper *k = context;
  if (r != RESULT_OK) {
    log_begin(k->identity.known ? LOG_WARN : LOG_ERROR, "keys_kept");
    log_result(r);
    log_end();
    if (!k->identity.known) end(k, r);
    return;
  }
  if (k->introduced)
    tell_identity(k, wire_put_rotated, "keys_rotated");
  else
    introduce(k);
}

static void on_attested(void *context, uint64_t ticket, enum result r, struct span reply) {
  struct keeper *k = context;
  wire_put_attested(&k->message, &(struct wire_attested){.ticket = ticket, .result = (uint32_t)r, .reply = reply});
  tell_broker(k, &k->message);
}

static void rotate(struct keeper *k) {
  enum result r = attestations_renew(k->attestations, now_seconds());
  if (r != RESULT_OK) on_renewed(k, r);
}

static void on_tick(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct keeper *k = context;
  workers_tick(k->workers, clock_monotonic_ms());
  tell_gauges(k);
  if (!k->identity.met && workers_count(k->workers).failures >= FAILED_STARTS_MAX) end(k, RESULT_ENGINE_START);
  if (k->identity.known && now_seconds() + IDENTITY_RENEWAL_S >= k->identity.expires_at) rotate(k);
}

/* ---- what the supervisor may ask ---- */

static void open_log(const struct config *c) {
  static const char *const names[] = {
      [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};
  enum log_level least = LOG_INFO;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strcmp(config_text(c, CONFIG_LOG_LEVEL), names[i]) == 0) least = (enum log_level)i;
  log_open("keeper", least);
}

static void on_outlet_broken(void *context, enum result why) {
  (void)context;
  log_begin(LOG_WARN, "egress_lost");
  log_result(why);
  log_end();
}

static enum result ask_store(void *context, struct buf *message) {
  struct keeper *k = context;
  return k->introduced ? link_send(k->broker, message) : RESULT_PEER_LOST;
}

/* What is asked of others than the caller: scripts by name, secrets, and the outside. */
static enum result make_askers(struct keeper *k, const struct config *c, const struct wire_keeper_setup *m) {
  enum result r = outlet_new(k->base, on_outlet_broken, k, &k->outlet);
  if (r == RESULT_OK) r = scripts_new(k->base, k->outlet, config_text(c, CONFIG_SCRIPTS_URL), &k->scripts);
  if (r != RESULT_OK) return r;
  return secrets_new(&(struct secrets_setup){.base = k->base,
                                             .keys = k->keys,
                                             .outlet = k->outlet,
                                             .stores = config_text(c, CONFIG_SECRETS_STORES),
                                             .supabase_url = config_text(c, CONFIG_SUPABASE_URL),
                                             .supabase_key = m->supabase_key,
                                             .secrets_key = m->secrets_key,
                                             .strict = m->strict,
                                             .ask_store = ask_store,
                                             .tell = tell_broker,
                                             .context = k},
                     &k->secrets);
}

/* Where nothing is said, a developer's scripts may reach all the world, and nobody else's anything. */
static void choose_hosts(struct keeper *k, const struct config *c) {
  const char *said = config_text(c, CONFIG_EGRESS_HOSTS);
  if (said[0] == 0 && strcmp(config_text(c, CONFIG_AUTH_MODE), "dev") == 0) said = "*";
  buf_put_text(&k->hosts, said);
}

static enum result make_pool(struct keeper *k, const struct config *c, uint64_t idle) {
  const struct workers_hooks hooks = {.context = k,
                                      .spawn = ask_spawn,
                                      .kill = ask_kill,
                                      .nice = ask_nice,
                                      .meet = on_meet,
                                      .idle = on_idle,
                                      .failed = on_failed,
                                      .log = on_log,
                                      .fetch = on_fetch,
                                      .abort = on_abort,
                                      .done = on_done};
  enum result r = workers_new(k->base, k->most, (uint32_t)idle, &hooks, &k->workers);
  if (r != RESULT_OK) return r;
  return jobs_new(&(struct jobs_setup){.base = k->base,
                                       .keys = k->keys,
                                       .identity = &k->identity,
                                       .workers = k->workers,
                                       .most = k->most,
                                       .scripts = k->scripts,
                                       .secrets = k->secrets,
                                       .replays = k->replays,
                                       .fetches = {.base = k->base,
                                                   .outlet = k->outlet,
                                                   .operator_hosts = buf_span(&k->hosts),
                                                   .allow_http = strcmp(config_text(c, CONFIG_EGRESS_HTTP), "on") == 0},
                                       .tell = tell_broker,
                                       .context = k},
                  &k->jobs);
}

static enum result make_identity(struct keeper *k, const struct config *c, const struct wire_keeper_setup *m) {
  const struct attestations_setup setup = {k->keys, &k->identity, k, ask_evidence, on_renewed, on_attested};
  enum result r = identity_begin(&k->identity, c, buf_span(&k->hosts), m->strict);
  if (r == RESULT_OK && !identity_set_tls(&k->identity, m->tls_spki)) r = RESULT_PEER_LIED;
  return r == RESULT_OK ? attestations_new(&setup, &k->attestations) : r;
}

static enum result configure(struct keeper *k, const struct wire_keeper_setup *m) {
  struct config *c = NULL;
  uint64_t most = 0, idle = 0, parked = 0;
  enum result r = config_new(&c);
  if (r == RESULT_OK) r = config_get(m->config, c);
  if (r == RESULT_OK) open_log(c);
  if (r == RESULT_OK) r = config_number(c, CONFIG_WORKERS, 1, WORKERS_MAX, &most);
  if (r == RESULT_OK) r = config_number(c, CONFIG_PARKED, 0, WORKERS_MAX, &parked);
  if (r == RESULT_OK) r = config_number(c, CONFIG_WORKERS_IDLE, 0, WORKERS_MAX, &idle);
  k->most = (uint32_t)(most + parked);
  if (r == RESULT_OK) r = keys_new(m->master_key, &k->keys);
  if (r == RESULT_OK) r = make_askers(k, c, m);
  if (r == RESULT_OK) r = sealed_replays_new(SEALED_REPLAYS_MAX, &k->replays);
  if (r == RESULT_OK) choose_hosts(k, c);
  if (r == RESULT_OK) r = make_identity(k, c, m);
  if (r == RESULT_OK) r = k->hosts.bad ? RESULT_NO_MEMORY : make_pool(k, c, idle);
  config_free(c);
  return r;
}

/* From here on it hears strangers, and is fenced before it does. */
static enum result enter(struct keeper *k) {
  static const struct timeval second = {1, 0};
  enum result r = sandbox_enter(SANDBOX_KEEPER, NULL, &k->fences);
  if (r != RESULT_OK) return r;
  wire_put_keeper_up(&k->message, &(struct wire_up){k->fences});
  send_to(k, k->supervisor, &k->message);
  if (event_add(k->tick, &second) != 0) return RESULT_NO_MEMORY;
  /* One at least, whatever the settings: only a worker can say which engine it is. */
  workers_want(k->workers, 1, clock_monotonic_ms());
  return RESULT_OK;
}

static enum result do_setup(struct keeper *k, const struct channel_message *message) {
  struct wire_keeper_setup m;
  if (!wire_get_keeper_setup(message->body, &m)) return RESULT_PEER_LIED;
  enum result r = configure(k, &m);
  return r == RESULT_OK ? enter(k) : r;
}

static enum result do_worker_started(struct keeper *k, const struct channel_message *message) {
  struct wire_worker m;
  if (wire_get_worker_started(message->body, &m)) return workers_started(k->workers, m.number, message->fd);
  close(message->fd);
  return RESULT_PEER_LIED;
}

static enum result do_worker_gone(struct keeper *k, const struct channel_message *message) {
  struct wire_worker m;
  return wire_get_worker_gone(message->body, &m) ? workers_gone(k->workers, m.number) : RESULT_PEER_LIED;
}

static enum result do_outlet(struct keeper *k, const struct channel_message *message) {
  if (wire_get_empty(message->body)) return outlet_connect(k->outlet, message->fd);
  close(message->fd);
  return RESULT_PEER_LIED;
}

static enum result do_worker_restored(struct keeper *k, const struct channel_message *message) {
  struct wire_worker m;
  return wire_get_worker_restored(message->body, &m) ? workers_restored(k->workers, m.number) : RESULT_PEER_LIED;
}

static enum result do_evidenced(struct keeper *k, const struct channel_message *message) {
  return attestations_evidenced(k->attestations, message->body, now_seconds());
}

/* Before there is an identity there is nothing to change but the name of the TLS key. */
static enum result do_rotate(struct keeper *k, const struct channel_message *message) {
  struct wire_rotate m;
  if (!wire_get_rotate(message->body, &m) || !identity_set_tls(&k->identity, m.tls_spki)) return RESULT_PEER_LIED;
  if (k->identity.met) rotate(k);
  return RESULT_OK;
}

/* ---- what the broker may ask ---- */

static enum result do_execute(struct keeper *k, const struct channel_message *message) {
  return jobs_execute(k->jobs, message->body);
}

static enum result do_cancel(struct keeper *k, const struct channel_message *message) {
  return jobs_cancel(k->jobs, message->body);
}

static enum result do_secret(struct keeper *k, const struct channel_message *message) {
  return secrets_call(k->secrets, message->body);
}

static enum result do_store_rows(struct keeper *k, const struct channel_message *message) {
  return secrets_store_rows(k->secrets, message->body);
}

/* Sends what was built into the keeper's buffer; it was somebody's data. */
static enum result answer(struct keeper *k, enum result r) {
  if (r == RESULT_OK) tell_broker(k, &k->message);
  const size_t max = k->message.max;
  buf_free(&k->message);
  k->message = buf_new(max);
  return r;
}

static enum result do_open(struct keeper *k, const struct channel_message *message) {
  return answer(k, past_open(k->keys, message->body, &k->message));
}

static enum result do_interrupt(struct keeper *k, const struct channel_message *message) {
  return answer(k, past_interrupt(k->keys, &k->identity, message->body, now_seconds(), &k->message));
}

static enum result do_attest(struct keeper *k, const struct channel_message *message) {
  struct wire_attest m;
  if (!wire_get_attest(message->body, &m) || m.nonce.len < 16 || m.nonce.len > 64) return RESULT_PEER_LIED;
  attestations_make(k->attestations, m.ticket, m.nonce, now_seconds());
  return RESULT_OK;
}

/* ---- hearing ---- */

static enum result do_client(struct keeper *k, const struct channel_message *message);

static const struct verb {
  uint8_t type;
  bool brings_descriptor;
  enum result (*run)(struct keeper *k, const struct channel_message *message);
} verbs[] = {
    {WIRE_KEEPER_SETUP, false, do_setup},
    {WIRE_CLIENT, true, do_client},
    {WIRE_OUTLET, true, do_outlet},
    {WIRE_EVIDENCED, false, do_evidenced},
    {WIRE_ROTATE, false, do_rotate},
    {WIRE_WORKER_STARTED, true, do_worker_started},
    {WIRE_WORKER_GONE, false, do_worker_gone},
    {WIRE_WORKER_RESTORED, false, do_worker_restored},
    {WIRE_EXECUTE, false, do_execute},
    {WIRE_CANCEL, false, do_cancel},
    {WIRE_OPEN, false, do_open},
    {WIRE_INTERRUPT, false, do_interrupt},
    {WIRE_ATTEST, false, do_attest},
    {WIRE_SECRET, false, do_secret},
    {WIRE_STORE_ROWS, false, do_store_rows},
};

static const struct verb *find_verb(uint8_t type) {
  for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
    if (verbs[i].type == type) return &verbs[i];
  return NULL;
}

static void hear(struct keeper *k, enum service_peer sender, bool *begun, const struct channel_message *m) {
  const struct verb *verb = k->ended ? NULL : find_verb(m->type);
  const bool fits = verb != NULL && verb->brings_descriptor == (m->fd >= 0) &&
                    service_in_order(sender, SERVICE_KEEPER, m->type, begun);
  if (fits) {
    enum result r = verb->run(k, m);
    if (r != RESULT_OK) end(k, r);
    return;
  }
  if (m->fd >= 0) close(m->fd);
  end(k, RESULT_PEER_LIED);
}

static void hear_supervisor(void *context, const struct channel_message *m) {
  struct keeper *k = context;
  hear(k, SERVICE_SUPERVISOR, &k->supervisor_begun, m);
}

/* It asks nothing before it knows who it asks. */
static void hear_broker(void *context, const struct channel_message *m) {
  struct keeper *k = context;
  bool begun = k->introduced;
  hear(k, SERVICE_BROKER, &begun, m);
}

static void lose(void *context, enum result why) {
  end(context, why);
}

static enum result do_client(struct keeper *k, const struct channel_message *message) {
  if (k->broker != NULL || !wire_get_empty(message->body)) {
    close(message->fd);
    return RESULT_PEER_LIED;
  }
  const struct link_handler handler = {.context = k, .message = hear_broker, .lost = lose};
  enum result r = link_new(k->base, message->fd, SERVICE_ANSWER_MAX, (size_t)(k->most + 4) * SERVICE_ANSWER_MAX,
                           &handler, &k->broker);
  if (r == RESULT_OK) r = link_gather(k->broker);
  if (r == RESULT_OK) introduce(k);
  return r;
}

/* ---- the process ---- */

/* A signal to the whole group is the supervisor's to act upon: it ends the keeper when the broker is done. */
static void ignore_signals(void) {
  static const int signals[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGUSR1};
  for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) signal(signals[i], SIG_IGN);
}

static enum result begin(struct keeper *k, int socket) {
  const struct link_handler handler = {.context = k, .message = hear_supervisor, .lost = lose};
  k->message = buf_new(SERVICE_ANSWER_MAX + MSG_HEADER);
  k->hosts = buf_new(16384);
  json_object_seed(0); /* behind the fence jansson could not open /dev/urandom for its first table */
  enum result r = crypto_init();
  if (r != RESULT_OK) return r;
  k->base = event_base_new();
  k->tick = k->base == NULL ? NULL : event_new(k->base, -1, EV_PERSIST, on_tick, k);
  if (k->tick == NULL) return RESULT_NO_MEMORY;
  return link_new(k->base, socket, CONTROL_MAX, CONTROL_MAX, &handler, &k->supervisor);
}

/* Wipes every key and everything that passes through buffers. */
static void release(struct keeper *k) {
  jobs_free(k->jobs);
  secrets_free(k->secrets);
  sealed_replays_free(k->replays);
  scripts_free(k->scripts);
  outlet_free(k->outlet);
  workers_free(k->workers);
  link_free(k->broker);
  link_free(k->supervisor);
  attestations_free(k->attestations);
  identity_clear(&k->identity);
  keys_free(k->keys);
  buf_free(&k->message);
  buf_free(&k->hosts);
  if (k->tick != NULL) event_free(k->tick);
  if (k->base != NULL) event_base_free(k->base);
  crypto_free();
}

int keeper_main(const struct sandbox_place *place) {
  struct keeper k = {.fences = place->held};
  log_open("keeper", LOG_INFO);
  if (place->alone) ignore_signals();
  enum result r = begin(&k, place->socket);
  if (k.supervisor == NULL) channel_close(place->socket);
  if (r == RESULT_OK && event_base_dispatch(k.base) != 0) r = RESULT_IO;
  if (r == RESULT_OK) r = k.why;
  const bool orderly = r == RESULT_OK || r == RESULT_PEER_LOST;
  log_begin(orderly ? LOG_INFO : LOG_ERROR, "keeper_ended");
  log_result(r);
  log_number("jobs_dropped", k.jobs == NULL ? 0 : jobs_count(k.jobs));
  log_end();
  release(&k);
  return orderly ? 0 : 1;
}
