#include "intel.h"

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "crypto/hash.h"

#define TWO_WEEKS (14 * 86400)
#define ROOT "Intel SGX Root CA"

struct identity {
  EVP_PKEY *key;
  X509 *certificate;
};

struct intel {
  struct identity root, ca, pck, signer;
  EVP_PKEY *attestation;
  X509_CRL *root_crl, *pck_crl;
};

/* A helper that fails is a broken test bench, nothing to go on with. */
static void must(bool holds) {
  if (!holds) abort();
}

/* ---- certificates ---- */

static void set_name(X509_NAME *name, const char *text) {
  must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)text, -1, -1, 0) == 1);
}

static void add(X509 *certificate, int nid, const char *value) {
  X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
  must(e != NULL && X509_add_ext(certificate, e, -1) == 1);
  X509_EXTENSION_free(e);
}

static void add_sgx(X509 *certificate, struct span value) {
  ASN1_OBJECT *name = OBJ_txt2obj("1.2.840.113741.1.13.1", 1);
  ASN1_OCTET_STRING *content = ASN1_OCTET_STRING_new();
  must(name != NULL && content != NULL && ASN1_OCTET_STRING_set(content, value.data, (int)value.len) == 1);
  X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, name, 0, content);
  must(e != NULL && X509_add_ext(certificate, e, -1) == 1);
  X509_EXTENSION_free(e);
  ASN1_OCTET_STRING_free(content);
  ASN1_OBJECT_free(name);
}

static void certify(struct identity *subject, const char *name, long serial, const struct identity *issuer,
                    struct span sgx) {
  X509 *c = X509_new();
  subject->key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
  must(c != NULL && subject->key != NULL && X509_set_version(c, X509_VERSION_3) == 1);
  must(ASN1_INTEGER_set(X509_get_serialNumber(c), serial) == 1 && X509_set_pubkey(c, subject->key) == 1);
  must(ASN1_TIME_set(X509_getm_notBefore(c), (time_t)INTEL_NOW - TWO_WEEKS) != NULL &&
       ASN1_TIME_set(X509_getm_notAfter(c), (time_t)INTEL_NOW + TWO_WEEKS) != NULL);
  set_name(X509_get_subject_name(c), name);
  subject->certificate = c;
  must(X509_set_issuer_name(c, X509_get_subject_name(issuer->certificate)) == 1);
  const bool authority = serial <= 2;
  add(c, NID_basic_constraints, authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  add(c, NID_key_usage, authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
  if (sgx.len > 0) add_sgx(c, sgx);
  must(X509_sign(c, issuer->key, EVP_sha256()) > 0);
}

static X509_CRL *revoke(const struct identity *issuer, const struct identity *const revoked[2]) {
  X509_CRL *crl = X509_CRL_new();
  ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t)INTEL_NOW - TWO_WEEKS);
  ASN1_TIME *until = ASN1_TIME_set(NULL, (time_t)INTEL_NOW + TWO_WEEKS);
  must(crl != NULL && X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1);
  must(X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->certificate)) == 1);
  must(X509_CRL_set1_lastUpdate(crl, from) == 1 && X509_CRL_set1_nextUpdate(crl, until) == 1);
  for (size_t i = 0; i < 2; i++) {
    if (revoked[i] == NULL) continue;
    X509_REVOKED *entry = X509_REVOKED_new();
    must(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked[i]->certificate)) == 1 &&
         X509_REVOKED_set_revocationDate(entry, from) == 1 && X509_CRL_add0_revoked(crl, entry) == 1);
  }
  must(X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0);
  ASN1_TIME_free(from);
  ASN1_TIME_free(until);
  return crl;
}

/* ---- the SGX extension ---- */

static void put_der(struct buf *b, uint8_t tag, struct span content) {
  buf_put_u8(b, tag);
  if (content.len > 127) buf_put_u8(b, 0x82);
  if (content.len > 127) buf_put_u8(b, (uint8_t)(content.len >> 8));
  buf_put_u8(b, (uint8_t)content.len);
  buf_put_span(b, content);
}

