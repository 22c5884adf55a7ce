#include "evidence/chain.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include "crypto/hash.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define PEM_MAX (1u << 20)
#define DEPTH_MAX 8          /* Nitro's chains have four intermediates */
#define SECURITY_LEVEL 3     /* 128 bits: P-256, RSA-3072, SHA-256 (SSL_CTX_set_security_level(3)) */
#define LATEST 253402300799u /* 9999-12-31T23:59:59Z, the last that X.509 can write */

/* ---- bundles ---- */

static bool append(struct chain *chain, X509 *certificate) {
  if (certificate != NULL && chain->count < CHAIN_MAX) {
    chain->certificate[chain->count++] = certificate;
    return true;
  }
  X509_free(certificate);
  ERR_clear_error();
  return false;
}

bool chain_add_der(struct chain *chain, struct span der) {
  const uint8_t *at = der.data, *end = der.data + der.len;
  if (der.len == 0 || der.len > PEM_MAX) return false;
  while (at < end) {
    if (!append(chain, d2i_X509(NULL, &at, end - at))) return false;
  }
  return true;
}

static bool is_space(uint8_t c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static struct span trim(struct span s) {
  while (s.len > 0 && (s.data[s.len - 1] == 0 || is_space(s.data[s.len - 1]))) s.len--;
  while (s.len > 0 && is_space(s.data[0])) s = span_of(s.data + 1, s.len - 1);
  return s;
}

#define BEGIN "-----BEGIN CERTIFICATE-----"
#define END "-----END CERTIFICATE-----"

/* Cuts the next block off the front, so that OpenSSL's reader, which skips what it does not know, sees no more. */
static bool next_block(struct span *rest, struct span *block) {
  *rest = trim(*rest);
  if (rest->len < sizeof BEGIN || memcmp(rest->data, BEGIN, sizeof BEGIN - 1) != 0) return false;
  const uint8_t *end = memmem(rest->data, rest->len, END, sizeof END - 1);
  if (end == NULL) return false;
  size_t len = (size_t)(end - rest->data) + sizeof END - 1;
  *block = span_of(rest->data, len);
  *rest = trim(span_of(rest->data + len, rest->len - len));
  return true;
}

bool chain_add_pem(struct chain *chain, struct span pem) {
  struct span block;
  if (pem.len > PEM_MAX) return false;
  do {
    if (!next_block(&pem, &block)) return false;
    BIO *bio = BIO_new_mem_buf(block.data, (int)block.len);
    bool added = bio != NULL && append(chain, PEM_read_bio_X509(bio, NULL, NULL, NULL));
    BIO_free(bio);
    if (!added) return false;
  } while (pem.len > 0);
  return true;
}

bool chain_add(struct chain *chain, struct span bytes) {
  return bytes.len > 0 && bytes.data[0] == 0x30 ? chain_add_der(chain, bytes) : chain_add_pem(chain, bytes);
}

void chain_free(struct chain *chain) {
  for (size_t i = 0; i < chain->count; i++) X509_free(chain->certificate[i]);
  *chain = (struct chain){0};
}

/* ---- verifying ---- */

bool chain_fingerprint(const X509 *certificate, uint8_t out[POLICY_ROOT]) {
  unsigned len = 0;
  return X509_digest(certificate, EVP_sha256(), out, &len) == 1 && len == POLICY_ROOT;
}

static bool is_pinned(const X509 *certificate, struct roots roots) {
  uint8_t hash[POLICY_ROOT];
  if (!chain_fingerprint(certificate, hash)) return false;
  for (size_t i = 0; i < roots.count; i++) {
    if (hash_equal(hash, roots.pins[i])) return true;
  }
  return false;
}

static X509_CRL *read_crl(struct span bytes) {
  const uint8_t *at = bytes.data;
  if (bytes.len == 0 || bytes.len > PEM_MAX) return NULL;
  if (at[0] != 0x30) {
    BIO *bio = BIO_new_mem_buf(bytes.data, (int)bytes.len);
    X509_CRL *crl = bio != NULL ? PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return crl;
  }
  X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)bytes.len);
  if (crl == NULL || at == bytes.data + bytes.len) return crl;
  X509_CRL_free(crl);
  return NULL;
}

struct verification {
  X509_STORE *store;
  STACK_OF(X509) * untrusted;
  X509_STORE_CTX *context;
};

static bool add_pool(struct verification *v, const struct chain *pool, struct roots roots) {
  for (size_t i = 0; pool != NULL && i < pool->count; i++) {
    X509 *certificate = pool->certificate[i];
    bool added = is_pinned(certificate, roots) ? X509_STORE_add_cert(v->store, certificate) == 1
                                               : sk_X509_push(v->untrusted, certificate) > 0;
    if (!added) return false;
  }
  return true;
}

static const char *add_crls(struct verification *v, const struct chain_request *q) {
  for (size_t i = 0; i < q->crl_count; i++) {
    X509_CRL *crl = read_crl(q->crls[i]);
    bool added = crl != NULL && X509_STORE_add_crl(v->store, crl) == 1;
    X509_CRL_free(crl); /* the store holds a reference of its own */
    if (!added) return "a revocation list cannot be read";
  }
  return NULL;
}

static bool set_terms(X509_VERIFY_PARAM *terms, const struct chain_request *q) {
  unsigned long flags = X509_V_FLAG_USE_CHECK_TIME;
  if (q->crl_count > 0) flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
  X509_VERIFY_PARAM_set_time(terms, (time_t)q->now);
  X509_VERIFY_PARAM_set_depth(terms, DEPTH_MAX);
  X509_VERIFY_PARAM_set_auth_level(terms, SECURITY_LEVEL);
  return X509_VERIFY_PARAM_set_flags(terms, flags) == 1;
}

