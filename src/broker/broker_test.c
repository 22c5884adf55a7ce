/* A broker whose supervisor, keeper and callers are this test: whatever they say, it ends in order or goes on. */
#include "broker/broker.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker_stage.h"
#include "wire/channel.h"
#include "wire/statements.h"

#define SOON 5000 /* ms: for what must come */
#define RUN "{\"script\":\"function main() {}\"}"

static struct broker_stage stage;

/* ---- a job ---- */

/* A caller asks for a job: its ticket, as the keeper hears of it. */
static uint64_t ask_job(int *caller) {
  struct span body;
  struct wire_execute m;
  *caller = broker_stage_ask(&stage, "POST /execute", RUN);
  assert_true(broker_stage_hear(stage.keeper, WIRE_EXECUTE, SOON, &body));
  assert_true(wire_get_execute(body, &m));
  return m.ticket;
}

static struct wire_ended good_end(uint64_t ticket) {
  return (struct wire_ended){.ticket = ticket,
                             .result = RESULT_OK,
                             .reply = span_text("{\"job_id\":\"x\",\"status\":\"completed\"}"),
                             .sealed = span_text("sealed")};
}

static void say(void) {
  broker_stage_send(stage.keeper, &stage.message);
}

static void say_ended(struct wire_ended m) {
  wire_put_ended(&stage.message, &m);
  say();
}

static void run_one(void) {
  int caller;
  say_ended(good_end(ask_job(&caller)));
  assert_int_equal(broker_stage_reply(caller, SOON), 200);
}

/* A caller asks for a page of one stored record: the ticket of what the keeper is to open. */
static uint64_t ask_list(int *caller, uint32_t *count) {
  struct span body;
  struct wire_open m;
  struct cursor rest;
  *caller = broker_stage_ask(&stage, "GET /jobs", "");
  assert_true(broker_stage_hear(stage.keeper, WIRE_OPEN, SOON, &body));
  assert_true(wire_get_open(body, &m, &rest));
  *count = m.count;
  return m.ticket;
}

static uint64_t ask_attestation(int *caller) {
  struct span body;
  struct wire_attest m;
  *caller = broker_stage_ask(&stage, "GET /attestation?nonce=MDEyMzQ1Njc4OWFiY2RlZg", "");
  assert_true(broker_stage_hear(stage.keeper, WIRE_ATTEST, SOON, &body));
  assert_true(wire_get_attest(body, &m));
  return m.ticket;
}

static void put_opened(uint64_t ticket, uint32_t count, enum result result) {
  struct wire_answer answers[4];
  for (size_t i = 0; i < 4; i++) answers[i] = (struct wire_answer){(uint32_t)result, span_text("{}")};
  wire_put_opened(&stage.message, &(struct wire_opened){ticket, count, answers});
}

/* Takes bytes off the end of the message, or puts some on. */
static void lengthen(int by) {
  struct buf *b = &stage.message;
  if (by < 0)
    b->len -= (size_t)-by;
  else
    for (int i = 0; i < by; i++) buf_put_u8(b, 0);
}

/* ---- the truth ---- */

static void test_serves(void **state) {
  (void)state;
  int caller;
  uint32_t count;
  broker_stage_open(&stage, BROKER_STAGE_SERVES);
  assert_int_equal(broker_stage_reply(broker_stage_ask(&stage, "GET /health", ""), SOON), 200);
  run_one();
  uint64_t ticket = ask_list(&caller, &count);
  assert_int_equal(count, 1);
  put_opened(ticket, 1, RESULT_OK);
  say();
  assert_int_equal(broker_stage_reply(caller, SOON), 200);
  wire_put_attested(&stage.message, &(struct wire_attested){ask_attestation(&caller), RESULT_OK, span_text("{}")});
  say();
  assert_int_equal(broker_stage_reply(caller, SOON), 200);
  wire_put_stop(&stage.message, &(struct wire_stop){1000});
  broker_stage_send(stage.control, &stage.message);
  struct span body;
  assert_true(broker_stage_hear(stage.control, WIRE_DRAINED, SOON, &body));
  channel_free(stage.control);
  stage.control = NULL;
  assert_int_equal(broker_stage_close(&stage, SOON), 0);
}

