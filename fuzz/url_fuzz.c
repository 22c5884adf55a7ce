/*
 * libFuzzer target for base/url: what it reads is made of its parts and nothing else, and a tidied URL stays as it is.
 */
#include "base/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
  if (!holds) abort();
}

static void check_parts(struct span text, const struct url *u) {
  struct buf again = buf_new(URL_MAX);
  buf_put_text(&again, u->plain ? "http://" : "https://");
  buf_put_span(&again, u->host);
  if (u->port != (u->plain ? 80 : 443)) buf_printf(&again, ":%u", (unsigned)u->port);
  must(span_equal(buf_span(&again), u->origin));
  buf_put_span(&again, u->target);
  must(!again.bad && span_equal(buf_span(&again), text) && u->host.len > 0 && u->target.data[0] == '/');
  for (size_t i = 0; i < text.len; i++) must(text.data[i] > ' ' && text.data[i] < 0x7f);
  must(memchr(u->origin.data, '@', u->origin.len) == NULL);
  buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const struct span text = span_of(data, size);
  struct url u;
  struct buf tidy = buf_new(size), twice = buf_new(size);
  url_tidy(text, &tidy);
  must(!tidy.bad);
  if (url_read(text, &u) == RESULT_OK) {
    check_parts(text, &u);
    must(span_equal(buf_span(&tidy), text));
  }
  if (url_read(buf_span(&tidy), &u) == RESULT_OK) {
    url_tidy(buf_span(&tidy), &twice);
    must(span_equal(buf_span(&tidy), buf_span(&twice)));
  }
  buf_free(&tidy);
  buf_free(&twice);
  return 0;
}
