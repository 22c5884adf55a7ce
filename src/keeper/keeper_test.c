/* A keeper in its own process, with real workers and lying ones; this test is its supervisor and its broker. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "receipt/receipt.h"
#include "stage.h"

#define SECONDS 1000
#define SUM "function main(i) { console.log('hi'); return {sum: i.a + i.b} }"
#define ENDLESS "function main() { for (;;); }"

static struct stage stage;
static uint64_t next_ticket = 1;

static void open_stage(const char *worker) {
  stage_open(&stage, &(struct stage_options){.worker = worker, .master_key = "0123456789abcdef0123456789abcdef"});
}

static struct buf message(void) {
  return buf_new(SERVICE_ANSWER_MAX + MSG_HEADER);
}

static uint64_t execute(struct wire_execute m) {
  struct buf b = message();
  m.ticket = next_ticket++;
  memcpy(m.job, &m.ticket, sizeof m.ticket);
  wire_put_execute(&b, &m);
  stage_tell(&stage, &b);
  buf_free(&b);
  return m.ticket;
}

static uint64_t ask(const char *script) {
  return execute(stage_job(0, script));
}

static struct wire_ended hear_ended(uint64_t ticket) {
  struct span body;
  struct wire_ended m = {0};
  assert_true(stage_hear(&stage, WIRE_ENDED, 20 * SECONDS, &body));
  assert_true(wire_get_ended(body, &m));
  assert_int_equal(m.ticket, ticket);
  assert_int_equal(json_check(m.reply, 100), RESULT_OK);
  return m;
}

static bool has(struct span text, const char *part) {
  return text.data != NULL && memmem(text.data, text.len, part, strlen(part)) != NULL;
}

static void expect_part(struct span reply, const char *part) {
  if (has(reply, part)) return;
  print_error("no %s in ", part);
  fwrite(reply.data, 1, reply.len, stderr);
  fail();
}

/* Ended so, with a receipt and a record. */
static void expect_ended(uint64_t ticket, enum result result, const char *part) {
  struct wire_ended m = hear_ended(ticket);
  if (m.result != result)
    print_error("%s: %.*s\n", result_name(m.result), (int)m.reply.len, (const char *)m.reply.data);
  assert_int_equal(m.result, result);
  assert_true(m.sealed.len > 0);
  expect_part(m.reply, "\"receipt\":\"");
  expect_part(m.reply, part);
  assert_true(has(m.reply, "\"output\"") == (result == RESULT_OK));
}

static void expect_sum(void) {
  expect_ended(ask(SUM), RESULT_OK, "\"output\":{\"sum\":5},\"logs\":[\"hi\"]");
}

static void cancel(uint64_t ticket) {
  struct buf b = message();
  wire_put_cancel(&b, &(struct wire_cancel){ticket, RESULT_CANCELLED});
  stage_tell(&stage, &b);
  buf_free(&b);
}

/* Sends nothing, hears for a while: what the keeper asks its supervisor for is served. */
static void idle_for(int ms) {
  struct span body;
  assert_false(stage_hear(&stage, WIRE_ATTESTED, ms, &body));
}

static void kill_workers(void) {
  for (uint32_t n = 0; n < STAGE_WORKERS; n++)
    if (stage.workers[n].pid > 0) kill(stage.workers[n].pid, SIGKILL);
}

static void test_executes(void **state) {
  (void)state;
  open_stage(WORKER);
  for (int i = 0; i < 20; i++) expect_sum();
  uint64_t ticket = ask("function main() { return {b: [1, 'x'], a: 1e21} }");
  struct wire_ended m = hear_ended(ticket);
  expect_part(m.reply, "\"status\":\"completed\",\"output\":{\"a\":1e+21,\"b\":[1,\"x\"]}");
  expect_part(m.reply, "\"job_id\":\"15000000-0000-0000-0000-000000000000\"");
  /* Made with Node's crypto. */
  expect_part(m.reply,
              "\"output_hash\":\"146360a27b6d43dffcb797d43a6bc6bb9ec397b7319de1f8c23675f919d5af5a\","
              "\"signature\":\"05880081c7a994030f3555120ee7195c778985cc56eeabeba66bb3b26f7d08e8\"");
  assert_true(m.wall_ns > 0 && m.steps > 0);
  assert_int_equal(stage_close(&stage), 0);
}

