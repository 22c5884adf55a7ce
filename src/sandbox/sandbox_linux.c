#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/mechanisms.h"

#define HELD(fence) (1u << SANDBOX_BIT_##fence)

const char *sandbox_name(enum sandbox_bit bit) {
  static const char *const names[] = {
#define SANDBOX_NAME(id, name) name,
      SANDBOX_FENCES(SANDBOX_NAME)
#undef SANDBOX_NAME
  };
  return (unsigned)bit < SANDBOX_COUNT ? names[bit] : "unknown";
}

const struct sandbox_profile sandbox_profile = {"process", SANDBOX_ALL, SANDBOX_REQUIRED};

#define AS_IT_IS (RLIM_INFINITY - 1)
#define AS_MUCH_AS_THERE_IS RLIM_INFINITY

/* The most each role may have; the soft limit becomes the hard one. */
static const struct limit {
  int resource;
  rlim_t worker, broker, keeper, egress;
} limits[] = {
    {RLIMIT_CORE, 0, 0, 0, 0},
    /* All but workers write their log, perhaps to a file. */
    {RLIMIT_FSIZE, 0, AS_IT_IS, AS_IT_IS, AS_IT_IS},
    {RLIMIT_NPROC, 0, AS_IT_IS, 0, AS_IT_IS},
    {RLIMIT_MEMLOCK, 0, 0, 0, 0},
    {RLIMIT_MSGQUEUE, 0, 0, 0, 0},
    {RLIMIT_SIGPENDING, 16, 16, 16, 16},
    /* A worker's priority is lowered while a script runs on; this lets the supervisor, who need not be root, give it
     * back: 20 is "as nice as 0" (getrlimit(2)). The worker itself has no such system call. */
    {RLIMIT_NICE, 20, 0, 0, 0},
    {RLIMIT_RTPRIO, 0, 0, 0, 0},
#ifndef SANITIZE /* AddressSanitizer's shadow takes terabytes of address space; and it reads /proc/self/maps */
    /* poll(2) wants as many as it watches: the socket, which is 0. */
    {RLIMIT_NOFILE, 1, AS_MUCH_AS_THERE_IS, AS_IT_IS, AS_MUCH_AS_THERE_IS},
    {RLIMIT_AS, 12ul << 30, AS_IT_IS, AS_IT_IS, AS_IT_IS},
    {RLIMIT_DATA, 2ul << 30, AS_IT_IS, AS_IT_IS, AS_IT_IS},
#endif
};

static bool limit_resource(int resource, rlim_t most) {
  struct rlimit limit;
  if (most == AS_IT_IS) return true;
  if (getrlimit((__rlimit_resource_t)resource, &limit) != 0) return false;
  if (limit.rlim_max > most) limit.rlim_max = most;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit((__rlimit_resource_t)resource, &limit) == 0;
}

static bool limit_resources(enum sandbox_role role) {
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
    const struct limit *l = &limits[i];
    const rlim_t most[] = {[SANDBOX_WORKER] = l->worker,
                           [SANDBOX_BROKER] = l->broker,
                           [SANDBOX_KEEPER] = l->keeper,
                           [SANDBOX_EGRESS] = l->egress};
    if (!limit_resource(l->resource, most[role])) return false;
  }
  return true;
}

static bool drop_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[2] = {{0}, {0}};
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  return syscall(SYS_capset, &header, none) == 0;
}

enum result sandbox_enter(enum sandbox_role role, const char *directory, sandbox_set *held) {
  int fd = directory == NULL ? -1 : open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (directory != NULL && fd < 0) return RESULT_IO;
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0) *held |= HELD(UNDUMPABLE);
  if (drop_capabilities()) *held |= HELD(NO_CAPABILITIES);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) *held |= HELD(NO_NEW_PRIVILEGES);
  if (sandbox_files(role, fd)) *held |= HELD(LANDLOCK);
  if (fd >= 0) close(fd);
  if (limit_resources(role)) *held |= HELD(RESOURCES);
  if (sandbox_calls(role)) *held |= HELD(SYSTEM_CALLS);
  return sandbox_suffices(*held) ? RESULT_OK : RESULT_SANDBOX_REFUSED;
}
