#include "crypto/random.h"

#include <limits.h>
#include <openssl/rand.h>

#include "crypto/state.h"

enum result random_bytes(void *out, size_t len) {
  if (crypto_state() != NULL && len <= INT_MAX && RAND_bytes(out, (int)len) == 1) return RESULT_OK;
  wipe(out, len);
  return RESULT_CRYPTO;
}
