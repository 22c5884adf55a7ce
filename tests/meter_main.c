/*
 * Prints what each script costs, with the engine as it is linked here: `meter SCRIPT…` writes one line "steps memory
 * output" a script. Built at several optimisation levels; tests/meter.test.mjs compares.
 */
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/engine.h"

static struct span read_script(const char *path) {
  static uint8_t script[ENGINE_SCRIPT_MAX];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t len = fd < 0 ? -1 : read(fd, script, sizeof script);
  if (fd >= 0) close(fd);
  return span_of(script, len < 0 ? 0 : (size_t)len);
}

static void meter(const char *path) {
  struct engine_job job = {.script = read_script(path),
                           .name = span_text("script.js"),
                           .entry = span_text("main"),
                           .input = span_text("{\"a\":2,\"b\":3}"),
                           .limits = engine_default_limits(),
                           .deterministic = true};
  struct engine_outcome outcome;
  engine_run(&job, NULL, &outcome);
  struct span shown = outcome.result == RESULT_OK ? outcome.output : outcome.error;
  printf("%llu %llu %s %.*s\n", (unsigned long long)outcome.usage.steps, (unsigned long long)outcome.usage.memory_peak,
         result_name(outcome.result), (int)(shown.len < 200 ? shown.len : 200), (const char *)shown.data);
  if (!engine_reset()) exit(1);
}

int main(int argc, char **argv) {
  struct rlimit stack = {ENGINE_NATIVE_STACK, RLIM_INFINITY};
  if (setrlimit(RLIMIT_STACK, &stack) != 0) return 3;
  if (engine_open(-1) != RESULT_OK) return 3;
  for (int i = 1; i < argc; i++) meter(argv[i]);
  return 0;
}
