/* gRPC as far as one unary call over HTTP/2 needs it (grpc/grpc: PROTOCOL-HTTP2.md, statuscodes.md,
 * http-grpc-status-mapping.md). Bytes in, bytes out. Private to src/marble. */
#pragma once

#include "base/result.h"

#define GRPC_MESSAGE_MAX 512u

#define GRPC_CODES(X)    \
  X(OK)                  \
  X(CANCELLED)           \
  X(UNKNOWN)             \
  X(INVALID_ARGUMENT)    \
  X(DEADLINE_EXCEEDED)   \
  X(NOT_FOUND)           \
  X(ALREADY_EXISTS)      \
  X(PERMISSION_DENIED)   \
  X(RESOURCE_EXHAUSTED)  \
  X(FAILED_PRECONDITION) \
  X(ABORTED)             \
  X(OUT_OF_RANGE)        \
  X(UNIMPLEMENTED)       \
  X(INTERNAL)            \
  X(UNAVAILABLE)         \
  X(DATA_LOSS)           \
  X(UNAUTHENTICATED)

#define GRPC_ENUM(name) GRPC_##name,
enum grpc_code { GRPC_CODES(GRPC_ENUM) GRPC_CODE_COUNT };
#undef GRPC_ENUM

/* "PERMISSION_DENIED". */
const char *grpc_name(enum grpc_code code);
/* Whether asking again later may help: whoever is to answer is not there, or not ready. */
bool grpc_may_pass(enum grpc_code code);

/* One uncompressed message: flag, length (big-endian), bytes. */
void grpc_put_frame(struct buf *b, struct span message);
/* RESULT_INPUT_INVALID unless `body` is exactly one such message. */
enum result must_use grpc_get_frame(struct span body, struct span *message);

/* What the headers and trailers of a response say. */
struct grpc_answer {
  uint64_t http; /* 0: no response yet */
  bool is_grpc, has_code, contradicts;
  enum grpc_code code;
  char message[GRPC_MESSAGE_MAX + 1]; /* decoded, cut */
};

/* Takes one line, as libcurl hands them over: a status line, which begins a response anew, a header, a trailer. */
void grpc_take_line(struct grpc_answer *a, struct span line);
/* What became of the call, once all lines are taken. */
enum grpc_code grpc_outcome(const struct grpc_answer *a);
