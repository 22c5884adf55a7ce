#include "keeper/fetches.h"

#include "base/clock.h"
#include "base/hosts.h"
#include "keeper/contacts.h"
#include "keeper/fetch_rules.h"
#include "keeper/placeholders.h"

#define HEADERS_MAX (2u * WIRE_REQUEST_HEADERS_MAX)
#define WHY_MAX 1024u

_Static_assert(URL_MAX <= WIRE_FETCH_URL_MAX && WIRE_REQUEST_HEADERS_MAX <= WIRE_FETCH_HEADERS_MAX,
               "an answer has to fit its message");

/* One request, from FETCH to FETCHED. What it was asked as, without secrets: these are put in for each exchange. */
struct fetch {
  struct fetches *owner;
  struct fetch *next;
  uint32_t number, redirect, hops;
  struct buf method, url, headers, body;
  struct url to;        /* points into url */
  uint32_t sent;        /* secrets that were put in */
  bool under_way;       /* not in the queue */
  uint64_t ticket;      /* of its exchange; 0: none */
  uint64_t deadline_ns; /* with all redirects */
  struct event *deadline;
};

struct fetches {
  struct event_base *base;
  struct outlet *outlet;
  bool allow_http;
  uint8_t user[32];
  struct buf memory; /* what the spans below point to */
  struct span operator_hosts, hosts;
  struct fetch_secret *secrets;
  size_t secret_count;
  uint64_t deadline_ns;
  void (*answer)(void *context, const struct wire_fetched *fetched);
  void *context;
  struct fetch *first; /* all of them, in the order they were asked */
  uint32_t asked, under_way, sent;
  struct event *begin; /* runs when a place is free and somebody waits */
  struct contacts outside;
};

/* ---- ends ---- */

static void free_fetch(struct fetch *t) {
  if (t->deadline != NULL) event_free(t->deadline);
  buf_free(&t->method);
  buf_free(&t->url);
  buf_free(&t->headers);
  buf_free(&t->body);
  free(t);
}

/* Takes the fetch out; whoever waits may begin, from the loop. */
static void take_out(struct fetch *t) {
  struct fetches *f = t->owner;
  struct fetch **at = &f->first;
  while (*at != t) at = &(*at)->next;
  *at = t->next;
  if (t->deadline != NULL) event_del(t->deadline);
  if (!t->under_way) return;
  f->under_way--;
  event_active(f->begin, EV_TIMEOUT, 1);
}

/* The last act: the answer may free all of them but this one. */
static void end(struct fetch *t, struct wire_fetched *fetched) {
  const struct fetches *f = t->owner;
  fetched->number = t->number;
  take_out(t);
  f->answer(f->context, fetched);
  free_fetch(t);
}

static void fail(struct fetch *t, enum result result, struct span why) {
  end(t, &(struct wire_fetched){.result = (uint32_t)result,
                                .error = why.len > 0 ? why : span_text(result_sentence(result))});
}

static void note(struct fetch *t, enum result result, uint32_t status, struct span body) {
  t->ticket = 0;
  contacts_ended(&t->owner->outside, buf_span(&t->method), buf_span(&t->url), result, status, body);
}

/* Its exchange, if it has one, is broken off. */
static void break_off(struct fetch *t, enum result why) {
  if (t->ticket == 0) return;
  outlet_forget(t->owner->outlet, t->ticket);
  note(t, why, 0, span_of(NULL, 0));
}

static void on_deadline(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct fetch *t = context;
  break_off(t, RESULT_FETCH_TIMEOUT);
  fail(t, RESULT_FETCH_TIMEOUT, span_of(NULL, 0));
}

/* ---- where to ---- */

static void put_secret_names(struct buf *why, const struct fetches *f, uint32_t which) {
  bool first = true;
  for (size_t i = 0; i < f->secret_count; i++) {
    if ((which >> i & 1) == 0) continue;
    if (!first) buf_put_text(why, ", ");
    buf_put_span(why, f->secrets[i].name);
    first = false;
  }
}

