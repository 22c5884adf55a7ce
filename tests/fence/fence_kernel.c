#include "fence_kernel.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534u
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- what is granted ---- */

static bool can_unshare(int flags) {
  /* Root has them without a user namespace, or with one as everyone. */
  return (geteuid() == 0 && unshare(flags) == 0) || unshare(flags | CLONE_NEWUSER) == 0;
}

static bool can_mount(int flags) {
  return can_unshare(flags) && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
         mount("none", "/tmp", "tmpfs", 0, NULL) == 0;
}

static bool can_landlock(int unused) {
  (void)unused;
  return syscall(SYS_landlock_create_ruleset, NULL, 0, 1u) >= 1;
}

static bool in_child(bool (*can)(int flags), int flags) {
  pid_t pid = fork();
  int status = 1;
  if (pid == 0) _exit(can(flags) ? 0 : 1);
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return status == 0;
}

sandbox_set fence_kernel_grants(void) {
  static const struct {
    bool (*can)(int flags);
    int flags;
    enum sandbox_bit bit;
  } depth[] = {{can_unshare, CLONE_NEWNET, SANDBOX_BIT_NETWORK},   {can_unshare, CLONE_NEWNS, SANDBOX_BIT_MOUNT},
               {can_unshare, CLONE_NEWPID, SANDBOX_BIT_PROCESSES}, {can_unshare, CLONE_NEWIPC, SANDBOX_BIT_IPC},
               {can_mount, CLONE_NEWNS, SANDBOX_BIT_EMPTY_ROOT},   {can_landlock, 0, SANDBOX_BIT_LANDLOCK}};
  sandbox_set granted = SANDBOX_ALL; /* what is not in the table needs nobody's leave */
  for (size_t i = 0; i < COUNT(depth); i++) {
    if (!in_child(depth[i].can, depth[i].flags)) granted &= ~(sandbox_set)(1u << depth[i].bit);
  }
  return granted;
}

/* ---- other worlds ---- */

static bool load(scmp_filter_ctx filter, int bad) {
  /* Root needs no NO_NEW_PRIVS for it, and would spoil what the fence is asked for. */
  bool ok = bad == 0 && (geteuid() != 0 || seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) == 0) &&
            seccomp_load(filter) == 0;
  seccomp_release(filter);
  return ok;
}

bool fence_kernel_contain(void) {
  static const int refused[] = {SCMP_SYS(unshare), SCMP_SYS(setns),      SCMP_SYS(mount),     SCMP_SYS(umount2),
                                SCMP_SYS(chroot),  SCMP_SYS(pivot_root), SCMP_SYS(open_tree), SCMP_SYS(fsopen)};
  static const uint64_t namespaces[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                        CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (filter == NULL) return false;
  /* Other architectures' numbers are left to the fence. */
  int bad = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW) |
            seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL);
  for (size_t i = 0; i < COUNT(refused); i++) {
    bad |= seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), refused[i], 0, NULL);
  }
  for (size_t i = 0; i < COUNT(namespaces); i++) {
    const struct scmp_arg_cmp set = SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i]);
    bad |= seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, &set);
  }
  return load(filter, bad);
}

bool fence_kernel_refuse_filters(void) {
  const struct scmp_arg_cmp seccomp = SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP);
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (filter == NULL) return false;
  int bad = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(seccomp), 0, NULL) |
            seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 1, &seccomp);
  return load(filter, bad);
}

bool fence_kernel_drop(int capability) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct caps[2];
  if (syscall(SYS_capget, &header, caps) != 0) return false;
  const uint32_t keep = ~(1u << capability % 32);
  struct __user_cap_data_struct *half = &caps[capability / 32];
  half->effective &= keep, half->permitted &= keep, half->inheritable &= keep;
  return prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0 && syscall(SYS_capset, &header, caps) == 0;
}

bool fence_kernel_become_nobody(void) {
  return setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0;
}
