/*
 * The messages between the service's processes: supervisor, broker and keeper (a worker's are in wire.h). One table
 * says who may send what to whom and when; bodies are read by typed gets that end with "nothing remains". A message
 * that is not in order, or does not fit, costs its sender's process its life.
 */
#pragma once

#include "wire/wire.h"

enum service_peer { SERVICE_SUPERVISOR, SERVICE_BROKER, SERVICE_KEEPER, SERVICE_EGRESS };
#define SERVICE_PEERS 4

/* When a message may come: as the link's first, or any time after that. */
enum service_time { SERVICE_FIRST, SERVICE_LATER };

/* name, number, sender, receiver, when */
#define SERVICE_MESSAGES(X)                                                                               \
  X(EXECUTE, 16, BROKER, KEEPER, LATER) /* run a job; ends with one ENDED */                              \
  X(CANCEL, 17, BROKER, KEEPER, LATER)                                                                    \
  X(OPEN, 18, BROKER, KEEPER, LATER) /* unseal records; answered by OPENED */                             \
  X(INTERRUPT, 19, BROKER, KEEPER, LATER)                                                                 \
  X(ATTEST, 20, BROKER, KEEPER, LATER)                                                                    \
  X(SECRET, 21, BROKER, KEEPER, LATER)     /* a caller's secrets; answered by SECRETED */                 \
  X(STORE_ROWS, 22, BROKER, KEEPER, LATER) /* answers STORE_QUERY */                                      \
  X(IDENTITY, 32, KEEPER, BROKER, FIRST)                                                                  \
  X(STORED, 33, KEEPER, BROKER, LATER)                                                                    \
  X(LOGGED, 34, KEEPER, BROKER, LATER)                                                                    \
  X(ENDED, 35, KEEPER, BROKER, LATER)                                                                     \
  X(OPENED, 36, KEEPER, BROKER, LATER)                                                                    \
  X(ATTESTED, 37, KEEPER, BROKER, LATER)                                                                  \
  X(GAUGES, 38, KEEPER, BROKER, LATER)                                                                    \
  X(SECRETED, 39, KEEPER, BROKER, LATER)                                                                  \
  X(STORE_QUERY, 40, KEEPER, BROKER, LATER) /* of the embedded secret store */                            \
  X(ROTATED, 45, KEEPER, BROKER, LATER)     /* IDENTITY again, with new keys */                           \
  X(REQUEST, 41, KEEPER, EGRESS, LATER)     /* ends with one RESPONSE, unless FORGET comes first */       \
  X(FORGET, 42, KEEPER, EGRESS, LATER)                                                                    \
  X(PARKED, 44, KEEPER, BROKER, LATER)                                                                    \
  X(SERVER_QUERY, 43, KEEPER, EGRESS, LATER) /* of the secret store in PostgreSQL */                      \
  X(KEEPER_SETUP, 48, SUPERVISOR, KEEPER, FIRST)                                                          \
  X(BROKER_SETUP, 49, SUPERVISOR, BROKER, FIRST)                                                          \
  X(PEER, 50, SUPERVISOR, BROKER, LATER)     /* + descriptor: the keeper */                               \
  X(CLIENT, 51, SUPERVISOR, KEEPER, LATER)   /* + descriptor: the broker */                               \
  X(LISTENER, 52, SUPERVISOR, BROKER, LATER) /* + descriptor */                                           \
  X(TLS, 53, SUPERVISOR, BROKER, LATER)                                                                   \
  X(WORKER_STARTED, 54, SUPERVISOR, KEEPER, LATER) /* + descriptor */                                     \
  X(WORKER_GONE, 55, SUPERVISOR, KEEPER, LATER)                                                           \
  X(STOP, 56, SUPERVISOR, BROKER, LATER)                                                                  \
  X(WORKER_RESTORED, 57, SUPERVISOR, KEEPER, LATER)                                                       \
  X(EGRESS_SETUP, 58, SUPERVISOR, EGRESS, FIRST)                                                          \
  X(EGRESS_PEER, 59, SUPERVISOR, EGRESS, LATER) /* + descriptor: the keeper */                            \
  X(OUTLET, 60, SUPERVISOR, KEEPER, LATER)      /* + descriptor: egress, again if it was started again */ \
  X(EVIDENCED, 61, SUPERVISOR, KEEPER, LATER)   /* answers EVIDENCE */                                    \
  X(ROTATE, 62, SUPERVISOR, KEEPER, LATER)                                                                \
  X(KEEPER_UP, 64, KEEPER, SUPERVISOR, FIRST)                                                             \
  X(BROKER_UP, 65, BROKER, SUPERVISOR, FIRST)                                                             \
  X(SPAWN, 66, KEEPER, SUPERVISOR, LATER)                                                                 \
  X(KILL, 67, KEEPER, SUPERVISOR, LATER)                                                                  \
  X(NICE, 68, KEEPER, SUPERVISOR, LATER)                                                                  \
  X(DRAINED, 69, BROKER, SUPERVISOR, LATER)                                                               \
  X(EGRESS_UP, 70, EGRESS, SUPERVISOR, FIRST)                                                             \
  X(EVIDENCE, 71, KEEPER, SUPERVISOR, LATER) /* of this machine, over report data */                      \
  X(RESPONSE, 80, EGRESS, KEEPER, LATER)                                                                  \
  X(SERVER_ROWS, 81, EGRESS, KEEPER, LATER) /* answers SERVER_QUERY */

