#include "egress/transfer.h"

#include <malloc.h>
#include <nss.h>
#include <pthread.h>
#include <unistd.h>

#include "base/table.h"
#include "base/text.h"
#include "egress/authorities.h"
#include "egress/location.h"
#include "egress/names.h"
#include "egress/pools.h"

#define RESOLVER_STACK (256u << 10)
#define URL_MAX 16384u
#define LINE_MAX_BYTES 65536u
#define ERROR_MAX 1024u

struct transfer {
  struct transfer_setup setup;
  struct address_nets exceptions;
  struct buf names;
  struct authorities *authorities;
  struct pools *pools;
  struct table *exchanges; /* by ticket */
};

struct exchange {
  struct transfer *owner;
  uint64_t ticket;
  CURL *curl;
  struct pool *pool; /* NULL: not begun */
  struct curl_slist *headers, *addresses;
  struct buf url, target, host, sent, received;
  size_t header_bytes;
  uint32_t body_max;
  bool by_operator;
  bool headed;        /* the answer's head is whole */
  enum result broken; /* what made a callback break it off; RESULT_OK: none has */
  char error[CURL_ERROR_SIZE];
};

/* ---- the process ---- */

enum result transfer_open(void) {
  pthread_attr_t small;
  /* Before curl: OpenSSL reads its configuration at most once. */
  bool ok = OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1;
  ok = ok && curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wipe_and_free, wiping_realloc, strdup, calloc) == 0;
  /* Files and DNS are built into the C library; any other source would be a library to load in the fence. */
  ok = ok && __nss_configure_lookup("hosts", "files dns") == 0;
  ok = ok && __nss_configure_lookup("passwd", "files") == 0; /* libpq asks for its home directory */
  /* A thread for each name that is looked up: they need little, and what one freed the next shall use. */
  mallopt(M_ARENA_MAX, 1);
  ok = ok && pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, RESOLVER_STACK) == 0 &&
       pthread_setattr_default_np(&small) == 0;
  return ok ? RESULT_OK : RESULT_CRYPTO;
}

/* ---- what curl asks ---- */

