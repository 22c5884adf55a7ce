#include "supervisor/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/text.h"
#include "supervisor/environment.h"
#include "supervisor/ttls.h"

#define KEY_MAX 4096u
#define FILE_MAX (1u << 20)

/* ---- bytes ---- */

/* The standard alphabet, told in the one for URLs; what is in neither stays and is refused. */
static uint8_t for_url(uint8_t c) {
  return c == '+' ? '-' : c == '/' ? '_' : c == '-' || c == '_' ? '!' : c;
}

bool secrets_base64(struct buf *out, struct span text) {
  struct buf url = buf_new(text.len + 1);
  struct span digits = text;
  for (int i = 0; i < 2 && digits.len > 0 && digits.data[digits.len - 1] == '='; i++) digits.len--;
  for (size_t i = 0; i < digits.len; i++) buf_put_u8(&url, for_url(digits.data[i]));
  bool ok = text.len % 4 == 0 && !url.bad && base64_get_url(out, buf_span(&url)) == RESULT_OK;
  buf_free(&url);
  return ok;
}

/* An even number of hexadecimal digits is what they stand for; anything else is itself. */
static void put_key(struct buf *out, struct span text) {
  struct span digits = text;
  uint8_t bytes[KEY_MAX / 2];
  if (digits.len > 2 && digits.data[0] == '0' && (digits.data[1] | 32) == 'x') {
    digits.data += 2;
    digits.len -= 2;
  }
  bool hex = digits.len > 0 && digits.len % 2 == 0 && digits.len / 2 <= sizeof bytes;
  if (hex && text_unhex(digits, bytes, digits.len / 2))
    buf_put(out, bytes, digits.len / 2);
  else
    buf_put_span(out, text);
  wipe(bytes, sizeof bytes);
}

/* All of a file; RESULT_IO with errno, RESULT_NO_MEMORY if it is larger than `out` may be. */
static enum result read_file(struct buf *out, const char *path) {
  uint8_t part[4096];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return RESULT_IO;
  ssize_t n;
  while ((n = read(fd, part, sizeof part)) > 0) buf_put(out, part, (size_t)n);
  int saved = errno;
  close(fd);
  wipe(part, sizeof part);
  errno = saved;
  return n < 0 ? RESULT_IO : out->bad ? RESULT_NO_MEMORY : RESULT_OK;
}

static enum result complain_file(struct buf *problem, const char *what, const char *path, enum result r) {
  buf_printf(problem, "%s %s: %s", what, path, r == RESULT_IO ? strerror(errno) : "the file is too large");
  return RESULT_CONFIG_INVALID;
}

/* ---- MARBLE_SECRETS ---- */

static enum result from_marble(struct buf *out, const char *name, const char *json, struct buf *problem) {
  json_set_alloc_funcs(malloc, wipe_and_free); /* what jansson frees held keys, as text */
  json_t *all = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
  const json_t *value = json_object_get(all, name);
  bool ok = json_is_object(all);
  if (!ok) buf_put_text(problem, "MARBLE_SECRETS is not a JSON object");
  if (ok && value != NULL) {
    ok = json_is_string(value) && secrets_base64(out, span_of(json_string_value(value), json_string_length(value)));
    if (!ok) buf_printf(problem, "MARBLE_SECRETS: %s is not base64", name);
  }
  json_decref(all);
  return ok ? RESULT_OK : RESULT_CONFIG_INVALID;
}

/* ---- a key, wherever it is ---- */

static enum result from_credentials(struct buf *out, const char *name, char *const *environment, struct buf *problem) {
  const char *directory = environment_get(environment, "CREDENTIALS_DIRECTORY");
  char path[PATH_MAX];
  if (directory == NULL || (size_t)snprintf(path, sizeof path, "%s/%s", directory, name) >= sizeof path)
    return RESULT_OK;
  struct buf text = buf_new(KEY_MAX);
  enum result r = read_file(&text, path);
  if (r == RESULT_OK) {
    struct span s = buf_span(&text);
    while (s.len > 0 && (s.data[s.len - 1] == '\n' || s.data[s.len - 1] == '\r')) s.len--;
    buf_put_span(out, s);
  } else if (r == RESULT_IO && errno == ENOENT) {
    r = RESULT_OK;
  } else {
    r = complain_file(problem, "credential", path, r);
  }
  buf_free(&text);
  return r;
}

