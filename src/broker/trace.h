/*
 * The id by which one request is found in everybody's logs: from `X-Trace-ID`, else from W3C `traceparent` (Trace
 * Context, version 00), else made anew. A field that is malformed or came twice is as good as absent: it is a
 * stranger's label, nothing is refused for it.
 */
#pragma once

#include "http/http.h"

#define TRACE_ID_MAX 64u
#define TRACE_PARENT 55u

struct trace {
  char id[TRACE_ID_MAX + 1];     /* A-Z a-z 0-9 _ - */
  char parent[TRACE_PARENT + 1]; /* for the reply: what came, else made of the id if that is 32 hexadecimal digits in
                                    lower case, else "" */
};

/* RESULT_CRYPTO if the kernel has no randomness; `out` is then empty. */
enum result must_use trace_read(const struct http_request *request, struct trace *out);
/* The fields that the reply echoes, at most 2, into `fields`; they point into `trace`. Returns how many. */
size_t trace_fields(const struct trace *trace, struct http_field fields[2]);