static void test_failures(void **state) {
  (void)state;
  open_stage(WORKER);
  expect_ended(ask("function main() {\n  null.x }"), RESULT_EXECUTION_ERROR,
               "\"error_details\":{\"name\":\"TypeError\",\"message\":\"");
  expect_ended(ask("function main() { throw 'a: b' }"), RESULT_EXECUTION_ERROR, "\"error\":\"execution error: a: b\"");
  expect_ended(ask("throw new Error('no')"), RESULT_SCRIPT_ERROR, "\"error\":\"script error: Error: no\"");
  expect_ended(ask("let x"), RESULT_ENTRY_NOT_FOUND, "\"error\":\"entry point 'main' is not a function\"");
  expect_ended(ask("function main() { return 'x'.repeat(2e6) }"), RESULT_OUTPUT_TOO_LARGE,
               "\"error\":\"output exceeds maximum size of 1048576 bytes\"");
  struct wire_execute m = stage_job(0, SUM);
  m.secret_count = 1;
  m.secrets[0] = span_text("api_key");
  expect_ended(execute(m), RESULT_SECRET_NOT_FOUND,
               "\"error\":\"secret not found: api_key: there is no secret of that name\"");
  assert_int_equal(stage_close(&stage), 0);
}

/* The text of a string member, without escapes. */
static struct span member(struct span json, const char *name) {
  char key[64];
  snprintf(key, sizeof key, "\"%s\":\"", name);
  const uint8_t *at = memmem(json.data, json.len, key, strlen(key));
  assert_non_null(at);
  at += strlen(key);
  const uint8_t *end = memchr(at, '"', (size_t)(json.data + json.len - at));
  assert_non_null(end);
  return span_of(at, (size_t)(end - at));
}

/* From the attestation document, as a verifier gets it. */
static void signing_key(const struct wire_identity *id, uint8_t key[SIGN_PUBLIC]) {
  struct buf document = buf_new(65536);
  assert_int_equal(base64_get_url(&document, member(id->attested, "document")), RESULT_OK);
  key[0] = 4;
  assert_true(base64_read_url(member(buf_span(&document), "x"), key + 1, 32));
  assert_true(base64_read_url(member(buf_span(&document), "y"), key + 33, 32));
  buf_free(&document);
}

static void expect_hash(const uint8_t hash[HASH_SIZE], struct span bytes) {
  uint8_t want[HASH_SIZE];
  assert_int_equal(hash_sha256(&bytes, 1, want), RESULT_OK);
  assert_memory_equal(hash, want, sizeof want);
}

/* Every end has one, signed by the attested key, each with the hash of the one before it. */
static void test_receipts(void **state) {
  (void)state;
  static const struct {
    const char *script, *output, *logs;
    enum result result;
  } jobs[] = {
      {SUM, "{\"sum\":5}", "[\"hi\"]", RESULT_OK},
      {"throw 1", NULL, "[]", RESULT_SCRIPT_ERROR},
      {ENDLESS, NULL, "[]", RESULT_TIMEOUT},
      {"function main() { return {} }", "{}", "[]", RESULT_OK},
  };
  uint8_t key[SIGN_PUBLIC], previous[HASH_SIZE] = {0};
  struct wire_identity id = {0};
  open_stage(WORKER);
  assert_int_equal(crypto_init(), RESULT_OK);
  assert_true(wire_get_identity(buf_span(&stage.identity), &id));
  signing_key(&id, key);
  for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++) {
    struct buf text = buf_new(RECEIPT_MAX);
    struct receipt_claims c = {0};
    uint8_t salt[RECEIPT_SALT], input[HASH_SIZE], user[32];
    struct wire_execute m = stage_job(0, jobs[i].script);
    m.timeout_ms = 200;
    m.nonce = span_text("once");
    const struct wire_ended ended = hear_ended(execute(m));
    const struct span jws = member(ended.reply, "receipt");
    assert_int_equal(receipt_read(jws, key, &text, &c), RESULT_OK);
    assert_int_equal(c.result, jobs[i].result);
    assert_int_equal(c.sequence, i + 1);
    assert_memory_equal(c.previous, previous, sizeof previous);
    assert_int_equal(hash_sha256(&jws, 1, previous), RESULT_OK);
    expect_hash(c.script, m.script);
    expect_hash(c.logs, span_text(jobs[i].logs));
    if (jobs[i].output != NULL) expect_hash(c.output, span_text(jobs[i].output));
    assert_true(base64_read_url(member(ended.reply, "receipt_salt"), salt, sizeof salt));
    assert_int_equal(receipt_commit(salt, m.input, input), RESULT_OK);
    assert_memory_equal(c.input, input, sizeof input);
    memcpy(user, m.user, sizeof user);
    assert_memory_equal(c.subject, user, sizeof user);
    assert_memory_equal(c.attestation, id.attestation, sizeof id.attestation);
    assert_true(span_equal(c.job, member(ended.reply, "job_id")));
    assert_true(receipt_text_is(c.nonce, m.nonce) && receipt_text_is(c.entry, m.entry));
    assert_true(span_equal(c.engine, id.engine) && span_equal(c.isolation, id.isolation));
    buf_free(&text);
  }
  crypto_free();
  assert_int_equal(stage_close(&stage), 0);
}

