/*
 * The operator's log: one JSON object a line on standard error, written with one system call, so that lines of several
 * processes never mix. Processes log, libraries return. A script's data, a secret, a header or a body is never in a
 * line; what a stranger chose (a path, a user id) goes through log_text, which quotes and cuts it.
 *
 *   log_begin(LOG_INFO, "listening");
 *   log_text("address", span_text(address));
 *   log_end();
 */
#pragma once

#include "base/result.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* The process's name in every line of this thread, and the least level that is written. Call once at its start. */
void log_open(const char *process, enum log_level least);
/* Starts a line: time (RFC 3339 with microseconds), level, process, event. `event` is a literal in snake_case. */
void log_begin(enum log_level level, const char *event);
/* At most 256 bytes of `value` are kept. */
void log_text(const char *key, struct span value);
void log_number(const char *key, uint64_t value);
/* "result":"record_corrupt" */
void log_result(enum result r);
void log_end(void);
