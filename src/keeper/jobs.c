#include "keeper/jobs.h"

#include <sched.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/hosts.h"
#include "base/json.h"
#include "base/text.h"
#include "crypto/random.h"

/* What a request may ask for (the API's table of limits). The broker refuses what goes beyond in words a caller
 * understands; here it is the broker that would be at fault. */
#define TIMEOUT_MAX_MS 120000u
#define MEMORY_MIN ((uint64_t)16 << 20)
#define MEMORY_MAX ((uint64_t)1024 << 20)
#define SCRIPT_MAX 102400u
#define INPUT_MAX 1048576u
#define ENTRY_MAX 128u
#define NAME_MAX_BYTES 256u
#define HOSTS_TEXT_MAX 8192u

#define WAIT_MS 10000    /* for a worker that is being started */
#define PREPARE_MS 20000 /* for its script and its secrets, whose askers give up earlier */
#define NETWORK_MAX (64u << 10)
#define LOGS_MAX (4u << 20)
#define KEEP_MAX (128u << 10) /* memory a buffer may keep between jobs */

struct job {
  struct job *next;
  struct jobs *all;
  struct worker *worker; /* NULL: waits for one, or its worker is done with it */
  struct event *timer;
  uint64_t ticket, begun_ns; /* monotonic: when it came, then when it began to run */
  uint64_t timeout_ms;
  uint32_t flags;
  unsigned stage;
  enum result unheard; /* why its worker does not hear what came from the outside */
  bool parked;         /* it waits for the outside */
  bool preparing, waiting, young, stored;
  uint8_t id[16], user[32];
  struct facts facts; /* entry and nonce point into the two below */
  uint8_t entry[ENTRY_MAX], nonce[RECEIPT_NONCE_MAX];
  struct prepare *prepare; /* of a job that needs more than its request brings; NULL otherwise */
  struct sealed *sealed;   /* of a job whose input came sealed */
  struct fetches *fetches; /* from its first request to the outside on */
  uint8_t recipient[AGREE_PUBLIC];
  bool has_recipient;
  struct buf kept;  /* the request, while it is prepared or waits */
  struct buf logs;  /* JSON strings, joined by commas */
  struct buf hosts; /* those it may reach, if its request says */
};

struct jobs {
  struct jobs_setup setup;
  uint32_t count, waiting, young, most_young, parked;
  uint64_t last_id; /* of the conversation with a worker */
  uint8_t seed[DIGEST_SIZE];
  struct buf message;
  struct job *first; /* in the order they came */
};

static uint64_t elapsed_ns(const struct job *job) {
  return clock_monotonic_ns() - job->begun_ns;
}

/* To the broker. What passes through is somebody's data, and a large one's memory is not kept. */
static void tell(struct jobs *j) {
  j->setup.tell(j->setup.context, &j->message);
  wipe(j->message.data, j->message.len);
  if (j->message.cap <= KEEP_MAX) return buf_clear(&j->message);
  buf_free(&j->message);
  j->message = buf_new(SERVICE_ANSWER_MAX + MSG_HEADER);
}

/* ---- the end of a job ---- */

static struct job *find(struct jobs *j, uint64_t ticket) {
  struct job *job = j->first;
  while (job != NULL && job->ticket != ticket) job = job->next;
  return job;
}

/* Two jobs of one id would take each other's place in the store. */
static bool is_running(const struct jobs *j, const uint8_t id[16]) {
  const struct job *job = j->first;
  while (job != NULL && memcmp(job->id, id, sizeof job->id) != 0) job = job->next;
  return job != NULL;
}

/* Tells the broker how many jobs wait for the outside, if that has changed. */
static void note_parked(struct job *job) {
  struct jobs *j = job->all;
  const bool parked = job->worker != NULL && job->fetches != NULL && fetches_are_open(job->fetches);
  if (parked == job->parked) return;
  job->parked = parked;
  j->parked += parked ? 1 : UINT32_MAX;
  wire_put_parked(&j->message, &(struct wire_parked){j->parked});
  tell(j);
}

