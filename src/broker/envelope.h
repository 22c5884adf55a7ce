/*
 * ExecuteRequest: from a request's body to what it asks for. The envelope's members are read with jansson, duplicate
 * keys and unknown members refused by name; `input` is never re-written: it is the bytes as sent.
 */
#pragma once

#include "base/result.h"

#define ENVELOPE_SECRETS_MAX 10u
#define ENVELOPE_NONCE_MAX 128u
#define ENVELOPE_DEPTH_MAX 128u /* arrays and objects inside one another, `input` included */

struct envelope {
  struct buf text;    /* owns the decoded strings; wiped by envelope_free */
  struct span script; /* UTF-8 */
  struct span entry;  /* "main" unless given */
  struct span input;  /* JSON object, bytes of the body as sent; "{}" if absent or null */
  struct span nonce, app_id, script_name;
  struct span secrets[ENVELOPE_SECRETS_MAX]; /* names, `secrets:` taken off, duplicates merged, in order */
  size_t secret_count;
  uint64_t timeout_ms; /* 1..120 s, clamped as the reference does; 30 s unless given */
  uint64_t memory;     /* bytes; 128 MiB unless limits.memory_mb says 16..1024 */
  uint64_t steps;      /* INT64_MAX unless limits.steps */
  bool async, deterministic;
};

/* Reads `body`, which must live as long as the envelope. On failure `detail` (at least 256 bytes) names the member or
 * the place: RESULT_BAD_REQUEST, _UNKNOWN_FIELD, _SCRIPT_REQUIRED, _SCRIPT_TOO_LARGE, _INPUT_TOO_LARGE, _INPUT_INVALID,
 * _ENTRY_INVALID, _LIMIT_INVALID, _TOO_MANY_SECRETS, _NO_MEMORY. */
enum result must_use envelope_read(struct span body, struct envelope *e, char *detail, size_t detail_size);
void envelope_free(struct envelope *e);
