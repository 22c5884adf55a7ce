#include "evidence/tcb.h"

#include "base/text.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define COMPONENTS PCK_COMPONENTS
#define BYTES_MAX 48u
#define ADVISORIES_MAX 64u

/* ---- JSON ---- */

static const char *string_of(const json_t *object, const char *name) {
  return json_string_value(json_object_get(object, name));
}

static bool is_text(const json_t *object, const char *name, const char *want) {
  const char *text = string_of(object, name);
  return text != NULL && strcmp(text, want) == 0;
}

static bool get_number(const json_t *object, const char *name, uint32_t *out) {
  const json_t *value = json_object_get(object, name);
  json_int_t number = json_integer_value(value);
  if (!json_is_integer(value) || number < 0 || number > UINT16_MAX) return false;
  *out = (uint32_t)number;
  return true;
}

static bool get_bytes(const json_t *object, const char *name, uint8_t *out, size_t len) {
  const char *hex = string_of(object, name);
  return hex != NULL && text_unhex(span_text(hex), out, len);
}

/* Whether the member is these bytes in hexadecimal. */
static bool is_bytes(const json_t *object, const char *name, struct span want) {
  uint8_t bytes[BYTES_MAX];
  return want.len <= sizeof bytes && get_bytes(object, name, bytes, want.len) &&
         memcmp(bytes, want.data, want.len) == 0;
}

/* Whether `bytes`, where the mask has ones, are what is wanted there. */
static bool is_masked(const json_t *object, const char *name, const char *mask_name, struct span bytes) {
  uint8_t want[BYTES_MAX], mask[BYTES_MAX];
  if (bytes.len > sizeof want || !get_bytes(object, name, want, bytes.len) ||
      !get_bytes(object, mask_name, mask, bytes.len))
    return false;
  for (size_t i = 0; i < bytes.len; i++) {
    if ((bytes.data[i] & mask[i]) != want[i]) return false;
  }
  return true;
}

static bool is_zero(struct span bytes) {
  for (size_t i = 0; i < bytes.len; i++) {
    if (bytes.data[i] != 0) return false;
  }
  return true;
}

/* ---- levels ---- */

static bool get_finding(const json_t *level, struct tcb_finding *out) {
  const char *name = string_of(level, "tcbStatus");
  const json_t *advisories = json_object_get(level, "advisoryIDs");
  *out = (struct tcb_finding){name != NULL ? policy_tcb_of(name) : POLICY_TCB_COUNT, advisories};
  return out->status < POLICY_TCB_COUNT && (advisories == NULL || json_is_array(advisories));
}

/* In the order in which levels are sorted: components first. */
struct level {
  uint32_t sgx[COMPONENTS], pce_svn, tdx[COMPONENTS];
};

static bool get_components(const json_t *tcb, const char *name, uint32_t out[COMPONENTS]) {
  const json_t *list = json_object_get(tcb, name);
  bool legal = json_array_size(list) == COMPONENTS;
  for (size_t i = 0; legal && i < COMPONENTS; i++) legal = get_number(json_array_get(list, i), "svn", &out[i]);
  return legal;
}

static bool get_level(const json_t *json, bool tdx, struct level *out) {
  const json_t *tcb = json_object_get(json, "tcb");
  return get_components(tcb, "sgxtcbcomponents", out->sgx) && get_number(tcb, "pcesvn", &out->pce_svn) &&
         (!tdx || get_components(tcb, "tdxtcbcomponents", out->tdx));
}

static bool reaches(const uint32_t *have, const uint32_t *level, size_t from) {
  for (size_t i = from; i < COMPONENTS; i++) {
    if (have[i] < level[i]) return false;
  }
  return true;
}

/* From version 1 of the TDX module on, tcb_module judges the module, whose version the first two components are. */
static bool is_reached(const struct level *level, const struct level *have, bool tdx) {
  return reaches(have->sgx, level->sgx, 0) && have->pce_svn >= level->pce_svn &&
         (!tdx || reaches(have->tdx, level->tdx, have->tdx[1] > 0 ? 2 : 0));
}

static bool is_above(const struct level *a, const struct level *b) {
  const uint32_t *x = (const uint32_t *)a, *y = (const uint32_t *)b;
  size_t i = 0, count = sizeof *a / sizeof *x;
  while (i + 1 < count && x[i] == y[i]) i++;
  return x[i] > y[i];
}

static struct level level_of(const struct pck *pck, const struct quote *quote) {
  struct level have = {.pce_svn = pck->pce_svn};
  struct span svn = quote->tdx ? quote_get(quote->body, QUOTE_TEE_TCB_SVN) : span_of(NULL, 0);
  memcpy(have.sgx, pck->component, sizeof have.sgx);
  for (size_t i = 0; i < svn.len; i++) have.tdx[i] = svn.data[i];
  return have;
}

const char *tcb_is_for(const json_t *info, const struct pck *pck, bool tdx) {
  uint32_t version = 0;
  if (!get_number(info, "version", &version) || version != 3) return "it is not of version 3";
  if (!is_text(info, "id", tdx ? "TDX" : "SGX")) return "it is for another kind of TEE";
  if (!is_bytes(info, "fmspc", span_of(pck->fmspc, sizeof pck->fmspc))) return "it is for another platform (FMSPC)";
  return is_bytes(info, "pceId", span_of(pck->pce_id, sizeof pck->pce_id)) ? NULL
                                                                           : "it is for another platform (PCEID)";
}

