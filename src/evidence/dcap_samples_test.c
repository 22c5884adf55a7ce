/*
 * Real evidence that others made, with the outcome that is known of it. The files are not part of this tree (they are
 * other people's): EVIDENCE_SAMPLES names their folder; without them this test says so and checks nothing.
 */
#include "evidence/quote.h"
#include "evidence/verifier.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "crypto/testing.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define FILE_MAX (1u << 20)

static const char *folder;

static struct buf read_sample(const char *name) {
  char path[4096];
  struct buf b = buf_new(FILE_MAX);
  (void)snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  if (file == NULL) fail_msg("%s: %s", path, strerror(errno));
  uint8_t *place = buf_extend(&b, FILE_MAX);
  b.len = fread(place, 1, FILE_MAX, file);
  (void)fclose(file);
  return b;
}

static uint64_t at(const char *instant) {
  uint64_t ns = 0;
  assert_int_equal(text_rfc3339(span_text(instant), &ns), RESULT_OK);
  return ns / 1000000000u;
}

/* ---- collateral, put together from replies of Intel's service ---- */

struct parts {
  const char *tcb_info, *tcb_signers, *qe_identity, *root_crl, *pck_crl, *pck_signers, *pck;
};

struct wanted {
  const char *name;
  struct span value;
};

static enum result pick(void *context, const struct json_item *item) {
  struct wanted *w = context;
  struct buf name = buf_new(64);
  if (json_get_string(item->key, &name) && span_is(buf_span(&name), w->name)) w->value = item->value;
  buf_free(&name);
  return RESULT_OK;
}

static struct span member(struct span object, const char *name) {
  struct wanted w = {.name = name};
  size_t where = 0;
  assert_int_equal(json_each(object, 64, pick, &w, &where), RESULT_OK);
  assert_true(w.value.len > 0);
  return w.value;
}

static void put(json_t *collateral, const char *name, struct span text) {
  assert_int_equal(json_object_set_new(collateral, name, json_stringn((const char *)text.data, text.len)), 0);
}

/* {"tcbInfo":{…},"signature":"…"}: the object's bytes as they stand. */
static void put_statement(json_t *collateral, const char *file, const char *inner, const char *name) {
  char signature_name[64];
  struct buf reply = read_sample(file);
  struct span signature = member(buf_span(&reply), "signature");
  put(collateral, name, member(buf_span(&reply), inner));
  (void)snprintf(signature_name, sizeof signature_name, "%s_signature", name);
  put(collateral, signature_name, span_of(signature.data + 1, signature.len - 2));
  buf_free(&reply);
}

static void put_file(json_t *collateral, const char *name, const char *file) {
  struct buf text = read_sample(file), hex = buf_new(FILE_MAX);
  const bool der = text.data[0] == 0x30;
  if (der) text_put_hex(&hex, buf_span(&text));
  put(collateral, name, der ? buf_span(&hex) : buf_span(&text));
  buf_free(&text);
  buf_free(&hex);
}

static char *collateral_of(const struct parts *p) {
  json_t *c = json_object();
  put_statement(c, p->tcb_info, "tcbInfo", "tcb_info");
  put_statement(c, p->qe_identity, "enclaveIdentity", "qe_identity");
  put_file(c, "tcb_info_issuer_chain", p->tcb_signers);
  put_file(c, "qe_identity_issuer_chain", p->tcb_signers);
  put_file(c, "root_ca_crl", p->root_crl);
  put_file(c, "pck_crl", p->pck_crl);
  put_file(c, "pck_crl_issuer_chain", p->pck_signers);
  if (p->pck != NULL) put_file(c, "pck_certificate_chain", p->pck);
  char *text = json_dumps(c, 0);
  json_decref(c);
  return text;
}

/* ---- the samples ---- */

static const struct parts spr = {.tcb_info = "tdx/google_sample_tcbInfo_response.json",
                                 .tcb_signers = "tdx/automata_dcaprs_tcb_signing_cert.pem",
                                 .qe_identity = "tdx/google_sample_qeIdentity_response.json",
                                 .root_crl = "tdx/google_rootcrl.der",
                                 .pck_crl = "tdx/google_pckcrl",
                                 .pck_signers = "tdx/automata_dcaprs_tcb_signing_cert.pem"};