static void job_free(struct job *job) {
  if (job->timer != NULL) event_free(job->timer);
  fetches_free(job->fetches);
  prepare_free(job->prepare);
  sealed_free(job->sealed);
  buf_free(&job->kept);
  buf_free(&job->logs);
  buf_free(&job->hosts);
  wipe(job, sizeof *job);
  free(job);
}

static void drop(struct job *job) {
  struct jobs *j = job->all;
  struct job **at = &j->first;
  while (*at != job) at = &(*at)->next;
  *at = job->next;
  j->count--;
  job->worker = NULL;
  note_parked(job);
  j->waiting -= job->waiting;
  j->young -= job->young;
  job_free(job);
}

/* What the job had from elsewhere than its request, as the receipt commits to it. */
static bool note_sources(struct job *job, struct buf *network) {
  const struct prepare_secret *secrets = NULL;
  const size_t count = job->prepare == NULL ? 0 : prepare_secrets(job->prepare, &secrets);
  struct buf lines = buf_new(WIRE_SECRETS_MAX * NAME_MAX_BYTES + 256);
  if (job->fetches != NULL) fetches_put_summary(job->fetches, network);
  for (size_t i = 0; i < count; i++) receipt_put_secret(&lines, secrets[i].name, secrets[i].version, secrets[i].bound);
  if (network->len > 0) receipt_put_network(&lines, buf_span(network));
  const struct span bytes = buf_span(&lines);
  const bool ok = !lines.bad && !network->bad && hash_sha256(&bytes, 1, job->facts.secrets) == RESULT_OK;
  buf_free(&lines);
  return ok;
}

/* The one way out. */
static void finish(struct job *job, const struct wire_done *done) {
  static const struct wire_done incomplete = {.result = RESULT_NO_MEMORY};
  struct jobs *j = job->all;
  struct buf network = buf_new(NETWORK_MAX);
  const struct prepare_secret *secrets = NULL;
  const bool noted = note_sources(job, &network);
  if (job->logs.bad || !noted) { /* something is missing: what would be signed is not what was */
    buf_clear(&job->logs);
    done = &incomplete;
  }
  const size_t secret_count = job->prepare == NULL ? 0 : prepare_secrets(job->prepare, &secrets);
  const struct outcome o = {.secrets = secrets,
                            .secret_count = secret_count,
                            .network = buf_span(&network),
                            .sealed = job->sealed,
                            .recipient = job->has_recipient ? job->recipient : NULL,
                            .job = job->id,
                            .user = job->user,
                            .flags = job->flags,
                            .facts = &job->facts,
                            .done = done,
                            .logs = buf_span(&job->logs),
                            .duration_ns = job->waiting || job->preparing ? 0 : elapsed_ns(job),
                            .now = clock_real_ns() / 1000000000u};
  outcome_put_ended(&j->message, j->setup.keys, j->setup.identity, job->ticket, &o);
  buf_free(&network);
  tell(j);
  drop(job);
}

/* Ends it here and now, whatever its worker is doing. */
static void stop(struct job *job, enum result why) {
  const uint64_t ran_ns = job->worker != NULL ? elapsed_ns(job) : 0;
  if (job->worker != NULL) workers_take(job->worker);
  finish(job, &(struct wire_done){.result = (uint32_t)why, .wall_ns = ran_ns});
}

/* ---- while it runs ---- */

static enum result store(struct job *job) {
  struct jobs *j = job->all;
  struct buf sealed = buf_new(4096);
  enum result r = outcome_running(j->setup.keys, job->id, job->user, &job->facts, &sealed);
  if (r == RESULT_OK) {
    wire_put_stored(&j->message, &(struct wire_stored){.ticket = job->ticket, .sealed = buf_span(&sealed)});
    tell(j);
    job->stored = true;
  }
  buf_free(&sealed);
  return r;
}

/* The longer it runs, the more it lets others go first. A job that is over in a moment is stored once, at its end. */
#define STORE_MS 50u
static const struct stage { uint32_t at_ms, nice; } stages[] = {{2, 0}, {10, 5}, {STORE_MS, 5}, {100, 10}, {1000, 19}};
#define STAGES (sizeof stages / sizeof stages[0])

