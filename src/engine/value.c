#include "engine/value.h"

#include "engine/host.h"

/* Room for one size_t that a guest function writes to, below the stack pointer's red zone of nobody: wasm32 has none.
 */
static u32 scratch(void) {
  return guest.w2c___stack_pointer - 64;
}

bool value_text(u32 context, u64 value, struct span *text) {
  *text = (struct span){NULL, 0};
  if (!value_is_string(value)) return true; /* converting anything else would run the script's code */
  u32 len_at = scratch();
  u32 saved = guest.w2c___stack_pointer;
  guest.w2c___stack_pointer -= 128;
  u32 at = GUEST(JS_ToCStringLen2, context, len_at, value, 0);
  guest.w2c___stack_pointer = saved;
  if (at == 0) return false;
  u32 len = guest_u32(len_at);
  *text = span_of(guest_bytes(at, len), len);
  return true;
}

u64 value_string(u32 context, struct span utf8) {
  u32 at = GUEST(malloc, (u32)utf8.len + 1);
  if (at == 0) return GUEST(JS_ThrowOutOfMemory, context);
  if (utf8.len > 0) memcpy(guest_bytes(at, (u32)utf8.len), utf8.data, utf8.len);
  u64 value = GUEST(JS_NewStringLen, context, at, (u32)utf8.len);
  GUEST(free, at);
  return value;
}

struct span value_array_buffer(u32 context, u64 value) {
  u32 size_at = scratch();
  u32 saved = guest.w2c___stack_pointer;
  guest.w2c___stack_pointer -= 128;
  u32 at = GUEST(JS_GetArrayBuffer, context, size_at, value);
  guest.w2c___stack_pointer = saved;
  if (at == 0) return (struct span){NULL, 0};
  u32 size = guest_u32(size_at);
  return span_of(guest_bytes(at, size), size);
}