static const struct parts intel_sgx = {.tcb_info = "sgx/intel_qvl_sample_tcbInfo.json",
                                       .tcb_signers = "sgx/intel_qvl_sample_tcbSignChain.pem",
                                       .qe_identity = "sgx/intel_qvl_sample_qeIdentity.json",
                                       .root_crl = "sgx/intel_qvl_sample_rootCaCrl.pem",
                                       .pck_crl = "sgx/intel_qvl_sample_intermediateCaCrl.pem",
                                       .pck_signers = "sgx/intel_qvl_sample_pckSignChain.pem",
                                       .pck = "sgx/intel_qvl_sample_pckCert.pem"};
static const struct parts intel_tdx = {.tcb_info = "tdx/intel_qvl_sample_tcbInfo.json",
                                       .tcb_signers = "tdx/intel_qvl_sample_tcbSignChain.pem",
                                       .qe_identity = "tdx/intel_qvl_sample_qeIdentity.json",
                                       .root_crl = "tdx/intel_qvl_sample_rootCaCrl.der",
                                       .pck_crl = "tdx/intel_qvl_sample_intermediateCaCrl.der",
                                       .pck_signers = "tdx/intel_qvl_sample_pckSignChain.pem"};

#define ANY_RTMR "\"rtmr0\":\"any\",\"rtmr1\":\"any\",\"rtmr2\":\"any\",\"rtmr3\":\"any\""
#define MRENCLAVE "{\"sgx\":{\"mrenclave\":[\"33d8736db756ed4997e04ba358d27833188f1932ff7b1d156904d3f560452fbb\"]}"
#define STATUS ",\"tcb_statuses\":[\"ConfigurationAndSWHardeningNeeded\"]}"
#define ANY_TD "{\"tdx\":{\"mrtd\":\"any\"," ANY_RTMR "}}"
#define INTEL_SGX_ROOT "842a5bcb64ba3f7d755036ce1bb85778b3481a5dd75f4731c381b8eea658aa0d"
#define INTEL_TDX_ROOT "bf85a53fc08f84cb1f73a4f75f48af566e30ac040699ba0ec1b8d593c05b56fc"
#define SKIPPED_SGX "revocation tcb_info qe_identity tcb_status"
#define SKIPPED_TDX "revocation tcb_info qe_identity tdx_module tcb_status"
#define UNTRUSTED "pck_chain revocation tcb_info qe_identity tdx_module tcb_status"
#define PHALA_COLLATERAL "sgx/phala_sgx_quote_v3.collateral.json"

/* Lines that are in neither list are OK. */
struct sample {
  const char *quote, *at, *policy;
  const struct parts *parts; /* or */
  const char *collateral;
  const char *failed, *skipped;
};

