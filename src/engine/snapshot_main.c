/*
 * Build tool: makes the snapshot. `neocompute-snapshot MODULE.wasm PRELUDE.js IMAGE` starts the engine, runs the
 * prelude, writes linear memory out. The result depends on its two inputs alone, in either bounds mode: a test
 * compares.
 */
#include "base/digest.h"
#include "engine/engine.h"
#include "engine/host.h"
#include "engine/snapshot.h"
#include "engine/value.h"

/* Cycles are collected once the heap has grown by this much; QuickJS's own 256 KiB is less than the prelude's heap. */
#define GC_THRESHOLD (8u << 20)

static u8 image[8u << 20] __attribute__((aligned(HOST_PAGE)));

const struct snapshot_header *snapshot_image(void) {
  return (const struct snapshot_header *)(const void *)image;
}

static struct buf read_file(const char *path) {
  struct buf b = buf_new(64u << 20);
  FILE *file = fopen(path, "rb");
  b.bad = file == NULL;
  static u8 part[65536];
  for (size_t n; file != NULL && (n = fread(part, 1, sizeof part, file)) > 0;) buf_put(&b, part, n);
  if (file != NULL) fclose(file);
  return b;
}

static bool write_image(const char *path, size_t size) {
  FILE *file = fopen(path, "wb");
  if (file == NULL) return false;
  bool ok = fwrite(image, 1, size, file) == size;
  return fclose(file) == 0 && ok;
}

/* The address of Math.random's state. QuickJS seeds it from the clock, here a clock that says something unmistakable,
 * and draws once (xorshift64*, js_random_init in quickjs.c). */
static u32 find_random_state(void) {
  u64 seed = HOST_SNAPSHOT_TIME_US;
  seed ^= seed >> 12;
  seed ^= seed << 25;
  seed ^= seed >> 27;
  u32 found = 0;
  for (u32 at = 0; at + 8 <= guest.w2c_memory.size; at += 8) {
    if (memcmp(guest.w2c_memory.data + at, &seed, 8) != 0) continue;
    if (found != 0) return 0;
    found = at;
  }
  return found;
}

struct making {
  struct span prelude;
  struct snapshot_roots roots;
  const char *problem;
};

static void complain(u32 context, u64 exception, const char *property) {
  struct span text;
  if (!value_text(context, GUEST(JS_GetPropertyStr, context, exception, host_text(span_text(property))), &text)) return;
  fprintf(stderr, "prelude: %.*s\n", (int)text.len, (const char *)text.data);
}

static const char *run_prelude(struct making *m) {
  u32 context = m->roots.context, text = host_text(m->prelude);
  u64 function = GUEST(JS_Eval, context, text, (u32)m->prelude.len, host_text(span_text("<prelude>")), 0);
  GUEST(free, text);
  if (value_is_exception(function)) return "the prelude does not parse";
  u32 argument = GUEST(malloc, 8);
  u64 host_value = host_object(context);
  memcpy(guest_bytes(argument, 8), &host_value, 8);
  u64 made = GUEST(JS_Call, context, function, VALUE_UNDEFINED, 1, argument);
  if (value_is_exception(made)) {
    u64 exception = GUEST(JS_GetException, context);
    complain(context, exception, "message");
    complain(context, exception, "stack");
    return "the prelude threw";
  }
  m->roots.describe = GUEST(JS_GetPropertyStr, context, made, host_text(span_text("describe")));
  m->roots.to_output = GUEST(JS_GetPropertyStr, context, made, host_text(span_text("toOutput")));
  m->roots.tick = GUEST(JS_GetPropertyStr, context, made, host_text(span_text("tick")));
  m->roots.deliver = GUEST(JS_GetPropertyStr, context, made, host_text(span_text("deliver")));
  m->roots.sort_keys = GUEST(JS_GetPropertyStr, context, made, host_text(span_text("sortKeys")));
  return NULL;
}

