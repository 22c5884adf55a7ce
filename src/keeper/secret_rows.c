#include "keeper/secret_rows.h"

#include "base/text.h"
#include "keeper/secret_record.h"

#define TIME_MAX (UINT64_MAX / 1000000000u) /* seconds that are nanoseconds in 64 bits */
#define TEXT_MAX 1024u                      /* what an audit row says */

enum kind { TEXT, SEALED, VERSION, ID, TIME, SUCCESS };

struct column {
  enum kind kind;
  size_t offset; /* in struct secret_row */
};

#define COLUMN(kind, name) \
  { kind, offsetof(struct secret_row, name) }

static const struct column find[] = {COLUMN(VERSION, version), COLUMN(SEALED, value), COLUMN(SEALED, uses),
                                     COLUMN(TIME, updated)};
static const struct column all[] = {COLUMN(TEXT, name),   COLUMN(VERSION, version), COLUMN(SEALED, value),
                                    COLUMN(SEALED, uses), COLUMN(TIME, created),    COLUMN(TIME, updated)};
static const struct column removed[] = {COLUMN(VERSION, version)};
static const struct column audits[] = {COLUMN(ID, id),      COLUMN(TEXT, action),     COLUMN(TEXT, service),
                                       COLUMN(TEXT, agent), COLUMN(SUCCESS, success), COLUMN(TEXT, error),
                                       COLUMN(TIME, time)};
static const struct column policies[] = {COLUMN(TEXT, service)};

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

static bool read_number(struct span text, uint64_t min, uint64_t max, void *out) {
  uint64_t number;
  if (text_u64(text, min, max, &number) != RESULT_OK) return false;
  memcpy(out, &number, sizeof number);
  return true;
}

static bool read_text(struct span text, size_t max, void *out) {
  memcpy(out, &text, sizeof text);
  return text.len <= max;
}

static bool read_success(struct span text, void *out) {
  const bool success = span_is(text, "1");
  memcpy(out, &success, sizeof success);
  return success || span_is(text, "0");
}

static bool read_column(const struct column *column, struct span text, struct secret_row *row) {
  void *out = (uint8_t *)row + column->offset;
  switch (column->kind) {
    case TEXT:
      return read_text(text, TEXT_MAX, out);
    case SEALED:
      return read_text(text, SECRET_TEXT_MAX, out);
    case VERSION:
      return read_number(text, 0, SECRET_VERSION_MAX, out);
    case ID:
      return read_number(text, 1, SECRET_AUDIT_ID_MAX, out);
    case TIME:
      return text.len == 0 || read_number(text, 0, TIME_MAX, out);
    case SUCCESS:
      return read_success(text, out);
    default:
      return false;
  }
}

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
    if (!read_column(&answers[i].columns[at], m.values[at], row)) return false;
  return true;
}
