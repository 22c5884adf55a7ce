#include "engine/host.h"

#include <sys/random.h>
#include <time.h>

#include "base/digest.h"
#include "engine/value.h"

PER_ENGINE struct host host;

void host_begin(const struct engine_job *job, const struct engine_hooks *hooks) {
  host = (struct host){.job = job, .hooks = hooks};
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  host.started_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- randomness ---- */

/* SHA-256(seed ‖ counter), block after block. */
static void seeded_random(uint8_t *out, size_t len) {
  while (len > 0) {
    uint8_t input[40], block[32];
    memcpy(input, host.job->seed, 32);
    memcpy(input + 32, &host.random_counter, 8);
    host.random_counter++;
    digest_sha256(span_of(input, sizeof input), block);
    size_t part = len < sizeof block ? len : sizeof block;
    memcpy(out, block, part);
    out += part;
    len -= part;
  }
}

/* The system's randomness, by way of a buffer of ours: a write by the kernel to a guest page that is still read-only
 * would fail where one by the program faults and is noted (snapshot.c). */
static void system_random(uint8_t *out, size_t len) {
  while (len > 0) {
    uint8_t part[256];
    size_t n = len < sizeof part ? len : sizeof part;
    /* Up to 256 bytes are never cut short or interrupted (getrandom(2)). A job must never run on predictable
     * randomness. */
    if (getrandom(part, n, 0) != (ssize_t)n) abort();
    memcpy(out, part, n);
    wipe(part, sizeof part);
    out += n;
    len -= n;
  }
}

void host_random(void *memory, size_t len) {
  if (host.job == NULL)
    memset(memory, 0, len);
  else if (host.job->deterministic)
    seeded_random(memory, len);
  else
    system_random(memory, len);
}

/* ---- functions a script reaches through the prelude ---- */

struct call {
  u32 context, argc, argv;
};

static u64 argument(const struct call *call, u32 index) {
  return index < call->argc ? guest_u64(call->argv + index * 8) : VALUE_UNDEFINED;
}

/* log(level, text): true while further entries will be kept. */
static u64 host_log(const struct call *call) {
  const struct engine_limits *limits = &host.job->limits;
  if (host.log_kept >= limits->log_entries) {
    host.log_dropped++;
    return VALUE_FALSE;
  }
  struct span text;
  if (!value_text(call->context, argument(call, 1), &text)) return VALUE_EXCEPTION;
  static PER_ENGINE char cut[ENGINE_LOG_ENTRY_MAX + 32];
  if (text.len > limits->log_entry) {
    struct buf b = buf_fixed(cut, sizeof cut);
    buf_put(&b, text.data, text_utf8_cut(text, limits->log_entry));
    buf_put_text(&b, "...(truncated)");
    text = buf_span(&b);
  }
  host.log_kept++;
  u32 level = (u32)argument(call, 0);
  if (host.hooks != NULL && host.hooks->log != NULL) {
    host.hooks->log(host.hooks->context, level <= ENGINE_DEBUG ? (enum engine_level)level : ENGINE_LOG, text);
  }
  return host.log_kept < limits->log_entries ? VALUE_TRUE : VALUE_FALSE;
}

static u64 hex_string(u32 context, const uint8_t *bytes, size_t len) {
  static PER_ENGINE uint8_t hex[2 * 1024];
  struct buf b = buf_fixed(hex, sizeof hex);
  text_put_hex(&b, span_of(bytes, len));
  return value_string(context, buf_span(&b));
}

/* sha256(text): hexadecimal. */
static u64 host_sha256(const struct call *call) {
  struct span text;
  if (!value_text(call->context, argument(call, 0), &text)) return VALUE_EXCEPTION;
  uint8_t hash[32];
  digest_sha256(text, hash);
  return hex_string(call->context, hash, sizeof hash);
}

/* randomHex(n): n <= 1024 random bytes, hexadecimal. */
static u64 host_random_hex(const struct call *call) {
  uint8_t bytes[1024];
  u32 n = (u32)argument(call, 0);
  if (n > sizeof bytes) n = sizeof bytes;
  host_random(bytes, n);
  return hex_string(call->context, bytes, n);
}

/* randomFill(arrayBuffer, offset, length): the prelude has checked that the range lies inside. */
static u64 host_random_fill(const struct call *call) {
  struct span bytes = value_array_buffer(call->context, argument(call, 0));
  u32 offset = (u32)argument(call, 1), len = (u32)argument(call, 2);
  if (offset > bytes.len || len > bytes.len - offset || len > 65536) return VALUE_FALSE;
  host_random((uint8_t *)(uintptr_t)bytes.data + offset, len);
  return VALUE_TRUE;
}

/* proxyTarget(value): the target without running a trap; null if revoked; undefined if value is no proxy. */
static u64 host_proxy_target(const struct call *call) {
  u64 value = argument(call, 0);
  if (!value_is_object(value) || !GUEST(JS_IsProxy, value)) return VALUE_UNDEFINED;
  u64 target = GUEST(JS_GetProxyTarget, call->context, value);
  if (!value_is_exception(target)) return target;
  GUEST(JS_GetException, call->context);
  return VALUE_NULL;
}

static u64 host_promise_state(const struct call *call) {
  u64 value = argument(call, 0);
  return value_is_object(value) ? value_int((int32_t)GUEST(JS_PromiseState, call->context, value)) : value_int(-1);
}

static u64 host_promise_result(const struct call *call) {
  u64 value = argument(call, 0);
  return value_is_object(value) ? GUEST(JS_PromiseResult, call->context, value) : VALUE_UNDEFINED;
}

/* clock(): milliseconds since the job began, for timers. */
static u64 host_clock(const struct call *call) {
  (void)call;
  uint64_t ns = host.waited_ns;
  if (host.job != NULL && !host.job->deterministic) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec - host.started_ns;
  }
  return value_int((int32_t)(ns / 1000000));
}

