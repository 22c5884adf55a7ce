/*
 * Supervisor and keeper of a real egress process, for tests/egress.test.mjs: what it is to be asked comes as JSON lines
 * on standard input, what it answers goes out as such.
 *
 *   egress_main EGRESS CA_FILE NAMES_FILE PRIVATE DATABASE    ("" for none)
 *
 *   {"ticket":1,"pool":"alice","method":"GET","host":"a.example","port":443,"target":"/","headers":[["a","b"]],
 *    "body":"…","plain":false,"operator":false,"timeout":1000,"max":1000}
 *   {"forget":1}   {"query":1}   {"lie":true}
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/config.h"
#include "sandbox/sandbox.h"
#include "wire/link.h"
#include "wire/service.h"
#include "wire/statements.h"

static struct event_base *base;
static struct link *control, *outlet;
static struct buf input;

static void need(bool fine, const char *what) {
  if (fine) return;
  perror(what);
  exit(99);
}

static void say(json_t *line) {
  char *text = json_dumps(line, JSON_COMPACT);
  need(text != NULL, "json_dumps");
  puts(text);
  fflush(stdout);
  free(text);
  json_decref(line);
}

/* ---- answers ---- */

static json_t *text_of(struct span s) {
  json_t *text = json_stringn(s.len > 0 ? (const char *)s.data : "", s.len);
  return text != NULL ? text : json_string("(not UTF-8)");
}

static json_t *headers_of(struct span bytes) {
  json_t *list = json_array();
  struct cursor rest = cursor_of(bytes);
  while (rest.rest.len > 0) {
    struct span name, value;
    need(wire_get_header(&rest, &name, &value), "header");
    json_array_append_new(list, json_pack("[o,o]", text_of(name), text_of(value)));
  }
  return list;
}

static void say_response(struct span body) {
  struct wire_response m;
  struct buf data = buf_new(64u << 20);
  need(wire_get_response(body, &m), "response");
  base64_put_url(&data, m.body);
  say(json_pack("{s:I,s:s,s:i,s:o,s:o,s:o,s:o}", "ticket", (json_int_t)m.ticket, "result",
                result_name((enum result)m.result), "status", (int)m.status, "error", text_of(m.error), "headers",
                headers_of(m.headers), "location", text_of(m.location), "body", text_of(buf_span(&data))));
  buf_free(&data);
}

static void hear_outlet(void *context, const struct channel_message *m) {
  struct wire_rows rows;
  struct cursor rest;
  (void)context;
  if (m->type == WIRE_RESPONSE) return say_response(m->body);
  need(m->type == WIRE_SERVER_ROWS && wire_get_rows(m->body, &rows, &rest), "message");
  say(json_pack("{s:I,s:s,s:i}", "rows", (json_int_t)rows.ticket, "result", result_name((enum result)rows.result),
                "count", (int)rows.count));
}

static void hear_control(void *context, const struct channel_message *m) {
  struct wire_up up;
  (void)context;
  need(m->type == WIRE_EGRESS_UP && wire_get_egress_up(m->body, &up), "up");
  say(json_pack("{s:i}", "up", (int)up.fences));
}

static void lost(void *context, enum result why) {
  (void)context, (void)why;
  event_base_loopbreak(base);
}

/* ---- commands ---- */

static struct span member(const json_t *command, const char *name) {
  const json_t *value = json_object_get(command, name);
  return span_of(json_string_value(value), json_string_length(value));
}

static uint32_t number(const json_t *command, const char *name, uint32_t fallback) {
  const json_t *value = json_object_get(command, name);
  return json_is_integer(value) ? (uint32_t)json_integer_value(value) : fallback;
}

static void send_request(const json_t *command) {
  struct wire_request m = {.ticket = number(command, "ticket", 0),
                           .port = number(command, "port", 443),
                           .timeout_ms = number(command, "timeout", 5000),
                           .response_max = number(command, "max", 1u << 20),
                           .method = member(command, "method"),
                           .host = member(command, "host"),
                           .target = member(command, "target"),
                           .body = member(command, "body")};
  if (json_is_true(json_object_get(command, "plain"))) m.flags |= WIRE_REQUEST_PLAIN;
  if (json_is_true(json_object_get(command, "operator"))) m.flags |= WIRE_REQUEST_OPERATOR;
  if (m.method.len == 0) m.method = span_text("GET");
  if (m.target.len == 0) m.target = span_text("/");
  const struct span pool = member(command, "pool");
  if (pool.len > 0) memcpy(m.pool, pool.data, pool.len < sizeof m.pool ? pool.len : sizeof m.pool);
  struct buf headers = buf_new(1u << 20), b = buf_new(SERVICE_ANSWER_MAX);
  size_t i;
  json_t *header;
  json_array_foreach(json_object_get(command, "headers"), i, header) {
    const json_t *name = json_array_get(header, 0), *value = json_array_get(header, 1);
    wire_put_header(&headers, span_of(json_string_value(name), json_string_length(name)),
                    span_of(json_string_value(value), json_string_length(value)));
  }
  m.headers = buf_span(&headers);
  wire_put_request(&b, &m);
  need(link_send(outlet, &b) == RESULT_OK, "request");
  buf_free(&headers);
  buf_free(&b);
}

