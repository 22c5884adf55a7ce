#include "fence_acts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/quota.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/sandbox.h"

#define PAGE 4096
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Numbers and flags that headers may be too old for. */
#define NR_MSEAL 462
#define NR_X32_EXECVE 520
#define X32 0x40000000l
#define UFFD_USER_MODE_ONLY 1
#define FAN_REPORT_FID 0x200
#define ARCH_SET_GS 0x1001
#define MEMBARRIER_CMD_QUERY 0
#define CPUCLOCK_SCHED 2
#define SYSLOG_ACTION_SIZE_BUFFER 10

typedef const struct fence_command *command;

static int done(long r) {
  return r < 0 ? errno : 0;
}

/* ---- what the acts work on ---- */

static uint8_t pages[4 * PAGE] __attribute__((aligned(PAGE)));
static uint8_t scratch[4 * PAGE] __attribute__((aligned(16)));
static struct fence_reply noise = {.word = FENCE_WORD_NOISE};
static struct iovec noise_parts = {&noise, sizeof noise}, one_byte = {scratch, 1};
static struct msghdr noise_message = {.msg_iov = &noise_parts, .msg_iovlen = 1};
static struct msghdr byte_message = {.msg_iov = &one_byte, .msg_iovlen = 1};
static const struct timespec soon = {0, 1};
static struct pollfd poll_socket = {.fd = 0, .events = POLLIN};
static struct open_how how = {.flags = O_RDONLY};
static struct sock_filter allow_all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
static struct sock_fprog allow_all_program = {1, &allow_all};
/* Of sockets: the verdict is how many bytes are kept. */
static struct sock_filter hear_all = BPF_STMT(BPF_RET | BPF_K, 0xffff);
static struct sock_fprog hear_all_program = {1, &hear_all};
static const unsigned long no_signals;
static struct itimerval no_timer;
static struct timespec no_time;
static struct sigevent no_event = {.sigev_notify = SIGEV_NONE};
static struct __user_cap_header_struct cap_header = {.version = _LINUX_CAPABILITY_VERSION_3};
static struct __user_cap_data_struct caps[2];
static struct rlimit limit;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t address_len = sizeof(sa_family_t), cred_len = sizeof(struct ucred);
static char *const done_argv[] = {(char *)(uintptr_t) "fence_probe", (char *)(uintptr_t) "--done", NULL},
                   *const done_envp[] = {NULL};
static struct timex only_read;
static struct flock a_lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
static const int one = 1;
static const struct sched_param no_priority;
static union bpf_attr a_map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
static struct perf_event_attr own_clock = {.type = PERF_TYPE_SOFTWARE,
                                           .size = sizeof own_clock,
                                           .config = PERF_COUNT_SW_TASK_CLOCK,
                                           .exclude_kernel = 1,
                                           .exclude_hv = 1};
/* As the kernel has it, which is not as the library has it. */
static const struct {
  uintptr_t handler;
  unsigned long flags, restorer, mask;
} ignore_action = {.handler = 1 /* SIG_IGN */};
/* A 32-bit data segment (asm/ldt.h, struct user_desc). */
static const struct {
  uint32_t entry, base, limit, flags;
} segment = {0, 0, 0xfffff, 1 /* 32 bits */ | 1u << 4 /* in pages */ | 1u << 6 /* useable */};

/* ---- preparing ---- */

static int at(int fd, int want) {
  return fd < 0 ? errno : fd == want ? 0 : dup2(fd, want) < 0 ? errno : 0;
}

static int with_file(command c) {
  (void)c;
  int error = at(memfd_create("fence", MFD_ALLOW_SEALING), FENCE_FD);
  if (error == 0) error = write(FENCE_FD, &noise, sizeof noise) < 0 ? errno : 0;
  return error ? error : done(lseek(FENCE_FD, 0, SEEK_SET));
}

static int with_program(command c) {
  int error = at(memfd_create("fence", 0), FENCE_FD);
  int program = c->role == SANDBOX_WORKER ? SANDBOX_PROGRAM : open("/proc/self/exe", O_RDONLY);
  for (ssize_t n = 1; n > 0 && error == 0;) {
    n = pread(program, scratch, sizeof scratch, lseek(FENCE_FD, 0, SEEK_CUR));
    if (n < 0 || write(FENCE_FD, scratch, (size_t)n) != n) error = errno;
  }
  return error;
}

static int with_root(command c) {
  return (void)c, at(open("/", O_RDONLY | O_DIRECTORY), FENCE_FD);
}

