#include "broker/metrics.h"

#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SECOND UINT64_C(1000000000)
#define INFO_TEXT 100u
#define FDS_AT_ONCE 1024u
#define FDS_MAX (1u << 20)

/* ---- the table, as data ---- */

#define VALUE(id, text) text,
static const char *const routes[] = {METRICS_ROUTES(VALUE)};
static const char *const statuses[] = {METRICS_STATUSES(VALUE)};
static const char *const reasons[] = {METRICS_REASONS(VALUE)};
static const char *const directions[] = {METRICS_DIRECTIONS(VALUE)};
static const char *const worker_states[] = {METRICS_WORKERS(VALUE)};
#undef VALUE
#define VALUE(id, name, status, sentence) #name,
static const char *const results[] = {RESULT_LIST(VALUE)};
#undef VALUE

struct label {
  const char *name; /* NULL: none */
  const char *const *values;
  unsigned count;
};

/* The cell of a series is first * second.count + second. */
struct labels {
  struct label first, second;
};

#define NO_LABEL \
  { NULL, NULL, 1 }
#define LABEL(name, values) \
  { name, values, COUNT(values) }
static const struct labels labels_none = {NO_LABEL, NO_LABEL};
static const struct labels labels_request = {LABEL("route", routes), LABEL("status", statuses)};
static const struct labels labels_result = {NO_LABEL, LABEL("result", results)};
static const struct labels labels_reason = {NO_LABEL, LABEL("reason", reasons)};
static const struct labels labels_direction = {NO_LABEL, LABEL("direction", directions)};
static const struct labels labels_worker = {NO_LABEL, LABEL("state", worker_states)};

enum type { COUNTER, GAUGE, HISTOGRAM, INFO };
enum unit { ONE, SECONDS };

static const struct metric {
  const char *name, *help;
  enum type type;
  enum unit unit;
  const struct labels *labels;
} metrics[METRICS_COUNT] = {
#define ROW(id, name, type, unit, labels, help) {name, help, type, unit, &labels_##labels},
    METRICS_TABLE(ROW)
#undef ROW
};

static const struct bucket {
  uint64_t ns;
  const char *seconds;
} buckets[] = {{1000000, "0.001"},  {2500000, "0.0025"}, {5000000, "0.005"},      {10000000, "0.01"},
               {25000000, "0.025"}, {50000000, "0.05"},  {100000000, "0.1"},      {250000000, "0.25"},
               {500000000, "0.5"},  {SECOND, "1"},       {5 * SECOND / 2, "2.5"}, {5 * SECOND, "5"},
               {10 * SECOND, "10"}, {30 * SECOND, "30"}, {60 * SECOND, "60"},     {120 * SECOND, "120"}};
#define BUCKETS COUNT(buckets)

/* A histogram's cells: observations in each bucket and above the last, then their sum. */
#define SUM (BUCKETS + 1)
#define CELLS 128
_Static_assert(COUNT(routes) * COUNT(statuses) <= CELLS && COUNT(results) <= CELLS && SUM < CELLS, "more cells");

static _Atomic uint64_t cells[METRICS_COUNT][CELLS];

/* ---- counting ---- */

static bool has_label(enum metrics_id id, unsigned label) {
  return label < metrics[id].labels->first.count * metrics[id].labels->second.count;
}

static uint64_t read_cell(enum metrics_id id, unsigned at) {
  return atomic_load_explicit(&cells[id][at], memory_order_relaxed);
}

void metrics_add(enum metrics_id id, unsigned label, uint64_t n) {
  if (has_label(id, label)) atomic_fetch_add_explicit(&cells[id][label], n, memory_order_relaxed);
}

void metrics_set(enum metrics_id id, unsigned label, uint64_t value) {
  if (has_label(id, label)) atomic_store_explicit(&cells[id][label], value, memory_order_relaxed);
}

void metrics_observe(enum metrics_id id, uint64_t ns) {
  size_t bucket = 0;
  while (bucket < BUCKETS && ns > buckets[bucket].ns) bucket++;
  atomic_fetch_add_explicit(&cells[id][bucket], 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&cells[id][SUM], ns, memory_order_relaxed);
}

unsigned metrics_request_label(enum metrics_route route, int status) {
  unsigned class = status >= 100 && status < 600 ? (unsigned)status / 100 - 1 : METRICS_STATUS_5XX;
  return route * METRICS_STATUS_COUNT + class;
}

/* ---- the process itself ---- */

static struct {
  int statm; /* opened before the sandbox closes the way there; -1: nothing is told */
  char engine[INFO_TEXT], tee[INFO_TEXT];
  size_t engine_len, tee_len;
} process = {.statm = -1};

void metrics_open(void) {
  metrics_close();
  process.statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  metrics_set(METRICS_START_TIME, 0, clock_real_ns());
}

void metrics_close(void) {
  if (process.statm >= 0) close(process.statm);
  process.statm = -1;
}

static size_t keep(char to[INFO_TEXT], struct span text) {
  size_t len = text_utf8_cut(text, INFO_TEXT);
  if (len > 0) memcpy(to, text.data, len);
  return len;
}

