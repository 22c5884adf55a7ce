/* What the tests of this folder share. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/text.h"
#include "crypto/crypto.h"

/* Bytes from hexadecimal digits, in memory that stays. */
static inline struct span unhex(const char *digits) {
  static uint8_t memory[16384];
  static size_t used;
  size_t len = strlen(digits) / 2;
  uint8_t *out = memory + used;
  assert_true(used + len <= sizeof memory && text_unhex(span_text(digits), out, len));
  used += len;
  return span_of(out, len);
}

static inline int start_crypto(void **state) {
  (void)state;
  return crypto_init() == RESULT_OK ? 0 : -1;
}

static inline int stop_crypto(void **state) {
  (void)state;
  crypto_free();
  return 0;
}
