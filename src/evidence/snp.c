/*
 * AMD SEV-SNP. The evidence is what Linux gives (configfs-tsm): the report (outblob, 1184 bytes), and behind it, unless
 * it is empty, the host's table of certificates (auxblob). What the host does not give comes with the collateral, as
 * AMD's key distribution service has it; one JSON object of strings:
 *   vek_certificate_chain   PEM: certificates of the signing key, of its issuer, and the root, in any order
 *   ark_crl                 the issuers that the root has revoked: DER in hexadecimal, or PEM
 * Other members are left alone.
 */
#include <inttypes.h>
#include <jansson.h>
#include <openssl/err.h>

#include "base/text.h"
#include "evidence/chain.h"
#include "evidence/show.h"
#include "evidence/snp_vek.h"
#include "evidence/verifier.h"

#define CRL_MAX (1u << 20)

struct snp {
  const struct evidence_policy *policy;
  struct evidence_report *report;
  struct snp_report shown;
  struct snp_vek vek;
  struct chain from_host, from_collateral;
  json_t *collateral;
  X509 *signer; /* the certificate of the key that signed, in one of the chains; NULL: not known */
};

/* ---- reading ---- */

static bool add_table(struct snp *s, struct span bytes) {
  struct snp_table table;
  const char *problem = bytes.len > 0 ? snp_report_table(bytes, &table) : NULL;
  if (problem != NULL) {
    report_fail(s->report, "format", "%s", problem);
    return false;
  }
  for (size_t i = 0; bytes.len > 0 && i < SNP_CERTS; i++) {
    if (table.cert[i].len == 0 || chain_add(&s->from_host, table.cert[i])) continue;
    report_fail(s->report, "format", "the host's table has a certificate that is none");
    return false;
  }
  return true;
}

static bool add_collateral(struct snp *s) {
  struct span text = s->policy->collateral;
  if (text.len == 0) return true;
  s->collateral = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
  const char *certificates = json_string_value(json_object_get(s->collateral, "vek_certificate_chain"));
  if (json_is_object(s->collateral) &&
      (certificates == NULL || chain_add_pem(&s->from_collateral, span_text(certificates))))
    return true;
  report_fail(s->report, "collateral", "the collateral is not JSON with certificates in PEM");
  return false;
}

static bool read_evidence(struct snp *s, struct span raw) {
  size_t front = raw.len < SNP_REPORT_SIZE ? raw.len : SNP_REPORT_SIZE;
  const char *problem = snp_report_read(span_of(raw.data, front), &s->shown);
  if (problem != NULL) {
    report_fail(s->report, "format", "%s", problem);
    return false;
  }
  if (!add_table(s, span_of(raw.data + front, raw.len - front)) || !add_collateral(s)) return false;
  report_ok(s->report, "format", "SEV-SNP report, version %" PRIu32, s->shown.version);
  return true;
}

/* ---- who signed ---- */

static bool has_signed(const struct snp *s, X509 *cert) {
  return chain_signed(X509_get0_pubkey(cert), s->shown.of_signature,
                      span_of(s->shown.signature, sizeof s->shown.signature));
}

/* The host's table may hold a certificate of another TCB; what signed tells which one is right. */
static X509 *find_signer(const struct snp *s, const struct chain *chain) {
  for (size_t i = 0; i < chain->count; i++) {
    if (has_signed(s, chain->certificate[i])) return chain->certificate[i];
  }
  return NULL;
}

static bool check_signature(struct snp *s) {
  const char *name = "report_signature";
  if (s->shown.signer == SNP_BY_NOBODY || s->shown.key_masked) {
    report_fail(s->report, name, "the report is not signed");
    return false;
  }
  s->signer = find_signer(s, &s->from_host);
  if (s->signer == NULL) s->signer = find_signer(s, &s->from_collateral);
  if (s->signer == NULL) {
    report_fail(s->report, name, "no certificate at hand is of the key that signed the report");
    return false;
  }
  const char *problem = snp_vek_read(s->signer, &s->vek);
  bool lent = s->vek.csp[0] != 0;
  if (problem == NULL && lent != (s->shown.signer == SNP_BY_VLEK))
    problem = "the report says that another kind of key signed it";
  if (problem != NULL) {
    report_fail(s->report, name, "%s", problem);
    return false;
  }
  report_ok(s->report, name, "%s of %s", lent ? "VLEK" : "VCEK", snp_vek_product_name(s->vek.product));
  return true;
}

/* ---- who says whose key it is ---- */

