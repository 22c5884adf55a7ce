/*
 * What workers cost beside running scripts: `worker_bench WORKER` prints one JSON object. Start-up from exec to ready,
 * memory of an idle worker and of 64 of them, and how late a script that never yields is stopped. Must run as root to
 * read /proc of undumpable processes; prints null for memory otherwise.
 */
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "dispatch/dispatch.h"

#define STARTS 60
#define CROWD 64
#define STOPS 5
#define TIMEOUT_MS 100

static uint64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static int by_size(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static void print_times(const char *name, uint64_t *us, size_t count) {
  qsort(us, count, sizeof *us, by_size);
  printf("\"%s\":{\"count\":%zu,\"min_us\":%llu,\"p50_us\":%llu,\"max_us\":%llu}", name, count,
         (unsigned long long)us[0], (unsigned long long)us[count / 2], (unsigned long long)us[count - 1]);
}

static void start_times(const char *worker) {
  uint64_t us[STARTS];
  for (size_t i = 0; i < STARTS; i++) {
    struct dispatch *d = NULL;
    uint64_t start = now_us();
    if (dispatch_start(worker, &d) != RESULT_OK) exit(1);
    us[i] = now_us() - start;
    dispatch_free(d);
  }
  print_times("start", us, STARTS);
}

/* Adds one line of /proc/PID/smaps_rollup, in kB. */
static long field(pid_t pid, const char *name) {
  char path[64], line[256];
  long kb = -1;
  snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
  FILE *file = fopen(path, "r");
  if (file == NULL) return -1;
  while (kb < 0 && fgets(line, sizeof line, file) != NULL) {
    if (strncmp(line, name, strlen(name)) == 0) kb = strtol(line + strlen(name), NULL, 10);
  }
  fclose(file);
  return kb;
}

static struct wire_done run(struct dispatch *d, const char *script, uint64_t timeout_ms) {
  static uint64_t id;
  struct wire_done done;
  struct wire_job job = wire_default_job(span_text(script));
  job.id = ++id;
  job.timeout_ms = timeout_ms;
  job.input = span_text("{\"a\":2,\"b\":3}");
  dispatch_run(d, &job, NULL, &done);
  return done;
}

static void crowd(const char *worker) {
  struct dispatch *all[CROWD] = {NULL};
  long rss = 0, pss = 0, private_kb = 0, rss_used = 0;
  for (size_t i = 0; i < CROWD; i++) {
    if (dispatch_start(worker, &all[i]) != RESULT_OK) exit(1);
  }
  for (size_t i = 0; i < CROWD; i++) {
    rss += field(dispatch_pid(all[i]), "Rss:");
    pss += field(dispatch_pid(all[i]), "Pss:");
    private_kb += field(dispatch_pid(all[i]), "Private_Dirty:");
  }
  for (size_t i = 0; i < CROWD; i++) {
    run(all[i], "function main(i) { console.log(i); return {sum: i.a + i.b} }", 5000);
    rss_used += field(dispatch_pid(all[i]), "Rss:");
  }
  printf(
      "\"memory\":{\"workers\":%d,\"rss_kb_each\":%ld,\"pss_kb_each\":%ld,\"private_dirty_kb_each\":%ld,\"rss_kb_each_"
      "after_a_job\":%ld}",
      CROWD, rss / CROWD, pss / CROWD, private_kb / CROWD, rss_used / CROWD);
  for (size_t i = 0; i < CROWD; i++) dispatch_free(all[i]);
}

/* From handing over the job to the answer "timeout", less the time-out. */
static void stop_times(const char *worker) {
  static const struct {
    const char *name, *script;
  } hangs[] = {
      {"loop", "function main() { for (;;); }"},
      {"regex", "function main() { /^(a+)+\\1b?c$/.test('a'.repeat(34)) }"},
      {"indexOf", "function main() { Array.prototype.indexOf.call({length: 2 ** 53 - 1}, 1) }"},
      {"promises", "async function main() { for (;;) await null }"},
      {"parser", "function main() { for (;;) new Function('return ' + '['.repeat(300) + ']'.repeat(300)) }"},
      {"native", "function main() { const a = new Uint8Array(5e7); for (;;) a.fill(1) }"},
  };
  struct dispatch *d = NULL;
  if (dispatch_start(worker, &d) != RESULT_OK) exit(1);
  printf("\"late\":{\"timeout_ms\":%d", TIMEOUT_MS);
  for (size_t i = 0; i < sizeof hangs / sizeof hangs[0]; i++) {
    uint64_t us[STOPS];
    for (size_t n = 0; n < STOPS; n++) {
      run(d, "function main() {}", 1000); /* a worker is there */
      uint64_t start = now_us();
      if (run(d, hangs[i].script, TIMEOUT_MS).result != RESULT_TIMEOUT) exit(1);
      us[n] = now_us() - start - TIMEOUT_MS * 1000u;
    }
    putchar(',');
    print_times(hangs[i].name, us, STOPS);
  }
  putchar('}');
  dispatch_free(d);
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  if (argc != 2) return 2;
  putchar('{');
  start_times(argv[1]);
  putchar(',');
  crowd(argv[1]);
  putchar(',');
  stop_times(argv[1]);
  puts("}");
  return 0;
}
