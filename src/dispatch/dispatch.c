#include "dispatch/dispatch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define START_MS 10000 /* from exec to READY; milliseconds on a quiet machine */

struct dispatch {
  int program, socket, pidfd;
  pid_t pid;
  struct conversation talk;
  struct buf message, outgoing, refusal;
};

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
    uint64_t now = clock_monotonic_ms();
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
  if (len > WIRE_SAID_MAX) return RESULT_WORKER_LIED;
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
  struct conversation_heard heard;
  enum result r = receive(d, &type, clock_monotonic_ms() + START_MS);
  if (r == RESULT_IO) return RESULT_SANDBOX_REFUSED; /* it ended before it was ready: that is why it would */
  return r == RESULT_OK ? conversation_hear(&d->talk, type, buf_span(&d->message), &heard) : r;
}

static enum result start_worker(struct dispatch *d) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return RESULT_IO;
  enum result r = sandbox_spawn(SANDBOX_WORKER, "neocompute-worker", d->program, pair[1], &d->pid, &d->pidfd);
  close(pair[1]);
  d->socket = pair[0];
  conversation_begin(&d->talk);
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
  d->message = buf_new(WIRE_SAID_MAX);
  d->outgoing = buf_new(WIRE_JOB_MAX + MSG_HEADER);
  d->refusal = buf_new(4096);
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

/* Nobody here has a network. */
static enum result refuse_fetch(struct dispatch *d, const struct wire_fetch *fetch) {
  wire_put_fetched(&d->refusal,
                   &(struct wire_fetched){.id = fetch->id,
                                          .number = fetch->number,
                                          .result = RESULT_FETCH_UNAVAILABLE,
                                          .error = span_text("fetch needs the service (neocompute serve)")});
  return msg_send_built(d->socket, &d->refusal) == RESULT_OK ? RESULT_OK : RESULT_WORKER_LOST;
}

static enum result converse(struct dispatch *d, const struct wire_job *job, const struct dispatch_hooks *hooks,
                            struct wire_done *done) {
  uint64_t deadline = clock_monotonic_ms() + job->timeout_ms + DISPATCH_GRACE_MS;
  struct conversation_heard heard = {0};
  enum result r = conversation_ask(&d->talk, job);
  if (r == RESULT_OK && msg_send_built(d->socket, &d->outgoing) != RESULT_OK) return RESULT_WORKER_LOST;
  while (r == RESULT_OK && heard.type != WIRE_DONE) {
    uint8_t type = 0;
    r = receive(d, &type, deadline);
    if (r == RESULT_IO) return RESULT_WORKER_LOST;
    if (r == RESULT_OK) r = conversation_hear(&d->talk, type, buf_span(&d->message), &heard);
    if (r == RESULT_OK && heard.type == WIRE_LOG && hooks != NULL && hooks->log != NULL)
      hooks->log(hooks->context, heard.log.level, heard.log.text);
    if (r == RESULT_OK && heard.type == WIRE_FETCH) r = refuse_fetch(d, &heard.fetch);
  }
  if (r == RESULT_OK) *done = heard.done;
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
  const uint64_t begun_ns = clock_monotonic_ns();
  if (r == RESULT_OK) {
    wire_put_job(&d->outgoing, job);
    r = d->outgoing.bad ? RESULT_NO_MEMORY : converse(d, job, hooks, done);
    wipe(d->outgoing.data, d->outgoing.len);
  }
  if (r != RESULT_OK)
    *done = (struct wire_done){.id = job->id, .result = (uint32_t)r, .wall_ns = clock_monotonic_ns() - begun_ns};
  /* A worker that says it cannot be fresh again, or that failed in any way, is not asked twice. */
  if (r != RESULT_OK || !done->reusable) end_worker(d);
}

const struct wire_ready *dispatch_worker(const struct dispatch *d) {
  return &d->talk.ready;
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
  buf_free(&d->refusal);
  free(d);
}
