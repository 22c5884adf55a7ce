#include "attest/quote.h"

#define HEADER 48u
#define IN_SGX 320u /* report data in the body */
#define IN_TDX 520u
#define TYPED 6u /* version 5 says the body's type and size before it */

static const struct {
  uint32_t version, tee;
  size_t report_data;
} forms[] = {
    {3, QUOTE_SGX, HEADER + IN_SGX},         {4, QUOTE_SGX, HEADER + IN_SGX},         {4, QUOTE_TDX, HEADER + IN_TDX},
    {5, QUOTE_SGX, HEADER + TYPED + IN_SGX}, {5, QUOTE_TDX, HEADER + TYPED + IN_TDX},
};

enum result quote_check(struct span quote, uint32_t tee, const uint8_t report_data[ATTEST_REPORT_DATA]) {
  struct cursor c = cursor_of(quote);
  const uint32_t version = cursor_u32(&c) & 0xffff; /* the other half is the key's type */
  const uint32_t kind = cursor_u32(&c);
  for (size_t i = 0; i < sizeof forms / sizeof forms[0] && !c.bad; i++) {
    if (forms[i].version != version || forms[i].tee != kind || kind != tee) continue;
    if (quote.len < forms[i].report_data + ATTEST_REPORT_DATA) return RESULT_IO;
    const struct span carried = span_of(quote.data + forms[i].report_data, ATTEST_REPORT_DATA);
    return span_equal(carried, span_of(report_data, ATTEST_REPORT_DATA)) ? RESULT_OK : RESULT_BUSY;
  }
  return RESULT_IO;
}