static uint64_t limit_ms(const struct job *job) {
  if (job->preparing) return PREPARE_MS;
  return job->worker != NULL ? job->timeout_ms + DISPATCH_GRACE_MS : WAIT_MS;
}

/* For the next stage or the limit. It can fail only for a job's first time: then the loop makes room for the timer. */
static bool arm(struct job *job) {
  const uint64_t passed_ns = elapsed_ns(job);
  uint64_t due_ms = limit_ms(job);
  if (job->worker != NULL && job->stage < STAGES && stages[job->stage].at_ms < due_ms)
    due_ms = stages[job->stage].at_ms;
  const uint64_t left_us = due_ms * 1000000 > passed_ns ? (due_ms * 1000000 - passed_ns) / 1000 + 1 : 1;
  return event_add(job->timer, &(struct timeval){(time_t)(left_us / 1000000), (suseconds_t)(left_us % 1000000)}) == 0;
}

static void grow_up(struct job *job) {
  job->all->young -= job->young;
  job->young = false;
}

/* False if the job is no more. */
static bool pass_stages(struct job *job, uint64_t passed_ms) {
  for (; job->stage < STAGES && stages[job->stage].at_ms <= passed_ms; job->stage++) {
    grow_up(job);
    workers_nice(job->worker, stages[job->stage].nice);
    enum result r = job->stored || stages[job->stage].at_ms < STORE_MS ? RESULT_OK : store(job);
    if (r == RESULT_OK) continue;
    stop(job, r);
    return false;
  }
  return true;
}

static void on_timer(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct job *job = context;
  struct jobs *j = job->all;
  const uint64_t passed_ms = elapsed_ns(job) / 1000000;
  if (job->unheard != RESULT_OK)
    stop(job, job->unheard == RESULT_NO_MEMORY ? RESULT_OUT_OF_MEMORY : RESULT_WORKER_LOST);
  else if (passed_ms >= limit_ms(job))
    stop(job, job->worker != NULL ? RESULT_TIMEOUT
              : job->preparing    ? RESULT_SECRET_STORE_UNAVAILABLE
                                  : RESULT_ENGINE_START);
  else if (job->worker == NULL || pass_stages(job, passed_ms))
    (void)arm(job);
  jobs_idle(j);
}

void jobs_log(struct jobs *j, void *job_, const struct wire_log *entry) {
  struct job *job = job_;
  if (job->logs.len > 0) buf_put_u8(&job->logs, ',');
  json_put_string(&job->logs, entry->text);
  if (job->flags & WIRE_EXECUTE_SEAL_OUTPUT) return; /* it is for the caller's eyes only */
  wire_put_logged(&j->message,
                  &(struct wire_logged){.ticket = job->ticket, .level = entry->level, .text = entry->text});
  tell(j);
}

/* ---- what it asks of the outside ---- */

static void answer_fetch(void *context, const struct wire_fetched *fetched) {
  struct job *job = context;
  if (job->worker == NULL || job->unheard != RESULT_OK) return;
  job->unheard = workers_answer(job->worker, fetched);
  note_parked(job);
  /* Not here: who calls is in the middle of this job's requests. */
  if (job->unheard != RESULT_OK) event_active(job->timer, EV_TIMEOUT, 1);
}

static enum result open_fetches(struct job *job) {
  const struct fetch_secret *secrets = NULL;
  const size_t count = job->prepare == NULL ? 0 : prepare_fetch_secrets(job->prepare, &secrets);
  struct fetches_job setup = {.hosts = buf_span(&job->hosts),
                              .secrets = secrets,
                              .secret_count = count,
                              .deadline_ns = job->begun_ns + job->timeout_ms * 1000000,
                              .answer = answer_fetch,
                              .context = job};
  memcpy(setup.user, job->user, sizeof setup.user);
  return fetches_new(&job->all->setup.fetches, &setup, &job->fetches);
}

