/*
 * libFuzzer target for base/json and base/text: any bytes, and what must hold whatever they are. Aborts where it does
 * not. clang -g -O1 -fsanitize=fuzzer,address,undefined -Isrc fuzz/json_fuzz.c src/base/{json,text,bytes,result}.c
 */
#include "base/json.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
  if (!holds) abort();
}

static bool is_json(struct span text, unsigned depth) {
  return json_check(text, depth) == RESULT_OK;
}

/* What is canonical is JSON in UTF-8, and ends where its value ends. */
static void check_verdicts(struct span text) {
  bool json = is_json(text, JSON_DEPTH_MAX);
  if (json_canonical(text) != JSON_BROKEN) must(json);
  if (json) must(text_utf8_valid(text));
  if (is_json(text, 3)) must(json && is_json(text, 4));
}

/* The walk over an object's or array's items: what it has seen, put together again, is the same value. */
struct seen {
  struct buf again;
  const uint8_t *last;
};

static enum result see_item(void *context, const struct json_item *item) {
  struct seen *seen = context;
  must(item->value.len > 0 && item->value.data >= seen->last);
  must(is_json(item->value, JSON_DEPTH_MAX) && (item->key.data == NULL || is_json(item->key, 0)));
  if (seen->again.len > 1) buf_put_text(&seen->again, ",");
  buf_put_span(&seen->again, item->key);
  if (item->key.data != NULL) buf_put_text(&seen->again, ":");
  buf_put_span(&seen->again, item->value);
  seen->last = item->value.data + item->value.len;
  return RESULT_OK;
}

static void check_items(struct span text) {
  struct seen seen = {.again = buf_new(text.len + 1), .last = text.data};
  bool object = json_first(text) == '{';
  size_t at = SIZE_MAX;
  buf_put_text(&seen.again, object ? "{" : "[");
  bool good = json_each(text, JSON_DEPTH_MAX, see_item, &seen, &at) == RESULT_OK;
  buf_put_text(&seen.again, object ? "}" : "]");
  must(at <= text.len && good == (is_json(text, JSON_DEPTH_MAX) && (object || json_first(text) == '[')));
  if (good) must(at == text.len && is_json(buf_span(&seen.again), JSON_DEPTH_MAX));
  if (good && json_canonical(text) == JSON_CANONICAL) must(span_equal(buf_span(&seen.again), text));
  buf_free(&seen.again);
}

static struct buf joined(const char *before, struct span text, const char *middle, const char *after) {
  struct buf b = buf_new(2 * text.len + 64);
  buf_put_text(&b, before);
  buf_put_span(&b, text);
  buf_put_text(&b, middle);
  buf_put_span(&b, text);
  buf_put_text(&b, after);
  return b;
}

/* A value keeps its standing inside of others; its surroundings are judged by themselves. */
static void check_inside(struct span text) {
  static const struct {
    const char *before, *middle, *after;
    enum json_canon best;
  } frames[] = {{"[", ",", "]", JSON_CANONICAL},
                {"{\"\":", ",\"\\u0000\":", "}", JSON_CANONICAL},
                {"{\"b\":", ",\"a\":", "}", JSON_UNSORTED},
                {"{\"a\":", ",\"a\":", "}", JSON_UNSORTED},
                {"[", ", ", "]", JSON_BROKEN}};
  enum json_canon own = json_canonical(text);
  /* A hull may be one level too many. */
  if (!is_json(text, JSON_DEPTH_MAX - 1)) return;
  for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
    struct buf b = joined(frames[i].before, text, frames[i].middle, frames[i].after);
    must(is_json(buf_span(&b), JSON_DEPTH_MAX));
    must(json_canonical(buf_span(&b)) == (own > frames[i].best ? own : frames[i].best));
    buf_free(&b);
  }
}

/* Whatever the bytes, the writer's string is canonical; with it twice as keys, it repeats. */
static void check_string(struct span text) {
  struct buf b = buf_new(6 * text.len + 2);
  json_put_string(&b, text);
  must(!b.bad && json_canonical(buf_span(&b)) == JSON_CANONICAL);
  struct buf twice = joined("{", buf_span(&b), ":1,", ":2}");
  must(json_canonical(buf_span(&twice)) == JSON_UNSORTED);
  buf_free(&twice);
  buf_free(&b);
}