static struct chain_request request_for(const struct snp *s, X509 *leaf) {
  return (struct chain_request){
      .leaf = leaf,
      .pools = {&s->from_host, &s->from_collateral},
      .roots = roots_of((enum roots_vendor)(ROOTS_AMD_MILAN + s->vek.product), s->policy),
      .now = s->policy->now,
  };
}
_Static_assert(ROOTS_AMD_GENOA == ROOTS_AMD_MILAN + SNP_GENOA && ROOTS_AMD_TURIN == ROOTS_AMD_MILAN + SNP_TURIN,
               "roots stand in the order of products");

/* The issuers of VCEKs and of VLEKs are two. */
static bool has_right_issuer(const struct snp *s) {
  char issuer[64], want[64];
  (void)snprintf(want, sizeof want, "SEV-%s%s", s->vek.csp[0] != 0 ? "VLEK-" : "",
                 snp_vek_product_name(s->vek.product));
  return chain_issuer(s->signer, issuer, sizeof issuer) && strcmp(issuer, want) == 0;
}

static void check_chain(struct snp *s) {
  struct chain_request request = request_for(s, s->signer);
  const char *problem = chain_verify(&request);
  if (problem == NULL && !has_right_issuer(s)) problem = "the issuer is not the one for this kind of key";
  if (problem != NULL)
    report_fail(s->report, "vek_chain", "%s", problem);
  else
    report_ok(s->report, "vek_chain", "to AMD's root for %s", snp_vek_product_name(s->vek.product));
}

static bool has_issued(const X509 *issuer, X509 *cert) {
  return X509_NAME_cmp(X509_get_subject_name(issuer), X509_get_issuer_name(cert)) == 0 &&
         X509_verify(cert, X509_get0_pubkey(issuer)) == 1;
}

static X509 *find_issuer(const struct chain *chain, X509 *cert) {
  for (size_t i = 0; i < chain->count; i++) {
    if (has_issued(chain->certificate[i], cert)) return chain->certificate[i];
  }
  return NULL;
}

/* The list as it is, or the bytes of its hexadecimal digits; rubbish is one that cannot be read. */
static bool find_crl(const struct snp *s, struct buf *der, struct span *crl) {
  const char *text = json_string_value(json_object_get(s->collateral, "ark_crl"));
  if (text == NULL) return false;
  *crl = span_text(text);
  uint8_t *bytes = buf_extend(der, crl->len / 2);
  if (bytes != NULL && text_unhex(*crl, bytes, crl->len / 2)) *crl = buf_span(der);
  return true;
}

/* AMD revokes issuers (and with them all of their keys), so the list covers the issuer and the root, not the leaf. */
static void check_revocation(struct snp *s) {
  struct buf der = buf_new(CRL_MAX);
  struct span crl;
  if (!find_crl(s, &der, &crl)) {
    report_skip(s->report, "revocation", "there is no revocation list at hand");
    buf_free(&der);
    return;
  }
  X509 *issuer = find_issuer(&s->from_host, s->signer);
  if (issuer == NULL) issuer = find_issuer(&s->from_collateral, s->signer);
  struct chain_request request = request_for(s, issuer);
  request.crls[request.crl_count++] = crl;
  const char *problem = chain_verify(&request);
  buf_free(&der);
  if (problem != NULL)
    report_fail(s->report, "revocation", "%s", problem);
  else
    report_ok(s->report, "revocation", "the issuer is not revoked");
}

/* ---- whether certificate and report speak of the same platform ---- */

static void check_product(struct snp *s) {
  if (s->shown.product != SNP_PRODUCTS && s->shown.product != s->vek.product)
    report_fail(s->report, "product", "the report is of %s, its key of %s", snp_vek_product_name(s->shown.product),
                snp_vek_product_name(s->vek.product));
  else
    report_ok(s->report, "product", "%s", snp_vek_product_name(s->vek.product));
}

/* The key is derived from the TCB that the firmware reports: another one would have had another key. */
static void check_tcb(struct snp *s) {
  struct snp_tcb reported, launch;
  const struct policy_snp_tcb *p = &s->policy->snp.min_tcb;
  const struct snp_tcb least = {{p->fmc, p->bootloader, p->tee, p->snp, p->microcode}};
  const uint8_t *t = reported.part;
  if (!snp_report_tcb(s->vek.product, s->shown.reported_tcb, &reported) ||
      !snp_report_tcb(s->vek.product, s->shown.launch_tcb, &launch))
    report_fail(s->report, "tcb", "the report's TCB is not one of its product");
  else if (memcmp(&reported, &s->vek.tcb, sizeof reported) != 0)
    report_fail(s->report, "tcb", "the report and the certificate of its key name different TCBs");
  else if (!snp_report_tcb_covers(&reported, &least))
    report_fail(s->report, "tcb", "the platform's TCB is lower than the policy asks for");
  else if (!snp_report_tcb_covers(&launch, &least))
    report_fail(s->report, "tcb", "the guest was launched on a lower TCB than the policy asks for");
  else
    report_ok(s->report, "tcb", "fmc %u, bootloader %u, tee %u, snp %u, microcode %u; platform 0x%" PRIx64, t[SNP_FMC],
              t[SNP_BOOTLOADER], t[SNP_TEE], t[SNP_FIRMWARE], t[SNP_MICROCODE], s->shown.platform);
}

