/*
 * like_gramine PRELOAD PROGRAM ARGUMENT…: becomes the program, without the system calls that Gramine has not (its
 * libos_table.c: they fail with ENOSYS), and with PRELOAD (no_guards.c) for what a filter cannot see. No enclave is
 * needed to find out that the thread profile does without.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const missing[] = {
    "prctl",
    "ptrace",
    "unshare",
    "setns",
    "mount",
    "umount2",
    "pivot_root",
    "memfd_create",
    "memfd_secret",
    "execveat",
    "clone3",
    "pidfd_open",
    "pidfd_getfd",
    "pidfd_send_signal",
    "signalfd",
    "signalfd4",
    "timerfd_create",
    "timer_create",
    "inotify_init",
    "inotify_init1",
    "fanotify_init",
    "io_uring_setup",
    "epoll_pwait2",
    "membarrier",
    "mremap",
    "landlock_create_ruleset",
    "landlock_add_rule",
    "landlock_restrict_self",
    "userfaultfd",
    "utimensat",
    "getrusage",
    "times",
    "setpriority",
    "capset",
    "capget",
    "close_range",
    "setfsuid",
    "vfork",
    "fork",
    "waitid",
};

int main(int argc, char **argv) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (argc < 3 || filter == NULL || setenv("LD_PRELOAD", argv[1], 1) != 0) return 99;
  for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
    const int number = seccomp_syscall_resolve_name(missing[i]);
    if (number == __NR_SCMP_ERROR || seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0) != 0) return 98;
  }
  if (seccomp_load(filter) != 0) return 97;
  execv(argv[2], argv + 2);
  perror(argv[2]);
  return 96;
}
