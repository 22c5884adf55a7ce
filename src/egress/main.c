/* neocompute-egress: a program of its own, so that no other process loads libcurl and the libraries that it brings. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "egress/egress.h"

#ifdef SANITIZE
/* The leak check at exit would need what the sandbox forbids. */
const char *__asan_default_options(void); /* NOLINT: its name */
const char *__asan_default_options(void) {
  return "detect_leaks=0";
} /* NOLINT */
#endif

/* A signal to the whole group is the supervisor's to act upon: it ends egress when the broker is done. */
static void ignore_signals(void) {
  static const int signals[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGXFSZ};
  for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) signal(signals[i], SIG_IGN);
}

static bool has_socket(void) {
  int type;
  socklen_t len = sizeof type;
  return getsockopt(SANDBOX_SOCKET, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

int main(int argc, char **argv) {
  uint64_t held;
  if (argc != 2 || text_u64(span_text(argv[1]), 0, SANDBOX_ALL, &held) != RESULT_OK || !has_socket()) {
    static const char line[] = "neocompute-egress is run by `neocompute serve`\n";
    (void)!write(STDERR_FILENO, line, sizeof line - 1);
    return 2;
  }
  /* From the first instruction on, nobody else of the same user may attach. */
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  ignore_signals();
  /* Not exit: in the fence nothing of what libraries do then is of use. */
  _exit(egress_main(&(struct sandbox_place){SANDBOX_SOCKET, (sandbox_set)held, true}));
}
