/*
 * What the broker has in hand, and who calls whom inside it. Private to src/broker.
 *
 *   broker.c   the process: messages of the supervisor and the keeper, timers, the end
 *   routes.c   the table of routes; from an exchange to a call, from a call to its reply
 *   execute.c  POST /execute: from a request to a job that waits
 *   jobs.c     a job's life: waiting, running, committing, ended
 *   records.c  GET and DELETE of stored jobs
 *   secrets.c  callers' secrets: to the keeper and back; and the store that the keeper asks through here
 *   events.c   server-sent events
 *   about.c    what the service says of itself
 *   attestation.c  its evidence
 */
#pragma once

#include "base/config.h"
#include "base/table.h"
#include "base/uuid.h"
#include "broker/admission.h"
#include "broker/auth.h"
#include "broker/pace.h"
#include "broker/problem.h"
#include "broker/trace.h"
#include "sandbox/sandbox.h"
#include "store/store.h"
#include "wire/link.h"
#include "wire/service.h"

struct broker;
struct job;
struct call;

/* ---- a call: one exchange and what became of it ---- */

/* What a call waits for. */
enum call_wait {
  CALL_RECORD, /* a stored record */
  CALL_LIST,   /* a page of stored records */
  CALL_SECRET, /* what the keeper says of a secret */
  /* and those that are in a job's list: */
  CALL_RESULT, /* the job's reply */
  CALL_STORED, /* the record of the running job: 202 */
  CALL_GONE,   /* the end of the job: 204 */
  CALL_EVENTS  /* a stream of events */
};

struct route;
struct route_table { /* of the listener that the call came in by */
  const struct route *routes;
  size_t count;
};

struct call {
  struct broker *broker;
  struct http_exchange *exchange; /* NULL once it is answered or its caller has left */
  struct route_table table;
  const struct route *route;
  struct trace trace;
  uint64_t began_ns;
  struct span parameter;    /* of the path, where the route has one */
  char user_id[256];        /* the caller's id … */
  uint8_t user[STORE_USER]; /* … and its SHA-256 */
  struct job *job;          /* the call is in its list */
  struct call *next;
  enum call_wait wait;
  unsigned references;    /* answers from the store or the keeper that will come for this call */
  uint64_t ticket;        /* of what the keeper is asked for this call; 0: nothing */
  uint32_t asked;         /* records that it was asked to open */
  size_t opening;         /* their bytes */
  uint64_t due_ms;        /* a secret: when (monotonic) the caller waits no longer */
  uint8_t last[STORE_ID]; /* a list: the last id of the page */
  bool more;
  bool with_attestation;
  struct buf held;   /* a reply that waits for what belongs into it */
  size_t events_at;  /* a stream: the caller has the job's events up to here */
  uint8_t *list_ids; /* a list: ids of the page, STORE_ID bytes each */
};

/* Answers. The call is the caller's no longer: it is freed once nothing more comes for it. */
void call_reply(struct call *call, int status, const char *media_type, struct span body, const struct http_field *more,
                size_t more_count);
void call_json(struct call *call, int status, struct span body);
/* `detail` may be NULL: the result's sentence. */
void call_problem(struct call *call, enum result why, const char *detail);
void call_empty(struct call *call, int status);
/* An answer for the call will come from elsewhere; it has come. call_drop returns false if the call is gone, or has
 * nobody left to answer: then it must not be touched. */
void call_hold(struct call *call);
bool call_drop(struct call *call);
/* The value of a member of the query string, percent-decoded into `out`; false if it is absent. One that is malformed
 * or does not fit is "?", which is no value of any member. */
bool call_query(const struct call *call, const char *name, char *out, size_t out_size);
/* The route's parameter, percent-decoded; false if it is malformed or does not fit. */
bool call_parameter(const struct call *call, char *out, size_t out_size);
const struct http_request *call_request(const struct call *call);
/* Whether the body says that it is JSON, or says nothing. */
bool call_brings_json(const struct call *call);
/* Of an open route: learns who calls if they say so. */
void call_know(struct call *call);
/* Starts a stream of server-sent events. */
void call_stream(struct call *call);
bool call_write(struct call *call, struct span bytes);
void call_end(struct call *call);

struct http_handler routes_handler(struct broker *b);
/* For the listener of metrics. */
struct http_handler routes_metrics_handler(struct broker *b);

