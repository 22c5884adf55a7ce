/* Intel's evidence, made by an Intel of our own (tests/intel.h): what is right in all, and each thing that may be
 * wrong. */
#include "evidence/verifier.h"

#include "base/base64.h"
#include "crypto/testing.h"
#include "evidence/chain.h"
#include "intel.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const uint8_t report_data[64] = "the hash of a document";

struct scene {
  struct intel_vendor vendor;
  struct intel_quote quote;
  struct evidence_policy policy;
  const char *from, *to; /* in TCB info or QE identity, before they are signed */
  bool no_collateral;
};

static struct policy_list listed(uint8_t fill, size_t size) {
  struct policy_list list = {.count = 1, .size = size};
  memset(list.items[0], fill, size);
  return list;
}

static struct scene genuine(unsigned kind) {
  struct scene s = {.vendor = intel_vendor(), .quote = intel_quote(kind, report_data)};
  s.policy.now = INTEL_NOW;
  s.policy.root_count = 1;
  s.policy.sgx.mrenclave = listed(0xe1, 32);
  s.policy.tdx.mrtd = listed(0xd0, 48);
  for (uint8_t n = 0; n < 4; n++) s.policy.tdx.rtmr[n] = listed(n, 48);
  return s;
}

static void replace(const char *text, const char *from, const char *to, struct buf *out) {
  const char *at = from != NULL ? strstr(text, from) : NULL;
  size_t before = at != NULL ? (size_t)(at - text) : strlen(text);
  buf_put(out, text, before);
  if (at != NULL) buf_put_text(out, to);
  if (at != NULL) buf_put_text(out, at + strlen(from));
  buf_put_u8(out, 0);
}

static void put_scene(const struct scene *s, struct intel *f, struct buf *quote, struct buf *collateral) {
  struct buf info = buf_new(16384), qe = buf_new(16384);
  replace(intel_tcb_info(s->quote.tdx), s->from, s->to, &info);
  replace(intel_qe_identity(s->quote.tdx), s->from, s->to, &qe);
  intel_put_quote(f, &s->quote, quote);
  assert_true(intel_put_collateral(f, (const char *)info.data, (const char *)qe.data, collateral));
  buf_free(&info);
  buf_free(&qe);
}

static const struct evidence_verifier *verifier_of(const struct scene *s) {
  return s->quote.tdx ? &evidence_tdx : &evidence_sgx;
}

static struct evidence_report play(struct scene *s) {
  struct evidence_report report = {0};
  struct intel *f = intel_new(&s->vendor);
  struct buf quote = buf_new(65536), collateral = buf_new(65536);
  put_scene(s, f, &quote, &collateral);
  intel_root(f, s->policy.roots[0]);
  s->policy.collateral = s->no_collateral ? span_of(NULL, 0) : buf_span(&collateral);
  verifier_of(s)->check(buf_span(&quote), report_data, &s->policy, &report);
  buf_free(&quote);
  buf_free(&collateral);
  intel_free(f);
  return report;
}

static bool named(const char *names, const char *name) {
  const char *at = strstr(names, name);
  size_t len = strlen(name);
  return at != NULL && (at == names || at[-1] == ' ') && (at[len] == ' ' || at[len] == 0);
}

/* Exactly the lines named (with spaces between) are not OK. */
static void expect(struct scene *s, enum report_state state, const char *names) {
  struct evidence_report r = play(s);
  size_t wrong = 0, wanted = names[0] != 0;
  for (const char *c = names; *c != 0; c++) wanted += *c == ' ';
  for (size_t i = 0; i < r.count; i++) {
    const struct report_line *l = &r.lines[i];
    wrong += l->state != REPORT_OK;
    if (l->state != (named(names, l->name) ? state : REPORT_OK)) fail_msg("[%s] %s: %s", names, l->name, l->value);
  }
  if (wrong != wanted) fail_msg("[%s]: %zu lines are wrong", names, wrong);
  assert_int_equal(report_good(&r), names[0] == 0);
}

static void fails(struct scene s, const char *names) {
  expect(&s, REPORT_FAILED, names);
}

static const unsigned kinds[] = {3, 40, 51, 4, 52, 53};

static void test_genuine(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(kinds); i++) {
    struct scene s = genuine(kinds[i]);
    fails(s, "");
    s.quote.trailing = 77; /* buffers of fixed size */
    fails(s, "");
    s.quote.certification = 4; /* leaf only; its issuers are in the collateral */
    fails(s, "");
    s.quote.certification = 1; /* no certificate at all */
    fails(s, "");
  }
}

