/*
 * A channel on an event loop: its owner hears whole messages, and once that the peer is gone or lied.
 */
#pragma once

#include <event2/event.h>

#include "wire/channel.h"

struct link;

struct link_handler {
  void *context;
  /* A message; its body holds until the call returns. May free the link. */
  void (*message)(void *context, const struct channel_message *message);
  /* RESULT_PEER_LOST or RESULT_PEER_LIED. Called once; the link hears nothing more and must be freed by its owner. */
  void (*lost)(void *context, enum result why);
};

/* Takes over `fd`; see channel_new. */
enum result must_use link_new(struct event_base *loop, int fd, size_t max_in, size_t max_out,
                              const struct link_handler *handler, struct link **out);
/* See channel_send. A peer that is gone is told to the handler from the loop, not from here. */
enum result must_use link_send(struct link *l, struct buf *message);
enum result must_use link_send_fd(struct link *l, struct buf *message, int fd);
/* From now on messages leave together, once the loop has run what is due: under load one system call and one wake-up of
 * the peer serve many. */
enum result must_use link_gather(struct link *l);
size_t link_pending(const struct link *l);
/* Reads now what a peer that has ended left in the socket: its messages, then `lost`, are handed up from here. The
 * owner may free the link meanwhile. */
void link_hear_out(struct link *l);
/* NULL is fine. */
void link_free(struct link *l);