void jobs_fetch(struct jobs *j, void *job_, const struct wire_fetch *fetch) {
  struct job *job = job_;
  (void)j;
  enum result r = job->fetches == NULL ? open_fetches(job) : RESULT_OK;
  if (r == RESULT_OK) r = fetches_ask(job->fetches, fetch);
  if (r != RESULT_OK) return stop(job, r);
  note_parked(job);
}

void jobs_abort(struct jobs *j, void *job_, uint32_t number) {
  struct job *job = job_;
  (void)j;
  if (job->fetches == NULL) return;
  fetches_abort(job->fetches, number);
  note_parked(job);
}

void jobs_done(struct jobs *j, void *job_, const struct wire_done *done) {
  struct job *job = job_;
  struct wire_done whole = *done;
  if (whole.wall_ns == 0) whole.wall_ns = elapsed_ns(job); /* its worker did not live to say */
  job->worker = NULL;
  finish(job, &whole);
  jobs_idle(j);
}

/* ---- how it begins ---- */

static bool text_fits(struct span text, size_t min, size_t max) {
  return text.len >= min && text.len <= max && text_utf8_valid(text);
}

static bool in_range(const struct wire_execute *m) {
  const uint32_t encrypt = WIRE_EXECUTE_ENCRYPT_ONLY | WIRE_EXECUTE_ENCRYPT_BESIDE;
  const uint32_t known = encrypt | WIRE_EXECUTE_ASYNC | WIRE_EXECUTE_DETERMINISTIC | WIRE_EXECUTE_SEAL_OUTPUT;
  const bool seals = m->flags & WIRE_EXECUTE_SEAL_OUTPUT, sealed = m->sealed.len > 0;
  bool fits = (m->flags & ~known) == 0 && (m->flags & encrypt) != encrypt;
  fits &= !seals || ((m->flags & encrypt) == 0 && (sealed || m->recipient.len == AGREE_PUBLIC));
  fits &= m->recipient.len == 0 || (seals && m->recipient.len == AGREE_PUBLIC);
  fits &= m->timeout_ms >= 1 && m->timeout_ms <= TIMEOUT_MAX_MS;
  fits &= m->memory >= MEMORY_MIN && m->memory <= MEMORY_MAX;
  fits &= m->steps >= 1 && m->steps <= INT64_MAX;
  const bool named = m->name.len > 0;
  fits &= named == (m->app.len > 0) && !(named && (sealed || m->script.len > 0));
  fits &= named || sealed || m->script.len > 0;
  fits &= text_fits(m->script, 0, SCRIPT_MAX) && text_fits(m->input, 1, INPUT_MAX);
  fits &= text_fits(m->entry, named ? 0 : 1, ENTRY_MAX) && text_fits(m->nonce, 0, RECEIPT_NONCE_MAX);
  fits &= text_fits(m->trace, 0, NAME_MAX_BYTES) && text_fits(m->user_id, 1, NAME_MAX_BYTES);
  fits &= text_fits(m->app, 0, NAME_MAX_BYTES) && text_fits(m->name, 0, NAME_MAX_BYTES);
  fits &= hosts_valid(m->hosts) && m->hosts.len <= HOSTS_TEXT_MAX;
  for (uint32_t i = 0; i < m->secret_count; i++) fits &= text_fits(m->secrets[i], 1, NAME_MAX_BYTES);
  return fits;
}

/* Those that the caller sealed beside the input; that there is room for them was seen when it was opened. */
static void add_sealed_secrets(const struct job *job, struct wire_job *w) {
  const struct wire_secret *secrets = NULL;
  const size_t count = job->sealed == NULL ? 0 : sealed_secrets(job->sealed, &secrets);
  for (size_t i = 0; i < count && w->secret_count < WIRE_SECRETS_MAX; i++) w->secrets[w->secret_count++] = secrets[i];
}

/* The request with what came sealed, or from elsewhere, in its place. */
static void complete(const struct job *job, struct wire_execute *m) {
  if (job->sealed != NULL) {
    m->input = sealed_input(job->sealed);
    if (m->script.len == 0) m->script = sealed_script(job->sealed);
  }
  if (job->prepare != NULL && !job->preparing) prepare_fill(job->prepare, m);
}

