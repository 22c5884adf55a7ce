#include "base/config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct config *new_config(void) {
  struct config *c;
  assert_int_equal(config_new(&c), RESULT_OK);
  return c;
}

static char path[] = "/tmp/config_test.XXXXXX";

static void write_file(const void *data, size_t len) {
  FILE *file = fopen(path, "we");
  assert_non_null(file);
  assert_int_equal(fwrite(data, 1, len, file), len);
  assert_int_equal(fclose(file), 0);
}

static int make_path(void **state) {
  (void)state;
  int fd = mkstemp(path);
  return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state) {
  (void)state;
  return unlink(path);
}

/* The problem without the path before it. */
static void assert_refused(const void *data, size_t len, const char *want) {
  char problem[300] = "";
  struct config *c = new_config();
  write_file(data, len);
  assert_int_equal(config_read_file(c, path, problem, sizeof problem), RESULT_CONFIG_INVALID);
  assert_true(strncmp(problem, path, strlen(path)) == 0);
  assert_string_equal(problem + strlen(path), want);
  config_free(c);
}

static void read_text(struct config *c, const char *text) {
  char problem[300] = "";
  write_file(text, strlen(text));
  assert_int_equal(config_read_file(c, path, problem, sizeof problem), RESULT_OK);
  assert_string_equal(problem, "");
}

/* ---- the table ---- */

static void test_table(void **state) {
  (void)state;
  struct config *c = new_config();
  for (unsigned id = 0; id < CONFIG_COUNT; id++) {
    enum config_id i = (enum config_id)id;
    assert_string_equal(config_text(c, i), config_default(i));
    assert_true(strlen(config_help(i)) > 5);
    /* SUPABASE_URL is the reference's. */
    if (i != CONFIG_SUPABASE_URL) assert_true(strncmp(config_environment_name(i), "NEOCOMPUTE_", 11) == 0);
    const char *dot = strchr(config_name(i), '.');
    assert_non_null(dot);
    assert_null(strchr(dot + 1, '.'));
    for (unsigned other = 0; other < id; other++) {
      assert_string_not_equal(config_name(i), config_name((enum config_id)other));
      assert_string_not_equal(config_environment_name(i), config_environment_name((enum config_id)other));
    }
  }
  config_free(c);
  config_free(NULL);
}

/* ---- the file ---- */

static void test_file(void **state) {
  (void)state;
  struct config *c = new_config();
  read_text(c,
            "# a comment\n; another\n\n[server]\nlisten = 0.0.0.0:1 ; and why\nstate=memory\r\n"
            "[tls]\n  \n[jobs]\nper_user : 7\n[auth]\njwt_issuer = a=b:c");
  assert_string_equal(config_text(c, CONFIG_LISTEN), "0.0.0.0:1");
  assert_string_equal(config_text(c, CONFIG_STATE), "memory");
  assert_string_equal(config_text(c, CONFIG_PER_USER), "7");
  assert_string_equal(config_text(c, CONFIG_JWT_ISSUER), "a=b:c");
  assert_string_equal(config_text(c, CONFIG_WAITING), "256");
  read_text(c, "[server]\nlisten =\n");
  assert_string_equal(config_text(c, CONFIG_LISTEN), "");
  read_text(c, "");
  config_free(c);
}

/* Each setting by its name in the file. */
static void test_every_name(void **state) {
  (void)state;
  for (unsigned id = 0; id < CONFIG_COUNT; id++) {
    struct config *c = new_config();
    const char *name = config_name((enum config_id)id), *dot = strchr(name, '.');
    char text[200];
    snprintf(text, sizeof text, "[%.*s]\n%s = v%u\n", (int)(dot - name), name, dot + 1, id);
    read_text(c, text);
    snprintf(text, sizeof text, "v%u", id);
    for (unsigned other = 0; other < CONFIG_COUNT; other++)
      assert_int_equal(strcmp(config_text(c, (enum config_id)other), text) == 0, other == id);
    config_free(c);
  }
}

