/* `neocompute jobs`: the caller's jobs in a running service. */
#include "cli/client.h"

struct listing {
  struct client client;
  const char *limit, *status, *before;
};

static const struct cli_option options[] = {CLIENT_OPTIONS,
                                            {"limit", "N", "list: at most so many (100)"},
                                            {"status", "STATUS", "list: only running, completed or failed ones"},
                                            {"before", "ID", "list: only older ones than this"},
                                            {NULL, NULL, NULL}};

static int print(const struct client *c, const char *method, const char *path) {
  struct client_reply reply;
  if (client_ask(c, method, path, NULL, NULL, &reply) != RESULT_OK) return CLI_FAULT;
  if (reply.body.len > 0) printf("%.*s\n", (int)reply.body.len, (const char *)reply.body.data);
  buf_free(&reply.body);
  if (reply.status < 300) return CLI_OK;
  return reply.status < 500 ? CLI_USAGE : CLI_FAULT;
}

static void put_member(struct buf *path, const char *name, const char *value) {
  if (value != NULL) buf_printf(path, "%c%s=%s", memchr(path->data, '?', path->len) ? '&' : '?', name, value);
}

static int list(const struct listing *l, const char *id) {
  (void)id;
  struct buf path = buf_new(1024);
  buf_put_text(&path, "/jobs");
  put_member(&path, "limit", l->limit);
  put_member(&path, "status", l->status);
  put_member(&path, "before", l->before);
  buf_put_u8(&path, 0);
  int status = path.bad ? CLI_USAGE : print(&l->client, "GET", (const char *)path.data);
  buf_free(&path);
  return status;
}

static int one(const struct listing *l, const char *method, const char *id) {
  char path[128];
  snprintf(path, sizeof path, "/jobs/%.64s", id);
  return print(&l->client, method, path);
}

static int get(const struct listing *l, const char *id) {
  return one(l, "GET", id);
}

static int cancel(const struct listing *l, const char *id) {
  return one(l, "DELETE", id);
}

static int follow(const struct listing *l, const char *id) {
  char path[128];
  long status = 0;
  snprintf(path, sizeof path, "/jobs/%.64s/events", id);
  if (client_follow(&l->client, path, &status) != RESULT_OK) return CLI_FAULT;
  return status == 200 ? CLI_OK : CLI_USAGE;
}

static const struct {
  const char *name;
  bool takes_id;
  int (*run)(const struct listing *l, const char *id);
} actions[] = {{"list", false, list},
               {"get", true, get},
               {"cancel", true, cancel},
               {"delete", true, cancel},
               {"follow", true, follow}};

static int act(const struct cli_verb *verb, const struct listing *l, const char *action, const char *id) {
  for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
    if (strcmp(actions[i].name, action) != 0) continue;
    if (actions[i].takes_id == (id != NULL)) return actions[i].run(l, id);
    cli_complain(verb, "%s takes %s", action, actions[i].takes_id ? "a job's id" : "no id");
    return CLI_USAGE;
  }
  cli_complain(verb, "unknown action '%s' (neocompute jobs --help lists them)", action);
  return CLI_USAGE;
}

static int jobs_main(const struct cli_verb *verb, int argc, char **argv) {
  struct listing l = {.limit = NULL};
  const char **places[] = {&l.limit, &l.status, &l.before};
  const char *words[2] = {"list", NULL}, *value = NULL;
  size_t count = 0;
  struct cli_args args = {.verb = verb, .argc = argc, .at = 1, .argv = argv};
  client_begin(&l.client, verb);
  for (int option; (option = cli_next(&args, &value)) != CLI_END;) {
    if (option == CLI_HELP) return CLI_OK;
    if (option == CLI_BAD || (option == CLI_ARGUMENT && count == 2)) return CLI_USAGE;
    if (option == CLI_ARGUMENT)
      words[count++] = value;
    else if (option >= CLIENT_OPTION_COUNT)
      *places[option - CLIENT_OPTION_COUNT] = value;
    else if (!client_option(&l.client, option, value))
      return CLI_USAGE;
  }
  return act(verb, &l, words[0], words[1]);
}

const struct cli_verb cli_jobs = {
    .name = "jobs",
    .arguments = "[list | get ID | cancel ID | delete ID | follow ID]",
    .summary = CLI_JOBS_SUMMARY,
    .details =
        "Prints the service's reply as it is. `follow` prints a job's events as they\n"
        "come. `cancel` ends a running job; `delete` removes one that has ended.",
    .options = options,
    .main = jobs_main,
};
