/*
 * Requests that only the caller and the keeper can read: the input, and the script and secrets if the caller likes,
 * sealed to the key in the attestation document (HPKE, RFC 9180 base mode), and the answer sealed back. Every byte
 * stands in docs/protocol.md, "Sealed input" and "Sealed output".
 *
 * A message opens once, before its own end, for the user, the script and the service that it was sealed for. Why one
 * does not open is told to nobody.
 */
#pragma once

#include "keeper/keys.h"
#include "wire/wire.h"

#define SEALED_WINDOW 300u        /* seconds: no message is good for longer */
#define SEALED_REPLAYS_MAX 65536u /* for sealed_replays_new: 200 messages a second, each remembered until its end */

/* The messages that were opened, at most so many at a time. Its clock never goes back, whatever the host's does. */
struct sealed_replays;
enum result must_use sealed_replays_new(size_t most, struct sealed_replays **out);
void sealed_replays_free(struct sealed_replays *r);

struct sealed_request {
  const uint8_t *user;        /* 32 bytes: SHA-256 of the user id */
  const uint8_t *attestation; /* 32 bytes: SHA-256 of the current document */
  struct span script;         /* of the request; empty if it is to come sealed, too */
  struct span message;        /* `encrypted_input`, a JSON object as sent */
  uint64_t now;               /* Unix seconds */
};

struct sealed; /* an opened message */

/* RESULT_SEALED_INPUT_REJECTED, whatever is wrong with it; RESULT_NO_MEMORY, RESULT_CRYPTO. */
enum result must_use sealed_open(const struct keys *keys, struct sealed_replays *replays,
                                 const struct sealed_request *request, struct sealed **out);
struct span sealed_input(const struct sealed *s);  /* a JSON object */
struct span sealed_script(const struct sealed *s); /* empty if it came with the request */
size_t sealed_secrets(const struct sealed *s, const struct wire_secret **out);
/* Wipes. NULL is fine. */
void sealed_free(struct sealed *s);

/* Appends `sealed_output`, a JSON object, which only the sender of `s` can open, bound to the document that it was
 * sealed to; or, if `recipient` is not NULL, only the holder of that X25519 key, bound to `attestation` (`s` may then
 * be NULL). RESULT_SEALED_INVALID if the recipient is no key that can be sealed to, RESULT_NO_MEMORY, RESULT_CRYPTO. */
enum result must_use sealed_put_output(const struct sealed *s, const uint8_t *recipient, const uint8_t attestation[32],
                                       const uint8_t job[16], struct span plain, struct buf *out);