static enum result judge_host(const struct fetches *f, const struct url *to, struct buf *why) {
  if (f->operator_hosts.len == 0) return RESULT_FETCH_UNAVAILABLE;
  const char *problem = NULL;
  if (to->plain && !f->allow_http)
    problem = ": only https is allowed";
  else if (!hosts_allow(f->operator_hosts, to->host))
    problem = " is not a host that this service lets scripts reach";
  else if (f->hosts.len > 0 && !hosts_allow(f->hosts, to->host))
    problem = " is not among the hosts that the job asked for";
  if (problem == NULL) return RESULT_OK;
  buf_put_span(why, to->host);
  buf_put_text(why, problem);
  return RESULT_FETCH_FORBIDDEN;
}

static enum result judge_url(const struct fetches *f, struct span text, struct url *to, struct buf *why) {
  const uint32_t secrets = placeholders_in(text, f->secrets, f->secret_count) |
                           placeholders_values_in(text, f->secrets, f->secret_count, f->sent);
  if (secrets != 0) {
    buf_put_text(why, "a URL may not have a secret in it: ");
    put_secret_names(why, f, secrets);
    return RESULT_FETCH_FORBIDDEN;
  }
  const enum result r = url_read(text, to);
  if (r != RESULT_OK) buf_put_text(why, "the URL is not an absolute http or https URL in its standard form");
  return r == RESULT_OK ? judge_host(f, to, why) : r;
}

/* ---- secrets ---- */

/* Of these secrets, the ones that may not go there. */
static uint32_t kept_back(const struct fetches *f, uint32_t which, const struct url *to) {
  uint32_t back = 0;
  for (size_t i = 0; i < f->secret_count; i++)
    if ((which >> i & 1) != 0 && (to->plain || !hosts_allow(f->secrets[i].hosts, to->host))) back |= UINT32_C(1) << i;
  return back;
}

/* Appends the text with its secrets in it. */
static enum result fill(struct fetch *t, struct span text, struct buf *out, struct buf *why) {
  struct fetches *f = t->owner;
  const uint32_t which = placeholders_in(text, f->secrets, f->secret_count);
  const uint32_t back = kept_back(f, which, &t->to);
  if (back != 0) {
    put_secret_names(why, f, back);
    buf_put_text(why, t->to.plain ? ": goes by https only, not to http://" : ": the secret's hosts do not allow ");
    buf_put_span(why, t->to.host);
    return RESULT_SECRET_FORBIDDEN;
  }
  placeholders_fill(out, text, f->secrets, f->secret_count, which);
  t->sent |= which;
  f->sent |= which;
  return RESULT_OK;
}

static enum result fill_header(struct fetch *t, struct span name, struct span value, struct buf *out, struct buf *why) {
  struct buf filled = buf_new(WIRE_REQUEST_HEADERS_MAX);
  enum result r = fill(t, value, &filled, why);
  if (r == RESULT_OK && filled.bad) r = RESULT_FETCH_HEADERS;
  if (r == RESULT_OK && !fetch_rules_value(buf_span(&filled))) {
    buf_put_text(why, "with its secret put in, this is no header's value: ");
    buf_put_span(why, name);
    r = RESULT_FETCH_INVALID;
  }
  if (r == RESULT_OK) wire_put_header(out, name, buf_span(&filled));
  buf_free(&filled);
  return r;
}

/* The headers as they are sent, with what a client says of itself if the script says nothing. */
static enum result fill_headers(struct fetch *t, struct buf *out, struct buf *why) {
  struct cursor c = cursor_of(buf_span(&t->headers));
  struct span name, value;
  bool agent = false, accept = false;
  enum result r = RESULT_OK;
  while (r == RESULT_OK && c.rest.len > 0 && wire_get_header(&c, &name, &value)) {
    if (span_is(name, "user-agent")) agent = true;
    if (span_is(name, "accept")) accept = true;
    r = fill_header(t, name, value, out, why);
  }
  if (!agent) wire_put_header(out, span_text("user-agent"), span_text("neocompute/" NEOCOMPUTE_VERSION));
  if (!accept) wire_put_header(out, span_text("accept"), span_text("*/*"));
  return r == RESULT_OK && out->bad ? RESULT_FETCH_HEADERS : r;
}

