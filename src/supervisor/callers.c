#include "supervisor/callers.h"

static const char *default_mode(const struct callers *c) {
  if (c->client_ca) return "mtls";
  if (c->jwt_key) return "jwt";
  return c->certificate ? "mtls" : "dev";
}

/* NULL if the mode may serve. */
static const char *against_dev(const struct callers *c) {
  if (c->certificate) return "auth.mode dev believes any caller; with a certificate it is mtls or jwt";
  if (c->strict) return "auth.mode dev believes any caller; a strict service needs mtls or jwt";
  if (!c->loopback)
    return "auth.mode dev believes any caller, so it listens on loopback only; beyond it, configure tls.cert with "
           "tls.client_ca (mtls) or a JWT key (jwt)";
  return NULL;
}

static const char *against_mtls(const struct callers *c) {
  if (!c->certificate) return "auth.mode mtls needs tls.cert and tls.key";
  return c->client_ca ? NULL : "auth.mode mtls needs tls.client_ca";
}

static const char *against_jwt(const struct callers *c) {
  return c->jwt_key ? NULL : "auth.mode jwt needs NEOCOMPUTE_JWT_SECRET or auth.jwt_jwks";
}

static const struct {
  const char *mode;
  const char *(*against)(const struct callers *c);
} modes[] = {{"dev", against_dev}, {"mtls", against_mtls}, {"jwt", against_jwt}};

enum result callers_decide(struct callers *c, const char **problem) {
  if (c->mode[0] == 0) c->mode = default_mode(c);
  *problem = "auth.mode is dev, mtls or jwt";
  for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
    if (strcmp(c->mode, modes[i].mode) == 0) *problem = modes[i].against(c);
  return *problem == NULL ? RESULT_OK : RESULT_CONFIG_INVALID;
}
