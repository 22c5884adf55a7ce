/* The files that the Coordinator sends. Where they may go is this program's to say, not the Coordinator's: nobody has
 * verified that one (coordinator.h), and who may write any file may be any program. Private to src/marble. */
#pragma once

#include "marble/message.h"

/* Whether `path` is absolute, in its simplest form (no "//", ".", ".."), and below one of the directories (a list that
 * ends with NULL). */
bool must_use files_may_be(const char *const *directories, struct span path);

/* Writes all: directories are made with mode 0700, files have 0600, symbolic links below the directories are not
 * followed. Those below /dev come first: keys of encrypted mounts, where others may go. Nothing is written if one of
 * the paths may not be. RESULT_CONFIG_INVALID or RESULT_IO, and a sentence in `problem`. */
enum result must_use files_write(const char *const *directories, const parameters *p, struct buf *problem);
