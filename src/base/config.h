/*
 * Settings: one table gives each its name in the file, its environment name, its default and its sentence; `neocompute
 * serve --help` prints it. Order of precedence: command line, environment, file (INI, read with libinih), default.
 */
#pragma once

#include "base/result.h"

/* id, name in the file ("section.name"), environment name, default, help. Keys and tokens are not in here: they never
 * stand in a file of settings (see supervisor/secrets.c). */
#define CONFIG_SETTINGS(X)                                                                                           \
  X(LISTEN, "server.listen", "NEOCOMPUTE_LISTEN", "127.0.0.1:8080", "address and port to listen on")                 \
  X(METRICS_LISTEN, "server.metrics_listen", "NEOCOMPUTE_METRICS_LISTEN", "127.0.0.1:9090",                          \
    "address and port of /metrics, loopback; empty: none")                                                           \
  X(STATE, "server.state", "NEOCOMPUTE_STATE", "", "state directory ($XDG_STATE_HOME/neocompute); `memory`: none")   \
  X(LOG_LEVEL, "server.log_level", "NEOCOMPUTE_LOG_LEVEL", "info", "debug, info, warn or error")                     \
  X(TLS_CERT, "tls.cert", "NEOCOMPUTE_TLS_CERT", "", "PEM file of the certificate chain; empty: plain HTTP")         \
  X(TLS_KEY, "tls.key", "NEOCOMPUTE_TLS_KEY", "", "PEM file of its private key")                                     \
  X(TLS_CLIENT_CA, "tls.client_ca", "NEOCOMPUTE_TLS_CLIENT_CA", "", "PEM file of the CAs of client certificates")    \
  X(TLS_CLIENT, "tls.client", "NEOCOMPUTE_TLS_CLIENT", "optional", "client certificates: optional or required")      \
  X(AUTH_MODE, "auth.mode", "NEOCOMPUTE_AUTH", "",                                                                   \
    "dev, mtls or jwt (dev on plain loopback, mtls with tls.client_ca)")                                             \
  X(JWT_ISSUER, "auth.jwt_issuer", "NEOCOMPUTE_JWT_ISSUER", "", "required iss of bearer tokens")                     \
  X(JWT_AUDIENCE, "auth.jwt_audience", "NEOCOMPUTE_JWT_AUDIENCE", "", "required aud of bearer tokens")               \
  X(JWT_JWKS, "auth.jwt_jwks", "NEOCOMPUTE_JWT_JWKS", "", "file with the JWKS of ES256 and RS256 keys")              \
  X(SERVICE_KEY, "auth.service_key", "NEOCOMPUTE_SERVICE_KEY", "", "PEM file of the key of service tokens (RS256)")  \
  X(RESULT_TTL, "jobs.result_ttl", "NEOCOMPUTE_RESULT_TTL", "24h0m0s", "how long ended jobs are kept (Go duration)") \
  X(CLEANUP, "jobs.cleanup_interval", "NEOCOMPUTE_CLEANUP_INTERVAL", "1m0s", "how often expired jobs are deleted")   \
  X(PER_USER, "jobs.per_user", "NEOCOMPUTE_JOBS_PER_USER", "5", "running and waiting jobs of one user")              \
  X(WAITING, "jobs.waiting", "NEOCOMPUTE_JOBS_WAITING", "256", "waiting jobs, whole service")                        \
  X(WORKERS, "jobs.workers", "NEOCOMPUTE_WORKERS", "16", "jobs that run at a time, each in a worker of its own")     \
  X(PARKED, "jobs.parked", "NEOCOMPUTE_JOBS_PARKED", "64",                                                           \
    "jobs that run beside these while as many wait for the outside")                                                 \
  X(WORKERS_IDLE, "jobs.workers_idle", "NEOCOMPUTE_WORKERS_IDLE", "2", "idle workers kept ready")                    \
  X(DISK_SYNC, "jobs.disk_sync", "NEOCOMPUTE_DISK_SYNC", "normal",                                                   \
    "normal: an answer survives any crash of the service; full: loss of power, too")                                 \
  X(ENCRYPTED_OUTPUT, "jobs.encrypted_output", "NEOCOMPUTE_ENCRYPTED_OUTPUT", "ask",                                 \
    "encrypted_output: ask (with ?encrypted=1, instead of output) or always (beside it, as the reference)")          \
  X(STRICT, "server.strict", "NEOCOMPUTE_STRICT", "auto", "missing keys stop the start: on, off or auto")            \
  X(ATTEST_PROVIDER, "attest.provider", "NEOCOMPUTE_ATTEST_PROVIDER", "auto",                                        \
    "who gives evidence: auto, gramine, nitro, tsm, sev-guest, or sim, which proves nothing")                        \
  X(ATTEST_ROOT, "attest.root", "NEOCOMPUTE_ATTEST_ROOT", "/", "where its files are, for tests")                     \
  X(EGRESS_HOSTS, "egress.hosts", "NEOCOMPUTE_EGRESS_HOSTS", "",                                                     \
    "hosts that scripts may reach: a.example *.example.org, or *; empty: none, in dev mode all")                     \
  X(EGRESS_HTTP, "egress.http", "NEOCOMPUTE_EGRESS_HTTP", "off",                                                     \
    "whether scripts may use http beside https: on or off")                                                          \
  X(EGRESS_PRIVATE, "egress.private", "NEOCOMPUTE_EGRESS_PRIVATE", "",                                               \
    "addresses that are not public and may be reached all the same: 10.1.0.0/16 ::1/128")                            \
  X(EGRESS_CA, "egress.ca", "NEOCOMPUTE_EGRESS_CA", "/etc/ssl/certs/ca-certificates.crt",                            \
    "PEM file of the CAs of servers that are called")                                                                \
  X(EGRESS_NAMES, "egress.names", "NEOCOMPUTE_EGRESS_NAMES", "",                                                     \
    "hosts(5) file that is asked instead of the resolver")                                                           \
  X(SECRETS_STORES, "secrets.stores", "NEOCOMPUTE_SECRETS_STORES", "",                                               \
    "where secrets are, in order: embedded, supabase, postgres; empty: supabase if its address is given, else "      \
    "embedded")                                                                                                      \
  X(SUPABASE_URL, "secrets.supabase_url", "SUPABASE_URL", "", "address of the Supabase project")                     \
  X(SCRIPTS_URL, "scripts.url", "NEOCOMPUTE_SCRIPTS_URL", "", "where the apps' manifests and scripts are")           \
  X(STOP_GRACE, "server.stop_grace", "NEOCOMPUTE_STOP_GRACE", "10s", "how long held requests may finish at a stop")

