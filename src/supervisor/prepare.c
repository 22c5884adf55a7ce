#include "supervisor/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/hosts.h"
#include "egress/address.h"
#include "supervisor/callers.h"
#include "supervisor/environment.h"
#include "supervisor/listen.h"

static enum result refuse(struct buf *problem, const char *sentence) {
  buf_put_text(problem, sentence);
  return RESULT_CONFIG_INVALID;
}

/* ---- sockets ---- */

static enum result open_listener(const struct config *config, enum config_id id, int *fd, bool *loopback,
                                 struct buf *problem) {
  struct listen_address address;
  const char *text = config_text(config, id);
  if (listen_parse(text, &address) != RESULT_OK) {
    buf_printf(problem, "%s: %s is no ADDRESS:PORT, as 127.0.0.1:8080 or [::1]:8080", config_name(id), text);
    return RESULT_CONFIG_INVALID;
  }
  *loopback = address.loopback;
  if (listen_open(&address, fd) == RESULT_OK) return RESULT_OK;
  buf_printf(problem, "%s: cannot listen on %s: %s", config_name(id), text, strerror(errno));
  return RESULT_CONFIG_INVALID;
}

static bool is_loopback(int fd) {
  char name[64];
  struct buf b = buf_fixed(name, sizeof name - 1);
  struct listen_address address;
  listen_put_name(&b, fd);
  name[b.len] = 0;
  return listen_parse(name, &address) == RESULT_OK && address.loopback;
}

/* Sockets that systemd passed are instead of server.listen. */
static enum result open_listeners(struct prepared *p, const struct config *config, char *const *environment,
                                  bool *loopback, struct buf *problem) {
  *loopback = true;
  p->http_count = notify_sockets(environment);
  for (unsigned i = 0; i < p->http_count; i++) {
    p->http[i] = (int)(NOTIFY_FIRST_SOCKET + i);
    *loopback &= is_loopback(p->http[i]);
    if (fcntl(p->http[i], F_SETFL, O_RDWR | O_NONBLOCK) != 0)
      return refuse(problem, "a socket was passed that is none");
  }
  enum result r = RESULT_OK;
  if (p->http_count == 0) {
    r = open_listener(config, CONFIG_LISTEN, &p->http[0], loopback, problem);
    p->http_count = r == RESULT_OK;
  }
  bool unused;
  if (r == RESULT_OK && config_text(config, CONFIG_METRICS_LISTEN)[0] != 0)
    r = open_listener(config, CONFIG_METRICS_LISTEN, &p->metrics, &unused, problem);
  return r;
}

/* ---- callers, state ---- */

static enum result decide_callers(const struct prepared *p, struct config *config, bool loopback, struct buf *problem) {
  struct callers callers = {.mode = config_text(config, CONFIG_AUTH_MODE),
                            .loopback = loopback,
                            .certificate = p->tls.certificate.len > 0,
                            .client_ca = p->tls.client_ca.len > 0,
                            .jwt_key = p->secrets.jwt_secret.len > 0 || p->secrets.jwt_jwks.len > 0,
                            .strict = p->secrets.strict};
  const char *sentence;
  if (callers_decide(&callers, &sentence) != RESULT_OK) return refuse(problem, sentence);
  return config_set(config, CONFIG_AUTH_MODE, callers.mode);
}

static enum result open_state(struct prepared *p, const struct config *config, char *const *environment,
                              struct buf *problem) {
  const char *sentence = NULL;
  enum result r = state_open(&p->state, config_text(config, CONFIG_STATE), environment, &sentence);
  if (r == RESULT_IO)
    buf_printf(problem, "server.state: %s: %s", p->state.directory, strerror(errno));
  else if (r != RESULT_OK)
    buf_printf(problem, "server.state: %s: %s", p->state.directory, sentence);
  return r;
}

/* ---- what only a number can be, or one of a few words ---- */

