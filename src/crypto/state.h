/* What crypto_init made. Private to src/crypto. */
#pragma once

#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "base/result.h"

struct crypto_state {
  EVP_MD *sha256, *sha512;
  EVP_CIPHER *aes256_gcm;
  EVP_KDF *hkdf;
  EVP_MD_CTX *digest;
  EVP_CIPHER_CTX *cipher;
  EVP_MAC_CTX *hmac; /* SHA-256 */
};

/* NULL before crypto_init. */
const struct crypto_state *crypto_state(void);