/* The address it is about to connect to, whatever the name or the redirect that led there. */
static curl_socket_t on_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *to) {
  struct exchange *x = context;
  struct address a;
  if (purpose == CURLSOCKTYPE_IPCXN && address_of_socket(&to->addr, to->addrlen, &a) &&
      address_may(&a, &x->owner->exceptions, x->by_operator))
    return socket(to->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  x->broken = RESULT_FETCH_ADDRESS;
  return CURL_SOCKET_BAD;
}

static CURLcode on_tls(CURL *curl, void *tls, void *context) {
  const struct exchange *x = context;
  (void)curl;
  SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
  return authorities_trust(x->owner->authorities, tls) == RESULT_OK ? CURLE_OK : CURLE_SSL_CACERT_BADFILE;
}

static size_t on_header(char *line, size_t size, size_t count, void *context) {
  struct exchange *x = context;
  x->header_bytes += size * count;
  if (size * count > 5 && memcmp(line, "HTTP/", 5) == 0) x->headed = false; /* this one, or the one after a hint */
  if (size * count <= 2 && line[0] < ' ') x->headed = true;                 /* an empty line; trailers have none */
  if (x->header_bytes <= WIRE_REQUEST_HEADERS_MAX) return size * count;
  x->broken = RESULT_FETCH_HEADERS;
  return 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *context) {
  struct exchange *x = context;
  buf_put(&x->received, data, size * count);
  if (!x->received.bad) return size * count;
  x->broken = RESULT_FETCH_RESPONSE;
  return 0;
}

/* ---- the request ---- */

/* What curl would add by itself, unless the request says it. */
static bool suppress(struct exchange *x, const char *header) {
  struct curl_slist *more = curl_slist_append(x->headers, header);
  if (more != NULL) x->headers = more;
  return more != NULL;
}

static bool has_byte(struct span s, bool (*bad)(uint8_t c)) {
  for (size_t i = 0; i < s.len; i++)
    if (bad(s.data[i])) return true;
  return false;
}

static bool ends_line(uint8_t c) {
  return c == '\r' || c == '\n' || c == 0;
}

static bool is_no_token(uint8_t c) {
  return c <= ' ' || c >= 0x7f || c == ':';
}

static bool is_no_target(uint8_t c) {
  return c <= ' ' || c >= 0x7f || c == '#';
}

static bool is_no_method(uint8_t c) {
  return c < 'A' || c > 'Z';
}

/* "name: value"; curl sends a header that is to be empty if it is written "name;". */
static bool put_header(struct exchange *x, struct span name, struct span value) {
  if (name.len == 0 || has_byte(name, is_no_token) || has_byte(value, ends_line)) return false;
  struct buf line = buf_new(LINE_MAX_BYTES);
  buf_put_span(&line, name);
  buf_put_text(&line, value.len > 0 ? ": " : ";");
  buf_put_span(&line, value);
  buf_put_u8(&line, 0);
  bool ok = !line.bad && suppress(x, (const char *)line.data);
  buf_free(&line);
  return ok;
}

struct said {
  const char *name, *line; /* the line that makes curl send none; NULL: has to be set otherwise */
  bool seen;
};

static bool put_headers(struct exchange *x, struct span headers, bool *encoding) {
  struct said said[] = {{"accept", "accept:", false},
                        {"content-type", "content-type:", false},
                        {"expect", "expect:", false},
                        {"accept-encoding", NULL, false}};
  const size_t count = sizeof said / sizeof said[0];
  struct cursor rest = cursor_of(headers);
  while (rest.rest.len > 0) {
    struct span name, value;
    if (!wire_get_header(&rest, &name, &value) || !put_header(x, name, value)) return false;
    for (size_t i = 0; i < count; i++) said[i].seen |= span_is(name, said[i].name);
  }
  *encoding = said[count - 1].seen;
  bool ok = true;
  for (size_t i = 0; i < count; i++) ok &= said[i].seen || said[i].line == NULL || suppress(x, said[i].line);
  return ok;
}

static const struct {
  CURLoption option;
  long value;
} numbers[] = {
    {CURLOPT_NOSIGNAL, 1},
    {CURLOPT_FOLLOWLOCATION, 0},
    {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS},
    {CURLOPT_PIPEWAIT, 1}, /* rather a stream of a connection that is just made than another connection */
    {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
    {CURLOPT_SSL_VERIFYPEER, 1},
    {CURLOPT_SSL_VERIFYHOST, 2},
    {CURLOPT_SSL_SESSIONID_CACHE, 0},
    {CURLOPT_MAXAGE_CONN, POOLS_IDLE_S},
    {CURLOPT_NETRC, CURL_NETRC_IGNORED},
    {CURLOPT_HTTP09_ALLOWED, 0},
    {CURLOPT_QUICK_EXIT, 1}, /* nobody waits for the resolver when an exchange is broken off */
    {CURLOPT_NOPROGRESS, 1},
};

static bool set_always(struct exchange *x, bool plain) {
  CURL *c = x->curl;
  bool bad = false;
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
    bad |= curl_easy_setopt(c, numbers[i].option, numbers[i].value) != CURLE_OK;
  bad |= curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, plain ? "http" : "https") != CURLE_OK;
  bad |= curl_easy_setopt(c, CURLOPT_PROXY, "") != CURLE_OK;
  bad |= curl_easy_setopt(c, CURLOPT_CAINFO, NULL) != CURLE_OK; /* nothing but what on_tls brings */
  bad |= curl_easy_setopt(c, CURLOPT_CAPATH, NULL) != CURLE_OK;
  bad |= curl_easy_setopt(c, CURLOPT_SSL_CTX_FUNCTION, on_tls) != CURLE_OK;
  bad |= curl_easy_setopt(c, CURLOPT_SSL_CTX_DATA, x) != CURLE_OK;
  bad |= curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_open_socket) != CURLE_OK;
  bad |= curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, x) != CURLE_OK;
  bad |= curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header) != CURLE_OK;
  bad |= curl_easy_setopt(c, CURLOPT_HEADERDATA, x) != CURLE_OK;
  bad |= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) != CURLE_OK;
  bad |= curl_easy_setopt(c, CURLOPT_WRITEDATA, x) != CURLE_OK;
  bad |= curl_easy_setopt(c, CURLOPT_ERRORBUFFER, x->error) != CURLE_OK;
  bad |= curl_easy_setopt(c, CURLOPT_PRIVATE, x) != CURLE_OK;
  return !bad;
}