/* UTF-8 of characters up to U+00FF to a byte each, into `out`; false if there are others or too many. */
static bool to_latin1(struct span utf8, struct buf *out) {
  for (size_t i = 0; i < utf8.len; i++) {
    uint8_t c = utf8.data[i];
    if (c >= 0x80) {
      if ((c & 0xfe) != 0xc2 || i + 1 == utf8.len) return false;
      c = (uint8_t)(c << 6 | (utf8.data[++i] & 0x3f));
    }
    buf_put_u8(out, c);
  }
  return !out->bad;
}

/* fetch(method, url, headers, redirect, body): the request's number, 0 if there is no outside. The prelude has checked
 * sizes. */
static u64 host_fetch(const struct call *call) {
  static PER_ENGINE uint8_t memory[ENGINE_FETCH_HEADERS_MAX];
  struct buf lines = buf_fixed(memory, sizeof memory);
  struct engine_fetch m = {.number = host.fetches + 1};
  struct span headers;
  if (host.hooks == NULL || host.hooks->fetch == NULL || host.job->deterministic) return value_int(0);
  if (!value_text(call->context, argument(call, 0), &m.method) ||
      !value_text(call->context, argument(call, 1), &m.url) || !value_text(call->context, argument(call, 2), &headers))
    return VALUE_EXCEPTION;
  if (m.number > ENGINE_FETCHES_MAX || !to_latin1(headers, &lines)) return value_int(0);
  m.headers = (const char *)lines.data;
  m.headers_len = lines.len;
  m.redirect = (uint8_t)argument(call, 3);
  m.body = value_array_buffer(call->context, argument(call, 4));
  if (!host.hooks->fetch(host.hooks->context, &m)) return value_int(0);
  host.fetches++;
  return value_int((int32_t)m.number);
}

static u64 host_fetch_abort(const struct call *call) {
  const u32 number = (u32)argument(call, 0);
  if (host.hooks != NULL && host.hooks->abort != NULL && number >= 1 && number <= host.fetches) {
    host.hooks->abort(host.hooks->context, number);
    host.answers++;
  }
  return VALUE_UNDEFINED;
}

/* fetchBody(arrayBuffer): copies the body of the answer that is being delivered. */
static u64 host_fetch_body(const struct call *call) {
  struct span bytes = value_array_buffer(call->context, argument(call, 0));
  if (bytes.len == host.body.len && bytes.len > 0) memcpy((uint8_t *)(uintptr_t)bytes.data, host.body.data, bytes.len);
  return VALUE_UNDEFINED;
}

static const struct host_function {
  const char *name;
  u64 (*call)(const struct call *call);
} functions[] = {
    {"log", host_log},
    {"sha256", host_sha256},
    {"randomHex", host_random_hex},
    {"randomFill", host_random_fill},
    {"proxyTarget", host_proxy_target},
    {"promiseState", host_promise_state},
    {"promiseResult", host_promise_result},
    {"clock", host_clock},
    {"fetch", host_fetch},
    {"fetchAbort", host_fetch_abort},
    {"fetchBody", host_fetch_body},
};
#define FUNCTIONS (sizeof functions / sizeof functions[0])

u64 host_dispatch(u32 ctx, u64 this_value, u32 argc, u32 argv, u32 magic) {
  (void)this_value;
  if (magic >= FUNCTIONS || argc > 16) return VALUE_UNDEFINED;
  guest_state.in_host = 1;
  u64 result = functions[magic].call(&(struct call){ctx, argc, argv});
  guest_state.in_host = 0;
  if (guest_state.interrupt > 1) guest_unwind(GUEST_TIMED_OUT);
  return result;
}

u32 host_text(struct span text) {
  u32 address = GUEST(malloc, (u32)text.len + 1);
  if (address == 0) wasm_rt_trap(WASM_RT_TRAP_UNREACHABLE);
  uint8_t *bytes = guest_bytes(address, (u32)text.len + 1);
  if (text.len > 0) memcpy(bytes, text.data, text.len);
  bytes[text.len] = 0;
  return address;
}

