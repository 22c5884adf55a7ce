/*
 * What each role may ask of the kernel, each call with the arguments it may have; anything else kills the process
 * (seccomp). Beside each allowance stands, in tests/fence, a test that tries its forbidden neighbour.
 */
#include <errno.h>
#include <fcntl.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "sandbox/mechanisms.h"

enum { WORKER = 1 << SANDBOX_WORKER, BROKER = 1 << SANDBOX_BROKER, KEEPER = 1 << SANDBOX_KEEPER };

struct rule {
  int call, roles;
  struct scmp_arg_cmp args[2];
};

#define CALL(name, who, ...)                                      \
  {                                                               \
    .call = SCMP_SYS(name), .roles = who, .args = { __VA_ARGS__ } \
  }
#define IS(n, value) \
  { .arg = n, .op = SCMP_CMP_EQ, .datum_a = value }
/* No bit but these. */
#define WITHIN(n, bits) \
  { .arg = n, .op = SCMP_CMP_MASKED_EQ, .datum_a = ~(uint64_t)(bits), .datum_b = 0 }
/* The same for an argument of which the kernel looks at 32 bits only, and libraries leave rubbish in the others. */
#define WITHIN_32(n, bits) \
  { .arg = n, .op = SCMP_CMP_MASKED_EQ, .datum_a = (uint32_t) ~(uint32_t)(bits), .datum_b = 0 }
#define HAS(n, bits) \
  { .arg = n, .op = SCMP_CMP_MASKED_EQ, .datum_a = bits, .datum_b = bits }

#define NO_EXEC (PROT_READ | PROT_WRITE)
/* REALTIME, MONOTONIC and the two of its own CPU time; the others' numbers above 7 name other processes' clocks. */
#define WORKER_CLOCKS 3
#define CLOCKS 7
/* What glibc's pthread_create asks for, after it was told that there is no clone3. */
#define A_THREAD                                                                                     \
  (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND | CLONE_THREAD | CLONE_SETTLS | \
   CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)
/* Neither O_PATH, O_TMPFILE, O_DIRECT nor O_ASYNC. */
#define OPEN_FLAGS                                                                                                 \
  (O_WRONLY | O_RDWR | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_DIRECTORY | \
   0100000 /* O_LARGEFILE, 0 for the library */)