static const char *run(struct verification *v, const struct chain_request *q) {
  v->store = X509_STORE_new();
  v->untrusted = sk_X509_new_null();
  v->context = X509_STORE_CTX_new();
  if (v->store == NULL || v->untrusted == NULL || v->context == NULL) return "out of memory";
  for (size_t i = 0; i < COUNT(q->pools); i++) {
    if (!add_pool(v, q->pools[i], q->roots)) return "out of memory";
  }
  const char *problem = add_crls(v, q);
  if (problem != NULL) return problem;
  if (X509_STORE_CTX_init(v->context, v->store, q->leaf, v->untrusted) != 1 ||
      !set_terms(X509_STORE_CTX_get0_param(v->context), q))
    return "out of memory";
  if (X509_verify_cert(v->context) == 1) return NULL;
  int error = X509_STORE_CTX_get_error(v->context);
  return error != X509_V_OK ? X509_verify_cert_error_string(error) : "the chain cannot be verified";
}

const char *chain_verify(const struct chain_request *request) {
  struct verification v = {0};
  if (request->leaf == NULL) return "there is no certificate";
  if (request->roots.count == 0) return "no root is pinned";
  if (request->now > LATEST) return "the time of verification is beyond all certificates";
  const char *problem = run(&v, request);
  X509_STORE_CTX_free(v.context);
  sk_X509_free(v.untrusted);
  X509_STORE_free(v.store);
  ERR_clear_error();
  return problem;
}

/* ---- parts of a certificate ---- */

bool chain_extension(const X509 *certificate, const char *oid, struct span *value) {
  ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
  int at = object != NULL ? X509_get_ext_by_OBJ(certificate, object, -1) : -1;
  bool once = at >= 0 && X509_get_ext_by_OBJ(certificate, object, at) < 0;
  ASN1_OBJECT_free(object);
  if (!once) return false;
  const ASN1_OCTET_STRING *content = X509_EXTENSION_get_data(X509_get_ext(certificate, at));
  *value = span_of(ASN1_STRING_get0_data(content), (size_t)ASN1_STRING_length(content));
  return true;
}

static bool common_name(const X509_NAME *name, char *out, size_t size) {
  int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0) return false;
  const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
  const uint8_t *data = ASN1_STRING_get0_data(text);
  size_t len = (size_t)ASN1_STRING_length(text);
  if (len >= size) return false;
  for (size_t i = 0; i < len; i++) {
    if (data[i] < 0x20 || data[i] > 0x7e) return false;
  }
  memcpy(out, data, len);
  out[len] = 0;
  return true;
}

bool chain_subject(const X509 *certificate, char *out, size_t size) {
  return common_name(X509_get_subject_name(certificate), out, size);
}

bool chain_issuer(const X509 *certificate, char *out, size_t size) {
  return common_name(X509_get_issuer_name(certificate), out, size);
}

X509 *chain_find(const struct chain *chain, const char *name) {
  X509 *found = NULL;
  for (size_t i = 0; i < chain->count; i++) {
    char subject[128];
    if (!chain_subject(chain->certificate[i], subject, sizeof subject) || strcmp(subject, name) != 0) continue;
    if (found != NULL) return NULL;
    found = chain->certificate[i];
  }
  return found;
}

/* ---- signatures ---- */

static const struct curve {
  const char *name;
  size_t scalar;
  const EVP_MD *(*hash)(void);
} curves[] = {{"prime256v1", 32, EVP_sha256}, {"secp384r1", 48, EVP_sha384}};

static const struct curve *curve_of(const EVP_PKEY *key) {
  char name[32] = "";
  if (EVP_PKEY_get_group_name(key, name, sizeof name, NULL) != 1) return NULL;
  for (size_t i = 0; i < COUNT(curves); i++) {
    if (strcmp(curves[i].name, name) == 0) return &curves[i];
  }
  return NULL;
}

/* DER of r || s; its length, or less than 1. */
static int join(struct span signature, uint8_t **der) {
  int half = (int)(signature.len / 2), len = -1;
  ECDSA_SIG *pair = ECDSA_SIG_new();
  BIGNUM *r = BN_bin2bn(signature.data, half, NULL), *s = BN_bin2bn(signature.data + half, half, NULL);
  if (pair != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(pair, r, s) == 1) {
    r = s = NULL; /* the pair's now */
    len = i2d_ECDSA_SIG(pair, der);
  }
  BN_free(r);
  BN_free(s);
  ECDSA_SIG_free(pair);
  return len;
}

bool chain_signed(EVP_PKEY *key, struct span message, struct span signature) {
  const struct curve *curve = key != NULL ? curve_of(key) : NULL;
  uint8_t *der = NULL;
  if (curve == NULL || signature.len != 2 * curve->scalar) {
    ERR_clear_error();
    return false;
  }
  int len = join(signature, &der);
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  bool genuine = len > 0 && context != NULL && EVP_DigestVerifyInit(context, NULL, curve->hash(), NULL, key) == 1 &&
                 EVP_DigestVerify(context, der, (size_t)len, message.data, message.len) == 1;
  EVP_MD_CTX_free(context);
  OPENSSL_free(der);
  ERR_clear_error();
  return genuine;
}

EVP_PKEY *chain_p256(const uint8_t point[64]) {
  uint8_t encoded[65] = {4};
  memcpy(encoded + 1, point, 64);
  OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char[]){"P-256"}, 0),
                         OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, encoded, sizeof encoded),
                         OSSL_PARAM_construct_end()};
  EVP_PKEY *key = NULL;
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
  if (context != NULL && EVP_PKEY_fromdata_init(context) == 1)
    (void)EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params);
  EVP_PKEY_CTX_free(context);
  ERR_clear_error();
  return key;
}
