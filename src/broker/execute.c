#include "broker/state.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/uuid.h"
#include "broker/envelope.h"

#define KEY_MAX 255u /* bytes of an Idempotency-Key */

/* ---- what the request's head asks for ---- */

/* `Prefer: respond-async` (RFC 7240 §4.1), alone or in a list. */
static bool prefers_async(struct span prefer) {
  static const char want[] = "respond-async";
  size_t len = sizeof want - 1;
  for (size_t i = 0; i + len <= prefer.len; i++) {
    bool starts = i == 0 || prefer.data[i - 1] == ' ' || prefer.data[i - 1] == ',';
    bool ends = i + len == prefer.len || strchr(" ,;", prefer.data[i + len]) != NULL;
    if (starts && ends && strncasecmp((const char *)prefer.data + i, want, len) == 0) return true;
  }
  return false;
}

/* Whether ?encrypted= says what may be said. What is not understood must not lead to an output in the clear. */
static bool encrypted_is_sound(const struct call *call) {
  char value[8];
  if (!call_query(call, "encrypted", value, sizeof value)) return true;
  return strcmp(value, "0") == 0 || strcmp(value, "1") == 0;
}

static uint32_t execute_flags(const struct call *call, const struct envelope *e) {
  char value[8];
  uint32_t flags = e->deterministic ? WIRE_EXECUTE_DETERMINISTIC : 0;
  if (e->seal_output) flags |= WIRE_EXECUTE_SEAL_OUTPUT;
  if (e->async || prefers_async(http_field_of(call_request(call), "prefer"))) flags |= WIRE_EXECUTE_ASYNC;
  if (e->seal_output) return flags; /* nothing is to be read on the way, by whatever key */
  if (call->broker->encrypt_always) return flags | WIRE_EXECUTE_ENCRYPT_BESIDE;
  if (call_query(call, "encrypted", value, sizeof value) && strcmp(value, "1") == 0) flags |= WIRE_EXECUTE_ENCRYPT_ONLY;
  return flags;
}

static enum result fill(struct wire_execute *m, const struct call *call, const struct envelope *e) {
  *m = (struct wire_execute){.ticket = broker_ticket(call->broker),
                             .flags = execute_flags(call, e),
                             .timeout_ms = e->timeout_ms,
                             .memory = e->memory,
                             .steps = e->steps,
                             .script = e->script,
                             .entry = e->entry,
                             .input = e->input,
                             .nonce = e->nonce,
                             .trace = span_text(call->trace.id),
                             .user_id = span_text(call->user_id),
                             .app = e->script_name.len > 0 ? e->app_id : span_of(NULL, 0),
                             .name = e->script_name,
                             .hosts = e->hosts,
                             .sealed = e->sealed,
                             .recipient = e->recipient,
                             .secret_count = (uint32_t)e->secret_count};
  memcpy(m->user, call->user, sizeof m->user);
  memcpy(m->secrets, e->secrets, e->secret_count * sizeof e->secrets[0]);
  return uuid_v7(&call->broker->ids, clock_real_ns() / 1000000u, m->job);
}

/* ---- idempotency ---- */

/* Binds a key to its user, and the request to all that changes what it does. */
static enum result hash_key(struct job *job, const struct call *call, struct span key) {
  struct buf text = buf_new(KEY_MAX + 2 * DIGEST_SIZE + call_request(call)->query.len);
  buf_put(&text, call->user, sizeof call->user);
  buf_put_span(&text, key);
  digest_sha256(buf_span(&text), job->key);
  buf_clear(&text);
  uint8_t body[DIGEST_SIZE];
  digest_sha256(call_request(call)->body, body);
  buf_put(&text, body, sizeof body);
  buf_put_u8(&text, job->async);
  buf_put_span(&text, call_request(call)->query);
  digest_sha256(buf_span(&text), job->request);
  job->has_key = !text.bad;
  buf_free(&text);
  return job->has_key ? RESULT_OK : RESULT_NO_MEMORY;
}

