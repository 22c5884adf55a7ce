#include <inttypes.h>
#include <openssl/err.h>

#include "evidence/pck.h"
#include "evidence/quote.h"
#include "evidence/show.h"
#include "evidence/snp_vek.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- Intel ---- */

static void show_fields(struct buf *out, struct span report, bool tdx) {
  static const struct {
    const char *name;
    struct quote_field field;
  } sgx[] = {{"miscselect", QUOTE_MISCSELECT},
             {"attributes", QUOTE_ATTRIBUTES},
             {"mrenclave", QUOTE_MRENCLAVE},
             {"mrsigner", QUOTE_MRSIGNER},
             {"report_data", QUOTE_SGX_REPORT_DATA}},
    td[] = {{"tee_tcb_svn", QUOTE_TEE_TCB_SVN},
            {"mrsignerseam", QUOTE_MRSIGNERSEAM},
            {"seam_attributes", QUOTE_SEAM_ATTRIBUTES},
            {"td_attributes", QUOTE_TD_ATTRIBUTES},
            {"mrtd", QUOTE_MRTD},
            {"rtmr0", QUOTE_RTMR(0)},
            {"rtmr1", QUOTE_RTMR(1)},
            {"rtmr2", QUOTE_RTMR(2)},
            {"rtmr3", QUOTE_RTMR(3)},
            {"report_data", QUOTE_TD_REPORT_DATA}};
  for (size_t i = 0; !tdx && i < COUNT(sgx); i++) show_hex(out, sgx[i].name, quote_get(report, sgx[i].field));
  for (size_t i = 0; tdx && i < COUNT(td); i++) show_hex(out, td[i].name, quote_get(report, td[i].field));
  if (tdx && report.len >= QUOTE_TD_REPORT_15) show_hex(out, "mrservicetd", quote_get(report, QUOTE_MRSERVICETD));
  if (tdx) return;
  show_text(out, "isv_prod_id", "%u", quote_get_u16(report, QUOTE_ISVPRODID));
  show_text(out, "isv_svn", "%u", quote_get_u16(report, QUOTE_ISVSVN));
}

/* What Intel certified of the platform. */
static void show_platform(struct buf *out, const struct chain *chain) {
  X509 *leaf = chain_find(chain, "Intel SGX PCK Certificate");
  struct span extension;
  struct pck pck;
  if (leaf == NULL || !chain_extension(leaf, PCK_OID, &extension) || !pck_read(extension, &pck)) return;
  char text[128] = "";
  struct buf b = buf_fixed(text, sizeof text - 1);
  for (size_t i = 0; i < PCK_COMPONENTS; i++) buf_printf(&b, "%s%" PRIu32, i > 0 ? " " : "", pck.component[i]);
  show_hex(out, "fmspc", span_of(pck.fmspc, sizeof pck.fmspc));
  show_hex(out, "pce_id", span_of(pck.pce_id, sizeof pck.pce_id));
  show_text(out, "tcb_components", "%.*s", (int)b.len, text);
  show_text(out, "pce_svn", "%" PRIu32, pck.pce_svn);
}

void show_quote(struct span raw, struct buf *out) {
  struct quote q;
  struct chain chain = {0};
  const char *problem = quote_read(raw, &q);
  if (problem != NULL) {
    show_text(out, "quote", "(%s)", problem);
    return;
  }
  show_text(out, "quote", "version %u, %s", q.version, q.tdx ? "TDX" : "SGX");
  show_fields(out, q.body, q.tdx);
  show_hex(out, "attestation_key", q.attestation_key);
  show_hex(out, "signature", q.signature);
  show_hex(out, "qe_mrsigner", quote_get(q.qe_report, QUOTE_MRSIGNER));
  show_text(out, "qe_prod_id", "%u", quote_get_u16(q.qe_report, QUOTE_ISVPRODID));
  show_text(out, "qe_svn", "%u", quote_get_u16(q.qe_report, QUOTE_ISVSVN));
  show_text(out, "certification_data", "kind %u, %zu bytes", q.certification, q.certificates.len);
  if (q.certification == QUOTE_PCK_CHAIN && chain_add(&chain, q.certificates)) show_platform(out, &chain);
  show_chain(out, &chain);
  chain_free(&chain);
  ERR_clear_error();
}

/* ---- AMD ---- */

static void show_tcb(struct buf *out, const char *name, const struct snp_report *r, uint64_t raw) {
  struct snp_tcb t;
  if (r->product == SNP_PRODUCTS || !snp_report_tcb(r->product, raw, &t)) {
    show_text(out, name, "%016" PRIx64, raw);
    return;
  }
  show_text(out, name, "%016" PRIx64 ": fmc %u, bootloader %u, tee %u, snp %u, microcode %u", raw, t.part[SNP_FMC],
            t.part[SNP_BOOTLOADER], t.part[SNP_TEE], t.part[SNP_FIRMWARE], t.part[SNP_MICROCODE]);
}

static void show_report(struct buf *out, const struct snp_report *r) {
  const struct {
    const char *name;
    struct span value;
  } fields[] = {{"family_id", r->family_id},         {"image_id", r->image_id},
                {"measurement", r->measurement},     {"host_data", r->host_data},
                {"id_key_digest", r->id_key_digest}, {"author_key_digest", r->author_key_digest},
                {"report_id", r->report_id},         {"chip_id", r->chip_id},
                {"report_data", r->report_data},     {"signature", span_of(r->signature, sizeof r->signature)}};
  show_text(out, "report", "version %" PRIu32 ", %s", r->version,
            r->product == SNP_PRODUCTS ? "processor not named" : snp_vek_product_name(r->product));
  show_text(out, "signed_by", "%s", r->signer == SNP_BY_VCEK ? "VCEK" : r->signer == SNP_BY_VLEK ? "VLEK" : "nobody");
  show_text(out, "guest_svn", "%" PRIu32, r->guest_svn);
  show_text(out, "vmpl", "%" PRIu32, r->vmpl);
  show_text(out, "policy", "%016" PRIx64 "%s", r->policy, r->policy & SNP_POLICY_DEBUG ? ": debugging" : "");
  show_text(out, "platform", "%016" PRIx64, r->platform);
  show_tcb(out, "current_tcb", r, r->current_tcb);
  show_tcb(out, "reported_tcb", r, r->reported_tcb);
  show_tcb(out, "committed_tcb", r, r->committed_tcb);
  show_tcb(out, "launch_tcb", r, r->launch_tcb);
  for (size_t i = 0; i < COUNT(fields); i++) show_hex(out, fields[i].name, fields[i].value);
}

void show_snp(struct span raw, struct buf *out) {
  struct snp_report r;
  struct snp_table table = {0};
  const size_t front = raw.len < SNP_REPORT_SIZE ? raw.len : SNP_REPORT_SIZE;
  const struct span behind = span_of(raw.data + front, raw.len - front);
  const char *problem = snp_report_read(span_of(raw.data, front), &r);
  if (problem == NULL) show_report(out, &r);
  if (problem == NULL && behind.len > 0) problem = snp_report_table(behind, &table);
  if (problem != NULL) show_text(out, "report", "(%s)", problem);
  for (size_t i = 0; problem == NULL && i < SNP_CERTS; i++) show_certificates(out, table.cert[i]);
}

/* ---- nobody ---- */

void show_sim(struct span raw, struct buf *out) {
  show_text(out, "simulated", "%.*s", (int)(raw.len < 1024 ? raw.len : 1024), (const char *)raw.data);
}
