#include "evidence/report.h"

#include "crypto/testing.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define HASH "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"
#define LONG HASH "44a0196b2b99f889b8e149e95b807a35" /* 48 bytes */

static void read_good(const char *json, struct evidence_policy *policy) {
  struct buf problem = buf_new(256);
  if (policy_read(span_text(json), policy, &problem) != RESULT_OK)
    fail_msg("%.*s", (int)problem.len, (const char *)problem.data);
  buf_free(&problem);
}

static void test_all_members(void **state) {
  (void)state;
  struct evidence_policy p = {.now = 7};
  read_good(
      "{\"engines\":[\"e1\"],\"tees\":[\"tdx\",\"sgx\"],\"isolation\":[],\"max_age_s\":60,"
      "\"tcb_statuses\":[\"UpToDate\",\"SWHardeningNeeded\"],\"min_tcb_evaluation\":17,\"roots\":[\"" HASH
      "\"],"
      "\"sgx\":{\"mrenclave\":\"any\",\"mrsigner\":[\"" HASH
      "\"],\"prod_id\":1,\"min_svn\":65535},"
      "\"tdx\":{\"mrtd\":[\"" LONG "\"],\"rtmr0\":\"any\",\"rtmr3\":[\"" LONG "\",\"" LONG
      "\"]},"
      "\"snp\":{\"measurement\":\"any\",\"host_data\":[\"" HASH
      "\"],\"min_tcb\":{\"bootloader\":3,\"microcode\":255}},"
      "\"nitro\":{\"pcr0\":[\"" LONG "\"],\"pcr15\":\"any\"}}",
      &p);
  assert_int_equal(p.now, 7);
  assert_int_equal(p.max_age, 60);
  assert_int_equal(p.tees.count, 2);
  assert_true(p.isolation.given && p.isolation.count == 0);
  assert_int_equal(p.tcb_statuses, 3);
  assert_int_equal(p.min_tcb_evaluation, 17);
  assert_int_equal(p.root_count, 1);
  assert_int_equal(p.roots[0][31], 0xd3);
  assert_true(p.sgx.mrenclave.any && !p.sgx.mrsigner.any);
  assert_int_equal(p.sgx.min_svn, 65535);
  assert_int_equal(p.tdx.mrtd.size, 48);
  assert_int_equal(p.tdx.rtmr[3].count, 2);
  assert_int_equal(p.tdx.rtmr[1].count, 0);
  assert_int_equal(p.snp.min_tcb.microcode, 255);
  assert_true(p.nitro.pcr[15].any);
}

static void test_refused(void **state) {
  (void)state;
  static const struct {
    const char *json, *problem;
  } cases[] = {
      {"", "not a JSON object"},
      {"[]", "not a JSON object"},
      {"{} {}", "not a JSON object"},
      {"{\"tees\":[],\"tees\":[]}", "not a JSON object"},
      {"{\"engine\":[]}", "engine is no member of a policy"},
      {"{\"sgx\":{\"mr_enclave\":\"any\"}}", "sgx.mr_enclave is no member of a policy"},
      {"{\"snp\":{\"min_tcb\":{\"ucode\":1}}}", "min_tcb.ucode is no member of a policy"},
      {"{\"sgx\":[]}", "sgx is not an object"},
      {"{\"tees\":\"tdx\"}", "tees is not a list of at most 16 strings"},
      {"{\"tees\":[1]}", "tees is not a list of at most 16 strings"},
      {"{\"max_age_s\":0}", "max_age_s is not a number of seconds, at least 1"},
      {"{\"max_age_s\":\"60\"}", "max_age_s is not a number of seconds, at least 1"},
      {"{\"min_tcb_evaluation\":-1}", "min_tcb_evaluation is not a whole number in its range"},
      {"{\"min_tcb_evaluation\":1.5}", "min_tcb_evaluation is not a whole number in its range"},
      {"{\"sgx\":{\"min_svn\":65536}}", "sgx.min_svn is not a whole number in its range"},
      {"{\"snp\":{\"min_tcb\":{\"tee\":256}}}", "min_tcb.tee is not a whole number in its range"},
      {"{\"tcb_statuses\":[]}", NULL},
      {"{\"tcb_statuses\":[\"Revoked\"]}", NULL},
      {"{\"tcb_statuses\":[\"uptodate\"]}", NULL},
      {"{\"roots\":[]}", NULL},
      {"{\"roots\":[\"" LONG "\"]}", NULL},
      {"{\"roots\":[\"" HASH "\",\"" HASH "\",\"" HASH "\",\"" HASH "\",\"" HASH "\"]}", NULL},
      {"{\"tdx\":{\"mrtd\":[]}}", NULL},
      {"{\"tdx\":{\"mrtd\":\"ANY\"}}", NULL},
      {"{\"tdx\":{\"mrtd\":[\"any\"]}}", NULL},
      {"{\"tdx\":{\"mrtd\":[\"" HASH "\"]}}", NULL},
      {"{\"tdx\":{\"mrtd\":[null]}}", NULL},
      {"{\"tdx\":{\"rtmr4\":\"any\"}}", NULL},
      {"{\"nitro\":{\"pcr16\":\"any\"}}", NULL},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct evidence_policy p = {0};
    struct buf problem = buf_new(256);
    if (policy_read(span_text(cases[i].json), &p, &problem) != RESULT_CONFIG_INVALID) fail_msg("%s", cases[i].json);
    assert_true(problem.len > 0);
    if (cases[i].problem != NULL) assert_true(span_is(buf_span(&problem), cases[i].problem));
    buf_free(&problem);
  }
}