static bool sends_length_of_nothing(struct span method) {
  return span_is(method, "POST") || span_is(method, "PUT") || span_is(method, "PATCH");
}

static bool set_method(struct exchange *x, const struct wire_request *m) {
  CURL *c = x->curl;
  char method[32] = "";
  bool bad = m->method.len == 0 || m->method.len >= sizeof method || has_byte(m->method, is_no_method);
  if (bad) return false;
  memcpy(method, m->method.data, m->method.len);
  buf_put_span(&x->sent, m->body);
  if (strcmp(method, "HEAD") == 0) {
    bad = m->body.len > 0 || curl_easy_setopt(c, CURLOPT_NOBODY, 1L) != CURLE_OK;
  } else if (m->body.len > 0 || sends_length_of_nothing(m->method)) {
    bad |= curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)m->body.len) != CURLE_OK;
    bad |= curl_easy_setopt(c, CURLOPT_POSTFIELDS, m->body.len > 0 ? (char *)x->sent.data : "") != CURLE_OK;
  }
  bad |= curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method) != CURLE_OK;
  return !bad && !x->sent.bad;
}

/* The URL says only where to; what is asked for there goes out as it came, unparsed. */
static bool set_url(struct exchange *x, const struct wire_request *m) {
  const bool plain = m->flags & WIRE_REQUEST_PLAIN;
  if (m->target.len == 0 || m->target.data[0] != '/' || has_byte(m->target, is_no_target)) return false;
  if (m->port == 0 || m->port > 65535) return false;
  buf_printf(&x->url, "%s://%s:%u", plain ? "http" : "https", (const char *)x->host.data, m->port);
  buf_put_span(&x->url, m->target); /* for redirects */
  buf_put_u8(&x->url, 0);
  buf_put_span(&x->target, m->target);
  buf_put_u8(&x->target, 0);
  if (x->url.bad || x->target.bad) return false;
  return curl_easy_setopt(x->curl, CURLOPT_URL, (char *)x->url.data) == CURLE_OK &&
         curl_easy_setopt(x->curl, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
         curl_easy_setopt(x->curl, CURLOPT_REQUEST_TARGET, (char *)x->target.data) == CURLE_OK;
}

static bool set_request(struct exchange *x, const struct wire_request *m) {
  bool encoding_said = false;
  bool ok = set_always(x, m->flags & WIRE_REQUEST_PLAIN) && set_url(x, m) && set_method(x, m) &&
            put_headers(x, m->headers, &encoding_said) &&
            curl_easy_setopt(x->curl, CURLOPT_HTTPHEADER, x->headers) == CURLE_OK &&
            curl_easy_setopt(x->curl, CURLOPT_TIMEOUT_MS, (long)m->timeout_ms) == CURLE_OK;
  if (ok && !encoding_said) ok = curl_easy_setopt(x->curl, CURLOPT_ACCEPT_ENCODING, "gzip, br") == CURLE_OK;
  return ok;
}

/* From the file, if there is one: then nobody else is asked. */
static enum result set_addresses(struct exchange *x, const struct wire_request *m) {
  const struct span names = buf_span(&x->owner->names);
  struct address literal;
  const enum address_host is = address_host(m->host, &literal);
  if (is == ADDRESS_NO_HOST) return RESULT_FETCH_ADDRESS;
  if (is == ADDRESS_LITERAL || names.len == 0) return RESULT_OK;
  struct buf line = buf_new(LINE_MAX_BYTES);
  buf_printf(&line, "%s:%u:", (const char *)x->host.data, m->port);
  bool found = names_find(names, m->host, &line);
  buf_put_u8(&line, 0);
  if (found && !line.bad) x->addresses = curl_slist_append(NULL, (const char *)line.data);
  buf_free(&line);
  if (!found) return RESULT_FETCH_FAILED;
  return x->addresses != NULL && curl_easy_setopt(x->curl, CURLOPT_RESOLVE, x->addresses) == CURLE_OK
             ? RESULT_OK
             : RESULT_NO_MEMORY;
}

/* ---- the answer ---- */

static const struct {
  CURLcode code;
  enum result result;
  const char *sentence; /* NULL: curl's own */
} ends[] = {
    {CURLE_OPERATION_TIMEDOUT, RESULT_FETCH_TIMEOUT, "no answer in time"},
    {CURLE_COULDNT_RESOLVE_HOST, RESULT_FETCH_FAILED, "the host's name cannot be resolved"},
    {CURLE_COULDNT_CONNECT, RESULT_FETCH_FAILED, "cannot connect"},
    {CURLE_PEER_FAILED_VERIFICATION, RESULT_FETCH_TLS, NULL},
    {CURLE_SSL_CONNECT_ERROR, RESULT_FETCH_TLS, NULL},
    {CURLE_SSL_CACERT_BADFILE, RESULT_FETCH_TLS, "egress.ca has no certificate"},
    {CURLE_SSL_ISSUER_ERROR, RESULT_FETCH_TLS, NULL},
    {CURLE_SSL_CIPHER, RESULT_FETCH_TLS, NULL},
    {CURLE_GOT_NOTHING, RESULT_FETCH_FAILED, "the server closed the connection without an answer"},
    {CURLE_SEND_ERROR, RESULT_FETCH_FAILED, "the connection was lost while the request was sent"},
    {CURLE_RECV_ERROR, RESULT_FETCH_FAILED, "the connection was lost before the answer was complete"},
    {CURLE_PARTIAL_FILE, RESULT_FETCH_FAILED, "the answer ended before it was complete"},
    {CURLE_UNSUPPORTED_PROTOCOL, RESULT_FETCH_FAILED, "the answer is not HTTP"},
    {CURLE_WEIRD_SERVER_REPLY, RESULT_FETCH_FAILED, "the answer is not HTTP"},
    {CURLE_BAD_CONTENT_ENCODING, RESULT_FETCH_FAILED, "the answer's body cannot be decompressed"},
    {CURLE_HTTP2, RESULT_FETCH_FAILED, "the answer is not HTTP/2"},
    {CURLE_HTTP2_STREAM, RESULT_FETCH_FAILED, "the server broke the answer off"},
};

static const struct {
  enum result result;
  const char *sentence;
} breaks[] = {
    {RESULT_FETCH_ADDRESS, "its address is not one that may be reached"},
    {RESULT_FETCH_HEADERS, "the answer's headers are too large"},
    {RESULT_FETCH_RESPONSE, "the answer's body is too large"},
};

static const char *describe_break(enum result r) {
  for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++)
    if (breaks[i].result == r) return breaks[i].sentence;
  return result_sentence(r);
}

