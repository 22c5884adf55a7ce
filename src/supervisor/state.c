#include "supervisor/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/sandbox.h"
#include "supervisor/environment.h"

#define NOBODY 65534u

/* ---- where ---- */

static bool put_path(char *out, size_t size, const char *base, const char *rest) {
  int n = snprintf(out, size, "%s%s", base, rest);
  return n > 0 && (size_t)n < size;
}

static bool find_default(struct state *s, char *const *environment) {
  const char *xdg = environment_get(environment, "XDG_STATE_HOME"), *home = environment_get(environment, "HOME");
  const size_t size = sizeof s->directory;
  if (geteuid() == 0) return put_path(s->directory, size, "/var/lib/neocompute", "");
  if (xdg != NULL && xdg[0] == '/') return put_path(s->directory, size, xdg, "/neocompute");
  return home != NULL && home[0] == '/' && put_path(s->directory, size, home, "/.local/state/neocompute");
}

static bool find(struct state *s, const char *setting, char *const *environment) {
  char here[PATH_MAX / 2];
  if (setting[0] == 0) return find_default(s, environment);
  if (setting[0] == '/') return put_path(s->directory, sizeof s->directory, setting, "");
  if (getcwd(here, sizeof here) == NULL) return false;
  return strlen(here) + 1 < sizeof s->directory &&
         snprintf(s->directory, sizeof s->directory, "%s/%s", here, setting) < (int)sizeof s->directory;
}

/* ---- made, and private ---- */

/* Like mkdir -p: what is missing above it is made as private as it. */
static bool make(char *path) {
  for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    bool there = mkdir(path, 0755) == 0 || errno == EEXIST;
    *slash = '/';
    if (!there) return false;
  }
  return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static bool is_empty(int fd) {
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  DIR *dir = copy < 0 ? NULL : fdopendir(copy);
  if (dir == NULL) {
    if (copy >= 0) close(copy);
    return false;
  }
  size_t entries = 0;
  while (readdir(dir) != NULL) entries++;
  closedir(dir);
  return entries <= 2; /* . and .. */
}

/* A directory that others can use already is not taken over, unless there is nothing in it: it may be somebody's. */
static const char *against(int fd, const struct stat *st) {
  if (st->st_uid != geteuid() && st->st_uid != (geteuid() == 0 ? NOBODY : geteuid()))
    return "the state directory belongs to another user";
  if ((st->st_mode & 077) != 0 && !is_empty(fd))
    return "the state directory is not empty and others may use it (chmod 700)";
  return NULL;
}

/* Who the broker is: root's is nobody, unless it is a thread of ours. */
static uid_t broker_user(void) {
  const bool changes = (sandbox_profile.possible & 1u << SANDBOX_BIT_USER) != 0;
  return geteuid() == 0 && changes ? NOBODY : geteuid();
}

/* To the broker's user go the directory and the files that an earlier run made. */
static bool hand_over(int fd, uid_t user) {
  static const char *const files[] = {"jobs.sqlite", "jobs.sqlite-wal", "jobs.sqlite-shm"};
  if (fchown(fd, user, user) != 0) return false;
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
    if (fchownat(fd, files[i], user, user, AT_SYMLINK_NOFOLLOW) != 0 && errno != ENOENT) return false;
  return true;
}

/* Whether the broker will get there: above the directory there may be one that only root may pass. */
static bool within_reach(const char *directory) {
  if (geteuid() == broker_user()) return true;
  setfsuid(NOBODY); /* the checks of a path are made for this user (path_resolution(7)) */
  int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  setfsuid(0);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

static enum result take(struct state *s, int fd, const char **problem) {
  struct stat st;
  if (fstat(fd, &st) != 0) return RESULT_IO;
  *problem = against(fd, &st);
  if (*problem != NULL) return RESULT_CONFIG_INVALID;
  if (fchmod(fd, 0700) != 0 || (geteuid() == 0 && !hand_over(fd, broker_user()))) return RESULT_IO;
  *problem = "the state directory lies where only root can reach it, and the broker is nobody";
  if (!within_reach(s->directory)) return RESULT_CONFIG_INVALID;
  s->lock = openat(fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (s->lock < 0) return RESULT_IO;
  if (flock(s->lock, LOCK_EX | LOCK_NB) == 0) return RESULT_OK;
  *problem = "another service uses the state directory";
  return RESULT_CONFIG_INVALID;
}

enum result state_open(struct state *s, const char *setting, char *const *environment, const char **problem) {
  *s = (struct state){.lock = -1};
  if (strcmp(setting, "memory") == 0) return RESULT_OK;
  *problem = "there is no state directory: set server.state, or HOME";
  if (!find(s, setting, environment)) return RESULT_CONFIG_INVALID;
  if (!make(s->directory)) return RESULT_IO;
  int fd = open(s->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return RESULT_IO;
  enum result r = take(s, fd, problem);
  int saved = errno;
  close(fd);
  errno = saved;
  if (r == RESULT_OK && !put_path(s->store, sizeof s->store, s->directory, "/jobs.sqlite")) r = RESULT_IO;
  if (r != RESULT_OK) state_close(s);
  errno = saved;
  return r;
}

void state_close(struct state *s) {
  if (s->lock >= 0) close(s->lock);
  s->lock = -1;
}
