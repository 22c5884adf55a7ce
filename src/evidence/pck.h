/*
 * The SGX extension (1.2.840.113741.1.13.1) of a platform's certificate: which platform it is and which TCB Intel
 * certified, as in "Intel SGX PCK Certificate and Certificate Revocation List Profile Specification". Private to
 * src/evidence.
 */
#pragma once

#include "base/result.h"

#define PCK_OID "1.2.840.113741.1.13.1"
#define PCK_COMPONENTS 16u

struct pck {
  uint32_t component[PCK_COMPONENTS], pce_svn;
  uint8_t fmspc[6], pce_id[2];
};

/* False unless the extension's value has each of these exactly once, each in its range. */
bool must_use pck_read(struct span extension, struct pck *pck);