/* SEQUENCE { 1.2.840.113741.1.13.1.arcs, value } */
static void put_pair(struct buf *b, const uint8_t *arcs, size_t depth, uint8_t tag, struct span value) {
  struct buf oid = buf_new(64), pair = buf_new(1024);
  buf_put_span(&oid, span_of("\x2a\x86\x48\x86\xf8\x4d\x01\x0d\x01", 9));
  buf_put(&oid, arcs, depth);
  put_der(&pair, 0x06, buf_span(&oid));
  put_der(&pair, tag, value);
  put_der(b, 0x30, buf_span(&pair));
  buf_free(&oid);
  buf_free(&pair);
}

static void put_extension(struct buf *out, const struct intel_vendor *v) {
  struct buf tcb = buf_new(1024), all = buf_new(2048);
  for (uint8_t i = 1; i <= 16; i++) {
    uint8_t number[2] = {0, v->component[i - 1]};
    put_pair(&tcb, (uint8_t[]){2, i}, 2, 0x02, number[1] > 127 ? span_of(number, 2) : span_of(number + 1, 1));
  }
  put_pair(&tcb, (uint8_t[]){2, 17}, 2, 0x02, span_of((uint8_t[]){(uint8_t)v->pce_svn}, 1));
  put_pair(&tcb, (uint8_t[]){2, 18}, 2, 0x04, span_of(v->component, 16));
  put_pair(&all, (uint8_t[]){1}, 1, 0x04, span_of(v->component, 16)); /* PPID */
  put_pair(&all, (uint8_t[]){2}, 1, 0x30, buf_span(&tcb));
  put_pair(&all, (uint8_t[]){3}, 1, 0x04, span_of("\0\0", 2));
  put_pair(&all, (uint8_t[]){4}, 1, 0x04, span_of("\x50\x80\x6f\0\0\0", 6));
  put_pair(&all, (uint8_t[]){5}, 1, 0x0a, span_of("\0", 1));
  put_der(out, 0x30, buf_span(&all));
  buf_free(&tcb);
  buf_free(&all);
}

/* ---- the vendor ---- */

struct intel_vendor intel_vendor(void) {
  return (struct intel_vendor){.ca = "Intel SGX PCK Platform CA",
                               .pck = "Intel SGX PCK Certificate",
                               .signer = "Intel SGX TCB Signing",
                               .component = INTEL_COMPONENTS,
                               .pce_svn = 11};
}

struct intel *intel_new(const struct intel_vendor *v) {
  struct intel *f = calloc(1, sizeof *f);
  struct buf extension = buf_new(4096);
  const struct span none = span_of(NULL, 0);
  must(f != NULL);
  put_extension(&extension, v);
  certify(&f->root, ROOT, 1, &f->root, none);
  certify(&f->ca, v->ca, 2, &f->root, none);
  certify(&f->pck, v->pck, 3, &f->ca, v->extension.len > 0 ? v->extension : buf_span(&extension));
  certify(&f->signer, v->signer, 4, &f->root, none);
  f->attestation = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
  must(f->attestation != NULL);
  const struct identity *by_root[2] = {v->ca_revoked ? &f->ca : NULL, v->signer_revoked ? &f->signer : NULL};
  const struct identity *by_ca[2] = {v->pck_revoked ? &f->pck : NULL, NULL};
  f->root_crl = revoke(&f->root, by_root);
  f->pck_crl = revoke(&f->ca, by_ca);
  buf_free(&extension);
  return f;
}

void intel_free(struct intel *f) {
  if (f == NULL) return;
  const struct identity *const all[] = {&f->root, &f->ca, &f->pck, &f->signer};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    EVP_PKEY_free(all[i]->key);
    X509_free(all[i]->certificate);
  }
  EVP_PKEY_free(f->attestation);
  X509_CRL_free(f->root_crl);
  X509_CRL_free(f->pck_crl);
  free(f);
}

