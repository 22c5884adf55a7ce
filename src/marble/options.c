#include "marble/options.h"

#include <getopt.h>

#include "base/text.h"
#include "marble/coordinator.h"
#include "marble/files.h"

#define HOUR_MS 3600000u

static const char help[] =
    "usage: neocompute-marble [OPTION…] [--] PROGRAM [ARGUMENT…]\n"
    "\n"
    "Has MarbleRun's Coordinator activate this marble, then becomes PROGRAM (a path) with the environment, the "
    "arguments and\n"
    "the files of the manifest; with ARGUMENT… if the manifest has none. If somebody has activated it before (a "
    "premain), it\n"
    "becomes PROGRAM at once.\n"
    "\n"
    "Options:\n"
    "  --files DIR       the manifest's files may be below DIR, too (/secrets, /dev/attestation/keys)\n"
    "  --env NAME        the manifest may set NAME, too (keys and settings of neocompute)\n"
    "  --wait SECONDS    how long an absent or unready Coordinator is asked again (300)\n"
    "  --pause SECONDS   before it is asked again; doubled each time, up to 30 (1)\n"
    "  --timeout SECONDS for one answer (60)\n"
    "  --machine-root DIR where /dev/attestation is looked for: for tests (/)\n"
    "\n"
    "Environment: EDG_MARBLE_TYPE (needed), EDG_MARBLE_COORDINATOR_ADDR (localhost:2001), EDG_MARBLE_DNS_NAMES "
    "(localhost),\n"
    "EDG_MARBLE_UUID_FILE (uuid in EDG_CWD or here). OE_SIMULATION=0 or NEOCOMPUTE_STRICT=on: no activation without "
    "hardware.\n"
    "\n"
    "Exit status: PROGRAM's; 1 not activated, 2 usage, 3 PROGRAM cannot be started.\n";

static enum options_outcome complain(const char *what, const char *why) {
  fprintf(stderr, "neocompute-marble: %s: %s\n", what, why);
  return OPTIONS_WRONG;
}

/* ---- options ---- */

enum { FILES = 1, VARIABLE, WAIT, PAUSE, TIMEOUT, MACHINE_ROOT, HELP, VERSION };

static bool add(const char **list, const char *value) {
  size_t count = 0;
  while (list[count] != NULL) count++;
  if (count == OPTIONS_LIST_MAX) return false;
  list[count] = value;
  return true;
}

static bool is_directory_path(const char *path) {
  static const char *const root[] = {"", NULL};
  return files_may_be(root, span_text(path));
}

static enum options_outcome take(struct options *o, int option) {
  uint64_t *const times[] = {[WAIT] = &o->wait_ms, [PAUSE] = &o->pause_ms, [TIMEOUT] = &o->timeout_ms};
  if (option == HELP || option == VERSION) {
    fputs(option == HELP ? help : "neocompute-marble " NEOCOMPUTE_VERSION "\n", stdout);
    return OPTIONS_DONE;
  }
  if (option == FILES && !(is_directory_path(optarg) && add(o->directories, optarg)))
    return complain(optarg, "no absolute path, or one too many");
  if (option == VARIABLE && !add(o->variables, optarg)) return complain(optarg, "one name too many");
  if (option == MACHINE_ROOT) o->machine_root = optarg;
  if (option >= WAIT && option <= TIMEOUT &&
      text_millis(span_text(optarg), option != WAIT, HOUR_MS, times[option]) != RESULT_OK)
    return complain(optarg, "no time in seconds, up to an hour");
  return option == '?' || option == ':' ? OPTIONS_WRONG : OPTIONS_GO;
}

static enum options_outcome read_options(struct options *o, int argc, char **argv) {
  static const struct option known[] = {{"files", required_argument, NULL, FILES},
                                        {"env", required_argument, NULL, VARIABLE},
                                        {"wait", required_argument, NULL, WAIT},
                                        {"pause", required_argument, NULL, PAUSE},
                                        {"timeout", required_argument, NULL, TIMEOUT},
                                        {"machine-root", required_argument, NULL, MACHINE_ROOT},
                                        {"help", no_argument, NULL, HELP},
                                        {"version", no_argument, NULL, VERSION},
                                        {NULL, 0, NULL, 0}};
  for (int option; (option = getopt_long(argc, argv, "+", known, NULL)) != -1;) {
    const enum options_outcome outcome = take(o, option);
    if (outcome != OPTIONS_GO) return outcome;
  }
  o->program = argv + optind;
  return optind < argc ? OPTIONS_GO : complain("PROGRAM is missing", "--help says more");
}

/* ---- environment ---- */

static const char *variable(const char *name, const char *fallback) {
  const char *value = getenv(name);
  return value != NULL && value[0] != 0 ? value : fallback;
}

static bool read_uuid_path(struct options *o) {
  const char *path = variable("EDG_MARBLE_UUID_FILE", NULL), *folder = variable("EDG_CWD", NULL);
  const int len = path != NULL     ? snprintf(o->uuid_path, sizeof o->uuid_path, "%s", path)
                  : folder != NULL ? snprintf(o->uuid_path, sizeof o->uuid_path, "%s/uuid", folder)
                                   : snprintf(o->uuid_path, sizeof o->uuid_path, "uuid");
  return len > 0 && len < (int)sizeof o->uuid_path;
}

static enum options_outcome read_environment(struct options *o) {
  o->strict = strcmp(variable("NEOCOMPUTE_STRICT", ""), "on") == 0 || strcmp(variable("OE_SIMULATION", ""), "0") == 0;
  o->activated = variable("MARBLE_PREDEFINED_PRIVATE_KEY", NULL) != NULL || variable("MARBLE_KEY", NULL) != NULL;
  o->coordinator = variable("EDG_MARBLE_COORDINATOR_ADDR", "localhost:2001");
  o->names = variable("EDG_MARBLE_DNS_NAMES", "localhost");
  o->type = variable("EDG_MARBLE_TYPE", NULL);
  if (o->activated) return OPTIONS_GO;
  if (o->type == NULL) return complain("EDG_MARBLE_TYPE", "is missing");
  if (strlen(o->type) > 256 || !text_utf8_valid(span_text(o->type)))
    return complain("EDG_MARBLE_TYPE", "is no marble type");
  if (!read_uuid_path(o)) return complain("EDG_MARBLE_UUID_FILE", "is too long");
  if (!coordinator_is_address(o->coordinator)) return complain("EDG_MARBLE_COORDINATOR_ADDR", "is no HOST:PORT");
  return OPTIONS_GO;
}

enum options_outcome options_read(struct options *o, int argc, char **argv) {
  *o = (struct options){.directories = {"/secrets", "/dev/attestation/keys"},
                        .machine_root = "/",
                        .wait_ms = 300000,
                        .pause_ms = 1000,
                        .timeout_ms = 60000};
  const enum options_outcome outcome = read_options(o, argc, argv);
  return outcome == OPTIONS_GO ? read_environment(o) : outcome;
}