/* "host: sentence" */
static void refuse(struct transfer *t, uint64_t ticket, struct span host, enum result r, const char *sentence) {
  struct buf error = buf_new(ERROR_MAX);
  buf_put(&error, host.data, text_utf8_cut(host, 253));
  buf_put_text(&error, ": ");
  buf_put_text(&error, sentence);
  t->setup.answer(t->setup.context,
                  &(struct wire_response){.ticket = ticket, .result = (uint32_t)r, .error = buf_span(&error)});
  buf_free(&error);
}

/* What curl says of a TLS failure names certificates, and those may name anything. */
static const char *own_words(const struct exchange *x, const char *otherwise) {
  return x->error[0] != 0 && text_utf8_valid(span_text(x->error)) ? x->error : otherwise;
}

static void answer_failure(struct exchange *x, CURLcode code) {
  const struct span host = span_text((const char *)x->host.data);
  /* One address of several that may not be called is no reason if another was. */
  const bool broken = x->broken != RESULT_OK && (x->broken != RESULT_FETCH_ADDRESS || code == CURLE_COULDNT_CONNECT);
  if (broken) return refuse(x->owner, x->ticket, host, x->broken, describe_break(x->broken));
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
    if (ends[i].code != code) continue;
    const char *sentence = ends[i].sentence;
    if (sentence == NULL) sentence = own_words(x, "no trusted TLS connection");
    return refuse(x->owner, x->ticket, host, ends[i].result, sentence);
  }
  refuse(x->owner, x->ticket, host, RESULT_FETCH_FAILED, "the exchange failed");
}

