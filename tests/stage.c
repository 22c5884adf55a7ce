#include "stage.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attest/attest.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/digest.h"
#include "keeper/keeper.h"
#include "sandbox/sandbox.h"
#include "wire/channel.h"

#define MAX_OUT ((size_t)64 << 20)

static void need(bool fine, const char *what) {
  if (fine) return;
  perror(what);
  exit(99);
}

/* ---- as its supervisor ---- */

static void send_control(struct stage *s, struct buf *b, int fd) {
  enum result r = fd < 0 ? channel_send(s->control, b) : channel_send_fd(s->control, b, fd);
  need(r == RESULT_OK || r == RESULT_PEER_LOST, "control");
  buf_free(b);
}

static struct buf message(void) {
  return buf_new(SERVICE_ANSWER_MAX + MSG_HEADER);
}

static void tell_gone(struct stage *s, uint32_t number) {
  struct buf b = message();
  wire_put_worker_gone(&b, &(struct wire_worker){number});
  send_control(s, &b, -1);
}

static void spawn(struct stage *s, uint32_t number) {
  int pair[2];
  need(number < STAGE_WORKERS && s->workers[number].pid == 0, "number");
  s->spawned++;
  if (s->refuse_workers) return tell_gone(s, number);
  int program = open(s->worker, O_RDONLY | O_CLOEXEC);
  need(program >= 0, s->worker);
  need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
  enum result r = sandbox_spawn(SANDBOX_WORKER, "neocompute-worker", program, pair[1], &s->workers[number].pid,
                                &s->workers[number].pidfd);
  need(r == RESULT_OK, "spawn");
  close(program);
  close(pair[1]);
  struct buf b = message();
  wire_put_worker_started(&b, &(struct wire_worker){number});
  send_control(s, &b, pair[0]);
  close(pair[0]);
}

static void reap(struct stage *s, uint32_t number) {
  while (waitpid(s->workers[number].pid, NULL, 0) < 0 && errno == EINTR) continue;
  close(s->workers[number].pidfd);
  s->workers[number].pid = 0;
  tell_gone(s, number);
}

static void nice_worker(struct stage *s, const struct wire_nice *m) {
  s->last_nice = m->level;
  if (s->workers[m->number].pid == 0) return;
  (void)setpriority(PRIO_PROCESS, (id_t)s->workers[m->number].pid, (int)m->level);
  if (m->level > 0) return;
  struct buf b = message();
  wire_put_worker_restored(&b, &(struct wire_worker){m->number});
  send_control(s, &b, -1);
}

/* Signed by nobody, as on a machine without hardware for it. */
static void give_evidence(struct stage *s, const struct wire_evidence *m) {
  struct attest_claim claim = {.agree_key = m->agree_key, .nonce = m->nonce};
  struct buf raw = buf_new(4096), b = message();
  need(m->report_data.len == sizeof claim.report_data, "report data");
  memcpy(claim.report_data, m->report_data.data, sizeof claim.report_data);
  need(attest_sim.evidence(&attest_this_machine, &claim, &raw) == RESULT_OK, "evidence");
  const enum result r = s->refuse_evidence ? RESULT_EVIDENCE_AWAY : RESULT_OK;
  wire_put_evidenced(
      &b, &(struct wire_evidenced){m->ticket, (uint32_t)r, s->refuse_evidence ? span_text("") : buf_span(&raw)});
  send_control(s, &b, -1);
  buf_free(&raw);
}

static void serve_control(struct stage *s, const struct channel_message *m) {
  struct wire_worker w;
  struct wire_nice nice;
  if (m->type == WIRE_SPAWN && wire_get_spawn(m->body, &w)) spawn(s, w.number);
  if (m->type == WIRE_KILL && wire_get_kill(m->body, &w)) {
    s->killed++;
    if (w.number < STAGE_WORKERS && s->workers[w.number].pid > 0) kill(s->workers[w.number].pid, SIGKILL);
  }
  struct wire_evidence evidence;
  if (m->type == WIRE_EVIDENCE && wire_get_evidence(m->body, &evidence)) give_evidence(s, &evidence);
  if (m->type == WIRE_NICE && wire_get_nice(m->body, &nice)) nice_worker(s, &nice);
}

/* ---- both ---- */

static size_t watch(struct stage *s, struct pollfd *fds, uint32_t *numbers) {
  size_t n = 2;
  fds[0] = (struct pollfd){.fd = channel_fd(s->control), .events = POLLIN};
  fds[1] = (struct pollfd){.fd = channel_fd(s->broker), .events = POLLIN};
  if (channel_pending(s->broker) > 0) fds[1].events |= POLLOUT;
  for (uint32_t i = 0; i < STAGE_WORKERS; i++) {
    if (s->workers[i].pid == 0) continue;
    numbers[n] = i;
    fds[n++] = (struct pollfd){.fd = s->workers[i].pidfd, .events = POLLIN};
  }
  return n;
}

static void hear_control(struct stage *s) {
  struct channel_message m;
  enum result r = channel_read(s->control);
  while (channel_next(s->control, &m) == RESULT_OK && m.type != 0) serve_control(s, &m);
  (void)r; /* the end of the keeper shows on the broker's link, too */
}

/* One round: waits at most `ms`. False at the end of the broker's link. */
static bool turn(struct stage *s, int ms) {
  struct pollfd fds[STAGE_WORKERS + 2];
  uint32_t numbers[STAGE_WORKERS + 2];
  size_t n = watch(s, fds, numbers);
  if (poll(fds, n, ms) < 0) return errno == EINTR;
  for (size_t i = 2; i < n; i++)
    if (fds[i].revents != 0) reap(s, numbers[i]);
  if (fds[0].revents != 0) hear_control(s);
  if (fds[1].revents & POLLOUT && channel_flush(s->broker) != RESULT_OK) return false;
  return !(fds[1].revents & (POLLIN | POLLHUP)) || channel_read(s->broker) == RESULT_OK;
}

