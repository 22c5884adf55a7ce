/*
 * What the keeper costs a job: `keeper_bench WORKER [JOBS]` prints one JSON object. This process is supervisor and
 * broker; CPU time is the keeper's own, receipts and sealing included, workers not.
 */
#include <signal.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "stage.h"

static const unsigned outstanding[] = {1, 4, 16};

static uint64_t cpu_ns(pid_t pid) {
  clockid_t clock;
  struct timespec now = {0};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &now) != 0) exit(1);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void ask(struct stage *s, struct buf *b, uint64_t ticket) {
  const struct wire_execute m = stage_job(ticket, "function main(i) { return {sum: i.a + i.b} }");
  wire_put_execute(b, &m);
  stage_tell(s, b);
}

static void hear(struct stage *s) {
  struct span body;
  struct wire_ended m;
  if (stage_hear(s, WIRE_ENDED, 20000, &body) && wire_get_ended(body, &m) && m.result == RESULT_OK) return;
  fprintf(stderr, "a job failed\n");
  exit(1);
}

static uint64_t run(struct stage *s, uint64_t ticket, uint64_t jobs, unsigned at_a_time) {
  struct buf b = buf_new(SERVICE_REQUEST_MAX);
  uint64_t asked = 0, heard = 0;
  while (heard < jobs) {
    while (asked < jobs && asked - heard < at_a_time) ask(s, &b, ticket + asked++);
    hear(s);
    heard++;
  }
  buf_free(&b);
  return ticket + jobs;
}

int main(int argc, char **argv) {
  uint64_t jobs = 20000, ticket = 1;
  struct stage s;
  signal(SIGPIPE, SIG_IGN);
  if (argc < 2 || argc > 3) return 2;
  if (argc == 3 && text_u64(span_text(argv[2]), 1, 100000000, &jobs) != RESULT_OK) return 2;
  stage_open(&s, &(struct stage_options){.worker = argv[1]});
  printf("{\"jobs\":%llu", (unsigned long long)jobs);
  for (size_t i = 0; i < sizeof outstanding / sizeof outstanding[0]; i++) {
    ticket = run(&s, ticket, 200, outstanding[i]); /* workers are started */
    const uint64_t cpu = cpu_ns(s.keeper), wall = clock_monotonic_ns();
    ticket = run(&s, ticket, jobs, outstanding[i]);
    printf(",\"outstanding_%u\":{\"keeper_cpu_us\":%.1f,\"wall_us\":%.1f}", outstanding[i],
           (double)(cpu_ns(s.keeper) - cpu) / 1e3 / (double)jobs,
           (double)(clock_monotonic_ns() - wall) / 1e3 / (double)jobs);
  }
  printf(",\"workers_started\":%u}\n", s.spawned);
  return stage_close(&s);
}
