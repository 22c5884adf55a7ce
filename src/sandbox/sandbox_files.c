/* Landlock (Documentation/userspace-api/landlock.rst). The kernel's own header may be older than the kernel, so the few
 * numbers stand here. */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/mechanisms.h"

enum {
  WRITE_FILE = 1 << 1,
  READ_FILE = 1 << 2,
  READ_DIRECTORY = 1 << 3,
  REMOVE_FILE = 1 << 5,
  MAKE_REGULAR = 1 << 8,
  TRUNCATE = 1 << 14
};

struct ruleset {
  uint64_t files, network, scopes;
};

enum { BIND_TCP = 1 << 0, CONNECT_TCP = 1 << 1 };

/* A rule set that handles all accesses this kernel knows. */
static long make_ruleset(enum sandbox_role role, struct ruleset *handled) {
  long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1u /* LANDLOCK_CREATE_RULESET_VERSION */);
  if (abi < 1) return -1;
  static const uint64_t files_by_abi[] = {0x1fff, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff};
  *handled = (struct ruleset){.files = files_by_abi[abi < 5 ? abi : 5]};
  size_t size = sizeof handled->files;
  if (abi >= 4) {
    handled->network = role == SANDBOX_EGRESS ? BIND_TCP : BIND_TCP | CONNECT_TCP;
    size = 2 * sizeof(uint64_t);
  }
  if (abi >= 6) {
    handled->scopes = 0x3; /* abstract UNIX sockets, signals */
    size = sizeof *handled;
  }
  return syscall(SYS_landlock_create_ruleset, handled, size, 0);
}

static bool grant(long ruleset, const struct ruleset *handled, uint64_t files, int parent) {
  struct {
    uint64_t allowed;
    int32_t parent;
  } __attribute__((packed)) beneath = {files & handled->files, parent};
  return syscall(SYS_landlock_add_rule, ruleset, 1 /* LANDLOCK_RULE_PATH_BENEATH */, &beneath, 0) == 0;
}

/* What is not there needs no rule. */
static bool grant_path(long ruleset, const struct ruleset *handled, const char *path) {
  struct stat what;
  int fd = open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) return true;
  const bool directory = fstat(fd, &what) == 0 && S_ISDIR(what.st_mode);
  bool ok = grant(ruleset, handled, READ_FILE | (directory ? READ_DIRECTORY : 0), fd);
  close(fd);
  return ok;
}

/* resolver(5), gai.conf(5). Where the first is a link into /run, whoever keeps it there writes it anew now and then, so
 * its directory is granted. */
static bool grant_resolver(long ruleset, const struct ruleset *handled) {
  static const char *const paths[] = {"/etc/resolv.conf",   "/etc/hosts",    "/etc/host.conf",
                                      "/etc/nsswitch.conf", "/etc/services", "/etc/gai.conf"};
  char real[PATH_MAX];
  bool ok = true;
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) ok &= grant_path(ruleset, handled, paths[i]);
  if (realpath(paths[0], real) == NULL || strncmp(real, "/run/", 5) != 0) return ok;
  char *slash = strrchr(real + 5, '/');
  if (slash == NULL) return ok;
  *slash = 0;
  return ok && grant_path(ruleset, handled, real);
}

bool sandbox_files(enum sandbox_role role, int directory) {
#ifdef SANITIZE /* the sanitizers read /proc/self/maps when they report */
  (void)role, (void)directory, (void)make_ruleset, (void)grant_resolver;
  return false;
#endif
  const uint64_t own = WRITE_FILE | READ_FILE | READ_DIRECTORY | REMOVE_FILE | MAKE_REGULAR | TRUNCATE;
  struct ruleset handled;
  long ruleset = make_ruleset(role, &handled);
  if (ruleset < 0) return false;
  bool held = (directory < 0 || grant(ruleset, &handled, own, directory)) &&
              (role != SANDBOX_EGRESS || grant_resolver(ruleset, &handled)) &&
              syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
  close((int)ruleset);
  return held;
}
