/* MARBLE_TTLS_CONFIG: what a MarbleRun manifest's TLS tags become ("transparent TLS"). This service does its own TLS,
 * so of it only the entry for the port that it listens on counts:
 *   {"tls":{"Incoming":{"*:8443":{"cacrt":PEM,"clicrt":PEM,"clikey":PEM,"clientAuth":true}},"Outgoing":{"host:port":{…}}}}
 */
#pragma once

#include "supervisor/secrets.h"

struct ttls {
  bool incoming;             /* there is an entry for our port, and `out` is as it says */
  unsigned others, outgoing; /* entries that nobody heeds: of other ports, of connections that we make */
};

/* RESULT_CONFIG_INVALID and a sentence in `problem` if `json` cannot be read, or its entry for `port` not. */
enum result must_use ttls_read(struct ttls *t, struct secrets_tls *out, const char *json, unsigned port,
                               struct buf *problem);
