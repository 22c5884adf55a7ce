/*
 * What the job store costs, empty and full: `store_bench DIRECTORY [ROWS [RECORD_BYTES]]` prints one JSON object a
 * line. Latency is from the call to its callback, CPU that of the whole process (both threads), in µs per operation.
 * Without a directory's disk: `store_bench -` measures the store in memory.
 */
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/store.h"

#define USERS 200u
#define SAMPLES 20000u
#define START_MS 1800000000000u
#define DAY_MS 86400000u

static struct store *store;
static uint8_t *record;
static size_t record_size;
static uint64_t made; /* ids so far */

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double cpu_us(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* splitmix64: the same ids and users in every run. */
static uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

static void put_u64(uint8_t *out, uint64_t v) {
  for (size_t i = 0; i < 8; i++) out[i] = (uint8_t)(v >> (56 - 8 * i));
}

static void user_of(uint64_t n, uint8_t user[STORE_USER]) {
  for (size_t i = 0; i < 4; i++) put_u64(user + 8 * i, mix(n % USERS * 4 + i));
}

/* The n-th job: 20 a millisecond, users in no order. */
static struct store_job job_of(uint64_t n, enum store_status status) {
  struct store_job job = {.status = status, .record = span_of(record, record_size)};
  uint64_t ms = START_MS + n / 20, random = mix(n);
  put_u64(job.id, (ms << 16) | 0x7000u | (n % 20 * 200));
  put_u64(job.id + 8, (random >> 2) | (1ull << 63));
  user_of(random, job.user);
  job.expires_ms = status == STORE_RUNNING ? 0 : ms + DAY_MS;
  return job;
}

static void die(const char *what) {
  fprintf(stderr, "store_bench: %s\n", what);
  exit(1);
}

/* ---- one kind of operation, so many at a time ---- */

struct load;
typedef enum result start_function(uint64_t n, store_callback *callback, void *context);

struct load {
  start_function *start;
  uint64_t left, done, first;
  uint64_t *ns; /* of each */
  size_t jobs;  /* that came back */
};

struct slot {
  struct load *load;
  uint64_t began;
};

static void start_next(struct slot *slot);

static void finished(void *context, const struct store_answer *answer) {
  struct slot *slot = context;
  struct load *load = slot->load;
  if (answer->result != RESULT_OK) die(result_name(answer->result));
  load->ns[load->done++] = now_ns() - slot->began;
  load->jobs += answer->count;
  start_next(slot);
}

static void start_next(struct slot *slot) {
  struct load *load = slot->load;
  if (load->left == 0) return;
  load->left--;
  slot->began = now_ns();
  if (load->start(load->first++, finished, slot) != RESULT_OK) die("an operation was refused");
}

static int by_size(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static void wait_for_store(void) {
  struct pollfd wait = {.fd = store_fd(store), .events = POLLIN};
  if (poll(&wait, 1, 60000) != 1) die("nothing came back for a minute");
  store_collect(store);
}

static void run(const char *name, start_function *start, uint64_t first, uint64_t count, size_t outstanding) {
  static struct slot slots[1024];
  struct load load = {.start = start, .left = count, .first = first, .ns = calloc(count, sizeof *load.ns)};
  if (load.ns == NULL) die("no memory");
  double cpu = cpu_us();
  uint64_t began = now_ns(), commits = store_stats(store).commits;
  for (size_t i = 0; i < outstanding; i++) {
    slots[i].load = &load;
    start_next(&slots[i]);
  }
  while (load.done < count) wait_for_store();
  double seconds = (double)(now_ns() - began) / 1e9, each = (cpu_us() - cpu) / (double)count;
  commits = store_stats(store).commits - commits;
  qsort(load.ns, count, sizeof *load.ns, by_size);
  uint64_t p50 = load.ns[count / 2], p99 = load.ns[count - count / 100 - 1];
  printf(
      "{\"what\":\"%s\",\"rows\":%llu,\"outstanding\":%zu,\"per_second\":%.0f,\"cpu_us\":%.1f,\"p50_us\":%.1f,"
      "\"p99_us\":%.1f,\"max_us\":%.0f,\"per_commit\":%.1f,\"jobs\":%zu}\n",
      name, (unsigned long long)store_stats(store).jobs, outstanding, (double)count / seconds, each, (double)p50 / 1e3,
      (double)p99 / 1e3, (double)load.ns[count - 1] / 1e3, commits > 0 ? (double)count / (double)commits : 0.0,
      load.jobs);
  fflush(stdout);
  free(load.ns);
}

/* ---- the operations ---- */

static enum result start_put(uint64_t n, store_callback *callback, void *context) {
  struct store_job job = job_of(n, n % 16 == 0 ? STORE_FAILED : STORE_COMPLETED);
  job.fresh = true;
  return store_put(store, &job, callback, context);
}

/* A long job: first as running, which nobody waits for here, then ended. */
static enum result start_job(uint64_t n, store_callback *callback, void *context) {
  struct store_job running = job_of(n, STORE_RUNNING), ended = job_of(n, STORE_COMPLETED);
  running.fresh = true;
  if (store_put(store, &running, NULL, NULL) != RESULT_OK) return RESULT_BUSY;
  return store_put(store, &ended, callback, context);
}

static enum result start_get(uint64_t n, store_callback *callback, void *context) {
  struct store_job job = job_of(mix(n) % made, STORE_COMPLETED);
  return store_get(store, job.user, job.id, callback, context);
}

static enum result list(uint64_t n, enum store_status status, uint32_t limit, store_callback *callback, void *context) {
  struct store_query query = {.status = status, .limit = limit, .bytes = 1u << 20};
  user_of(n, query.user);
  memset(query.before, 0xff, sizeof query.before);
  return store_list(store, &query, callback, context);
}

static enum result start_list(uint64_t n, store_callback *callback, void *context) {
  return list(n, 0, 100, callback, context);
}

static enum result start_list_failed(uint64_t n, store_callback *callback, void *context) {
  return list(n, STORE_FAILED, 10, callback, context);
}

/* Everything of the first `n` jobs. */
static enum result start_expire(uint64_t n, store_callback *callback, void *context) {
  return store_expire(store, START_MS + n / 20 + DAY_MS, callback, context);
}

static void open_store(const char *path, bool full_sync) {
  char problem[256];
  uint64_t began = now_ns();
  if (store_open(&(struct store_config){path, full_sync}, problem, sizeof problem, &store) != RESULT_OK) die(problem);
  printf("{\"what\":\"open\",\"rows\":%llu,\"ms\":%.2f}\n", (unsigned long long)store_stats(store).jobs,
         (double)(now_ns() - began) / 1e6);
}

static void measure(void) {
  static const size_t crowds[] = {1, 16};
  for (size_t i = 0; i < sizeof crowds / sizeof crowds[0]; i++) {
    run("put", start_put, made, SAMPLES, crowds[i]);
    made += SAMPLES;
    run("job", start_job, made, SAMPLES, crowds[i]);
    made += SAMPLES;
    run("get", start_get, 0, SAMPLES, crowds[i]);
    run("list_100", start_list, 0, 1000, crowds[i]);
    run("list_failed_10", start_list_failed, 0, 1000, crowds[i]);
  }
}

static void print_memory(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  printf("{\"what\":\"memory\",\"max_rss_kb\":%ld}\n", u.ru_maxrss);
}

int main(int argc, char **argv) {
  if (argc < 2) die("usage: store_bench DIRECTORY|- [ROWS [RECORD_BYTES]]");
  uint64_t rows = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
  record_size = argc > 3 ? strtoull(argv[3], NULL, 10) : 3000;
  record = malloc(record_size + 1);
  if (record == NULL) die("no memory");
  for (size_t i = 0; i < record_size; i++) record[i] = (uint8_t)mix(i);
  char path[4096];
  bool in_memory = strcmp(argv[1], "-") == 0;
  snprintf(path, sizeof path, "%s/store_bench.db", argv[1]);
  if (!in_memory) unlink(path);
  open_store(in_memory ? NULL : path, false);
  measure();
  print_memory();
  if (rows > made) {
    run("fill", start_put, made, rows - made, 256);
    made = rows;
    if (!in_memory) {
      store_free(store);
      open_store(path, false);
    }
    measure();
    run("expire_20000", start_expire, 20000, 1, 1);
  }
  print_memory();
  store_free(store);
  if (!in_memory) unlink(path);
  free(record);
  return 0;
}
