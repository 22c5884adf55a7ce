/*
 * What the keeper costs a job: `keeper_bench WORKER [JOBS]` prints one JSON object. This process is supervisor, broker
 * and caller; CPU time is the keeper's own, receipts and sealing included, workers not. `sealed`: input and answer
 * sealed between caller and keeper, one job at a time.
 */
#include <signal.h>
#include <time.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "crypto/hpke.h"
#include "crypto/random.h"
#include "evidence/evidence.h"
#include "stage.h"

static const unsigned outstanding[] = {1, 4, 16};

static uint64_t cpu_ns(pid_t pid) {
  clockid_t clock;
  struct timespec now = {0};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &now) != 0) exit(1);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void ask(struct stage *s, struct buf *b, uint64_t ticket) {
  const struct wire_execute m = stage_job(ticket, "function main(i) { return {sum: i.a + i.b} }");
  wire_put_execute(b, &m);
  stage_tell(s, b);
}

static void hear(struct stage *s) {
  struct span body;
  struct wire_ended m;
  if (stage_hear(s, WIRE_ENDED, 20000, &body) && wire_get_ended(body, &m) && m.result == RESULT_OK) return;
  fprintf(stderr, "a job failed\n");
  exit(1);
}

static uint64_t run(struct stage *s, uint64_t ticket, uint64_t jobs, unsigned at_a_time) {
  struct buf b = buf_new(SERVICE_REQUEST_MAX);
  uint64_t asked = 0, heard = 0;
  while (heard < jobs) {
    while (asked < jobs && asked - heard < at_a_time) ask(s, &b, ticket + asked++);
    hear(s);
    heard++;
  }
  buf_free(&b);
  return ticket + jobs;
}

/* ---- sealed, as docs/protocol.md has it ---- */

#define INFO "neocompute-sealed-input-v1"

struct service {
  uint8_t key[AGREE_PUBLIC], attestation[HASH_SIZE];
};

static struct service attested(const struct stage *s) {
  struct wire_identity id;
  struct evidence_verdict v;
  struct service out;
  const struct evidence_policy policy = {.allow_simulated = true, .now = clock_real_ns() / 1000000000u};
  struct buf text = buf_new(1u << 20);
  if (!wire_get_identity(buf_span(&s->identity), &id)) exit(1);
  if (evidence_check(id.attested, &policy, &text, &v) != RESULT_OK) exit(1);
  memcpy(out.key, v.agree_key, sizeof out.key);
  memcpy(out.attestation, id.attestation, sizeof out.attestation);
  buf_free(&text);
  return out;
}

static void put(struct buf *b, const char *before, const void *bytes, size_t len) {
  buf_put_text(b, before);
  base64_put_url(b, span_of(bytes, len));
  buf_put_u8(b, '"');
}

static void put_message(struct buf *b, const struct service *to, const struct wire_execute *m) {
  uint8_t nonce[16], enc[HPKE_ENC], script[HASH_SIZE];
  const uint64_t expires = clock_real_ns() / 1000000000u + 200;
  struct buf info = buf_new(128), aad = buf_new(128), sealed = buf_new(4096);
  if (random_bytes(nonce, sizeof nonce) != RESULT_OK || hash_sha256(&m->script, 1, script) != RESULT_OK) exit(1);
  buf_put(&info, INFO, sizeof INFO);
  buf_put(&info, to->attestation, HASH_SIZE);
  buf_put(&aad, script, sizeof script);
  buf_put(&aad, m->user, sizeof m->user);
  for (int shift = 56; shift >= 0; shift -= 8) buf_put_u8(&aad, (uint8_t)(expires >> shift));
  buf_put(&aad, nonce, sizeof nonce);
  if (hpke_seal(to->key, buf_span(&info), buf_span(&aad), span_text("{\"input\":{\"a\":2,\"b\":3}}"), enc, &sealed) !=
      RESULT_OK)
    exit(1);
  put(b, "{\"enc\":\"", enc, sizeof enc);
  put(b, ",\"nonce\":\"", nonce, sizeof nonce);
  put(b, ",\"ciphertext\":\"", sealed.data, sealed.len);
  buf_printf(b, ",\"expires\":%llu}", (unsigned long long)expires);
  buf_free(&info);
  buf_free(&aad);
  buf_free(&sealed);
}

static void run_sealed(struct stage *s, const struct service *to, uint64_t ticket, uint64_t jobs) {
  struct buf b = buf_new(SERVICE_REQUEST_MAX), message = buf_new(8192);
  for (uint64_t i = 0; i < jobs; i++) {
    struct wire_execute m = stage_job(ticket + i, "function main(i) { return {sum: i.a + i.b} }");
    buf_clear(&message);
    put_message(&message, to, &m);
    m.input = span_text("{}");
    m.sealed = buf_span(&message);
    m.flags = WIRE_EXECUTE_SEAL_OUTPUT;
    wire_put_execute(&b, &m);
    stage_tell(s, &b);
    hear(s);
  }
  buf_free(&b);
  buf_free(&message);
}

int main(int argc, char **argv) {
  uint64_t jobs = 20000, ticket = 1;
  struct stage s;
  signal(SIGPIPE, SIG_IGN);
  if (argc < 2 || argc > 3) return 2;
  if (argc == 3 && text_u64(span_text(argv[2]), 1, 100000000, &jobs) != RESULT_OK) return 2;
  stage_open(&s, &(struct stage_options){.worker = argv[1]});
  printf("{\"jobs\":%llu", (unsigned long long)jobs);
  for (size_t i = 0; i < sizeof outstanding / sizeof outstanding[0]; i++) {
    ticket = run(&s, ticket, 200, outstanding[i]); /* workers are started */
    const uint64_t cpu = cpu_ns(s.keeper), wall = clock_monotonic_ns();
    ticket = run(&s, ticket, jobs, outstanding[i]);
    printf(",\"outstanding_%u\":{\"keeper_cpu_us\":%.1f,\"wall_us\":%.1f}", outstanding[i],
           (double)(cpu_ns(s.keeper) - cpu) / 1e3 / (double)jobs,
           (double)(clock_monotonic_ns() - wall) / 1e3 / (double)jobs);
  }
  if (crypto_init() != RESULT_OK) return 1;
  const struct service to = attested(&s);
  const uint64_t sealed_jobs = jobs < 5000 ? jobs : 5000, before = cpu_ns(s.keeper);
  run_sealed(&s, &to, ticket, sealed_jobs);
  printf(",\"sealed\":{\"keeper_cpu_us\":%.1f}", (double)(cpu_ns(s.keeper) - before) / 1e3 / (double)sealed_jobs);
  crypto_free();
  printf(",\"workers_started\":%u}\n", s.spawned);
  return stage_close(&s);
}
