/* `neocompute verify`: reads what is asked, has the checks made, and gives one verdict. Default deny. */
#include <errno.h>
#include <time.h>

#include "base/base64.h"
#include "base/hosts.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/checks.h"
#include "cli/cli.h"
#include "cli/members.h"
#include "crypto/crypto.h"
#include "wire/wire.h"

#define FILE_MAX (16u << 20)
#define DETAIL_MAX 1024u
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct command {
  const struct cli_verb *verb;
  struct checks q;
  struct checks_file policy_file;
  bool json, stdin_taken;
};

/* Of enum verdict. */
static const char *const verdict_words[] = {"ok", "FAILED", "not checked", "not asked", "not checked"};
static const char *const verdict_names[] = {"ok", "failed", "not_checked", "not_asked", "waived"};

/* Of enum report_state. */
static const char *const evidence_words[] = {"ok", "FAILED", "not checked"};
static const char *const evidence_names[] = {"ok", "failed", "not_checked"};

/* ---- the report ---- */

/* Words from files that may not be trusted: only what prints. */
static void print_words(struct span words) {
  for (size_t i = 0; i < words.len; i++) putchar(words.data[i] >= 0x20 && words.data[i] < 0x7f ? words.data[i] : '?');
}

static void print_line(size_t i, enum verdict v, struct span detail) {
  printf("%-12s %-12s ", checks_name(i), verdict_words[v]);
  print_words(detail);
  putchar('\n');
}

/* Hardware has much to say for itself; what is only simulated has not. */
static void print_evidence(const struct checks *q) {
  const struct evidence_report *r = &q->evidence.report;
  if (span_is(q->evidence.tee, "sim")) return;
  for (size_t i = 0; i < r->count; i++)
    printf("  %-16s %-12s %s\n", r->lines[i].name, evidence_words[r->lines[i].state], r->lines[i].value);
}

/* What was left out on purpose is part of the verdict. */
static void print_waived(const struct checks *q) {
  const char *before = "; not checked: ";
  for (size_t i = 0; i < checks_count(); i++) {
    if (!(q->waived >> i & 1)) continue;
    printf("%s%s", before, checks_name(i));
    before = ", ";
  }
}

static void print_verdict(const struct command *c, size_t first, struct span reason) {
  if (first == checks_count()) {
    printf("verdict: verified%s", checks_simulated(&c->q) ? " (simulated: no hardware vouches for it)" : "");
    print_waived(&c->q);
    putchar('\n');
    return;
  }
  printf("verdict: NOT VERIFIED (%s: ", checks_name(first));
  print_words(reason);
  printf(")\n");
}

static void put_line(struct buf *b, size_t i, enum verdict v, struct span detail) {
  buf_printf(b, "%s{\"check\":\"%s\",\"result\":\"%s\",\"detail\":", i > 0 ? "," : "", checks_name(i),
             verdict_names[v]);
  json_put_string(b, detail);
  buf_put_u8(b, '}');
}

static void put_evidence(struct buf *b, const struct evidence_report *r) {
  buf_put_text(b, ",\"evidence\":[");
  for (size_t i = 0; i < r->count; i++) {
    buf_printf(b, "%s{\"check\":\"%s\",\"result\":\"%s\",\"detail\":", i > 0 ? "," : "", r->lines[i].name,
               evidence_names[r->lines[i].state]);
    json_put_string(b, span_text(r->lines[i].value));
    buf_put_u8(b, '}');
  }
  buf_put_u8(b, ']');
}

/* The two JSON texts of a genuine receipt. */
static void put_receipt(struct buf *b, const struct checks *q) {
  struct span jws;
  if (!q->genuine || !members_string(q->response.receipt, &jws)) return;
  const uint8_t *first = memchr(jws.data, '.', jws.len), *second = memrchr(jws.data, '.', jws.len);
  buf_put_text(b, ",\"receipt\":{\"header\":");
  bool put = base64_get_url(b, span_of(jws.data, (size_t)(first - jws.data))) == RESULT_OK;
  buf_put_text(b, ",\"payload\":");
  put = put && base64_get_url(b, span_of(first + 1, (size_t)(second - first - 1))) == RESULT_OK;
  buf_put_u8(b, '}');
  if (!put) b->bad = true;
}

static int print_json(const struct command *c, struct span lines, size_t first, struct span reason) {
  struct buf b = buf_new(1u << 20);
  bool verified = first == checks_count();
  buf_printf(&b, "{\"verdict\":\"%s\",\"reason\":", verified ? "verified" : "not_verified");
  if (verified)
    buf_put_text(&b, "null");
  else
    json_put_string(&b, reason);
  buf_printf(&b, ",\"simulated\":%s,\"checks\":[", checks_simulated(&c->q) ? "true" : "false");
  buf_put_span(&b, lines);
  buf_put_u8(&b, ']');
  put_evidence(&b, &c->q.evidence.report);
  put_receipt(&b, &c->q);
  buf_put_text(&b, "}\n");
  bool written = !b.bad && fwrite(b.data, 1, b.len, stdout) == b.len;
  buf_free(&b);
  return !written ? CLI_FAULT : verified ? CLI_OK : CLI_FAILED;
}

