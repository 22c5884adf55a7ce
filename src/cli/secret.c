/* `neocompute secret`: the caller's secrets in a running service. */
#include <errno.h>
#include <termios.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/members.h"
#include "cli/sealing.h"

#define VALUE_MAX 65536u
#define POLICY_MAX 65536u
#define NAME_MAX_ 128u
#define BODY_MAX (1u << 20)

struct command {
  const struct cli_verb *verb;
  struct client client;
  const char *file, *policy, *limit, *before;
  bool seal, allow_simulated, json;
};

/* ---- what the service answers, for people ---- */

struct column {
  const char *member, *title;
  int width; /* 0: the last one */
};

static const struct column secret_columns[] = {
    {"name", "NAME", 24},   {"version", "VERSION", 8}, {"updated_at", "UPDATED", 22},
    {"store", "STORE", 10}, {"error", "ERROR", 8},     {"policy", "POLICY", 0},
    {NULL, NULL, 0}};
static const struct column audit_columns[] = {
    {"id", "ID", 8},      {"time", "TIME", 22},   {"action", "ACTION", 8}, {"service", "SERVICE", 12},
    {"success", "OK", 6}, {"error", "ERROR", 20}, {"agent", "AGENT", 0},   {NULL, NULL, 0}};

/* Empty if the object has no such member. */
static struct span member(struct span object, const char *name) {
  struct span rest, key, value;
  if (!members_open(object, &rest)) return span_of(NULL, 0);
  while (members_next(&rest, &key, &value))
    if (span_is(key, name)) return value;
  return span_of(NULL, 0);
}

/* A string's text, or the JSON of any other value; what does not print is a question mark. */
static void print_cell(struct span value, int width) {
  struct buf text = buf_new(value.len + 1);
  bool string = value.len > 0 && value.data[0] == '"';
  if (!string || !json_get_string(value, &text)) {
    buf_clear(&text);
    buf_put_span(&text, value);
  }
  for (size_t i = 0; i < text.len; i++)
    if (text.data[i] < ' ' || text.data[i] > '~') text.data[i] = '?';
  if (text.len == 0) buf_put_u8(&text, '-');
  printf("%-*.*s%s", width, (int)text.len, (const char *)text.data, width > 0 ? " " : "\n");
  buf_free(&text);
}

static enum result print_row(void *context, const struct json_item *item) {
  for (const struct column *c = context; c->member != NULL; c++) print_cell(member(item->value, c->member), c->width);
  return RESULT_OK;
}

static bool print_table(struct span reply, const char *list, const struct column *columns) {
  size_t at;
  struct span rows = json_check(reply, 16) == RESULT_OK ? member(reply, list) : span_of(NULL, 0);
  if (json_first(rows) != '[') return false;
  for (const struct column *c = columns; c->member != NULL; c++)
    printf("%-*s%s", c->width, c->title, c->width > 0 ? " " : "\n");
  if (json_each(rows, 16, print_row, (void *)(uintptr_t)columns, &at) != RESULT_OK) return false;
  struct span next = member(reply, "next");
  if (next.len > 0) printf("older ones: --before %.*s\n", (int)next.len, (const char *)next.data);
  return true;
}

/* "secret_invalid: policy.hosts: …" */
static void complain_of_reply(const struct command *c, const struct client_reply *reply) {
  struct span body = buf_span(&reply->body);
  struct span code, detail = span_of(NULL, 0);
  if (json_check(body, 16) != RESULT_OK || !members_string(member(body, "error_code"), &code)) {
    cli_complain(c->verb, "the service answers %ld", reply->status);
    return;
  }
  struct span value = member(body, "detail");
  if (value.len == 0) value = member(body, "message");
  struct buf text = buf_new(value.len + 1);
  if (value.len > 1 && json_get_string(value, &text)) detail = buf_span(&text);
  for (size_t i = 0; i < text.len; i++)
    if (text.data[i] < ' ' || text.data[i] > '~') text.data[i] = '?';
  cli_complain(c->verb, "%.*s: %.*s", (int)code.len, (const char *)code.data, (int)detail.len,
               detail.len > 0 ? (const char *)detail.data : "");
  buf_free(&text);
}

static int status_of(const struct client_reply *reply) {
  if (reply->status < 300) return CLI_OK;
  return reply->status < 500 ? CLI_USAGE : CLI_FAULT;
}

/* Asks; prints the reply as it is, or leaves it to be printed. CLI_OK and a reply to be freed, or another status. */
static int ask(const struct command *c, const char *method, const char *path, const struct span *body,
               struct client_reply *reply) {
  if (client_ask(&c->client, method, path, body, NULL, reply) != RESULT_OK) return CLI_FAULT;
  int status = status_of(reply);
  if (c->json && reply->body.len > 0) printf("%.*s\n", (int)reply->body.len, (const char *)reply->body.data);
  if (status != CLI_OK && !c->json) complain_of_reply(c, reply);
  if (status != CLI_OK) buf_free(&reply->body);
  return status;
}

