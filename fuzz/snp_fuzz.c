/*
 * SEV-SNP evidence. The first byte says what the rest is: evidence as it comes; changes to a report that this target
 * then signs, so that the checks behind the signature are reached; a host's table of certificates; extensions of a
 * signing key's certificate; collateral. Whatever is accepted has to be what the policy asks for.
 */
#include "crypto/crypto.h"
#include "evidence/chain.h"
#include "evidence/snp_vek.h"
#include "evidence/verifier.h"
#include "mint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static EVP_PKEY *root_key, *issuer_key, *signing_key;
static X509 *root, *issuer, *signer;
static uint8_t bound[EVIDENCE_REPORT_DATA], genuine[SNP_REPORT_SIZE];
static struct buf table, collateral;
static struct evidence_policy policy;

static void must(bool holds) {
  if (!holds) abort();
}

/* PEM in a JSON string: line ends become escapes. */
static void put_member(struct buf *b, const char *name, struct span pem) {
  buf_printf(b, "\"%s\":\"", name);
  for (size_t i = 0; i < pem.len; i++) {
    if (pem.data[i] == '\n')
      buf_put_text(b, "\\n");
    else
      buf_put_u8(b, pem.data[i]);
  }
  buf_put_u8(b, '"');
}

static void make_certificates(void) {
  uint8_t chip[SNP_CHIP_ID_SIZE];
  for (size_t i = 0; i < sizeof chip; i++) chip[i] = (uint8_t)(i + 1);
  const struct mint_vek vek = {"Milan-B0", {0, 1, 2, 3, 4}, span_of(chip, sizeof chip), NULL};
  struct mint_subject subject = {.name = "SEV-VCEK", .key = signing_key};
  root = mint_certificate(&(struct mint_subject){.name = "ARK-Milan", .key = root_key, .ca = true}, NULL, NULL);
  issuer = mint_certificate(&(struct mint_subject){.name = "SEV-Milan", .key = issuer_key, .ca = true}, root, root_key);
  mint_vek(&subject, &vek);
  signer = mint_certificate(&subject, issuer, issuer_key);
}

static void make_collateral(void) {
  struct buf crl = buf_new(65536), pem = buf_new(65536);
  X509 *const certificates[SNP_CERTS] = {[SNP_VCEK] = signer, [SNP_ASK] = issuer, [SNP_ARK] = root};
  table = buf_new(65536);
  collateral = buf_new(65536);
  mint_put_table(&table, certificates, false);
  mint_put_crl(&crl, root, root_key, NULL);
  for (size_t i = 0; i < SNP_CERTS; i++)
    if (certificates[i] != NULL) mint_put_pem(&pem, certificates[i]);
  buf_put_text(&collateral, "{");
  put_member(&collateral, "ark_crl", buf_span(&crl));
  buf_put_text(&collateral, ",");
  put_member(&collateral, "vek_certificate_chain", buf_span(&pem));
  buf_put_text(&collateral, "}");
  buf_free(&crl);
  buf_free(&pem);
}

static void start(void) {
  must(crypto_init() == RESULT_OK);
  root_key = mint_p384();
  issuer_key = mint_p384();
  signing_key = mint_p384();
  make_certificates();
  make_collateral();
  memset(bound, 0xd0, sizeof bound);
  policy = (struct evidence_policy){.now = MINT_NOW, .root_count = 1, .collateral = buf_span(&collateral)};
  policy.snp.measurement = (struct policy_list){.count = 1, .size = 48};
  memset(policy.snp.measurement.items[0], 0x3e, 48);
  mint_fingerprint(root, policy.roots[0]);
  mint_snp_report(genuine, SNP_MILAN);
  mint_snp_sign(genuine, signing_key);
}

static bool check(struct span raw, const struct evidence_policy *p) {
  struct evidence_report r = {0};
  evidence_snp.check(raw, bound, p, &r);
  must(r.count > 0 && !r.overflow);
  if (report_good(&r)) {
    must(raw.len >= SNP_REPORT_SIZE && (raw.data[0x0a] & 0x0e) == 2 && raw.data[0x30] == 0);
    must(memcmp(raw.data + 0x50, bound, sizeof bound) == 0 && raw.data[0x90] == 0x3e && raw.data[0xbf] == 0x3e);
  }
  return report_good(&r);
}

