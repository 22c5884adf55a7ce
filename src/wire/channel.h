/*
 * A non-blocking end of a socket between two of our processes: whole messages in, whole messages out (msg.h has the
 * framing). Knows no event loop: its owner watches the descriptor and calls channel_read or channel_flush when the
 * kernel says so. Descriptors can ride with a message (SCM_RIGHTS, or
 * by their number between threads of one process: pass.h).
 */
#pragma once

#include "wire/msg.h"

struct channel;

/* Takes over `fd` (a non-blocking stream socket). `max_in`: the largest body this end will take; `max_out`: how many
 * bytes may wait for a peer that does not read. */
enum result must_use channel_new(int fd, size_t max_in, size_t max_out, struct channel **out);
int channel_fd(const struct channel *c);

/* Queues one message built with msg_begin and the wire_put_ functions, and sends what the socket takes at once.
 * RESULT_NO_MEMORY if `max_out` would be passed (nothing is queued), RESULT_PEER_LOST if the peer is gone: from then on
 * nothing can be sent. */
enum result must_use channel_send(struct channel *c, struct buf *message);
/* The same with a descriptor, which stays the caller's. It belongs to the message at whose first byte it is sent. At
 * most CHANNEL_FDS of them wait for a peer that does not read. */
enum result must_use channel_send_fd(struct channel *c, struct buf *message, int fd);
/* From here to the next channel_flush, what is sent only waits: many messages, one system call. */
void channel_hold(struct channel *c);
/* Sends what waits. Call when the socket is writable. */
enum result must_use channel_flush(struct channel *c);
/* Bytes that wait: watch for writability while it is not 0. */
size_t channel_pending(const struct channel *c);

#define CHANNEL_FDS 64u

struct channel_message {
  uint8_t type;
  struct span body; /* holds until the next channel_read or channel_next; then it is wiped */
  int fd;           /* -1, or a descriptor that came along: the caller's from here on */
};

/* Reads once what the socket has (up to 256 KiB). RESULT_PEER_LOST at the end of the stream; whole messages that came
 * before it can still be had. RESULT_NO_MEMORY if more waits here than channel_next was called for, RESULT_PEER_LIED if
 * that goes for descriptors. */
enum result must_use channel_read(struct channel *c);
/* The next whole message that was read. RESULT_OK and `m`, or RESULT_OK with m->type 0 if there is none yet;
 * RESULT_PEER_LIED if one is longer than max_in or of type 0: the stream is of no use then. A message has one
 * descriptor; any more that came with it are closed. */
enum result must_use channel_next(struct channel *c, struct channel_message *m);

/* Closes a socket that no channel was made of, with the descriptors that wait in it. */
void channel_close(int fd);
/* Wipes what is buffered, closes the descriptor, frees. NULL is fine. */
void channel_free(struct channel *c);