/* The longest texts a request may have do not cost a job its receipt. */
static void test_long_texts(void **state) {
  (void)state;
  char entry[128], nonce[128];
  memset(entry, 'e', sizeof entry);
  memset(nonce, '"', sizeof nonce);
  open_stage(WORKER);
  struct wire_execute m = stage_job(0, SUM);
  m.entry = span_of(entry, sizeof entry);
  m.nonce = span_of(nonce, sizeof nonce);
  expect_ended(execute(m), RESULT_ENTRY_NOT_FOUND, "eee' is not a function\"");
  assert_int_equal(stage_close(&stage), 0);
}

static void test_limits(void **state) {
  (void)state;
  open_stage(WORKER);
  struct wire_execute m = stage_job(0, ENDLESS);
  m.timeout_ms = 100;
  expect_ended(execute(m), RESULT_TIMEOUT, "\"error\":\"execution timeout\"");
  m = stage_job(0, ENDLESS);
  m.steps = 100000;
  expect_ended(execute(m), RESULT_OUT_OF_STEPS, "\"error_code\":\"out_of_steps\"");
  m = stage_job(0, "function main() { const a = []; for (;;) a.push(new Array(1e5).fill(1)) }");
  m.memory = 16u << 20;
  expect_ended(execute(m), RESULT_OUT_OF_MEMORY, "\"error_code\":\"out_of_memory\"");
  expect_sum();
  assert_int_equal(stage_close(&stage), 0);
}

/* Stopped by us, not by its own clock; the next job has another worker. */
static void test_cancel(void **state) {
  (void)state;
  open_stage(WORKER);
  uint64_t ticket = ask(ENDLESS);
  idle_for(50);
  cancel(ticket);
  expect_ended(ticket, RESULT_CANCELLED, "\"error\":\"job cancelled\"");
  cancel(ticket); /* again: its ENDED was on its way */
  cancel(777777);
  expect_sum();
  assert_true(stage.killed >= 1);
  assert_int_equal(stage_close(&stage), 0);
}

/* A long job's record comes while it runs; a short one's only with its end. Its worker goes to the back of the queue,
 * and comes to the front again. */
static void test_long_job_is_stored_and_nice(void **state) {
  (void)state;
  struct span body;
  struct wire_stored stored = {0};
  open_stage(WORKER);
  uint64_t ticket = ask("function main() { const t = Date.now(); while (Date.now() - t < 150); return {} }");
  assert_true(stage_hear(&stage, WIRE_STORED, 5 * SECONDS, &body));
  assert_true(wire_get_stored(body, &stored));
  assert_int_equal(stored.ticket, ticket);
  assert_true(stored.sealed.len > 0);
  expect_ended(ticket, RESULT_OK, "\"status\":\"completed\"");
  assert_true(stage.last_nice == 0 || stage.last_nice >= 10);
  idle_for(50);
  assert_int_equal(stage.last_nice, 0);
  assert_int_equal(stage_close(&stage), 0);
}

static void test_async_is_stored_first(void **state) {
  (void)state;
  struct span body;
  uint8_t type = 0;
  struct wire_stored stored = {0};
  struct wire_execute m = stage_job(0, "function main() { return {} }");
  m.flags = WIRE_EXECUTE_ASYNC;
  open_stage(WORKER);
  uint64_t ticket = execute(m);
  do assert_true(stage_hear_any(&stage, 5 * SECONDS, &type, &body));
  while (type == WIRE_GAUGES);
  assert_int_equal(type, WIRE_STORED);
  assert_true(wire_get_stored(body, &stored));
  assert_int_equal(stored.ticket, ticket);
  expect_ended(ticket, RESULT_OK, "\"output\":{}");
  assert_int_equal(stage_close(&stage), 0);
}

static void test_log_lines_come_as_they_are_said(void **state) {
  (void)state;
  struct span body;
  struct wire_logged m = {0};
  open_stage(WORKER);
  uint64_t ticket = ask("function main() { console.error('one\"'); for (;;); }");
  assert_true(stage_hear(&stage, WIRE_LOGGED, 5 * SECONDS, &body));
  assert_true(wire_get_logged(body, &m));
  assert_true(span_is(m.text, "one\""));
  cancel(ticket);
  expect_ended(ticket, RESULT_CANCELLED, "\"logs\":[\"one\\\"\"]");
  assert_int_equal(stage_close(&stage), 0);
}

