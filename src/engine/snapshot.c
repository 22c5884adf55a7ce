#include "engine/snapshot.h"

#include <link.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Keeping track of what an execution writes. Pages of the image start read-only; the first write to one faults, and its
 * cluster becomes writable and is copied back after this and the following executions, which mostly write the same
 * pages again. So the way back costs nothing for what nobody touches, and no system call or page fault in the steady
 * state. (Dropping all pages but a fixed set cost two thirds of a short execution in the kernel's page tables.) Pages
 * that the simplest script writes are known from when the image was made ("hot") and writable from the start.
 */
#define CLUSTER (4 * HOST_PAGE)
#define PAGES_MAX 256u /* of 64 KiB */
#define CLUSTERS_MAX (PAGES_MAX * GUEST_PAGE / CLUSTER)
/* Every so many executions, or when copying grows expensive, all clusters start over as read-only. */
#define WARM_RUNS 256u
#define WARM_MAX 64u

static PER_ENGINE struct {
  bool tracking; /* segments are private mappings of the program file, writes are tracked; else everything is copied */
  bool warm[CLUSTERS_MAX];
  u32 warm_list[CLUSTERS_MAX], warm_count, runs;
  bool learning; /* every page that is written is noted, for the image in the making */
  bool written[PAGES_MAX * (GUEST_PAGE / HOST_PAGE)];
} state;

/* ---- using one ---- */

/* Where in the program's file the image lies: in the loadable segment that holds its address. */

struct file_place {
  uintptr_t address;
  off_t offset;
  bool found;
};

static int find_place(struct dl_phdr_info *info, size_t size, void *context) {
  (void)size;
  struct file_place *place = context;
  for (int i = 0; i < info->dlpi_phnum && !place->found; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    uintptr_t start = info->dlpi_addr + header->p_vaddr;
    if (header->p_type != PT_LOAD || place->address < start || place->address - start >= header->p_filesz) continue;
    place->offset = (off_t)(header->p_offset + (place->address - start));
    place->found = true;
  }
  return 1; /* the first object is the program itself */
}

static const u8 *segment_data(const struct snapshot_header *image, u32 index) {
  const u8 *data = (const u8 *)image + SNAPSHOT_DATA_OFFSET;
  for (u32 i = 0; i < index; i++) data += image->segments[i].len;
  return data;
}

static bool map_segments(const struct snapshot_header *image, int executable) {
  struct file_place place = {.address = (uintptr_t)image};
  if (executable < 0) return false;
  dl_iterate_phdr(find_place, &place);
  if (!place.found || place.offset % HOST_PAGE != 0) return false;
  for (u32 i = 0; i < image->segment_count; i++) {
    struct snapshot_range range = image->segments[i];
    off_t offset = place.offset + (off_t)(segment_data(image, i) - (const u8 *)image);
    u8 *at = guest.w2c_memory.data + range.start;
    if (mmap(at, range.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, executable, offset) != at) return false;
  }
  return true;
}

static bool image_fits(const struct snapshot_header *image) {
  if (image->magic != SNAPSHOT_MAGIC || (uintptr_t)image % HOST_PAGE != 0) return false;
  if (image->segment_count > SNAPSHOT_SEGMENTS || image->hot_count > SNAPSHOT_HOT) return false;
  return image->pages >= GUEST_INITIAL_PAGES && image->pages <= PAGES_MAX;
}

static void copy_range(const struct snapshot_header *image, struct snapshot_range range) {
  u8 *memory = guest.w2c_memory.data;
  u32 at = range.start, end = range.start + range.len;
  for (u32 i = 0; i < image->segment_count && at < end; i++) {
    struct snapshot_range segment = image->segments[i];
    u32 segment_end = segment.start + segment.len;
    if (segment_end <= at || segment.start >= end) continue;
    if (segment.start > at) memset(memory + at, 0, segment.start - at);
    u32 from = segment.start > at ? segment.start : at, to = segment_end < end ? segment_end : end;
    memcpy(memory + from, segment_data(image, i) + (from - segment.start), to - from);
    at = to;
  }
  if (at < end) memset(memory + at, 0, end - at);
}

/* Sets the protection of [start, start + len): cold pages as told, hot pages writable. */
static bool protect(const struct snapshot_header *image, struct snapshot_range range, int cold) {
  u8 *memory = guest.w2c_memory.data;
  if (mprotect(memory + range.start, range.len, cold) != 0) return false;
  u32 end = range.start + range.len;
  for (u32 i = 0; i < image->hot_count; i++) {
    u32 from = image->hot[i].start, to = from + image->hot[i].len;
    if (from < range.start) from = range.start;
    if (to > end) to = end;
    if (from < to && mprotect(memory + from, to - from, PROT_READ | PROT_WRITE) != 0) return false;
  }
  return true;
}

/* Drops the cluster's pages (they come back from the file, or as zeros, when next read) and watches it again. */
static bool cool(const struct snapshot_header *image, u32 cluster) {
  struct snapshot_range range = {cluster * CLUSTER, CLUSTER};
  if (madvise(guest.w2c_memory.data + range.start, range.len, MADV_DONTNEED) != 0) return false;
  state.warm[cluster] = false;
  return protect(image, range, PROT_READ);
}

/* The first cluster of the image without a page that is writable from the start. */
static u32 cold_cluster(const struct snapshot_header *image) {
  u32 cluster = image->segments[0].start / CLUSTER;
  for (u32 i = 0; i < image->hot_count; i++)
    if (image->hot[i].start / CLUSTER <= cluster && (image->hot[i].start + image->hot[i].len - 1) / CLUSTER >= cluster)
      cluster = (image->hot[i].start + image->hot[i].len - 1) / CLUSTER + 1;
  return cluster;
}

/* Enclaves are known that take mprotect and change nothing, and none is known to map files as Linux does. There, what a
 * script wrote would be the next one's: so it is tried before it is believed. */
static bool tracking_works(const struct snapshot_header *image) {
  const u32 cluster = cold_cluster(image);
  volatile u8 *byte = guest.w2c_memory.data + cluster * CLUSTER;
  const u8 before = *byte;
  for (int i = 0; i < 2; i++) {
    *byte = (u8)~before;
    atomic_signal_fence(memory_order_seq_cst); /* the handler has noted it */
    if (!state.warm[cluster] || !cool(image, cluster) || *byte != before) return false;
    state.warm_count = 0;
  }
  return true;
}

enum result snapshot_attach(int executable, bool *shared) {
  const struct snapshot_header *image = snapshot_image();
  if (!image_fits(image)) return RESULT_ENGINE_START;
  u32 missing = image->pages - guest.w2c_memory.pages;
  if (missing > 0 && wasm_rt_grow_memory(&guest.w2c_memory, missing) == UINT32_MAX) return RESULT_ENGINE_START;
  u32 size = image->pages * GUEST_PAGE;
  /* Instantiation has written the module's data: back to untouched zeros first. */
  if (madvise(guest.w2c_memory.data, size, MADV_DONTNEED) != 0) return RESULT_ENGINE_START;
  state.tracking = map_segments(image, executable);
  if (state.tracking && !protect(image, (struct snapshot_range){0, size}, PROT_READ)) return RESULT_ENGINE_START;
  if (state.tracking && !tracking_works(image)) {
    state.tracking = false;
    if (mprotect(guest.w2c_memory.data, size, PROT_READ | PROT_WRITE) != 0) return RESULT_ENGINE_START;
  }
  if (!state.tracking) copy_range(image, (struct snapshot_range){0, size});
  guest.w2c___stack_pointer = image->stack_pointer;
  *shared = state.tracking;
  return RESULT_OK;
}

bool snapshot_note_write(uintptr_t address) {
  const uintptr_t base = (uintptr_t)guest.w2c_memory.data;
  if (!(state.tracking || state.learning) || address < base || address - base >= snapshot_image()->pages * GUEST_PAGE)
    return false;
  if (state.learning) {
    u32 page = (u32)((address - base) / HOST_PAGE);
    state.written[page] = true;
    return mprotect(guest.w2c_memory.data + page * HOST_PAGE, HOST_PAGE, PROT_READ | PROT_WRITE) == 0;
  }
  u32 cluster = (u32)((address - base) / CLUSTER);
  if (state.warm[cluster]) return false;
  state.warm[cluster] = true;
  state.warm_list[state.warm_count++] = cluster;
  return mprotect(guest.w2c_memory.data + cluster * CLUSTER, CLUSTER, PROT_READ | PROT_WRITE) == 0;
}

void snapshot_restore(void) {
  const struct snapshot_header *image = snapshot_image();
  guest_shrink(image->pages * GUEST_PAGE);
  guest.w2c___stack_pointer = image->stack_pointer;
  if (!state.tracking) {
    copy_range(image, (struct snapshot_range){0, image->pages * GUEST_PAGE});
    return;
  }
  if (++state.runs >= WARM_RUNS || state.warm_count > WARM_MAX) {
    for (u32 i = 0; i < state.warm_count; i++)
      if (!cool(image, state.warm_list[i])) abort();
    state.warm_count = state.runs = 0;
  }
  for (u32 i = 0; i < state.warm_count; i++)
    copy_range(image, (struct snapshot_range){state.warm_list[i] * CLUSTER, CLUSTER});
  for (u32 i = 0; i < image->hot_count; i++) copy_range(image, image->hot[i]);
}

/* ---- making one ---- */

static bool page_is_zero(const u8 *page) {
  static const u8 zeros[HOST_PAGE];
  return memcmp(page, zeros, HOST_PAGE) == 0;
}

/* Notes one page in a list of ranges, joining it to the last range if at most `gap` bytes lie between. */
static bool add_page(struct snapshot_range *ranges, u32 *count, u32 max, u32 start, u32 gap) {
  struct snapshot_range *last = *count > 0 ? &ranges[*count - 1] : NULL;
  if (last != NULL && start <= last->start + last->len + gap) {
    last->len = start + HOST_PAGE - last->start;
    return true;
  }
  if (*count == max) return false;
  ranges[(*count)++] = (struct snapshot_range){start, HOST_PAGE};
  return true;
}

size_t snapshot_take(const struct snapshot_roots *roots, const u8 module_digest[32], u8 *image, size_t room) {
  struct snapshot_header header = {.magic = SNAPSHOT_MAGIC,
                                   .pages = guest.w2c_memory.pages,
                                   .stack_pointer = guest.w2c___stack_pointer,
                                   .roots = *roots};
  memcpy(header.module_digest, module_digest, 32);
  const u8 *memory = guest.w2c_memory.data;
  for (u32 at = 0; at < guest.w2c_memory.size; at += HOST_PAGE) {
    if (page_is_zero(memory + at)) continue;
    if (!add_page(header.segments, &header.segment_count, SNAPSHOT_SEGMENTS, at, 4 * HOST_PAGE)) return 0;
  }
  size_t size = SNAPSHOT_DATA_OFFSET;
  for (u32 i = 0; i < header.segment_count; i++) {
    struct snapshot_range range = header.segments[i];
    if (range.len > room || size > room - range.len) return 0;
    memcpy(image + size, memory + range.start, range.len);
    size += range.len;
  }
  header.size = (u32)size;
  memset(image, 0, SNAPSHOT_DATA_OFFSET);
  memcpy(image, &header, sizeof header);
  return size;
}

bool snapshot_learn(void) {
  state.learning = true;
  return mprotect(guest.w2c_memory.data, snapshot_image()->pages * GUEST_PAGE, PROT_READ) == 0;
}

bool snapshot_learnt(u8 *bytes) {
  struct snapshot_header *image = (struct snapshot_header *)(void *)bytes;
  u32 pages = image->pages * (GUEST_PAGE / HOST_PAGE);
  state.learning = false;
  for (u32 page = 0; page < pages; page++) {
    if (state.written[page] && !add_page(image->hot, &image->hot_count, SNAPSHOT_HOT, page * HOST_PAGE, 0))
      return false;
  }
  return mprotect(guest.w2c_memory.data, image->pages * GUEST_PAGE, PROT_READ | PROT_WRITE) == 0;
}
