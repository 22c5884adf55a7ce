#include "supervisor/notify.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "supervisor/environment.h"

void notify_send(char *const *environment, const char *state) {
  const char *path = environment_get(environment, "NOTIFY_SOCKET");
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  size_t len = path == NULL ? 0 : strlen(path);
  if (len < 2 || len >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@')) return;
  memcpy(to.sun_path, path, len);
  if (path[0] == '@') to.sun_path[0] = 0;
  int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (s < 0) return;
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
  /* Who does not listen misses it: the service does not depend on it. */
  (void)!sendto(s, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to, size);
  close(s);
}

/* A number that is meant for this process, if `owner` names one. */
static uint64_t number_for_us(char *const *environment, const char *name, const char *owner, uint64_t max) {
  const char *value = environment_get(environment, name), *pid = environment_get(environment, owner);
  uint64_t number, who;
  if (value == NULL || text_u64(span_text(value), 1, max, &number) != RESULT_OK) return 0;
  if (pid != NULL && (text_u64(span_text(pid), 1, INT32_MAX, &who) != RESULT_OK || (pid_t)who != getpid())) return 0;
  return number;
}

uint64_t notify_watchdog_us(char *const *environment) {
  return number_for_us(environment, "WATCHDOG_USEC", "WATCHDOG_PID", UINT64_MAX / 2);
}

unsigned notify_sockets(char *const *environment) {
  if (environment_get(environment, "LISTEN_PID") == NULL) return 0;
  unsigned count = (unsigned)number_for_us(environment, "LISTEN_FDS", "LISTEN_PID", 16);
  for (unsigned i = 0; i < count; i++) fcntl((int)(NOTIFY_FIRST_SOCKET + i), F_SETFD, FD_CLOEXEC);
  return count;
}
