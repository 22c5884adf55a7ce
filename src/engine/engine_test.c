/* The engine without its fence: fresh worlds, exact steps, limits. Runs the worker's engine in this process. */
#include "engine/engine.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/guest.h"

/* What a run came to, copied out of the engine's memory. */
struct ran {
  enum result result;
  char output[65536], error[4096], stack[4096], logs[65536];
  uint32_t line, column, dropped, log_count;
  uint64_t steps, memory;
};

static void keep_log(void *context, enum engine_level level, struct span text) {
  struct ran *ran = context;
  (void)level;
  size_t used = strlen(ran->logs);
  snprintf(ran->logs + used, sizeof ran->logs - used, "%.*s\n", (int)text.len, (const char *)text.data);
  ran->log_count++;
}

static struct engine_job job_of(const char *script) {
  return (struct engine_job){.script = span_text(script),
                             .name = span_text("script.js"),
                             .entry = span_text("main"),
                             .input = span_text("{\"a\":2,\"b\":3}"),
                             .limits = engine_default_limits()};
}

/* The outside, of which the test says how it answers. */
static struct outside {
  bool there;
  struct engine_fetched answers[ENGINE_FETCHES_MAX]; /* in the order in which they come */
  size_t answer_count, answered, waits;
  char asked[4096]; /* "METHOD URL redirect|headers|body\n" for each request, "abort N\n" for each abort */
} outside;

static bool note_fetch(void *context, const struct engine_fetch *m) {
  (void)context;
  const size_t used = strlen(outside.asked);
  snprintf(outside.asked + used, sizeof outside.asked - used, "%u %.*s %.*s %u|%.*s|%.*s\n", m->number,
           (int)m->method.len, (const char *)m->method.data, (int)m->url.len, (const char *)m->url.data, m->redirect,
           (int)m->headers_len, m->headers, (int)m->body.len, (const char *)m->body.data);
  return true;
}

static void note_abort(void *context, uint32_t number) {
  (void)context;
  const size_t used = strlen(outside.asked);
  snprintf(outside.asked + used, sizeof outside.asked - used, "abort %u\n", number);
}

/* Time passes without anybody waiting: a timer is always over at once. */
static enum engine_wait next_answer(void *context, uint64_t ns, struct engine_fetched *m) {
  (void)context;
  assert_true(outside.waits++ < 100000);
  if (outside.answered < outside.answer_count) {
    *m = outside.answers[outside.answered++];
    return ENGINE_WAIT_FETCHED;
  }
  assert_true(ns != ENGINE_WAIT_FOREVER); /* somebody waits for an answer that does not come */
  return ENGINE_WAIT_OVER;
}

static struct ran *run_job(const struct engine_job *job) {
  static struct ran ran;
  struct engine_outcome outcome;
  struct engine_hooks hooks = {.context = &ran, .log = keep_log};
  if (outside.there) {
    hooks.fetch = note_fetch;
    hooks.abort = note_abort;
    hooks.wait = next_answer;
  }
  memset(&ran, 0, sizeof ran);
  assert_int_equal(guest_handle_faults(), RESULT_OK); /* cmocka has put its own handler in place */
  engine_run(job, &hooks, &outcome);
  ran.result = outcome.result;
  snprintf(ran.output, sizeof ran.output, "%.*s", (int)outcome.output.len, (const char *)outcome.output.data);
  snprintf(ran.error, sizeof ran.error, "%.*s", (int)outcome.error.len, (const char *)outcome.error.data);
  snprintf(ran.stack, sizeof ran.stack, "%.*s", (int)outcome.stack.len, (const char *)outcome.stack.data);
  ran.line = outcome.line;
  ran.column = outcome.column;
  ran.steps = outcome.usage.steps;
  ran.memory = outcome.usage.memory_peak;
  ran.dropped = outcome.usage.log_dropped;
  assert_true(engine_reset());
  return &ran;
}

