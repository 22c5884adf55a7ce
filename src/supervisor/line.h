/* The supervisor's channel to the keeper or the broker, on its event loop. */
#pragma once

#include <event2/event.h>

#include "wire/channel.h"

struct line;

struct line_hooks {
  void *context;
  /* One whole message; a descriptor that came along is closed already. False: no such message may come. */
  bool (*hear)(void *context, uint8_t type, struct span body);
  /* RESULT_PEER_LOST or RESULT_PEER_LIED. Heard at most once; nothing is heard after it. */
  void (*lost)(void *context, enum result why);
};

/* Takes over `fd`, in every case. None of its hooks may free it. */
enum result must_use line_new(struct event_base *base, int fd, const struct line_hooks *hooks, struct line **out);
/* Sends, or keeps for later, what wire_put_ made; with a descriptor, which stays the caller's, unless `fd` is negative.
 * Wipes and frees `message`. RESULT_NO_MEMORY if too much waits: the peer does not read. */
enum result must_use line_send(struct line *l, struct buf *message, int fd);
void line_free(struct line *l);
