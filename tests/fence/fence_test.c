/*
 * The fence is tried from inside: each act of fence_table.h must end the process that tries it, and must have worked
 * without the fence, or the fence is not what stopped it.
 *
 *   fence_test                  as whoever runs it
 *   fence_test --root           only as root; 77 if it is not
 *   fence_test --unprivileged   as nobody, if root runs it
 *   fence_test --container      without what container engines refuse
 *
 * A second argument says whose fence: worker (the default), broker, keeper or egress.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "dispatch/dispatch.h"
#include "fence_elf.h"
#include "fence_kernel.h"
#include "fence_process.h"
#include "fence_run.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define BIT(fence) (1u << SANDBOX_BIT_##fence)
#define SKIPPED 77

static char directory[64], probe[4096], worker[4096];
static enum sandbox_role role;
static unsigned stopped, proven;

/* ---- the acts ---- */

/* Errors by which a kernel, its configuration or a container says that nobody here may do it. */
static bool refusal(int error) {
  static const int errors[] = {EPERM,  EACCES, ENOSYS,       EOPNOTSUPP, EINVAL,         EIO,
                               ENODEV, ENOSPC, EAFNOSUPPORT, ENOENT,     EPROTONOSUPPORT};
  for (size_t i = 0; i < COUNT(errors); i++) {
    if (errors[i] == error) return true;
  }
  return false;
}

/* Why an act could not be prepared where there is no root directory, no parent and no right. */
static bool nothing_there(int error) {
  return error == ENOENT || error == EROFS || error == EACCES || error == EPERM || error == ESRCH || error == ENOSYS;
}

static const char *tell(const struct fence_run *run, char room[64]) {
  static const char *const ends[] = {"works", "fails", "killed by", "exits with", "hangs"};
  if (run->end == FENCE_FAILED)
    snprintf(room, 64, "fails (%s)", strerrorname_np(run->value));
  else if (run->end == FENCE_KILLED)
    snprintf(room, 64, "killed by SIG%s", sigabbrev_np(run->value));
  else
    snprintf(room, 64, run->end == FENCE_ENDED ? "%s %d" : "%s", ends[run->end], run->value);
  return room;
}

/* Without the fence it works, or the kernel says why not. */
static bool check_control(const struct fence_act *act, struct fence_run *run) {
  if (run->ready.word != FENCE_WORD_READY) fail_msg("the control run did not begin");
  if (run->ready.error != 0 && run->end == FENCE_FAILED) run->value = (int)run->ready.error;
  if (run->end == FENCE_DID) {
    assert_int_equal(run->descriptors, strcmp(act->name, "sendmsg: SCM_RIGHTS") == 0);
    assert_int_equal(run->spoiled, strcmp(act->name, "process_vm_writev") == 0);
    return true;
  }
  const bool killed = run->end == FENCE_KILLED && (run->value == SIGSEGV || run->value == SIGSYS);
  const bool excused = killed || (run->end == FENCE_FAILED && refusal(run->value));
  char told[64];
  if (act->control == FENCE_WORKS || !excused) fail_msg("%s: the control run %s", act->name, tell(run, told));
  return false;
}

static void check_stopped(const struct fence_act *act, const struct fence_run *run) {
  if (run->ready.word != FENCE_WORD_READY) fail_msg("the probe did not enter");
  assert_true((run->ready.held & SANDBOX_REQUIRED) == SANDBOX_REQUIRED);
  if (run->ready.error != 0 && !nothing_there((int)run->ready.error)) {
    fail_msg("%s: not prepared: %s", act->name, strerrorname_np((int)run->ready.error));
  }
  assert_int_equal(run->descriptors, 0);
  assert_false(run->spoiled);
  assert_false(run->dumped);
}

static void test_stopped(void **state) {
  size_t count;
  const struct fence_act *acts = fence_acts_forbidden(&count), *act = *state;
  const uint32_t index = (uint32_t)(act - acts);
  struct fence_run control = {.end = FENCE_HUNG}, fenced;
  char told[2][64];
  if (act->control != FENCE_NONE) fence_run(&control, FENCE_CONTROL, false, index);
  fence_run(&fenced, FENCE_ENTERED, false, index);
  const bool works = act->control != FENCE_NONE && check_control(act, &control);
  print_message("%s: without the fence %s, within %s\n", act->what,
                act->why != NULL ? act->why : tell(&control, told[0]), tell(&fenced, told[1]));
  check_stopped(act, &fenced);
  /* Where there is no such thing at all, it ends as it ends without the fence. */
  if (control.end == FENCE_KILLED && fenced.end == FENCE_KILLED && control.value == fenced.value) return;
  assert_int_equal(fenced.end, FENCE_KILLED);
  assert_int_equal(fenced.value, SIGSYS);
  stopped++;
  proven += works;
}

