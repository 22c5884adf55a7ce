#include "keeper/outlet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "egress_stage.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct heard {
  unsigned answers;
  enum result result;
  uint32_t status, count;
  char body[64];
};

static void on_answer(void *context, const struct wire_response *m) {
  struct heard *h = context;
  h->answers++;
  h->result = (enum result)m->result;
  h->status = m->status;
  snprintf(h->body, sizeof h->body, "%.*s", (int)m->body.len, (const char *)m->body.data);
}

static void on_rows(void *context, const struct wire_rows *m, struct cursor *rest) {
  struct heard *h = context;
  h->answers++;
  h->result = (enum result)m->result;
  h->count = m->count;
  struct wire_statement row;
  for (uint32_t i = 0; i < m->count; i++) {
    assert_true(wire_get_statement(rest, &row));
    snprintf(h->body, sizeof h->body, "%.*s", (int)row.values[0].len, (const char *)row.values[0].data);
  }
  assert_true(cursor_end(rest));
}

static uint64_t ask(struct egress_stage *s, struct heard *h) {
  struct wire_request m = {.port = 443,
                           .response_max = 4,
                           .method = span_text("GET"),
                           .host = span_text("a.example"),
                           .target = span_text("/")};
  uint64_t ticket = 0;
  assert_int_equal(outlet_ask(s->outlet, &m, on_answer, h, &ticket), RESULT_OK);
  assert_int_equal(h->answers, 0); /* never from within */
  assert_true(ticket != 0 && ticket == m.ticket);
  return ticket;
}

static uint64_t query(struct egress_stage *s, struct heard *h) {
  const struct wire_statement statements[] = {{.statement = 3, .count = 1, .values = {span_text("v")}}};
  struct wire_query m = {.timeout_ms = 1000, .count = 1, .statements = statements};
  uint64_t ticket = 0;
  assert_int_equal(outlet_query(s->outlet, &m, on_rows, h, &ticket), RESULT_OK);
  assert_int_equal(h->answers, 0);
  return ticket;
}

static struct wire_response good(uint64_t ticket) {
  return (struct wire_response){.ticket = ticket, .result = RESULT_OK, .status = 200, .body = span_text("body")};
}

static void test_answers(void **state) {
  (void)state;
  struct egress_stage s;
  struct heard one = {0}, two = {0}, three = {0};
  egress_stage_open(&s, true);
  assert_true(outlet_connected(s.outlet));
  const uint64_t first = ask(&s, &one), second = ask(&s, &two), third = query(&s, &three);
  assert_int_equal(egress_stage_request(&s).ticket, first);
  assert_int_equal(egress_stage_request(&s).ticket, second);
  egress_stage_hear(&s, WIRE_SERVER_QUERY);
  const struct wire_response r2 = good(second), r1 = {.ticket = first, .result = RESULT_FETCH_TLS};
  egress_stage_answer(&s, &r2);
  assert_int_equal(two.answers, 1);
  assert_int_equal(one.answers, 0);
  assert_string_equal(two.body, "body");
  egress_stage_answer(&s, &r1);
  assert_int_equal(one.answers, 1);
  assert_int_equal(one.result, RESULT_FETCH_TLS);
  struct buf b = buf_new(1024);
  const struct wire_statement row = {.statement = 0, .count = 1, .values = {span_text("row")}};
  wire_put_rows(&b, WIRE_SERVER_ROWS, &(struct wire_rows){.ticket = third, .count = 1, .rows = &row});
  egress_stage_say(&s, &b);
  assert_int_equal(three.answers, 1);
  assert_string_equal(three.body, "row");
  egress_stage_close(&s);
  assert_int_equal(s.broken, 0);
  assert_int_equal(one.answers + two.answers + three.answers, 3);
}

static void test_absent(void **state) {
  (void)state;
  struct egress_stage s;
  struct heard one = {0}, two = {0}, three = {0};
  egress_stage_open(&s, false);
  assert_false(outlet_connected(s.outlet));
  ask(&s, &one);
  query(&s, &two);
  outlet_forget(s.outlet, ask(&s, &three));
  egress_stage_turn(&s);
  assert_int_equal(one.answers, 1);
  assert_int_equal(one.result, RESULT_FETCH_FAILED);
  assert_int_equal(two.answers, 1);
  assert_int_equal(two.result, RESULT_SECRET_STORE_UNAVAILABLE);
  assert_int_equal(three.answers, 0);
  egress_stage_close(&s);
  assert_int_equal(s.broken, 0);
}

