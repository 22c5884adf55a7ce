/*
 * The snapshot: linear memory as it was right after the prelude ran, made once at build time (snapshot_main.c), linked
 * into the worker, and mapped copy-on-write by every process.
 *
 * Layout of an image: struct snapshot_header, padded to a page, then the bytes of each segment, page after page. Linear
 * memory outside the segments is zero. Native byte order: an image belongs to the build that made it.
 */
#pragma once

#include "engine/guest.h"

#define SNAPSHOT_MAGIC 0x31474d494f454e01ull
#define SNAPSHOT_SEGMENTS 64u
#define SNAPSHOT_HOT 64u
#define HOST_PAGE 4096u

struct snapshot_range {
  u32 start, len; /* bytes of linear memory, whole host pages */
};

/* What the engine calls in the guest: QuickJS values and addresses, the same in every world. */
struct snapshot_roots {
  u64 global, describe, to_output, sort_keys, tick, deliver;
  u32 context, runtime;
  u32 random_state; /* address of Math.random's 64-bit state */
};

struct snapshot_header {
  u64 magic;
  u32 size;  /* of the image: header and segments, in bytes */
  u32 pages; /* of linear memory, 64 KiB each */
  u32 stack_pointer, segment_count, hot_count, reserved;
  struct snapshot_roots roots;
  u8 module_digest[32];                              /* SHA-256 of the WebAssembly module */
  struct snapshot_range segments[SNAPSHOT_SEGMENTS]; /* ascending, not overlapping */
  struct snapshot_range hot[SNAPSHOT_HOT];           /* pages that every execution dirties; ascending */
};

#define SNAPSHOT_DATA_OFFSET ((u32)((sizeof(struct snapshot_header) + HOST_PAGE - 1) / HOST_PAGE * HOST_PAGE))

/* The image linked into this program (image.S), aligned to a host page. */
const struct snapshot_header *snapshot_image(void);

/* Puts the image in place of instantiated, untouched linear memory: mapped from `executable`, or copied if that is -1
 * or cannot be mapped. */
enum result must_use snapshot_attach(int executable, bool *shared);

/* Called for a fault at `address`: true if it was the first write to a part of the image in this execution, which is
 * writable from now on. Async-signal-safe. */
bool snapshot_note_write(uintptr_t address);

/* Linear memory, stack pointer: back to the image. */
void snapshot_restore(void);

/* For making one: fills `image` from linear memory. Returns the size written, 0 if it does not fit. */
size_t snapshot_take(const struct snapshot_roots *roots, const u8 module_digest[32], u8 *image, size_t room);
/* For making one: between these two, every page that is written is noted, then listed in the image as hot. Comparing
 * pages would miss those that are written and put back, such as reference counts. */
bool must_use snapshot_learn(void);
bool must_use snapshot_learnt(u8 *image);
