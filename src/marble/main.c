/*
 * neocompute-marble: gets what a MarbleRun manifest has for this marble, then becomes the service.
 *
 * It alone: speaks to the Coordinator. It holds: the manifest's secrets, until they are the service's environment. A
 * program of its own, because libcurl and protobuf have no business in the service's processes, and execve leaves
 * nothing of them behind. It trusts nobody: not the host, and not whoever answers as Coordinator (coordinator.h).
 */
#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "crypto/crypto.h"
#include "marble/coordinator.h"
#include "marble/files.h"
#include "marble/options.h"
#include "marble/process.h"
#include "marble/remote_report.h"
#include "marble/uuid_file.h"

#define PAUSE_MAX_MS 30000u
#define REQUEST_MAX (1u << 20)
#define PROBLEM_MAX 1024u

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_NOT_STARTED = 3 };

/* An end of the way, with its reason. */
static enum result refuse(enum result r, const char *reason, const struct buf *detail) {
  log_begin(LOG_ERROR, "not_activated");
  log_text("reason", span_text(reason));
  if (detail != NULL && detail->len > 0) log_text("detail", buf_span(detail));
  log_result(r);
  log_end();
  return r;
}

/* ---- the request ---- */

static enum result put_quote(struct buf *quote, const struct options *o, const struct identity *identity) {
  const struct attest_machine machine = {.root = o->machine_root};
  const enum result r = remote_report_put(quote, &machine, buf_span(&identity->certificate));
  if (r != RESULT_OK) return refuse(r, "the quote cannot be made", NULL);
  if (quote->len > 0) return RESULT_OK;
  if (o->strict) return refuse(RESULT_CONFIG_INVALID, "there is no SGX here, and simulation is not allowed", NULL);
  log_begin(LOG_WARN, "simulation");
  log_text("note", span_text("no SGX: an empty quote, which only a simulating Coordinator takes; this proves nothing"));
  log_end();
  return RESULT_OK;
}

static enum result put_request(struct buf *request, const struct options *o, const struct identity *identity,
                               const char *uuid) {
  struct buf quote = buf_new(REQUEST_MAX);
  enum result r = put_quote(&quote, o, identity);
  if (r == RESULT_OK)
    message_put_request(request, &(struct message_request){buf_span(&quote), buf_span(&identity->csr), o->type, uuid});
  buf_free(&quote);
  return r == RESULT_OK && request->bad ? refuse(RESULT_NO_MEMORY, "the request is too large", NULL) : r;
}

/* ---- asking ---- */

static void say_later(enum grpc_code outcome, const struct buf *problem, uint64_t pause_ms) {
  log_begin(LOG_WARN, "asking_again");
  log_text("status", span_text(grpc_name(outcome)));
  log_text("detail", buf_span(problem));
  log_number("pause_ms", pause_ms);
  log_end();
}

static void pause_for(uint64_t ms) {
  nanosleep(&(struct timespec){(time_t)(ms / 1000), (long)(ms % 1000) * 1000000}, NULL);
}

/* Again as long as it may help and the time allows; `problem` is the last try's. */
static enum grpc_code ask_patiently(const struct options *o, const struct identity *identity, struct span request,
                                    struct buf *response, struct buf *problem) {
  const struct coordinator coordinator = {o->coordinator, (long)o->timeout_ms};
  const uint64_t end = clock_monotonic_ms() + o->wait_ms;
  for (uint64_t pause = o->pause_ms;; pause = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS) {
    buf_clear(problem);
    const enum grpc_code outcome = coordinator_ask(&coordinator, identity, request, response, problem);
    if (!grpc_may_pass(outcome) || clock_monotonic_ms() + pause > end) return outcome;
    say_later(outcome, problem, pause);
    pause_for(pause);
  }
}

static enum result ask(const struct options *o, const struct identity *identity, struct span request,
                       Activation__Response **out) {
  struct buf response = buf_new(MESSAGE_MAX), problem = buf_new(PROBLEM_MAX);
  enum result r = RESULT_OK;
  const enum grpc_code outcome = ask_patiently(o, identity, request, &response, &problem);
  if (outcome != GRPC_OK)
    r = refuse(RESULT_NOT_VERIFIED, grpc_name(outcome), &problem);
  else if (message_get_response(buf_span(&response), out) != RESULT_OK)
    r = refuse(RESULT_INPUT_INVALID, "the answer is no activation", NULL);
  buf_free(&response);
  buf_free(&problem);
  return r;
}

