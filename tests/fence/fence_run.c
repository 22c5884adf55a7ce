#include "fence_run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 10000
#define SECRET 0x5ec4e7u

static struct {
  int program;
  enum sandbox_role role;
  const char *directory;
  int listener;
  pid_t owner;
} self = {.listener = -1};

/* What a probe may try to read and to change. */
static volatile uint64_t secret = SECRET;

/* do_call_parent in fence_acts.c calls here. Again after each fork: the name holds the process's number. */
static bool be_somebody(void) {
  if (self.owner == getpid()) return true;
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  self.owner = getpid();
  memcpy(name.sun_path + 1, &self.owner, sizeof self.owner);
  self.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0); /* Yama would protect us; the fence shall */
  socklen_t len = offsetof(struct sockaddr_un, sun_path) + 1 + sizeof self.owner;
  return bind(self.listener, (struct sockaddr *)&name, len) == 0 && listen(self.listener, 64) == 0;
}

void fence_run_open(const char *probe, enum sandbox_role role, const char *directory) {
  self.role = role;
  self.program = open(probe, O_RDONLY | O_CLOEXEC);
  self.directory = directory;
}

/* As sandbox_spawn, but with nothing taken away, and with an environment to read. */
static _Noreturn void control_main(int socket) {
  char name[] = "fence_probe", held[] = "0", variable[] = "FENCE=none";
  char *const argv[] = {name, held, NULL}, *const envp[] = {variable, NULL};
  const struct rlimit no_core = {0, 0};
  int s = fcntl(socket, F_DUPFD, 10), program = fcntl(self.program, F_DUPFD, 10);
  setrlimit(RLIMIT_CORE, &no_core);
  if (chdir(self.directory) != 0 || dup2(s, SANDBOX_SOCKET) < 0 || dup2(program, SANDBOX_PROGRAM) < 0) _exit(127);
  syscall(SYS_close_range, 1, SANDBOX_PROGRAM - 1, 0);
  syscall(SYS_close_range, SANDBOX_PROGRAM + 1, ~0u, 0);
  syscall(SYS_execveat, SANDBOX_PROGRAM, "", argv, envp, AT_EMPTY_PATH);
  _exit(127);
}

static bool spawn(struct fence_run *run, enum fence_mode mode, int socket) {
  if (mode != FENCE_CONTROL)
    return sandbox_spawn(self.role, "fence_probe", self.program, socket, &run->pid, &run->pidfd) == RESULT_OK;
  run->pid = fork();
  if (run->pid == 0) control_main(socket);
  return run->pid > 0;
}

/* ---- hearing ---- */

static bool comes(int fd) {
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  int n;
  do n = poll(&wait, 1, PATIENCE_MS);
  while (n < 0 && errno == EINTR);
  return n > 0;
}

/* Counts and closes descriptors that came along. */
static void refuse(struct fence_run *run, struct msghdr *m) {
  for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    int fd;
    for (size_t at = 0; at + sizeof fd <= c->cmsg_len - CMSG_LEN(0); at += sizeof fd) {
      memcpy(&fd, CMSG_DATA(c) + at, sizeof fd);
      close(fd);
      run->descriptors++;
    }
  }
}

/* The next word that is not noise; false at the end, and with `end` set if there was only silence. */
static bool hear(struct fence_run *run, struct fence_reply *reply) {
  do {
    for (size_t got = 0; got < sizeof *reply;) {
      union {
        char room[256];
        struct cmsghdr align;
      } control;
      struct iovec part = {(uint8_t *)reply + got, sizeof *reply - got};
      struct msghdr m = {
          .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.room};
      if (!comes(run->socket)) {
        run->end = FENCE_HUNG;
        return false;
      }
      ssize_t n = recvmsg(run->socket, &m, MSG_CMSG_CLOEXEC);
      if (n <= 0) return false;
      refuse(run, &m);
      got += (size_t)n;
    }
  } while (reply->word == FENCE_WORD_NOISE);
  return true;
}

bool fence_run_greet(struct fence_run *run, enum fence_mode mode, bool allowed, uint32_t act) {
  struct {
    struct fence_command command;
    uint8_t more;
  } c = {{.mode = mode,
          .allowed = allowed,
          .act = act,
          .parent = getpid(),
          .secret = (uintptr_t)&secret,
          .role = self.role},
         'x'};
  c.command.parent_fd = self.listener;
  size_t len = offsetof(__typeof__(c), more) + (act != FENCE_WAIT);
  return send(run->socket, &c, len, MSG_NOSIGNAL) == (ssize_t)len && hear(run, &run->ready) &&
         run->ready.word == FENCE_WORD_READY;
}

bool fence_run_gone(struct fence_run *run) {
  char byte;
  return comes(run->socket) && recv(run->socket, &byte, 1, 0) <= 0;
}

/* ---- ending ---- */

void fence_run_reap(struct fence_run *run) {
  siginfo_t info = {.si_pid = 0};
  close(run->socket);
  if (run->pidfd >= 0 && !comes(run->pidfd)) kill(run->pid, SIGKILL);
  if (run->end == FENCE_HUNG) kill(run->pid, SIGKILL);
  while (waitid(P_PID, (id_t)run->pid, &info, WEXITED) < 0 && errno == EINTR) continue;
  if (run->pidfd >= 0) close(run->pidfd);
  run->dumped = info.si_code == CLD_DUMPED;
  if (run->end != FENCE_ENDED) return;
  run->value = info.si_status;
  run->end = info.si_code == CLD_EXITED ? FENCE_ENDED : FENCE_KILLED;
}

void fence_run_finish(struct fence_run *run) {
  struct fence_reply reply;
  run->end = FENCE_ENDED;
  if (hear(run, &reply) && reply.word == FENCE_WORD_RESULT) {
    run->value = (int)reply.error;
    run->end = run->value == 0 ? FENCE_DID : FENCE_FAILED;
  }
  fence_run_reap(run);
  run->spoiled = secret != SECRET;
  secret = SECRET;
}

bool fence_run_start(struct fence_run *run, enum fence_mode mode, bool allowed, uint32_t act) {
  int pair[2];
  *run = (struct fence_run){.pidfd = -1, .end = FENCE_ENDED};
  if (!be_somebody() || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return false;
  bool started = spawn(run, mode, pair[1]);
  close(pair[1]);
  run->socket = pair[0];
  if (started && fence_run_greet(run, mode, allowed, act)) return true;
  if (started)
    fence_run_reap(run);
  else
    close(pair[0]);
  return false;
}

void fence_run(struct fence_run *run, enum fence_mode mode, bool allowed, uint32_t act) {
  if (fence_run_start(run, mode, allowed, act)) fence_run_finish(run);
}