static enum result fill_body(struct fetch *t, struct buf *out, struct buf *why) {
  const enum result r = fill(t, buf_span(&t->body), out, why);
  return r == RESULT_OK && out->bad ? RESULT_FETCH_BODY : r;
}

/* ---- one exchange ---- */

static void on_response(void *context, const struct wire_response *m);

static uint32_t left_ms(const struct fetch *t) {
  const uint64_t now = clock_monotonic_ns();
  return now >= t->deadline_ns ? 1 : (uint32_t)((t->deadline_ns - now + 999999) / 1000000);
}

static enum result send_request(struct fetch *t, struct span headers, struct span body) {
  struct fetches *f = t->owner;
  struct wire_request m = {.flags = t->to.plain ? WIRE_REQUEST_PLAIN : 0,
                           .port = t->to.port,
                           .timeout_ms = left_ms(t),
                           .response_max = FETCHES_RESPONSE_MAX,
                           .method = buf_span(&t->method),
                           .host = t->to.host,
                           .target = t->to.target,
                           .headers = headers,
                           .body = body};
  memcpy(m.pool, f->user, sizeof m.pool);
  return outlet_ask(f->outlet, &m, on_response, t, &t->ticket);
}

/* Sends the request as it stands, or ends it. */
static void begin(struct fetch *t) {
  uint8_t memory[WHY_MAX];
  struct buf why = buf_fixed(memory, sizeof memory);
  struct buf headers = buf_new(WIRE_REQUEST_HEADERS_MAX), body = buf_new(FETCHES_BODY_MAX);
  enum result r = fill_headers(t, &headers, &why);
  if (r == RESULT_OK) r = fill_body(t, &body, &why);
  if (r == RESULT_OK) r = contacts_contact(&t->owner->outside, &t->to);
  if (r == RESULT_OK) r = send_request(t, buf_span(&headers), buf_span(&body));
  buf_free(&headers);
  buf_free(&body);
  if (r != RESULT_OK) fail(t, r, buf_span(&why));
}

/* ---- redirects ---- */

/* Drops headers: those of the body, or those that may not go where the request goes now. */
static void drop_headers(struct fetch *t, bool of_body, bool of_origin) {
  const struct fetches *f = t->owner;
  struct buf kept = buf_new(HEADERS_MAX);
  struct cursor c = cursor_of(buf_span(&t->headers));
  struct span name, value;
  while (c.rest.len > 0 && wire_get_header(&c, &name, &value)) {
    const uint32_t secrets = placeholders_in(value, f->secrets, f->secret_count);
    const bool drop = (of_body && fetch_rules_of_body(name)) ||
                      (of_origin && (fetch_rules_of_origin(name) || kept_back(f, secrets, &t->to) != 0));
    if (!drop) wire_put_header(&kept, name, value);
  }
  buf_free(&t->headers);
  t->headers = kept;
}

static enum result judge_redirect(const struct fetch *t, struct span location, struct url *to, struct buf *why) {
  if (t->hops == FETCHES_REDIRECTS) return RESULT_FETCH_REDIRECTS;
  const enum result r = judge_url(t->owner, location, to, why);
  if (r != RESULT_OK || !to->plain || t->to.plain) return r;
  buf_put_text(why, "a redirect from https to http is not followed");
  return RESULT_FETCH_FORBIDDEN;
}