static enum result find_text(struct buf *out, const char *name, char *const *environment, struct buf *problem) {
  const char *value = environment_get(environment, name);
  if (value == NULL) return from_credentials(out, name, environment, problem);
  buf_put_text(out, value);
  return RESULT_OK;
}

static enum result find_key(struct buf *out, const char *name, char *const *environment, struct buf *problem) {
  const char *marble = environment_get(environment, "MARBLE_SECRETS");
  enum result r = marble == NULL ? RESULT_OK : from_marble(out, name, marble, problem);
  if (r != RESULT_OK || out->len > 0) return r;
  struct buf text = buf_new(KEY_MAX);
  r = find_text(&text, name, environment, problem);
  if (r == RESULT_OK && text.bad) {
    buf_printf(problem, "%s is too long", name);
    r = RESULT_CONFIG_INVALID;
  }
  if (r == RESULT_OK) put_key(out, buf_span(&text));
  buf_free(&text);
  return r;
}

/* The same without what hexadecimal digits stand for. */
static enum result find_secret_text(struct buf *out, const char *name, char *const *environment, struct buf *problem) {
  const char *marble = environment_get(environment, "MARBLE_SECRETS");
  enum result r = marble == NULL ? RESULT_OK : from_marble(out, name, marble, problem);
  return r != RESULT_OK || out->len > 0 ? r : find_text(out, name, environment, problem);
}

static enum result read_setting(struct buf *out, const struct config *config, enum config_id id, struct buf *problem) {
  const char *path = config_text(config, id);
  if (path[0] == 0) return RESULT_OK;
  enum result r = read_file(out, path);
  if (r != RESULT_OK) return complain_file(problem, config_name(id), path, r);
  if (out->len > 0) return RESULT_OK;
  buf_printf(problem, "%s %s: the file is empty", config_name(id), path);
  return RESULT_CONFIG_INVALID;
}

/* A machine without Debian's list serves all the same, and nobody is trusted; a file that was named must be there. */
static enum result read_authorities(struct buf *out, const struct config *config, struct buf *problem) {
  const char *path = config_text(config, CONFIG_EGRESS_CA);
  if (strcmp(path, config_default(CONFIG_EGRESS_CA)) == 0 && access(path, F_OK) != 0 && errno == ENOENT)
    return RESULT_OK;
  enum result r = read_setting(out, config, CONFIG_EGRESS_CA, problem);
  if (r != RESULT_OK || out->len == 0 || memmem(out->data, out->len, "-----BEGIN ", 11) != NULL) return r;
  buf_printf(problem, "%s %s: no certificate is in it", config_name(CONFIG_EGRESS_CA), path);
  return RESULT_CONFIG_INVALID;
}

/* ---- strict ---- */