static void put_lower(struct buf *b, const char *name) {
  for (; *name != 0; name++) buf_put_u8(b, (uint8_t)(*name >= 'A' && *name <= 'Z' ? *name | 32 : *name));
}

static void put_answer_headers(struct exchange *x, struct buf *out) {
  for (struct curl_header *h = NULL; (h = curl_easy_nextheader(x->curl, CURLH_HEADER, -1, h)) != NULL;) {
    struct buf name = buf_new(WIRE_REQUEST_HEADERS_MAX);
    put_lower(&name, h->name);
    wire_put_header(out, buf_span(&name), span_text(h->value));
    buf_free(&name);
  }
}

static bool is_redirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Without a Location it is an answer like any other. */
static bool find_location(struct exchange *x, long status, struct buf *out) {
  struct curl_header *h;
  if (!is_redirect(status) || curl_easy_header(x->curl, "location", 0, CURLH_HEADER, -1, &h) != CURLHE_OK) return true;
  return location_resolve((const char *)x->url.data, h->value, out);
}

static void answer_success(struct exchange *x) {
  long status = 0;
  /* Lengths take eight bytes a header, and a header at least three on its way. */
  struct buf headers = buf_new(4 * WIRE_REQUEST_HEADERS_MAX), location = buf_new(2 * URL_MAX);
  const struct span host = span_text((const char *)x->host.data);
  curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
  put_answer_headers(x, &headers);
  if (status < 200 || status > 599)
    refuse(x->owner, x->ticket, host, RESULT_FETCH_FAILED, "the answer's status is none");
  else if (!find_location(x, status, &location))
    refuse(x->owner, x->ticket, host, RESULT_FETCH_FAILED, "the answer redirects to what is no URL");
  else if (headers.bad)
    refuse(x->owner, x->ticket, host, RESULT_FETCH_HEADERS, describe_break(RESULT_FETCH_HEADERS));
  else
    x->owner->setup.answer(x->owner->setup.context, &(struct wire_response){.ticket = x->ticket,
                                                                            .status = (uint32_t)status,
                                                                            .headers = buf_span(&headers),
                                                                            .location = buf_span(&location),
                                                                            .body = buf_span(&x->received)});
  buf_free(&headers);
  buf_free(&location);
}

/* ---- an exchange's life ---- */

static void end(struct exchange *x) {
  if (x == NULL) return;
  if (x->pool != NULL) pools_remove(x->pool, x->curl);
  table_remove(x->owner->exchanges, &x->ticket);
  if (x->curl != NULL) curl_easy_cleanup(x->curl);
  curl_slist_free_all(x->headers);
  curl_slist_free_all(x->addresses);
  struct buf *const all[] = {&x->url, &x->target, &x->host, &x->sent, &x->received};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) buf_free(all[i]);
  wipe(x->error, sizeof x->error);
  free(x);
}

static void on_done(CURL *curl, CURLcode code) {
  struct exchange *x = NULL;
  curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **)&x);
  x->pool = NULL;
  if (code == CURLE_OK && !x->headed) code = CURLE_PARTIAL_FILE; /* curl takes that for an answer without a body */
  if (code == CURLE_OK)
    answer_success(x);
  else
    answer_failure(x, code);
  end(x);
}