void intel_root(const struct intel *f, uint8_t out[32]) {
  must(X509_digest(f->root.certificate, EVP_sha256(), out, NULL) == 1);
}

/* ---- signing ---- */

static void sign(EVP_PKEY *key, struct span message, uint8_t out[64]) {
  uint8_t der[80];
  const uint8_t *at = der;
  size_t len = sizeof der;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  must(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
       EVP_DigestSign(context, der, &len, message.data, message.len) == 1);
  ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)len);
  must(pair != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, 32) == 32 &&
       BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + 32, 32) == 32);
  ECDSA_SIG_free(pair);
  EVP_MD_CTX_free(context);
}

static void put_signature(struct buf *b, EVP_PKEY *key, struct span message) {
  uint8_t signature[64];
  sign(key, message, signature);
  buf_put(b, signature, sizeof signature);
}

static void put_pem(struct buf *b, X509 *const *certificates, size_t count) {
  BIO *bio = BIO_new(BIO_s_mem());
  char *text = NULL;
  for (size_t i = 0; i < count; i++) must(PEM_write_bio_X509(bio, certificates[i]) == 1);
  long len = BIO_get_mem_data(bio, &text);
  buf_put(b, text, (size_t)len);
  BIO_free(bio);
}

/* ---- quotes ---- */

struct intel_quote intel_quote(unsigned kind, const uint8_t report_data[64]) {
  struct intel_quote q = {.version = kind > 50 ? 5 : kind > 4 ? 4 : kind, .type = kind > 50 ? kind - 50 : 0};
  q.certification = 5;
  q.tdx = kind == 4 || kind > 51;
  q.body_size = !q.tdx ? 384 : kind == 53 ? 648 : 584;
  memcpy(q.body + (q.tdx ? 520 : 320), report_data, 64);
  if (q.tdx) {
    memcpy(q.body, (uint8_t[]){3, 1, 5}, 3);
    q.body[123] = 0x10; /* SEPT_VE_DISABLE */
    memset(q.body + 136, 0xd0, 48);
    for (int n = 0; n < 4; n++) memset(q.body + 328 + 48 * n, n, 48);
  } else {
    q.body[48] = 5;
    memset(q.body + 64, 0xe1, 32);
    memset(q.body + 128, 0x51, 32);
    q.body[256] = 7;
    q.body[258] = 3;
  }
  q.qe_report[48] = 0x15;
  memset(q.qe_report + 128, 0x9e, 32);
  q.qe_report[256] = q.tdx ? 2 : 1;
  q.qe_report[258] = 8;
  return q;
}

static void put_u16(struct buf *b, unsigned v) {
  buf_put_u8(b, (uint8_t)v);
  buf_put_u8(b, (uint8_t)(v >> 8));
}

static void put_certification(struct intel *f, const struct intel_quote *q, struct buf *b) {
  X509 *const all[] = {f->pck.certificate, f->ca.certificate, f->root.certificate};
  struct buf data = buf_new(16384);
  if (q->certification >= 4)
    put_pem(&data, all, q->certification == 4 ? 1 : 3);
  else
    buf_put(&data, q->body, 36);
  if (q->certification == 5) buf_put_u8(&data, 0);
  put_u16(b, q->certification);
  buf_put_block(b, buf_span(&data));
  buf_free(&data);
}

/* From the quoting enclave's report on; the report vouches for key and authentication data. */
static void put_qe(struct intel *f, const struct intel_quote *q, struct span key, struct buf *b) {
  static const uint8_t auth[32] = {0, 1, 2, 3};
  const struct span bound[] = {key, span_of(auth, sizeof auth)};
  uint8_t report[384], hash[64] = {0};
  must(hash_sha256(bound, 2, hash) == RESULT_OK);
  memcpy(report, q->qe_report, sizeof report);
  for (size_t i = 0; i < sizeof hash; i++) report[320 + i] = hash[i] ^ q->spoil_key[i];
  buf_put(b, report, sizeof report);
  put_signature(b, f->pck.key, span_of(report, sizeof report));
  put_u16(b, sizeof auth);
  buf_put(b, auth, sizeof auth);
  put_certification(f, q, b);
}

