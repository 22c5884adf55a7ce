/* neocompute: finds the verb and runs it. */
#include "cli/cli.h"

#include "supervisor/supervisor.h"

static const struct cli_verb *const verbs[] = {&cli_serve, &cli_run,    &cli_check,  &cli_submit,
                                               &cli_jobs,  &cli_secret, &cli_attest, &cli_verify};
#define VERBS (sizeof verbs / sizeof verbs[0])

static void print_help(FILE *out) {
  fputs(
      "neocompute runs JavaScript in a fresh, fenced world and limits all it does.\n"
      "\n"
      "usage: neocompute VERB [OPTION…] [ARGUMENT…]\n"
      "\n",
      out);
  for (size_t i = 0; i < VERBS; i++) fprintf(out, "  %-8s %s\n", verbs[i]->name, verbs[i]->summary);
  fputs(
      "\n"
      "  neocompute VERB --help   what a verb takes\n"
      "  neocompute --version     the version\n"
      "\n"
      "Exit status: 0 completed or verified, 1 the script failed or was not verified,\n"
      "2 usage, or a script or input refused before it ran, 3 a fault of the service.\n",
      out);
}

int main(int argc, char **argv) {
  supervisor_become_child(argc, argv);
  if (!cli_begin()) return CLI_FAULT;
  if (argc < 2) {
    print_help(stderr);
    return CLI_USAGE;
  }
  const char *name = argv[1];
  if (strcmp(name, "--version") == 0) {
    puts("neocompute " NEOCOMPUTE_VERSION);
    return cli_end(CLI_OK);
  }
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
    print_help(stdout);
    return cli_end(CLI_OK);
  }
  for (size_t i = 0; i < VERBS; i++) {
    if (strcmp(name, verbs[i]->name) == 0) return cli_end(verbs[i]->main(verbs[i], argc - 1, argv + 1));
  }
  fprintf(stderr, "neocompute: unknown verb '%s' (neocompute --help lists them)\n", name);
  return CLI_USAGE;
}
