#include "broker/auth.h"

#include <jansson.h>
#include <strings.h>

#include "base/text.h"
#include "broker/tokens.h"
#include "jose/jws.h"

#define LEEWAY 60u /* seconds by which an issuer's clock may be ahead of ours */
#define SERVICE_ISSUER "service-layer"

struct auth {
  enum auth_mode mode;
  struct jws_keys *user_keys;      /* of bearer tokens; NULL unless AUTH_JWT */
  struct jws_keys *service_keys;   /* NULL: no service token is taken */
  struct tokens *users, *services; /* verified lately; who they name */
  char *issuer, *audience;         /* of bearer tokens; audience NULL: none is asked for */
};

/* ---- start ---- */

static enum result add_user_keys(struct auth *a, const struct auth_config *config, char *problem, size_t size) {
  enum result r = jws_keys_new(&a->user_keys);
  if (r == RESULT_OK && config->jwt_secret.len > 0) {
    r = jws_keys_add_secret(a->user_keys, config->jwt_secret, problem, size);
  }
  if (r == RESULT_OK && config->jwt_jwks.len > 0) {
    r = jws_keys_add_jwks(a->user_keys, config->jwt_jwks, problem, size);
  }
  return r;
}

static bool copy_text(struct span text, char **out) {
  *out = strndup((const char *)text.data, text.len);
  return *out != NULL;
}

static enum result set_up_jwt(struct auth *a, const struct auth_config *config, char *problem, size_t size) {
  if (config->jwt_issuer.len == 0) {
    snprintf(problem, size, "auth.mode jwt needs auth.jwt_issuer");
    return RESULT_CONFIG_INVALID;
  }
  if (config->jwt_secret.len == 0 && config->jwt_jwks.len == 0) {
    snprintf(problem, size, "auth.mode jwt needs a JWT secret or a JWKS");
    return RESULT_CONFIG_INVALID;
  }
  if (!copy_text(config->jwt_issuer, &a->issuer)) return RESULT_NO_MEMORY;
  if (config->jwt_audience.len > 0 && !copy_text(config->jwt_audience, &a->audience)) return RESULT_NO_MEMORY;
  return add_user_keys(a, config, problem, size);
}

static enum result set_up_service(struct auth *a, const struct auth_config *config, char *problem, size_t size) {
  enum result r = jws_keys_new(&a->service_keys);
  return r == RESULT_OK ? jws_keys_add_pem(a->service_keys, config->service_key, problem, size) : r;
}

enum result auth_new(const struct auth_config *config, char *problem, size_t problem_size, struct auth **out) {
  struct auth *a = calloc(1, sizeof *a);
  enum result r = a != NULL ? RESULT_OK : RESULT_NO_MEMORY;
  *out = NULL;
  if (r == RESULT_OK) a->mode = config->mode;
  if (r == RESULT_OK) r = tokens_new(&a->users);
  if (r == RESULT_OK) r = tokens_new(&a->services);
  if (r == RESULT_OK && config->mode == AUTH_JWT) r = set_up_jwt(a, config, problem, problem_size);
  if (r == RESULT_OK && config->service_key.len > 0) r = set_up_service(a, config, problem, problem_size);
  if (r == RESULT_OK) {
    *out = a;
    a = NULL;
  }
  auth_free(a);
  return r;
}

void auth_free(struct auth *auth) {
  if (auth == NULL) return;
  jws_keys_free(auth->user_keys);
  jws_keys_free(auth->service_keys);
  tokens_free(auth->users);
  tokens_free(auth->services);
  free(auth->issuer);
  free(auth->audience);
  free(auth);
}

void auth_forget(struct auth *auth) {
  tokens_forget(auth->users);
  tokens_forget(auth->services);
}

/* ---- headers ---- */

/* False if the field came twice: joined, the two would be a name that neither of them is. {NULL, 0} if it is absent. */
static bool only_field(const struct http_request *request, const char *name, struct span *out) {
  size_t found = 0;
  *out = span_of(NULL, 0);
  for (size_t i = 0; i < request->field_count; i++) {
    if (!span_is(request->fields[i].name, name)) continue;
    *out = request->fields[i].value;
    found++;
  }
  return found <= 1;
}