static const struct sample samples[] = {
    {"sgx/phala_sgx_quote_v3.bin", "2025-07-01T00:00:00Z", MRENCLAVE STATUS, NULL, PHALA_COLLATERAL, "", ""},
    {"sgx/phala_sgx_quote_v3.bin", "2025-07-01T00:00:00Z", MRENCLAVE "}", NULL, PHALA_COLLATERAL, "tcb_status", ""},
    {"sgx/phala_sgx_quote_v3.bin", "2025-07-01T00:00:00Z", MRENCLAVE "}", NULL, NULL, "", SKIPPED_SGX},
    {"sgx/phala_sgx_quote_v3.bin", "2025-07-19T10:01:19Z", MRENCLAVE STATUS, NULL, PHALA_COLLATERAL,
     "qe_identity tcb_status", ""},
    {"sgx/phala_sgx_quote_v3.bin", "2025-07-20T00:00:00Z", MRENCLAVE STATUS, NULL, PHALA_COLLATERAL,
     "revocation tcb_info qe_identity tcb_status", ""},
    {"sgx/phala_sgx_quote_v3.bin", "2025-06-19T10:56:10Z", MRENCLAVE STATUS, NULL, PHALA_COLLATERAL,
     "tcb_info tcb_status", ""},
    /* below all levels of that TCB info (its microcode is 3, the lowest level wants 5), and #VE can be injected */
    {"tdx/google_tdx_prod_quote_SPR_E4_v4.bin", "2023-07-01T00:00:00Z",
     "{\"tdx\":{\"mrtd\":["
     "\"6363b8043668a3ad953278e10389574d326c6749fb78aa810ecd9336923db86f22fc00b8dcd404bc10d5e119d7215cb"
     "b\"]," ANY_RTMR "}}",
     &spr, NULL, "tcb_info tdx_module tcb_status td_attributes", ""},
    {"tdx/google_tdx_prod_quote_SPR_E4_v4.bin", "2023-07-01T00:00:00Z", ANY_TD, NULL, NULL, "td_attributes",
     SKIPPED_TDX},
    {"tdx/google_cos113_tdx_quote_v4.bin", "2025-01-01T00:00:00Z", ANY_TD, NULL, NULL, "", SKIPPED_TDX},
    {"tdx/google_cos113_tdx_quote_v4.bin", "2024-07-01T00:00:00Z", ANY_TD, NULL, NULL, "pck_chain", SKIPPED_TDX},
    {"tdx/coco_tdx_quote_4.bin", "2025-01-01T00:00:00Z", ANY_TD, NULL, NULL, "debug", SKIPPED_TDX},
    {"tdx/google_quote_v5_sample.bin", "2026-02-15T00:00:00Z", "{\"tdx\":{\"mrtd\":\"any\"," ANY_RTMR "}}", NULL, NULL,
     "", SKIPPED_TDX},
    {"tdx/google_quote_v5_sample.bin", "2026-01-01T00:00:00Z", ANY_TD, NULL, NULL, "pck_chain", SKIPPED_TDX},
    /* Intel's own, under a root of the sample's. The first has TCB info of a version that is no more; the second's is
     * of no platform, and its quoting enclave is not signed by whom its identity names. */
    {"sgx/intel_qvl_sample_quote.dat", "2022-01-01T00:00:00Z",
     "{\"roots\":[\"" INTEL_SGX_ROOT "\"],\"sgx\":{\"mrenclave\":\"any\"}}", &intel_sgx, NULL, "tcb_info tcb_status",
     ""},
    {"sgx/intel_qvl_sample_quote.dat", "2022-01-01T00:00:00Z", "{\"sgx\":{\"mrenclave\":\"any\"}}", &intel_sgx, NULL,
     "pck_chain revocation tcb_info qe_identity tcb_status", ""},
    {"sgx/intel_qvl_sample_quote.dat", "2022-01-01T00:00:00Z", "{\"sgx\":{\"mrenclave\":\"any\"}}", NULL, NULL,
     "pck_chain qe_signature", SKIPPED_SGX},
    {"tdx/intel_qvl_sample_quote.dat", "2022-01-01T00:00:00Z",
     "{\"roots\":[\"" INTEL_TDX_ROOT "\"],\"tdx\":{\"mrtd\":\"any\"," ANY_RTMR "}}", &intel_tdx, NULL,
     "tcb_info qe_identity tdx_module tcb_status td_attributes", ""},
    {"tdx/intel_qvl_sample_quote.dat", "2022-01-01T00:00:00Z", ANY_TD, &intel_tdx, NULL, UNTRUSTED " td_attributes",
     ""},
};

/* What the sample is checked with; the report data are its own. */
struct question {
  struct buf quote, collateral;
  struct evidence_policy policy;
  const struct evidence_verifier *verifier;
  uint8_t report_data[64];
};

static struct question ask(const struct sample *s) {
  struct question q = {.quote = read_sample(s->quote), .verifier = s->quote[0] == 't' ? &evidence_tdx : &evidence_sgx};
  struct buf problem = buf_new(256);
  struct quote parsed;
  q.policy.now = at(s->at);
  if (policy_read(span_text(s->policy), &q.policy, &problem) != RESULT_OK) fail_msg("%s", (const char *)problem.data);
  if (s->collateral != NULL) q.collateral = read_sample(s->collateral);
  if (s->parts != NULL) {
    char *text = collateral_of(s->parts);
    q.collateral = buf_new(FILE_MAX);
    buf_put_text(&q.collateral, text);
    free(text);
  }
  q.policy.collateral = buf_span(&q.collateral);
  assert_null(quote_read(buf_span(&q.quote), &parsed));
  struct span data = quote_get(parsed.body, parsed.tdx ? QUOTE_TD_REPORT_DATA : QUOTE_SGX_REPORT_DATA);
  memcpy(q.report_data, data.data, data.len);
  return q;
}

static void done(struct question *q) {
  buf_free(&q->quote);
  buf_free(&q->collateral);
}

static struct evidence_report answer(const struct question *q, struct span quote) {
  struct evidence_report r = {0};
  q->verifier->check(quote, q->report_data, &q->policy, &r);
  return r;
}

