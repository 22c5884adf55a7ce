#include "base/text.h"

#define SECOND UINT64_C(1000000000) /* in nanoseconds */
#define FRACTION_DIGITS 9
#define DAY 86400 /* in seconds */
#define EPOCH_YEAR 1970
#define LAST_YEAR 2554

/* ---- UTF-8 ---- */

/* Unicode Standard, table 3-7 "Well-Formed UTF-8 Byte Sequences": by lead byte, the length of the sequence and the
 * bounds of its second byte; a length of 0 is no lead byte. Ranges are a GNU extension: they keep the table as the
 * standard prints it. */
static const struct lead {
  uint8_t len, low, high;
} leads[256] = {
    [0x00 ... 0x7F] = {1, 0, 0},       [0xC2 ... 0xDF] = {2, 0x80, 0xBF}, [0xE0] = {3, 0xA0, 0xBF},
    [0xE1 ... 0xEC] = {3, 0x80, 0xBF}, [0xED] = {3, 0x80, 0x9F},          [0xEE ... 0xEF] = {3, 0x80, 0xBF},
    [0xF0] = {4, 0x90, 0xBF},          [0xF1 ... 0xF3] = {4, 0x80, 0xBF}, [0xF4] = {4, 0x80, 0x8F},
};

uint32_t text_utf8_next(struct span *rest) {
  const uint8_t *s = rest->data;
  struct lead lead = leads[s[0]];
  uint32_t code = lead.len > 1 ? s[0] & (0x7Fu >> lead.len) : s[0];
  size_t i = 1;
  for (uint8_t low = lead.low, high = lead.high; i < lead.len; i++, low = 0x80, high = 0xBF) {
    if (i == rest->len || s[i] < low || s[i] > high) break;
    code = code << 6 | (s[i] & 0x3Fu);
  }
  rest->data += i;
  rest->len -= i;
  return i == lead.len ? code : TEXT_ILL_FORMED;
}

static void skip_ascii(struct span *rest) {
  uint64_t eight;
  while (rest->len >= sizeof eight) {
    memcpy(&eight, rest->data, sizeof eight);
    if ((eight & UINT64_C(0x8080808080808080)) != 0) break;
    rest->data += sizeof eight;
    rest->len -= sizeof eight;
  }
  while (rest->len > 0 && rest->data[0] < 0x80) {
    rest->data++;
    rest->len--;
  }
}

size_t text_utf8_prefix(struct span s) {
  struct span rest = s;
  for (;;) {
    skip_ascii(&rest);
    /* Characters outside ASCII come in runs. */
    while (rest.len > 0 && rest.data[0] >= 0x80) {
      size_t at = s.len - rest.len;
      if (text_utf8_next(&rest) == TEXT_ILL_FORMED) return at;
    }
    if (rest.len == 0) return s.len;
  }
}

bool text_utf8_valid(struct span s) {
  return text_utf8_prefix(s) == s.len;
}

static bool is_continuation(uint8_t byte) {
  return (byte & 0xC0) == 0x80;
}

size_t text_utf8_cut(struct span s, size_t max) {
  if (s.len <= max) return s.len;
  size_t back = 0;
  while (back < 3 && back < max && is_continuation(s.data[max - back])) back++;
  return max - back;
}

/* ---- numbers ---- */

enum result text_u64(struct span s, uint64_t min, uint64_t max, uint64_t *out) {
  uint64_t v = 0;
  for (size_t i = 0; i < s.len; i++) {
    unsigned digit = (unsigned)s.data[i] - '0';
    if (digit > 9 || v > (UINT64_MAX - digit) / 10) return RESULT_LIMIT_INVALID;
    v = v * 10 + digit;
  }
  if (s.len == 0 || v < min || v > max) return RESULT_LIMIT_INVALID;
  *out = v;
  return RESULT_OK;
}

/* The digits behind a decimal point, 1 to `places` of them, as if there were `places`. */
static enum result must_use parse_fraction(struct span digits, size_t places, uint64_t *out) {
  uint64_t v;
  if (digits.len > places || text_u64(digits, 0, UINT64_MAX, &v) != RESULT_OK) return RESULT_LIMIT_INVALID;
  for (size_t i = digits.len; i < places; i++) v *= 10;
  *out = v;
  return RESULT_OK;
}

enum result text_millis(struct span s, uint64_t min, uint64_t max, uint64_t *out) {
  uint64_t whole, fraction = 0;
  size_t dot = 0;
  while (dot < s.len && s.data[dot] != '.') dot++;
  if (text_u64(span_of(s.data, dot), 0, UINT64_MAX / 1000 - 1, &whole) != RESULT_OK) return RESULT_LIMIT_INVALID;
  if (dot < s.len && parse_fraction(span_of(s.data + dot + 1, s.len - dot - 1), 3, &fraction) != RESULT_OK) {
    return RESULT_LIMIT_INVALID;
  }
  uint64_t millis = whole * 1000 + fraction;
  if (millis < min || millis > max) return RESULT_LIMIT_INVALID;
  *out = millis;
  return RESULT_OK;
}

