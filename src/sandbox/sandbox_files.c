/* Landlock (Documentation/userspace-api/landlock.rst). The kernel's own header may be older than the kernel, so the few
 * numbers stand here. */
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

/* A rule set that handles all accesses this kernel knows. */
static long make_ruleset(struct ruleset *handled) {
  long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1u /* LANDLOCK_CREATE_RULESET_VERSION */);
  if (abi < 1) return -1;
  static const uint64_t files_by_abi[] = {0x1fff, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff};
  *handled = (struct ruleset){.files = files_by_abi[abi < 5 ? abi : 5]};
  size_t size = sizeof handled->files;
  if (abi >= 4) {
    handled->network = 0x3; /* bind and connect TCP */
    size = 2 * sizeof(uint64_t);
  }
  if (abi >= 6) {
    handled->scopes = 0x3; /* abstract UNIX sockets, signals */
    size = sizeof *handled;
  }
  return syscall(SYS_landlock_create_ruleset, handled, size, 0);
}

static bool grant(long ruleset, const struct ruleset *handled, int directory) {
  const uint64_t files = WRITE_FILE | READ_FILE | READ_DIRECTORY | REMOVE_FILE | MAKE_REGULAR | TRUNCATE;
  struct {
    uint64_t allowed;
    int32_t parent;
  } __attribute__((packed)) beneath = {files & handled->files, directory};
  return syscall(SYS_landlock_add_rule, ruleset, 1 /* LANDLOCK_RULE_PATH_BENEATH */, &beneath, 0) == 0;
}

bool sandbox_files(int directory) {
#ifdef SANITIZE /* the sanitizers read /proc/self/maps when they report */
  (void)directory;
  return false;
#endif
  struct ruleset handled;
  long ruleset = make_ruleset(&handled);
  if (ruleset < 0) return false;
  bool held =
      (directory < 0 || grant(ruleset, &handled, directory)) && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
  close((int)ruleset);
  return held;
}
