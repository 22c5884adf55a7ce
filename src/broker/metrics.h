/*
 * Metrics in Prometheus' text format (version 0.0.4): one table gives each its name, type, unit, labels and sentence.
 * Labels are enums, so no caller can make a series. Values live in this process and may be counted by any thread of it.
 */
#pragma once

#include "base/result.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* ---- labels: id, value ---- */

#define METRICS_ROUTES(X)             \
  X(ROUTE_EXECUTE, "execute")         \
  X(ROUTE_JOBS, "jobs")               \
  X(ROUTE_JOB, "job")                 \
  X(ROUTE_EVENTS, "events")           \
  X(ROUTE_SECRETS, "secrets")         \
  X(ROUTE_ATTESTATION, "attestation") \
  X(ROUTE_HEALTH, "health")           \
  X(ROUTE_READY, "ready")             \
  X(ROUTE_INFO, "info")               \
  X(ROUTE_OPENAPI, "openapi")         \
  X(ROUTE_METRICS, "metrics")         \
  X(ROUTE_OTHER, "other")

#define METRICS_STATUSES(X) \
  X(STATUS_1XX, "1xx")      \
  X(STATUS_2XX, "2xx")      \
  X(STATUS_3XX, "3xx")      \
  X(STATUS_4XX, "4xx")      \
  X(STATUS_5XX, "5xx")

#define METRICS_REASONS(X)             \
  X(REFUSED_USER, "too_many_jobs")     \
  X(REFUSED_RATE, "too_many_requests") \
  X(REFUSED_QUEUE, "queue_full")       \
  X(REFUSED_WAIT, "waited_too_long")   \
  X(REFUSED_STOPPING, "stopping")

#define METRICS_DIRECTIONS(X) \
  X(BYTES_IN, "in")           \
  X(BYTES_OUT, "out")

#define METRICS_WORKERS(X) \
  X(WORKERS_IDLE, "idle")  \
  X(WORKERS_BUSY, "busy")  \
  X(WORKERS_STARTING, "starting")

#define METRICS_LABEL(id, text) METRICS_##id,
enum metrics_route { METRICS_ROUTES(METRICS_LABEL) METRICS_ROUTE_COUNT };
enum metrics_status { METRICS_STATUSES(METRICS_LABEL) METRICS_STATUS_COUNT };
enum metrics_reason { METRICS_REASONS(METRICS_LABEL) METRICS_REFUSED_COUNT };
enum metrics_direction { METRICS_DIRECTIONS(METRICS_LABEL) METRICS_BYTES_COUNT };
enum metrics_workers { METRICS_WORKERS(METRICS_LABEL) METRICS_WORKERS_COUNT };
#undef METRICS_LABEL

/* ---- the table: id, name, type, unit of the values here, labels, sentence ----
 *
 * SECONDS are counted in nanoseconds and written as seconds. */
#define METRICS_TABLE(X)                                                                                            \
  X(REQUESTS, "neocompute_requests_total", COUNTER, ONE, request, "HTTP requests answered.")                        \
  X(JOBS, "neocompute_jobs_total", COUNTER, ONE, result, "Jobs ended, by result.")                                  \
  X(JOB_DURATION, "neocompute_job_duration_seconds", HISTOGRAM, SECONDS, none, "Wall time of jobs that ran.")       \
  X(JOB_CPU, "neocompute_job_cpu_seconds_total", COUNTER, SECONDS, none, "CPU time of jobs that ran.")              \
  X(JOBS_RUNNING, "neocompute_jobs_running", GAUGE, ONE, none, "Jobs that run.")                                    \
  X(JOBS_WAITING, "neocompute_jobs_waiting", GAUGE, ONE, none, "Jobs that wait for a worker.")                      \
  X(REFUSED, "neocompute_admission_refused_total", COUNTER, ONE, reason, "Jobs that were not let in.")              \
  X(QUEUE_WAIT, "neocompute_queue_wait_seconds", HISTOGRAM, SECONDS, none, "How long jobs waited for a worker.")    \
  X(CONNECTIONS, "neocompute_http_connections", GAUGE, ONE, none, "Open HTTP connections.")                         \
  X(HTTP_BYTES, "neocompute_http_bytes_total", COUNTER, ONE, direction, "Bytes on HTTP connections, TLS included.") \
  X(STORE_COMMITS, "neocompute_store_commits_total", COUNTER, ONE, none, "Transactions of the job store.")          \
  X(STORE_OPERATIONS, "neocompute_store_operations_total", COUNTER, ONE, none, "Operations in those transactions.") \
  X(WORKERS, "neocompute_workers", GAUGE, ONE, worker, "Worker processes, by what they do.")                        \
  X(WORKERS_STARTED, "neocompute_workers_started_total", COUNTER, ONE, none, "Worker processes started.")           \
  X(WORKERS_KILLED, "neocompute_workers_killed_total", COUNTER, ONE, none, "Worker processes ended by force.")      \
  X(RECEIPTS, "neocompute_receipts_total", COUNTER, ONE, none, "Receipts signed.")                                  \
  X(BUILD_INFO, "neocompute_build_info", INFO, ONE, none, "What runs here; always 1.")                              \
  X(MEMORY, "process_resident_memory_bytes", GAUGE, ONE, none, "Resident memory of the broker.")                    \
  X(OPEN_FDS, "process_open_fds", GAUGE, ONE, none, "Open file descriptors of the broker.")                         \
  X(START_TIME, "process_start_time_seconds", GAUGE, SECONDS, none, "When the broker started, since the Unix epoch.")

#define METRICS_ID(id, name, type, unit, labels, help) METRICS_##id,
enum metrics_id { METRICS_TABLE(METRICS_ID) METRICS_COUNT };
#undef METRICS_ID

/* Call once before the sandbox: it keeps what MEMORY and OPEN_FDS are read from (without it they are left out), and
 * takes the start time. */
void metrics_open(void);
void metrics_close(void);
/* For neocompute_build_info, which is left out until then. At most 100 bytes of each are kept. */
void metrics_build(struct span engine, struct span tee);

/* `label`: a value of the metric's label enum; 0 if it has none; metrics_request_label for REQUESTS, an enum result
 * for JOBS. One from outside its enum is not counted. */
void metrics_add(enum metrics_id id, unsigned label, uint64_t n);
/* A gauge; or a counter that another process counts. */
void metrics_set(enum metrics_id id, unsigned label, uint64_t value);
/* One observation of a histogram. */
void metrics_observe(enum metrics_id id, uint64_t ns);
/* An HTTP status from outside 100 to 599 is one of ours that went wrong: 5xx. */
unsigned metrics_request_label(enum metrics_route route, int status);

/* The whole text. */
void metrics_write(struct buf *b);