static struct wire_job worker_job(struct job *job, const struct wire_execute *m) {
  struct jobs *j = job->all;
  const struct prepare_secret *secrets = NULL;
  const size_t count = job->prepare == NULL ? 0 : prepare_secrets(job->prepare, &secrets);
  struct wire_job w = wire_default_job(m->script);
  w.id = ++j->last_id;
  w.flags = m->flags & WIRE_EXECUTE_DETERMINISTIC ? WIRE_DETERMINISTIC : 0;
  w.seed = span_of(j->seed, sizeof j->seed);
  w.timeout_ms = m->timeout_ms;
  w.memory = m->memory;
  w.steps = m->steps;
  w.entry = m->entry;
  w.input = m->input;
  for (size_t i = 0; i < count; i++) w.secrets[i] = (struct wire_secret){secrets[i].name, secrets[i].value};
  w.secret_count = (uint32_t)count;
  add_sealed_secrets(job, &w);
  return w;
}

static enum result hash_limits(const struct wire_execute *m, uint8_t out[HASH_SIZE]) {
  char memory[HOSTS_TEXT_MAX + 512];
  struct buf text = buf_fixed(memory, sizeof memory);
  const struct wire_job job = wire_default_job(m->script);
  receipt_put_limits(&text, &(struct receipt_limits){.timeout_ms = m->timeout_ms,
                                                     .memory_bytes = m->memory,
                                                     .steps = m->steps,
                                                     .output_bytes = job.output,
                                                     .log_entries = job.log_entries,
                                                     .log_entry_bytes = job.log_entry,
                                                     .hosts = m->hosts,
                                                     .deterministic = m->flags & WIRE_EXECUTE_DETERMINISTIC});
  const struct span bytes = buf_span(&text);
  return text.bad ? RESULT_NO_MEMORY : hash_sha256(&bytes, 1, out);
}

static enum result note_facts(struct job *job, const struct wire_execute *m) {
  struct facts *f = &job->facts;
  memcpy(f->keeper, job->all->setup.identity->born, sizeof f->keeper);
  if (m->entry.len > 0) memcpy(job->entry, m->entry.data, m->entry.len);
  if (m->nonce.len > 0) memcpy(job->nonce, m->nonce.data, m->nonce.len);
  f->entry = span_of(job->entry, m->entry.len);
  f->nonce = span_of(job->nonce, m->nonce.len);
  f->script_bytes = m->script.len;
  f->started_ns = clock_real_ns();
  enum result r = random_bytes(f->salt, sizeof f->salt);
  if (r == RESULT_OK) r = hash_sha256(&m->script, 1, f->script);
  if (r == RESULT_OK) r = receipt_commit(f->salt, m->input, f->input);
  return r == RESULT_OK ? hash_limits(m, f->limits) : r;
}

static struct job *job_new(struct jobs *j, const struct wire_execute *m) {
  struct job *job = calloc(1, sizeof *job);
  if (job == NULL) return NULL;
  job->all = j;
  job->ticket = m->ticket;
  job->flags = m->flags;
  job->timeout_ms = m->timeout_ms;
  memcpy(job->id, m->job, sizeof job->id);
  memcpy(job->user, m->user, sizeof job->user);
  job->kept = buf_new(SERVICE_REQUEST_MAX);
  job->logs = buf_new(LOGS_MAX);
  job->hosts = buf_new(HOSTS_TEXT_MAX);
  job->begun_ns = clock_monotonic_ns();
  job->timer = evtimer_new(j->setup.base, on_timer, job);
  if (job->timer == NULL || !arm(job)) {
    job_free(job);
    return NULL;
  }
  struct job **end = &j->first;
  while (*end != NULL) end = &(*end)->next;
  *end = job;
  j->count++;
  return job;
}

