/*
 * What an AMD SEV-SNP guest shows: the attestation report (AMD 56860, "SEV Secure Nested Paging Firmware ABI
 * Specification", ATTESTATION_REPORT) and the host's table of certificates behind it (AMD 56421, "GHCB
 * Standardization", SNP Extended Guest Request). Only reading: nothing here is checked against anything. Private to
 * src/evidence.
 */
#pragma once

#include "base/bytes.h"

#define SNP_REPORT_SIZE 1184u
#define SNP_SIGNED_SIZE 0x2a0u /* of the report: what the signature is over */
#define SNP_SIGNATURE_SIZE 96u /* r || s, big-endian */
#define SNP_CHIP_ID_SIZE 64u   /* as the report has it */
#define SNP_CHIP_ID_TURIN 8u   /* as much of it as means anything there */

/* A line of processors: each has its own root (ARK) and its own order of the bytes of a TCB. */
enum snp_product { SNP_MILAN, SNP_GENOA, SNP_TURIN, SNP_PRODUCTS };

/* Versions of the parts of a TCB (security patch levels). FMC there is on Turin only. */
enum snp_part { SNP_FMC, SNP_BOOTLOADER, SNP_TEE, SNP_FIRMWARE, SNP_MICROCODE, SNP_PARTS };
struct snp_tcb {
  uint8_t part[SNP_PARTS];
};

/* Guest policy (56860, table "Guest Policy"). */
#define SNP_POLICY_SMT (UINT64_C(1) << 16)
#define SNP_POLICY_ONE (UINT64_C(1) << 17) /* reserved, must be one */
#define SNP_POLICY_MIGRATE (UINT64_C(1) << 18)
#define SNP_POLICY_DEBUG (UINT64_C(1) << 19)
#define SNP_POLICY_KNOWN ((UINT64_C(1) << 26) - 1)

enum snp_signer { SNP_BY_VCEK = 0, SNP_BY_VLEK = 1, SNP_BY_NOBODY = 7 };

/* Spans point into the bytes that were read. TCBs are as they stand: their order depends on the product. */
struct snp_report {
  uint32_t version, guest_svn, vmpl;
  uint64_t policy, platform;
  uint64_t current_tcb, reported_tcb, committed_tcb, launch_tcb;
  enum snp_signer signer;
  bool key_masked; /* the host had the signature left out */
  struct span family_id, image_id, report_data, measurement, host_data, id_key_digest, author_key_digest, report_id;
  struct span chip_id, of_signature; /* the bytes that are signed */
  enum snp_product product;          /* SNP_PRODUCTS: version 2 does not say */
  uint8_t signature[SNP_SIGNATURE_SIZE];
};

/* Reads exactly one report of version 2, 3 or 5. NULL, or why it is none, as a sentence. Bytes that must be zero are.
 */
const char *snp_report_read(struct span bytes, struct snp_report *out);

/* False if bytes are set that mean nothing in a TCB of this product. */
bool snp_report_tcb(enum snp_product product, uint64_t raw, struct snp_tcb *out);

/* Whether every part is at least what `least` has. */
bool snp_report_tcb_covers(const struct snp_tcb *tcb, const struct snp_tcb *least);

enum snp_cert { SNP_VCEK, SNP_VLEK, SNP_ASK, SNP_ARK, SNP_CERTS };

/* Certificates of a host's table, DER or PEM as the host has them; absent ones are empty. */
struct snp_table {
  struct span cert[SNP_CERTS];
};

/* Entries of other kinds are left alone. GUIDs may stand in either byte order: hosts do both. NULL, or a sentence. */
const char *snp_report_table(struct span bytes, struct snp_table *out);
