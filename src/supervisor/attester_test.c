#include "supervisor/attester.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- a provider that does what the nonce says ---- */

static int gate[2]; /* one that waits waits for a byte from here */

static enum result evidence(const struct attest_machine *machine, const struct attest_claim *claim, struct buf *out) {
  char byte;
  if (span_is(claim->nonce, "wait") && read(gate[0], &byte, 1) != 1) return RESULT_IO;
  if (span_is(claim->nonce, "fail")) return RESULT_IO;
  if (span_is(claim->nonce, "too much"))
    for (size_t i = 0; i < 1u << 20; i++) buf_put_u8(out, 1);
  buf_put_text(out, machine->root);
  buf_put(out, claim->report_data, 2);
  buf_put(out, claim->agree_key, 2);
  return RESULT_OK;
}

static const struct attest_provider provider = {"test", "sim", "text/plain", NULL, evidence};

/* ---- its user ---- */

static struct scene {
  struct event_base *base;
  struct attester *attester;
  struct {
    uint64_t ticket;
    enum result result;
    char raw[64];
  } answers[2 * ATTESTER_WAITING_MAX];
  unsigned count;
} scene;

static void on_done(void *context, uint64_t ticket, enum result r, struct span raw) {
  struct scene *s = context;
  assert_true(s->count < COUNT(s->answers));
  s->answers[s->count].ticket = ticket;
  s->answers[s->count].result = r;
  snprintf(s->answers[s->count].raw, sizeof s->answers[0].raw, "%.*s", (int)raw.len, (const char *)raw.data);
  s->count++;
}

static int begin(void **state) {
  (void)state;
  const struct attester_hooks hooks = {&scene, on_done};
  scene = (struct scene){.base = event_base_new()};
  assert_int_equal(pipe(gate), 0);
  assert_int_equal(attester_new(scene.base, &provider, "/root/", &hooks, &scene.attester), RESULT_OK);
  return 0;
}

static int end(void **state) {
  (void)state;
  attester_free(scene.attester);
  event_base_free(scene.base);
  close(gate[0]);
  close(gate[1]);
  return 0;
}

static void ask(uint64_t ticket, const char *nonce) {
  static const uint8_t report_data[ATTEST_REPORT_DATA] = "RD";
  assert_true(attester_ask(
      scene.attester,
      &(struct wire_evidence){
          .ticket = ticket, .report_data = span_of(report_data, 64), .agree_key = "AK", .nonce = span_text(nonce)}));
}

static void await(unsigned count) {
  while (scene.count < count) assert_int_equal(event_base_loop(scene.base, EVLOOP_ONCE), 0);
}

static void test_evidence(void **state) {
  (void)state;
  static const struct {
    const char *nonce;
    enum result result;
    const char *raw;
  } cases[] = {{"", RESULT_OK, "/root/RDAK"},
               {"fail", RESULT_IO, ""},
               {"too much", RESULT_NO_MEMORY, ""},
               {"0123456789abcdef", RESULT_OK, "/root/RDAK"}};
  for (size_t i = 0; i < COUNT(cases); i++) ask(7 + i, cases[i].nonce);
  await(COUNT(cases));
  for (size_t i = 0; i < COUNT(cases); i++) {
    assert_int_equal(scene.answers[i].ticket, 7 + i);
    assert_int_equal(scene.answers[i].result, cases[i].result);
    assert_string_equal(scene.answers[i].raw, cases[i].raw);
  }
}

/* While one waits, so many others may, and no more. */
static void test_many(void **state) {
  (void)state;
  ask(0, "wait");
  for (unsigned i = 1; i <= ATTESTER_WAITING_MAX; i++) ask(i, "");
  assert_int_equal(scene.count, 0);
  ask(1000, "");
  assert_int_equal(scene.count, 1);
  assert_true(scene.answers[0].ticket == 1000 && scene.answers[0].result == RESULT_BUSY);
  assert_int_equal(write(gate[1], "", 1), 1);
  await(2 + ATTESTER_WAITING_MAX);
  for (unsigned i = 0; i <= ATTESTER_WAITING_MAX; i++) {
    assert_int_equal(scene.answers[i + 1].ticket, i);
    assert_int_equal(scene.answers[i + 1].result, RESULT_OK);
  }
}

static void test_nonsense(void **state) {
  (void)state;
  static const uint8_t bytes[80];
  assert_false(attester_ask(scene.attester, &(struct wire_evidence){.report_data = span_of(bytes, 63)}));
  assert_false(attester_ask(scene.attester, &(struct wire_evidence){.report_data = span_of(bytes, 65)}));
  assert_false(attester_ask(scene.attester,
                            &(struct wire_evidence){.report_data = span_of(bytes, 64), .nonce = span_of(bytes, 65)}));
  assert_int_equal(scene.count, 0);
}

/* Nobody waits for a thread that does not come back; those that wait are forgotten. */
static void test_end_meanwhile(void **state) {
  (void)state;
  ask(1, "wait");
  ask(2, "");
  attester_free(scene.attester);
  scene.attester = NULL;
  assert_int_equal(scene.count, 0);
  assert_int_equal(write(gate[1], "", 1), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_evidence, begin, end),
                                     cmocka_unit_test_setup_teardown(test_many, begin, end),
                                     cmocka_unit_test_setup_teardown(test_nonsense, begin, end),
                                     cmocka_unit_test_setup_teardown(test_end_meanwhile, begin, end)};
  return cmocka_run_group_tests_name("attester", tests, NULL, NULL);
}