static const struct rule rules[] = {
    /* the socket to its parent, and nothing else, is a worker's world */
    CALL(read, WORKER, IS(0, SANDBOX_SOCKET)),
    CALL(write, WORKER, IS(0, SANDBOX_SOCKET)),
    CALL(madvise, WORKER, IS(2, MADV_DONTNEED)),
    CALL(setitimer, WORKER, IS(0, ITIMER_REAL)),
    CALL(clock_gettime, WORKER, WITHIN_32(0, WORKER_CLOCKS)),

    /* everyone */
    CALL(mprotect, WORKER | BROKER | KEEPER, WITHIN(2, NO_EXEC)),
    CALL(getrandom, WORKER | BROKER | KEEPER),
    CALL(rt_sigreturn, WORKER | BROKER | KEEPER),
    CALL(restart_syscall, WORKER | BROKER | KEEPER),
    CALL(exit_group, WORKER | BROKER | KEEPER),

    /* descriptors they hold, and messages between processes */
    CALL(read, BROKER | KEEPER),
    CALL(readv, BROKER | KEEPER),
    CALL(write, BROKER | KEEPER),
    CALL(writev, BROKER | KEEPER),
    CALL(recvfrom, BROKER | KEEPER),
    CALL(recvmsg, BROKER | KEEPER),
    CALL(sendto, BROKER | KEEPER),
    CALL(sendmsg, BROKER | KEEPER),
    CALL(shutdown, BROKER | KEEPER),
    CALL(close, BROKER | KEEPER),
    CALL(fcntl, BROKER | KEEPER, IS(1, F_GETFD)),
    CALL(fcntl, BROKER | KEEPER, IS(1, F_SETFD)),
    CALL(fcntl, BROKER | KEEPER, IS(1, F_GETFL)),
    CALL(fcntl, BROKER | KEEPER, IS(1, F_SETFL), WITHIN_32(2, O_RDWR | O_WRONLY | O_NONBLOCK | O_APPEND | 0100000)),
    CALL(fcntl, BROKER | KEEPER, IS(1, F_DUPFD_CLOEXEC)),

    /* the event loop */
    CALL(epoll_create1, BROKER | KEEPER),
    CALL(epoll_ctl, BROKER | KEEPER),
    CALL(epoll_wait, BROKER | KEEPER),
    CALL(epoll_pwait, BROKER | KEEPER),
    CALL(eventfd2, BROKER | KEEPER),
    CALL(timerfd_create, BROKER | KEEPER),
    CALL(timerfd_settime, BROKER | KEEPER),
    CALL(pipe2, BROKER | KEEPER),
    CALL(poll, BROKER | KEEPER),

    /* memory */
    CALL(mmap, KEEPER, WITHIN(2, NO_EXEC), HAS(3, MAP_ANONYMOUS)),
    CALL(mmap, BROKER, WITHIN(2, NO_EXEC)), /* files, too: SQLite's index of its log */
    CALL(munmap, BROKER | KEEPER),
    CALL(mremap, BROKER | KEEPER),
    CALL(brk, BROKER | KEEPER),
    CALL(madvise, BROKER | KEEPER, IS(2, MADV_DONTNEED)),
    CALL(madvise, BROKER | KEEPER, IS(2, MADV_FREE)),
    CALL(madvise, BROKER | KEEPER, IS(2, MADV_DONTDUMP)),

    /* time, and themselves */
    CALL(clock_gettime, BROKER | KEEPER, WITHIN_32(0, CLOCKS)),
    CALL(clock_getres, BROKER | KEEPER, WITHIN_32(0, CLOCKS)),
    CALL(clock_nanosleep, BROKER | KEEPER, WITHIN_32(0, CLOCKS)),
    CALL(futex, BROKER | KEEPER),
    CALL(rt_sigprocmask, BROKER | KEEPER),
    CALL(getpid, BROKER | KEEPER),
    CALL(getuid, BROKER | KEEPER), /* libevent and OpenSSL ask whether to trust the environment */
    CALL(geteuid, BROKER | KEEPER),
    CALL(getgid, BROKER | KEEPER),
    CALL(getegid, BROKER | KEEPER),
    CALL(gettid, BROKER | KEEPER),
    CALL(sched_yield, BROKER | KEEPER),
    CALL(sched_getaffinity, BROKER | KEEPER), /* malloc counts processors */
    CALL(sysinfo, BROKER),                    /* qsort asks how much memory there is */
    CALL(getrusage, BROKER | KEEPER),
    CALL(prlimit64, BROKER | KEEPER, IS(0, 0), IS(2, 0)), /* its own, read only */
    CALL(exit, BROKER | KEEPER),

    /* threads: the store's */
    CALL(clone, BROKER, IS(0, A_THREAD)),
    CALL(set_robust_list, BROKER),
    CALL(rt_sigaction, BROKER, IS(0, 33)), /* the thread library's own signal, at the first thread */
    CALL(rseq, BROKER),

    /* callers, at inherited listeners */
    CALL(accept4, BROKER),
    CALL(getsockname, BROKER),
    CALL(getpeername, BROKER),
    CALL(getsockopt, BROKER, IS(1, SOL_SOCKET), IS(2, SO_ERROR)),
    CALL(getsockopt, BROKER, IS(1, SOL_SOCKET), IS(2, SO_SNDBUF)),
    CALL(getsockopt, BROKER, IS(1, IPPROTO_TCP), IS(2, TCP_INFO)),
    CALL(setsockopt, BROKER, IS(1, IPPROTO_TCP), IS(2, TCP_NODELAY)),
    CALL(setsockopt, BROKER, IS(1, IPPROTO_TCP), IS(2, TCP_CORK)),
    CALL(setsockopt, BROKER, IS(1, IPPROTO_TCP), IS(2, TCP_KEEPIDLE)),
    CALL(setsockopt, BROKER, IS(1, IPPROTO_TCP), IS(2, TCP_KEEPINTVL)),
    CALL(setsockopt, BROKER, IS(1, IPPROTO_TCP), IS(2, TCP_KEEPCNT)),
    CALL(setsockopt, BROKER, IS(1, IPPROTO_TCP), IS(2, TCP_USER_TIMEOUT)),
    CALL(setsockopt, BROKER, IS(1, IPPROTO_TCP), IS(2, TCP_NOTSENT_LOWAT)),
    CALL(setsockopt, BROKER, IS(1, SOL_SOCKET), IS(2, SO_KEEPALIVE)),
    CALL(setsockopt, BROKER, IS(1, SOL_SOCKET), IS(2, SO_LINGER)),
    CALL(setsockopt, BROKER, IS(1, SOL_SOCKET), IS(2, SO_SNDBUF)),
    CALL(setsockopt, BROKER, IS(1, SOL_SOCKET), IS(2, SO_RCVBUF)),

    /* the database; which files, says sandbox_files.c */
    CALL(openat, BROKER, WITHIN_32(2, OPEN_FLAGS), WITHIN_32(3, 0666)),
    CALL(newfstatat, BROKER),
    CALL(fstat, BROKER),
    CALL(access, BROKER),
    CALL(readlink, BROKER),
    CALL(getcwd, BROKER),
    CALL(fcntl, BROKER, IS(1, F_SETLK)),
    CALL(fcntl, BROKER, IS(1, F_SETLKW)),
    CALL(fcntl, BROKER, IS(1, F_GETLK)),
    CALL(pread64, BROKER),
    CALL(pwrite64, BROKER),
    CALL(lseek, BROKER),
    CALL(ftruncate, BROKER),
    CALL(fallocate, BROKER, IS(1, 0)),
    CALL(fsync, BROKER),
    CALL(fdatasync, BROKER),
    CALL(sync_file_range, BROKER, IS(3, SYNC_FILE_RANGE_WRITE)),
    CALL(unlink, BROKER),

#ifdef SANITIZE /* the sanitizers' run time */
    CALL(read, WORKER),
    CALL(mmap, WORKER | BROKER | KEEPER),
    CALL(munmap, WORKER),
    CALL(madvise, WORKER | BROKER | KEEPER),
    CALL(futex, WORKER),
    CALL(gettid, WORKER),
    CALL(getpid, WORKER),
    CALL(getppid, BROKER | KEEPER),
    CALL(rt_sigaction, WORKER | BROKER | KEEPER),
    CALL(rt_sigprocmask, WORKER),
    CALL(sigaltstack, WORKER | BROKER | KEEPER),
    CALL(sched_yield, WORKER),
    CALL(tgkill, WORKER | BROKER | KEEPER),
    CALL(openat, WORKER | BROKER | KEEPER),
    CALL(close, WORKER),
    CALL(newfstatat, WORKER | KEEPER),
    CALL(readlink, KEEPER),
    CALL(prlimit64, WORKER | BROKER | KEEPER),
    CALL(sched_getaffinity, WORKER),
    CALL(prctl, BROKER | KEEPER), /* names for mappings */
    CALL(uname, BROKER | KEEPER),
#endif
};

static bool allow(scmp_filter_ctx filter, enum sandbox_role role) {
  int bad = 0;
  for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
    if (!(rules[i].roles & 1 << role)) continue;
    /* Comparison 0 is none: the rest of a rule's arguments. */
    unsigned count = (rules[i].args[0].op != 0) + (rules[i].args[1].op != 0);
    bad |= seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rules[i].call, count, rules[i].args);
  }
  /* The library then makes its threads with clone, whose flags can be seen. */
  if (role == SANDBOX_BROKER) bad |= seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL);
  return bad == 0;
}

bool sandbox_calls(enum sandbox_role role) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
  if (filter == NULL) return false;
  bool held = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
              seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) == 0 &&
              seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0 && allow(filter, role) &&
              seccomp_load(filter) == 0;
  seccomp_release(filter);
  return held;
}
