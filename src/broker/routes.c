#include "broker/state.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "broker/metrics.h"

/* ---- the routes ---- */

struct route {
  const char *method, *path; /* {} stands for one segment */
  enum metrics_route label;
  bool open; /* nobody is asked who they are */
  void (*handle)(struct call *call);
};

static const struct route routes[] = {
    {"POST", "/execute", METRICS_ROUTE_EXECUTE, false, execute_post},
    {"GET", "/jobs", METRICS_ROUTE_JOBS, false, records_list},
    {"GET", "/jobs/{}", METRICS_ROUTE_JOB, false, records_get},
    {"DELETE", "/jobs/{}", METRICS_ROUTE_JOB, false, records_delete},
    {"GET", "/jobs/{}/events", METRICS_ROUTE_EVENTS, false, events_get},
    {"GET", "/secrets", METRICS_ROUTE_SECRETS, false, secrets_list},
    {"PUT", "/secrets/{}", METRICS_ROUTE_SECRETS, false, secrets_put},
    {"DELETE", "/secrets/{}", METRICS_ROUTE_SECRETS, false, secrets_delete},
    {"GET", "/secrets/{}/audit", METRICS_ROUTE_SECRETS, false, secrets_audit},
    {"PUT", "/secrets/{}/policy", METRICS_ROUTE_SECRETS, false, secrets_policy},
    {"GET", "/attestation", METRICS_ROUTE_ATTESTATION, true, attestation_get},
    {"GET", "/attestation/{}", METRICS_ROUTE_ATTESTATION, true, attestation_earlier},
    {"GET", "/health", METRICS_ROUTE_HEALTH, true, about_health},
    {"GET", "/ready", METRICS_ROUTE_READY, true, about_ready},
    {"GET", "/info", METRICS_ROUTE_INFO, true, about_info},
};

/* Whatever else may be read is a file that is part of the program, or is not there. */
static const struct route files = {"GET", "", METRICS_ROUTE_OTHER, true, about_asset};

static const struct route metrics_routes[] = {
    {"GET", "/metrics", METRICS_ROUTE_METRICS, true, about_metrics},
    {"GET", "/health", METRICS_ROUTE_HEALTH, true, about_health},
    {"GET", "/ready", METRICS_ROUTE_READY, true, about_ready},
};

/* The part of `path` up to the next '/', taken off. */
static struct span take_segment(struct span *path) {
  size_t len = 0;
  while (len < path->len && path->data[len] != '/') len++;
  struct span segment = span_of(path->data, len);
  size_t taken = len < path->len ? len + 1 : len;
  *path = span_of(path->data + taken, path->len - taken);
  return segment;
}

static bool route_matches(const struct route *route, struct span path, struct span *parameter) {
  struct span pattern = span_text(route->path);
  if (path.data[path.len - 1] == '/') return false; /* "/jobs/" is not "/jobs" */
  while (pattern.len > 0 && path.len > 0) {
    struct span want = take_segment(&pattern), have = take_segment(&path);
    bool wild = span_is(want, "{}");
    if (wild && have.len == 0) return false;
    if (wild) *parameter = have;
    if (!wild && !span_equal(want, have)) return false;
  }
  return pattern.len == 0 && path.len == 0;
}

/* HEAD is GET whose body the server leaves out. */
static bool method_is(struct span method, const char *want) {
  return span_is(method, want) || (span_is(method, "HEAD") && strcmp(want, "GET") == 0);
}

/* The route, or why there is none. */
static enum result find_route(struct call *call) {
  const struct http_request *request = call_request(call);
  enum result why = RESULT_NOT_FOUND;
  for (size_t i = 0; i < call->table.count; i++) {
    const struct route *route = &call->table.routes[i];
    if (!route_matches(route, request->path, &call->parameter)) continue;
    call->route = route;
    if (method_is(request->method, route->method)) return RESULT_OK;
    why = RESULT_METHOD_NOT_ALLOWED;
  }
  if (why == RESULT_METHOD_NOT_ALLOWED || !method_is(request->method, "GET")) return why;
  call->route = &files;
  return RESULT_OK;
}

