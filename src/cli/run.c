/* `neocompute run` and `neocompute check`: one script in one worker. */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/record.h"
#include "dispatch/conversation.h"
#include "dispatch/dispatch.h"

/* What a command may ask for (the API's table of limits); the defaults are wire_default_job's. */
#define TIMEOUT_MAX_MS 120000u
#define MEMORY_MIN_MB 16u
#define MEMORY_MAX_MB 1024u
#define SCRIPT_BYTES 102400u
#define INPUT_BYTES 1048576u
#define SECRET_BYTES 65536u

struct command {
  const struct cli_verb *verb;
  struct wire_job job;
  struct buf script, input, secrets[WIRE_SECRETS_MAX];
  char name[256];
  uint8_t seed[DIGEST_SIZE];
  bool json, clock_or_seed, timeout_set, stdin_taken;
  enum result refused; /* a script or input that need not be sent to be refused */
  struct buf logs;
};

/* ---- options ---- */

typedef bool setter(struct command *c, const char *value);

static bool complain_io(struct command *c, const char *path) {
  cli_complain(c->verb, "%s: %s", path, strerror(errno));
  return false;
}

/* What is meant as JSON though no file has that name: a JSON value, or at least the start of a structure. */
static bool meant_as_json(struct span text) {
  return text.len > 0 && (strchr("{[\"", text.data[0]) != NULL || json_check(text, JSON_DEPTH_MAX) == RESULT_OK);
}

/* Standard input can be read once. */
static bool take_stdin(struct command *c, const char *path) {
  if (strcmp(path, "-") != 0) return true;
  if (c->stdin_taken) cli_complain(c->verb, "standard input can be read only once");
  bool first = !c->stdin_taken;
  c->stdin_taken = true;
  return first;
}

/* Reads what has a limit of its own: one byte more is kept, so that the limit refuses it with its own words. */
static bool read_limited(struct command *c, const char *path, size_t limit, enum result too_large, struct buf *out) {
  buf_free(out);
  if (!take_stdin(c, path)) return false;
  enum result r = cli_read(path, limit, out);
  if (r == RESULT_NO_MEMORY) c->refused = too_large;
  return r == RESULT_OK || r == RESULT_NO_MEMORY;
}

/* A file, "-", or the JSON itself. What names a file is a file. */
static bool set_input(struct command *c, const char *value) {
  bool stdin_before = c->stdin_taken;
  if (read_limited(c, value, INPUT_BYTES, RESULT_INPUT_TOO_LARGE, &c->input)) return true;
  if (stdin_before && strcmp(value, "-") == 0) return false;
  if (errno != ENOENT && errno != ENAMETOOLONG) return complain_io(c, value);
  if (!meant_as_json(span_text(value))) return complain_io(c, value);
  c->input = buf_new(INPUT_BYTES);
  buf_put_text(&c->input, value);
  if (c->input.bad) c->refused = RESULT_INPUT_TOO_LARGE;
  return true;
}

static bool set_entry(struct command *c, const char *value) {
  c->job.entry = span_text(value);
  return true;
}

static bool set_secret(struct command *c, const char *value) {
  const char *equals = strchr(value, '=');
  if (equals == NULL || equals == value) {
    cli_complain(c->verb, "--secret takes NAME=VALUE or NAME=@FILE");
    return false;
  }
  if (c->job.secret_count == WIRE_SECRETS_MAX) {
    cli_complain(c->verb, "%s", result_sentence(RESULT_TOO_MANY_SECRETS));
    return false;
  }
  uint32_t i = c->job.secret_count++;
  if (equals[1] == '@') {
    if (!take_stdin(c, equals + 2)) return false;
    enum result r = cli_read(equals + 2, SECRET_BYTES, &c->secrets[i]);
    if (r == RESULT_IO) return complain_io(c, equals + 2);
  } else {
    c->secrets[i] = buf_new(SECRET_BYTES);
    buf_put_text(&c->secrets[i], equals + 1);
  }
  c->job.secrets[i] = (struct wire_secret){span_of(value, (size_t)(equals - value)), buf_span(&c->secrets[i])};
  if (!c->secrets[i].bad && text_utf8_valid(c->job.secrets[i].value) && text_utf8_valid(c->job.secrets[i].name))
    return true;
  cli_complain(c->verb, "secret %.*s: its value must be UTF-8 of at most %u bytes", (int)(equals - value), value,
               SECRET_BYTES);
  return false;
}