static void start_engine(void *arg) {
  struct making *m = arg;
  if (wasm_rt_grow_memory(&guest.w2c_memory, GUEST_STACK_PAGES) != GUEST_INITIAL_PAGES) {
    m->problem = "the module's memory is not laid out as expected";
    return;
  }
  guest.w2c___stack_pointer = GUEST_STACK_TOP;
  GUEST(_initialize);
  m->problem = "qjs_init failed";
  if (GUEST(qjs_init) != 0) return;
  m->roots.context = GUEST(qjs_get_context_ptr);
  m->roots.runtime = GUEST(qjs_get_runtime_ptr);
  GUEST(qjs_set_max_stack_size, GUEST_STACK_LIMIT);
  GUEST(qjs_set_interrupt_handler, 1);
  m->roots.random_state = find_random_state();
  m->problem = "Math.random's state was not found";
  if (m->roots.random_state == 0) return;
  m->problem = "a side module did not start";
  if (GUEST(ext_init, m->roots.context, m->roots.runtime) != 0) return;
  m->roots.global = GUEST(JS_GetGlobalObject, m->roots.context);
  m->problem = run_prelude(m);
  GUEST(qjs_run_gc);
  GUEST(qjs_set_gc_threshold, GC_THRESHOLD);
}

/* Leaves no trace of the making below the stack pointer. */
static void clean_stack(void) {
  memset(guest.w2c_memory.data + GUEST_STACK_LOW - 4096, 0, guest.w2c___stack_pointer - (GUEST_STACK_LOW - 4096));
}

/* Runs what nearly every script does, and notes what it writes. */
static enum result learn(void) {
  struct engine_job job = {
      .script = span_text("function main(input) { console.log('sum', input.a); return { sum: input.a + input.b } }"),
      .name = span_text("script.js"),
      .entry = span_text("main"),
      .input = span_text("{\"a\":2,\"b\":3}"),
      .limits = engine_default_limits(),
      .deterministic = true};
  struct engine_outcome outcome;
  bool shared;
  enum result r = snapshot_attach(-1, &shared);
  if (r != RESULT_OK) return r;
  if (guest_handle_faults() != RESULT_OK || !snapshot_learn()) return RESULT_ENGINE_START;
  engine_run(&job, NULL, &outcome);
  if (!span_is(outcome.output, "{\"sum\":5}")) {
    fprintf(stderr, "warm-up: %s: %.*s\n", result_name(outcome.result), (int)outcome.error.len, outcome.error.data);
    return RESULT_ENGINE_START;
  }
  return snapshot_learnt(image) ? RESULT_OK : RESULT_ENGINE_START;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: neocompute-snapshot MODULE.wasm PRELUDE.js IMAGE\n");
    return 2;
  }
  struct buf module = read_file(argv[1]), prelude = read_file(argv[2]);
  struct making m = {.prelude = buf_span(&prelude)};
  u8 digest[DIGEST_SIZE];
  digest_sha256(buf_span(&module), digest);

  if (module.bad || prelude.bad) m.problem = "cannot read the inputs";
  if (m.problem == NULL && guest_instantiate() != RESULT_OK) m.problem = "cannot instantiate";
  if (m.problem == NULL && guest_enter(start_engine, &m) != GUEST_RETURNED) m.problem = "the engine trapped";
  size_t size = 0;
  if (m.problem == NULL) {
    clean_stack();
    size = snapshot_take(&m.roots, digest, image, sizeof image);
    if (size == 0) m.problem = "the image is too large";
  }
  if (m.problem == NULL) ((struct snapshot_header *)(void *)image)->size = (u32)size;
  if (m.problem == NULL && learn() != RESULT_OK) m.problem = "the warm-up failed";
  if (m.problem == NULL && !write_image(argv[3], size)) m.problem = "cannot write the image";
  if (m.problem != NULL) fprintf(stderr, "neocompute-snapshot: %s\n", m.problem);
  buf_free(&module);
  buf_free(&prelude);
  return m.problem == NULL ? 0 : 1;
}