/* What is written is read; what is read of any string is UTF-8. */
static void check_reading(struct span text) {
  struct buf string = buf_new(6 * text.len + 2), back = buf_new(3 * text.len);
  json_put_string(&string, text);
  must(json_get_string(buf_span(&string), &back) && !back.bad && text_utf8_valid(buf_span(&back)));
  if (text_utf8_valid(text)) must(span_equal(buf_span(&back), text));
  buf_clear(&back);
  if (json_first(text) == '"' && is_json(text, 0) && text.data[0] == '"' && text.data[text.len - 1] == '"') {
    bool whole = json_get_string(text, &back);
    must(!back.bad && text_utf8_valid(buf_span(&back)) && back.len <= text.len - 2);
    if (json_canonical(text) == JSON_CANONICAL) must(whole);
  }
  buf_free(&string);
  buf_free(&back);
}

/* Two different keys are in order one way round only. */
static void check_key_order(struct span text) {
  struct buf left = buf_new(6 * text.len + 2), right = buf_new(6 * text.len + 2);
  json_put_string(&left, span_of(text.data, text.len / 2));
  json_put_string(&right, span_of(text.data + text.len / 2, text.len - text.len / 2));
  enum json_canon verdicts[2];
  for (int turn = 0; turn < 2; turn++) {
    struct buf b = buf_new(left.len + right.len + 8);
    buf_put_text(&b, "{");
    buf_put_span(&b, buf_span(turn == 0 ? &left : &right));
    buf_put_text(&b, ":1,");
    buf_put_span(&b, buf_span(turn == 0 ? &right : &left));
    buf_put_text(&b, ":2}");
    verdicts[turn] = json_canonical(buf_span(&b));
    buf_free(&b);
  }
  bool same = span_equal(buf_span(&left), buf_span(&right));
  must(verdicts[0] != JSON_BROKEN && verdicts[1] != JSON_BROKEN);
  must((verdicts[0] == JSON_CANONICAL) + (verdicts[1] == JSON_CANONICAL) == (same ? 0 : 1));
  buf_free(&left);
  buf_free(&right);
}

static void check_utf8(struct span text) {
  size_t prefix = text_utf8_prefix(text), walked = 0;
  must(text_utf8_valid(text) == (prefix == text.len));
  for (struct span rest = text; rest.len > 0; walked = text.len - rest.len) {
    if (text_utf8_next(&rest) == TEXT_ILL_FORMED) break;
  }
  must(walked == prefix);
  size_t cut = text_utf8_cut(text, text.len / 2);
  must(cut <= text.len / 2 && cut + 3 >= text.len / 2);
  if (prefix == text.len) must(text_utf8_valid(span_of(text.data, cut)));
}

/* What is read is written, and what is written is read. */
static void check_times(struct span text, uint64_t any) {
  uint64_t ns = any, again;
  if (text_rfc3339(text, &ns) != RESULT_OK) must(ns == any);
  struct buf b = buf_new(64);
  text_put_rfc3339(&b, ns);
  must(!b.bad && text_rfc3339(buf_span(&b), &again) == RESULT_OK && again == ns);
  buf_clear(&b);
  text_put_go_duration(&b, any);
  must(!b.bad && b.len >= 2 && b.data[b.len - 1] == 's');
  buf_free(&b);
}

static void check_numbers(struct span text, uint64_t any) {
  uint64_t v, millis;
  if (text_u64(text, 5, 1000000, &v) == RESULT_OK) {
    must(v >= 5 && v <= 1000000);
    must(text_millis(text, 0, UINT64_MAX, &millis) == RESULT_OK && millis == v * 1000);
  }
  if (text_millis(text, 5, 1000000, &millis) == RESULT_OK) must(millis >= 5 && millis <= 1000000);
  struct buf b = buf_new(32);
  buf_printf(&b, "%llu", (unsigned long long)any);
  must(text_u64(buf_span(&b), any, any, &v) == RESULT_OK && v == any);
  buf_free(&b);
}

static void check_hex(struct span text) {
  struct buf hex = buf_new(2 * text.len);
  uint8_t *back = malloc(text.len + 1);
  if (back == NULL) return;
  text_put_hex(&hex, text);
  must(text_unhex(buf_span(&hex), back, text.len) && (text.len == 0 || memcmp(back, text.data, text.len) == 0));
  if (text_unhex(text, back, text.len / 2)) must(text.len % 2 == 0);
  buf_free(&hex);
  free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct span text = span_of(data, size);
  struct cursor c = cursor_of(text);
  uint64_t any = cursor_u64(&c);
  check_verdicts(text);
  check_items(text);
  check_inside(text);
  check_string(text);
  check_reading(text);
  if (size > 0) check_key_order(text);
  check_utf8(text);
  check_times(text, any);
  check_numbers(text, any);
  check_hex(text);
  return 0;
}
