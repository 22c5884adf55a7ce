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
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "sandbox/mechanisms.h"

enum {
  WORKER = 1 << SANDBOX_WORKER,
  BROKER = 1 << SANDBOX_BROKER,
  KEEPER = 1 << SANDBOX_KEEPER,
  EGRESS = 1 << SANDBOX_EGRESS,
  SERVICE = BROKER | KEEPER | EGRESS
};

#define ARGS_MAX 3

struct rule {
  int call, roles;
  struct scmp_arg_cmp args[ARGS_MAX];
  int error; /* the call fails with it; 0: it is let through */
};

#define CALL(name, who, ...)                                      \
  {                                                               \
    .call = SCMP_SYS(name), .roles = who, .args = { __VA_ARGS__ } \
  }
#define FAILS(name, who, error_, ...) \
  { .call = SCMP_SYS(name), .roles = who, .args = {__VA_ARGS__}, .error = error_ }
#define IS(n, value) \
  { .arg = n, .op = SCMP_CMP_EQ, .datum_a = value }
/* No bit but these. */
#define WITHIN(n, bits) \
  { .arg = n, .op = SCMP_CMP_MASKED_EQ, .datum_a = ~(uint64_t)(bits), .datum_b = 0 }
/* The same for an argument of which the kernel looks at 32 bits only, and libraries leave rubbish in the others. */
#define WITHIN_32(n, bits) \
  { .arg = n, .op = SCMP_CMP_MASKED_EQ, .datum_a = (uint32_t) ~(uint32_t)(bits), .datum_b = 0 }
/* This, with any of these bits set. */
#define IS_WITH(n, value, bits) \
  { .arg = n, .op = SCMP_CMP_MASKED_EQ, .datum_a = (uint32_t) ~(uint32_t)(bits), .datum_b = value }
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
#define SOCKET_FLAGS (SOCK_CLOEXEC | SOCK_NONBLOCK)
/* Neither O_PATH, O_TMPFILE, O_DIRECT nor O_ASYNC. */
#define OPEN_FLAGS                                                                                                 \
  (O_WRONLY | O_RDWR | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_DIRECTORY | \
   0100000 /* O_LARGEFILE, 0 for the library */)