static void test_without_collateral(void **state) {
  (void)state;
  struct scene s = genuine(3);
  s.no_collateral = true;
  expect(&s, REPORT_SKIPPED, "revocation tcb_info qe_identity tcb_status");
  s = genuine(53);
  s.no_collateral = true;
  expect(&s, REPORT_SKIPPED, "revocation tcb_info qe_identity tdx_module tcb_status");
}

/* What comes of a certificate that is not the platform's. */
#define NOT_PLATFORM "pck_chain revocation qe_signature tcb_info tcb_status"

static void test_vendor(void **state) {
  (void)state;
  struct scene s = genuine(3);
  s.vendor.pck = "Intel SGX TCB Signing";
  fails(s, NOT_PLATFORM);
  s = genuine(3);
  s.vendor.ca = "Intel SGX Root CA B";
  fails(s, "pck_chain");
  s = genuine(3);
  s.vendor.signer = "Intel SGX PCK Certificate";
  fails(s, "tcb_info qe_identity tcb_status");
  s = genuine(3);
  s.vendor.pck_revoked = true;
  fails(s, "revocation");
  s = genuine(3);
  s.vendor.ca_revoked = true;
  fails(s, "revocation");
  s = genuine(3);
  s.vendor.signer_revoked = true;
  fails(s, "tcb_info qe_identity tcb_status");
  s = genuine(3);
  s.vendor.extension = span_text("\x30");
  fails(s, "tcb_info tcb_status");
}

static void test_pinned_root(void **state) {
  (void)state;
  struct scene s = genuine(4);
  s.policy.root_count = 0; /* Intel's own */
  fails(s, "pck_chain revocation tcb_info qe_identity tdx_module tcb_status");
}

static void test_time(void **state) {
  (void)state;
  static const struct {
    int64_t shift;
    const char *wrong;
  } times[] = {
      {-6 * 86400, ""},
      {-8 * 86400, "tcb_info qe_identity tdx_module tcb_status"}, /* before issueDate */
      {13 * 86400, ""},
      {15 * 86400, "pck_chain revocation tcb_info qe_identity tdx_module tcb_status"},
      {-15 * 86400, "pck_chain revocation tcb_info qe_identity tdx_module tcb_status"},
      {(int64_t)1 << 60, "pck_chain revocation tcb_info qe_identity tdx_module tcb_status"},
  };
  for (size_t i = 0; i < COUNT(times); i++) {
    struct scene s = genuine(4);
    s.policy.now += (uint64_t)times[i].shift;
    fails(s, times[i].wrong);
  }
  struct scene s = genuine(4);
  s.from = "2026-10-14T00:00:00Z";
  s.to = "2026-09-21T14:13:19Z"; /* a second ago */
  fails(s, "tcb_info qe_identity tdx_module tcb_status");
  s.to = "2026-09-21T14:13:20Z";
  fails(s, "");
}

/* A byte of a report before it is signed, and what does not hold then. */
static void test_reports(void **state) {
  (void)state;
  static const struct {
    unsigned kind;
    size_t at;
    uint8_t value;
    const char *wrong;
  } changes[] = {
      {3, 48, 7, "debug"},
      {3, 64, 0, "mrenclave"},
      {3, 128, 0, ""}, /* mrsigner, which nobody asked for */
      {3, 320, 0, "report_data"},
      {3, 383, 1, "report_data"},
      {40, 48, 7, "debug"},
      {51, 48, 7, "debug"},
      {4, 0, 2, "tcb_status"},
      {4, 0, 1, "tdx_module tcb_status"},
      {4, 1, 2, "tdx_module tcb_status"},
      {4, 1, 0, ""},
      {4, 2, 4, "tcb_status"},
      {4, 2, 3, "tcb_info tdx_module tcb_status"},
      {4, 64, 1, "tdx_module tcb_status"},
      {4, 112, 1, "tdx_module tcb_status"},
      {4, 120, 1, "debug"},
      {4, 120, 0x80, "debug"},
      {4, 121, 1, "td_attributes"},
      {4, 123, 0, "td_attributes"},
      {4, 123, 0x30, "td_attributes"},
      {4, 123, 0xd0, ""},
      {4, 136, 0, "mrtd"},
      {4, 328, 9, "rtmr0"},
      {4, 376, 9, "rtmr1"},
      {4, 424, 9, "rtmr2"},
      {4, 519, 9, "rtmr3"},
      {4, 520, 9, "report_data"},
      {52, 120, 1, "debug"},
      {53, 120, 1, "debug"},
      {53, 600, 1, "service_td"},
      {53, 647, 1, "service_td"},
      {53, 583, 1, "report_data"},
  };
  for (size_t i = 0; i < COUNT(changes); i++) {
    struct scene s = genuine(changes[i].kind);
    s.quote.body[changes[i].at] = changes[i].value;
    fails(s, changes[i].wrong);
  }
}

