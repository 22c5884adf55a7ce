#include "evidence/snp_report.h"

#define R_SIZE 72u /* of r and of s in the report, little-endian */
#define SCALAR 48u /* of them that P-384 can fill */
#define ECDSA_P384_SHA384 1u
#define GUID_SIZE 16u
#define ENTRIES_MAX 64u /* in a table; hosts send four */
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static bool all_zero(struct span bytes) {
  for (size_t i = 0; i < bytes.len; i++)
    if (bytes.data[i] != 0) return false;
  return true;
}

/* Reserved bytes: a later version would give them a meaning that nobody here knows. */
static void skip_zeros(struct cursor *c, size_t len) {
  if (!all_zero(cursor_bytes(c, len))) c->bad = true;
}

/* ---- the report ---- */

/* Models of a family, as CPUID leaf 1 has them with the extended parts added. */
static const struct {
  uint8_t family, first, last;
  enum snp_product product;
} processors[] = {
    {0x19, 0x00, 0x0f, SNP_MILAN},
    {0x19, 0x10, 0x1f, SNP_GENOA},
    {0x19, 0xa0, 0xaf, SNP_GENOA}, /* Bergamo, Siena: under Genoa's root */
    {0x1a, 0x00, 0x11, SNP_TURIN},
};

static enum snp_product find_product(uint8_t family, uint8_t model) {
  for (size_t i = 0; i < COUNT(processors); i++) {
    if (processors[i].family == family && processors[i].first <= model && model <= processors[i].last)
      return processors[i].product;
  }
  return SNP_PRODUCTS;
}

static const char *read_key_info(struct cursor *c, struct snp_report *r) {
  uint32_t info = cursor_u32(c), signer = info >> 2 & 7;
  skip_zeros(c, 4);
  if (c->bad || info >> 5 != 0) return "the report has bits set that must be zero";
  if (signer != SNP_BY_VCEK && signer != SNP_BY_VLEK && signer != SNP_BY_NOBODY)
    return "the report names a kind of signing key that is not known";
  r->signer = (enum snp_signer)signer;
  r->key_masked = info >> 1 & 1;
  return NULL;
}

/* 0x000 to 0x04f: ends where the digests begin. */
static const char *read_head(struct cursor *c, struct snp_report *r) {
  r->version = cursor_u32(c);
  if (r->version != 2 && r->version != 3 && r->version != 5) return "the report's version is not known";
  r->guest_svn = cursor_u32(c);
  r->policy = cursor_u64(c);
  r->family_id = cursor_bytes(c, 16);
  r->image_id = cursor_bytes(c, 16);
  r->vmpl = cursor_u32(c);
  if (cursor_u32(c) != ECDSA_P384_SHA384) return "the report is not signed with ECDSA P-384 and SHA-384";
  r->current_tcb = cursor_u64(c);
  r->platform = cursor_u64(c);
  return read_key_info(c, r);
}

static void read_digests(struct cursor *c, struct snp_report *r) {
  r->report_data = cursor_bytes(c, 64);
  r->measurement = cursor_bytes(c, 48);
  r->host_data = cursor_bytes(c, 32);
  r->id_key_digest = cursor_bytes(c, 48);
  r->author_key_digest = cursor_bytes(c, 48);
  r->report_id = cursor_bytes(c, 32);
  cursor_bytes(c, 32); /* the migration agent's report: policies here know none */
  r->reported_tcb = cursor_u64(c);
}

static const char *read_processor(struct cursor *c, struct snp_report *r) {
  r->product = SNP_PRODUCTS;
  if (r->version == 2) {
    skip_zeros(c, 3);
  } else {
    uint8_t family = cursor_u8(c), model = cursor_u8(c);
    cursor_u8(c); /* stepping */
    r->product = find_product(family, model);
    if (r->product == SNP_PRODUCTS) return "the report is of a processor that is not known";
  }
  skip_zeros(c, 21);
  return NULL;
}

static void read_platform(struct cursor *c, struct snp_report *r) {
  r->chip_id = cursor_bytes(c, SNP_CHIP_ID_SIZE);
  r->committed_tcb = cursor_u64(c);
  for (int i = 0; i < 2; i++) { /* current and committed: build, minor, major */
    cursor_bytes(c, 3);
    skip_zeros(c, 1);
  }
  r->launch_tcb = cursor_u64(c);
  if (r->version == 5)
    cursor_bytes(c, 16); /* mitigations at launch and now */
  else
    skip_zeros(c, 16);
  skip_zeros(c, SNP_SIGNED_SIZE - 0x208);
}

