/* Prints the metrics as /metrics would, for dashboard.test.mjs. */
#include "broker/metrics.h"

int main(void) {
  struct buf b = buf_new(1u << 20);
  metrics_open();
  metrics_build(span_text("engine"), span_text("sim"));
  metrics_write(&b);
  metrics_close();
  bool written = !b.bad && fwrite(b.data, 1, b.len, stdout) == b.len;
  buf_free(&b);
  return written ? 0 : 1;
}
