/* The outside of the fence: namespaces, an empty root, another user. */
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/sandbox.h"

#define HELD(fence) (1u << SANDBOX_BIT_##fence)
#define NOBODY 65534u

/* An inherited listening socket keeps working in a network namespace that has no addresses. */
#define NAMESPACES (CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS)

static const struct kind {
  bool alone; /* statically linked: needs no file, reads its own by descriptor 3, and has nothing to say */
  uint64_t namespaces;
} kinds[] = {[SANDBOX_WORKER] = {true, NAMESPACES | CLONE_NEWNS},
             [SANDBOX_BROKER] = {false, NAMESPACES},
             [SANDBOX_KEEPER] = {false, NAMESPACES},
             [SANDBOX_EGRESS] = {false, NAMESPACES & ~(uint64_t)CLONE_NEWNET}};

/* ---- in the child, between clone and exec; async-signal-safe calls only ---- */

static bool write_file(const char *path, const char *text, size_t len) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool ok = write(fd, text, len) == (ssize_t)len;
  close(fd);
  return ok;
}

/* Maps nobody inside a fresh user namespace to the id the service runs as. */
static bool map_id(const char *path, unsigned outside) {
  char text[32];
  struct buf b = buf_fixed(text, sizeof text);
  buf_printf(&b, "%u %u 1", NOBODY, outside);
  return write_file(path, text, b.len);
}

static bool map_user(unsigned uid, unsigned gid) {
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* an undumpable process's uid_map is not its own; execve would do it, too */
  return write_file("/proc/self/setgroups", "deny", 4) && map_id("/proc/self/uid_map", uid) &&
         map_id("/proc/self/gid_map", gid);
}

/* An empty, read-only file system as root; the old one is gone from this mount namespace. */
static bool empty_root(void) {
#ifdef SANITIZE /* a sanitized program cannot be static: its loader and libraries must be found */
  return false;
#endif
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return false;
  if (mount("none", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,nr_inodes=2,mode=0555") != 0)
    return false;
  if (chdir("/tmp") != 0 || syscall(SYS_pivot_root, ".", ".") != 0) return false;
  if (umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) return false;
  return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0;
}

/* From root to nobody, with no capability left to gain. */
static bool become_nobody(void) {
  for (int cap = 0; cap <= 63; cap++) prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
  return setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0;
}

struct child {
  const struct kind *kind;
  const char *name;
  int program, socket;
  unsigned uid, gid;
  uint64_t flags;
};

/* Root who may not make namespaces: nobody for real first, then what a user namespace of nobody's can have (a new
 * process namespace would need another child). */
static bool unshare_as_nobody(struct child *child) {
  const uint64_t flags = (child->kind->namespaces & ~(uint64_t)CLONE_NEWPID) | CLONE_NEWUSER;
  if (!become_nobody()) return false;
  child->uid = child->gid = NOBODY;
  if (unshare((int)flags) == 0) child->flags |= flags;
  return true;
}

static sandbox_set child_fences(struct child *child) {
  sandbox_set held = 0;
  if (child->uid == 0 && child->flags == 0 && unshare_as_nobody(child)) held |= HELD(USER);
  if (child->flags & CLONE_NEWUSER && map_user(child->uid, child->gid)) held |= HELD(USER);
  if (child->flags & CLONE_NEWNET) held |= HELD(NETWORK);
  if (child->flags & CLONE_NEWPID) held |= HELD(PROCESSES);
  if (child->flags & CLONE_NEWIPC) held |= HELD(IPC);
  if (child->flags & CLONE_NEWNS) held |= HELD(MOUNT) | (empty_root() ? HELD(EMPTY_ROOT) : 0);
  if (child->uid == 0 && !(child->flags & CLONE_NEWUSER)) held |= become_nobody() ? HELD(USER) : 0;
  if (child->uid != 0) held |= HELD(USER);
  return held;
}

/* What the parent ignores and blocks is its own affair. Handlers go first: none of its may run here. */
static void forget_signals(void) {
  sigset_t none;
  sigemptyset(&none);
  for (int n = 1; n <= SIGRTMAX; n++) signal(n, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A worker is what the kernel shall end first when memory runs out, and may get its priority back (see
 * sandbox_linux.c). Root's child can raise the limit; all others keep what they have. */
static void be_expendable(void) {
  const struct rlimit nice = {20, 20};
  write_file("/proc/self/oom_score_adj", "1000", 4);
  setrlimit(RLIMIT_NICE, &nice);
}

/* Leaves open what the program finds (sandbox.h); of others than a worker the program's own descriptor ends with
 * execve. */
static bool arrange_descriptors(const struct child *child, int socket, int program) {
  if (dup2(socket, SANDBOX_SOCKET) < 0) return false;
  if (dup2(program, SANDBOX_PROGRAM) < 0) return false;
  if (syscall(SYS_close_range, SANDBOX_PROGRAM + 1, ~0u, 0) != 0) return false;
  if (child->kind->alone) return syscall(SYS_close_range, 1, SANDBOX_PROGRAM - 1, 0) == 0;
  return dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 && fcntl(SANDBOX_PROGRAM, F_SETFD, FD_CLOEXEC) == 0;
}

static _Noreturn void child_main(struct child *child) {
  char held_text[16];
  struct buf b = buf_fixed(held_text, sizeof held_text);
  char *const argv[] = {(char *)(uintptr_t)child->name, held_text, NULL}, *const envp[] = {NULL};
  /* Out of the way of 0 and 3 first. */
  int socket = fcntl(child->socket, F_DUPFD, 10), program = fcntl(child->program, F_DUPFD, 10);
  forget_signals();
  setpgid(0, 0); /* a terminal's Ctrl-C is for the parent, who may have something to finish */
  if (child->kind->alone) be_expendable();
  sandbox_set held = child_fences(child);
  /* It ends with its parent, however that ends. Set last: a change of user would clear it. */
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  buf_printf(&b, "%u", held);
  held_text[b.len] = 0;
  if (!arrange_descriptors(child, socket, program)) _exit(127);
  syscall(SYS_execveat, SANDBOX_PROGRAM, "", argv, envp, AT_EMPTY_PATH);
  _exit(127);
}

enum result sandbox_spawn(enum sandbox_role role, const char *name, int program, int socket, pid_t *pid,
                          int *pidfd /* NOLINT(readability-non-const-parameter): the kernel writes it */) {
  struct child child = {
      .kind = &kinds[role], .name = name, .program = program, .socket = socket, .uid = geteuid(), .gid = getegid()};
  /* Root can have the namespaces without a user namespace, and then be nobody for real; others need one. */
  const uint64_t all = child.kind->namespaces;
  const uint64_t tries[] = {child.uid == 0 ? all : all | CLONE_NEWUSER, 0};
  for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
    child.flags = tries[i];
    /* Not clone3: container engines answer it with ENOSYS, as their filters cannot see its flags. */
    long made = syscall(SYS_clone, child.flags | CLONE_PIDFD | SIGCHLD, NULL, pidfd, NULL, NULL);
    if (made == 0) child_main(&child);
    if (made > 0) {
      *pid = (pid_t)made;
      return RESULT_OK;
    }
  }
  return RESULT_IO;
}
