/* The snapshot, linked in whole and on a page boundary, so that it can be mapped from the program file. */
#include "engine/snapshot.h"

__asm__(
    ".section .rodata.snapshot, \"a\", @progbits\n"
    ".balign 4096\n"
    ".globl snapshot_blob\n"
    "snapshot_blob:\n"
    ".incbin \"" SNAPSHOT_IMAGE
    "\"\n"
    ".balign 4096\n"
    ".previous\n");

__attribute__((visibility("hidden"))) extern const u8 snapshot_blob[]; /* NOLINT: defined by the lines above */

const struct snapshot_header *snapshot_image(void) {
  return (const struct snapshot_header *)(const void *)snapshot_blob;
}
