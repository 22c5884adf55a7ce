#include "broker/metrics.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)
#define SERIES_MOST 1000u

/* ---- the text, read by the rules of Prometheus' exposition format 0.0.4 ---- */

struct series {
  char name[100], labels[300]; /* labels as they stand between the braces */
  double value;
};

static struct series all[SERIES_MOST];
static unsigned series_count;

static char *take(char **at, const char *set) {
  char *begin = *at;
  *at += strspn(begin, set);
  assert_ptr_not_equal(*at, begin);
  return begin;
}

static void eat(char **at, char what) {
  assert_int_equal(**at, what);
  (*at)++;
}

#define NAME "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"

static void read_label(char **at) {
  take(at, NAME);
  eat(at, '=');
  eat(at, '"');
  for (; **at != '"'; (*at)++) {
    assert_int_not_equal(**at, '\0');
    if (**at != '\\') continue;
    (*at)++;
    assert_non_null(memchr("\\\"n", **at, 3));
  }
  eat(at, '"');
}

static void read_labels(char **at) {
  eat(at, '{');
  read_label(at);
  while (**at == ',') {
    eat(at, ',');
    read_label(at);
  }
  eat(at, '}');
}

static void read_series(char *line, const char *family, bool histogram) {
  struct series *s = &all[series_count++];
  char *at = line, *end;
  assert_true(series_count <= SERIES_MOST);
  char *name = take(&at, NAME);
  int len = (int)(at - name);
  snprintf(s->name, sizeof s->name, "%.*s", len, name);
  char *labels = at;
  if (*at == '{') read_labels(&at);
  snprintf(s->labels, sizeof s->labels, "%.*s", at - labels > 2 ? (int)(at - labels) - 2 : 0, labels + 1);
  eat(&at, ' ');
  s->value = strtod(at, &end);
  assert_ptr_not_equal(at, end);
  assert_string_equal(end, "");
  /* A family's lines stand together, under its own name. */
  size_t family_len = strlen(family);
  assert_memory_equal(s->name, family, family_len);
  const char *suffix = s->name + family_len;
  if (histogram)
    assert_true(strcmp(suffix, "_bucket") == 0 || strcmp(suffix, "_sum") == 0 || strcmp(suffix, "_count") == 0);
  else
    assert_string_equal(suffix, "");
}

/* The families so far, and the last one's type. */
static char families[50][100], type[20];
static unsigned family_count;

static void read_help(const char *name, const char *next_line) {
  char want[150];
  const char *space = strchr(name, ' ');
  assert_non_null(space);
  assert_true(strlen(space) > 5);
  assert_true(family_count < 50);
  snprintf(families[family_count], sizeof families[0], "%.*s", (int)(space - name), name);
  for (unsigned i = 0; i < family_count; i++) assert_string_not_equal(families[i], families[family_count]);
  /* The type follows at once. */
  int len = snprintf(want, sizeof want, "# TYPE %s ", families[family_count++]);
  assert_memory_equal(next_line, want, (size_t)len);
}

static void read_type(const char *line) {
  snprintf(type, sizeof type, "%s", strrchr(line, ' ') + 1);
  assert_true(strcmp(type, "counter") == 0 || strcmp(type, "gauge") == 0 || strcmp(type, "histogram") == 0);
  /* A counter's name ends in _total, and only a counter's does. */
  const char *name = families[family_count - 1];
  size_t len = strlen(name);
  assert_int_equal(len > 6 && strcmp(name + len - 6, "_total") == 0, strcmp(type, "counter") == 0);
}

static void read_text(char *text) {
  family_count = series_count = 0;
  for (char *line = text, *next; *line != '\0'; line = next) {
    char *end = strchr(line, '\n');
    assert_non_null(end); /* the last line, too */
    *end = '\0';
    next = end + 1;
    if (strncmp(line, "# HELP ", 7) == 0) {
      read_help(line + 7, next);
    } else if (strncmp(line, "# TYPE ", 7) == 0) {
      read_type(line);
    } else {
      assert_true(family_count > 0);
      read_series(line, families[family_count - 1], strcmp(type, "histogram") == 0);
    }
  }
  for (unsigned i = 0; i < series_count; i++)
    for (unsigned k = 0; k < i; k++)
      assert_false(strcmp(all[i].name, all[k].name) == 0 && strcmp(all[i].labels, all[k].labels) == 0);
}