/* A name as a log line and a record can hold it: text, not empty, no control characters. */
static bool copy_name(struct span name, char *out, size_t size) {
  struct span rest = name;
  if (name.len == 0 || name.len >= size) return false;
  while (rest.len > 0) {
    uint32_t code = text_utf8_next(&rest);
    if (code == TEXT_ILL_FORMED || code < 0x20 || (code >= 0x7F && code < 0xA0)) return false;
  }
  memcpy(out, name.data, name.len);
  out[name.len] = '\0';
  return true;
}

/* ---- claims ---- */

/* What a kind of token must say. NULL: not asked for. */
struct rules {
  const char *issuer, *audience;
};

/* Seconds, whole or not (RFC 7519 §2, NumericDate). */
static bool is_time(const json_t *claim) {
  return json_is_number(claim) && json_number_value(claim) >= 0;
}

static bool is_text(const json_t *claim, const char *want) {
  return json_is_string(claim) && strcmp(json_string_value(claim), want) == 0;
}

static bool in_audience(const json_t *aud, const char *want) {
  for (size_t i = 0; i < json_array_size(aud); i++) {
    if (is_text(json_array_get(aud, i), want)) return true;
  }
  return is_text(aud, want);
}

static const char *find_time_fault(const json_t *claims, uint64_t now) {
  const json_t *exp = json_object_get(claims, "exp"), *nbf = json_object_get(claims, "nbf"),
               *iat = json_object_get(claims, "iat");
  if (!is_time(exp)) return "token: no exp";
  if (json_number_value(exp) <= (double)now) return "token: expired";
  if (nbf != NULL && !is_time(nbf)) return "token: nbf is not a time";
  if (json_number_value(nbf) > (double)(now + LEEWAY)) return "token: not yet valid";
  if (iat != NULL && !is_time(iat)) return "token: iat is not a time";
  if (json_number_value(iat) > (double)(now + LEEWAY)) return "token: issued in the future";
  return NULL;
}

static const char *find_claims_fault(const json_t *claims, const struct rules *rules, uint64_t now) {
  if (!json_is_object(claims)) return "token: the payload is not a JSON object, or a claim comes twice";
  if (!is_text(json_object_get(claims, "iss"), rules->issuer)) return "token: another issuer";
  if (rules->audience != NULL && !in_audience(json_object_get(claims, "aud"), rules->audience)) {
    return "token: another audience";
  }
  return find_time_fault(claims, now);
}

/* The claims of a good token, which the caller frees; NULL otherwise. */
static json_t *read_token(const struct jws_keys *keys, struct span token, const struct rules *rules, uint64_t now,
                          const char **why) {
  struct buf payload = buf_new(JWS_MAX);
  json_t *claims = NULL;
  if (jws_verify(keys, token, &payload, why) == RESULT_OK) {
    claims = json_loadb((const char *)payload.data, payload.len, JSON_REJECT_DUPLICATES, NULL);
    *why = find_claims_fault(claims, rules, now);
  }
  buf_free(&payload);
  if (*why == NULL) return claims;
  json_decref(claims);
  return NULL;
}

static struct span claim_text(const json_t *claims, const char *name) {
  const json_t *claim = json_object_get(claims, name);
  return json_is_string(claim) ? span_of(json_string_value(claim), json_string_length(claim)) : span_of(NULL, 0);
}

/* ---- who ---- */

/* One function a mode and kind of caller; each says what is wrong, or NULL. */
struct question {
  const struct auth *auth;
  const struct http_request *request;
  const struct http_peer *peer;
  uint64_t now;
};

static const char *ask_user_field(const struct question *q, struct auth_caller *caller) {
  struct span user;
  if (!only_field(q->request, "x-user-id", &user)) return "X-User-ID came twice";
  if (user.data == NULL) return "no X-User-ID";
  return copy_name(user, caller->user, sizeof caller->user) ? NULL : "X-User-ID is not a name of 1 to 255 bytes";
}

static const char *ask_dev(const struct question *q, struct auth_caller *caller) {
  if (!q->peer->loopback) return "dev mode is for callers on this machine";
  return ask_user_field(q, caller);
}

static const char *ask_mtls(const struct question *q, struct auth_caller *caller) {
  if (!q->peer->verified) return "no verified client certificate";
  return ask_user_field(q, caller);
}