static void test_quoting_enclave(void **state) {
  (void)state;
  static const struct {
    size_t at;
    uint8_t value;
    const char *wrong;
  } changes[] = {
      {16, 1, "qe_identity tcb_status"},
      {48, 0x13, "qe_identity tcb_status"},
      {48, 0x11, ""},
      {60, 1, ""},
      /* masked */ {128, 0, "qe_identity tcb_status"},
      {256, 3, "qe_identity tcb_status"},
      {258, 9, ""},
      {258, 7, "tcb_status"},
      {258, 5, "qe_identity tcb_status"},
  };
  for (size_t i = 0; i < COUNT(changes); i++) {
    struct scene s = genuine(3);
    s.quote.qe_report[changes[i].at] = changes[i].value;
    fails(s, changes[i].wrong);
  }
  for (size_t i = 0; i < 64; i++) { /* all of its report data count, the zeros, too */
    struct scene s = genuine(3);
    s.quote.spoil_key[i] = 1;
    fails(s, "attestation_key");
  }
}

#define NO_INFO "tcb_info tdx_module tcb_status"
#define NO_QE "qe_identity tcb_status"

/* What Intel says, signed as it should be. */
static void test_statements(void **state) {
  (void)state;
  static const struct {
    const char *from, *to, *wrong;
  } changes[] = {
      {"\"id\":\"TDX\"", "\"id\":\"SGX\"", NO_INFO},
      {"\"version\":3", "\"version\":2", NO_INFO},
      {"\"version\":3", "\"version\":\"3\"", NO_INFO},
      {"50806F000000", "50806F000001", NO_INFO},
      {"50806F000000", "50806F0000", NO_INFO},
      {"50806F000000", "50806f000000", ""},
      {"\"pceId\":\"0000\"", "\"pceId\":\"0001\"", NO_INFO},
      {"\"pcesvn\":11", "\"pcesvn\":12", NO_INFO}, /* the second level wants too much of the TDX components? no: 4 */
      {"\"tcbLevels\":[{\"tcb\":{\"sgx", "\"levels\":[{\"tcb\":{\"sgx", NO_INFO},
      {"{\"svn\":2}", "{\"svn\":-2}", NO_INFO},
      {"{\"svn\":2}", "{\"svn\":2.0}", NO_INFO},
      {"{\"svn\":2},", "", NO_INFO},
      {"\"tdxtcbcomponents\"", "\"tdxcomponents\"", NO_INFO},
      {"TDX_01", "TDX_02", "tdx_module tcb_status"},
      {"\"nextUpdate\":\"2026-10-14T00:00:00Z\",\"fmspc\"", "\"fmspc\"", NO_INFO},
      {"2026-09-14T00:00:00Z\",\"nextUpdate\":\"2026-10-14T00:00:00Z\",\"fmspc\"",
       "14.9.2026\",\"nextUpdate\":\"2026-10-14T00:00:00Z\",\"fmspc\"", NO_INFO},
      {"\"id\":\"TD_QE\"", "\"id\":\"QE\"", NO_QE},
      {"\"version\":2", "\"version\":1", NO_QE},
      {"9E9E", "9E9F", NO_QE},
      {"\"isvprodid\":2", "\"isvprodid\":1", NO_QE},
      {"\"miscselectMask\":\"FFFFFFFF\"", "\"miscselectMask\":\"FFFF\"", NO_QE},
      {"{\"isvsvn\":8}", "{\"isvsvn\":9}", "tcb_status"},
      {"{\"isvsvn\":8}", "{\"isvsvn\":\"8\"}", NO_QE},
  };
  for (size_t i = 0; i < COUNT(changes); i++) {
    struct scene s = genuine(4);
    s.from = changes[i].from;
    s.to = changes[i].to;
    if (strstr(changes[i].from, "pcesvn") != NULL) s.vendor.component[0] = 4; /* and so below the first level */
    fails(s, strstr(changes[i].from, "pcesvn") != NULL ? "tcb_status" : changes[i].wrong);
  }
}

