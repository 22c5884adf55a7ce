/*
 * Receipts and attestation replies from strangers. The first byte says which; what follows are the bytes as they come,
 * or texts that this target signs or binds itself, so that the parsers behind signature and hash are reached, too. What
 * is accepted must be exactly what the writer writes.
 */
#include "base/base64.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "evidence/evidence.h"
#include "receipt/receipt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sign_key *key;
static uint8_t public[SIGN_PUBLIC];

static void must(bool holds) {
  if (!holds) abort();
}

static void start(void) {
  must(crypto_init() == RESULT_OK && sign_key_new(&key) == RESULT_OK);
  sign_public(key, public);
}

/* Up to the first zero byte, and what is behind it. */
static struct span first_of(struct span *rest) {
  const uint8_t *end = rest->len > 0 ? memchr(rest->data, 0, rest->len) : NULL;
  size_t len = end != NULL ? (size_t)(end - rest->data) : rest->len;
  struct span first = span_of(rest->data, len);
  size_t taken = end != NULL ? len + 1 : len;
  *rest = span_of(rest->len > 0 ? rest->data + taken : NULL, rest->len - taken);
  return first;
}

/* Header and payload apart: the same key signs the same claims into the same message. */
static bool same_message(struct span a, struct span b) {
  const uint8_t *end_a = memrchr(a.data, '.', a.len), *end_b = memrchr(b.data, '.', b.len);
  return span_equal(span_of(a.data, (size_t)(end_a - a.data)), span_of(b.data, (size_t)(end_b - b.data)));
}

static void check_receipt(struct span jws) {
  struct buf text = buf_new(RECEIPT_MAX), again = buf_new(RECEIPT_MAX);
  struct receipt_claims claims;
  enum result r = receipt_read(jws, public, &text, &claims);
  must(r == RESULT_OK || r == RESULT_NOT_VERIFIED);
  if (r == RESULT_OK) {
    /* A claim that is a hash is hashed once more by the writer: only what stands as it is comes back. */
    bool plain = receipt_text_is(claims.entry, claims.entry) && receipt_text_is(claims.nonce, claims.nonce);
    must(receipt_sign(key, &claims, &again) == RESULT_OK);
    if (plain) must(same_message(jws, buf_span(&again)));
  }
  buf_free(&text);
  buf_free(&again);
}

/* The kid of a fuzzed header cannot be guessed: "KID" stands for it. */
static void put_header(struct buf *b, struct span header) {
  char kid[SIGN_THUMBPRINT + 1];
  sign_thumbprint(public, kid);
  const uint8_t *at = header.len > 0 ? memmem(header.data, header.len, "KID", 3) : NULL;
  size_t before = at != NULL ? (size_t)(at - header.data) : header.len;
  buf_put(b, header.data, before);
  if (at == NULL) return;
  buf_put_text(b, kid);
  buf_put(b, at + 3, header.len - before - 3);
}

static void check_signed(struct span rest) {
  struct span given = first_of(&rest);
  struct buf header = buf_new(16384), jws = buf_new(32768);
  uint8_t signature[SIGN_SIZE];
  put_header(&header, given);
  base64_put_url(&jws, buf_span(&header));
  buf_put_u8(&jws, '.');
  base64_put_url(&jws, rest);
  must(sign_message(key, buf_span(&jws), signature) == RESULT_OK);
  buf_put_u8(&jws, '.');
  base64_put_url(&jws, span_of(signature, sizeof signature));
  if (!jws.bad) check_receipt(buf_span(&jws));
  buf_free(&header);
  buf_free(&jws);
}

static void check_evidence(struct span reply) {
  const struct evidence_policy lenient = {.allow_simulated = true, .now = 1790000000},
                               strict = {.now = 1790000000, .max_age = 3600};
  struct evidence_verdict v;
  struct buf text = buf_new(65536), other = buf_new(65536);
  enum result r = evidence_check(reply, &lenient, &text, &v);
  must(r == RESULT_OK || r == RESULT_NOT_VERIFIED);
  must((r == RESULT_OK) == (v.problem == NULL));
  if (r == RESULT_OK) must(v.sign_key[0] == 4 && v.tee.len > 0 && v.engine.len > 0 && v.isolation.len > 0);
  must(evidence_check(reply, &strict, &other, &v) == RESULT_NOT_VERIFIED); /* all there is, is simulated */
  buf_free(&text);
  buf_free(&other);
}

static void check_bound(struct span document) {
  const struct span bound[] = {span_of("neocompute-key-binding-v1", 26), document};
  uint8_t report_data[64], hash[HASH_SIZE];
  struct buf raw = buf_new(256), reply = buf_new(65536);
  must(hash_sha512(bound, 2, report_data) == RESULT_OK && hash_sha256(&document, 1, hash) == RESULT_OK);
  buf_put_text(&raw, "{\"simulated\":true,\"report_data\":\"");
  base64_put_url(&raw, span_of(report_data, sizeof report_data));
  buf_put_text(&raw, "\"}");
  buf_put_text(&reply, "{\"document\":\"");
  base64_put_url(&reply, document);
  buf_put_text(&reply,
               "\",\"evidence\":{\"type\":\"sim\",\"media_type\":"
               "\"application/vnd.neocompute.sim-evidence+json\",\"raw\":\"");
  base64_put_url(&reply, buf_span(&raw));
  buf_put_text(&reply, "\"},\"document_sha256\":\"");
  text_put_hex(&reply, span_of(hash, sizeof hash));
  buf_put_text(&reply, "\"}");
  if (!reply.bad) check_evidence(buf_span(&reply));
  buf_free(&raw);
  buf_free(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static void (*const targets[])(struct span) = {check_receipt, check_signed, check_evidence, check_bound};
  if (key == NULL) start();
  if (size == 0) return 0;
  targets[data[0] & 3](span_of(data + 1, size - 1));
  return 0;
}
