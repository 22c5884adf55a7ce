/* `neocompute attest`: a service's attestation fetched, looked into, verified. The last two are offline. */
#include <errno.h>
#include <time.h>

#include "base/base64.h"
#include "base/entropy.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/client.h"
#include "crypto/crypto.h"
#include "evidence/evidence.h"

#define FILE_MAX (16u << 20)
#define NONCE_SIZE 32u
#define NONCE_MIN 16u
#define NONCE_MAX 64u

struct command {
  const struct cli_verb *verb;
  struct client client;
  const char *nonce, *output, *policy, *collateral, *at;
  bool allow_simulated, json;
};

/* ---- the nonce ---- */

/* False after a message. `random`: made here, if that is allowed. */
static bool read_nonce(const struct command *c, bool may_be_random, uint8_t nonce[NONCE_MAX], size_t *len) {
  const struct span text = span_text(c->nonce);
  *len = text.len / 2;
  if (may_be_random && strcmp(c->nonce, "random") == 0) {
    *len = NONCE_SIZE;
    if (entropy_take(nonce, NONCE_SIZE) == RESULT_OK) return true;
    cli_complain(c->verb, "no random bytes");
    return false;
  }
  if (text.len % 2 == 0 && *len >= NONCE_MIN && *len <= NONCE_MAX && text_unhex(text, nonce, *len)) return true;
  cli_complain(c->verb, "--nonce %s: %s32 to 128 hexadecimal digits", c->nonce, may_be_random ? "random, or " : "");
  return false;
}

/* ---- fetch ---- */

static bool put_path(const struct command *c, struct buf *path) {
  uint8_t nonce[NONCE_MAX];
  size_t len = 0;
  buf_put_text(path, "/attestation");
  if (c->nonce != NULL) {
    if (!read_nonce(c, true, nonce, &len)) return false;
    buf_put_text(path, "?nonce=");
    base64_put_url(path, span_of(nonce, len));
    /* Who made it has to know it, to check that it came back. */
    fputs("nonce ", stderr);
    for (size_t i = 0; i < len; i++) fprintf(stderr, "%02x", nonce[i]);
    fputc('\n', stderr);
  }
  buf_put_u8(path, 0);
  return !path->bad;
}

static int write_reply(const struct command *c, struct span reply) {
  FILE *f = c->output != NULL ? fopen(c->output, "we") : stdout;
  bool written = f != NULL && fwrite(reply.data, 1, reply.len, f) == reply.len;
  if (f != NULL && f != stdout) written = fclose(f) == 0 && written;
  if (written) return CLI_OK;
  cli_complain(c->verb, "%s: %s", c->output != NULL ? c->output : "standard output", strerror(errno));
  return CLI_FAULT;
}

static int fetch(struct command *c, const char *url) {
  struct client_reply reply;
  struct buf path = buf_new(512);
  if (url != NULL) c->client.url = url;
  if (!put_path(c, &path)) {
    buf_free(&path);
    return CLI_USAGE;
  }
  enum result r = client_ask(&c->client, "GET", (const char *)path.data, NULL, NULL, &reply);
  buf_free(&path);
  if (r != RESULT_OK) return CLI_FAULT;
  int status = CLI_FAILED;
  if (reply.status == 200)
    status = write_reply(c, buf_span(&reply.body));
  else
    cli_complain(c->verb, "%s/attestation answers %ld", c->client.url, reply.status);
  buf_free(&reply.body);
  return status;
}

/* ---- files ---- */

static bool read_file(const struct command *c, const char *path, struct buf *out) {
  enum result r = cli_read(path, FILE_MAX, out);
  if (r != RESULT_OK) cli_complain(c->verb, "%s: %s", path, r == RESULT_IO ? strerror(errno) : "larger than 16 MB");
  return r == RESULT_OK;
}

static int show(struct command *c, const char *file) {
  struct buf reply = {0}, text = buf_new(FILE_MAX);
  if (file == NULL || !read_file(c, file, &reply)) {
    if (file == NULL) cli_complain(c->verb, "show takes a file, as fetch writes it");
    return CLI_USAGE;
  }
  enum result r = evidence_show(buf_span(&reply), &text);
  fwrite(text.data, 1, text.len, stdout);
  if (r != RESULT_OK) cli_complain(c->verb, "%s: no attestation, or of a kind that is not known", file);
  buf_free(&reply);
  buf_free(&text);
  return r == RESULT_OK ? CLI_OK : CLI_FAILED;
}

/* ---- verify ---- */

/* Of enum report_state. */
static const char *const words[] = {"ok", "FAILED", "not checked"};
static const char *const names[] = {"ok", "failed", "not_checked"};

