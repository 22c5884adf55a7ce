#include "engine/snapshot.h"

#include <sys/mman.h>
#include <unistd.h>

static bool mapped; /* segments are private mappings of the program file */

/* ---- using one ---- */

/* Where in the program's file the image lies: in the loadable segment that holds its address. */
#include <link.h>

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
  return image->pages >= GUEST_INITIAL_PAGES && image->pages <= GUEST_MEMORY_MAX / GUEST_PAGE;
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

enum result snapshot_attach(int executable, bool *shared) {
  const struct snapshot_header *image = snapshot_image();
  if (!image_fits(image)) return RESULT_ENGINE_START;
  u32 missing = image->pages - guest.w2c_memory.pages;
  if (missing > 0 && wasm_rt_grow_memory(&guest.w2c_memory, missing) == UINT32_MAX) return RESULT_ENGINE_START;
  u32 size = image->pages * GUEST_PAGE;
  /* Instantiation has written the module's data: back to untouched zeros first. */
  if (madvise(guest.w2c_memory.data, size, MADV_DONTNEED) != 0) return RESULT_ENGINE_START;
  mapped = map_segments(image, executable);
  if (!mapped) copy_range(image, (struct snapshot_range){0, size});
  guest.w2c___stack_pointer = image->stack_pointer;
  *shared = mapped;
  return RESULT_OK;
}

/* Drops every page in [start, end): the next access finds the file's page, or zeros, again. */
static void drop(u32 start, u32 end) {
  if (end > start && madvise(guest.w2c_memory.data + start, end - start, MADV_DONTNEED) != 0) abort();
}

void snapshot_restore(void) {
  const struct snapshot_header *image = snapshot_image();
  u32 size = image->pages * GUEST_PAGE, at = 0;
  guest_shrink(size);
  if (!mapped) {
    copy_range(image, (struct snapshot_range){0, size});
  } else {
    /* Copying the pages that every execution dirties is cheaper than faulting them in again; which pages are copied and which
     * are dropped does not matter for the result. */
    for (u32 i = 0; i < image->hot_count; i++) {
      drop(at, image->hot[i].start);
      copy_range(image, image->hot[i]);
      at = image->hot[i].start + image->hot[i].len;
    }
    drop(at, size);
  }
  guest.w2c___stack_pointer = image->stack_pointer;
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

void snapshot_learn_hot(u8 *bytes) {
  struct snapshot_header *image = (struct snapshot_header *)bytes;
  u32 segment = 0;
  for (u32 at = 0; at < image->pages * GUEST_PAGE; at += HOST_PAGE) {
    while (segment < image->segment_count && at >= image->segments[segment].start + image->segments[segment].len) segment++;
    const u8 *page = guest.w2c_memory.data + at;
    bool inside = segment < image->segment_count && at >= image->segments[segment].start;
    bool same = inside ? memcmp(page, segment_data(image, segment) + (at - image->segments[segment].start), HOST_PAGE) == 0
                       : page_is_zero(page);
    /* One page of distance costs less to copy than another range to drop. */
    if (!same && !add_page(image->hot, &image->hot_count, SNAPSHOT_HOT, at, HOST_PAGE)) return;
  }
}
