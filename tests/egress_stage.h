/* A test that plays egress: the other end of an outlet's link. */
#pragma once

#include "keeper/outlet.h"

struct egress_stage {
  struct event_base *base;
  struct outlet *outlet;
  int fd;          /* egress's end, or -1 */
  struct buf body; /* of the message last heard */
  unsigned broken;
  enum result why;
};

/* With a link, if `connected`. */
void egress_stage_open(struct egress_stage *s, bool connected);
void egress_stage_connect(struct egress_stage *s);
/* Frees the outlet, too. */
void egress_stage_close(struct egress_stage *s);
/* Lets the loop do what is due. */
void egress_stage_turn(struct egress_stage *s);
/* Lets the loop run until `*flag`, at most some seconds: for what a timer does. */
void egress_stage_until(struct egress_stage *s, const unsigned *flag, unsigned value);
/* What the keeper sent, whose type must be `type`; its spans hold until the next is heard. */
struct span egress_stage_hear(struct egress_stage *s, uint8_t type);
struct wire_request egress_stage_request(struct egress_stage *s);
/* Whether nothing was sent. */
bool egress_stage_quiet(struct egress_stage *s);
/* Sends, and lets the loop hear it. Consumes `message`. */
void egress_stage_say(struct egress_stage *s, struct buf *message);
void egress_stage_answer(struct egress_stage *s, const struct wire_response *response);