static void test_killed_worker(void **state) {
  (void)state;
  open_stage(WORKER);
  for (int i = 0; i < 5; i++) {
    uint64_t ticket = ask(ENDLESS);
    idle_for(30);
    kill_workers();
    expect_ended(ticket, RESULT_WORKER_LOST, "\"error_code\":\"worker_lost\"");
    idle_for(100); /* until the end of the idle ones is heard of, too */
    expect_sum();
  }
  assert_int_equal(stage_close(&stage), 0);
}

static void test_lies(void **state) {
  (void)state;
  static const struct {
    const char *lie;
    enum result result;
  } lies[] = {
      {"nothing", RESULT_WORKER_LOST},    {"other id", RESULT_WORKER_LIED},   {"long length", RESULT_WORKER_LIED},
      {"short body", RESULT_WORKER_LIED}, {"half", RESULT_WORKER_LOST},       {"ready again", RESULT_WORKER_LIED},
      {"bad text", RESULT_WORKER_LIED},   {"bad result", RESULT_WORKER_LIED}, {"not json", RESULT_WORKER_LIED},
      {"two values", RESULT_WORKER_LIED}, {"too much", RESULT_WORKER_LIED},   {"many logs", RESULT_WORKER_LIED},
      {"bad log", RESULT_WORKER_LIED},    {"hang", RESULT_TIMEOUT},           {"quit", RESULT_WORKER_LOST},
  };
  open_stage(LIAR);
  for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
    struct wire_execute m = stage_job(0, lies[i].lie);
    m.timeout_ms = 300;
    struct wire_ended ended = hear_ended(execute(m));
    if (ended.result != lies[i].result) print_error("%s: %s\n", lies[i].lie, result_name((enum result)ended.result));
    assert_int_equal(ended.result, lies[i].result);
    assert_false(has(ended.reply, "\"output\""));
    expect_part(ended.reply, "\"receipt\":\"");
    assert_int_equal(hear_ended(ask("truth")).result, RESULT_OK);
  }
  assert_int_equal(stage_close(&stage), 0);
}

/* Of a service that is no more: what it stored while a job ran, opened by the next one with the same key. */
static void keep_sealed(struct span sealed, struct buf *out) {
  buf_free(out);
  *out = buf_new(SERVICE_ANSWER_MAX);
  buf_put_span(out, sealed);
}

static void interrupt(uint64_t ticket, const struct wire_execute *job, struct span sealed) {
  struct buf b = message();
  struct wire_interrupt m = {.ticket = ticket, .sealed = sealed};
  memcpy(m.job, job->job, sizeof m.job);
  memcpy(m.user, job->user, sizeof m.user);
  wire_put_interrupt(&b, &m);
  stage_tell(&stage, &b);
  buf_free(&b);
}

static void test_interrupt(void **state) {
  (void)state;
  struct span body;
  struct wire_stored stored = {0};
  struct buf running = buf_new(1), ended = buf_new(1);
  struct wire_execute job = stage_job(0, ENDLESS);
  open_stage(WORKER);
  uint64_t ticket = next_ticket;
  job.flags = WIRE_EXECUTE_ASYNC;
  job.nonce = span_text("once");
  memcpy(job.job, &ticket, sizeof ticket);
  assert_int_equal(execute(job), ticket);
  assert_true(stage_hear(&stage, WIRE_STORED, 5 * SECONDS, &body) && wire_get_stored(body, &stored));
  keep_sealed(stored.sealed, &running);
  /* Its own job is not one that a service which is no more left behind: it would have two receipts. */
  interrupt(9000, &job, buf_span(&running));
  uint8_t type;
  while (stage_hear_any(&stage, 5 * SECONDS, &type, &body)) assert_int_not_equal(type, WIRE_ENDED);
  assert_int_equal(stage_close(&stage), 1);

  open_stage(WORKER);
  interrupt(9000, &job, buf_span(&running));
  struct wire_ended m = hear_ended(9000);
  assert_int_equal(m.result, RESULT_INTERRUPTED);
  expect_part(m.reply, "\"status\":\"failed\"");
  expect_part(m.reply, "\"error\":\"the service ended before the job did\"");
  expect_part(m.reply, "\"receipt\":\"");
  expect_part(m.reply, "\"gas_used\":290");
  keep_sealed(m.sealed, &ended);
  assert_true(ended.len > 0);
  /* One that has ended cannot be interrupted, nor one that is not there. */
  interrupt(9001, &job, buf_span(&ended));
  assert_int_equal(hear_ended(9001).result, RESULT_RECORD_CORRUPT);
  job.user[0] ^= 1;
  interrupt(9002, &job, buf_span(&running));
  m = hear_ended(9002);
  assert_int_equal(m.result, RESULT_RECORD_CORRUPT);
  assert_int_equal(m.sealed.len, 0);
  assert_int_equal(stage_close(&stage), 0);
  buf_free(&running);
  buf_free(&ended);
}