static bool named(const char *names, const char *name) {
  const char *at = strstr(names, name);
  size_t len = strlen(name);
  return at != NULL && (at == names || at[-1] == ' ') && (at[len] == ' ' || at[len] == 0);
}

static size_t words(const char *names) {
  size_t count = names[0] != 0;
  for (; *names != 0; names++) count += *names == ' ';
  return count;
}

static void test_outcomes(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(samples); i++) {
    const struct sample *s = &samples[i];
    struct question q = ask(s);
    struct evidence_report r = answer(&q, buf_span(&q.quote));
    size_t wrong = 0;
    for (size_t k = 0; k < r.count; k++) {
      const struct report_line *l = &r.lines[k];
      enum report_state wanted = named(s->failed, l->name)    ? REPORT_FAILED
                                 : named(s->skipped, l->name) ? REPORT_SKIPPED
                                                              : REPORT_OK;
      if (l->state != wanted) fail_msg("%s (%zu): %s: %s", s->quote, i, l->name, l->value);
      wrong += l->state != REPORT_OK;
    }
    assert_int_equal(wrong, words(s->failed) + words(s->skipped));
    assert_int_equal(report_good(&r), wrong == 0);
    done(&q);
  }
}

static void test_values(void **state) {
  (void)state;
  struct question q = ask(&samples[0]);
  struct evidence_report r = answer(&q, buf_span(&q.quote));
  assert_memory_equal(q.report_data, "Hello, world!", 14);
  assert_string_equal(report_find(&r, "tcb_status")->value, "ConfigurationAndSWHardeningNeeded");
  assert_string_equal(report_find(&r, "advisories")->value, "INTEL-SA-00289 INTEL-SA-00615");
  assert_string_equal(report_find(&r, "tcb_evaluation")->value, "17");
  q.report_data[63] = 1;
  r = answer(&q, buf_span(&q.quote));
  assert_string_equal(report_worst(&r)->name, "report_data");
  done(&q);
}

/* All that is in the quote itself. */
static bool holds(const struct evidence_report *r) {
  static const char *const names[] = {"format", "pck_chain", "qe_signature", "attestation_key", "quote_signature"};
  for (size_t i = 0; i < COUNT(names); i++) {
    const struct report_line *l = report_find(r, names[i]);
    if (l == NULL || l->state != REPORT_OK) return false;
  }
  return true;
}

/* One bit of the byte. */
static void flip(struct buf *b, size_t i) {
  b->data[i] = (uint8_t)(b->data[i] ^ 1u << i % 8);
}

/* Without collateral the quote's certificates are all there are, so that each byte of them counts, too. Nobody reads
 * what is behind the quote, and PEM has bytes that say nothing: white space, and bits of base64's last digit. */
static void test_every_byte(void **state) {
  (void)state;
  static const size_t some[] = {2, 8};
  for (size_t k = 0; k < COUNT(some); k++) {
    struct question q = ask(&samples[some[k]]);
    struct quote parsed;
    size_t idle = 0;
    assert_null(quote_read(buf_span(&q.quote), &parsed));
    const size_t end = q.quote.len - parsed.trailing, pem = (size_t)(parsed.certificates.data - q.quote.data);
    for (size_t i = 0; i < end; i++) {
      flip(&q.quote, i);
      struct evidence_report r = answer(&q, buf_span(&q.quote));
      if (holds(&r) && i < pem) fail_msg("%s: byte %zu", samples[some[k]].quote, i);
      idle += holds(&r);
      flip(&q.quote, i);
    }
    assert_in_range(idle, 0, 200);
    print_message("%s: %zu bytes, %zu of them in PEM say nothing\n", samples[some[k]].quote, end, idle);
    done(&q);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_outcomes),
      cmocka_unit_test(test_values),
      cmocka_unit_test(test_every_byte),
  };
  folder = getenv("EVIDENCE_SAMPLES");
  if (folder == NULL) folder = EVIDENCE_SAMPLES;
  if (access(folder, R_OK) != 0) {
    print_message("NOT TESTED: there are no samples of evidence in %s (set EVIDENCE_SAMPLES)\n", folder);
    return 77; /* skipped, to CTest */
  }
  return cmocka_run_group_tests_name("dcap_samples", tests, start_crypto, stop_crypto);
}
