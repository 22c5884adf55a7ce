/* The key and the certificate with which a marble asks to be activated: made for that one call, known to nobody before.
 * Private to src/marble. */
#pragma once

#include "base/result.h"

#define IDENTITY_NAMES_MAX 64u

struct identity {
  struct buf key;         /* PKCS#8, DER: P-384 */
  struct buf certificate; /* X.509, DER: self-signed, client and server, for the names below */
  struct buf csr;         /* PKCS#10, DER: the same subject and names, signed with the same key */
};

/* `names`: DNS names and IP addresses with commas between, at most IDENTITY_NAMES_MAX; 127.0.0.1 and ::1 are added.
 * `now`: Unix seconds. RESULT_CONFIG_INVALID if a name is none; RESULT_CRYPTO, RESULT_NO_MEMORY. `out` is to be freed
 * in any case. */
enum result must_use identity_new(struct identity *out, const char *names, uint64_t now);
void identity_free(struct identity *identity);
