/* Simulated evidence: nothing vouches for it, so it counts only for who asks for that, and even then it has to be for
 * this document, so that the tests of everything behind it mean something. */
#include <jansson.h>

#include "base/base64.h"
#include "evidence/show.h"
#include "evidence/verifier.h"

static bool binds(const json_t *evidence, const uint8_t report_data[EVIDENCE_REPORT_DATA]) {
  const char *text = json_string_value(json_object_get(evidence, "report_data"));
  uint8_t bound[EVIDENCE_REPORT_DATA];
  return text != NULL && base64_read_url(span_text(text), bound, sizeof bound) &&
         memcmp(bound, report_data, sizeof bound) == 0;
}

static void check_sim(struct span raw, const uint8_t report_data[EVIDENCE_REPORT_DATA],
                      const struct evidence_policy *policy, struct evidence_report *report) {
  if (!policy->allow_simulated) {
    report_fail(report, "hardware", "the evidence is simulated: no hardware vouches for the key");
    return;
  }
  json_t *evidence = json_loadb((const char *)raw.data, raw.len, JSON_REJECT_DUPLICATES, NULL);
  if (!json_is_true(json_object_get(evidence, "simulated")))
    report_fail(report, "format", "the simulated evidence is not well-formed");
  else if (!binds(evidence, report_data))
    report_fail(report, "report_data", "the evidence is for another document");
  else
    report_ok(report, "report_data", "the document's, by no hardware");
  json_decref(evidence);
}

const struct evidence_verifier evidence_sim = {"sim", "application/vnd.neocompute.sim-evidence+json", check_sim,
                                               show_sim};
