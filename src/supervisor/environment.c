#include "supervisor/environment.h"

static const char *const secret[] = {
    "COMPUTE_MASTER_KEY",
    "SECRETS_MASTER_KEY",
    "MARBLE_SECRETS",
    "MARBLE_KEY",
    "MARBLE_PREDEFINED_PRIVATE_KEY",
    "MARBLE_TTLS_CONFIG",
    "NEOCOMPUTE_DATABASE_URL",
    "NEOCOMPUTE_JWT_SECRET",
    "SUPABASE_JWT_SECRET",
    "SUPABASE_KEY",
    "SUPABASE_SERVICE_KEY",
    "SUPABASE_SERVICE_ROLE_KEY",
};

static bool names(const char *variable, const char *name) {
  size_t len = strlen(name);
  return strncmp(variable, name, len) == 0 && variable[len] == '=';
}

const char *environment_get(char *const *environment, const char *name) {
  for (; *environment != NULL; environment++)
    if (names(*environment, name)) return *environment + strlen(name) + 1;
  return NULL;
}

static bool is_secret(const char *variable) {
  for (size_t i = 0; i < sizeof secret / sizeof secret[0]; i++)
    if (names(variable, secret[i])) return true;
  return false;
}

void environment_forget_keys(char **environment) {
  char **kept = environment;
  for (char **e = environment; *e != NULL; e++) {
    if (is_secret(*e))
      wipe(*e, strlen(*e));
    else
      *kept++ = *e;
  }
  *kept = NULL;
}
