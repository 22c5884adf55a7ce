#include "supervisor/attester.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVIDENCE_MAX (64u << 10) /* the largest known, SGX with its collateral, has about 20 kB */
#define ROOT_SIZE 256u

/* What a thread has: all of it its own, since it may outlive the attester. */
struct errand {
  const struct attest_provider *provider;
  char root[ROOT_SIZE];
  struct attest_claim claim; /* points to the next two */
  uint8_t agree_key[AGREE_PUBLIC], nonce[ATTEST_NONCE_MAX];
  uint64_t ticket;
  int back;         /* a byte is written here at the end */
  atomic_bool left; /* by the first of its two owners, the thread and the loop: the other one frees it */
  enum result result;
  struct buf raw;
  struct errand *next;
};

struct attester {
  struct event_base *base;
  const struct attest_provider *provider;
  char root[ROOT_SIZE];
  struct attester_hooks hooks;
  struct event *came, *patience;
  int here, back;
  struct errand *running, *waiting;
  bool given_up; /* on the one that runs */
  unsigned count;
  pthread_t thread;
};

#define PATIENCE_S 10

static void errand_free(struct errand *e) {
  if (e == NULL) return;
  buf_free(&e->raw);
  free(e);
}

/* ---- the thread ---- */

static void *run(void *argument) {
  struct errand *e = argument;
  const struct attest_machine machine = {e->root, NULL};
  e->result = e->provider->evidence(&machine, &e->claim, &e->raw);
  if (e->result == RESULT_OK && e->raw.bad) e->result = RESULT_NO_MEMORY;
  const int back = e->back;
  if (!atomic_exchange(&e->left, true)) {
    while (write(back, "", 1) == 0) continue;
    return NULL;
  }
  close(back);
  errand_free(e);
  return NULL;
}

/* Signals are the loop's. */
static bool start_thread(struct attester *a, struct errand *e) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const bool started = pthread_create(&a->thread, NULL, run, e) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return started;
}

/* ---- the loop ---- */

static void answer(struct attester *a, struct errand *e, enum result r) {
  a->hooks.done(a->hooks.context, e->ticket, r, r == RESULT_OK ? buf_span(&e->raw) : span_text(""));
}

static struct errand *take(struct attester *a) {
  struct errand *e = a->waiting;
  if (e == NULL) return NULL;
  a->waiting = e->next;
  a->count--;
  return e;
}

static void start_next(struct attester *a) {
  static const struct timeval patience = {PATIENCE_S, 0};
  while (a->running == NULL && a->waiting != NULL) {
    struct errand *e = take(a);
    a->given_up = false;
    if (event_add(a->patience, &patience) == 0 && start_thread(a, e)) {
      a->running = e;
      return;
    }
    answer(a, e, RESULT_NO_MEMORY);
    errand_free(e);
  }
}

static void on_came(evutil_socket_t fd, short what, void *context) {
  struct attester *a = context;
  struct errand *e = a->running;
  char byte;
  (void)what;
  if (read(fd, &byte, 1) != 1 || e == NULL) return;
  pthread_join(a->thread, NULL);
  event_del(a->patience);
  a->running = NULL;
  if (!a->given_up) answer(a, e, e->result);
  errand_free(e);
  start_next(a);
}

static void on_patience(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct attester *a = context;
  a->given_up = true;
  answer(a, a->running, RESULT_EVIDENCE_AWAY);
  for (struct errand *e; (e = take(a)) != NULL; errand_free(e)) answer(a, e, RESULT_EVIDENCE_AWAY);
}

/* ---- questions ---- */

static struct errand *errand_of(const struct attester *a, const struct wire_evidence *m) {
  struct errand *e = calloc(1, sizeof *e);
  if (e == NULL) return NULL;
  e->provider = a->provider;
  e->ticket = m->ticket;
  e->back = a->back;
  e->raw = buf_new(EVIDENCE_MAX);
  memcpy(e->root, a->root, sizeof e->root);
  memcpy(e->claim.report_data, m->report_data.data, ATTEST_REPORT_DATA);
  memcpy(e->agree_key, m->agree_key, sizeof e->agree_key);
  if (m->nonce.len > 0) memcpy(e->nonce, m->nonce.data, m->nonce.len);
  e->claim.agree_key = e->agree_key;
  e->claim.nonce = span_of(e->nonce, m->nonce.len);
  return e;
}

bool attester_ask(struct attester *a, const struct wire_evidence *m) {
  if (m->report_data.len != ATTEST_REPORT_DATA || m->nonce.len > ATTEST_NONCE_MAX) return false;
  const bool stuck = a->running != NULL && a->given_up, full = a->count >= ATTESTER_WAITING_MAX;
  struct errand *e = stuck || full ? NULL : errand_of(a, m);
  if (e == NULL) {
    a->hooks.done(a->hooks.context, m->ticket,
                  stuck  ? RESULT_EVIDENCE_AWAY
                  : full ? RESULT_BUSY
                         : RESULT_NO_MEMORY,
                  span_text(""));
    return true;
  }
  struct errand **last = &a->waiting;
  while (*last != NULL) last = &(*last)->next;
  *last = e;
  a->count++;
  start_next(a);
  return true;
}

enum result attester_new(struct event_base *base, const struct attest_provider *provider, const char *root,
                         const struct attester_hooks *hooks, struct attester **out) {
  int pair[2];
  if (strlen(root) >= ROOT_SIZE) return RESULT_CONFIG_INVALID;
  struct attester *a = calloc(1, sizeof *a);
  if (a == NULL) return RESULT_NO_MEMORY;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    free(a);
    return RESULT_IO;
  }
  *a = (struct attester){.base = base, .provider = provider, .hooks = *hooks, .here = pair[0], .back = pair[1]};
  memcpy(a->root, root, strlen(root));
  a->came = event_new(base, a->here, EV_READ | EV_PERSIST, on_came, a);
  a->patience = evtimer_new(base, on_patience, a);
  if (a->came != NULL && a->patience != NULL && event_add(a->came, NULL) == 0) {
    *out = a;
    return RESULT_OK;
  }
  attester_free(a);
  return RESULT_NO_MEMORY;
}

/* What still runs has its errand and the other descriptor from here on. */
static void leave(struct attester *a) {
  struct errand *e = a->running;
  if (e != NULL && !atomic_exchange(&e->left, true)) {
    pthread_detach(a->thread);
    return;
  }
  if (e != NULL) pthread_join(a->thread, NULL);
  errand_free(e);
  close(a->back);
}

void attester_free(struct attester *a) {
  if (a == NULL) return;
  if (a->came != NULL) event_free(a->came);
  if (a->patience != NULL) event_free(a->patience);
  for (struct errand *e; (e = take(a)) != NULL;) errand_free(e);
  close(a->here);
  leave(a);
  free(a);
}
