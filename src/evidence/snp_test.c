#include <openssl/pem.h>

#include "base/base64.h"
#include "crypto/testing.h"
#include "evidence/chain.h"
#include "evidence/snp_vek.h"
#include "evidence/verifier.h"
#include "mint.h"
#include "samples.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define HOST "CN=cc-test.example.com"

static EVP_PKEY *ark_key, *ask_key, *vek_key, *other_key;
static uint8_t report_data[EVIDENCE_REPORT_DATA];

/* One guest with its certificates, each of which a test may spoil before it is put together. */
struct guest {
  enum snp_product product;
  bool lent, swapped;
  uint8_t report[SNP_REPORT_SIZE];
  struct mint_vek vek;
  X509 *ark, *ask, *signer;
  struct evidence_policy policy;
  struct buf raw;
};

static const char *const products[SNP_PRODUCTS] = {"Milan", "Genoa", "Turin"};

static void make_issuers(struct guest *g) {
  char root[32], issuer[32];
  (void)snprintf(root, sizeof root, "ARK-%s", products[g->product]);
  (void)snprintf(issuer, sizeof issuer, "SEV-%s%s", g->lent ? "VLEK-" : "", products[g->product]);
  g->ark = mint_certificate(&(struct mint_subject){.name = root, .key = ark_key, .ca = true}, NULL, NULL);
  g->ask = mint_certificate(&(struct mint_subject){.name = issuer, .key = ask_key, .ca = true}, g->ark, ark_key);
}

static void take_policy(struct guest *g) {
  g->policy = (struct evidence_policy){.now = MINT_NOW, .root_count = 1};
  mint_fingerprint(g->ark, g->policy.roots[0]);
  struct policy_list *m = &g->policy.snp.measurement;
  m->count = 1;
  m->size = 48;
  memset(m->items[0], 0x3e, 48);
  g->policy.snp.min_tcb = (struct policy_snp_tcb){.bootloader = 1, .tee = 2, .snp = 3, .microcode = 4};
  if (g->lent) {
    g->policy.snp.providers = (struct policy_names){.given = true, .count = 1};
    memcpy(g->policy.snp.providers.items[0], HOST, sizeof HOST);
  }
}

static struct guest begin(enum snp_product product, bool lent) {
  static const uint8_t chip[SNP_CHIP_ID_SIZE] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16,
                                                 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
                                                 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48,
                                                 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64};
  struct guest g = {.product = product, .lent = lent, .raw = buf_new(65536)};
  g.vek = (struct mint_vek){product == SNP_MILAN && !lent ? "Milan-B0" : products[product],
                            {product == SNP_TURIN ? 5 : 0, 1, 2, 3, 4},
                            lent ? span_of(NULL, 0) : span_of(chip, product == SNP_TURIN ? 8 : 64),
                            lent ? HOST : NULL};
  mint_snp_report(g.report, product);
  if (lent) g.report[0x48] = SNP_BY_VLEK << 2;
  if (lent) memset(g.report + 0x1a0, 0, SNP_CHIP_ID_SIZE);
  make_issuers(&g);
  take_policy(&g);
  return g;
}

static void put_together(struct guest *g) {
  struct mint_subject subject = {.name = g->lent ? "SEV-VLEK" : "SEV-VCEK", .key = vek_key};
  mint_vek(&subject, &g->vek);
  X509_free(g->signer);
  g->signer = mint_certificate(&subject, g->ask, ask_key);
  mint_snp_sign(g->report, vek_key);
  buf_clear(&g->raw);
  buf_put(&g->raw, g->report, sizeof g->report);
  X509 *const table[SNP_CERTS] = {[SNP_VCEK] = g->lent ? NULL : g->signer,
                                  [SNP_VLEK] = g->lent ? g->signer : NULL,
                                  [SNP_ASK] = g->ask,
                                  [SNP_ARK] = g->ark};
  mint_put_table(&g->raw, table, g->swapped);
}

static void end(struct guest *g) {
  X509_free(g->ark);
  X509_free(g->ask);
  X509_free(g->signer);
  buf_free(&g->raw);
}

/* ---- expectations ---- */

static struct evidence_report check(struct span raw, const struct evidence_policy *policy) {
  struct evidence_report r = {0};
  evidence_snp.check(raw, report_data, policy, &r);
  return r;
}

static void explain(const struct evidence_report *r) {
  for (size_t i = 0; i < r->count; i++)
    print_message("  %d %s: %s\n", r->lines[i].state, r->lines[i].name, r->lines[i].value);
}

/* All lines hold but `bad`, and "revocation", for which there is no list. */
static void expect_only(const struct evidence_report *r, const char *bad, enum report_state state) {
  bool seen = bad == NULL;
  for (size_t i = 0; i < r->count; i++) {
    const struct report_line *line = &r->lines[i];
    bool is_bad = bad != NULL && strcmp(line->name, bad) == 0;
    enum report_state want = is_bad ? state : strcmp(line->name, "revocation") == 0 ? REPORT_SKIPPED : REPORT_OK;
    seen = seen || is_bad;
    if (line->state != want) explain(r);
    assert_int_equal(line->state, want);
  }
  if (!seen) explain(r);
  assert_true(seen && !r->overflow && r->count > 1);
  assert_false(report_good(r));
}

