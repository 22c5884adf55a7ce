/* Bodies of messages from a peer that may not be trusted. What parses must come out of a second round unchanged. */
#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span body_of(const struct buf *b) {
  return span_of(b->data + MSG_HEADER, b->len - MSG_HEADER);
}

#define ROUND_TRIP(name)                                    \
  do {                                                      \
    struct wire_##name m;                                   \
    if (wire_get_##name(rest, &m)) {                        \
      struct buf b = buf_new(4u << 20);                     \
      wire_put_##name(&b, &m);                              \
      if (b.bad || !span_equal(body_of(&b), rest)) abort(); \
      buf_free(&b);                                         \
    }                                                       \
  } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  struct span rest = span_of(data + 1, size - 1);
  enum wire_state state = (enum wire_state)(1 << (data[0] & 3));
  (void)wire_in_order(data[0] & 4 ? WIRE_KEEPER : WIRE_WORKER, data[0] >> 3, &state);
  switch (data[0] & 3) {
    case 0:
      ROUND_TRIP(ready);
      break;
    case 1:
      ROUND_TRIP(job);
      break;
    case 2:
      ROUND_TRIP(log);
      break;
    default:
      ROUND_TRIP(done);
      break;
  }
  return 0;
}