static struct ran *run(const char *script) {
  struct engine_job job = job_of(script);
  return run_job(&job);
}

static void expect_output(const char *script, const char *output) {
  struct ran *ran = run(script);
  if (ran->result != RESULT_OK) print_error("%s: %s: %s\n", script, result_name(ran->result), ran->error);
  assert_int_equal(ran->result, RESULT_OK);
  assert_string_equal(ran->output, output);
}

/* ---- a fresh world ---- */

/* Each pair: leave something behind; look for it. The second must see what it would have seen without the first. */
static void test_nothing_survives(void **state) {
  (void)state;
  static const struct {
    const char *what, *leave, *look, *clean;
  } routes[] = {
      {"global variable", "globalThis.kept = 42", "typeof kept", "undefined"},
      {"top-level let", "globalThis.eval('var kept2 = 1')", "typeof kept2", "undefined"},
      {"Object.prototype", "Object.prototype.kept = 42", "typeof ({}).kept", "undefined"},
      {"Array.prototype method", "Array.prototype.map = () => 'kept'", "[1].map(x => x + 1)[0]", "2"},
      {"JSON.stringify", "JSON.stringify = () => 'kept'", "JSON.stringify(1)", "1"},
      {"deleted global", "delete globalThis.Math", "typeof Math", "object"},
      {"console method", "console.log = () => {}; console.kept = 1", "typeof console.kept", "undefined"},
      {"crypto", "crypto.sha256 = () => 'kept'", "crypto.sha256('a').length", "64"},
      {"symbol registry", "globalThis[Symbol.for('kept')] = 42", "typeof globalThis[Symbol.for('kept')]", "undefined"},
      {"frozen prototype", "Object.freeze(Array.prototype)", "Object.isFrozen(Array.prototype)", "false"},
      {"RegExp statics", "/(kept)/.exec('kept')", "String(RegExp.$1)", "undefined"},
      {"function property", "parseInt.kept = 42", "typeof parseInt.kept", "undefined"},
      {"iterator prototype", "Object.getPrototypeOf([][Symbol.iterator]()).next = () => ({done: true})",
       "[...[1, 2]].length", "2"},
      {"prototype chain", "Object.setPrototypeOf(Math, {kept: 1})", "typeof Math.kept", "undefined"},
      {"template cache", "(x => (x.raw, globalThis.kept3 = x))`kept`", "typeof kept3", "undefined"},
      {"URL", "URL.prototype.kept = 1; new URL('http://a/').searchParams.append('k', 'v')", "typeof URL.prototype.kept",
       "undefined"},
      {"performance", "performance.kept = 42", "typeof performance.kept", "undefined"},
      {"error class", "Error.stackTraceLimit = 0", "new Error('x').stack.length > 0", "true"},
  };
  for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
    char leave[512], look[512], expected[128];
    snprintf(leave, sizeof leave, "function main() { %s; return 1 }", routes[i].leave);
    snprintf(look, sizeof look, "function main() { return String(%s) }", routes[i].look);
    snprintf(expected, sizeof expected, "{\"result\":\"%s\"}", routes[i].clean);
    struct ran *first = run(leave);
    if (first->result != RESULT_OK) print_error("%s: %s\n", routes[i].what, first->error);
    assert_int_equal(first->result, RESULT_OK);
    struct ran *second = run(look);
    if (strcmp(second->output, expected) != 0)
      print_error("%s survived: %s %s\n", routes[i].what, second->output, second->error);
    assert_string_equal(second->output, expected);
  }
}

/* Pending promises and queued jobs of one execution never run in the next. */
static void test_no_job_survives(void **state) {
  (void)state;
  struct ran *first = run("function main() { (async () => { for (;;) await null })(); throw new Error('away') }");
  assert_int_equal(first->result, RESULT_EXECUTION_ERROR);
  run("let hits = 0; function main() { Promise.resolve().then(() => { hits++; globalThis.leak = 1 }); return 1 }");
  expect_output("function main() { return typeof leak }", "{\"result\":\"undefined\"}");
}

