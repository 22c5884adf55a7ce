/* Listening sockets: made by the supervisor, handed to the broker, which may not make any. */
#pragma once

#include <sys/socket.h>

#include "base/result.h"

struct listen_address {
  struct sockaddr_storage socket;
  socklen_t len;
  bool loopback;
};

/* "127.0.0.1:8080", "[::1]:8080", "localhost:8080"; port 0 lets the system choose. Numbers, no names: a name that
 * resolves otherwise tomorrow would listen elsewhere. RESULT_CONFIG_INVALID otherwise. */
enum result must_use listen_parse(const char *text, struct listen_address *out);

/* Binds and listens: non-blocking, close-on-exec. RESULT_IO with errno. */
enum result must_use listen_open(const struct listen_address *address, int *fd);

/* Where a socket is bound, as listen_parse reads it; empty if it has no IP address. */
void listen_put_name(struct buf *b, int fd);