/* The methods of the routes that match, for Allow. */
static void put_methods(struct buf *b, const struct call *call) {
  struct span parameter;
  for (size_t i = 0; i < call->table.count; i++) {
    const struct route *route = &call->table.routes[i];
    if (!route_matches(route, call_request(call)->path, &parameter)) continue;
    if (b->len > 0) buf_put_text(b, ", ");
    buf_put_text(b, route->method);
    if (strcmp(route->method, "GET") == 0) buf_put_text(b, ", HEAD");
  }
}

/* ---- a call's life ---- */

static struct call *call_new(struct broker *b, struct http_exchange *x) {
  struct call *call = calloc(1, sizeof *call);
  if (call == NULL) return NULL;
  call->broker = b;
  call->exchange = x;
  call->began_ns = clock_monotonic_ns();
  if (trace_read(http_request_of(x), &call->trace) != RESULT_OK) {
    free(call);
    return NULL;
  }
  http_set_user(x, call);
  b->calls++;
  return call;
}

static void call_free_if_done(struct call *call) {
  if (call->exchange != NULL || call->references > 0) return;
  free(call->list_ids);
  buf_free(&call->held);
  free(call);
}

void call_hold(struct call *call) {
  call->references++;
}

bool call_drop(struct call *call) {
  call->references--;
  bool here = call->exchange != NULL;
  call_free_if_done(call);
  return here;
}

const struct http_request *call_request(const struct call *call) {
  return http_request_of(call->exchange);
}

/* One line for each request. Of what the caller sent only the path, which the log quotes and cuts. */
static void log_call(const struct call *call, int status) {
  uint64_t took = clock_monotonic_ns() - call->began_ns;
  enum metrics_route label = call->route != NULL ? call->route->label : METRICS_ROUTE_OTHER;
  metrics_add(METRICS_REQUESTS, metrics_request_label(label, status), 1);
  log_begin(status >= 500 ? LOG_WARN : LOG_INFO, "request");
  log_text("trace_id", span_text(call->trace.id));
  log_text("method", call_request(call)->method);
  log_text("path", call_request(call)->path);
  log_number("status", (uint64_t)status);
  log_number("duration_us", took / 1000);
  log_end();
}

#define FIELDS_MAX 12

static void add_field(struct http_field *fields, size_t *count, const char *name, struct span value) {
  if (*count < FIELDS_MAX && value.len > 0) fields[(*count)++] = (struct http_field){span_text(name), value};
}

static size_t common_fields(const struct call *call, struct http_field fields[FIELDS_MAX], const char *media_type,
                            const struct http_field *more, size_t more_count) {
  size_t count = 0;
  if (media_type != NULL) add_field(fields, &count, "content-type", span_text(media_type));
  count += trace_fields(&call->trace, fields + count);
  add_field(fields, &count, "x-content-type-options", span_text("nosniff"));
  bool cached = false;
  for (size_t i = 0; i < more_count && count < FIELDS_MAX; i++) {
    cached |= span_is(more[i].name, "cache-control");
    fields[count++] = more[i];
  }
  if (!cached) add_field(fields, &count, "cache-control", span_text("no-store"));
  return count;
}

/* The exchange is the server's again. */
static void let_go(struct call *call) {
  call->exchange = NULL;
  call->broker->calls--;
  call_free_if_done(call);
}

void call_reply(struct call *call, int status, const char *media_type, struct span body, const struct http_field *more,
                size_t more_count) {
  struct http_field fields[FIELDS_MAX];
  size_t count = common_fields(call, fields, media_type, more, more_count);
  log_call(call, status);
  http_reply(call->exchange, status, fields, count, body);
  let_go(call);
}

void call_json(struct call *call, int status, struct span body) {
  call_reply(call, status, "application/json", body, NULL, 0);
}

void call_empty(struct call *call, int status) {
  call_reply(call, status, NULL, span_text(""), NULL, 0);
}