static void test_open(void **state) {
  (void)state;
  enum { ONE, TWO, TAMPERED, SWAPPED, CUT, EMPTY, COUNT_OF };
  struct buf sealed[2] = {buf_new(1), buf_new(1)}, spoilt = buf_new(65536), b = message();
  struct wire_record records[COUNT_OF] = {0};
  struct span body;
  struct wire_opened m = {0};
  struct cursor rest;
  open_stage(WORKER);
  for (int i = 0; i < 2; i++) {
    uint64_t ticket = ask(i == 0 ? "function main() { return {n: 1} }" : "function main() { return {n: 2} }");
    memcpy(records[i].job, &ticket, sizeof ticket);
    keep_sealed(hear_ended(ticket).sealed, &sealed[i]);
    records[i].sealed = buf_span(&sealed[i]);
  }
  buf_put_span(&spoilt, buf_span(&sealed[0]));
  spoilt.data[spoilt.len / 2] ^= 1;
  records[TAMPERED] = records[ONE];
  records[TAMPERED].sealed = buf_span(&spoilt);
  records[SWAPPED] = records[ONE];
  records[SWAPPED].sealed = records[TWO].sealed;
  records[CUT] = records[TWO];
  records[CUT].sealed.len -= 1;
  memcpy(records[EMPTY].job, records[ONE].job, 16);
  struct wire_open open = {.ticket = 5, .count = COUNT_OF, .records = records};
  const struct wire_execute job = stage_job(0, "");
  memcpy(open.user, job.user, sizeof open.user);
  wire_put_open(&b, &open);
  stage_tell(&stage, &b);
  assert_true(stage_hear(&stage, WIRE_OPENED, 5 * SECONDS, &body));
  assert_true(wire_get_opened(body, &m, &rest));
  assert_int_equal(m.ticket, 5);
  assert_int_equal(m.count, COUNT_OF);
  for (int i = 0; i < COUNT_OF; i++) {
    struct wire_answer answer = {0};
    assert_true(wire_get_answer(&rest, &answer));
    assert_int_equal(answer.result, i <= TWO ? RESULT_OK : RESULT_RECORD_CORRUPT);
    if (i > TWO) assert_int_equal(answer.reply.len, 0);
    if (i <= TWO) expect_part(answer.reply, i == ONE ? "\"output\":{\"n\":1}" : "\"output\":{\"n\":2}");
  }
  assert_true(cursor_end(&rest));
  assert_int_equal(stage_close(&stage), 0);
  buf_free(&sealed[0]);
  buf_free(&sealed[1]);
  buf_free(&spoilt);
  buf_free(&b);
}

static void test_attest(void **state) {
  (void)state;
  struct span body;
  struct wire_attested m = {0};
  struct buf b = message();
  open_stage(WORKER);
  wire_put_attest(&b, &(struct wire_attest){.ticket = 3, .nonce = span_text("0123456789abcdef")});
  stage_tell(&stage, &b);
  assert_true(stage_hear(&stage, WIRE_ATTESTED, 5 * SECONDS, &body) && wire_get_attested(body, &m));
  assert_int_equal(m.ticket, 3);
  assert_int_equal(m.result, RESULT_OK);
  expect_part(m.reply, "\"document\":\"");
  buf_free(&b);
  assert_int_equal(stage_close(&stage), 0);
}

/* Sixteen at a time, none lost, none twice. */
static void test_many(void **state) {
  (void)state;
  enum { MANY = 16, ROUNDS = 20 };
  open_stage(WORKER);
  for (int round = 0; round < ROUNDS; round++) {
    bool seen[MANY] = {0};
    uint64_t first = next_ticket;
    for (int i = 0; i < MANY; i++) ask(SUM);
    for (int i = 0; i < MANY; i++) {
      struct span body;
      struct wire_ended m = {0};
      assert_true(stage_hear(&stage, WIRE_ENDED, 20 * SECONDS, &body) && wire_get_ended(body, &m));
      assert_int_equal(m.result, RESULT_OK);
      assert_true(m.ticket >= first && m.ticket < first + MANY && !seen[m.ticket - first]);
      seen[m.ticket - first] = true;
    }
  }
  assert_int_equal(stage_close(&stage), 0);
}

