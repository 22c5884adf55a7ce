/* One execution, from script and input to outcome. */
#include "engine/engine.h"

#include "base/digest.h"
#include "base/json.h"
#include "engine/host.h"
#include "engine/snapshot.h"
#include "engine/value.h"

/* JS_Eval flags (quickjs.h). */
#define EVAL_SCRIPT 0u
#define EVAL_MODULE 1u
#define EVAL_COMPILE_ONLY (1u << 5)

static PER_ENGINE struct engine {
  bool image_shared, dirty, broken;
  char id[65];
} engine;

/* One execution, as the functions below pass it on. */
struct run {
  const struct engine_job *job;
  struct engine_outcome *outcome;
  const struct snapshot_roots *roots;
  u32 context;
  u64 input, secrets, name;
};

struct engine_limits engine_default_limits(void) {
  return (struct engine_limits){.memory = ENGINE_MEMORY_DEFAULT,
                                .steps = ENGINE_STEPS_MAX,
                                .output = ENGINE_OUTPUT_MAX,
                                .log_entries = ENGINE_LOG_ENTRIES,
                                .log_entry = ENGINE_LOG_ENTRY_MAX};
}

/* ---- calling ---- */

static u64 call(struct run *run, u64 function, const u64 *arguments, u32 count) {
  u32 at = GUEST(malloc, count * 8 + 8);
  if (at == 0) return GUEST(JS_ThrowOutOfMemory, run->context);
  memcpy(guest_bytes(at, count * 8), arguments, (size_t)count * 8);
  const u64 value = GUEST(JS_Call, run->context, function, VALUE_UNDEFINED, count, at);
  GUEST(free, at); /* one for each timer would be a script's memory in the end */
  return value;
}

/* ---- what went wrong ---- */

/* A property of the record that the prelude's describe() made: plain data, reading it runs no script. */
static u64 field(struct run *run, u64 record, const char *name) {
  return GUEST(JS_GetPropertyStr, run->context, record, host_text(span_text(name)));
}

static uint32_t field_number(struct run *run, u64 record, const char *name) {
  u64 value = field(run, record, name);
  return value >> 32 == 0 && (int32_t)value > 0 ? (uint32_t)value : 0;
}

/* What a full memory looks like: QuickJS throws an error that says "out of memory", or null (or a value that nobody
 * should see) when even that error did not fit, or describing it failed for the same reason. Believed only if memory
 * really was refused: a script can throw such an error itself. */
static bool is_out_of_memory(const struct engine_outcome *outcome, u64 exception, bool described) {
  if (!guest_state.growth_refused) return false;
  if (!described || exception == VALUE_NULL || value_is_uninitialized(exception)) return true;
  return memmem(outcome->error.data, outcome->error.len, "out of memory", 13) != NULL;
}

/* Fills in the error from the pending exception. */
static void fail(struct run *run, enum result result) {
  struct engine_outcome *outcome = run->outcome;
  u64 exception = GUEST(JS_GetException, run->context);
  u64 record = call(run, run->roots->describe, (u64[]){exception, run->name}, 2);
  bool described = value_is_object(record) && value_text(run->context, field(run, record, "error"), &outcome->error) &&
                   value_text(run->context, field(run, record, "stack"), &outcome->stack);
  if (described) {
    outcome->line = field_number(run, record, "line");
    outcome->column = field_number(run, record, "column");
  }
  outcome->result = is_out_of_memory(outcome, exception, described) ? RESULT_OUT_OF_MEMORY : result;
}

/* ---- waiting ---- */

static bool run_jobs(struct run *run) {
  u32 context_at = host_text(span_text("12345678")); /* room for a pointer */
  bool good = true;
  while (good && GUEST(JS_IsJobPending, run->roots->runtime)) {
    /* A job's exception is its own promise's; only an interrupt or a lack of memory ends the queue. */
    good = (int32_t)GUEST(JS_ExecutePendingJob, run->roots->runtime, context_at) >= 0 || !guest_state.interrupt;
  }
  GUEST(free, context_at); /* a script that waits comes here as often as it likes */
  return good;
}

enum { PENDING, FULFILLED, REJECTED };