static int ask_for_table(const struct command *c, const char *path, const char *list, const struct column *columns) {
  struct client_reply reply;
  int status = ask(c, "GET", path, NULL, &reply);
  if (status != CLI_OK) return status;
  if (!c->json && !print_table(buf_span(&reply.body), list, columns)) {
    cli_complain(c->verb, "the service's answer is not what it should be");
    status = CLI_FAULT;
  }
  buf_free(&reply.body);
  return status;
}

/* PUT, and which version the secret is now. */
static int put(const struct command *c, const char *path, struct span body) {
  struct client_reply reply;
  int status = ask(c, "PUT", path, &body, &reply);
  if (status != CLI_OK) return status;
  struct span version =
      json_check(buf_span(&reply.body), 16) == RESULT_OK ? member(buf_span(&reply.body), "version") : span_of(NULL, 0);
  if (!c->json) printf("version %.*s\n", (int)version.len, version.len > 0 ? (const char *)version.data : "");
  buf_free(&reply.body);
  return status;
}

/* ---- what is sent ---- */

static bool is_name(const char *name) {
  size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");
  return len > 0 && len <= NAME_MAX_ && name[len] == 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* From a terminal one line, unseen and without its end; else all there is, byte for byte. */
static enum result read_typed(const struct command *c, struct buf *value) {
  struct termios old, unseen;
  if (tcgetattr(STDIN_FILENO, &old) != 0) return cli_read("-", VALUE_MAX, value);
  unseen = old;
  unseen.c_lflag &= ~(tcflag_t)ECHO;
  fprintf(stderr, "neocompute %s: value: ", c->verb->name);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen);
  *value = buf_new(VALUE_MAX);
  uint8_t byte = 0;
  while (!value->bad && read(STDIN_FILENO, &byte, 1) == 1 && byte != '\n') buf_put_u8(value, byte);
  wipe(&byte, sizeof byte);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
  fputc('\n', stderr);
  return value->bad ? RESULT_NO_MEMORY : RESULT_OK;
}

/* A value is not an argument: others can read those. */
static bool read_value(const struct command *c, struct buf *value) {
  enum result r = c->file != NULL ? cli_read(c->file, VALUE_MAX, value) : read_typed(c, value);
  if (r == RESULT_IO) {
    cli_complain(c->verb, "%s: %s", c->file != NULL ? c->file : "-", strerror(errno));
    return false;
  }
  if (r == RESULT_OK && value->len > 0 && text_utf8_valid(buf_span(value))) return true;
  cli_complain(c->verb, "a secret is 1 to %u bytes of UTF-8", VALUE_MAX);
  buf_free(value);
  return false;
}

static bool read_policy(const struct command *c, const char *path, struct buf *policy) {
  if (cli_read(path, POLICY_MAX, policy) != RESULT_OK) {
    cli_complain(c->verb, "%s: %s", path, strerror(errno));
    return false;
  }
  if (json_first(buf_span(policy)) == '{' && json_check(buf_span(policy), 16) == RESULT_OK) return true;
  cli_complain(c->verb, "%s: not a JSON object", path);
  buf_free(policy);
  return false;
}

static bool put_value(const struct command *c, const char *name, struct span value, struct buf *body) {
  if (c->seal) {
    buf_put_text(body, "{\"sealed\":");
    return sealing_put(&c->client, span_text(name), value, c->allow_simulated, body);
  }
  buf_put_text(body, "{\"value\":");
  json_put_string(body, value);
  return true;
}

/* ---- actions ---- */

#define PATH_SIZE (NAME_MAX_ + 128u)

static int set(const struct command *c, const char *name) {
  char path[PATH_SIZE];
  struct buf value = buf_new(0), policy = buf_new(0), body = buf_new(BODY_MAX);
  int status = CLI_USAGE;
  snprintf(path, sizeof path, "/secrets/%s", name);
  if ((c->policy == NULL || read_policy(c, c->policy, &policy)) && read_value(c, &value)) {
    status = put_value(c, name, buf_span(&value), &body) ? CLI_OK : CLI_FAULT;
    if (policy.len > 0) {
      buf_put_text(&body, ",\"policy\":");
      buf_put_span(&body, buf_span(&policy));
    }
    buf_put_u8(&body, '}');
  }
  buf_free(&value);
  if (status == CLI_OK) status = body.bad ? CLI_FAULT : put(c, path, buf_span(&body));
  buf_free(&policy);
  buf_free(&body);
  return status;
}

static int set_policy(const struct command *c, const char *name) {
  char path[PATH_SIZE];
  struct buf policy;
  if (c->policy == NULL) {
    cli_complain(c->verb, "policy needs --policy FILE");
    return CLI_USAGE;
  }
  if (!read_policy(c, c->policy, &policy)) return CLI_USAGE;
  snprintf(path, sizeof path, "/secrets/%s/policy", name);
  int status = put(c, path, buf_span(&policy));
  buf_free(&policy);
  return status;
}