static bool same_request(const uint8_t *a, const uint8_t *b) {
  return memcmp(a, b, STORE_KEY) == 0;
}

/* The key belongs to a job that is not over: this caller waits for it, too. */
static void join_live(struct job *job, struct call *call, struct job *live) {
  if (!same_request(live->request, job->request))
    call_problem(call, RESULT_IDEMPOTENCY_MISMATCH, NULL);
  else if (live->async && live->stored)
    job_accepted(live, call);
  else if (job_is_crowded(live))
    call_problem(call, RESULT_TOO_MANY_REQUESTS, NULL);
  else
    job_join(live, call, live->async ? CALL_STORED : CALL_RESULT);
}

static void take_off(struct job *job, struct call *call) {
  job_detach(job, call);
  job_free(job);
}

static void on_key(void *context, const struct store_answer *answer) {
  struct call *call = context;
  struct job *job = call->job;
  if (!call_drop(call)) return; /* the caller left, and the job with it */
  struct job *live = job_find_key(call->broker, job->user, job->key);
  if (live != NULL) {
    job_detach(job, call);
    join_live(job, call, live);
    job_free(job);
  } else if (answer->result == RESULT_JOB_NOT_FOUND) {
    job_admit(job);
  } else if (answer->result != RESULT_OK) {
    take_off(job, call);
    call_problem(call, answer->result, NULL);
  } else if (!same_request(answer->jobs[0].request, job->request)) {
    take_off(job, call);
    call_problem(call, RESULT_IDEMPOTENCY_MISMATCH, NULL);
  } else {
    take_off(job, call);
    records_answer(call, &answer->jobs[0]);
  }
}

static void check_key(struct job *job, struct call *call) {
  struct job *live = job_find_key(call->broker, job->user, job->key);
  enum result r = RESULT_OK;
  if (live != NULL) {
    job_detach(job, call);
    join_live(job, call, live);
    job_free(job);
    return;
  }
  call_hold(call);
  r = store_find_key(call->broker->store, job->user, job->key, on_key, call);
  if (r == RESULT_OK) return;
  call_drop(call);
  take_off(job, call);
  call_problem(call, r, NULL);
}

/* ---- the request ---- */

static void start(struct call *call, const struct envelope *e) {
  struct span key = http_field_of(call_request(call), "idempotency-key");
  struct wire_execute m;
  struct job *job = NULL;
  if (key.len > KEY_MAX) {
    call_problem(call, RESULT_BAD_REQUEST, "Idempotency-Key is longer than 255 bytes");
    return;
  }
  if (!encrypted_is_sound(call)) {
    call_problem(call, RESULT_BAD_REQUEST, "encrypted must be 0 or 1");
    return;
  }
  enum result r = fill(&m, call, e);
  if (r == RESULT_OK) r = job_new(call, &m, &job);
  if (r != RESULT_OK) {
    call_problem(call, r, NULL);
    return;
  }
  if (key.len == 0) {
    job_admit(job);
    return;
  }
  r = hash_key(job, call, key);
  if (r == RESULT_OK) {
    check_key(job, call);
    return;
  }
  take_off(job, call);
  call_problem(call, r, NULL);
}

void execute_post(struct call *call) {
  struct broker *b = call->broker;
  struct envelope envelope;
  char detail[256] = "";
  enum result r = RESULT_OK;
  if (!b->ready || broker_is_full(b)) r = RESULT_BUSY;
  if (b->stopping) r = RESULT_STOPPING;
  if (r == RESULT_OK && !call_brings_json(call)) r = RESULT_MEDIA_TYPE;
  if (r != RESULT_OK) {
    call_problem(call, r, NULL);
    return;
  }
  r = envelope_read(call_request(call)->body, &envelope, detail, sizeof detail);
  if (r != RESULT_OK) {
    call_problem(call, r, detail[0] != 0 ? detail : NULL);
    return;
  }
  start(call, &envelope);
  envelope_free(&envelope);
}