/* What only some may do works there as it does without a fence. */
static void test_may(const struct fence_act *act, uint32_t index) {
  struct fence_run control, fenced;
  char told[64];
  fence_run(&control, FENCE_CONTROL, false, index);
  fence_run(&fenced, FENCE_ENTERED, false, index);
  if (!check_control(act, &control)) return;
  if (fenced.end != FENCE_DID) fail_msg("%s: %s", act->name, tell(&fenced, told));
}

static void test_refused(const struct fence_act *act, uint32_t index) {
  struct fence_run control, fenced;
  char told[64];
  fence_run(&control, FENCE_CONTROL, false, index);
  fence_run(&fenced, FENCE_ENTERED, false, index);
  (void)check_control(act, &control);
  if (act->refusal == EACCES && !(fenced.ready.held & BIT(LANDLOCK))) {
    print_message("skipped: %s: landlock is not granted here\n", act->name);
    return;
  }
  if (act->refusal == EPERM && fenced.end == FENCE_DID) {
    print_message("skipped: %s: landlock of this kernel has no scopes\n", act->name);
    return;
  }
  if (fenced.end != FENCE_FAILED || fenced.value != act->refusal) fail_msg("%s: %s", act->name, tell(&fenced, told));
  stopped++;
}

static void test_forbidden(void **state) {
  size_t count;
  const struct fence_act *act = *state;
  const uint32_t index = (uint32_t)(act - fence_acts_forbidden(&count));
  if (act->may & 1u << role)
    test_may(act, index);
  else if (act->refused & 1u << role)
    test_refused(act, index);
  else
    test_stopped(state);
}

static void test_enough(void **state) {
  (void)state;
  print_message("%u acts stopped, %u of them shown to work without the fence\n", stopped, proven);
  assert_true(stopped >= 40);
  assert_true(proven >= 30);
}

static void test_allowed(void **state) {
  size_t count;
  const struct fence_act *acts = fence_acts_allowed(&count), *act = *state;
  if (!(act->may & 1u << role)) return;
  for (enum fence_mode mode = FENCE_CONTROL; mode <= FENCE_ENTERED; mode++) {
    struct fence_run run;
    char told[64];
    fence_run(&run, mode, true, (uint32_t)(act - acts));
    if (run.end != FENCE_DID) fail_msg("%s: %s", act->name, tell(&run, told));
  }
}

/* ---- what holds without the filter ---- */

static uint32_t find(const char *name) {
  size_t count;
  const struct fence_act *acts = fence_acts_forbidden(&count);
  for (uint32_t i = 0; i < count; i++) {
    if (strcmp(acts[i].name, name) == 0) return i;
  }
  fail_msg("no act %s", name);
  return 0;
}

static void test_depth(void **state) {
  (void)state;
  static const struct {
    const char *act;
    sandbox_set by;
    int errors[3];
  } cases[] = {{"open", BIT(EMPTY_ROOT), {ENOENT}},
               {"creat", BIT(EMPTY_ROOT), {EROFS, EACCES}},
               {"mkdir", BIT(EMPTY_ROOT), {EROFS, EACCES}},
               {"readlink", BIT(EMPTY_ROOT), {ENOENT}},
               {"connect: parent", BIT(NETWORK), {ECONNREFUSED}},
               {"kill", BIT(PROCESSES), {ESRCH}},
               {"tgkill", BIT(PROCESSES), {ESRCH}},
               {"pidfd_open", BIT(PROCESSES), {ESRCH, EINVAL, ENOSYS}},
               {"ptrace: SEIZE", BIT(PROCESSES), {ESRCH}},
               {"process_vm_readv", BIT(PROCESSES), {ESRCH}},
               {"process_vm_writev", BIT(PROCESSES), {ESRCH}},
               {"clock_gettime: parent", BIT(PROCESSES), {EINVAL}},
               {"setuid", BIT(USER), {EPERM, EINVAL}},
               {"setgid", BIT(USER), {EPERM, EINVAL}},
               {"setgroups", BIT(USER), {EPERM}},
               {"socket: packet", BIT(USER), {EPERM, EAFNOSUPPORT}},
               {"bpf", BIT(USER), {EPERM, ENOSYS}},
               {"reboot", BIT(USER), {EPERM}},
               {"settimeofday", BIT(USER), {EPERM}}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct fence_run run;
    char told[64];
    fence_run(&run, FENCE_SPAWNED, false, find(cases[i].act));
    assert_int_equal(run.ready.word, FENCE_WORD_READY);
    if (!(run.ready.held & cases[i].by)) {
      print_message("skipped: %s: not granted here\n", cases[i].act);
      continue;
    }
    const int *e = cases[i].errors;
    const bool as_told = run.end == FENCE_FAILED && (run.value == e[0] || run.value == e[1] || run.value == e[2]);
    if (!as_told || run.spoiled) fail_msg("%s: %s", cases[i].act, tell(&run, told));
  }
}