static void expect_guest(struct guest *g, const char *bad, enum report_state state) {
  struct evidence_report r = check(buf_span(&g->raw), &g->policy);
  expect_only(&r, bad, state);
}

/* Everything but the one line holds. */
static void expect_bad(struct guest *g, const char *bad) {
  put_together(g);
  expect_guest(g, bad, REPORT_FAILED);
  end(g);
}

/* The line is there; others may have failed, too. */
static void expect_among(struct span raw, const struct evidence_policy *policy, const char *name, const char *value) {
  struct evidence_report r = check(raw, policy);
  const struct report_line *line = report_find(&r, name);
  if (line == NULL) explain(&r);
  assert_true(line != NULL && line->state == REPORT_FAILED);
  if (value != NULL) assert_string_equal(line->value, value);
  assert_false(report_good(&r));
}

static void put_json_text(struct buf *b, const char *name, struct span text) {
  buf_printf(b, "\"%s\":\"", name);
  for (size_t i = 0; i < text.len; i++) {
    if (text.data[i] == '\n')
      buf_put_text(b, "\\n");
    else if (text.data[i] != '\r')
      buf_put_u8(b, text.data[i]);
  }
  buf_put_u8(b, '"');
}

/* ---- what is good ---- */

static void test_products(void **state) {
  (void)state;
  for (int product = SNP_MILAN; product < SNP_PRODUCTS; product++) {
    for (int lent = 0; lent < 2; lent++) {
      struct guest g = begin((enum snp_product)product, lent != 0);
      g.swapped = lent != 0;
      put_together(&g);
      expect_guest(&g, NULL, REPORT_OK);
      end(&g);
    }
  }
}

static void test_old_version_without_processor(void **state) {
  (void)state;
  struct guest g = begin(SNP_MILAN, false);
  g.report[0] = 2;
  memset(g.report + 0x188, 0, 3);
  put_together(&g);
  expect_guest(&g, NULL, REPORT_OK);
  end(&g);
}

static void test_wrapped_chip(void **state) {
  (void)state;
  struct guest g = begin(SNP_GENOA, false);
  uint8_t wrapped[66] = {4, 64};
  memcpy(wrapped + 2, g.vek.chip.data, 64);
  g.vek.chip = span_of(wrapped, sizeof wrapped);
  put_together(&g);
  expect_guest(&g, NULL, REPORT_OK);
  end(&g);
}

/* The other form of a list. */
static struct buf to_hex(struct span pem) {
  BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
  X509_CRL *crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
  uint8_t *der = NULL;
  int len = i2d_X509_CRL(crl, &der);
  struct buf hex = buf_new(65536);
  assert_true(len > 0);
  text_put_hex(&hex, span_of(der, (size_t)len));
  OPENSSL_free(der);
  X509_CRL_free(crl);
  BIO_free(bio);
  return hex;
}

/* Certificates as AMD's service gives them. */
static struct buf put_chain(const struct guest *g, struct span crl) {
  struct buf pem = buf_new(65536), json = buf_new(262144);
  mint_put_pem(&pem, g->signer);
  mint_put_pem(&pem, g->ask);
  mint_put_pem(&pem, g->ark);
  buf_put_text(&json, "{");
  put_json_text(&json, "vek_certificate_chain", buf_span(&pem));
  buf_put_text(&json, ",");
  put_json_text(&json, "ark_crl", crl);
  buf_put_text(&json, "}");
  buf_free(&pem);
  return json;
}

static void expect_list(struct guest *g, struct span crl, bool good) {
  struct buf json = put_chain(g, crl);
  g->policy.collateral = buf_span(&json);
  struct evidence_report r = check(span_of(g->raw.data, SNP_REPORT_SIZE), &g->policy);
  if (report_good(&r) != good) explain(&r);
  assert_int_equal(report_good(&r), good);
  assert_int_equal(report_find(&r, "revocation")->state, good ? REPORT_OK : REPORT_FAILED);
  assert_int_equal(report_find(&r, "vek_chain")->state, REPORT_OK);
  buf_free(&json);
}

/* With AMD's list all is checked, and only then is the whole good. */
static void test_collateral(void **state) {
  (void)state;
  struct guest g = begin(SNP_MILAN, false);
  struct buf lists[4];
  put_together(&g);
  for (size_t i = 0; i < 3; i++) lists[i] = buf_new(65536);
  mint_put_crl(&lists[0], g.ark, ark_key, NULL);
  mint_put_crl(&lists[1], g.ark, ark_key, g.ask);
  mint_put_crl(&lists[2], g.ark, ask_key, NULL); /* not signed by the root */
  lists[3] = to_hex(buf_span(&lists[0]));
  for (size_t i = 0; i < 4; i++) expect_list(&g, buf_span(&lists[i]), i == 0 || i == 3);
  expect_list(&g, span_text("00"), false);
  expect_list(&g, span_text(""), false);
  g.policy.now = MINT_NOW + 86401; /* the list is old */
  expect_list(&g, buf_span(&lists[0]), false);
  for (size_t i = 0; i < 4; i++) buf_free(&lists[i]);
  end(&g);
}

