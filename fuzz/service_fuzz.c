/* Bodies of the service's own messages. The first byte says which. What parses must come out of a second round
 * unchanged. */
#include "wire/service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads a message and writes it again; false if it does not fit. */
typedef bool again(struct span body, struct buf *out);

#define SERVICE_AGAIN(name, NAME, type)                         \
  static bool again_##name(struct span body, struct buf *out) { \
    struct wire_##type m;                                       \
    if (!wire_get_##name(body, &m)) return false;               \
    wire_put_##name(out, &m);                                   \
    return true;                                                \
  }
SERVICE_PLAIN(SERVICE_AGAIN)
SERVICE_AGAIN(execute, EXECUTE, execute)

static bool again_open(struct span body, struct buf *out) {
  static struct wire_record records[SERVICE_OPEN_RECORDS];
  struct wire_open m;
  struct cursor rest;
  if (!wire_get_open(body, &m, &rest)) return false;
  for (uint32_t i = 0; i < m.count; i++)
    if (!wire_get_record(&rest, &records[i])) return false;
  m.records = records;
  wire_put_open(out, &m);
  return cursor_end(&rest);
}

static bool again_opened(struct span body, struct buf *out) {
  static struct wire_answer answers[SERVICE_OPEN_RECORDS];
  struct wire_opened m;
  struct cursor rest;
  if (!wire_get_opened(body, &m, &rest)) return false;
  for (uint32_t i = 0; i < m.count; i++)
    if (!wire_get_answer(&rest, &answers[i])) return false;
  m.answers = answers;
  wire_put_opened(out, &m);
  return cursor_end(&rest);
}

static struct wire_statement statements[WIRE_ROWS_MAX];

static bool again_query(struct span body, struct buf *out) {
  struct wire_query m;
  struct cursor rest;
  if (!wire_get_query(body, &m, &rest)) return false;
  for (uint32_t i = 0; i < m.count; i++)
    if (!wire_get_statement(&rest, &statements[i])) return false;
  m.statements = statements;
  wire_put_query(out, WIRE_STORE_QUERY, &m);
  return cursor_end(&rest);
}

static bool again_rows(struct span body, struct buf *out) {
  struct wire_rows m;
  struct cursor rest;
  if (!wire_get_rows(body, &m, &rest)) return false;
  for (uint32_t i = 0; i < m.count; i++)
    if (!wire_get_statement(&rest, &statements[i])) return false;
  m.rows = statements;
  wire_put_rows(out, WIRE_STORE_ROWS, &m);
  return cursor_end(&rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static again *const messages[] = {
#define SERVICE_ROW(name, NAME, type) again_##name,
      SERVICE_PLAIN(SERVICE_ROW) again_execute, again_open, again_opened, again_query, again_rows};
  if (size == 0) return 0;
  struct span body = span_of(data + 1, size - 1);
  struct buf out = buf_new(1u << 20);
  if (messages[data[0] % (sizeof messages / sizeof messages[0])](body, &out) &&
      (out.bad || !span_equal(span_of(out.data + MSG_HEADER, out.len - MSG_HEADER), body)))
    abort();
  buf_free(&out);
  return 0;
}
