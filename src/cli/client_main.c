/* neocompute-client: the verbs that ask a running service, for `neocompute`, which gives it its own arguments. */
#include "cli/cli.h"

static const struct cli_verb *const verbs[] = {&cli_submit, &cli_jobs, &cli_secret, &cli_attest};

int main(int argc, char **argv) {
  if (!cli_begin()) return CLI_FAULT;
  for (size_t i = 0; argc > 0 && i < sizeof verbs / sizeof verbs[0]; i++)
    if (strcmp(verbs[i]->name, argv[0]) == 0) return cli_end(verbs[i]->main(verbs[i], argc, argv));
  fputs("neocompute-client is run by `neocompute submit`, `jobs`, `secret` and `attest`\n", stderr);
  return CLI_USAGE;
}
