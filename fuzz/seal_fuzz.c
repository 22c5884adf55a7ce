/*
 * Opening stored records. The first byte says whether the bytes are a record as it comes from the database, a genuine
 * record with a stranger's plaintext, or a reply and claims to be sealed, moved and changed.
 */
#include "crypto/crypto.h"
#include "receipt/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[AEAD_KEY] = {1}, user[SEAL_USER] = {2}, other[SEAL_USER] = {3}, job[SEAL_JOB] = {4};
static const struct seal_place here = {"jobs", user, job}, there = {"jobs", other, job};

static void must(bool holds) {
  if (!holds) abort();
}

static enum result open_record(const struct seal_place *place, struct span sealed, struct span want_plain) {
  struct buf text = buf_new(65536);
  struct span reply, claims;
  enum result r = seal_open(key, place, sealed, &text, &reply, &claims);
  must(r == RESULT_OK || r == RESULT_RECORD_CORRUPT);
  if (r == RESULT_OK) must(reply.len + claims.len + 8 == text.len);
  if (r == RESULT_OK && want_plain.data != NULL) must(span_equal(buf_span(&text), want_plain));
  if (r != RESULT_OK) must(text.len == 0 && !text.bad);
  buf_free(&text);
  return r;
}

static void check_stranger(struct span bytes) {
  must(open_record(&here, bytes, span_of(NULL, 0)) == RESULT_RECORD_CORRUPT);
}

static void check_plaintext(struct span plain) {
  struct buf aad = buf_new(128), sealed = buf_new(65536);
  buf_put(&aad, "neocompute-record-v1\0jobs", 26);
  buf_put(&aad, user, sizeof user);
  buf_put(&aad, job, sizeof job);
  must(aead_seal(key, buf_span(&aad), plain, &sealed) == RESULT_OK);
  (void)open_record(&here, buf_span(&sealed), plain);
  buf_free(&aad);
  buf_free(&sealed);
}

static void check_round_trip(struct span bytes) {
  size_t at = bytes.len > 0 ? bytes.data[0] % bytes.len : 0;
  struct span reply = span_of(bytes.data, at), claims = span_of(bytes.data + at, bytes.len - at);
  struct buf sealed = buf_new(65536);
  must(seal_record(key, &here, reply, claims, &sealed) == RESULT_OK);
  must(open_record(&here, buf_span(&sealed), span_of(NULL, 0)) == RESULT_OK);
  must(open_record(&there, buf_span(&sealed), span_of(NULL, 0)) == RESULT_RECORD_CORRUPT);
  size_t bit = (at * 8191 + bytes.len) % (8 * sealed.len);
  sealed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
  must(open_record(&here, buf_span(&sealed), span_of(NULL, 0)) == RESULT_RECORD_CORRUPT);
  buf_free(&sealed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static void (*const targets[])(struct span) = {check_stranger, check_plaintext, check_round_trip};
  if (crypto_init() != RESULT_OK) abort();
  if (size == 0) return 0;
  targets[data[0] % 3](span_of(data + 1, size - 1));
  return 0;
}