static void test_file_refused(void **state) {
  (void)state;
  static const struct {
    const char *text, *problem;
  } cases[] = {
      {"[server]\nlisen = 1\n", ":2: no such setting"},
      {"[sever]\nlisten = 1\n", ":2: no such setting"},
      {"listen = 1\n", ":1: no such setting"},
      {"server.listen = 1\n", ":1: no such setting"},
      {"[server]\n\n\nListen = 1\n", ":4: no such setting"},
      {"[ser]\nver.listen = 1\n", ":2: no such setting"},
      {"[]\nlisten = 1\n", ":2: no such setting"},
      {"[server]\nlisten = 1\nlisten = 1\n", ":3: the setting stands here twice"},
      {"[server]\nlisten = 1\n[tls]\n[server]\nlisten = 2\n", ":5: the setting stands here twice"},
      {"[server]\nlisten = 1\n  continued\n", ":3: the setting stands here twice"},
      {"[server]\nlisten\n", ":2: neither [section] nor name = value"},
      {"[server\nlisten = 1\n", ":1: neither [section] nor name = value"},
      {"[server]\nlisten\nlisen = 1\n", ":2: neither [section] nor name = value"},
      {"[server]\nlisen = 1\nlisten\n", ":2: no such setting"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) assert_refused(cases[i].text, strlen(cases[i].text), cases[i].problem);
}

/* libinih would read the end of a long line as a line of its own. */
static void test_lines_that_do_not_fit(void **state) {
  (void)state;
  static const char nul[] = "[server]\nlisten = 1\0state\n", reason[] = ": the line is too long, or has a NUL byte";
  char want[100];
  struct buf b = buf_new(10000);
  buf_put_text(&b, "[server]\nstate = /");
  while (b.len < 400) buf_put_text(&b, "x");
  buf_put_text(&b, "\nlisten = 1\n");
  snprintf(want, sizeof want, ":2%s", reason);
  assert_refused(b.data, b.len, want);
  assert_refused(nul, sizeof nul - 1, want);
  assert_refused("\0\n", 2, ":1: the line is too long, or has a NUL byte");
  /* What does fit is whole. */
  struct config *c = new_config();
  buf_clear(&b);
  buf_put_text(&b, "[server]\nstate = ");
  while (b.len < 9 + 190) buf_put_text(&b, "x");
  buf_put_u8(&b, 0);
  read_text(c, (const char *)b.data);
  assert_int_equal(strlen(config_text(c, CONFIG_STATE)), 182);
  config_free(c);
  buf_free(&b);
}

static void test_file_that_cannot_be_read(void **state) {
  (void)state;
  char problem[10] = "";
  struct config *c = new_config();
  assert_int_equal(config_read_file(c, "/nonexistent/file", problem, sizeof problem), RESULT_IO);
  assert_int_equal(errno, ENOENT);
  assert_int_equal(config_read_file(c, "/tmp", problem, sizeof problem), RESULT_IO);
  assert_int_equal(errno, EISDIR);
  assert_string_equal(problem, "");
  config_free(c);
}

static void test_problem_without_room_is_cut(void **state) {
  (void)state;
  char problem[8] = "";
  struct config *c = new_config();
  write_file("x\n", 2);
  assert_int_equal(config_read_file(c, path, problem, sizeof problem), RESULT_CONFIG_INVALID);
  assert_string_equal(problem, "/tmp/co");
  config_free(c);
}

/* ---- environment and precedence ---- */

static void test_precedence(void **state) {
  (void)state;
  char *const environment[] = {"NEOCOMPUTE_JOBS_WAITING=3", "NEOCOMPUTE_WORKERS=3", "NEOCOMPUTE_OTHER=1",
                               "NEOCOMPUTE_METRICS_LISTEN=", NULL};
  struct config *c = new_config();
  read_text(c, "[jobs]\nper_user = 2\nwaiting = 2\nworkers = 2\n");
  assert_int_equal(config_read_environment(c, environment), RESULT_OK);
  assert_int_equal(config_set(c, CONFIG_WORKERS, "4"), RESULT_OK);
  assert_string_equal(config_text(c, CONFIG_WORKERS_IDLE), "2"); /* the default */
  assert_string_equal(config_text(c, CONFIG_PER_USER), "2");
  assert_string_equal(config_text(c, CONFIG_WAITING), "3");
  assert_string_equal(config_text(c, CONFIG_WORKERS), "4");
  assert_string_equal(config_text(c, CONFIG_METRICS_LISTEN), "");
  config_free(c);
}

static void test_port(void **state) {
  (void)state;
  static const struct {
    char *port, *listen;
    const char *want; /* NULL: refused */
  } cases[] = {{"PORT=3000", NULL, "127.0.0.1:3000"},
               {"PORT=3000", "NEOCOMPUTE_LISTEN=0.0.0.0:1", "0.0.0.0:3000"},
               {"PORT=0", "NEOCOMPUTE_LISTEN=[::1]:80", "[::1]:0"},
               {"PORT=65535", "NEOCOMPUTE_LISTEN=:80", ":65535"},
               {"PORT=65536", NULL, NULL},
               {"PORT=", NULL, NULL},
               {"PORT=http", NULL, NULL},
               {"PORT=1", "NEOCOMPUTE_LISTEN=localhost", NULL},
               {"PORTS=x", NULL, "127.0.0.1:8080"},
               {"POR=x", NULL, "127.0.0.1:8080"}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    char *environment[] = {cases[i].port, cases[i].listen, NULL};
    struct config *c = new_config();
    enum result want = cases[i].want != NULL ? RESULT_OK : RESULT_CONFIG_INVALID;
    assert_int_equal(config_read_environment(c, environment), want);
    if (want == RESULT_OK) assert_string_equal(config_text(c, CONFIG_LISTEN), cases[i].want);
    config_free(c);
  }
}

/* ---- values ---- */

static void test_numbers(void **state) {
  (void)state;
  uint64_t v = 77;
  struct config *c = new_config();
  assert_int_equal(config_number(c, CONFIG_WAITING, 1, 256, &v), RESULT_OK);
  assert_int_equal(v, 256);
  static const char *const bad[] = {"", "0", "257", "-1", "1.5", "0x10", "1 ", "five"};
  for (size_t i = 0; i < COUNT(bad); i++) {
    assert_int_equal(config_set(c, CONFIG_WAITING, bad[i]), RESULT_OK);
    assert_int_equal(config_number(c, CONFIG_WAITING, 1, 256, &v), RESULT_CONFIG_INVALID);
  }
  assert_int_equal(v, 256);
  config_free(c);
}

static void test_durations(void **state) {
  (void)state;
  static const struct {
    const char *text;
    uint64_t ms;
  } cases[] = {{"1h30m", 5400000},
               {"250ms", 250},
               {"1.5s", 1500},
               {"1us", 1},
               {"1ms1ns", 2},
               {"0", 0},
               {"2562047h47m16.854775807s", 9223372036855}};
  uint64_t ms;
  struct config *c = new_config();
  assert_int_equal(config_duration_ms(c, CONFIG_RESULT_TTL, &ms), RESULT_OK);
  assert_int_equal(ms, 86400000);
  for (size_t i = 0; i < COUNT(cases); i++) {
    assert_int_equal(config_set(c, CONFIG_RESULT_TTL, cases[i].text), RESULT_OK);
    assert_int_equal(config_duration_ms(c, CONFIG_RESULT_TTL, &ms), RESULT_OK);
    assert_int_equal(ms, cases[i].ms);
  }
  assert_int_equal(config_set(c, CONFIG_RESULT_TTL, "24"), RESULT_OK);
  assert_int_equal(config_duration_ms(c, CONFIG_RESULT_TTL, &ms), RESULT_CONFIG_INVALID);
  config_free(c);
}

/* Every default that is a number or a duration is a valid one. */
static void test_defaults(void **state) {
  (void)state;
  static const enum config_id numbers[] = {CONFIG_PER_USER, CONFIG_WAITING, CONFIG_WORKERS, CONFIG_WORKERS_IDLE};
  static const enum config_id durations[] = {CONFIG_RESULT_TTL, CONFIG_CLEANUP, CONFIG_STOP_GRACE};
  uint64_t v;
  struct config *c = new_config();
  for (size_t i = 0; i < COUNT(numbers); i++) assert_int_equal(config_number(c, numbers[i], 1, 1000, &v), RESULT_OK);
  for (size_t i = 0; i < COUNT(durations); i++) assert_int_equal(config_duration_ms(c, durations[i], &v), RESULT_OK);
  config_free(c);
}

/* ---- on the wire ---- */

static void test_wire(void **state) {
  (void)state;
  struct config *sent = new_config(), *got = new_config();
  struct buf b = buf_new(10000);
  assert_int_equal(config_set(sent, CONFIG_STATE, "/a b"), RESULT_OK);
  assert_int_equal(config_set(sent, CONFIG_LISTEN, ""), RESULT_OK);
  assert_int_equal(config_set(got, CONFIG_WORKERS, "99"), RESULT_OK);
  config_put(&b, sent);
  assert_false(b.bad);
  assert_int_equal(config_get(buf_span(&b), got), RESULT_OK);
  for (unsigned id = 0; id < CONFIG_COUNT; id++)
    assert_string_equal(config_text(got, (enum config_id)id), config_text(sent, (enum config_id)id));
  for (size_t len = 0; len < b.len; len++)
    assert_int_equal(config_get(span_of(b.data, len), got), RESULT_CONFIG_INVALID);
  buf_put_u8(&b, 0);
  assert_int_equal(config_get(buf_span(&b), got), RESULT_CONFIG_INVALID);
  /* A NUL would end a text early. */
  b.len--;
  for (size_t i = 0; i + 4 <= b.len; i++) {
    if (memcmp(b.data + i, "/a b", 4) != 0) continue;
    b.data[i + 2] = '\0';
    assert_int_equal(config_get(buf_span(&b), got), RESULT_CONFIG_INVALID);
    b.data[i + 2] = 'c';
    assert_int_equal(config_get(buf_span(&b), got), RESULT_OK);
    assert_string_equal(config_text(got, CONFIG_STATE), "/acb");
  }
  buf_free(&b);
  config_free(sent);
  config_free(got);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table),
      cmocka_unit_test(test_file),
      cmocka_unit_test(test_every_name),
      cmocka_unit_test(test_file_refused),
      cmocka_unit_test(test_lines_that_do_not_fit),
      cmocka_unit_test(test_file_that_cannot_be_read),
      cmocka_unit_test(test_problem_without_room_is_cut),
      cmocka_unit_test(test_precedence),
      cmocka_unit_test(test_port),
      cmocka_unit_test(test_numbers),
      cmocka_unit_test(test_durations),
      cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_wire),
  };
  return cmocka_run_group_tests_name("config", tests, make_path, remove_path);
}
