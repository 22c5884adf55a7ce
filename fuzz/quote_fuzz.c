/*
 * Intel's quotes from strangers. The first byte says which: the bytes as they come; bytes laid over a genuine quote; a
 * report that our own Intel signs; a platform's SGX extension; certificates. Good is only what it signed.
 */
#include "crypto/crypto.h"
#include "evidence/chain.h"
#include "evidence/pck.h"
#include "evidence/quote.h"
#include "evidence/verifier.h"
#include "intel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KINDS 6u
static const unsigned kinds[KINDS] = {3, 40, 51, 4, 52, 53};
static const uint8_t report_data[64] = "report data";
static struct intel *vendor;
static struct buf genuine[KINDS], collateral[2]; /* SGX, TDX */
static struct evidence_policy policy;

static void must(bool holds) {
  if (!holds) abort();
}

static void start(void) {
  struct intel_vendor usual = intel_vendor();
  must(crypto_init() == RESULT_OK);
  vendor = intel_new(&usual);
  policy = (struct evidence_policy){.now = INTEL_NOW, .root_count = 1};
  intel_root(vendor, policy.roots[0]);
  policy.sgx.mrenclave.any = policy.tdx.mrtd.any = true;
  for (size_t i = 0; i < POLICY_RTMRS; i++) policy.tdx.rtmr[i].any = true;
  for (size_t i = 0; i < 2; i++) {
    collateral[i] = buf_new(65536);
    must(intel_put_collateral(vendor, intel_tcb_info(i == 1), intel_qe_identity(i == 1), &collateral[i]));
  }
  for (size_t i = 0; i < KINDS; i++) {
    struct intel_quote q = intel_quote(kinds[i], report_data);
    genuine[i] = buf_new(65536);
    intel_put_quote(vendor, &q, &genuine[i]);
  }
}

static bool is_good(struct span quote, bool tdx) {
  struct evidence_report r = {0};
  policy.collateral = buf_span(&collateral[tdx]);
  (tdx ? &evidence_tdx : &evidence_sgx)->check(quote, report_data, &policy, &r);
  must(r.count > 0 && !r.overflow);
  return report_good(&r);
}

static void check_raw(struct span raw) {
  struct quote q;
  if (quote_read(raw, &q) == NULL)
    must(q.signed_part.len + q.trailing < raw.len && q.qe_report.len == QUOTE_SGX_REPORT);
  must(!is_good(raw, false) && !is_good(raw, true));
}

/* kind, then groups of where (two bytes) and what. */
static void lay_over(struct span edits, uint8_t *bytes, size_t len) {
  struct cursor c = cursor_of(edits);
  while (c.rest.len >= 3) {
    size_t at = cursor_u8(&c);
    at = (at << 8 | cursor_u8(&c)) % len;
    bytes[at] = cursor_u8(&c);
  }
}

static void check_changed(struct span rest) {
  struct cursor c = cursor_of(rest);
  size_t kind = cursor_u8(&c) % KINDS;
  struct buf quote = buf_new(65536);
  struct quote was, is;
  buf_put_span(&quote, buf_span(&genuine[kind]));
  lay_over(c.rest, quote.data, quote.len);
  must(quote_read(buf_span(&genuine[kind]), &was) == NULL);
  if (is_good(buf_span(&quote), was.tdx))
    must(quote_read(buf_span(&quote), &is) == NULL && span_equal(was.signed_part, is.signed_part));
  buf_free(&quote);
}

/* Whatever the report says, it is good only for its report data and without debugging. */
static void check_report(struct span rest) {
  struct cursor c = cursor_of(rest);
  size_t kind = cursor_u8(&c) % KINDS, split = cursor_u8(&c);
  struct intel_quote q = intel_quote(kinds[kind], report_data);
  if (split > c.rest.len) split = c.rest.len;
  lay_over(cursor_bytes(&c, split), q.body, q.body_size);
  lay_over(c.rest, q.qe_report, sizeof q.qe_report);
  struct buf quote = buf_new(65536);
  intel_put_quote(vendor, &q, &quote);
  if (is_good(buf_span(&quote), q.tdx))
    must(memcmp(q.body + (q.tdx ? 520 : 320), report_data, 64) == 0 &&
         (q.tdx ? q.body[120] == 0 : (q.body[48] & 2) == 0));
  buf_free(&quote);
}

static void check_extension(struct span bytes) {
  struct pck pck = {0};
  if (pck_read(bytes, &pck)) must(pck.pce_svn <= UINT16_MAX && pck.component[15] <= UINT16_MAX);
}

static void check_certificates(struct span bytes) {
  struct chain chain = {0};
  bool read = chain_add(&chain, bytes);
  must(!read || chain.count > 0);
  struct chain_request request = {.leaf = chain.count > 0 ? chain.certificate[0] : NULL,
                                  .pools = {&chain},
                                  .roots = roots_of(ROOTS_INTEL_SGX, &policy),
                                  .now = INTEL_NOW};
  must(chain_verify(&request) != NULL);
  chain_free(&chain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static void (*const targets[])(struct span) = {check_raw, check_changed, check_report, check_extension,
                                                 check_certificates};
  if (vendor == NULL) start();
  if (size == 0) return 0;
  targets[data[0] % (sizeof targets / sizeof targets[0])](span_of(data + 1, size - 1));
  return 0;
}
