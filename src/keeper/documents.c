#include "keeper/documents.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/url.h"

#define VALIDATOR_MAX 256u /* bytes; a longer one is as good as none */

/* One file. */
struct document {
  struct documents *owner;
  struct document *next;
  struct buf target, body, etag, modified;
  uint32_t max;
  bool have;         /* body is what the store has, or had */
  uint64_t fresh_ms; /* until then nobody asks */
  uint64_t used;     /* for the choice of what to give up */
  size_t waits;
  /* while it is asked for */
  bool asking, tried;
  uint64_t ticket, since_ms;
  struct event *timer; /* the end of the time, or the second try */
};

/* Somebody who wants one. */
struct document_wait {
  struct document *document;
  struct document_wait *next;
  documents_answer *answer;
  void *context;
  bool due;
  enum result result;
};

struct documents {
  struct event_base *base;
  struct outlet *outlet;
  struct buf url; /* memory of `to` */
  struct url to;
  struct document *first;
  struct document_wait *waits;
  uint64_t uses;
  struct event *hand_out;
};

/* ---- what is kept ---- */

static void free_document(struct document *t) {
  if (t->ticket != 0) outlet_forget(t->owner->outlet, t->ticket);
  if (t->timer != NULL) event_free(t->timer);
  buf_free(&t->target);
  buf_free(&t->body);
  buf_free(&t->etag);
  buf_free(&t->modified);
  free(t);
}

static void give_up(struct documents *d, struct document *t) {
  struct document **at = &d->first;
  while (*at != t) at = &(*at)->next;
  *at = t->next;
  free_document(t);
}

/* The one to be given up first: what the store does not have, then what was wanted longest ago. */
static struct document *least(struct documents *d) {
  struct document *least = NULL;
  for (struct document *t = d->first; t != NULL; t = t->next) {
    if (t->waits > 0) continue;
    if (!t->have) return t;
    if (least == NULL || t->used < least->used) least = t;
  }
  return least;
}

static void trim(struct documents *d) {
  for (;;) {
    size_t count = 0, bytes = 0;
    for (const struct document *t = d->first; t != NULL; t = t->next) {
      count++;
      bytes += t->body.len;
    }
    struct document *t = least(d);
    if (t == NULL || (t->have && count <= DOCUMENTS_MAX && bytes <= DOCUMENTS_BYTES)) return;
    give_up(d, t);
  }
}

size_t documents_count(const struct documents *d) {
  size_t count = 0;
  for (const struct document *t = d->first; t != NULL; t = t->next) count++;
  return count;
}

/* ---- who waits ---- */

static void take_wait(struct document_wait *w) {
  struct documents *d = w->document->owner;
  struct document_wait **at = &d->waits;
  while (*at != w) at = &(*at)->next;
  *at = w->next;
  w->document->waits--;
}

static void settle_wait(struct document_wait *w, enum result result) {
  w->due = true;
  w->result = result;
  event_active(w->document->owner->hand_out, EV_TIMEOUT, 1);
}

/* One at a time: an answer may begin and cancel others. The document stays as long as the call. */
static void on_hand_out(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct documents *d = context;
  struct document_wait *w = d->waits;
  while (w != NULL && !w->due) w = w->next;
  if (w == NULL) {
    trim(d);
    return;
  }
  event_active(d->hand_out, EV_TIMEOUT, 1);
  struct document *t = w->document;
  take_wait(w);
  t->waits++;
  /* It may have been asked for again since, and be no more. */
  if (w->result == RESULT_OK && !t->have) w->result = RESULT_SCRIPT_STORE_UNAVAILABLE;
  w->answer(w->context, w->result, w->result == RESULT_OK ? buf_span(&t->body) : span_of(NULL, 0));
  t->waits--;
  free(w);
}

void documents_cancel(struct document_wait *wait) {
  struct documents *d = wait->document->owner;
  take_wait(wait);
  free(wait);
  event_active(d->hand_out, EV_TIMEOUT, 1); /* to trim */
}

/* ---- asking ---- */

static void settle(struct document *t, enum result result) {
  t->asking = false;
  event_del(t->timer);
  for (struct document_wait *w = t->owner->waits; w != NULL; w = w->next)
    if (w->document == t && !w->due) settle_wait(w, result);
}

static void forget_body(struct document *t) {
  t->have = false;
  t->fresh_ms = 0;
  buf_clear(&t->body);
  buf_clear(&t->etag);
  buf_clear(&t->modified);
}

static uint32_t left_ms(const struct document *t) {
  const uint64_t gone = clock_monotonic_ms() - t->since_ms;
  return gone >= DOCUMENTS_TIMEOUT_MS ? 0 : DOCUMENTS_TIMEOUT_MS - (uint32_t)gone;
}

static void wake_in(struct document *t, uint32_t ms) {
  const struct timeval in = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
  if (evtimer_add(t->timer, &in) != 0) settle(t, RESULT_NO_MEMORY);
}