struct question {
  struct evidence_policy policy;
  bool has_policy, has_nonce;
  uint8_t nonce[NONCE_MAX];
  size_t nonce_len;
};

static void check_name(struct evidence_report *r, const char *name, const struct policy_names *list,
                       struct span value) {
  if (!policy_accepts_name(list, value))
    report_fail(r, name, "%.*s is not one that the policy lists", (int)value.len, (const char *)value.data);
  else if (list->given)
    report_ok(r, name, "%.*s", (int)value.len, (const char *)value.data);
  else
    report_ok(r, name, "%.*s (any)", (int)value.len, (const char *)value.data);
}

/* What is asked of the document beyond what its evidence vouches for. */
static void check_question(const struct question *q, struct evidence_verdict *v) {
  check_name(&v->report, "tee", &q->policy.tees, v->tee);
  check_name(&v->report, "isolation", &q->policy.isolation, v->isolation);
  check_name(&v->report, "engine", &q->policy.engines, v->engine);
  if (!q->has_nonce) return;
  if (span_equal(v->nonce, span_of(q->nonce, q->nonce_len)))
    report_ok(&v->report, "nonce", "the one that was asked with");
  else
    report_fail(&v->report, "nonce", "not the one that was asked with");
}

static void print_text(const struct evidence_report *r, const char *problem, bool simulated) {
  for (size_t i = 0; i < r->count; i++)
    printf("%-16s %-12s %s\n", r->lines[i].name, words[r->lines[i].state], r->lines[i].value);
  if (problem != NULL)
    printf("verdict: NOT VERIFIED (%s)\n", problem);
  else
    printf("verdict: verified%s\n", simulated ? " (simulated: no hardware vouches for it)" : "");
}

static void put_json(struct buf *b, const struct evidence_verdict *v, const char *problem, bool simulated) {
  buf_printf(b, "{\"verdict\":\"%s\",\"reason\":", problem == NULL ? "verified" : "not_verified");
  if (problem == NULL)
    buf_put_text(b, "null");
  else
    json_put_string(b, span_text(problem));
  buf_printf(b, ",\"simulated\":%s,\"document_sha256\":\"", simulated ? "true" : "false");
  text_put_hex(b, span_of(v->document_sha256, HASH_SIZE));
  buf_put_text(b, "\",\"checks\":[");
  for (size_t i = 0; i < v->report.count; i++) {
    const struct report_line *line = &v->report.lines[i];
    buf_printf(b, "%s{\"check\":\"%s\",\"result\":\"%s\",\"detail\":", i > 0 ? "," : "", line->name,
               names[line->state]);
    json_put_string(b, span_text(line->value));
    buf_put_u8(b, '}');
  }
  buf_put_text(b, "]}\n");
}

/* One verdict: default deny. */
static int judge(const struct command *c, const struct question *q, struct span reply) {
  struct evidence_verdict v;
  struct buf text = buf_new(2 * reply.len), json = buf_new(1u << 20);
  enum result r = evidence_check(reply, &q->policy, &text, &v);
  const char *problem = v.problem;
  if (problem == NULL && r == RESULT_OK) {
    check_question(q, &v);
    const struct report_line *worst = report_worst(&v.report);
    if (!report_good(&v.report)) problem = worst != NULL ? worst->value : "the report is not complete";
  }
  if (problem == NULL && r != RESULT_OK) problem = result_sentence(r);
  const bool simulated = span_is(v.tee, "sim");
  if (c->json)
    put_json(&json, &v, problem, simulated);
  else
    print_text(&v.report, problem, simulated);
  if (json.len > 0) fwrite(json.data, 1, json.len, stdout);
  buf_free(&text);
  buf_free(&json);
  return problem == NULL ? CLI_OK : CLI_FAILED;
}

static bool read_policy(const struct command *c, struct question *q) {
  struct buf text = {0}, problem = buf_new(1024);
  if (c->policy == NULL) return true;
  bool good = read_file(c, c->policy, &text);
  if (good && policy_read(buf_span(&text), &q->policy, &problem) != RESULT_OK) {
    cli_complain(c->verb, "%s: %.*s", c->policy, (int)problem.len, (const char *)problem.data);
    good = false;
  }
  buf_free(&text);
  buf_free(&problem);
  return good;
}