/* All secrets of one user. */
static void put_query(struct buf *b, uint64_t ticket) {
  const struct wire_statement all = {.statement = STATEMENT_ALL, .count = 1, .values = {span_text("alice")}};
  wire_put_query(b, WIRE_SERVER_QUERY,
                 &(struct wire_query){.ticket = ticket, .timeout_ms = 3000, .count = 1, .statements = &all});
}

static void send_other(const json_t *command) {
  struct buf b = buf_new(256);
  if (json_object_get(command, "forget") != NULL)
    wire_put_forget(&b, &(struct wire_forget){number(command, "forget", 0)});
  else if (json_object_get(command, "query") != NULL)
    put_query(&b, number(command, "query", 0));
  else
    wire_put_empty(&b, WIRE_DRAINED); /* a lie: the keeper never says that */
  need(link_send(outlet, &b) == RESULT_OK, "message");
  buf_free(&b);
}

static void act(const char *line, size_t len) {
  json_t *command = json_loadb(line, len, 0, NULL);
  need(json_is_object(command), "command");
  if (json_object_get(command, "ticket") != NULL)
    send_request(command);
  else
    send_other(command);
  json_decref(command);
}

static void on_input(evutil_socket_t fd, short what, void *context) {
  static char part[65536];
  (void)what, (void)context;
  ssize_t n = read(fd, part, sizeof part);
  if (n <= 0) {
    event_base_loopbreak(base);
    return;
  }
  buf_put(&input, part, (size_t)n);
  size_t at = 0;
  for (const uint8_t *end; (end = memchr(input.data + at, '\n', input.len - at)) != NULL;) {
    const size_t len = (size_t)(end - input.data) - at;
    act((const char *)input.data + at, len);
    at += len + 1;
  }
  memmove(input.data, input.data + at, input.len - at);
  input.len -= at;
}

/* ---- the start ---- */

static struct buf read_file(const char *path) {
  static char part[65536];
  struct buf b = buf_new(4u << 20);
  if (path[0] == 0) return b;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  need(fd >= 0, path);
  for (ssize_t n; (n = read(fd, part, sizeof part)) > 0;) buf_put(&b, part, (size_t)n);
  close(fd);
  return b;
}

static void set_up(const char *authorities, const char *names, const char *exceptions, const char *database) {
  struct config *config;
  struct buf settings = buf_new(1u << 20), b = buf_new(8u << 20), pem = read_file(authorities),
             hosts = read_file(names);
  need(config_new(&config) == RESULT_OK && config_set(config, CONFIG_EGRESS_PRIVATE, exceptions) == RESULT_OK,
       "config");
  config_put(&settings, config);
  wire_put_egress_setup(&b, &(struct wire_egress_setup){.config = buf_span(&settings),
                                                        .authorities = buf_span(&pem),
                                                        .names = buf_span(&hosts),
                                                        .database = span_text(database)});
  need(link_send(control, &b) == RESULT_OK, "setup");
  buf_free(&settings), buf_free(&b), buf_free(&pem), buf_free(&hosts);
  config_free(config);
}

static void introduce(void) {
  int pair[2];
  const struct link_handler handler = {.message = hear_outlet, .lost = lost};
  struct buf b = buf_new(64);
  need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0, "socketpair");
  wire_put_empty(&b, WIRE_EGRESS_PEER);
  need(link_send_fd(control, &b, pair[1]) == RESULT_OK, "peer");
  need(link_new(base, pair[0], 64u << 20, 64u << 20, &handler, &outlet) == RESULT_OK, "link");
  close(pair[1]);
  buf_free(&b);
}

int main(int argc, char **argv) {
  int pair[2], pidfd, status = 0;
  pid_t pid;
  const struct link_handler handler = {.message = hear_control, .lost = lost};
  if (argc != 6) return 2;
  int program = open(argv[1], O_RDONLY | O_CLOEXEC);
  base = event_base_new();
  input = buf_new(64u << 20);
  need(program >= 0 && base != NULL, argv[1]);
  need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
  need(sandbox_spawn(SANDBOX_EGRESS, "neocompute: egress", program, pair[1], &pid, &pidfd) == RESULT_OK, "spawn");
  close(pair[1]);
  evutil_make_socket_nonblocking(pair[0]);
  need(link_new(base, pair[0], 4096, 16u << 20, &handler, &control) == RESULT_OK, "link");
  set_up(argv[2], argv[3], argv[4], argv[5]);
  introduce();
  say(json_pack("{s:i}", "pid", (int)pid));
  struct event *stdin_ready = event_new(base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, NULL);
  need(stdin_ready != NULL && event_add(stdin_ready, NULL) == 0, "stdin");
  event_base_dispatch(base);
  event_free(stdin_ready);
  link_free(outlet);
  link_free(control);
  need(waitpid(pid, &status, 0) == pid, "waitpid");
  say(json_pack("{s:i,s:i}", "ended", WIFEXITED(status) ? WEXITSTATUS(status) : -1, "signal",
                WIFSIGNALED(status) ? WTERMSIG(status) : 0));
  buf_free(&input);
  event_base_free(base);
  close(pidfd), close(program);
  return 0;
}