static int verify(struct command *c) {
  struct buf detail = buf_new(DETAIL_MAX), lines = buf_new(65536), reason = buf_new(2 * DETAIL_MAX);
  size_t first = checks_count();
  checks_begin(&c->q);
  for (size_t i = 0; i < checks_count(); i++) {
    buf_clear(&detail);
    enum verdict v = checks_make(&c->q, i, &detail);
    if (c->json)
      put_line(&lines, i, v, buf_span(&detail));
    else
      print_line(i, v, buf_span(&detail));
    if (!c->json && i == 0 /* attestation */) print_evidence(&c->q);
    if (checks_stands(v) || first < checks_count()) continue;
    first = i;
    buf_put_span(&reason, buf_span(&detail));
  }
  int status = first == checks_count() ? CLI_OK : CLI_FAILED;
  if (c->json)
    status = print_json(c, buf_span(&lines), first, buf_span(&reason));
  else
    print_verdict(c, first, buf_span(&reason));
  buf_free(&detail);
  buf_free(&lines);
  buf_free(&reason);
  return status;
}

/* ---- options ---- */

typedef bool setter(struct command *c, const char *value);

#define FILE_SETTER(member)                                        \
  static bool set_##member(struct command *c, const char *value) { \
    c->q.member.path = value;                                      \
    return true;                                                   \
  }
#define TEXT_SETTER(member)                                        \
  static bool set_##member(struct command *c, const char *value) { \
    c->q.member = value;                                           \
    return true;                                                   \
  }
#define FLAG_SETTER(name, member)                                \
  static bool set_##name(struct command *c, const char *value) { \
    (void)value;                                                 \
    c->member = true;                                            \
    return true;                                                 \
  }
FILE_SETTER(script)
FILE_SETTER(input)
FILE_SETTER(output)
FILE_SETTER(attestation)
FILE_SETTER(collateral)
TEXT_SETTER(entry)
TEXT_SETTER(user)
TEXT_SETTER(nonce)
FLAG_SETTER(allow_simulated, q.allow_simulated)
FLAG_SETTER(json, json)
FLAG_SETTER(deterministic, q.limits.deterministic)

static bool set_policy(struct command *c, const char *value) {
  c->policy_file.path = value;
  return true;
}

static bool set_at(struct command *c, const char *value) {
  uint64_t ns = 0;
  if (text_rfc3339(span_text(value), &ns) != RESULT_OK) {
    cli_complain(c->verb, "--at %s: an instant such as 2026-01-31T12:00:00Z", value);
    return false;
  }
  c->q.at = ns / 1000000000u;
  return true;
}

static bool set_timeout(struct command *c, const char *value) {
  if (text_millis(span_text(value), 1, 120000, &c->q.limits.timeout_ms) == RESULT_OK) return true;
  cli_complain(c->verb, "--timeout %s: seconds from 0.001 to 120", value);
  return false;
}

static bool set_memory(struct command *c, const char *value) {
  uint64_t mb = 0;
  if (text_u64(span_text(value), 16, 1024, &mb) != RESULT_OK) {
    cli_complain(c->verb, "--memory %s: megabytes from 16 to 1024", value);
    return false;
  }
  c->q.limits.memory_bytes = mb << 20;
  return true;
}

static bool set_steps(struct command *c, const char *value) {
  if (text_u64(span_text(value), 1, INT64_MAX, &c->q.limits.steps) == RESULT_OK) return true;
  cli_complain(c->verb, "--steps %s: a whole number of steps, at least 1", value);
  return false;
}

static bool set_hosts(struct command *c, const char *value) {
  c->q.limits.hosts = span_text(value);
  if (value[0] != 0 && hosts_valid(c->q.limits.hosts) && c->q.limits.hosts.len <= 8192) return true;
  cli_complain(c->verb, "--hosts %s: names such as api.example.com *.example.org", value);
  return false;
}

static bool set_skip(struct command *c, const char *value) {
  for (size_t i = 0; i < checks_count(); i++) {
    if (strcmp(value, checks_name(i)) != 0) continue;
    if (!checks_may_be_waived(i)) break;
    c->q.waived |= 1u << i;
    return true;
  }
  cli_complain(c->verb, "--skip %s: one of script, entry, input, output, limits; nothing else can be left out", value);
  return false;
}

