/*
 * What a verifier takes, and what it takes it on. Default deny: a measurement that the policy does not speak of is not
 * checked, and what is not checked is not verified; who does not care about one has to say so ("any").
 *
 * As JSON, all members optional, others refused:
 *   {"engines":[name…], "tees":[name…], "isolation":[name…], "max_age_s":60,
 *    "tcb_statuses":["UpToDate","SWHardeningNeeded"…], "min_tcb_evaluation":17, "roots":[SHA-256…],
 *    "sgx":{"mrenclave":M, "mrsigner":M, "prod_id":0, "min_svn":1},
 *    "tdx":{"mrtd":M, "rtmr0":M, "rtmr1":M, "rtmr2":M, "rtmr3":M},
 *    "snp":{"measurement":M, "host_data":M, "min_tcb":{"fmc":0,"bootloader":3,"tee":0,"snp":8,"microcode":115},
 *           "max_vmpl":0, "min_svn":1, "providers":["CN=cc-us-east-2.amazonaws.com"…]},
 *    "nitro":{"pcr0":M, … "pcr15":M}}
 * where M is a list of hexadecimal strings, or "any".
 */
#pragma once

#include "base/result.h"

#define POLICY_MEASUREMENT_MAX 64u
#define POLICY_LIST_MAX 16u
#define POLICY_NAME_MAX 64u
#define POLICY_ROOT 32u /* SHA-256 of a certificate's DER */
#define POLICY_ROOTS_MAX 4u
#define POLICY_RTMRS 4u
#define POLICY_PCRS 16u

/* Accepted measurements of one kind. Empty: nothing is said. */
struct policy_list {
  bool any;
  size_t count, size; /* how many, and how long each is */
  uint8_t items[POLICY_LIST_MAX][POLICY_MEASUREMENT_MAX];
};

/* Accepted names. `given` and empty: none is accepted. */
struct policy_names {
  bool given;
  size_t count;
  char items[POLICY_LIST_MAX][POLICY_NAME_MAX + 1];
};

/* Of Intel's TCB levels, from best to worst. There is no TDRelaunchAdvised: a domain that a module launched while it
 * was out of date stays OutOfDate, whatever has been updated since. */
#define POLICY_TCB_LIST(X)                                                      \
  X(UP_TO_DATE, "UpToDate")                                                     \
  X(SW_HARDENING_NEEDED, "SWHardeningNeeded")                                   \
  X(CONFIGURATION_NEEDED, "ConfigurationNeeded")                                \
  X(CONFIGURATION_AND_SW_HARDENING_NEEDED, "ConfigurationAndSWHardeningNeeded") \
  X(OUT_OF_DATE, "OutOfDate")                                                   \
  X(OUT_OF_DATE_CONFIGURATION_NEEDED, "OutOfDateConfigurationNeeded")           \
  X(REVOKED, "Revoked")
#define POLICY_TCB_ENUM(id, name) POLICY_TCB_##id,
enum policy_tcb { POLICY_TCB_LIST(POLICY_TCB_ENUM) POLICY_TCB_COUNT };
#undef POLICY_TCB_ENUM

/* Of AMD's firmware, as in a report's reported_tcb. */
struct policy_snp_tcb {
  uint8_t fmc, bootloader, tee, snp, microcode;
};

struct evidence_policy {
  bool allow_simulated;
  uint64_t now;     /* Unix seconds */
  uint64_t max_age; /* seconds since the document's iat; 0: any */
  struct policy_names engines, tees, isolation;
  uint32_t tcb_statuses;       /* a bit (1 << enum policy_tcb) each; 0: only UpToDate. Revoked is never accepted */
  uint32_t min_tcb_evaluation; /* of collateral: tcbEvaluationDataNumber */
  struct {
    struct policy_list mrenclave, mrsigner; /* at least one; mrsigner with product and version */
    uint32_t prod_id, min_svn;
  } sgx;
  struct {
    struct policy_list mrtd, rtmr[POLICY_RTMRS];
  } tdx;
  struct {
    struct policy_list measurement, host_data; /* host_data: only if given */
    struct policy_snp_tcb min_tcb;
    uint32_t max_vmpl, min_svn;    /* the privilege of who asked (0: the highest), and the guest's version */
    struct policy_names providers; /* whose VLEKs are taken: none, if not given */
  } snp;
  struct {
    struct policy_list pcr[POLICY_PCRS]; /* 3 to 15: only if given */
  } nitro;
  /* Instead of the vendors' (roots.h); for tests. */
  size_t root_count;
  uint8_t roots[POLICY_ROOTS_MAX][POLICY_ROOT];
  /* What the vendor says of the platform: signed, so it may come from anywhere. Not from the JSON. */
  struct span collateral;
};

/* Reads the JSON into `policy`, which the caller has set to what holds without it. RESULT_CONFIG_INVALID, and in
 * `problem` the reason, if it is not exactly as above; the policy is then not to be used. */
enum result must_use policy_read(struct span json, struct evidence_policy *policy, struct buf *problem);

bool policy_lists(const struct policy_list *list, struct span measurement);
/* Whether the name is listed, or there is no list. */
bool policy_accepts_name(const struct policy_names *names, struct span name);
bool policy_accepts_tcb(const struct evidence_policy *policy, enum policy_tcb status);

/* Intel's word for it. */
const char *policy_tcb_name(enum policy_tcb status);
/* POLICY_TCB_COUNT if it is none. */
enum policy_tcb policy_tcb_of(const char *name);
