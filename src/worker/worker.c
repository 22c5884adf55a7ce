/*
 * The worker: runs scripts.
 *
 * Alone holds: one job's script, input and secrets, while it runs. Hears: its keeper, on one socket. Never: opens,
 * connects, forks, executes, maps executable pages; as a program of its own (main.c) it is linked without a TLS or
 * database library, so it could not spell a key. System calls after start: see sandbox/sandbox_calls.c. It allocates
 * nothing after start: all its memory is its own from then on, or the guest's.
 */
#include "worker/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "engine/engine.h"
#include "wire/wire.h"

/* Times of many executions: how many took how long, in buckets of 1/32 of a power of two. */
struct histogram {
  uint32_t bucket[64 * 32];
  uint32_t count;
  uint64_t max;
};

struct worker {
  const struct worker_place *place;
  int socket;
  uint64_t current_job;
  bool lost;            /* the keeper is gone, or says what it may not say: nothing is heard or answered any more */
  size_t fetched_bytes; /* of fetched_memory that hold what came from the outside */
  struct histogram times;
  struct buf fetched;
  uint8_t job_memory[WIRE_JOB_MAX], answer_memory[WIRE_SAID_MAX], fetched_memory[WIRE_FETCHED_MAX];
  uint8_t log_memory[ENGINE_LOG_ENTRY_MAX + 128];
  uint8_t headers_memory[2 * WIRE_FETCH_HEADERS_MAX], lines_memory[WIRE_FETCH_HEADERS_MAX];
};