static void test_lost_and_back(void **state) {
  (void)state;
  struct egress_stage s;
  struct heard one = {0}, two = {0}, three = {0};
  egress_stage_open(&s, true);
  const uint64_t old = ask(&s, &one);
  close(s.fd);
  s.fd = -1;
  egress_stage_turn(&s);
  assert_int_equal(s.broken, 1);
  assert_int_equal(s.why, RESULT_PEER_LOST);
  assert_false(outlet_connected(s.outlet));
  assert_int_equal(one.answers, 1);
  assert_int_equal(one.result, RESULT_FETCH_FAILED);
  egress_stage_connect(&s);
  struct wire_response r = good(ask(&s, &two));
  egress_stage_request(&s);
  egress_stage_answer(&s, &r);
  assert_int_equal(two.status, 200);
  /* A fresh egress knows nothing of what its forerunner was asked. */
  ask(&s, &three);
  r = good(old);
  egress_stage_answer(&s, &r);
  assert_int_equal(s.broken, 2);
  assert_int_equal(s.why, RESULT_PEER_LIED);
  assert_int_equal(three.result, RESULT_FETCH_FAILED);
  assert_int_equal(one.answers, 1);
  egress_stage_close(&s);
}

static void test_connected_again(void **state) {
  (void)state;
  struct egress_stage s;
  struct heard one = {0};
  egress_stage_open(&s, true);
  ask(&s, &one);
  egress_stage_connect(&s); /* the supervisor was faster than the end of the stream */
  egress_stage_turn(&s);
  assert_int_equal(one.answers, 1);
  assert_int_equal(one.result, RESULT_FETCH_FAILED);
  assert_true(outlet_connected(s.outlet));
  assert_true(egress_stage_quiet(&s));
  egress_stage_close(&s);
}

static void test_forgotten(void **state) {
  (void)state;
  struct egress_stage s;
  struct heard one = {0}, two = {0};
  struct wire_forget forget;
  egress_stage_open(&s, true);
  const uint64_t ticket = ask(&s, &one);
  egress_stage_request(&s);
  outlet_forget(s.outlet, ticket);
  outlet_forget(s.outlet, ticket);
  outlet_forget(s.outlet, 0);
  assert_true(wire_get_forget(egress_stage_hear(&s, WIRE_FORGET), &forget));
  assert_int_equal(forget.ticket, ticket);
  assert_true(egress_stage_quiet(&s)); /* said once */
  const struct wire_response late = good(ticket), next = good(ask(&s, &two));
  egress_stage_answer(&s, &late); /* was on its way */
  egress_stage_answer(&s, &next);
  assert_int_equal(one.answers, 0);
  assert_int_equal(two.answers, 1);
  assert_int_equal(s.broken, 0);
  egress_stage_close(&s);
}

/* ---- what costs egress the link ---- */

static void put_as_given(struct buf *b, uint64_t ticket) {
  const struct wire_response m = good(ticket);
  wire_put_response(b, &m);
}

static void put_wrong_ticket(struct buf *b, uint64_t ticket) {
  put_as_given(b, ticket + 1);
}

static void put_zero_ticket(struct buf *b, uint64_t ticket) {
  (void)ticket;
  put_as_given(b, 0);
}

static void put_rows_instead(struct buf *b, uint64_t ticket) {
  wire_put_rows(b, WIRE_SERVER_ROWS, &(struct wire_rows){.ticket = ticket});
}

static void put_result(struct buf *b, uint64_t ticket) {
  wire_put_response(b, &(struct wire_response){.ticket = ticket, .result = RESULT_CRYPTO});
}

static void put_no_result(struct buf *b, uint64_t ticket) {
  wire_put_response(b, &(struct wire_response){.ticket = ticket, .result = 60000});
}

static void put_status(struct buf *b, uint64_t ticket) {
  struct wire_response m = good(ticket);
  m.status = 101;
  wire_put_response(b, &m);
}

static void put_long_body(struct buf *b, uint64_t ticket) {
  struct wire_response m = good(ticket);
  m.body = span_text("12345");
  wire_put_response(b, &m);
}

static void put_headers(struct buf *b, uint64_t ticket) {
  struct wire_response m = good(ticket);
  m.headers = span_text("not a list");
  wire_put_response(b, &m);
}

static void put_error(struct buf *b, uint64_t ticket) {
  wire_put_response(
      b, &(struct wire_response){.ticket = ticket, .result = RESULT_FETCH_FAILED, .error = span_text("\xff")});
}