static bool give(struct job *job, const struct wire_execute *m) {
  struct jobs *j = job->all;
  const struct wire_job w = worker_job(job, m);
  if (j->young >= j->most_young) return false;
  job->worker = workers_give(j->setup.workers, job, &w);
  if (job->worker == NULL) return false;
  job->young = true;
  j->young++;
  job->begun_ns = clock_monotonic_ns();
  (void)arm(job);
  return true;
}

/* No worker is ready, or too many jobs have only just begun: the request is kept. */
static void wait(struct job *job, struct span body) {
  struct jobs *j = job->all;
  job->waiting = true;
  j->waiting++;
  buf_put_span(&job->kept, body);
  if (job->kept.bad) stop(job, RESULT_NO_MEMORY);
}

static void want_workers(struct jobs *j) {
  const uint32_t may_begin = j->most_young - j->young;
  workers_want(j->setup.workers, j->waiting < may_begin ? j->waiting : may_begin, clock_monotonic_ms());
}

/* It has all that it needs. */
static void begin(struct job *job, const struct wire_execute *m, struct span body) {
  struct jobs *j = job->all;
  struct buf none = buf_new(0);
  enum result r = note_facts(job, m);
  if (r == RESULT_OK && !note_sources(job, &none)) r = RESULT_NO_MEMORY;
  if (r == RESULT_OK && m->flags & WIRE_EXECUTE_ASYNC) r = store(job);
  if (r != RESULT_OK) return stop(job, r);
  want_workers(j);
  if (j->waiting > 0 || !give(job, m)) wait(job, body);
  jobs_idle(j);
}

static void on_prepared(void *context, enum result result, struct span detail) {
  struct job *job = context;
  struct jobs *j = job->all;
  struct wire_execute m;
  if (result == RESULT_OK && !wire_get_execute(buf_span(&job->kept), &m)) result = RESULT_NO_MEMORY;
  if (result != RESULT_OK) {
    finish(job, &(struct wire_done){.result = (uint32_t)result, .error = detail});
    return want_workers(j);
  }
  job->preparing = false;
  complete(job, &m);
  if (!text_fits(m.script, 1, SCRIPT_MAX) || !text_fits(m.entry, 1, ENTRY_MAX))
    return stop(job, RESULT_SCRIPT_STORE_INVALID);
  job->begun_ns = clock_monotonic_ns();
  struct buf kept = job->kept; /* where `m` points; it goes back there if the job has to wait */
  job->kept = buf_new(SERVICE_REQUEST_MAX);
  begin(job, &m, buf_span(&kept));
  buf_free(&kept);
}

/* Until its script and its secrets are there. A failure is told as a job's, so what is known is noted. */
static void prepare(struct job *job, const struct wire_execute *m, struct span body) {
  const struct prepare_setup setup = {job->all->setup.scripts, job->all->setup.secrets};
  job->preparing = true;
  buf_put_span(&job->kept, body);
  enum result r = job->kept.bad ? RESULT_NO_MEMORY : note_facts(job, m);
  if (r == RESULT_OK) r = prepare_new(&setup, m, on_prepared, job, &job->prepare);
  if (r != RESULT_OK) stop(job, r);
}

/* A secret that was sealed beside the input must not take the place of one that is asked for. */
static bool secrets_are_one_each(const struct sealed *s, const struct wire_execute *m) {
  const struct wire_secret *secrets;
  const size_t count = sealed_secrets(s, &secrets);
  for (size_t i = 0; i < count; i++)
    for (uint32_t k = 0; k < m->secret_count; k++)
      if (span_equal(secrets[i].name, m->secrets[k])) return false;
  return count + m->secret_count <= WIRE_SECRETS_MAX;
}

static enum result unseal(struct job *job, const struct wire_execute *m) {
  const struct jobs *j = job->all;
  const struct sealed_request request = {.user = m->user,
                                         .attestation = j->setup.identity->attestation,
                                         .script = m->script,
                                         .message = m->sealed,
                                         .now = clock_real_ns() / 1000000000u};
  enum result r = sealed_open(j->setup.keys, j->setup.replays, &request, &job->sealed);
  return r == RESULT_OK && !secrets_are_one_each(job->sealed, m) ? RESULT_SEALED_INPUT_REJECTED : r;
}