bool stage_hear_any(struct stage *s, int ms, uint8_t *type, struct span *body) {
  const uint64_t until = clock_monotonic_ms() + (uint64_t)ms;
  for (bool open = true;;) {
    struct channel_message m;
    if (channel_next(s->broker, &m) == RESULT_OK && m.type != 0) {
      *type = m.type;
      *body = m.body;
      return true;
    }
    const uint64_t now = clock_monotonic_ms();
    if (!open || now >= until) return false;
    open = turn(s, (int)(until - now));
  }
}

/* Its store of secrets is empty. */
static void answer_query(struct stage *s, struct span body) {
  struct wire_query m;
  struct cursor rest;
  struct buf b = buf_new(256);
  need(wire_get_query(body, &m, &rest), "a query");
  wire_put_rows(&b, WIRE_STORE_ROWS, &(struct wire_rows){.ticket = m.ticket, .result = RESULT_OK});
  stage_tell(s, &b);
  buf_free(&b);
}

bool stage_hear(struct stage *s, uint8_t type, int ms, struct span *body) {
  uint8_t got = 0;
  while (stage_hear_any(s, ms, &got, body)) {
    if (got == type) return true;
    need(got != WIRE_ENDED, "ENDED out of turn");
    if (got == WIRE_STORE_QUERY) answer_query(s, *body);
  }
  return false;
}

void stage_tell(struct stage *s, struct buf *b) {
  enum result r = channel_send(s->broker, b);
  need(r == RESULT_OK || r == RESULT_PEER_LOST, "broker");
}

struct wire_execute stage_job(uint64_t ticket, const char *script) {
  struct wire_execute m = {.ticket = ticket,
                           .timeout_ms = 5000,
                           .memory = 128u << 20,
                           .steps = INT64_MAX,
                           .script = span_text(script),
                           .user_id = span_text("somebody"),
                           .entry = span_text("main"),
                           .input = span_text("{\"a\":2,\"b\":3}")};
  memcpy(m.job, &ticket, sizeof ticket);
  digest_sha256(m.user_id, m.user);
  return m;
}

void stage_rotate(struct stage *s, struct span tls_spki) {
  struct buf b = message();
  wire_put_rotate(&b, &(struct wire_rotate){tls_spki});
  send_control(s, &b, -1);
}

/* ---- begin and end ---- */

static void start_keeper(struct stage *s, int control[2]) {
  s->keeper = fork();
  need(s->keeper >= 0, "fork");
  if (s->keeper > 0) return;
  dup2(control[1], SANDBOX_SOCKET);
  for (int fd = 3; fd < 1024; fd++) close(fd);
  _exit(keeper_main(&(struct sandbox_place){SANDBOX_SOCKET, 0, true}));
}

static void set(struct config *c, enum config_id id, const char *value) {
  if (value != NULL) need(config_set(c, id, value) == RESULT_OK, "setting");
}

static void send_setup(struct stage *s, const struct stage_options *o) {
  struct config *c = NULL;
  struct buf settings = buf_new(65536), b = message();
  need(config_new(&c) == RESULT_OK, "config");
  set(c, CONFIG_WORKERS, o->workers);
  set(c, CONFIG_WORKERS_IDLE, o->workers_idle);
  set(c, CONFIG_PARKED, "0"); /* what beyond `workers` is too many stays so */
  set(c, CONFIG_LOG_LEVEL, "error");
  set(c, CONFIG_ATTEST_PROVIDER, "sim");
  config_put(&settings, c);
  wire_put_keeper_setup(
      &b, &(struct wire_keeper_setup){.config = buf_span(&settings),
                                      .master_key = span_text(o->master_key == NULL ? "" : o->master_key)});
  send_control(s, &b, -1);
  buf_free(&settings);
  config_free(c);
}

void stage_open(struct stage *s, const struct stage_options *o) {
  int control[2], broker[2];
  struct span body;
  *s = (struct stage){.worker = o->worker, .refuse_workers = o->worker == NULL, .refuse_evidence = o->refuse_evidence};
  need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, control) == 0, "socketpair");
  need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, broker) == 0, "socketpair");
  start_keeper(s, control);
  close(control[1]);
  need(channel_new(control[0], 65536, MAX_OUT, &s->control) == RESULT_OK, "channel");
  need(channel_new(broker[0], SERVICE_ANSWER_MAX, MAX_OUT, &s->broker) == RESULT_OK, "channel");
  send_setup(s, o);
  struct buf b = message();
  wire_put_empty(&b, WIRE_CLIENT);
  send_control(s, &b, broker[1]);
  close(broker[1]);
  s->identity = buf_new(SERVICE_ANSWER_MAX);
  if (o->no_identity) return;
  need(stage_hear(s, WIRE_IDENTITY, 20000, &body), "identity");
  buf_put_span(&s->identity, body);
}

int stage_close(struct stage *s) {
  int status = 0;
  buf_free(&s->identity);
  channel_free(s->broker);
  channel_free(s->control);
  while (waitpid(s->keeper, &status, 0) < 0 && errno == EINTR) continue;
  for (uint32_t i = 0; i < STAGE_WORKERS; i++) {
    if (s->workers[i].pid == 0) continue;
    kill(s->workers[i].pid, SIGKILL);
    while (waitpid(s->workers[i].pid, NULL, 0) < 0 && errno == EINTR) continue;
    close(s->workers[i].pidfd);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