static void put_u64(struct buf *b, uint64_t v) {
  char digits[24];
  int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)v);
  buf_put(b, digits, (size_t)len);
}

/* "." and `places` digits without the zeros at their end; nothing for 0. */
static void put_fraction(struct buf *b, uint64_t v, int places) {
  char digits[32];
  if (v == 0) return;
  for (; v % 10 == 0; places--) v /= 10;
  int len = snprintf(digits, sizeof digits, ".%0*llu", places, (unsigned long long)v);
  buf_put(b, digits, (size_t)len);
}

/* ---- dates ---- */

/* Days before the month begins, in a year without a leap day; the last entry is the year's length. */
static const unsigned month_starts[13] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

static bool is_leap(unsigned year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days from 1970-01-01 to January 1st of `year`, a year from 1970 on. */
static unsigned year_start(unsigned year) {
  unsigned before = year - 1, leap_days = before / 4 - before / 100 + before / 400;
  const unsigned leap_days_before_epoch = 1969 / 4 - 1969 / 100 + 1969 / 400;
  return (year - EPOCH_YEAR) * 365 + leap_days - leap_days_before_epoch;
}

/* Days from January 1st to the first of `month`; months count from 0, and 12 is the next year's first. */
static unsigned month_start(unsigned year, unsigned month) {
  return month_starts[month] + (month > 1 && is_leap(year) ? 1 : 0);
}

/* Exactly `width` digits, a number from `low` to `high`; anything else spoils the cursor. */
static unsigned take_number(struct cursor *c, size_t width, unsigned low, unsigned high) {
  uint64_t v = low;
  if (text_u64(cursor_bytes(c, width), low, high, &v) != RESULT_OK) c->bad = true;
  return (unsigned)v;
}

/* One byte out of `set`; anything else spoils the cursor. */
static char take_one_of(struct cursor *c, const char *set) {
  char byte = (char)cursor_u8(c);
  if (byte == '\0' || strchr(set, byte) == NULL) c->bad = true;
  return byte;
}

static int64_t take_date(struct cursor *c) {
  unsigned year = take_number(c, 4, EPOCH_YEAR, LAST_YEAR);
  take_one_of(c, "-");
  unsigned month = take_number(c, 2, 1, 12) - 1;
  take_one_of(c, "-");
  unsigned days_in_month = month_start(year, month + 1) - month_start(year, month);
  unsigned day = take_number(c, 2, 1, days_in_month) - 1;
  return year_start(year) + month_start(year, month) + day;
}

static int64_t take_time(struct cursor *c) {
  unsigned hours = take_number(c, 2, 0, 23);
  take_one_of(c, ":");
  unsigned minutes = take_number(c, 2, 0, 59);
  take_one_of(c, ":");
  return hours * 3600 + minutes * 60 + take_number(c, 2, 0, 59);
}

static uint64_t take_fraction(struct cursor *c) {
  uint64_t ns = 0;
  if (c->rest.len == 0 || c->rest.data[0] != '.') return 0;
  cursor_u8(c);
  size_t len = 0;
  while (len < c->rest.len && c->rest.data[len] >= '0' && c->rest.data[len] <= '9') len++;
  if (parse_fraction(cursor_bytes(c, len), FRACTION_DIGITS, &ns) != RESULT_OK) c->bad = true;
  return ns;
}

/* Seconds by which the local time is ahead of UTC. */
static int64_t take_offset(struct cursor *c) {
  char sign = take_one_of(c, "Zz+-");
  if (c->bad || sign == 'Z' || sign == 'z') return 0;
  int64_t seconds = take_number(c, 2, 0, 23) * 3600;
  take_one_of(c, ":");
  seconds += take_number(c, 2, 0, 59) * 60;
  return sign == '-' ? -seconds : seconds;
}

enum result text_rfc3339(struct span s, uint64_t *unix_ns) {
  struct cursor c = cursor_of(s);
  int64_t seconds = take_date(&c) * DAY;
  take_one_of(&c, "Tt");
  seconds += take_time(&c);
  uint64_t ns = take_fraction(&c);
  seconds -= take_offset(&c);
  if (!cursor_end(&c) || seconds < 0 || (uint64_t)seconds > (UINT64_MAX - ns) / SECOND) return RESULT_LIMIT_INVALID;
  *unix_ns = (uint64_t)seconds * SECOND + ns;
  return RESULT_OK;
}

void text_put_rfc3339(struct buf *b, uint64_t unix_ns) {
  char text[64];
  unsigned day = (unsigned)(unix_ns / SECOND / DAY), second = (unsigned)(unix_ns / SECOND % DAY), month = 0;
  /* Never too late a year, and at most two too early. */
  unsigned year = EPOCH_YEAR + day / 366;
  while (year_start(year + 1) <= day) year++;
  day -= year_start(year);
  while (month_start(year, month + 1) <= day) month++;
  day -= month_start(year, month);
  int len = snprintf(text, sizeof text, "%04u-%02u-%02uT%02u:%02u:%02u", year, month + 1, day + 1, second / 3600,
                     second / 60 % 60, second % 60);
  buf_put(b, text, (size_t)len);
  put_fraction(b, unix_ns % SECOND, FRACTION_DIGITS);
  buf_put_text(b, "Z");
}

/* ---- durations ---- */

static const struct unit {
  uint64_t ns;
  const char *name;
  int places;
} units[] = {{SECOND, "s", 9}, {1000000, "ms", 6}, {1000, "µs", 3}, {1, "ns", 0}};

void text_put_go_duration(struct buf *b, uint64_t ns) {
  const struct unit *unit = units;
  uint64_t minutes = ns / (60 * SECOND);
  while (ns != 0 && unit->ns > ns) unit++;
  if (minutes >= 60) {
    put_u64(b, minutes / 60);
    buf_put_text(b, "h");
  }
  if (minutes > 0) {
    put_u64(b, minutes % 60);
    buf_put_text(b, "m");
  }
  put_u64(b, ns % (60 * SECOND) / unit->ns);
  put_fraction(b, ns % unit->ns, unit->places);
  buf_put_text(b, unit->name);
}

/* Go spells the micro sign (U+00B5) and the Greek mu (U+03BC) alike. */
static const struct unit read_units[] = {{1, "ns", 0},          {1000, "us", 0},        {1000, "\u00b5s", 0},
                                         {1000, "\u03bcs", 0},  {1000000, "ms", 0},     {SECOND, "s", 0},
                                         {60 * SECOND, "m", 0}, {3600 * SECOND, "h", 0}};

static bool is_digit(uint8_t byte) {
  return byte >= '0' && byte <= '9';
}

/* The bytes in front up to the first that is `digits`' opposite. */
static struct span take_run(struct span *rest, bool digits) {
  size_t len = 0;
  while (len < rest->len && is_digit(rest->data[len]) == digits && (digits || rest->data[len] != '.')) len++;
  struct span run = span_of(rest->data, len);
  rest->data += len;
  rest->len -= len;
  return run;
}

/* Nanoseconds of `digits` behind a point, in `unit`s, with the double arithmetic that Go does it with: a further digit
 * is dropped once 63 bits are full. */
static uint64_t fraction_ns(struct span digits, uint64_t unit) {
  uint64_t v = 0;
  double scale = 1;
  for (size_t i = 0; i < digits.len && v <= (INT64_MAX - 9) / 10; i++) {
    v = v * 10 + (digits.data[i] - '0');
    scale *= 10;
  }
  return (uint64_t)((double)v * ((double)unit / scale));
}

/* One number with its unit, added to `ns`. */
static enum result must_use take_duration(struct span *rest, uint64_t *ns) {
  struct span whole = take_run(rest, true), fraction = {0};
  uint64_t count = 0, unit = 0;
  if (rest->len > 0 && rest->data[0] == '.') {
    *rest = span_of(rest->data + 1, rest->len - 1);
    fraction = take_run(rest, true);
  }
  struct span name = take_run(rest, false);
  for (size_t i = 0; i < sizeof read_units / sizeof read_units[0]; i++)
    if (span_is(name, read_units[i].name)) unit = read_units[i].ns;
  if (unit == 0 || whole.len + fraction.len == 0) return RESULT_LIMIT_INVALID;
  if (whole.len > 0 && text_u64(whole, 0, INT64_MAX / unit, &count) != RESULT_OK) return RESULT_LIMIT_INVALID;
  uint64_t part = count * unit + fraction_ns(fraction, unit);
  if (part > INT64_MAX - *ns) return RESULT_LIMIT_INVALID;
  *ns += part;
  return RESULT_OK;
}

enum result text_go_duration(struct span s, uint64_t *ns) {
  uint64_t total = 0;
  if (s.len > 0 && s.data[0] == '+') s = span_of(s.data + 1, s.len - 1);
  if (s.len == 0) return RESULT_LIMIT_INVALID;
  if (span_is(s, "0")) s.len = 0; /* the one number that needs no unit */
  while (s.len > 0)
    if (take_duration(&s, &total) != RESULT_OK) return RESULT_LIMIT_INVALID;
  *ns = total;
  return RESULT_OK;
}

/* ---- hexadecimal ---- */

void text_put_hex(struct buf *b, struct span bytes) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < bytes.len; i++) {
    char pair[2] = {digits[bytes.data[i] >> 4], digits[bytes.data[i] & 15]};
    buf_put(b, pair, sizeof pair);
  }
}

/* 0 to 15, or more for no digit. */
static unsigned nibble(uint8_t digit) {
  unsigned decimal = (unsigned)digit - '0', letter = (unsigned)(digit | 0x20) - 'a';
  return decimal < 10 ? decimal : letter < 6 ? letter + 10 : 16;
}

bool text_unhex(struct span hex, uint8_t *out, size_t out_len) {
  if (hex.len % 2 != 0 || hex.len / 2 != out_len) return false;
  for (size_t i = 0; i < out_len; i++) {
    unsigned high = nibble(hex.data[2 * i]), low = nibble(hex.data[2 * i + 1]);
    if (high > 15 || low > 15) return false;
    out[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}
