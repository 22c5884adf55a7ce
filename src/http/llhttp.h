/*
 * llhttp, Node's HTTP/1.1 parser, behind a fence: its WebAssembly, translated to C, works in 128 KiB of linear memory
 * and reaches nothing else. Whatever it does there, the worst is a request that is refused.
 *
 * There is one such memory for all connections. What llhttp remembers of one between two pieces of input is 64 bytes,
 * which are kept out here and put in for as long as the piece takes: a connection costs no more, and one that broke the
 * parser takes no other with it. One thread.
 */
#pragma once

#include "base/result.h"

#define LLHTTP_STATE 64u

/* Plain bytes: may be copied, need not be freed. */
struct llhttp {
  uint8_t state[LLHTTP_STATE];
};

/* All pieces lie in the input. A name or value may come in several, one right behind the other. False stops. */
struct llhttp_events {
  void *context;
  bool (*name)(void *context, struct span piece);
  bool (*value)(void *context, struct span piece);
  bool (*body)(void *context, struct span piece);
};

struct llhttp_report {
  size_t taken;    /* bytes of the input that belong to this request */
  bool head, end;  /* … of which its head, or all of it, is complete now */
  bool keep_alive; /* once the head is: the connection may be used again (version and `Connection`) */
};

/* A request whose method has been read: what follows it comes next, the space included. llhttp would refuse methods
 * that it does not know; which there are is not its business, and no framing depends on one, CONNECT excepted. */
enum result must_use llhttp_start(struct llhttp *p);

/* Takes `input` up to the request's end. RESULT_BAD_HTTP if that is no request, an event said stop, or the parser
 * broke. `p` is of no use then. Events may not call this. */
enum result must_use llhttp_execute(struct llhttp *p, const struct llhttp_events *events, struct span input,
                                    struct llhttp_report *report);
