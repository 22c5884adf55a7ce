#include "crypto/crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include "crypto/state.h"

/* Each thread has its own: contexts are used by one at a time. */
static _Thread_local struct crypto_state state;
static _Thread_local bool ready;

const struct crypto_state *crypto_state(void) {
  return ready ? &state : NULL;
}

static EVP_MAC_CTX *hmac_new(void) {
  OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
                         OSSL_PARAM_construct_end()};
  EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
  EVP_MAC_CTX *context = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
  EVP_MAC_free(mac); /* the context holds a reference of its own */
  if (context != NULL && EVP_MAC_CTX_set_params(context, params) == 1) return context;
  EVP_MAC_CTX_free(context);
  return NULL;
}

enum result crypto_init(void) {
  if (ready) return RESULT_OK;
  if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1) return RESULT_CRYPTO;
  state.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
  state.sha512 = EVP_MD_fetch(NULL, "SHA512", NULL);
  state.aes256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
  state.hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
  state.digest = EVP_MD_CTX_new();
  state.cipher = EVP_CIPHER_CTX_new();
  state.hmac = hmac_new();
  uint8_t seeded[1];
  ready = state.sha256 != NULL && state.sha512 != NULL && state.aes256_gcm != NULL && state.hkdf != NULL &&
          state.digest != NULL && state.cipher != NULL && state.hmac != NULL &&
          RAND_bytes(seeded, sizeof seeded) == 1 && RAND_priv_bytes(seeded, sizeof seeded) == 1;
  if (ready) return RESULT_OK;
  crypto_free();
  return RESULT_CRYPTO;
}

void crypto_free(void) {
  EVP_MD_free(state.sha256);
  EVP_MD_free(state.sha512);
  EVP_CIPHER_free(state.aes256_gcm);
  EVP_KDF_free(state.hkdf);
  EVP_MD_CTX_free(state.digest);
  EVP_CIPHER_CTX_free(state.cipher);
  EVP_MAC_CTX_free(state.hmac);
  state = (struct crypto_state){0};
  ready = false;
  ERR_clear_error();
}
