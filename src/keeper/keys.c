#include "keeper/keys.h"

#include "crypto/random.h"
#include "receipt/protect.h"
#include "receipt/seal.h"

struct keys {
  struct sign_key *sign;
  struct agree_key *agree;
  struct sign_key *next_sign; /* with next_agree, or both NULL */
  struct agree_key *next_agree;
  struct protect_keys derived; /* from the master key */
  uint64_t sequence, receipts;
  uint8_t previous[HASH_SIZE]; /* SHA-256 of the last receipt */
};

static enum result derive(struct keys *k, struct span master) {
  uint8_t made[PROTECT_MASTER_MIN];
  if (master.len > 0) return protect_derive(master, &k->derived);
  enum result r = random_bytes(made, sizeof made);
  if (r == RESULT_OK) r = protect_derive(span_of(made, sizeof made), &k->derived);
  wipe(made, sizeof made);
  return r;
}

enum result keys_new(struct span master, struct keys **out) {
  struct keys *k = calloc(1, sizeof *k);
  if (k == NULL) return RESULT_NO_MEMORY;
  enum result r = derive(k, master);
  if (r == RESULT_OK) r = sign_key_new(&k->sign);
  if (r == RESULT_OK) r = agree_key_new(&k->agree);
  if (r == RESULT_OK) {
    *out = k;
    k = NULL;
  }
  keys_free(k);
  return r;
}

void keys_public(const struct keys *k, uint8_t sign[SIGN_PUBLIC], uint8_t agree[AGREE_PUBLIC]) {
  sign_public(k->sign, sign);
  agree_public(k->agree, agree);
}

static void drop_next(struct keys *k) {
  sign_key_free(k->next_sign);
  agree_key_free(k->next_agree);
  k->next_sign = NULL;
  k->next_agree = NULL;
}

enum result keys_prepare(struct keys *k) {
  drop_next(k);
  enum result r = sign_key_new(&k->next_sign);
  if (r == RESULT_OK) r = agree_key_new(&k->next_agree);
  if (r != RESULT_OK) drop_next(k);
  return r;
}

void keys_prepared(const struct keys *k, uint8_t sign[SIGN_PUBLIC], uint8_t agree[AGREE_PUBLIC]) {
  sign_public(k->next_sign, sign);
  agree_public(k->next_agree, agree);
}

void keys_turn(struct keys *k) {
  sign_key_free(k->sign);
  agree_key_free(k->agree);
  k->sign = k->next_sign;
  k->agree = k->next_agree;
  k->next_sign = NULL;
  k->next_agree = NULL;
  k->sequence = 0;
  memset(k->previous, 0, sizeof k->previous);
}

enum result keys_receipt(struct keys *k, struct receipt_claims *claims, struct buf *jws) {
  claims->sequence = k->sequence + 1;
  memcpy(claims->previous, k->previous, sizeof claims->previous);
  enum result r = receipt_sign(k->sign, claims, jws);
  const struct span text = buf_span(jws);
  if (r == RESULT_OK) r = hash_sha256(&text, 1, k->previous);
  if (r == RESULT_OK) k->sequence++;
  if (r == RESULT_OK) k->receipts++;
  return r;
}

uint64_t keys_receipts(const struct keys *k) {
  return k->receipts;
}

static struct seal_place place_of(const uint8_t user[SEAL_USER], const uint8_t job[SEAL_JOB]) {
  return (struct seal_place){.table = "jobs", .user = user, .job = job};
}

enum result keys_seal(const struct keys *k, const uint8_t user[32], const uint8_t job[16], struct span reply,
                      struct span facts, struct buf *sealed) {
  const struct seal_place place = place_of(user, job);
  return seal_record(k->derived.store, &place, reply, facts, sealed);
}

enum result keys_open(const struct keys *k, const uint8_t user[32], const uint8_t job[16], struct span sealed,
                      struct buf *text, struct span *reply, struct span *facts) {
  const struct seal_place place = place_of(user, job);
  return seal_open(k->derived.store, &place, sealed, text, reply, facts);
}

enum result keys_sign_output(const struct keys *k, const uint8_t hash[HASH_SIZE], char signature[PROTECT_HEX + 1]) {
  return protect_sign(&k->derived, hash, signature);
}

enum result keys_encrypt_output(const struct keys *k, struct span output, struct buf *encrypted) {
  return protect_encrypt(&k->derived, output, encrypted);
}

enum result keys_secret_seal(const struct keys *k, const struct secret_place *place, struct span policy,
                             struct span value, struct buf *text) {
  return secret_record_seal(k->derived.secret, place, policy, value, text);
}

enum result keys_secret_open(const struct keys *k, const struct secret_place *place, struct span text,
                             struct buf *plain, struct span *policy, struct span *value) {
  return secret_record_open(k->derived.secret, place, text, plain, policy, value);
}

enum result keys_secret_seal_uses(const struct keys *k, const struct secret_place *place, uint64_t uses,
                                  struct buf *text) {
  return secret_record_seal_uses(k->derived.secret, place, uses, text);
}

enum result keys_secret_open_uses(const struct keys *k, const struct secret_place *place, struct span text,
                                  uint64_t *uses) {
  return secret_record_open_uses(k->derived.secret, place, text, uses);
}

enum result keys_receive(const struct keys *k, const uint8_t enc[HPKE_ENC], struct span info, struct hpke **out) {
  return hpke_receiver_new(k->agree, enc, info, out);
}

enum result keys_open_sealed(const struct keys *k, const uint8_t enc[HPKE_ENC], struct span info, struct span aad,
                             struct span sealed, struct buf *out) {
  return hpke_open(k->agree, enc, info, aad, sealed, out);
}

void keys_free(struct keys *k) {
  if (k == NULL) return;
  sign_key_free(k->sign);
  agree_key_free(k->agree);
  drop_next(k);
  protect_wipe(&k->derived);
  wipe(k, sizeof *k);
  free(k);
}