/* ---- the process ---- */

/* A worker finds its socket and its program; the others their socket and standard error, twice. */
static uint64_t descriptors_found(void) {
  return role == SANDBOX_WORKER ? 1u << SANDBOX_SOCKET | 1u << SANDBOX_PROGRAM
                                : 1u << SANDBOX_SOCKET | 1u << 1 | 1u << 2;
}

static void check_world(const struct fence_world *w, sandbox_set held) {
  assert_int_equal(w->environment, 0);
  assert_int_equal(w->descriptors, descriptors_found());
  assert_int_equal(w->descriptors_up, 0);
  if (held & BIT(USER)) assert_true(w->uid != 0 && w->gid != 0);
  if (geteuid() == 0) assert_int_equal(w->groups, 0);
  if (held & BIT(PROCESSES)) assert_int_equal(w->pid, 1);
  if (held & BIT(PROCESSES)) assert_int_equal(w->parent, 0);
  if (held & BIT(EMPTY_ROOT)) assert_int_equal(w->root_entries, 0);
  if (held & BIT(NETWORK)) assert_int_equal(w->addresses, 0);
}

static void wait_inside(struct fence_run *run) {
  assert_true(fence_run_start(run, FENCE_ENTERED, false, FENCE_WAIT));
}

static void check_granted(sandbox_set held) {
  static const sandbox_set possible[] = {[SANDBOX_WORKER] = SANDBOX_ALL,
                                         [SANDBOX_BROKER] = SANDBOX_SERVICE,
                                         [SANDBOX_KEEPER] = SANDBOX_SERVICE,
                                         [SANDBOX_EGRESS] = SANDBOX_OUTSIDE};
  const sandbox_set granted = fence_kernel_grants() & possible[role];
  for (unsigned bit = 0; bit < SANDBOX_COUNT; bit++) {
    const bool want = granted & 1u << bit, has = held & 1u << bit;
    if (want != has) fail_msg("%s: %s granted, %s held", sandbox_name(bit), want ? "is" : "not", has ? "is" : "not");
    if (!want) print_message("not granted here: %s\n", sandbox_name(bit));
  }
}

static void test_process(void **state) {
  (void)state;
  struct fence_run run;
  wait_inside(&run);
  check_granted(run.ready.held);
  check_world(&run.ready.world, run.ready.held);
  assert_true(fcntl(run.pidfd, F_GETFD) & FD_CLOEXEC);
  fence_process_check(run.pid, role, run.ready.held);
  fence_run_reap(&run);
  assert_int_equal(run.end, FENCE_ENDED);
  assert_int_equal(run.value, 0);
}

static void test_killed(void **state) {
  (void)state;
  struct fence_run run;
  wait_inside(&run);
  assert_int_equal(syscall(SYS_pidfd_send_signal, run.pidfd, SIGKILL, NULL, 0), 0);
  assert_true(fence_run_gone(&run));
  fence_run_reap(&run);
  assert_int_equal(run.end, FENCE_KILLED);
  assert_int_equal(run.value, SIGKILL);
}

/* Its parent, not we, ends; we keep the socket open, so that only the parent's end can be why it ends. */
static void test_parent_dies(void **state) {
  (void)state;
  struct fence_run run = {.pidfd = -1};
  int pair[2], program = open(probe, O_RDONLY | O_CLOEXEC);
  assert_true(program >= 0);
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  pid_t parent = fork();
  if (parent == 0) {
    if (sandbox_spawn(role, "fence_probe", program, pair[1], &run.pid, &run.pidfd) != RESULT_OK) _exit(1);
    close(pair[0]);
    close(pair[1]);
    for (;;) pause();
  }
  close(pair[1]);
  close(program);
  run.socket = pair[0];
  assert_true(fence_run_greet(&run, FENCE_ENTERED, false, FENCE_WAIT));
  assert_int_equal(kill(parent, SIGKILL), 0);
  assert_int_equal(waitpid(parent, NULL, 0), parent);
  assert_true(fence_run_gone(&run));
  close(pair[0]);
}