/* ISO 8859-1 to a string. */
static u64 latin1_string(struct run *run, struct span bytes) {
  static PER_ENGINE uint8_t memory[2 * ENGINE_FETCH_HEADERS_MAX];
  struct buf text = buf_fixed(memory, sizeof memory);
  for (size_t i = 0; i < bytes.len; i++) {
    if (bytes.data[i] >= 0x80) buf_put_u8(&text, (uint8_t)(0xc0 | bytes.data[i] >> 6));
    buf_put_u8(&text, bytes.data[i] >= 0x80 ? (uint8_t)(0x80 | (bytes.data[i] & 0x3f)) : bytes.data[i]);
  }
  return value_string(run->context, buf_span(&text));
}

/* An answer from the outside, to the promise that waits for it. */
static bool deliver(struct run *run, const struct engine_fetched *m) {
  const bool ok = m->result == RESULT_OK;
  const struct span error = m->error.len > 0 ? m->error : span_text(result_sentence(m->result));
  const u64 arguments[] = {value_int((int32_t)m->number),
                           value_string(run->context, ok ? span_text("") : span_text(result_name(m->result))),
                           value_string(run->context, error),
                           value_int((int32_t)m->status),
                           value_string(run->context, m->url),
                           m->redirected ? VALUE_TRUE : VALUE_FALSE,
                           latin1_string(run, m->headers),
                           value_int((int32_t)m->body.len)};
  for (size_t i = 0; i < sizeof arguments / sizeof arguments[0]; i++) {
    if (!value_is_exception(arguments[i])) continue;
    fail(run, RESULT_EXECUTION_ERROR);
    return false;
  }
  host.body = m->body;
  u64 known = call(run, run->roots->deliver, arguments, sizeof arguments / sizeof arguments[0]);
  host.body = (struct span){NULL, 0};
  if (value_is_exception(known)) {
    fail(run, RESULT_EXECUTION_ERROR);
    return false;
  }
  if (known == VALUE_TRUE) host.answers++;
  return true;
}

/* Waits so many milliseconds for a timer, or for ever, or until an answer comes. */
static bool wait(struct run *run, int32_t ms) {
  struct engine_fetched fetched;
  const uint64_t ns = ms < 0 ? ENGINE_WAIT_FOREVER : (uint64_t)ms * 1000000;
  if (run->job->deterministic) {
    host.waited_ns += ns;
    return true;
  }
  guest_state.in_host = 1;
  enum engine_wait came = host.hooks->wait(host.hooks->context, ns, &fetched);
  guest_state.in_host = 0;
  if (guest_state.interrupt > 1) guest_unwind(GUEST_TIMED_OUT);
  if (guest_state.interrupt) return false;
  return came != ENGINE_WAIT_FETCHED || deliver(run, &fetched);
}

/* One timer, or one answer: false if nothing is left that could settle a promise, or something failed. */
static bool go_on(struct run *run) {
  u64 next = call(run, run->roots->tick, (u64[]){0}, 0);
  const int32_t ms = (int32_t)next;
  if (value_is_exception(next)) {
    fail(run, RESULT_EXECUTION_ERROR);
    return false;
  }
  if (ms == 0) return true;
  const bool can_wait = run->job->deterministic || (host.hooks != NULL && host.hooks->wait != NULL);
  if (can_wait && (ms > 0 || host.fetches > host.answers)) return wait(run, ms);
  run->outcome->result = RESULT_UNSETTLED;
  return false;
}

/* `await value`: the job queue, then timers and answers from the outside, each with the jobs it makes. */
static bool settle(struct run *run, u64 *value, enum result failure) {
  if (!value_is_object(*value)) return true;
  int32_t state = (int32_t)GUEST(JS_PromiseState, run->context, *value);
  if (state < 0) return true;
  for (;;) {
    if (!run_jobs(run)) return false;
    state = (int32_t)GUEST(JS_PromiseState, run->context, *value);
    if (state != PENDING) break;
    if (!go_on(run)) return false;
  }
  *value = GUEST(JS_PromiseResult, run->context, *value);
  if (state == FULFILLED) return true;
  GUEST(JS_Throw, run->context, *value);
  fail(run, failure);
  return false;
}

/* ---- the script ---- */

static bool mentions(struct span script, const char *word) {
  return memmem(script.data, script.len, word, strlen(word)) != NULL;
}

