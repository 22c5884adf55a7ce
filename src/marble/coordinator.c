#include "marble/coordinator.h"

#include <curl/curl.h>

#include "base/text.h"
#include "marble/message.h"

#define BODY_MAX (MESSAGE_MAX + 5u)
#define URL_MAX 512u

bool coordinator_is_address(const char *text) {
  static const char host[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  const bool bracketed = text[0] == '[';
  size_t len = bracketed ? 1 + strspn(text + 1, "0123456789abcdefABCDEF:.") : strspn(text, host);
  uint64_t port;
  if (bracketed && text[len++] != ']') return false;
  return len > 0 && len < 300 && text[len] == ':' && text_u64(span_text(text + len + 1), 1, 65535, &port) == RESULT_OK;
}

/* ---- one exchange ---- */

struct exchange {
  CURL *curl;
  struct curl_slist *headers;
  struct grpc_answer answer;
  struct buf body;
  char url[URL_MAX], problem[CURL_ERROR_SIZE];
};

static size_t on_line(char *data, size_t size, size_t count, void *context) {
  grpc_take_line(context, span_of(data, size * count));
  return size * count;
}

static size_t on_body(char *data, size_t size, size_t count, void *context) {
  struct buf *body = context;
  buf_put(body, data, size * count);
  return body->bad ? 0 : size * count;
}

/* libcurl reads what it is given where it stands: nothing of it is left for us to wipe. */
static struct curl_blob blob(const struct buf *der) {
  return (struct curl_blob){der->data, der->len, CURL_BLOB_NOCOPY};
}

static bool set_tls(CURL *curl, const struct identity *identity) {
  struct curl_blob certificate = blob(&identity->certificate), key = blob(&identity->key);
  return curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L) == CURLE_OK && /* see coordinator.h */
         curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_SSLCERTTYPE, "DER") == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_SSLKEYTYPE, "DER") == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_SSLCERT_BLOB, &certificate) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_SSLKEY_BLOB, &key) == CURLE_OK;
}

static bool set_call(struct exchange *e, const struct coordinator *c, struct span frame) {
  CURL *curl = e->curl;
  snprintf(e->url, sizeof e->url, "https://%s/rpc.Marble/Activate", c->address);
  return curl_easy_setopt(curl, CURLOPT_URL, e->url) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK && /* whatever the environment says */
         curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)frame.len) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_POSTFIELDS, frame.data) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_HTTPHEADER, e->headers) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_line) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_HEADERDATA, &e->answer) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_WRITEDATA, &e->body) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, e->problem) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
         /* Total; 7.88 now and then waits for ever if the answer ends before the request does. */
         curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, c->timeout_ms) == CURLE_OK;
}

static bool prepare(struct exchange *e, const struct coordinator *c, const struct identity *identity,
                    struct span frame) {
  static const char *const lines[] = {"content-type: application/grpc", "te: trailers",
                                      ("user-agent: neocompute/" NEOCOMPUTE_VERSION), "expect:", "accept:"};
  for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
    struct curl_slist *more = curl_slist_append(e->headers, lines[i]);
    if (more == NULL) return false;
    e->headers = more;
  }
  e->curl = curl_easy_init();
  return e->curl != NULL && set_call(e, c, frame) && set_tls(e->curl, identity);
}

static void finish(struct exchange *e) {
  curl_easy_cleanup(e->curl);
  curl_slist_free_all(e->headers);
  buf_free(&e->body);
}

/* ---- what became of it ---- */

/* Nobody there, or gone before the answer. What came so far, or did not come in time, may have counted as an
 * activation: that is not repeated. */
static enum grpc_code of_failure(const struct exchange *e, CURLcode code) {
  static const CURLcode away[] = {CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT, CURLE_GOT_NOTHING,
                                  CURLE_SEND_ERROR,           CURLE_RECV_ERROR,      CURLE_SSL_CONNECT_ERROR};
  curl_off_t connected = 0;
  for (size_t i = 0; i < sizeof away / sizeof away[0]; i++)
    if (code == away[i] && e->answer.http == 0) return GRPC_UNAVAILABLE;
  if (code != CURLE_OPERATION_TIMEDOUT) return GRPC_INTERNAL;
  curl_easy_getinfo(e->curl, CURLINFO_APPCONNECT_TIME_T, &connected);
  return connected == 0 ? GRPC_UNAVAILABLE : GRPC_DEADLINE_EXCEEDED;
}

static enum grpc_code take_body(const struct exchange *e, struct buf *response, struct buf *problem) {
  struct span message;
  if (grpc_get_frame(buf_span(&e->body), &message) == RESULT_OK) {
    buf_put_span(response, message);
    return GRPC_OK;
  }
  buf_put_text(problem, "the answer is not one gRPC message");
  return GRPC_INTERNAL;
}

static enum grpc_code conclude(const struct exchange *e, CURLcode code, struct buf *response, struct buf *problem) {
  long version = 0;
  if (code != CURLE_OK) {
    buf_put_text(problem, e->body.bad          ? "the answer is too large"
                          : e->problem[0] != 0 ? e->problem
                                               : curl_easy_strerror(code));
    return of_failure(e, code);
  }
  curl_easy_getinfo(e->curl, CURLINFO_HTTP_VERSION, &version);
  if (version != CURL_HTTP_VERSION_2_0) {
    buf_put_text(problem, "the peer does not speak HTTP/2");
    return GRPC_INTERNAL;
  }
  const enum grpc_code outcome = grpc_outcome(&e->answer);
  if (outcome == GRPC_OK) return take_body(e, response, problem);
  if (e->answer.has_code)
    buf_put_text(problem, e->answer.message);
  else
    buf_printf(problem, "HTTP status %llu without a gRPC status", (unsigned long long)e->answer.http);
  return outcome;
}

enum grpc_code coordinator_ask(const struct coordinator *c, const struct identity *identity, struct span request,
                               struct buf *response, struct buf *problem) {
  struct exchange e = {.body = buf_new(BODY_MAX)};
  struct buf frame = buf_new(BODY_MAX);
  enum grpc_code outcome = GRPC_INTERNAL;
  grpc_put_frame(&frame, request);
  if (!frame.bad && prepare(&e, c, identity, buf_span(&frame)))
    outcome = conclude(&e, curl_easy_perform(e.curl), response, problem);
  else
    buf_put_text(problem, "the request cannot be prepared");
  finish(&e);
  buf_free(&frame);
  return outcome;
}