static bool set_timeout(struct command *c, const char *value) {
  c->timeout_set = true;
  if (text_millis(span_text(value), 1, TIMEOUT_MAX_MS, &c->job.timeout_ms) == RESULT_OK) return true;
  cli_complain(c->verb, "--timeout %s: seconds from 0.001 to %u", value, TIMEOUT_MAX_MS / 1000);
  return false;
}

static bool set_memory(struct command *c, const char *value) {
  uint64_t mb = 0;
  if (text_u64(span_text(value), MEMORY_MIN_MB, MEMORY_MAX_MB, &mb) != RESULT_OK) {
    cli_complain(c->verb, "--memory %s: megabytes from %u to %u", value, MEMORY_MIN_MB, MEMORY_MAX_MB);
    return false;
  }
  c->job.memory = mb << 20;
  return true;
}

static bool set_steps(struct command *c, const char *value) {
  if (text_u64(span_text(value), 1, INT64_MAX, &c->job.steps) == RESULT_OK) return true;
  cli_complain(c->verb, "--steps %s: a whole number of steps, at least 1", value);
  return false;
}

static bool set_deterministic(struct command *c, const char *value) {
  (void)value;
  c->job.flags |= WIRE_DETERMINISTIC;
  return true;
}

static bool set_time(struct command *c, const char *value) {
  c->clock_or_seed = true;
  if (text_rfc3339(span_text(value), &c->job.time_ns) == RESULT_OK) return true;
  cli_complain(c->verb, "--time %s: an instant such as 2026-01-31T12:00:00Z", value);
  return false;
}

static bool set_seed(struct command *c, const char *value) {
  c->clock_or_seed = true;
  digest_sha256(span_text(value), c->seed);
  return true;
}

static bool set_json(struct command *c, const char *value) {
  (void)value;
  c->json = true;
  return true;
}

static bool set_repeat(struct command *c, const char *value) {
  uint64_t n = 0;
  if (text_u64(span_text(value), 1, 100000000, &n) != RESULT_OK) {
    cli_complain(c->verb, "--repeat %s: a count from 1 to 100000000", value);
    return false;
  }
  /* The repetitions are timed and silent; one more reports. */
  c->job.repeat = (uint32_t)n;
  return true;
}

static const struct cli_option run_options[] = {
    {"input", "FILE|-|JSON", "the input: a file, standard input, or JSON ({})"},
    {"entry", "NAME", "the function to call (main)"},
    {"secret", "NAME=VALUE", "a secret for the script; NAME=@FILE reads it from a file"},
    {"timeout", "S", "wall time in seconds, 0.001 to 120 (30)"},
    {"memory", "MB", "memory of the script's world, 16 to 1024 (128)"},
    {"steps", "N", "units of work, counted exactly (no limit)"},
    {"deterministic", NULL, "fixed time and seeded randomness: same run, same bytes"},
    {"time", "INSTANT", "the fixed time (1970-01-01T00:00:00Z)"},
    {"seed", "TEXT", "what randomness grows from (empty)"},
    {"json", NULL, "print the whole record, not only the output"},
    {"repeat", "N", "N fresh executions in one worker, with percentiles"},
    {0},
};

/* In the order of run_options. */
static setter *const run_setters[] = {set_input,         set_entry, set_secret, set_timeout, set_memory, set_steps,
                                      set_deterministic, set_time,  set_seed,   set_json,    set_repeat};

static const struct cli_option check_options[] = {{"json", NULL, "print the whole record"}, {0}};
static setter *const check_setters[] = {set_json};

/* ---- the job ---- */

static bool read_script(struct command *c, const char *path) {
  if (!read_limited(c, path, SCRIPT_BYTES, RESULT_SCRIPT_TOO_LARGE, &c->script)) {
    return c->stdin_taken && strcmp(path, "-") == 0 ? false : complain_io(c, path);
  }
  char copy[PATH_MAX];
  snprintf(copy, sizeof copy, "%s", strcmp(path, "-") == 0 ? "script.js" : path);
  snprintf(c->name, sizeof c->name, "%s", basename(copy));
  c->job.name = span_text(c->name);
  c->job.script = buf_span(&c->script);
  return true;
}

