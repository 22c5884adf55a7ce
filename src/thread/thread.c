/*
 * The thread profile: keeper, broker, egress and workers as threads of the service, which is one process then, as an
 * enclave wants it (SGX under Gramine: no fork, no SCM_RIGHTS, no pidfd, no timer but what threads wait for). This file
 * is linked in place of supervisor/child.c and become.c; messages and roles stay what they are.
 *
 * A thread cannot be killed. Keeper, broker and egress end when their socket is closed. A worker is made to leave its
 * script by a signal: at its job's time-out, and when it is told to end. Who does not end within STUCK_MS takes the
 * whole service with it, which says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "broker/broker.h"
#include "egress/egress.h"
#include "engine/engine.h"
#include "keeper/keeper.h"
#include "supervisor/child.h"
#include "supervisor/supervisor.h"
#include "worker/worker.h"

#define STUCK_MS 5000u
#define PATIENCE_NS (WORKER_PATIENCE_US * UINT64_C(1000))
#define STACK ((size_t)8 << 20)
#define GUARD ((size_t)1 << 20) /* larger than any frame of the engine's */
#define NEVER UINT64_MAX

struct child {
  struct child_hooks hooks;
  struct event *readable; /* of `over` */
  const struct role *role;
  pthread_t thread;
  int over; /* an eventfd, written to when the thread has nothing left to do */
  int socket, program, status;
  bool reaped;
  /* When the job's time is up, and from when on the thread is to end; 0: not. The signal's handler reads them. */
  _Atomic uint64_t due_ns, doomed_ns;
  /* The watch's, under its lock. */
  struct child *next;
  uint64_t strikes_ns; /* the next signal */
};

static _Thread_local struct child *self;

/* ---- the watch: a thread that sends signals when it is time ---- */

static struct {
  pthread_mutex_t lock;
  pthread_cond_t sooner;
  struct child *first;
  uint64_t wakes_ns; /* at the latest */
  bool runs;
} watch = {.lock = PTHREAD_MUTEX_INITIALIZER, .wakes_ns = NEVER};

static bool is_worker(const struct child *c);

static _Noreturn void give_up(const struct child *c) {
  log_begin(LOG_ERROR, "thread_stuck");
  log_text("of", span_text(is_worker(c) ? "worker" : "service"));
  log_text("consequence", span_text("the service ends: a thread cannot be killed"));
  log_end();
  _exit(1);
}

/* Does what is due, and says when to look again. */
static uint64_t look_after(struct child *c, uint64_t now) {
  const uint64_t doomed = atomic_load(&c->doomed_ns), due = atomic_load(&c->due_ns);
  if (doomed != 0 && now >= doomed + STUCK_MS * UINT64_C(1000000)) give_up(c);
  if (doomed == 0 && due == 0) return NEVER;
  if (!is_worker(c)) return doomed + STUCK_MS * UINT64_C(1000000);
  if (now >= c->strikes_ns) {
    pthread_kill(c->thread, SIGALRM);
    c->strikes_ns = now + PATIENCE_NS;
  }
  return c->strikes_ns;
}

static void *watch_main(void *unused) {
  (void)unused;
  log_open("watch", LOG_INFO);
  pthread_mutex_lock(&watch.lock);
  for (;;) {
    const uint64_t now = clock_monotonic_ns();
    uint64_t next = NEVER;
    for (struct child *c = watch.first; c != NULL; c = c->next) {
      const uint64_t again = look_after(c, now);
      if (again < next) next = again;
    }
    watch.wakes_ns = next;
    const struct timespec until = {(time_t)(next / 1000000000u), (long)(next % 1000000000u)};
    if (next == NEVER)
      pthread_cond_wait(&watch.sooner, &watch.lock);
    else
      pthread_cond_timedwait(&watch.sooner, &watch.lock, &until);
  }
  return NULL;
}

/* Between two jobs the watch sleeps on: a later time-out than the one it waits for wakes nobody. Nor does the job that
 * a worker had not yet begun when it was told to end put its end off. */
