/* The two messages of an activation: protobuf, by protobuf-c. Private to src/marble. */
#pragma once

#include "base/result.h"
#include "marble.pb-c.h"

#define MESSAGE_MAX (1u << 20)         /* of the Coordinator's; an environment cannot be larger anyway */
#define MESSAGE_MEMORY_MAX (32u << 20) /* what reading one may take */

typedef Activation__Parameters parameters;

struct message_request {
  struct span quote, csr; /* an empty quote: simulation */
  const char *type, *uuid;
};

/* Appends it. */
void message_put_request(struct buf *b, const struct message_request *request);
/* RESULT_INPUT_INVALID if it is no response, or says nothing. Freed with message_free. */
enum result must_use message_get_response(struct span bytes, Activation__Response **out);
/* Wipes. NULL is fine. */
void message_free(Activation__Response *response);

static inline struct span message_bytes(ProtobufCBinaryData bytes) {
  return span_of(bytes.data, bytes.len);
}
