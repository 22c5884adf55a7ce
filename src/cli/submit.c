/* `neocompute submit`: one script to a running service; its reply to standard output. */
#include <errno.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/client.h"
#include "cli/sealing.h"

#define SCRIPT_MAX (1u << 20) /* more than the service takes: it is the one to refuse */
#define INPUT_MAX (2u << 20)

struct submission {
  const struct cli_verb *verb;
  struct client client;
  struct buf script, input;
  const char *entry, *nonce, *key, *app, *script_name;
  const char *secrets[64], *hosts[64];
  size_t secret_count, host_count;
  uint64_t timeout_s, memory_mb, steps;
  bool async, deterministic, encrypted, seal, allow_simulated;
  struct sealing_answer answer;
};

typedef bool setter(struct submission *s, const char *value);

static bool set_input(struct submission *s, const char *value) {
  buf_free(&s->input);
  if (cli_read(value, INPUT_MAX, &s->input) == RESULT_OK) return true;
  if (errno != ENOENT || (value[0] != '{' && value[0] != '[')) {
    cli_complain(s->verb, "%s: %s", value, strerror(errno));
    return false;
  }
  s->input = buf_new(INPUT_MAX);
  buf_put_text(&s->input, value);
  return !s->input.bad;
}

static bool set_entry(struct submission *s, const char *value) {
  s->entry = value;
  return true;
}

static bool set_secret(struct submission *s, const char *value) {
  if (s->secret_count == sizeof s->secrets / sizeof s->secrets[0]) return false;
  s->secrets[s->secret_count++] = value;
  return true;
}

static bool set_host(struct submission *s, const char *value) {
  if (s->host_count == sizeof s->hosts / sizeof s->hosts[0]) return false;
  s->hosts[s->host_count++] = value;
  return true;
}

static bool set_app(struct submission *s, const char *value) {
  s->app = value;
  return true;
}

static bool set_script_name(struct submission *s, const char *value) {
  s->script_name = value;
  return true;
}

static bool set_number(struct submission *s, const char *name, const char *value, uint64_t *out) {
  if (text_u64(span_text(value), 0, INT64_MAX, out) == RESULT_OK) return true;
  cli_complain(s->verb, "--%s %s: a whole number", name, value);
  return false;
}

static bool set_timeout(struct submission *s, const char *value) {
  return set_number(s, "timeout", value, &s->timeout_s);
}

static bool set_memory(struct submission *s, const char *value) {
  return set_number(s, "memory", value, &s->memory_mb);
}

static bool set_steps(struct submission *s, const char *value) {
  return set_number(s, "steps", value, &s->steps);
}

static bool set_nonce(struct submission *s, const char *value) {
  s->nonce = value;
  return true;
}

static bool set_key(struct submission *s, const char *value) {
  s->key = value;
  return true;
}

static bool set_async(struct submission *s, const char *value) {
  (void)value;
  s->async = true;
  return true;
}

static bool set_deterministic(struct submission *s, const char *value) {
  (void)value;
  s->deterministic = true;
  return true;
}

static bool set_encrypted(struct submission *s, const char *value) {
  (void)value;
  s->encrypted = true;
  return true;
}

static bool set_seal(struct submission *s, const char *value) {
  (void)value;
  s->seal = true;
  return true;
}

static bool set_allow_simulated(struct submission *s, const char *value) {
  (void)value;
  s->allow_simulated = true;
  return true;
}

static const struct cli_option options[] = {
    CLIENT_OPTIONS,
    {"app", "ID", "the app that --script-name belongs to"},
    {"script-name", "NAME", "a script of that app, in place of SCRIPT"},
    {"input", "JSON", "a file with the input, \"-\", or the JSON itself"},
    {"entry", "NAME", "the function to call (main)"},
    {"secret", "NAME", "a stored secret the script gets; may be repeated"},
    {"timeout", "SECONDS", "1 to 120 (30)"},
    {"memory", "MB", "16 to 1024 (128)"},
    {"steps", "N", "stop after so many steps"},
    {"host", "HOST", "the only host it may reach; may be repeated"},
    {"nonce", "TEXT", "goes into the receipt"},
    {"idempotency-key", "KEY", "the same key and request: the same job"},
    {"async", NULL, "do not wait: print the job's id"},
    {"deterministic", NULL, "fixed time and randomness"},
    {"encrypted", NULL, "encrypted_output instead of output"},
    {"seal", NULL, "script, input and answer are sealed to the attested key"},
    {"allow-simulated", NULL, "--seal: take evidence that no hardware vouches for"},
    {NULL, NULL, NULL}};