static int with_victim(command c) {
  (void)c;
  if (mkdir("directory", 0700) != 0 && errno != EEXIST) return errno;
  return at(open("victim", O_RDWR | O_CREAT, 0600), FENCE_FD);
}

static int with_handle(command c) {
  static int mount_id;
  int error = with_victim(c);
  struct file_handle *handle = (struct file_handle *)scratch;
  handle->handle_bytes = 128;
  return error ? error : done(name_to_handle_at(AT_FDCWD, "victim", handle, &mount_id, 0));
}

static int with_pair(command c) {
  (void)c;
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return errno;
  int error = at(pair[1], FENCE_FD_2);
  return error ? error : at(pair[0], FENCE_FD);
}

static int with_socket(command c) {
  return (void)c, at(socket(AF_UNIX, SOCK_STREAM, 0), FENCE_FD);
}

/* Bound where the kernel likes (unix(7), "Autobind"). */
static int with_bound(command c) {
  int error = with_socket(c);
  if (error == 0) error = done(bind(FENCE_FD, (struct sockaddr *)&address, sizeof(sa_family_t)));
  address_len = sizeof address;
  return error ? error : done(getsockname(FENCE_FD, (struct sockaddr *)&address, &address_len));
}

static int with_listener(command c) {
  int error = with_bound(c);
  if (error == 0) error = done(listen(FENCE_FD, 4));
  return error ? error : at(socket(AF_UNIX, SOCK_STREAM, 0), FENCE_FD_2);
}

static int with_caller(command c) {
  int error = with_listener(c);
  return error ? error : done(connect(FENCE_FD_2, (struct sockaddr *)&address, address_len));
}

static int with_tcp(command c) {
  return (void)c, at(socket(AF_INET, SOCK_STREAM, 0), FENCE_FD);
}

static int with_tcp_listener(command c) {
  const struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int error = with_tcp(c);
  if (error == 0) error = done(bind(FENCE_FD, (const struct sockaddr *)&loopback, sizeof loopback));
  if (error == 0) error = done(listen(FENCE_FD, 4));
  address_len = sizeof address;
  if (error == 0) error = done(getsockname(FENCE_FD, (struct sockaddr *)&address, &address_len));
  return error ? error : at(socket(AF_INET, SOCK_STREAM, 0), FENCE_FD_2);
}

static int with_parent_fd(command c) {
  return at((int)syscall(SYS_pidfd_open, c->parent, 0), FENCE_FD);
}

static int with_terminal(command c) {
  (void)c;
  int zero = 0, error = at(posix_openpt(O_RDWR | O_NOCTTY), FENCE_FD_2);
  if (error == 0) error = done(ioctl(FENCE_FD_2, TIOCSPTLCK, &zero));
  if (error == 0) setsid();
  if (error == 0) error = at(ioctl(FENCE_FD_2, TIOCGPTPEER, O_RDWR | O_NOCTTY), FENCE_FD);
  return error ? error : done(ioctl(FENCE_FD, TIOCSCTTY, 0));
}

