/*
 * The one result type. Each value has a stable name (the API's `error_code`), an HTTP status and a sentence.
 * Add a line here and everything that speaks of errors knows it.
 */
#pragma once

#include "base/bytes.h"

/* name, HTTP status, sentence. A status of 200 means a job that failed: the request itself was served. */
#define RESULT_LIST(X)                                                                                        \
  X(OK, ok, 200, "ok")                                                                                        \
  /* requests that are refused */                                                                             \
  X(BAD_REQUEST, bad_request, 400, "invalid request body")                                                    \
  X(UNKNOWN_FIELD, unknown_field, 400, "the request has a field that is not known")                           \
  X(BAD_HTTP, bad_http, 400, "the request is not valid HTTP")                                                 \
  X(SCRIPT_REQUIRED, script_required, 400, "script required")                                                 \
  X(SCRIPT_INVALID, script_invalid, 400, "script is not valid UTF-8")                                         \
  X(SCRIPT_TOO_LARGE, script_too_large, 413, "script exceeds maximum size of 102400 bytes")                   \
  X(INPUT_INVALID, input_invalid, 400, "input is not one valid JSON value")                                   \
  X(INPUT_TOO_LARGE, input_too_large, 413, "input exceeds maximum size of 1048576 bytes")                     \
  X(SEALED_INVALID, sealed_invalid, 400, "what was sealed does not open with the service's key")              \
  X(ENTRY_INVALID, entry_invalid, 400, "entry point is not a valid name")                                     \
  X(LIMIT_INVALID, limit_invalid, 400, "a limit is out of its range")                                         \
  X(TOO_MANY_SECRETS, too_many_secret_refs, 400, "too many secret references (max 10)")                       \
  X(UNAUTHORIZED, unauthorized, 401, "unauthorized")                                                          \
  X(SECRET_INVALID, secret_invalid, 400, "the secret's name, value or policy is not valid")                   \
  X(SECRET_UNKNOWN, secret_unknown, 404, "there is no secret of that name")                                   \
  X(SECRET_CONFLICT, secret_conflict, 409, "the secret was changed at the same time")                         \
  X(SECRET_TOO_LARGE, secret_too_large, 413, "secret exceeds maximum size of 65536 bytes")                    \
  X(SECRETS_FULL, secrets_full, 409, "the user's secrets take all the room they may")                         \
  X(SECRETS_AWAY, secrets_away, 503, "the secret store is away")                                              \
  X(NOT_FOUND, not_found, 404, "not found")                                                                   \
  X(JOB_NOT_FOUND, job_not_found, 404, "job not found")                                                       \
  X(METHOD_NOT_ALLOWED, method_not_allowed, 405, "method not allowed")                                        \
  X(REQUEST_TIMEOUT, request_timeout, 408, "the request took too long to arrive")                             \
  X(BODY_TOO_LARGE, body_too_large, 413, "request body too large")                                            \
  X(MEDIA_TYPE, unsupported_media_type, 415, "content type must be application/json")                         \
  X(EXPECTATION_FAILED, expectation_failed, 417, "expectation failed")                                        \
  X(IDEMPOTENCY_MISMATCH, idempotency_mismatch, 422, "the idempotency key was used with another request")     \
  X(TOO_MANY_JOBS, too_many_jobs, 429, "too many concurrent jobs (max 5)")                                    \
  X(TOO_MANY_REQUESTS, too_many_requests, 429, "too many requests")                                           \
  X(HEAD_TOO_LARGE, head_too_large, 431, "request head too large")                                            \
  X(BUSY, busy, 503, "the service is busy")                                                                   \
  X(STOPPING, stopping, 503, "the service is stopping")                                                       \
  X(EVIDENCE_AWAY, evidence_unavailable, 503, "this machine gives no evidence of itself")                     \
  /* jobs that failed */                                                                                      \
  X(SYNTAX_ERROR, syntax_error, 200, "script error")                                                          \
  X(SCRIPT_ERROR, script_error, 200, "script error")                                                          \
  X(ENTRY_NOT_FOUND, entry_not_found, 200, "entry point is not a function")                                   \
  X(EXECUTION_ERROR, execution_error, 200, "execution error")                                                 \
  X(UNSETTLED, unsettled, 200, "the returned promise can never settle: nothing is left that could settle it") \
  X(OUTPUT_INVALID, output_invalid, 200, "output cannot be written as JSON")                                  \
  X(OUTPUT_TOO_LARGE, output_too_large, 200, "output exceeds maximum size of 1048576 bytes")                  \
  X(TIMEOUT, timeout, 200, "execution timeout")                                                               \
  X(OUT_OF_MEMORY, out_of_memory, 200, "memory limit exceeded")                                               \
  X(OUT_OF_STEPS, out_of_steps, 200, "step limit exceeded")                                                   \
  X(ENGINE_TRAP, engine_trap, 200, "the engine stopped at a broken invariant; the worker was replaced")       \
  X(CANCELLED, cancelled, 200, "job cancelled")                                                               \
  X(INTERRUPTED, interrupted, 200, "the service ended before the job did")                                    \
  X(SECRET_NOT_FOUND, secret_not_found, 200, "secret not found")                                              \
  X(SECRET_FORBIDDEN, secret_forbidden, 200, "the secret's policy forbids this")                              \
  X(SECRET_EXPIRED, secret_expired, 200, "the secret has expired")                                            \
  X(SECRET_UNDECRYPTABLE, secret_undecryptable, 200,                                                          \
    "the secret does not open: it was changed, moved or sealed with another key")                             \
  X(SECRET_STORE_UNAVAILABLE, secret_store_unavailable, 200, "the secret store is away")                      \
  X(SCRIPT_NOT_FOUND, script_not_found, 200, "the app has no such script")                                    \
  X(SCRIPT_CHANGED, script_changed, 200, "the script is not the one that the app's manifest pins")            \
  X(SCRIPT_STORE_INVALID, script_store_invalid, 200,                                                          \
    "the script store answered something that is neither a manifest nor a script")                            \
  X(SCRIPT_STORE_UNAVAILABLE, script_store_unavailable, 200, "the script store is away")                      \
  X(SEALED_INPUT_REJECTED, sealed_input_rejected, 200, "the sealed input does not open")                      \
  /* requests of a script to the outside that failed: it may catch them */                                    \
  X(FETCH_UNAVAILABLE, fetch_unavailable, 200, "fetch is not available here")                                 \
  X(FETCH_FORBIDDEN, fetch_forbidden, 200, "the host is not allowed")                                         \
  X(FETCH_ADDRESS, fetch_address_forbidden, 200, "the host's address is not allowed")                         \
  X(FETCH_INVALID, fetch_invalid, 200, "the request cannot be sent")                                          \
  X(FETCH_TOO_MANY, fetch_too_many, 200, "too many requests (max 20)")                                        \
  X(FETCH_BODY, fetch_body_too_large, 200, "the request's body exceeds maximum size of 1048576 bytes")        \
  X(FETCH_RESPONSE, fetch_response_too_large, 200, "the response exceeds maximum size of 5242880 bytes")      \
  X(FETCH_HEADERS, fetch_headers_too_large, 200, "the headers exceed maximum size of 16384 bytes")            \
  X(FETCH_REDIRECTS, fetch_too_many_redirects, 200, "too many redirects (max 10)")                            \
  X(FETCH_TIMEOUT, fetch_timeout, 200, "the host did not answer in time")                                     \
  X(FETCH_TLS, fetch_tls, 200, "the host's certificate is not trusted, or the handshake failed")              \
  X(FETCH_FAILED, fetch_failed, 200, "the host cannot be reached, or broke off")                              \
  /* faults of the service */                                                                                 \
  X(WORKER_LOST, worker_lost, 500, "the worker ended before its job did")                                     \
  X(WORKER_LIED, worker_lied, 500, "the worker sent a message it may not send")                               \
  X(PEER_LOST, peer_lost, 503, "a process of the service ended")                                              \
  X(PEER_LIED, peer_lied, 500, "a process of the service sent a message it may not send")                     \
  X(SANDBOX_REFUSED, sandbox_refused, 500, "the process could not enter its sandbox")                         \
  X(ENGINE_START, engine_start, 500, "the engine could not be started")                                       \
  X(RECORD_CORRUPT, record_corrupt, 500,                                                                      \
    "the stored record does not open: it was changed, moved or sealed with another key")                      \
  X(STORE_UNAVAILABLE, store_unavailable, 503, "the job store cannot be written")                             \
  X(CRYPTO, crypto, 500, "a cryptographic operation failed")                                                  \
  X(CONFIG_INVALID, config_invalid, 500, "a setting is not valid")                                            \
  X(NO_MEMORY, no_memory, 500, "the service is out of memory")                                                \
  X(IO, io, 500, "a system call failed")                                                                      \
  /* verification of a receipt */                                                                             \
  X(NOT_VERIFIED, not_verified, 400, "not verified")

#define RESULT_ENUM(id, name, status, sentence) RESULT_##id,
enum result { RESULT_LIST(RESULT_ENUM) RESULT_COUNT };
#undef RESULT_ENUM

/* Every function that returns a result carries this. */
#define must_use __attribute__((warn_unused_result))

/* The stable name, "ok" for RESULT_OK; "unknown" for a value outside the list. */
const char *result_name(enum result r);
/* The sentence for people. Never NULL. */
const char *result_sentence(enum result r);
/* The HTTP status that a reply with this result carries. */
int result_status(enum result r);
