#include "marble/identity.h"

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/x509v3.h>

#define DER_MAX 65536u
#define NAME "MarbleRun Marble"
/* As long as Go's time.Duration is: what the Coordinator's own certificates have. It asks for nothing here. */
#define LIFETIME_S 9223372036
#define SERIAL_BITS 128

/* ---- names ---- */

static bool is_dns_name(struct span s) {
  static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.*";
  for (size_t i = 0; i < s.len; i++)
    if (s.data[i] == 0 || strchr(alphabet, s.data[i]) == NULL) return false;
  return s.len > 0 && s.len < 254;
}

static bool push(GENERAL_NAMES *names, GENERAL_NAME *name) {
  if (name != NULL && sk_GENERAL_NAME_push(names, name) > 0) return true;
  GENERAL_NAME_free(name);
  return false;
}

static enum result add_name(GENERAL_NAMES *names, struct span s) {
  char text[256];
  struct in6_addr address;
  if (!is_dns_name(s) && memchr(s.data == NULL ? (const void *)"" : s.data, ':', s.len) == NULL)
    return RESULT_CONFIG_INVALID;
  if (s.len >= sizeof text) return RESULT_CONFIG_INVALID;
  snprintf(text, sizeof text, "%.*s", (int)s.len, (const char *)s.data);
  const bool ip = inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
  if (!ip && !is_dns_name(s)) return RESULT_CONFIG_INVALID;
  return push(names, a2i_GENERAL_NAME(NULL, NULL, NULL, ip ? GEN_IPADD : GEN_DNS, text, 0)) ? RESULT_OK
                                                                                            : RESULT_NO_MEMORY;
}

static enum result add_names(GENERAL_NAMES *names, const char *list) {
  enum result r = RESULT_OK;
  for (unsigned count = 0; r == RESULT_OK && list[0] != 0; count++) {
    const size_t len = strcspn(list, ",");
    r = count < IDENTITY_NAMES_MAX ? add_name(names, span_of(list, len)) : RESULT_CONFIG_INVALID;
    list += len + (list[len] == ',');
  }
  if (r == RESULT_OK) r = add_name(names, span_text("127.0.0.1"));
  return r == RESULT_OK ? add_name(names, span_text("::1")) : r;
}

/* ---- extensions ---- */

static bool add_usage(X509 *certificate) {
  static const struct {
    int nid;
    const char *value;
  } extensions[] = {{NID_basic_constraints, "critical,CA:FALSE"},
                    {NID_key_usage, "critical,digitalSignature,keyAgreement"},
                    {NID_ext_key_usage, "serverAuth,clientAuth"}};
  for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++) {
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, extensions[i].nid, extensions[i].value);
    const bool added = e != NULL && X509_add_ext(certificate, e, -1) == 1;
    X509_EXTENSION_free(e);
    if (!added) return false;
  }
  return true;
}

static bool set_serial(X509 *certificate) {
  BIGNUM *serial = BN_new();
  const bool set = serial != NULL && BN_rand(serial, SERIAL_BITS - 1, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
                   BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate)) != NULL;
  BN_free(serial);
  return set;
}

static bool set_subject(X509_NAME *name) {
  return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC, (const unsigned char *)NAME, -1, -1, 0) == 1;
}

/* ---- the three ---- */

/* Appends what OpenSSL has encoded, and wipes and frees it. */
static enum result take_der(struct buf *out, unsigned char *der, int len) {
  if (len > 0) buf_put(out, der, (size_t)len);
  if (len > 0) wipe(der, (size_t)len);
  OPENSSL_free(der);
  if (len <= 0) return RESULT_CRYPTO;
  return out->bad ? RESULT_NO_MEMORY : RESULT_OK;
}

static enum result put_key(struct buf *out, const EVP_PKEY *key) {
  unsigned char *der = NULL;
  PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
  const int len = info == NULL ? 0 : i2d_PKCS8_PRIV_KEY_INFO(info, &der);
  PKCS8_PRIV_KEY_INFO_free(info);
  return take_der(out, der, len);
}

static enum result put_certificate(struct buf *out, EVP_PKEY *key, GENERAL_NAMES *names, uint64_t now) {
  unsigned char *der = NULL;
  X509 *c = X509_new();
  const bool made = c != NULL && X509_set_version(c, X509_VERSION_3) == 1 && set_serial(c) &&
                    set_subject(X509_get_subject_name(c)) && X509_set_issuer_name(c, X509_get_subject_name(c)) == 1 &&
                    ASN1_TIME_set(X509_getm_notBefore(c), (time_t)now) != NULL &&
                    ASN1_TIME_set(X509_getm_notAfter(c), (time_t)now + LIFETIME_S) != NULL &&
                    X509_set_pubkey(c, key) == 1 && add_usage(c) &&
                    X509_add1_ext_i2d(c, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1 &&
                    X509_sign(c, key, EVP_sha384()) > 0;
  const int len = made ? i2d_X509(c, &der) : 0;
  X509_free(c);
  return take_der(out, der, len);
}

static bool request_names(X509_REQ *request, GENERAL_NAMES *names) {
  X509_EXTENSIONS *extensions = NULL;
  const bool added = X509V3_add1_i2d(&extensions, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1 &&
                     X509_REQ_add_extensions(request, extensions) == 1;
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  return added;
}

static enum result put_csr(struct buf *out, EVP_PKEY *key, GENERAL_NAMES *names) {
  unsigned char *der = NULL;
  X509_REQ *request = X509_REQ_new();
  const bool made = request != NULL && X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
                    set_subject(X509_REQ_get_subject_name(request)) && X509_REQ_set_pubkey(request, key) == 1 &&
                    request_names(request, names) && X509_REQ_sign(request, key, EVP_sha384()) > 0;
  const int len = made ? i2d_X509_REQ(request, &der) : 0;
  X509_REQ_free(request);
  return take_der(out, der, len);
}

enum result identity_new(struct identity *out, const char *names, uint64_t now) {
  *out = (struct identity){buf_new(DER_MAX), buf_new(DER_MAX), buf_new(DER_MAX)};
  EVP_PKEY *key = EVP_EC_gen("P-384");
  GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
  enum result r = key == NULL ? RESULT_CRYPTO : all == NULL ? RESULT_NO_MEMORY : add_names(all, names);
  if (r == RESULT_OK) r = put_key(&out->key, key);
  if (r == RESULT_OK) r = put_certificate(&out->certificate, key, all, now);
  if (r == RESULT_OK) r = put_csr(&out->csr, key, all);
  GENERAL_NAMES_free(all);
  EVP_PKEY_free(key);
  return r;
}

void identity_free(struct identity *identity) {
  buf_free(&identity->key);
  buf_free(&identity->certificate);
  buf_free(&identity->csr);
}