/* One more than there is room for. */
static void test_limits(void **state) {
  (void)state;
  for (unsigned count = 16; count <= 17; count++) {
    struct buf json = buf_new(8192), problem = buf_new(256);
    struct evidence_policy p = {0};
    buf_put_text(&json, "{\"sgx\":{\"mrenclave\":[");
    for (unsigned i = 0; i < count; i++) buf_printf(&json, "%s\"" HASH "\"", i > 0 ? "," : "");
    buf_put_text(&json, "]}}");
    assert_int_equal(policy_read(buf_span(&json), &p, &problem), count == 16 ? RESULT_OK : RESULT_CONFIG_INVALID);
    buf_free(&json);
    buf_free(&problem);
  }
  char name[128];
  for (int len = 64; len <= 65; len++) {
    struct buf problem = buf_new(256);
    struct evidence_policy p = {0};
    (void)snprintf(name, sizeof name, "{\"tees\":[\"%0*d\"]}", len, 0);
    assert_int_equal(policy_read(span_text(name), &p, &problem), len == 64 ? RESULT_OK : RESULT_CONFIG_INVALID);
    buf_free(&problem);
  }
}

static void test_tcb(void **state) {
  (void)state;
  struct evidence_policy p = {0};
  assert_true(policy_accepts_tcb(&p, POLICY_TCB_UP_TO_DATE));
  assert_false(policy_accepts_tcb(&p, POLICY_TCB_SW_HARDENING_NEEDED));
  p.tcb_statuses = 1u << POLICY_TCB_SW_HARDENING_NEEDED;
  assert_false(policy_accepts_tcb(&p, POLICY_TCB_UP_TO_DATE));
  p.tcb_statuses = UINT32_MAX;
  assert_false(policy_accepts_tcb(&p, POLICY_TCB_REVOKED));
  assert_false(policy_accepts_tcb(&p, POLICY_TCB_COUNT));
  assert_int_equal(policy_tcb_of("nonsense"), POLICY_TCB_COUNT);
  for (enum policy_tcb s = POLICY_TCB_UP_TO_DATE; s < POLICY_TCB_COUNT; s++)
    assert_int_equal(policy_tcb_of(policy_tcb_name(s)), s);
}

static void test_report(void **state) {
  (void)state;
  struct evidence_report r = {0};
  assert_false(report_good(&r)); /* nothing was checked */
  report_ok(&r, "a", "%d", 1);
  assert_true(report_good(&r));
  report_skip(&r, "b", "no\n\xff");
  assert_false(report_good(&r));
  assert_string_equal(report_worst(&r)->value, "no??");
  report_fail(&r, "c", "no");
  assert_string_equal(report_worst(&r)->name, "c");
  assert_null(report_find(&r, "d"));
  r = (struct evidence_report){0};
  for (size_t i = 0; i < REPORT_LINES_MAX; i++) report_ok(&r, "a", "yes");
  assert_true(report_good(&r));
  report_ok(&r, "a", "yes");
  assert_false(report_good(&r));
}

static void test_measurements(void **state) {
  (void)state;
  static const uint8_t ones[3] = {1, 1, 1}, twos[3] = {2, 2, 2};
  struct policy_list list = {.size = 3};
  struct evidence_report r = {0};
  report_measurement(&r, "m", &list, span_of(ones, 3));
  list.count = 1;
  memcpy(list.items[0], ones, 3);
  report_measurement(&r, "m", &list, span_of(ones, 3));
  report_measurement(&r, "m", &list, span_of(twos, 3));
  report_measurement(&r, "m", &list, span_of(ones, 2));
  list.any = true;
  report_measurement(&r, "m", &list, span_of(twos, 3));
  static const enum report_state states[] = {REPORT_SKIPPED, REPORT_OK, REPORT_FAILED, REPORT_FAILED, REPORT_OK};
  for (size_t i = 0; i < COUNT(states); i++) assert_int_equal(r.lines[i].state, states[i]);
  assert_string_equal(r.lines[2].value, "m 020202 is not one that the policy lists");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_all_members), cmocka_unit_test(test_refused), cmocka_unit_test(test_limits),
      cmocka_unit_test(test_tcb),         cmocka_unit_test(test_report),  cmocka_unit_test(test_measurements),
  };
  return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
