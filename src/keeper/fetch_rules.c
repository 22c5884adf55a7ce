#include "keeper/fetch_rules.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static bool is_one_of(struct span text, const char *const *list, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (span_is(text, list[i])) return true;
  return false;
}

enum result fetch_rules_method(struct span method) {
  static const char *const forbidden[] = {"CONNECT", "TRACE", "TRACK"};
  if (method.len == 0 || method.len > FETCH_METHOD_MAX) return RESULT_FETCH_INVALID;
  for (size_t i = 0; i < method.len; i++)
    if (method.data[i] < 'A' || method.data[i] > 'Z') return RESULT_FETCH_INVALID;
  return is_one_of(method, forbidden, COUNT(forbidden)) ? RESULT_FETCH_FORBIDDEN : RESULT_OK;
}

/* ---- headers ---- */

/* RFC 9110 §5.6.2, of lower case. */
static bool is_name(struct span name) {
  for (size_t i = 0; i < name.len; i++) {
    const uint8_t c = name.data[i];
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!plain && (c == 0 || strchr("!#$%&'*+-.^_`|~", c) == NULL)) return false;
  }
  return name.len > 0;
}

static bool is_blank(uint8_t c) {
  return c == ' ' || c == '\t';
}

static bool has_no_controls(struct span value) {
  for (size_t i = 0; i < value.len; i++)
    if ((value.data[i] < ' ' && value.data[i] != '\t') || value.data[i] == 0x7f) return false;
  return true;
}

bool fetch_rules_value(struct span value) {
  if (value.len > 0 && (is_blank(value.data[0]) || is_blank(value.data[value.len - 1]))) return false;
  return has_no_controls(value);
}

static bool is_proxy(struct span name) {
  return name.len >= 6 && memcmp(name.data, "proxy-", 6) == 0;
}

static enum result judge_header(struct span name, struct span value, bool *sent, struct buf *why) {
  static const char *const ours[] = {"connection", "content-length", "expect", "keep-alive", "te"};
  static const char *const refused[] = {"host", "trailer", "transfer-encoding", "upgrade"};
  if (!is_name(name) || !fetch_rules_value(value)) {
    buf_put_text(why, is_name(name) ? "a header's value is not one" : "a header's name is not one");
    return RESULT_FETCH_INVALID;
  }
  *sent = !is_one_of(name, ours, COUNT(ours));
  if (!is_one_of(name, refused, COUNT(refused)) && !is_proxy(name)) return RESULT_OK;
  buf_put_text(why, "a request may not set the header ");
  buf_put_span(why, name);
  return RESULT_FETCH_FORBIDDEN;
}

enum result fetch_rules_request_headers(struct span headers, struct buf *out, struct buf *why) {
  struct cursor c = cursor_of(headers);
  struct span name, value;
  if (headers.len > WIRE_REQUEST_HEADERS_MAX) {
    buf_put_text(why, "the request's headers are too large");
    return RESULT_FETCH_HEADERS;
  }
  while (c.rest.len > 0) {
    if (!wire_get_header(&c, &name, &value)) return RESULT_FETCH_INVALID;
    bool sent = true;
    const enum result r = judge_header(name, value, &sent, why);
    if (r != RESULT_OK) return r;
    if (sent) wire_put_header(out, name, value);
  }
  return out->bad ? RESULT_NO_MEMORY : RESULT_OK;
}

bool fetch_rules_response_header(struct span name, struct span value) {
  static const char *const hops[] = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"};
  if (!is_name(name) || !has_no_controls(value)) return false;
  return !is_one_of(name, hops, COUNT(hops)) && !is_proxy(name);
}

/* ---- redirects ---- */

bool fetch_rules_redirects(uint32_t status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool fetch_rules_becomes_get(uint32_t status, struct span method) {
  if (status == 303) return !span_is(method, "GET") && !span_is(method, "HEAD");
  return (status == 301 || status == 302) && span_is(method, "POST");
}

bool fetch_rules_of_body(struct span name) {
  static const char *const list[] = {"content-encoding", "content-language", "content-location", "content-type"};
  return is_one_of(name, list, COUNT(list));
}

bool fetch_rules_of_origin(struct span name) {
  static const char *const list[] = {"authorization", "cookie", "proxy-authorization"};
  return is_one_of(name, list, COUNT(list));
}
