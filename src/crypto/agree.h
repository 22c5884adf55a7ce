/* X25519 (RFC 7748) key pairs: what callers seal inputs and secrets to. The sealing itself (HPKE) is to come. */
#pragma once

#include "base/result.h"

#define AGREE_PUBLIC 32u

struct agree_key;

enum result must_use agree_key_new(struct agree_key **out);
void agree_public(const struct agree_key *key, uint8_t out[AGREE_PUBLIC]);
void agree_key_free(struct agree_key *key);