/* Whether MarbleRun has given this process a certificate: it sets the second with every activation. */
static bool is_marble(char *const *environment) {
  static const char *const names[] = {"MARBLE_CERT", "MARBLE_PREDEFINED_MARBLE_CERTIFICATE_CHAIN",
                                      "MARBLE_TTLS_CONFIG"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (environment_get(environment, names[i]) != NULL) return true;
  return false;
}

static bool decide_strict(const struct config *config, char *const *environment, bool *strict) {
  const char *said = config_text(config, CONFIG_STRICT), *simulation = environment_get(environment, "OE_SIMULATION");
  *strict = strcmp(said, "on") == 0;
  if (strcmp(said, "auto") != 0) return *strict || strcmp(said, "off") == 0;
  *strict = is_marble(environment) || (simulation != NULL && strcmp(simulation, "0") == 0);
  return true;
}

static enum result check(const struct secrets *s, struct buf *problem) {
  if (s->master_key.bad || s->jwt_secret.bad || s->supabase_key.bad || s->database.bad) return RESULT_NO_MEMORY;
  if (s->master_key.len == 0 && s->strict)
    buf_put_text(problem, "COMPUTE_MASTER_KEY is missing, and a strict service does not make one");
  else if (s->master_key.len > 0 && s->master_key.len < SECRETS_MASTER_KEY_MIN)
    buf_printf(problem, "COMPUTE_MASTER_KEY must have at least %u bytes", SECRETS_MASTER_KEY_MIN);
  else if (s->secrets_key.len > 0 && s->secrets_key.len != SECRETS_STORE_KEY)
    buf_printf(problem, "SECRETS_MASTER_KEY must have %u bytes, as they are or as hexadecimal digits",
               SECRETS_STORE_KEY);
  return problem->len == 0 ? RESULT_OK : RESULT_CONFIG_INVALID;
}

enum result secrets_gather(struct secrets *out, const struct config *config, char *const *environment,
                           struct buf *problem) {
  *out = (struct secrets){.master_key = buf_new(KEY_MAX),
                          .jwt_secret = buf_new(KEY_MAX),
                          .jwt_jwks = buf_new(FILE_MAX),
                          .service_key = buf_new(FILE_MAX),
                          .secrets_key = buf_new(KEY_MAX),
                          .supabase_key = buf_new(KEY_MAX),
                          .database = buf_new(KEY_MAX),
                          .authorities = buf_new(FILE_MAX),
                          .names = buf_new(FILE_MAX)};
  if (!decide_strict(config, environment, &out->strict)) {
    buf_put_text(problem, "server.strict is on, off or auto");
    return RESULT_CONFIG_INVALID;
  }
  enum result r = find_key(&out->master_key, "COMPUTE_MASTER_KEY", environment, problem);
  if (r == RESULT_OK) r = find_text(&out->jwt_secret, "NEOCOMPUTE_JWT_SECRET", environment, problem);
  if (r == RESULT_OK && out->jwt_secret.len == 0)
    r = find_text(&out->jwt_secret, "SUPABASE_JWT_SECRET", environment, problem);
  if (r == RESULT_OK) r = read_setting(&out->jwt_jwks, config, CONFIG_JWT_JWKS, problem);
  if (r == RESULT_OK) r = read_setting(&out->service_key, config, CONFIG_SERVICE_KEY, problem);
  if (r == RESULT_OK) r = find_key(&out->secrets_key, "SECRETS_MASTER_KEY", environment, problem);
  if (r == RESULT_OK) r = find_secret_text(&out->supabase_key, "SUPABASE_SERVICE_KEY", environment, problem);
  if (r == RESULT_OK) r = find_secret_text(&out->database, "NEOCOMPUTE_DATABASE_URL", environment, problem);
  if (r == RESULT_OK) r = read_authorities(&out->authorities, config, problem);
  if (r == RESULT_OK) r = read_setting(&out->names, config, CONFIG_EGRESS_NAMES, problem);
  return r == RESULT_OK ? check(out, problem) : r;
}

void secrets_wipe(struct secrets *s) {
  buf_free(&s->master_key);
  buf_free(&s->jwt_secret);
  buf_free(&s->jwt_jwks);
  buf_free(&s->service_key);
  buf_free(&s->secrets_key);
  buf_free(&s->supabase_key);
  buf_free(&s->database);
  buf_free(&s->authorities);
  buf_free(&s->names);
}

/* ---- TLS ---- */

static void put_variable(struct buf *out, char *const *environment, const char *name) {
  const char *value = environment_get(environment, name);
  if (value == NULL || value[0] == 0) return;
  buf_put_text(out, value);
  if (value[strlen(value) - 1] != '\n') buf_put_u8(out, '\n');
}

static enum result read_files(struct secrets_tls *out, const struct config *config, struct buf *problem) {
  const char *client = config_text(config, CONFIG_TLS_CLIENT);
  out->require_client = strcmp(client, "required") == 0;
  if (!out->require_client && strcmp(client, "optional") != 0) {
    buf_put_text(problem, "tls.client is optional or required");
    return RESULT_CONFIG_INVALID;
  }
  enum result r = read_setting(&out->certificate, config, CONFIG_TLS_CERT, problem);
  if (r == RESULT_OK) r = read_setting(&out->key, config, CONFIG_TLS_KEY, problem);
  if (r == RESULT_OK) r = read_setting(&out->client_ca, config, CONFIG_TLS_CLIENT_CA, problem);
  return r;
}

static bool is_pem(const struct buf *b) {
  return b->len == 0 || memmem(b->data, b->len, "-----BEGIN ", 11) != NULL;
}

/* Whether what there is belongs together. What is in it is read by the broker. */
static const char *against_tls(const struct secrets_tls *tls, bool marble) {
  if (!is_pem(&tls->certificate) || !is_pem(&tls->key) || !is_pem(&tls->client_ca))
    return "a certificate, key or CA is not PEM";
  if ((tls->certificate.len > 0) != (tls->key.len > 0)) return "a certificate and its key belong together";
  if (marble && tls->client_ca.len == 0) return "MARBLE_CERT needs MARBLE_ROOT_CA: callers could not be verified";
  if (tls->certificate.len == 0 && tls->client_ca.len > 0) return "tls.client_ca needs tls.cert and tls.key";
  if (tls->certificate.len > 0 && tls->require_client && tls->client_ca.len == 0)
    return "tls.client required needs tls.client_ca";
  return NULL;
}

/* What the manifest says by name; else what every marble gets. A certificate and its key come from the same place. */
static bool read_marble(struct secrets_tls *out, char *const *environment) {
  put_variable(&out->certificate, environment, "MARBLE_CERT");
  put_variable(&out->key, environment, "MARBLE_KEY");
  if (out->certificate.len == 0 && out->key.len == 0) {
    put_variable(&out->certificate, environment, "MARBLE_PREDEFINED_MARBLE_CERTIFICATE_CHAIN");
    put_variable(&out->key, environment, "MARBLE_PREDEFINED_PRIVATE_KEY");
  }
  if (out->certificate.len == 0 && out->key.len == 0) return false;
  put_variable(&out->client_ca, environment, "MARBLE_ROOT_CA");
  if (out->client_ca.len == 0) put_variable(&out->client_ca, environment, "MARBLE_PREDEFINED_ROOT_CA");
  out->require_client = true;
  return true;
}

/* The port of server.listen, also when the listening socket was passed by somebody else: it says which entry is ours.
 */
static unsigned our_port(const struct config *config) {
  const char *colon = strrchr(config_text(config, CONFIG_LISTEN), ':');
  uint64_t port = 0;
  return colon != NULL && text_u64(span_text(colon + 1), 1, 65535, &port) == RESULT_OK ? (unsigned)port : 0;
}

static enum result read_ttls(struct secrets_tls *out, const struct config *config, char *const *environment,
                             bool *marble, struct buf *problem) {
  const char *json = environment_get(environment, "MARBLE_TTLS_CONFIG");
  struct ttls ttls = {0};
  if (json == NULL) return RESULT_OK;
  const enum result r = ttls_read(&ttls, out, json, our_port(config), problem);
  *marble |= ttls.incoming;
  out->ttls_others = ttls.others;
  out->ttls_outgoing = ttls.outgoing;
  return r;
}

enum result secrets_read_tls(struct secrets_tls *out, const struct config *config, char *const *environment,
                             struct buf *problem) {
  *out =
      (struct secrets_tls){.certificate = buf_new(FILE_MAX), .key = buf_new(FILE_MAX), .client_ca = buf_new(FILE_MAX)};
  bool marble = read_marble(out, environment);
  enum result r = read_ttls(out, config, environment, &marble, problem);
  if (r == RESULT_OK && !marble) r = read_files(out, config, problem);
  if (r != RESULT_OK) return r;
  const char *against = against_tls(out, marble);
  if (against != NULL) {
    buf_put_text(problem, against);
    return RESULT_CONFIG_INVALID;
  }
  if (out->client_ca.len > 0) put_variable(&out->client_ca, environment, "MARBLE_EXTRA_CLIENT_CA");
  return out->certificate.bad || out->key.bad || out->client_ca.bad ? RESULT_NO_MEMORY : RESULT_OK;
}

void secrets_free_tls(struct secrets_tls *tls) {
  buf_free(&tls->certificate);
  buf_free(&tls->key);
  buf_free(&tls->client_ca);
}
