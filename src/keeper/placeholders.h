/*
 * Placeholders: what a script has in place of a secret that only requests may carry. Here they become values on the
 * way out, and values become placeholders again on the way in. Sets of secrets are bits, by their place in the array.
 */
#pragma once

#include "keeper/fetches.h"

#define PLACEHOLDERS_MAX 32u /* secrets of a job */

/* The secrets whose placeholders are somewhere in `text`. */
uint32_t placeholders_in(struct span text, const struct fetch_secret *secrets, size_t count);
/* The secrets among `which` whose values are. */
uint32_t placeholders_values_in(struct span text, const struct fetch_secret *secrets, size_t count, uint32_t which);

/* Appends `text` with values for the placeholders of the secrets in `which`. */
void placeholders_fill(struct buf *out, struct span text, const struct fetch_secret *secrets, size_t count,
                       uint32_t which);
/* The reverse. Of values that begin at the same byte the longest is taken. */
void placeholders_mask(struct buf *out, struct span text, const struct fetch_secret *secrets, size_t count,
                       uint32_t which);
