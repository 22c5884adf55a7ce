/* What is sealed to a service's attested key, and what it seals to us (docs/protocol.md), so that nothing between here
 * and its keeper reads it. Private to src/cli. */
#pragma once

#include "cli/client.h"

/* Asks the service for its attestation with a nonce of ours, checks that, and appends {"enc":…,"ciphertext":…} to
 * `out`. The seal holds for this name and for the client's user only. False after a message on standard error. */
bool must_use sealing_put(const struct client *c, struct span name, struct span value, bool allow_simulated,
                          struct buf *out);

/* What opens the answer to a sealed input. */
struct sealing_answer {
  uint8_t key[32], attestation[32]; /* `attestation`: SHA-256 of the service's document */
};

/* Appends `encrypted_input`: the input (a JSON object; empty: {}) and the script, good for the client's user and for
 * two minutes. Wipe the answer's key. */
bool must_use sealing_put_input(const struct client *c, struct span input, struct span script, bool allow_simulated,
                                struct buf *out, struct sealing_answer *answer);
/* The reply inside a reply. */
bool must_use sealing_open(const struct client *c, const struct sealing_answer *answer, struct span reply,
                           struct buf *plain);
