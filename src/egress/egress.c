/*
 * Egress: the only process that has the network.
 *
 * Alone holds: connections to others' servers, and the credentials of the database of secrets (whose rows are sealed by
 * keys that it never sees). Hears: its supervisor on descriptor 0, the keeper on a socket that the supervisor hands it,
 * and whatever servers answer. Never: listens or takes a caller, reads a file but what the resolver needs, starts a
 * process, decides whom a script may reach: that is the keeper's to do; only what addresses may be reached at all is
 * looked at here once more, where the connection is made. System calls once it hears strangers: see sandbox_calls.c.
 *
 * It may end at any time: the supervisor starts it again, and the keeper answers for what it had not.
 */
#include "egress/egress.h"

#include <signal.h>
#include <unistd.h>

#include "base/config.h"
#include "base/log.h"
#include "egress/memory.h"
#include "egress/postgres.h"
#include "egress/transfer.h"
#include "wire/link.h"

#define SETUP_MAX (8u << 20)
#define WAITING_MAX ((size_t)16 * SERVICE_ANSWER_MAX) /* bytes of answers that the keeper has not read yet */

struct egress {
  struct event_base *base;
  struct link *supervisor, *keeper;
  struct transfer *transfer;
  struct postgres *postgres;
  sandbox_set fences;
  bool begun; /* the supervisor's first message has come */
  bool ended;
  enum result why;
};

static void end(struct egress *e, enum result why) {
  if (e->ended) return;
  e->ended = true;
  e->why = why;
  event_base_loopbreak(e->base);
}

/* ---- what it says ---- */

static void tell_keeper(void *context, struct buf *message) {
  struct egress *e = context;
  enum result r = e->keeper == NULL ? RESULT_PEER_LOST : link_send(e->keeper, message);
  if (r != RESULT_OK) end(e, r);
}

static void on_answer(void *context, const struct wire_response *response) {
  struct buf b = buf_new(SERVICE_ANSWER_MAX + MSG_HEADER);
  wire_put_response(&b, response);
  tell_keeper(context, &b);
  buf_free(&b);
}

static void on_trouble(void *context, struct span why) {
  (void)context;
  log_begin(LOG_WARN, "postgres_unusable");
  log_text("reason", why);
  log_end();
}

/* ---- what it may be asked ---- */

static enum result do_request(struct egress *e, const struct channel_message *message) {
  struct wire_request m;
  return wire_get_request(message->body, &m) ? transfer_ask(e->transfer, &m) : RESULT_PEER_LIED;
}

static enum result do_forget(struct egress *e, const struct channel_message *message) {
  struct wire_forget m;
  if (!wire_get_forget(message->body, &m)) return RESULT_PEER_LIED;
  transfer_forget(e->transfer, m.ticket);
  return RESULT_OK;
}

static enum result do_query(struct egress *e, const struct channel_message *message) {
  return postgres_query(e->postgres, message->body);
}

static enum result do_peer(struct egress *e, const struct channel_message *message);

static const struct verb {
  uint8_t type;
  bool brings_descriptor;
  enum result (*run)(struct egress *e, const struct channel_message *message);
} verbs[] = {{WIRE_EGRESS_PEER, true, do_peer},
             {WIRE_REQUEST, false, do_request},
             {WIRE_FORGET, false, do_forget},
             {WIRE_SERVER_QUERY, false, do_query}};

static const struct verb *find_verb(uint8_t type) {
  for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
    if (verbs[i].type == type) return &verbs[i];
  return NULL;
}

static void hear(struct egress *e, enum service_peer sender, bool *begun, const struct channel_message *m) {
  const struct verb *verb = e->ended ? NULL : find_verb(m->type);
  const bool fits = verb != NULL && verb->brings_descriptor == (m->fd >= 0) &&
                    service_in_order(sender, SERVICE_EGRESS, m->type, begun);
  if (fits) {
    enum result r = verb->run(e, m);
    if (r != RESULT_OK) end(e, r);
    return;
  }
  if (m->fd >= 0) close(m->fd);
  end(e, RESULT_PEER_LIED);
}

static void hear_supervisor(void *context, const struct channel_message *m) {
  struct egress *e = context;
  hear(e, SERVICE_SUPERVISOR, &e->begun, m);
}

/* Its link has no first message. */
static void hear_keeper(void *context, const struct channel_message *m) {
  bool begun = true;
  hear(context, SERVICE_KEEPER, &begun, m);
}

static void lose(void *context, enum result why) {
  end(context, why);
}

static enum result do_peer(struct egress *e, const struct channel_message *message) {
  const struct link_handler handler = {.context = e, .message = hear_keeper, .lost = lose};
  if (e->keeper != NULL || !wire_get_empty(message->body)) {
    close(message->fd);
    return RESULT_PEER_LIED;
  }
  enum result r = link_new(e->base, message->fd, SERVICE_ANSWER_MAX, WAITING_MAX, &handler, &e->keeper);
  return r == RESULT_OK ? link_gather(e->keeper) : r;
}

