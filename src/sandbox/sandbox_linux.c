#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "sandbox/sandbox.h"

#define HELD(fence) (1u << SANDBOX_BIT_##fence)
#define NOBODY 65534u

const char *sandbox_name(enum sandbox_bit bit) {
  static const char *const names[] = {
#define SANDBOX_NAME(id, name) name,
      SANDBOX_FENCES(SANDBOX_NAME)
#undef SANDBOX_NAME
  };
  return (unsigned)bit < SANDBOX_COUNT ? names[bit] : "unknown";
}

/* ---- spawn: in the child, between clone and exec; async-signal-safe calls only ---- */

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS)

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
  const char *name;
  int program, socket;
  unsigned uid, gid;
  uint64_t flags;
};

/* Root who may not make namespaces: nobody for real first, then what a user namespace of nobody's can have (a new
 * process namespace would need another child). */
static bool unshare_as_nobody(struct child *child) {
  const uint64_t flags = (NAMESPACES & ~CLONE_NEWPID) | CLONE_NEWUSER;
  if (!become_nobody()) return false;
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* or its own uid_map is not its own */
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

/* What the keeper ignores and blocks is its own affair. Handlers go first: none of its may run here. */
static void forget_signals(void) {
  sigset_t none;
  sigemptyset(&none);
  for (int n = 1; n <= SIGRTMAX; n++) signal(n, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void child_main(struct child *child) {
  char held_text[16];
  struct buf b = buf_fixed(held_text, sizeof held_text);
  char *const argv[] = {(char *)(uintptr_t)child->name, held_text, NULL}, *const envp[] = {NULL};
  /* Out of the way of 0 and 3 first. */
  int socket = fcntl(child->socket, F_DUPFD, 10), program = fcntl(child->program, F_DUPFD, 10);
  forget_signals();
  sandbox_set held = child_fences(child);
  /* The worker ends with its parent, however that ends. Set last: a change of user would clear it. */
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  buf_printf(&b, "%u", held);
  held_text[b.len] = 0;
  if (dup2(socket, SANDBOX_SOCKET) < 0 || dup2(program, SANDBOX_PROGRAM) < 0) _exit(127);
  if (syscall(SYS_close_range, 1, SANDBOX_PROGRAM - 1, 0) != 0) _exit(127);
  if (syscall(SYS_close_range, SANDBOX_PROGRAM + 1, ~0u, 0) != 0) _exit(127);
  syscall(SYS_execveat, SANDBOX_PROGRAM, "", argv, envp, AT_EMPTY_PATH);
  _exit(127);
}

enum result sandbox_spawn(const char *name, int program, int socket, pid_t *pid,
                          int *pidfd /* NOLINT(readability-non-const-parameter): the kernel writes it */) {
  struct child child = {.name = name, .program = program, .socket = socket, .uid = geteuid(), .gid = getegid()};
  /* Root can have the namespaces without a user namespace, and then be nobody for real; others need one. */
  const uint64_t tries[] = {child.uid == 0 ? NAMESPACES : NAMESPACES | CLONE_NEWUSER, 0};
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

/* ---- enter ---- */

static bool limit_resources(void) {
  static const struct {
    int resource;
    rlim_t most;
  } limits[] = {
      {RLIMIT_CORE, 0},     {RLIMIT_FSIZE, 0},       {RLIMIT_NPROC, 0},        {RLIMIT_MEMLOCK, 0},
      {RLIMIT_MSGQUEUE, 0}, {RLIMIT_SIGPENDING, 16}, {RLIMIT_NICE, 0},         {RLIMIT_RTPRIO, 0},
#ifndef SANITIZE /* AddressSanitizer's shadow takes terabytes of address space; and it reads /proc/self/maps */
      {RLIMIT_NOFILE, 0},   {RLIMIT_AS, 12ul << 30}, {RLIMIT_DATA, 2ul << 30},
#endif
  };
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
    struct rlimit limit = {limits[i].most, limits[i].most};
    if (setrlimit((__rlimit_resource_t)limits[i].resource, &limit) != 0) return false;
  }
  return true;
}

static bool drop_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[2] = {{0}, {0}};
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  return syscall(SYS_capset, &header, none) == 0;
}

/* Landlock (Documentation/userspace-api/landlock.rst): a rule set that handles every access and allows none. The
 * kernel's own header may be older than the kernel, so the few numbers stand here. */
static bool landlock(void) {
#ifdef SANITIZE
  return false;
#endif
  struct {
    uint64_t files, network, scopes;
  } handled = {0};
  long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1u /* LANDLOCK_CREATE_RULESET_VERSION */);
  if (abi < 1) return false;
  static const uint64_t files_by_abi[] = {0x1fff, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff};
  handled.files = files_by_abi[abi < 5 ? abi : 5];
  size_t size = sizeof handled.files;
  if (abi >= 4) {
    handled.network = 0x3; /* bind and connect TCP */
    size = 2 * sizeof(uint64_t);
  }
  if (abi >= 6) {
    handled.scopes = 0x3; /* abstract UNIX sockets, signals */
    size = sizeof handled;
  }
  long ruleset = syscall(SYS_landlock_create_ruleset, &handled, size, 0);
  if (ruleset < 0) return false;
  bool held = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
  close((int)ruleset);
  return held;
}

/* What a worker may ask of the kernel, each call with the arguments it may have. Beside each stands, in tests/fence, a
 * test that tries its forbidden neighbour. */
static bool allow_worker(scmp_filter_ctx filter) {
  const struct scmp_arg_cmp on_socket = SCMP_A0(SCMP_CMP_EQ, SANDBOX_SOCKET);
  const struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, ~(uint64_t)(PROT_READ | PROT_WRITE), 0);
  const struct scmp_arg_cmp drop_pages = SCMP_A2(SCMP_CMP_EQ, MADV_DONTNEED);
  const struct scmp_arg_cmp real_timer = SCMP_A0(SCMP_CMP_EQ, ITIMER_REAL);
  /* REALTIME, MONOTONIC and the two of its own CPU time: other numbers name other processes' clocks. The kernel looks
   * at 32 bits. */
  const struct scmp_arg_cmp own_clock = SCMP_A0(SCMP_CMP_MASKED_EQ, 0xfffffffcu, 0);
  int bad = 0;
  bad |= seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(read), 1, &on_socket);
  bad |= seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1, &on_socket);
  bad |= seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &no_exec);
  bad |= seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(madvise), 1, &drop_pages);
  bad |= seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(setitimer), 1, &real_timer);
  bad |= seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(clock_gettime), 1, &own_clock);
  static const int plain[] = {
      SCMP_SYS(getrandom),
      SCMP_SYS(rt_sigreturn),
      SCMP_SYS(restart_syscall),
      SCMP_SYS(exit_group),
#ifdef SANITIZE /* the sanitizers' run time */
      SCMP_SYS(mmap),
      SCMP_SYS(munmap),
      SCMP_SYS(futex),
      SCMP_SYS(gettid),
      SCMP_SYS(getpid),
      SCMP_SYS(rt_sigaction),
      SCMP_SYS(rt_sigprocmask),
      SCMP_SYS(sigaltstack),
      SCMP_SYS(sched_yield),
      SCMP_SYS(tgkill),
      SCMP_SYS(openat),
      SCMP_SYS(close),
      SCMP_SYS(newfstatat),
      SCMP_SYS(prlimit64),
      SCMP_SYS(read),
      SCMP_SYS(sched_getaffinity),
      SCMP_SYS(madvise),
#endif
  };
  for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
    bad |= seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, plain[i], 0, NULL);
  return bad == 0;
}

static bool (*const allow[])(scmp_filter_ctx filter) = {[SANDBOX_WORKER] = allow_worker};

static bool filter_system_calls(enum sandbox_role role) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
  if (filter == NULL) return false;
  bool held = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
              seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) == 0 && allow[role](filter) && seccomp_load(filter) == 0;
  seccomp_release(filter);
  return held;
}

enum result sandbox_enter(enum sandbox_role role, sandbox_set *held) {
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0) *held |= HELD(UNDUMPABLE);
  if (drop_capabilities()) *held |= HELD(NO_CAPABILITIES);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) *held |= HELD(NO_NEW_PRIVILEGES);
  if (landlock()) *held |= HELD(LANDLOCK);
  if (limit_resources()) *held |= HELD(RESOURCES);
  if (filter_system_calls(role)) *held |= HELD(SYSTEM_CALLS);
  return (*held & SANDBOX_REQUIRED) == SANDBOX_REQUIRED ? RESULT_OK : RESULT_SANDBOX_REFUSED;
}