static enum result take(struct job *job, const struct wire_execute *m) {
  buf_put_span(&job->hosts, m->hosts);
  job->has_recipient = m->recipient.len == sizeof job->recipient;
  if (job->has_recipient) memcpy(job->recipient, m->recipient.data, sizeof job->recipient);
  if (job->hosts.bad) return RESULT_NO_MEMORY;
  return m->sealed.len > 0 ? unseal(job, m) : RESULT_OK;
}

static void start(struct job *job, const struct wire_execute *received, struct span body) {
  struct wire_execute m = *received;
  enum result r = take(job, &m);
  if (r != RESULT_OK) { /* whoever cannot be sealed to gets the reason only */
    if (note_facts(job, &m) != RESULT_OK) r = RESULT_CRYPTO;
    return stop(job, r);
  }
  complete(job, &m);
  if (prepare_needed(&m))
    prepare(job, &m, body);
  else
    begin(job, &m, body);
}

enum result jobs_execute(struct jobs *j, struct span body) {
  struct wire_execute m;
  if (!wire_get_execute(body, &m) || !in_range(&m)) return RESULT_PEER_LIED;
  if (j->count >= j->setup.most || find(j, m.ticket) != NULL || is_running(j, m.job)) return RESULT_PEER_LIED;
  struct job *job = job_new(j, &m);
  if (job == NULL) return RESULT_NO_MEMORY;
  start(job, &m, body);
  return RESULT_OK;
}

static struct job *first_waiting(struct jobs *j) {
  struct job *job = j->waiting > 0 ? j->first : NULL;
  while (job != NULL && !job->waiting) job = job->next;
  return job;
}

void jobs_idle(struct jobs *j) {
  struct job *job;
  while ((job = first_waiting(j)) != NULL) {
    struct wire_execute m;
    /* It was read once, so it can be read again. */
    if (!wire_get_execute(buf_span(&job->kept), &m)) break;
    complete(job, &m);
    if (!give(job, &m)) break;
    job->waiting = false;
    j->waiting--;
    buf_free(&job->kept);
  }
  want_workers(j);
}

enum result jobs_cancel(struct jobs *j, struct span body) {
  struct wire_cancel m;
  if (!wire_get_cancel(body, &m)) return RESULT_PEER_LIED;
  if (m.result != RESULT_CANCELLED && m.result != RESULT_INTERRUPTED) return RESULT_PEER_LIED;
  struct job *job = find(j, m.ticket);
  if (job == NULL) return RESULT_OK; /* its ENDED is on its way */
  stop(job, (enum result)m.result);
  want_workers(j);
  return RESULT_OK;
}

/* ---- all of them ---- */

/* Most jobs are over in a moment. Begun all at once they would only take the caches from each other: a few are enough
 * to keep every core busy, and a job that takes longer soon counts no more. */
static uint32_t most_young(void) {
  cpu_set_t cores;
  return (sched_getaffinity(0, sizeof cores, &cores) == 0 ? (uint32_t)CPU_COUNT(&cores) : 1) + 4;
}

enum result jobs_new(const struct jobs_setup *setup, struct jobs **out) {
  struct jobs *j = calloc(1, sizeof *j);
  if (j == NULL) return RESULT_NO_MEMORY;
  j->setup = *setup;
  j->most_young = most_young();
  j->message = buf_new(SERVICE_ANSWER_MAX + MSG_HEADER);
  /* As `neocompute run --deterministic` without a seed: what ran here can be run again there, byte for byte. */
  digest_sha256(span_text(""), j->seed);
  *out = j;
  return RESULT_OK;
}

size_t jobs_count(const struct jobs *j) {
  return j->count;
}

void jobs_free(struct jobs *j) {
  if (j == NULL) return;
  for (struct job *job = j->first, *next; job != NULL; job = next) {
    next = job->next;
    job_free(job);
  }
  buf_free(&j->message);
  free(j);
}