static void expect_status(struct scene *s, const char *status, const char *advisories) {
  struct evidence_report r = play(s);
  const struct report_line *l = report_find(&r, "tcb_status"), *a = report_find(&r, "advisories");
  assert_non_null(l);
  if (strstr(l->value, status) == NULL) fail_msg("%s, not %s", l->value, status);
  if (advisories != NULL) assert_non_null(a);
  if (advisories != NULL) assert_string_equal(a->value, advisories);
}

static void test_levels(void **state) {
  (void)state;
  for (int tdx = 0; tdx < 2; tdx++) {
    struct scene s = genuine(tdx ? 4 : 3);
    expect_status(&s, "UpToDate", "none");
    s.vendor.component[0] = 4;
    expect_status(&s, "OutOfDate", "INTEL-SA-00001 INTEL-SA-00002");
    s.quote.qe_report[258] = 6;
    expect_status(&s, "OutOfDate", "INTEL-SA-00001 INTEL-SA-00002 INTEL-SA-00003");
    s.vendor.component[0] = 5;
    s.vendor.component[1] = 255; /* far above is not below elsewhere */
    s.quote.qe_report[258] = 200;
    expect_status(&s, "UpToDate", "none");
    s.vendor.component[7] = 2;
    expect_status(&s, "cannot be told", NULL);
    s.vendor.component[7] = 3;
    s.vendor.pce_svn = 10;
    expect_status(&s, "OutOfDate", NULL);
    s.vendor.pce_svn = 4;
    expect_status(&s, "cannot be told", NULL);
  }
}

static void test_merging(void **state) {
  (void)state;
  struct scene s = genuine(3);
  static const struct {
    const char *platform, *merged;
  } pairs[] = {{"\"UpToDate\"", "OutOfDate,"},
               {"\"SWHardeningNeeded\"", "OutOfDate,"},
               {"\"ConfigurationNeeded\"", "OutOfDateConfigurationNeeded"},
               {"\"ConfigurationAndSWHardeningNeeded\"", "OutOfDateConfigurationNeeded"},
               {"\"OutOfDateConfigurationNeeded\"", "OutOfDateConfigurationNeeded"},
               {"\"Revoked\"", "Revoked"}};
  s.quote.qe_report[258] = 6; /* out of date */
  s.from = "\"pcesvn\":11},\"tcbStatus\":\"UpToDate\"";
  for (size_t i = 0; i < COUNT(pairs); i++) {
    char level[128];
    (void)snprintf(level, sizeof level, "\"pcesvn\":11},\"tcbStatus\":%s", pairs[i].platform);
    s.to = level;
    expect_status(&s, pairs[i].merged, NULL);
  }
  s.to = "\"pcesvn\":11},\"tcbStatus\":\"Splendid\"";
  fails(s, "tcb_info tcb_status");
}

static void test_policy(void **state) {
  (void)state;
  struct scene s = genuine(3);
  s.vendor.component[0] = 4;
  fails(s, "tcb_status");
  s.policy.tcb_statuses = 1u << POLICY_TCB_OUT_OF_DATE;
  fails(s, "");
  s.vendor.component[0] = 5; /* only what is listed */
  fails(s, "tcb_status");
  s = genuine(3);
  s.from = "\"pcesvn\":11},\"tcbStatus\":\"UpToDate\"";
  s.to = "\"pcesvn\":11},\"tcbStatus\":\"Revoked\"";
  s.policy.tcb_statuses = UINT32_MAX; /* nobody accepts that */
  fails(s, "tcb_status");
  s = genuine(3);
  s.policy.min_tcb_evaluation = 17;
  fails(s, "");
  s.policy.min_tcb_evaluation = 18;
  fails(s, "tcb_evaluation");
  s = genuine(3);
  s.policy.sgx.min_svn = 4;
  fails(s, "isv_svn");
}

static void test_signer(void **state) {
  (void)state;
  struct scene s = genuine(3);
  s.policy.sgx.mrenclave.count = 0;
  expect(&s, REPORT_SKIPPED, "mrenclave");
  s.policy.sgx.mrsigner = listed(0x51, 32);
  fails(s, "isv_prod_id");
  s.policy.sgx.prod_id = 7;
  s.policy.sgx.min_svn = 3;
  fails(s, "");
  s.quote.body[128] = 0x52;
  fails(s, "mrsigner");
  s = genuine(4);
  s.policy.tdx.rtmr[3].count = 0;
  expect(&s, REPORT_SKIPPED, "rtmr3");
  s.policy.tdx.rtmr[3].any = true;
  fails(s, "");
}