/* Freed memory is not what the next execution's uninitialised memory shows: a needle left everywhere is nowhere. */
static void test_memory_is_fresh(void **state) {
  (void)state;
  run("function main() { let a = []; for (let i = 0; i < 50000; i++) a.push('needle-in-memory-' + i); return a.length "
      "}");
  expect_output(
      "function main() { let b = new Uint8Array(60 * 1024 * 1024); for (const x of b) if (x) return x; return 0 }",
      "{\"result\":0}");
}

static void test_random_differs(void **state) {
  (void)state;
  static char first[sizeof((struct ran *)0)->output];
  const char *script = "function main() { return [Math.random(), crypto.randomBytes(8)] }";
  snprintf(first, sizeof first, "%s", run(script)->output);
  assert_string_not_equal(first, run(script)->output);
}

/* What one execution does changes neither the steps nor the memory of the next. */
static void test_cost_is_independent(void **state) {
  (void)state;
  const char *probe =
      "function main(input) { console.log({a: [1, 2]}); return {sum: input.a + input.b, t: new URL('http://x/').href} "
      "}";
  uint64_t steps = run(probe)->steps, memory = run(probe)->memory;
  const char *between[] = {"function main() { let a = []; for (let i = 0; i < 1e5; i++) a.push({i}); return a.length }",
                           "function main() { function f() { f() } f() }", "syntax error(",
                           "function main() { throw 1 }", "function main() { return new Promise(() => {}) }"};
  for (size_t i = 0; i < sizeof between / sizeof between[0]; i++) {
    run(between[i]);
    struct ran *again = run(probe);
    assert_int_equal(again->steps, steps);
    assert_int_equal(again->memory, memory);
  }
}

/* ---- steps ---- */

static void test_steps_bind_exactly(void **state) {
  (void)state;
  struct engine_job job = job_of("function main(input) { let x = 0; for (let i = 0; i < 1000; i++) x += i; return x }");
  uint64_t need = run_job(&job)->steps;
  const uint64_t limits[] = {1, 2, 100, need / 2, need - 1};
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
    job.limits.steps = limits[i];
    struct ran *ran = run_job(&job);
    assert_int_equal(ran->result, RESULT_OUT_OF_STEPS);
    assert_int_equal(ran->steps, limits[i]);
    assert_string_equal(ran->output, "");
  }
  job.limits.steps = need;
  assert_int_equal(run_job(&job)->result, RESULT_OK);
}

static void test_steps_cannot_be_caught(void **state) {
  (void)state;
  struct engine_job job = job_of("function main() { for (;;) { try { for (;;); } catch { } finally { continue } } }");
  job.limits.steps = 1000000;
  struct ran *ran = run_job(&job);
  assert_int_equal(ran->result, RESULT_OUT_OF_STEPS);
  assert_int_equal(ran->steps, 1000000);
}

static void test_steps_repeat(void **state) {
  (void)state;
  const char *script =
      "async function main(input) { const m = new Map(Object.entries(input)); await null; return [...m].sort() }";
  uint64_t steps = run(script)->steps;
  assert_true(steps > 1000);
  for (int i = 0; i < 600; i++)
    assert_int_equal(run(script)->steps, steps); /* past the point where pages are dropped anew */
}

/* ---- deterministic mode ---- */

static void test_deterministic(void **state) {
  (void)state;
  struct engine_job job = job_of(
      "function main() { console.log(new Date().toISOString(), Math.random()); return [Date.now(), performance.now(), "
      "Math.random(), crypto.randomUUID(), crypto.randomBytes(40), [...crypto.getRandomValues(new Uint8Array(9))]] }");
  job.deterministic = true;
  job.time_ns = 1700000000123456789u;
  struct ran first = *run_job(&job), second = *run_job(&job);
  assert_int_equal(first.result, RESULT_OK);
  assert_string_equal(first.output, second.output);
  assert_string_equal(first.logs, second.logs);
  assert_int_equal(first.steps, second.steps);
  assert_non_null(strstr(first.output, "1700000000123"));
  job.seed[0] = 1;
  assert_string_not_equal(first.output, run_job(&job)->output);
}

