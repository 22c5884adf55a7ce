/* An app's manifest: the scripts that it names. */
#pragma once

#include "base/result.h"

#define MANIFEST_MAX 262144u /* bytes of a manifest */
#define MANIFEST_FILE_MAX 512u
#define MANIFEST_ENTRY_MAX 256u

struct manifest_script {
  struct buf file, entry; /* entry: empty if the manifest names none */
  bool pinned;
  uint8_t sha256[32];
};

/* [A-Za-z0-9_.-]{1,128}, not "." or "..". */
bool manifest_name(struct span name);
/*
 * The script of that name. RESULT_SCRIPT_NOT_FOUND if there is none; RESULT_SCRIPT_STORE_INVALID, with a sentence in
 * `why`, if the text is no manifest: not JSON or with a member twice, or an entry whose file is not a relative path of
 * names, whose entry point is no text or whose sha256 is not 64 hexadecimal digits.
 */
enum result must_use manifest_find(struct span text, struct span name, struct manifest_script *out, struct buf *why);
struct manifest_script manifest_script_new(void);
void manifest_script_free(struct manifest_script *s);
