/*
 * The run time under the generated engine code: included once, in the middle of wasm2c's output
 * (tools/prepare-engine.mjs puts it there), after wasm2c's own helpers and before the first guest function. Not for any
 * other file.
 *
 * Two build modes, one behaviour:
 *   guard pages     ENGINE_BOUNDS_EXPLICIT 0. Linear memory lies at the constant address GUEST_BASE, and a 33-bit guest
 * address cannot leave the 8 GiB reserved there: an access needs no check, a stray one faults (memory.c). explicit
 * bounds ENGINE_BOUNDS_EXPLICIT 1. Every access is compared with the memory's size. For enclaves, which can neither
 * reserve that much nor handle the fault.
 */
#include "engine/guest.h"

/* ---- metering ----
 * One unit at every jump back and every entry of a function that calls others (tools/prepare-engine.mjs), checked where
 * it is counted, so that a limit stops at exactly that count. The counter lives in r15: in memory, its store-to-load
 * latency doubled the time of a tight loop. Host code is compiled as usual and preserves r15 (System V ABI:
 * callee-saved) but does not know it, hence the hand-over at each border. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
register int64_t steps_left __asm__("r15");
#define METER_LOAD() (steps_left = guest_meter.left)
#define METER_STORE() (guest_meter.left = steps_left)
#define HOST_REGISTER_SAVE() const int64_t host_register = steps_left
#define HOST_REGISTER_RESTORE() (steps_left = host_register)
#else
#define steps_left guest_meter.left
#define METER_LOAD() ((void)0)
#define METER_STORE() ((void)0)
#define HOST_REGISTER_SAVE() ((void)0)
#define HOST_REGISTER_RESTORE() ((void)0)
#endif

#if ENGINE_METERING
#define METER()                                           \
  do {                                                    \
    if (UNLIKELY(--steps_left < 0)) guest_out_of_steps(); \
  } while (0)
#else /* for bench/ only: what metering costs */
#define METER() ((void)0)
#endif

#undef FUNC_PROLOGUE
#undef FUNC_EPILOGUE
#define FUNC_PROLOGUE METER();
#define FUNC_EPILOGUE

static _Noreturn __attribute__((cold, noinline)) void guest_out_of_steps(void) {
  guest_meter.left = 0;
  guest_unwind(GUEST_OUT_OF_STEPS);
}

static _Noreturn __attribute__((cold, noinline)) void guest_trap_here(wasm_rt_trap_t trap) {
  METER_STORE();
  wasm_rt_trap(trap);
}

#undef TRAP
#define TRAP(x) (guest_trap_here(WASM_RT_TRAP_##x), 0)

/* A call from the host into the guest. Nests: the host may have been called by the guest. */
#define ENTER_GUEST(call)            \
  HOST_REGISTER_SAVE();              \
  METER_LOAD();                      \
  __auto_type guest_result = (call); \
  METER_STORE();                     \
  HOST_REGISTER_RESTORE();           \
  return guest_result

#define ENTER_GUEST_VOID(call) \
  HOST_REGISTER_SAVE();        \
  METER_LOAD();                \
  (call);                      \
  METER_STORE();               \
  HOST_REGISTER_RESTORE()

/* A call from the guest out to the host. */
#define LEAVE_GUEST(call)             \
  ({                                  \
    METER_STORE();                    \
    __auto_type host_result = (call); \
    METER_LOAD();                     \
    host_result;                      \
  })
#define LEAVE_GUEST_VOID(call) \
  do {                         \
    METER_STORE();             \
    (call);                    \
    METER_LOAD();              \
  } while (0)

#define wasm_rt_grow_memory(...) LEAVE_GUEST(wasm_rt_grow_memory(__VA_ARGS__))

/* ---- the shadow stack ---- */
#define SET_STACK_POINTER(value)                                     \
  do {                                                               \
    if (UNLIKELY((value) < GUEST_STACK_LOW)) (void)TRAP(EXHAUSTION); \
    guest.w2c___stack_pointer = (value);                             \
  } while (0)

/* ---- loads and stores ----
 * wasm2c's own keep every load alive, even one whose value is unused, to preserve its trap; we give that up (isolation
 * does not need it) and let the compiler fold loads into instructions. */
#if ENGINE_BOUNDS_EXPLICIT
#define AT(type, address, bytes)                                         \
  (*(type *)({                                                           \
    const u64 at = (address);                                            \
    if (UNLIKELY(at + (bytes) > guest.w2c_memory.size)) (void)TRAP(OOB); \
    guest.w2c_memory.data + at;                                          \
  }))
#else
#define AT(type, address, bytes) (*(type *)(uintptr_t)((u64)(address) + GUEST_BASE))
#endif

/* Guest data has no alignment and no C type. */
#define GUEST_DATA __attribute__((may_alias, aligned(1)))
typedef u8 GUEST_DATA g8;
typedef s8 GUEST_DATA gs8;
typedef u16 GUEST_DATA g16;
typedef s16 GUEST_DATA gs16;
typedef u32 GUEST_DATA g32;
typedef s32 GUEST_DATA gs32;
typedef u64 GUEST_DATA g64;
typedef f32 GUEST_DATA gf32;
typedef f64 GUEST_DATA gf64;

#define i32_load(mem, a) ((u32)AT(const g32, a, 4))
#define i64_load(mem, a) ((u64)AT(const g64, a, 8))
#define f32_load(mem, a) ((f32)AT(const gf32, a, 4))
#define f64_load(mem, a) ((f64)AT(const gf64, a, 8))
#define i32_load8_s(mem, a) ((u32)(s32)AT(const gs8, a, 1))
#define i64_load8_s(mem, a) ((u64)(s64)AT(const gs8, a, 1))
#define i32_load8_u(mem, a) ((u32)AT(const g8, a, 1))
#define i64_load8_u(mem, a) ((u64)AT(const g8, a, 1))
#define i32_load16_s(mem, a) ((u32)(s32)AT(const gs16, a, 2))
#define i64_load16_s(mem, a) ((u64)(s64)AT(const gs16, a, 2))
#define i32_load16_u(mem, a) ((u32)AT(const g16, a, 2))
#define i64_load16_u(mem, a) ((u64)AT(const g16, a, 2))
#define i64_load32_s(mem, a) ((u64)(s64)AT(const gs32, a, 4))
#define i64_load32_u(mem, a) ((u64)AT(const g32, a, 4))
#define i32_store(mem, a, v) ((void)(AT(g32, a, 4) = (u32)(v)))
#define i64_store(mem, a, v) ((void)(AT(g64, a, 8) = (u64)(v)))
#define f32_store(mem, a, v) ((void)(AT(gf32, a, 4) = (f32)(v)))
#define f64_store(mem, a, v) ((void)(AT(gf64, a, 8) = (f64)(v)))
#define i32_store8(mem, a, v) ((void)(AT(g8, a, 1) = (u8)(v)))
#define i32_store16(mem, a, v) ((void)(AT(g16, a, 2) = (u16)(v)))
#define i64_store8(mem, a, v) ((void)(AT(g8, a, 1) = (u8)(v)))
#define i64_store16(mem, a, v) ((void)(AT(g16, a, 2) = (u16)(v)))
#define i64_store32(mem, a, v) ((void)(AT(g32, a, 4) = (u32)(v)))
