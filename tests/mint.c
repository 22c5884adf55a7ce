#include "mint.h"

#include <cbor.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#define AMD "1.3.6.1.4.1.3704.1."
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void must(bool holds) {
  if (!holds) abort();
}

/* ---- keys and certificates ---- */

EVP_PKEY *mint_rsa(void) {
  EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)4096);
  must(key != NULL);
  return key;
}

EVP_PKEY *mint_p384(void) {
  EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
  must(key != NULL);
  return key;
}

static EVP_MD_CTX *begin_signature(EVP_PKEY *key) {
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  EVP_PKEY_CTX *terms = NULL;
  must(context != NULL && EVP_DigestSignInit(context, &terms, EVP_sha384(), NULL, key) == 1);
  if (EVP_PKEY_is_a(key, "RSA"))
    must(EVP_PKEY_CTX_set_rsa_padding(terms, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(terms, RSA_PSS_SALTLEN_DIGEST) == 1);
  return context;
}

static void add_standard(X509 *c, int nid, const char *value) {
  X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
  must(e != NULL && X509_add_ext(c, e, -1) == 1);
  X509_EXTENSION_free(e);
}

static void add_extension(X509 *c, const struct mint_extension *extension) {
  ASN1_OBJECT *oid = OBJ_txt2obj(extension->oid, 1);
  ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
  must(oid != NULL && value != NULL &&
       ASN1_OCTET_STRING_set(value, extension->value.data, (int)extension->value.len) == 1);
  X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
  must(e != NULL && X509_add_ext(c, e, -1) == 1);
  X509_EXTENSION_free(e);
  ASN1_OCTET_STRING_free(value);
  ASN1_OBJECT_free(oid);
}

X509 *mint_certificate(const struct mint_subject *subject, const X509 *issuer, EVP_PKEY *issuer_key) {
  static long serial;
  X509 *c = X509_new();
  X509_NAME *name = X509_NAME_new();
  must(c != NULL && X509_set_version(c, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(c), ++serial) == 1);
  must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)subject->name, -1, -1, 0) == 1);
  must(X509_set_subject_name(c, name) == 1);
  must(X509_set_issuer_name(c, issuer != NULL ? X509_get_subject_name(issuer) : name) == 1);
  must(ASN1_TIME_set(X509_getm_notBefore(c), MINT_NOW - MINT_YEAR) != NULL);
  must(ASN1_TIME_set(X509_getm_notAfter(c), MINT_NOW + MINT_YEAR) != NULL);
  must(X509_set_pubkey(c, subject->key) == 1);
  if (subject->ca) add_standard(c, NID_basic_constraints, "critical,CA:TRUE");
  if (subject->ca) add_standard(c, NID_key_usage, "critical,keyCertSign,cRLSign");
  for (size_t i = 0; i < subject->extension_count; i++) add_extension(c, &subject->extensions[i]);
  EVP_MD_CTX *context = begin_signature(issuer != NULL ? issuer_key : subject->key);
  must(X509_sign_ctx(c, context) > 0);
  EVP_MD_CTX_free(context);
  X509_NAME_free(name);
  return c;
}

static void revoke(X509_CRL *crl, const X509 *certificate) {
  X509_REVOKED *entry = X509_REVOKED_new();
  ASN1_TIME *at = ASN1_TIME_set(NULL, MINT_NOW - 1);
  must(entry != NULL && at != NULL && X509_REVOKED_set_revocationDate(entry, at) == 1);
  must(X509_REVOKED_set_serialNumber(entry, (ASN1_INTEGER *)(uintptr_t)X509_get0_serialNumber(certificate)) == 1);
  must(X509_CRL_add0_revoked(crl, entry) == 1);
  ASN1_TIME_free(at);
}

/* Takes what was written, and ends the BIO. */
static void drain(struct buf *b, BIO *bio) {
  char *data = NULL;
  long len = BIO_get_mem_data(bio, &data);
  buf_put(b, data, (size_t)len);
  BIO_free(bio);
}

