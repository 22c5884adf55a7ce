#include "broker/state.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "broker/assets.h"
#include "broker/envelope.h"
#include "broker/metrics.h"

#define SERVICE_NAME "NeoCompute Service"

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

/* Of secrets: which there are, and which rows they read. */
static void put_stores(struct buf *b, const struct broker *broker) {
  buf_put_text(b, ",\"secrets\":");
  buf_put_span(b, broker->ready ? broker->identity.stores : span_text("[]"));
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
  buf_printf(&body, ",\"simulated\":%s", in_enclave(b) ? "false" : "true");
  put_text(&body, "engine", b->identity.engine);
  buf_put_text(&body, ",\"attestation\":\"");
  if (b->ready) text_put_hex(&body, span_of(b->identity.attestation, sizeof b->identity.attestation));
  buf_put_u8(&body, '"');
  put_isolation(&body, b);
  put_stores(&body, b);
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
