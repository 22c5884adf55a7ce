/* The start of broker and keeper: the same program, told by its name. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "broker/broker.h"
#include "keeper/keeper.h"
#include "supervisor/supervisor.h"

static const struct {
  const char *name;
  int (*main)(const struct sandbox_place *place);
} processes[] = {{SUPERVISOR_KEEPER, keeper_main}, {SUPERVISOR_BROKER, broker_main}};

static bool has_socket(void) {
  int type;
  socklen_t len = sizeof type;
  return getsockopt(SANDBOX_SOCKET, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

void supervisor_become_child(int argc, char **argv) {
  uint64_t held;
  if (argc != 2 || text_u64(span_text(argv[1]), 0, SANDBOX_ALL, &held) != RESULT_OK || !has_socket()) return;
  for (size_t i = 0; i < sizeof processes / sizeof processes[0]; i++) {
    if (strcmp(argv[0], processes[i].name) != 0) continue;
    /* From the first instruction on, nobody else of the same user may attach. */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    prctl(PR_SET_NAME, processes[i].name + sizeof "neocompute:", 0, 0, 0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN); /* the supervisor's, though it may be sent to all */
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a full disk, not the end */
    /* Not exit: in the fence nothing of what the C library does then is of use. */
    _exit(processes[i].main(&(struct sandbox_place){SANDBOX_SOCKET, (sandbox_set)held, true}));
  }
}
