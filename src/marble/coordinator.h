/*
 * The call to MarbleRun's Coordinator: rpc.Marble/Activate, over HTTP/2 and TLS 1.3 with our certificate.
 *
 * Its certificate is not verified, because there is nothing to verify it by: it is made at the Coordinator's first
 * start, and a marble knows no root before it is activated. So whoever answers may be anybody, and what he sends is not
 * proof of anything: files.h and process.h bound what he may do with it, and the service's own evidence vouches for
 * keys that it makes itself. Who wants to know which Coordinator it was compares the chain that callers see with the
 * Coordinator's quote. Private to src/marble.
 */
#pragma once

#include "marble/grpc.h"
#include "marble/identity.h"

struct coordinator {
  const char *address; /* "host:port" */
  long timeout_ms;     /* of one try */
};

/* Whether it is a host, an IPv4 address or a bracketed IPv6 address, with a port. */
bool must_use coordinator_is_address(const char *text);

/* One try. `request` and `response` are messages; the response is appended. The sentence of whoever refused, which is
 * not to be trusted, or our own, is in `problem`. */
enum grpc_code must_use coordinator_ask(const struct coordinator *c, const struct identity *identity,
                                        struct span request, struct buf *response, struct buf *problem);
