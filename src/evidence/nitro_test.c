#include "evidence/verifier.h"

#include "crypto/testing.h"
#include "evidence/cbor_in.h"
#include "evidence/chain.h"
#include "evidence/cose.h"
#include "mint.h"
#include "samples.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define LINKS 4u /* leaf, two intermediates, root */

static EVP_PKEY *keys[LINKS], *other_key;
static X509 *chain[LINKS];
static uint8_t report_data[EVIDENCE_REPORT_DATA];

/* ---- expectations ---- */

static struct evidence_policy usual_policy(void) {
  struct evidence_policy p = {.now = MINT_NOW, .root_count = 1};
  mint_fingerprint(chain[LINKS - 1], p.roots[0]);
  for (size_t i = 0; i < 3; i++) {
    p.nitro.pcr[i] = (struct policy_list){.count = 1, .size = 48};
    memset(p.nitro.pcr[i].items[0], (int)(0xa0 + i), 48);
  }
  return p;
}

static struct evidence_report check(struct span raw, const struct evidence_policy *policy) {
  struct evidence_report r = {0};
  evidence_nitro.check(raw, report_data, policy, &r);
  return r;
}

static void explain(const struct evidence_report *r) {
  for (size_t i = 0; i < r->count; i++)
    print_message("  %d %s: %s\n", r->lines[i].state, r->lines[i].name, r->lines[i].value);
}

/* All lines hold but `bad`; NULL: all. */
static void expect(struct span raw, const struct evidence_policy *policy, const char *bad, enum report_state state) {
  struct evidence_report r = check(raw, policy);
  bool seen = bad == NULL;
  for (size_t i = 0; i < r.count; i++) {
    bool is_bad = bad != NULL && strcmp(r.lines[i].name, bad) == 0;
    if (r.lines[i].state != (is_bad ? state : REPORT_OK)) explain(&r);
    assert_int_equal(r.lines[i].state, is_bad ? state : REPORT_OK);
    seen = seen || is_bad;
  }
  if (!seen) explain(&r);
  assert_true(seen);
  assert_int_equal(report_good(&r), bad == NULL);
}

static struct mint_nitro begin(void) {
  struct mint_nitro n;
  mint_nitro_new(&n, chain, LINKS, span_of(report_data, sizeof report_data));
  return n;
}

static void expect_document(const struct mint_nitro *n, const char *bad) {
  const struct evidence_policy policy = usual_policy();
  struct buf raw = buf_new(65536);
  mint_put_nitro(&raw, n, keys[0]);
  expect(buf_span(&raw), &policy, bad, REPORT_FAILED);
  buf_free(&raw);
}

/* A document whose field is this CBOR; none if it is NULL. */
static void expect_field(enum mint_field field, const char *hex, const char *bad) {
  struct mint_nitro n = begin();
  buf_clear(&n.value[field]);
  if (hex != NULL) buf_put_span(&n.value[field], unhex(hex));
  expect_document(&n, bad);
  mint_nitro_free(&n);
}

/* ---- what is good ---- */

static void test_forms(void **state) {
  (void)state;
  for (int form = 0; form < 4; form++) {
    struct mint_nitro n = begin();
    n.open_map = (form & 1) != 0;
    n.tagged = (form & 2) != 0;
    expect_document(&n, NULL);
    mint_nitro_free(&n);
  }
}

static void test_optional_fields(void **state) {
  (void)state;
  for (int field = MINT_PUBLIC_KEY; field < MINT_FIELDS; field++) {
    const char *bad = field == MINT_USER_DATA ? "report_data" : NULL;
    expect_field((enum mint_field)field, "f6", bad);
    expect_field((enum mint_field)field, NULL, bad);
    expect_field((enum mint_field)field, "40", bad);
    expect_field((enum mint_field)field, "f7", "format"); /* undefined */
    expect_field((enum mint_field)field, "6161", "format");
    expect_field((enum mint_field)field, "5f4161ff", "format"); /* in pieces */
  }
}

/* ---- what is not ---- */

