#include "base/base64.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/text.h"
#include "broker/state.h"

#define ASKED_MAX 1024u /* questions that the keeper has not answered */
#define HOUR_MS 3600000u
#define REPLY_MAX (1u << 20) /* an attestation reply */

/* ---- how long documents are kept ---- */

static void keep(struct broker *b, uint64_t until_ms) {
  enum result r = store_put_document(b->store, b->identity.attestation, b->identity.attested, until_ms, NULL, NULL);
  if (r != RESULT_OK) broker_fail(b, "attestation_not_stored", r);
}

/* A job that is stored now names the current document, and is kept for so long. */
static uint64_t least_ms(const struct broker *b) {
  return b->result_ttl_ms + b->cleanup_ms + HOUR_MS;
}

void attestation_keep(struct broker *b) {
  const uint64_t now = clock_real_ns() / 1000000u, least = least_ms(b);
  if (b->identity.attested.len == 0 || b->identity.kept_until_ms > now + least) return;
  b->identity.kept_until_ms = now + 2 * least;
  keep(b, b->identity.kept_until_ms);
}

/* ---- GET /attestation ---- */

static void answer_current(struct call *call) {
  const struct broker *b = call->broker;
  char age[24];
  uint64_t now = clock_real_ns() / 1000000000u;
  snprintf(age, sizeof age, "%llu",
           (unsigned long long)(now > b->identity.attested_at ? now - b->identity.attested_at : 0));
  const struct http_field field = {span_text("age"), span_text(age)};
  call_reply(call, 200, "application/json", b->identity.attested, &field, 1);
}

/* Who asks, as far as that is known: nobody has to say. Of an address without its port; of IPv6, where one caller has
 * 2^64 of them, its first half (those bytes of the text that stand for it, or all of a shorter one). */
static void name_caller(const struct call *call, uint8_t key[PACE_KEY]) {
  if (call->user_id[0] != 0) {
    memcpy(key, call->user, PACE_KEY);
    return;
  }
  const char *address = http_peer_of(call->exchange)->address;
  const char *colon = strrchr(address, ':');
  size_t len = colon != NULL ? (size_t)(colon - address) : strlen(address), groups = 0;
  for (size_t i = 0; address[0] == '[' && i < len; i++)
    if (address[i] == ':' && ++groups == 4) len = i;
  digest_sha256(span_of(address, len), key);
}

static enum result ask_keeper(struct call *call, struct span nonce) {
  struct broker *b = call->broker;
  uint8_t key[PACE_KEY];
  if (table_count(b->asked) >= ASKED_MAX) return RESULT_BUSY;
  name_caller(call, key);
  enum result r = pace_take(&b->pace, key, clock_monotonic_ms());
  if (r != RESULT_OK) return r;
  call->ticket = broker_ticket(b);
  r = table_put(b->asked, &call->ticket, call);
  if (r != RESULT_OK) return r;
  call_hold(call);
  wire_put_attest(&b->outgoing, &(struct wire_attest){.ticket = call->ticket, .nonce = nonce});
  broker_send(b);
  return RESULT_OK;
}

void attestation_get(struct call *call) {
  char text[128];
  uint8_t memory[64];
  struct buf nonce = buf_fixed(memory, sizeof memory);
  if (!call->broker->ready) {
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
  /* Anybody may ask, and each is work for the machine. */
  call_know(call);
  enum result r = ask_keeper(call, buf_span(&nonce));
  if (r != RESULT_OK) call_problem(call, r, NULL);
}

void attestation_answered(struct broker *b, const struct wire_attested *m) {
  struct call *call = table_get(b->asked, &m->ticket);
  if (call == NULL || call->asked > 0) {
    broker_fail(b, "keeper_answered_nonsense", RESULT_PEER_LIED);
    return;
  }
  table_remove(b->asked, &m->ticket);
  if (!call_drop(call)) return;
  if (m->result == RESULT_OK)
    call_json(call, 200, m->reply);
  else /* whatever it was: the log has it */
    call_problem(call, m->result == RESULT_BUSY ? RESULT_BUSY : RESULT_EVIDENCE_AWAY, NULL);
}

/* ---- earlier ones ---- */

static void on_document(void *context, const struct store_answer *answer) {
  struct call *call = context;
  if (!call_drop(call)) return;
  if (answer->result == RESULT_OK)
    call_json(call, 200, answer->jobs[0].record);
  else
    call_problem(call, answer->result == RESULT_JOB_NOT_FOUND ? RESULT_NOT_FOUND : answer->result, NULL);
}

void attestation_earlier(struct call *call) {
  uint8_t sha256[32];
  if (call->parameter.len != 64 || !text_unhex(call->parameter, sha256, sizeof sha256)) {
    call_problem(call, RESULT_NOT_FOUND, NULL);
    return;
  }
  call_hold(call);
  enum result r = store_get_document(call->broker->store, sha256, on_document, call);
  if (r != RESULT_OK && call_drop(call)) call_problem(call, r, NULL);
}

/* ---- GET /jobs/{id}?attestation=1 ---- */

bool attestation_is_wanted(const struct call *call) {
  char text[8];
  return call_query(call, "attestation", text, sizeof text) && strcmp(text, "1") == 0;
}

/* json_visit */
static enum result find_hash(void *context, const struct json_item *item) {
  struct span *hash = context;
  if (span_is(item->key, "\"attestation\"") && item->value.len == 66) *hash = span_of(item->value.data + 1, 64);
  return RESULT_OK;
}

/* The reply without its last brace, and the other reply as its last member: null if it is there no longer. */
static void answer_both(struct call *call, struct span attested) {
  struct buf body = buf_new(SERVICE_ANSWER_MAX + REPLY_MAX);
  buf_put(&body, call->held.data, call->held.len - 1);
  buf_put_text(&body, ",\"attestation_reply\":");
  buf_put_span(&body, attested);
  buf_put_u8(&body, '}');
  if (body.bad)
    call_problem(call, RESULT_NO_MEMORY, NULL);
  else
    call_json(call, 200, buf_span(&body));
  buf_free(&body);
}

static void on_held_document(void *context, const struct store_answer *answer) {
  struct call *call = context;
  if (!call_drop(call)) return;
  if (answer->result == RESULT_OK)
    answer_both(call, answer->jobs[0].record);
  else if (answer->result == RESULT_JOB_NOT_FOUND)
    answer_both(call, span_text("null"));
  else
    call_problem(call, answer->result, NULL);
}

void attestation_inline(struct call *call, struct span reply) {
  struct span hash = span_text("");
  uint8_t sha256[32];
  size_t at;
  call->held = buf_new(SERVICE_ANSWER_MAX);
  buf_put_span(&call->held, reply);
  enum result r = call->held.bad ? RESULT_NO_MEMORY : json_each(reply, JSON_DEPTH_MAX, find_hash, &hash, &at);
  if (r != RESULT_OK) {
    call_problem(call, r, NULL);
    return;
  }
  if (!text_unhex(hash, sha256, sizeof sha256) || hash.len != 64) { /* a job that runs has no receipt yet */
    answer_both(call, span_text("null"));
    return;
  }
  call_hold(call);
  r = store_get_document(call->broker->store, sha256, on_held_document, call);
  if (r != RESULT_OK && call_drop(call)) call_problem(call, r, NULL);
}