static enum result check_numbers(const struct config *config, struct buf *problem) {
  static const struct {
    enum config_id id;
    uint64_t min, max;
  } numbers[] = {{CONFIG_PER_USER, 1, 10000},
                 {CONFIG_WAITING, 0, 1000000},
                 {CONFIG_WORKERS, 1, PREPARE_WORKERS_MAX},
                 {CONFIG_PARKED, 0, PREPARE_WORKERS_MAX},
                 {CONFIG_WORKERS_IDLE, 0, PREPARE_WORKERS_MAX}};
  static const enum config_id durations[] = {CONFIG_RESULT_TTL, CONFIG_CLEANUP, CONFIG_STOP_GRACE};
  uint64_t value;
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
    if (config_number(config, numbers[i].id, numbers[i].min, numbers[i].max, &value) == RESULT_OK) continue;
    buf_printf(problem, "%s: %s is no whole number from %llu to %llu", config_name(numbers[i].id),
               config_text(config, numbers[i].id), (unsigned long long)numbers[i].min,
               (unsigned long long)numbers[i].max);
    return RESULT_CONFIG_INVALID;
  }
  for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
    if (config_duration_ms(config, durations[i], &value) == RESULT_OK) continue;
    buf_printf(problem, "%s: %s is no duration, as 1h30m or 250ms", config_name(durations[i]),
               config_text(config, durations[i]));
    return RESULT_CONFIG_INVALID;
  }
  return RESULT_OK;
}

static enum result check_words(const struct config *config, struct buf *problem) {
  static const struct {
    enum config_id id;
    const char *words[4];
  } settings[] = {{CONFIG_LOG_LEVEL, {"debug", "info", "warn", "error"}},
                  {CONFIG_DISK_SYNC, {"normal", "full"}},
                  {CONFIG_ENCRYPTED_OUTPUT, {"ask", "always"}},
                  {CONFIG_EGRESS_HTTP, {"on", "off"}}};
  for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
    const char *said = config_text(config, settings[i].id);
    bool known = false;
    for (size_t j = 0; j < 4 && settings[i].words[j] != NULL; j++) known |= strcmp(said, settings[i].words[j]) == 0;
    if (known) continue;
    buf_printf(problem, "%s: %s is none of", config_name(settings[i].id), said);
    for (size_t j = 0; j < 4 && settings[i].words[j] != NULL; j++) buf_printf(problem, " %s", settings[i].words[j]);
    return RESULT_CONFIG_INVALID;
  }
  return RESULT_OK;
}

/* ---- the outside ---- */

static bool is_nets(struct span text) {
  struct address_nets nets;
  return address_parse_nets(text, &nets);
}

/* https://host[:port][/path], or http; what stands in its parts, its user looks into. */
static bool is_url(struct span text) {
  static const char *const schemes[] = {"https://", "http://"};
  if (text.len == 0) return true;
  for (size_t i = 0; i < text.len; i++)
    if (text.data[i] <= ' ' || text.data[i] >= 0x7f || strchr("@?#\\", text.data[i]) != NULL) return false;
  for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
    const size_t len = strlen(schemes[i]);
    if (text.len > len && memcmp(text.data, schemes[i], len) == 0) return text.data[len] != '/';
  }
  return false;
}

/* False at the end. */
static bool take_word(struct span *rest, struct span *word) {
  static const char between[] = " ,\t\r\n";
  while (rest->len > 0 && strchr(between, rest->data[0]) != NULL) *rest = span_of(rest->data + 1, rest->len - 1);
  size_t len = 0;
  while (len < rest->len && strchr(between, rest->data[len]) == NULL) len++;
  *word = span_of(rest->data, len);
  *rest = span_of(rest->data + len, rest->len - len);
  return len > 0;
}

/* Each at most once. */
static bool is_stores(struct span text) {
  static const char *const stores[] = {"embedded", "supabase", "postgres"};
  unsigned seen = 0;
  for (struct span word; take_word(&text, &word);) {
    unsigned bit = 0;
    for (unsigned i = 0; i < sizeof stores / sizeof stores[0]; i++)
      if (span_is(word, stores[i])) bit = 1u << i;
    if (bit == 0 || seen & bit) return false;
    seen |= bit;
  }
  return true;
}

static enum result check_outside(const struct config *config, struct buf *problem) {
  static const struct {
    enum config_id id;
    bool (*holds)(struct span text);
    const char *otherwise;
  } settings[] = {
      {CONFIG_EGRESS_HOSTS, hosts_valid, "is no list of hosts, as a.example *.example.org"},
      {CONFIG_EGRESS_PRIVATE, is_nets, "is no list of networks, as 10.1.0.0/16 ::1/128"},
      {CONFIG_SECRETS_STORES, is_stores, "is no list of embedded, supabase and postgres, each once"},
      {CONFIG_SUPABASE_URL, is_url, "is no address, as https://project.example"},
      {CONFIG_SCRIPTS_URL, is_url, "is no address, as https://scripts.example/apps"},
  };
  for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
    const char *text = config_text(config, settings[i].id);
    if (settings[i].holds(span_text(text))) continue;
    buf_printf(problem, "%s: %s %s", config_name(settings[i].id), text, settings[i].otherwise);
    return RESULT_CONFIG_INVALID;
  }
  return RESULT_OK;
}

