#include "wire/wire.h"

#include "wire/fields.h"

bool wire_in_order(enum wire_peer sender, uint8_t type, enum wire_state *state) {
  static const struct {
    enum wire_type type;
    enum wire_peer sender;
    unsigned states, next;
  } table[] = {
#define WIRE_ROW(name, number, sender, states, next) {WIRE_##name, sender, states, next},
      WIRE_MESSAGES(WIRE_ROW)
#undef WIRE_ROW
  };
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    if (table[i].type != type) continue;
    if (table[i].sender != sender || !(table[i].states & *state)) return false;
    if (table[i].next != 0) *state = (enum wire_state)table[i].next;
    return true;
  }
  return false;
}

static const struct field ready_fields[] = {FIELD(BLOCK, wire_ready, engine_id), FIELD(U32, wire_ready, fences),
                                            FIELD(FLAG, wire_ready, image_shared)};

static const struct field job_fields[] = {
    FIELD(U64, wire_job, id),          FIELD(U32, wire_job, flags),     FIELD(U64, wire_job, timeout_ms),
    FIELD(U64, wire_job, memory),      FIELD(U64, wire_job, steps),     FIELD(U32, wire_job, output),
    FIELD(U32, wire_job, log_entries), FIELD(U32, wire_job, log_entry), FIELD(U64, wire_job, time_ns),
    FIELD(BLOCK, wire_job, seed),      FIELD(U32, wire_job, repeat),    FIELD(BLOCK, wire_job, script),
    FIELD(BLOCK, wire_job, name),      FIELD(BLOCK, wire_job, entry),   FIELD(BLOCK, wire_job, input),
    FIELD(U32, wire_job, secret_count)};

static const struct field secret_fields[] = {FIELD(BLOCK, wire_secret, name), FIELD(BLOCK, wire_secret, value)};

static const struct field log_fields[] = {FIELD(U64, wire_log, id), FIELD(U8, wire_log, level),
                                          FIELD(BLOCK, wire_log, text)};

static const struct field done_fields[] = {FIELD(U64, wire_done, id),
                                           FIELD(U32, wire_done, result),
                                           FIELD(BLOCK, wire_done, output),
                                           FIELD(BLOCK, wire_done, error),
                                           FIELD(BLOCK, wire_done, stack),
                                           FIELD(U32, wire_done, line),
                                           FIELD(U32, wire_done, column),
                                           FIELD(U64, wire_done, steps),
                                           FIELD(U64, wire_done, memory_peak),
                                           FIELD(U64, wire_done, wall_ns),
                                           FIELD(U64, wire_done, cpu_ns),
                                           FIELD(U32, wire_done, log_dropped),
                                           FIELD(FLAG, wire_done, reusable),
                                           FIELD(U32, wire_done, repeat_count),
                                           FIELD(U64, wire_done, repeat_wall_ns),
                                           FIELD(U64, wire_done, repeat_cpu_ns),
                                           FIELD(U64, wire_done, repeat_p50_ns),
                                           FIELD(U64, wire_done, repeat_p90_ns),
                                           FIELD(U64, wire_done, repeat_p99_ns),
                                           FIELD(U64, wire_done, repeat_max_ns)};

static const struct field fetch_fields[] = {FIELD(U64, wire_fetch, id),        FIELD(U32, wire_fetch, number),
                                            FIELD(BLOCK, wire_fetch, method),  FIELD(BLOCK, wire_fetch, url),
                                            FIELD(BLOCK, wire_fetch, headers), FIELD(BLOCK, wire_fetch, body),
                                            FIELD(U8, wire_fetch, redirect)};

static const struct field abort_fields[] = {FIELD(U64, wire_abort, id), FIELD(U32, wire_abort, number)};

static const struct field fetched_fields[] = {
    FIELD(U64, wire_fetched, id),          FIELD(U32, wire_fetched, number),    FIELD(U32, wire_fetched, result),
    FIELD(BLOCK, wire_fetched, error),     FIELD(U32, wire_fetched, status),    FIELD(BLOCK, wire_fetched, url),
    FIELD(FLAG, wire_fetched, redirected), FIELD(BLOCK, wire_fetched, headers), FIELD(BLOCK, wire_fetched, body)};

PLAIN_MESSAGE(ready, READY, ready)
PLAIN_MESSAGE(fetch, FETCH, fetch)
PLAIN_MESSAGE(abort, ABORT, abort)
PLAIN_MESSAGE(fetched, FETCHED, fetched)

void wire_put_header(struct buf *b, struct span name, struct span value) {
  buf_put_block(b, name);
  buf_put_block(b, value);
}

bool wire_get_header(struct cursor *rest, struct span *name, struct span *value) {
  if (rest->rest.len == 0) return false;
  *name = cursor_block(rest);
  *value = cursor_block(rest);
  return !rest->bad;
}
PLAIN_MESSAGE(log, LOG, log)
PLAIN_MESSAGE(done, DONE, done)

struct wire_job wire_default_job(struct span script) {
  static const uint8_t zeros[32];
  return (struct wire_job){.id = 1,
                           .timeout_ms = 30000,
                           .memory = 128u << 20,
                           .steps = INT64_MAX,
                           .output = 1048576,
                           .log_entries = 100,
                           .log_entry = 4096,
                           .seed = span_of(zeros, sizeof zeros),
                           .script = script,
                           .name = span_text("script.js"),
                           .entry = span_text("main")};
}

void wire_put_job(struct buf *b, const struct wire_job *m) {
  msg_begin(b, WIRE_JOB);
  wire_put_fields(b, job_fields, COUNT(job_fields), m);
  if (m->secret_count > WIRE_SECRETS_MAX) b->bad = true;
  for (uint32_t i = 0; !b->bad && i < m->secret_count; i++)
    wire_put_fields(b, secret_fields, COUNT(secret_fields), &m->secrets[i]);
}

bool wire_get_job(struct span body, struct wire_job *m) {
  struct cursor c = cursor_of(body);
  *m = (struct wire_job){0};
  wire_get_fields(&c, job_fields, COUNT(job_fields), m);
  if (c.bad || m->secret_count > WIRE_SECRETS_MAX || m->seed.len != 32) return false;
  for (uint32_t i = 0; i < m->secret_count; i++)
    wire_get_fields(&c, secret_fields, COUNT(secret_fields), &m->secrets[i]);
  return cursor_end(&c);
}
