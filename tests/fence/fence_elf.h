/* What an executable file says of itself: whether it needs others at run time, and which symbols it has (elf(5)). */
#pragma once

#include "base/bytes.h"

struct fence_elf {
  bool valid;       /* a 64-bit ELF file with a symbol table; nothing else counts if not */
  bool interpreter; /* wants a dynamic linker */
  unsigned needed;  /* shared libraries it wants */
  bool write_exec;  /* its stack or a segment is to be writable and executable */
};

/* Reads `path` and calls `symbol` with the name of each symbol that the program holds or wants. */
struct fence_elf fence_elf_read(const char *path, void (*symbol)(void *context, const char *name), void *context);