void mint_put_crl(struct buf *b, const X509 *issuer, EVP_PKEY *issuer_key, const X509 *revoked) {
  X509_CRL *crl = X509_CRL_new();
  ASN1_TIME *from = ASN1_TIME_set(NULL, MINT_NOW - 86400), *until = ASN1_TIME_set(NULL, MINT_NOW + 86400);
  must(crl != NULL && X509_CRL_set_version(crl, 1) == 1);
  must(X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) == 1);
  must(X509_CRL_set1_lastUpdate(crl, from) == 1 && X509_CRL_set1_nextUpdate(crl, until) == 1);
  if (revoked != NULL) revoke(crl, revoked);
  EVP_MD_CTX *context = begin_signature(issuer_key);
  must(X509_CRL_sign_ctx(crl, context) > 0);
  BIO *bio = BIO_new(BIO_s_mem());
  must(PEM_write_bio_X509_CRL(bio, crl) == 1);
  drain(b, bio);
  EVP_MD_CTX_free(context);
  ASN1_TIME_free(from);
  ASN1_TIME_free(until);
  X509_CRL_free(crl);
}

void mint_put_der(struct buf *b, const X509 *certificate) {
  uint8_t *der = NULL;
  int len = i2d_X509(certificate, &der);
  must(len > 0);
  buf_put(b, der, (size_t)len);
  OPENSSL_free(der);
}

void mint_put_pem(struct buf *b, const X509 *certificate) {
  BIO *bio = BIO_new(BIO_s_mem());
  must(PEM_write_bio_X509(bio, certificate) == 1);
  drain(b, bio);
}

void mint_fingerprint(const X509 *certificate, uint8_t out[32]) {
  must(X509_digest(certificate, EVP_sha256(), out, NULL) == 1);
}

void mint_sign(EVP_PKEY *key, struct span message, uint8_t out[MINT_SIGNATURE]) {
  uint8_t der[128];
  const uint8_t *at = der;
  size_t len = sizeof der;
  EVP_MD_CTX *context = begin_signature(key);
  must(EVP_DigestSign(context, der, &len, message.data, message.len) == 1);
  ECDSA_SIG *parts = d2i_ECDSA_SIG(NULL, &at, (long)len);
  must(parts != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(parts), out, 48) == 48);
  must(BN_bn2binpad(ECDSA_SIG_get0_s(parts), out + 48, 48) == 48);
  ECDSA_SIG_free(parts);
  EVP_MD_CTX_free(context);
}

/* ---- SEV-SNP ---- */

static void add(struct mint_subject *subject, const char *oid, struct span value) {
  must(subject->extension_count < MINT_EXTENSIONS_MAX);
  subject->extensions[subject->extension_count++] = (struct mint_extension){oid, value};
}

/* The memory is used again by the next call but 64. */
static struct span put_small(const void *data, size_t len) {
  static uint8_t memory[64][80];
  static size_t turn;
  uint8_t *at = memory[turn++ % 64];
  must(len <= sizeof memory[0]);
  memcpy(at, data, len);
  return span_of(at, len);
}

static struct span der_byte(uint8_t v) {
  const uint8_t small[] = {2, 1, v}, large[] = {2, 2, 0, v};
  return v < 0x80 ? put_small(small, sizeof small) : put_small(large, sizeof large);
}

static struct span der_text(const char *text) {
  uint8_t der[80];
  struct buf b = buf_fixed(der, sizeof der);
  buf_put_u8(&b, 0x16);
  buf_put_u8(&b, (uint8_t)strlen(text));
  buf_put_text(&b, text);
  must(!b.bad);
  return put_small(der, b.len);
}

void mint_vek(struct mint_subject *subject, const struct mint_vek *vek) {
  static const struct {
    const char *oid;
    enum snp_part part;
  } levels[] = {{AMD "3.1", SNP_BOOTLOADER},
                {AMD "3.2", SNP_TEE},
                {AMD "3.3", SNP_FIRMWARE},
                {AMD "3.8", SNP_MICROCODE},
                {AMD "3.9", SNP_FMC}};
  bool turin = strcmp(vek->product, "Turin") == 0;
  add(subject, AMD "1", der_byte(turin));
  add(subject, AMD "2", der_text(vek->product));
  for (size_t i = 0; i < COUNT(levels) - !turin; i++)
    add(subject, levels[i].oid, der_byte(vek->levels[levels[i].part]));
  add(subject, AMD "3.5", der_byte(0));
  if (vek->chip.len > 0) add(subject, AMD "4", vek->chip);
  if (vek->csp != NULL) add(subject, AMD "5", der_text(vek->csp));
}

static void put_u64(uint8_t *out, uint64_t v) {
  for (int i = 0; i < 8; i++) out[i] = (uint8_t)(v >> 8 * i);
}

