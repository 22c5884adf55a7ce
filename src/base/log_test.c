#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

/* Standard error goes into a pipe while lines are written. */
static int saved_stderr, reader;

static void capture(void) {
  int fds[2];
  assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
  saved_stderr = dup(STDERR_FILENO);
  assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
  close(fds[1]);
  reader = fds[0];
}

static struct buf captured(void) {
  struct buf b = buf_new(1u << 24);
  char part[4096];
  assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
  close(saved_stderr);
  for (ssize_t n = 1; n > 0;) {
    n = read(reader, part, sizeof part);
    if (n > 0) buf_put(&b, part, (size_t)n);
  }
  close(reader);
  return b;
}

/* The line without its time, which is checked; without its newline. */
static struct span after_time(struct span line) {
  static const char form[] = "{\"time\":\"dddd-dd-ddTdd:dd:dd.ddddddZ\",";
  uint64_t ns;
  assert_true(line.len > sizeof form);
  for (size_t i = 0; i + 1 < sizeof form; i++) {
    if (form[i] == 'd')
      assert_in_range(line.data[i], '0', '9');
    else
      assert_int_equal(line.data[i], form[i]);
  }
  assert_int_equal(text_rfc3339(span_of(line.data + 9, 27), &ns), RESULT_OK);
  assert_in_range(ns, clock_real_ns() - UINT64_C(3600000000000), clock_real_ns());
  assert_int_equal(line.data[line.len - 1], '\n');
  assert_null(memchr(line.data, '\n', line.len - 1));
  assert_int_equal(json_check(span_of(line.data, line.len - 1), 1), RESULT_OK);
  return span_of(line.data + sizeof form - 1, line.len - sizeof form);
}

static void assert_line(struct buf b, const char *want) {
  struct span rest = after_time(buf_span(&b));
  assert_int_equal(rest.len, strlen(want));
  assert_memory_equal(rest.data, want, rest.len);
  buf_free(&b);
}

static void test_a_line(void **state) {
  (void)state;
  log_open("broker", LOG_INFO);
  capture();
  log_begin(LOG_WARN, "job_failed");
  log_text("path", span_text("/jobs/\"\n\x1b[31m\xff"));
  log_number("count", UINT64_MAX);
  log_result(RESULT_RECORD_CORRUPT);
  log_end();
  assert_line(captured(),
              "\"level\":\"warn\",\"process\":\"broker\",\"event\":\"job_failed\","
              "\"path\":\"/jobs/\\\"\\n\\u001b[31m\xef\xbf\xbd\",\"count\":18446744073709551615,"
              "\"result\":\"record_corrupt\"}");
}

static void test_quiet_levels_write_nothing(void **state) {
  (void)state;
  static const char *const names[] = {"debug", "info", "warn", "error"};
  for (unsigned least = LOG_DEBUG; least <= LOG_ERROR; least++) {
    log_open("keeper", (enum log_level)least);
    for (unsigned level = LOG_DEBUG; level <= LOG_ERROR; level++) {
      char want[100];
      capture();
      log_begin((enum log_level)level, "x");
      log_number("n", 1);
      log_text("t", span_text("t"));
      log_end();
      struct buf b = captured();
      snprintf(want, sizeof want, "\"level\":\"%s\",\"process\":\"keeper\",\"event\":\"x\",\"n\":1,\"t\":\"t\"}",
               names[level]);
      if (level >= least) {
        assert_line(b, want);
      } else {
        assert_int_equal(b.len, 0);
        buf_free(&b);
      }
    }
  }
}

/* What follows an end belongs to no line. */
static void test_fields_outside_a_line_are_dropped(void **state) {
  (void)state;
  log_open("broker", LOG_INFO);
  capture();
  log_end();
  log_text("a", span_text("b"));
  log_begin(LOG_INFO, "x");
  log_end();
  log_number("c", 1);
  log_end();
  assert_line(captured(), "\"level\":\"info\",\"process\":\"broker\",\"event\":\"x\"}");
}

static void test_long_values_are_cut_between_characters(void **state) {
  (void)state;
  char value[300], want[400];
  memset(value, 'a', sizeof value);
  value[255] = '\xc3';
  value[256] = '\xa9';
  capture();
  log_begin(LOG_INFO, "x");
  log_text("t", span_of(value, sizeof value));
  log_end();
  snprintf(want, sizeof want, "\"level\":\"info\",\"process\":\"broker\",\"event\":\"x\",\"t\":\"%.255s\"}", value);
  assert_line(captured(), want);
}

/* Fields that find no room are left out whole, and the line says so. */
static void test_line_without_room(void **state) {
  (void)state;
  uint8_t controls[256];
  memset(controls, 1, sizeof controls);
  capture();
  log_begin(LOG_INFO, "x");
  for (unsigned i = 0; i < 10; i++) log_text("t", span_of(controls, sizeof controls));
  for (unsigned i = 0; i < 1000; i++) log_number("n", i);
  log_end();
  struct buf b = captured();
  struct span rest = after_time(buf_span(&b));
  static const char end[] = ",\"cut\":true}";
  assert_in_range(b.len, 4000, 4096);
  assert_memory_equal(rest.data + rest.len - strlen(end), end, strlen(end));
  buf_free(&b);
}

static void test_errno_is_left_alone(void **state) {
  (void)state;
  int null = open("/dev/full", O_WRONLY | O_CLOEXEC), keep = dup(STDERR_FILENO);
  assert_true(dup2(null, STDERR_FILENO) >= 0);
  log_begin(LOG_ERROR, "x");
  errno = ENOENT;
  log_end();
  int after = errno;
  assert_true(dup2(keep, STDERR_FILENO) >= 0);
  close(keep);
  close(null);
  assert_int_equal(after, ENOENT);
}

static void *write_lines(void *arg) {
  for (unsigned i = 0; i < 50; i++) {
    log_begin(LOG_INFO, "x");
    log_text("who", span_text(arg));
    log_end();
  }
  return NULL;
}

static void test_threads_do_not_mix(void **state) {
  (void)state;
  char names[4][101];
  pthread_t threads[4];
  capture();
  for (int i = 0; i < 4; i++) {
    memset(names[i], 'a' + i, 100);
    names[i][100] = '\0';
    assert_int_equal(pthread_create(&threads[i], NULL, write_lines, names[i]), 0);
  }
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  struct buf b = captured();
  unsigned lines = 0, seen[4] = {0};
  for (struct span rest = buf_span(&b); rest.len > 0; lines++) {
    size_t len = (size_t)((const uint8_t *)memchr(rest.data, '\n', rest.len) - rest.data) + 1;
    struct span line = after_time(span_of(rest.data, len));
    int who = line.data[line.len - 3] - 'a';
    assert_in_range(who, 0, 3);
    assert_memory_equal(line.data + line.len - 102, names[who], 100);
    seen[who]++;
    rest = span_of(rest.data + len, rest.len - len);
  }
  assert_int_equal(lines, 200);
  for (int i = 0; i < 4; i++) assert_int_equal(seen[i], 50);
  buf_free(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_line),
      cmocka_unit_test(test_quiet_levels_write_nothing),
      cmocka_unit_test(test_fields_outside_a_line_are_dropped),
      cmocka_unit_test(test_long_values_are_cut_between_characters),
      cmocka_unit_test(test_line_without_room),
      cmocka_unit_test(test_errno_is_left_alone),
      cmocka_unit_test(test_threads_do_not_mix),
  };
  return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
