#include "broker_stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "broker/broker.h"
#include "wire/channel.h"

static void need(bool fine, const char *what) {
  if (fine) return;
  perror(what);
  exit(99);
}

/* ---- talking ---- */

void broker_stage_send(struct channel *c, struct buf *b) {
  enum result r = channel_send(c, b);
  need(r == RESULT_OK || r == RESULT_PEER_LOST, "send");
  buf_clear(b);
}

static void send_fd(struct broker_stage *s, int fd) {
  need(channel_send_fd(s->control, &s->message, fd) == RESULT_OK, "send descriptor");
  buf_clear(&s->message);
  close(fd);
}

void broker_stage_send_raw(int fd, const void *bytes, size_t len) {
  ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
  need(n == (ssize_t)len || (n < 0 && errno == EPIPE), "send raw");
}

bool broker_stage_hear_any(struct channel *c, int ms, uint8_t *type, struct span *body) {
  const uint64_t until = clock_monotonic_ms() + (uint64_t)ms;
  for (bool open = true;;) {
    struct channel_message m;
    if (channel_next(c, &m) == RESULT_OK && m.type != 0) {
      *type = m.type;
      *body = m.body;
      return true;
    }
    const uint64_t now = clock_monotonic_ms();
    if (!open || now >= until) return false;
    const bool writes = channel_pending(c) > 0;
    struct pollfd wait = {.fd = channel_fd(c), .events = (short)(POLLIN | (writes ? POLLOUT : 0))};
    if (poll(&wait, 1, (int)(until - now)) <= 0) continue;
    if (wait.revents & POLLOUT) (void)!channel_flush(c);
    if (wait.revents & (POLLIN | POLLHUP)) open = channel_read(c) == RESULT_OK;
  }
}

bool broker_stage_hear(struct channel *c, uint8_t type, int ms, struct span *body) {
  uint8_t got = 0;
  while (broker_stage_hear_any(c, ms, &got, body))
    if (got == type) return true;
  return false;
}

/* ---- callers ---- */

static struct sockaddr_in loopback(uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int broker_stage_ask_as(const struct broker_stage *s, const char *user, const char *type, const char *method_and_path,
                        struct span body) {
  struct buf text = buf_new(4u << 20);
  struct sockaddr_in address = loopback(s->port);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  need(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connect");
  buf_printf(&text, "%s HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: %s\r\n", method_and_path, type);
  if (user[0] != 0) buf_printf(&text, "x-user-id: %s\r\n", user);
  buf_printf(&text, "content-length: %zu\r\n\r\n", body.len);
  buf_put_span(&text, body);
  broker_stage_send_raw(fd, text.data, text.len);
  buf_free(&text);
  return fd;
}

int broker_stage_ask(const struct broker_stage *s, const char *method_and_path, const char *body) {
  return broker_stage_ask_as(s, "alice", "application/json", method_and_path, span_text(body));
}

static int status_of(const char *text, size_t len) {
  return len > 12 && strncmp(text, "HTTP/1.1 ", 9) == 0 ? (int)strtol(text + 9, NULL, 10) : 0;
}

int broker_stage_read(int fd, int ms, char *text, size_t size) {
  const uint64_t until = clock_monotonic_ms() + (uint64_t)ms;
  size_t len = 0;
  ssize_t n = 1;
  while (n > 0 && len + 1 < size) {
    const uint64_t now = clock_monotonic_ms();
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    if (now >= until || poll(&wait, 1, (int)(until - now)) <= 0) break;
    n = recv(fd, text + len, size - 1 - len, 0);
    if (n > 0) len += (size_t)n;
  }
  text[len] = 0;
  close(fd);
  return len == 0 && n > 0 ? -1 : status_of(text, len);
}

int broker_stage_reply(int fd, int ms) {
  char text[64] = "";
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  int status = -1;
  if (poll(&wait, 1, ms) > 0) {
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    status = n > 0 ? status_of(text, (size_t)n) : 0;
  }
  close(fd);
  return status;
}

/* ---- begin and end ---- */

static void start_broker(struct broker_stage *s, int control) {
  s->broker = fork();
  need(s->broker >= 0, "fork");
  if (s->broker > 0) return;
  dup2(control, SANDBOX_SOCKET);
  for (int fd = 3; fd < 1024; fd++) close(fd);
  signal(SIGPIPE, SIG_IGN);
  _exit(broker_main(&(struct sandbox_place){SANDBOX_SOCKET, 0, true}));
}

static void send_setup(struct broker_stage *s) {
  struct config *c = NULL;
  struct buf settings = buf_new(65536);
  need(config_new(&c) == RESULT_OK && config_set(c, CONFIG_LOG_LEVEL, "error") == RESULT_OK &&
           config_set(c, CONFIG_AUTH_MODE, "dev") == RESULT_OK,
       "settings");
  config_put(&settings, c);
  wire_put_broker_setup(&s->message, &(struct wire_broker_setup){.config = buf_span(&settings)});
  broker_stage_send(s->control, &s->message);
  buf_free(&settings);
  config_free(c);
}

static void send_listener(struct broker_stage *s) {
  struct sockaddr_in address = loopback(0);
  socklen_t len = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  need(bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, 16) == 0, "listen");
  need(getsockname(fd, (struct sockaddr *)&address, &len) == 0, "getsockname");
  s->port = ntohs(address.sin_port);
  wire_put_listener(&s->message, &(struct wire_listener){WIRE_LISTENER_HTTP, span_text("here")});
  send_fd(s, fd);
}

void broker_stage_put_identity(struct buf *b) {
  wire_put_identity(b, &(struct wire_identity){.engine = span_text("e"),
                                               .isolation = span_text("process"),
                                               .tee = span_text("sim"),
                                               .attested = span_text("{}"),
                                               .stores = span_text("[]")});
}

void broker_stage_open(struct broker_stage *s, enum broker_stage_step step) {
  int control[2], keeper[2];
  struct span body;
  *s = (struct broker_stage){.message = buf_new(SERVICE_ANSWER_MAX + MSG_HEADER)};
  need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) == 0, "socketpair");
  need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, keeper) == 0, "socketpair");
  start_broker(s, control[1]);
  close(control[1]);
  need(fcntl(control[0], F_SETFL, O_NONBLOCK) == 0, "fcntl");
  s->control_fd = control[0];
  s->keeper_fd = keeper[0];
  need(channel_new(control[0], 65536, 1u << 20, &s->control) == RESULT_OK, "channel");
  need(channel_new(keeper[0], SERVICE_ANSWER_MAX, 64u << 20, &s->keeper) == RESULT_OK, "channel");
  send_setup(s);
  send_listener(s);
  wire_put_empty(&s->message, WIRE_PEER);
  send_fd(s, keeper[1]);
  if (step < BROKER_STAGE_INTRODUCED) return;
  broker_stage_put_identity(&s->message);
  broker_stage_send(s->keeper, &s->message);
  if (step < BROKER_STAGE_SERVES) return;
  need(broker_stage_hear(s->control, WIRE_BROKER_UP, 10000, &body), "up");
}

int broker_stage_close(struct broker_stage *s, int ms) {
  const uint64_t until = clock_monotonic_ms() + (uint64_t)ms;
  int status = 0;
  pid_t done;
  while ((done = waitpid(s->broker, &status, WNOHANG)) == 0 && clock_monotonic_ms() < until) poll(NULL, 0, 2);
  if (done == 0) {
    kill(s->broker, SIGKILL);
    waitpid(s->broker, NULL, 0);
  }
  channel_free(s->control);
  channel_free(s->keeper);
  buf_free(&s->message);
  if (done == 0) return -2;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
