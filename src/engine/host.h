/*
 * What the guest may ask of the host: every effect a script can have passes through here. Private to src/engine.
 */
#pragma once

#include "engine/engine.h"
#include "engine/guest.h"

/* The state of one execution that host functions use. */
struct host {
  const struct engine_job *job;
  const struct engine_hooks *hooks;
  uint32_t log_kept, log_dropped;
  uint64_t started_ns;       /* monotonic: performance.now counts from here */
  uint64_t random_counter;   /* deterministic mode: blocks drawn from the seed */
  uint64_t waited_ns;        /* deterministic mode: what timers have waited for, in a clock of their own */
  uint32_t fetches, answers; /* how many requests went out, and how many of them are over */
  struct span body;          /* of the answer that is being delivered */
};
extern PER_ENGINE struct host host;

/* While the snapshot is made, the clock says this and randomness is zeros: the seed of Math.random, which QuickJS takes
 * from the clock, can then be found in memory and replaced in every execution. */
#define HOST_SNAPSHOT_TIME_US 0x0012345678abcdefull

/* Before an execution. `hooks` may be NULL: nothing is logged. */
void host_begin(const struct engine_job *job, const struct engine_hooks *hooks);

/* Fills memory with randomness: the system's, or the job's seed expanded. */
void host_random(void *memory, size_t len);

/* Makes the object that the prelude gets as `host`: one function for each line of the table in host.c. */
u64 host_object(u32 context);

/* Writes "name" into guest memory, NUL-terminated. Its address; unwinds if there is no memory. */
u32 host_text(struct span text);
