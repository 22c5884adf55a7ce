/*
 * AWS Nitro Enclaves. The evidence is the attestation document as the security module gives it: a COSE_Sign1 over a
 * CBOR map (aws/aws-nitro-enclaves-nsm-api, docs/attestation_process.md). It brings its certificates; the leaf lives
 * for three hours, so there is no revocation.
 */
#include <inttypes.h>

#include "evidence/cbor_in.h"
#include "evidence/chain.h"
#include "evidence/cose.h"
#include "evidence/show.h"
#include "evidence/verifier.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define PCRS 32u
#define PCR_SIZE 48u
#define PCRS_NEEDED 3u /* image, kernel and application */
#define CERTIFICATE_MAX 1024u
#define BUNDLE_MAX 8u
#define FIELD_MAX 1024u

struct document {
  struct span pcr[PCRS]; /* absent: empty */
  struct span certificate, bundle[BUNDLE_MAX];
  size_t bundle_count;
  struct span public_key, user_data, nonce; /* null: empty */
  uint64_t timestamp;                       /* milliseconds */
};

/* ---- reading ---- */

static struct span sized(struct cbor_in *c, struct span bytes, size_t max) {
  if (bytes.len == 0 || bytes.len > max) c->bad = true;
  return bytes;
}

static void read_module(struct cbor_in *c, struct document *d) {
  (void)d;
  sized(c, cbor_in_text(c), FIELD_MAX);
}

static void read_digest(struct cbor_in *c, struct document *d) {
  (void)d;
  if (!span_is(cbor_in_text(c), "SHA384")) c->bad = true;
}

static void read_timestamp(struct cbor_in *c, struct document *d) {
  d->timestamp = cbor_in_uint(c);
  if (d->timestamp == 0) c->bad = true;
}

static void read_pcrs(struct cbor_in *c, struct document *d) {
  struct cbor_in_map map = cbor_in_map(c);
  while (cbor_in_pair(c, &map)) {
    uint64_t index = cbor_in_uint(c);
    struct span value = cbor_in_bytes(c);
    if (index >= PCRS || value.len != PCR_SIZE || d->pcr[index].len > 0)
      c->bad = true;
    else
      d->pcr[index] = value;
  }
}

static void read_certificate(struct cbor_in *c, struct document *d) {
  d->certificate = sized(c, cbor_in_bytes(c), CERTIFICATE_MAX);
}

static void read_bundle(struct cbor_in *c, struct document *d) {
  uint64_t count = cbor_in_array(c);
  if (count == 0 || count > BUNDLE_MAX) {
    c->bad = true;
    return;
  }
  while (d->bundle_count < count) d->bundle[d->bundle_count++] = sized(c, cbor_in_bytes(c), CERTIFICATE_MAX);
}

static struct span read_optional(struct cbor_in *c) {
  if (cbor_in_null(c)) return span_of(NULL, 0);
  struct span bytes = cbor_in_bytes(c);
  if (bytes.len > FIELD_MAX) c->bad = true;
  return bytes;
}

static void read_public_key(struct cbor_in *c, struct document *d) {
  d->public_key = read_optional(c);
}

static void read_user_data(struct cbor_in *c, struct document *d) {
  d->user_data = read_optional(c);
}

static void read_nonce(struct cbor_in *c, struct document *d) {
  d->nonce = read_optional(c);
}

static const struct field {
  const char *name;
  void (*read)(struct cbor_in *c, struct document *d);
  bool optional;
} fields[] = {
    {"module_id", read_module, false},
    {"digest", read_digest, false},
    {"timestamp", read_timestamp, false},
    {"pcrs", read_pcrs, false},
    {"certificate", read_certificate, false},
    {"cabundle", read_bundle, false},
    {"public_key", read_public_key, true},
    {"user_data", read_user_data, true},
    {"nonce", read_nonce, true},
};

/* COUNT(fields) if there is none. */
static size_t find_field(struct span name) {
  size_t i = 0;
  while (i < COUNT(fields) && !span_is(name, fields[i].name)) i++;
  return i;
}

static bool has_needed(const struct document *d, uint32_t seen) {
  for (size_t i = 0; i < COUNT(fields); i++)
    if (!fields[i].optional && (seen >> i & 1) == 0) return false;
  for (size_t i = 0; i < PCRS_NEEDED; i++)
    if (d->pcr[i].len == 0) return false;
  return true;
}

/* A key that is not known, or comes twice, is refused: what it might mean nobody here can tell. */
static bool read_document(struct span payload, struct document *d) {
  struct cbor_in c = cbor_in_of(payload);
  struct cbor_in_map map = cbor_in_map(&c);
  uint32_t seen = 0;
  *d = (struct document){0};
  while (cbor_in_pair(&c, &map)) {
    size_t i = find_field(cbor_in_text(&c));
    if (i == COUNT(fields) || (seen >> i & 1) != 0) return false;
    seen |= 1u << i;
    fields[i].read(&c, d);
  }
  return cbor_in_end(&c) && has_needed(d, seen);
}

/* ---- checking ---- */

/* Exactly one certificate. */
static bool add(struct chain *chain, struct span der) {
  size_t before = chain->count;
  return chain_add_der(chain, der) && chain->count == before + 1;
}

