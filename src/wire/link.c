#include "wire/link.h"

#define LAST_READS 16u /* more than what a socket holds takes */

struct link {
  struct channel *channel;
  struct event_base *loop;
  struct event *readable, *writable;
  struct event *gathered; /* NULL: each message leaves at once */
  struct link_handler handler;
  bool lost;
  bool *freed; /* set while messages are handed up: becomes true if the owner frees the link meanwhile */
};

static void lose(struct link *l, enum result why) {
  if (l->lost) return;
  l->lost = true;
  event_del(l->readable);
  event_del(l->writable);
  if (l->gathered != NULL) event_del(l->gathered);
  l->handler.lost(l->handler.context, why);
}

/* Hands up what was read; false if the link is gone or lost. */
static bool deliver(struct link *l) {
  bool freed = false;
  l->freed = &freed;
  for (;;) {
    struct channel_message m;
    enum result r = channel_next(l->channel, &m);
    if (r == RESULT_OK && m.type == 0) break;
    if (r == RESULT_OK) l->handler.message(l->handler.context, &m);
    if (freed) return false;
    if (r == RESULT_OK) continue;
    l->freed = NULL;
    lose(l, r);
    return false;
  }
  l->freed = NULL;
  return true;
}

static void on_readable(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct link *l = context;
  enum result r = channel_read(l->channel);
  /* What a peer said before it went is heard. */
  if (deliver(l) && r != RESULT_OK) lose(l, r);
}

void link_hear_out(struct link *l) {
  for (unsigned i = 0; i < LAST_READS; i++) {
    enum result r = channel_read(l->channel);
    if (!deliver(l)) return;
    if (r == RESULT_OK) continue;
    lose(l, r);
    return;
  }
}

static void on_writable(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct link *l = context;
  /* A peer that is gone: the read side will say so, after what it had to say. */
  if (channel_flush(l->channel) != RESULT_OK || channel_pending(l->channel) == 0) event_del(l->writable);
  if (l->gathered != NULL) channel_hold(l->channel);
}

enum result link_new(struct event_base *loop, int fd, size_t max_in, size_t max_out, const struct link_handler *handler,
                     struct link **out) {
  struct link *l = calloc(1, sizeof *l);
  if (l == NULL) return RESULT_NO_MEMORY;
  l->loop = loop;
  l->handler = *handler;
  enum result r = channel_new(fd, max_in, max_out, &l->channel);
  if (r == RESULT_OK) {
    l->readable = event_new(loop, fd, EV_READ | EV_PERSIST, on_readable, l);
    l->writable = event_new(loop, fd, EV_WRITE | EV_PERSIST, on_writable, l);
    bool added = l->readable != NULL && l->writable != NULL && event_add(l->readable, NULL) == 0;
    if (!added) r = RESULT_NO_MEMORY;
  }
  if (r == RESULT_OK) {
    *out = l;
    l = NULL;
  }
  link_free(l);
  return r;
}

static void on_gathered(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct link *l = context;
  enum result r = channel_flush(l->channel);
  channel_hold(l->channel);
  if (r == RESULT_OK && channel_pending(l->channel) > 0) event_add(l->writable, NULL);
}

enum result link_gather(struct link *l) {
  l->gathered = event_new(l->loop, -1, 0, on_gathered, l);
  if (l->gathered == NULL) return RESULT_NO_MEMORY;
  channel_hold(l->channel);
  return RESULT_OK;
}

/* The loop runs it after all that is due already. */
static enum result sent_later(struct link *l, enum result r) {
  if (r == RESULT_OK) event_active(l->gathered, EV_TIMEOUT, 1);
  return r;
}

static enum result sent(struct link *l, enum result r) {
  if (l->gathered != NULL) return sent_later(l, r);
  if (r == RESULT_OK && channel_pending(l->channel) > 0 && event_add(l->writable, NULL) != 0) r = RESULT_NO_MEMORY;
  return r;
}

enum result link_send(struct link *l, struct buf *message) {
  return l->lost ? RESULT_PEER_LOST : sent(l, channel_send(l->channel, message));
}

enum result link_send_fd(struct link *l, struct buf *message, int fd) {
  return l->lost ? RESULT_PEER_LOST : sent(l, channel_send_fd(l->channel, message, fd));
}

size_t link_pending(const struct link *l) {
  return channel_pending(l->channel);
}

void link_free(struct link *l) {
  if (l == NULL) return;
  if (l->freed != NULL) *l->freed = true;
  if (l->readable != NULL) event_free(l->readable);
  if (l->writable != NULL) event_free(l->writable);
  if (l->gathered != NULL) event_free(l->gathered);
  channel_free(l->channel);
  free(l);
}