/* ---- the process ---- */

static void open_log(const struct config *c) {
  static const char *const names[] = {
      [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};
  enum log_level least = LOG_INFO;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strcmp(config_text(c, CONFIG_LOG_LEVEL), names[i]) == 0) least = (enum log_level)i;
  log_open("egress", least);
}

static enum result read_exceptions(struct span config, struct address_nets *exceptions) {
  struct config *c = NULL;
  enum result r = config_new(&c);
  if (r == RESULT_OK) r = config_get(config, c);
  if (r == RESULT_OK) open_log(c);
  if (r == RESULT_OK && !address_parse_nets(span_text(config_text(c, CONFIG_EGRESS_PRIVATE)), exceptions))
    r = RESULT_CONFIG_INVALID;
  config_free(c);
  return r;
}

static enum result set_up(struct egress *e, struct span body) {
  struct wire_egress_setup m;
  struct address_nets exceptions;
  if (!wire_get_egress_setup(body, &m)) return RESULT_PEER_LIED;
  enum result r = read_exceptions(m.config, &exceptions);
  if (r != RESULT_OK) return r;
  const struct transfer_setup setup = {.base = e->base,
                                       .authorities = m.authorities,
                                       .names = m.names,
                                       .exceptions = &exceptions,
                                       .answer = on_answer,
                                       .context = e};
  const struct postgres_setup database = {.base = e->base,
                                          .connection = m.database,
                                          .authorities = m.authorities,
                                          .tell = tell_keeper,
                                          .trouble = on_trouble,
                                          .context = e};
  r = transfer_new(&setup, &e->transfer);
  return r == RESULT_OK ? postgres_new(&database, &e->postgres) : r;
}

static enum result announce(struct egress *e) {
  struct buf b = buf_new(64);
  wire_put_egress_up(&b, &(struct wire_up){e->fences});
  enum result r = link_send(e->supervisor, &b);
  buf_free(&b);
  return r;
}

static enum result hear_setup(struct egress *e, int socket) {
  uint8_t type = 0;
  struct buf body = buf_new(SETUP_MAX);
  enum result r = msg_receive(socket, &type, &body);
  if (r == RESULT_IO) r = RESULT_PEER_LOST; /* stopped before it began: no error */
  const bool in_order = service_in_order(SERVICE_SUPERVISOR, SERVICE_EGRESS, type, &e->begun);
  if (r == RESULT_OK && (!in_order || type != WIRE_EGRESS_SETUP)) r = RESULT_PEER_LIED;
  if (r == RESULT_OK) r = set_up(e, buf_span(&body));
  buf_free(&body);
  return r;
}

/* Everything that needs a file, then the fence, then strangers. */
static enum result begin(struct egress *e, int socket) {
  const struct link_handler handler = {.context = e, .message = hear_supervisor, .lost = lose};
  enum result r = transfer_open();
  if (r != RESULT_OK) return r;
  e->base = event_base_new();
  if (e->base == NULL) return RESULT_NO_MEMORY;
  r = hear_setup(e, socket);
  if (r == RESULT_OK) r = sandbox_enter(SANDBOX_EGRESS, NULL, &e->fences);
  if (r == RESULT_OK) r = evutil_make_socket_nonblocking(socket) == 0 ? RESULT_OK : RESULT_IO;
  if (r == RESULT_OK) r = link_new(e->base, socket, SETUP_MAX, 4096, &handler, &e->supervisor);
  return r == RESULT_OK ? announce(e) : r;
}

static void release(struct egress *e) {
  transfer_free(e->transfer);
  postgres_free(e->postgres);
  link_free(e->keeper);
  link_free(e->supervisor);
  if (e->base != NULL) event_base_free(e->base);
}

int egress_main(const struct sandbox_place *place) {
  struct egress e = {.fences = place->held};
  log_open("egress", LOG_INFO);
  enum result r = begin(&e, place->socket);
  if (e.supervisor == NULL) channel_close(place->socket);
  if (place->alone) memory_settle();
  if (r == RESULT_OK && event_base_dispatch(e.base) != 0) r = RESULT_IO;
  if (r == RESULT_OK) r = e.why;
  const bool orderly = r == RESULT_OK || r == RESULT_PEER_LOST;
  log_begin(orderly ? LOG_INFO : LOG_ERROR, "egress_ended");
  log_result(r);
  log_number("exchanges_dropped", e.transfer == NULL ? 0 : transfer_count(e.transfer));
  log_end();
  release(&e);
  return orderly ? 0 : 1;
}
