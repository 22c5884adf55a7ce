#include "broker/state.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "broker/assets.h"
#include "broker/envelope.h"
#include "broker/metrics.h"

#define SERVICE_NAME "NeoCompute Service"
#define ASKED_MAX 1024u /* questions that the keeper has not answered */

static bool in_enclave(const struct broker *b) {
  return b->identity.tee.len > 0 && !span_is(b->identity.tee, "sim");
}

static void put_identity(struct buf *b, const struct broker *broker) {
  buf_printf(b, "\"service\":\"%s\",\"version\":\"%s\",\"enclave\":%s,\"timestamp\":\"", SERVICE_NAME,
             NEOCOMPUTE_VERSION, in_enclave(broker) ? "true" : "false");
  text_put_rfc3339(b, clock_real_ns());
  buf_put_u8(b, '"');
}

static void answer_state(struct call *call, bool good) {
  struct buf body = buf_new(1024);
  buf_printf(&body, "{\"status\":\"%s\",", good ? "healthy" : "unhealthy");
  put_identity(&body, call->broker);
  buf_put_u8(&body, '}');
  call_json(call, good ? 200 : 503, buf_span(&body));
  buf_free(&body);
}

/* It answers: it lives. */
void about_health(struct call *call) {
  answer_state(call, true);
}

void about_ready(struct call *call) {
  answer_state(call, call->broker->ready && !call->broker->stopping);
}

/* ---- /info ---- */

static void put_text(struct buf *b, const char *key, struct span value) {
  buf_printf(b, ",\"%s\":", key);
  json_put_string(b, value);
}

static void put_fences(struct buf *b, const char *key, sandbox_set set) {
  buf_printf(b, "\"%s\":[", key);
  for (unsigned i = 0, n = 0; i < SANDBOX_COUNT; i++) {
    if (!(set & 1u << i)) continue;
    buf_printf(b, "%s\"%s\"", n++ > 0 ? "," : "", sandbox_name((enum sandbox_bit)i));
  }
  buf_put_u8(b, ']');
}

static void put_isolation(struct buf *b, const struct broker *broker) {
  buf_put_text(b, ",\"isolation\":{\"profile\":");
  json_put_string(b, broker->identity.isolation);
  buf_put_u8(b, ',');
  put_fences(b, "held", broker->identity.worker_fences);
  buf_put_u8(b, ',');
  put_fences(b, "refused", SANDBOX_ALL & ~broker->identity.worker_fences);
  buf_put_u8(b, ',');
  put_fences(b, "broker", broker->fences);
  buf_put_u8(b, '}');
}

/* Every limit of the contract. */
static void put_limits(struct buf *b, const struct broker *broker) {
  const struct {
    const char *name;
    uint64_t value;
  } limits[] = {{"script_bytes", ENVELOPE_SCRIPT_MAX},
                {"input_bytes", ENVELOPE_INPUT_MAX},
                {"request_bytes", BROKER_BODY_MAX},
                {"secret_refs", ENVELOPE_SECRETS_MAX},
                {"secret_bytes", ENVELOPE_SECRET_MAX},
                {"secrets_per_user", STORE_SECRETS_OF_USER},
                {"secrets_bytes_per_user", STORE_SECRETS_BYTES},
                {"hosts", ENVELOPE_HOSTS_MAX},
                {"output_bytes", 1048576},
                {"log_entries", 100},
                {"log_entry_bytes", 4096},
                {"jobs_per_user", broker->per_user},
                {"jobs_waiting", broker->waiting},
                {"jobs_running", broker->workers},
                {"wait_ms", BROKER_WAIT_MS},
                {"timeout_ms", 30000},
                {"timeout_ms_max", 120000},
                {"memory_bytes", 128u << 20},
                {"memory_bytes_max", 1024u << 20},
                {"stack_bytes", 1u << 20},
                {"nonce_bytes", ENVELOPE_NONCE_MAX},
                {"retention_ms", broker->result_ttl_ms}};
  buf_put_text(b, ",\"limits\":{");
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
    buf_printf(b, "%s\"%s\":%llu", i > 0 ? "," : "", limits[i].name, (unsigned long long)limits[i].value);
  buf_put_u8(b, '}');
}

static void put_statistics(struct buf *b, const struct broker *broker) {
  struct admission_stats jobs = admission_stats(broker->admission);
  struct store_stats store = store_stats(broker->store);
  buf_printf(b, ",\"statistics\":{\"total_jobs\":%llu,\"running_jobs\":%u,\"waiting_jobs\":%u,\"result_ttl\":\"",
             (unsigned long long)store.jobs, jobs.running, jobs.waiting);
  text_put_go_duration(b, broker->result_ttl_ms * 1000000u);
  buf_put_text(b, "\",\"cleanup_interval\":\"");
  text_put_go_duration(b, broker->cleanup_ms * 1000000u);
  buf_printf(b, "\",\"workers_idle\":%u,\"workers_busy\":%u}", broker->gauges.workers_idle,
             broker->gauges.workers_busy);
}

