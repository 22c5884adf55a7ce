/*
 * Files under one URL, through egress, kept and asked for again with their validators (RFC 9110 §8.8, §13): a document
 * that has none is fetched again. Whoever wants a document that is just being asked for shares the answer.
 */
#pragma once

#include "keeper/outlet.h"

#define DOCUMENTS_MAX 64u           /* that are kept */
#define DOCUMENTS_BYTES (8u << 20)  /* of their bodies */
#define DOCUMENTS_TIMEOUT_MS 10000u /* for one, with its second try */
#define DOCUMENTS_FRESH_MS 60000u   /* at most, whatever Cache-Control says */
#define DOCUMENTS_RETRY_MS 200u

struct documents;
struct document_wait;

/* `base_url`: RESULT_CONFIG_INVALID unless it is a URL without query. */
enum result must_use documents_new(struct event_base *base, struct outlet *outlet, const char *base_url,
                                   struct documents **out);
/*
 * RESULT_OK and the body; RESULT_SCRIPT_NOT_FOUND (404), RESULT_SCRIPT_STORE_INVALID (HTML), RESULT_SCRIPT_TOO_LARGE
 * (more than `max` bytes), RESULT_SCRIPT_STORE_UNAVAILABLE (no answer, another status). The body holds until the call
 * returns. The call may cancel other waits and begin new ones.
 */
typedef void documents_answer(void *context, enum result result, struct span body);
/* `path` follows the base's own. The answer comes exactly once, never from within the call, unless documents_cancel
 * comes first. */
enum result must_use documents_want(struct documents *d, struct span path, uint32_t max, documents_answer *answer,
                                    void *context, struct document_wait **out);
/* Not after the answer. */
void documents_cancel(struct document_wait *wait);
/* How many are kept. */
size_t documents_count(const struct documents *d);
/* NULL is fine; no answers come, and waits are gone. */
void documents_free(struct documents *d);
