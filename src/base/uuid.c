#include "base/uuid.h"

#include "base/entropy.h"
#include "base/text.h"

#define MS_LIMIT (UINT64_C(1) << 48)
#define RAND_A_LIMIT (1u << 12)
#define RAND_B_LIMIT (UINT64_C(1) << 62)

static enum result must_use random_u64(uint64_t *out) {
  return entropy_take(out, sizeof *out);
}

static enum result begin_ms(struct uuid_maker *maker, uint64_t ms) {
  uint64_t a, b;
  if (ms >= MS_LIMIT) return RESULT_LIMIT_INVALID;
  if (random_u64(&a) != RESULT_OK || random_u64(&b) != RESULT_OK) return RESULT_CRYPTO;
  *maker = (struct uuid_maker){ms, (uint16_t)(a % RAND_A_LIMIT), b % RAND_B_LIMIT};
  return RESULT_OK;
}

/* A step of 1 to 2^32: who knows one id still has to guess the next. */
static enum result step(struct uuid_maker *maker) {
  uint64_t random;
  if (random_u64(&random) != RESULT_OK) return RESULT_CRYPTO;
  maker->rand_b += (uint32_t)random + UINT64_C(1);
  if (maker->rand_b < RAND_B_LIMIT) return RESULT_OK;
  maker->rand_b -= RAND_B_LIMIT;
  maker->rand_a++;
  return maker->rand_a < RAND_A_LIMIT ? RESULT_OK : begin_ms(maker, maker->ms + 1);
}

static void put_big_endian(uint8_t *out, uint64_t v, size_t size) {
  for (size_t i = 0; i < size; i++) out[i] = (uint8_t)(v >> (8 * (size - 1 - i)));
}

enum result uuid_v7(struct uuid_maker *maker, uint64_t unix_ms, uint8_t out[UUID_SIZE]) {
  enum result r = unix_ms > maker->ms ? begin_ms(maker, unix_ms) : step(maker);
  if (r != RESULT_OK) return r;
  put_big_endian(out, maker->ms, 6);
  put_big_endian(out + 6, 0x7000u | maker->rand_a, 2);                      /* version 7 */
  put_big_endian(out + 8, UINT64_C(0x8000000000000000) | maker->rand_b, 8); /* variant 10 */
  return RESULT_OK;
}

/* Bytes of each group between the dashes. */
static const size_t groups[] = {4, 2, 2, 2, 6};
#define GROUPS (sizeof groups / sizeof groups[0])

void uuid_put(struct buf *b, const uint8_t id[UUID_SIZE]) {
  for (size_t i = 0; i < GROUPS; id += groups[i++]) {
    if (i > 0) buf_put_text(b, "-");
    text_put_hex(b, span_of(id, groups[i]));
  }
}

bool uuid_parse(struct span text, uint8_t out[UUID_SIZE]) {
  struct cursor c = cursor_of(text);
  for (size_t i = 0; i < GROUPS; out += groups[i++]) {
    if (i > 0 && cursor_u8(&c) != '-') return false;
    if (!text_unhex(cursor_bytes(&c, 2 * groups[i]), out, groups[i])) return false;
  }
  return cursor_end(&c);
}