#define SERVICE_NUMBER(name, number, sender, receiver, when) WIRE_##name = number,
enum service_type { SERVICE_MESSAGES(SERVICE_NUMBER) };
#undef SERVICE_NUMBER

/* Whether `sender` may send `type` to `receiver` now; `*begun` is whether the link's first message has come (a link
 * that has no FIRST message starts begun), and becomes true. */
bool service_in_order(enum service_peer sender, enum service_peer receiver, uint8_t type, bool *begun);

/* Largest bodies: a request with its envelope; a reply (output 1 MiB, which JSON escapes may not lengthen, and twice
 * that of encrypted output, logs of 400 KiB that escapes make up to 6 times as long) and the same once more, sealed. */
#define SERVICE_REQUEST_MAX (1310720u + 16384u)
#define SERVICE_REPLY_MAX (5u << 20)
#define SERVICE_ANSWER_MAX (2 * SERVICE_REPLY_MAX + 65536u)
#define SERVICE_OPEN_RECORDS 1000u

enum wire_execute_flag {
  WIRE_EXECUTE_ASYNC = 1,
  WIRE_EXECUTE_DETERMINISTIC = 2,
  WIRE_EXECUTE_ENCRYPT_ONLY = 4,   /* encrypted_output instead of output */
  WIRE_EXECUTE_ENCRYPT_BESIDE = 8, /* encrypted_output beside output, as the reference does */
  WIRE_EXECUTE_SEAL_OUTPUT = 16    /* the answer is sealed to `recipient`, or to the sender of `sealed` */
};

/* EXECUTE. `ticket` names the request until its ENDED; broker's choice, never used twice. */
struct wire_execute {
  uint64_t ticket;
  uint8_t job[16];  /* UUID version 7 */
  uint8_t user[32]; /* SHA-256 of the user id */
  uint32_t flags;
  uint64_t timeout_ms, memory, steps;
  struct span script, entry, input, nonce, trace; /* entry: empty if the caller named none for an app's script: then
                                                     the manifest's applies, else "main" */
  struct span user_id;   /* what `user` is the hash of: stores of secrets that others fill know it by that */
  struct span app, name; /* instead of a script: one of an app's manifest */
  struct span hosts;     /* base/hosts.h: of those that may be reached at all, only these; empty: all of them */
  struct span sealed;    /* encrypted_input as sent, a JSON object: the input, maybe the script and secrets; or empty */
  struct span recipient; /* X25519 key of 32 bytes; or empty */
  uint32_t secret_count;
  struct span secrets[WIRE_SECRETS_MAX]; /* names */
};

/* CANCEL: the job's ENDED comes, with this result (RESULT_CANCELLED, or RESULT_INTERRUPTED if the service stops) unless
 * it ended first. An unknown ticket is no fault: its ENDED may be on its way. */
struct wire_cancel {
  uint64_t ticket;
  uint32_t result;
};

/* One sealed record and where it was found: all of it is bound into the seal. */
struct wire_record {
  uint8_t job[16];
  struct span sealed;
};

/* OPEN. Bodies up to SERVICE_ANSWER_MAX. */
struct wire_open {
  uint64_t ticket;
  uint8_t user[32];
  uint32_t count;
  const struct wire_record *records; /* put reads it; wire_get_open_record reads them one by one */
};

