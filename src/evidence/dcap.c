/* Intel's evidence: from the report back to Intel's root, and from Intel's collateral to what the platform is worth. */
#include "evidence/collateral.h"
#include "evidence/pck.h"
#include "evidence/quote.h"
#include "evidence/show.h"
#include "evidence/tcb.h"
#include "evidence/verifier.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define PCK_NAME "Intel SGX PCK Certificate"
#define NO_COLLATERAL "needs Intel's collateral"

struct inspection {
  const struct evidence_policy *policy;
  struct evidence_report *report;
  struct quote quote;
  struct collateral collateral;
  bool has_collateral;
  struct chain own; /* certificates that came with the quote */
  X509 *leaf;       /* the platform's; borrowed */
  struct pck pck;
  bool has_pck;
};

static void line(struct inspection *i, const char *name, const char *problem, const char *if_so) {
  if (problem == NULL)
    report_ok(i->report, name, "%s", if_so);
  else
    report_fail(i->report, name, "%s", problem);
}

/* ---- the platform's key ---- */

/* NULL, or why there is no certificate of the platform. */
static const char *find_leaf(struct inspection *i) {
  const struct quote *q = &i->quote;
  const bool inside = q->certification >= QUOTE_PCK_LEAF;
  if (inside && !chain_add(&i->own, q->certificates)) return "the quote's certificates cannot be read";
  i->leaf = chain_find(inside ? &i->own : &i->collateral.pck, PCK_NAME);
  if (i->leaf != NULL) return NULL;
  return inside ? "the quote's certificates do not hold one " PCK_NAME
                : "neither the quote nor the collateral holds one " PCK_NAME;
}

static const char *find_issuer_problem(const X509 *leaf) {
  char issuer[64] = "";
  bool known = chain_issuer(leaf, issuer, sizeof issuer) &&
               (strcmp(issuer, "Intel SGX PCK Platform CA") == 0 || strcmp(issuer, "Intel SGX PCK Processor CA") == 0);
  return known ? NULL : "the certificate's issuer is not one of Intel's for platforms";
}

static struct chain_request pck_request(const struct inspection *i) {
  const struct collateral *c = &i->collateral;
  return (struct chain_request){.leaf = i->leaf,
                                .pools = {&i->own, &c->pck_issuers, &c->pck},
                                .roots = roots_of(ROOTS_INTEL_SGX, i->policy),
                                .now = i->policy->now,
                                .crls = {c->crls[0], c->crls[1]}};
}

static void check_platform(struct inspection *i) {
  const char *problem = find_leaf(i);
  if (problem == NULL) problem = find_issuer_problem(i->leaf);
  struct chain_request request = pck_request(i);
  if (problem == NULL) problem = chain_verify(&request);
  line(i, "pck_chain", problem, "to a pinned root of Intel's");
  if (!i->has_collateral) {
    report_skip(i->report, "revocation", "revocation of the platform " NO_COLLATERAL);
  } else {
    request.crl_count = 2;
    line(i, "revocation", i->leaf != NULL ? chain_verify(&request) : problem, "not revoked");
  }
  struct span extension;
  i->has_pck = i->leaf != NULL && chain_extension(i->leaf, PCK_OID, &extension) && pck_read(extension, &i->pck);
}

/* ---- signatures, from the platform's key down to the report ---- */

static const char *find_key_problem(const struct quote *q) {
  const struct span bound[] = {q->attestation_key, q->qe_auth};
  const struct span data = quote_get(q->qe_report, QUOTE_SGX_REPORT_DATA);
  uint8_t want[64] = {0};
  if (hash_sha256(bound, COUNT(bound), want) != RESULT_OK) return "hashing failed";
  return span_equal(data, span_of(want, sizeof want)) ? NULL : "the quoting enclave vouches for another key";
}

static void check_signatures(struct inspection *i) {
  const struct quote *q = &i->quote;
  EVP_PKEY *platform = i->leaf != NULL ? X509_get0_pubkey(i->leaf) : NULL;
  EVP_PKEY *attestation = chain_p256(q->attestation_key.data);
  line(i, "qe_signature",
       chain_signed(platform, q->qe_report, q->qe_signature) ? NULL
                                                             : "the quoting enclave's report is not the platform's",
       "by the platform's key");
  line(i, "attestation_key", find_key_problem(q), "vouched for by the quoting enclave");
  line(i, "quote_signature",
       chain_signed(attestation, q->signed_part, q->signature) ? NULL : "the quote's signature does not fit",
       "by the attestation key");
  EVP_PKEY_free(attestation);
}

/* ---- what the platform is worth ---- */

static void skip_tcb(struct inspection *i) {
  static const char *const names[] = {"tcb_info", "qe_identity", "tdx_module", "tcb_status"};
  for (size_t n = 0; n < COUNT(names); n++) {
    if (n != 2 || i->quote.tdx) report_skip(i->report, names[n], "%s " NO_COLLATERAL, names[n]);
  }
}

