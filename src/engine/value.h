/*
 * QuickJS values as the host sees them: 64 bits, the tag in the upper 32 (NaN boxing on 32-bit targets; quickjs.h).
 * Private to src/engine.
 */
#pragma once

#include "base/text.h"
#include "engine/guest.h"

#define VALUE_TAG(tag, low) ((u64)(u32)(tag) << 32 | (u32)(low))
#define VALUE_FALSE VALUE_TAG(1, 0)
#define VALUE_TRUE VALUE_TAG(1, 1)
#define VALUE_NULL VALUE_TAG(2, 0)
#define VALUE_UNDEFINED VALUE_TAG(3, 0)
#define VALUE_EXCEPTION VALUE_TAG(6, 0)
#define VALUE_CFUNC_GENERIC_MAGIC 1u /* JS_CFUNC_generic_magic */

static inline u64 value_int(int32_t n) {
  return VALUE_TAG(0, n);
}
static inline bool value_is_object(u64 v) {
  return v >> 32 == 0xffffffffu;
}
/* A string, or a rope: one still in pieces. */
static inline bool value_is_string(u64 v) {
  return v >> 32 == (u32)-7 || v >> 32 == (u32)-6;
}
static inline bool value_is_module(u64 v) {
  return v >> 32 == (u32)-3;
}
static inline bool value_is_exception(u64 v) {
  return v >> 32 == 6;
}
static inline bool value_is_uninitialized(u64 v) {
  return v >> 32 == 4;
}
static inline bool value_is_undefined(u64 v) {
  return v >> 32 == 3;
}

/* The UTF-8 of a string value, in guest memory that is never freed (the whole world is dropped soon). A lone surrogate
 * is three bytes that are not valid UTF-8. False, with an exception pending in the guest, if there is no memory for it;
 * anything but a string is an empty text. */
bool must_use value_text(u32 context, u64 value, struct span *text);
/* A new string from valid UTF-8; VALUE_EXCEPTION without memory. */
u64 value_string(u32 context, struct span utf8);
/* The bytes of an ArrayBuffer; empty for anything else. */
struct span value_array_buffer(u32 context, u64 value);
