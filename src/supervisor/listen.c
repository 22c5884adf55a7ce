#include "supervisor/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/text.h"

#define BACKLOG 4096

/* The host's text, brackets removed, and the port's. */
struct parts {
  char host[INET6_ADDRSTRLEN];
  bool brackets;
  in_port_t port;
};

static bool split(const char *text, struct parts *p) {
  const char *colon = strrchr(text, ':');
  if (colon == NULL) return false;
  uint64_t port;
  if (text_u64(span_text(colon + 1), 0, 65535, &port) != RESULT_OK) return false;
  p->port = htons((uint16_t)port);
  size_t len = (size_t)(colon - text);
  p->brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';
  if (p->brackets) text++, len -= 2;
  if (len == 0 || len >= sizeof p->host) return false;
  memcpy(p->host, text, len);
  p->host[len] = 0;
  return true;
}

static bool take_v4(const struct parts *p, struct listen_address *out) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = p->port};
  const char *host = strcmp(p->host, "localhost") == 0 ? "127.0.0.1" : p->host;
  if (p->brackets || inet_pton(AF_INET, host, &a.sin_addr) != 1) return false;
  memcpy(&out->socket, &a, sizeof a);
  out->len = sizeof a;
  out->loopback = ntohl(a.sin_addr.s_addr) >> 24 == 127;
  return true;
}

static bool take_v6(const struct parts *p, struct listen_address *out) {
  struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = p->port};
  if (!p->brackets || inet_pton(AF_INET6, p->host, &a.sin6_addr) != 1) return false;
  memcpy(&out->socket, &a, sizeof a);
  out->len = sizeof a;
  out->loopback = IN6_IS_ADDR_LOOPBACK(&a.sin6_addr);
  return true;
}

enum result listen_parse(const char *text, struct listen_address *out) {
  struct parts p;
  *out = (struct listen_address){0};
  if (split(text, &p) && (take_v4(&p, out) || take_v6(&p, out))) return RESULT_OK;
  return RESULT_CONFIG_INVALID;
}

enum result listen_open(const struct listen_address *address, int *fd) {
  const int one = 1;
  int s = socket(address->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (s < 0) return RESULT_IO;
  /* A port whose last connections have not faded yet can be taken; one that is listened on cannot. */
  if (setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
      bind(s, (const struct sockaddr *)&address->socket, address->len) == 0 && listen(s, BACKLOG) == 0) {
    *fd = s;
    return RESULT_OK;
  }
  int saved = errno;
  close(s);
  errno = saved;
  return RESULT_IO;
}

void listen_put_name(struct buf *b, int fd) {
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } a = {.any = {.sa_family = AF_UNSPEC}};
  socklen_t len = sizeof a;
  char host[INET6_ADDRSTRLEN];
  if (getsockname(fd, &a.any, &len) != 0) return;
  if (a.any.sa_family == AF_INET && inet_ntop(AF_INET, &a.v4.sin_addr, host, sizeof host) != NULL)
    buf_printf(b, "%s:%u", host, ntohs(a.v4.sin_port));
  if (a.any.sa_family == AF_INET6 && inet_ntop(AF_INET6, &a.v6.sin6_addr, host, sizeof host) != NULL)
    buf_printf(b, "[%s]:%u", host, ntohs(a.v6.sin6_port));
}