/* ---- a keeper that fails ---- */

/* A job of which there is no record, although one said that it runs: it is gone, and does not run for good. */
static void test_no_record(void **state) {
  (void)state;
  int caller;
  broker_stage_open(&stage, BROKER_STAGE_SERVES);
  uint64_t ticket = ask_job(&caller);
  wire_put_stored(&stage.message, &(struct wire_stored){ticket, span_text("sealed")});
  say();
  say_ended((struct wire_ended){.ticket = ticket, .result = RESULT_CRYPTO, .reply = span_text("{}")});
  assert_int_equal(broker_stage_reply(caller, SOON), 500);
  assert_int_equal(broker_stage_reply(broker_stage_ask(&stage, "GET /jobs", ""), SOON),
                   200); /* there is none to open */
  run_one();
  channel_free(stage.control);
  stage.control = NULL;
  assert_int_equal(broker_stage_close(&stage, SOON), 1);
}

/* ---- a keeper that lies ---- */

static void ended_unknown(void) {
  say_ended(good_end(12345));
}
static void ended_twice(void) {
  run_one();
  say_ended(good_end(1));
  say_ended(good_end(2));
  say_ended(good_end(3));
}
static void ended_twice_at_once(void) {
  int caller;
  uint64_t ticket = ask_job(&caller);
  say_ended(good_end(ticket));
  say_ended(good_end(ticket));
}
static void ended_with_no_result(void) {
  int caller;
  struct wire_ended m = good_end(ask_job(&caller));
  m.result = RESULT_COUNT;
  say_ended(m);
}
static void ended_cut(void) {
  int caller;
  wire_put_ended(&stage.message, &(struct wire_ended){.ticket = ask_job(&caller), .reply = span_text("{}")});
  lengthen(-1);
  say();
}
static void ended_longer(void) {
  int caller;
  wire_put_ended(&stage.message, &(struct wire_ended){.ticket = ask_job(&caller), .reply = span_text("{}")});
  lengthen(1);
  say();
}
static void opened_unasked(void) {
  put_opened(7, 1, RESULT_OK);
  say();
}
static void opened(uint32_t count, enum result result, int longer) {
  int caller;
  uint32_t asked;
  run_one();
  put_opened(ask_list(&caller, &asked), count, result);
  lengthen(longer);
  say();
}
static void opened_none(void) {
  opened(0, RESULT_OK, 0);
}
static void opened_too_many(void) {
  opened(2, RESULT_RECORD_CORRUPT, 0);
}
static void opened_with_no_result(void) {
  opened(1, RESULT_COUNT, 0);
}
static void opened_cut(void) {
  opened(1, RESULT_OK, -1);
}
static void opened_longer(void) {
  opened(1, RESULT_OK, 1);
}
static void opened_for_attested(void) {
  int caller;
  put_opened(ask_attestation(&caller), 1, RESULT_OK);
  say();
}
static void attested_unasked(void) {
  wire_put_attested(&stage.message, &(struct wire_attested){9, RESULT_OK, span_text("{}")});
  say();
}
static void attested_for_opened(void) {
  int caller;
  uint32_t count;
  run_one();
  wire_put_attested(&stage.message, &(struct wire_attested){ask_list(&caller, &count), RESULT_OK, span_text("{}")});
  say();
}
static uint64_t ask_secrets(int *caller) {
  struct span body;
  struct wire_secret_call m;
  *caller = broker_stage_ask(&stage, "GET /secrets", "");
  assert_true(broker_stage_hear(stage.keeper, WIRE_SECRET, SOON, &body));
  assert_true(wire_get_secret_call(body, &m));
  return m.ticket;
}
static void secreted(uint64_t ticket, uint32_t result, int longer) {
  wire_put_secreted(&stage.message,
                    &(struct wire_secreted){.ticket = ticket, .result = result, .reply = span_text("[]")});
  lengthen(longer);
  say();
}
static void secreted_unasked(void) {
  secreted(9, RESULT_OK, 0);
}
static void secreted_twice(void) {
  int caller;
  uint64_t ticket = ask_secrets(&caller);
  secreted(ticket, RESULT_OK, 0);
  secreted(ticket, RESULT_OK, 0);
}
static void secreted_with_no_result(void) {
  int caller;
  secreted(ask_secrets(&caller), RESULT_COUNT, 0);
}
static void secreted_cut(void) {
  int caller;
  secreted(ask_secrets(&caller), RESULT_OK, -1);
}
static void secreted_for_attested(void) {
  int caller;
  secreted(ask_attestation(&caller), RESULT_OK, 0);
}
static void attested_for_secreted(void) {
  int caller;
  wire_put_attested(&stage.message, &(struct wire_attested){ask_secrets(&caller), RESULT_OK, span_text("[]")});
  say();
}
static void query(struct wire_statement statement, uint32_t count, int longer) {
  struct wire_statement statements[2] = {statement, statement};
  wire_put_query(&stage.message, WIRE_STORE_QUERY, &(struct wire_query){1, 1000, count, statements, 0});
  lengthen(longer);
  say();
}
static const struct wire_statement find = {STATEMENT_FIND, 2, {{(const uint8_t *)"u", 1}, {(const uint8_t *)"n", 1}}};
static void query_none(void) {
  query(find, 0, 0);
}
static void query_cut(void) {
  query(find, 2, -1);
}
static void query_longer(void) {
  query(find, 1, 1);
}
static void query_of_no_statement(void) {
  struct wire_statement s = find;
  s.statement = 99;
  query(s, 1, 0);
}
static void query_of_few_values(void) {
  struct wire_statement s = find;
  s.count = 1;
  query(s, 1, 0);
}
static void query_with_nul(void) {
  struct wire_statement s = find;
  s.values[1] = span_of("", 1);
  query(s, 1, 0);
}
static void identity_again(void) {
  broker_stage_put_identity(&stage.message);
  say();
}
static void what_a_broker_says(void) {
  wire_put_cancel(&stage.message, &(struct wire_cancel){.ticket = 1, .result = RESULT_CANCELLED});
  say();
}
static void what_a_supervisor_says(void) {
  wire_put_stop(&stage.message, &(struct wire_stop){0});
  say();
}
static void what_a_worker_says(void) {
  wire_put_done(&stage.message, &(struct wire_done){.id = 1, .output = span_text("{}")});
  say();
}
static void logged_cut(void) {
  wire_put_logged(&stage.message, &(struct wire_logged){.ticket = 1, .text = span_text("text")});
  lengthen(-1);
  say();
}
static void stored_cut(void) {
  wire_put_stored(&stage.message, &(struct wire_stored){.ticket = 1, .sealed = span_text("text")});
  lengthen(-1);
  say();
}
static void gauges_longer(void) {
  wire_put_gauges(&stage.message, &(struct wire_gauges){.receipts = 1});
  lengthen(3);
  say();
}
static void brings_a_descriptor(void) {
  wire_put_gauges(&stage.message, &(struct wire_gauges){.receipts = 1});
  assert_int_equal(channel_send_fd(stage.keeper, &stage.message, STDERR_FILENO), RESULT_OK);
}
static void long_length(void) {
  broker_stage_send_raw(stage.keeper_fd, "\xff\xff\xff\xff\x23", 5);
}
static void no_type(void) {
  broker_stage_send_raw(stage.keeper_fd, "\0\0\0\0\0", 5);
}
static void half_a_message(void) {
  broker_stage_send_raw(stage.keeper_fd, "\x40\0\0\0\x23half", 9);
  channel_free(stage.keeper);
  stage.keeper = NULL;
}
static void closes(void) {
  int caller;
  (void)ask_job(&caller);
  channel_free(stage.keeper);
  stage.keeper = NULL;
}