/* ---- results and errors ---- */

static void test_results(void **state) {
  (void)state;
  expect_output("function main(input) { return {sum: input.a + input.b} }", "{\"sum\":5}");
  expect_output("const main = ({a}) => a", "{\"result\":2}");
  expect_output("async function main(i, s) { await null; return [i === input, s === secrets] }",
                "{\"result\":[true,true]}");
  expect_output("export default (i) => i.b", "{\"result\":3}");
  expect_output("export function main(i) { return i.a }", "{\"result\":2}");
  expect_output("const x = await Promise.resolve(9); export const main = () => x", "{\"result\":9}");
  expect_output("function main() {}", "{}");
  expect_output("function main() { return null }", "{}");
  expect_output("function main() { return {} }", "{}");
  expect_output("function main() { return NaN }", "{\"result\":null}");
  expect_output("function main() { return {b: 1, a: {d: [1, {z: 0, y: 0}], c: 2}} }",
                "{\"a\":{\"c\":2,\"d\":[1,{\"y\":0,\"z\":0}]},\"b\":1}");
  expect_output("function main() { return {10: 1, 9: 2} }", "{\"10\":1,\"9\":2}");
  /* RFC 8785 §3.2.3: keys in the order of their UTF-16 code units. */
  expect_output(
      "function main() { return {'\\u20ac': 1, '\\r': 2, '\\ufb33': 3, '1': 4, '\\ud83d\\ude00': 5, '\\u0080': 6, "
      "'\\u00f6': 7} }",
      "{\"\\r\":2,\"1\":4,\"\xc2\x80\":6,\"\xc3\xb6\":7,\"\xe2\x82\xac\":1,\"\xf0\x9f\x98\x80\":5,\"\xef\xac\xb3\":3}");
}