static void on_response(void *context, const struct wire_response *m);

static void put_request_headers(const struct document *t, struct buf *b) {
  wire_put_header(b, span_text("accept"), span_text("*/*"));
  if (t->have && t->etag.len > 0) wire_put_header(b, span_text("if-none-match"), buf_span(&t->etag));
  if (t->have && t->modified.len > 0) wire_put_header(b, span_text("if-modified-since"), buf_span(&t->modified));
  wire_put_header(b, span_text("user-agent"), span_text("neocompute/" NEOCOMPUTE_VERSION));
}

static void ask(struct document *t) {
  struct documents *d = t->owner;
  struct buf headers = buf_new(4096);
  put_request_headers(t, &headers);
  struct wire_request m = {.flags = WIRE_REQUEST_OPERATOR | (d->to.plain ? WIRE_REQUEST_PLAIN : 0),
                           .port = d->to.port,
                           .timeout_ms = left_ms(t),
                           .response_max = t->max,
                           .method = span_text("GET"),
                           .host = d->to.host,
                           .target = buf_span(&t->target),
                           .headers = buf_span(&headers)};
  const enum result r = headers.bad ? RESULT_NO_MEMORY : outlet_ask(d->outlet, &m, on_response, t, &t->ticket);
  buf_free(&headers);
  if (r != RESULT_OK)
    settle(t, r);
  else
    wake_in(t, left_ms(t));
}

static void on_timer(evutil_socket_t fd, short what, void *context) {
  (void)fd, (void)what;
  struct document *t = context;
  if (t->ticket == 0 && left_ms(t) > 0) {
    ask(t);
    return;
  }
  outlet_forget(t->owner->outlet, t->ticket);
  t->ticket = 0;
  settle(t, RESULT_SCRIPT_STORE_UNAVAILABLE);
}

/* ---- answers ---- */

static bool is_header(struct span name, const char *wanted) {
  return name.len == strlen(wanted) && strncasecmp((const char *)name.data, wanted, name.len) == 0;
}

/* The first header of that name; empty if there is none. */
static struct span header(struct span headers, const char *wanted) {
  struct cursor c = cursor_of(headers);
  struct span name, value;
  while (c.rest.len > 0 && wire_get_header(&c, &name, &value))
    if (is_header(name, wanted)) return value;
  return span_of(NULL, 0);
}

static bool begins(struct span text, const char *with) {
  return text.len >= strlen(with) && strncasecmp((const char *)text.data, with, strlen(with)) == 0;
}

/* max-age of Cache-Control (RFC 9111 §5.2.2), up to our own bound; nothing beside a directive that forbids it. */
static uint32_t fresh_for_ms(struct span control) {
  uint64_t seconds = 0;
  while (control.len > 0) {
    const uint8_t *comma = memchr(control.data, ',', control.len);
    size_t len = comma == NULL ? control.len : (size_t)(comma - control.data);
    struct span word = span_of(control.data, len);
    control = comma == NULL ? span_of(NULL, 0) : span_of(comma + 1, control.len - len - 1);
    while (word.len > 0 && (word.data[0] == ' ' || word.data[0] == '\t')) word = span_of(word.data + 1, word.len - 1);
    while (word.len > 0 && (word.data[word.len - 1] == ' ' || word.data[word.len - 1] == '\t')) word.len--;
    if (begins(word, "no-store") || begins(word, "no-cache")) return 0;
    if (!begins(word, "max-age=")) continue;
    if (text_u64(span_of(word.data + 8, word.len - 8), 0, UINT32_MAX, &seconds) != RESULT_OK) return 0;
  }
  return seconds >= DOCUMENTS_FRESH_MS / 1000 ? DOCUMENTS_FRESH_MS : (uint32_t)seconds * 1000;
}

/* A validator goes back into a header: nothing but visible ASCII and blanks, as one was sent. */
static void keep_validator(struct buf *b, struct span value) {
  buf_clear(b);
  for (size_t i = 0; i < value.len; i++)
    if (value.data[i] < ' ' || value.data[i] > 0x7e) return;
  buf_put_span(b, value);
  if (b->bad) buf_clear(b);
}

static enum result keep(struct document *t, const struct wire_response *m) {
  forget_body(t);
  if (begins(header(m->headers, "content-type"), "text/html") ||
      begins(header(m->headers, "content-type"), "application/xhtml"))
    return RESULT_SCRIPT_STORE_INVALID;
  buf_put_span(&t->body, m->body);
  if (t->body.bad) {
    forget_body(t);
    return RESULT_NO_MEMORY;
  }
  t->have = true;
  keep_validator(&t->etag, header(m->headers, "etag"));
  keep_validator(&t->modified, header(m->headers, "last-modified"));
  return RESULT_OK;
}

