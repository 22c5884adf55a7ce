/* Policies of secrets, as their owners write them. What is taken has a canonical form that is taken and stays. */
#include "base/json.h"
#include "keeper/secret_policy.h"
#include "keeper/secret_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Appends the canonical form; false if the policy is refused. */
static bool take(struct span json, struct buf *canonical, enum result *verdict) {
  char memory[512];
  static const uint8_t script[HASH_SIZE];
  struct buf detail = buf_fixed(memory, sizeof memory);
  struct secret_policy policy;
  const char *rule;
  const struct secret_access access = {
      .service = span_text(SECRET_SERVICE), .script = script, .now_ns = UINT64_C(1) << 60, .used = 1};
  enum result r = secret_policy_parse(json, &policy, &detail);
  if (r != RESULT_OK && (r != RESULT_SECRET_INVALID || detail.len == 0)) abort();
  if (r == RESULT_OK) {
    *verdict = secret_policy_evaluate(&policy, &access, &rule);
    if ((*verdict == RESULT_OK) != (rule == NULL)) abort();
    secret_policy_put(canonical, &policy);
  }
  secret_policy_free(&policy);
  return r == RESULT_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct buf first = buf_new(SECRET_POLICY_MAX), second = buf_new(SECRET_POLICY_MAX);
  enum result was, is;
  if (take(span_of(data, size), &first, &was)) {
    if (first.bad || (first.len > 0 && json_canonical(buf_span(&first)) != JSON_CANONICAL)) abort();
    if (!take(buf_span(&first), &second, &is) || was != is) abort();
    if (!span_equal(buf_span(&first), buf_span(&second))) abort();
  }
  buf_free(&first);
  buf_free(&second);
  return 0;
}