static void strike_at(struct child *c, _Atomic uint64_t *why, uint64_t ns) {
  pthread_mutex_lock(&watch.lock);
  if (atomic_load(&c->doomed_ns) == 0) c->strikes_ns = ns;
  atomic_store(why, ns);
  if (ns < watch.wakes_ns) pthread_cond_signal(&watch.sooner);
  pthread_mutex_unlock(&watch.lock);
}

/* For the worker, on its own thread. A signal that comes late finds nothing due. */
static void set_alarm(void *context, uint64_t ms) {
  struct child *c = context;
  if (ms == 0)
    atomic_store(&c->due_ns, 0);
  else
    strike_at(c, &c->due_ns, clock_monotonic_ns() + ms * 1000000u);
}

static void on_alarm(int signal) {
  (void)signal;
  struct child *c = self;
  if (c == NULL || !is_worker(c)) return;
  const uint64_t due = atomic_load(&c->due_ns);
  if (atomic_load(&c->doomed_ns) != 0 || (due != 0 && clock_monotonic_ns() >= due)) worker_alarm();
}

/* ---- what the threads are ---- */

static struct sandbox_place place_of(const struct child *c) {
  return (struct sandbox_place){.socket = c->socket};
}

static int run_worker(struct child *c) {
  const struct worker_place place = {.place = place_of(c), .program = c->program, .set_alarm = set_alarm, .context = c};
  return worker_main(&place);
}

static int run_broker(struct child *c) {
  const struct sandbox_place place = place_of(c);
  return broker_main(&place);
}

static int run_keeper(struct child *c) {
  const struct sandbox_place place = place_of(c);
  return keeper_main(&place);
}

static int run_egress(struct child *c) {
  const struct sandbox_place place = place_of(c);
  return egress_main(&place);
}

static const struct role {
  const char *name;
  int (*run)(struct child *c);
  size_t stack;
} roles[SANDBOX_ROLES] = {[SANDBOX_WORKER] = {"worker", run_worker, ENGINE_NATIVE_STACK + GUARD},
                          [SANDBOX_BROKER] = {"broker", run_broker, STACK},
                          [SANDBOX_KEEPER] = {"keeper", run_keeper, STACK},
                          [SANDBOX_EGRESS] = {"egress", run_egress, STACK}};

static bool is_worker(const struct child *c) {
  return c->role == &roles[SANDBOX_WORKER];
}

/* ---- a thread's life ---- */

static void leave_watch(struct child *c) {
  pthread_mutex_lock(&watch.lock);
  for (struct child **at = &watch.first; *at != NULL; at = &(*at)->next) {
    if (*at != c) continue;
    *at = c->next;
    break;
  }
  pthread_mutex_unlock(&watch.lock);
}

static void *thread_main(void *context) {
  struct child *c = context;
  self = c;
  prctl(PR_SET_NAME, c->role->name, 0, 0, 0);
  c->status = c->role->run(c);
  leave_watch(c);
  self = NULL;
  (void)eventfd_write(c->over, 1);
  return NULL;
}

/* The operator's signals are for the supervisor's thread. */
static void block_signals(sigset_t *before) {
  static const int own[] = {SIGALRM, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};
  sigset_t all;
  sigfillset(&all);
  for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) sigdelset(&all, own[i]);
  pthread_sigmask(SIG_SETMASK, &all, before);
}

static int create(pthread_t *thread, size_t stack, void *(*run)(void *), void *context) {
  pthread_attr_t attributes;
  sigset_t before;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stack);
  pthread_attr_setguardsize(&attributes, GUARD);
  block_signals(&before);
  const int failed = pthread_create(thread, &attributes, run, context);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return failed;
}

