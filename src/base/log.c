#include "base/log.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#define LINE_SIZE 4096u /* at most PIPE_BUF: what a pipe takes whole */
#define END_SIZE 32u    /* kept for the line's end */
#define TEXT_MOST 256u

/* Each thread has its own: in the thread profile, threads are the processes. The store's says nothing. */
static _Thread_local const char *process_name = "neocompute";
static _Thread_local enum log_level least_level = LOG_INFO;

static _Thread_local struct {
  uint8_t memory[LINE_SIZE];
  struct buf line;
  bool written; /* this line is loud enough */
  bool short_of_room;
} current;

void log_open(const char *process, enum log_level least) {
  process_name = process;
  least_level = least;
}

/* Each field is written whole or not at all. */
static void put_key(const char *key) {
  buf_put_text(&current.line, current.line.len > 1 ? "," : "");
  json_put_string(&current.line, span_text(key));
  buf_put_text(&current.line, ":");
}

static void keep_or_drop(size_t len) {
  if (!current.line.bad) return;
  current.line.len = len;
  current.line.bad = false;
  current.short_of_room = true;
}

static void put_text(const char *key, struct span value) {
  size_t len = current.line.len;
  put_key(key);
  json_put_string(&current.line, value);
  keep_or_drop(len);
}

/* Always six decimals, unlike text_put_rfc3339's own: lines sort by their time. */
static void put_time(uint64_t unix_ns) {
  buf_put_text(&current.line, "{\"time\":\"");
  text_put_rfc3339(&current.line, unix_ns - unix_ns % 1000000000u);
  current.line.len--; /* the Z */
  buf_printf(&current.line, ".%06uZ\"", (unsigned)(unix_ns % 1000000000u / 1000u));
}

void log_begin(enum log_level level, const char *event) {
  static const char *const names[] = {"debug", "info", "warn", "error"};
  current.written = level >= least_level;
  if (!current.written) return;
  current.short_of_room = false;
  current.line = buf_fixed(current.memory, LINE_SIZE - END_SIZE);
  put_time(clock_real_ns());
  put_text("level", span_text(names[level]));
  put_text("process", span_text(process_name));
  put_text("event", span_text(event));
}

void log_text(const char *key, struct span value) {
  if (current.written) put_text(key, span_of(value.data, text_utf8_cut(value, TEXT_MOST)));
}

void log_number(const char *key, uint64_t value) {
  if (!current.written) return;
  size_t len = current.line.len;
  put_key(key);
  buf_printf(&current.line, "%llu", (unsigned long long)value);
  keep_or_drop(len);
}

void log_result(enum result r) {
  log_text("result", span_text(result_name(r)));
}

/* A line that nobody takes is lost: there is no other place to say so. */
static void write_line(struct span line) {
  int saved = errno;
  while (write(STDERR_FILENO, line.data, line.len) < 0 && errno == EINTR) continue;
  errno = saved;
}

void log_end(void) {
  if (!current.written) return;
  current.line.cap = LINE_SIZE;
  if (current.short_of_room) buf_put_text(&current.line, ",\"cut\":true");
  buf_put_text(&current.line, "}\n");
  write_line(buf_span(&current.line));
  current.written = false;
}
