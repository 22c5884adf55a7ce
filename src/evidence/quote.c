#include "evidence/quote.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define HEADER 48u
#define ECDSA_P256 2u /* att_key_type */
#define TEE_SGX 0u
#define TEE_TDX 0x81u
#define QE_REPORT_CERTIFICATION 6u /* of version 4 and 5: what follows is wrapped once more */
#define SCALARS 64u                /* r || s, or x || y */

/* Intel's quoting enclaves. */
static const uint8_t vendor[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                   0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

static const struct kind {
  unsigned version, type; /* version 5 names the report's type */
  uint32_t tee;
  size_t size;
} kinds[] = {
    {3, 0, TEE_SGX, QUOTE_SGX_REPORT}, {4, 0, TEE_SGX, QUOTE_SGX_REPORT}, {4, 0, TEE_TDX, QUOTE_TD_REPORT},
    {5, 1, TEE_SGX, QUOTE_SGX_REPORT}, {5, 2, TEE_TDX, QUOTE_TD_REPORT},  {5, 3, TEE_TDX, QUOTE_TD_REPORT_15},
};

static unsigned u16(struct cursor *c) {
  struct span s = cursor_bytes(c, 2);
  return s.len == 2 ? s.data[0] | (unsigned)s.data[1] << 8 : 0;
}

static const struct kind *find_kind(unsigned version, unsigned type, uint32_t tee) {
  for (size_t i = 0; i < COUNT(kinds); i++) {
    if (kinds[i].version == version && kinds[i].type == type && kinds[i].tee == tee) return &kinds[i];
  }
  return NULL;
}

static const char *read_body(struct cursor *c, struct quote *q) {
  q->version = u16(c);
  unsigned key_type = u16(c);
  uint32_t tee = cursor_u32(c);
  (void)cursor_u32(c); /* the versions of QE and PCE, which count where they are certified */
  struct span who = cursor_bytes(c, sizeof vendor);
  (void)cursor_bytes(c, 20); /* the platform's own */
  if (c->bad) return "the quote is too short";
  const bool typed = q->version == 5;
  unsigned type = typed ? u16(c) : 0;
  size_t size = typed ? cursor_u32(c) : 0;
  const struct kind *kind = find_kind(q->version, type, tee);
  if (kind == NULL || (typed && size != kind->size)) return "the quote is of a version and kind that is not known";
  if (key_type != ECDSA_P256) return "the quote's attestation key is not one on P-256";
  if (!span_equal(who, span_of(vendor, sizeof vendor))) return "the quote is not from Intel's quoting enclave";
  q->tdx = tee == TEE_TDX;
  q->body = cursor_bytes(c, kind->size);
  return c->bad ? "the quote is too short" : NULL;
}

/* From version 4 on, the quoting enclave's report and all behind it are certification data, too. */
static struct cursor unwrap(struct cursor *c, const struct quote *q) {
  if (q->version == 3) return *c;
  unsigned type = u16(c);
  struct cursor inner = cursor_of(cursor_block(c));
  inner.bad = !cursor_end(c) || type != QE_REPORT_CERTIFICATION;
  return inner;
}

static const char *read_signature(struct span data, struct quote *q) {
  struct cursor outer = cursor_of(data);
  q->signature = cursor_bytes(&outer, SCALARS);
  q->attestation_key = cursor_bytes(&outer, SCALARS);
  struct cursor c = unwrap(&outer, q);
  q->qe_report = cursor_bytes(&c, QUOTE_SGX_REPORT);
  q->qe_signature = cursor_bytes(&c, SCALARS);
  q->qe_auth = cursor_bytes(&c, u16(&c));
  q->certification = u16(&c);
  q->certificates = cursor_block(&c);
  if (!cursor_end(&c)) return "the quote's signature data are not well-formed";
  if (q->certification < QUOTE_PPID_FIRST || q->certification > QUOTE_PCK_CHAIN)
    return "the quote's certification data are of a type that is not known";
  return NULL;
}

const char *quote_read(struct span raw, struct quote *quote) {
  struct cursor c = cursor_of(raw);
  *quote = (struct quote){0};
  const char *problem = read_body(&c, quote);
  if (problem != NULL) return problem;
  quote->signed_part = span_of(raw.data, raw.len - c.rest.len);
  struct span data = cursor_block(&c);
  if (c.bad) return "the quote is too short";
  quote->trailing = c.rest.len;
  return read_signature(data, quote);
}

struct span quote_get(struct span report, struct quote_field field) {
  return (size_t)field.at + field.len <= report.len ? span_of(report.data + field.at, field.len) : span_of(NULL, 0);
}

unsigned quote_get_u16(struct span report, struct quote_field field) {
  struct cursor c = cursor_of(quote_get(report, field));
  return u16(&c);
}