void mint_snp_report(uint8_t report[SNP_REPORT_SIZE], enum snp_product product) {
  static const uint8_t cpuid[SNP_PRODUCTS][3] = {{0x19, 0x01, 1}, {0x19, 0x11, 1}, {0x1a, 0x02, 1}};
  const size_t tcbs[] = {0x38, 0x180, 0x1e0, 0x1f0};
  uint64_t tcb = product == SNP_TURIN ? UINT64_C(0x0400000003020105) : UINT64_C(0x0403000000000201);
  memset(report, 0, SNP_REPORT_SIZE);
  report[0] = product == SNP_TURIN ? 5 : 3;
  report[4] = 7; /* guest_svn */
  put_u64(report + 8, SNP_POLICY_ONE | SNP_POLICY_SMT);
  report[0x34] = 1;
  for (size_t i = 0; i < COUNT(tcbs); i++) put_u64(report + tcbs[i], tcb);
  memset(report + 0x50, 0xd0, 64);
  memset(report + 0x90, 0x3e, 48);
  memset(report + 0xc0, 0x40, 32);
  memcpy(report + 0x188, cpuid[product], 3);
  for (size_t i = 0; i < (product == SNP_TURIN ? SNP_CHIP_ID_TURIN : SNP_CHIP_ID_SIZE); i++)
    report[0x1a0 + i] = (uint8_t)(i + 1);
}

void mint_snp_sign(uint8_t report[SNP_REPORT_SIZE], EVP_PKEY *key) {
  uint8_t big[MINT_SIGNATURE];
  mint_sign(key, span_of(report, SNP_SIGNED_SIZE), big);
  for (size_t i = 0; i < 48; i++) {
    report[SNP_SIGNED_SIZE + i] = big[47 - i];
    report[SNP_SIGNED_SIZE + 72 + i] = big[95 - i];
  }
}

/* As in AMD 56421: VCEK, VLEK, ASK, ARK, as text, and in the order of Windows' GUIDs. */
static const char *const guids[2][SNP_CERTS] = {{"\x63\xda\x75\x8d\xe6\x64\x45\x64\xad\xc5\xf4\xb9\x3b\xe8\xac\xcd",
                                                 "\xa8\x07\x4b\xc2\xa2\x5a\x48\x3e\xaa\xe6\x39\xc0\x45\xa0\xb8\xa1",
                                                 "\x4a\xb7\xb3\x79\xbb\xac\x4f\xe4\xa0\x2f\x05\xae\xf3\x27\xc7\x82",
                                                 "\xc0\xb4\x06\xa4\xa8\x03\x49\x52\x97\x43\x3f\xb6\x01\x4c\xd0\xae"},
                                                {"\x8d\x75\xda\x63\x64\xe6\x64\x45\xad\xc5\xf4\xb9\x3b\xe8\xac\xcd",
                                                 "\xc2\x4b\x07\xa8\x5a\xa2\x3e\x48\xaa\xe6\x39\xc0\x45\xa0\xb8\xa1",
                                                 "\x79\xb3\xb7\x4a\xac\xbb\xe4\x4f\xa0\x2f\x05\xae\xf3\x27\xc7\x82",
                                                 "\xa4\x06\xb4\xc0\x03\xa8\x52\x49\x97\x43\x3f\xb6\x01\x4c\xd0\xae"}};

void mint_put_table(struct buf *b, X509 *const certificates[SNP_CERTS], bool swapped) {
  struct buf all = buf_new(65536);
  size_t count = 1;
  for (size_t i = 0; i < SNP_CERTS; i++) count += certificates[i] != NULL;
  for (size_t i = 0; i < SNP_CERTS; i++) {
    size_t before = all.len;
    if (certificates[i] == NULL) continue;
    mint_put_der(&all, certificates[i]);
    buf_put(b, guids[swapped][i], 16);
    buf_put_u32(b, (uint32_t)(24 * count + before));
    buf_put_u32(b, (uint32_t)(all.len - before));
  }
  memset(buf_extend(b, 24), 0, 24);
  buf_put_span(b, buf_span(&all));
  must(!b->bad && !all.bad);
  buf_free(&all);
}

/* ---- Nitro ---- */

#define PUT(name, type, encode)                     \
  void name(struct buf *b, type v) {                \
    uint8_t head[9];                                \
    buf_put(b, head, encode(v, head, sizeof head)); \
  }
PUT(mint_put_uint, uint64_t, cbor_encode_uint)
PUT(mint_put_array, size_t, cbor_encode_array_start)
PUT(mint_put_map, size_t, cbor_encode_map_start)
#undef PUT

void mint_put_bytes(struct buf *b, struct span bytes) {
  uint8_t head[9];
  buf_put(b, head, cbor_encode_bytestring_start(bytes.len, head, sizeof head));
  buf_put_span(b, bytes);
}

