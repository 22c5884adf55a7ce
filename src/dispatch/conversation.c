#include "dispatch/conversation.h"

#include "base/json.h"
#include "base/text.h"

/* The largest number that every JSON reader holds exactly: no count of a job comes near. */
#define COUNT_MAX ((UINT64_C(1) << 53) - 1)
#define LEVELS 5u /* of a log entry: enum engine_level */
/* Of an error and of a stack: a worker shortens them. */
#define ERROR_MAX 65536u
/* What the worker puts behind an entry that was cut: "...(truncated)". */
#define CUT_MARK 14u

void conversation_begin(struct conversation *c) {
  *c = (struct conversation){.state = WIRE_STARTING};
}

enum result conversation_ask(struct conversation *c, const struct wire_job *job) {
  if (!wire_in_order(WIRE_KEEPER, WIRE_JOB, &c->state)) return RESULT_WORKER_LIED;
  c->job = job->id;
  c->flags = job->flags;
  c->output = job->output;
  c->log_entries = job->log_entries;
  c->log_entry = job->log_entry;
  c->fetches = 0;
  return RESULT_OK;
}

static enum result hear_ready(struct conversation *c, struct span body) {
  if (!wire_get_ready(body, &c->ready) || c->ready.engine_id.len != sizeof c->engine) return RESULT_WORKER_LIED;
  uint8_t id[sizeof c->engine / 2];
  if (!text_unhex(c->ready.engine_id, id, sizeof id)) return RESULT_WORKER_LIED;
  memcpy(c->engine, c->ready.engine_id.data, sizeof c->engine);
  c->ready.engine_id = span_of(c->engine, sizeof c->engine);
  return sandbox_suffices(c->ready.fences) ? RESULT_OK : RESULT_SANDBOX_REFUSED;
}

static enum result hear_log(struct conversation *c, struct span body, struct wire_log *entry) {
  if (!wire_get_log(body, entry) || entry->id != c->job || c->log_entries == 0) return RESULT_WORKER_LIED;
  if (entry->level >= LEVELS) return RESULT_WORKER_LIED;
  if (entry->text.len > (size_t)c->log_entry + CUT_MARK || !text_utf8_valid(entry->text)) return RESULT_WORKER_LIED;
  c->log_entries--;
  return RESULT_OK;
}

static bool header_list_is_sound(struct span list) {
  struct cursor rest = cursor_of(list);
  struct span name, value;
  while (wire_get_header(&rest, &name, &value)) continue;
  return list.len <= WIRE_FETCH_HEADERS_MAX && cursor_end(&rest);
}

/* Only its form: what may be asked is the asker's to decide. */
static enum result hear_fetch(struct conversation *c, struct span body, struct wire_fetch *m) {
  if (!wire_get_fetch(body, m) || m->id != c->job || m->number != c->fetches + 1) return RESULT_WORKER_LIED;
  if (m->number > WIRE_FETCHES_MAX || m->redirect > WIRE_REDIRECT_MANUAL) return RESULT_WORKER_LIED;
  if (m->method.len == 0 || m->method.len > 32 || m->url.len == 0 || m->url.len > WIRE_FETCH_URL_MAX)
    return RESULT_WORKER_LIED;
  if (!text_utf8_valid(m->method) || !text_utf8_valid(m->url)) return RESULT_WORKER_LIED;
  if (m->body.len > WIRE_FETCH_BODY_MAX || !header_list_is_sound(m->headers)) return RESULT_WORKER_LIED;
  c->fetches++;
  return RESULT_OK;
}

static enum result hear_abort(const struct conversation *c, struct span body, struct wire_abort *m) {
  if (!wire_get_abort(body, m) || m->id != c->job) return RESULT_WORKER_LIED;
  return m->number >= 1 && m->number <= c->fetches ? RESULT_OK : RESULT_WORKER_LIED;
}

/* What the engine can come to. Other results are ours to say: a worker has no word in whether its job was cancelled. */
static bool may_report(uint32_t r) {
  static const enum result all[] = {
      RESULT_OK,
      RESULT_EXECUTION_ERROR,
      RESULT_SCRIPT_ERROR,
      RESULT_SYNTAX_ERROR,
      RESULT_ENTRY_NOT_FOUND,
      RESULT_UNSETTLED,
      RESULT_OUTPUT_INVALID,
      RESULT_OUTPUT_TOO_LARGE,
      RESULT_TIMEOUT,
      RESULT_OUT_OF_MEMORY,
      RESULT_OUT_OF_STEPS,
      RESULT_ENGINE_TRAP,
      /* its own check of the job's limits */
      RESULT_SCRIPT_REQUIRED,
      RESULT_SCRIPT_INVALID,
      RESULT_SCRIPT_TOO_LARGE,
      RESULT_INPUT_INVALID,
      RESULT_INPUT_TOO_LARGE,
      RESULT_ENTRY_INVALID,
      RESULT_LIMIT_INVALID,
      RESULT_TOO_MANY_SECRETS,
  };
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    if (all[i] == r) return true;
  return false;
}

/* Output goes into replies as it is, so it must be what a worker may answer: one canonical JSON object, or nothing. A
 * second value behind the first, or a stray brace, would be fields of our reply. */
static bool output_is_sound(const struct conversation *c, const struct wire_done *done) {
  if (done->result != RESULT_OK || c->flags & WIRE_CHECK_ONLY) return done->output.len == 0;
  if (done->output.len == 0 || done->output.len > c->output || done->output.data[0] != '{') return false;
  return json_canonical(done->output) == JSON_CANONICAL;
}

static enum result hear_done(const struct conversation *c, struct span body, struct wire_done *done) {
  if (!wire_get_done(body, done)) return RESULT_WORKER_LIED;
  if (done->id != c->job || !may_report(done->result) || !output_is_sound(c, done)) return RESULT_WORKER_LIED;
  if (done->steps > COUNT_MAX || done->memory_peak > COUNT_MAX) return RESULT_WORKER_LIED;
  if (done->wall_ns > COUNT_MAX || done->cpu_ns > COUNT_MAX) return RESULT_WORKER_LIED;
  if (done->error.len > ERROR_MAX || done->stack.len > ERROR_MAX) return RESULT_WORKER_LIED;
  if (!text_utf8_valid(done->error) || !text_utf8_valid(done->stack)) return RESULT_WORKER_LIED;
  return RESULT_OK;
}

enum result conversation_hear(struct conversation *c, uint8_t type, struct span body,
                              struct conversation_heard *heard) {
  if (!wire_in_order(WIRE_WORKER, type, &c->state)) return RESULT_WORKER_LIED;
  heard->type = (enum wire_type)type;
  if (type == WIRE_READY) return hear_ready(c, body);
  if (type == WIRE_LOG) return hear_log(c, body, &heard->log);
  if (type == WIRE_FETCH) return hear_fetch(c, body, &heard->fetch);
  if (type == WIRE_ABORT) return hear_abort(c, body, &heard->abort);
  return hear_done(c, body, &heard->done);
}

void conversation_put_error(struct buf *b, struct span entry, const struct wire_done *done) {
  enum result r = (enum result)done->result;
  if (r == RESULT_ENTRY_NOT_FOUND) {
    buf_put_text(b, "entry point '");
    buf_put_span(b, entry);
    buf_put_text(b, "' is not a function");
    return;
  }
  buf_put_text(b, result_sentence(r));
  if (done->error.len == 0) return;
  buf_put_text(b, ": ");
  buf_put_span(b, done->error);
}
