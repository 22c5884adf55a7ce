#include "wire/service.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct span body_of(const struct buf *b) {
  return span_of(b->data + MSG_HEADER, b->len - MSG_HEADER);
}

/* ---- the table of who may say what when ---- */

struct rule {
  uint8_t type;
  enum service_peer sender, receiver;
  bool first;
};

/* Written out once more, by hand: the table in the header is what is tested. */
static const struct rule rules[] = {
    {16, SERVICE_BROKER, SERVICE_KEEPER, false},     {17, SERVICE_BROKER, SERVICE_KEEPER, false},
    {18, SERVICE_BROKER, SERVICE_KEEPER, false},     {19, SERVICE_BROKER, SERVICE_KEEPER, false},
    {20, SERVICE_BROKER, SERVICE_KEEPER, false},     {32, SERVICE_KEEPER, SERVICE_BROKER, true},
    {33, SERVICE_KEEPER, SERVICE_BROKER, false},     {34, SERVICE_KEEPER, SERVICE_BROKER, false},
    {35, SERVICE_KEEPER, SERVICE_BROKER, false},     {36, SERVICE_KEEPER, SERVICE_BROKER, false},
    {37, SERVICE_KEEPER, SERVICE_BROKER, false},     {38, SERVICE_KEEPER, SERVICE_BROKER, false},
    {48, SERVICE_SUPERVISOR, SERVICE_KEEPER, true},  {49, SERVICE_SUPERVISOR, SERVICE_BROKER, true},
    {50, SERVICE_SUPERVISOR, SERVICE_BROKER, false}, {51, SERVICE_SUPERVISOR, SERVICE_KEEPER, false},
    {52, SERVICE_SUPERVISOR, SERVICE_BROKER, false}, {53, SERVICE_SUPERVISOR, SERVICE_BROKER, false},
    {54, SERVICE_SUPERVISOR, SERVICE_KEEPER, false}, {55, SERVICE_SUPERVISOR, SERVICE_KEEPER, false},
    {56, SERVICE_SUPERVISOR, SERVICE_BROKER, false}, {57, SERVICE_SUPERVISOR, SERVICE_KEEPER, false},
    {64, SERVICE_KEEPER, SERVICE_SUPERVISOR, true},  {65, SERVICE_BROKER, SERVICE_SUPERVISOR, true},
    {66, SERVICE_KEEPER, SERVICE_SUPERVISOR, false}, {67, SERVICE_KEEPER, SERVICE_SUPERVISOR, false},
    {68, SERVICE_KEEPER, SERVICE_SUPERVISOR, false}, {69, SERVICE_BROKER, SERVICE_SUPERVISOR, false},
    {21, SERVICE_BROKER, SERVICE_KEEPER, false},     {22, SERVICE_BROKER, SERVICE_KEEPER, false},
    {39, SERVICE_KEEPER, SERVICE_BROKER, false},     {40, SERVICE_KEEPER, SERVICE_BROKER, false},
    {41, SERVICE_KEEPER, SERVICE_EGRESS, false},     {42, SERVICE_KEEPER, SERVICE_EGRESS, false},
    {43, SERVICE_KEEPER, SERVICE_EGRESS, false},     {44, SERVICE_KEEPER, SERVICE_BROKER, false},
    {58, SERVICE_SUPERVISOR, SERVICE_EGRESS, true},  {59, SERVICE_SUPERVISOR, SERVICE_EGRESS, false},
    {60, SERVICE_SUPERVISOR, SERVICE_KEEPER, false}, {70, SERVICE_EGRESS, SERVICE_SUPERVISOR, true},
    {80, SERVICE_EGRESS, SERVICE_KEEPER, false},     {81, SERVICE_EGRESS, SERVICE_KEEPER, false},
    {45, SERVICE_KEEPER, SERVICE_BROKER, false},     {71, SERVICE_KEEPER, SERVICE_SUPERVISOR, false},
    {61, SERVICE_SUPERVISOR, SERVICE_KEEPER, false}, {62, SERVICE_SUPERVISOR, SERVICE_KEEPER, false},
};

static const struct rule *rule_of(unsigned type) {
  for (size_t i = 0; i < COUNT(rules); i++)
    if (rules[i].type == type) return &rules[i];
  return NULL;
}

