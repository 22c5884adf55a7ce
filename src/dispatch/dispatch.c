#include "dispatch/dispatch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"

#define START_MS 10000 /* from exec to READY; milliseconds on a quiet machine */

struct dispatch {
  int program, socket, pidfd;
  pid_t pid;
  enum wire_state state;
  struct wire_ready ready;
  char engine_id[64];
  struct buf message, outgoing;
};

static uint64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static void end_worker(struct dispatch *d) {
  if (d->pid > 0) {
    syscall(SYS_pidfd_send_signal, d->pidfd, SIGKILL, NULL, 0);
    while (waitpid(d->pid, NULL, 0) < 0 && errno == EINTR) continue;
  }
  d->pid = 0;
  close_fd(&d->pidfd);
  close_fd(&d->socket);
}

/* ---- reading, never past the deadline ---- */

/* RESULT_TIMEOUT at the deadline, RESULT_IO at the end of the stream. */
static enum result read_before(struct dispatch *d, uint8_t *out, size_t len, uint64_t deadline) {
  while (len > 0) {
    ssize_t n = recv(d->socket, out, len, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return RESULT_IO;
    if (n > 0) {
      out += n;
      len -= (size_t)n;
      continue;
    }
    uint64_t now = now_ms();
    if (now >= deadline) return RESULT_TIMEOUT;
    struct pollfd wait = {.fd = d->socket, .events = POLLIN};
    uint64_t left = deadline - now;
    if (poll(&wait, 1, left > 60000 ? 60000 : (int)left) < 0 && errno != EINTR) return RESULT_IO;
  }
  return RESULT_OK;
}

static enum result receive(struct dispatch *d, uint8_t *type, uint64_t deadline) {
  uint8_t header[MSG_HEADER], part[16384];
  enum result r = read_before(d, header, sizeof header, deadline);
  if (r != RESULT_OK) return r;
  struct cursor c = cursor_of(span_of(header, sizeof header));
  size_t len = cursor_u32(&c);
  *type = cursor_u8(&c);
  buf_clear(&d->message);
  if (len > WIRE_ANSWER_MAX) return RESULT_WORKER_LIED;
  while (len > 0 && r == RESULT_OK) {
    size_t n = len < sizeof part ? len : sizeof part;
    r = read_before(d, part, n, deadline);
    if (r == RESULT_OK) buf_put(&d->message, part, n);
    if (d->message.bad) r = RESULT_NO_MEMORY;
    len -= n;
  }
  return r;
}

/* ---- a worker's life ---- */

static enum result hear_ready(struct dispatch *d) {
  uint8_t type;
  enum result r = receive(d, &type, now_ms() + START_MS);
  if (r == RESULT_IO) return RESULT_SANDBOX_REFUSED; /* it ended before it was ready: that is why it would */
  if (r != RESULT_OK) return r;
  if (!wire_in_order(WIRE_WORKER, type, &d->state) || !wire_get_ready(buf_span(&d->message), &d->ready))
    return RESULT_WORKER_LIED;
  if (d->ready.engine_id.len != sizeof d->engine_id) return RESULT_WORKER_LIED;
  memcpy(d->engine_id, d->ready.engine_id.data, sizeof d->engine_id);
  d->ready.engine_id = span_of(d->engine_id, sizeof d->engine_id);
  return (d->ready.fences & SANDBOX_REQUIRED) == SANDBOX_REQUIRED ? RESULT_OK : RESULT_SANDBOX_REFUSED;
}

static enum result start_worker(struct dispatch *d) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return RESULT_IO;
  enum result r = sandbox_spawn(SANDBOX_WORKER, "neocompute-worker", d->program, pair[1], &d->pid, &d->pidfd);
  close(pair[1]);
  d->socket = pair[0];
  d->state = WIRE_STARTING;
  if (r == RESULT_OK) r = hear_ready(d);
  if (r == RESULT_TIMEOUT) r = RESULT_ENGINE_START;
  if (r != RESULT_OK) end_worker(d);
  return r;
}

/* A worker that ended while it had nothing to do costs nobody an error. */
static bool worker_lives(const struct dispatch *d) {
  struct pollfd end = {.fd = d->pidfd, .events = POLLIN};
  return d->pid > 0 && poll(&end, 1, 0) == 0;
}