void intel_put_quote(struct intel *f, const struct intel_quote *q, struct buf *out) {
  struct buf data = buf_new(32768), qe = buf_new(32768);
  uint8_t point[65];
  size_t before = out->len, len = 0;
  put_u16(out, q->version);
  put_u16(out, 2);
  buf_put_u32(out, q->tdx ? 0x81 : 0);
  buf_put_u32(out, 0);
  buf_put_span(out, span_of("\x93\x9a\x72\x33\xf7\x9c\x4c\xa9\x94\x0a\x0d\xb3\x95\x7f\x06\x07", 16));
  memset(buf_extend(out, 20), 0x0d, 20);
  if (q->version == 5) put_u16(out, q->type);
  if (q->version == 5) buf_put_u32(out, (uint32_t)q->body_size);
  buf_put(out, q->body, q->body_size);
  must(EVP_PKEY_get_octet_string_param(f->attestation, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &len) == 1);
  put_signature(&data, f->attestation, buf_since(out, before));
  buf_put(&data, point + 1, 64);
  put_qe(f, q, span_of(point + 1, 64), &qe);
  if (q->version > 3) put_u16(&data, 6);
  if (q->version > 3)
    buf_put_block(&data, buf_span(&qe));
  else
    buf_put_span(&data, buf_span(&qe));
  buf_put_block(out, buf_span(&data));
  for (size_t i = 0; i < q->trailing; i++) buf_put_u8(out, 0xee);
  buf_free(&data);
  buf_free(&qe);
  must(!out->bad);
}

/* ---- collateral ---- */

#define ZEROS "\"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\""
#define SVN(n) "{\"svn\":" #n "}"
#define ZERO8 SVN(0) "," SVN(0) "," SVN(0) "," SVN(0) "," SVN(0) "," SVN(0) "," SVN(0) "," SVN(0)
#define SGX_SVN(a) "[" SVN(a) "," SVN(5) "," SVN(2) "," SVN(2) "," SVN(3) "," SVN(1) "," SVN(0) "," SVN(3) "," ZERO8 "]"
#define TDX_SVN(a) "[" SVN(3) "," SVN(0) "," SVN(a) "," SVN(0) "," SVN(0) "," SVN(0) "," SVN(0) "," SVN(0) "," ZERO8 "]"
#define DATES "\"issueDate\":\"2026-09-14T00:00:00Z\",\"nextUpdate\":\"2026-10-14T00:00:00Z\""
#define PLATFORM                                                  \
  "\"version\":3," DATES                                          \
  ",\"fmspc\":\"50806F000000\",\"pceId\":\"0000\",\"tcbType\":0," \
  "\"tcbEvaluationDataNumber\":17,"
#define MODULE "\"mrsigner\":" ZEROS ",\"attributes\":\"0000000000000000\",\"attributesMask\":\"FFFFFFFFFFFFFFFF\""
#define OLD "\"tcbStatus\":\"OutOfDate\",\"advisoryIDs\":[\"INTEL-SA-00001\",\"INTEL-SA-00002\"]}"
#define CURRENT "\"tcbStatus\":\"UpToDate\"}"

const char *intel_tcb_info(bool tdx) {
  if (!tdx)
    return "{\"id\":\"SGX\"," PLATFORM "\"tcbLevels\":[{\"tcb\":{\"sgxtcbcomponents\":" SGX_SVN(
        5) ",\"pcesvn\":11}," CURRENT ",{\"tcb\":{\"sgxtcbcomponents\":" SGX_SVN(4) ",\"pcesvn\":5}," OLD "]}";
  return "{\"id\":\"TDX\"," PLATFORM "\"tdxModule\":{" MODULE "},\"tdxModuleIdentities\":[{\"id\":\"TDX_01\"," MODULE
         ",\"tcbLevels\":[{\"tcb\":{\"isvsvn\":3}," CURRENT ",{\"tcb\":{\"isvsvn\":2}," OLD
         "]}],\"tcbLevels\":[{\"tcb\":{\"sgxtcbcomponents\":" SGX_SVN(5) ",\"pcesvn\":11,\"tdxtcbcomponents\":" TDX_SVN(
             5) "}," CURRENT
                ",{\"tcb\":{\"sgxtcbcomponents\":" SGX_SVN(4) ",\"pcesvn\":5,\"tdxtcbcomponents\":" TDX_SVN(4) "}," OLD
                                                                                                               "]}";
}

