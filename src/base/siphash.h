/* SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF"): a keyed hash for tables that strangers fill. */
#pragma once

#include "base/bytes.h"

#define SIPHASH_KEY 16u

uint64_t siphash(const uint8_t key[SIPHASH_KEY], struct span bytes);
