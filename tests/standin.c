/*
 * Stand-ins for keeper and broker, so that the supervisor can be tried with processes that misbehave: what they do is
 * the setting auth.jwt_audience. Without it they do as they should: the keeper starts two workers, the broker says that
 * it serves, and is drained at once when told to stop.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/config.h"
#include "base/log.h"
#include "broker/broker.h"
#include "keeper/keeper.h"
#include "wire/channel.h"
#include "wire/service.h"

static struct channel *supervisor;
static struct config *config;
static char act[64];

static bool acts(const char *name) {
  return strcmp(act, name) == 0;
}

static void say(struct buf *b) {
  if (channel_send(supervisor, b) != RESULT_OK) _exit(3);
  buf_free(b);
}

static void take_config(struct span bytes) {
  if (config_new(&config) != RESULT_OK || config_get(bytes, config) != RESULT_OK) _exit(4);
  snprintf(act, sizeof act, "%s", config_text(config, CONFIG_JWT_AUDIENCE));
}

/* Waits, as the stand-ins have nothing else to do. */
static struct channel_message hear(void) {
  static const struct timespec moment = {0, 1000000};
  for (;;) {
    struct channel_message m;
    if (channel_next(supervisor, &m) != RESULT_OK) _exit(5);
    if (m.type != 0) return m;
    if (channel_read(supervisor) != RESULT_OK) _exit(0);
    clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
  }
}

static void open_supervisor(void) {
  if (channel_new(SANDBOX_SOCKET, 8u << 20, 1u << 20, &supervisor) != RESULT_OK) _exit(6);
}

static uint32_t fences(enum sandbox_role role, const char *directory, sandbox_set held) {
  if (sandbox_enter(role, directory, &held) != RESULT_OK) _exit(7);
  return held;
}

/* ---- keeper ---- */

static void ask_spawn(uint32_t number) {
  struct buf b = buf_new(64);
  wire_put_spawn(&b, &(struct wire_worker){number});
  say(&b);
}

static void ask_nice(uint32_t number, uint32_t level) {
  struct buf b = buf_new(64);
  wire_put_nice(&b, &(struct wire_nice){number, level});
  say(&b);
}

static void ask_kill(uint32_t number) {
  struct buf b = buf_new(64);
  wire_put_kill(&b, &(struct wire_worker){number});
  say(&b);
}

static void misbehave_keeper(void) {
  struct buf b = buf_new(4096);
  if (acts("keeper: spawns the same")) ask_spawn(0);
  if (acts("keeper: spawns too many")) ask_spawn(1000000);
  if (acts("keeper: nice below zero")) ask_nice(0, UINT32_MAX);
  if (acts("keeper: exits")) _exit(9);
  if (acts("keeper: crashes")) __builtin_trap();
  if (acts("keeper: says what the broker says")) wire_put_empty(&b, WIRE_DRAINED);
  if (acts("keeper: long message")) {
    msg_begin(&b, WIRE_SPAWN);
    for (int i = 0; i < 1000; i++) buf_put_u8(&b, 0);
  }
  if (acts("keeper: up again")) wire_put_keeper_up(&b, &(struct wire_up){SANDBOX_ALL});
  if (b.len > 0) say(&b);
}

/* A worker was started: its socket closed, it ends; then the supervisor says so. */
static void hear_worker(struct channel_message *m) {
  struct wire_worker w;
  if (m->type == WIRE_WORKER_STARTED && wire_get_worker_started(m->body, &w) && w.number == 1) {
    if (acts("keeper: lowers a priority") || acts("keeper: gives it back")) ask_nice(1, 10);
    if (acts("keeper: gives it back")) ask_nice(1, 0);
    if (acts("keeper: replaces")) ask_kill(1);
  }
  if (m->type == WIRE_OUTLET) {
    log_begin(LOG_INFO, "standin_outlet");
    log_end();
  }
  if (m->type == WIRE_WORKER_GONE && wire_get_worker_gone(m->body, &w)) {
    log_begin(LOG_INFO, "standin_gone");
    log_number("worker", w.number);
    log_end();
    if (acts("keeper: replaces") && w.number == 1) ask_spawn(3);
  }
}

int keeper_main(const struct sandbox_place *place) {
  open_supervisor();
  struct channel_message m = hear();
  struct wire_keeper_setup setup;
  if (m.type != WIRE_KEEPER_SETUP || !wire_get_keeper_setup(m.body, &setup)) return 8;
  take_config(setup.config);
  log_open("keeper", LOG_DEBUG);
  log_begin(LOG_INFO, "standin_key");
  log_number("bytes", setup.master_key.len);
  log_number("secrets", setup.secrets_key.len);
  log_number("supabase", setup.supabase_key.len);
  log_end();
  struct wire_up up = {acts("keeper: no fence") ? 0 : fences(SANDBOX_KEEPER, NULL, place->held)};
  struct buf b = buf_new(64);
  wire_put_keeper_up(&b, &up);
  say(&b);
  ask_spawn(0);
  ask_spawn(1);
  misbehave_keeper();
  for (;;) {
    m = hear();
    hear_worker(&m); /* its descriptor stays open: closed, the worker would end */
  }
}

/* ---- broker ---- */

static void misbehave_broker(void) {
  struct buf b = buf_new(64);
  if (acts("broker: drained too early")) wire_put_empty(&b, WIRE_DRAINED);
  if (acts("broker: spawns")) wire_put_spawn(&b, &(struct wire_worker){0});
  if (acts("broker: exits")) _exit(9);
  if (b.len > 0) say(&b);
}

static void log_tls(const struct wire_tls *tls) {
  log_begin(LOG_INFO, "standin_tls");
  log_number("certificate", tls->certificate.len);
  log_number("key", tls->key.len);
  log_number("client_ca", tls->client_ca.len);
  log_number("require_client", tls->require_client);
  log_end();
}

static void hear_supervisor(struct channel_message *m) {
  struct wire_tls tls;
  if (m->type == WIRE_TLS && wire_get_tls(m->body, &tls)) log_tls(&tls);
  if (m->type != WIRE_STOP || acts("broker: never drained")) return;
  struct buf b = buf_new(64);
  wire_put_empty(&b, WIRE_DRAINED);
  say(&b);
}

int broker_main(const struct sandbox_place *place) {
  open_supervisor();
  struct channel_message m = hear();
  struct wire_broker_setup setup;
  if (m.type != WIRE_BROKER_SETUP || !wire_get_broker_setup(m.body, &setup)) return 8;
  take_config(setup.config);
  log_open("broker", LOG_DEBUG);
  log_begin(LOG_INFO, "standin_setup");
  log_text("auth", span_text(config_text(config, CONFIG_AUTH_MODE)));
  log_text("store", setup.store);
  log_number("jwt_secret", setup.jwt_secret.len);
  log_number("strict", setup.strict);
  log_end();
  char directory[4096] = "";
  if (setup.store.len > 0)
    snprintf(directory, sizeof directory, "%.*s", (int)(setup.store.len - sizeof "jobs.sqlite"), setup.store.data);
  while (m.type != WIRE_PEER) {
    m = hear();
    hear_supervisor(&m);
  }
  struct wire_up up = {fences(SANDBOX_BROKER, directory[0] != 0 ? directory : NULL, place->held)};
  struct buf b = buf_new(64);
  if (acts("broker: silent")) (void)hear();
  wire_put_broker_up(&b, &up);
  say(&b);
  misbehave_broker();
  for (;;) {
    m = hear();
    hear_supervisor(&m);
  }
}