static void check_evaluation(struct inspection *i) {
  uint32_t info = collateral_evaluation(&i->collateral.tcb_info),
           qe = collateral_evaluation(&i->collateral.qe_identity);
  uint32_t lower = info < qe ? info : qe;
  if (lower >= i->policy->min_tcb_evaluation)
    report_ok(i->report, "tcb_evaluation", "%u", lower);
  else
    report_fail(i->report, "tcb_evaluation", "the collateral is of TCB evaluation %u, and the policy asks for %u",
                lower, i->policy->min_tcb_evaluation);
}

static void check_status(struct inspection *i, const struct tcb_finding *findings, size_t count) {
  char memory[REPORT_VALUE_MAX] = "";
  struct buf advisories = buf_fixed(memory, sizeof memory - 1);
  enum policy_tcb status = findings[0].status;
  for (size_t k = 1; k < count; k++) status = tcb_merge(status, findings[k].status);
  if (policy_accepts_tcb(i->policy, status))
    report_ok(i->report, "tcb_status", "%s", policy_tcb_name(status));
  else
    report_fail(i->report, "tcb_status", "the TCB status is %s, which the policy does not accept",
                policy_tcb_name(status));
  tcb_put_advisories(&advisories, findings, count);
  report_ok(i->report, "advisories", "%s%s", memory[0] != 0 ? memory : "none", advisories.bad ? " and more" : "");
}

/* One line a source; the status only when all have spoken. */
static void check_tcb(struct inspection *i) {
  struct collateral *c = &i->collateral;
  struct tcb_finding findings[3];
  size_t count = 0;
  const char *info = collateral_problem(c, &c->tcb_info, i->policy),
             *qe = collateral_problem(c, &c->qe_identity, i->policy);
  if (!i->has_pck) info = "the platform's certificate does not say which platform it is";
  if (info == NULL) info = tcb_is_for(c->tcb_info.json, &i->pck, i->quote.tdx);
  if (info == NULL) info = tcb_platform(c->tcb_info.json, &i->pck, &i->quote, &findings[count++]);
  line(i, "tcb_info", info, "Intel's, for this platform, current");
  if (qe == NULL) qe = tcb_qe(c->qe_identity.json, &i->quote, &findings[count++]);
  line(i, "qe_identity", qe, "Intel's quoting enclave");
  const char *module = info;
  if (i->quote.tdx && module == NULL) module = tcb_module(c->tcb_info.json, &i->quote, &findings[count++]);
  if (i->quote.tdx) line(i, "tdx_module", module, "Intel's");
  check_evaluation(i);
  if (info == NULL && qe == NULL && module == NULL)
    check_status(i, findings, count);
  else
    report_fail(i->report, "tcb_status", "the platform's TCB status cannot be told");
}

/* ---- what runs there ---- */

static void check_report_data(struct inspection *i, const uint8_t want[EVIDENCE_REPORT_DATA]) {
  struct span data = quote_get(i->quote.body, i->quote.tdx ? QUOTE_TD_REPORT_DATA : QUOTE_SGX_REPORT_DATA);
  bool same = span_equal(data, span_of(want, EVIDENCE_REPORT_DATA));
  line(i, "report_data", same ? NULL : "the evidence is for another document", "the document's");
}

#define SGX_DEBUG 0x02u

/* The signer's word, too, is only as good as the product and the version that it is about. */
static void check_signer(struct inspection *i) {
  unsigned product = quote_get_u16(i->quote.body, QUOTE_ISVPRODID);
  report_measurement(i->report, "mrsigner", &i->policy->sgx.mrsigner, quote_get(i->quote.body, QUOTE_MRSIGNER));
  if (product == i->policy->sgx.prod_id)
    report_ok(i->report, "isv_prod_id", "%u", product);
  else
    report_fail(i->report, "isv_prod_id", "the enclave is product %u, and the policy takes %u", product,
                i->policy->sgx.prod_id);
}

static bool speaks(const struct policy_list *list) {
  return list->any || list->count > 0;
}

static void check_enclave(struct inspection *i) {
  const struct evidence_policy *p = i->policy;
  unsigned svn = quote_get_u16(i->quote.body, QUOTE_ISVSVN);
  bool debug = (quote_get(i->quote.body, QUOTE_ATTRIBUTES).data[0] & SGX_DEBUG) != 0;
  line(i, "debug", debug ? "the enclave can be debugged: its host reads all of it" : NULL, "off");
  if (speaks(&p->sgx.mrenclave) || !speaks(&p->sgx.mrsigner))
    report_measurement(i->report, "mrenclave", &p->sgx.mrenclave, quote_get(i->quote.body, QUOTE_MRENCLAVE));
  if (speaks(&p->sgx.mrsigner)) check_signer(i);
  if (svn >= p->sgx.min_svn)
    report_ok(i->report, "isv_svn", "%u", svn);
  else
    report_fail(i->report, "isv_svn", "the enclave's version is %u, and the policy asks for %u", svn, p->sgx.min_svn);
}

