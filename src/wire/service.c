#include "wire/service.h"

#include "wire/fields.h"

bool service_in_order(enum service_peer sender, enum service_peer receiver, uint8_t type, bool *begun) {
  static const struct {
    uint8_t type;
    enum service_peer sender, receiver;
    enum service_time when;
  } table[] = {
#define SERVICE_ROW(name, number, sender, receiver, when) \
  {WIRE_##name, SERVICE_##sender, SERVICE_##receiver, SERVICE_##when},
      SERVICE_MESSAGES(SERVICE_ROW)
#undef SERVICE_ROW
  };
  for (size_t i = 0; i < COUNT(table); i++) {
    if (table[i].type != type) continue;
    if (table[i].sender != sender || table[i].receiver != receiver) return false;
    bool in_time = *begun == (table[i].when == SERVICE_LATER);
    *begun = true;
    return in_time;
  }
  return false;
}

static const struct field cancel_fields[] = {FIELD(U64, wire_cancel, ticket), FIELD(U32, wire_cancel, result)};

static const struct field interrupt_fields[] = {FIELD(U64, wire_interrupt, ticket), FIELD(BYTES16, wire_interrupt, job),
                                                FIELD(BYTES32, wire_interrupt, user),
                                                FIELD(BLOCK, wire_interrupt, sealed)};

static const struct field attest_fields[] = {FIELD(U64, wire_attest, ticket), FIELD(BLOCK, wire_attest, nonce)};

static const struct field identity_fields[] = {
    FIELD(BLOCK, wire_identity, engine),        FIELD(BLOCK, wire_identity, isolation),
    FIELD(BLOCK, wire_identity, tee),           FIELD(U32, wire_identity, worker_fences),
    FIELD(BYTES32, wire_identity, attestation), FIELD(BLOCK, wire_identity, attested),
    FIELD(U64, wire_identity, attested_at),     FIELD(BLOCK, wire_identity, stores)};

static const struct field stored_fields[] = {FIELD(U64, wire_stored, ticket), FIELD(BLOCK, wire_stored, sealed)};

static const struct field logged_fields[] = {FIELD(U64, wire_logged, ticket), FIELD(U8, wire_logged, level),
                                             FIELD(BLOCK, wire_logged, text)};

static const struct field ended_fields[] = {FIELD(U64, wire_ended, ticket),  FIELD(U32, wire_ended, result),
                                            FIELD(BLOCK, wire_ended, reply), FIELD(BLOCK, wire_ended, sealed),
                                            FIELD(U64, wire_ended, wall_ns), FIELD(U64, wire_ended, cpu_ns),
                                            FIELD(U64, wire_ended, steps)};

static const struct field attested_fields[] = {FIELD(U64, wire_attested, ticket), FIELD(U32, wire_attested, result),
                                               FIELD(BLOCK, wire_attested, reply)};

static const struct field gauges_fields[] = {
    FIELD(U32, wire_gauges, workers_idle),     FIELD(U32, wire_gauges, workers_busy),
    FIELD(U32, wire_gauges, workers_starting), FIELD(U64, wire_gauges, workers_started),
    FIELD(U64, wire_gauges, workers_killed),   FIELD(U64, wire_gauges, receipts)};

static const struct field parked_fields[] = {FIELD(U32, wire_parked, jobs)};

static const struct field keeper_setup_fields[] = {
    FIELD(BLOCK, wire_keeper_setup, config),      FIELD(BLOCK, wire_keeper_setup, master_key),
    FIELD(BLOCK, wire_keeper_setup, secrets_key), FIELD(BLOCK, wire_keeper_setup, supabase_key),
    FIELD(BLOCK, wire_keeper_setup, tls_spki),    FIELD(FLAG, wire_keeper_setup, strict)};

static const struct field rotate_fields[] = {FIELD(BLOCK, wire_rotate, tls_spki)};

static const struct field evidence_fields[] = {
    FIELD(U64, wire_evidence, ticket), FIELD(BLOCK, wire_evidence, report_data),
    FIELD(BYTES32, wire_evidence, agree_key), FIELD(BLOCK, wire_evidence, nonce)};

static const struct field evidenced_fields[] = {FIELD(U64, wire_evidenced, ticket), FIELD(U32, wire_evidenced, result),
                                                FIELD(BLOCK, wire_evidenced, raw)};

static const struct field egress_setup_fields[] = {
    FIELD(BLOCK, wire_egress_setup, config), FIELD(BLOCK, wire_egress_setup, authorities),
    FIELD(BLOCK, wire_egress_setup, names), FIELD(BLOCK, wire_egress_setup, database)};

static const struct field secret_call_fields[] = {
    FIELD(U64, wire_secret_call, ticket),   FIELD(U32, wire_secret_call, verb),
    FIELD(BYTES32, wire_secret_call, user), FIELD(BLOCK, wire_secret_call, user_id),
    FIELD(BLOCK, wire_secret_call, name),   FIELD(BLOCK, wire_secret_call, body),
    FIELD(BLOCK, wire_secret_call, trace),  FIELD(U64, wire_secret_call, before),
    FIELD(U32, wire_secret_call, limit)};

static const struct field secreted_fields[] = {FIELD(U64, wire_secreted, ticket), FIELD(U32, wire_secreted, result),
                                               FIELD(BLOCK, wire_secreted, detail), FIELD(BLOCK, wire_secreted, reply)};

static const struct field request_fields[] = {
    FIELD(U64, wire_request, ticket),    FIELD(BYTES32, wire_request, pool),   FIELD(U32, wire_request, flags),
    FIELD(U32, wire_request, port),      FIELD(U32, wire_request, timeout_ms), FIELD(U32, wire_request, response_max),
    FIELD(BLOCK, wire_request, method),  FIELD(BLOCK, wire_request, host),     FIELD(BLOCK, wire_request, target),
    FIELD(BLOCK, wire_request, headers), FIELD(BLOCK, wire_request, body)};

static const struct field response_fields[] = {
    FIELD(U64, wire_response, ticket),  FIELD(U32, wire_response, result),    FIELD(U32, wire_response, status),
    FIELD(BLOCK, wire_response, error), FIELD(BLOCK, wire_response, headers), FIELD(BLOCK, wire_response, location),
    FIELD(BLOCK, wire_response, body)};

static const struct field forget_fields[] = {FIELD(U64, wire_forget, ticket)};

static const struct field broker_setup_fields[] = {
    FIELD(BLOCK, wire_broker_setup, config),      FIELD(BLOCK, wire_broker_setup, store),
    FIELD(BLOCK, wire_broker_setup, jwt_secret),  FIELD(BLOCK, wire_broker_setup, jwt_jwks),
    FIELD(BLOCK, wire_broker_setup, service_key), FIELD(FLAG, wire_broker_setup, strict)};

static const struct field listener_fields[] = {FIELD(U32, wire_listener, kind), FIELD(BLOCK, wire_listener, address)};

static const struct field tls_fields[] = {FIELD(BLOCK, wire_tls, certificate), FIELD(BLOCK, wire_tls, key),
                                          FIELD(BLOCK, wire_tls, client_ca), FIELD(FLAG, wire_tls, require_client)};

static const struct field worker_fields[] = {FIELD(U32, wire_worker, number)};
static const struct field nice_fields[] = {FIELD(U32, wire_nice, number), FIELD(U32, wire_nice, level)};
static const struct field stop_fields[] = {FIELD(U64, wire_stop, grace_ms)};
static const struct field up_fields[] = {FIELD(U32, wire_up, fences)};

#define SERVICE_DEFINE(name, NAME, type) PLAIN_MESSAGE(name, NAME, type)
SERVICE_PLAIN(SERVICE_DEFINE)

void wire_put_empty(struct buf *b, enum service_type type) {
  msg_begin(b, (uint8_t)type);
}

bool wire_get_empty(struct span body) {
  return body.len == 0;
}

static const struct field execute_fields[] = {
    FIELD(U64, wire_execute, ticket),      FIELD(BYTES16, wire_execute, job),    FIELD(BYTES32, wire_execute, user),
    FIELD(U32, wire_execute, flags),       FIELD(U64, wire_execute, timeout_ms), FIELD(U64, wire_execute, memory),
    FIELD(U64, wire_execute, steps),       FIELD(BLOCK, wire_execute, script),   FIELD(BLOCK, wire_execute, entry),
    FIELD(BLOCK, wire_execute, input),     FIELD(BLOCK, wire_execute, nonce),    FIELD(BLOCK, wire_execute, trace),
    FIELD(BLOCK, wire_execute, user_id),   FIELD(BLOCK, wire_execute, app),      FIELD(BLOCK, wire_execute, name),
    FIELD(BLOCK, wire_execute, hosts),     FIELD(BLOCK, wire_execute, sealed),   FIELD(BLOCK, wire_execute, recipient),
    FIELD(U32, wire_execute, secret_count)};

void wire_put_execute(struct buf *b, const struct wire_execute *m) {
  msg_begin(b, WIRE_EXECUTE);
  wire_put_fields(b, execute_fields, COUNT(execute_fields), m);
  if (m->secret_count > WIRE_SECRETS_MAX) b->bad = true;
  for (uint32_t i = 0; !b->bad && i < m->secret_count; i++) buf_put_block(b, m->secrets[i]);
}

bool wire_get_execute(struct span body, struct wire_execute *m) {
  struct cursor c = cursor_of(body);
  *m = (struct wire_execute){0};
  wire_get_fields(&c, execute_fields, COUNT(execute_fields), m);
  if (c.bad || m->secret_count > WIRE_SECRETS_MAX) return false;
  for (uint32_t i = 0; i < m->secret_count; i++) m->secrets[i] = cursor_block(&c);
  return cursor_end(&c);
}

/* ---- lists ---- */

static const struct field open_fields[] = {FIELD(U64, wire_open, ticket), FIELD(BYTES32, wire_open, user),
                                           FIELD(U32, wire_open, count)};
static const struct field record_fields[] = {FIELD(BYTES16, wire_record, job), FIELD(BLOCK, wire_record, sealed)};
static const struct field opened_fields[] = {FIELD(U64, wire_opened, ticket), FIELD(U32, wire_opened, count)};
static const struct field answer_fields[] = {FIELD(U32, wire_answer, result), FIELD(BLOCK, wire_answer, reply)};

void wire_put_open(struct buf *b, const struct wire_open *m) {
  msg_begin(b, WIRE_OPEN);
  wire_put_fields(b, open_fields, COUNT(open_fields), m);
  if (m->count > SERVICE_OPEN_RECORDS) b->bad = true;
  for (uint32_t i = 0; !b->bad && i < m->count; i++)
    wire_put_fields(b, record_fields, COUNT(record_fields), &m->records[i]);
}

bool wire_get_open(struct span body, struct wire_open *m, struct cursor *rest) {
  *rest = cursor_of(body);
  *m = (struct wire_open){0};
  wire_get_fields(rest, open_fields, COUNT(open_fields), m);
  return !rest->bad && m->count <= SERVICE_OPEN_RECORDS;
}

bool wire_get_record(struct cursor *rest, struct wire_record *m) {
  *m = (struct wire_record){0};
  wire_get_fields(rest, record_fields, COUNT(record_fields), m);
  return !rest->bad;
}

void wire_put_opened(struct buf *b, const struct wire_opened *m) {
  msg_begin(b, WIRE_OPENED);
  wire_put_fields(b, opened_fields, COUNT(opened_fields), m);
  if (m->count > SERVICE_OPEN_RECORDS) b->bad = true;
  for (uint32_t i = 0; !b->bad && i < m->count; i++)
    wire_put_fields(b, answer_fields, COUNT(answer_fields), &m->answers[i]);
}

bool wire_get_opened(struct span body, struct wire_opened *m, struct cursor *rest) {
  *rest = cursor_of(body);
  *m = (struct wire_opened){0};
  wire_get_fields(rest, opened_fields, COUNT(opened_fields), m);
  return !rest->bad && m->count <= SERVICE_OPEN_RECORDS;
}

bool wire_get_answer(struct cursor *rest, struct wire_answer *m) {
  *m = (struct wire_answer){0};
  wire_get_fields(rest, answer_fields, COUNT(answer_fields), m);
  return !rest->bad;
}

/* ---- queries of a store of secrets, and their rows ---- */

static const struct field query_fields[] = {FIELD(U64, wire_query, ticket), FIELD(U32, wire_query, timeout_ms),
                                            FIELD(U32, wire_query, count), FIELD(U8, wire_query, later)};
static const struct field rows_fields[] = {FIELD(U64, wire_rows, ticket), FIELD(U32, wire_rows, result),
                                           FIELD(U32, wire_rows, count)};
static const struct field statement_fields[] = {FIELD(U32, wire_statement, statement),
                                                FIELD(U32, wire_statement, count)};

void wire_put_statement(struct buf *b, const struct wire_statement *m) {
  wire_put_fields(b, statement_fields, COUNT(statement_fields), m);
  if (m->count > WIRE_VALUES_MAX) b->bad = true;
  for (uint32_t i = 0; !b->bad && i < m->count; i++) buf_put_block(b, m->values[i]);
}

bool wire_get_statement(struct cursor *rest, struct wire_statement *m) {
  *m = (struct wire_statement){0};
  wire_get_fields(rest, statement_fields, COUNT(statement_fields), m);
  if (rest->bad || m->count > WIRE_VALUES_MAX) return false;
  for (uint32_t i = 0; i < m->count; i++) m->values[i] = cursor_block(rest);
  return !rest->bad;
}

void wire_put_query(struct buf *b, enum service_type type, const struct wire_query *m) {
  msg_begin(b, (uint8_t)type);
  wire_put_fields(b, query_fields, COUNT(query_fields), m);
  if (m->count > WIRE_STATEMENTS_MAX) b->bad = true;
  for (uint32_t i = 0; !b->bad && i < m->count; i++) wire_put_statement(b, &m->statements[i]);
}

bool wire_get_query(struct span body, struct wire_query *m, struct cursor *rest) {
  *rest = cursor_of(body);
  *m = (struct wire_query){0};
  wire_get_fields(rest, query_fields, COUNT(query_fields), m);
  return !rest->bad && m->count <= WIRE_STATEMENTS_MAX && m->later <= 1;
}

void wire_put_rows(struct buf *b, enum service_type type, const struct wire_rows *m) {
  msg_begin(b, (uint8_t)type);
  wire_put_fields(b, rows_fields, COUNT(rows_fields), m);
  if (m->count > WIRE_ROWS_MAX) b->bad = true;
  for (uint32_t i = 0; !b->bad && i < m->count; i++) wire_put_statement(b, &m->rows[i]);
}

bool wire_get_rows(struct span body, struct wire_rows *m, struct cursor *rest) {
  *rest = cursor_of(body);
  *m = (struct wire_rows){0};
  wire_get_fields(rest, rows_fields, COUNT(rows_fields), m);
  return !rest->bad && m->count <= WIRE_ROWS_MAX;
}