void mint_put_text(struct buf *b, const char *text) {
  uint8_t head[9];
  buf_put(b, head, cbor_encode_string_start(strlen(text), head, sizeof head));
  buf_put_text(b, text);
}

static void put_pcrs(struct buf *b) {
  uint8_t pcr[48];
  mint_put_map(b, 16);
  for (uint8_t i = 0; i < 16; i++) {
    memset(pcr, i < 3 ? 0xa0 + i : 0, sizeof pcr);
    mint_put_uint(b, i);
    mint_put_bytes(b, span_of(pcr, sizeof pcr));
  }
}

static void put_certificate(struct buf *b, const X509 *certificate) {
  struct buf der = buf_new(8192);
  mint_put_der(&der, certificate);
  mint_put_bytes(b, buf_span(&der));
  buf_free(&der);
}

void mint_nitro_new(struct mint_nitro *n, X509 *const chain[], size_t count, struct span user_data) {
  *n = (struct mint_nitro){.open_map = false};
  for (size_t i = 0; i < MINT_FIELDS; i++) n->value[i] = buf_new(16384);
  n->more = buf_new(4096);
  n->protected_header = buf_new(64);
  n->unprotected_header = buf_new(64);
  buf_put(&n->protected_header, "\xa1\x01\x38\x22", 4);
  buf_put_u8(&n->unprotected_header, 0xa0);
  mint_put_text(&n->value[MINT_MODULE], "i-0123456789abcdef0-enc0123456789abcdef");
  mint_put_text(&n->value[MINT_DIGEST], "SHA384");
  mint_put_uint(&n->value[MINT_TIMESTAMP], UINT64_C(1000) * MINT_NOW);
  put_pcrs(&n->value[MINT_PCRS]);
  put_certificate(&n->value[MINT_CERTIFICATE], chain[0]);
  mint_put_array(&n->value[MINT_BUNDLE], count - 1);
  for (size_t i = count - 1; i > 0; i--) put_certificate(&n->value[MINT_BUNDLE], chain[i]);
  mint_put_bytes(&n->value[MINT_PUBLIC_KEY], span_text("a public key"));
  mint_put_bytes(&n->value[MINT_USER_DATA], user_data);
  buf_put_u8(&n->value[MINT_NONCE], 0xf6);
}

void mint_nitro_free(struct mint_nitro *n) {
  for (size_t i = 0; i < MINT_FIELDS; i++) buf_free(&n->value[i]);
  buf_free(&n->more);
  buf_free(&n->protected_header);
  buf_free(&n->unprotected_header);
}

static void put_payload(struct buf *b, const struct mint_nitro *n) {
  static const char *const names[MINT_FIELDS] = {"module_id", "digest",     "timestamp", "pcrs", "certificate",
                                                 "cabundle",  "public_key", "user_data", "nonce"};
  size_t count = n->more_count;
  for (size_t i = 0; i < MINT_FIELDS; i++) count += n->value[i].len > 0;
  if (n->open_map)
    buf_put_u8(b, 0xbf);
  else
    mint_put_map(b, count);
  for (size_t i = 0; i < MINT_FIELDS; i++) {
    if (n->value[i].len > 0) mint_put_text(b, names[i]);
    buf_put_span(b, buf_span(&n->value[i]));
  }
  buf_put_span(b, buf_span(&n->more));
  if (n->open_map) buf_put_u8(b, 0xff);
}

void mint_put_nitro(struct buf *b, const struct mint_nitro *n, EVP_PKEY *key) {
  struct buf payload = buf_new(65536), message = buf_new(65536);
  uint8_t signature[MINT_SIGNATURE];
  put_payload(&payload, n);
  mint_put_array(&message, 4);
  mint_put_text(&message, "Signature1");
  mint_put_bytes(&message, buf_span(&n->protected_header));
  mint_put_bytes(&message, span_of(NULL, 0));
  mint_put_bytes(&message, buf_span(&payload));
  mint_sign(key, buf_span(&message), signature);
  if (n->tagged) buf_put_u8(b, 0xd2);
  mint_put_array(b, 4);
  mint_put_bytes(b, buf_span(&n->protected_header));
  buf_put_span(b, buf_span(&n->unprotected_header));
  mint_put_bytes(b, buf_span(&payload));
  mint_put_bytes(b, span_of(signature, sizeof signature));
  must(!b->bad && !payload.bad && !message.bad);
  buf_free(&payload);
  buf_free(&message);
}