/* INTERRUPT: a running record of a service that is no more; answered by ENDED with RESULT_INTERRUPTED. */
struct wire_interrupt {
  uint64_t ticket;
  uint8_t job[16], user[32];
  struct span sealed;
};

/* ATTEST: a document with this nonce (16..64 bytes). */
struct wire_attest {
  uint64_t ticket;
  struct span nonce;
};

/* SECRET: what a caller asks about secrets of theirs. `body` is the request's, JSON, for SECRET_PUT and SECRET_POLICY.
 */
enum wire_secret_verb { SECRET_PUT = 1, SECRET_LIST, SECRET_DELETE, SECRET_AUDIT, SECRET_POLICY };
struct wire_secret_call {
  uint64_t ticket;
  uint32_t verb;
  uint8_t user[32];
  struct span user_id, name, body, trace;
  uint64_t before; /* SECRET_AUDIT: only rows with ids below this one; 0: from the newest */
  uint32_t limit;  /* SECRET_AUDIT: 1..1000 */
};
struct wire_secreted {
  uint64_t ticket;
  uint32_t result;
  struct span detail; /* what is wrong, in words for the caller; or empty */
  struct span reply;  /* JSON; empty: none (204) */
};

/* REQUEST: one HTTP exchange, no redirects. The keeper says where to; nothing in here is parsed once more. */
enum wire_request_flag {
  WIRE_REQUEST_PLAIN = 1,   /* http, not https */
  WIRE_REQUEST_OPERATOR = 2 /* an address of the operator's own choice: it may be a private one */
};
#define WIRE_REQUEST_HEADERS_MAX 16384u
struct wire_request {
  uint64_t ticket;
  uint8_t pool[32]; /* connections are shared by equal ones only: the user; zeros for the service itself */
  uint32_t flags, port, timeout_ms;
  uint32_t response_max; /* bytes of body */
  struct span method;    /* a token of upper case letters */
  struct span host;      /* lower case; an IPv6 address in brackets */
  struct span target;    /* path and query; visible ASCII, begins with / */
  struct span headers;   /* wire_put_header; names in lower case, no host, content-length or connection */
  struct span body;
};
/* RESPONSE. RESULT_OK, or RESULT_FETCH_ADDRESS, _TIMEOUT, _TLS, _FAILED, _RESPONSE, _HEADERS: then only `error` says
 * something. */
struct wire_response {
  uint64_t ticket;
  uint32_t result, status;
  struct span error;    /* a sentence, without anything of the request but its host */
  struct span headers;  /* wire_put_header; names in lower case, as they came in order */
  struct span location; /* of a redirect: absolute, resolved (RFC 3986 §5), without fragment; else empty */
  struct span body;
};
struct wire_forget {
  uint64_t ticket;
};

/* STORE_QUERY and SERVER_QUERY: statements of wire/statements.h, done all or none, in order. Answered by rows. */
#define WIRE_VALUES_MAX 9u
#define WIRE_STATEMENTS_MAX 32u
struct wire_statement {
  uint32_t statement; /* enum secret_statement */
  uint32_t count;
  struct span values[WIRE_VALUES_MAX]; /* UTF-8 without U+0000 */
};
struct wire_query {
  uint64_t ticket;
  uint32_t timeout_ms, count;
  const struct wire_statement *statements; /* put reads it; wire_get_statement reads them one by one */
  uint8_t later; /* STORE_QUERY: 1 if nothing waits for the answer. It is done before whatever is sent after it */
};
/* A row's `statement` is the index in the query of the one it answers. */
#define WIRE_ROWS_MAX 4096u
struct wire_rows {
  uint64_t ticket;
  uint32_t result; /* RESULT_OK; or RESULT_SECRET_STORE_UNAVAILABLE, _SECRET_CONFLICT or _SECRETS_FULL: nothing was done
                      then */
  uint32_t count;
  const struct wire_statement *rows; /* put reads it; wire_get_statement reads them one by one */
};