static int list(const struct command *c, const char *name) {
  (void)name;
  return ask_for_table(c, "/secrets", "secrets", secret_columns);
}

static int remove_one(const struct command *c, const char *name) {
  char path[PATH_SIZE];
  struct client_reply reply;
  snprintf(path, sizeof path, "/secrets/%s", name);
  int status = ask(c, "DELETE", path, NULL, &reply);
  if (status == CLI_OK) buf_free(&reply.body);
  return status;
}

static int audit(const struct command *c, const char *name) {
  char path[PATH_SIZE];
  snprintf(path, sizeof path, "/secrets/%s/audit?limit=%.20s%s%.20s", name, c->limit != NULL ? c->limit : "100",
           c->before != NULL ? "&before=" : "", c->before != NULL ? c->before : "");
  return ask_for_table(c, path, "audit", audit_columns);
}

static const struct {
  const char *name;
  bool takes_name;
  int (*run)(const struct command *c, const char *name);
} actions[] = {{"list", false, list},
               {"set", true, set},
               {"rm", true, remove_one},
               {"policy", true, set_policy},
               {"audit", true, audit}};

static int act(const struct command *c, const char *action, const char *name) {
  for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
    if (strcmp(actions[i].name, action) != 0) continue;
    if (actions[i].takes_name == (name != NULL) && (name == NULL || is_name(name))) return actions[i].run(c, name);
    cli_complain(c->verb, "%s takes %s", action,
                 actions[i].takes_name ? "a secret's name: 1 to 128 of A-Z a-z 0-9 _ . -" : "no name");
    return CLI_USAGE;
  }
  cli_complain(c->verb, "unknown action '%s' (neocompute secret --help lists them)", action);
  return CLI_USAGE;
}

/* ---- options ---- */

enum { FILE_, POLICY, LIMIT, BEFORE, SEAL, ALLOW_SIMULATED, JSON, OPTIONS };

static const struct cli_option options[] = {
    CLIENT_OPTIONS,
    [CLIENT_OPTION_COUNT + FILE_] = {"file", "FILE", "set: the value (standard input)"},
    [CLIENT_OPTION_COUNT + POLICY] = {"policy", "FILE", "set, policy: who may have it for what, JSON"},
    [CLIENT_OPTION_COUNT + LIMIT] = {"limit", "N", "audit: at most so many (100)"},
    [CLIENT_OPTION_COUNT + BEFORE] = {"before", "ID", "audit: only older ones than this"},
    [CLIENT_OPTION_COUNT + SEAL] = {"seal", NULL, "set: seal it to the service's attested key"},
    [CLIENT_OPTION_COUNT +
        ALLOW_SIMULATED] = {"allow-simulated", NULL, "--seal: take evidence that no hardware vouches for"},
    [CLIENT_OPTION_COUNT + JSON] = {"json", NULL, "print the service's reply as it is"},
    [CLIENT_OPTION_COUNT + OPTIONS] = {NULL, NULL, NULL}};

static bool take(void *context, int option, const char *value) {
  struct command *c = context;
  const char **texts[OPTIONS] = {[FILE_] = &c->file, [POLICY] = &c->policy, [LIMIT] = &c->limit, [BEFORE] = &c->before};
  bool *switches[OPTIONS] = {[SEAL] = &c->seal, [ALLOW_SIMULATED] = &c->allow_simulated, [JSON] = &c->json};
  if (texts[option] != NULL) *texts[option] = value;
  if (switches[option] != NULL) *switches[option] = true;
  uint64_t number;
  bool counts = option == LIMIT || option == BEFORE;
  if (!counts || text_u64(span_text(value), 1, INT64_MAX, &number) == RESULT_OK) return true;
  cli_complain(c->verb, "--%s %s: a whole number", option == LIMIT ? "limit" : "before", value);
  return false;
}

static int secret_main(const struct cli_verb *verb, int argc, char **argv) {
  struct command c = {.verb = verb};
  struct client_command command = {.words = {"list"},
                                   .too_many = "one secret at a time, and its value on standard input or with --file",
                                   .take = take,
                                   .context = &c};
  client_begin(&c.client, verb);
  const int status = client_read(&c.client, &command, argc, argv);
  return status == CLIENT_GO_ON ? act(&c, command.words[0], command.words[1]) : status;
}

const struct cli_verb cli_secret = {
    .name = "secret",
    .arguments = "[list | set NAME | rm NAME | policy NAME | audit NAME]",
    .summary = CLI_SECRET_SUMMARY,
    .details =
        "`set` reads the value from standard input or --file, byte for byte, and never\n"
        "from its arguments. `policy` replaces a secret's policy by what --policy says;\n"
        "`audit` lists who asked for it. No value is ever answered.",
    .options = options,
    .main = secret_main,
};