static void check_stranger(struct span bytes) {
  must(!check(bytes, &policy));
}

/* Triples: where (little-endian), and what. */
static void check_changed(struct span bytes) {
  struct buf raw = buf_new(65536);
  struct cursor c = cursor_of(bytes);
  buf_put(&raw, genuine, sizeof genuine);
  while (c.rest.len >= 3) {
    size_t at = cursor_u8(&c);
    at += 256u * cursor_u8(&c);
    raw.data[at % SNP_SIGNED_SIZE] = cursor_u8(&c);
  }
  mint_snp_sign(raw.data, signing_key);
  bool alone = check(buf_span(&raw), &policy);
  buf_put_span(&raw, buf_span(&table));
  must(check(buf_span(&raw), &policy) == alone);
  buf_free(&raw);
}

/* All certificates are in the collateral, so a table spoils nothing unless it is none. */
static void check_table(struct span bytes) {
  struct snp_table read;
  struct buf raw = buf_new(65536);
  const char *problem = snp_report_table(bytes, &read);
  for (size_t i = 0; problem == NULL && i < SNP_CERTS; i++) {
    struct span cert = read.cert[i];
    must(cert.len == 0 || (cert.data >= bytes.data && cert.data + cert.len <= bytes.data + bytes.len));
  }
  buf_put(&raw, genuine, sizeof genuine);
  buf_put_span(&raw, bytes);
  bool good = check(buf_span(&raw), &policy);
  must(!good || problem == NULL || bytes.len == 0);
  buf_free(&raw);
}

/* Which extension, how long, and its value; again and again. */
static void check_extensions(struct span bytes) {
  static const char *const oids[] = {"1.3.6.1.4.1.3704.1.2",   "1.3.6.1.4.1.3704.1.3.1", "1.3.6.1.4.1.3704.1.3.2",
                                     "1.3.6.1.4.1.3704.1.3.3", "1.3.6.1.4.1.3704.1.3.8", "1.3.6.1.4.1.3704.1.3.9",
                                     "1.3.6.1.4.1.3704.1.3.4", "1.3.6.1.4.1.3704.1.3.7", "1.3.6.1.4.1.3704.1.4",
                                     "1.3.6.1.4.1.3704.1.5"};
  struct cursor c = cursor_of(bytes);
  struct mint_subject subject = {.name = "SEV-VCEK", .key = signing_key};
  while (c.rest.len >= 2 && subject.extension_count < MINT_EXTENSIONS_MAX) {
    const char *oid = oids[cursor_u8(&c) % (sizeof oids / sizeof oids[0])];
    size_t len = cursor_u8(&c);
    struct span value = cursor_bytes(&c, len < c.rest.len ? len : c.rest.len);
    subject.extensions[subject.extension_count++] = (struct mint_extension){oid, value};
  }
  X509 *certificate = mint_certificate(&subject, issuer, issuer_key);
  struct snp_vek vek;
  if (snp_vek_read(certificate, &vek) == NULL) {
    must(vek.product < SNP_PRODUCTS && (vek.chip_id_len == 0) == (vek.csp[0] != 0));
    must(vek.chip_id_len == 0 || vek.chip_id_len == (vek.product == SNP_TURIN ? 8u : 64u));
    must(vek.product == SNP_TURIN || vek.tcb.part[SNP_FMC] == 0);
  }
  X509_free(certificate);
}

static void check_collateral(struct span bytes) {
  struct evidence_policy p = policy;
  struct buf raw = buf_new(65536);
  p.collateral = bytes;
  buf_put(&raw, genuine, sizeof genuine);
  buf_put_span(&raw, buf_span(&table));
  must(!check(buf_span(&raw), &p)); /* nobody finds a list that the root signed */
  buf_free(&raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static void (*const targets[])(struct span) = {check_stranger, check_changed, check_table, check_extensions,
                                                 check_collateral};
  if (root_key == NULL) {
    start();
    must(check(span_of(genuine, sizeof genuine), &policy)); /* or nothing here finds anything */
  }
  if (size == 0) return 0;
  targets[data[0] % 5](span_of(data + 1, size - 1));
  return 0;
}