static void test_broken_collateral(void **state) {
  (void)state;
  const char *const texts[] = {"{", "[]", "7", "{\"vek_certificate_chain\":\"none\"}",
                               "{\"vek_certificate_chain\":\"\"}"};
  struct guest g = begin(SNP_MILAN, false);
  put_together(&g);
  for (size_t i = 0; i < COUNT(texts); i++) {
    g.policy.collateral = span_text(texts[i]);
    expect_among(buf_span(&g.raw), &g.policy, "collateral", NULL);
  }
  end(&g);
}

/* ---- the guest ---- */

struct patch {
  const char *line;
  size_t at;
  uint8_t value;
};

/* Each is signed after the change: the signature holds, the content is refused. */
static void test_content(void **state) {
  (void)state;
  const struct patch patches[] = {
      {"guest_policy", 0x0a, 0x0b}, /* DEBUG */
      {"guest_policy", 0x0a, 0x07}, /* MIGRATE_MA */
      {"guest_policy", 0x0a, 0x01}, /* the reserved bit that must be one */
      {"guest_policy", 0x0b, 0x04}, /* bit 26 */
      {"guest_policy", 0x0f, 0x80}, /* bit 63 */
      {"vmpl", 0x30, 1},
      {"vmpl", 0x33, 0x80},
      {"guest_svn", 0x04, 6},
      {"measurement", 0x90, 0x3f},
      {"measurement", 0xbf, 0},
      {"host_data", 0xc0, 0x41},
      {"report_data", 0x50, 0xd1},
      {"report_data", 0x8f, 0},
      {"chip", 0x1a0, 0},
      {"chip", 0x1df, 0},
      {"product", 0x189, 0x11},
      {"tcb", 0x180, 2},
      {"tcb", 0x187, 5},
      {"tcb", 0x182, 1}, /* a byte that means nothing on Milan */
      {"tcb", 0x1f0, 0},
      {"tcb", 0x1f7, 3}, /* launched on an older one */
  };
  for (size_t i = 0; i < COUNT(patches); i++) {
    struct guest g = begin(SNP_MILAN, false);
    g.policy.snp.min_svn = 7;
    g.policy.snp.host_data = (struct policy_list){.count = 1, .size = 32};
    memset(g.policy.snp.host_data.items[0], 0x40, 32);
    g.report[patches[i].at] = patches[i].value;
    expect_bad(&g, patches[i].line);
  }
}

/* Signed, and still no report. */
static void test_format(void **state) {
  (void)state;
  const struct patch patches[] = {
      {NULL, 0x00, 1},  {NULL, 0x00, 4},      {NULL, 0x00, 6},     {NULL, 0x01, 1},  {NULL, 0x34, 0},
      {NULL, 0x34, 2},  {NULL, 0x48, 2 << 2}, {NULL, 0x48, 0x20},  {NULL, 0x4b, 1},  {NULL, 0x4c, 1},
      {NULL, 0x4f, 1},  {NULL, 0x188, 0x18},  {NULL, 0x189, 0x20}, {NULL, 0x18b, 1}, {NULL, 0x19f, 1},
      {NULL, 0x1eb, 1}, {NULL, 0x1ef, 1},     {NULL, 0x1f8, 1},    {NULL, 0x207, 1}, {NULL, 0x208, 1},
      {NULL, 0x29f, 1},
  };
  for (size_t i = 0; i < COUNT(patches); i++) {
    struct guest g = begin(SNP_MILAN, false);
    g.report[patches[i].at] = patches[i].value;
    put_together(&g);
    expect_among(buf_span(&g.raw), &g.policy, "format", NULL);
    end(&g);
  }
}

/* Mitigations are known from version 5. */
static void test_mitigations(void **state) {
  (void)state;
  struct guest g = begin(SNP_TURIN, false);
  memset(g.report + 0x1f8, 0xff, 16);
  put_together(&g);
  expect_guest(&g, NULL, REPORT_OK);
  end(&g);
}

static void test_lengths(void **state) {
  (void)state;
  struct guest g = begin(SNP_MILAN, false);
  put_together(&g);
  for (size_t len = 0; len < g.raw.len; len += len < SNP_REPORT_SIZE - 1 ? 97 : 1) {
    if (len == SNP_REPORT_SIZE) continue; /* a report alone is well-formed: see test_collateral */
    struct buf cut = buf_new(65536);
    buf_put(&cut, g.raw.data, len); /* so that the sanitizer sees a read too far */
    struct evidence_report r = check(buf_span(&cut), &g.policy);
    assert_false(report_good(&r));
    assert_int_equal(report_find(&r, "format")->state, REPORT_FAILED);
    buf_free(&cut);
  }
  end(&g);
}

/* ---- the policy ---- */

