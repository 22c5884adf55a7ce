#include "broker/problem.h"

#include "base/json.h"
#include "broker/envelope.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The limits that no setting changes. */
static const struct {
  enum result why;
  struct problem_fact fact;
} limits[] = {{RESULT_SCRIPT_TOO_LARGE, {"limit_bytes", ENVELOPE_SCRIPT_MAX}},
              {RESULT_INPUT_TOO_LARGE, {"limit_bytes", ENVELOPE_INPUT_MAX}},
              {RESULT_TOO_MANY_SECRETS, {"limit", ENVELOPE_SECRETS_MAX}},
              {RESULT_SECRET_TOO_LARGE, {"limit_bytes", ENVELOPE_SECRET_MAX}}};

int problem_status(enum result why) {
  int status = result_status(why);
  return status >= 400 ? status : 500;
}

static void put_text(struct buf *b, const char *name, struct span value) {
  buf_printf(b, ",\"%s\":", name);
  json_put_string(b, value);
}

static void put_fact(struct buf *b, const struct problem_fact *fact, bool *first) {
  buf_printf(b, "%s\"%s\":%llu", *first ? ",\"details\":{" : ",", fact->name, (unsigned long long)fact->value);
  *first = false;
}

static void put_facts(struct buf *b, const struct problem *p) {
  bool first = true;
  for (size_t i = 0; i < COUNT(limits); i++) {
    if (limits[i].why == p->why) put_fact(b, &limits[i].fact, &first);
  }
  for (size_t i = 0; i < p->fact_count; i++) put_fact(b, &p->facts[i], &first);
  if (!first) buf_put_text(b, "}");
}

/* `title` and `message` are the same sentence: the one is where RFC 9457 has what is common to all problems of a type,
 * the other is where the reference's clients look. */
void problem_put(struct buf *b, const struct problem *p) {
  const char *name = result_name(p->why);
  struct span sentence = p->message.len > 0 ? p->message : span_text(result_sentence(p->why));
  int status = problem_status(p->why);
  buf_printf(b, "{\"type\":\"" PROBLEM_TYPE "%s\"", name);
  put_text(b, "title", sentence);
  buf_printf(b, ",\"status\":%d", status);
  if (p->detail.len > 0) put_text(b, "detail", p->detail);
  buf_printf(b, ",\"code\":\"HTTP_%d\",\"error_code\":\"%s\"", status, name);
  put_text(b, "message", sentence);
  put_facts(b, p);
  if (p->trace.len > 0) put_text(b, "trace_id", p->trace);
  buf_put_text(b, "}");
}
