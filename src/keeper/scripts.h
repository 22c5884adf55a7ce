/*
 * Scripts by name: an app's manifest and the file it names, from under the operator's base URL, through egress. What
 * was fetched is kept, and asked for again with its validator (ETag, Last-Modified: RFC 9110 §8.8).
 *
 * {base}/apps/{app}/manifest.json: {"tee_scripts":{"NAME":{"file":…,"entry_point":…,"description":…,"sha256":…}}},
 * then {base}/apps/{app}/{file}. A file that does not have the sha256 that the manifest pins is refused.
 */
#pragma once

#include "keeper/outlet.h"

struct scripts;

/* `base_url` may be empty: then every name is RESULT_SCRIPT_STORE_UNAVAILABLE. RESULT_CONFIG_INVALID if it is no URL.
 */
enum result must_use scripts_new(struct event_base *base, struct outlet *outlet, const char *base_url,
                                 struct scripts **out);

/* The script and the manifest's entry point (empty if it names none); or why there is none: RESULT_SCRIPT_NOT_FOUND,
 * _SCRIPT_CHANGED, _SCRIPT_STORE_INVALID, _SCRIPT_STORE_UNAVAILABLE, _SCRIPT_TOO_LARGE, _SCRIPT_INVALID, with a
 * sentence in `detail`. The spans hold until the call returns. */
typedef void scripts_answer(void *context, enum result result, struct span detail, struct span script,
                            struct span entry);
/* `app` and `name`: [A-Za-z0-9_.-]{1,128}, not "." or ".."; others are RESULT_SCRIPT_NOT_FOUND. The answer comes
 * exactly once, never from within the call, unless scripts_forget comes first. */
enum result must_use scripts_ask(struct scripts *s, struct span app, struct span name, scripts_answer *answer,
                                 void *context, uint64_t *ticket);
void scripts_forget(struct scripts *s, uint64_t ticket);
/* NULL is fine; no answers come. */
void scripts_free(struct scripts *s);
