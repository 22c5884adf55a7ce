/*
 * What this program gives back, it wipes: nghttp2, OpenSSL, libcurl and the C library hold copies of headers and bodies
 * that carry secrets, and none of them overwrites all that it frees. This takes free and realloc from the C library
 * ("Replacing malloc" in its manual), for every library that is loaded; memory itself still comes from there.
 *
 * And what only the start has used of thirty libraries' code, it gives back.
 */
#include "egress/memory.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"

#ifndef SANITIZE /* the sanitizers replace them, too */

void __libc_free(void *memory); /* NOLINT: its name */

void free(void *memory) { /* NOLINT: as the C library names its parameter */
  if (memory == NULL) return;
  wipe(memory, malloc_usable_size(memory));
  __libc_free(memory);
}

void *realloc(void *memory, size_t size) { /* NOLINT: likewise */
  const size_t had = memory == NULL ? 0 : malloc_usable_size(memory);
  if (size > 0 && size <= had && size >= had / 2) return memory;
  if (size > 0 || memory == NULL) return wiping_realloc(memory, size);
  free(memory);
  return NULL;
}

#endif

/* Pages of a file that cannot have been changed: they come back from the file when they are needed. */
static int give_back(struct dl_phdr_info *object, size_t size, void *context) {
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  (void)size, (void)context;
  for (unsigned i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &object->dlpi_phdr[i];
    if (part->p_type != PT_LOAD || part->p_flags & PF_W) continue;
    const uintptr_t from = (object->dlpi_addr + part->p_vaddr) & ~(page - 1);
    const uintptr_t end = object->dlpi_addr + part->p_vaddr + part->p_memsz;
    (void)madvise((void *)from, end - from, MADV_DONTNEED); /* NOLINT: an address as the loader tells it */
  }
  return 0;
}

void memory_settle(void) {
  dl_iterate_phdr(give_back, NULL);
}