static void test_policy(void **state) {
  (void)state;
  struct guest g = begin(SNP_MILAN, false);
  put_together(&g);
  const struct evidence_policy usual = g.policy;
  g.policy.snp.measurement.count = 0;
  expect_guest(&g, "measurement", REPORT_SKIPPED);
  g.policy.snp.measurement.any = true;
  expect_guest(&g, NULL, REPORT_OK);
  g.policy = usual;
  g.policy.snp.min_tcb.microcode = 5;
  expect_guest(&g, "tcb", REPORT_FAILED);
  g.policy = usual;
  g.policy.snp.min_tcb.fmc = 1;
  expect_guest(&g, "tcb", REPORT_FAILED);
  g.policy = usual;
  g.policy.snp.min_svn = 8;
  expect_guest(&g, "guest_svn", REPORT_FAILED);
  g.policy = usual;
  g.policy.now = MINT_NOW + MINT_YEAR + 1;
  expect_guest(&g, "vek_chain", REPORT_FAILED);
  g.policy.now = MINT_NOW - MINT_YEAR - 1;
  expect_guest(&g, "vek_chain", REPORT_FAILED);
  g.policy = usual;
  g.policy.root_count = 0; /* AMD's */
  expect_guest(&g, "vek_chain", REPORT_FAILED);
  end(&g);
}

static void test_policy_as_json(void **state) {
  (void)state;
  struct evidence_policy p = {.now = 1};
  struct buf problem = buf_new(256);
  const char *json = "{\"snp\":{\"max_vmpl\":3,\"min_svn\":4294967295,\"providers\":[\"" HOST "\"]}}";
  assert_int_equal(policy_read(span_text(json), &p, &problem), RESULT_OK);
  assert_int_equal(p.snp.max_vmpl, 3);
  assert_int_equal(p.snp.min_svn, UINT32_MAX);
  assert_true(p.snp.providers.given && policy_accepts_name(&p.snp.providers, span_text(HOST)));
  assert_int_equal(policy_read(span_text("{\"snp\":{\"max_vmpl\":4}}"), &p, &problem), RESULT_CONFIG_INVALID);
  buf_free(&problem);
}

static void test_vmpl(void **state) {
  (void)state;
  struct guest g = begin(SNP_MILAN, false);
  g.report[0x30] = 2;
  g.policy.snp.max_vmpl = 2;
  put_together(&g);
  expect_guest(&g, NULL, REPORT_OK);
  g.policy.snp.max_vmpl = 1;
  expect_guest(&g, "vmpl", REPORT_FAILED);
  end(&g);
}

static void test_providers(void **state) {
  (void)state;
  struct guest g = begin(SNP_MILAN, true);
  put_together(&g);
  g.policy.snp.providers.items[0][3] = 'x';
  expect_guest(&g, "provider", REPORT_FAILED);
  g.policy.snp.providers.count = 0;
  expect_guest(&g, "provider", REPORT_FAILED);
  g.policy.snp.providers.given = false;
  expect_guest(&g, "provider", REPORT_SKIPPED);
  end(&g);
}

/* ---- keys and certificates ---- */

static void test_signing_keys(void **state) {
  (void)state;
  const uint8_t infos[] = {SNP_BY_NOBODY << 2, 2, SNP_BY_VLEK << 2};
  const char *const problems[] = {"the report is not signed", "the report is not signed",
                                  "the report says that another kind of key signed it"};
  for (size_t i = 0; i < COUNT(infos); i++) {
    struct guest g = begin(SNP_MILAN, false);
    g.report[0x48] = infos[i];
    put_together(&g);
    expect_among(buf_span(&g.raw), &g.policy, "report_signature", problems[i]);
    end(&g);
  }
  struct guest g = begin(SNP_MILAN, true);
  g.report[0x48] = SNP_BY_VCEK << 2;
  put_together(&g);
  expect_among(buf_span(&g.raw), &g.policy, "report_signature", problems[2]);
  end(&g);
}

static void test_strangers_key(void **state) {
  (void)state;
  struct guest g = begin(SNP_MILAN, false);
  put_together(&g);
  mint_snp_sign(g.raw.data, other_key);
  expect_among(buf_span(&g.raw), &g.policy, "report_signature",
               "no certificate at hand is of the key that signed the report");
  end(&g);
}

/* A CA's own key is no signing key, even if it signs. */
static void test_certificates_of_no_platform(void **state) {
  (void)state;
  struct guest g = begin(SNP_MILAN, false);
  g.vek.product = "Naples";
  put_together(&g);
  expect_among(buf_span(&g.raw), &g.policy, "report_signature",
               "the signing key's certificate does not name a product that is known");
  g.vek.product = "Milano";
  put_together(&g);
  expect_among(buf_span(&g.raw), &g.policy, "report_signature",
               "the signing key's certificate does not name a product that is known");
  g.vek.product = "Milan-B0";
  g.vek.csp = HOST; /* of a chip and of a provider */
  put_together(&g);
  expect_among(buf_span(&g.raw), &g.policy, "report_signature", "the signing key is neither a chip's nor a provider's");
  g.vek.csp = NULL;
  struct span chip = g.vek.chip;
  g.vek.chip.len = 63;
  put_together(&g);
  expect_among(buf_span(&g.raw), &g.policy, "report_signature",
               "the signing key's certificate does not name a chip as it should");
  g.vek.chip = span_of(NULL, 0);
  put_together(&g);
  expect_among(buf_span(&g.raw), &g.policy, "report_signature", "the signing key is neither a chip's nor a provider's");
  g.vek.chip = chip;
  end(&g);
}