/* ---- the routes' handlers ---- */

void execute_post(struct call *call);
void records_list(struct call *call);
void records_get(struct call *call);
void records_delete(struct call *call);
void events_get(struct call *call);
void secrets_put(struct call *call);
void secrets_list(struct call *call);
void secrets_delete(struct call *call);
void secrets_audit(struct call *call);
void secrets_policy(struct call *call);
void about_health(struct call *call);
void about_ready(struct call *call);
void about_info(struct call *call);
void about_metrics(struct call *call);
void attestation_get(struct call *call);
void attestation_earlier(struct call *call);
void about_asset(struct call *call);

/* Has the store keep the current document for as long as a job that names it, and longer: called now and then. */
void attestation_keep(struct broker *b);
/* Whether the caller asks for a job's attestation with it; answers with this reply and that. */
bool attestation_is_wanted(const struct call *call);
void attestation_inline(struct call *call, struct span reply);

/* Answers with a stored record: has the keeper open it. */
void records_answer(struct call *call, const struct store_job *stored);

/* What the keeper or the store answers for a call. */
void records_opened(struct broker *b, const struct wire_opened *m, struct cursor rest);
void attestation_answered(struct broker *b, const struct wire_attested *m);
void secrets_answered(struct broker *b, const struct wire_secreted *m);

/* The keeper asks the embedded store of secrets; false if that is no query. */
bool must_use secrets_query(struct broker *b, const struct wire_query *m, struct cursor rest);
/* Answers calls that have waited too long; ends the process if the keeper has fallen silent. */
void secrets_expire(struct broker *b);

/* ---- a job ---- */

enum job_state {
  JOB_CHECKING,   /* its idempotency key is looked up */
  JOB_WAITING,    /* for a turn */
  JOB_RUNNING,    /* the keeper has it */
  JOB_COMMITTING, /* it has ended; its record is being stored */
  JOB_DONE        /* everybody has been answered; freed once nothing more comes for it */
};

struct job {
  struct broker *broker;
  uint64_t ticket; /* between broker and keeper */
  uint8_t id[STORE_ID], user[STORE_USER];
  enum job_state state;
  bool async, has_key;
  bool stored;                                /* a record says that it runs */
  bool cancelled;                             /* the keeper was told */
  bool unread;                                /* of a service that is no more, and its record did not open */
  uint8_t key[STORE_KEY], request[STORE_KEY]; /* idempotency */
  struct admission_ticket *admitted;
  struct buf message;       /* EXECUTE, until it is sent */
  struct buf reply, sealed; /* once it has ended */
  enum result result;
  struct buf events; /* server-sent events so far */
  uint32_t event_count;
  struct call *calls;
  unsigned references; /* answers from the store that will come */
  uint64_t waits_since_ns;
  uint64_t timeout_ms,
      due_ms; /* its limit; when (monotonic) a keeper that is well has long said ENDED, 0: at no time */
  struct trace trace;
  struct job *retry; /* in the list of those whose record could not be stored */
};

enum result must_use job_new(struct call *call, const struct wire_execute *execute, struct job **out);
/* Admits the job, or answers its call and frees it. */
void job_admit(struct job *job);
/* Whether as many callers wait for it as may: each gets a copy of its reply. */
bool job_is_crowded(const struct job *job);
/* The call waits for what the job comes to. */
void job_join(struct job *job, struct call *call, enum call_wait wait);
/* The call waits no longer (its caller left). A job that nobody waits for is cancelled, unless it is asynchronous, or
 * has an idempotency key: then its caller may come back for it. */
void job_leave(struct job *job, struct call *call);
/* The keeper ends it with `why`: RESULT_CANCELLED or RESULT_INTERRUPTED. */
void job_cancel(struct job *job, enum result why);
/* Takes the call out of the job's list, and nothing else. */
void job_detach(struct job *job, struct call *call);
void job_id_text(const uint8_t id[STORE_ID], char out[UUID_TEXT + 1]);
/* 202: the job runs and is stored. */
void job_accepted(const struct job *job, struct call *call);
void job_free(struct job *job);
struct job *job_find(struct broker *b, const uint8_t user[STORE_USER], const uint8_t id[STORE_ID]);
/* The live job of a user's idempotency key. */
struct job *job_find_key(struct broker *b, const uint8_t user[STORE_USER], const uint8_t key[STORE_KEY]);

