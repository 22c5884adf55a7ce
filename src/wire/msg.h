/*
 * One message on a stream socket between two of our processes: u32 length of the body, u8 type, body. Little-endian.
 *
 * The receiver names the largest body it will take; a longer one, or a length cut short by the end of the stream, is an
 * error and the stream is of no use afterwards. What a body holds is in wire.h.
 */
#pragma once

#include "base/result.h"

#define MSG_HEADER 5u

/* Sends a whole message; blocks until the peer has taken it. RESULT_IO if the peer is gone. Never raises SIGPIPE. */
enum result must_use msg_send(int fd, uint8_t type, struct span body);

/* Receives a whole message into `body` (cleared first; a fixed buffer will do). RESULT_IO at the end of the stream or
 * on an error, RESULT_WORKER_LIED if the body is larger than `body` may hold. Blocks. */
enum result must_use msg_receive(int fd, uint8_t *type, struct buf *body);

/* Starts a body in `b` so that msg_send_built can send header and body with one system call. */
void msg_begin(struct buf *b, uint8_t type);
/* Writes the body's length into the header of what msg_begin began. RESULT_NO_MEMORY if the message has a hole. */
enum result must_use msg_end(struct buf *b);
enum result must_use msg_send_built(int fd, struct buf *b);
