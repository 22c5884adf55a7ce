/*
 * A script's requests to the outside, from FETCH to FETCHED: what may be asked is decided here, redirects are followed
 * here, secrets are put in here, and what was asked is noted for the receipt. Egress only carries out single
 * exchanges.
 */
#pragma once

#include "keeper/outlet.h"

#define FETCHES_MAX WIRE_FETCHES_MAX /* requests of a job, redirects not counted */
#define FETCHES_AT_ONCE 6u           /* the others wait */
#define FETCHES_REDIRECTS 10u
#define FETCHES_TIMEOUT_MS 30000u
#define FETCHES_BODY_MAX WIRE_FETCH_BODY_MAX /* bytes of a request's body, secrets put in */
#define FETCHES_RESPONSE_MAX WIRE_FETCHED_BODY_MAX
#define FETCHES_HOSTS_MAX 32u /* different hosts of a job; each may be the target of a redirect */

/*
 * A secret that the script only has a placeholder of: the value is put in, in header values and bodies, where the
 * request goes by https to an allowed host. Nowhere else, and never into a URL: a request with a placeholder there is
 * refused, and so is a redirect to a URL with the value of a secret that the job has sent.
 *
 * A server that says such a value back, in a header or in the body, byte for byte, is heard with the placeholder in its
 * place, so that one that echoes gives nothing away: after a redirect, too, and later if it is a host that may have the
 * secret. Whoever may have the secret can still tell it in another form; that is what `hosts` is for.
 */
struct fetch_secret {
  struct span name, placeholder, value;
  struct span hosts; /* base/hosts.h */
};

struct fetches_setup {
  struct event_base *base;
  struct outlet *outlet;
  struct span operator_hosts; /* base/hosts.h: that may be reached at all */
  bool allow_http;
};

/* What a job may do, and whom it answers. Everything is copied. */
struct fetches_job {
  uint8_t user[32];
  struct span hosts; /* the request's own list: empty, or of the operator's only these */
  const struct fetch_secret *secrets;
  size_t secret_count;
  uint64_t deadline_ns; /* monotonic: the job's own end */
  /* An answer for the worker, without the job's id; its spans hold until the call returns. */
  void (*answer)(void *context, const struct wire_fetched *fetched);
  void *context;
};

struct fetches; /* of one job */

enum result must_use fetches_new(const struct fetches_setup *setup, const struct fetches_job *job,
                                 struct fetches **out);
/* FETCH and ABORT, which the conversation has checked. One that is refused is answered before the call returns. After
 * an ABORT no answer comes. */
enum result must_use fetches_ask(struct fetches *f, const struct wire_fetch *fetch);
void fetches_abort(struct fetches *f, uint32_t number);

/* Whether an answer is still to come. */
bool fetches_are_open(const struct fetches *f);

/*
 * What the job asked of the outside, as the reply and the receipt have it: appends canonical JSON
 * {"hash":"<hex>","hosts":["a.example","b.example:8443"],"requests":3}. `hosts`: in the order of first contact, with
 * port where it is not the scheme's own, "http://" before a plain one. `hash`: SHA-256 over one line for each exchange
 * in the order their answers came (redirects count, each one):
 *   METHOD SP URL-without-secrets SP status SP hex SHA-256 of the response's body LF
 * and for one that failed the result's name instead of status and hash; for one that nobody waited for, "cancelled".
 * `requests`: how many lines. What was refused here has none. Nothing is appended, and false returned, if
 * nothing was asked. docs/protocol.md, "The outside".
 */
bool fetches_put_summary(const struct fetches *f, struct buf *b);
/* Forgets what is under way. Fine from within an answer. NULL is fine. */
void fetches_free(struct fetches *f);