/* A world of its own for what would otherwise change the machine. */
static int with_namespaces(command c) {
  int flags = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWNET, error = with_victim(c);
  if (error == 0) error = done(unshare(geteuid() == 0 ? flags : flags | CLONE_NEWUSER));
  return error ? error : done(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

static int with_mounted(command c) {
  int error = with_namespaces(c);
  return error ? error : done(mount("none", "directory", "tmpfs", 0, NULL));
}

static int in_mounted(command c) {
  int error = with_mounted(c);
  return error ? error : done(chdir("directory"));
}

static int with_own_net(command c) {
  int error = with_namespaces(c);
  return error ? error : at(open("/proc/self/ns/net", O_RDONLY), FENCE_FD);
}

static int with_caps(command c) {
  return (void)c, done(syscall(SYS_capget, &cap_header, caps));
}

static int with_low_limit(command c) {
  (void)c;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return errno;
  const struct rlimit low = {16, limit.rlim_max};
  limit.rlim_cur = limit.rlim_max;
  return done(setrlimit(RLIMIT_NOFILE, &low));
}

static int with_no_new_privileges(command c) {
  return (void)c, done(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static int with_mask(command c) {
  return (void)c, done(syscall(SYS_sched_getaffinity, 0, sizeof scratch, scratch));
}

/* Code that the 32-bit calls can point to. */
static char *low_page;

static int with_low_page(command c) {
  low_page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  if (low_page == MAP_FAILED) return errno;
  memcpy(low_page, "victim", sizeof "victim");
  return with_victim(c);
}

/* A segment that is gone when its last user is. */
static int segment_id;

static int with_segment(command c) {
  (void)c;
  segment_id = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0700);
  if (segment_id < 0 || shmat(segment_id, NULL, 0) == MAP_FAILED) return errno;
  return done(shmctl(segment_id, IPC_RMID, NULL));
}

static volatile sig_atomic_t alarmed;

static void on_alarm(int signal) {
  alarmed = signal;
}

static int with_alarm(command c) {
  (void)c;
  const struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  return done(sigaction(SIGALRM, &action, NULL));
}

/* ---- acts that are more than one call with fixed arguments ---- */

static int child_of(long pid) {
  if (pid == 0) _exit(0);
  return pid < 0 ? errno : done(wait4((pid_t)pid, NULL, __WALL, NULL));
}

static int do_fork(command c) {
  return (void)c, child_of(syscall(SYS_fork));
}
static int do_vfork(command c) {
  (void)c;
  /* Not syscall(): the child would return from it over its parent's stack. NOLINTNEXTLINE(clang-analyzer-security*) */
  pid_t pid = vfork();
  if (pid == 0) _exit(0);
  return pid < 0 ? errno : 0;
}
static int do_nothing(void *unused) {
  return unused != NULL;
}
static int do_thread(command c) {
  (void)c;
  return done(clone(do_nothing, scratch + sizeof scratch,
                    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, NULL));
}
/* With all flags that pthread_create asks for (sandbox_calls.c); what it takes for its own memory is `pages`. */
static int do_library_thread(command c) {
  (void)c;
  static pid_t ids[2];
  return done(clone(do_nothing, scratch + sizeof scratch, 0x3d0f00, NULL, &ids[0], pages + PAGE, &ids[1]));
}
static int do_clone_user(command c) {
  return (void)c, child_of(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL));
}
static int do_clone(command c) {
  return (void)c, child_of(syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL));
}
static int do_clone3(command c) {
  static struct clone_args args = {.exit_signal = SIGCHLD};
  return (void)c, child_of(syscall(SYS_clone3, &args, sizeof args));
}

static int read_path(const char *path, off_t offset) {
  char byte;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY, 0);
  if (fd < 0) return errno;
  ssize_t n = pread(fd, &byte, 1, offset);
  return n == 1 ? 0 : n < 0 ? errno : ENODATA;
}

/* By a name that no control run of another user has taken. */
static int do_open_own(command c) {
  char name[32];
  snprintf(name, sizeof name, "own-%u-%u", c->mode, c->act);
  return done(syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
}

static int do_read_environment(command c) {
  return (void)c, read_path("/proc/self/environ", 0);
}
static int do_read_memory(command c) {
  return (void)c, read_path("/proc/self/mem", (off_t)(uintptr_t)&segment);
}

static int do_send_descriptor(command c) {
  (void)c;
  struct msghdr m = noise_message;
  m.msg_control = scratch;
  m.msg_controllen = CMSG_SPACE(sizeof(int));
  *CMSG_FIRSTHDR(&m) = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
  memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &(int){FENCE_FD}, sizeof(int));
  return done(syscall(SYS_sendmsg, 0, &m, 0));
}

static int do_connect(command c) {
  return (void)c, done(syscall(SYS_connect, FENCE_FD_2, &address, address_len));
}
/* The parent listens there: see fence_run.c. */
static int do_call_parent(command c) {
  struct sockaddr_un parent = {.sun_family = AF_UNIX};
  memcpy(parent.sun_path + 1, &c->parent, sizeof c->parent);
  return done(syscall(SYS_connect, FENCE_FD, &parent, offsetof(struct sockaddr_un, sun_path) + 1 + sizeof c->parent));
}

/* SIGCONT to a process that runs changes nothing. */
static int do_kill(command c) {
  return done(syscall(SYS_kill, c->parent, SIGCONT));
}
static int do_tkill(command c) {
  return done(syscall(SYS_tkill, c->parent, SIGCONT));
}
static int do_tgkill(command c) {
  return done(syscall(SYS_tgkill, c->parent, c->parent, SIGCONT));
}
static int do_sigqueue(command c) {
  siginfo_t info = {.si_signo = SIGCONT, .si_code = SI_QUEUE};
  return done(syscall(SYS_rt_sigqueueinfo, c->parent, SIGCONT, &info));
}
static int do_pidfd_open(command c) {
  return done(syscall(SYS_pidfd_open, c->parent, 0));
}
static int do_pidfd_getfd(command c) {
  return done(syscall(SYS_pidfd_getfd, FENCE_FD, c->parent_fd, 0));
}
static int do_seize(command c) {
  return done(syscall(SYS_ptrace, PTRACE_SEIZE, c->parent, 0, 0));
}
static int do_kcmp(command c) {
  return done(syscall(SYS_kcmp, c->parent, c->parent, 1 /* KCMP_VM */, 0, 0));
}
static int do_parent_limits(command c) {
  return done(syscall(SYS_prlimit64, c->parent, RLIMIT_CORE, NULL, scratch));
}
static int do_parent_priority(command c) {
  return done(syscall(SYS_getpriority, PRIO_PROCESS, c->parent));
}
static int do_parent_robust_list(command c) {
  return done(syscall(SYS_get_robust_list, c->parent, scratch, scratch + 8));
}