static setter *const setters[] = {
    set_app,  set_script_name, set_input, set_entry, set_secret,        set_timeout,   set_memory, set_steps,
    set_host, set_nonce,       set_key,   set_async, set_deterministic, set_encrypted, set_seal,   set_allow_simulated};

/* ---- the request ---- */

static void put_text(struct buf *b, const char *key, const char *value) {
  if (value == NULL) return;
  buf_printf(b, ",\"%s\":", key);
  json_put_string(b, span_text(value));
}

static void put_number(struct buf *b, const char *key, uint64_t value) {
  if (value > 0) buf_printf(b, ",\"%s\":%llu", key, (unsigned long long)value);
}

static void put_list(struct buf *b, const char *key, const char *const *values, size_t count) {
  if (count > 0) buf_printf(b, ",\"%s\":", key);
  for (size_t i = 0; i < count; i++) {
    buf_put_u8(b, i == 0 ? '[' : ',');
    json_put_string(b, span_text(values[i]));
  }
  if (count > 0) buf_put_u8(b, ']');
}

static void put_limits(struct buf *b, const struct submission *s) {
  if (s->memory_mb == 0 && s->steps == 0 && s->host_count == 0) return;
  buf_put_text(b, ",\"limits\":{\"memory_mb\":");
  buf_printf(b, "%llu", (unsigned long long)(s->memory_mb > 0 ? s->memory_mb : 128));
  put_number(b, "steps", s->steps);
  put_list(b, "hosts", s->hosts, s->host_count);
  buf_put_u8(b, '}');
}

/* The script, or where it is. */
static void put_script(struct buf *b, const struct submission *s) {
  if (s->script_name == NULL) {
    buf_put_text(b, "{\"script\":");
    json_put_string(b, buf_span(&s->script));
    put_text(b, "app_id", s->app);
    return;
  }
  buf_put_text(b, "{\"script_name\":");
  json_put_string(b, span_text(s->script_name));
  put_text(b, "app_id", s->app);
}

/* Script and input, sealed; the answer is to be sealed, too. */
static bool put_sealed(struct buf *b, struct submission *s) {
  buf_put_text(b, "{\"seal_output\":true,\"encrypted_input\":");
  return sealing_put_input(&s->client, buf_span(&s->input), buf_span(&s->script), s->allow_simulated, b, &s->answer);
}

static bool put_request(struct buf *b, struct submission *s) {
  if (s->seal && !put_sealed(b, s)) return false;
  if (!s->seal) put_script(b, s);
  if (!s->seal && s->input.len > 0) {
    buf_put_text(b, ",\"input\":");
    buf_put_span(b, buf_span(&s->input)); /* as it is: its bytes are what the receipt commits to */
  }
  put_text(b, "entry_point", s->entry);
  put_text(b, "nonce", s->nonce);
  put_list(b, "secret_refs", s->secrets, s->secret_count);
  put_number(b, "timeout", s->timeout_s);
  put_limits(b, s);
  if (s->async) buf_put_text(b, ",\"async\":true");
  if (s->deterministic) buf_put_text(b, ",\"deterministic\":true");
  buf_put_u8(b, '}');
  return !b->bad;
}

/* The reply, or what was sealed in it. One that has nothing sealed in it (a refusal) is printed as it is. */
static bool print_reply(struct submission *s, struct span body) {
  static const char sealed[] = "\"sealed_output\":";
  struct buf plain = buf_new(body.len + 1);
  const bool opens = s->seal && memmem(body.data, body.len, sealed, sizeof sealed - 1) != NULL;
  const bool good = !opens || sealing_open(&s->client, &s->answer, body, &plain);
  if (opens) body = buf_span(&plain);
  if (good) printf("%.*s\n", (int)body.len, (const char *)body.data);
  buf_free(&plain);
  return good;
}