/* `location` is tidy, and becomes the fetch's URL. */
static enum result redirect(struct fetch *t, uint32_t status, struct buf *location, struct buf *why) {
  struct url to;
  enum result r = judge_redirect(t, buf_span(location), &to, why);
  if (r != RESULT_OK) return r;
  const bool other_origin = !url_same_origin(&t->to, &to);
  const bool get = fetch_rules_becomes_get(status, buf_span(&t->method));
  t->hops++;
  buf_free(&t->url);
  t->url = *location;
  *location = buf_new(0);
  t->to = to;
  if (get) {
    buf_clear(&t->method);
    buf_put_text(&t->method, "GET");
    buf_free(&t->body);
    t->body = buf_new(0);
  }
  drop_headers(t, get, other_origin);
  return t->headers.bad || t->method.bad ? RESULT_NO_MEMORY : RESULT_OK;
}

static void follow(struct fetch *t, const struct wire_response *m) {
  uint8_t memory[WHY_MAX];
  struct buf why = buf_fixed(memory, sizeof memory), location = buf_new(URL_MAX);
  url_tidy(m->location, &location);
  enum result r = location.bad ? RESULT_FETCH_INVALID : redirect(t, m->status, &location, &why);
  buf_free(&location);
  if (r == RESULT_OK)
    begin(t);
  else
    fail(t, r, buf_span(&why));
}

/* ---- responses ---- */

/* The secrets that are looked for: what this request carried, and what others of the job have told this host. */
static uint32_t told(const struct fetch *t) {
  const struct fetches *f = t->owner;
  return t->sent | (f->sent & ~kept_back(f, f->sent, &t->to));
}

static void put_response_headers(const struct fetch *t, struct span headers, struct buf *out) {
  const struct fetches *f = t->owner;
  struct buf masked = buf_new(HEADERS_MAX);
  struct cursor c = cursor_of(headers);
  struct span name, value;
  while (c.rest.len > 0 && wire_get_header(&c, &name, &value)) {
    const bool secret = placeholders_values_in(name, f->secrets, f->secret_count, told(t)) != 0;
    if (secret || !fetch_rules_response_header(name, value)) continue;
    buf_clear(&masked);
    placeholders_mask(&masked, value, f->secrets, f->secret_count, told(t));
    if (masked.bad) out->bad = true;
    wire_put_header(out, name, buf_span(&masked));
  }
  buf_free(&masked);
}

static void hand_over(struct fetch *t, const struct wire_response *m) {
  struct buf headers = buf_new(WIRE_REQUEST_HEADERS_MAX);
  put_response_headers(t, m->headers, &headers);
  if (headers.bad) {
    fail(t, RESULT_FETCH_HEADERS, span_of(NULL, 0));
  } else {
    end(t, &(struct wire_fetched){.result = RESULT_OK,
                                  .status = m->status,
                                  .redirected = t->hops > 0,
                                  .url = buf_span(&t->url),
                                  .headers = buf_span(&headers),
                                  .body = m->body});
  }
  buf_free(&headers);
}

/* `m` has the body that the script may see, and which the receipt vouches for: a hash of the other one would let a
 * script try out what a short secret is. */
static void take_response(struct fetch *t, const struct wire_response *m) {
  note(t, (enum result)m->result, m->status, m->body);
  const bool redirected = fetch_rules_redirects(m->status) && m->location.len > 0;
  if (m->result != RESULT_OK)
    fail(t, (enum result)m->result, m->error);
  else if (!redirected || t->redirect == WIRE_REDIRECT_MANUAL)
    hand_over(t, m);
  else if (t->redirect == WIRE_REDIRECT_ERROR)
    fail(t, RESULT_FETCH_REDIRECTS, span_text("the server redirects, which the request does not allow"));
  else
    follow(t, m);
}

static void on_response(void *context, const struct wire_response *m) {
  struct fetch *t = context;
  const struct fetches *f = t->owner;
  struct wire_response seen = *m;
  struct buf masked = buf_new(FETCHES_RESPONSE_MAX);
  if (placeholders_values_in(m->body, f->secrets, f->secret_count, told(t)) != 0) {
    placeholders_mask(&masked, m->body, f->secrets, f->secret_count, told(t));
    seen.body = buf_span(&masked);
  }
  if (masked.bad) seen = (struct wire_response){.result = RESULT_FETCH_RESPONSE};
  take_response(t, &seen);
  buf_free(&masked);
}

