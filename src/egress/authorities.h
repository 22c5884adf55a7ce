/* The CAs that servers are verified with: read once, when the first connection needs them, and shared by all. */
#pragma once

#include <openssl/ssl.h>

#include "base/result.h"

struct authorities;

/* `pem` is copied. RESULT_NO_MEMORY. */
enum result must_use authorities_new(struct span pem, struct authorities **out);
/* Whom `context`'s connections trust from here on: these and nobody else. RESULT_CRYPTO if there is no certificate. */
enum result must_use authorities_trust(struct authorities *a, SSL_CTX *context);
/* NULL is fine. */
void authorities_free(struct authorities *a);
