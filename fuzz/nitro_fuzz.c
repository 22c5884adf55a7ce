/*
 * Nitro attestation documents. The first byte says what the rest is: a document as it comes; or the payload, one field,
 * further fields, or the headers of one that this target signs, so that what is behind the signature is reached.
 */
#include "crypto/crypto.h"
#include "evidence/verifier.h"
#include "mint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static EVP_PKEY *root_key, *leaf_key;
static X509 *chain[2];
static uint8_t bound[EVIDENCE_REPORT_DATA], other[EVIDENCE_REPORT_DATA];
static struct evidence_policy policy;

static void must(bool holds) {
  if (!holds) abort();
}

static void start(void) {
  must(crypto_init() == RESULT_OK);
  root_key = mint_p384();
  leaf_key = mint_p384();
  chain[1] = mint_certificate(&(struct mint_subject){.name = "root", .key = root_key, .ca = true}, NULL, NULL);
  chain[0] = mint_certificate(&(struct mint_subject){.name = "leaf", .key = leaf_key}, chain[1], root_key);
  memset(bound, 0xd0, sizeof bound);
  policy = (struct evidence_policy){.now = MINT_NOW, .root_count = 1};
  for (size_t i = 0; i < 3; i++) policy.nitro.pcr[i].any = true;
  mint_fingerprint(chain[1], policy.roots[0]);
}

static bool is_good(struct span raw, const uint8_t report_data[EVIDENCE_REPORT_DATA]) {
  struct evidence_report r = {0};
  evidence_nitro.check(raw, report_data, &policy, &r);
  must(r.count > 0 && !r.overflow);
  return report_good(&r);
}

static bool check(struct span raw) {
  bool good = is_good(raw, bound);
  if (good) must(!is_good(raw, other) && memmem(raw.data, raw.len, bound, sizeof bound) != NULL);
  return good;
}

static void check_stranger(struct span bytes) {
  must(!check(bytes));
}

static bool check_forged(struct mint_nitro *n) {
  struct buf raw = buf_new(65536);
  mint_put_nitro(&raw, n, leaf_key);
  bool good = check(buf_span(&raw));
  mint_nitro_free(n);
  buf_free(&raw);
  return good;
}

static struct mint_nitro begin(void) {
  struct mint_nitro n;
  mint_nitro_new(&n, chain, 2, span_of(bound, sizeof bound));
  return n;
}

/* Which field, then its CBOR. */
static void check_field(struct span bytes) {
  struct mint_nitro n = begin();
  size_t field = bytes.len > 0 ? bytes.data[0] % MINT_FIELDS : 0;
  buf_clear(&n.value[field]);
  if (bytes.len > 0) buf_put(&n.value[field], bytes.data + 1, bytes.len - 1);
  (void)check_forged(&n);
}

/* Whether the map has an end mark, how many more pairs it announces, then they. */
static void check_pairs(struct span bytes) {
  struct mint_nitro n = begin();
  struct cursor c = cursor_of(bytes);
  n.open_map = (cursor_u8(&c) & 1) != 0;
  n.more_count = cursor_u8(&c);
  if (!c.bad) buf_put(&n.more, c.rest.data, c.rest.len < 4096 ? c.rest.len : 4096);
  (void)check_forged(&n);
}

/* Where the one ends, then both. */
static void check_headers(struct span bytes) {
  struct mint_nitro n = begin();
  struct cursor c = cursor_of(bytes);
  size_t first = cursor_u8(&c) % 64u;
  struct span protected_header = cursor_bytes(&c, first < c.rest.len ? first : c.rest.len);
  buf_clear(&n.protected_header);
  buf_clear(&n.unprotected_header);
  buf_put_span(&n.protected_header, protected_header);
  buf_put(&n.unprotected_header, c.rest.data, c.rest.len < 64 ? c.rest.len : 64);
  (void)check_forged(&n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static void (*const targets[])(struct span) = {check_stranger, check_field, check_pairs, check_headers};
  if (root_key == NULL) {
    start();
    struct mint_nitro genuine = begin();
    must(check_forged(&genuine)); /* or nothing here finds anything */
  }
  if (size == 0) return 0;
  targets[data[0] & 3](span_of(data + 1, size - 1));
  return 0;
}
