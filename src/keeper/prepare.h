/*
 * What a job needs before it can run and its request does not bring along: the script, if it is asked for by name, then
 * the secrets, whose policies may depend on the script.
 */
#pragma once

#include "keeper/scripts.h"
#include "keeper/secrets.h"

struct prepare;

struct prepare_setup {
  struct scripts *scripts;
  struct secrets *secrets;
};

/* RESULT_OK: everything is there, until prepare_free. Else why the job cannot run, and a sentence in `detail`, which
 * holds until the call returns. */
typedef void prepare_answer(void *context, enum result result, struct span detail);

bool prepare_needed(const struct wire_execute *m);
/* The answer comes exactly once, never from within the call, unless prepare_free comes first. */
enum result must_use prepare_new(const struct prepare_setup *setup, const struct wire_execute *m,
                                 prepare_answer *answer, void *context, struct prepare **out);

/* The rest once it has answered RESULT_OK. The spans hold until prepare_free. */

/* `m` as if its caller had sent the script, and with its entry point. */
void prepare_fill(const struct prepare *p, struct wire_execute *m);
struct prepare_secret {
  struct span name, value; /* the value as the script sees it: of an egress-only one it is the placeholder */
  uint64_t version;
  bool bound; /* its user, name and version are sealed with it; not so in the reference's format */
  bool egress_only;
};
size_t prepare_secrets(const struct prepare *p, const struct prepare_secret **out);
/* Those that are put in on the way out. */
size_t prepare_fetch_secrets(const struct prepare *p, const struct fetch_secret **out);

/* Wipes. NULL is fine. */
void prepare_free(struct prepare *p);
