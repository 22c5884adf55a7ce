#include "keeper/secret_rows.h"

#include "base/text.h"
#include "keeper/secret_record.h"

#define TIME_MAX (UINT64_MAX / 1000000000u) /* seconds that are nanoseconds in 64 bits */
#define TEXT_MAX 1024u                      /* what an audit row says */

struct column {
  bool (*read)(struct span text, void *out);
  size_t offset; /* in struct secret_row */
};

static bool read_number(struct span text, uint64_t min, uint64_t max, void *out) {
  uint64_t number;
  if (text_u64(text, min, max, &number) != RESULT_OK) return false;
  memcpy(out, &number, sizeof number);
  return true;
}

static bool read_bytes(struct span text, size_t max, void *out) {
  memcpy(out, &text, sizeof text);
  return text.len <= max;
}

static bool read_text(struct span text, void *out) {
  return read_bytes(text, TEXT_MAX, out);
}

static bool read_sealed(struct span text, void *out) {
  return read_bytes(text, SECRET_TEXT_MAX, out);
}

static bool read_version(struct span text, void *out) {
  return read_number(text, 0, SECRET_VERSION_MAX, out);
}

static bool read_id(struct span text, void *out) {
  return read_number(text, 1, SECRET_AUDIT_ID_MAX, out);
}

static bool read_time(struct span text, void *out) {
  return text.len == 0 || read_number(text, 0, TIME_MAX, out);
}

static bool read_success(struct span text, void *out) {
  const bool success = span_is(text, "1");
  memcpy(out, &success, sizeof success);
  return success || span_is(text, "0");
}

#define COLUMN(kind, name) \
  { read_##kind, offsetof(struct secret_row, name) }

static const struct column find[] = {COLUMN(version, version), COLUMN(sealed, value), COLUMN(sealed, uses),
                                     COLUMN(time, updated)};
static const struct column all[] = {COLUMN(text, name),   COLUMN(version, version), COLUMN(sealed, value),
                                    COLUMN(sealed, uses), COLUMN(time, created),    COLUMN(time, updated)};
static const struct column removed[] = {COLUMN(version, version)};
static const struct column audits[] = {COLUMN(id, id),      COLUMN(text, action),     COLUMN(text, service),
                                       COLUMN(text, agent), COLUMN(success, success), COLUMN(text, error),
                                       COLUMN(time, time)};
static const struct column policies[] = {COLUMN(text, service)};

#define ROWS(columns) columns, sizeof columns / sizeof columns[0]

/* Statements that answer with rows. */
static const struct {
  uint32_t statement;
  const struct column *columns;
  size_t count;
} answers[] = {{STATEMENT_FIND, ROWS(find)},
               {STATEMENT_ALL, ROWS(all)},
               {STATEMENT_REMOVE, ROWS(removed)},
               {STATEMENT_AUDITS, ROWS(audits)},
               {STATEMENT_POLICIES, ROWS(policies)}};

bool secret_row_read(struct cursor *rest, const struct wire_statement *asked, uint32_t count, struct secret_row *row) {
  struct wire_statement m;
  *row = (struct secret_row){0};
  if (!wire_get_statement(rest, &m) || m.statement >= count) return false;
  row->index = m.statement;
  row->statement = asked[m.statement].statement;
  size_t i = 0;
  while (i < sizeof answers / sizeof answers[0] && answers[i].statement != row->statement) i++;
  if (i == sizeof answers / sizeof answers[0] || m.count != answers[i].count) return false;
  for (uint32_t at = 0; at < m.count; at++)
    if (!answers[i].columns[at].read(m.values[at], (uint8_t *)row + answers[i].columns[at].offset)) return false;
  return true;
}
