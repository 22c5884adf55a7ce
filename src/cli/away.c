/*
 * The verbs that ask a running service are run by neocompute-client, which stands beside this program: they need
 * libcurl, and what that brings would be mapped into every process of the service.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <unistd.h>

#include "cli/cli.h"

static int go(const struct cli_verb *verb, int argc, char **argv) {
  (void)argc;
  char self[PATH_MAX - 32] = "", path[PATH_MAX];
  if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) self[0] = 0;
  snprintf(path, sizeof path, "%s/neocompute-client", dirname(self));
  execv(path, argv);
  cli_complain(verb, "%s: %s", path, strerror(errno));
  return CLI_FAULT;
}

const struct cli_verb cli_submit = {.name = "submit", .summary = CLI_SUBMIT_SUMMARY, .main = go};
const struct cli_verb cli_jobs = {.name = "jobs", .summary = CLI_JOBS_SUMMARY, .main = go};
const struct cli_verb cli_secret = {.name = "secret", .summary = CLI_SECRET_SUMMARY, .main = go};
const struct cli_verb cli_attest = {.name = "attest", .summary = CLI_ATTEST_SUMMARY, .main = go};
