#include "base/result.h"

static const struct entry {
  const char *name, *sentence;
  int status;
} results[] = {
#define RESULT_ENTRY(id, name, status, sentence) [RESULT_##id] = {#name, sentence, status},
    RESULT_LIST(RESULT_ENTRY)
#undef RESULT_ENTRY
};

static const struct entry unknown = {"unknown", "an unknown result", 500};

static const struct entry *entry_of(enum result r) {
  return (unsigned)r < (unsigned)RESULT_COUNT ? &results[r] : &unknown;
}

const char *result_name(enum result r) {
  return entry_of(r)->name;
}

const char *result_sentence(enum result r) {
  return entry_of(r)->sentence;
}

int result_status(enum result r) {
  return entry_of(r)->status;
}
