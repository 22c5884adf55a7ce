#include "fence_process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NOBODY 65534u
#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define HOLDS(set, fence) ((set)&1u << SANDBOX_BIT_##fence)

struct path {
  char text[64];
};

static struct path proc_path(pid_t pid, const char *what) {
  struct path p;
  if (pid == 0)
    snprintf(p.text, sizeof p.text, "/proc/self/%s", what);
  else
    snprintf(p.text, sizeof p.text, "/proc/%d/%s", (int)pid, what);
  return p;
}

/* The text lives until the next call. */
static const char *proc_text(pid_t pid, const char *what) {
  static char text[65536];
  int fd = open(proc_path(pid, what).text, O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail_msg("%s: %s", proc_path(pid, what).text, strerror(errno));
  size_t len = 0;
  for (ssize_t n; len < sizeof text - 1 && (n = read(fd, text + len, sizeof text - 1 - len)) > 0;) len += (size_t)n;
  close(fd);
  text[len] = 0;
  return text;
}

/* ---- what everyone may see: /proc/PID/status and limits (proc(5)) ---- */

/* The rest of the line that begins so. */
static const char *line(const char *text, const char *name) {
  const size_t len = strlen(name);
  for (const char *at = text; at != NULL; at = strchr(at, '\n')) {
    if (*at == '\n') at++;
    if (strncmp(at, name, len) == 0) return at + len;
  }
  fail_msg("no line %s", name);
  return "";
}

static uint64_t number(const char *text, const char *name, int base) {
  return strtoull(line(text, name), NULL, base);
}

static void check_ids(const char *status, const char *name, uint64_t want) {
  const char *at = line(status, name);
  char *end;
  for (int i = 0; i < 4; i++, at = end) {
    uint64_t id = strtoull(at, &end, 10);
    if (id != want) fail_msg("%s %" PRIu64 ", not %" PRIu64, name, id, want);
  }
}

static void check_identity(const char *status) {
  const bool root = geteuid() == 0;
  check_ids(status, "Uid:", root ? NOBODY : geteuid());
  check_ids(status, "Gid:", root ? NOBODY : getegid());
  if (root) assert_int_equal(strspn(line(status, "Groups:"), " \t"), strcspn(line(status, "Groups:"), "\n"));
}

static void check_status(pid_t pid, sandbox_set held) {
  static const struct {
    const char *name;
    uint64_t want;
  } wanted[] = {{"CapInh:", 0},     {"CapPrm:", 0},  {"CapEff:", 0},  {"CapAmb:", 0},
                {"NoNewPrivs:", 1}, {"Seccomp:", 2}, {"Threads:", 1}, {"SigBlk:", 0}};
  uint64_t filters = number(proc_text(0, "status"), "Seccomp_filters:", 10);
  const char *status = proc_text(pid, "status");
  for (size_t i = 0; i < COUNT(wanted); i++) {
    uint64_t value = number(status, wanted[i].name, 16);
    if (value != wanted[i].want) fail_msg("%s %" PRIx64 ", not %" PRIx64, wanted[i].name, value, wanted[i].want);
  }
  assert_int_equal(number(status, "Seccomp_filters:", 10), filters + 1);
  if (geteuid() == 0) assert_int_equal(number(status, "CapBnd:", 16), 0);
  if (HOLDS(held, USER)) check_identity(status);
  if (HOLDS(held, PROCESSES)) {
    const char *numbers = line(status, "NSpid:");
    assert_int_equal(strtoul(strpbrk(numbers + strspn(numbers, " \t"), "\t"), NULL, 10), 1);
  }
}

static void check_worker_limits(pid_t pid) {
  static const struct {
    const char *name;
    uint64_t most;
  } wanted[] = {{"Max core file size", 0},   {"Max file size", 0},
                {"Max processes", 0},        {"Max open files", 1},
                {"Max locked memory", 0},    {"Max msgqueue size", 0},
                {"Max nice priority", 20},   {"Max realtime priority", 0},
                {"Max pending signals", 16}, {"Max address space", 12ul << 30},
                {"Max data size", 2ul << 30}};
  const char *limits = proc_text(pid, "limits");
  for (size_t i = 0; i < COUNT(wanted); i++) {
    char *end;
    const char *at = line(limits, wanted[i].name);
    uint64_t soft = strtoull(at, &end, 10), hard = strtoull(end, NULL, 10);
    /* "unlimited" is no number. */
    assert_true(at[strspn(at, " ")] >= '0' && at[strspn(at, " ")] <= '9');
    if (soft > wanted[i].most || hard > wanted[i].most)
      fail_msg("%s: %" PRIu64 ", %" PRIu64, wanted[i].name, soft, hard);
  }
}

/* An undumpable process's files in /proc are root's (proc(5)). */
static void check_undumpable(pid_t pid) {
  struct stat st;
  assert_int_equal(stat(proc_path(pid, "environ").text, &st), 0);
  assert_int_equal(st.st_uid, 0);
}

/* ---- what only root may see ---- */

static unsigned count_entries(pid_t pid, const char *what) {
  unsigned n = 0;
  DIR *dir = opendir(proc_path(pid, what).text);
  if (dir == NULL) {
    fail_msg("%s: %s", proc_path(pid, what).text, strerror(errno));
    return 0;
  }
  for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
    n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
  }
  closedir(dir);
  return n;
}