static void read_scalar(struct cursor *c, uint8_t out[SCALAR]) {
  struct span little = cursor_bytes(c, SCALAR);
  skip_zeros(c, R_SIZE - SCALAR);
  for (size_t i = 0; i < little.len; i++) out[SCALAR - 1 - i] = little.data[i];
}

const char *snp_report_read(struct span bytes, struct snp_report *out) {
  struct cursor c = cursor_of(bytes);
  *out = (struct snp_report){.product = SNP_PRODUCTS};
  if (bytes.len != SNP_REPORT_SIZE) return "the report is not 1184 bytes long";
  const char *problem = read_head(&c, out);
  if (problem != NULL) return problem;
  read_digests(&c, out);
  problem = read_processor(&c, out);
  if (problem != NULL) return problem;
  read_platform(&c, out);
  read_scalar(&c, out->signature);
  read_scalar(&c, out->signature + SCALAR);
  skip_zeros(&c, SNP_REPORT_SIZE - SNP_SIGNED_SIZE - 2 * R_SIZE);
  out->of_signature = span_of(bytes.data, SNP_SIGNED_SIZE);
  return cursor_end(&c) ? NULL : "the report has bytes set that must be zero";
}

/* ---- TCBs ---- */

/* Where a part's byte stands, counted from the least significant; the other bytes are zero. */
#define NOWHERE 8u
static const uint8_t places[SNP_PRODUCTS][SNP_PARTS] = {
    [SNP_MILAN] = {NOWHERE, 0, 1, 6, 7},
    [SNP_GENOA] = {NOWHERE, 0, 1, 6, 7},
    [SNP_TURIN] = {0, 1, 2, 3, 7},
};

bool snp_report_tcb(enum snp_product product, uint64_t raw, struct snp_tcb *out) {
  uint64_t left = raw;
  for (size_t i = 0; i < SNP_PARTS; i++) {
    unsigned place = places[product][i];
    out->part[i] = (uint8_t)(place == NOWHERE ? 0 : raw >> 8 * place);
    if (place != NOWHERE) left &= ~(UINT64_C(0xff) << 8 * place);
  }
  return left == 0;
}

bool snp_report_tcb_covers(const struct snp_tcb *tcb, const struct snp_tcb *least) {
  for (size_t i = 0; i < SNP_PARTS; i++)
    if (tcb->part[i] < least->part[i]) return false;
  return true;
}

/* ---- the table of certificates ---- */

/* As the text of the GUID reads. */
static const uint8_t guids[SNP_CERTS][GUID_SIZE] = {
    [SNP_VCEK] = {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd},
    [SNP_VLEK] = {0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8, 0xa1},
    [SNP_ASK] = {0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82},
    [SNP_ARK] = {0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0, 0xae},
};

/* The other order: the first three fields, of 4, 2 and 2 bytes, little-endian. */
static bool is_guid(struct span bytes, const uint8_t guid[GUID_SIZE]) {
  static const uint8_t swapped[GUID_SIZE] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
  uint8_t other[GUID_SIZE];
  for (size_t i = 0; i < GUID_SIZE; i++) other[i] = guid[swapped[i]];
  return span_equal(bytes, span_of(guid, GUID_SIZE)) || span_equal(bytes, span_of(other, GUID_SIZE));
}

static bool take_entry(struct span guid, struct span cert, struct snp_table *out) {
  for (size_t i = 0; i < SNP_CERTS; i++) {
    if (!is_guid(guid, guids[i])) continue;
    if (out->cert[i].len > 0 || cert.len == 0) return false;
    out->cert[i] = cert;
  }
  return true;
}

const char *snp_report_table(struct span bytes, struct snp_table *out) {
  struct cursor c = cursor_of(bytes);
  *out = (struct snp_table){0};
  for (size_t i = 0; i < ENTRIES_MAX; i++) {
    struct span guid = cursor_bytes(&c, GUID_SIZE);
    size_t offset = cursor_u32(&c), len = cursor_u32(&c);
    if (c.bad) return "the table of certificates has no end";
    if (all_zero(guid) && offset == 0 && len == 0) return NULL;
    if (offset > bytes.len || len > bytes.len - offset) return "a certificate is outside of its table";
    if (!take_entry(guid, span_of(bytes.data + offset, len), out))
      return "the table of certificates has an empty certificate, or one twice";
  }
  return "the table of certificates is too long";
}
