/* What a worker may say, to the reply a caller reads: whatever it sends, what is accepted becomes one JSON object whose
 * status is the keeper's. The input is messages: type, u16 length, body. */
#include "base/json.h"
#include "dispatch/conversation.h"
#include "keeper/reply.h"
#include "sandbox/sandbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The process profile's, without its system calls. */
const struct sandbox_profile sandbox_profile = {"process", SANDBOX_ALL, SANDBOX_REQUIRED};

static void check_reply(const struct wire_job *job, const struct wire_done *done, struct span logs) {
  const char *begin = done->result == RESULT_OK ? "{\"job_id\":\"j\",\"status\":\"completed\","
                                                : "{\"job_id\":\"j\",\"status\":\"failed\",";
  struct buf b = buf_new(8u << 20);
  reply_put(&b, &(struct reply){.job = span_text("j"), .done = done, .logs = logs, .entry = job->entry});
  if (b.bad || json_check(buf_span(&b), 10000) != RESULT_OK) abort();
  if (b.len < strlen(begin) || memcmp(b.data, begin, strlen(begin)) != 0) abort();
  buf_free(&b);
}

static void converse(struct conversation *c, struct cursor *input, const struct wire_job *job, struct buf *logs) {
  while (!input->bad && input->rest.len > 0) {
    struct conversation_heard heard;
    uint8_t type = cursor_u8(input), low = cursor_u8(input), high = cursor_u8(input);
    struct span body = cursor_bytes(input, (size_t)(low | high << 8));
    if (input->bad || conversation_hear(c, type, body, &heard) != RESULT_OK) return;
    if (heard.type == WIRE_READY && conversation_ask(c, job) != RESULT_OK) abort();
    if (heard.type == WIRE_LOG) {
      if (logs->len > 0) buf_put_u8(logs, ',');
      json_put_string(logs, heard.log.text);
    }
    if (heard.type == WIRE_DONE) {
      check_reply(job, &heard.done, buf_span(logs));
      return;
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct wire_job job = wire_default_job(span_text("x"));
  struct cursor input = cursor_of(span_of(data, size));
  struct conversation c;
  struct buf logs = buf_new(4u << 20);
  conversation_begin(&c);
  converse(&c, &input, &job, &logs);
  buf_free(&logs);
  return 0;
}