const char *tcb_platform(const json_t *info, const struct pck *pck, const struct quote *quote,
                         struct tcb_finding *finding) {
  const json_t *levels = json_object_get(info, "tcbLevels");
  const struct level have = level_of(pck, quote);
  struct level best = {0};
  bool found = false;
  for (size_t i = 0; i < json_array_size(levels); i++) {
    const json_t *json = json_array_get(levels, i);
    struct tcb_finding candidate;
    struct level level = {0};
    if (!get_level(json, quote->tdx, &level) || !get_finding(json, &candidate))
      return "the TCB info has a level that cannot be read";
    if (!is_reached(&level, &have, quote->tdx) || (found && !is_above(&level, &best))) continue;
    best = level;
    *finding = candidate;
    found = true;
  }
  return found ? NULL : "the platform is below all levels that Intel supports";
}

/* ---- by one security version number ---- */

/* The highest level that is not above `svn`. */
static const char *find_svn(const json_t *levels, uint32_t svn, struct tcb_finding *finding) {
  uint32_t best = 0;
  bool found = false;
  for (size_t i = 0; i < json_array_size(levels); i++) {
    const json_t *json = json_array_get(levels, i);
    struct tcb_finding candidate;
    uint32_t level = 0;
    if (!get_number(json_object_get(json, "tcb"), "isvsvn", &level) || !get_finding(json, &candidate))
      return "a level cannot be read";
    if (level > svn || (found && level <= best)) continue;
    best = level;
    *finding = candidate;
    found = true;
  }
  return found ? NULL : "its version is below all levels that Intel supports";
}

static const json_t *find_module(const json_t *info, unsigned version) {
  char id[8];
  const json_t *modules = json_object_get(info, "tdxModuleIdentities");
  (void)snprintf(id, sizeof id, "TDX_%02X", version & 0xff);
  for (size_t i = 0; i < json_array_size(modules); i++) {
    if (is_text(json_array_get(modules, i), "id", id)) return json_array_get(modules, i);
  }
  return NULL;
}

/* Version 0 has no levels of its own: the platform's count. */
const char *tcb_module(const json_t *info, const struct quote *quote, struct tcb_finding *finding) {
  struct span svn = quote_get(quote->body, QUOTE_TEE_TCB_SVN),
              attributes = quote_get(quote->body, QUOTE_SEAM_ATTRIBUTES);
  const json_t *module = svn.data[1] > 0 ? find_module(info, svn.data[1]) : json_object_get(info, "tdxModule");
  *finding = (struct tcb_finding){POLICY_TCB_UP_TO_DATE, NULL};
  if (module == NULL) return "the TCB info does not know the TDX module's version";
  if (!is_bytes(module, "mrsigner", quote_get(quote->body, QUOTE_MRSIGNERSEAM)))
    return "the TDX module is signed by somebody else";
  if (!is_zero(attributes) || !is_masked(module, "attributes", "attributesMask", attributes))
    return "the TDX module has other attributes";
  return svn.data[1] > 0 ? find_svn(json_object_get(module, "tcbLevels"), svn.data[0], finding) : NULL;
}

/* The JSON writes MISCSELECT as bytes, in the order of the report. */
const char *tcb_qe(const json_t *identity, const struct quote *quote, struct tcb_finding *finding) {
  uint32_t version = 0, product = 0;
  const struct span qe = quote->qe_report;
  if (!get_number(identity, "version", &version) || version != 2) return "the identity is not of version 2";
  if (!is_text(identity, "id", quote->tdx ? "TD_QE" : "QE")) return "the identity is for another kind of TEE";
  if (!is_bytes(identity, "mrsigner", quote_get(qe, QUOTE_MRSIGNER))) return "it is signed by somebody else";
  if (!get_number(identity, "isvprodid", &product) || product != quote_get_u16(qe, QUOTE_ISVPRODID))
    return "it is another product";
  if (!is_masked(identity, "miscselect", "miscselectMask", quote_get(qe, QUOTE_MISCSELECT)) ||
      !is_masked(identity, "attributes", "attributesMask", quote_get(qe, QUOTE_ATTRIBUTES)))
    return "it has other attributes";
  return find_svn(json_object_get(identity, "tcbLevels"), quote_get_u16(qe, QUOTE_ISVSVN), finding);
}

/* ---- together ---- */

enum policy_tcb tcb_merge(enum policy_tcb platform, enum policy_tcb part) {
  const bool configuration =
      platform == POLICY_TCB_CONFIGURATION_NEEDED || platform == POLICY_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED;
  if (part == POLICY_TCB_OUT_OF_DATE && configuration) return POLICY_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
  return platform > part ? platform : part;
}

void tcb_put_advisories(struct buf *b, const struct tcb_finding *findings, size_t count) {
  const char *said[ADVISORIES_MAX];
  size_t used = 0;
  for (size_t f = 0; f < count; f++) {
    for (size_t i = 0; i < json_array_size(findings[f].advisories); i++) {
      const char *name = json_string_value(json_array_get(findings[f].advisories, i));
      size_t k = 0;
      while (name != NULL && k < used && strcmp(said[k], name) != 0) k++;
      if (name == NULL || k < used || used == ADVISORIES_MAX) continue;
      said[used++] = name;
      buf_printf(b, "%s%s", used > 1 ? " " : "", name);
    }
  }
}
