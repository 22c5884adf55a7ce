/* X.509 certificates, as far as a service names its own. */
#pragma once

#include "crypto/hash.h"

/* SHA-256 of the SubjectPublicKeyInfo (DER, RFC 5280 §4.1.2.7) of the first certificate in a PEM text.
 * RESULT_CONFIG_INVALID if there is none; RESULT_CRYPTO. Needs no crypto_init. */
enum result must_use certificate_spki(struct span pem, uint8_t out[HASH_SIZE]);
