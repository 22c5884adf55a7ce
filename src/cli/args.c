#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include "cli/cli.h"

void cli_help(const struct cli_verb *verb) {
  printf("usage: neocompute %s %s\n\n%s\n", verb->name, verb->arguments, verb->details);
  if (verb->options[0].name != NULL) printf("\nOptions:\n");
  for (const struct cli_option *o = verb->options; o->name != NULL; o++) {
    char left[64];
    snprintf(left, sizeof left, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
    /* A long left side gets a line of its own; help lines after the first are indented by the table's text. */
    if (strlen(left) > 21)
      printf("  %s\n%24s%s\n", left, "", o->help);
    else
      printf("  %-22s%s\n", left, o->help);
  }
}

void cli_complain(const struct cli_verb *verb, const char *format, ...) {
  va_list args;
  va_start(args, format);
  fprintf(stderr, "neocompute %s: ", verb->name);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
}

static int take_value(struct cli_args *args, const struct cli_option *option, const char *inline_value,
                      const char **value) {
  if (option->value == NULL && inline_value != NULL) {
    cli_complain(args->verb, "--%s takes no value", option->name);
    return CLI_BAD;
  }
  *value = inline_value;
  if (option->value != NULL && inline_value == NULL) {
    if (args->at == args->argc) {
      cli_complain(args->verb, "--%s needs a value: %s", option->name, option->value);
      return CLI_BAD;
    }
    *value = args->argv[args->at++];
  }
  return (int)(option - args->verb->options);
}

int cli_next(struct cli_args *args, const char **value) {
  if (args->at == args->argc) return CLI_END;
  const char *word = args->argv[args->at++];
  if (!args->only_operands && strcmp(word, "--") == 0) {
    args->only_operands = true;
    return cli_next(args, value);
  }
  if (args->only_operands || word[0] != '-' || word[1] == 0) {
    *value = word;
    return CLI_ARGUMENT;
  }
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
    cli_help(args->verb);
    return CLI_HELP;
  }
  const char *equals = strchr(word, '=');
  size_t len = word[1] == '-' ? (equals ? (size_t)(equals - word) : strlen(word)) - 2 : 0;
  for (const struct cli_option *o = args->verb->options; o->name != NULL && len > 0; o++) {
    if (strlen(o->name) == len && memcmp(o->name, word + 2, len) == 0)
      return take_value(args, o, equals ? equals + 1 : NULL, value);
  }
  /* Without its value, which may be a secret meant for an option of a like name. */
  cli_complain(args->verb, "unknown option %.*s (neocompute %s --help lists them)", (int)strcspn(word, "="), word,
               args->verb->name);
  return CLI_BAD;
}

enum result cli_read(const char *path, size_t max, struct buf *out) {
  int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return RESULT_IO;
  *out = buf_new(max);
  static uint8_t part[65536];
  enum result r = RESULT_OK;
  for (ssize_t n = 1; n > 0 && r == RESULT_OK;) {
    n = read(fd, part, sizeof part);
    if (n > 0) buf_put(out, part, (size_t)n);
    if (n < 0) r = RESULT_IO;
    if (out->bad) r = RESULT_NO_MEMORY;
  }
  int saved = errno;
  close(fd);
  wipe(part, sizeof part);
  if (r != RESULT_OK) buf_free(out);
  errno = saved;
  return r;
}

/* A standard descriptor that is closed would be the number of the next socket, which then gets what was meant for the
 * terminal. What is put there can be neither read from with profit nor written to. */
static bool fill_standard_descriptors(void) {
  for (int fd = 0; fd <= 2; fd++) {
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_RDWR : O_RDONLY) != fd) return false;
  }
  return true;
}

bool cli_begin(void) {
  signal(SIGPIPE, SIG_IGN); /* a peer that is gone is an error where it is written to */
  return fill_standard_descriptors();
}

int cli_end(int status) {
  return fflush(stdout) == 0 && !ferror(stdout) ? status : CLI_FAULT;
}

/* A program in the folder of this one. */
static void find_beside(char path[PATH_MAX], const char *name) {
  char self[PATH_MAX - 32] = "";
  if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) self[0] = 0;
  snprintf(path, PATH_MAX, "%s/%s", dirname(self), name);
}

void cli_worker(char path[PATH_MAX]) {
  const char *told = getenv("NEOCOMPUTE_WORKER");
  if (told != NULL)
    snprintf(path, PATH_MAX, "%s", told);
  else
    find_beside(path, "neocompute-worker");
}

void cli_egress(char path[PATH_MAX]) {
  find_beside(path, "neocompute-egress");
}