/* Seconds after which it makes sense to come again. */
static const char *retry_after(enum result why) {
  static const struct {
    enum result why;
    const char *seconds;
  } table[] = {{RESULT_TOO_MANY_JOBS, "1"}, {RESULT_TOO_MANY_REQUESTS, "1"}, {RESULT_BUSY, "2"},
               {RESULT_STOPPING, "5"},      {RESULT_STORE_UNAVAILABLE, "5"}, {RESULT_PEER_LOST, "5"},
               {RESULT_SECRETS_AWAY, "5"},  {RESULT_EVIDENCE_AWAY, "5"}};
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    if (table[i].why == why) return table[i].seconds;
  }
  return NULL;
}

static uint64_t body_max(const struct call *call) {
  bool secret = call != NULL && call->route != NULL && call->route->label == METRICS_ROUTE_SECRETS;
  return secret ? SECRETS_BODY_MAX : BROKER_BODY_MAX;
}

/* With the limits that are settings of this service. */
static void put_problem(struct buf *body, enum result why, const char *detail, const struct call *call) {
  struct problem_fact fact = {NULL, 0};
  if (why == RESULT_BODY_TOO_LARGE) fact = (struct problem_fact){"limit_bytes", body_max(call)};
  char message[64] = "";
  if (why == RESULT_TOO_MANY_JOBS && call != NULL) {
    fact = (struct problem_fact){"limit", call->broker->per_user};
    snprintf(message, sizeof message, "too many concurrent jobs (max %llu)", (unsigned long long)fact.value);
  }
  const struct problem p = {.why = why,
                            .message = span_text(message),
                            .detail = detail != NULL ? span_text(detail) : span_of(NULL, 0),
                            .trace = call != NULL ? span_text(call->trace.id) : span_of(NULL, 0),
                            .facts = &fact,
                            .fact_count = fact.name != NULL};
  problem_put(body, &p);
}

void call_problem(struct call *call, enum result why, const char *detail) {
  struct buf body = buf_new(4096), allow = buf_new(256);
  struct http_field fields[3];
  size_t count = 0;
  put_problem(&body, why, detail, call);
  if (retry_after(why) != NULL)
    fields[count++] = (struct http_field){span_text("retry-after"), span_text(retry_after(why))};
  if (why == RESULT_UNAUTHORIZED)
    fields[count++] = (struct http_field){span_text("www-authenticate"), span_text("Bearer")};
  if (why == RESULT_METHOD_NOT_ALLOWED) {
    put_methods(&allow, call);
    fields[count++] = (struct http_field){span_text("allow"), buf_span(&allow)};
  }
  call_reply(call, problem_status(why), PROBLEM_MEDIA_TYPE, buf_span(&body), fields, count);
  buf_free(&body);
  buf_free(&allow);
}

/* ---- streams ---- */

void call_stream(struct call *call) {
  struct http_field fields[FIELDS_MAX];
  size_t count = common_fields(call, fields, "text/event-stream", NULL, 0);
  log_call(call, 200);
  http_begin(call->exchange, 200, fields, count);
}

bool call_write(struct call *call, struct span bytes) {
  return http_write(call->exchange, bytes);
}

void call_end(struct call *call) {
  http_end(call->exchange);
  let_go(call);
}

/* ---- the query ---- */

