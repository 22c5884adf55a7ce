/*
 * An owner for the HTTP server, to try and to measure it with: answers a request with its own body, or "hello".
 *
 *   http_echo PORT [CERTIFICATE KEY [CLIENT_CA]]
 *
 * /hold is never answered, /big gets a megabyte. SIGTERM or SIGINT drains, a second one ends; then it says what it
 * used.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "http/http.h"

#define PEM_MAX 65536u

struct echo {
  struct event_base *loop;
  struct http_server *server;
  char big[1 << 20];
  bool draining;
};

static void on_request(void *context, struct http_exchange *x) {
  struct echo *e = context;
  const struct http_request *r = http_request_of(x);
  const struct http_field type = {span_text("content-type"), span_text("text/plain")};
  struct span body = r->body.len > 0 ? r->body : span_text("hello");
  if (span_is(r->path, "/hold")) return;
  if (span_is(r->path, "/big")) body = span_of(e->big, sizeof e->big);
  http_reply(x, 200, &type, 1, body);
}

static void on_gone(void *context, struct http_exchange *x) {
  (void)context, (void)x;
}

static void on_refusal(void *context, enum result why, struct buf *body, const char **media_type) {
  (void)context;
  *media_type = "text/plain";
  buf_put_text(body, result_name(why));
}

static void on_signal(evutil_socket_t number, short what, void *context) {
  (void)number, (void)what;
  struct echo *e = context;
  if (e->draining) event_base_loopbreak(e->loop);
  e->draining = true;
  http_server_drain(e->server);
}

static int listen_on(uint64_t port) {
  const int yes = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 4096) == 0) return fd;
  perror("listen");
  return -1;
}

static struct span read_pem(const char *path) {
  static char texts[3][PEM_MAX];
  static size_t count;
  FILE *file = fopen(path, "r");
  size_t len = file != NULL && count < 3 ? fread(texts[count], 1, PEM_MAX, file) : 0;
  if (file != NULL) fclose(file);
  return span_of(texts[count++], len);
}

static void say_usage(const struct http_server *s) {
  struct rusage used;
  struct http_stats stats = http_server_stats(s);
  getrusage(RUSAGE_SELF, &used);
  double us = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
              (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
  printf("requests %llu, CPU %.0f us, %.2f us a request, RSS at most %ld kB\n", (unsigned long long)stats.requests, us,
         us / (double)(stats.requests > 0 ? stats.requests : 1), used.ru_maxrss);
}

int main(int argc, char **argv) {
  static struct echo e;
  static const struct http_limits limits = {.idle_ms = 600000};
  const struct http_handler handler = {&e, on_request, on_gone, on_refusal};
  char problem[128] = "";
  uint64_t port = 0;
  if (argc < 2 || text_u64(span_text(argv[1]), 1, 65535, &port) != RESULT_OK) return 2;
  struct http_tls tls = {0};
  if (argc > 3) tls = (struct http_tls){.certificate = read_pem(argv[2]), .key = read_pem(argv[3])};
  if (argc > 4) tls.client_ca = read_pem(argv[4]);
  signal(SIGPIPE, SIG_IGN);
  e.loop = event_base_new();
  int listener = listen_on(port);
  if (e.loop == NULL || listener < 0) return 1;
  if (http_server_new(e.loop, listener, argc > 3 ? &tls : NULL, &limits, &handler, problem, sizeof problem,
                      &e.server) != RESULT_OK) {
    fprintf(stderr, "%s\n", problem);
    return 1;
  }
  struct event *interrupt = evsignal_new(e.loop, SIGINT, on_signal, &e);
  struct event *end = evsignal_new(e.loop, SIGTERM, on_signal, &e);
  event_add(interrupt, NULL);
  event_add(end, NULL);
  printf("listening on 127.0.0.1:%s\n", argv[1]);
  fflush(stdout);
  event_base_dispatch(e.loop);
  say_usage(e.server);
  http_server_free(e.server);
  event_free(interrupt);
  event_free(end);
  event_base_free(e.loop);
  return 0;
}
