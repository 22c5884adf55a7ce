/*
 * What AMD says of a processor in the certificate of the key that signs its reports: the VCEK (of the chip) or the VLEK
 * (lent to a cloud provider, for all its chips). AMD 57230, "VCEK Certificate and KDS Interface Specification", table
 * of X.509 extensions. Private to src/evidence.
 */
#pragma once

#include <openssl/types.h>

#include "evidence/snp_report.h"

#define SNP_CSP_MAX 64u

struct snp_vek {
  enum snp_product product;
  struct snp_tcb tcb;
  uint8_t chip_id[SNP_CHIP_ID_SIZE];
  size_t chip_id_len;        /* 0: a VLEK */
  char csp[SNP_CSP_MAX + 1]; /* the provider it is lent to; empty: a VCEK */
};

/* Reads the extensions of a certificate, which somebody else has verified. NULL, or what is wrong, as a sentence. */
const char *snp_vek_read(X509 *cert, struct snp_vek *out);

const char *snp_vek_product_name(enum snp_product product);
