/*
 * Who is calling. Four modes (config auth.mode): dev believes X-User-ID and listens on loopback only; mtls believes it
 * over a verified client certificate; jwt takes `Authorization: Bearer` (one issuer, one algorithm a key); a service
 * token (X-Service-Token, RS256) goes together with a client certificate.
 *
 * Everything is loaded by auth_new; auth_check makes no system call but for memory. A field that came twice, and a
 * token that was sent and cannot be believed, are refused in every mode, even where nothing would have been asked for.
 */
#pragma once

#include "http/http.h"

enum auth_mode { AUTH_DEV, AUTH_MTLS, AUTH_JWT };

struct auth_config {
  enum auth_mode mode;
  struct span jwt_secret;   /* HS256 secret, or empty */
  struct span jwt_jwks;     /* JWKS document with ES256 and RS256 keys, or empty */
  struct span jwt_issuer;   /* required iss, required in AUTH_JWT */
  struct span jwt_audience; /* required aud; empty: none asked */
  struct span service_key;  /* PEM of the RS256 public key of service tokens, or empty: none are taken */
};

struct auth;

/* RESULT_CONFIG_INVALID with a sentence in `problem`. */
enum result must_use auth_new(const struct auth_config *config, char *problem, size_t problem_size, struct auth **out);

struct auth_caller {
  char user[256];    /* not empty */
  char service[128]; /* first label of the client certificate's DNS name, or the token's service_id; "" if neither */
};

/* RESULT_UNAUTHORIZED, with the reason for the operator's log in `why` (a literal), never for the caller. `now`: Unix
 * seconds. */
enum result must_use auth_check(const struct auth *auth, const struct http_request *request,
                                const struct http_peer *peer, uint64_t now, struct auth_caller *caller,
                                const char **why);
/* Tokens that were good are believed for up to five minutes without another look at their signature, never beyond their
 * exp (src/broker/tokens.h). This ends that for all of them: at a reload, nothing counts that was verified before. */
void auth_forget(struct auth *auth);
void auth_free(struct auth *auth);