/* ---- what is asked ---- */

/* One at a time: its end may be the end of all. */
static void on_begin(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct fetches *f = context;
  struct fetch *t = f->first;
  while (t != NULL && t->under_way) t = t->next;
  if (t == NULL || f->under_way == FETCHES_AT_ONCE) return;
  t->under_way = true;
  f->under_way++;
  event_active(f->begin, EV_TIMEOUT, 1);
  begin(t);
}

static enum result judge_body(const struct fetch *t) {
  const struct span method = buf_span(&t->method);
  if (t->body.len > 0 && (span_is(method, "GET") || span_is(method, "HEAD"))) return RESULT_FETCH_INVALID;
  return RESULT_OK;
}

static enum result judge(struct fetch *t, const struct wire_fetch *m, struct buf *why) {
  struct fetches *f = t->owner;
  if (++f->asked > FETCHES_MAX) {
    f->asked = FETCHES_MAX + 1;
    return RESULT_FETCH_TOO_MANY;
  }
  if (m->body.len > FETCHES_BODY_MAX) return RESULT_FETCH_BODY;
  if (m->redirect > WIRE_REDIRECT_MANUAL) return RESULT_FETCH_INVALID;
  enum result r = fetch_rules_method(m->method);
  if (r == RESULT_OK) r = judge_url(f, m->url, &(struct url){0}, why);
  if (r == RESULT_OK) r = fetch_rules_request_headers(m->headers, &t->headers, why);
  if (r != RESULT_OK) return r;
  buf_put_span(&t->method, m->method);
  buf_put_span(&t->url, m->url);
  buf_put_span(&t->body, m->body);
  if (t->method.bad || t->url.bad || t->body.bad) return RESULT_NO_MEMORY;
  r = url_read(buf_span(&t->url), &t->to);
  return r == RESULT_OK ? judge_body(t) : r;
}

/* Half a minute, or what the job has left. */
static enum result set_deadline(struct fetch *t) {
  const uint64_t now = clock_monotonic_ns(), longest = now + FETCHES_TIMEOUT_MS * UINT64_C(1000000);
  t->deadline_ns = t->owner->deadline_ns < longest ? t->owner->deadline_ns : longest;
  const uint32_t ms = left_ms(t);
  const struct timeval in = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
  t->deadline = evtimer_new(t->owner->base, on_deadline, t);
  return t->deadline != NULL && evtimer_add(t->deadline, &in) == 0 ? RESULT_OK : RESULT_NO_MEMORY;
}

static struct fetch *append(struct fetches *f) {
  struct fetch *t = calloc(1, sizeof *t);
  if (t == NULL) return NULL;
  struct fetch **at = &f->first;
  while (*at != NULL) at = &(*at)->next;
  *at = t;
  t->owner = f;
  t->method = buf_new(FETCH_METHOD_MAX);
  t->url = buf_new(URL_MAX);
  t->headers = buf_new(HEADERS_MAX);
  t->body = buf_new(FETCHES_BODY_MAX);
  return t;
}

enum result fetches_ask(struct fetches *f, const struct wire_fetch *fetch) {
  uint8_t memory[WHY_MAX];
  struct buf why = buf_fixed(memory, sizeof memory);
  struct fetch *t = append(f);
  if (t == NULL) return RESULT_NO_MEMORY;
  t->number = fetch->number;
  t->redirect = fetch->redirect;
  enum result r = judge(t, fetch, &why);
  if (r == RESULT_OK) r = set_deadline(t);
  if (r == RESULT_OK)
    event_active(f->begin, EV_TIMEOUT, 1);
  else
    fail(t, r, buf_span(&why));
  return RESULT_OK;
}

void fetches_abort(struct fetches *f, uint32_t number) {
  struct fetch *t = f->first;
  while (t != NULL && t->number != number) t = t->next;
  if (t == NULL) return; /* its answer is on its way */
  break_off(t, RESULT_CANCELLED);
  take_out(t);
  free_fetch(t);
}

