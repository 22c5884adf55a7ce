/*
 * HTTP exchanges, by libcurl on the event loop: each REQUEST is one, without redirects, and has one answer. What is
 * not in the request is not sent: no cookie, no credential of a URL or a .netrc, no proxy, no cache. Connections belong
 * to pools (pools.h), and go only to addresses that address.h lets pass.
 *
 * Whatever a server does, an exchange ends: all of it within the request's time, its headers within
 * WIRE_REQUEST_HEADERS_MAX bytes, its body, as it is after decompression, within the request's bound.
 */
#pragma once

#include <event2/event.h>

#include "egress/address.h"
#include "wire/service.h"

/* Beyond it a request is answered with RESULT_FETCH_FAILED at once. */
#define TRANSFER_EXCHANGES_MAX 2048u
/* A request's bound of its answer's body is at most this: the answer has to fit a message. */
#define TRANSFER_BODY_MAX (SERVICE_ANSWER_MAX - 131072u)

struct transfer;

/* The spans hold until the call returns. */
typedef void transfer_answer(void *context, const struct wire_response *response);

struct transfer_setup {
  struct event_base *base;
  struct span authorities; /* PEM */
  struct span names;       /* hosts(5) text instead of the resolver; empty: the resolver */
  const struct address_nets *exceptions;
  transfer_answer *answer;
  void *context;
};

/* For the process, before its fence: memory that is wiped, OpenSSL without its configuration file, a resolver that
 * loads nothing more. RESULT_CRYPTO if curl does not start. */
enum result must_use transfer_open(void);

/* Copies what it is given. */
enum result must_use transfer_new(const struct transfer_setup *setup, struct transfer **out);
/* Answers once, maybe before it returns, unless transfer_forget comes first. RESULT_PEER_LIED if the ticket is one that
 * is under way. */
enum result must_use transfer_ask(struct transfer *t, const struct wire_request *m);
/* An unknown ticket is fine. Not from within an answer. */
void transfer_forget(struct transfer *t, uint64_t ticket);
size_t transfer_count(const struct transfer *t);
/* NULL is fine; no answers come. */
void transfer_free(struct transfer *t);
