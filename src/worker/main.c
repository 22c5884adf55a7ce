/* neocompute-worker: the worker as a program of its own, small and static. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "base/text.h"
#include "engine/engine.h"
#include "worker/worker.h"

#ifdef SANITIZE
/* The leak check at exit would need what the sandbox forbids. */
const char *__asan_default_options(void); /* NOLINT: its name */
const char *__asan_default_options(void) {
  return "detect_leaks=0:handle_segv=0:handle_sigbus=0";
} /* NOLINT */

static volatile sig_atomic_t struck; /* since the alarm was set */
#endif

static void set_alarm(void *context, uint64_t ms) {
  (void)context;
  struct itimerval timer = {.it_value = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)},
                            .it_interval = {0, ms > 0 ? WORKER_PATIENCE_US : 0}};
#ifdef SANITIZE
  if (ms > 0) struck = 0;
#endif
  setitimer(ITIMER_REAL, &timer, NULL);
}

static void on_alarm(int signal) {
  (void)signal;
#ifdef SANITIZE /* its part of the jump takes longer than the next alarm, and does not nest */
  if (struck++ > 0) set_alarm(NULL, 0);
#endif
  worker_alarm();
}

static bool handle_alarms(void) {
  /* SA_NODEFER: the handler may leave by a jump. */
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART | SA_NODEFER | SA_ONSTACK};
  return sigaction(SIGALRM, &action, NULL) == 0;
}

int main(int argc, char **argv) {
  uint64_t held = 0;
  if (argc == 2 && text_u64(span_text(argv[1]), 0, SANDBOX_ALL, &held) != RESULT_OK) return 2;
  if (argc > 2) return 2;
  /* From the first instruction on, nobody else of the same user may attach. sandbox_enter reports it. */
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  struct rlimit stack = {ENGINE_NATIVE_STACK, ENGINE_NATIVE_STACK};
  if (setrlimit(RLIMIT_STACK, &stack) != 0 || !handle_alarms()) return 3;
  if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) return 3;
  return worker_main(&(struct worker_place){
      .place = {.socket = SANDBOX_SOCKET, .held = (sandbox_set)held, .alone = true},
      .program = SANDBOX_PROGRAM,
      .set_alarm = set_alarm,
  });
}