static void test_fields(void **state) {
  (void)state;
  const struct {
    enum mint_field field;
    const char *hex;
  } bad[] = {
      {MINT_MODULE, NULL},
      {MINT_MODULE, "60"},
      {MINT_MODULE, "4161"},
      {MINT_MODULE, "f6"},
      {MINT_DIGEST, NULL},
      {MINT_DIGEST, "66534841323536"},
      {MINT_DIGEST, "46534841333834"},
      {MINT_TIMESTAMP, NULL},
      {MINT_TIMESTAMP, "00"},
      {MINT_TIMESTAMP, "20"},
      {MINT_TIMESTAMP, "f93c00"},
      {MINT_PCRS, NULL},
      {MINT_PCRS, "a0"},
      {MINT_PCRS, "80"},
      {MINT_PCRS, "bfff"},
      {MINT_CERTIFICATE, NULL},
      {MINT_CERTIFICATE, "40"},
      {MINT_CERTIFICATE, "f6"},
      {MINT_BUNDLE, NULL},
      {MINT_BUNDLE, "80"},
      {MINT_BUNDLE, "8140"},
      {MINT_BUNDLE, "f6"},
      {MINT_BUNDLE, "9bffffffffffffffff"},
      {MINT_BUNDLE, "89414141414141414141414141414141414141"},
      {MINT_BUNDLE, "9f4130ff"},
  };
  for (size_t i = 0; i < COUNT(bad); i++) expect_field(bad[i].field, bad[i].hex, "format");
}

/* What is well-formed, but no certificate, is not the parser's to find. */
static void test_certificates_that_are_none(void **state) {
  (void)state;
  const struct evidence_policy policy = usual_policy();
  for (int i = 0; i < 2; i++) {
    struct mint_nitro n = begin();
    struct buf *field = &n.value[i == 0 ? MINT_CERTIFICATE : MINT_BUNDLE], raw = buf_new(65536);
    buf_clear(field);
    buf_put_span(field, unhex(i == 0 ? "4130" : "814130"));
    mint_put_nitro(&raw, &n, keys[0]);
    struct evidence_report r = check(buf_span(&raw), &policy);
    assert_int_equal(report_find(&r, "chain")->state, REPORT_FAILED);
    assert_int_equal(report_find(&r, "signature")->state, REPORT_SKIPPED);
    assert_false(report_good(&r));
    buf_free(&raw);
    mint_nitro_free(&n);
  }
}

static void put_pcr(struct buf *b, uint64_t index, size_t len) {
  uint8_t value[64];
  memset(value, (int)(0xa0 + index), sizeof value);
  mint_put_uint(b, index);
  mint_put_bytes(b, span_of(value, len));
}

