/*
 * What Intel publishes of its platforms, fetched by whoever likes from Intel's provisioning service (or a cache of it):
 * it is signed. One JSON object of strings, the same that dcap-qvl uses:
 *   tcb_info, tcb_info_signature          the bytes of TCB info as Intel signed them (JSON inside a string), and r || s
 *                                         in hexadecimal
 *   tcb_info_issuer_chain                 PEM: "Intel SGX TCB Signing", the root
 *   qe_identity, qe_identity_signature, qe_identity_issuer_chain
 *                                         the same for the identity of the quoting enclave
 *   root_ca_crl, pck_crl                  revocation lists of the root and of the platforms' CA: DER in hexadecimal, or
 *                                         PEM
 *   pck_crl_issuer_chain                  PEM: the platforms' CA, the root
 *   pck_certificate_chain                 optional; PEM: the platform's certificate and its issuers, for a quote that
 *                                         does not hold them
 * Other members are left alone. Private to src/evidence.
 */
#pragma once

#include <jansson.h>

#include "evidence/chain.h"
#include "evidence/report.h"

/* One of Intel's two signed statements. */
struct collateral_statement {
  struct span bytes;
  json_t *json; /* the same, parsed */
  uint8_t signature[64];
  struct chain issuers;
};

struct collateral {
  json_t *json; /* holds what spans point at */
  struct collateral_statement tcb_info, qe_identity;
  struct chain pck_issuers, pck;
  struct span crls[2];
  struct buf crl_bytes[2];
};

/* NULL, or what is wrong, a static sentence. collateral_free in any case. */
const char *must_use collateral_read(struct span json, struct collateral *collateral);
void collateral_free(struct collateral *collateral);

/* NULL if Intel made the statement, its signer is not revoked, and it is about now; else why not, a static sentence. */
const char *must_use collateral_problem(const struct collateral *collateral,
                                        const struct collateral_statement *statement,
                                        const struct evidence_policy *policy);

/* tcbEvaluationDataNumber; 0 if there is none. */
uint32_t collateral_evaluation(const struct collateral_statement *statement);