static bool read_question(const struct command *c, struct question *q) {
  uint64_t ns = 0;
  q->policy.now = (uint64_t)time(NULL);
  q->policy.allow_simulated = c->allow_simulated;
  q->has_nonce = c->nonce != NULL;
  if (c->at != NULL && text_rfc3339(span_text(c->at), &ns) != RESULT_OK) {
    cli_complain(c->verb, "--at %s: an instant such as 2026-01-31T12:00:00Z", c->at);
    return false;
  }
  if (c->at != NULL) q->policy.now = ns / 1000000000u;
  return (!q->has_nonce || read_nonce(c, false, q->nonce, &q->nonce_len)) && read_policy(c, q);
}

static int verify(struct command *c, const char *file) {
  struct question *q = calloc(1, sizeof *q);
  struct buf reply = {0}, collateral = {0};
  int status = CLI_USAGE;
  if (file == NULL) cli_complain(c->verb, "verify takes a file, as fetch writes it");
  if (q != NULL && file != NULL && read_question(c, q) && read_file(c, file, &reply) &&
      (c->collateral == NULL || read_file(c, c->collateral, &collateral))) {
    q->policy.collateral = buf_span(&collateral);
    status = judge(c, q, buf_span(&reply));
  }
  buf_free(&reply);
  buf_free(&collateral);
  free(q);
  return status;
}

/* ---- options ---- */

enum { NONCE, OUTPUT, POLICY, COLLATERAL, AT, ALLOW_SIMULATED, JSON, OPTIONS };

static const struct cli_option options[] = {
    CLIENT_OPTIONS,
    [CLIENT_OPTION_COUNT + NONCE] = {"nonce", "HEX", "fetch: ask with it, or `random`; verify: want it"},
    [CLIENT_OPTION_COUNT + OUTPUT] = {"output", "FILE", "fetch: where to (standard output)"},
    [CLIENT_OPTION_COUNT + POLICY] = {"policy", "FILE", "verify: which measurements and names count"},
    [CLIENT_OPTION_COUNT + COLLATERAL] = {"collateral", "FILE", "verify: what the vendor says of its platforms"},
    [CLIENT_OPTION_COUNT + AT] = {"at", "INSTANT", "verify: by this time, not by this machine's clock"},
    [CLIENT_OPTION_COUNT +
        ALLOW_SIMULATED] = {"allow-simulated", NULL, "verify: take evidence that no hardware vouches for"},
    [CLIENT_OPTION_COUNT + JSON] = {"json", NULL, "verify: print one JSON object"},
    [CLIENT_OPTION_COUNT + OPTIONS] = {NULL, NULL, NULL}};

static bool take(void *context, int option, const char *value) {
  struct command *c = context;
  const char **texts[OPTIONS] = {
      [NONCE] = &c->nonce, [OUTPUT] = &c->output, [POLICY] = &c->policy, [COLLATERAL] = &c->collateral, [AT] = &c->at};
  bool *switches[OPTIONS] = {[ALLOW_SIMULATED] = &c->allow_simulated, [JSON] = &c->json};
  if (texts[option] != NULL) *texts[option] = value;
  if (switches[option] != NULL) *switches[option] = true;
  return true;
}

static const struct {
  const char *name;
  int (*run)(struct command *c, const char *argument);
} actions[] = {{"fetch", fetch}, {"show", show}, {"verify", verify}};

static int act(struct command *c, const char *action, const char *argument) {
  for (size_t i = 0; action != NULL && i < sizeof actions / sizeof actions[0]; i++) {
    if (strcmp(actions[i].name, action) != 0) continue;
    enum result r = crypto_init();
    if (r != RESULT_OK) cli_complain(c->verb, "%s", result_sentence(r));
    const int status = r == RESULT_OK ? actions[i].run(c, argument) : CLI_FAULT;
    crypto_free();
    return status;
  }
  cli_complain(c->verb, "fetch, show or verify (neocompute attest --help)");
  return CLI_USAGE;
}

static int attest_main(const struct cli_verb *verb, int argc, char **argv) {
  struct command c = {.verb = verb};
  struct client_command command = {.too_many = "one at a time, please", .take = take, .context = &c};
  client_begin(&c.client, verb);
  const int status = client_read(&c.client, &command, argc, argv);
  return status == CLIENT_GO_ON ? act(&c, command.words[0], command.words[1]) : status;
}

const struct cli_verb cli_attest = {
    .name = "attest",
    .arguments = "fetch [URL] | show FILE | verify FILE",
    .summary = CLI_ATTEST_SUMMARY,
    .details =
        "`fetch` asks a service for its attestation; `show` prints what one says, and\n"
        "checks nothing; `verify` checks it offline, prints one line a check and one\n"
        "verdict. What was not checked is not verified.",
    .options = options,
    .main = attest_main,
};