u64 host_object(u32 context) {
  /* The spare slot at the end of the table (memory.c) becomes a function with QuickJS's JSCFunctionMagic signature. */
  wasm_rt_funcref_table_t *table = &guest.w2c___indirect_function_table;
  u32 slot = table->size - 1;
  u32 type =
      wasm_rt_register_func_type(5, 1, WASM_RT_I32, WASM_RT_I64, WASM_RT_I32, WASM_RT_I32, WASM_RT_I32, WASM_RT_I64);
  table->data[slot] = (wasm_rt_funcref_t){type, guest_host_call_pointer, &guest};
  if (context == 0) return VALUE_UNDEFINED; /* a snapshot already holds the object */
  u64 object = GUEST(JS_NewObject, context);
  for (u32 i = 0; i < FUNCTIONS; i++) {
    u32 name = host_text(span_text(functions[i].name));
    u64 function = GUEST(JS_NewCFunction2, context, slot, name, 0, VALUE_CFUNC_GENERIC_MAGIC, i);
    GUEST(JS_SetPropertyStr, context, object, name, function);
  }
  return object;
}

/* ---- WASI and the engine's own imports ---- */

/* performance.now and Date with a resolution of 100 µs: finer clocks help attacks on shared hardware more than scripts.
 */
#define CLOCK_STEP_NS 100000u

static uint64_t clock_now(clockid_t id) {
  struct timespec now;
  clock_gettime(id, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

u32 Z_wasi_snapshot_preview1Z_clock_time_get(struct Z_wasi_snapshot_preview1_instance_t *unused, u32 id, u64 precision,
                                             u32 out) {
  (void)unused, (void)precision;
  const bool monotonic = id == 1;
  uint64_t ns = 0;
  if (host.job == NULL) {
    ns = monotonic ? 0 : HOST_SNAPSHOT_TIME_US * 1000;
  } else if (host.job->deterministic) {
    ns = monotonic ? 0 : host.job->time_ns;
  } else {
    ns = monotonic ? clock_now(CLOCK_MONOTONIC) - host.started_ns : clock_now(CLOCK_REALTIME);
    ns -= ns % CLOCK_STEP_NS;
  }
  memcpy(guest_bytes(out, 8), &ns, 8);
  return 0;
}

u32 Z_wasi_snapshot_preview1Z_random_get(struct Z_wasi_snapshot_preview1_instance_t *unused, u32 address, u32 len) {
  (void)unused;
  host_random(guest_bytes(address, len), len);
  return 0;
}

#define WASI_EBADF 8u

u32 Z_wasi_snapshot_preview1Z_fd_close(struct Z_wasi_snapshot_preview1_instance_t *unused, u32 fd) {
  (void)unused, (void)fd;
  return WASI_EBADF;
}

u32 Z_wasi_snapshot_preview1Z_fd_fdstat_get(struct Z_wasi_snapshot_preview1_instance_t *unused, u32 fd, u32 out) {
  (void)unused, (void)fd, (void)out;
  return WASI_EBADF;
}

u32 Z_wasi_snapshot_preview1Z_fd_seek(struct Z_wasi_snapshot_preview1_instance_t *unused, u32 fd, u64 offset,
                                      u32 whence, u32 out) {
  (void)unused, (void)fd, (void)offset, (void)whence, (void)out;
  return WASI_EBADF;
}

/* QuickJS prints only when it is about to abort; its trap tells more. */
u32 Z_wasi_snapshot_preview1Z_fd_write(struct Z_wasi_snapshot_preview1_instance_t *unused, u32 fd, u32 iovs, u32 count,
                                       u32 out) {
  (void)unused, (void)fd, (void)iovs, (void)count, (void)out;
  return WASI_EBADF;
}

u32 Z_envZ_host_interrupt(struct Z_env_instance_t *unused) {
  (void)unused;
  return guest_state.interrupt != 0;
}

u32 Z_envZ_host_get_timezone_offset(struct Z_env_instance_t *unused, u32 high, u32 low) {
  (void)unused, (void)high, (void)low;
  return 0; /* UTC */
}

/* The package's own way to call the host, by name; host_dispatch stands in for it. */
u32 Z_envZ_host_call(struct Z_env_instance_t *unused, u32 name, u32 len, u32 this_value, u32 argc, u32 argv) {
  (void)unused, (void)name, (void)len, (void)this_value, (void)argc, (void)argv;
  return 0;
}

/* No module loader is set, so a module that imports another fails before these are asked. */
u32 Z_envZ_host_module_normalize(struct Z_env_instance_t *unused, u32 base, u32 name) {
  (void)unused, (void)base, (void)name;
  return 0;
}

u32 Z_envZ_host_module_load(struct Z_env_instance_t *unused, u32 name, u32 len) {
  (void)unused, (void)name, (void)len;
  return 0;
}

void Z_envZ_host_promise_rejection(struct Z_env_instance_t *unused, u32 promise, u32 reason, u32 handled) {
  (void)unused, (void)promise, (void)reason, (void)handled;
}
