/*
 * Runs one script on one input in a fresh world: `script, input, limits -> outcome`.
 *
 * The header knows nothing of QuickJS or WebAssembly, so that another engine can stand behind it. There is one engine a
 * process (built with explicit bounds: a thread); it is not re-entrant. Every execution starts from the same snapshot:
 * nothing an execution did (globals, prototypes, pending promises, freed memory) can be seen by the next.
 *
 * What binds: memory (every allocation the script causes), steps (exact and deterministic), output and log sizes. Wall
 * time is the caller's: it calls engine_interrupt when time is up, then engine_abandon if that was not enough.
 */
#pragma once

#include <stdbool.h>

#include "base/result.h"

#define ENGINE_SCRIPT_MAX 102400u
#define ENGINE_INPUT_MAX 1048576u
#define ENGINE_OUTPUT_MAX 1048576u
#define ENGINE_SECRETS_MAX 10u
#define ENGINE_ENTRY_MAX 128u
#define ENGINE_MEMORY_MIN (16u << 20)
#define ENGINE_MEMORY_MAX (1024u << 20)
#define ENGINE_MEMORY_DEFAULT (128u << 20)
#define ENGINE_STACK_LIMIT (1024u << 10)
/* Native stack that the caller must have, in bytes. The deepest recursion that the stack limit allows was seen to use 2
 * MiB of it in an unoptimised build. */
#define ENGINE_NATIVE_STACK (64ul << 20)
#define ENGINE_STEPS_MAX ((uint64_t)INT64_MAX)
#define ENGINE_LOG_ENTRIES 100u
#define ENGINE_LOG_ENTRY_MAX 4096u

struct engine_limits {
  uint64_t memory;      /* bytes of linear memory, ENGINE_MEMORY_MIN..ENGINE_MEMORY_MAX */
  uint64_t steps;       /* 1..ENGINE_STEPS_MAX; ENGINE_STEPS_MAX is no limit */
  uint32_t output;      /* bytes of output JSON */
  uint32_t log_entries; /* how many are kept */
  uint32_t log_entry;   /* bytes of one entry, the mark "...(truncated)" not counted */
};

/* The service's defaults. */
struct engine_limits engine_default_limits(void);

struct engine_secret {
  struct span name, value; /* UTF-8 */
};

struct engine_job {
  struct span script; /* UTF-8; a classic script, or a module if it uses `export` or `import` */
  struct span name;   /* file name for stack traces, e.g. "script.js"; at most 255 bytes, no NUL */
  struct span entry;  /* the function to call; a module may export it by that name or as default */
  struct span input;  /* one JSON value; empty means {} */
  struct engine_secret secrets[ENGINE_SECRETS_MAX];
  size_t secret_count;
  struct engine_limits limits;
  bool check_only;    /* parse the script, run nothing */
  bool deterministic; /* the clock stands still at time_ns, randomness comes from seed */
  uint64_t time_ns;   /* Unix time */
  uint8_t seed[32];
};

enum engine_level { ENGINE_LOG, ENGINE_INFO, ENGINE_WARN, ENGINE_ERROR, ENGINE_DEBUG };

/* A request of the script's to the outside. The spans point into the engine's memory and hold until the call returns.
 */
#define ENGINE_FETCHES_MAX 20u
#define ENGINE_FETCH_HEADERS_MAX 16384u
struct engine_fetch {
  uint32_t number; /* 1 for a job's first, then one more each */
  struct span method, url;
  const char *headers; /* name LF value LF … in ISO 8859-1; `headers_len` bytes */
  size_t headers_len;
  struct span body;
  uint8_t redirect; /* 0 follow, 1 error, 2 manual */
};

/* What came of one: RESULT_OK and a response, or why not. */
struct engine_fetched {
  uint32_t number;
  enum result result;
  struct span error; /* a sentence; empty: the result's own */
  uint32_t status;   /* 100..599 */
  struct span url;   /* UTF-8 */
  bool redirected;
  struct span headers; /* name LF value LF … in ISO 8859-1 */
  struct span body;
};

enum engine_wait { ENGINE_WAIT_OVER, ENGINE_WAIT_FETCHED, ENGINE_WAIT_INTERRUPTED };
#define ENGINE_WAIT_FOREVER UINT64_MAX

/* None of them may call the engine. Without `fetch` there is no outside, without `wait` nothing to wait for. */
struct engine_hooks {
  void *context;
  /* Hears each log entry as it happens: valid UTF-8, already cut. */
  void (*log)(void *context, enum engine_level level, struct span text);
  /* A request; its answer comes by `wait`. False: it cannot be asked. */
  bool (*fetch)(void *context, const struct engine_fetch *fetch);
  /* Nobody waits for that answer any more; it may come all the same. */
  void (*abort)(void *context, uint32_t number);
  /* Waits for the next answer, at most `ns` nanoseconds (or ENGINE_WAIT_FOREVER). The spans of `fetched` hold until
   * the next call. ENGINE_WAIT_INTERRUPTED if engine_interrupt was called meanwhile. */
  enum engine_wait (*wait)(void *context, uint64_t ns, struct engine_fetched *fetched);
};

struct engine_usage {
  uint64_t steps;
  uint64_t memory_peak; /* bytes of linear memory */
  uint32_t log_dropped;
};

/* What came of it. The spans point into the engine's memory and hold until engine_reset. */
struct engine_outcome {
  enum result result;    /* RESULT_OK, or one of the results with status 200 or 400 */
  struct span output;    /* canonical JSON (RFC 8785), an object, if RESULT_OK and not check_only */
  struct span error;     /* "TypeError: x is not a function" */
  struct span stack;     /* lines of "    at f (script.js:3:5)", maybe empty */
  uint32_t line, column; /* of a syntax error or the topmost frame in the script; 0 if unknown */
  struct engine_usage usage;
};

/* Builds the engine from the snapshot linked into this program. `executable` is a descriptor of the running program,
 * from which the snapshot is mapped copy-on-write and shared with every other worker; -1: a private copy is made.
 * RESULT_ENGINE_START if memory is refused or the snapshot does not fit this build. */
enum result must_use engine_open(int executable);

/* Runs the job; always fills the outcome. While the script waits for a timer or an answer, it is in hooks->wait; in a
 * deterministic job there is no outside, and timers are due in their order without any waiting. Call engine_reset
 * before the next. */
void engine_run(const struct engine_job *job, const struct engine_hooks *hooks, struct engine_outcome *outcome);

/* Whether engine_reset will work. */
bool engine_reusable(void);

/* Back to the snapshot. False if the engine can no longer be trusted to be fresh (it trapped or was abandoned): end the
 * process. */
bool must_use engine_reset(void);

/* Asks running guest code to stop at its next poll. Async-signal-safe. */
void engine_interrupt(void);
/* Leaves guest code at once, from whatever instruction it is at; engine_run returns RESULT_TIMEOUT. Call it on the
 * thread that runs the engine, from a signal handler. Does nothing if no guest code is running. */
void engine_abandon(void);

/* Gives back what engine_open took, the scripts' memory first of all: a thread that ends. Call nothing more. */
void engine_close(void);

/* SHA-256 of the snapshot: names the engine, its prelude and its build. 64 hexadecimal digits. */
const char *engine_id(void);
/* True if the snapshot is shared with other processes (see engine_open). */
bool engine_image_shared(void);
