/*
 * Started as a worker, the broker or the keeper is, it enters their fence and then tries the one act that fence_test
 * names. It tells what it found, that it is inside, and what the act came to; of an act that is stopped as it should
 * be, nothing is told.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"
#include "fence_acts.h"
#include "sandbox/sandbox.h"

static struct fence_reply reply;

static bool tell(enum fence_word word, int error) {
  reply.word = word;
  reply.error = (uint32_t)error;
  return write(SANDBOX_SOCKET, &reply, sizeof reply) == (ssize_t)sizeof reply;
}

static bool hear(void *out, size_t len) {
  for (uint8_t *p = out; len > 0;) {
    ssize_t n = read(SANDBOX_SOCKET, p, len);
    if (n <= 0) return false;
    p += n;
    len -= (size_t)n;
  }
  return true;
}

static uint32_t count_root(void) {
  uint32_t n = 0;
  DIR *root = opendir("/");
  if (root == NULL) return UINT32_MAX;
  for (const struct dirent *e; (e = readdir(root)) != NULL;)
    n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
  closedir(root);
  return n;
}

static uint32_t count_addresses(void) {
  struct ifreq found[16];
  struct ifconf conf = {.ifc_len = sizeof found, .ifc_req = found};
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  bool ok = s >= 0 && ioctl(s, SIOCGIFCONF, &conf) == 0;
  if (s >= 0) close(s);
  return ok ? (uint32_t)conf.ifc_len / (uint32_t)sizeof(struct ifreq) : UINT32_MAX;
}

static void look_around(struct fence_world *w) {
  for (char **e = environ; *e != NULL; e++) w->environment++;
  for (int fd = 0; fd < 4096; fd++) {
    if (fcntl(fd, F_GETFD) < 0) continue;
    if (fd < 64)
      w->descriptors |= (uint64_t)1 << fd;
    else
      w->descriptors_up++;
  }
  w->uid = getuid() == geteuid() ? getuid() : 0;
  w->gid = getgid() == getegid() ? getgid() : 0;
  w->groups = (uint32_t)getgroups(0, NULL);
  w->pid = (uint32_t)getpid();
  w->parent = (uint32_t)getppid();
  w->root_entries = count_root();
  w->addresses = count_addresses();
  syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &w->blocked, sizeof w->blocked);
  for (int n = 1; n < 32; n++) {
    struct sigaction action;
    if (sigaction(n, NULL, &action) == 0 && action.sa_handler == SIG_IGN) w->ignored |= (uint64_t)1 << (n - 1);
  }
}

/* Everything up to and with the fence, as worker.c does it. */
static bool start(const struct fence_command *command, const struct fence_act *act, uint64_t held) {
  look_around(&reply.world);
  int error = act != NULL ? fence_acts_prepare(act, command) : 0;
  close(SANDBOX_PROGRAM);
  sandbox_set fences = (sandbox_set)held;
  const enum sandbox_role role = (enum sandbox_role)command->role;
  if (command->mode == FENCE_ENTERED && sandbox_enter(role, role == SANDBOX_BROKER ? "." : NULL, &fences) != RESULT_OK)
    return false;
  reply.held = fences;
  return tell(FENCE_WORD_READY, error);
}

int main(int argc, char **argv) {
  struct fence_command command;
  uint64_t held = 0;
  size_t count;
  if (argc == 2 && strcmp(argv[1], "--done") == 0)
    return tell(FENCE_WORD_RESULT, 0) ? 0 : 2; /* an act has executed us */
  if (argc != 2 || text_u64(span_text(argv[1]), 0, SANDBOX_ALL, &held) != RESULT_OK) return 2;
  if (!hear(&command, sizeof command)) return 2;
  const struct fence_act *acts = command.allowed ? fence_acts_allowed(&count) : fence_acts_forbidden(&count);
  const struct fence_act *act = command.act < count ? &acts[command.act] : NULL;
  if (!start(&command, act, held)) return 3;
  if (act != NULL) return tell(FENCE_WORD_RESULT, fence_acts_try(act, &command)) ? 0 : 2;
  for (uint8_t byte; hear(&byte, 1);) continue;
  return 0;
}