/* The issuers of the two kinds of keys do not stand in for each other. */
static void test_wrong_issuer(void **state) {
  (void)state;
  struct guest g = begin(SNP_MILAN, false);
  X509_free(g.ask);
  g.ask =
      mint_certificate(&(struct mint_subject){.name = "SEV-VLEK-Milan", .key = ask_key, .ca = true}, g.ark, ark_key);
  put_together(&g);
  expect_guest(&g, "vek_chain", REPORT_FAILED);
  end(&g);
}

/* An issuer that no root vouches for, with the right name. */
static void test_wrong_root(void **state) {
  (void)state;
  struct guest g = begin(SNP_MILAN, false), other = begin(SNP_MILAN, false);
  X509_free(g.ask);
  g.ask = mint_certificate(&(struct mint_subject){.name = "SEV-Milan", .key = ask_key, .ca = true}, g.ark, ask_key);
  put_together(&g);
  expect_guest(&g, "vek_chain", REPORT_FAILED);
  end(&g);
  put_together(&other);
  other.policy.roots[0][0] ^= 1;
  expect_guest(&other, "vek_chain", REPORT_FAILED);
  end(&other);
}

static void test_different_tcbs(void **state) {
  (void)state;
  for (size_t i = SNP_BOOTLOADER; i < SNP_PARTS; i++) {
    struct guest g = begin(SNP_MILAN, false);
    g.vek.levels[i] += 0x80;
    expect_bad(&g, "tcb");
  }
  struct guest g = begin(SNP_TURIN, false);
  g.vek.levels[SNP_FMC]++;
  expect_bad(&g, "tcb");
}

/* What the extensions of a Milan VCEK come to with one more of them, or with the last one that has that name changed.
 */
static const char *read_changed(const char *oid, const char *hex, bool more) {
  struct guest g = begin(SNP_MILAN, false);
  struct mint_subject subject = {.name = "SEV-VCEK", .key = vek_key};
  struct snp_vek vek;
  mint_vek(&subject, &g.vek);
  size_t at = subject.extension_count;
  for (size_t i = 0; !more && i < subject.extension_count; i++)
    if (strcmp(subject.extensions[i].oid, oid) == 0) at = i;
  if (at == subject.extension_count) subject.extension_count++;
  subject.extensions[at] = (struct mint_extension){oid, unhex(hex)};
  X509 *certificate = mint_certificate(&subject, g.ask, ask_key);
  const char *problem = snp_vek_read(certificate, &vek);
  X509_free(certificate);
  end(&g);
  return problem;
}

static void test_patch_levels(void **state) {
  (void)state;
  const char *microcode = "1.3.6.1.4.1.3704.1.3.8", *reserved = "1.3.6.1.4.1.3704.1.3.6";
  const char *fmc = "1.3.6.1.4.1.3704.1.3.9", *problem = "the signing key's certificate does not name a TCB";
  const char *const good[] = {"020100", "02017f", "02020080", "020200ff"};
  /* negative, too long, too large, empty, cut, with more behind, other types */
  const char *const bad[] = {"020180", "0201ff", "02020001", "02020180", "0203000001", "0200",    "0201",
                             "",       "02",     "02010400", "0a0104",   "040104",     "02810104"};
  for (size_t i = 0; i < COUNT(good); i++) assert_null(read_changed(microcode, good[i], false));
  for (size_t i = 0; i < COUNT(bad); i++) assert_string_equal(read_changed(microcode, bad[i], false), problem);
  assert_string_equal(read_changed(microcode, "020104", true), problem);                /* twice */
  assert_string_equal(read_changed("1.3.6.1.4.1.3704.1.3.5", "020100", true), problem); /* twice, and optional */
  assert_null(read_changed(reserved, "020100", true));
  assert_string_equal(read_changed(reserved, "020101", true), problem);
  assert_string_equal(read_changed(fmc, "020101", true), problem);
}

/* ---- the table of certificates ---- */

static void expect_table(struct span bytes, const char *problem) {
  struct snp_table table;
  const char *found = snp_report_table(bytes, &table);
  if (problem == NULL) assert_null(found);
  if (problem != NULL) assert_string_equal(found, problem);
}

static void put_entry(struct buf *b, const char *guid, uint32_t offset, uint32_t len) {
  buf_put_span(b, unhex(guid));
  buf_put_u32(b, offset);
  buf_put_u32(b, len);
}