/* Every type, from everybody, to everybody, at either time. */
static void test_order(void **state) {
  (void)state;
  for (unsigned type = 0; type < 256; type++) {
    const struct rule *rule = rule_of(type);
    for (unsigned link = 0; link < SERVICE_PEERS * SERVICE_PEERS; link++) {
      enum service_peer sender = (enum service_peer)(link / SERVICE_PEERS),
                        receiver = (enum service_peer)(link % SERVICE_PEERS);
      bool right = rule != NULL && rule->sender == sender && rule->receiver == receiver;
      bool begun = false;
      assert_int_equal(service_in_order(sender, receiver, (uint8_t)type, &begun), right && rule->first);
      begun = true;
      assert_int_equal(service_in_order(sender, receiver, (uint8_t)type, &begun), right && !rule->first);
      assert_true(begun);
    }
  }
}

static void test_first_comes_once(void **state) {
  (void)state;
  bool begun = false;
  assert_true(service_in_order(SERVICE_KEEPER, SERVICE_BROKER, WIRE_IDENTITY, &begun));
  assert_true(begun);
  assert_false(service_in_order(SERVICE_KEEPER, SERVICE_BROKER, WIRE_IDENTITY, &begun));
  assert_true(service_in_order(SERVICE_KEEPER, SERVICE_BROKER, WIRE_ENDED, &begun));
  /* What comes from the wrong end begins nothing. */
  begun = false;
  assert_false(service_in_order(SERVICE_BROKER, SERVICE_KEEPER, WIRE_IDENTITY, &begun));
  assert_false(begun);
}

/* The types share one byte with those of a worker's link, and no number means two things. */
static void test_numbers_are_unlike(void **state) {
  (void)state;
  for (unsigned type = 0; type < 256; type++) {
    enum wire_state states = (enum wire_state)(WIRE_STARTING | WIRE_IDLE | WIRE_BUSY), copy = states;
    bool worker =
        wire_in_order(WIRE_WORKER, (uint8_t)type, &states) || wire_in_order(WIRE_KEEPER, (uint8_t)type, &copy);
    assert_false(worker && rule_of(type) != NULL);
  }
}

/* ---- bodies ---- */

/* A message as it went out, and its parts as they came in, put together again. */
typedef bool round_trip(struct span body, struct buf *again);

#define SERVICE_AGAIN(name, NAME, type)                           \
  static bool again_##name(struct span body, struct buf *again) { \
    struct wire_##type m;                                         \
    if (!wire_get_##name(body, &m)) return false;                 \
    wire_put_##name(again, &m);                                   \
    return true;                                                  \
  }
SERVICE_PLAIN(SERVICE_AGAIN)

static bool again_execute(struct span body, struct buf *again) {
  struct wire_execute m;
  if (!wire_get_execute(body, &m)) return false;
  wire_put_execute(again, &m);
  return true;
}

static bool again_open(struct span body, struct buf *again) {
  static struct wire_record records[SERVICE_OPEN_RECORDS];
  struct wire_open m;
  struct cursor rest;
  if (!wire_get_open(body, &m, &rest)) return false;
  for (uint32_t i = 0; i < m.count; i++)
    if (!wire_get_record(&rest, &records[i])) return false;
  m.records = records;
  wire_put_open(again, &m);
  return cursor_end(&rest);
}

static bool again_opened(struct span body, struct buf *again) {
  static struct wire_answer answers[SERVICE_OPEN_RECORDS];
  struct wire_opened m;
  struct cursor rest;
  if (!wire_get_opened(body, &m, &rest)) return false;
  for (uint32_t i = 0; i < m.count; i++)
    if (!wire_get_answer(&rest, &answers[i])) return false;
  m.answers = answers;
  wire_put_opened(again, &m);
  return cursor_end(&rest);
}

static struct wire_statement statements[WIRE_ROWS_MAX];

static bool statements_again(struct cursor *rest, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    if (!wire_get_statement(rest, &statements[i])) return false;
  return cursor_end(rest);
}

static bool again_query(struct span body, struct buf *again) {
  struct wire_query m;
  struct cursor rest;
  if (!wire_get_query(body, &m, &rest) || !statements_again(&rest, m.count)) return false;
  m.statements = statements;
  wire_put_query(again, WIRE_STORE_QUERY, &m);
  return true;
}

static bool again_rows(struct span body, struct buf *again) {
  struct wire_rows m;
  struct cursor rest;
  if (!wire_get_rows(body, &m, &rest) || !statements_again(&rest, m.count)) return false;
  m.rows = statements;
  wire_put_rows(again, WIRE_SERVER_ROWS, &m);
  return true;
}

