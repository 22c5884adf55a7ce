/*
 * What a job's secrets cost the keeper, its store not counted: `secrets_bench [LOOKUPS]` prints a JSON object a line:
 * CPU time from secrets_ask to the answer, for one secret and for ten, without and with a number of uses.
 */
#include <time.h>

#include "crypto/crypto.h"
#include "keeper/secrets_backend.h"

#define MASTER "0123456789abcdef0123456789abcdef"
#define USER "alice"

static struct event_base *base;
static struct secrets *secrets;
static uint8_t user[HASH_SIZE];
static struct wire_statement rows[WIRE_SECRETS_MAX];
static struct buf texts[WIRE_SECRETS_MAX], counts[WIRE_SECRETS_MAX], message;
static struct event *answer_event;
static uint64_t store_ns;
static unsigned answered;

static uint64_t cpu_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Answers questions with the rows that are there, and everything else with none. */
static enum result ask_store(void *context, struct buf *query) {
  (void)context;
  const uint64_t begun = cpu_ns();
  struct wire_query q;
  struct wire_statement m;
  struct cursor rest;
  if (!wire_get_query(span_of(query->data + MSG_HEADER, query->len - MSG_HEADER), &q, &rest)) exit(1);
  if (!wire_get_statement(&rest, &m)) exit(1);
  buf_clear(&message);
  wire_put_rows(
      &message, WIRE_STORE_ROWS,
      &(struct wire_rows){.ticket = q.ticket, .count = m.statement == STATEMENT_FIND ? q.count : 0, .rows = rows});
  event_active(answer_event, EV_TIMEOUT, 1);
  store_ns += cpu_ns() - begun;
  return RESULT_OK;
}

static void on_answer_event(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what, (void)context;
  if (secrets_store_rows(secrets, span_of(message.data + MSG_HEADER, message.len - MSG_HEADER)) != RESULT_OK) exit(1);
}

static void on_answer(void *context, enum result result, struct span detail, const struct secrets_granted *granted,
                      size_t count) {
  (void)context, (void)granted;
  if (result != RESULT_OK || count == 0) {
    fprintf(stderr, "%.*s\n", (int)detail.len, (const char *)detail.data);
    exit(1);
  }
  answered++;
}

static void tell(void *context, struct buf *told) {
  (void)context, (void)told;
}

static void fill_rows(const struct keys *keys, const struct span *names, const char *policy) {
  for (uint32_t i = 0; i < WIRE_SECRETS_MAX; i++) {
    const struct secret_place place = {.user = user, .name = names[i], .version = 1};
    buf_clear(&texts[i]);
    buf_clear(&counts[i]);
    if (keys_secret_seal(keys, &place, span_text(policy), span_text("sk-0123456789abcdef0123456789abcdef"),
                         &texts[i]) != RESULT_OK ||
        keys_secret_seal_uses(keys, &place, 0, &counts[i]) != RESULT_OK)
      exit(1);
    rows[i] = (struct wire_statement){
        .statement = i,
        .count = 4,
        .values = {span_text("1"), buf_span(&texts[i]), buf_span(&counts[i]), span_text("1700000000")}};
  }
}

static void measure(const struct span *names, size_t count, const char *what, unsigned lookups) {
  const struct secrets_request m = {.user = user,
                                    .user_id = span_text(USER),
                                    .trace = span_text("4bf92f3577b34da6a3ce929d0e0e4736"),
                                    .job = span_text("0192f0c1-2345-7abc-8def-0123456789ab"),
                                    .names = names,
                                    .count = count};
  answered = 0;
  store_ns = 0;
  const uint64_t begun = cpu_ns();
  for (unsigned i = 0; i < lookups; i++) {
    uint64_t ticket;
    if (secrets_ask(secrets, &m, on_answer, NULL, &ticket) != RESULT_OK) exit(1);
    while (answered == i) event_base_loop(base, EVLOOP_ONCE);
  }
  const uint64_t spent = cpu_ns() - begun - store_ns;
  printf("{\"policy\":\"%s\",\"secrets\":%zu,\"lookups\":%u,\"cpu_us\":%.1f}\n", what, count, lookups,
         (double)spent / lookups / 1000);
}

int main(int argc, char **argv) {
  static const char *const names_of[WIRE_SECRETS_MAX] = {"api_key_0", "api_key_1", "api_key_2", "api_key_3",
                                                         "api_key_4", "api_key_5", "api_key_6", "api_key_7",
                                                         "api_key_8", "api_key_9"};
  static const struct {
    const char *name, *json;
  } policies[] = {{"none", ""},
                  {"services and expiry", "{\"expires_at\":\"2099-01-01T00:00:00Z\",\"services\":[\"neocompute\"]}"},
                  {"egress-only", "{\"expose\":\"egress-only\",\"hosts\":[\"api.example.com\"]}"},
                  {"uses", "{\"uses\":1000000000}"}};
  const unsigned lookups = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 20000;
  const struct span id = span_text(USER);
  struct keys *keys;
  struct span names[WIRE_SECRETS_MAX];
  base = event_base_new();
  message = buf_new(1u << 20);
  if (base == NULL || crypto_init() != RESULT_OK || hash_sha256(&id, 1, user) != RESULT_OK) return 1;
  if (keys_new(span_text(MASTER), &keys) != RESULT_OK) return 1;
  answer_event = event_new(base, -1, 0, on_answer_event, NULL);
  const struct secrets_setup setup = {
      .base = base, .keys = keys, .stores = "embedded", .ask_store = ask_store, .tell = tell};
  if (secrets_new(&setup, &secrets) != RESULT_OK) return 1;
  for (size_t i = 0; i < WIRE_SECRETS_MAX; i++) {
    names[i] = span_text(names_of[i]);
    texts[i] = buf_new(SECRET_TEXT_MAX);
    counts[i] = buf_new(256);
  }
  for (size_t p = 0; p < sizeof policies / sizeof policies[0]; p++) {
    fill_rows(keys, names, policies[p].json);
    measure(names, 1, policies[p].name, lookups);
    measure(names, WIRE_SECRETS_MAX, policies[p].name, lookups / 4 + 1);
  }
  return 0;
}
