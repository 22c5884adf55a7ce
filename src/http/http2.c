#include "http/codec.h"

/* HTTP/2 is to come: until then, a peer that asks for it is refused its connection. */
enum result http2_new(const struct codec_events *events, const struct http_limits *limits, struct http_peer *peer,
                      void *connection, void (*wake)(void *), struct codec **out) {
  (void)events, (void)limits, (void)peer, (void)connection, (void)wake, (void)out;
  return RESULT_BAD_HTTP;
}
