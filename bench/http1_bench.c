/*
 * What the HTTP/1.1 codec takes, without sockets: `http1_bench` prints one JSON object. Nanoseconds of a POST with its
 * reply, as bytes that arrive in one piece and leave in one; bytes of heap of a connection that is idle, and of one
 * whose request is held.
 */
#include <malloc.h>
#include <time.h>

#include "http/codec.h"

#define REQUESTS 200000
#define CROWD 1000

#define POST(body_len)                                                                           \
  "POST /execute HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n" \
  "Content-Type: application/json\r\nX-User-ID: user-1\r\nContent-Length: " #body_len "\r\n\r\n"

static const char request[] = POST(67) "{\"script\":\"function main(i){return {sum:i.a+i.b}}\",\"input\":{\"a\":1}}";
static const char reply[] =
    "{\"job_id\":\"01931f6c-0000-7000-8000-000000000000\",\"status\":\"completed\",\"output\":{\"sum\":3},\"gas_used\":"
    "1}";

static struct http_exchange *held[CROWD];
static size_t held_count;
static bool hold;

static void on_request(void *context, struct http_exchange *x) {
  (void)context;
  static const char type[] = "application/json";
  const struct http_field field = {span_text("Content-Type"), span_of(type, sizeof type - 1)};
  if (hold)
    held[held_count++] = x;
  else
    http_reply(x, 200, &field, 1, span_of(reply, sizeof reply - 1));
}

static void on_gone(void *context, struct http_exchange *x) {
  (void)context, (void)x;
}

static void on_refusal(void *context, enum result why, struct buf *body, const char **media_type) {
  (void)context, (void)body, (void)media_type;
  fprintf(stderr, "http1_bench: refused: %s\n", result_name(why));
  exit(1);
}

static bool on_reserve(void *context, size_t bytes) {
  (void)context, (void)bytes;
  return true;
}

static void on_release(void *context, size_t bytes) {
  (void)context, (void)bytes;
}

static void on_wake(void *connection) {
  (void)connection;
}

static const struct codec_events events = {NULL, on_request, on_gone, on_refusal, on_reserve, on_release};
static const struct http_limits limits = {.head_bytes = 16384, .body_bytes = 1310720};

static struct codec *connect_one(void) {
  static struct http_peer peer;
  struct codec *c = NULL;
  if (http1_new(&events, &limits, &peer, NULL, on_wake, &c) != RESULT_OK) exit(1);
  return c;
}

static double ns_per_request(void) {
  struct timespec start, end;
  struct codec *c = connect_one();
  struct buf out = buf_new(1u << 20);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
  for (int i = 0; i < REQUESTS; i++) {
    buf_clear(&out);
    c->ops->receive(c, span_of(request, sizeof request - 1));
    c->ops->produce(c, &out, 65536);
    if (out.len < sizeof reply) exit(1);
  }
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
  c->ops->free(c);
  buf_free(&out);
  return ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) / REQUESTS;
}

int main(void) {
  static struct codec *crowd[CROWD];
  double ns = ns_per_request();
  size_t before = mallinfo2().uordblks;
  for (size_t i = 0; i < CROWD; i++) crowd[i] = connect_one();
  size_t idle = mallinfo2().uordblks;
  hold = true;
  for (size_t i = 0; i < CROWD; i++) crowd[i]->ops->receive(crowd[i], span_of(request, sizeof request - 1));
  size_t busy = mallinfo2().uordblks;
  for (size_t i = 0; i < CROWD; i++) crowd[i]->ops->free(crowd[i]);
  printf("{\"ns_per_request\":%.0f,\"idle_bytes\":%zu,\"held_bytes\":%zu}\n", ns, (idle - before) / CROWD,
         (busy - before) / CROWD);
  return held_count == CROWD ? 0 : 1;
}