/* What the keeper blocks and ignores is its own affair: the worker's clock is a signal. */
static void test_signals(void **state) {
  (void)state;
  struct fence_run run;
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &before);
  signal(SIGUSR1, SIG_IGN);
  bool started = fence_run_start(&run, FENCE_ENTERED, false, FENCE_WAIT);
  signal(SIGUSR1, SIG_DFL);
  sigprocmask(SIG_SETMASK, &before, NULL);
  assert_true(started);
  fence_run_reap(&run);
  assert_int_equal(run.ready.world.blocked, 0);
  assert_int_equal(run.ready.world.ignored, 0);
}

/* Runs `body` in a process of its own; its result is the process's status. */
static int apart(int (*body)(void)) {
  int status = -1;
  pid_t pid = fork();
  if (pid == 0) _exit(body());
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Root without CAP_SYS_ADMIN gets its namespaces by a user namespace; the worker must not be root outside it. */
static int root_without_admin(void) {
  struct fence_run run;
  struct stat st;
  char path[64];
  if (!fence_kernel_drop(CAP_SYS_ADMIN) || !fence_run_start(&run, FENCE_SPAWNED, false, FENCE_WAIT)) return 1;
  snprintf(path, sizeof path, "/proc/%d", (int)run.pid); /* its owner is the process's user as we see it */
  int status = !(run.ready.held & BIT(USER)) ? 2 : stat(path, &st) != 0 ? 3 : st.st_uid == 0 ? 4 : 0;
  fence_run_reap(&run);
  return status;
}

static void test_root_without_admin(void **state) {
  (void)state;
  if (geteuid() != 0) {
    print_message("skipped: only root can be root without a capability\n");
    skip();
  }
  assert_int_equal(apart(root_without_admin), 0);
}

/* ---- the worker itself ---- */

static void test_worker(void **state) {
  (void)state;
  struct dispatch *d;
  enum result r = dispatch_start(worker, &d);
  if (r != RESULT_OK) fail_msg("%s: %s", worker, result_name(r));
  check_granted(dispatch_worker(d)->fences);
  fence_process_check(dispatch_pid(d), role, dispatch_worker(d)->fences);
  if (geteuid() == 0) fence_process_check_maps(dispatch_pid(d));
  dispatch_free(d);
}

static int start_without_filters(void) {
  struct dispatch *d;
  if (!fence_kernel_refuse_filters()) return 255;
  return (int)dispatch_start(worker, &d);
}

static void test_worker_refuses(void **state) {
  (void)state;
  assert_int_equal(apart(start_without_filters), RESULT_SANDBOX_REFUSED);
}

struct symbols {
  unsigned ours, count;
  char foreign[64];
};

static void note_symbol(void *context, const char *name) {
  static const char *const foreign[] = {"SSL_",  "EVP_",    "OPENSSL_", "CRYPTO_",  "X509_",    "BIO_",  "sqlite3_",
                                        "curl_", "gnutls_", "mbedtls_", "wolfSSL_", "nghttp2_", "PQconn"};
  struct symbols *s = context;
  s->count++;
  s->ours += strcmp(name, "sandbox_enter") == 0;
  for (size_t i = 0; i < COUNT(foreign); i++) {
    if (strncmp(name, foreign[i], strlen(foreign[i])) == 0) snprintf(s->foreign, sizeof s->foreign, "%s", name);
  }
}

static void test_worker_file(void **state) {
  (void)state;
  struct symbols s = {.count = 0};
  const struct fence_elf elf = fence_elf_read(worker, note_symbol, &s);
  assert_true(elf.valid);
  assert_false(elf.interpreter);
  assert_int_equal(elf.needed, 0);
  assert_false(elf.write_exec);
  assert_int_equal(s.ours, 1); /* so names are seen at all */
  assert_string_equal(s.foreign, "");
  print_message("%u symbols\n", s.count);
}

/* ---- running it all ---- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at) {
  (void)st, (void)type, (void)at;
  return remove(path);
}

static int remove_directory(const char *path) {
  return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static bool make_directory(char path[64]) {
  snprintf(path, 64, "/tmp/fence-XXXXXX");
  return mkdtemp(path) != NULL;
}

static void find_program(char out[4096], const char *variable, const char *built) {
  const char *path = getenv(variable);
  if (realpath(path != NULL ? path : built, out) == NULL) out[0] = 0;
}

static int run_all(void) {
  size_t forbidden_count, allowed_count, n = 0;
  const struct fence_act *forbidden = fence_acts_forbidden(&forbidden_count);
  const struct fence_act *allowed = fence_acts_allowed(&allowed_count);
  /* The last ones are a worker's alone. */
  static const struct CMUnitTest others[] = {
      cmocka_unit_test(test_enough),      cmocka_unit_test(test_process), cmocka_unit_test(test_killed),
      cmocka_unit_test(test_parent_dies), cmocka_unit_test(test_signals), cmocka_unit_test(test_root_without_admin),
      cmocka_unit_test(test_depth),       cmocka_unit_test(test_worker),  cmocka_unit_test(test_worker_refuses),
      cmocka_unit_test(test_worker_file)};
  const size_t other_count = role == SANDBOX_WORKER ? COUNT(others) : COUNT(others) - 4;
  const size_t count = forbidden_count + allowed_count + other_count;
  struct CMUnitTest *tests = calloc(count, sizeof *tests);
  if (tests == NULL) return 1;
  for (size_t i = 0; i < forbidden_count; i++) {
    tests[n++] = (struct CMUnitTest){
        .name = forbidden[i].name, .test_func = test_forbidden, .initial_state = (void *)(uintptr_t)&forbidden[i]};
  }
  for (size_t i = 0; i < allowed_count; i++) {
    tests[n++] = (struct CMUnitTest){
        .name = allowed[i].name, .test_func = test_allowed, .initial_state = (void *)(uintptr_t)&allowed[i]};
  }
  memcpy(tests + n, others, other_count * sizeof *others);
  /* Root's broker is nobody. */
  const bool made = make_directory(directory) && (geteuid() != 0 || chown(directory, 65534, 65534) == 0);
  if (!made || chdir(directory) != 0) {
    free(tests);
    return 1;
  }
  fence_run_open(probe, role, directory);
  int failed = _cmocka_run_group_tests("fence", tests, count, NULL, NULL);
  free(tests);
  return (remove_directory(directory) != 0) | (failed != 0);
}