static void test_tables(void **state) {
  (void)state;
  const char *vcek = "63da758de6644564adc5f4b93be8accd", *zero = "00000000000000000000000000000000";
  const char *other = "ecae0c0f950243b1afa20ae2e0d565b6";
  struct buf b = buf_new(8192);
  expect_table(span_of(NULL, 0), "the table of certificates has no end");
  put_entry(&b, zero, 0, 0);
  expect_table(buf_span(&b), NULL);
  buf_clear(&b);
  put_entry(&b, vcek, 72, 1);
  put_entry(&b, other, 0, 72);
  put_entry(&b, zero, 0, 0);
  expect_table(buf_span(&b), "a certificate is outside of its table");
  buf_put_u8(&b, 0x30);
  expect_table(buf_span(&b), NULL);
  b.data[16] = 71;
  b.data[20] = 3;
  expect_table(buf_span(&b), "a certificate is outside of its table");
  memset(b.data + 16, 0xff, 8);
  expect_table(buf_span(&b), "a certificate is outside of its table");
  buf_clear(&b);
  put_entry(&b, vcek, 0, 0);
  put_entry(&b, zero, 0, 0);
  expect_table(buf_span(&b), "the table of certificates has an empty certificate, or one twice");
  buf_clear(&b);
  put_entry(&b, vcek, 0, 1);
  put_entry(&b, "8d75da6364e66445adc5f4b93be8accd", 0, 1);
  put_entry(&b, zero, 0, 0);
  expect_table(buf_span(&b), "the table of certificates has an empty certificate, or one twice");
  buf_clear(&b);
  for (int i = 0; i < 65; i++) put_entry(&b, other, 0, 1);
  expect_table(buf_span(&b), "the table of certificates is too long");
  buf_free(&b);
}

/* ---- every byte ---- */

/* No flipped bit is taken, one a byte, in the report or behind it. */
static void expect_all_needed(struct buf *raw, const struct evidence_policy *policy) {
  for (size_t i = 0; i < raw->len; i++) {
    const uint8_t bit = (uint8_t)(1u << i % 8);
    raw->data[i] ^= bit;
    struct evidence_report r = check(buf_span(raw), policy);
    if (report_worst(&r) == NULL || report_worst(&r)->state != REPORT_FAILED) fail_msg("byte %zu is not needed", i);
    raw->data[i] ^= bit;
  }
}

static void test_every_byte(void **state) {
  (void)state;
  struct guest g = begin(SNP_MILAN, false);
  put_together(&g);
  expect_guest(&g, NULL, REPORT_OK);
  expect_all_needed(&g.raw, &g.policy);
  end(&g);
}

/* ---- the whole reply ---- */

#define DOCUMENT                                                                                                  \
  "{\"build\":\"neocompute "                                                                                      \
  "0.1.0\",\"cfg_sha256\":\"RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o\",\"cnf\":{\"jwks\":[{\"crv\":\"P-256\"," \
  "\"kty\":\"EC\","                                                                                               \
  "\"x\":\"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs\",\"y\":\"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA\"}," \
  "{\"crv\":\"X25519\",\"kty\":\"OKP\",\"x\":\"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM\"}]},\"eng\":\"e0\","  \
  "\"exp\":1797776000,\"iat\":1790000000,\"iso\":\"process\",\"iss\":\"neocompute\",\"tee\":\"snp\",\"ver\":2}"

static struct buf put_reply(struct span raw) {
  struct buf b = buf_new(65536);
  struct span document = span_text(DOCUMENT);
  uint8_t hash[HASH_SIZE];
  assert_int_equal(hash_sha256(&document, 1, hash), RESULT_OK);
  buf_put_text(&b, "{\"document\":\"");
  base64_put_url(&b, document);
  buf_put_text(
      &b, "\",\"evidence\":{\"type\":\"snp\",\"media_type\":\"application/vnd.neocompute.snp-evidence\",\"raw\":\"");
  base64_put_url(&b, raw);
  buf_put_text(&b, "\"},\"document_sha256\":\"");
  text_put_hex(&b, span_of(hash, sizeof hash));
  buf_put_text(&b, "\"}");
  assert_false(b.bad);
  return b;
}

/* From the report data to the verdict; then with one bit of the report data wrong. */
static void test_reply(void **state) {
  (void)state;
  for (int wrong = 0; wrong < 2; wrong++) {
    struct guest g = begin(SNP_GENOA, false);
    const struct span bound[] = {span_of("neocompute-key-binding-v1", 26), span_text(DOCUMENT)};
    assert_int_equal(hash_sha512(bound, 2, g.report + 0x50), RESULT_OK);
    g.report[0x8f] ^= (uint8_t)wrong;
    put_together(&g);
    struct buf crl = buf_new(65536), text = buf_new(131072);
    mint_put_crl(&crl, g.ark, ark_key, NULL);
    struct buf json = put_chain(&g, buf_span(&crl)), reply = put_reply(buf_span(&g.raw));
    g.policy.collateral = buf_span(&json);
    struct evidence_verdict v;
    enum result r = evidence_check(buf_span(&reply), &g.policy, &text, &v);
    assert_int_equal(r, wrong ? RESULT_NOT_VERIFIED : RESULT_OK);
    if (wrong) assert_string_equal(v.problem, "the evidence is for another document");
    buf_free(&crl);
    buf_free(&text);
    buf_free(&json);
    buf_free(&reply);
    end(&g);
  }
}

/* ---- evidence of real machines ---- */