static const struct cli_option options[] = {
    {"script", "FILE", "the script, byte for byte as it was sent"},
    {"input", "FILE", "the input as it was sent ({} if none was)"},
    {"attestation", "FILE", "what GET /attestation answered"},
    {"collateral", "FILE", "what the TEE's vendor says of its platforms"},
    {"policy", "FILE", "which engines, TEEs, measurements and profiles count"},
    {"at", "INSTANT", "judge by this time, not by this machine's clock"},
    {"allow-simulated", NULL, "take evidence that no hardware vouches for"},
    {"entry", "NAME", "the function that was to be called (main)"},
    {"output", "FILE", "what encrypted_output opens to, if output was left out"},
    {"user", "ID", "whose job it must be"},
    {"nonce", "TEXT", "the nonce that the receipt must carry"},
    {"timeout", "S", "wall time that was asked for (30)"},
    {"memory", "MB", "memory that was asked for (128)"},
    {"steps", "N", "steps that were asked for (no limit)"},
    {"hosts", "LIST", "hosts that were asked for, in their order"},
    {"deterministic", NULL, "determinism was asked for"},
    {"skip", "CHECK", "leave out script, entry, input, output or limits"},
    {"json", NULL, "print one JSON object"},
    {0},
};

/* In the order of options. */
static setter *const setters[] = {
    set_script,          set_input, set_attestation, set_collateral,    set_policy, set_at,
    set_allow_simulated, set_entry, set_output,      set_user,          set_nonce,  set_timeout,
    set_memory,          set_steps, set_hosts,       set_deterministic, set_skip,   set_json};

/* ---- files ---- */

static bool read_file(struct command *c, struct checks_file *file) {
  if (file->path == NULL) return true;
  const bool from_stdin = strcmp(file->path, "-") == 0;
  if (from_stdin && c->stdin_taken) {
    cli_complain(c->verb, "standard input can be read only once");
    return false;
  }
  c->stdin_taken = c->stdin_taken || from_stdin;
  enum result r = cli_read(file->path, FILE_MAX, &file->bytes);
  if (r != RESULT_OK)
    cli_complain(c->verb, "%s: %s", file->path, r == RESULT_IO ? strerror(errno) : "larger than 16 MB");
  return r == RESULT_OK;
}

static bool read_policy(struct command *c) {
  if (!read_file(c, &c->policy_file)) return false;
  if (c->policy_file.path == NULL) return true;
  struct buf problem = buf_new(DETAIL_MAX);
  c->q.has_policy = policy_read(buf_span(&c->policy_file.bytes), &c->q.policy, &problem) == RESULT_OK;
  if (!c->q.has_policy)
    cli_complain(c->verb, "%s: %.*s", c->policy_file.path, (int)problem.len, (const char *)problem.data);
  buf_free(&problem);
  return c->q.has_policy;
}

static struct receipt_limits default_limits(void) {
  struct wire_job job = wire_default_job(span_of(NULL, 0));
  return (struct receipt_limits){.timeout_ms = job.timeout_ms,
                                 .memory_bytes = job.memory,
                                 .steps = job.steps,
                                 .output_bytes = job.output,
                                 .log_entries = job.log_entries,
                                 .log_entry_bytes = job.log_entry};
}

static int parse(struct command *c, int argc, char **argv) {
  struct cli_args args = {.verb = c->verb, .argc = argc, .argv = argv, .at = 1};
  const char *value = NULL;
  for (int which; (which = cli_next(&args, &value)) != CLI_END;) {
    if (which == CLI_HELP) return -1;
    if (which == CLI_BAD) return CLI_USAGE;
    if (which == CLI_ARGUMENT) {
      if (c->q.response_file.path != NULL) {
        cli_complain(c->verb, "one response, please, not two");
        return CLI_USAGE;
      }
      c->q.response_file.path = value;
    } else if (!setters[which](c, value)) {
      return CLI_USAGE;
    }
  }
  if (c->q.response_file.path == NULL) {
    cli_complain(c->verb, "a response is required: neocompute verify RESPONSE --script FILE --input FILE");
    return CLI_USAGE;
  }
  bool read = read_file(c, &c->q.response_file) && read_file(c, &c->q.script) && read_file(c, &c->q.input) &&
              read_file(c, &c->q.output) && read_file(c, &c->q.attestation) && read_file(c, &c->q.collateral) &&
              read_policy(c);
  return read ? CLI_OK : CLI_USAGE;
}

static int verify_main(const struct cli_verb *verb, int argc, char **argv) {
  struct command c = {.verb = verb};
  c.q.entry = "main";
  c.q.limits = default_limits();
  c.q.at = (uint64_t)time(NULL);
  int status = parse(&c, argc, argv);
  if (status == CLI_OK) {
    enum result r = crypto_init();
    if (r != RESULT_OK) cli_complain(verb, "%s [%s]", result_sentence(r), result_name(r));
    status = r == RESULT_OK ? verify(&c) : CLI_FAULT;
  }
  checks_free(&c.q);
  buf_free(&c.policy_file.bytes);
  crypto_free();
  return status < 0 ? CLI_OK : status;
}

const struct cli_verb cli_verify = {
    .name = "verify",
    .arguments = "RESPONSE [OPTION...]",
    .summary = "check a response's receipt, offline",
    .details =
        "Checks that an attested service ran this script on this input under these\n"
        "limits and answered this. RESPONSE is what POST /execute or GET /jobs/{id}\n"
        "answered, as it came. Prints one line a check and one verdict. What was not\n"
        "checked is not verified, unless --skip says so.",
    .options = options,
    .main = verify_main,
};