/* Compiles as a classic script; if that fails and the text uses a module's keywords, as a module. */
static u64 compile(struct run *run) {
  struct span script = run->job->script;
  u32 text = host_text(script), name = host_text(run->job->name);
  u64 code = GUEST(JS_Eval, run->context, text, (u32)script.len, name, EVAL_SCRIPT | EVAL_COMPILE_ONLY);
  if (value_is_exception(code) && (mentions(script, "export") || mentions(script, "import"))) {
    u64 first = GUEST(JS_GetException, run->context);
    code = GUEST(JS_Eval, run->context, text, (u32)script.len, name, EVAL_MODULE | EVAL_COMPILE_ONLY);
    /* Of two syntax errors, the script's is the one to tell unless the module got further. */
    (void)first;
  }
  GUEST(free, text);
  if (value_is_exception(code)) {
    fail(run, RESULT_SYNTAX_ERROR);
    /* A module that imports another parses; it is the import that fails. */
    bool syntax = run->outcome->error.len > 11 && memcmp(run->outcome->error.data, "SyntaxError", 11) == 0;
    if (run->outcome->result == RESULT_SYNTAX_ERROR && !syntax) run->outcome->result = RESULT_SCRIPT_ERROR;
  }
  return code;
}

/* Only plain identifiers reach the engine as code; any other name is looked up as a property. */
static bool is_identifier(struct span name) {
  for (size_t i = 0; i < name.len; i++) {
    uint8_t c = name.data[i];
    bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
    if (!letter && c != '_' && c != '$' && !(i > 0 && c >= '0' && c <= '9')) return false;
  }
  return name.len > 0;
}

/* The entry point of a classic script: a property of the global object itself, or a top-level `const`, `let` or
 * `class`. What the global object inherits (`toString`, `constructor`) is nobody's entry point. */
static u64 find_in_script(struct run *run, u32 name) {
  struct span text = run->job->entry;
  u32 atom = GUEST(JS_NewAtom, run->context, name);
  bool own = (int32_t)GUEST(JS_GetOwnProperty, run->context, 0, run->roots->global, atom) > 0;
  if (!own && !is_identifier(text)) return VALUE_UNDEFINED;
  u64 property = GUEST(JS_GetPropertyStr, run->context, run->roots->global, name);
  if (own) return property;
  if (value_is_exception(property)) GUEST(JS_GetException, run->context); /* a prototype's getter: not ours to report */
  u64 entry = GUEST(JS_Eval, run->context, name, (u32)text.len, host_text(run->job->name), EVAL_SCRIPT);
  if (!value_is_exception(entry)) return entry == property ? VALUE_UNDEFINED : entry;
  GUEST(JS_GetException, run->context); /* not defined, or a keyword */
  return VALUE_UNDEFINED;
}

static u64 find_in_module(struct run *run, u64 module, u32 name) {
  u64 exports = GUEST(JS_GetModuleNamespace, run->context, (u32)module);
  u64 entry = GUEST(JS_GetPropertyStr, run->context, exports, name);
  if (!value_is_undefined(entry)) return entry;
  entry = GUEST(JS_GetPropertyStr, run->context, exports, host_text(span_text("default")));
  return value_is_undefined(entry) ? find_in_script(run, name) : entry;
}

/* Runs the script's top level and finds its entry point. */
static bool load(struct run *run, u64 *entry) {
  u64 code = compile(run);
  if (value_is_exception(code)) return false;
  if (run->job->check_only) return false;
  bool module = value_is_module(code);
  u64 done = GUEST(JS_EvalFunction, run->context, code);
  if (value_is_exception(done)) {
    fail(run, RESULT_SCRIPT_ERROR);
    return false;
  }
  if (module && !settle(run, &done, RESULT_SCRIPT_ERROR)) return false;
  u32 name = host_text(run->job->entry);
  *entry = module ? find_in_module(run, code, name) : find_in_script(run, name);
  if (value_is_exception(*entry)) {
    fail(run, RESULT_SCRIPT_ERROR);
    return false;
  }
  if (GUEST(JS_IsFunction, run->context, *entry)) return true;
  run->outcome->result = RESULT_ENTRY_NOT_FOUND;
  return false;
}

/* ---- input and output ---- */

static void define(struct run *run, u64 object, u32 name, u64 value) {
  enum { CONFIGURABLE_WRITABLE_ENUMERABLE = 7 };
  GUEST(JS_DefinePropertyValueStr, run->context, object, name, GUEST(JS_DupValue, run->context, value),
        CONFIGURABLE_WRITABLE_ENUMERABLE);
}