void about_info(struct call *call) {
  const struct broker *b = call->broker;
  struct buf body = buf_new(16384);
  buf_put_text(&body, "{\"status\":\"active\",");
  put_identity(&body, b);
  put_text(&body, "tee", b->identity.tee);
  put_text(&body, "engine", b->identity.engine);
  buf_put_text(&body, ",\"attestation\":\"");
  if (b->ready) text_put_hex(&body, span_of(b->identity.attestation, sizeof b->identity.attestation));
  buf_put_u8(&body, '"');
  put_isolation(&body, b);
  put_limits(&body, b);
  put_statistics(&body, b);
  buf_put_u8(&body, '}');
  call_json(call, 200, buf_span(&body));
  buf_free(&body);
}

/* ---- /metrics ---- */

void about_metrics(struct call *call) {
  struct buf body = buf_new(1u << 20);
  broker_gauges(call->broker);
  metrics_write(&body);
  call_reply(call, 200, METRICS_CONTENT_TYPE, buf_span(&body), NULL, 0);
  buf_free(&body);
}

/* ---- /attestation ---- */

static void answer_current(struct call *call) {
  const struct broker *b = call->broker;
  char age[24];
  uint64_t now = clock_real_ns() / 1000000000u;
  snprintf(age, sizeof age, "%llu",
           (unsigned long long)(now > b->identity.attested_at ? now - b->identity.attested_at : 0));
  const struct http_field field = {span_text("age"), span_text(age)};
  call_reply(call, 200, "application/json", b->identity.attested, &field, 1);
}

void about_attestation(struct call *call) {
  struct broker *b = call->broker;
  char text[128];
  uint8_t memory[64];
  struct buf nonce = buf_fixed(memory, sizeof memory);
  if (!b->ready) {
    call_problem(call, RESULT_BUSY, NULL);
    return;
  }
  if (!call_query(call, "nonce", text, sizeof text)) {
    answer_current(call);
    return;
  }
  if (base64_get_url(&nonce, span_text(text)) != RESULT_OK || nonce.len < 16) {
    call_problem(call, RESULT_BAD_REQUEST, "nonce must be base64url of 16 to 64 bytes");
    return;
  }
  /* Anybody may ask, and each is a signature. */
  if (table_count(b->asked) >= ASKED_MAX) {
    call_problem(call, RESULT_BUSY, NULL);
    return;
  }
  call->ticket = broker_ticket(b);
  enum result r = table_put(b->asked, &call->ticket, call);
  if (r != RESULT_OK) {
    call_problem(call, r, NULL);
    return;
  }
  call_hold(call);
  wire_put_attest(&b->outgoing, &(struct wire_attest){.ticket = call->ticket, .nonce = buf_span(&nonce)});
  broker_send(b);
}

void about_attested(struct broker *b, const struct wire_attested *m) {
  struct call *call = table_get(b->asked, &m->ticket);
  if (call == NULL || call->asked > 0) {
    broker_fail(b, "keeper_answered_nonsense", RESULT_PEER_LIED);
    return;
  }
  table_remove(b->asked, &m->ticket);
  if (!call_drop(call)) return;
  if (m->result == RESULT_OK)
    call_json(call, 200, m->reply);
  else
    call_problem(call, (enum result)m->result, NULL);
}

static void on_document(void *context, const struct store_answer *answer) {
  struct call *call = context;
  if (!call_drop(call)) return;
  if (answer->result == RESULT_OK)
    call_json(call, 200, answer->jobs[0].record);
  else
    call_problem(call, answer->result == RESULT_JOB_NOT_FOUND ? RESULT_NOT_FOUND : answer->result, NULL);
}

void about_attestation_earlier(struct call *call) {
  uint8_t sha256[32];
  if (call->parameter.len != 64 || !text_unhex(call->parameter, sha256, sizeof sha256)) {
    call_problem(call, RESULT_NOT_FOUND, NULL);
    return;
  }
  call_hold(call);
  enum result r = store_get_document(call->broker->store, sha256, on_document, call);
  if (r != RESULT_OK && call_drop(call)) call_problem(call, r, NULL);
}

/* ---- files that are part of the program ---- */

void about_asset(struct call *call) {
  const struct asset *asset = assets_find(call_request(call)->path);
  struct http_field fields[ASSETS_FIELDS];
  if (asset == NULL) {
    call_problem(call, RESULT_NOT_FOUND, NULL);
    return;
  }
  size_t count = assets_fields(asset, fields);
  if (assets_unchanged(asset, http_field_of(call_request(call), "if-none-match")))
    call_reply(call, 304, NULL, span_text(""), fields, count);
  else
    call_reply(call, 200, NULL, asset->bytes, fields, count);
}