/* The body survives a round trip whole, and in no other length. */
static void assert_round_trip(const struct buf *sent, uint8_t type, round_trip *again) {
  struct buf back = buf_new(1u << 20), longer = buf_new(1u << 20);
  struct span body = body_of(sent);
  assert_false(sent->bad);
  assert_int_equal(sent->data[4], type);
  assert_true(again(body, &back));
  assert_true(span_equal(body, body_of(&back)));
  for (size_t len = 0; len < body.len; len++) {
    uint8_t *copy = malloc(len > 0 ? len : 1); /* exactly so long: an overread is seen */
    assert_non_null(copy);
    memcpy(copy, body.data, len);
    buf_clear(&back);
    assert_false(again(span_of(copy, len), &back));
    free(copy);
  }
  buf_put_span(&longer, body);
  buf_put_u8(&longer, 0);
  assert_false(again(buf_span(&longer), &back));
  buf_free(&back);
  buf_free(&longer);
}

/* A record of each type whose every byte of substance differs from its neighbours'. */
static const uint8_t filling[64] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22};

#define TEXT(literal) \
  { (const uint8_t *)(literal), sizeof(literal) - 1 }

static const struct wire_cancel sample_cancel = {7, RESULT_CANCELLED};
static const struct wire_interrupt sample_interrupt = {1, {2, 3}, {4, 5}, TEXT("sealed")};
static const struct wire_attest sample_attest = {1, TEXT("nonce of 16 byte")};
static const struct wire_identity sample_identity = {TEXT("engine"), TEXT("process"), TEXT("sim"), 3,
                                                     {9, 8},         TEXT("{}"),      UINT64_MAX,  TEXT("[]")};
static const struct wire_stored sample_stored = {UINT64_MAX, TEXT("")};
static const struct wire_logged sample_logged = {2, 4, TEXT("hello")};
static const struct wire_ended sample_ended = {3, RESULT_CANCELLED, TEXT("{}"), TEXT("sealed"), 4, 5, 6};
static const struct wire_attested sample_attested = {3, RESULT_OK, TEXT("{}")};
static const struct wire_gauges sample_gauges = {1, 2, 3, 4, 5, UINT64_MAX};
static const struct wire_parked sample_parked = {7};
static const struct wire_keeper_setup sample_keeper_setup = {TEXT("config"), {filling, 64}, {filling, 32},
                                                             TEXT("key"),    {filling, 32}, true};
static const struct wire_rotate sample_rotate = {{filling, 32}};
static const struct wire_evidence sample_evidence = {1, {filling, 64}, {7, 8}, TEXT("nonce")};
static const struct wire_evidenced sample_evidenced = {UINT64_MAX, RESULT_IO, TEXT("raw")};
static const struct wire_egress_setup sample_egress_setup = {TEXT("config"), TEXT("PEM"), TEXT(""), TEXT("host=db")};
static const struct wire_secret_call sample_secret_call = {
    1, SECRET_PUT, {1, 2}, TEXT("user"), TEXT("name"), TEXT("{}"), TEXT("trace"), UINT64_MAX, 1000};
static const struct wire_secreted sample_secreted = {2, RESULT_OK, TEXT("detail"), TEXT("[]")};
static const struct wire_request sample_request = {1,         {3, 4},          WIRE_REQUEST_PLAIN, 443,
                                                   30000,     5u << 20,        TEXT("POST"),       TEXT("[::1]"),
                                                   TEXT("/"), TEXT("headers"), {filling, 64}};
static const struct wire_response sample_response = {
    1, RESULT_OK, 302, TEXT(""), TEXT("headers"), TEXT("https://a/"), {filling, 64}};
static const struct wire_forget sample_forget = {9};
static const struct wire_broker_setup sample_broker_setup = {TEXT("config"), TEXT("/db"), TEXT(""),
                                                             TEXT("{}"),     TEXT("PEM"), true};
static const struct wire_listener sample_listener = {WIRE_LISTENER_METRICS, TEXT("127.0.0.1:1")};
static const struct wire_tls sample_tls = {TEXT("c"), TEXT("k"), TEXT(""), true};
static const struct wire_worker sample_worker = {UINT32_MAX};
static const struct wire_stop sample_stop = {10000};
static const struct wire_up sample_up = {0x80000001};
static const struct wire_nice sample_nice = {1, 19};

