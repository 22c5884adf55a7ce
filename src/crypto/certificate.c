#include "crypto/certificate.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

static enum result hash_key(const X509 *certificate, uint8_t out[HASH_SIZE]) {
  unsigned char *der = NULL;
  const int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (len <= 0) return RESULT_CRYPTO;
  const bool hashed = SHA256(der, (size_t)len, out) != NULL;
  OPENSSL_free(der);
  return hashed ? RESULT_OK : RESULT_CRYPTO;
}

enum result certificate_spki(struct span pem, uint8_t out[HASH_SIZE]) {
  if (pem.len > INT_MAX) return RESULT_CONFIG_INVALID;
  BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
  X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, (void *)"");
  enum result r = bio == NULL ? RESULT_CRYPTO : RESULT_CONFIG_INVALID;
  if (certificate != NULL) r = hash_key(certificate, out);
  X509_free(certificate);
  BIO_free(bio);
  ERR_clear_error();
  return r;
}