enum result dispatch_start(const char *program, struct dispatch **out) {
  struct dispatch *d = calloc(1, sizeof *d);
  if (d == NULL) return RESULT_NO_MEMORY;
  d->socket = d->pidfd = -1;
  d->message = buf_new(WIRE_ANSWER_MAX);
  d->outgoing = buf_new(WIRE_JOB_MAX + MSG_HEADER);
  d->program = open(program, O_RDONLY | O_CLOEXEC);
  enum result r = d->program < 0 ? RESULT_IO : start_worker(d);
  if (r == RESULT_OK) {
    *out = d;
    d = NULL;
  }
  dispatch_free(d);
  return r;
}

/* ---- one job ---- */

static enum result hear_log(struct dispatch *d, const struct wire_job *job, const struct dispatch_hooks *hooks) {
  struct wire_log entry;
  if (!wire_get_log(buf_span(&d->message), &entry) || entry.id != job->id) return RESULT_WORKER_LIED;
  if (!text_utf8_valid(entry.text)) return RESULT_WORKER_LIED;
  if (hooks != NULL && hooks->log != NULL) hooks->log(hooks->context, entry.level, entry.text);
  return RESULT_OK;
}

/* Output goes into replies as it is, so it must be what a worker may answer: one canonical JSON object, or nothing. A
 * second value behind the first, or a stray brace, would be fields of our reply. */
static bool output_is_sound(const struct wire_job *job, const struct wire_done *done) {
  if (done->result != RESULT_OK || job->flags & WIRE_CHECK_ONLY) return done->output.len == 0;
  if (done->output.len == 0 || done->output.len > job->output || done->output.data[0] != '{') return false;
  return json_canonical(done->output) == JSON_CANONICAL;
}

static enum result hear_done(struct dispatch *d, const struct wire_job *job, struct wire_done *done) {
  if (!wire_get_done(buf_span(&d->message), done)) return RESULT_WORKER_LIED;
  if (done->id != job->id || done->result >= RESULT_COUNT || !output_is_sound(job, done)) return RESULT_WORKER_LIED;
  if (!text_utf8_valid(done->error) || !text_utf8_valid(done->stack)) return RESULT_WORKER_LIED;
  return RESULT_OK;
}

/* A worker says what it likes; how often it may say it is bounded by the job's limits (and one more entry is a lie). */
static enum result converse(struct dispatch *d, const struct wire_job *job, const struct dispatch_hooks *hooks,
                            struct wire_done *done) {
  uint64_t deadline = now_ms() + job->timeout_ms + DISPATCH_GRACE_MS;
  enum result r = msg_send_built(d->socket, &d->outgoing);
  if (r != RESULT_OK) return RESULT_WORKER_LOST;
  if (!wire_in_order(WIRE_KEEPER, WIRE_JOB, &d->state)) return RESULT_WORKER_LIED;
  for (uint32_t entries = 0; r == RESULT_OK && d->state == WIRE_BUSY;) {
    uint8_t type = 0;
    r = receive(d, &type, deadline);
    if (r == RESULT_IO) return RESULT_WORKER_LOST;
    if (r != RESULT_OK) return r;
    if (!wire_in_order(WIRE_WORKER, type, &d->state)) return RESULT_WORKER_LIED;
    if (type == WIRE_DONE)
      r = hear_done(d, job, done);
    else
      r = entries++ < job->log_entries ? hear_log(d, job, hooks) : RESULT_WORKER_LIED;
  }
  return r;
}

void dispatch_run(struct dispatch *d, const struct wire_job *job, const struct dispatch_hooks *hooks,
                  struct wire_done *done) {
  *done = (struct wire_done){.id = job->id};
  enum result r = RESULT_OK;
  if (!worker_lives(d)) {
    end_worker(d);
    r = start_worker(d);
  }
  if (r == RESULT_OK) {
    wire_put_job(&d->outgoing, job);
    r = d->outgoing.bad ? RESULT_NO_MEMORY : converse(d, job, hooks, done);
    wipe(d->outgoing.data, d->outgoing.len);
  }
  if (r != RESULT_OK) *done = (struct wire_done){.id = job->id, .result = (uint32_t)r};
  /* A worker that says it cannot be fresh again, or that failed in any way, is not asked twice. */
  if (r != RESULT_OK || !done->reusable) end_worker(d);
}

const struct wire_ready *dispatch_worker(const struct dispatch *d) {
  return &d->ready;
}

pid_t dispatch_pid(const struct dispatch *d) {
  return d->pid;
}

void dispatch_free(struct dispatch *d) {
  if (d == NULL) return;
  end_worker(d);
  close_fd(&d->program);
  buf_free(&d->message);
  buf_free(&d->outgoing);
  free(d);
}