static void test_plain_messages(void **state) {
  (void)state;
  struct buf b = buf_new(4096);
#define SERVICE_CHECK(name, NAME, type) \
  wire_put_##name(&b, &sample_##type);  \
  assert_round_trip(&b, WIRE_##NAME, again_##name);
  SERVICE_PLAIN(SERVICE_CHECK)
#undef SERVICE_CHECK
  buf_free(&b);
}

/* That both ways agree is not enough: the fields of a few as they should come out. */
static void test_fields(void **state) {
  (void)state;
  struct buf b = buf_new(4096);
  struct wire_identity identity;
  wire_put_identity(&b, &sample_identity);
  assert_true(wire_get_identity(body_of(&b), &identity));
  assert_true(span_is(identity.engine, "engine"));
  assert_true(span_is(identity.isolation, "process"));
  assert_true(span_is(identity.tee, "sim"));
  assert_int_equal(identity.worker_fences, 3);
  assert_memory_equal(identity.attestation, sample_identity.attestation, 32);
  assert_true(span_is(identity.attested, "{}"));
  assert_true(span_is(identity.stores, "[]"));
  assert_true(identity.attested_at == UINT64_MAX);
  struct wire_ended ended;
  wire_put_ended(&b, &sample_ended);
  assert_true(wire_get_ended(body_of(&b), &ended));
  assert_int_equal(ended.result, RESULT_CANCELLED);
  assert_true(span_is(ended.sealed, "sealed"));
  assert_int_equal(ended.wall_ns + 10 * ended.cpu_ns + 100 * ended.steps, 4 + 50 + 600);
  buf_free(&b);
}

static struct wire_execute sample_execute(uint32_t secrets) {
  struct wire_execute m = {.ticket = 1,
                           .job = {1},
                           .user = {2},
                           .flags = WIRE_EXECUTE_ASYNC,
                           .timeout_ms = 30000,
                           .memory = 1u << 27,
                           .steps = 5,
                           .script = TEXT("function main() {}"),
                           .entry = TEXT("main"),
                           .input = TEXT("{}"),
                           .nonce = TEXT("n"),
                           .user_id = TEXT("somebody"),
                           .app = TEXT("app"),
                           .name = TEXT("script"),
                           .hosts = TEXT("*.example"),
                           .sealed = TEXT("{\"enc\":\"\"}"),
                           .recipient = TEXT("0123456789abcdef0123456789abcdef"),
                           .secret_count = secrets};
  for (uint32_t i = 0; i < secrets && i < WIRE_SECRETS_MAX; i++) m.secrets[i] = span_of(filling, i);
  return m;
}

static void test_execute(void **state) {
  (void)state;
  struct buf b = buf_new(4096);
  for (uint32_t secrets = 0; secrets <= WIRE_SECRETS_MAX; secrets++) {
    struct wire_execute m = sample_execute(secrets);
    wire_put_execute(&b, &m);
    assert_round_trip(&b, WIRE_EXECUTE, again_execute);
  }
  struct wire_execute m = sample_execute(WIRE_SECRETS_MAX + 1);
  wire_put_execute(&b, &m);
  assert_true(b.bad);
  buf_free(&b);
}

/* A count that no sender of ours writes, in a body that would be long enough. */
static void assert_count_refused(struct buf *b, size_t at, uint32_t count, round_trip *again) {
  struct buf back = buf_new(1u << 20);
  uint8_t *field = b->data + MSG_HEADER + at;
  struct buf patch = buf_fixed(field, 4);
  buf_put_u32(&patch, count);
  assert_false(again(body_of(b), &back));
  buf_free(&back);
}

static void test_counts(void **state) {
  (void)state;
  struct buf b = buf_new(100000);
  struct wire_execute execute = sample_execute(0);
  wire_put_execute(&b, &execute);
  size_t at = b.len - MSG_HEADER - 4;
  for (unsigned i = 0; i < 50; i++) buf_put_u32(&b, 0);
  assert_count_refused(&b, at, WIRE_SECRETS_MAX + 1, again_execute);
  assert_count_refused(&b, at, UINT32_MAX, again_execute);
  struct wire_open open = {.ticket = 1};
  wire_put_open(&b, &open);
  for (unsigned i = 0; i < 20 * (SERVICE_OPEN_RECORDS + 1); i += 4) buf_put_u32(&b, 0);
  assert_count_refused(&b, 40, SERVICE_OPEN_RECORDS + 1, again_open);
  struct wire_opened opened = {.ticket = 1};
  wire_put_opened(&b, &opened);
  for (unsigned i = 0; i < 8 * (SERVICE_OPEN_RECORDS + 1); i += 4) buf_put_u32(&b, 0);
  assert_count_refused(&b, 8, SERVICE_OPEN_RECORDS + 1, again_opened);
  assert_false(b.bad);
  buf_free(&b);
}

static void test_lists(void **state) {
  (void)state;
  static const struct wire_record records[] = {{{1}, TEXT("one")}, {{2}, TEXT("")}, {{3}, TEXT("three")}};
  static const struct wire_answer answers[] = {{RESULT_OK, TEXT("{}")}, {RESULT_RECORD_CORRUPT, TEXT("")}};
  struct buf b = buf_new(4096);
  for (uint32_t count = 0; count <= COUNT(records); count++) {
    struct wire_open open = {1, {2}, count, records};
    wire_put_open(&b, &open);
    assert_round_trip(&b, WIRE_OPEN, again_open);
  }
  for (uint32_t count = 0; count <= COUNT(answers); count++) {
    struct wire_opened opened = {1, count, answers};
    wire_put_opened(&b, &opened);
    assert_round_trip(&b, WIRE_OPENED, again_opened);
  }
  struct wire_open open = {1, {2}, SERVICE_OPEN_RECORDS + 1, records};
  wire_put_open(&b, &open);
  assert_true(b.bad);
  struct wire_opened opened = {1, SERVICE_OPEN_RECORDS + 1, answers};
  wire_put_opened(&b, &opened);
  assert_true(b.bad);
  buf_free(&b);
}

static void test_queries(void **state) {
  (void)state;
  static const struct wire_statement some[] = {{1, 2, {TEXT("user"), TEXT("name")}}, {6, 0, {{NULL, 0}}}};
  struct buf b = buf_new(4096);
  for (uint32_t count = 0; count <= COUNT(some); count++) {
    wire_put_query(&b, WIRE_STORE_QUERY, &(struct wire_query){1, 5000, count, some, 0});
    assert_round_trip(&b, WIRE_STORE_QUERY, again_query);
    wire_put_rows(&b, WIRE_SERVER_ROWS, &(struct wire_rows){1, RESULT_OK, count, some});
    assert_round_trip(&b, WIRE_SERVER_ROWS, again_rows);
  }
  static const struct wire_statement wide = {1, WIRE_VALUES_MAX + 1, {{NULL, 0}}};
  wire_put_query(&b, WIRE_STORE_QUERY, &(struct wire_query){1, 1, 1, &wide, 0});
  assert_true(b.bad);
  wire_put_query(&b, WIRE_STORE_QUERY, &(struct wire_query){1, 1, WIRE_STATEMENTS_MAX + 1, some, 0});
  assert_true(b.bad);
  wire_put_rows(&b, WIRE_SERVER_ROWS, &(struct wire_rows){1, 0, WIRE_ROWS_MAX + 1, some});
  assert_true(b.bad);
  buf_free(&b);
}

static void test_flags_are_zero_or_one(void **state) {
  (void)state;
  struct buf b = buf_new(4096);
  struct wire_tls tls;
  wire_put_tls(&b, &sample_tls);
  assert_int_equal(b.data[b.len - 1], 1);
  for (unsigned flag = 0; flag < 256; flag++) {
    b.data[b.len - 1] = (uint8_t)flag;
    assert_int_equal(wire_get_tls(body_of(&b), &tls), flag < 2);
  }
  struct wire_query query;
  struct cursor rest;
  wire_put_query(&b, WIRE_STORE_QUERY, &(struct wire_query){.later = 1});
  assert_int_equal(b.data[b.len - 1], 1);
  for (unsigned flag = 0; flag < 256; flag++) {
    b.data[b.len - 1] = (uint8_t)flag;
    assert_int_equal(wire_get_query(body_of(&b), &query, &rest), flag < 2);
  }
  buf_free(&b);
}

static void test_empty_messages(void **state) {
  (void)state;
  static const enum service_type types[] = {WIRE_PEER, WIRE_CLIENT, WIRE_DRAINED, WIRE_EGRESS_PEER, WIRE_OUTLET};
  struct buf b = buf_new(100);
  for (size_t i = 0; i < COUNT(types); i++) {
    wire_put_empty(&b, types[i]);
    assert_int_equal(b.data[4], types[i]);
    assert_true(wire_get_empty(body_of(&b)));
    buf_put_u8(&b, 0);
    assert_false(wire_get_empty(body_of(&b)));
  }
  buf_free(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order),
      cmocka_unit_test(test_first_comes_once),
      cmocka_unit_test(test_numbers_are_unlike),
      cmocka_unit_test(test_plain_messages),
      cmocka_unit_test(test_fields),
      cmocka_unit_test(test_execute),
      cmocka_unit_test(test_counts),
      cmocka_unit_test(test_lists),
      cmocka_unit_test(test_queries),
      cmocka_unit_test(test_flags_are_zero_or_one),
      cmocka_unit_test(test_empty_messages),
  };
  return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
