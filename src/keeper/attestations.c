#include "keeper/attestations.h"

struct making {
  struct making *next;
  uint64_t ticket; /* of the evidence */
  uint64_t caller; /* of who asked; 0: the keeper itself */
  uint64_t issued_at;
  struct buf document;
};

struct attestations {
  struct attestations_setup setup;
  struct making *first;
  unsigned count;
  uint64_t last_ticket;
  bool renewing, again;
};

static void making_free(struct making *m) {
  if (m == NULL) return;
  buf_free(&m->document);
  free(m);
}

/* ---- questions ---- */

/* Whose keys a document is about. */
static void public_keys(const struct attestations *a, bool next, uint8_t sign[SIGN_PUBLIC],
                        uint8_t agree[AGREE_PUBLIC]) {
  if (next)
    keys_prepared(a->setup.keys, sign, agree);
  else
    keys_public(a->setup.keys, sign, agree);
}

static enum result begin(struct attestations *a, uint64_t caller, bool next, struct span nonce, uint64_t now) {
  uint8_t sign[SIGN_PUBLIC], report_data[ATTEST_REPORT_DATA];
  struct wire_evidence ask = {.ticket = a->last_ticket + 1, .nonce = nonce};
  struct making *m = calloc(1, sizeof *m);
  if (m == NULL) return RESULT_NO_MEMORY;
  *m = (struct making){.ticket = ask.ticket, .caller = caller, .issued_at = now};
  m->document = buf_new(ATTEST_DOCUMENT_MAX);
  public_keys(a, next, sign, ask.agree_key);
  enum result r = identity_put_document(a->setup.identity, sign, ask.agree_key, nonce, now, &m->document, report_data);
  if (r != RESULT_OK) {
    making_free(m);
    return r;
  }
  m->next = a->first;
  a->first = m;
  a->count++;
  a->last_ticket++;
  ask.report_data = span_of(report_data, sizeof report_data);
  a->setup.ask(a->setup.context, &ask);
  return RESULT_OK;
}

enum result attestations_renew(struct attestations *a, uint64_t now) {
  const bool next = a->setup.identity->known;
  if (a->renewing) {
    a->again = true;
    return RESULT_OK;
  }
  enum result r = next ? keys_prepare(a->setup.keys) : RESULT_OK;
  if (r == RESULT_OK) r = begin(a, 0, next, span_text(""), now);
  a->renewing = r == RESULT_OK;
  return r;
}

void attestations_make(struct attestations *a, uint64_t ticket, struct span nonce, uint64_t now) {
  enum result r = a->count >= ATTESTATIONS_MAX ? RESULT_BUSY : begin(a, ticket, false, nonce, now);
  if (r != RESULT_OK) a->setup.attested(a->setup.context, ticket, r, span_text(""));
}

/* ---- answers ---- */

static struct making *take(struct attestations *a, uint64_t ticket) {
  for (struct making **at = &a->first; *at != NULL; at = &(*at)->next) {
    struct making *m = *at;
    if (m->ticket != ticket) continue;
    *at = m->next;
    a->count--;
    return m;
  }
  return NULL;
}

static void finish_own(struct attestations *a, const struct making *m, enum result r, struct span raw, uint64_t now) {
  const bool turn = a->setup.identity->known;
  a->renewing = false;
  if (r == RESULT_OK) r = identity_adopt(a->setup.identity, buf_span(&m->document), raw, m->issued_at);
  if (r == RESULT_OK && turn) keys_turn(a->setup.keys);
  a->setup.renewed(a->setup.context, r);
  if (!a->again) return;
  a->again = false;
  r = attestations_renew(a, now);
  if (r != RESULT_OK) a->setup.renewed(a->setup.context, r);
}

static void finish_caller(struct attestations *a, const struct making *m, enum result r, struct span raw) {
  struct buf reply = buf_new(IDENTITY_ATTESTED_MAX);
  const struct identity *id = a->setup.identity;
  if (r == RESULT_OK)
    r = attest_put_reply(&reply, id->provider, buf_span(&m->document), buf_span(&id->configuration), raw);
  a->setup.attested(a->setup.context, m->caller, r, r == RESULT_OK ? buf_span(&reply) : span_text(""));
  buf_free(&reply);
}

enum result attestations_evidenced(struct attestations *a, struct span body, uint64_t now) {
  struct wire_evidenced e;
  if (!wire_get_evidenced(body, &e) || e.result >= RESULT_COUNT) return RESULT_PEER_LIED;
  struct making *m = take(a, e.ticket);
  if (m == NULL) return RESULT_PEER_LIED;
  if (m->caller == 0)
    finish_own(a, m, (enum result)e.result, e.raw, now);
  else
    finish_caller(a, m, (enum result)e.result, e.raw);
  making_free(m);
  return RESULT_OK;
}

enum result attestations_new(const struct attestations_setup *setup, struct attestations **out) {
  *out = calloc(1, sizeof **out);
  if (*out == NULL) return RESULT_NO_MEMORY;
  (*out)->setup = *setup;
  return RESULT_OK;
}

void attestations_free(struct attestations *a) {
  if (a == NULL) return;
  while (a->first != NULL) making_free(take(a, a->first->ticket));
  free(a);
}
