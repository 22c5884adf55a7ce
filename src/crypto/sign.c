#include "crypto/sign.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>

#include "base/base64.h"
#include "base/digest.h"
#include "crypto/hash.h"
#include "crypto/state.h"

#define SCALAR 32u
#define DER_MAX 72u /* of a signature: two integers of up to 33 bytes, with their headers */

/* The order n of P-256 (FIPS 186-4 D.1.2.3), and (n - 1) / 2. */
static const uint8_t order[SCALAR] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                      0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
static const uint8_t half_order[SCALAR] = {0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff,
                                           0xff, 0xff, 0xff, 0xff, 0xff, 0xde, 0x73, 0x7d, 0x56, 0xd3, 0x8b,
                                           0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8};

struct sign_key {
  EVP_PKEY *pair;
  EVP_PKEY_CTX *signer; /* ready to sign a hash, again and again */
  uint8_t public[SIGN_PUBLIC];
};

static bool prepare(struct sign_key *key) {
  size_t len = 0;
  key->pair = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
  if (key->pair == NULL) return false;
  if (EVP_PKEY_get_octet_string_param(key->pair, OSSL_PKEY_PARAM_PUB_KEY, key->public, SIGN_PUBLIC, &len) != 1 ||
      len != SIGN_PUBLIC || key->public[0] != 4)
    return false;
  key->signer = EVP_PKEY_CTX_new_from_pkey(NULL, key->pair, NULL);
  return key->signer != NULL && EVP_PKEY_sign_init(key->signer) == 1 &&
         EVP_PKEY_CTX_set_signature_md(key->signer, crypto_state()->sha256) == 1;
}

enum result sign_key_new(struct sign_key **out) {
  if (crypto_state() == NULL) return RESULT_CRYPTO;
  struct sign_key *key = calloc(1, sizeof *key);
  if (key == NULL) return RESULT_NO_MEMORY;
  if (!prepare(key)) {
    sign_key_free(key);
    return RESULT_CRYPTO;
  }
  *out = key;
  return RESULT_OK;
}

void sign_public(const struct sign_key *key, uint8_t out[SIGN_PUBLIC]) {
  memcpy(out, key->public, SIGN_PUBLIC);
}

/* OpenSSL wipes private keys. */
void sign_key_free(struct sign_key *key) {
  if (key == NULL) return;
  EVP_PKEY_CTX_free(key->signer);
  EVP_PKEY_free(key->pair);
  free(key);
}

/* ---- signing ---- */

/* s and n - s sign the same message; the lower one is ours. Signatures are public: no need for constant time. */
static void lower(uint8_t s[SCALAR]) {
  if (memcmp(s, half_order, SCALAR) <= 0) return;
  int borrow = 0;
  for (size_t i = SCALAR; i-- > 0;) {
    int difference = order[i] - s[i] - borrow;
    borrow = difference < 0;
    s[i] = (uint8_t)difference;
  }
}

static bool split(const uint8_t *der, size_t len, uint8_t out[SIGN_SIZE]) {
  ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)len);
  bool done = pair != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, SCALAR) == SCALAR &&
              BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + SCALAR, SCALAR) == SCALAR;
  ECDSA_SIG_free(pair);
  return done;
}

enum result sign_message(struct sign_key *key, struct span message, uint8_t out[SIGN_SIZE]) {
  uint8_t hash[HASH_SIZE], der[DER_MAX];
  size_t len = sizeof der;
  enum result r = hash_sha256(&message, 1, hash);
  if (r != RESULT_OK) return r;
  if (EVP_PKEY_sign(key->signer, der, &len, hash, sizeof hash) != 1 || !split(der, len, out)) return RESULT_CRYPTO;
  lower(out + SCALAR);
  return RESULT_OK;
}

/* ---- verifying ---- */

static EVP_PKEY *import_public(const uint8_t key[SIGN_PUBLIC]) {
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char[]){"P-256"}, 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)key, SIGN_PUBLIC),
      OSSL_PARAM_construct_end()};
  EVP_PKEY *imported = NULL;
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
  if (context != NULL && EVP_PKEY_fromdata_init(context) == 1)
    (void)EVP_PKEY_fromdata(context, &imported, EVP_PKEY_PUBLIC_KEY, params);
  EVP_PKEY_CTX_free(context);
  return imported;
}

static int join(const uint8_t *signature, uint8_t der[DER_MAX]) {
  ECDSA_SIG *pair = ECDSA_SIG_new();
  BIGNUM *r = BN_bin2bn(signature, SCALAR, NULL), *s = BN_bin2bn(signature + SCALAR, SCALAR, NULL);
  int len = -1;
  if (pair != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(pair, r, s) == 1) {
    r = s = NULL; /* the pair's now */
    len = i2d_ECDSA_SIG(pair, &der);
  }
  BN_free(r);
  BN_free(s);
  ECDSA_SIG_free(pair);
  return len;
}

enum result sign_verify(const uint8_t key[SIGN_PUBLIC], struct span message, struct span signature) {
  uint8_t hash[HASH_SIZE], der[DER_MAX];
  if (key[0] != 4 || signature.len != SIGN_SIZE) return RESULT_NOT_VERIFIED;
  if (memcmp(signature.data + SCALAR, half_order, SCALAR) > 0) return RESULT_NOT_VERIFIED;
  enum result r = hash_sha256(&message, 1, hash);
  if (r != RESULT_OK) return r;
  int len = join(signature.data, der);
  EVP_PKEY *imported = import_public(key);
  EVP_PKEY_CTX *context = imported != NULL ? EVP_PKEY_CTX_new_from_pkey(NULL, imported, NULL) : NULL;
  bool genuine = len > 0 && context != NULL && EVP_PKEY_verify_init(context) == 1 &&
                 EVP_PKEY_verify(context, der, (size_t)len, hash, sizeof hash) == 1;
  EVP_PKEY_CTX_free(context);
  EVP_PKEY_free(imported);
  ERR_clear_error();
  return genuine ? RESULT_OK : RESULT_NOT_VERIFIED;
}

/* ---- names ---- */

void sign_put_jwk(struct buf *b, const uint8_t key[SIGN_PUBLIC]) {
  buf_put_text(b, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"");
  base64_put_url(b, span_of(key + 1, SCALAR));
  buf_put_text(b, "\",\"y\":\"");
  base64_put_url(b, span_of(key + 1 + SCALAR, SCALAR));
  buf_put_text(b, "\"}");
}

void sign_thumbprint(const uint8_t key[SIGN_PUBLIC], char out[SIGN_THUMBPRINT + 1]) {
  uint8_t memory[160], hash[DIGEST_SIZE];
  struct buf jwk = buf_fixed(memory, sizeof memory), text = buf_fixed(out, SIGN_THUMBPRINT);
  sign_put_jwk(&jwk, key);
  digest_sha256(buf_span(&jwk), hash);
  base64_put_url(&text, span_of(hash, sizeof hash));
  out[SIGN_THUMBPRINT] = 0;
}
