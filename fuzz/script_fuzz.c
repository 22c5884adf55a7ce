/*
 * Mutates scripts and runs them in real, fenced workers: `script_fuzz WORKER SECONDS SEED FILE…`. Whatever the script,
 * the parent gets an answer it may believe; a worker that dies of anything but its clock, or breaks the protocol, fails
 * the run, and the script is written to standard output.
 */
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "dispatch/dispatch.h"

#define SCRIPTS_MAX 512
#define SCRIPT_MAX 102400u

static struct buf corpus[SCRIPTS_MAX];
static size_t corpus_count;
static uint64_t random_state;

static uint64_t next_random(void) { /* splitmix64 */
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

static size_t below(size_t n) {
  return n == 0 ? 0 : (size_t)(next_random() % n);
}

static void load(const char *path) {
  struct buf *script = &corpus[corpus_count];
  static uint8_t part[SCRIPT_MAX];
  FILE *file = fopen(path, "rb");
  if (file == NULL) return;
  *script = buf_new(SCRIPT_MAX);
  buf_put(script, part, fread(part, 1, sizeof part, file));
  fclose(file);
  if (script->len > 0) corpus_count++;
}

/* ---- mutations: each copies `from` into `to`, changed ---- */

static const char *const words[] = {
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    ";",
    ",",
    "=>",
    "...",
    "`",
    "${",
    "/",
    "\\",
    "0",
    "-1",
    "1e308",
    "2**53",
    "NaN",
    "null",
    "0n",
    "await ",
    "async ",
    "yield ",
    "new ",
    "throw ",
    "return ",
    "delete ",
    "typeof ",
    "class A extends ",
    "function*f(){",
    "try{",
    "}catch{",
    "}finally{",
    "for(;;)",
    "while(1)",
    "export default ",
    "import('x')",
    "eval(",
    "Proxy",
    "Reflect.",
    "Symbol.iterator",
    ".constructor",
    ".__proto__",
    ".prototype",
    "Array(1e9)",
    ".repeat(1e9)",
    "new Uint8Array(1e8)",
    "JSON.parse(",
    "JSON.stringify(",
    "structuredClone(",
    "new RegExp(",
    ".sort(",
    ".toString(",
    "Promise.reject(",
    "new URL(",
    "new TextDecoder('utf-16le').decode(",
    "input",
    "secrets",
    "console.log(",
    "crypto.getRandomValues(",
    "WeakRef",
    "Atomics.wait(",
    "\xe2\x80\xa8",
    "\\u{10ffff}",
    "'",
    "\"",
    "\n",
    "//",
    "/*",
};

static void insert(struct buf *to, struct span from) {
  size_t at = below(from.len + 1);
  buf_put(to, from.data, at);
  buf_put_text(to, words[below(sizeof words / sizeof words[0])]);
  buf_put(to, from.data + at, from.len - at);
}

static void cut(struct buf *to, struct span from) {
  size_t at = below(from.len), len = below(from.len - at < 40 ? from.len - at : 40) + 1;
  if (at + len > from.len) len = from.len - at;
  buf_put(to, from.data, at);
  buf_put(to, from.data + at + len, from.len - at - len);
}

static void repeat_part(struct buf *to, struct span from) {
  size_t at = below(from.len), len = below(from.len - at) + 1;
  if (at + len > from.len) len = from.len - at;
  buf_put(to, from.data, at + len);
  for (size_t times = below(20); times > 0; times--) buf_put(to, from.data + at, len);
  buf_put(to, from.data + at + len, from.len - at - len);
}

static void splice(struct buf *to, struct span from) {
  struct span other = buf_span(&corpus[below(corpus_count)]);
  size_t keep = below(from.len + 1), skip = below(other.len);
  buf_put(to, from.data, keep);
  buf_put(to, other.data + skip, other.len - skip);
}

static void change_byte(struct buf *to, struct span from) {
  buf_put_span(to, from);
  if (to->len > 0) to->data[below(to->len)] = (uint8_t)(below(4) == 0 ? next_random() : 32 + below(95));
}

static void (*const mutations[])(struct buf *to, struct span from) = {insert, cut, repeat_part, splice, change_byte};

/* One to eight mutations of a script from the corpus. */
static struct buf make_script(void) {
  struct buf script = buf_new(SCRIPT_MAX);
  buf_put_span(&script, buf_span(&corpus[below(corpus_count)]));
  for (size_t n = 1 + below(8); n > 0; n--) {
    struct buf changed = buf_new(SCRIPT_MAX);
    mutations[below(sizeof mutations / sizeof mutations[0])](&changed, buf_span(&script));
    if (changed.bad || changed.len == 0) {
      buf_free(&changed);
      continue;
    }
    buf_free(&script);
    script = changed;
  }
  return script;
}

/* ---- running ---- */

static bool acceptable(enum result r) {
  return r != RESULT_ENGINE_TRAP && result_status(r) < 500;
}

static uint64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static enum result run_one(struct dispatch *d, const struct buf *script) {
  static uint64_t id;
  struct wire_done done;
  struct wire_job job = wire_default_job(buf_span(script));
  job.id = ++id;
  job.timeout_ms = 50;
  job.memory = 64u << 20;
  job.input = span_text("{\"a\":[1,{\"b\":null}],\"c\":\"\\u00e9\"}");
  dispatch_run(d, &job, NULL, &done);
  return (enum result)done.result;
}

int main(int argc, char **argv) {
  uint64_t seconds = 0, counts[RESULT_COUNT] = {0}, runs = 0;
  struct dispatch *d = NULL;
  signal(SIGPIPE, SIG_IGN);
  if (argc < 5 || text_u64(span_text(argv[2]), 1, 86400, &seconds) != RESULT_OK) return 2;
  if (text_u64(span_text(argv[3]), 0, UINT64_MAX, &random_state) != RESULT_OK) return 2;
  for (int i = 4; i < argc && corpus_count < SCRIPTS_MAX; i++) load(argv[i]);
  if (corpus_count == 0 || dispatch_start(argv[1], &d) != RESULT_OK) return 3;
  int status = 0;
  for (uint64_t end = now_ms() + seconds * 1000; now_ms() < end && status == 0; runs++) {
    struct buf script = make_script();
    enum result r = run_one(d, &script);
    counts[r < RESULT_COUNT ? r : RESULT_IO]++;
    if (!acceptable(r)) {
      fprintf(stderr, "script_fuzz: %s after %llu runs; the script follows\n", result_name(r),
              (unsigned long long)runs);
      fwrite(script.data, 1, script.len, stdout);
      status = 1;
    }
    buf_free(&script);
  }
  dispatch_free(d);
  fprintf(stderr, "script_fuzz: %llu runs:", (unsigned long long)runs);
  for (int r = 0; r < RESULT_COUNT; r++) {
    if (counts[r] > 0) fprintf(stderr, " %s %llu", result_name((enum result)r), (unsigned long long)counts[r]);
  }
  fputc('\n', stderr);
  for (size_t i = 0; i < corpus_count; i++) buf_free(&corpus[i]);
  return status;
}