static void put_more(struct buf *b, uint64_t ticket) {
  put_as_given(b, ticket);
  buf_put_u8(b, 0);
}

static void put_question(struct buf *b, uint64_t ticket) {
  wire_put_forget(b, &(struct wire_forget){.ticket = ticket});
}

static void test_lies(void **state) {
  (void)state;
  static void (*const lies[])(struct buf * b, uint64_t ticket) = {
      put_wrong_ticket, put_zero_ticket, put_rows_instead, put_result, put_no_result, put_status,
      put_long_body,    put_headers,     put_error,        put_more,   put_question,  put_as_given};
  for (size_t i = 0; i < COUNT(lies); i++) {
    struct egress_stage s;
    struct heard one = {0};
    egress_stage_open(&s, true);
    struct buf b = buf_new(4096);
    lies[i](&b, ask(&s, &one));
    egress_stage_say(&s, &b);
    const bool lied = lies[i] != put_as_given; /* the twin */
    assert_int_equal(s.broken, lied);
    assert_int_equal(outlet_connected(s.outlet), !lied);
    assert_int_equal(one.answers, 1);
    assert_int_equal(one.result, lied ? RESULT_FETCH_FAILED : RESULT_OK);
    egress_stage_close(&s);
  }
}

static void test_lies_about_rows(void **state) {
  (void)state;
  static const struct {
    struct wire_rows m;
    struct wire_statement row;
    bool good;
  } cases[] = {
      {{.result = RESULT_OK, .count = 1}, {.statement = 0, .count = 1}, true},
      {{.result = RESULT_SECRET_CONFLICT}, {0}, true},
      {{.result = RESULT_OK, .count = 1}, {.statement = 1, .count = 1}, false}, /* of a statement that was not asked */
      {{.result = RESULT_SECRET_CONFLICT, .count = 1}, {.statement = 0, .count = 1}, false},
      {{.result = RESULT_FETCH_FAILED}, {0}, false},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct egress_stage s;
    struct heard one = {0};
    egress_stage_open(&s, true);
    struct wire_rows m = cases[i].m;
    m.ticket = query(&s, &one);
    m.rows = &cases[i].row;
    struct buf b = buf_new(4096);
    wire_put_rows(&b, WIRE_SERVER_ROWS, &m);
    egress_stage_say(&s, &b);
    assert_int_equal(one.answers, 1);
    assert_int_equal(s.broken, !cases[i].good);
    assert_int_equal(one.result, cases[i].good ? cases[i].m.result : RESULT_SECRET_STORE_UNAVAILABLE);
    egress_stage_close(&s);
  }
}

/* ---- questions from within answers ---- */

struct again {
  struct egress_stage *stage;
  unsigned left;
};

static void on_answer_ask_again(void *context, const struct wire_response *m) {
  struct again *a = context;
  struct wire_request again = {.response_max = 1, .method = span_text("GET")};
  uint64_t ticket;
  assert_int_equal(m->result, RESULT_FETCH_FAILED);
  if (--a->left > 0) assert_int_equal(outlet_ask(a->stage->outlet, &again, on_answer_ask_again, a, &ticket), RESULT_OK);
}

static void test_asks_again_while_absent(void **state) {
  (void)state;
  struct egress_stage s;
  egress_stage_open(&s, false);
  struct again a = {&s, 3};
  struct wire_request m = {.response_max = 1, .method = span_text("GET")};
  uint64_t ticket;
  assert_int_equal(outlet_ask(s.outlet, &m, on_answer_ask_again, &a, &ticket), RESULT_OK);
  egress_stage_turn(&s);
  assert_int_equal(a.left, 0);
  egress_stage_close(&s);
}

static void test_freed_while_asked(void **state) {
  (void)state;
  struct egress_stage s;
  struct heard one = {0}, two = {0};
  egress_stage_open(&s, true);
  ask(&s, &one);
  query(&s, &two);
  egress_stage_connect(&s); /* those are away */
  ask(&s, &one);
  egress_stage_close(&s);
  assert_int_equal(one.answers + two.answers, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_answers),          cmocka_unit_test(test_absent),
      cmocka_unit_test(test_lost_and_back),    cmocka_unit_test(test_connected_again),
      cmocka_unit_test(test_forgotten),        cmocka_unit_test(test_lies),
      cmocka_unit_test(test_lies_about_rows),  cmocka_unit_test(test_asks_again_while_absent),
      cmocka_unit_test(test_freed_while_asked)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