void metrics_build(struct span engine, struct span tee) {
  process.engine_len = keep(process.engine, engine);
  process.tee_len = keep(process.tee, tee);
}

/* proc(5), /proc/pid/statm: the second number is the resident set in pages. */
static bool read_memory(void) {
  char text[128];
  ssize_t n = process.statm < 0 ? -1 : pread(process.statm, text, sizeof text - 1, 0);
  if (n <= 0) return false;
  text[n] = '\0';
  char *second = strchr(text, ' ');
  if (second == NULL) return false;
  metrics_set(METRICS_MEMORY, 0, strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE));
  return true;
}

/* Asked by poll(2): an open /proc/self/fd would be a way out of the fence. */
static unsigned count_open(nfds_t first, nfds_t count) {
  struct pollfd some[FDS_AT_ONCE];
  unsigned open = 0;
  for (nfds_t i = 0; i < count; i++) some[i] = (struct pollfd){.fd = (int)(first + i)};
  if (poll(some, count, 0) < 0) return 0;
  for (nfds_t i = 0; i < count; i++) open += !(some[i].revents & POLLNVAL);
  return open;
}

static bool read_fds(void) {
  struct rlimit most;
  uint64_t open = 0;
  if (process.statm < 0 || getrlimit(RLIMIT_NOFILE, &most) != 0) return false;
  rlim_t end = most.rlim_cur < FDS_MAX ? most.rlim_cur : FDS_MAX;
  for (rlim_t at = 0; at < end; at += FDS_AT_ONCE)
    open += count_open(at, end - at < FDS_AT_ONCE ? end - at : FDS_AT_ONCE);
  metrics_set(METRICS_OPEN_FDS, 0, open);
  return true;
}

/* ---- the text ---- */

static void put_value(struct buf *b, enum unit unit, uint64_t v) {
  if (unit == ONE)
    buf_printf(b, " %llu\n", (unsigned long long)v);
  else
    buf_printf(b, " %llu.%09llu\n", (unsigned long long)(v / SECOND), (unsigned long long)(v % SECOND));
}

static void put_head(struct buf *b, const struct metric *m) {
  static const char *const types[] = {"counter", "gauge", "histogram", "gauge"};
  buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, types[m->type]);
}

static void put_series(struct buf *b, enum metrics_id id) {
  const struct metric *m = &metrics[id];
  const struct label *first = &m->labels->first, *second = &m->labels->second;
  /* Zeros, too: a series that begins with its first event hides that event from rate(). */
  for (unsigned i = 0; i < first->count * second->count; i++) {
    buf_put_text(b, m->name);
    if (second->name != NULL) buf_put_text(b, "{");
    if (first->name != NULL) buf_printf(b, "%s=\"%s\",", first->name, first->values[i / second->count]);
    if (second->name != NULL) buf_printf(b, "%s=\"%s\"}", second->name, second->values[i % second->count]);
    put_value(b, m->unit, read_cell(id, i));
  }
}

static void put_histogram(struct buf *b, enum metrics_id id) {
  const char *name = metrics[id].name;
  uint64_t count = 0;
  for (unsigned i = 0; i <= BUCKETS; i++) {
    count += read_cell(id, i);
    buf_printf(b, "%s_bucket{le=\"%s\"} %llu\n", name, i < BUCKETS ? buckets[i].seconds : "+Inf",
               (unsigned long long)count);
  }
  buf_printf(b, "%s_sum", name);
  put_value(b, SECONDS, read_cell(id, SUM));
  buf_printf(b, "%s_count", name);
  put_value(b, ONE, count);
}

static void put_label(struct buf *b, const char *name, struct span value) {
  buf_printf(b, "%s=\"", name);
  for (size_t i = 0; i < value.len; i++) {
    uint8_t byte = value.data[i];
    if (byte == '\n') {
      buf_put_text(b, "\\n");
      continue;
    }
    if (byte == '"' || byte == '\\') buf_put_u8(b, '\\');
    buf_put_u8(b, byte);
  }
  buf_put_text(b, "\"");
}

static void put_info(struct buf *b, enum metrics_id id) {
  buf_printf(b, "%s{", metrics[id].name);
  put_label(b, "version", span_text(NEOCOMPUTE_VERSION));
  buf_put_text(b, ",");
  put_label(b, "engine", span_of(process.engine, process.engine_len));
  buf_put_text(b, ",");
  put_label(b, "tee", span_of(process.tee, process.tee_len));
  buf_put_text(b, "} 1\n");
}

static bool is_known(enum metrics_id id) {
  if (id == METRICS_BUILD_INFO) return process.engine_len > 0;
  if (id == METRICS_START_TIME) return read_cell(id, 0) > 0;
  if (id == METRICS_MEMORY) return read_memory();
  if (id == METRICS_OPEN_FDS) return read_fds();
  return true;
}

void metrics_write(struct buf *b) {
  static void (*const puts_of[])(struct buf *, enum metrics_id) = {put_series, put_series, put_histogram, put_info};
  for (unsigned id = 0; id < METRICS_COUNT; id++) {
    if (!is_known((enum metrics_id)id)) continue;
    put_head(b, &metrics[id]);
    puts_of[metrics[id].type](b, (enum metrics_id)id);
  }
}
