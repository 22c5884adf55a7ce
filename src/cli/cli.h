/* The command line: a table of verbs (main.c), one file each; those of neocompute-client (client_main.c) are run from
 * there (away.c). Private to src/cli. */
#pragma once

#include <limits.h>

#include "base/result.h"

/* Exit statuses of every verb. */
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_FAULT = 3 };

/* One option of a verb: `value` NULL for a switch. Help is printed from this table. */
struct cli_option {
  const char *name, *value, *help;
};

struct cli_verb {
  const char *name, *arguments, *summary, *details; /* details: paragraphs for `--help`, lines of at most 78 columns */
  const struct cli_option *options;                 /* ends with a NULL name */
  int (*main)(const struct cli_verb *verb, int argc, char **argv); /* argv[0] is the verb */
};

#define CLI_SUBMIT_SUMMARY "send a script to a running service and print its reply"
#define CLI_JOBS_SUMMARY "list, read, follow, cancel or delete jobs of a running service"
#define CLI_SECRET_SUMMARY "store, list and delete secrets in a running service; their policies"

#define CLI_ATTEST_SUMMARY "fetch, show and verify the attestation of a service"

extern const struct cli_verb cli_run, cli_check, cli_submit, cli_jobs, cli_secret, cli_serve, cli_verify, cli_attest;

/* The first thing and the last of either program. cli_begin returns false if the standard descriptors cannot be had;
 * cli_end gives the exit status: a text that nobody got is not a success. */
bool must_use cli_begin(void);
int cli_end(int status);

void cli_help(const struct cli_verb *verb);

/* Walks through argv by the verb's table. Each call gives the next option's index in the table and its value,
 * CLI_ARGUMENT and an operand, CLI_END, or CLI_BAD after a message on standard error. `--help` prints and gives
 * CLI_HELP. */
enum { CLI_ARGUMENT = -1, CLI_END = -2, CLI_BAD = -3, CLI_HELP = -4 };
struct cli_args {
  const struct cli_verb *verb;
  int argc, at;
  char **argv;
  bool only_operands;
};
int cli_next(struct cli_args *args, const char **value);

/* "neocompute run: " and the message, on standard error. */
void cli_complain(const struct cli_verb *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Reads a file ("-": standard input) of at most `max` bytes. RESULT_IO with errno set, or RESULT_NO_MEMORY if it is
 * larger. */
enum result must_use cli_read(const char *path, size_t max, struct buf *out);

/* The worker's program: beside this one, unless NEOCOMPUTE_WORKER says otherwise. */
void cli_worker(char path[PATH_MAX]);
/* Egress's, beside this one. */
void cli_egress(char path[PATH_MAX]);
