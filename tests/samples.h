/* Evidence that real machines gave, for tests. It is other people's and not in this tree. */
#pragma once

#include <stdio.h>
#include <unistd.h>

#include "base/bytes.h"

static inline const char *samples_folder(void) {
  const char *folder = getenv("EVIDENCE_SAMPLES");
  return folder != NULL ? folder : EVIDENCE_SAMPLES; /* a guess of tests/CMakeLists.txt */
}

/* Says loudly if they are not. */
static inline bool samples_are_here(void) {
  bool here = access(samples_folder(), R_OK) == 0;
  if (!here)
    (void)fprintf(stderr, "\n*** NOT TESTED: there are no samples of evidence in %s (set EVIDENCE_SAMPLES) ***\n\n",
                  samples_folder());
  return here;
}

/* Appends a file's bytes; false if it cannot be read. */
static inline bool samples_read(const char *name, struct buf *out) {
  char path[4096];
  uint8_t chunk[4096];
  size_t len = 0;
  (void)snprintf(path, sizeof path, "%s/%s", samples_folder(), name);
  FILE *file = fopen(path, "rbe");
  if (file == NULL) return false;
  while ((len = fread(chunk, 1, sizeof chunk, file)) > 0) buf_put(out, chunk, len);
  (void)fclose(file);
  return !out->bad;
}