static void test_encrypted_output(void **state) {
  (void)state;
  open_stage(WORKER);
  struct wire_execute m = stage_job(0, "function main() { return {n: 1} }");
  m.flags = WIRE_EXECUTE_ENCRYPT_BESIDE;
  expect_ended(execute(m), RESULT_OK, "\"encrypted_output\":\"");
  expect_ended(execute(m), RESULT_OK, "\"output_hash\":\"");
  m.flags = WIRE_EXECUTE_ENCRYPT_ONLY;
  struct wire_ended ended = hear_ended(execute(m));
  expect_part(ended.reply, "\"encrypted_output\":\"");
  expect_part(ended.reply, "\"signature\":\"");
  assert_false(has(ended.reply, "\"output_hash\":"));
  assert_false(has(ended.reply, "\"output\":"));
  struct wire_identity id = {0};
  struct receipt_claims c = {0};
  struct buf text = buf_new(RECEIPT_MAX);
  uint8_t key[SIGN_PUBLIC], salt[RECEIPT_SALT], output[HASH_SIZE];
  assert_int_equal(crypto_init(), RESULT_OK);
  assert_true(wire_get_identity(buf_span(&stage.identity), &id));
  signing_key(&id, key);
  assert_int_equal(receipt_read(member(ended.reply, "receipt"), key, &text, &c), RESULT_OK);
  assert_true(base64_read_url(member(ended.reply, "receipt_salt"), salt, sizeof salt));
  assert_int_equal(receipt_commit(salt, span_text("{\"n\":1}"), output), RESULT_OK);
  assert_memory_equal(c.output, output, sizeof output);
  buf_free(&text);
  crypto_free();
  assert_int_equal(stage_close(&stage), 0);
}

static void test_deterministic(void **state) {
  (void)state;
  open_stage(WORKER);
  struct wire_execute m = stage_job(0, "function main() { return {t: Date.now(), r: crypto.randomBytes(4)} }");
  m.flags = WIRE_EXECUTE_DETERMINISTIC;
  char first[64] = "";
  for (int i = 0; i < 3; i++) {
    struct wire_ended ended = hear_ended(execute(m));
    const uint8_t *at = memmem(ended.reply.data, ended.reply.len, "\"output_hash\":\"", 15);
    assert_non_null(at);
    if (i == 0) memcpy(first, at + 15, sizeof first);
    assert_memory_equal(first, at + 15, sizeof first);
    expect_part(ended.reply, "\"t\":0");
  }
  assert_int_equal(stage_close(&stage), 0);
}

/* What the broker may not say costs the keeper no crash: it ends, and says so by its status. */
static void expect_end_after(void (*say)(struct buf *b)) {
  struct span body;
  struct buf b = message();
  open_stage(WORKER);
  say(&b);
  stage_tell(&stage, &b);
  buf_free(&b);
  uint8_t type;
  const uint64_t begin = clock_monotonic_ms();
  while (stage_hear_any(&stage, 5 * SECONDS, &type, &body)) assert_int_not_equal(type, WIRE_ENDED);
  assert_true(clock_monotonic_ms() - begin < 5 * SECONDS);
  assert_int_equal(stage_close(&stage), 1);
}

static void say_short(struct buf *b) {
  msg_begin(b, WIRE_EXECUTE);
  buf_put_u64(b, 1);
}
static void say_unknown(struct buf *b) {
  msg_begin(b, 200);
}
static void say_ended(struct buf *b) {
  wire_put_ended(b, &(struct wire_ended){.ticket = 1});
}
static void say_kill(struct buf *b) {
  wire_put_kill(b, &(struct wire_worker){0});
}
static void say_worker_gone(struct buf *b) {
  wire_put_worker_gone(b, &(struct wire_worker){0});
}
static void say_bad_flags(struct buf *b) {
  struct wire_execute m = stage_job(1, SUM);
  m.flags = 1u << 31;
  wire_put_execute(b, &m);
}
static void say_bad_text(struct buf *b) {
  struct wire_execute m = stage_job(1, "\xff");
  wire_put_execute(b, &m);
}
static void say_long_time(struct buf *b) {
  struct wire_execute m = stage_job(1, SUM);
  m.timeout_ms = 120001;
  wire_put_execute(b, &m);
}
static void say_short_nonce(struct buf *b) {
  wire_put_attest(b, &(struct wire_attest){.ticket = 3, .nonce = span_text("0123456789abcde")});
}
static void say_fewer_records(struct buf *b) {
  wire_put_open(b, &(struct wire_open){.ticket = 1});
  b->data[MSG_HEADER + 8 + 32] = 1; /* count */
}

static void test_broker_lies(void **state) {
  (void)state;
  static void (*const lies[])(struct buf * b) = {say_short,       say_unknown,      say_ended,       say_kill,
                                                 say_bad_flags,   say_bad_text,     say_worker_gone, say_long_time,
                                                 say_short_nonce, say_fewer_records};
  for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) expect_end_after(lies[i]);
}

static void test_same_ticket_twice(void **state) {
  (void)state;
  struct span body;
  uint8_t type;
  open_stage(WORKER);
  struct wire_execute m = stage_job(1, ENDLESS);
  struct buf b = message();
  for (int i = 0; i < 2; i++) {
    wire_put_execute(&b, &m);
    stage_tell(&stage, &b);
  }
  buf_free(&b);
  while (stage_hear_any(&stage, 5 * SECONDS, &type, &body)) continue;
  assert_int_equal(stage_close(&stage), 1);
}

