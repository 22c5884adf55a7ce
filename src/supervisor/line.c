#include "supervisor/line.h"

#include <unistd.h>

#define BODY_MAX 256u          /* what the supervisor hears are words */
#define WAITING_MAX (8u << 20) /* what it says holds certificates */

struct line {
  struct line_hooks hooks;
  struct channel *channel;
  struct event *readable, *writable;
};

static bool hear(struct line *l, const struct channel_message *m) {
  if (m->fd >= 0) {
    close(m->fd);
    return false;
  }
  return l->hooks.hear(l->hooks.context, m->type, m->body);
}

static void on_readable(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct line *l = context;
  enum result end = channel_read(l->channel), r = RESULT_OK;
  while (r == RESULT_OK) {
    struct channel_message m;
    r = channel_next(l->channel, &m);
    if (r != RESULT_OK || m.type == 0) break;
    if (!hear(l, &m)) r = RESULT_PEER_LIED;
  }
  if (r == RESULT_OK) r = end; /* what came before the end of the stream still counts */
  if (r == RESULT_OK) return;
  event_del(l->readable);
  event_del(l->writable);
  l->hooks.lost(l->hooks.context, r);
}

static void on_writable(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct line *l = context;
  /* A peer that is gone is seen by reading, after what it said last. */
  if (channel_flush(l->channel) != RESULT_OK || channel_pending(l->channel) == 0) event_del(l->writable);
}

enum result line_new(struct event_base *base, int fd, const struct line_hooks *hooks, struct line **out) {
  struct line *l = calloc(1, sizeof *l);
  enum result r = l == NULL                                 ? RESULT_NO_MEMORY
                  : evutil_make_socket_nonblocking(fd) != 0 ? RESULT_IO
                                                            : channel_new(fd, BODY_MAX, WAITING_MAX, &l->channel);
  if (r != RESULT_OK) {
    close(fd);
    free(l);
    return r;
  }
  l->hooks = *hooks;
  l->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, l);
  l->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, l);
  if (l->readable != NULL && l->writable != NULL && event_add(l->readable, NULL) == 0) {
    *out = l;
    return RESULT_OK;
  }
  line_free(l);
  return RESULT_NO_MEMORY;
}

enum result line_send(struct line *l, struct buf *message, int fd) {
  enum result r = channel_send_fd(l->channel, message, fd);
  buf_free(message);
  if (r == RESULT_PEER_LOST) return RESULT_OK; /* `lost` comes */
  if (r == RESULT_OK && channel_pending(l->channel) > 0 && event_add(l->writable, NULL) != 0) r = RESULT_NO_MEMORY;
  return r;
}

void line_free(struct line *l) {
  if (l == NULL) return;
  if (l->readable != NULL) event_free(l->readable);
  if (l->writable != NULL) event_free(l->writable);
  channel_free(l->channel);
  free(l);
}