static void read_metrics(void) {
  struct buf b = buf_new(1u << 20);
  metrics_write(&b);
  buf_put_u8(&b, 0);
  assert_false(b.bad);
  read_text((char *)b.data);
  buf_free(&b);
}

static const struct series *find(const char *name, const char *labels) {
  for (unsigned i = 0; i < series_count; i++)
    if (strcmp(all[i].name, name) == 0 && strcmp(all[i].labels, labels) == 0) return &all[i];
  return NULL;
}

static void assert_value(const char *name, const char *labels, double want) {
  const struct series *s = find(name, labels);
  assert_non_null(s);
  assert_true(fabs(s->value - want) <= fabs(want) * 1e-12);
}

static unsigned count_series(const char *name) {
  unsigned count = 0;
  for (unsigned i = 0; i < series_count; i++) count += strcmp(all[i].name, name) == 0;
  return count;
}

/* ---- tests ---- */

/* Before anything was counted, every series is there. */
static void test_all_begin_at_zero(void **state) {
  (void)state;
  read_metrics();
  assert_int_equal(count_series("neocompute_requests_total"), METRICS_ROUTE_COUNT * METRICS_STATUS_COUNT);
  assert_int_equal(count_series("neocompute_jobs_total"), RESULT_COUNT);
  assert_int_equal(count_series("neocompute_workers"), 3);
  for (unsigned i = 0; i < series_count; i++) assert_true(all[i].value == 0);
  /* What is not known yet is not made up. */
  assert_null(find("process_open_fds", ""));
  assert_null(find("process_resident_memory_bytes", ""));
  assert_null(find("process_start_time_seconds", ""));
  assert_int_equal(count_series("neocompute_build_info"), 0);
}

static void test_counting(void **state) {
  (void)state;
  metrics_add(METRICS_REQUESTS, metrics_request_label(METRICS_ROUTE_EXECUTE, 200), 3);
  metrics_add(METRICS_REQUESTS, metrics_request_label(METRICS_ROUTE_OTHER, 599), 1);
  metrics_add(METRICS_REQUESTS, metrics_request_label(METRICS_ROUTE_JOBS, 100), 4);
  metrics_add(METRICS_REQUESTS, metrics_request_label(METRICS_ROUTE_JOB, 0), 5);
  metrics_add(METRICS_REQUESTS, metrics_request_label(METRICS_ROUTE_JOB, 600), 5);
  metrics_add(METRICS_JOBS, RESULT_OK, 7);
  metrics_add(METRICS_JOBS, RESULT_COUNT - 1, 2);
  metrics_add(METRICS_REFUSED, METRICS_REFUSED_QUEUE, 1);
  metrics_add(METRICS_HTTP_BYTES, METRICS_BYTES_OUT, UINT64_C(1) << 40);
  metrics_add(METRICS_JOB_CPU, 0, 1500000001);
  metrics_set(METRICS_WORKERS, METRICS_WORKERS_BUSY, 9);
  metrics_set(METRICS_WORKERS, METRICS_WORKERS_BUSY, 4);
  metrics_set(METRICS_WORKERS_STARTED, 0, 12);
  /* Nobody's. */
  metrics_add(METRICS_JOBS, RESULT_COUNT, 100);
  metrics_add(METRICS_WORKERS, METRICS_WORKERS_COUNT, 100);
  metrics_set(METRICS_RECEIPTS, 1, 100);
  read_metrics();
  assert_value("neocompute_requests_total", "route=\"execute\",status=\"2xx\"", 3);
  assert_value("neocompute_requests_total", "route=\"execute\",status=\"4xx\"", 0);
  assert_value("neocompute_requests_total", "route=\"other\",status=\"5xx\"", 1);
  assert_value("neocompute_requests_total", "route=\"jobs\",status=\"1xx\"", 4);
  assert_value("neocompute_requests_total", "route=\"job\",status=\"5xx\"", 10);
  assert_value("neocompute_jobs_total", "result=\"ok\"", 7);
  assert_value("neocompute_jobs_total", "result=\"not_verified\"", 2);
  assert_value("neocompute_admission_refused_total", "reason=\"queue_full\"", 1);
  assert_value("neocompute_http_bytes_total", "direction=\"out\"", 1099511627776.0);
  assert_value("neocompute_job_cpu_seconds_total", "", 1.500000001);
  assert_value("neocompute_workers", "state=\"busy\"", 4);
  assert_value("neocompute_workers", "state=\"idle\"", 0);
  assert_value("neocompute_workers_started_total", "", 12);
  assert_value("neocompute_receipts_total", "", 0);
  double jobs = 0;
  for (unsigned i = 0; i < series_count; i++)
    jobs += strcmp(all[i].name, "neocompute_jobs_total") == 0 ? all[i].value : 0;
  assert_true(jobs == 9);
}

