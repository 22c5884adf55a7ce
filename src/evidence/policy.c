#include "evidence/policy.h"

#include <jansson.h>

#include "base/text.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define JSON_MAX (1u << 20)

/* ---- questions ---- */

bool policy_lists(const struct policy_list *list, struct span measurement) {
  if (list->any) return true;
  for (size_t i = 0; i < list->count; i++) {
    if (span_equal(span_of(list->items[i], list->size), measurement)) return true;
  }
  return false;
}

bool policy_accepts_name(const struct policy_names *names, struct span name) {
  if (!names->given) return true;
  for (size_t i = 0; i < names->count; i++) {
    if (span_is(name, names->items[i])) return true;
  }
  return false;
}

bool policy_accepts_tcb(const struct evidence_policy *policy, enum policy_tcb status) {
  uint32_t accepted = policy->tcb_statuses != 0 ? policy->tcb_statuses : 1u << POLICY_TCB_UP_TO_DATE;
  return status < POLICY_TCB_REVOKED && (accepted >> status & 1) != 0;
}

#define TCB_NAME(id, name) name,
static const char *const tcb_names[] = {POLICY_TCB_LIST(TCB_NAME)};

const char *policy_tcb_name(enum policy_tcb status) {
  return status < POLICY_TCB_COUNT ? tcb_names[status] : "unknown";
}

enum policy_tcb policy_tcb_of(const char *name) {
  enum policy_tcb status = POLICY_TCB_UP_TO_DATE;
  while (status < POLICY_TCB_COUNT && strcmp(name, tcb_names[status]) != 0) status++;
  return status;
}

/* ---- reading: a table a JSON object ---- */

/* NULL, or what the value should have been. `size` is the member's: of a measurement, or the largest number. */
typedef const char *reader(const json_t *value, void *out, size_t size);

struct member {
  const char *name;
  reader *read;
  size_t at, size;
  /* Instead of all that: an object with members of its own. */
  const struct member *section;
  size_t section_count;
};

#define WRONG_LIST "a list of at most 16 strings"
#define WRONG_HEX "\"any\", or a list of at most 16 hexadecimal strings of the measurement's length"
#define WRONG_NUMBER "a whole number in its range"

static const char *read_number(const json_t *value, void *out, size_t max) {
  if (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > max)
    return WRONG_NUMBER;
  *(uint32_t *)out = (uint32_t)json_integer_value(value);
  return NULL;
}

static const char *read_byte(const json_t *value, void *out, size_t max) {
  uint32_t number = 0;
  const char *problem = read_number(value, &number, max);
  *(uint8_t *)out = (uint8_t)number;
  return problem;
}

static const char *read_age(const json_t *value, void *out, size_t max) {
  (void)max;
  if (!json_is_integer(value) || json_integer_value(value) < 1) return "a number of seconds, at least 1";
  *(uint64_t *)out = (uint64_t)json_integer_value(value);
  return NULL;
}

static bool is_list(const json_t *value, size_t max) {
  return json_is_array(value) && json_array_size(value) <= max;
}

static const char *read_names(const json_t *value, void *out, size_t max) {
  struct policy_names *names = out;
  if (!is_list(value, max)) return WRONG_LIST;
  names->given = true;
  for (size_t i = 0; i < json_array_size(value); i++) {
    const char *name = json_string_value(json_array_get(value, i));
    if (name == NULL || strlen(name) > POLICY_NAME_MAX) return WRONG_LIST;
    memcpy(names->items[names->count++], name, strlen(name) + 1);
  }
  return NULL;
}

/* An empty list of measurements accepts nothing, but would be taken for one that was never given. */
static const char *read_list(const json_t *value, void *out, size_t size) {
  struct policy_list *list = out;
  const char *word = json_string_value(value);
  list->size = size;
  list->any = word != NULL && strcmp(word, "any") == 0;
  if (list->any) return NULL;
  if (!is_list(value, POLICY_LIST_MAX) || json_array_size(value) == 0) return WRONG_HEX;
  for (size_t i = 0; i < json_array_size(value); i++) {
    const char *hex = json_string_value(json_array_get(value, i));
    if (hex == NULL || !text_unhex(span_text(hex), list->items[list->count++], size)) return WRONG_HEX;
  }
  return NULL;
}

static const char *read_statuses(const json_t *value, void *out, size_t size) {
  (void)size;
  uint32_t *statuses = out;
  if (!json_is_array(value) || json_array_size(value) == 0) return "a list of Intel's TCB statuses";
  for (size_t i = 0; i < json_array_size(value); i++) {
    const char *name = json_string_value(json_array_get(value, i));
    enum policy_tcb status = name != NULL ? policy_tcb_of(name) : POLICY_TCB_COUNT;
    if (status >= POLICY_TCB_REVOKED) return "a list of Intel's TCB statuses, and not Revoked";
    *statuses |= 1u << status;
  }
  return NULL;
}

static const char *read_roots(const json_t *value, void *out, size_t max) {
  struct evidence_policy *policy = out;
  if (!is_list(value, max) || json_array_size(value) == 0) return "a list of 1 to 4 SHA-256 hashes";
  for (size_t i = 0; i < json_array_size(value); i++) {
    const char *hex = json_string_value(json_array_get(value, i));
    if (hex == NULL || !text_unhex(span_text(hex), policy->roots[policy->root_count++], POLICY_ROOT))
      return "a list of 1 to 4 SHA-256 hashes";
  }
  return NULL;
}