/* What follows "Bearer" and spaces (RFC 6750 §2.1, RFC 9110 §11.1: schemes are case-insensitive). */
static bool take_bearer(struct span value, struct span *token) {
  const size_t scheme = sizeof "Bearer" - 1;
  if (value.len <= scheme || strncasecmp((const char *)value.data, "Bearer", scheme) != 0) return false;
  size_t at = scheme;
  while (at < value.len && value.data[at] == ' ') at++;
  *token = span_of(value.data + at, value.len - at);
  return at > scheme;
}

/* Only what jws_verify would look at is worth a hash. */
static bool is_known(const struct tokens *known, const struct question *q, struct span token, char *name, size_t size) {
  return token.len <= JWS_MAX && tokens_find(known, token, q->now, name, size);
}

static void remember(struct tokens *known, const struct question *q, struct span token, const json_t *claims,
                     const char *name) {
  tokens_put(known, token, q->now, json_number_value(json_object_get(claims, "exp")), name);
}

static const char *ask_jwt(const struct question *q, struct auth_caller *caller) {
  const struct rules rules = {.issuer = q->auth->issuer, .audience = q->auth->audience};
  struct span value, token;
  const char *why = NULL;
  if (!only_field(q->request, "authorization", &value)) return "Authorization came twice";
  if (value.data == NULL) return "no Authorization";
  if (!take_bearer(value, &token)) return "Authorization is not a bearer token";
  if (is_known(q->auth->users, q, token, caller->user, sizeof caller->user)) return NULL;
  json_t *claims = read_token(q->auth->user_keys, token, &rules, q->now, &why);
  if (claims != NULL && !copy_name(claim_text(claims, "sub"), caller->user, sizeof caller->user)) {
    why = "token: sub is not a name of 1 to 255 bytes";
  }
  if (why == NULL) remember(q->auth->users, q, token, claims, caller->user);
  json_decref(claims);
  return why;
}

static const char *ask_service_token(const struct question *q, struct span token, struct auth_caller *caller) {
  static const struct rules rules = {.issuer = SERVICE_ISSUER};
  const char *why = NULL;
  if (!q->peer->verified) return "service token without a verified client certificate";
  if (q->auth->service_keys == NULL) return "service token, but auth.service_key is not set";
  if (is_known(q->auth->services, q, token, caller->service, sizeof caller->service)) return NULL;
  json_t *claims = read_token(q->auth->service_keys, token, &rules, q->now, &why);
  struct span service = claim_text(claims, "service_id");
  if (claims != NULL && !copy_name(service, caller->service, sizeof caller->service)) {
    why = "service token: service_id is not a name of 1 to 127 bytes";
  } else if (claims != NULL && !span_equal(service, claim_text(claims, "sub"))) {
    why = "service token: sub is not its service_id";
  }
  if (why == NULL) remember(q->auth->services, q, token, claims, caller->service);
  json_decref(claims);
  return why;
}

/* The first label of the certificate's DNS name, if it has one. */
static const char *ask_certificate(const struct question *q, struct auth_caller *caller) {
  size_t label = strcspn(q->peer->dns_name, ".");
  if (!q->peer->verified || label == 0) return NULL;
  bool fits = copy_name(span_of(q->peer->dns_name, label), caller->service, sizeof caller->service);
  return fits ? NULL : "the client certificate's DNS name is not a name";
}

static const char *ask_service(const struct question *q, struct auth_caller *caller) {
  struct span token;
  if (!only_field(q->request, "x-service-token", &token)) return "X-Service-Token came twice";
  return token.data != NULL ? ask_service_token(q, token, caller) : ask_certificate(q, caller);
}

enum result auth_check(const struct auth *auth, const struct http_request *request, const struct http_peer *peer,
                       uint64_t now, struct auth_caller *caller, const char **why) {
  static const char *(*const ask_user[])(const struct question *, struct auth_caller *) = {
      [AUTH_DEV] = ask_dev, [AUTH_MTLS] = ask_mtls, [AUTH_JWT] = ask_jwt};
  const struct question q = {auth, request, peer, now};
  *caller = (struct auth_caller){0};
  *why = ask_user[auth->mode](&q, caller);
  if (*why == NULL) *why = ask_service(&q, caller);
  if (*why == NULL) return RESULT_OK;
  *caller = (struct auth_caller){0};
  return RESULT_UNAUTHORIZED;
}
