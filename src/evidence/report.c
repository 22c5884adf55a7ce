#include "evidence/report.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

/* Values may quote certificates and collateral: only what prints gets through. */
static void keep_printable(char *text) {
  for (; *text != 0; text++) {
    if (*text < 0x20 || *text > 0x7e) *text = '?';
  }
}

static void put(struct evidence_report *r, enum report_state state, const char *name, const char *format,
                va_list arguments) __attribute__((format(printf, 4, 0)));

static void put(struct evidence_report *r, enum report_state state, const char *name, const char *format,
                va_list arguments) {
  if (r->count == REPORT_LINES_MAX) {
    r->overflow = true;
    return;
  }
  struct report_line *line = &r->lines[r->count++];
  line->name = name;
  line->state = state;
  (void)vsnprintf(line->value, sizeof line->value, format, arguments);
  keep_printable(line->value);
}

#define REPORT_FUNCTION(function, state)                                                \
  void function(struct evidence_report *r, const char *name, const char *format, ...) { \
    va_list arguments;                                                                  \
    va_start(arguments, format);                                                        \
    put(r, state, name, format, arguments);                                             \
    va_end(arguments);                                                                  \
  }
REPORT_FUNCTION(report_ok, REPORT_OK)
REPORT_FUNCTION(report_fail, REPORT_FAILED)
REPORT_FUNCTION(report_skip, REPORT_SKIPPED)

void report_measurement(struct evidence_report *r, const char *name, const struct policy_list *list,
                        struct span measurement) {
  char memory[2 * POLICY_MEASUREMENT_MAX + 1] = "";
  struct buf hex = buf_fixed(memory, sizeof memory - 1);
  text_put_hex(&hex, measurement);
  if (list->any)
    report_ok(r, name, "%s (the policy takes any)", memory);
  else if (list->count == 0)
    report_skip(r, name, "%s %s: the policy does not say what it should be", name, memory);
  else if (policy_lists(list, measurement))
    report_ok(r, name, "%s", memory);
  else
    report_fail(r, name, "%s %s is not one that the policy lists", name, memory);
}

static const struct report_line *first_of(const struct evidence_report *r, enum report_state state) {
  for (size_t i = 0; i < r->count; i++) {
    if (r->lines[i].state == state) return &r->lines[i];
  }
  return NULL;
}

bool report_good(const struct evidence_report *r) {
  return r->count > 0 && !r->overflow && report_worst(r) == NULL;
}

const struct report_line *report_worst(const struct evidence_report *r) {
  const struct report_line *failed = first_of(r, REPORT_FAILED);
  return failed != NULL ? failed : first_of(r, REPORT_SKIPPED);
}

const struct report_line *report_find(const struct evidence_report *r, const char *name) {
  for (size_t i = 0; i < r->count; i++) {
    if (strcmp(r->lines[i].name, name) == 0) return &r->lines[i];
  }
  return NULL;
}