/* 0 completed or accepted, 1 failed, 2 refused, 3 no reply or a fault of the service. */
static int exit_status(const struct client_reply *reply) {
  static const char completed[] = "\"status\":\"completed\"";
  if (reply->status == 202) return CLI_OK;
  if (reply->status != 200) return reply->status < 500 ? CLI_USAGE : CLI_FAULT;
  return memmem(reply->body.data, reply->body.len, completed, sizeof completed - 1) != NULL ? CLI_OK : CLI_FAILED;
}

static int submit(struct submission *s) {
  struct buf body = buf_new(8u << 20), key = buf_new(1024);
  struct client_reply reply;
  const char *headers[] = {NULL, NULL};
  if (!put_request(&body, s)) {
    buf_free(&body);
    return CLI_FAULT;
  }
  if (s->key != NULL) {
    buf_printf(&key, "Idempotency-Key: %s%c", s->key, 0);
    headers[0] = (const char *)key.data;
  }
  struct span bytes = buf_span(&body);
  int status = CLI_FAULT;
  if (client_ask(&s->client, "POST", s->encrypted ? "/execute?encrypted=1" : "/execute", &bytes, headers, &reply) ==
      RESULT_OK) {
    if (print_reply(s, buf_span(&reply.body))) status = exit_status(&reply);
    buf_free(&reply.body);
  }
  buf_free(&body);
  buf_free(&key);
  return status;
}

static bool read_script(struct submission *s, const char *path) {
  if (path != NULL && s->script_name != NULL) {
    cli_complain(s->verb, "a script or --script-name, not both");
    return false;
  }
  if (s->seal && (s->script_name != NULL || s->encrypted || s->async)) {
    cli_complain(s->verb, "--seal does not go with --script-name, --encrypted or --async");
    return false;
  }
  if (s->script_name != NULL && s->app == NULL) {
    cli_complain(s->verb, "--script-name needs --app");
    return false;
  }
  if (s->script_name != NULL || (path != NULL && cli_read(path, SCRIPT_MAX, &s->script) == RESULT_OK)) return true;
  cli_complain(s->verb, "%s: %s", path != NULL ? path : "script", path != NULL ? strerror(errno) : "required");
  return false;
}

static int submit_main(const struct cli_verb *verb, int argc, char **argv) {
  struct submission s = {.verb = verb};
  struct cli_args args = {.verb = verb, .argc = argc, .at = 1, .argv = argv};
  const char *value = NULL, *script = NULL;
  client_begin(&s.client, verb);
  for (int option; (option = cli_next(&args, &value)) != CLI_END;) {
    if (option == CLI_HELP) return CLI_OK;
    if (option == CLI_BAD) return CLI_USAGE;
    if (option == CLI_ARGUMENT && script != NULL) {
      cli_complain(verb, "one script at a time");
      return CLI_USAGE;
    }
    if (option == CLI_ARGUMENT)
      script = value;
    else if (!(option < CLIENT_OPTION_COUNT ? client_option(&s.client, option, value)
                                            : setters[option - CLIENT_OPTION_COUNT](&s, value)))
      return CLI_USAGE;
  }
  if (!read_script(&s, script)) return CLI_USAGE;
  int status = submit(&s);
  wipe(&s.answer, sizeof s.answer);
  buf_free(&s.script);
  buf_free(&s.input);
  return status;
}

const struct cli_verb cli_submit = {
    .name = "submit",
    .arguments = "[OPTION…] [SCRIPT]",
    .summary = CLI_SUBMIT_SUMMARY,
    .details =
        "Posts the script (a file, or \"-\") to a running service and prints the reply,\n"
        "JSON on one line, as the service sent it: `neocompute verify` takes it.",
    .options = options,
    .main = submit_main,
};