/* ---- a supervisor that does ---- */

static void tell(void) {
  broker_stage_send(stage.control, &stage.message);
}
static void second_setup(void) {
  wire_put_broker_setup(&stage.message, &(struct wire_broker_setup){.strict = true});
  tell();
}
static void second_keeper(void) {
  wire_put_empty(&stage.message, WIRE_PEER);
  assert_int_equal(channel_send_fd(stage.control, &stage.message, STDERR_FILENO), RESULT_OK);
}
static void peer_without_descriptor(void) {
  wire_put_empty(&stage.message, WIRE_PEER);
  tell();
}
static void listener_of_no_kind(void) {
  wire_put_listener(&stage.message, &(struct wire_listener){99, span_text("x")});
  assert_int_equal(channel_send_fd(stage.control, &stage.message, STDERR_FILENO), RESULT_OK);
}
static void stop_cut(void) {
  wire_put_stop(&stage.message, &(struct wire_stop){1});
  lengthen(-1);
  tell();
}
static void what_a_keeper_says(void) {
  put_opened(1, 1, RESULT_OK);
  tell();
}
static void supervisor_closes(void) {
  int caller;
  (void)ask_job(&caller);
  channel_free(stage.control);
  stage.control = NULL;
}

static const struct {
  const char *name;
  void (*tell)(void);
} lies[] = {
#define LIE(name) \
  { #name, name }
    LIE(ended_unknown),
    LIE(ended_twice),
    LIE(ended_twice_at_once),
    LIE(ended_with_no_result),
    LIE(ended_cut),
    LIE(ended_longer),
    LIE(opened_unasked),
    LIE(opened_none),
    LIE(opened_too_many),
    LIE(opened_with_no_result),
    LIE(opened_cut),
    LIE(opened_longer),
    LIE(opened_for_attested),
    LIE(attested_unasked),
    LIE(attested_for_opened),
    LIE(secreted_unasked),
    LIE(secreted_twice),
    LIE(secreted_with_no_result),
    LIE(secreted_cut),
    LIE(secreted_for_attested),
    LIE(attested_for_secreted),
    LIE(query_none),
    LIE(query_cut),
    LIE(query_longer),
    LIE(query_of_no_statement),
    LIE(query_of_few_values),
    LIE(query_with_nul),
    LIE(identity_again),
    LIE(what_a_broker_says),
    LIE(what_a_supervisor_says),
    LIE(what_a_worker_says),
    LIE(logged_cut),
    LIE(stored_cut),
    LIE(gauges_longer),
    LIE(brings_a_descriptor),
    LIE(long_length),
    LIE(no_type),
    LIE(half_a_message),
    LIE(closes),
    LIE(second_setup),
    LIE(second_keeper),
    LIE(peer_without_descriptor),
    LIE(listener_of_no_kind),
    LIE(stop_cut),
    LIE(what_a_keeper_says),
    LIE(supervisor_closes),
#undef LIE
};

/* It ends with a status, not by a signal, and it does not go on. */
static void assert_ended(const char *what) {
  int status = broker_stage_close(&stage, SOON);
  if (status != 1) fail_msg("%s: %d", what, status);
}

static void test_lies(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
    broker_stage_open(&stage, BROKER_STAGE_SERVES);
    lies[i].tell();
    assert_ended(lies[i].name);
  }
}