/* TD attributes (Intel TDX Module ABI specification): all of the lowest byte is "under debug" in some way; bit 29 lets
 * the domain move to a machine that a service domain chooses. SEPT_VE_DISABLE keeps the host from injecting #VE by
 * taking pages away. */
#define SEPT_VE_DISABLE (1ull << 28)
#define TD_KNOWN (SEPT_VE_DISABLE | 1ull << 30 /* PKS */ | 1ull << 31 /* KL */ | 1ull << 63 /* PERFMON */)

static void check_attributes(struct inspection *i) {
  struct cursor c = cursor_of(quote_get(i->quote.body, QUOTE_TD_ATTRIBUTES));
  uint64_t attributes = cursor_u64(&c);
  line(i, "debug", (attributes & 0xff) != 0 ? "the trust domain can be debugged: its host reads all of it" : NULL,
       "off");
  const bool safe = (attributes & ~(TD_KNOWN | 0xff)) == 0 && (attributes & SEPT_VE_DISABLE) != 0;
  if (safe)
    report_ok(i->report, "td_attributes", "%016llx", (unsigned long long)attributes);
  else
    report_fail(i->report, "td_attributes", "the trust domain's attributes %016llx are not safe ones",
                (unsigned long long)attributes);
}

static void check_service(struct inspection *i) {
  if (i->quote.body.len < QUOTE_TD_REPORT_15) return;
  struct span service = quote_get(i->quote.body, QUOTE_MRSERVICETD);
  bool bound = false;
  for (size_t k = 0; k < service.len; k++) bound = bound || service.data[k] != 0;
  line(i, "service_td", bound ? "a service domain is bound to the trust domain" : NULL, "none");
}

static void check_domain(struct inspection *i) {
  static const char *const names[POLICY_RTMRS] = {"rtmr0", "rtmr1", "rtmr2", "rtmr3"};
  check_attributes(i);
  check_service(i);
  report_measurement(i->report, "mrtd", &i->policy->tdx.mrtd, quote_get(i->quote.body, QUOTE_MRTD));
  for (unsigned n = 0; n < POLICY_RTMRS; n++)
    report_measurement(i->report, names[n], &i->policy->tdx.rtmr[n], quote_get(i->quote.body, QUOTE_RTMR(n)));
}

/* ---- the whole ---- */

static void inspect(struct inspection *i, const uint8_t report_data[EVIDENCE_REPORT_DATA]) {
  check_platform(i);
  check_signatures(i);
  if (i->has_collateral)
    check_tcb(i);
  else
    skip_tcb(i);
  if (i->quote.tdx)
    check_domain(i);
  else
    check_enclave(i);
  check_report_data(i, report_data);
}

static const char *open_collateral(struct inspection *i) {
  i->has_collateral = i->policy->collateral.len > 0;
  return i->has_collateral ? collateral_read(i->policy->collateral, &i->collateral) : NULL;
}

static void check(struct span raw, bool tdx, const uint8_t report_data[EVIDENCE_REPORT_DATA],
                  const struct evidence_policy *policy, struct evidence_report *report) {
  struct inspection i = {.policy = policy, .report = report};
  const char *problem = quote_read(raw, &i.quote);
  if (problem == NULL && i.quote.tdx != tdx) problem = "the quote is from another kind of TEE";
  if (problem == NULL)
    report_ok(report, "format", "quote version %u, %zu bytes behind it", i.quote.version, i.quote.trailing);
  else
    report_fail(report, "format", "%s", problem);
  const char *collateral = problem == NULL ? open_collateral(&i) : NULL;
  if (collateral != NULL) report_fail(report, "collateral", "%s", collateral);
  if (problem == NULL && collateral == NULL) inspect(&i, report_data);
  chain_free(&i.own);
  collateral_free(&i.collateral);
}

static void check_sgx(struct span raw, const uint8_t report_data[EVIDENCE_REPORT_DATA],
                      const struct evidence_policy *policy, struct evidence_report *report) {
  check(raw, false, report_data, policy, report);
}

static void check_tdx(struct span raw, const uint8_t report_data[EVIDENCE_REPORT_DATA],
                      const struct evidence_policy *policy, struct evidence_report *report) {
  check(raw, true, report_data, policy, report);
}

const struct evidence_verifier evidence_sgx = {"sgx", "application/vnd.intel.sgx-quote", check_sgx, show_quote};
const struct evidence_verifier evidence_tdx = {"tdx", "application/vnd.intel.tdx-quote", check_tdx, show_quote};