static void set_defaults(struct command *c, const struct cli_verb *verb) {
  *c = (struct command){.verb = verb, .job = wire_default_job(span_text("")), .logs = buf_new(8u << 20)};
  digest_sha256(span_text(""), c->seed);
}

/* CLI_OK, or what to exit with. */
static int parse(struct command *c, int argc, char **argv, setter *const *setters) {
  struct cli_args args = {.verb = c->verb, .argc = argc, .argv = argv, .at = 1};
  const char *value = NULL, *path = NULL;
  for (int which; (which = cli_next(&args, &value)) != CLI_END;) {
    if (which == CLI_HELP) return -1;
    if (which == CLI_BAD) return CLI_USAGE;
    if (which == CLI_ARGUMENT) {
      if (path != NULL) {
        cli_complain(c->verb, "one script, please, not two");
        return CLI_USAGE;
      }
      path = value;
    } else if (!setters[which](c, value)) {
      return CLI_USAGE;
    }
  }
  if (path == NULL) {
    cli_complain(c->verb, "%s: neocompute %s FILE", result_sentence(RESULT_SCRIPT_REQUIRED), c->verb->name);
    return CLI_USAGE;
  }
  if (c->clock_or_seed && !(c->job.flags & WIRE_DETERMINISTIC)) {
    cli_complain(c->verb, "--time and --seed go with --deterministic");
    return CLI_USAGE;
  }
  if (!read_script(c, path)) return CLI_USAGE;
  if (c->job.repeat > 0 && !c->timeout_set) c->job.timeout_ms = TIMEOUT_MAX_MS;
  c->job.input = buf_span(&c->input);
  c->job.seed = span_of(c->seed, sizeof c->seed);
  return CLI_OK;
}

static void release(struct command *c) {
  buf_free(&c->script);
  buf_free(&c->input);
  buf_free(&c->logs);
  for (size_t i = 0; i < WIRE_SECRETS_MAX; i++) buf_free(&c->secrets[i]);
}

/* ---- the run ---- */

/* A script's words on standard error. On a terminal, control characters are shown, not obeyed: they could move the
 * cursor over what we said. */
static void print_words(struct span words) {
  const bool shown = isatty(STDERR_FILENO) == 1;
  struct buf out = buf_new(6 * words.len + 1);
  for (size_t i = 0; i < words.len; i++) {
    uint8_t c = words.data[i];
    if (shown && ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)) {
      buf_printf(&out, "\\x%02x", c);
    } else if (shown && c == 0xc2 && i + 1 < words.len && words.data[i + 1] < 0xa0) { /* U+0080 to U+009F */
      buf_printf(&out, "\\u00%02x", words.data[++i]);
    } else {
      buf_put_u8(&out, c);
    }
  }
  buf_put_u8(&out, '\n');
  fwrite(out.data, 1, out.len, stderr);
  buf_free(&out);
}

static void hear_log(void *context, uint8_t level, struct span text) {
  struct command *c = context;
  (void)level;
  if (c->json) {
    if (c->logs.len > 0) buf_put_u8(&c->logs, ',');
    json_put_string(&c->logs, text);
  }
  print_words(text);
}

static void print_failure(const struct command *c, const struct wire_done *done) {
  struct buf error = buf_new(1u << 20);
  conversation_put_error(&error, c->job.entry, done);
  buf_printf(&error, " [%s]", result_name((enum result)done->result));
  if (done->stack.len > 0) buf_put_u8(&error, '\n');
  buf_put_span(&error, done->stack);
  fprintf(stderr, "neocompute %s: ", c->verb->name);
  print_words(buf_span(&error));
  buf_free(&error);
}