/* ---- as nobody ---- */

static bool copy_program(const char *from, const char *folder, const char *name, char out[4096]) {
  static char part[65536];
  snprintf(out, 4096, "%s/%s", folder, name);
  int in = open(from, O_RDONLY | O_CLOEXEC), to = open(out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
  ssize_t n = in < 0 || to < 0 ? -1 : 1;
  while (n > 0) {
    n = read(in, part, sizeof part);
    if (n > 0 && write(to, part, (size_t)n) != n) n = -1;
  }
  if (in >= 0) close(in);
  if (to >= 0) close(to);
  return n == 0 && chmod(out, 0755) == 0;
}

/* The build may be where only root can read, so nobody gets copies. */
static int run_as_nobody(const char *whose) {
  char copies[64], test[4096], probe_copy[4096], worker_copy[4096];
  int status = -1;
  if (!make_directory(copies) || chmod(copies, 0755) != 0) return 1;
  bool ok = copy_program("/proc/self/exe", copies, "fence_test", test) &&
            copy_program(probe, copies, "fence_probe", probe_copy) &&
            copy_program(worker, copies, "neocompute-worker", worker_copy);
  pid_t pid = ok ? fork() : -1;
  if (pid == 0) {
    if (!fence_kernel_become_nobody() || setenv("FENCE_PROBE", probe_copy, 1) != 0) _exit(1);
    if (setenv("NEOCOMPUTE_WORKER", worker_copy, 1) != 0) _exit(1);
    execl(test, test, "--", whose, NULL);
    _exit(1);
  }
  while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  remove_directory(copies);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv) {
  static const char *const roles[] = {[SANDBOX_WORKER] = "worker",
                                      [SANDBOX_BROKER] = "broker",
                                      [SANDBOX_KEEPER] = "keeper",
                                      [SANDBOX_EGRESS] = "egress"};
  const char *how = argc > 1 ? argv[1] : "", *whose = argc > 2 ? argv[2] : "worker";
  while (strcmp(whose, roles[role]) != 0)
    if (++role == COUNT(roles)) return 1;
  find_program(probe, "FENCE_PROBE", FENCE_PROBE);
  find_program(worker, "NEOCOMPUTE_WORKER", NEOCOMPUTE_WORKER);
  signal(SIGPIPE, SIG_IGN);
  if (strcmp(how, "--root") == 0 && geteuid() != 0) return SKIPPED;
  if (strcmp(how, "--unprivileged") == 0 && geteuid() == 0) return run_as_nobody(whose);
  if (strcmp(how, "--container") == 0 && !fence_kernel_contain()) return 1;
  return run_all();
}