static void test_pcrs(void **state) {
  (void)state;
  const struct {
    uint64_t index[4];
    size_t len;
    const char *bad;
  } cases[] = {
      {{0, 1, 2, 31}, 48, NULL},     {{2, 31, 0, 1}, 48, NULL},
      {{0, 1, 2, 32}, 48, "format"}, {{0, 1, 2, UINT64_MAX}, 48, "format"},
      {{0, 1, 2, 1}, 48, "format"},  {{0, 1, 3, 4}, 48, "format"},
      {{0, 1, 2, 3}, 32, "format"},  {{0, 1, 2, 3}, 64, "format"},
      {{0, 1, 2, 3}, 0, "format"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct mint_nitro n = begin();
    buf_clear(&n.value[MINT_PCRS]);
    mint_put_map(&n.value[MINT_PCRS], 4);
    for (size_t k = 0; k < 4; k++) put_pcr(&n.value[MINT_PCRS], cases[i].index[k], cases[i].len);
    expect_document(&n, cases[i].bad);
    mint_nitro_free(&n);
  }
}

static void test_sizes(void **state) {
  (void)state;
  static const uint8_t zeros[1025];
  for (int field = MINT_PUBLIC_KEY; field < MINT_FIELDS; field++) {
    for (size_t len = 1024; len < 1026; len++) {
      struct mint_nitro n = begin();
      buf_clear(&n.value[field]);
      mint_put_bytes(&n.value[field], span_of(zeros, len));
      expect_document(&n, len > 1024 ? "format" : field == MINT_USER_DATA ? "report_data" : NULL);
      mint_nitro_free(&n);
    }
  }
}

/* Keys that are not known, of another kind, or there twice. */
static void test_more_pairs(void **state) {
  (void)state;
  const char *const pairs[] = {"616100", "0000", "656e6f6e636540", "666469676573746653484133383400"};
  for (size_t i = 0; i < COUNT(pairs); i++) {
    for (int open = 0; open < 2; open++) {
      struct mint_nitro n = begin();
      buf_put_span(&n.more, unhex(pairs[i]));
      n.more_count = 1;
      n.open_map = open != 0;
      expect_document(&n, "format");
      mint_nitro_free(&n);
    }
  }
}

static void test_headers(void **state) {
  (void)state;
  const struct {
    const char *protected_header, *unprotected_header, *bad;
  } cases[] = {
      {"a1013822", "a0", NULL},
      {"a1013822", "bfff", NULL},
      {"a10126", "a0", "format"}, /* ES256 */
      {"a1013823", "a0", "format"},
      {"a10122", "a0", "format"},
      {"a0", "a0", "format"},
      {"", "a0", "format"},
      {"a2013822044161", "a0", "format"},
      {"a101382200", "a0", "format"},
      {"a1033822", "a0", "format"},
      {"a1013822", "a1044161", "format"},
      {"a1013822", "80", "format"},
      {"a1013822", "a1013822", "format"},
      {"a101182200", "a0", "format"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct mint_nitro n = begin();
    buf_clear(&n.protected_header);
    buf_clear(&n.unprotected_header);
    buf_put_span(&n.protected_header, unhex(cases[i].protected_header));
    buf_put_span(&n.unprotected_header, unhex(cases[i].unprotected_header));
    expect_document(&n, cases[i].bad);
    mint_nitro_free(&n);
  }
}

/* ---- who signed ---- */

static void test_strangers_key(void **state) {
  (void)state;
  const struct evidence_policy policy = usual_policy();
  struct mint_nitro n = begin();
  struct buf raw = buf_new(65536);
  mint_put_nitro(&raw, &n, other_key);
  expect(buf_span(&raw), &policy, "signature", REPORT_FAILED);
  buf_free(&raw);
  mint_nitro_free(&n);
}

/* A chain of one's own, which ends well everywhere but at the pinned root. */
static void test_strangers_chain(void **state) {
  (void)state;
  const struct evidence_policy policy = usual_policy();
  X509 *own[2];
  own[1] = mint_certificate(&(struct mint_subject){.name = "root", .key = other_key, .ca = true}, NULL, NULL);
  own[0] = mint_certificate(&(struct mint_subject){.name = "leaf", .key = keys[0]}, own[1], other_key);
  struct mint_nitro n;
  struct buf raw = buf_new(65536);
  mint_nitro_new(&n, own, 2, span_of(report_data, sizeof report_data));
  mint_put_nitro(&raw, &n, keys[0]);
  expect(buf_span(&raw), &policy, "chain", REPORT_FAILED);
  mint_nitro_free(&n);
  buf_clear(&raw);
  X509 *const gap[] = {chain[0], chain[2], chain[3]};
  mint_nitro_new(&n, gap, COUNT(gap), span_of(report_data, sizeof report_data));
  mint_put_nitro(&raw, &n, keys[0]);
  expect(buf_span(&raw), &policy, "chain", REPORT_FAILED);
  mint_nitro_free(&n);
  buf_free(&raw);
  X509_free(own[0]);
  X509_free(own[1]);
}

/* A leaf cannot be an issuer. */
static void test_leaf_as_issuer(void **state) {
  (void)state;
  const struct evidence_policy policy = usual_policy();
  X509 *below = mint_certificate(&(struct mint_subject){.name = "below", .key = other_key}, chain[0], keys[0]);
  X509 *const longer[] = {below, chain[0], chain[1], chain[2], chain[3]};
  struct mint_nitro n;
  struct buf raw = buf_new(65536);
  mint_nitro_new(&n, longer, COUNT(longer), span_of(report_data, sizeof report_data));
  mint_put_nitro(&raw, &n, other_key);
  expect(buf_span(&raw), &policy, "chain", REPORT_FAILED);
  mint_nitro_free(&n);
  buf_free(&raw);
  X509_free(below);
}

/* ---- the policy ---- */

static void test_policy(void **state) {
  (void)state;
  struct mint_nitro n = begin();
  struct buf raw = buf_new(65536);
  mint_put_nitro(&raw, &n, keys[0]);
  struct span d = buf_span(&raw);
  static const char *const names[] = {"pcr0", "pcr1", "pcr2"};
  for (size_t i = 0; i < 3; i++) {
    struct evidence_policy p = usual_policy();
    p.nitro.pcr[i].items[0][47] ^= 1;
    expect(d, &p, names[i], REPORT_FAILED);
    p.nitro.pcr[i].count = 0;
    expect(d, &p, names[i], REPORT_SKIPPED);
    p.nitro.pcr[i].any = true;
    expect(d, &p, NULL, REPORT_OK);
  }
  struct evidence_policy p = usual_policy();
  p.nitro.pcr[8] = (struct policy_list){.count = 1, .size = 48};
  expect(d, &p, NULL, REPORT_OK); /* zeros, as the document has them */
  p.nitro.pcr[8].items[0][0] = 1;
  expect(d, &p, "pcr8", REPORT_FAILED);
  p = usual_policy();
  p.root_count = 0; /* AWS's */
  expect(d, &p, "chain", REPORT_FAILED);
  report_data[63] ^= 1;
  p = usual_policy();
  expect(d, &p, "report_data", REPORT_FAILED);
  report_data[63] ^= 1;
  buf_free(&raw);
  mint_nitro_free(&n);
}

static void test_time(void **state) {
  (void)state;
  struct mint_nitro n = begin();
  struct buf raw = buf_new(65536);
  mint_put_nitro(&raw, &n, keys[0]);
  struct span d = buf_span(&raw);
  struct evidence_policy p = usual_policy();
  p.now = MINT_NOW - EVIDENCE_CLOCK_SKEW;
  expect(d, &p, NULL, REPORT_OK);
  p.now--;
  expect(d, &p, "timestamp", REPORT_FAILED);
  p.now = MINT_NOW + 60;
  p.max_age = 60;
  expect(d, &p, NULL, REPORT_OK);
  p.now++;
  expect(d, &p, "timestamp", REPORT_FAILED);
  p.max_age = 0;
  p.now = MINT_NOW + MINT_YEAR + 1;
  expect(d, &p, "chain", REPORT_FAILED);
  buf_free(&raw);
  mint_nitro_free(&n);
}

/* Even a policy that takes any measurement takes no console. */
static void test_debug(void **state) {
  (void)state;
  static const uint8_t zeros[48];
  struct evidence_policy p = usual_policy();
  for (size_t i = 0; i < 3; i++) p.nitro.pcr[i].any = true;
  for (uint64_t zero = 0; zero < 3; zero++) {
    struct mint_nitro n = begin();
    struct buf *pcrs = &n.value[MINT_PCRS], raw = buf_new(65536);
    buf_clear(pcrs);
    mint_put_map(pcrs, 3);
    for (uint64_t i = 0; i < 3; i++) {
      if (i != zero) put_pcr(pcrs, i, 48);
      if (i != zero) continue;
      mint_put_uint(pcrs, i);
      mint_put_bytes(pcrs, span_of(zeros, sizeof zeros));
    }
    mint_put_nitro(&raw, &n, keys[0]);
    expect(buf_span(&raw), &p, "debug", REPORT_FAILED);
    buf_free(&raw);
    mint_nitro_free(&n);
  }
}

/* ---- bytes ---- */

static void expect_refused(struct span raw, const struct evidence_policy *policy, size_t at) {
  struct evidence_report r = check(raw, policy);
  if (report_worst(&r) == NULL || report_worst(&r)->state != REPORT_FAILED) fail_msg("byte %zu is not needed", at);
}

/* No flipped bit is taken, one a byte, nor a shorter or a longer document. */
static void expect_all_needed(struct buf *raw, const struct evidence_policy *policy) {
  for (size_t i = 0; i < raw->len; i++) {
    const uint8_t bit = (uint8_t)(1u << i % 8);
    raw->data[i] ^= bit;
    expect_refused(buf_span(raw), policy, i);
    raw->data[i] ^= bit;
  }
  for (size_t len = 0; len < raw->len; len += 13) {
    struct buf cut = buf_new(65536);
    buf_put(&cut, raw->data, len); /* so that the sanitizer sees a read too far */
    expect_refused(buf_span(&cut), policy, len);
    buf_free(&cut);
  }
  buf_put_u8(raw, 0);
  expect_refused(buf_span(raw), policy, raw->len);
}

static void test_every_byte(void **state) {
  (void)state;
  const struct evidence_policy policy = usual_policy();
  struct mint_nitro n = begin();
  struct buf raw = buf_new(65536);
  mint_put_nitro(&raw, &n, keys[0]);
  expect(buf_span(&raw), &policy, NULL, REPORT_OK);
  expect_all_needed(&raw, &policy);
  buf_free(&raw);
  mint_nitro_free(&n);
}

/* Heads that announce what is not there, and nests: at once refused, with nothing allocated. */
static void test_hostile(void **state) {
  (void)state;
  const struct evidence_policy policy = usual_policy();
  const char *const texts[] = {"",
                               "84",
                               "9bffffffffffffffff",
                               "d29f",
                               "845bffffffffffffffff",
                               "8444a1013822a05b7fffffffffffffff",
                               "8444a1013822bbffffffffffffffff",
                               "8444a1013822a05affffffff",
                               "d2d28444a1013822a040",
                               "1c",
                               "ff",
                               "fb"};
  for (size_t i = 0; i < COUNT(texts); i++) expect(unhex(texts[i]), &policy, "format", REPORT_FAILED);
  uint8_t nest[16384];
  const uint8_t openers[] = {0x81, 0x9f, 0xa1, 0xbf, 0xd2, 0x5f};
  for (size_t i = 0; i < COUNT(openers); i++) {
    memset(nest, openers[i], sizeof nest);
    expect(span_of(nest, sizeof nest), &policy, "format", REPORT_FAILED);
  }
}

static void test_cbor(void **state) {
  (void)state;
  struct cbor_in c =
      cbor_in_of(unhex("1864"
                       "20"
                       "3903e7"
                       "4161"
                       "6162"
                       "8203"
                       "f6"
                       "c0"));
  assert_int_equal(cbor_in_uint(&c), 100);
  assert_int_equal(cbor_in_negative(&c), 0);
  assert_int_equal(cbor_in_negative(&c), 999);
  assert_true(span_is(cbor_in_bytes(&c), "a") && span_is(cbor_in_text(&c), "b"));
  assert_int_equal(cbor_in_array(&c), 2);
  assert_false(cbor_in_null(&c));
  assert_int_equal(cbor_in_uint(&c), 3);
  assert_true(cbor_in_null(&c));
  assert_false(cbor_in_end(&c));
  cbor_in_skip_tag(&c, 18);
  assert_false(cbor_in_end(&c));
  cbor_in_skip_tag(&c, 0);
  assert_true(cbor_in_end(&c));
  assert_int_equal(cbor_in_uint(&c), 0);
  assert_false(cbor_in_end(&c));
  c = cbor_in_of(unhex("4161"));
  assert_int_equal(cbor_in_text(&c).len, 0);
  assert_int_equal(cbor_in_bytes(&c).len, 0); /* bad stays bad */
  c = cbor_in_of(unhex("a2"));
  struct cbor_in_map map = cbor_in_map(&c);
  assert_true(cbor_in_pair(&c, &map) && cbor_in_pair(&c, &map));
  assert_false(cbor_in_pair(&c, &map) || cbor_in_pair(&c, &map));
}

/* ---- documents of real enclaves ---- */

static const struct sample {
  const char *name;
  uint64_t now;
  const char *bad; /* beside report_data, which no sample binds; NULL: nothing */
} samples[] = {
    {"nitro/evervault_valid-attestation-doc-bytes", 1665651482, NULL},
    {"nitro/evervault_valid-attestation-doc-bytes", 1665651482 + 3 * 3600, "chain"}, /* leaf until 11:58:02 */
    {"nitro/evervault_valid-attestation-doc-bytes", 1665651482 - 3600, "chain"},     /* not yet */
    {"nitro/evervault_debug-mode-attestation-doc-bytes", 1665582606, "debug"},
    {"nitro/mysten_fastcrypto_doc0.bin", 1731627989, "debug"},
};

static void test_samples(void **state) {
  (void)state;
  if (!samples_are_here()) skip();
  for (size_t i = 0; i < COUNT(samples); i++) {
    struct buf raw = buf_new(1 << 20);
    struct evidence_policy policy = {.now = samples[i].now};
    for (size_t k = 0; k < 3; k++) policy.nitro.pcr[k].any = true;
    assert_true(samples_read(samples[i].name, &raw));
    struct evidence_report r = check(buf_span(&raw), &policy);
    for (size_t k = 0; k < r.count; k++) {
      const char *name = r.lines[k].name;
      bool bad = strcmp(name, "report_data") == 0 || (samples[i].bad != NULL && strcmp(name, samples[i].bad) == 0);
      bool early = strcmp(name, "timestamp") == 0 && samples[i].now < 1665651482 && i < 3;
      if (r.lines[k].state != (bad || early ? REPORT_FAILED : REPORT_OK)) explain(&r);
      assert_int_equal(r.lines[k].state, bad || early ? REPORT_FAILED : REPORT_OK);
    }
    assert_true(r.count > 5);
    buf_free(&raw);
  }
}

/* The measurements that SOURCES.md names, and what the other samples say. */
static void test_sample_measurements(void **state) {
  (void)state;
  if (!samples_are_here()) skip();
  struct buf raw = buf_new(1 << 20);
  assert_true(samples_read(samples[0].name, &raw));
  const struct evidence_policy policy = {.now = samples[0].now};
  struct evidence_report r = check(buf_span(&raw), &policy);
  static const char *const starts[] = {"pcr0 f4d48b81", "pcr1 bcdf05fe", "pcr2 d8f114da"};
  static const char *const names[] = {"pcr0", "pcr1", "pcr2"};
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(report_find(&r, names[i])->state, REPORT_SKIPPED);
    assert_memory_equal(report_find(&r, names[i])->value, starts[i], strlen(starts[i]));
  }
  assert_string_equal(report_find(&r, "format")->value,
                      "Nitro attestation document, public key 0 bytes, nonce 256 bytes");
  buf_free(&raw);
}

/* Its user data is not ours, so that line fails always: what counts is that one fails that vouches for the bytes. */
static void test_every_byte_of_a_sample(void **state) {
  (void)state;
  if (!samples_are_here()) skip();
  struct buf raw = buf_new(1 << 20);
  struct evidence_policy policy = {.now = samples[0].now};
  for (size_t k = 0; k < 3; k++) policy.nitro.pcr[k].any = true;
  assert_true(samples_read(samples[0].name, &raw));
  static const char *const vouching[] = {"chain", "signature", "format"};
  for (size_t i = 0; i < raw.len; i++) {
    raw.data[i] ^= 0xff;
    struct evidence_report r = check(buf_span(&raw), &policy);
    bool refused = false;
    for (size_t k = 0; k < COUNT(vouching); k++) {
      const struct report_line *line = report_find(&r, vouching[k]);
      refused = refused || (line != NULL && line->state == REPORT_FAILED);
    }
    if (!refused) fail_msg("byte %zu is not needed", i);
    raw.data[i] ^= 0xff;
  }
  buf_free(&raw);
}

static int make_chain(void **state) {
  static const char *const names[LINKS] = {"i-0123.aws", "zonal", "regional", "aws.nitro-enclaves"};
  for (size_t i = LINKS; i-- > 0;) {
    keys[i] = mint_p384();
    const struct mint_subject subject = {.name = names[i], .key = keys[i], .ca = i > 0};
    bool root = i == LINKS - 1;
    chain[i] = mint_certificate(&subject, root ? NULL : chain[i + 1], root ? NULL : keys[i + 1]);
  }
  other_key = mint_p384();
  memset(report_data, 0xd0, sizeof report_data);
  return start_crypto(state);
}

static int free_chain(void **state) {
  for (size_t i = 0; i < LINKS; i++) {
    EVP_PKEY_free(keys[i]);
    X509_free(chain[i]);
  }
  EVP_PKEY_free(other_key);
  return stop_crypto(state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cbor),
      cmocka_unit_test(test_hostile),
      cmocka_unit_test(test_forms),
      cmocka_unit_test(test_optional_fields),
      cmocka_unit_test(test_fields),
      cmocka_unit_test(test_certificates_that_are_none),
      cmocka_unit_test(test_pcrs),
      cmocka_unit_test(test_sizes),
      cmocka_unit_test(test_more_pairs),
      cmocka_unit_test(test_headers),
      cmocka_unit_test(test_strangers_key),
      cmocka_unit_test(test_strangers_chain),
      cmocka_unit_test(test_leaf_as_issuer),
      cmocka_unit_test(test_policy),
      cmocka_unit_test(test_time),
      cmocka_unit_test(test_debug),
      cmocka_unit_test(test_every_byte),
      cmocka_unit_test(test_samples),
      cmocka_unit_test(test_sample_measurements),
      cmocka_unit_test(test_every_byte_of_a_sample),
  };
  return cmocka_run_group_tests_name("nitro", tests, make_chain, free_chain);
}
