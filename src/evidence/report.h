/*
 * What was checked, one line a check: its name, how it ended and what was seen. The verdict is made of the lines, so
 * a check that was left out cannot look like one that held: what could not be checked is a line, too, and a report
 * with one is not good.
 */
#pragma once

#include "base/result.h"
#include "evidence/policy.h"

#define REPORT_LINES_MAX 48u
#define REPORT_VALUE_MAX 512u /* longer values are cut */

enum report_state { REPORT_OK, REPORT_FAILED, REPORT_SKIPPED };

struct report_line {
  const char *name; /* static, snake_case: "pck_chain" */
  enum report_state state;
  char value[REPORT_VALUE_MAX]; /* of REPORT_FAILED and REPORT_SKIPPED: why, as a sentence. Printable ASCII */
};

/* Starts as {0}. A line that has no room makes the whole report bad. */
struct evidence_report {
  size_t count;
  bool overflow;
  struct report_line lines[REPORT_LINES_MAX];
};

void report_ok(struct evidence_report *r, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void report_fail(struct evidence_report *r, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void report_skip(struct evidence_report *r, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* One line for a measurement: OK if the policy lists it (or takes any), SKIPPED if the policy does not speak of it. The
 * value holds its hexadecimal digits in each case. */
void report_measurement(struct evidence_report *r, const char *name, const struct policy_list *list,
                        struct span measurement);

/* True if there is a line, and every line is OK. */
bool must_use report_good(const struct evidence_report *r);
/* The first line that failed, else the first that was skipped; NULL if all is OK or there is no line. */
const struct report_line *report_worst(const struct evidence_report *r);
/* The line of that name, NULL if there is none. */
const struct report_line *report_find(const struct evidence_report *r, const char *name);