static void print_repeat(const struct wire_done *d) {
  if (d->repeat_count == 0 || d->repeat_wall_ns == 0) return;
  fprintf(
      stderr,
      "%u fresh executions: %.0f per second, p50 %.1f us, p90 %.1f us, p99 %.1f us, max %.1f us, CPU %.1f us each\n",
      d->repeat_count, (double)d->repeat_count * 1e9 / (double)d->repeat_wall_ns, (double)d->repeat_p50_ns / 1e3,
      (double)d->repeat_p90_ns / 1e3, (double)d->repeat_p99_ns / 1e3, (double)d->repeat_max_ns / 1e3,
      (double)d->repeat_cpu_ns / 1e3 / d->repeat_count);
}

static int exit_status(const struct wire_done *done) {
  if (done->result == RESULT_OK) return CLI_OK;
  int status = result_status((enum result)done->result);
  return status == 200 ? CLI_FAILED : status < 500 ? CLI_USAGE : CLI_FAULT;
}

/* Prints what came of it; a line that cannot be written is a fault, not a success. */
static int report(const struct command *c, const struct record *r) {
  struct buf out = buf_new(64u << 20);
  if (c->json) {
    record_json(&out, r);
  } else if (r->done->result == RESULT_OK && r->done->output.len > 0) {
    buf_put_span(&out, r->done->output);
    buf_put_u8(&out, '\n');
  }
  if (!c->json && r->done->result != RESULT_OK) print_failure(c, r->done);
  if (!c->json) print_repeat(r->done);
  int status = exit_status(r->done);
  bool written = !out.bad && (out.len == 0 || fwrite(out.data, 1, out.len, stdout) == out.len) && fflush(stdout) == 0;
  if (!written) {
    cli_complain(c->verb, "cannot write the output: %s", strerror(errno));
    status = CLI_FAULT;
  }
  buf_free(&out);
  return status;
}

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int run(struct command *c) {
  struct dispatch *d = NULL;
  struct wire_done done;
  char worker[PATH_MAX];
  if (c->refused != RESULT_OK) {
    done = (struct wire_done){.result = (uint32_t)c->refused};
    return report(c, &(struct record){.job = &c->job, .done = &done, .started_ns = now_ns()});
  }
  cli_worker(worker);
  enum result r = dispatch_start(worker, &d);
  if (r != RESULT_OK) {
    cli_complain(c->verb, "%s: %s [%s]", worker, r == RESULT_IO ? strerror(errno) : result_sentence(r), result_name(r));
    return CLI_FAULT;
  }
  struct dispatch_hooks hooks = {.context = c, .log = hear_log};
  uint64_t started_ns = now_ns();
  dispatch_run(d, &c->job, &hooks, &done);
  int status = report(c, &(struct record){.job = &c->job,
                                          .done = &done,
                                          .worker = dispatch_worker(d),
                                          .logs = buf_span(&c->logs),
                                          .started_ns = started_ns});
  dispatch_free(d);
  return status;
}

static int command_main(const struct cli_verb *verb, int argc, char **argv, setter *const *setters, uint32_t flags) {
  struct command c;
  set_defaults(&c, verb);
  c.job.flags = flags;
  int status = parse(&c, argc, argv, setters);
  if (status == CLI_OK) status = run(&c);
  release(&c);
  return status < 0 ? CLI_OK : status;
}

static int run_main(const struct cli_verb *verb, int argc, char **argv) {
  return command_main(verb, argc, argv, run_setters, 0);
}

static int check_main(const struct cli_verb *verb, int argc, char **argv) {
  return command_main(verb, argc, argv, check_setters, WIRE_CHECK_ONLY);
}

const struct cli_verb cli_run = {
    .name = "run",
    .arguments = "FILE [OPTION...]",
    .summary = "run a script on an input, print its output",
    .details =
        "Runs the function main(input, secrets) of a JavaScript file (- for standard\n"
        "input) in a fresh world: no files, no network, nothing left of earlier runs.\n"
        "The output is one line of canonical JSON on standard output; what the script\n"
        "logs goes to standard error as it happens. Classic scripts and ES modules\n"
        "(export default, export function main) both work, async ones are awaited.",
    .options = run_options,
    .main = run_main,
};

const struct cli_verb cli_check = {
    .name = "check",
    .arguments = "FILE [--json]",
    .summary = "parse a script, run nothing",
    .details = "Says nothing if the script parses; the error with line and column if not.",
    .options = check_options,
    .main = check_main,
};