#define MEMBER(title, how, place, bound) \
  { .name = title, .read = how, .at = offsetof(struct evidence_policy, place), .size = bound }
static const struct member sgx_members[] = {
    MEMBER("mrenclave", read_list, sgx.mrenclave, 32),
    MEMBER("mrsigner", read_list, sgx.mrsigner, 32),
    MEMBER("prod_id", read_number, sgx.prod_id, UINT16_MAX),
    MEMBER("min_svn", read_number, sgx.min_svn, UINT16_MAX),
};
static const struct member tdx_members[] = {
    MEMBER("mrtd", read_list, tdx.mrtd, 48),     MEMBER("rtmr0", read_list, tdx.rtmr[0], 48),
    MEMBER("rtmr1", read_list, tdx.rtmr[1], 48), MEMBER("rtmr2", read_list, tdx.rtmr[2], 48),
    MEMBER("rtmr3", read_list, tdx.rtmr[3], 48),
};
static const struct member min_tcb_members[] = {
    MEMBER("fmc", read_byte, snp.min_tcb.fmc, UINT8_MAX),
    MEMBER("bootloader", read_byte, snp.min_tcb.bootloader, UINT8_MAX),
    MEMBER("tee", read_byte, snp.min_tcb.tee, UINT8_MAX),
    MEMBER("snp", read_byte, snp.min_tcb.snp, UINT8_MAX),
    MEMBER("microcode", read_byte, snp.min_tcb.microcode, UINT8_MAX),
};
#define PCR(n) MEMBER("pcr" #n, read_list, nitro.pcr[n], 48)
static const struct member nitro_members[] = {
    PCR(0), PCR(1), PCR(2),  PCR(3),  PCR(4),  PCR(5),  PCR(6),  PCR(7),
    PCR(8), PCR(9), PCR(10), PCR(11), PCR(12), PCR(13), PCR(14), PCR(15),
};

#define SECTION(title, table) \
  { .name = title, .section = table, .section_count = COUNT(table) }
static const struct member snp_members[] = {
    MEMBER("measurement", read_list, snp.measurement, 48),
    MEMBER("host_data", read_list, snp.host_data, 32),
    SECTION("min_tcb", min_tcb_members),
    MEMBER("max_vmpl", read_number, snp.max_vmpl, 3),
    MEMBER("min_svn", read_number, snp.min_svn, UINT32_MAX),
    MEMBER("providers", read_names, snp.providers, POLICY_LIST_MAX),
};

static const struct member top_members[] = {
    MEMBER("engines", read_names, engines, POLICY_LIST_MAX),
    MEMBER("tees", read_names, tees, POLICY_LIST_MAX),
    MEMBER("isolation", read_names, isolation, POLICY_LIST_MAX),
    MEMBER("max_age_s", read_age, max_age, 0),
    MEMBER("tcb_statuses", read_statuses, tcb_statuses, 0),
    MEMBER("min_tcb_evaluation", read_number, min_tcb_evaluation, UINT32_MAX),
    {.name = "roots", .read = read_roots, .size = POLICY_ROOTS_MAX},
    SECTION("sgx", sgx_members),
    SECTION("tdx", tdx_members),
    SECTION("snp", snp_members),
    SECTION("nitro", nitro_members),
};

static const struct member *find(const struct member *members, size_t count, const char *name) {
  for (size_t i = 0; i < count; i++) {
    if (strcmp(members[i].name, name) == 0) return &members[i];
  }
  return NULL;
}

static void say(struct buf *problem, const char *section, const char *name, const char *what) {
  buf_printf(problem, "%s%s%.64s %s", section, section[0] != 0 ? "." : "", name, what);
}

/* A misspelt member must not make the policy more lenient. */
static bool read_members(const json_t *object, const struct member *members, size_t count, const char *section,
                         struct evidence_policy *policy, struct buf *problem) {
  const char *name = NULL;
  json_t *value = NULL;
  json_object_foreach((json_t *)(uintptr_t)object, name, value) {
    const struct member *m = find(members, count, name);
    if (m != NULL && m->section != NULL && json_is_object(value)) {
      if (!read_members(value, m->section, m->section_count, m->name, policy, problem)) return false;
      continue;
    }
    const char *wanted = m == NULL            ? ""
                         : m->section != NULL ? "an object"
                                              : m->read(value, (uint8_t *)policy + m->at, m->size);
    if (wanted == NULL) continue;
    say(problem, section, name, m == NULL ? "is no member of a policy" : "is not ");
    buf_put_text(problem, wanted);
    return false;
  }
  return true;
}

enum result policy_read(struct span json, struct evidence_policy *policy, struct buf *problem) {
  json_t *parsed =
      json.len <= JSON_MAX ? json_loadb((const char *)json.data, json.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
  bool legal = json_is_object(parsed);
  if (!legal) buf_put_text(problem, "not a JSON object");
  legal = legal && read_members(parsed, top_members, COUNT(top_members), "", policy, problem);
  json_decref(parsed);
  return legal ? RESULT_OK : RESULT_CONFIG_INVALID;
}
