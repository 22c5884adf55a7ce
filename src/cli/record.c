#include "cli/record.h"

#include <sys/random.h>

#include "base/digest.h"
#include "base/json.h"
#include "base/text.h"
#include "dispatch/conversation.h"

/* Gas of the reference service: 10 a byte of script. */
#define GAS_PER_BYTE 10u

/* A random version 4 UUID (RFC 9562 §5.4). */
static void put_job_id(struct buf *b) {
  uint8_t u[16] = {0};
  if (getrandom(u, sizeof u, 0) != (ssize_t)sizeof u) b->bad = true;
  u[6] = (uint8_t)((u[6] & 0x0f) | 0x40);
  u[8] = (uint8_t)((u[8] & 0x3f) | 0x80);
  json_put_key(b, "job_id");
  buf_put_u8(b, '"');
  for (size_t i = 0; i < sizeof u; i++) buf_printf(b, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
  buf_put_u8(b, '"');
}

static void put_outcome(struct buf *b, const struct record *r) {
  const struct wire_done *done = r->done;
  if (done->result == RESULT_OK && done->output.len > 0) {
    uint8_t hash[DIGEST_SIZE];
    digest_sha256(done->output, hash);
    json_put_key(b, "output");
    buf_put_span(b, done->output);
    json_put_key(b, "output_hash");
    buf_put_u8(b, '"');
    text_put_hex(b, span_of(hash, sizeof hash));
    buf_put_u8(b, '"');
  }
  if (done->result == RESULT_OK) return;
  struct buf error = buf_new(1u << 20);
  conversation_put_error(&error, r->job->entry, done);
  json_put_member_string(b, "error", buf_span(&error));
  buf_free(&error);
  json_put_member_string(b, "error_code", span_text(result_name((enum result)done->result)));
  if (done->stack.len > 0) json_put_member_string(b, "stack", done->stack);
  if (done->line > 0) {
    json_put_member_number(b, "line", done->line);
    json_put_member_number(b, "column", done->column);
  }
}

static void put_usage(struct buf *b, const struct wire_done *done) {
  json_put_key(b, "usage");
  buf_put_u8(b, '{');
  json_put_member_number(b, "steps", done->steps);
  json_put_member_number(b, "cpu_us", done->cpu_ns / 1000);
  json_put_member_number(b, "wall_us", done->wall_ns / 1000);
  json_put_member_number(b, "memory_peak_bytes", done->memory_peak);
  json_put_member_number(b, "log_entries_dropped", done->log_dropped);
  buf_put_u8(b, '}');
}

static void put_us(struct buf *b, const char *key, uint64_t ns) {
  json_put_key(b, key);
  buf_printf(b, "%llu.%llu", (unsigned long long)(ns / 1000), (unsigned long long)(ns % 1000 / 100));
}

static void put_repeat(struct buf *b, const struct wire_done *done) {
  if (done->repeat_count == 0 || done->repeat_wall_ns == 0) return;
  json_put_key(b, "repeat");
  buf_put_u8(b, '{');
  json_put_member_number(b, "count", done->repeat_count);
  json_put_key(b, "per_second");
  buf_printf(b, "%.2f", (double)done->repeat_count * 1e9 / (double)done->repeat_wall_ns);
  put_us(b, "p50_us", done->repeat_p50_ns);
  put_us(b, "p90_us", done->repeat_p90_ns);
  put_us(b, "p99_us", done->repeat_p99_ns);
  put_us(b, "max_us", done->repeat_max_ns);
  put_us(b, "cpu_us_mean", done->repeat_cpu_ns / done->repeat_count);
  buf_put_u8(b, '}');
}

static void put_fences(struct buf *b, const char *key, sandbox_set set) {
  json_put_key(b, key);
  buf_put_u8(b, '[');
  for (unsigned i = 0, n = 0; i < SANDBOX_COUNT; i++) {
    if (!(set & 1u << i)) continue;
    if (n++ > 0) buf_put_u8(b, ',');
    json_put_string(b, span_text(sandbox_name((enum sandbox_bit)i)));
  }
  buf_put_u8(b, ']');
}

static void put_worker(struct buf *b, const struct wire_ready *worker) {
  json_put_member_string(b, "engine", worker->engine_id);
  json_put_key(b, "isolation");
  buf_put_text(b, "{\"profile\":\"process\"");
  put_fences(b, "held", worker->fences);
  put_fences(b, "refused", SANDBOX_ALL & ~worker->fences);
  buf_put_u8(b, '}');
}

void record_json(struct buf *b, const struct record *r) {
  buf_put_u8(b, '{');
  put_job_id(b);
  json_put_member_string(b, "status", span_text(r->done->result == RESULT_OK ? "completed" : "failed"));
  put_outcome(b, r);
  json_put_key(b, "logs");
  buf_put_u8(b, '[');
  buf_put_span(b, r->logs);
  buf_put_u8(b, ']');
  json_put_member_number(b, "gas_used", GAS_PER_BYTE * r->job->script.len);
  json_put_key(b, "started_at");
  buf_put_u8(b, '"');
  text_put_rfc3339(b, r->started_ns);
  buf_put_text(b, "\",\"duration\":\"");
  text_put_go_duration(b, r->done->wall_ns);
  buf_put_u8(b, '"');
  put_usage(b, r->done);
  put_repeat(b, r->done);
  if (r->worker != NULL) put_worker(b, r->worker);
  buf_put_text(b, "}\n");
}
