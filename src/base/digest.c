#include "base/digest.h"

#include <sha256.h>

void digest_sha256(struct span bytes, uint8_t out[DIGEST_SIZE]) {
  SHA2_CTX context;
  SHA256Init(&context);
  SHA256Update(&context, bytes.data, bytes.len);
  SHA256Final(out, &context);
  wipe(&context, sizeof context);
}
