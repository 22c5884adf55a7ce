/*
 * Keys, tokens' keys and certificates: where they come from, and how long this process has them. They are read once, at
 * the start; what the environment carried is gone from it before any other process exists; what was sent on is wiped.
 *
 * A key NAME is looked for in MARBLE_SECRETS (JSON: NAME -> base64), in the environment variable NAME, and in the file
 * $CREDENTIALS_DIRECTORY/NAME (systemd.exec(5), LoadCredential=). Text that is an even number of hexadecimal digits,
 * with or without 0x, is decoded; the trailing line break of a file is no part of it.
 */
#pragma once

#include "base/config.h"

#define SECRETS_MASTER_KEY_MIN 32u
#define SECRETS_STORE_KEY 32u /* bytes of SECRETS_MASTER_KEY */

struct secrets {
  struct buf master_key;   /* empty: none was given */
  struct buf jwt_secret;   /* text; empty: none */
  struct buf jwt_jwks;     /* JSON; empty: none */
  struct buf service_key;  /* PEM; empty: none */
  struct buf secrets_key;  /* SECRETS_MASTER_KEY: 32 bytes; empty: none */
  struct buf supabase_key; /* SUPABASE_SERVICE_KEY: text; empty: none */
  struct buf database;     /* NEOCOMPUTE_DATABASE_URL: a connection string of libpq; empty: none */
  struct buf authorities;  /* PEM: whom egress trusts */
  struct buf names;        /* hosts(5); empty: the resolver is asked */
  bool strict;             /* as NEOCOMPUTE_STRICT says; auto: given a certificate by MarbleRun, or OE_SIMULATION=0 */
};

/* RESULT_CONFIG_INVALID and a sentence in `problem` if a key is not as it must be or is missing where it may not be.
 * `out` is to be freed in either case. */
enum result must_use secrets_gather(struct secrets *out, const struct config *config, char *const *environment,
                                    struct buf *problem);
void secrets_wipe(struct secrets *s);

/* The certificate chain, its private key and the CAs of client certificates, PEM; all empty: plain HTTP. */
struct secrets_tls {
  struct buf certificate, key, client_ca;
  bool require_client;
  unsigned ttls_others, ttls_outgoing; /* entries of MARBLE_TTLS_CONFIG that nobody heeds (ttls.h) */
};

/* From MarbleRun, else from the files that the settings name. MarbleRun's are: the entry of MARBLE_TTLS_CONFIG for the
 * port of server.listen; else MARBLE_CERT with MARBLE_KEY, or the certificate and key that it gives every marble
 * (MARBLE_PREDEFINED_…), and as client CA MARBLE_ROOT_CA, or the one of every marble. MARBLE_EXTRA_CLIENT_CA is added.
 */
enum result must_use secrets_read_tls(struct secrets_tls *out, const struct config *config, char *const *environment,
                                      struct buf *problem);
void secrets_free_tls(struct secrets_tls *tls);

/* Base64 (RFC 4648 section 4, with padding) of at most `out`'s ceiling. For secrets.c and its test. */
bool must_use secrets_base64(struct buf *out, struct span text);
