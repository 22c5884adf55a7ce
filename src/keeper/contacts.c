#include "keeper/contacts.h"

#include "base/json.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "keeper/fetches.h"

#define LINE_MAX (URL_MAX + 256u)
#define LINES_MAX (FETCHES_MAX * (FETCHES_REDIRECTS + 1))

struct contacts contacts_new(void) {
  return (struct contacts){.hosts = buf_new(OUTSIDE_HOSTS_MAX * 320), .lines = buf_new((size_t)LINES_MAX * LINE_MAX)};
}

static void put_host(struct buf *b, const struct url *url) {
  if (url->plain) buf_put_text(b, "http://");
  buf_put_span(b, url->host);
  if (url->port != (url->plain ? 80 : 443)) buf_printf(b, ":%u", (unsigned)url->port);
}

static bool knows(const struct contacts *o, struct span host) {
  struct cursor c = cursor_of(buf_span(&o->hosts));
  while (c.rest.len > 0)
    if (span_equal(cursor_block(&c), host)) return true;
  return false;
}

enum result contacts_contact(struct contacts *o, const struct url *url) {
  uint8_t memory[320];
  struct buf host = buf_fixed(memory, sizeof memory);
  put_host(&host, url);
  if (host.bad) return RESULT_FETCH_INVALID;
  if (knows(o, buf_span(&host))) return RESULT_OK;
  if (o->host_count == OUTSIDE_HOSTS_MAX) return RESULT_FETCH_TOO_MANY;
  buf_put_block(&o->hosts, buf_span(&host));
  o->host_count++;
  return o->hosts.bad ? RESULT_NO_MEMORY : RESULT_OK;
}

void contacts_put_line(struct buf *b, struct span method, struct span url, enum result result, uint32_t status,
                       struct span body) {
  uint8_t hash[HASH_SIZE];
  buf_put_span(b, method);
  buf_put_u8(b, ' ');
  buf_put_span(b, url);
  buf_put_u8(b, ' ');
  if (result != RESULT_OK) {
    buf_put_text(b, result_name(result));
  } else if (hash_sha256(&body, 1, hash) == RESULT_OK) {
    buf_printf(b, "%u ", (unsigned)status);
    text_put_hex(b, span_of(hash, sizeof hash));
  } else {
    b->bad = true;
  }
  buf_put_u8(b, '\n');
}

void contacts_ended(struct contacts *o, struct span method, struct span url, enum result result, uint32_t status,
                    struct span body) {
  contacts_put_line(&o->lines, method, url, result, status, body);
  o->line_count++;
}

static void put_hosts(struct buf *b, const struct contacts *o) {
  struct cursor c = cursor_of(buf_span(&o->hosts));
  json_put_key(b, "hosts");
  buf_put_u8(b, '[');
  for (size_t i = 0; i < o->host_count; i++) {
    if (i > 0) buf_put_u8(b, ',');
    json_put_string(b, cursor_block(&c));
  }
  buf_put_u8(b, ']');
}

void contacts_put(const struct contacts *o, struct span more, size_t more_count, struct buf *b) {
  const struct span lines[] = {buf_span(&o->lines), more};
  uint8_t hash[HASH_SIZE];
  /* A summary with a hole never looks whole. */
  if (o->lines.bad || o->hosts.bad || hash_sha256(lines, 2, hash) != RESULT_OK) {
    b->bad = true;
    return;
  }
  buf_put_u8(b, '{');
  json_put_key(b, "hash");
  buf_put_u8(b, '"');
  text_put_hex(b, span_of(hash, sizeof hash));
  buf_put_u8(b, '"');
  put_hosts(b, o);
  json_put_member_number(b, "requests", o->line_count + more_count);
  buf_put_u8(b, '}');
}

void contacts_free(struct contacts *o) {
  buf_free(&o->hosts);
  buf_free(&o->lines);
}
