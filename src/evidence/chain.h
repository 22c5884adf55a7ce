/*
 * X.509 chains, signatures and extensions, as vendors of trusted hardware use them: P-256, P-384 and RSA with PSS.
 * Pure: the certificates, the roots, the revocation lists and the time come in, and a verdict goes out. There is no
 * default trust store, no file and no clock. crypto_init comes before all of it. Private to src/evidence.
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "evidence/roots.h"

#define CHAIN_MAX 16u     /* certificates of a bundle */
#define CHAIN_CRLS_MAX 4u /* revocation lists of a request */

/* Certificates in the order in which they came; nobody vouches for them yet. Starts as {0}. */
struct chain {
  size_t count;
  X509 *certificate[CHAIN_MAX];
};

/* Append certificates. False for bytes that are no certificate, for more than CHAIN_MAX, and without memory; what was
 * appended before stays, for chain_free. */

/* One or more PEM certificates with nothing but white space around and between them, and NULs at the end. */
bool must_use chain_add_pem(struct chain *chain, struct span pem);
/* One or more DER certificates, back to back. */
bool must_use chain_add_der(struct chain *chain, struct span der);
/* Whichever it is. */
bool must_use chain_add(struct chain *chain, struct span bytes);
void chain_free(struct chain *chain);

struct chain_request {
  X509 *leaf;                   /* borrowed, as all */
  const struct chain *pools[3]; /* where intermediates and root may come from; may be NULL, may hold the leaf */
  struct roots roots;           /* the chain ends at a certificate that has one of these hashes */
  uint64_t now;                 /* Unix seconds; every certificate and every list has to be valid then */
  /* If there is any, every certificate of the chain has to be covered by one that its issuer signed. DER or PEM. */
  struct span crls[CHAIN_CRLS_MAX];
  size_t crl_count;
};

/* NULL if the leaf chains to a pinned root; else why not, a static sentence. */
const char *must_use chain_verify(const struct chain_request *request);

/* The SHA-256 of the certificate's DER. False if OpenSSL fails. */
bool must_use chain_fingerprint(const X509 *certificate, uint8_t out[POLICY_ROOT]);
/* What the extension's OCTET STRING holds, still in the certificate's memory. False unless it is there exactly once. */
bool must_use chain_extension(const X509 *certificate, const char *oid, struct span *value);
/* The one certificate whose subject has this common name, borrowed; NULL if there is none or more than one. */
X509 *chain_find(const struct chain *chain, const char *name);
/* The subject's (or issuer's) common name; false unless it has exactly one, of printable ASCII, that fits. */
bool must_use chain_subject(const X509 *certificate, char *out, size_t size);
bool must_use chain_issuer(const X509 *certificate, char *out, size_t size);

/* Whether `signature` (r || s, big-endian, 64 or 96 bytes) is the key's of the message: ECDSA with SHA-256 for a key on
 * P-256, with SHA-384 for one on P-384. Any other key: false. */
bool must_use chain_signed(EVP_PKEY *key, struct span message, struct span signature);
/* A public key on P-256 from its x || y; NULL if that is no point. Ends with EVP_PKEY_free. */
EVP_PKEY *chain_p256(const uint8_t point[64]);
