/*
 * Refusals: application/problem+json (RFC 9457) with the reference's members beside the standard's:
 * {"type","title","status","detail","code":"HTTP_400","error_code","message","details","trace_id"}.
 */
#pragma once

#include "base/result.h"

#define PROBLEM_MEDIA_TYPE "application/problem+json"
#define PROBLEM_TYPE "urn:neocompute:problem:" /* followed by the error_code */

/* A number that explains the refusal, in `details`. */
struct problem_fact {
  const char *name; /* a literal in snake_case */
  uint64_t value;
};

struct problem {
  enum result why;
  struct span message; /* instead of the result's own sentence; empty: that */
  struct span detail;  /* what is wrong with this very request; may quote it; empty: left out */
  struct span trace;   /* empty: left out */
  const struct problem_fact *facts;
  size_t fact_count;
};

/* The status of the reply. A result that belongs to a job (status 200) is no refusal: it becomes 500. */
int problem_status(enum result why);

/* Appends the object. Limits that never change (script, input, a secret, how many) add their `limit_bytes` or `limit`
 * to `details` by themselves; limits that are settings are for the caller to state. */
void problem_put(struct buf *b, const struct problem *p);