/* ---- taking what came ---- */

struct start {
  struct process_block arguments, environment;
};

static enum result apply(const struct options *o, const parameters *p, struct start *start) {
  struct buf problem = buf_new(PROBLEM_MAX);
  enum result r = process_environment(&start->environment, environ, p, o->variables, &problem);
  if (r == RESULT_OK) r = process_arguments(&start->arguments, o->program, p, &problem);
  if (r == RESULT_OK) r = files_write(o->directories, p, &problem);
  if (r != RESULT_OK) refuse(r, "what came cannot be used", &problem);
  buf_free(&problem);
  return r;
}

static void say_activated(const struct options *o, const char *uuid, const parameters *p) {
  log_begin(LOG_INFO, "activated");
  log_text("type", span_text(o->type));
  log_text("uuid", span_text(uuid));
  log_number("variables", p->n_env);
  log_number("files", p->n_files);
  log_end();
}

static enum result activate_as(const struct options *o, const struct identity *identity, const char *uuid,
                               struct start *start) {
  Activation__Response *response = NULL;
  struct buf request = buf_new(REQUEST_MAX);
  enum result r = put_request(&request, o, identity, uuid);
  if (r == RESULT_OK) r = ask(o, identity, buf_span(&request), &response);
  if (r == RESULT_OK) r = apply(o, response->parameters, start);
  if (r == RESULT_OK) say_activated(o, uuid, response->parameters);
  message_free(response);
  buf_free(&request);
  return r;
}

static enum result name_marble(const struct options *o, char uuid[UUID_TEXT + 1]) {
  struct buf detail = buf_new(PROBLEM_MAX);
  enum result r = uuid_file(o->uuid_path, uuid);
  if (r == RESULT_OK) return r;
  buf_printf(&detail, "%s: %s", o->uuid_path, r == RESULT_IO ? strerror(errno) : result_sentence(r));
  refuse(r, r == RESULT_CONFIG_INVALID ? "the UUID file holds no UUID" : "the UUID file cannot be had", &detail);
  buf_free(&detail);
  return r;
}

static enum result activate(const struct options *o, struct start *start) {
  struct identity identity;
  char uuid[UUID_TEXT + 1];
  enum result r = name_marble(o, uuid);
  if (r != RESULT_OK) return r;
  r = identity_new(&identity, o->names, clock_real_ns() / 1000000000u);
  if (r == RESULT_OK)
    r = activate_as(o, &identity, uuid, start);
  else if (r == RESULT_CONFIG_INVALID)
    refuse(r, "EDG_MARBLE_DNS_NAMES: not names with commas between", NULL);
  else
    refuse(r, "no key can be made", NULL);
  identity_free(&identity);
  return r;
}

/* ---- the program ---- */

static bool begin(void) {
  prctl(PR_SET_DUMPABLE, 0); /* until execve; where there is no prctl there is no dump, either */
  signal(SIGPIPE, SIG_IGN);
  unsetenv("SSLKEYLOGFILE"); /* libcurl would write this session's keys there */
  return crypto_init() == RESULT_OK &&
         curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wipe_and_free, wiping_realloc, strdup, calloc) == CURLE_OK;
}

static void end(void) {
  curl_global_cleanup();
  crypto_free();
  signal(SIGPIPE, SIG_DFL);
}

static int become(const char *program, char *const *arguments, char *const *environment) {
  execve(program, arguments, environment);
  log_begin(LOG_ERROR, "not_started");
  log_text("program", span_text(program));
  log_text("reason", span_text(strerror(errno)));
  log_end();
  return EXIT_NOT_STARTED;
}

int main(int argc, char **argv) {
  struct options o;
  struct start start = {0};
  const enum options_outcome outcome = options_read(&o, argc, argv);
  if (outcome != OPTIONS_GO) return outcome == OPTIONS_DONE ? 0 : EXIT_USAGE;
  log_open("marble", LOG_INFO);
  if (o.activated) {
    log_begin(LOG_INFO, "already_activated");
    log_end();
    return become(o.program[0], o.program, environ);
  }
  int status = EXIT_REFUSED;
  if (!begin())
    refuse(RESULT_CRYPTO, "OpenSSL or libcurl cannot be used", NULL);
  else if (activate(&o, &start) == RESULT_OK)
    status = 0;
  end();
  if (status == 0) status = become(o.program[0], start.arguments.strings, start.environment.strings);
  process_free(&start.arguments);
  process_free(&start.environment);
  return status;
}