static const struct sample {
  const char *report, *vek, *issuers, *measurement;
  uint64_t now;
  uint32_t max_vmpl;
  const char *provider, *bad; /* the line that fails; NULL: none */
} samples[] = {
    {"snp/google_milan_v2_report.bin", "snp/google_milan_vcek.der", "roots/amd_ask_ark_milan.pem",
     "b07af9620f3b839b47996422ddec6058338951d984e312115131ea82705eaf5b6bdf8a9ece31a5a608eb0cf2e4872b01", 1700000000, 0,
     NULL, "guest_policy"},
    {"snp/virtee_report_milan.hex", "snp/virtee_vcek_milan.der", "roots/amd_ask_ark_milan.pem",
     "7a1e5c266c0108dbc9bb94fa926951320940915d0aafb42464bd88b579ea158d3e1a0dc39b2c60bd95b9c480cd81841f", 1700000000, 0,
     NULL, NULL},
    {"snp/coco_az_genoa_v3_report.bin", "snp/coco_az_genoa_v3_vcek.pem", "roots/amd_ask_ark_genoa.pem",
     "f57dc09a507c6ecd82369bffb600f0003792f4d99bc26e985ec0c266fc34faf3706faf814c9e61065768a6ff917c89ae", 1750000000, 0,
     NULL, NULL},
    {"snp/coco_test-vlek-report.bin", "snp/coco_test-vlek.der", "roots/amd_ask_ark_milan_vlek.pem",
     "8922ebbdd00ec2c541f36a6e7a82a8773a7accb451ed67bc94e740dbe92c93c4e8c9af857f5ceeb5a493df2a570d7bf0", 1750000000, 1,
     "CN=cc-us-east-2.amazonaws.com", NULL},
    {"snp/coco_test-vlek-report.bin", "snp/coco_test-vlek.der", "roots/amd_ask_ark_milan_vlek.pem",
     "8922ebbdd00ec2c541f36a6e7a82a8773a7accb451ed67bc94e740dbe92c93c4e8c9af857f5ceeb5a493df2a570d7bf0", 1750000000, 0,
     "CN=cc-us-east-2.amazonaws.com", "vmpl"},
    {"snp/coco_test-vlek-report.bin", "snp/coco_test-vlek.der", "roots/amd_ask_ark_milan_vlek.pem",
     "8922ebbdd00ec2c541f36a6e7a82a8773a7accb451ed67bc94e740dbe92c93c4e8c9af857f5ceeb5a493df2a570d7bf0", 1766000000, 1,
     "CN=cc-us-east-2.amazonaws.com", "vek_chain"}, /* expired on 2025-12-10 */
};

static struct buf read_sample(const char *name) {
  struct buf b = buf_new(1 << 20);
  assert_true(samples_read(name, &b));
  size_t len = strlen(name);
  if (len < 4 || strcmp(name + len - 4, ".hex") != 0) return b;
  struct buf bytes = buf_new(1 << 20);
  size_t digits = b.len;
  while (digits > 0 && b.data[digits - 1] <= ' ') digits--;
  assert_true(text_unhex(span_of(b.data, digits), buf_extend(&bytes, digits / 2), digits / 2));
  buf_free(&b);
  return bytes;
}

/* As collateral; DER becomes PEM. */
static struct buf put_collateral(const char *vek, const char *issuers) {
  struct buf leaf = read_sample(vek), rest = read_sample(issuers), pem = buf_new(1 << 20), json = buf_new(1 << 20);
  struct chain chain = {0};
  assert_true(chain_add(&chain, buf_span(&leaf)) && chain_add(&chain, buf_span(&rest)));
  for (size_t i = 0; i < chain.count; i++) mint_put_pem(&pem, chain.certificate[i]);
  buf_put_text(&json, "{");
  put_json_text(&json, "vek_certificate_chain", buf_span(&pem));
  buf_put_text(&json, "}");
  chain_free(&chain);
  buf_free(&leaf);
  buf_free(&rest);
  buf_free(&pem);
  return json;
}

static void test_samples(void **state) {
  (void)state;
  if (!samples_are_here()) skip();
  for (size_t i = 0; i < COUNT(samples); i++) {
    const struct sample *s = &samples[i];
    struct buf raw = read_sample(s->report), collateral = put_collateral(s->vek, s->issuers);
    struct evidence_policy policy = {.now = s->now, .collateral = buf_span(&collateral)};
    policy.snp.measurement = (struct policy_list){.count = 1, .size = 48};
    policy.snp.max_vmpl = s->max_vmpl;
    assert_true(text_unhex(span_text(s->measurement), policy.snp.measurement.items[0], 48));
    if (s->provider != NULL) {
      policy.snp.providers = (struct policy_names){.given = true, .count = 1};
      memcpy(policy.snp.providers.items[0], s->provider, strlen(s->provider) + 1);
    }
    struct evidence_report r = {0};
    assert_int_equal(raw.len, SNP_REPORT_SIZE);
    evidence_snp.check(buf_span(&raw), raw.data + 0x50, &policy, &r);
    expect_only(&r, s->bad, REPORT_FAILED);
    buf_free(&raw);
    buf_free(&collateral);
  }
}

static void test_every_byte_of_a_sample(void **state) {
  (void)state;
  if (!samples_are_here()) skip();
  struct buf raw = read_sample(samples[1].report), collateral = put_collateral(samples[1].vek, samples[1].issuers);
  struct evidence_policy policy = {.now = samples[1].now, .collateral = buf_span(&collateral)};
  policy.snp.measurement.any = true;
  memcpy(report_data, raw.data + 0x50, sizeof report_data);
  expect_all_needed(&raw, &policy);
  memset(report_data, 0xd0, sizeof report_data);
  buf_free(&raw);
  buf_free(&collateral);
}

