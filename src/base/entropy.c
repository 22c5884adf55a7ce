#include "base/entropy.h"

#include <errno.h>
#include <sys/random.h>

#define POOL 256u /* so few bytes come whole (getrandom(2)) */

static _Thread_local struct {
  uint8_t bytes[POOL];
  size_t left; /* at the end */
} pool;

static enum result fill(void) {
  ssize_t n;
  while ((n = getrandom(pool.bytes, POOL, 0)) < 0 && errno == EINTR) continue;
  if (n != (ssize_t)POOL) return RESULT_CRYPTO;
  pool.left = POOL;
  return RESULT_OK;
}

enum result entropy_take(void *out, size_t len) {
  if (len > POOL) return RESULT_CRYPTO;
  enum result r = len > pool.left ? fill() : RESULT_OK;
  if (r != RESULT_OK) return r;
  uint8_t *taken = pool.bytes + POOL - pool.left;
  memcpy(out, taken, len);
  wipe(taken, len);
  pool.left -= len;
  return RESULT_OK;
}