static int hex_digit(uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* Percent-decodes (RFC 3986 §2.1) into a C string; false if it does not fit, is malformed or holds a NUL. */
static bool percent_decode(struct span text, char *out, size_t out_size) {
  size_t len = 0;
  for (size_t i = 0; i < text.len; i++) {
    int c = text.data[i];
    if (c == '%') {
      if (i + 2 >= text.len || hex_digit(text.data[i + 1]) < 0 || hex_digit(text.data[i + 2]) < 0) return false;
      c = hex_digit(text.data[i + 1]) * 16 + hex_digit(text.data[i + 2]);
      i += 2;
    }
    if (c == 0 || len + 1 >= out_size) return false;
    out[len++] = (char)c;
  }
  out[len] = 0;
  return true;
}

bool call_query(const struct call *call, const char *name, char *out, size_t out_size) {
  struct span query = call_request(call)->query;
  size_t name_len = strlen(name);
  while (query.len > 0) {
    size_t len = 0;
    while (len < query.len && query.data[len] != '&') len++;
    struct span pair = span_of(query.data, len);
    size_t taken = len < query.len ? len + 1 : len;
    query = span_of(query.data + taken, query.len - taken);
    if (pair.len <= name_len || pair.data[name_len] != '=' || memcmp(pair.data, name, name_len) != 0) continue;
    if (!percent_decode(span_of(pair.data + name_len + 1, pair.len - name_len - 1), out, out_size))
      snprintf(out, out_size, "?");
    return true;
  }
  return false;
}

bool call_parameter(const struct call *call, char *out, size_t out_size) {
  return percent_decode(call->parameter, out, out_size);
}

/* The media type without its parameters: application/json, whatever its charset says (JSON is UTF-8, RFC 8259 §8.1). */
bool call_brings_json(const struct call *call) {
  static const char want[] = "application/json";
  struct span type = http_field_of(call_request(call), "content-type");
  if (type.len == 0) return true; /* a caller that says nothing (RFC 9110 §8.3) */
  size_t len = 0;
  while (len < type.len && type.data[len] != ';' && type.data[len] != ' ') len++;
  return len == sizeof want - 1 && strncasecmp((const char *)type.data, want, len) == 0;
}

/* ---- what the server calls ---- */

static enum result identify(struct call *call, const char **why) {
  struct auth_caller caller = {{0}, {0}};
  uint64_t now = clock_real_ns() / 1000000000u;
  enum result r = auth_check(call->broker->auth, call_request(call), http_peer_of(call->exchange), now, &caller, why);
  if (r != RESULT_OK) return r;
  snprintf(call->user_id, sizeof call->user_id, "%s", caller.user);
  digest_sha256(span_text(call->user_id), call->user);
  return RESULT_OK;
}

void call_know(struct call *call) {
  const char *why = "";
  (void)!identify(call, &why);
}

/* Who calls; false if the call is answered already. */
static bool authenticate(struct call *call) {
  const char *why = "";
  enum result r = identify(call, &why);
  if (r == RESULT_OK) return true;
  log_begin(LOG_WARN, "refused_caller");
  log_text("trace_id", span_text(call->trace.id));
  log_text("peer", span_text(http_peer_of(call->exchange)->address));
  log_text("reason", span_text(why));
  log_end();
  call_problem(call, r, NULL);
  return false;
}

static void serve(struct broker *b, struct http_exchange *x, struct route_table table) {
  struct call *call = call_new(b, x);
  if (call == NULL) {
    http_reply(x, 503, NULL, 0, span_text(""));
    return;
  }
  call->table = table;
  enum result r = find_route(call);
  if (r != RESULT_OK) {
    call_problem(call, r, NULL);
    return;
  }
  if (call->route->open || authenticate(call)) call->route->handle(call);
}

static void on_request(void *context, struct http_exchange *x) {
  serve(context, x, (struct route_table){routes, sizeof routes / sizeof routes[0]});
}

static void on_metrics_request(void *context, struct http_exchange *x) {
  serve(context, x, (struct route_table){metrics_routes, sizeof metrics_routes / sizeof metrics_routes[0]});
}

static void on_gone(void *context, struct http_exchange *x) {
  (void)context;
  struct call *call = http_user(x);
  if (call == NULL) return;
  if (call->job != NULL) job_leave(call->job, call);
  let_go(call);
}

static void on_refusal(void *context, enum result why, struct buf *body, const char **media_type) {
  (void)context;
  put_problem(body, why, NULL, NULL);
  *media_type = PROBLEM_MEDIA_TYPE;
  metrics_add(METRICS_REQUESTS, metrics_request_label(METRICS_ROUTE_OTHER, problem_status(why)), 1);
}

struct http_handler routes_handler(struct broker *b) {
  return (struct http_handler){.context = b, .request = on_request, .gone = on_gone, .refusal = on_refusal};
}

struct http_handler routes_metrics_handler(struct broker *b) {
  return (struct http_handler){.context = b, .request = on_metrics_request, .gone = on_gone, .refusal = on_refusal};
}