/* Messages of each type, with bodies of chance: whatever it makes of them, no signal ends it. */
static void test_chance(void **state) {
  (void)state;
  uint32_t random = 12345;
  for (unsigned round = 0; round < 40; round++) {
    broker_stage_open(&stage, BROKER_STAGE_SERVES);
    for (unsigned i = 0; i < 20; i++) {
      uint8_t message[64 + 5] = {0};
      for (size_t at = 5; at < sizeof message; at++)
        message[at] = (uint8_t)((random = random * 1664525 + 1013904223) >> 24) & (round % 2 ? 3 : 255);
      message[0] = (uint8_t)(random >> 16 & 63);
      message[4] = round < 14 ? (uint8_t)(WIRE_IDENTITY + round % 9) : (uint8_t)(random >> 8);
      broker_stage_send_raw(stage.keeper_fd, message, 5u + message[0]);
    }
    channel_free(stage.keeper);
    stage.keeper = NULL;
    assert_ended("chance");
  }
}

/* Before it has heard who the keeper is, nothing else may come. */
static void test_first(void **state) {
  (void)state;
  broker_stage_open(&stage, BROKER_STAGE_SET_UP);
  wire_put_gauges(&stage.message, &(struct wire_gauges){.receipts = 1});
  say();
  assert_ended("gauges first");
  broker_stage_open(&stage, BROKER_STAGE_SET_UP);
  broker_stage_put_identity(&stage.message);
  lengthen(-1);
  say();
  assert_ended("identity cut");
}