static struct exchange *make(struct transfer *t, const struct wire_request *m) {
  struct exchange *x = calloc(1, sizeof *x);
  if (x == NULL) return NULL;
  x->owner = t;
  x->ticket = m->ticket;
  x->by_operator = m->flags & WIRE_REQUEST_OPERATOR;
  x->url = buf_new(URL_MAX + 512);
  x->target = buf_new(URL_MAX);
  x->host = buf_new(256);
  x->sent = buf_new(m->body.len);
  x->received = buf_new(m->response_max < TRANSFER_BODY_MAX ? m->response_max : TRANSFER_BODY_MAX);
  buf_put_span(&x->host, m->host);
  buf_put_u8(&x->host, 0);
  x->curl = curl_easy_init();
  if (x->curl != NULL && !x->host.bad && table_put(t->exchanges, &x->ticket, x) == RESULT_OK) return x;
  end(x);
  return NULL;
}

static enum result begin(struct exchange *x, const struct wire_request *m) {
  if (m->timeout_ms == 0) return RESULT_FETCH_TIMEOUT;
  enum result r = set_addresses(x, m);
  if (r != RESULT_OK) return r;
  if (!set_request(x, m)) return RESULT_FETCH_INVALID;
  return pools_add(x->owner->pools, m->pool, x->by_operator, x->curl, &x->pool);
}

static const char *why_not(enum result r) {
  static const struct {
    enum result result;
    const char *sentence;
  } sentences[] = {{RESULT_FETCH_FAILED, "the host's name cannot be resolved"},
                   {RESULT_FETCH_ADDRESS, "the host is none"},
                   {RESULT_FETCH_TIMEOUT, "no answer in time"},
                   {RESULT_FETCH_INVALID, "the request cannot be sent as it is"}};
  for (size_t i = 0; i < sizeof sentences / sizeof sentences[0]; i++)
    if (sentences[i].result == r) return sentences[i].sentence;
  return result_sentence(r);
}

/* Of results that the contract has not, FETCH_FAILED is what they come to. */
static enum result told(enum result r) {
  return r == RESULT_FETCH_ADDRESS || r == RESULT_FETCH_TIMEOUT ? r : RESULT_FETCH_FAILED;
}

enum result transfer_ask(struct transfer *t, const struct wire_request *m) {
  if (table_get(t->exchanges, &m->ticket) != NULL) return RESULT_PEER_LIED;
  if (table_count(t->exchanges) >= TRANSFER_EXCHANGES_MAX) {
    refuse(t, m->ticket, m->host, RESULT_FETCH_FAILED, "too many requests are under way");
    return RESULT_OK;
  }
  struct exchange *x = make(t, m);
  enum result r = x == NULL ? RESULT_NO_MEMORY : begin(x, m);
  if (r == RESULT_OK) return RESULT_OK;
  end(x);
  refuse(t, m->ticket, m->host, told(r), why_not(r));
  return RESULT_OK;
}

void transfer_forget(struct transfer *t, uint64_t ticket) {
  end(table_get(t->exchanges, &ticket));
}

size_t transfer_count(const struct transfer *t) {
  return table_count(t->exchanges);
}

/* ---- the module ---- */

enum result transfer_new(const struct transfer_setup *setup, struct transfer **out) {
  struct transfer *t = calloc(1, sizeof *t);
  if (t == NULL) return RESULT_NO_MEMORY;
  t->setup = *setup;
  t->exceptions = *setup->exceptions;
  t->names = buf_new(setup->names.len);
  buf_put_span(&t->names, setup->names);
  enum result r = t->names.bad ? RESULT_NO_MEMORY : authorities_new(setup->authorities, &t->authorities);
  if (r == RESULT_OK) r = table_new(sizeof(uint64_t), &t->exchanges);
  if (r == RESULT_OK) r = pools_new(setup->base, on_done, &t->pools);
  if (r == RESULT_OK) {
    *out = t;
    t = NULL;
  }
  transfer_free(t);
  return r;
}

void transfer_free(struct transfer *t) {
  if (t == NULL) return;
  for (size_t at = 0; t->exchanges != NULL && table_count(t->exchanges) > 0; at = 0) end(table_next(t->exchanges, &at));
  pools_free(t->pools);
  table_free(t->exchanges);
  authorities_free(t->authorities);
  buf_free(&t->names);
  free(t);
}
