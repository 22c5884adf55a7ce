#include "keeper/past.h"

/* Appends the reply to `replies`; the answer's span is set when they no longer move. */
static struct wire_answer open_one(const struct keys *keys, const uint8_t user[32], const struct wire_record *m,
                                   struct buf *replies) {
  struct buf text = buf_new(SERVICE_ANSWER_MAX);
  struct span reply, facts;
  struct wire_answer answer = {0};
  answer.result = (uint32_t)keys_open(keys, user, m->job, m->sealed, &text, &reply, &facts);
  if (answer.result == RESULT_OK) {
    answer.reply.len = reply.len;
    buf_put_span(replies, reply);
  }
  buf_free(&text);
  return answer;
}

static enum result answer_all(const struct keys *keys, const struct wire_open *m, struct cursor *rest,
                              struct wire_answer *answers, struct buf *replies) {
  for (uint32_t i = 0; i < m->count; i++) {
    struct wire_record record;
    if (!wire_get_record(rest, &record)) return RESULT_PEER_LIED;
    answers[i] = open_one(keys, m->user, &record, replies);
  }
  if (!cursor_end(rest)) return RESULT_PEER_LIED;
  if (replies->bad) return RESULT_NO_MEMORY;
  struct cursor c = cursor_of(buf_span(replies));
  for (uint32_t i = 0; i < m->count; i++) answers[i].reply = cursor_bytes(&c, answers[i].reply.len);
  return RESULT_OK;
}

enum result past_open(const struct keys *keys, struct span body, struct buf *message) {
  struct wire_open m;
  struct cursor rest;
  if (!wire_get_open(body, &m, &rest)) return RESULT_PEER_LIED;
  struct wire_answer *answers = calloc(m.count + 1, sizeof *answers);
  struct buf replies = buf_new(SERVICE_ANSWER_MAX);
  enum result r = answers == NULL ? RESULT_NO_MEMORY : answer_all(keys, &m, &rest, answers, &replies);
  if (r == RESULT_OK) {
    wire_put_opened(message, &(struct wire_opened){.ticket = m.ticket, .count = m.count, .answers = answers});
    if (message->bad) r = RESULT_NO_MEMORY;
  }
  buf_free(&replies);
  free(answers);
  return r;
}

/* Only the record of a job that runs has facts. */
static enum result open_running(const struct keys *keys, const struct wire_interrupt *m, struct buf *text,
                                struct facts *facts) {
  struct span reply, bytes;
  enum result r = keys_open(keys, m->user, m->job, m->sealed, text, &reply, &bytes);
  return r == RESULT_OK && !facts_get(bytes, facts) ? RESULT_RECORD_CORRUPT : r;
}

enum result past_interrupt(struct keys *keys, const struct identity *id, struct span body, uint64_t now,
                           struct buf *message) {
  static const struct wire_done interrupted = {.result = RESULT_INTERRUPTED};
  struct wire_interrupt m;
  struct facts facts;
  if (!wire_get_interrupt(body, &m)) return RESULT_PEER_LIED;
  struct buf text = buf_new(SERVICE_ANSWER_MAX);
  enum result r = open_running(keys, &m, &text, &facts);
  if (r == RESULT_OK && hash_equal(facts.keeper, id->born)) {
    buf_free(&text);
    return RESULT_PEER_LIED;
  }
  /* Neither its secrets nor what it asked of the outside are known any more. */
  const struct span none = span_text("");
  if (r == RESULT_OK) r = hash_sha256(&none, 1, facts.secrets);
  const struct outcome o = {.job = m.job, .user = m.user, .facts = &facts, .done = &interrupted, .now = now};
  if (r == RESULT_OK)
    outcome_put_ended(message, keys, id, m.ticket, &o);
  else
    outcome_put_fault(message, m.ticket, m.job, r);
  buf_free(&text);
  return RESULT_OK;
}