/* ---- every byte ---- */

static void expect_bad(const struct scene *s, struct span quote, const char *what, size_t at) {
  struct evidence_report r = {0};
  verifier_of(s)->check(quote, report_data, &s->policy, &r);
  if (report_good(&r)) fail_msg("%s %zu", what, at);
}

/* One bit of the byte. */
static void flip(struct buf *b, size_t i) {
  b->data[i] = (uint8_t)(b->data[i] ^ 1u << i % 8);
}

#define BEGIN "-----BEGIN CERTIFICATE-----"
#define END "-----END CERTIFICATE-----"

static size_t find(const struct buf *quote, const char *text) {
  const uint8_t *at = memmem(quote->data, quote->len, text, strlen(text));
  assert_non_null(at);
  return (size_t)(at - quote->data);
}

/* Whether OpenSSL reads the same DER: the last digit of base64 has bits that say nothing, and of a spoilt END line the
 * reader makes out the certificate before it. */
static bool same_leaf(struct span pem, const uint8_t was[32]) {
  struct chain chain = {0};
  uint8_t is[32];
  bool same = chain_add_pem(&chain, pem) && chain_fingerprint(chain.certificate[0], is) && memcmp(is, was, 32) == 0;
  chain_free(&chain);
  return same;
}

/* Every byte counts, but for those of the leaf's issuers in the quote: the collateral holds the same certificates, so
 * it is no matter if these are spoilt as long as they parse. What is behind the quote is read by nobody. */
static void test_every_byte(void **state) {
  (void)state;
  static const unsigned some[] = {3, 53};
  for (size_t k = 0; k < COUNT(some); k++) {
    struct scene s = genuine(some[k]);
    struct intel *f = intel_new(&s.vendor);
    struct buf quote = buf_new(65536), collateral = buf_new(65536);
    put_scene(&s, f, &quote, &collateral);
    intel_root(f, s.policy.roots[0]);
    s.policy.collateral = buf_span(&collateral);
    size_t pem = find(&quote, BEGIN), end = find(&quote, END) + sizeof END - 1, same = 0;
    struct chain leaf = {0};
    uint8_t was[32];
    assert_true(chain_add_pem(&leaf, span_of(quote.data + pem, end - pem)));
    assert_true(chain_fingerprint(leaf.certificate[0], was));
    chain_free(&leaf);
    for (size_t i = 0; i < end; i += i < pem || k == 0 ? 1 : 7) {
      flip(&quote, i);
      if (i == pem - 6 || (i >= pem && same_leaf(span_of(quote.data + pem, quote.len - pem), was)))
        same++;
      else
        expect_bad(&s, buf_span(&quote), "byte", i);
      flip(&quote, i);
    }
    assert_in_range(same, 0, 8 + sizeof END);
    for (size_t len = 0; len < quote.len; len += len < 60 ? 1 : 31)
      expect_bad(&s, span_of(quote.data, len), "cut to", len);
    buf_free(&quote);
    buf_free(&collateral);
    intel_free(f);
  }
}

/* Collateral may come from anywhere: no bit of it that is changed can make good what it speaks against. */
static void test_collateral_cannot_be_bent(void **state) {
  (void)state;
  struct scene s = genuine(4);
  s.vendor.component[0] = 4; /* out of date */
  struct intel *f = intel_new(&s.vendor);
  struct buf quote = buf_new(65536), collateral = buf_new(65536);
  put_scene(&s, f, &quote, &collateral);
  intel_root(f, s.policy.roots[0]);
  s.policy.collateral = buf_span(&collateral);
  for (size_t i = 0; i < collateral.len; i += 7) {
    flip(&collateral, i);
    expect_bad(&s, buf_span(&quote), "collateral", i);
    flip(&collateral, i);
  }
  buf_free(&quote);
  buf_free(&collateral);
  intel_free(f);
}

static void test_wrong_kind(void **state) {
  (void)state;
  struct scene s = genuine(3);
  struct intel *f = intel_new(&s.vendor);
  struct buf quote = buf_new(65536);
  struct evidence_report r = {0};
  intel_put_quote(f, &s.quote, &quote);
  evidence_tdx.check(buf_span(&quote), report_data, &s.policy, &r);
  assert_int_equal(r.count, 1);
  assert_string_equal(r.lines[0].value, "the quote is from another kind of TEE");
  static const char *const broken[] = {"[]", "{}", "null", "{\"tcb_info\":1}", " "};
  for (size_t i = 0; i < COUNT(broken); i++) {
    r = (struct evidence_report){0};
    s.policy.collateral = span_text(broken[i]);
    evidence_sgx.check(buf_span(&quote), report_data, &s.policy, &r);
    assert_non_null(report_find(&r, "collateral"));
    assert_false(report_good(&r));
  }
  buf_free(&quote);
  intel_free(f);
}

