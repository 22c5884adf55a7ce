#include "keeper/reply.h"

#include "base/json.h"
#include "base/text.h"
#include "dispatch/conversation.h"

#define GAS_PER_BYTE 10u

uint64_t reply_gas(size_t script_bytes) {
  return GAS_PER_BYTE * (uint64_t)script_bytes;
}

static void put_string_if(struct buf *b, const char *key, struct span value) {
  if (value.len > 0) json_put_member_string(b, key, value);
}

/* ---- what a script threw ---- */

/* The length of the identifier at the start of `text` if ": " or the end follows it: the name of "TypeError: …". */
static size_t name_length(struct span text) {
  size_t n = 0;
  while (n < text.len && (text.data[n] == '_' || text.data[n] == '$' || text.data[n] >= 0x80 ||
                          (text.data[n] >= '0' && text.data[n] <= '9') ||
                          ((text.data[n] | 0x20) >= 'a' && (text.data[n] | 0x20) <= 'z')))
    n++;
  if (n == text.len) return n;
  return text.len - n >= 2 && text.data[n] == ':' && text.data[n + 1] == ' ' ? n : 0;
}

/* Only an Error has a stack: of another value that was thrown, no part is a name. */
static void put_error_details(struct buf *b, const struct wire_done *done) {
  if (done->stack.len == 0 && done->line == 0) return;
  const size_t name = name_length(done->error);
  const size_t message = name > 0 && name < done->error.len ? name + 2 : name;
  json_put_key(b, "error_details");
  buf_put_u8(b, '{');
  put_string_if(b, "name", span_of(done->error.data, name));
  json_put_member_string(b, "message", span_of(done->error.data + message, done->error.len - message));
  put_string_if(b, "stack", done->stack);
  if (done->line > 0) {
    json_put_member_number(b, "line", done->line);
    json_put_member_number(b, "column", done->column);
  }
  buf_put_u8(b, '}');
}

static void put_failure(struct buf *b, const struct reply *r) {
  struct buf error = buf_new(WIRE_ANSWER_MAX + 1024);
  conversation_put_error(&error, r->entry, r->done);
  if (error.bad) b->bad = true;
  json_put_member_string(b, "error", buf_span(&error));
  buf_free(&error);
  json_put_member_string(b, "error_code", span_text(result_name((enum result)r->done->result)));
  put_error_details(b, r->done);
}

/* ---- the whole ---- */

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

static void put_started(struct buf *b, const struct reply *r) {
  json_put_member_number(b, "gas_used", reply_gas(r->script_bytes));
  json_put_key(b, "started_at");
  buf_put_u8(b, '"');
  text_put_rfc3339(b, r->started_ns);
  buf_put_u8(b, '"');
}

static void put_running(struct buf *b, const struct reply *r) {
  json_put_member_string(b, "status", span_text("running"));
  put_started(b, r);
}

static void put_secrets(struct buf *b, const struct reply *r) {
  json_put_key(b, "secrets");
  buf_put_u8(b, '[');
  for (size_t i = 0; i < r->secret_count; i++) {
    const struct prepare_secret *s = &r->secrets[i];
    buf_put_text(b, i > 0 ? ",{" : "{");
    json_put_member_string(b, "name", s->name);
    json_put_member_number(b, "version", s->version);
    if (!s->bound) json_put_member_string(b, "format", span_text("reference"));
    buf_put_u8(b, '}');
  }
  buf_put_u8(b, ']');
}

static void put_ended(struct buf *b, const struct reply *r) {
  const bool completed = r->done->result == RESULT_OK;
  json_put_member_string(b, "status", span_text(completed ? "completed" : "failed"));
  if (completed && r->done->output.len > 0 && !r->hide_output) {
    json_put_key(b, "output");
    buf_put_span(b, r->done->output);
  }
  json_put_key(b, "logs");
  buf_put_u8(b, '[');
  buf_put_span(b, r->logs);
  buf_put_u8(b, ']');
  if (!completed) put_failure(b, r);
  put_started(b, r);
  json_put_key(b, "duration");
  buf_put_u8(b, '"');
  text_put_go_duration(b, r->duration_ns);
  buf_put_u8(b, '"');
  put_string_if(b, "encrypted_output", r->encrypted_output);
  /* A short output could be guessed from its hash by whoever passes the reply on. */
  if (!r->hide_output) put_string_if(b, "output_hash", r->output_hash);
  put_string_if(b, "signature", r->signature);
  put_usage(b, r->done);
  put_string_if(b, "receipt", r->receipt);
  put_string_if(b, "receipt_salt", r->receipt_salt);
  put_string_if(b, "attestation", r->attestation);
  if (r->sealed) {
    json_put_key(b, "sealed");
    buf_put_text(b, "true");
  }
  put_secrets(b, r);
  if (r->network.len == 0) return;
  json_put_key(b, "network");
  buf_put_span(b, r->network);
}

void reply_put(struct buf *b, const struct reply *r) {
  buf_put_u8(b, '{');
  json_put_member_string(b, "job_id", r->job);
  if (r->running)
    put_running(b, r);
  else
    put_ended(b, r);
  buf_put_u8(b, '}');
}

void reply_put_around(struct buf *b, const struct reply *r, struct span sealed_output) {
  const enum result result = (enum result)r->done->result;
  buf_put_u8(b, '{');
  json_put_member_string(b, "job_id", r->job);
  json_put_member_string(b, "status", span_text(result == RESULT_OK ? "completed" : "failed"));
  if (result != RESULT_OK) {
    json_put_member_string(b, "error", span_text(result_sentence(result)));
    json_put_member_string(b, "error_code", span_text(result_name(result)));
  }
  put_started(b, r);
  json_put_key(b, "duration");
  buf_put_u8(b, '"');
  text_put_go_duration(b, r->duration_ns);
  buf_put_u8(b, '"');
  put_usage(b, r->done);
  put_string_if(b, "receipt", r->receipt);
  put_string_if(b, "attestation", r->attestation);
  if (sealed_output.len > 0) {
    json_put_key(b, "sealed_output");
    buf_put_span(b, sealed_output);
  }
  buf_put_u8(b, '}');
}

void reply_put_fault(struct buf *b, struct span job, enum result fault) {
  buf_put_u8(b, '{');
  json_put_member_string(b, "job_id", job);
  json_put_member_string(b, "status", span_text("failed"));
  json_put_member_string(b, "error", span_text(result_sentence(fault)));
  json_put_member_string(b, "error_code", span_text(result_name(fault)));
  buf_put_u8(b, '}');
}