static bool read_chain(const struct document *d, struct chain *chain) {
  if (!add(chain, d->certificate)) return false;
  for (size_t i = 0; i < d->bundle_count; i++)
    if (!add(chain, d->bundle[i])) return false;
  return true;
}

static void check_origin(const struct cose *cose, const struct document *d, const struct evidence_policy *policy,
                         struct evidence_report *report) {
  struct chain chain = {0};
  const char *problem = "a certificate cannot be read";
  bool read = read_chain(d, &chain);
  if (read) {
    const struct chain_request request = {.leaf = chain.certificate[0],
                                          .pools = {&chain},
                                          .roots = roots_of(ROOTS_AWS_NITRO, policy),
                                          .now = policy->now};
    problem = chain_verify(&request);
  }
  if (problem != NULL)
    report_fail(report, "chain", "%s", problem);
  else
    report_ok(report, "chain", "to AWS's root for Nitro Enclaves");
  if (!read)
    report_skip(report, "signature", "the key that signed is not known");
  else if (!cose_verify(cose, X509_get0_pubkey(chain.certificate[0])))
    report_fail(report, "signature", "the document is not signed by its certificate's key");
  else
    report_ok(report, "signature", "ES384");
  chain_free(&chain);
}

/* The security module's clock. The certificate bounds it, too, but only to hours. */
static void check_time(const struct document *d, const struct evidence_policy *policy, struct evidence_report *report) {
  uint64_t at = d->timestamp / 1000;
  if (at > policy->now && at - policy->now > EVIDENCE_CLOCK_SKEW)
    report_fail(report, "timestamp", "the attestation document is from the future");
  else if (policy->max_age > 0 && at < policy->now && policy->now - at > policy->max_age)
    report_fail(report, "timestamp", "the attestation document is too old");
  else
    report_ok(report, "timestamp", "%" PRIu64 " ms", d->timestamp);
}

static bool is_zero(struct span bytes) {
  static const uint8_t zeros[PCR_SIZE];
  return span_equal(bytes, span_of(zeros, sizeof zeros));
}

/* An enclave started for debugging has a console that its host reads, and zeros for its measurements. */
static void check_debug(const struct document *d, struct evidence_report *report) {
  bool debug = false;
  for (size_t i = 0; i < PCRS_NEEDED; i++) debug = debug || is_zero(d->pcr[i]);
  if (debug)
    report_fail(report, "debug", "the enclave is in debug mode");
  else
    report_ok(report, "debug", "off");
}

/* Of PCR 0 to 2 the policy has to speak. */
static void check_pcrs(const struct document *d, const struct evidence_policy *policy, struct evidence_report *report) {
  static const char *const names[POLICY_PCRS] = {"pcr0", "pcr1", "pcr2",  "pcr3",  "pcr4",  "pcr5",  "pcr6",  "pcr7",
                                                 "pcr8", "pcr9", "pcr10", "pcr11", "pcr12", "pcr13", "pcr14", "pcr15"};
  for (size_t i = 0; i < POLICY_PCRS; i++) {
    const struct policy_list *list = &policy->nitro.pcr[i];
    if (i < PCRS_NEEDED || list->any || list->count > 0) report_measurement(report, names[i], list, d->pcr[i]);
  }
}

static void check_binding(const struct document *d, const uint8_t report_data[EVIDENCE_REPORT_DATA],
                          struct evidence_report *report) {
  if (span_equal(d->user_data, span_of(report_data, EVIDENCE_REPORT_DATA)))
    report_ok(report, "report_data", "user_data binds the document");
  else
    report_fail(report, "report_data", "the evidence is for another document");
}

static void check_nitro(struct span raw, const uint8_t report_data[EVIDENCE_REPORT_DATA],
                        const struct evidence_policy *policy, struct evidence_report *report) {
  struct cose cose;
  struct document document;
  if (!cose_read(raw, &cose) || !read_document(cose.payload, &document)) {
    report_fail(report, "format", "the evidence is not a Nitro attestation document");
    return;
  }
  report_ok(report, "format", "Nitro attestation document, public key %zu bytes, nonce %zu bytes",
            document.public_key.len, document.nonce.len);
  check_origin(&cose, &document, policy, report);
  check_time(&document, policy, report);
  check_debug(&document, report);
  check_pcrs(&document, policy, report);
  check_binding(&document, report_data, report);
}

static void show_nitro(struct span raw, struct buf *out) {
  struct cose cose;
  struct document d;
  if (!cose_read(raw, &cose) || !read_document(cose.payload, &d)) {
    show_text(out, "document", "(cannot be read)");
    return;
  }
  show_text(out, "timestamp", "%" PRIu64 " ms", d.timestamp);
  for (size_t i = 0; i < PCRS; i++) {
    char name[16];
    snprintf(name, sizeof name, "pcr%zu", i);
    if (d.pcr[i].len > 0) show_hex(out, name, d.pcr[i]);
  }
  show_hex(out, "user_data", d.user_data);
  show_hex(out, "public_key", d.public_key);
  show_hex(out, "nonce", d.nonce);
  show_certificates(out, d.certificate);
  for (size_t i = 0; i < d.bundle_count; i++) show_certificates(out, d.bundle[i]);
}

const struct evidence_verifier evidence_nitro = {"nitro", "application/vnd.neocompute.nitro-evidence+cbor", check_nitro,
                                                 show_nitro};