static enum result take(struct document *t, const struct wire_response *m) {
  enum result r = RESULT_SCRIPT_STORE_UNAVAILABLE;
  if (m->result == RESULT_FETCH_RESPONSE) r = RESULT_SCRIPT_TOO_LARGE;
  if (m->result != RESULT_OK) return r;
  if (m->status == 200) r = keep(t, m);
  if (m->status == 304) r = t->have ? RESULT_OK : RESULT_SCRIPT_STORE_INVALID;
  if (m->status == 404) r = RESULT_SCRIPT_NOT_FOUND;
  if (r == RESULT_SCRIPT_NOT_FOUND) forget_body(t);
  t->fresh_ms = r == RESULT_OK ? clock_monotonic_ms() + fresh_for_ms(header(m->headers, "cache-control")) : 0;
  return r;
}

/* What may be better in a moment. */
static bool is_transient(const struct wire_response *m) {
  if (m->result != RESULT_OK) return m->result == RESULT_FETCH_FAILED || m->result == RESULT_FETCH_TIMEOUT;
  return m->status >= 500 || m->status == 429;
}

static void on_response(void *context, const struct wire_response *m) {
  struct document *t = context;
  t->ticket = 0;
  if (is_transient(m) && !t->tried && left_ms(t) > DOCUMENTS_RETRY_MS) {
    t->tried = true;
    wake_in(t, DOCUMENTS_RETRY_MS);
    return;
  }
  settle(t, take(t, m));
}

/* ---- what is wanted ---- */

static struct document *find(struct documents *d, struct span path) {
  for (struct document *t = d->first; t != NULL; t = t->next) {
    const struct span target = buf_span(&t->target);
    if (target.len < path.len || target.len - path.len != d->to.target.len) continue;
    if (span_equal(span_of(target.data + d->to.target.len, path.len), path)) return t;
  }
  return NULL;
}

static struct document *add(struct documents *d, struct span path, uint32_t max) {
  struct document *t = calloc(1, sizeof *t);
  if (t == NULL) return NULL;
  t->owner = d;
  t->max = max;
  t->target = buf_new(URL_MAX);
  t->body = buf_new(max);
  t->etag = buf_new(VALIDATOR_MAX);
  t->modified = buf_new(VALIDATOR_MAX);
  buf_put_span(&t->target, d->to.target);
  buf_put_span(&t->target, path);
  t->timer = evtimer_new(d->base, on_timer, t);
  if (t->target.bad || t->timer == NULL) {
    free_document(t);
    return NULL;
  }
  t->next = d->first;
  d->first = t;
  return t;
}

static void refresh(struct document *t) {
  if (t->asking) return;
  t->asking = true;
  t->tried = false;
  t->since_ms = clock_monotonic_ms();
  ask(t);
}

enum result documents_want(struct documents *d, struct span path, uint32_t max, documents_answer *answer, void *context,
                           struct document_wait **out) {
  struct document *t = find(d, path);
  if (t == NULL) t = add(d, path, max);
  struct document_wait *w = t == NULL ? NULL : calloc(1, sizeof *w);
  if (w == NULL) return RESULT_NO_MEMORY;
  *w = (struct document_wait){.document = t, .next = d->waits, .answer = answer, .context = context};
  d->waits = w;
  t->waits++;
  t->used = ++d->uses;
  *out = w;
  if (t->have && !t->asking && clock_monotonic_ms() < t->fresh_ms)
    settle_wait(w, RESULT_OK);
  else
    refresh(t);
  return RESULT_OK;
}

/* ---- the whole ---- */

/* Without the slash at its end, which every path begins with. */
static enum result read_base(struct documents *d, const char *base_url) {
  buf_put_text(&d->url, base_url);
  if (d->url.len > 0 && d->url.data[d->url.len - 1] != '/') buf_put_u8(&d->url, '/');
  if (d->url.bad || url_read(buf_span(&d->url), &d->to) != RESULT_OK) return RESULT_CONFIG_INVALID;
  if (memchr(d->to.target.data, '?', d->to.target.len) != NULL) return RESULT_CONFIG_INVALID;
  d->to.target.len--;
  return RESULT_OK;
}

enum result documents_new(struct event_base *base, struct outlet *outlet, const char *base_url,
                          struct documents **out) {
  struct documents *d = calloc(1, sizeof *d);
  if (d == NULL) return RESULT_NO_MEMORY;
  d->base = base;
  d->outlet = outlet;
  d->url = buf_new(URL_MAX);
  d->hand_out = event_new(base, -1, 0, on_hand_out, d);
  const enum result r = d->hand_out == NULL ? RESULT_NO_MEMORY : read_base(d, base_url);
  if (r == RESULT_OK) {
    *out = d;
    d = NULL;
  }
  documents_free(d);
  return r;
}

void documents_free(struct documents *d) {
  if (d == NULL) return;
  for (struct document_wait *w = d->waits, *next; w != NULL; w = next) {
    next = w->next;
    free(w);
  }
  for (struct document *t = d->first, *next; t != NULL; t = next) {
    next = t->next;
    free_document(t);
  }
  if (d->hand_out != NULL) event_free(d->hand_out);
  buf_free(&d->url);
  free(d);
}