/* IDENTITY: what the keeper is, once its first worker is ready. ROTATED: what it is from now on. */
struct wire_identity {
  struct span engine;      /* engine build id, 64 hexadecimal digits */
  struct span isolation;   /* profile: "process", and fences that could not be had: "process-landlock" */
  struct span tee;         /* sgx, tdx, snp, nitro, sim */
  uint32_t worker_fences;  /* sandbox_set */
  uint8_t attestation[32]; /* SHA-256 of the current document */
  struct span attested;    /* the JSON that GET /attestation answers */
  uint64_t attested_at;    /* Unix seconds */
  struct span stores;      /* of secrets: JSON array of {"store", "format"} (secrets_describe) */
};

/* STORED: the sealed record of a job that runs, to be stored: at once if the job is asynchronous, else once it has run
 * for a while. Never after its ENDED. */
struct wire_stored {
  uint64_t ticket;
  struct span sealed;
};

struct wire_logged {
  uint64_t ticket;
  uint8_t level; /* enum engine_level */
  struct span text;
};

struct wire_ended {
  uint64_t ticket;
  uint32_t result;   /* enum result */
  struct span reply; /* ExecuteResponse, one JSON object */
  struct span
      sealed; /* the record to store; empty only if the reply is not a job's (RESULT_CRYPTO, RESULT_NO_MEMORY) */
  uint64_t wall_ns, cpu_ns, steps;
};

/* OPENED: as many answers as OPEN had records, in their order. */
struct wire_answer {
  uint32_t result;   /* RESULT_OK or RESULT_RECORD_CORRUPT */
  struct span reply; /* ExecuteResponse */
};
struct wire_opened {
  uint64_t ticket;
  uint32_t count;
  const struct wire_answer *answers; /* put reads it; wire_get_opened_answer reads them one by one */
};

struct wire_attested {
  uint64_t ticket;
  uint32_t result;
  struct span reply; /* JSON */
};

/* GAUGES: about once a second while something changes. */
struct wire_gauges {
  uint32_t workers_idle, workers_busy, workers_starting;
  uint64_t workers_started, workers_killed, receipts;
};

/* PARKED: so many jobs wait for the outside; each time it changes. Others may run in their place. */
struct wire_parked {
  uint32_t jobs;
};

/* KEEPER_SETUP: keys come here and nowhere else. */
struct wire_keeper_setup {
  struct span config;       /* config_put */
  struct span master_key;   /* COMPUTE_MASTER_KEY, at least 32 bytes; empty: make an ephemeral one */
  struct span secrets_key;  /* SECRETS_MASTER_KEY, 32 bytes, of the reference's secret store; or empty */
  struct span supabase_key; /* SUPABASE_SERVICE_KEY, text; or empty */
  struct span tls_spki;     /* SHA-256 of the listening certificate's SubjectPublicKeyInfo; or empty */
  bool strict;              /* see the configuration */
};

/* ROTATE: make new keys of identity, and a document that names this TLS key (as above). */
struct wire_rotate {
  struct span tls_spki;
};

/* EVIDENCE: the keeper opens no files, and evidence is public: the supervisor fetches it. What it gets wrong does not
 * verify. The ticket is the keeper's choice. */
struct wire_evidence {
  uint64_t ticket;
  struct span report_data; /* 64 bytes */
  uint8_t agree_key[32];   /* for Nitro, which has fields of its own for this and the next */
  struct span nonce;       /* of a caller, or empty */
};
/* EVIDENCED, in any order, each EVIDENCE once. */
struct wire_evidenced {
  uint64_t ticket;
  uint32_t result;
  struct span raw;
};

/* EGRESS_SETUP */
struct wire_egress_setup {
  struct span config;
  struct span authorities; /* PEM of the CAs that servers are verified with */
  struct span names;       /* hosts(5) text that is asked instead of the resolver; or empty */
  struct span database;    /* connection string of libpq for the secret store; or empty */
};

struct wire_broker_setup {
  struct span config;      /* config_put */
  struct span store;       /* path of the database; empty: in memory */
  struct span jwt_secret;  /* HS256, or empty */
  struct span jwt_jwks;    /* JSON, or empty */
  struct span service_key; /* PEM, or empty */
  bool strict;             /* see the configuration */
};

enum wire_listener_kind { WIRE_LISTENER_HTTP, WIRE_LISTENER_METRICS };
struct wire_listener {
  uint32_t kind;
  struct span address; /* as bound, for the log */
};

/* TLS: PEM texts; before the HTTP listener if it is to speak TLS, again at each reload. */
struct wire_tls {
  struct span certificate, key, client_ca;
  bool require_client;
};