static void check_chip(struct snp *s) {
  struct span shown = span_of(s->shown.chip_id.data, s->vek.chip_id_len);
  if (!span_equal(shown, span_of(s->vek.chip_id, s->vek.chip_id_len)))
    report_fail(s->report, "chip", "the report is of another chip than its key");
  else
    report_ok(s->report, "chip", "the key's");
}

/* A VLEK is of no chip: any of the provider's may have signed, so the provider has to be one that the policy trusts. */
static void check_provider(struct snp *s) {
  const struct policy_names *providers = &s->policy->snp.providers;
  if (!providers->given)
    report_skip(s->report, "provider", "the key is lent to %s: the policy does not speak of providers", s->vek.csp);
  else if (!policy_accepts_name(providers, span_text(s->vek.csp)))
    report_fail(s->report, "provider", "the key is lent to %s, which the policy does not list", s->vek.csp);
  else
    report_ok(s->report, "provider", "%s", s->vek.csp);
}

static void check_platform(struct snp *s) {
  check_chain(s);
  check_revocation(s);
  check_product(s);
  check_tcb(s);
  if (s->vek.csp[0] != 0)
    check_provider(s);
  else
    check_chip(s);
}

/* ---- the guest ---- */

/* What the host was not to do to this guest; fixed at its launch, and enforced by the firmware. */
static void check_guest_policy(struct snp *s) {
  uint64_t bits = s->shown.policy;
  if ((bits & ~SNP_POLICY_KNOWN) != 0 || (bits & SNP_POLICY_ONE) == 0)
    report_fail(s->report, "guest_policy", "the guest policy 0x%" PRIx64 " has bits that are not known", bits);
  else if ((bits & SNP_POLICY_DEBUG) != 0)
    report_fail(s->report, "guest_policy", "the guest may be debugged: the host can read its memory");
  else if ((bits & SNP_POLICY_MIGRATE) != 0)
    report_fail(s->report, "guest_policy", "the guest may be handed to a migration agent");
  else
    report_ok(s->report, "guest_policy", "0x%" PRIx64 ": no debugging, no migration agent", bits);
}

static void check_levels(struct snp *s) {
  uint32_t vmpl = s->shown.vmpl, svn = s->shown.guest_svn;
  if (vmpl > s->policy->snp.max_vmpl)
    report_fail(s->report, "vmpl", "VMPL %" PRIu32 " is less privileged than the policy asks for", vmpl);
  else
    report_ok(s->report, "vmpl", "%" PRIu32, vmpl);
  if (svn < s->policy->snp.min_svn)
    report_fail(s->report, "guest_svn", "%" PRIu32 " is lower than the policy asks for", svn);
  else
    report_ok(s->report, "guest_svn", "%" PRIu32, svn);
}

static void check_guest(struct snp *s, const uint8_t report_data[EVIDENCE_REPORT_DATA]) {
  const struct policy_list *host_data = &s->policy->snp.host_data;
  check_guest_policy(s);
  check_levels(s);
  report_measurement(s->report, "measurement", &s->policy->snp.measurement, s->shown.measurement);
  if (host_data->any || host_data->count > 0) report_measurement(s->report, "host_data", host_data, s->shown.host_data);
  if (span_equal(s->shown.report_data, span_of(report_data, EVIDENCE_REPORT_DATA)))
    report_ok(s->report, "report_data", "binds the document");
  else
    report_fail(s->report, "report_data", "the evidence is for another document");
}

static void check_snp(struct span raw, const uint8_t report_data[EVIDENCE_REPORT_DATA],
                      const struct evidence_policy *policy, struct evidence_report *report) {
  struct snp s = {.policy = policy, .report = report};
  if (read_evidence(&s, raw)) {
    if (check_signature(&s))
      check_platform(&s);
    else
      report_skip(report, "vek_chain", "whose key it is that signed is not known");
    check_guest(&s, report_data);
  }
  chain_free(&s.from_host);
  chain_free(&s.from_collateral);
  json_decref(s.collateral);
  ERR_clear_error();
}

const struct evidence_verifier evidence_snp = {"snp", "application/vnd.neocompute.snp-evidence", check_snp, show_snp};