static void check_descriptors(pid_t pid, enum sandbox_role role) {
  char target[64] = "";
  assert_int_equal(count_entries(pid, "fd"), role == SANDBOX_WORKER ? 1 : 3);
  assert_true(readlink(proc_path(pid, "fd/0").text, target, sizeof target - 1) > 0);
  assert_memory_equal(target, "socket:[", 8);
}

static void check_namespaces(pid_t pid, sandbox_set held) {
  static const struct {
    const char *name;
    enum sandbox_bit bit;
  } namespaces[] = {{"ns/net", SANDBOX_BIT_NETWORK},
                    {"ns/mnt", SANDBOX_BIT_MOUNT},
                    {"ns/uts", SANDBOX_BIT_IPC},
                    {"ns/pid", SANDBOX_BIT_PROCESSES},
                    {"ns/ipc", SANDBOX_BIT_IPC}};
  for (size_t i = 0; i < COUNT(namespaces); i++) {
    char ours[64] = "", theirs[64] = "";
    assert_true(readlink(proc_path(0, namespaces[i].name).text, ours, sizeof ours - 1) > 0);
    assert_true(readlink(proc_path(pid, namespaces[i].name).text, theirs, sizeof theirs - 1) > 0);
    const bool same = strcmp(ours, theirs) == 0;
    if (same == !!(held & 1u << namespaces[i].bit)) fail_msg("%s: %s, %s", namespaces[i].name, ours, theirs);
  }
}

static void check_root(pid_t pid) {
  assert_int_equal(count_entries(pid, "root"), 0);
  assert_int_equal(count_entries(pid, "cwd"), 0);
  const char *mounts = proc_text(pid, "mountinfo"), *first = strchr(mounts, '\n');
  assert_non_null(first);
  assert_int_equal(first[1], 0); /* one line: nothing else is mounted there */
  assert_non_null(strstr(mounts, " / / ro,nosuid,nodev,noexec"));
}

void fence_process_check(pid_t pid, enum sandbox_role role, sandbox_set held) {
  check_status(pid, held);
  if (role == SANDBOX_WORKER) check_worker_limits(pid);
  if (HOLDS(held, UNDUMPABLE)) check_undumpable(pid);
  if (geteuid() != 0) {
    print_message(
        "skipped: descriptors, environment, namespaces and root of %d as seen from outside: only root may look\n",
        (int)pid);
    return;
  }
  check_descriptors(pid, role);
  assert_int_equal(strlen(proc_text(pid, "environ")), 0);
  check_namespaces(pid, held);
  if (HOLDS(held, EMPTY_ROOT)) check_root(pid);
}

void fence_process_check_maps(pid_t pid) {
  const char *maps = proc_text(pid, "maps");
  unsigned executable = 0;
  for (const char *at = maps; *at != 0; at += strcspn(at, "\n") + 1) {
    const char *rights = at + strcspn(at, " ") + 1;
    const size_t len = strcspn(at, "\n");
    if (rights[2] != 'x') continue;
    if (rights[1] == 'w') fail_msg("writable and executable: %.*s", (int)len, at);
    /* The kernel's two pages have names in brackets; the program's only segment of code is all else there may be. */
    executable += at[len - 1] != ']';
  }
  assert_int_equal(executable, 1);
}
