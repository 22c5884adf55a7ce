/*
 * What this program gives back, it wipes: nghttp2, OpenSSL, libcurl and the C library hold copies of headers and bodies
 * that carry secrets, and none of them overwrites all that it frees. This takes free and realloc from the C library
 * ("Replacing malloc" in its manual), for every library that is loaded; memory itself still comes from there.
 */
#include <malloc.h>
#include <stdlib.h>

#include "base/bytes.h"

#ifndef SANITIZE /* the sanitizers replace them, too */

void __libc_free(void *memory); /* NOLINT: its name */

void free(void *memory) {
  if (memory == NULL) return;
  wipe(memory, malloc_usable_size(memory));
  __libc_free(memory);
}

void *realloc(void *memory, size_t size) {
  const size_t had = memory == NULL ? 0 : malloc_usable_size(memory);
  if (size > 0 && size <= had && size >= had / 2) return memory;
  if (size > 0 || memory == NULL) return wiping_realloc(memory, size);
  free(memory);
  return NULL;
}

#endif