/* A keeper that never answers: others are served, who leaves is let go, and a stop takes its time and no more. */
static void test_silent(void **state) {
  (void)state;
  struct span body;
  struct wire_cancel m;
  int first, second;
  broker_stage_open(&stage, BROKER_STAGE_SERVES);
  uint64_t ticket = ask_job(&first);
  (void)ask_job(&second);
  assert_int_equal(broker_stage_reply(broker_stage_ask(&stage, "GET /health", ""), SOON), 200);
  assert_int_equal(broker_stage_reply(broker_stage_ask(&stage, "GET /jobs", ""), SOON), 200); /* nothing is stored */
  close(first);
  assert_true(broker_stage_hear(stage.keeper, WIRE_CANCEL, SOON, &body));
  assert_true(wire_get_cancel(body, &m));
  assert_int_equal(m.ticket, ticket);
  /* Its end, late, is no fault. */
  struct wire_ended end = good_end(ticket);
  end.result = RESULT_CANCELLED;
  say_ended(end);
  wire_put_stop(&stage.message, &(struct wire_stop){50});
  tell();
  assert_true(broker_stage_hear(stage.keeper, WIRE_CANCEL, SOON, &body));
  assert_false(broker_stage_hear(stage.control, WIRE_DRAINED, 200, &body));
  channel_free(stage.control); /* the supervisor's patience is at its end */
  stage.control = NULL;
  assert_true(broker_stage_close(&stage, SOON) >= 0);
  assert_int_equal(broker_stage_reply(second, SOON), 0);
}

/* Without its word that it serves, it does not: who asks is told so. */
static void test_not_yet(void **state) {
  (void)state;
  broker_stage_open(&stage, BROKER_STAGE_SET_UP);
  assert_int_equal(broker_stage_reply(broker_stage_ask(&stage, "POST /execute", RUN), SOON), 503);
  assert_int_equal(broker_stage_reply(broker_stage_ask(&stage, "GET /ready", ""), SOON), 503);
  broker_stage_put_identity(&stage.message);
  say();
  struct span body;
  assert_true(broker_stage_hear(stage.control, WIRE_BROKER_UP, SOON, &body));
  run_one();
  channel_free(stage.control);
  stage.control = NULL;
  assert_ended("its supervisor's end");
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_serves),  cmocka_unit_test(test_no_record), cmocka_unit_test(test_lies),
      cmocka_unit_test(test_chance),  cmocka_unit_test(test_first),     cmocka_unit_test(test_silent),
      cmocka_unit_test(test_not_yet),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