#define CONFIG_ID(id, name, environment, fallback, help) CONFIG_##id,
enum config_id { CONFIG_SETTINGS(CONFIG_ID) CONFIG_COUNT };
#undef CONFIG_ID

struct config; /* opaque: one text for each setting */

enum result must_use config_new(struct config **out);
/* Each of the next three overrides what was said before it: call them in this order. After a failure the settings are
 * of no use.
 *
 * Reads a file; a section or name that is not in the table, or stands there twice, is refused, and so is a line that is
 * not INI or longer than libinih reads. RESULT_CONFIG_INVALID names file, line and reason in `problem`; RESULT_IO with
 * errno. */
enum result must_use config_read_file(struct config *c, const char *path, char *problem, size_t problem_size);
/* Takes what the environment says (names that are not in the table are others' affair); the reference's PORT sets
 * LISTEN's port, and is RESULT_CONFIG_INVALID if it is none. */
enum result must_use config_read_environment(struct config *c, char *const *environment);
enum result must_use config_set(struct config *c, enum config_id id, const char *value);
/* Never NULL: the default if nothing was said. */
const char *config_text(const struct config *c, enum config_id id);
/* A whole number in [min, max], or RESULT_CONFIG_INVALID. */
enum result must_use config_number(const struct config *c, enum config_id id, uint64_t min, uint64_t max,
                                   uint64_t *out);
/* A Go duration such as 1h30m or 250ms, in milliseconds (rounded up), or RESULT_CONFIG_INVALID. */
enum result must_use config_duration_ms(const struct config *c, enum config_id id, uint64_t *out);
const char *config_name(enum config_id id);
const char *config_environment_name(enum config_id id);
const char *config_default(enum config_id id);
const char *config_help(enum config_id id);
/* For another process of ours: every setting as a length and bytes. config_get takes exactly that, or answers
 * RESULT_CONFIG_INVALID. */
void config_put(struct buf *b, const struct config *c);
enum result must_use config_get(struct span bytes, struct config *c);
void config_free(struct config *c);
