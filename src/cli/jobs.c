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

static bool take(void *context, int option, const char *value) {
  struct listing *l = context;
  const char **places[] = {&l->limit, &l->status, &l->before};
  *places[option] = value;
  return true;
}

static int jobs_main(const struct cli_verb *verb, int argc, char **argv) {
  struct listing l = {.limit = NULL};
  struct client_command command = {
      .words = {"list"}, .too_many = "one job at a time, please", .take = take, .context = &l};
  client_begin(&l.client, verb);
  const int status = client_read(&l.client, &command, argc, argv);
  return status == CLIENT_GO_ON ? act(verb, &l, command.words[0], command.words[1]) : status;
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