static bool give_input(struct run *run) {
  struct span input = run->job->input.len > 0 ? run->job->input : span_text("{}");
  u32 text = host_text(input);
  run->input = GUEST(JS_ParseJSON, run->context, text, (u32)input.len, host_text(span_text("input")));
  GUEST(free, text);
  if (value_is_exception(run->input)) {
    fail(run, RESULT_INPUT_INVALID);
    return false;
  }
  run->secrets = GUEST(JS_NewObject, run->context);
  for (size_t i = 0; i < run->job->secret_count; i++) {
    const struct engine_secret *secret = &run->job->secrets[i];
    define(run, run->secrets, host_text(secret->name), value_string(run->context, secret->value));
  }
  define(run, run->roots->global, host_text(span_text("input")), run->input);
  define(run, run->roots->global, host_text(span_text("secrets")), run->secrets);
  return true;
}

static bool canonical_text(struct run *run, u64 text, enum json_canon *canon) {
  if (value_is_exception(text) || !value_text(run->context, text, &run->outcome->output)) {
    fail(run, RESULT_OUTPUT_INVALID);
    return false;
  }
  *canon = json_canonical(run->outcome->output);
  return true;
}

/* Checks what the guest wrote before anybody believes it. A guest that lies about its JSON fails here, not in the
 * reply. */
static bool take_output(struct run *run, u64 text) {
  struct engine_outcome *outcome = run->outcome;
  enum json_canon canon;
  if (!canonical_text(run, text, &canon)) return false;
  if (canon == JSON_UNSORTED && !canonical_text(run, call(run, run->roots->sort_keys, &text, 1), &canon)) return false;
  outcome->result = RESULT_OK;
  if (canon != JSON_CANONICAL) {
    outcome->result = RESULT_OUTPUT_INVALID;
    outcome->error =
        span_text("TypeError: output has no canonical JSON: it holds a lone surrogate, or nests too deeply");
  } else if (outcome->output.len > run->job->limits.output) {
    outcome->result = RESULT_OUTPUT_TOO_LARGE;
  }
  return outcome->result == RESULT_OK;
}

/* The result as JSON text. A result with a `then` method comes back as a promise: it is awaited like one. */
static bool write_output(struct run *run, u64 result) {
  u64 text = call(run, run->roots->to_output, &result, 1);
  if (value_is_object(text)) {
    if (!settle(run, &text, RESULT_EXECUTION_ERROR)) return false;
    text = call(run, run->roots->to_output, &text, 1);
  }
  return take_output(run, text);
}

static void execute(void *arg) {
  struct run *run = arg;
  u64 entry, result;
  run->name = value_string(run->context, run->job->name);
  if (!run->job->check_only && !give_input(run)) return;
  if (!load(run, &entry)) return;
  result = call(run, entry, (u64[]){run->input, run->secrets}, 2);
  if (value_is_exception(result)) {
    fail(run, RESULT_EXECUTION_ERROR);
    return;
  }
  if (settle(run, &result, RESULT_EXECUTION_ERROR)) (void)write_output(run, result);
}

/* ---- one execution ---- */

/* Everything in the world that must differ from the last execution's. */
static void vary(const struct snapshot_roots *roots) {
  uint64_t seed = 0;
  while (seed == 0) host_random(&seed, sizeof seed); /* xorshift stays at zero for ever */
  memcpy(guest_bytes(roots->random_state, 8), &seed, 8);
}

static enum result exit_result(enum guest_exit why, const struct engine_outcome *outcome) {
  if (why == GUEST_TIMED_OUT || guest_state.interrupt) return RESULT_TIMEOUT;
  if (why == GUEST_OUT_OF_STEPS) return RESULT_OUT_OF_STEPS;
  if (why == GUEST_RETURNED) return outcome->result;
  if (guest_state.trap == WASM_RT_TRAP_EXHAUSTION) return RESULT_EXECUTION_ERROR;
  return guest_state.growth_refused ? RESULT_OUT_OF_MEMORY : RESULT_ENGINE_TRAP;
}