static void test_histogram(void **state) {
  (void)state;
  static const uint64_t seen[] = {0, 1000000, 1000001, 50000000, SECOND, 120 * SECOND, 120 * SECOND + 1, 500 * SECOND};
  double sum = 0, last_bound = -1, last = 0;
  unsigned buckets = 0;
  for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++) {
    metrics_observe(METRICS_QUEUE_WAIT, seen[i]);
    sum += (double)seen[i] / 1e9;
  }
  read_metrics();
  assert_value("neocompute_queue_wait_seconds_sum", "", sum);
  assert_value("neocompute_queue_wait_seconds_count", "", 8);
  assert_value("neocompute_queue_wait_seconds_bucket", "le=\"0.001\"", 2);
  assert_value("neocompute_queue_wait_seconds_bucket", "le=\"0.0025\"", 3);
  assert_value("neocompute_queue_wait_seconds_bucket", "le=\"120\"", 6);
  assert_value("neocompute_queue_wait_seconds_bucket", "le=\"+Inf\"", 8);
  /* Bounds ascend, counts never fall, and each counts what is at most its bound. */
  for (unsigned i = 0; i < series_count; i++) {
    if (strcmp(all[i].name, "neocompute_queue_wait_seconds_bucket") != 0) continue;
    double bound = strtod(all[i].labels + strlen("le=\""), NULL), want = 0;
    for (size_t k = 0; k < sizeof seen / sizeof seen[0]; k++) want += (double)seen[k] / 1e9 <= bound;
    assert_true(bound > last_bound && all[i].value >= last && all[i].value == want);
    last_bound = bound;
    last = all[i].value;
    buckets++;
  }
  assert_true(buckets > 10 && isinf(last_bound));
  assert_value("neocompute_job_duration_seconds_count", "", 0);
}

static void test_build_info_is_escaped(void **state) {
  (void)state;
  char longest[200];
  metrics_build(span_text("a\"b\\c\nd"), span_text("sim"));
  read_metrics();
  assert_value("neocompute_build_info", "version=\"" NEOCOMPUTE_VERSION "\",engine=\"a\\\"b\\\\c\\nd\",tee=\"sim\"", 1);
  memset(longest, 'x', sizeof longest);
  metrics_build(span_of(longest, sizeof longest), span_text(""));
  read_metrics();
  assert_int_equal(count_series("neocompute_build_info"), 1);
}

static void test_process(void **state) {
  (void)state;
  metrics_open();
  read_metrics();
  const struct series *fds = find("process_open_fds", ""), *memory = find("process_resident_memory_bytes", "");
  const struct series *start = find("process_start_time_seconds", "");
  assert_non_null(fds);
  assert_non_null(memory);
  assert_non_null(start);
  assert_true(memory->value > 100000 && memory->value < 1e12);
  assert_true(start->value > (double)time(NULL) - 600 && start->value < (double)time(NULL) + 2);
  double before = fds->value;
  int extra = open("/dev/null", O_RDONLY | O_CLOEXEC);
  read_metrics();
  assert_value("process_open_fds", "", before + 1);
  close(extra);
  metrics_close();
  read_metrics();
  assert_null(find("process_open_fds", ""));
  assert_null(find("process_resident_memory_bytes", ""));
}

static void test_buffer_without_room(void **state) {
  (void)state;
  struct buf b = buf_new(1000);
  metrics_write(&b);
  assert_true(b.bad);
  buf_free(&b);
}

int main(void) {
  /* In this order: the first one looks at what nothing was counted in. */
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_all_begin_at_zero), cmocka_unit_test(test_counting),
      cmocka_unit_test(test_histogram),         cmocka_unit_test(test_build_info_is_escaped),
      cmocka_unit_test(test_process),           cmocka_unit_test(test_buffer_without_room),
  };
  return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