/* ---- the whole: an attestation reply ---- */

#define DOCUMENT                                                                                                  \
  "{\"build\":\"neocompute "                                                                                      \
  "0.1.0\",\"cfg_sha256\":\"RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o\",\"cnf\":{\"jwks\":[{\"crv\":\"P-256\"," \
  "\"kty\":\"EC\","                                                                                               \
  "\"x\":\"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs\",\"y\":\"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA\"}," \
  "{\"crv\":\"X25519\",\"kty\":\"OKP\",\"x\":\"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM\"}]},\"eng\":\"e0\","  \
  "\"exp\":1797776000,\"iat\":1790000000,\"iso\":\"process\",\"iss\":\"neocompute\",\"tee\":\"tdx\",\"ver\":2}"

static void put_reply(struct buf *b, struct span quote) {
  const struct span document = span_text(DOCUMENT);
  uint8_t hash[HASH_SIZE];
  assert_int_equal(hash_sha256(&document, 1, hash), RESULT_OK);
  buf_put_text(b, "{\"document\":\"");
  base64_put_url(b, document);
  buf_put_text(b, "\",\"evidence\":{\"type\":\"tdx\",\"media_type\":\"application/vnd.intel.tdx-quote\",\"raw\":\"");
  base64_put_url(b, quote);
  buf_put_text(b, "\"},\"document_sha256\":\"");
  text_put_hex(b, span_of(hash, sizeof hash));
  buf_put_text(b, "\"}");
}

static void test_reply(void **state) {
  (void)state;
  const struct span bound[] = {span_of("neocompute-key-binding-v1", 26), span_text(DOCUMENT)};
  struct scene s = genuine(4);
  struct forged {
    struct buf quote, collateral, reply, text;
  } b = {buf_new(65536), buf_new(65536), buf_new(65536), buf_new(262144)};
  struct intel *f = intel_new(&s.vendor);
  struct evidence_verdict v;
  assert_int_equal(hash_sha512(bound, 2, s.quote.body + 520), RESULT_OK);
  put_scene(&s, f, &b.quote, &b.collateral);
  put_reply(&b.reply, buf_span(&b.quote));
  intel_root(f, s.policy.roots[0]);
  assert_int_equal(evidence_check(buf_span(&b.reply), &s.policy, &b.text, &v), RESULT_NOT_VERIFIED);
  assert_string_equal(v.problem, "revocation of the platform needs Intel's collateral");
  s.policy.collateral = buf_span(&b.collateral);
  if (evidence_check(buf_span(&b.reply), &s.policy, &b.text, &v) != RESULT_OK) fail_msg("%s", v.problem);
  assert_true(span_is(v.tee, "tdx") && report_good(&v.report) && report_find(&v.report, "age") != NULL);
  s.policy.tdx.mrtd.items[0][0] ^= 1;
  assert_int_equal(evidence_check(buf_span(&b.reply), &s.policy, &b.text, &v), RESULT_NOT_VERIFIED);
  assert_ptr_equal(v.problem, report_find(&v.report, "mrtd")->value);
  buf_free(&b.quote);
  buf_free(&b.collateral);
  buf_free(&b.reply);
  buf_free(&b.text);
  intel_free(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_genuine),
      cmocka_unit_test(test_without_collateral),
      cmocka_unit_test(test_vendor),
      cmocka_unit_test(test_pinned_root),
      cmocka_unit_test(test_time),
      cmocka_unit_test(test_reports),
      cmocka_unit_test(test_quoting_enclave),
      cmocka_unit_test(test_statements),
      cmocka_unit_test(test_levels),
      cmocka_unit_test(test_merging),
      cmocka_unit_test(test_policy),
      cmocka_unit_test(test_signer),
      cmocka_unit_test(test_every_byte),
      cmocka_unit_test(test_collateral_cannot_be_bent),
      cmocka_unit_test(test_wrong_kind),
      cmocka_unit_test(test_reply),
  };
  return cmocka_run_group_tests_name("dcap", tests, start_crypto, stop_crypto);
}