/* With another machine's key, and with one that AMD never certified. */
static void test_samples_that_do_not_belong_together(void **state) {
  (void)state;
  if (!samples_are_here()) skip();
  const char *const veks[] = {"snp/google_milan_vcek.der", "snp/coco_test-vcek-invalid-new.der"};
  struct buf raw = read_sample("snp/virtee_report_milan.hex");
  for (size_t i = 0; i < COUNT(veks); i++) {
    struct buf collateral = put_collateral(veks[i], "roots/amd_ask_ark_milan.pem");
    const struct evidence_policy policy = {.now = 1700000000, .collateral = buf_span(&collateral)};
    expect_among(buf_span(&raw), &policy, "report_signature",
                 "no certificate at hand is of the key that signed the report");
    buf_free(&collateral);
  }
  buf_free(&raw);
}

/* Certificates for which there is no report. */
static void test_sample_certificates(void **state) {
  (void)state;
  if (!samples_are_here()) skip();
  const struct {
    const char *vek, *issuers;
    enum snp_product product;
    struct snp_tcb tcb;
    size_t chip_id_len;
    bool good;
  } all[] = {
      {"snp/virtee_vcek_turin.der", "roots/amd_ask_ark_turin_vcek.pem", SNP_TURIN, {{0, 0, 0, 0, 9}}, 8, true},
      {"snp/virtee_vcek_turin.der", "roots/amd_ask_ark_turin_vlek.pem", SNP_TURIN, {{0, 0, 0, 0, 9}}, 8, false},
      {"snp/coco_test-vcek-invalid-new.der", "roots/amd_ask_ark_milan.pem", SNP_MILAN, {{0, 0, 0, 0, 30}}, 64, false},
      {"snp/coco_az_genoa_v3_vcek.pem", "roots/amd_ask_ark_genoa.pem", SNP_GENOA, {{0, 10, 0, 23, 84}}, 64, true},
  };
  for (size_t i = 0; i < COUNT(all); i++) {
    struct buf leaf = read_sample(all[i].vek), rest = read_sample(all[i].issuers);
    const struct evidence_policy policy = {.now = 1750000000};
    struct chain chain = {0};
    struct snp_vek vek;
    assert_true(chain_add(&chain, buf_span(&leaf)) && chain_add(&chain, buf_span(&rest)));
    assert_null(snp_vek_read(chain.certificate[0], &vek));
    assert_int_equal(vek.product, all[i].product);
    assert_memory_equal(&vek.tcb, &all[i].tcb, sizeof vek.tcb);
    assert_int_equal(vek.chip_id_len, all[i].chip_id_len);
    const struct chain_request request = {
        .leaf = chain.certificate[0],
        .pools = {&chain},
        .roots = roots_of((enum roots_vendor)(ROOTS_AMD_MILAN + vek.product), &policy),
        .now = policy.now};
    assert_int_equal(chain_verify(&request) == NULL, all[i].good);
    chain_free(&chain);
    buf_free(&leaf);
    buf_free(&rest);
  }
}

static int make_keys(void **state) {
  ark_key = mint_rsa();
  ask_key = mint_rsa();
  vek_key = mint_p384();
  other_key = mint_p384();
  memset(report_data, 0xd0, sizeof report_data);
  return start_crypto(state);
}

static int free_keys(void **state) {
  EVP_PKEY_free(ark_key);
  EVP_PKEY_free(ask_key);
  EVP_PKEY_free(vek_key);
  EVP_PKEY_free(other_key);
  return stop_crypto(state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_products),
      cmocka_unit_test(test_old_version_without_processor),
      cmocka_unit_test(test_wrapped_chip),
      cmocka_unit_test(test_collateral),
      cmocka_unit_test(test_broken_collateral),
      cmocka_unit_test(test_content),
      cmocka_unit_test(test_format),
      cmocka_unit_test(test_mitigations),
      cmocka_unit_test(test_lengths),
      cmocka_unit_test(test_policy),
      cmocka_unit_test(test_policy_as_json),
      cmocka_unit_test(test_vmpl),
      cmocka_unit_test(test_providers),
      cmocka_unit_test(test_signing_keys),
      cmocka_unit_test(test_strangers_key),
      cmocka_unit_test(test_certificates_of_no_platform),
      cmocka_unit_test(test_wrong_issuer),
      cmocka_unit_test(test_wrong_root),
      cmocka_unit_test(test_different_tcbs),
      cmocka_unit_test(test_patch_levels),
      cmocka_unit_test(test_tables),
      cmocka_unit_test(test_every_byte),
      cmocka_unit_test(test_reply),
      cmocka_unit_test(test_samples),
      cmocka_unit_test(test_every_byte_of_a_sample),
      cmocka_unit_test(test_samples_that_do_not_belong_together),
      cmocka_unit_test(test_sample_certificates),
  };
  return cmocka_run_group_tests_name("snp", tests, make_keys, free_keys);
}
