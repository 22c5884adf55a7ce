#include "attest/snp.h"

#define REPORT_DATA_AT 0x50u
#define GUID 16u

/* How much of the table its entries cover; 0 without entries. */
static bool table_size(struct span table, size_t *size) {
  static const uint8_t zeros[GUID];
  struct cursor c = cursor_of(table);
  *size = 0;
  if (table.len == 0) return true;
  for (;;) {
    const struct span guid = cursor_bytes(&c, GUID);
    const uint32_t offset = cursor_u32(&c), length = cursor_u32(&c);
    if (c.bad) return false;
    if (offset == 0 && length == 0 && span_equal(guid, span_of(zeros, GUID))) break;
    if ((uint64_t)offset + length > table.len) return false;
    if ((size_t)offset + length > *size) *size = (size_t)offset + length;
  }
  /* The end mark is part of the table, wherever the certificates are. */
  const size_t entries = table.len - c.rest.len;
  if (*size > 0 && *size < entries) *size = entries;
  return true;
}

enum result snp_put_evidence(struct buf *out, struct span report, struct span table,
                             const uint8_t report_data[ATTEST_REPORT_DATA]) {
  size_t size = 0;
  if (report.len != SNP_REPORT || !table_size(table, &size)) return RESULT_IO;
  const struct span carried = span_of(report.data + REPORT_DATA_AT, ATTEST_REPORT_DATA);
  if (!span_equal(carried, span_of(report_data, ATTEST_REPORT_DATA))) return RESULT_BUSY;
  buf_put_span(out, report);
  buf_put(out, table.data, size);
  return out->bad ? RESULT_NO_MEMORY : RESULT_OK;
}