static const struct rule rules[] = {
    /* the socket to its parent, and nothing else, is a worker's world */
    CALL(read, WORKER, IS(0, SANDBOX_SOCKET)),
    CALL(write, WORKER, IS(0, SANDBOX_SOCKET)),
    CALL(ppoll, WORKER, IS(1, 1), IS(3, 0)), /* one descriptor, and no other signals meanwhile */
    CALL(madvise, WORKER, IS(2, MADV_DONTNEED)),
    CALL(setitimer, WORKER, IS(0, ITIMER_REAL)),
    CALL(clock_gettime, WORKER, WITHIN_32(0, WORKER_CLOCKS)),

    /* everyone */
    CALL(mprotect, WORKER | SERVICE, WITHIN(2, NO_EXEC)),
    CALL(getrandom, WORKER | SERVICE),
    CALL(rt_sigreturn, WORKER | SERVICE),
    CALL(restart_syscall, WORKER | SERVICE),
    CALL(exit_group, WORKER | SERVICE),

    /* descriptors they hold, and messages between processes */
    CALL(read, SERVICE),
    CALL(readv, SERVICE),
    CALL(write, SERVICE),
    CALL(writev, SERVICE),
    CALL(recvfrom, SERVICE),
    CALL(recvmsg, SERVICE),
    CALL(sendto, SERVICE),
    CALL(sendmsg, SERVICE),
    CALL(shutdown, SERVICE),
    CALL(close, SERVICE),
    CALL(fcntl, SERVICE, IS(1, F_GETFD)),
    CALL(fcntl, SERVICE, IS(1, F_SETFD)),
    CALL(fcntl, SERVICE, IS(1, F_GETFL)),
    CALL(fcntl, SERVICE, IS(1, F_SETFL), WITHIN_32(2, O_RDWR | O_WRONLY | O_NONBLOCK | O_APPEND | 0100000)),
    CALL(fcntl, SERVICE, IS(1, F_DUPFD_CLOEXEC)),

    /* the event loop */
    CALL(epoll_create1, SERVICE),
    CALL(epoll_ctl, SERVICE),
    CALL(epoll_wait, SERVICE),
    CALL(epoll_pwait, SERVICE),
    CALL(eventfd2, SERVICE),
    CALL(timerfd_create, SERVICE),
    CALL(timerfd_settime, SERVICE),
    CALL(pipe2, SERVICE),
    CALL(poll, SERVICE),

    /* memory */
    CALL(mmap, KEEPER | EGRESS, WITHIN(2, NO_EXEC), HAS(3, MAP_ANONYMOUS)),
    CALL(mmap, BROKER, WITHIN(2, NO_EXEC)), /* files, too: SQLite's index of its log */
    CALL(munmap, SERVICE),
    CALL(mremap, SERVICE),
    CALL(brk, SERVICE),
    CALL(madvise, SERVICE, IS(2, MADV_DONTNEED)),
    CALL(madvise, SERVICE, IS(2, MADV_FREE)),
    CALL(madvise, SERVICE, IS(2, MADV_DONTDUMP)),

    /* time, and themselves */
    CALL(clock_gettime, SERVICE, WITHIN_32(0, CLOCKS)),
    CALL(clock_getres, SERVICE, WITHIN_32(0, CLOCKS)),
    CALL(clock_nanosleep, SERVICE, WITHIN_32(0, CLOCKS)),
    CALL(futex, SERVICE),
    CALL(rt_sigprocmask, SERVICE),
    CALL(getpid, SERVICE),
    CALL(getuid, SERVICE), /* libevent and OpenSSL ask whether to trust the environment */
    CALL(geteuid, SERVICE),
    CALL(getgid, SERVICE),
    CALL(getegid, SERVICE),
    CALL(gettid, SERVICE),
    CALL(sched_yield, SERVICE),
    CALL(sched_getaffinity, SERVICE), /* malloc counts processors */
    CALL(sysinfo, BROKER),            /* qsort asks how much memory there is */
    CALL(getrusage, SERVICE),
    CALL(prlimit64, SERVICE, IS(0, 0), IS(2, 0)), /* its own, read only */
    CALL(exit, SERVICE),

    /* threads: the store's, and one for each name that is looked up */
    CALL(clone, BROKER | EGRESS, IS(0, A_THREAD)),
    CALL(set_robust_list, BROKER | EGRESS),
    CALL(rt_sigaction, EGRESS, IS(0, SIGPIPE)),     /* curl ignores it while it closes connections */
    CALL(rt_sigaction, BROKER | EGRESS, IS(0, 33)), /* the thread library's own signal, at the first thread */
    CALL(rseq, BROKER | EGRESS),

    /* callers, at inherited listeners */
    CALL(accept4, BROKER),
    CALL(getsockname, BROKER | EGRESS),
    CALL(getpeername, BROKER | EGRESS),
    CALL(getsockopt, BROKER | EGRESS, IS(1, SOL_SOCKET), IS(2, SO_ERROR)),
    CALL(getsockopt, BROKER, IS(1, SOL_SOCKET), IS(2, SO_SNDBUF)),
    CALL(getsockopt, BROKER, IS(1, IPPROTO_TCP), IS(2, TCP_INFO)),
    CALL(setsockopt, BROKER | EGRESS, IS(1, IPPROTO_TCP), IS(2, TCP_NODELAY)),
    CALL(setsockopt, BROKER, IS(1, IPPROTO_TCP), IS(2, TCP_CORK)),
    CALL(setsockopt, BROKER | EGRESS, IS(1, IPPROTO_TCP), IS(2, TCP_KEEPIDLE)),
    CALL(setsockopt, BROKER | EGRESS, IS(1, IPPROTO_TCP), IS(2, TCP_KEEPINTVL)),
    CALL(setsockopt, BROKER, IS(1, IPPROTO_TCP), IS(2, TCP_KEEPCNT)),
    CALL(setsockopt, BROKER | EGRESS, IS(1, IPPROTO_TCP), IS(2, TCP_USER_TIMEOUT)),
    CALL(setsockopt, BROKER, IS(1, IPPROTO_TCP), IS(2, TCP_NOTSENT_LOWAT)),
    CALL(setsockopt, BROKER | EGRESS, IS(1, SOL_SOCKET), IS(2, SO_KEEPALIVE)),
    CALL(setsockopt, BROKER, IS(1, SOL_SOCKET), IS(2, SO_LINGER)),
    CALL(setsockopt, BROKER, IS(1, SOL_SOCKET), IS(2, SO_SNDBUF)),
    CALL(setsockopt, BROKER, IS(1, SOL_SOCKET), IS(2, SO_RCVBUF)),

    /* others' servers: TCP, and UDP for DNS; no socket is bound to a port of its own choice, and none listens */
    CALL(socket, EGRESS, IS(0, AF_INET), IS_WITH(1, SOCK_STREAM, SOCKET_FLAGS), IS(2, 0)),
    CALL(socket, EGRESS, IS(0, AF_INET), IS_WITH(1, SOCK_STREAM, SOCKET_FLAGS), IS(2, IPPROTO_TCP)),
    CALL(socket, EGRESS, IS(0, AF_INET), IS_WITH(1, SOCK_DGRAM, SOCKET_FLAGS), IS(2, 0)),
    CALL(socket, EGRESS, IS(0, AF_INET), IS_WITH(1, SOCK_DGRAM, SOCKET_FLAGS), IS(2, IPPROTO_UDP)),
    CALL(socket, EGRESS, IS(0, AF_INET6), IS_WITH(1, SOCK_STREAM, SOCKET_FLAGS), IS(2, 0)),
    CALL(socket, EGRESS, IS(0, AF_INET6), IS_WITH(1, SOCK_STREAM, SOCKET_FLAGS), IS(2, IPPROTO_TCP)),
    CALL(socket, EGRESS, IS(0, AF_INET6), IS_WITH(1, SOCK_DGRAM, SOCKET_FLAGS), IS(2, 0)),
    CALL(socket, EGRESS, IS(0, AF_INET6), IS_WITH(1, SOCK_DGRAM, SOCKET_FLAGS), IS(2, IPPROTO_UDP)),
    /* The resolver would ask nscd, and the kernel for the machine's addresses; it makes do without. */
    FAILS(socket, EGRESS, EAFNOSUPPORT, IS(0, AF_UNIX)),
    FAILS(socket, EGRESS, EAFNOSUPPORT, IS(0, AF_NETLINK)),
    CALL(socketpair, EGRESS, IS(0, AF_UNIX), IS_WITH(1, SOCK_STREAM, SOCKET_FLAGS)), /* curl wakes itself */
    CALL(connect, EGRESS),
    CALL(sendmmsg, EGRESS),
    CALL(ioctl, EGRESS, IS(1, FIONREAD)),
    CALL(setsockopt, EGRESS, IS(1, IPPROTO_IP), IS(2, IP_RECVERR)),
    CALL(setsockopt, EGRESS, IS(1, IPPROTO_IPV6), IS(2, IPV6_RECVERR)),
    CALL(openat, EGRESS, WITHIN_32(2, O_CLOEXEC | 0100000)), /* to read; which files, says sandbox_files.c */
    CALL(newfstatat, EGRESS),
    CALL(fstat, EGRESS),
    CALL(lseek, EGRESS),
    CALL(uname, EGRESS), /* a resolver without a domain takes the machine's */

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
    CALL(mmap, WORKER | SERVICE),
    CALL(munmap, WORKER),
    CALL(madvise, WORKER | SERVICE),
    CALL(futex, WORKER),
    CALL(gettid, WORKER),
    CALL(getpid, WORKER),
    CALL(getppid, SERVICE),
    CALL(rt_sigaction, WORKER | SERVICE),
    CALL(rt_sigprocmask, WORKER),
    CALL(sigaltstack, WORKER | SERVICE),
    CALL(sched_yield, WORKER),
    CALL(tgkill, WORKER | SERVICE),
    CALL(openat, WORKER | SERVICE),
    CALL(close, WORKER),
    CALL(newfstatat, WORKER | KEEPER),
    CALL(readlink, KEEPER | EGRESS),
    CALL(prlimit64, WORKER | SERVICE),
    CALL(sched_getaffinity, WORKER),
    CALL(prctl, SERVICE), /* names for mappings */
    CALL(uname, SERVICE),
#endif
};

static bool allow(scmp_filter_ctx filter, enum sandbox_role role) {
  int bad = 0;
  for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
    if (!(rules[i].roles & 1 << role)) continue;
    const struct rule *rule = &rules[i];
    unsigned count = 0;
    while (count < ARGS_MAX && rule->args[count].op != 0) count++; /* comparison 0 is none */
    const uint32_t action = rule->error == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO((uint32_t)rule->error);
    bad |= seccomp_rule_add_array(filter, action, rule->call, count, rule->args);
  }
  /* The library then makes its threads with clone, whose flags can be seen. */
  if (role == SANDBOX_BROKER || role == SANDBOX_EGRESS)
    bad |= seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL);
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
