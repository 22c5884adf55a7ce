/*
 * Makes evidence that nobody's hardware vouches for: keys, certificates, SEV-SNP reports and Nitro documents, for tests
 * and fuzzing. Aborts when OpenSSL fails. Not part of the service.
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "evidence/snp_report.h"

#define MINT_NOW 1790000000u /* certificates are valid from a year before to a year after */
#define MINT_YEAR 31536000u
#define MINT_EXTENSIONS_MAX 16u
#define MINT_SIGNATURE 96u

EVP_PKEY *mint_rsa(void); /* 4096 bits; certificates are signed with PSS and SHA-384 */
EVP_PKEY *mint_p384(void);

struct mint_extension {
  const char *oid;
  struct span value; /* of the OCTET STRING */
};

/* What a certificate says. */
struct mint_subject {
  const char *name; /* common name */
  EVP_PKEY *key;
  bool ca;
  size_t extension_count;
  struct mint_extension extensions[MINT_EXTENSIONS_MAX];
};

/* Ends with X509_free. Signed by itself if there is no issuer. */
X509 *mint_certificate(const struct mint_subject *subject, const X509 *issuer, EVP_PKEY *issuer_key);
/* PEM; appends to `b`. `revoked` may be NULL. */
void mint_put_crl(struct buf *b, const X509 *issuer, EVP_PKEY *issuer_key, const X509 *revoked);
void mint_put_der(struct buf *b, const X509 *certificate);
void mint_put_pem(struct buf *b, const X509 *certificate);
void mint_fingerprint(const X509 *certificate, uint8_t out[32]);
void mint_sign(EVP_PKEY *key, struct span message, uint8_t out[MINT_SIGNATURE]);

/* ---- SEV-SNP ---- */

struct mint_vek {
  const char *product; /* "Milan-B0" */
  uint8_t levels[SNP_PARTS];
  struct span chip; /* as the extension has it; empty: none */
  const char *csp;  /* NULL: none */
};

/* A VCEK's extensions, or a VLEK's; FMC only for "Turin". The values' memory is static. */
void mint_vek(struct mint_subject *subject, const struct mint_vek *vek);

/* A report of a guest that every policy likes, not signed: version 3 (5 on Turin), TCB (1 2 3 4), fmc 5 on Turin. */
void mint_snp_report(uint8_t report[SNP_REPORT_SIZE], enum snp_product product);
void mint_snp_sign(uint8_t report[SNP_REPORT_SIZE], EVP_PKEY *key);
/* The table of certificates; NULLs are left out. `swapped`: GUIDs in the mixed byte order. */
void mint_put_table(struct buf *b, X509 *const certificates[SNP_CERTS], bool swapped);

/* ---- Nitro ---- */

enum mint_field {
  MINT_MODULE,
  MINT_DIGEST,
  MINT_TIMESTAMP,
  MINT_PCRS,
  MINT_CERTIFICATE,
  MINT_BUNDLE,
  MINT_PUBLIC_KEY,
  MINT_USER_DATA,
  MINT_NONCE,
  MINT_FIELDS
};

struct mint_nitro {
  struct buf value[MINT_FIELDS]; /* CBOR; an empty one is left out */
  struct buf more;               /* pairs behind them */
  size_t more_count;
  struct buf protected_header, unprotected_header; /* CBOR */
  bool open_map, tagged;
};

/* A document that every policy likes, with the chain's leaf first and its root last. */
void mint_nitro_new(struct mint_nitro *n, X509 *const chain[], size_t count, struct span user_data);
void mint_nitro_free(struct mint_nitro *n);
void mint_put_nitro(struct buf *b, const struct mint_nitro *n, EVP_PKEY *key);
/* CBOR. */
void mint_put_uint(struct buf *b, uint64_t v);
void mint_put_bytes(struct buf *b, struct span bytes);
void mint_put_text(struct buf *b, const char *text);
void mint_put_array(struct buf *b, size_t v); /* its head: how many follow */
void mint_put_map(struct buf *b, size_t v);