static void test_errors(void **state) {
  (void)state;
  static const struct {
    const char *script;
    enum result result;
    const char *error;
    uint32_t line;
  } cases[] = {
      {"function main( {\n  return 1;\n", RESULT_SYNTAX_ERROR, "SyntaxError: ", 2},
      {"\nnull.x;\nfunction main() {}", RESULT_SCRIPT_ERROR, "TypeError: ", 2},
      {"function main() {\n\n  null.x;\n}", RESULT_EXECUTION_ERROR, "TypeError: ", 3},
      {"async function main() {\n  await null;\n  throw new RangeError('r');\n}", RESULT_EXECUTION_ERROR,
       "RangeError: r", 3},
      {"export default function (i) {\n  return i.x.y;\n}", RESULT_EXECUTION_ERROR, "TypeError: ", 2},
      {"function main() { throw 'text' }", RESULT_EXECUTION_ERROR, "text", 0},
      {"let main = 5", RESULT_ENTRY_NOT_FOUND, "", 0},
      {"function other() {}", RESULT_ENTRY_NOT_FOUND, "", 0},
      {"function main() { return new Promise(() => {}) }", RESULT_UNSETTLED, "", 0},
      {"function main() { return 10n }", RESULT_OUTPUT_INVALID, "TypeError: ", 0},
      {"function main() { return main }", RESULT_OUTPUT_INVALID, "TypeError: a function", 0},
      {"function main() { const o = {}; o.o = o; return o }", RESULT_OUTPUT_INVALID, "TypeError: circular", 0},
      {"function main() { return '\\ud800' }", RESULT_OUTPUT_INVALID, "", 0},
      {"function main() { function f() { return f() + 1 } return f() }", RESULT_EXECUTION_ERROR, "RangeError: ", 1},
      {"function main() { const a = []; for (;;) a.push(new Array(1e5).fill(a)) }", RESULT_OUT_OF_MEMORY, "", 1},
      {"function main() { return 'x'.repeat(1048576) }", RESULT_OUTPUT_TOO_LARGE, "", 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct ran *ran = run(cases[i].script);
    if (ran->result != cases[i].result || strncmp(ran->error, cases[i].error, strlen(cases[i].error)) != 0) {
      print_error("%s: %s: %s\n", cases[i].script, result_name(ran->result), ran->error);
    }
    assert_int_equal(ran->result, cases[i].result);
    assert_memory_equal(ran->error, cases[i].error, strlen(cases[i].error));
    if (cases[i].line > 0) assert_int_equal(ran->line, cases[i].line);
    assert_string_equal(ran->output, "");
  }
}

static void test_refusals(void **state) {
  (void)state;
  static char large[ENGINE_INPUT_MAX + 2];
  memset(large, ' ', sizeof large);
  struct engine_job job = job_of("");
  assert_int_equal(run_job(&job)->result, RESULT_SCRIPT_REQUIRED);
  job = job_of("function main() { return 1 }");
  job.script = span_of(large, ENGINE_SCRIPT_MAX + 1);
  assert_int_equal(run_job(&job)->result, RESULT_SCRIPT_TOO_LARGE);
  job = job_of("function main() { return 1 }");
  job.input = span_of(large, ENGINE_INPUT_MAX + 1);
  assert_int_equal(run_job(&job)->result, RESULT_INPUT_TOO_LARGE);
  job.input = span_text("{\"a\":");
  assert_int_equal(run_job(&job)->result, RESULT_INPUT_INVALID);
  job.input = span_text("{}");
  job.script = span_text("'\xff'");
  assert_int_equal(run_job(&job)->result, RESULT_SCRIPT_INVALID);
  job = job_of("function main() { return 1 }");
  job.limits.memory = ENGINE_MEMORY_MIN - 1;
  assert_int_equal(run_job(&job)->result, RESULT_LIMIT_INVALID);
  job = job_of("function main() { return 1 }");
  job.entry = span_text("");
  assert_int_equal(run_job(&job)->result, RESULT_ENTRY_INVALID);
}

static void test_logs(void **state) {
  (void)state;
  struct ran *ran = run("function main() { for (let i = 0; i < 150; i++) console.log(i); return 1 }");
  assert_int_equal(ran->log_count, 100);
  assert_int_equal(ran->dropped, 50);
  ran = run("function main() { console.warn('\\u00e9'.repeat(2048) + 'x'); return 1 }");
  assert_int_equal(ran->log_count, 1);
  assert_int_equal(strlen(ran->logs), 4096 + strlen("...(truncated)\n"));
  assert_non_null(strstr(ran->logs, "...(truncated)"));
}

static void test_memory_limit_binds(void **state) {
  (void)state;
  struct engine_job job = job_of("function main() { return new Uint8Array(40 * 1024 * 1024).length }");
  assert_int_equal(run_job(&job)->result, RESULT_OK);
  job.limits.memory = 32u << 20;
  struct ran *ran = run_job(&job);
  assert_int_equal(ran->result, RESULT_OUT_OF_MEMORY);
  assert_true(ran->memory <= 32u << 20);
}

/* A script that only claims to be out of memory is not believed. */
static void test_false_alarm(void **state) {
  (void)state;
  struct ran *ran = run("function main() { const e = new Error('out of memory'); e.name = 'InternalError'; throw e }");
  assert_int_equal(ran->result, RESULT_EXECUTION_ERROR);
}

static void test_secrets(void **state) {
  (void)state;
  struct engine_job job = job_of("function main(i, s) { return [s.KEY, secrets['a.b'], Object.keys(s)] }");
  job.secrets[0] = (struct engine_secret){span_text("KEY"), span_text("v\xc3\xa9")};
  job.secrets[1] = (struct engine_secret){span_text("a.b"), span_text("")};
  job.secret_count = 2;
  assert_string_equal(run_job(&job)->output, "{\"result\":[\"v\xc3\xa9\",\"\",[\"KEY\",\"a.b\"]]}");
}

/* ---- the outside ---- */

static void answer(uint32_t number, enum result result, uint32_t status, const char *headers, const char *body) {
  outside.answers[outside.answer_count++] = (struct engine_fetched){.number = number,
                                                                    .result = result,
                                                                    .status = status,
                                                                    .url = span_text("https://a.example/last"),
                                                                    .redirected = true,
                                                                    .headers = span_text(headers),
                                                                    .body = span_text(body)};
}

static void open_outside(void) {
  outside = (struct outside){.there = true};
}

static void test_fetch(void **state) {
  (void)state;
  open_outside();
  answer(1, RESULT_OK, 201, "x-a\n1\nset-cookie\na=b\nset-cookie\nc=\xe9\n", "{\"z\":1}");
  expect_output(
      "async function main() {"
      "  const r = await fetch('https://a.example/p?q#f', {method: 'post', headers: {'X-B': '\xc3\xa9'}, body: "
      "'h\xc3\xa9'});"
      "  return [r.status, r.ok, r.url, r.redirected, r.headers.get('X-A'), r.headers.getSetCookie(), (await "
      "r.json()).z,"
      "          r.bodyUsed] }",
      "{\"result\":[201,true,\"https://a.example/last\",true,\"1\",[\"a=b\",\"c=\xc3\xa9\"],1,true]}");
  assert_string_equal(outside.asked,
                      "1 POST https://a.example/p?q 0|x-b\n\xe9\ncontent-type\ntext/plain;charset=UTF-8\n|h\xc3\xa9\n");
  outside.there = false;
}

/* Answers come in any order, one that nobody waits for any more among them. */
static void test_fetches_at_once(void **state) {
  (void)state;
  open_outside();
  answer(3, RESULT_OK, 200, "", "three");
  answer(2, RESULT_OK, 200, "", "aborted");
  answer(17, RESULT_OK, 200, "", "never asked for");
  answer(1, RESULT_FETCH_TIMEOUT, 0, "", "");
  expect_output(
      "async function main() {"
      "  const c = new AbortController();"
      "  const all = [fetch('https://a.example/1'), fetch('https://a.example/2', {signal: c.signal}), "
      "fetch('https://a.example/3')];"
      "  c.abort();"
      "  const done = await Promise.allSettled(all);"
      "  return [done[0].reason.code, done[0].reason.message, done[1].reason.name, await done[2].value.text()] }",
      "{\"result\":[\"fetch_timeout\",\"fetch failed: the host did not answer in time "
      "(fetch_timeout)\",\"AbortError\",\"three\"]}");
  assert_non_null(strstr(outside.asked, "abort 2\n"));
  outside.there = false;
}

/* What is under way when the script's own promise settles is dropped, and the next job's numbers begin anew. */
static void test_fetch_is_dropped(void **state) {
  (void)state;
  open_outside();
  expect_output("function main() { fetch('https://a.example/'); setTimeout(() => console.log('late'), 5); return 1 }",
                "{\"result\":1}");
  open_outside();
  answer(1, RESULT_OK, 204, "", "");
  struct ran *ran =
      run("async function main() { const r = await fetch('https://a.example/'); return [r.status, await r.text()] }");
  assert_string_equal(ran->output, "{\"result\":[204,\"\"]}");
  assert_int_equal(ran->log_count, 0);
  outside.there = false;
}

static void test_no_outside(void **state) {
  (void)state;
  static const char script[] =
      "async function main() { try { await fetch('https://a.example/') } catch (e) { return [e.code] } }";
  expect_output(script, "{\"result\":[\"fetch_unavailable\"]}");
  open_outside();
  struct engine_job job = job_of(script);
  job.deterministic = true;
  assert_string_equal(run_job(&job)->output, "{\"result\":[\"fetch_unavailable\"]}");
  assert_string_equal(outside.asked, "");
  outside.there = false;
}

/* A body counts as the guest's memory; and one that does not fit is an error that the script may catch. */
static void test_fetch_memory(void **state) {
  (void)state;
  static char big[5u << 20];
  memset(big, 'x', sizeof big - 1);
  open_outside();
  for (uint32_t n = 1; n <= 8; n++) answer(n, RESULT_OK, 200, "", big);
  struct engine_job job = job_of(
      "async function main() { const all = []; for (let i = 0; i < 8; i++)"
      " all.push(await (await fetch('https://a.example/')).bytes()); return all.length }");
  job.limits.memory = ENGINE_MEMORY_MIN;
  assert_int_equal(run_job(&job)->result, RESULT_OUT_OF_MEMORY);
  open_outside();
  for (uint32_t n = 1; n <= 8; n++) answer(n, RESULT_OK, 200, "", big);
  job.limits.memory = ENGINE_MEMORY_DEFAULT;
  assert_string_equal(run_job(&job)->output, "{\"result\":8}");
  outside.there = false;
}

/* Steps are counted where there is something to do: waiting takes none. */
static void test_timers(void **state) {
  (void)state;
  open_outside();
  expect_output(
      "async function main() { const o = []; const t = (ms) => new Promise((r) => setTimeout(() => { o.push(ms); r() "
      "}, ms));"
      " clearTimeout(setTimeout(() => o.push('never'), 1)); await Promise.all([t(3), t(1), t(2), t(1)]); return o }",
      "{\"result\":[1,1,2,3]}");
  struct engine_job job = job_of("async function main() { await new Promise((r) => setTimeout(r, 50)); return 1 }");
  job.deterministic = true;
  const uint64_t short_steps = run_job(&job)->steps;
  job = job_of("async function main() { await new Promise((r) => setTimeout(r, 1e9)); return 1 }");
  job.deterministic = true;
  struct ran *ran = run_job(&job);
  assert_int_equal(ran->result, RESULT_OK);
  assert_true(ran->steps < short_steps + 100);
  assert_int_equal(run("async function main() { await new Promise(() => {}) }")->result, RESULT_UNSETTLED);
  outside.there = false;
}

static int open_engine(void **state) {
  (void)state;
  struct rlimit stack = {ENGINE_NATIVE_STACK, RLIM_INFINITY};
  setrlimit(RLIMIT_STACK, &stack);
  int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  enum result r = engine_open(self);
  close(self);
  assert_true(engine_image_shared());
  assert_int_equal(strlen(engine_id()), 64);
  return r == RESULT_OK ? 0 : -1;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_results),
      cmocka_unit_test(test_errors),
      cmocka_unit_test(test_nothing_survives),
      cmocka_unit_test(test_no_job_survives),
      cmocka_unit_test(test_memory_is_fresh),
      cmocka_unit_test(test_random_differs),
      cmocka_unit_test(test_cost_is_independent),
      cmocka_unit_test(test_steps_bind_exactly),
      cmocka_unit_test(test_steps_cannot_be_caught),
      cmocka_unit_test(test_steps_repeat),
      cmocka_unit_test(test_deterministic),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_logs),
      cmocka_unit_test(test_memory_limit_binds),
      cmocka_unit_test(test_false_alarm),
      cmocka_unit_test(test_secrets),
      cmocka_unit_test(test_fetch),
      cmocka_unit_test(test_fetches_at_once),
      cmocka_unit_test(test_fetch_is_dropped),
      cmocka_unit_test(test_no_outside),
      cmocka_unit_test(test_fetch_memory),
      cmocka_unit_test(test_timers),
  };
  return cmocka_run_group_tests_name("engine", tests, open_engine, NULL);
}
