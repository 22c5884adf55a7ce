/* What a run came to, as the API's ExecuteResponse (docs/openapi.yaml) and as words for people. */
#pragma once

#include "base/result.h"
#include "sandbox/sandbox.h"
#include "wire/wire.h"

struct record {
  const struct wire_job *job;
  const struct wire_done *done;
  const struct wire_ready *worker; /* NULL if the job was refused before any worker saw it */
  struct span logs;                /* JSON strings, joined by commas */
  uint64_t started_ns;             /* Unix time */
};

/* The whole record as one line of JSON. */
void record_json(struct buf *b, const struct record *r);
