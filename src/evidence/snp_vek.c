#include "evidence/snp_vek.h"

#include "evidence/chain.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define AMD "1.3.6.1.4.1.3704.1."
#define DER_INTEGER 0x02
#define DER_OCTETS 0x04
#define DER_IA5 0x16

static const char *const product_names[SNP_PRODUCTS] = {"Milan", "Genoa", "Turin"};

const char *snp_vek_product_name(enum snp_product product) {
  return product < SNP_PRODUCTS ? product_names[product] : "unknown";
}

/* ---- extensions ---- */

enum found { ABSENT, PRESENT, UNCLEAR };

/* Twice is not absent. */
static bool has_extension(const X509 *cert, const char *oid) {
  ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
  bool has = object == NULL || X509_get_ext_by_OBJ(cert, object, -1) >= 0;
  ASN1_OBJECT_free(object);
  return has;
}

static enum found find(X509 *cert, const char *oid, struct span *value) {
  if (chain_extension(cert, oid, value)) return PRESENT;
  return has_extension(cert, oid) ? UNCLEAR : ABSENT;
}

/* The contents of a DER value of at most 127 bytes. */
static bool unwrap(struct span der, uint8_t tag, struct span *contents) {
  struct cursor c = cursor_of(der);
  if (cursor_u8(&c) != tag) return false;
  size_t len = cursor_u8(&c);
  if (len > 127) return false;
  *contents = cursor_bytes(&c, len);
  return cursor_end(&c);
}

/* A whole number that fits into a byte. */
static bool read_byte(struct span der, uint8_t *out) {
  struct span number;
  if (!unwrap(der, DER_INTEGER, &number) || number.len == 0 || number.len > 2) return false;
  if (number.len == 2 && number.data[0] != 0) return false;
  *out = number.data[number.len - 1];
  return number.len == 2 ? *out >= 0x80 : *out < 0x80;
}

/* ---- the TCB ---- */

#define RESERVED SNP_PARTS
static const struct {
  const char *oid;
  unsigned part; /* enum snp_part, or RESERVED: zero */
} patch_levels[] = {
    {AMD "3.1", SNP_BOOTLOADER}, {AMD "3.2", SNP_TEE},       {AMD "3.3", SNP_FIRMWARE},
    {AMD "3.4", RESERVED},       {AMD "3.5", RESERVED},      {AMD "3.6", RESERVED},
    {AMD "3.7", RESERVED},       {AMD "3.8", SNP_MICROCODE}, {AMD "3.9", SNP_FMC},
};

/* FMC is there on Turin, and on nothing else. */
static bool is_optional(unsigned part, enum snp_product product) {
  return part == RESERVED || (part == SNP_FMC && product != SNP_TURIN);
}

static bool read_tcb(X509 *cert, struct snp_vek *v) {
  for (size_t i = 0; i < COUNT(patch_levels); i++) {
    struct span der;
    unsigned part = patch_levels[i].part;
    uint8_t level = 0;
    enum found found = find(cert, patch_levels[i].oid, &der);
    if (found == UNCLEAR || (found == PRESENT && !read_byte(der, &level))) return false;
    if (found == ABSENT && !is_optional(part, v->product)) return false;
    if (is_optional(part, v->product) && level != 0) return false;
    if (part != RESERVED) v->tcb.part[part] = level;
  }
  return true;
}

/* ---- product, chip and provider ---- */

/* "Milan", or "Milan-B0". */
static bool read_product(X509 *cert, struct snp_vek *v) {
  struct span der, name;
  if (find(cert, AMD "2", &der) != PRESENT || !unwrap(der, DER_IA5, &name)) return false;
  for (v->product = SNP_MILAN; v->product < SNP_PRODUCTS; v->product++) {
    size_t len = strlen(product_names[v->product]);
    if (name.len >= len && memcmp(name.data, product_names[v->product], len) == 0 &&
        (name.len == len || name.data[len] == '-'))
      return true;
  }
  return false;
}

/* As it is, or (new certificates) as an OCTET STRING. */
static bool read_chip(X509 *cert, struct snp_vek *v) {
  size_t want = v->product == SNP_TURIN ? SNP_CHIP_ID_TURIN : SNP_CHIP_ID_SIZE;
  struct span id;
  enum found found = find(cert, AMD "4", &id);
  if (found == ABSENT) return true;
  if (found == UNCLEAR || (id.len != want && !unwrap(id, DER_OCTETS, &id)) || id.len != want) return false;
  memcpy(v->chip_id, id.data, want);
  v->chip_id_len = want;
  return true;
}

static bool read_csp(X509 *cert, struct snp_vek *v) {
  struct span der, name;
  enum found found = find(cert, AMD "5", &der);
  if (found == ABSENT) return true;
  if (found == UNCLEAR || !unwrap(der, DER_IA5, &name) || name.len == 0 || name.len > SNP_CSP_MAX) return false;
  if (memchr(name.data, 0, name.len) != NULL) return false;
  memcpy(v->csp, name.data, name.len);
  return true;
}

const char *snp_vek_read(X509 *cert, struct snp_vek *out) {
  *out = (struct snp_vek){.product = SNP_PRODUCTS};
  if (!read_product(cert, out)) return "the signing key's certificate does not name a product that is known";
  if (!read_tcb(cert, out)) return "the signing key's certificate does not name a TCB";
  if (!read_chip(cert, out)) return "the signing key's certificate does not name a chip as it should";
  if (!read_csp(cert, out)) return "the signing key's certificate does not name a provider as it should";
  if ((out->chip_id_len > 0) == (out->csp[0] != 0)) return "the signing key is neither a chip's nor a provider's";
  return NULL;
}