/* WORKER_STARTED: a started worker's socket. WORKER_GONE: its process ended. SPAWN asks for one of that number; KILL
 * ends it; NICE sets its scheduling priority (0..19). WORKER_RESTORED answers NICE 0: it has its priority back. Where
 * it cannot have it, its process ends instead. */
struct wire_worker {
  uint32_t number;
};
struct wire_nice {
  uint32_t number, level;
};

/* STOP: finish what is held within this many ms, then DRAINED. */
struct wire_stop {
  uint64_t grace_ms;
};

/* KEEPER_UP and BROKER_UP: in its sandbox. */
struct wire_up {
  uint32_t fences; /* sandbox_set */
};

/* Each put fills `b` with a whole message; each get reads a body, false if it does not fit. Spans point into the body.
 */
/* clang-format off */
#define SERVICE_PLAIN(X) \
  X(cancel, CANCEL, cancel) \
  X(interrupt, INTERRUPT, interrupt) \
  X(attest, ATTEST, attest) \
  X(identity, IDENTITY, identity) \
  X(stored, STORED, stored) \
  X(logged, LOGGED, logged) \
  X(ended, ENDED, ended) \
  X(attested, ATTESTED, attested) \
  X(gauges, GAUGES, gauges) \
  X(parked, PARKED, parked) \
  X(keeper_setup, KEEPER_SETUP, keeper_setup) \
  X(broker_setup, BROKER_SETUP, broker_setup) \
  X(listener, LISTENER, listener) \
  X(tls, TLS, tls) \
  X(worker_started, WORKER_STARTED, worker) \
  X(worker_gone, WORKER_GONE, worker) \
  X(worker_restored, WORKER_RESTORED, worker) \
  X(stop, STOP, stop) \
  X(secret_call, SECRET, secret_call) \
  X(secreted, SECRETED, secreted) \
  X(request, REQUEST, request) \
  X(response, RESPONSE, response) \
  X(forget, FORGET, forget) \
  X(egress_setup, EGRESS_SETUP, egress_setup) \
  X(egress_up, EGRESS_UP, up) \
  X(keeper_up, KEEPER_UP, up) \
  X(broker_up, BROKER_UP, up) \
  X(spawn, SPAWN, worker) \
  X(kill, KILL, worker) \
  X(nice, NICE, nice) \
  X(rotated, ROTATED, identity) \
  X(rotate, ROTATE, rotate) \
  X(evidence, EVIDENCE, evidence) \
  X(evidenced, EVIDENCED, evidenced)

/* clang-format on */
#define SERVICE_DECLARE(name, NAME, type)                           \
  void wire_put_##name(struct buf *b, const struct wire_##type *m); \
  bool wire_get_##name(struct span body, struct wire_##type *m);
SERVICE_PLAIN(SERVICE_DECLARE)
#undef SERVICE_DECLARE

/* PEER, CLIENT, EGRESS_PEER, OUTLET, DRAINED: no body but the type. */
void wire_put_empty(struct buf *b, enum service_type type);
bool wire_get_empty(struct span body);

void wire_put_execute(struct buf *b, const struct wire_execute *m);
bool wire_get_execute(struct span body, struct wire_execute *m);

/* Lists are read one by one: `rest` is what follows the message's head, and each get moves it on; after the last one,
 * cursor_end(rest) must hold. */
void wire_put_open(struct buf *b, const struct wire_open *m);
bool wire_get_open(struct span body, struct wire_open *m, struct cursor *rest);
bool wire_get_record(struct cursor *rest, struct wire_record *m);
void wire_put_opened(struct buf *b, const struct wire_opened *m);
bool wire_get_opened(struct span body, struct wire_opened *m, struct cursor *rest);
bool wire_get_answer(struct cursor *rest, struct wire_answer *m);

void wire_put_query(struct buf *b, enum service_type type, const struct wire_query *m);
bool wire_get_query(struct span body, struct wire_query *m, struct cursor *rest);
void wire_put_rows(struct buf *b, enum service_type type, const struct wire_rows *m);
bool wire_get_rows(struct span body, struct wire_rows *m, struct cursor *rest);
/* One of a list, to be read back with wire_get_statement: rows as they are gathered. */
void wire_put_statement(struct buf *b, const struct wire_statement *m);
bool wire_get_statement(struct cursor *rest, struct wire_statement *m);
