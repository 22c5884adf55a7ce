/*
 * For tests of the broker: a broker in a child process, and this process as its supervisor, its keeper and its callers.
 * Everything here fails by exit: a stage is not what is tested.
 */
#pragma once

#include <sys/types.h>

#include "wire/service.h"

struct broker_stage {
  pid_t broker;
  int control_fd, keeper_fd;
  struct channel *control, *keeper; /* to it, as its supervisor and as its keeper */
  uint16_t port;
  struct buf message;
};

/* Up to where a broker is brought. */
enum broker_stage_step { BROKER_STAGE_SET_UP, BROKER_STAGE_INTRODUCED, BROKER_STAGE_SERVES };
void broker_stage_open(struct broker_stage *s, enum broker_stage_step step);

/* A good IDENTITY. */
void broker_stage_put_identity(struct buf *b);
void broker_stage_send(struct channel *c, struct buf *b);
/* As it is. */
void broker_stage_send_raw(int fd, const void *bytes, size_t len);

/* The next message on a channel; false at its end or after `ms`. The body holds until the next call. */
bool broker_stage_hear_any(struct channel *c, int ms, uint8_t *type, struct span *body);
/* The next one of `type`; others are dropped. */
bool broker_stage_hear(struct channel *c, uint8_t type, int ms, struct span *body);

/* A caller: sends a request ("POST /execute" and its body), and does not wait. Its descriptor. */
int broker_stage_ask(const struct broker_stage *s, const char *method_and_path, const char *body);
/* The same as another user than alice ("": as nobody), with a body of this type. */
int broker_stage_ask_as(const struct broker_stage *s, const char *user, const char *type, const char *method_and_path,
                        struct span body);
/* The whole reply as text, cut to `size`, and its status as below. Closes. */
int broker_stage_read(int fd, int ms, char *text, size_t size);
/* The reply's status; 0 if the connection ends without one, -1 if nothing comes within `ms`. Closes. */
int broker_stage_reply(int fd, int ms);

/* Waits until it ends by itself, at most `ms`: its exit status, -1 if a signal ended it, -2 if it goes on (then it is
 * killed). Closes everything. */
int broker_stage_close(struct broker_stage *s, int ms);
