/* Fills a job store for bench/service.mjs: store_fill FILE JOBS CALLERS. The jobs ended a minute ago and are those of
 * the callers "bench-1" and on, in turn; their records are bytes that no key opens. */
#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/uuid.h"
#include "store/store.h"

#define RECORD 2048u
#define GROUP 5000u
#define DAY_MS 86400000u

static unsigned failures, answers;

static void count_answer(void *context, const struct store_answer *answer) {
  (void)context;
  answers++;
  if (answer->result != RESULT_OK) failures++;
}

static void name_user(unsigned long number, uint8_t user[STORE_USER]) {
  char name[32];
  snprintf(name, sizeof name, "bench-%lu", number);
  digest_sha256(span_text(name), user);
}

/* Different bytes in each record, so that nothing on the way makes them smaller. */
static void fill_record(uint8_t *record, uint64_t seed) {
  for (size_t i = 0; i < RECORD; i++) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    record[i] = (uint8_t)(seed >> 56);
  }
}

static enum result put(struct store *s, struct uuid_maker *ids, unsigned long i, unsigned long callers, bool last) {
  uint8_t record[RECORD];
  uint64_t now = clock_real_ns() / 1000000u;
  struct store_job job = {.status = STORE_COMPLETED, .expires_ms = now + DAY_MS, .record = {record, sizeof record}};
  fill_record(record, i);
  name_user(i % callers + 1, job.user);
  enum result r = uuid_v7(ids, now - 60000, job.id);
  return r == RESULT_OK ? store_put(s, &job, last ? count_answer : NULL, NULL) : r;
}

/* Waits for the group's last write: those before it are committed, too. */
static enum result fill(struct store *s, unsigned long jobs, unsigned long callers) {
  struct uuid_maker ids = {0};
  for (unsigned long i = 0; i < jobs; i++) {
    bool last = i % GROUP == GROUP - 1 || i == jobs - 1;
    enum result r = put(s, &ids, i, callers, last);
    if (r != RESULT_OK) return r;
    for (unsigned before = answers; last && answers == before; store_collect(s))
      (void)!poll(&(struct pollfd){.fd = store_fd(s), .events = POLLIN}, 1, -1);
  }
  return failures == 0 ? RESULT_OK : RESULT_STORE_UNAVAILABLE;
}

int main(int argc, char **argv) {
  char problem[256] = "";
  struct store *s = NULL;
  if (argc != 4) return 2;
  enum result r = store_open(&(struct store_config){.path = argv[1]}, problem, sizeof problem, &s);
  if (r == RESULT_OK) r = fill(s, strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
  store_free(s);
  if (r != RESULT_OK) fprintf(stderr, "store_fill: %s %s\n", result_name(r), problem);
  return r == RESULT_OK ? 0 : 1;
}
