#include "base/json.h"

#include "base/text.h"

/* A walk over the text. `at` stops at the first byte that does not belong. */
struct walk {
  const uint8_t *at, *end;
  unsigned depth, max_depth;
  unsigned floor; /* the depth at which the value that is being walked began */
  bool canonical, unsorted;
  /* One bit a level: set if the level is an object. */
  uint64_t objects[(JSON_DEPTH_MAX + 63) / 64];
  /* One entry a level, for a canonical walk: behind the opening quote of the object's latest key, NULL before the
   * first. */
  const uint8_t **keys;
};

/* The character that an escape's letter stands for, and the letter that stands for a character. 0: there is none. */
static const uint8_t character_of[256] = {
    ['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'};
static const uint8_t letter_of[256] = {
    ['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};

/* 0 at the end: a byte that is nowhere welcome outside of strings. */
static uint8_t peek(const struct walk *w) {
  return w->at < w->end ? *w->at : 0;
}

static bool take(struct walk *w, uint8_t byte) {
  if (w->at == w->end || *w->at != byte) return false;
  w->at++;
  return true;
}

static bool is_space(uint8_t byte) {
  return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* In most places there is none: one look, then. */
static void skip_space(struct walk *w) {
  const uint8_t *at = w->at;
  if (w->canonical || at == w->end || *at > ' ') return;
  while (at < w->end && is_space(*at)) at++;
  w->at = at;
}

/* ---- strings ---- */

#define EACH_BYTE(v) (UINT64_C(0x0101010101010101) * (v))

/* The top bit of each byte that is a quote, a backslash or a control. Bits above the lowest one set may be false
 * alarms, as the subtractions borrow ("Determine if a word has a zero byte", Anderson, Bit Twiddling Hacks). */
static uint64_t special_bytes(uint64_t eight) {
  uint64_t quote = eight ^ EACH_BYTE('"'), backslash = eight ^ EACH_BYTE('\\');
  uint64_t found = ((quote - EACH_BYTE(1)) & ~quote) | ((backslash - EACH_BYTE(1)) & ~backslash);
  found |= (eight - EACH_BYTE(0x20)) & ~eight;
  return found & EACH_BYTE(0x80);
}

/* Skips what stands for itself in a string: goes to the next quote, backslash or control, or to the end. */
static const uint8_t *skip_plain(const uint8_t *at, const uint8_t *end) {
  uint64_t eight, found = 0;
  for (; end - at >= (ptrdiff_t)sizeof eight; at += sizeof eight) {
    memcpy(&eight, at, sizeof eight);
    found = special_bytes(eight);
    if (found != 0) break;
  }
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  /* A GNU builtin: C17 has no way to ask for the lowest bit that is one instruction. */
  if (found != 0) return at + __builtin_ctzll(found) / 8;
#endif
  while (at < end && *at >= 0x20 && *at != '"' && *at != '\\') at++;
  return at;
}

static bool unicode_escape(struct walk *w) {
  uint8_t code[2];
  if (w->end - w->at < 4 || !text_unhex(span_of(w->at, 4), code, sizeof code)) return false;
  uint8_t last = w->at[3];
  w->at += 4;
  /* JSON.stringify escapes controls only, the ones without a letter, and writes lower case: below 0x20, only the last
   * digit can be a letter. */
  bool needed = code[0] == 0 && code[1] < 0x20 && letter_of[code[1]] == 0;
  return !w->canonical || (needed && (last < 'A' || last > 'F'));
}

static bool escape(struct walk *w) {
  if (take(w, 'u')) return unicode_escape(w);
  uint8_t letter = peek(w);
  if (character_of[letter] == 0 || (w->canonical && letter == '/')) return false;
  w->at++;
  return true;
}

static bool string(struct walk *w) {
  if (!take(w, '"')) return false;
  for (;;) {
    w->at = skip_plain(w->at, w->end);
    if (take(w, '"')) return true;
    if (!take(w, '\\') || !escape(w)) return false;
  }
}

/* ---- numbers ---- */

struct number {
  bool negative;
  struct span whole, fraction, exponent; /* digits */
  uint8_t exponent_mark, exponent_sign;  /* 0 if there is none */
};

#define ECMA_DIGITS 17        /* significant digits that a double may need */
#define ECMA_WHOLE_MAX 21     /* digits before the point; from 1e+21 on there is an exponent */
#define ECMA_ZEROS_MAX 5      /* zeros behind "0."; from 1e-7 down there is an exponent */
#define ECMA_EXPONENT_MAX 308 /* the largest double is 1.7976931348623157e+308 */
#define ECMA_EXPONENT_MIN 324 /* the smallest is 5e-324 */

static size_t leading_zeros(struct span digits) {
  size_t n = 0;
  while (n < digits.len && digits.data[n] == '0') n++;
  return n;
}

static size_t trailing_zeros(struct span digits) {
  size_t n = 0;
  while (n < digits.len && digits.data[digits.len - 1 - n] == '0') n++;
  return n;
}

static bool canonical_exponent(const struct number *n) {
  uint64_t value;
  bool up = n->exponent_sign == '+';
  if (n->exponent_mark != 'e' || n->exponent_sign == 0 || n->exponent.data[0] == '0') return false;
  if (n->whole.len != 1 || n->whole.data[0] == '0') return false;
  return text_u64(n->exponent, up ? ECMA_WHOLE_MAX : ECMA_ZEROS_MAX + 2, up ? ECMA_EXPONENT_MAX : ECMA_EXPONENT_MIN,
                  &value) == RESULT_OK;
}

/* ECMA-262, 6.1.6.1.20 Number::toString, radix 10. The grammar has been seen to. */
static bool canonical_number(const struct number *n) {
  bool zero = n->whole.data[0] == '0';
  size_t significant;
  if (n->fraction.len > 0) {
    size_t zeros = zero ? leading_zeros(n->fraction) : 0;
    significant = (zero ? 0 : n->whole.len) + n->fraction.len - zeros;
    if (zeros > ECMA_ZEROS_MAX || trailing_zeros(n->fraction) > 0) return false;
  } else {
    significant = n->whole.len - trailing_zeros(n->whole);
    if (zero && n->negative) return false;
  }
  if (significant > ECMA_DIGITS || n->whole.len > ECMA_WHOLE_MAX) return false;
  return n->exponent_mark == 0 || canonical_exponent(n);
}

static struct span digits(struct walk *w) {
  const uint8_t *start = w->at, *at = start;
  while (at < w->end && *at >= '0' && *at <= '9') at++;
  w->at = at;
  return (struct span){start, (size_t)(at - start)};
}

static bool exponent(struct walk *w, struct number *n) {
  n->exponent_mark = peek(w);
  w->at++;
  uint8_t sign = peek(w);
  if (sign == '+' || sign == '-') {
    n->exponent_sign = sign;
    w->at++;
  }
  n->exponent = digits(w);
  return n->exponent.len > 0;
}

static bool number(struct walk *w) {
  struct number n = {.negative = take(w, '-')};
  n.whole = digits(w);
  if (n.whole.len == 0 || (n.whole.len > 1 && n.whole.data[0] == '0')) return false;
  if (take(w, '.')) {
    n.fraction = digits(w);
    if (n.fraction.len == 0) return false;
  }
  if ((peek(w) == 'e' || peek(w) == 'E') && !exponent(w, &n)) return false;
  return !w->canonical || canonical_number(&n);
}

/* ---- keys ---- */

/* Where the first character of a key, which has been checked, stands in the order of UTF-16 code units; 0 for its
 * closing quote. That order is the order of code points, but for surrogates: a pair is below U+E000 and what follows
 * it. */
static uint32_t take_weight(struct span *key) {
  uint32_t code = text_utf8_next(key);
  if (code == '"') return 0;
  if (code == '\\') {
    uint8_t hex[2] = {0, character_of[key->data[0]]};
    size_t len = 1;
    if (key->data[0] == 'u' && text_unhex(span_of(key->data + 1, 4), hex, sizeof hex)) len = 5;
    key->data += len;
    key->len -= len;
    code = hex[1];
  }
  if (code >= 0x10000) {
    code -= 0x10000 - 0xD800;
  } else if (code >= 0xE000) {
    code += 0x100000;
  }
  return code + 1;
}

/* ASCII that stands for itself in a key. */
static bool is_simple(uint8_t byte) {
  return byte < 0x80 && byte != '"' && byte != '\\';
}

/* True if key `a` is before key `b`. Both begin behind their opening quote. */
static bool key_before(struct span a, struct span b) {
  uint32_t left, right;
  do {
    /* What the keys share goes by quickly; the quote ends it. */
    size_t same = 0;
    while (a.data[same] == b.data[same] && is_simple(a.data[same])) same++;
    a = span_of(a.data + same, a.len - same);
    b = span_of(b.data + same, b.len - same);
    left = take_weight(&a);
    right = take_weight(&b);
  } while (left == right && left != 0);
  return left < right;
}

static struct span from(const struct walk *w, const uint8_t *at) {
  return span_of(at, (size_t)(w->end - at));
}

static void order_key(struct walk *w, const uint8_t *key) {
  const uint8_t **latest = &w->keys[w->depth - 1];
  if (*latest != NULL && !key_before(from(w, *latest), from(w, key))) w->unsorted = true;
  *latest = key;
}

static bool key(struct walk *w) {
  skip_space(w);
  const uint8_t *start = w->at;
  if (!string(w)) return false;
  if (w->canonical) order_key(w, start + 1);
  skip_space(w);
  return take(w, ':');
}

/* ---- values ---- */

static bool literal(struct walk *w, const char *text) {
  size_t len = strlen(text);
  if ((size_t)(w->end - w->at) < len || memcmp(w->at, text, len) != 0) return false;
  w->at += len;
  return true;
}

static bool scalar(struct walk *w) {
  switch (peek(w)) {
    case '"':
      return string(w);
    case 't':
      return literal(w, "true");
    case 'f':
      return literal(w, "false");
    case 'n':
      return literal(w, "null");
    default:
      return number(w);
  }
}

static bool in_object(const struct walk *w) {
  unsigned level = w->depth - 1;
  return (w->objects[level / 64] >> level % 64 & 1) != 0;
}

static bool open_level(struct walk *w, bool object) {
  unsigned level = w->depth;
  if (level == w->max_depth) return false;
  uint64_t bit = UINT64_C(1) << level % 64;
  if (object) {
    w->objects[level / 64] |= bit;
    if (w->canonical) w->keys[level] = NULL;
  } else {
    w->objects[level / 64] &= ~bit;
  }
  w->at++;
  w->depth++;
  return true;
}

static bool close_level(struct walk *w) {
  if (!take(w, in_object(w) ? '}' : ']')) return false;
  w->depth--;
  return true;
}

/* A value begins: goes down through brackets, each with its first key, until a scalar or an empty level is behind it.
 */
static bool begin_value(struct walk *w) {
  for (;;) {
    skip_space(w);
    uint8_t byte = peek(w);
    if (byte != '{' && byte != '[') return scalar(w);
    if (!open_level(w, byte == '{')) return false;
    skip_space(w);
    if (close_level(w)) return true;
    if (byte == '{' && !key(w)) return false;
  }
}

/* A value has ended: closes what ends with it, down to the floor. Sets `more` if another value must follow. */
static bool end_value(struct walk *w, bool *more) {
  for (;;) {
    *more = false;
    if (w->depth == w->floor) return true;
    skip_space(w);
    *more = take(w, ',');
    if (*more) return !in_object(w) || key(w);
    if (!close_level(w)) return false;
  }
}

static bool value(struct walk *w) {
  bool more = true;
  w->floor = w->depth;
  while (more) {
    if (!begin_value(w) || !end_value(w, &more)) return false;
  }
  return true;
}

/* False, with `at` at the first bad byte, if the text is not UTF-8. */
static bool begin(struct walk *w, struct span text) {
  size_t good = text_utf8_prefix(text);
  w->at = text.data;
  w->end = text.data;
  if (good > 0) w->end += good;
  if (good < text.len) w->at = w->end;
  return good == text.len;
}

static bool at_end(struct walk *w) {
  skip_space(w);
  return w->at == w->end;
}

static bool one_value(struct walk *w, struct span text) {
  return begin(w, text) && value(w) && at_end(w);
}

enum result json_check(struct span text, unsigned max_depth) {
  struct walk w = {.max_depth = max_depth < JSON_DEPTH_MAX ? max_depth : JSON_DEPTH_MAX};
  return one_value(&w, text) ? RESULT_OK : RESULT_INPUT_INVALID;
}

enum json_canon json_canonical(struct span text) {
  const uint8_t *keys[JSON_DEPTH_MAX]; /* open_level sets an entry before order_key reads it */
  struct walk w = {.max_depth = JSON_DEPTH_MAX, .canonical = true, .keys = keys};
  if (!one_value(&w, text)) return JSON_BROKEN;
  return w.unsorted ? JSON_UNSORTED : JSON_CANONICAL;
}

/* ---- parts ---- */

uint8_t json_first(struct span text) {
  size_t i = 0;
  while (i < text.len && is_space(text.data[i])) i++;
  return i < text.len ? text.data[i] : 0;
}

static struct span since(const struct walk *w, const uint8_t *start) {
  return span_of(start, (size_t)(w->at - start));
}

static bool take_key(struct walk *w, struct span *out) {
  const uint8_t *start = w->at;
  if (!string(w)) return false;
  *out = since(w, start);
  skip_space(w);
  return take(w, ':');
}

static bool take_item(struct walk *w, bool in_an_object, struct json_item *item) {
  skip_space(w);
  if (in_an_object && !take_key(w, &item->key)) return false;
  skip_space(w);
  const uint8_t *start = w->at;
  if (!value(w)) return false;
  item->value = since(w, start);
  return true;
}

static enum result each(struct walk *w, json_visit *visit, void *context) {
  struct json_item item = {0};
  skip_space(w);
  bool object = peek(w) == '{';
  if ((!object && peek(w) != '[') || !open_level(w, object)) return RESULT_INPUT_INVALID;
  skip_space(w);
  if (close_level(w)) return RESULT_OK;
  do {
    if (!take_item(w, object, &item)) return RESULT_INPUT_INVALID;
    enum result r = visit(context, &item);
    if (r != RESULT_OK) return r;
    skip_space(w);
  } while (take(w, ','));
  return close_level(w) ? RESULT_OK : RESULT_INPUT_INVALID;
}

enum result json_each(struct span text, unsigned max_depth, json_visit *visit, void *context, size_t *at) {
  struct walk w = {.max_depth = max_depth < JSON_DEPTH_MAX ? max_depth : JSON_DEPTH_MAX};
  enum result r = begin(&w, text) ? each(&w, visit, context) : RESULT_INPUT_INVALID;
  if (r == RESULT_OK && !at_end(&w)) r = RESULT_INPUT_INVALID;
  *at = (size_t)(w.at - text.data);
  return r;
}

/* ---- reading a string ---- */

static void put_utf8(struct buf *b, uint32_t code) {
  uint8_t bytes[4];
  size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (size_t i = len - 1; i > 0; i--, code >>= 6) bytes[i] = (uint8_t)(0x80 | (code & 0x3F));
  bytes[0] = (uint8_t)(len == 1 ? code : (0xF00u >> len & 0xFF) | code);
  buf_put(b, bytes, len);
}

/* The code unit of an escape that begins at `at`; 0 if none does. */
static uint32_t code_unit(const uint8_t *at, const uint8_t *end) {
  uint8_t unit[2];
  if (end - at < 6 || at[0] != '\\' || at[1] != 'u' || !text_unhex(span_of(at + 2, 4), unit, sizeof unit)) return 0;
  return (uint32_t)unit[0] << 8 | unit[1];
}

static bool is_surrogate(uint32_t code, uint32_t first) {
  return code >= first && code < first + 0x400;
}

/* What an escape says, and where it ends; NULL for half of a pair. */
static const uint8_t *get_escape(const uint8_t *at, const uint8_t *end, struct buf *out) {
  if (at[1] != 'u') {
    buf_put_u8(out, character_of[at[1]]);
    return at + 2;
  }
  uint32_t code = code_unit(at, end);
  at += 6;
  if (is_surrogate(code, 0xD800)) {
    uint32_t low = code_unit(at, end);
    if (!is_surrogate(low, 0xDC00)) return NULL;
    code = 0x10000 + ((code & 0x3FF) << 10 | (low & 0x3FF));
    at += 6;
  } else if (is_surrogate(code, 0xDC00)) {
    return NULL;
  }
  put_utf8(out, code);
  return at;
}

bool json_get_string(struct span string, struct buf *out) {
  const uint8_t *at = string.data + 1, *end = string.data + string.len - 1;
  while (at < end) {
    const uint8_t *stop = skip_plain(at, end);
    buf_put(out, at, (size_t)(stop - at));
    at = stop < end ? get_escape(stop, end, out) : end;
    if (at == NULL) return false;
  }
  return true;
}

/* ---- writing ---- */

static void put_escape(struct buf *b, uint8_t byte) {
  uint8_t letter = letter_of[byte];
  buf_put_text(b, letter != 0 ? "\\" : "\\u00");
  if (letter != 0) {
    buf_put_u8(b, letter);
  } else {
    text_put_hex(b, span_of(&byte, 1));
  }
}

/* Valid UTF-8 without the quotes. */
static void put_escaped(struct buf *b, struct span utf8) {
  const uint8_t *at = utf8.data, *end = at + utf8.len;
  while (at < end) {
    const uint8_t *stop = skip_plain(at, end);
    buf_put(b, at, (size_t)(stop - at));
    if (stop < end) put_escape(b, *stop++);
    at = stop;
  }
}

void json_put_string(struct buf *b, struct span utf8) {
  buf_put_u8(b, '"');
  while (utf8.len > 0) {
    size_t good = text_utf8_prefix(utf8);
    put_escaped(b, span_of(utf8.data, good));
    utf8 = span_of(utf8.data + good, utf8.len - good);
    if (utf8.len > 0) {
      text_utf8_next(&utf8);
      buf_put_text(b, "\xEF\xBF\xBD"); /* U+FFFD */
    }
  }
  buf_put_u8(b, '"');
}

void json_put_key(struct buf *b, const char *key) {
  if (b->len > 0 && b->data[b->len - 1] != '{') buf_put_u8(b, ',');
  buf_put_u8(b, '"');
  buf_put_text(b, key);
  buf_put_text(b, "\":");
}

void json_put_member_string(struct buf *b, const char *key, struct span utf8) {
  json_put_key(b, key);
  json_put_string(b, utf8);
}

void json_put_member_number(struct buf *b, const char *key, uint64_t value) {
  json_put_key(b, key);
  buf_printf(b, "%llu", (unsigned long long)value);
}
