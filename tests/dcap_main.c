/*
 * The C side of tests/dcap.test.mjs.
 *   dcap make KIND COMPONENT0 PCE_SVN QE_SVN BODY_AT BODY_VALUE NOW FROM TO: evidence of our own Intel (tests/intel.h),
 *   printed, and what our verifier says to it
 *   dcap bind KIND REPORT_DATA: the same over these report data (hexadecimal); prints `root HEX`, too, and checks
 * nothing dcap check sgx|tdx QUOTE_FILE COLLATERAL_FILE NOW: the same of files, under Intel's root Prints `quote HEX`,
 * `collateral HEX`, `line NAME STATE VALUE` for each line of the report, and `good 0|1`. All measurements and all TCB
 * statuses are accepted: the two verifiers differ in what they ask for there.
 */
#include "base/text.h"
#include "crypto/crypto.h"
#include "evidence/quote.h"
#include "evidence/verifier.h"
#include "intel.h"

#define FILE_MAX (1u << 20)

static void print_hex(const char *name, struct span bytes) {
  struct buf hex = buf_new(2 * bytes.len);
  text_put_hex(&hex, bytes);
  printf("%s %.*s\n", name, (int)hex.len, (const char *)hex.data);
  buf_free(&hex);
}

static void check(bool tdx, struct span quote, struct evidence_policy *policy) {
  static const char *const states[] = {"ok", "failed", "skipped"};
  struct evidence_report r = {0};
  struct quote parsed;
  uint8_t report_data[64] = {0};
  policy->sgx.mrenclave.any = policy->tdx.mrtd.any = true;
  for (size_t i = 0; i < POLICY_RTMRS; i++) policy->tdx.rtmr[i].any = true;
  policy->tcb_statuses = UINT32_MAX;
  if (quote_read(quote, &parsed) == NULL)
    memcpy(report_data, quote_get(parsed.body, parsed.tdx ? QUOTE_TD_REPORT_DATA : QUOTE_SGX_REPORT_DATA).data, 64);
  (tdx ? &evidence_tdx : &evidence_sgx)->check(quote, report_data, policy, &r);
  for (size_t i = 0; i < r.count; i++)
    printf("line %s %s %s\n", r.lines[i].name, states[r.lines[i].state], r.lines[i].value);
  printf("good %d\n", report_good(&r));
}

static void replace(const char *text, const char *from, const char *to, struct buf *out) {
  const char *at = from[0] != 0 ? strstr(text, from) : NULL;
  buf_put(out, text, at != NULL ? (size_t)(at - text) : strlen(text));
  if (at != NULL) buf_put_text(out, to);
  if (at != NULL) buf_put_text(out, at + strlen(from));
  buf_put_u8(out, 0);
}

static uint64_t number(const char *text) {
  return strtoull(text, NULL, 10);
}

static int make(char **args) {
  struct intel_vendor vendor = intel_vendor();
  struct intel_quote q = intel_quote((unsigned)number(args[0]), (const uint8_t[64]){'d'});
  struct buf quote = buf_new(65536), collateral = buf_new(65536), info = buf_new(16384), qe = buf_new(16384);
  vendor.component[0] = (uint8_t)number(args[1]);
  vendor.pce_svn = (uint16_t)number(args[2]);
  q.qe_report[258] = (uint8_t)number(args[3]);
  q.body[number(args[4]) % sizeof q.body] = (uint8_t)number(args[5]);
  struct intel *intel = intel_new(&vendor);
  struct evidence_policy policy = {.now = number(args[6]), .root_count = 1};
  replace(intel_tcb_info(q.tdx), args[7], args[8], &info);
  replace(intel_qe_identity(q.tdx), args[7], args[8], &qe);
  intel_put_quote(intel, &q, &quote);
  bool put = intel_put_collateral(intel, (const char *)info.data, (const char *)qe.data, &collateral);
  intel_root(intel, policy.roots[0]);
  policy.collateral = buf_span(&collateral);
  print_hex("quote", buf_span(&quote));
  print_hex("collateral", buf_span(&collateral));
  check(q.tdx, buf_span(&quote), &policy);
  struct buf *const bufs[] = {&quote, &collateral, &info, &qe};
  for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) buf_free(bufs[i]);
  intel_free(intel);
  return put ? 0 : 2;
}

static int bind_data(char **args) {
  uint8_t report_data[64], root[32];
  if (!text_unhex(span_text(args[1]), report_data, sizeof report_data)) return 2;
  struct intel_vendor vendor = intel_vendor();
  struct intel_quote q = intel_quote((unsigned)number(args[0]), report_data);
  struct intel *intel = intel_new(&vendor);
  struct buf quote = buf_new(65536), collateral = buf_new(65536);
  intel_put_quote(intel, &q, &quote);
  bool put = intel_put_collateral(intel, intel_tcb_info(q.tdx), intel_qe_identity(q.tdx), &collateral);
  intel_root(intel, root);
  print_hex("quote", buf_span(&quote));
  print_hex("collateral", buf_span(&collateral));
  print_hex("root", span_of(root, sizeof root));
  buf_free(&quote);
  buf_free(&collateral);
  intel_free(intel);
  return put ? 0 : 2;
}

static struct buf read_file(const char *path) {
  struct buf b = buf_new(FILE_MAX);
  FILE *file = fopen(path, "rbe");
  uint8_t *place = buf_extend(&b, FILE_MAX);
  b.len = file != NULL && place != NULL ? fread(place, 1, FILE_MAX, file) : 0;
  if (file != NULL) (void)fclose(file);
  return b;
}

static int check_files(char **args) {
  struct buf quote = read_file(args[1]), collateral = read_file(args[2]);
  struct evidence_policy policy = {.now = number(args[3]), .collateral = buf_span(&collateral)};
  print_hex("quote", buf_span(&quote));
  print_hex("collateral", buf_span(&collateral));
  check(strcmp(args[0], "tdx") == 0, buf_span(&quote), &policy);
  buf_free(&quote);
  buf_free(&collateral);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 2 || crypto_init() != RESULT_OK) return 2;
  int status = 2;
  if (strcmp(argv[1], "make") == 0 && argc == 11) status = make(argv + 2);
  if (strcmp(argv[1], "bind") == 0 && argc == 4) status = bind_data(argv + 2);
  if (strcmp(argv[1], "check") == 0 && argc == 6) status = check_files(argv + 2);
  crypto_free();
  return status;
}