static int across(long call, command c) {
  uint64_t word = 0x68656c6c6f;
  struct iovec mine = {&word, sizeof word}, theirs = {(void *)(uintptr_t)c->secret, sizeof word};
  return done(syscall(call, c->parent, &mine, 1, &theirs, 1, 0));
}
static int do_read_parent(command c) {
  return across(SYS_process_vm_readv, c);
}
static int do_write_parent(command c) {
  return across(SYS_process_vm_writev, c);
}

/* The CPU time of another process: clock numbers hold process numbers (clock_getcpuclockid(3)). */
static int do_parent_clock(command c) {
  return done(syscall(SYS_clock_gettime, (long)(int)(~(unsigned)c->parent << 3 | CPUCLOCK_SCHED), scratch));
}

static int do_shmget(command c) {
  (void)c;
  int id = (int)syscall(SYS_shmget, IPC_PRIVATE, PAGE, IPC_CREAT | 0600);
  return id < 0 ? errno : done(shmctl(id, IPC_RMID, NULL));
}
static int do_shmat(command c) {
  return (void)c, done(syscall(SYS_shmat, segment_id, NULL, SHM_EXEC));
}
static int do_msgget(command c) {
  (void)c;
  int id = (int)syscall(SYS_msgget, IPC_PRIVATE, IPC_CREAT | 0600);
  return id < 0 ? errno : done(msgctl(id, IPC_RMID, NULL));
}

/* System calls by their 32-bit numbers, some of which are allowed ones to a filter that does not look at the
 * architecture. */
static int call_32(unsigned number, const void *argument) {
  long r = (long)number;
  __asm__ volatile("int $0x80"
                   : "+a"(r)
                   : "b"((unsigned)(uintptr_t)argument), "c"(0), "d"(0)
                   : "memory", "r8", "r9", "r10", "r11");
  return (int)r < 0 ? -(int)r : 0;
}
static int do_32_getpid(command c) {
  return (void)c, call_32(20, NULL);
}
static int do_32_unlink(command c) {
  return (void)c, call_32(10, low_page);
} /* 64-bit mprotect */
static int do_32_open(command c) {
  return (void)c, call_32(5, low_page);
}
static int do_32_chmod(command c) {
  return (void)c, call_32(15, low_page);
} /* 64-bit rt_sigreturn */

/* A system call that the kernel emulates at a fixed address. */
static int do_vsyscall(command c) {
  (void)c;
  long r;
  /* Past the red zone, which the compiler does not know the call to spoil. */
  __asm__ volatile("sub $128, %%rsp\n\tcall *%1\n\tadd $128, %%rsp"
                   : "=a"(r)
                   : "b"(0xffffffffff600400ul), "D"(0)
                   : "memory", "cc", "rcx", "r11", "rdx", "rsi");
  return r > 0 ? 0 : EINVAL;
}

static int do_alarm(command c) {
  (void)c;
  const struct itimerval timer = {.it_value = {0, 1000}};
  if (setitimer(ITIMER_REAL, &timer, NULL) != 0) return errno;
  while (!alarmed) continue;
  return 0;
}

/* ---- the tables ---- */

#define P(pointer) (long)(pointer)

#include "fence_table.h"

const struct fence_act *fence_acts_forbidden(size_t *count) {
  *count = COUNT(forbidden);
  return forbidden;
}

const struct fence_act *fence_acts_allowed(size_t *count) {
  *count = COUNT(allowed);
  return allowed;
}

int fence_acts_prepare(const struct fence_act *act, const struct fence_command *c) {
  return act->prepare != NULL ? act->prepare(c) : 0;
}

int fence_acts_try(const struct fence_act *act, const struct fence_command *c) {
  const long *a = act->args;
  int error = act->act != NULL ? act->act(c) : done(syscall(act->call, a[0], a[1], a[2], a[3], a[4], a[5]));
  return error == act->reached ? 0 : error;
}