/* What the keeper says of jobs. */
void jobs_stored(struct broker *b, const struct wire_stored *m);
void jobs_logged(struct broker *b, const struct wire_logged *m);
void jobs_ended(struct broker *b, const struct wire_ended *m);
/* Starts what may start, gives up what has waited too long. */
void jobs_pump(struct broker *b);
void jobs_expire_waiting(struct broker *b);
/* Jobs of a service that is no more: tells the keeper; broker_recovered follows once all are stored as interrupted. */
void jobs_recover(struct broker *b);
void jobs_retry(struct broker *b);
/* Ends the process if the keeper has fallen silent. */
void jobs_check_keeper(struct broker *b);
/* The service stops: ends everything. */
void jobs_interrupt_all(struct broker *b);
unsigned jobs_live(const struct broker *b);

/* ---- events ---- */

#define EVENTS_MAX (4u << 20) /* bytes of a job's events before the last one */

void events_log(struct job *job, const struct wire_logged *m);
void events_end(struct job *job);
/* The stream of a job that was over when it was asked for. */
void events_ended_job(struct call *call, const struct wire_answer *answer);
/* A comment to everybody who listens, so that nothing between us thinks the connection dead. */
void events_heartbeat(struct broker *b);

/* ---- the process ---- */

#define BROKER_WAIT_MS 10000u           /* the longest a job waits for its turn */
#define BROKER_OPENING_MAX (8u << 20)   /* bytes of records that the keeper opens at a time, about */
#define BROKER_REPLIES_MAX (256u << 20) /* bytes of replies that wait for their callers, about */
#define BROKER_BODY_MAX 1310720u        /* bytes of a request's body … */
#define SECRETS_BODY_MAX 204800u        /* … and of one about a secret */

struct broker {
  struct event_base *loop;
  struct link *supervisor, *keeper;
  bool keeper_begun, supervisor_begun;
  struct config *config;
  sandbox_set fences;
  struct auth *auth;
  struct admission *admission;
  struct store *store;
  struct http_server *http, *metrics;
  struct table *by_ticket, *by_id, *by_key; /* live jobs */
  struct table *asked;                      /* calls, by the ticket of what the keeper was asked */
  struct table *secret_calls;               /* calls about secrets, likewise */
  struct job *retries;
  struct buf outgoing;
  uint64_t last_ticket;
  size_t opening; /* bytes of records that the keeper was asked to open and has not answered for */
  unsigned calls; /* exchanges that are not answered */
  struct uuid_maker ids;
  uint64_t result_ttl_ms, cleanup_ms, per_user, waiting, workers, parked;
  uint64_t recovering;         /* interrupted jobs not yet stored */
  uint8_t recovered[STORE_ID]; /* up to which id */
  bool ready, stopping;
  bool encrypt_always;
  struct {
    struct buf text; /* owns what the spans point to */
    struct span engine, isolation, tee, attested, stores;
    sandbox_set worker_fences;
    uint8_t attestation[32];
    uint64_t attested_at, kept_until_ms;
  } identity;
  struct pace pace; /* of questions for evidence */
  struct wire_gauges gauges;
  struct event *store_event, *cleanup, *queue, *retry, *grace, *drain, *heartbeat, *secrets, *later;
  struct buf tls_text;
  struct http_tls tls; /* points into tls_text, until the listener has it */
  bool has_tls, said_drained, failed;
};

/* Brings the metrics' gauges up to date. */
void broker_gauges(struct broker *b);
/* Sends what is in b->outgoing. The keeper's end is noticed by its link. */
void broker_send(struct broker *b);
uint64_t broker_ticket(struct broker *b);
/* Ends the loop: the process cannot go on. */
void broker_fail(struct broker *b, const char *event, enum result why);
void broker_recovered(struct broker *b);
/* So much of replies waits for peers who do not read that no more is begun: RESULT_BUSY. */
bool broker_is_full(const struct broker *b);
/* The keeper was asked to open so many bytes; it has answered. While it has much to do, the store is not asked what it
 * found: neither a socket's buffer nor memory grows with how many callers ask at once. */
void broker_opens(struct broker *b, size_t bytes);
void broker_opened(struct broker *b, size_t bytes);
