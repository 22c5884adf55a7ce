/* Members of a JSON object as raw bytes: what is hashed must not be parsed and written again. Private to src/cli. */
#pragma once

#include "base/result.h"

/* Starts on a text that json_check accepted; false if it is no object. */
bool members_open(struct span json, struct span *rest);
/* The next member: `name` is what stands between its quotes, escapes and all; `value` the bytes of its value, without
 * whitespace around it. False at the end. */
bool members_next(struct span *rest, struct span *name, struct span *value);
/* After it was false: whether that was the object's end. */
bool members_end(struct span rest);

/* Between the quotes of a string without escapes; false for any other value. */
bool members_string(struct span value, struct span *text);
