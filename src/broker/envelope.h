/*
 * ExecuteRequest: from a request's body to what it asks for. The whole body is checked to be JSON in UTF-8; members
 * that are unknown or come twice are refused by name; null is as good as absent, as are the empty texts of the optional
 * ones (both as in Go, where the reference's callers come from).
 *
 * `input` is never re-written: it is the bytes as sent, and inside it JavaScript's reading of JSON holds (JSON.parse:
 * of keys that repeat the last one wins, numbers are doubles, half of a surrogate pair may stand alone). U+0000 may
 * stand in a script, nowhere else.
 */
#pragma once

#include "base/result.h"

#define ENVELOPE_SCRIPT_MAX 102400u /* bytes of UTF-8, escapes undone */
#define ENVELOPE_INPUT_MAX 1048576u /* bytes as sent */
#define ENVELOPE_ENTRY_MAX 128u
#define ENVELOPE_NAME_MAX 128u /* app_id, script_name, a secret's name */
#define ENVELOPE_SECRETS_MAX 10u
#define ENVELOPE_SECRET_MAX 65536u /* bytes of a secret's value */
#define ENVELOPE_HOSTS_MAX 32u     /* of limits.hosts */
#define ENVELOPE_NONCE_MAX 128u
#define ENVELOPE_DEPTH_MAX 128u /* arrays and objects inside one another, `input` included */

struct envelope {
  struct buf text;    /* owns the decoded strings; wiped by envelope_free */
  struct span script; /* UTF-8; empty with script_name, and only then */
  struct span entry;  /* an identifier; unless given, "main", with script_name empty */
  struct span input;  /* JSON object, bytes of the body as sent; "{}" if absent or null */
  struct span nonce;  /* printable ASCII that JSON need not escape, so that a receipt has room for it; or empty */
  struct span app_id, script_name; /* names as of secrets, but not "." or ".."; or empty */
  struct span sealed;    /* encrypted_input: a JSON object as sent; or empty. Then no input, and maybe no script */
  struct span recipient; /* 32 bytes, or empty */
  struct span hosts;     /* limits.hosts: base/hosts.h, a line each; or empty */
  struct span secrets[ENVELOPE_SECRETS_MAX]; /* names (A-Z a-z 0-9 _ . -), `secrets:` taken off, each once, in order */
  size_t secret_count;
  uint64_t timeout_ms; /* 1..120 s, clamped as the reference does; 30 s unless given */
  uint64_t memory;     /* bytes; 128 MiB unless limits.memory_mb says 16..1024 */
  uint64_t steps;      /* INT64_MAX unless limits.steps */
  bool async, deterministic, seal_output;
};

/* Reads `body`, which must live as long as the envelope. On failure `detail` (at least 256 bytes) names the member or
 * the place, in UTF-8, and there is nothing to free: RESULT_BAD_REQUEST, _UNKNOWN_FIELD, _SCRIPT_REQUIRED,
 * _SCRIPT_INVALID (half of a surrogate pair), _SCRIPT_TOO_LARGE, _INPUT_TOO_LARGE, _INPUT_INVALID, _ENTRY_INVALID,
 * _LIMIT_INVALID, _TOO_MANY_SECRETS, _NO_MEMORY. Either `script` or `script_name` is given, the latter with `app_id`.
 */
/* A-Z a-z 0-9 _ . -, 1 to ENVELOPE_NAME_MAX of them, and neither "." nor "..", which a URL's path cannot name. */
bool envelope_is_name(struct span text);
enum result must_use envelope_read(struct span body, struct envelope *e, char *detail, size_t detail_size);
void envelope_free(struct envelope *e);