static void test_same_job_twice(void **state) {
  (void)state;
  struct span body;
  uint8_t type;
  open_stage(WORKER);
  struct buf b = message();
  for (uint64_t ticket = 1; ticket <= 2; ticket++) {
    struct wire_execute m = stage_job(1, ENDLESS);
    m.ticket = ticket;
    memset(m.user, (int)ticket, sizeof m.user);
    wire_put_execute(&b, &m);
    stage_tell(&stage, &b);
  }
  buf_free(&b);
  while (stage_hear_any(&stage, 5 * SECONDS, &type, &body)) assert_int_not_equal(type, WIRE_ENDED);
  assert_int_equal(stage_close(&stage), 1);
}

/* A job that comes while no worker can be had is not lost, and can be cancelled. */
static void test_waits_for_a_worker(void **state) {
  (void)state;
  open_stage(WORKER);
  stage.refuse_workers = true;
  kill_workers();
  idle_for(200);
  uint64_t first = ask(SUM), second = ask(SUM);
  idle_for(50);
  cancel(first);
  expect_ended(first, RESULT_CANCELLED, "\"duration\":\"0s\"");
  stage.refuse_workers = false;
  expect_ended(second, RESULT_OK, "\"output\":{\"sum\":5}");
  assert_int_equal(stage_close(&stage), 0);
}

/* No worker is kept for jobs to come: each is started when it is asked for. */
static void test_none_kept_idle(void **state) {
  (void)state;
  stage_open(&stage, &(struct stage_options){.worker = WORKER, .workers_idle = "0"});
  kill_workers();
  idle_for(100);
  assert_int_equal(stage.spawned, 1);
  expect_sum();
  assert_int_equal(stage.spawned, 2);
  assert_int_equal(stage_close(&stage), 0);
}

static void test_too_many_jobs(void **state) {
  (void)state;
  struct span body;
  uint8_t type;
  stage_open(&stage, &(struct stage_options){.worker = WORKER, .workers = "2"});
  for (int i = 0; i < 3; i++) ask(ENDLESS);
  while (stage_hear_any(&stage, 5 * SECONDS, &type, &body)) continue;
  assert_int_equal(stage_close(&stage), 1);
}

/* It ends at its supervisor's word, not at a terminal's. */
static void test_signals(void **state) {
  (void)state;
  static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
  open_stage(WORKER);
  for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) assert_int_equal(kill(stage.keeper, signals[i]), 0);
  expect_sum();
  assert_int_equal(stage_close(&stage), 0);
}

static struct wire_identity hear_rotated(void) {
  struct wire_identity id = {0};
  struct span body;
  assert_true(stage_hear(&stage, WIRE_ROTATED, 5 * SECONDS, &body));
  buf_clear(&stage.identity);
  buf_put_span(&stage.identity, body);
  assert_true(wire_get_identity(buf_span(&stage.identity), &id));
  return id;
}

/* What the receipt of a job says, if this key signed it. */
static enum result read_receipt(const uint8_t key[SIGN_PUBLIC], const struct wire_ended *ended,
                                struct receipt_claims *c) {
  struct buf text = buf_new(RECEIPT_MAX);
  enum result r = receipt_read(member(ended->reply, "receipt"), key, &text, c);
  buf_free(&text);
  return r;
}