/* What the stores that are named cannot do without. */
static enum result check_stores(const struct secrets *secrets, const struct config *config, struct buf *problem) {
  const bool url = config_text(config, CONFIG_SUPABASE_URL)[0] != 0;
  const struct {
    const char *store, *needs;
    bool has;
  } needed[] = {{"supabase", "SUPABASE_URL", url},
                {"supabase", "SUPABASE_SERVICE_KEY", secrets->supabase_key.len > 0},
                {"supabase", "SECRETS_MASTER_KEY of 32 bytes", secrets->secrets_key.len == 32},
                {"postgres", "NEOCOMPUTE_DATABASE_URL", secrets->database.len > 0}};
  struct span stores = span_text(config_text(config, CONFIG_SECRETS_STORES)), rest = stores, word;
  if (url && !take_word(&rest, &word)) stores = span_text("supabase");
  while (take_word(&stores, &word)) {
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
      if (needed[i].has || !span_is(word, needed[i].store)) continue;
      buf_printf(problem, "secrets.stores: %s needs %s", needed[i].store, needed[i].needs);
      return RESULT_CONFIG_INVALID;
    }
  }
  return RESULT_OK;
}

/* ---- evidence ---- */

/* The operator's word, or the enclave's. A service that is strict because MarbleRun gave it a certificate is not meant:
 * MarbleRun can be simulated, too. */
static bool forbids_simulation(const struct config *config, char *const *environment) {
  const char *said = config_text(config, CONFIG_STRICT), *simulation = environment_get(environment, "OE_SIMULATION");
  return strcmp(said, "on") == 0 || (strcmp(said, "auto") == 0 && simulation != NULL && strcmp(simulation, "0") == 0);
}

static enum result choose_provider(struct prepared *p, struct config *config, char *const *environment,
                                   struct buf *problem) {
  const struct attest_machine machine = {config_text(config, CONFIG_ATTEST_ROOT), NULL};
  const char *said = config_text(config, CONFIG_ATTEST_PROVIDER);
  if (attest_probe(&machine, strcmp(said, "auto") == 0 ? NULL : said, &p->provider) != RESULT_OK) {
    buf_printf(problem, "attest.provider: this machine has no %s", said);
    return RESULT_CONFIG_INVALID;
  }
  if (p->provider == &attest_sim && forbids_simulation(config, environment))
    return refuse(problem, "attest.provider: a strict service needs hardware that gives evidence, and there is none");
  return config_set(config, CONFIG_ATTEST_PROVIDER, p->provider->name);
}

enum result prepare(struct prepared *out, struct config *config, char **environment, struct buf *problem) {
  bool loopback = false;
  *out = (struct prepared){.metrics = -1, .state.lock = -1};
  enum result r = check_numbers(config, problem);
  if (r == RESULT_OK) r = check_words(config, problem);
  if (r == RESULT_OK) r = check_outside(config, problem);
  if (r == RESULT_OK) r = secrets_gather(&out->secrets, config, environment, problem);
  if (r == RESULT_OK) r = check_stores(&out->secrets, config, problem);
  if (r == RESULT_OK) r = secrets_read_tls(&out->tls, config, environment, problem);
  environment_forget_keys(environment);
  if (r == RESULT_OK) r = choose_provider(out, config, environment, problem);
  if (r == RESULT_OK) r = open_listeners(out, config, environment, &loopback, problem);
  if (r == RESULT_OK) r = decide_callers(out, config, loopback, problem);
  if (r == RESULT_OK) r = open_state(out, config, environment, problem);
  return r;
}

void prepare_close_listeners(struct prepared *p) {
  for (unsigned i = 0; i < p->http_count; i++) close(p->http[i]);
  if (p->metrics >= 0) close(p->metrics);
  p->http_count = 0;
  p->metrics = -1;
}

void prepare_end(struct prepared *p) {
  secrets_wipe(&p->secrets);
  secrets_free_tls(&p->tls);
  state_close(&p->state);
  prepare_close_listeners(p);
}