/* Once a process: what its threads need of signals and of the watch. */
static enum result prepare_process(void) {
  struct sigaction alarm = {.sa_handler = on_alarm, .sa_flags = SA_RESTART | SA_NODEFER | SA_ONSTACK};
  pthread_condattr_t monotonic;
  pthread_t thread;
  if (watch.runs) return RESULT_OK;
  if (sigaction(SIGALRM, &alarm, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) return RESULT_IO;
  signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a full disk, not the end */
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&watch.sooner, &monotonic);
  pthread_condattr_destroy(&monotonic);
  if (create(&thread, STACK, watch_main, NULL) != 0) return RESULT_NO_MEMORY;
  pthread_detach(thread);
  watch.runs = true;
  return RESULT_OK;
}

/* Under the watch's lock: it signals nobody who is not yet there. */
static enum result begin(struct child *c) {
  pthread_mutex_lock(&watch.lock);
  const int failed = create(&c->thread, c->role->stack, thread_main, c);
  if (failed == 0) {
    c->next = watch.first;
    watch.first = c;
  }
  pthread_mutex_unlock(&watch.lock);
  c->reaped = failed != 0;
  return failed == 0 ? RESULT_OK : RESULT_NO_MEMORY;
}

static void reap(struct child *c, siginfo_t *end) {
  pthread_join(c->thread, NULL);
  c->reaped = true;
  *end = (siginfo_t){.si_code = CLD_EXITED};
  end->si_status = c->status;
}

static void on_over(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct child *c = context;
  siginfo_t end;
  event_del(c->readable);
  reap(c, &end);
  c->hooks.ended(c->hooks.context, &end);
}

static enum result await(struct child *c, struct event_base *base) {
  c->over = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (c->over < 0) return RESULT_IO;
  c->readable = event_new(base, c->over, EV_READ | EV_PERSIST, on_over, c);
  return c->readable != NULL && event_add(c->readable, NULL) == 0 ? RESULT_OK : RESULT_NO_MEMORY;
}

/* ---- child.h ---- */

int child_program(const char *path) {
  (void)path;
  return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
}

enum result child_start(struct event_base *base, enum sandbox_role role, const char *name, int program,
                        const struct child_hooks *hooks, int *socket, struct child **out) {
  int pair[2];
  (void)name;
  struct child *c = calloc(1, sizeof *c);
  if (c == NULL) return RESULT_NO_MEMORY;
  c->hooks = *hooks;
  c->role = &roles[role];
  c->program = program;
  c->over = -1;
  c->reaped = true; /* as long as there is none */
  enum result r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 ? RESULT_OK : RESULT_IO;
  if (r != RESULT_OK) {
    free(c);
    return r;
  }
  c->socket = pair[1];
  r = prepare_process();
  if (r == RESULT_OK) r = await(c, base);
  if (r == RESULT_OK) r = begin(c);
  if (r != RESULT_OK) {
    close(pair[0]);
    close(pair[1]);
    child_free(c);
    return r;
  }
  *socket = pair[0];
  *out = c;
  return RESULT_OK;
}

void child_kill(const struct child *c) {
  struct child *mine = (struct child *)(uintptr_t)c; /* the watch's part of it */
  if (!c->reaped && atomic_load(&c->doomed_ns) == 0) strike_at(mine, &mine->doomed_ns, clock_monotonic_ns());
}

/* Where this is for, there are no priorities; elsewhere only root could give a thread's back. */
enum result child_nice(const struct child *c, int level) {
  (void)c, (void)level;
  errno = ENOSYS;
  return RESULT_IO;
}

bool child_wait(struct child *c, int ms, siginfo_t *end) {
  struct pollfd wait = {.fd = c->over, .events = POLLIN};
  if (c->reaped || poll(&wait, 1, ms) <= 0) return false;
  event_del(c->readable);
  reap(c, end);
  return true;
}

void child_free(struct child *c) {
  siginfo_t info;
  if (c == NULL) return;
  child_kill(c);
  if (!c->reaped) reap(c, &info); /* or the watch ends it all */
  if (c->readable != NULL) event_free(c->readable);
  if (c->over >= 0) close(c->over);
  free(c);
}

void supervisor_become_child(int argc, char **argv) {
  (void)argc, (void)argv; /* there are no other processes */
}