static enum result check_job(const struct engine_job *job) {
  if (job->script.len == 0) return RESULT_SCRIPT_REQUIRED;
  if (job->script.len > ENGINE_SCRIPT_MAX) return RESULT_SCRIPT_TOO_LARGE;
  if (job->input.len > ENGINE_INPUT_MAX) return RESULT_INPUT_TOO_LARGE;
  if (job->secret_count > ENGINE_SECRETS_MAX) return RESULT_TOO_MANY_SECRETS;
  if (!text_utf8_valid(job->script)) return RESULT_SCRIPT_INVALID;
  if (job->entry.len == 0 || job->entry.len > ENGINE_ENTRY_MAX || !text_utf8_valid(job->entry))
    return RESULT_ENTRY_INVALID;
  if (memchr(job->entry.data, 0, job->entry.len) != NULL) return RESULT_ENTRY_INVALID;
  if (job->limits.memory < ENGINE_MEMORY_MIN || job->limits.memory > ENGINE_MEMORY_MAX) return RESULT_LIMIT_INVALID;
  if (job->limits.steps == 0 || job->limits.steps > ENGINE_STEPS_MAX) return RESULT_LIMIT_INVALID;
  if (job->limits.log_entry > ENGINE_LOG_ENTRY_MAX) return RESULT_LIMIT_INVALID;
  if (job->input.len > 0 && json_check(job->input, JSON_DEPTH_MAX) != RESULT_OK) return RESULT_INPUT_INVALID;
  return RESULT_OK;
}

void engine_run(const struct engine_job *job, const struct engine_hooks *hooks, struct engine_outcome *outcome) {
  const struct snapshot_roots *roots = &snapshot_image()->roots;
  *outcome = (struct engine_outcome){.result = check_job(job)};
  if (outcome->result != RESULT_OK) return;
  if (engine.dirty || engine.broken) {
    outcome->result = RESULT_ENGINE_TRAP;
    return;
  }
  engine.dirty = true;
  host_begin(job, hooks);
  vary(roots);
  guest_state.interrupt = 0;
  guest_state.trap = 0;
  guest_state.growth_refused = false;
  guest_state.memory_limit = job->limits.memory;
  guest_meter.left = (int64_t)job->limits.steps;
  struct run run = {.job = job, .outcome = outcome, .roots = roots, .context = roots->context};
  enum guest_exit why = guest_enter(execute, &run);
  outcome->result = exit_result(why, outcome);
  engine.broken = why == GUEST_TRAPPED || why == GUEST_TIMED_OUT;
  if (why == GUEST_TRAPPED && outcome->result == RESULT_EXECUTION_ERROR) {
    /* A native that recurses without asking (nested iterator helpers, say) ran off the stack: told as QuickJS tells it
     * elsewhere, though this world cannot go on. */
    *outcome = (struct engine_outcome){.result = RESULT_EXECUTION_ERROR,
                                       .error = span_text("RangeError: Maximum call stack size exceeded")};
  }
  if (outcome->result == RESULT_TIMEOUT || outcome->result == RESULT_OUT_OF_STEPS ||
      outcome->result == RESULT_ENGINE_TRAP) {
    outcome->error = outcome->stack = (struct span){NULL, 0};
    outcome->line = outcome->column = 0;
  }
  if (outcome->result != RESULT_OK) outcome->output = (struct span){NULL, 0};
  outcome->usage =
      (struct engine_usage){.steps = job->limits.steps - (uint64_t)(guest_meter.left > 0 ? guest_meter.left : 0),
                            .memory_peak = guest.w2c_memory.size,
                            .log_dropped = host.log_dropped};
}

bool engine_reusable(void) {
  return !engine.broken;
}

bool engine_reset(void) {
  if (engine.broken) return false;
  if (engine.dirty) snapshot_restore();
  guest_forget_faults();
  engine.dirty = false;
  return true;
}

void engine_interrupt(void) {
  if (guest_state.interrupt == 0) guest_state.interrupt = 1;
}

void engine_abandon(void) {
  guest_state.interrupt = 2;
  if (guest_state.inside && !guest_state.in_host) guest_unwind(GUEST_TIMED_OUT);
}

/* ---- start ---- */

static void name_engine(void) {
  const struct snapshot_header *image = snapshot_image();
  uint8_t hash[DIGEST_SIZE];
  digest_sha256(span_of(image, image->size), hash);
  struct buf b = buf_fixed(engine.id, sizeof engine.id - 1);
  text_put_hex(&b, span_of(hash, sizeof hash));
}

enum result engine_open(int executable) {
  enum result r = guest_handle_faults();
  if (r == RESULT_OK) r = guest_instantiate();
  if (r != RESULT_OK) return r;
  host_object(0);
  r = snapshot_attach(executable, &engine.image_shared);
  if (r == RESULT_OK) name_engine();
  return r;
}

void engine_close(void) {
  wasm_rt_free_memory(&guest.w2c_memory);
  guest_leave_faults();
}

const char *engine_id(void) {
  return engine.id;
}

bool engine_image_shared(void) {
  return engine.image_shared;
}
