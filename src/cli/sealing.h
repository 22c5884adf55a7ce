/* A secret sealed to a service's attested key (docs/protocol.md), so that nothing between here and its keeper reads it.
 * Private to src/cli. */
#pragma once

#include "cli/client.h"

/* Asks the service for its attestation with a nonce of ours, checks that, and appends {"enc":…,"ciphertext":…} to
 * `out`. The seal holds for this name and for the client's user only. False after a message on standard error. */
bool must_use sealing_put(const struct client *c, struct span name, struct span value, bool allow_simulated,
                          struct buf *out);
