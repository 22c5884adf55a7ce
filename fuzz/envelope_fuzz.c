/*
 * libFuzzer target for broker/envelope: any body, and what must hold whatever it is. Aborts where it does not. Built by
 * tools/fuzz.
 */
#include "broker/envelope.h"

#include "base/hosts.h"
#include "base/json.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
  if (!holds) abort();
}

static bool within(struct span part, struct span whole) {
  return part.data >= whole.data && part.data + part.len <= whole.data + whole.len;
}

/* `part` is text that envelope_read decoded, or a literal. */
static void must_be_text(struct span part, size_t max) {
  must(part.len <= max && text_utf8_valid(part));
}

static void check_accepted(const struct envelope *e, struct span body) {
  must(json_check(body, ENVELOPE_DEPTH_MAX) == RESULT_OK);
  must(json_check(e->input, ENVELOPE_DEPTH_MAX - 1) == RESULT_OK && e->input.data[0] == '{');
  must(e->input.len <= ENVELOPE_INPUT_MAX && (within(e->input, body) || span_is(e->input, "{}")));
  must((e->script.len > 0) != (e->script_name.len > 0));
  must(e->script.len > 0 ? within(e->script, buf_span(&e->text)) : envelope_is_name(e->app_id));
  must(e->script_name.len == 0 || envelope_is_name(e->script_name));
  must(hosts_valid(e->hosts) && e->hosts.len <= ENVELOPE_HOSTS_MAX * (HOSTS_NAME_MAX + 1u));
  must_be_text(e->script, ENVELOPE_SCRIPT_MAX);
  must(e->entry.len > 0 || e->script.len == 0);
  must_be_text(e->entry, ENVELOPE_ENTRY_MAX);
  must_be_text(e->nonce, ENVELOPE_NONCE_MAX);
  must_be_text(e->app_id, ENVELOPE_NAME_MAX);
  must_be_text(e->script_name, ENVELOPE_NAME_MAX);
  must(e->timeout_ms >= 1000 && e->timeout_ms <= 120000);
  must(e->memory >= 16u << 20 && e->memory <= 1024u << 20);
  must(e->steps >= 1 && e->steps <= INT64_MAX);
  must(e->secret_count <= ENVELOPE_SECRETS_MAX);
  for (size_t i = 0; i < e->secret_count; i++) {
    must(e->secrets[i].len > 0 && memchr(e->secrets[i].data, ':', e->secrets[i].len) == NULL);
    must_be_text(e->secrets[i], ENVELOPE_NAME_MAX);
    for (size_t k = 0; k < i; k++) must(!span_equal(e->secrets[i], e->secrets[k]));
  }
}

/* A line each. */
static void put_hosts(struct buf *b, struct span hosts) {
  const char *before = ",\"limits\":{\"hosts\":[";
  while (hosts.len > 0) {
    const uint8_t *end = memchr(hosts.data, '\n', hosts.len);
    size_t len = end != NULL ? (size_t)(end - hosts.data) : hosts.len;
    buf_put_text(b, before);
    json_put_string(b, span_of(hosts.data, len));
    hosts = end != NULL ? span_of(end + 1, hosts.len - len - 1) : span_of(NULL, 0);
    before = ",";
    if (hosts.len == 0) buf_put_text(b, "]}");
  }
}

static void put_member(struct buf *b, const char *name, struct span value) {
  buf_printf(b, ",\"%s\":", name);
  json_put_string(b, value);
}

/* What was read, written as another caller might, reads the same. */
static void check_again(const struct envelope *e) {
  struct envelope again;
  char detail[256];
  struct buf b = buf_new(1u << 24);
  buf_put_text(&b, "{\"input\":");
  buf_put_span(&b, e->input);
  put_member(&b, "script", e->script);
  put_member(&b, "entry_point", e->entry);
  put_member(&b, "nonce", e->nonce);
  put_member(&b, "app_id", e->app_id);
  put_member(&b, "script_name", e->script_name);
  put_hosts(&b, e->hosts);
  buf_put_text(&b, ",\"secret_refs\":[");
  for (size_t i = 0; i < e->secret_count; i++) {
    if (i > 0) buf_put_text(&b, ",");
    json_put_string(&b, e->secrets[i]);
  }
  buf_printf(&b, "],\"timeout\":%llu}", (unsigned long long)e->timeout_ms / 1000);
  must(!b.bad && envelope_read(buf_span(&b), &again, detail, sizeof detail) == RESULT_OK);
  must(span_equal(again.script, e->script) && span_equal(again.input, e->input));
  must(span_equal(again.entry, e->entry) && span_equal(again.nonce, e->nonce));
  must(span_equal(again.app_id, e->app_id) && span_equal(again.script_name, e->script_name));
  must(span_equal(again.hosts, e->hosts));
  must(again.secret_count == e->secret_count && again.timeout_ms == e->timeout_ms);
  for (size_t i = 0; i < e->secret_count; i++) must(span_equal(again.secrets[i], e->secrets[i]));
  envelope_free(&again);
  buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct span body = span_of(data, size);
  struct envelope e;
  char detail[256];
  memset(detail, 'x', sizeof detail);
  enum result r = envelope_read(body, &e, detail, sizeof detail);
  must(memchr(detail, 0, sizeof detail) != NULL && text_utf8_valid(span_text(detail)));
  if (r == RESULT_OK) {
    must(detail[0] == '\0');
    check_accepted(&e, body);
    check_again(&e);
  } else {
    must(detail[0] != '\0' && result_status(r) >= 400 && e.text.data == NULL);
  }
  envelope_free(&e);
  return 0;
}
