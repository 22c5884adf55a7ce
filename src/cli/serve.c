/* `neocompute serve`: settings from file, environment and command line; then the supervisor. */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <unistd.h>

#include "cli/cli.h"
#include "supervisor/supervisor.h"

#define HELP_WIDTH 54u /* columns beside the options' names */

enum { OPTION_CONFIG = CONFIG_COUNT, OPTION_COUNT };

/* One option for each setting, made from the table of settings; the last one stays empty. */
static struct cli_option options[OPTION_COUNT + 1];

/* ---- options ---- */

/* "tls.client_ca" is --tls-client-ca; "server.listen" is --listen. */
static void put_option_name(struct buf *b, const char *setting) {
  static const char server[] = "server.";
  if (strncmp(setting, server, sizeof server - 1) == 0) setting += sizeof server - 1;
  for (; *setting != 0; setting++) buf_put_u8(b, *setting == '.' || *setting == '_' ? '-' : (uint8_t)*setting);
}

/* Words in lines of HELP_WIDTH columns, each but the first indented as cli_help indents. */
static void put_wrapped(struct buf *b, const char *text) {
  size_t column = 0;
  while (*text != 0) {
    size_t word = strcspn(text, " ");
    if (column > 0 && column + 1 + word > HELP_WIDTH) {
      buf_printf(b, "\n%24s", "");
      column = 0;
    }
    if (column > 0) buf_put_u8(b, ' ');
    buf_put(b, text, word);
    column += word + (column > 0);
    text += word + (text[word] == ' ');
  }
}

static const char *finished(struct buf *b) {
  buf_put_u8(b, 0);
  return b->bad ? "" : (const char *)b->data;
}

static const char *describe(enum config_id id) {
  struct buf text = buf_new(1024), wrapped = buf_new(2048);
  const char *fallback = config_default(id);
  buf_printf(&text, "%s (%s%s%s)", config_help(id), config_environment_name(id), fallback[0] != 0 ? "; " : "",
             fallback);
  put_wrapped(&wrapped, finished(&text));
  buf_free(&text);
  return finished(&wrapped); /* lives as long as the process */
}

static void make_options(void) {
  for (unsigned id = 0; id < CONFIG_COUNT; id++) {
    struct buf name = buf_new(128);
    put_option_name(&name, config_name((enum config_id)id));
    options[id] = (struct cli_option){finished(&name), "VALUE", describe((enum config_id)id)};
  }
  options[CONFIG_LISTEN].value = options[CONFIG_METRICS_LISTEN].value = "ADDR:PORT";
  options[CONFIG_STATE].value = "DIR";
  options[OPTION_CONFIG] = (struct cli_option){"config", "FILE", "settings, as [section] and name = value"};
}

/* ---- settings ---- */

/* What the command line says comes last, but the file it names must be read first: so it is gone through twice. */
static int walk(const struct cli_verb *verb, int argc, char **argv, struct config *config, const char **file) {
  struct cli_args args = {.verb = verb, .argc = argc, .at = 1, .argv = argv};
  const char *value;
  for (;;) {
    int option = cli_next(&args, &value);
    if (option == CLI_END) return CLI_OK;
    if (option == CLI_HELP) return CLI_HELP;
    if (option == CLI_ARGUMENT) cli_complain(verb, "%s: no argument is expected", value);
    if (option < 0) return CLI_USAGE;
    if (option == OPTION_CONFIG)
      *file = value;
    else if (config != NULL && config_set(config, (enum config_id)option, value) != RESULT_OK)
      return CLI_FAULT;
  }
}

static int read_settings(const struct cli_verb *verb, int argc, char **argv, struct config *config) {
  char problem[512] = "";
  const char *file = NULL;
  int status = walk(verb, argc, argv, NULL, &file);
  if (status != CLI_OK) return status;
  enum result r = file == NULL ? RESULT_OK : config_read_file(config, file, problem, sizeof problem);
  if (r == RESULT_IO) cli_complain(verb, "%s: %s", file, strerror(errno));
  if (r == RESULT_CONFIG_INVALID) cli_complain(verb, "%s", problem);
  if (r == RESULT_OK) {
    r = config_read_environment(config, environ);
    if (r != RESULT_OK) cli_complain(verb, "PORT is no port number");
  }
  return r == RESULT_OK ? walk(verb, argc, argv, config, &file) : CLI_USAGE;
}

static int serve(const struct cli_verb *verb, int argc, char **argv) {
  struct config *config;
  char worker[PATH_MAX], egress[PATH_MAX];
  make_options();
  if (config_new(&config) != RESULT_OK) return CLI_FAULT;
  int status = read_settings(verb, argc, argv, config);
  if (status == CLI_OK) {
    cli_worker(worker);
    cli_egress(egress);
    status = supervisor_run(config, environ, &(struct supervisor_programs){worker, egress});
  }
  config_free(config);
  return status == CLI_HELP ? CLI_OK : status;
}

const struct cli_verb cli_serve = {
    .name = "serve",
    .arguments = "[OPTION…]",
    .summary = "serve the HTTP API",
    .details =
        "Runs the service until it gets SIGTERM or SIGINT; SIGHUP reads the certificates\n"
        "anew, SIGUSR1 has new keys of identity made. What an option does not say, an\n"
        "environment variable may (in parentheses, before the default), or the file that\n"
        "--config names. Keys come only by the environment or credentials: see the\n"
        "manual. The log, JSON, is on standard error. Exit status: 0 stopped, 1 not\n"
        "started or lost, 2 usage.",
    .options = options,
    .main = serve,
};
