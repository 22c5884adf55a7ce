#include "supervisor/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
  struct child_hooks hooks;
  struct event *readable; /* of the pidfd: when the process has ended */
  pid_t pid;
  int pidfd;
  bool reaped;
};

int child_program(const char *path) {
  return open(path, O_RDONLY | O_CLOEXEC);
}

static void reap(struct child *c, siginfo_t *end) {
  *end = (siginfo_t){.si_pid = 0};
  while (waitid(P_PID, (id_t)c->pid, end, WEXITED) < 0 && errno == EINTR) continue;
  c->reaped = true;
}

static void on_end(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct child *c = context;
  siginfo_t end;
  event_del(c->readable);
  reap(c, &end);
  c->hooks.ended(c->hooks.context, &end);
}

static enum result watch(struct child *c, struct event_base *base) {
  c->readable = event_new(base, c->pidfd, EV_READ | EV_PERSIST, on_end, c);
  return c->readable != NULL && event_add(c->readable, NULL) == 0 ? RESULT_OK : RESULT_NO_MEMORY;
}

enum result child_start(struct event_base *base, enum sandbox_role role, const char *name, int program,
                        const struct child_hooks *hooks, int *socket, struct child **out) {
  int pair[2];
  struct child *c = calloc(1, sizeof *c);
  if (c == NULL) return RESULT_NO_MEMORY;
  c->hooks = *hooks;
  c->reaped = true; /* as long as there is none */
  c->pidfd = -1;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    free(c);
    return RESULT_IO;
  }
  enum result r = sandbox_spawn(role, name, program, pair[1], &c->pid, &c->pidfd);
  close(pair[1]);
  c->reaped = r != RESULT_OK;
  if (r == RESULT_OK) r = watch(c, base);
  if (r != RESULT_OK) {
    close(pair[0]);
    child_free(c);
    return r;
  }
  *socket = pair[0];
  *out = c;
  return RESULT_OK;
}

void child_kill(const struct child *c) {
  if (!c->reaped) syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
}

enum result child_nice(const struct child *c, int level) {
  return !c->reaped && setpriority(PRIO_PROCESS, (id_t)c->pid, level) == 0 ? RESULT_OK : RESULT_IO;
}

bool child_wait(struct child *c, int ms, siginfo_t *end) {
  struct pollfd wait = {.fd = c->pidfd, .events = POLLIN};
  if (c->reaped || poll(&wait, 1, ms) <= 0) return false;
  event_del(c->readable);
  reap(c, end);
  return true;
}

void child_free(struct child *c) {
  siginfo_t info;
  if (c == NULL) return;
  child_kill(c);
  if (!c->reaped) reap(c, &info);
  if (c->readable != NULL) event_free(c->readable);
  if (c->pidfd >= 0) close(c->pidfd);
  free(c);
}