/* New keys, a new document, and a new chain; a job that runs meanwhile ends with them. */
static void test_rotation(void **state) {
  (void)state;
  static const uint8_t nothing[HASH_SIZE], spki[HASH_SIZE] = {7};
  uint8_t old[SIGN_PUBLIC], key[SIGN_PUBLIC];
  struct wire_identity id = {0};
  struct receipt_claims c = {0};
  open_stage(WORKER);
  assert_int_equal(crypto_init(), RESULT_OK);
  assert_true(wire_get_identity(buf_span(&stage.identity), &id));
  signing_key(&id, old);
  struct wire_ended ended = hear_ended(execute(stage_job(0, SUM)));
  assert_int_equal(read_receipt(old, &ended, &c), RESULT_OK);
  struct wire_execute slow = stage_job(0, ENDLESS);
  slow.timeout_ms = 700;
  const uint64_t ticket = execute(slow);
  stage_rotate(&stage, span_of(spki, sizeof spki));
  id = hear_rotated();
  signing_key(&id, key);
  assert_memory_not_equal(key, old, sizeof key);
  ended = hear_ended(ticket);
  assert_int_equal(read_receipt(old, &ended, &c), RESULT_NOT_VERIFIED);
  assert_int_equal(read_receipt(key, &ended, &c), RESULT_OK);
  assert_int_equal(c.sequence, 1);
  assert_memory_equal(c.previous, nothing, sizeof nothing);
  assert_memory_equal(c.attestation, id.attestation, sizeof c.attestation);
  struct buf document = buf_new(65536);
  assert_int_equal(base64_get_url(&document, member(id.attested, "document")), RESULT_OK);
  assert_true(span_is(member(buf_span(&document), "tls_spki_sha256"), "BwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
  buf_free(&document);
  crypto_free();
  assert_int_equal(stage_close(&stage), 0);
}

/* Two at once are two, one after the other; one whose evidence cannot be had changes nothing. */
static void test_rotations(void **state) {
  (void)state;
  uint8_t first[HASH_SIZE], second[HASH_SIZE];
  open_stage(WORKER);
  stage_rotate(&stage, span_text(""));
  stage_rotate(&stage, span_text(""));
  memcpy(first, hear_rotated().attestation, sizeof first);
  memcpy(second, hear_rotated().attestation, sizeof second);
  assert_memory_not_equal(first, second, sizeof first);
  stage.refuse_evidence = true;
  stage_rotate(&stage, span_text(""));
  expect_sum();
  struct wire_ended ended = hear_ended(execute(stage_job(0, SUM)));
  char hex[2 * HASH_SIZE];
  struct buf b = buf_fixed(hex, sizeof hex);
  text_put_hex(&b, span_of(second, sizeof second));
  assert_true(span_equal(member(ended.reply, "attestation"), buf_span(&b)));
  assert_int_equal(stage_close(&stage), 0);
}

/* A TLS key that is none. */
static void test_rotation_lies(void **state) {
  (void)state;
  struct span body;
  uint8_t type;
  open_stage(WORKER);
  stage_rotate(&stage, span_text("short"));
  while (stage_hear_any(&stage, 5 * SECONDS, &type, &body)) continue;
  assert_int_equal(stage_close(&stage), 1);
}

static void test_no_evidence(void **state) {
  (void)state;
  struct span body;
  uint8_t type;
  stage_open(&stage, &(struct stage_options){.worker = WORKER, .no_identity = true, .refuse_evidence = true});
  assert_false(stage_hear_any(&stage, 20 * SECONDS, &type, &body));
  assert_int_equal(stage_close(&stage), 1);
}

static void test_no_workers(void **state) {
  (void)state;
  struct span body;
  uint8_t type;
  stage_open(&stage, &(struct stage_options){.no_identity = true});
  assert_false(stage_hear_any(&stage, 20 * SECONDS, &type, &body));
  assert_true(stage.spawned >= 5);
  assert_int_equal(stage_close(&stage), 1);
}

static void test_bad_setup(void **state) {
  (void)state;
  static const struct stage_options bad[] = {
      {.worker = WORKER, .no_identity = true, .master_key = "short"},
      {.worker = WORKER, .no_identity = true, .workers = "0"},
      {.worker = WORKER, .no_identity = true, .workers = "many"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct span body;
    uint8_t type;
    stage_open(&stage, &bad[i]);
    assert_false(stage_hear_any(&stage, 5 * SECONDS, &type, &body));
    assert_int_equal(stage_close(&stage), 1);
  }
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_executes),
      cmocka_unit_test(test_failures),
      cmocka_unit_test(test_receipts),
      cmocka_unit_test(test_long_texts),
      cmocka_unit_test(test_limits),
      cmocka_unit_test(test_cancel),
      cmocka_unit_test(test_long_job_is_stored_and_nice),
      cmocka_unit_test(test_async_is_stored_first),
      cmocka_unit_test(test_log_lines_come_as_they_are_said),
      cmocka_unit_test(test_killed_worker),
      cmocka_unit_test(test_lies),
      cmocka_unit_test(test_interrupt),
      cmocka_unit_test(test_open),
      cmocka_unit_test(test_attest),
      cmocka_unit_test(test_many),
      cmocka_unit_test(test_encrypted_output),
      cmocka_unit_test(test_deterministic),
      cmocka_unit_test(test_broker_lies),
      cmocka_unit_test(test_same_ticket_twice),
      cmocka_unit_test(test_same_job_twice),
      cmocka_unit_test(test_waits_for_a_worker),
      cmocka_unit_test(test_none_kept_idle),
      cmocka_unit_test(test_too_many_jobs),
      cmocka_unit_test(test_signals),
      cmocka_unit_test(test_rotation),
      cmocka_unit_test(test_rotations),
      cmocka_unit_test(test_rotation_lies),
      cmocka_unit_test(test_no_evidence),
      cmocka_unit_test(test_no_workers),
      cmocka_unit_test(test_bad_setup),
  };
  return cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
}