static uint64_t clock_ns(clockid_t id) {
  struct timespec now;
  clock_gettime(id, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- the clock ---- */

/* Of this thread's worker: a signal handler counts them. */
static _Thread_local volatile sig_atomic_t alarms;

void worker_alarm(void) {
  if (alarms++ == 0)
    engine_interrupt();
  else
    engine_abandon();
}

static void set_alarm(const struct worker *w, uint64_t ms) {
  w->place->set_alarm(w->place->context, ms);
}

/* ---- one job ---- */

/* Alone, a worker whose keeper is gone has nothing left to do; on a thread, its script is left first. */
static void lose(struct worker *w) {
  if (w->place->place.alone) _exit(1);
  w->lost = true;
  engine_interrupt();
}

/* Sends what was built and wipes it. */
static bool say(struct worker *w, struct buf *b) {
  if (!w->lost && msg_send_built(w->socket, b) != RESULT_OK) lose(w);
  wipe(b->data, b->len);
  return !w->lost;
}

static void send_log(void *context, enum engine_level level, struct span text) {
  struct worker *w = context;
  struct buf b = buf_fixed(w->log_memory, sizeof w->log_memory);
  wire_put_log(&b, &(struct wire_log){.id = w->current_job, .level = (uint8_t)level, .text = text});
  (void)say(w, &b);
}

/* ---- the outside, by way of the keeper ---- */

/* name LF value LF … as the message's list. */
static void put_fields(struct buf *b, const char *lines, size_t len) {
  for (size_t at = 0; at < len;) {
    struct span field[2];
    for (int i = 0; i < 2; i++) {
      const char *end = memchr(lines + at, '\n', len - at);
      const size_t stop = end == NULL ? len : (size_t)(end - lines);
      field[i] = span_of(lines + at, stop - at);
      at = stop < len ? stop + 1 : len;
    }
    wire_put_header(b, field[0], field[1]);
  }
}

static bool send_fetch(void *context, const struct engine_fetch *fetch) {
  struct worker *w = context;
  struct buf headers = buf_fixed(w->headers_memory, sizeof w->headers_memory);
  struct buf b = buf_fixed(w->answer_memory, sizeof w->answer_memory);
  put_fields(&headers, fetch->headers, fetch->headers_len);
  if (headers.bad || headers.len > WIRE_FETCH_HEADERS_MAX) return false;
  wire_put_fetch(&b, &(struct wire_fetch){.id = w->current_job,
                                          .number = fetch->number,
                                          .method = fetch->method,
                                          .url = fetch->url,
                                          .headers = buf_span(&headers),
                                          .body = fetch->body,
                                          .redirect = fetch->redirect});
  if (b.bad) return false;
  const bool sent = say(w, &b);
  wipe(headers.data, headers.len);
  return sent;
}

static void send_abort(void *context, uint32_t number) {
  struct worker *w = context;
  uint8_t memory[64];
  struct buf b = buf_fixed(memory, sizeof memory);
  wire_put_abort(&b, &(struct wire_abort){w->current_job, number});
  (void)say(w, &b);
}

/* The list of a message as name LF value LF …: no line break is left in a field that a peer of ours sends. */
static void put_lines(struct buf *b, struct span list) {
  struct cursor rest = cursor_of(list);
  struct span name, value;
  while (wire_get_header(&rest, &name, &value)) {
    buf_put_span(b, name);
    buf_put_u8(b, '\n');
    buf_put_span(b, value);
    buf_put_u8(b, '\n');
  }
}

/* The message stays where it was read until the next one, or the end of the job, takes its place. */
static bool take_fetched(struct worker *w, struct engine_fetched *out) {
  struct buf lines = buf_fixed(w->lines_memory, sizeof w->lines_memory);
  struct wire_fetched m;
  uint8_t type;
  w->fetched = buf_fixed(w->fetched_memory, sizeof w->fetched_memory);
  if (msg_receive(w->socket, &type, &w->fetched) != RESULT_OK || type != WIRE_FETCHED ||
      !wire_get_fetched(buf_span(&w->fetched), &m)) {
    lose(w);
    return false;
  }
  if (m.id != w->current_job) return false; /* of the last job */
  put_lines(&lines, m.headers);
  *out = (struct engine_fetched){.number = m.number,
                                 .result = lines.bad ? RESULT_FETCH_HEADERS : (enum result)m.result,
                                 .error = m.error,
                                 .status = m.status,
                                 .url = m.url,
                                 .redirected = m.redirected,
                                 .headers = buf_span(&lines),
                                 .body = m.body};
  w->fetched_bytes = w->fetched.len;
  return true;
}

/* The alarm comes again and again, so one that strikes just before the wait only costs its interval. */
static enum engine_wait wait_for_answer(void *context, uint64_t ns, struct engine_fetched *out) {
  struct worker *w = context;
  const uint64_t due = ns == ENGINE_WAIT_FOREVER ? UINT64_MAX : clock_ns(CLOCK_MONOTONIC) + ns;
  while (alarms == 0 && !w->lost) {
    const uint64_t now = clock_ns(CLOCK_MONOTONIC), left = due > now ? due - now : 0;
    const struct timespec timeout = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
    struct pollfd ready = {.fd = w->socket, .events = POLLIN};
    const int n = ppoll(&ready, 1, due == UINT64_MAX ? NULL : &timeout, NULL);
    if (n == 0) return ENGINE_WAIT_OVER;
    if (n > 0 && take_fetched(w, out)) return ENGINE_WAIT_FETCHED;
  }
  return ENGINE_WAIT_INTERRUPTED;
}

static void translate(const struct wire_job *m, struct engine_job *job) {
  *job = (struct engine_job){.script = m->script,
                             .name = m->name,
                             .entry = m->entry,
                             .input = m->input,
                             .secret_count = m->secret_count,
                             .limits = {.memory = m->memory,
                                        .steps = m->steps,
                                        .output = m->output,
                                        .log_entries = m->log_entries,
                                        .log_entry = m->log_entry},
                             .check_only = m->flags & WIRE_CHECK_ONLY,
                             .deterministic = m->flags & WIRE_DETERMINISTIC,
                             .time_ns = m->time_ns};
  memcpy(job->seed, m->seed.data, sizeof job->seed);
  for (uint32_t i = 0; i < m->secret_count; i++)
    job->secrets[i] = (struct engine_secret){m->secrets[i].name, m->secrets[i].value};
}

static size_t bucket_of(uint64_t ns) {
  if (ns < 32) return (size_t)ns;
  unsigned top = 63u - (unsigned)__builtin_clzll(ns);
  return (top - 4) * 32 + (size_t)(ns >> (top - 5) & 31);
}

/* The middle of a bucket. */
static uint64_t bucket_time(size_t bucket) {
  if (bucket < 32) return bucket;
  return (65 + 2 * (bucket % 32)) << (bucket / 32 - 1) >> 1;
}

static void note(struct histogram *h, uint64_t ns) {
  h->bucket[bucket_of(ns)]++;
  h->count++;
  if (ns > h->max) h->max = ns;
}

static uint64_t percentile(const struct histogram *h, uint64_t percent) {
  uint64_t seen = 0, wanted = (h->count * percent + 99) / 100;
  for (size_t i = 0; i < sizeof h->bucket / sizeof h->bucket[0]; i++) {
    seen += h->bucket[i];
    /* A bucket's middle may lie past the largest time in it. */
    if (seen >= wanted) return bucket_time(i) < h->max ? bucket_time(i) : h->max;
  }
  return h->max;
}

/* The executions before the last: each in a fresh world, none reported. False if one failed; it is then the last. */
static bool repeat(struct histogram *h, const struct engine_job *job, uint32_t times, struct engine_outcome *outcome,
                   struct wire_done *done) {
  memset(h, 0, sizeof *h);
  uint64_t wall = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID), last = wall;
  for (uint32_t i = 0; i < times; i++) {
    engine_run(job, NULL, outcome);
    if (outcome->result != RESULT_OK) return false;
    if (!engine_reset()) return false;
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    note(h, now - last);
    last = now;
  }
  done->repeat_count = times;
  done->repeat_wall_ns = last - wall;
  done->repeat_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
  done->repeat_p50_ns = percentile(h, 50);
  done->repeat_p90_ns = percentile(h, 90);
  done->repeat_p99_ns = percentile(h, 99);
  done->repeat_max_ns = h->max;
  return true;
}

static void report(struct wire_done *done, const struct engine_outcome *outcome) {
  done->result = (uint32_t)outcome->result;
  done->output = outcome->output;
  done->error = outcome->error;
  done->stack = outcome->stack;
  done->line = outcome->line;
  done->column = outcome->column;
  done->steps = outcome->usage.steps;
  done->memory_peak = outcome->usage.memory_peak;
  done->log_dropped = outcome->usage.log_dropped;
}

/* A guest that could spoil its own engine's strings may hand over bytes that are no text; nobody else shall see them.
 */
static void check_texts(struct engine_outcome *outcome) {
  if (!text_utf8_valid(outcome->error) || outcome->error.len > 65536)
    outcome->error = span_text("an error that cannot be shown");
  if (!text_utf8_valid(outcome->stack) || outcome->stack.len > 65536) outcome->stack = span_text("");
}

static void answer(struct worker *w, const struct wire_done *done) {
  struct buf b = buf_fixed(w->answer_memory, sizeof w->answer_memory);
  wire_put_done(&b, done);
  (void)say(w, &b);
  wipe(w->fetched_memory, w->fetched_bytes);
  w->fetched_bytes = 0;
}

/* Runs the job and answers. False if the worker must end. */
static bool serve(struct worker *w, const struct wire_job *m) {
  struct engine_job job;
  struct engine_outcome outcome = {.result = RESULT_OK};
  const struct engine_hooks hooks = {
      .context = w, .log = send_log, .fetch = send_fetch, .abort = send_abort, .wait = wait_for_answer};
  struct wire_done done = {.id = m->id};
  translate(m, &job);
  w->current_job = m->id;
  alarms = 0;
  /* Before the alarm is set: a job that timed out never reports less than its time. */
  uint64_t wall = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
  set_alarm(w, m->timeout_ms);
  bool go_on = true;
  if (m->repeat > 0) {
    go_on = repeat(&w->times, &job, m->repeat, &outcome, &done);
    wall = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
  }
  if (go_on) engine_run(&job, &hooks, &outcome);
  set_alarm(w, 0);
  done.wall_ns = clock_ns(CLOCK_MONOTONIC) - wall;
  done.cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
  check_texts(&outcome);
  report(&done, &outcome);
  done.reusable = outcome.result != RESULT_TIMEOUT && engine_reusable();
  answer(w, &done);
  /* The answer is out; the way back to the snapshot is off the caller's path. */
  return engine_reset() && done.reusable && !w->lost;
}

static int loop(struct worker *w) {
  struct buf body = buf_fixed(w->job_memory, sizeof w->job_memory);
  for (bool go_on = true; go_on;) {
    uint8_t type;
    struct wire_job job;
    enum wire_state state = WIRE_IDLE;
    if (msg_receive(w->socket, &type, &body) != RESULT_OK) return 0; /* the keeper is gone */
    if (type == WIRE_FETCHED) continue;                              /* for a job that is over */
    if (!wire_in_order(WIRE_KEEPER, type, &state) || !wire_get_job(buf_span(&body), &job)) return 1;
    go_on = serve(w, &job);
    wipe(body.data, body.len);
  }
  return 0;
}

/* ---- start and end ---- */

static bool announce(struct worker *w, sandbox_set fences) {
  struct buf b = buf_fixed(w->answer_memory, sizeof w->answer_memory);
  wire_put_ready(&b, &(struct wire_ready){
                         .engine_id = span_text(engine_id()), .fences = fences, .image_shared = engine_image_shared()});
  return msg_send_built(w->socket, &b) == RESULT_OK;
}

static int live(struct worker *w) {
  sandbox_set fences = w->place->place.held;
  enum result r = engine_open(w->place->program);
  if (w->place->place.alone) close(w->place->program);
  if (r == RESULT_OK) r = sandbox_enter(SANDBOX_WORKER, NULL, &fences);
  const int status = r == RESULT_OK && announce(w, fences) ? loop(w) : 3;
  if (w->place->place.alone) _exit(status); /* in the fence there is no way to give anything back */
  engine_close();
  return status;
}

int worker_main(const struct worker_place *place) {
  /* Untouched pages cost nothing, and what the job left goes with them. */
  struct worker *w = mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (w == MAP_FAILED) return 3;
  w->place = place;
  w->socket = place->place.socket;
  const int status = live(w);
  close(w->socket);
  munmap(w, sizeof *w);
  return status;
}