#define QE(id, product)                                                                                          \
  "{\"id\":\"" id "\",\"version\":2," DATES                                                                      \
  ",\"tcbEvaluationDataNumber\":17,\"miscselect\":\"00000000\",\"miscselectMask\":\"FFFFFFFF\","                 \
  "\"attributes\":\"11000000000000000000000000000000\",\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\"," \
  "\"mrsigner\":\"9E9E9E9E9E9E9E9E9E9E9E9E9E9E9E9E9E9E9E9E9E9E9E9E9E9E9E9E9E9E9E9E\",\"isvprodid\":" product     \
  ",\"tcbLevels\":[{\"tcb\":{\"isvsvn\":8}," CURRENT                                                             \
  ",{\"tcb\":{\"isvsvn\":6},\"tcbStatus\":\"OutOfDate\","                                                        \
  "\"advisoryIDs\":[\"INTEL-SA-00002\",\"INTEL-SA-00003\"]}]}"

const char *intel_qe_identity(bool tdx) {
  return tdx ? QE("TD_QE", "2") : QE("QE", "1");
}

static bool set(json_t *object, const char *name, struct span text) {
  return json_object_set_new(object, name, json_stringn((const char *)text.data, text.len)) == 0;
}

static void set_hex(json_t *object, const char *name, struct span bytes) {
  struct buf hex = buf_new(2 * bytes.len);
  text_put_hex(&hex, bytes);
  must(set(object, name, buf_span(&hex)));
  buf_free(&hex);
}

static void set_chain(json_t *object, const char *name, X509 *const *certificates, size_t count) {
  struct buf pem = buf_new(16384);
  put_pem(&pem, certificates, count);
  must(set(object, name, buf_span(&pem)));
  buf_free(&pem);
}

static void set_crl(json_t *object, const char *name, X509_CRL *crl) {
  uint8_t *der = NULL;
  int len = i2d_X509_CRL(crl, &der);
  must(len > 0);
  set_hex(object, name, span_of(der, (size_t)len));
  OPENSSL_free(der);
}

static bool set_statement(json_t *object, struct intel *f, const char *const names[3], const char *text) {
  uint8_t signature[64];
  X509 *const signers[] = {f->signer.certificate, f->root.certificate};
  sign(f->signer.key, span_text(text), signature);
  set_hex(object, names[1], span_of(signature, sizeof signature));
  set_chain(object, names[2], signers, 2);
  return set(object, names[0], span_text(text));
}

bool intel_put_collateral(struct intel *f, const char *tcb_info, const char *qe_identity, struct buf *out) {
  static const char *const tcb[] = {"tcb_info", "tcb_info_signature", "tcb_info_issuer_chain"};
  static const char *const qe[] = {"qe_identity", "qe_identity_signature", "qe_identity_issuer_chain"};
  X509 *const pck[] = {f->pck.certificate, f->ca.certificate, f->root.certificate};
  json_t *object = json_object();
  set_chain(object, "pck_crl_issuer_chain", pck + 1, 2);
  set_chain(object, "pck_certificate_chain", pck, 3);
  set_crl(object, "root_ca_crl", f->root_crl);
  set_crl(object, "pck_crl", f->pck_crl);
  bool put = set_statement(object, f, tcb, tcb_info) && set_statement(object, f, qe, qe_identity);
  char *text = json_dumps(object, 0);
  must(text != NULL);
  if (put) buf_put_text(out, text);
  free(text);
  json_decref(object);
  return put;
}