bool fetches_are_open(const struct fetches *f) {
  return f->first != NULL;
}

/* ---- the whole ---- */

bool fetches_put_summary(const struct fetches *f, struct buf *b) {
  struct buf lines = buf_new((size_t)FETCHES_AT_ONCE * (URL_MAX + 256));
  size_t count = 0;
  for (const struct fetch *t = f->first; t != NULL; t = t->next) {
    if (t->ticket == 0) continue;
    contacts_put_line(&lines, buf_span(&t->method), buf_span(&t->url), RESULT_CANCELLED, 0, span_of(NULL, 0));
    count++;
  }
  const bool any = f->outside.line_count + count > 0;
  if (lines.bad) b->bad = true;
  if (any) contacts_put(&f->outside, buf_span(&lines), count, b);
  buf_free(&lines);
  return any;
}

/* Moves a span to memory that has room for it. */
static void keep(struct buf *memory, struct span *s) {
  const size_t before = memory->len;
  buf_put_span(memory, *s);
  *s = buf_since(memory, before);
}

static enum result keep_all(struct fetches *f, const struct fetches_setup *setup, const struct fetches_job *job) {
  size_t size = setup->operator_hosts.len + job->hosts.len;
  for (size_t i = 0; i < job->secret_count; i++) {
    const struct fetch_secret *s = &job->secrets[i];
    size += s->name.len + s->placeholder.len + s->value.len + s->hosts.len;
  }
  /* All of it at once: what is appended later does not move what is there. */
  f->memory = buf_new(size);
  if (size > 0 && buf_extend(&f->memory, size) == NULL) return RESULT_NO_MEMORY;
  f->memory.len = 0;
  if (job->secret_count > 0) f->secrets = calloc(job->secret_count, sizeof f->secrets[0]);
  if (job->secret_count > 0 && f->secrets == NULL) return RESULT_NO_MEMORY;
  keep(&f->memory, &f->operator_hosts);
  keep(&f->memory, &f->hosts);
  for (; f->secret_count < job->secret_count; f->secret_count++) {
    struct fetch_secret *s = &f->secrets[f->secret_count];
    *s = job->secrets[f->secret_count];
    keep(&f->memory, &s->name);
    keep(&f->memory, &s->placeholder);
    keep(&f->memory, &s->value);
    keep(&f->memory, &s->hosts);
  }
  return f->memory.bad ? RESULT_NO_MEMORY : RESULT_OK;
}

enum result fetches_new(const struct fetches_setup *setup, const struct fetches_job *job, struct fetches **out) {
  if (job->secret_count > PLACEHOLDERS_MAX) return RESULT_TOO_MANY_SECRETS;
  struct fetches *f = calloc(1, sizeof *f);
  if (f == NULL) return RESULT_NO_MEMORY;
  f->base = setup->base;
  f->outlet = setup->outlet;
  f->allow_http = setup->allow_http;
  memcpy(f->user, job->user, sizeof f->user);
  f->operator_hosts = setup->operator_hosts;
  f->hosts = job->hosts;
  f->deadline_ns = job->deadline_ns;
  f->answer = job->answer;
  f->context = job->context;
  f->outside = contacts_new();
  f->begin = event_new(setup->base, -1, 0, on_begin, f);
  enum result r = f->begin == NULL ? RESULT_NO_MEMORY : keep_all(f, setup, job);
  if (r == RESULT_OK) {
    *out = f;
    f = NULL;
  }
  fetches_free(f);
  return r;
}

void fetches_free(struct fetches *f) {
  if (f == NULL) return;
  for (struct fetch *t = f->first, *next; t != NULL; t = next) {
    next = t->next;
    if (t->ticket != 0) outlet_forget(f->outlet, t->ticket);
    free_fetch(t);
  }
  if (f->begin != NULL) event_free(f->begin);
  free(f->secrets);
  buf_free(&f->memory);
  contacts_free(&f->outside);
  free(f);
}
