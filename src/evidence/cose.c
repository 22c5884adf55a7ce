#include "evidence/cose.h"

#include <cbor.h>

#include "evidence/cbor_in.h"
#include "evidence/chain.h"

#define TAG_SIGN1 18u
#define HEADER_ALG 1u
#define ES384 34u                    /* -1 - 34 = -35 */
#define HEAD_MAX 9u                  /* of one item */
#define CONTEXT "\x84\x6aSignature1" /* an array of four, then this text */

static bool is_es384(struct span header) {
  struct cbor_in c = cbor_in_of(header);
  struct cbor_in_map map = cbor_in_map(&c);
  bool es384 = cbor_in_pair(&c, &map) && cbor_in_uint(&c) == HEADER_ALG && cbor_in_negative(&c) == ES384;
  return es384 && !cbor_in_pair(&c, &map) && cbor_in_end(&c);
}

bool cose_read(struct span bytes, struct cose *out) {
  struct cbor_in c = cbor_in_of(bytes);
  if (bytes.len > COSE_MAX) return false;
  cbor_in_skip_tag(&c, TAG_SIGN1);
  if (cbor_in_array(&c) != 4) return false;
  out->protected_header = cbor_in_bytes(&c);
  struct cbor_in_map unprotected = cbor_in_map(&c);
  if (cbor_in_pair(&c, &unprotected)) return false;
  out->payload = cbor_in_bytes(&c);
  out->signature = cbor_in_bytes(&c);
  return cbor_in_end(&c) && out->signature.len == COSE_SIGNATURE && is_es384(out->protected_header);
}

static void put_bytes(struct buf *b, struct span bytes) {
  uint8_t head[HEAD_MAX];
  buf_put(b, head, cbor_encode_bytestring_start(bytes.len, head, sizeof head));
  buf_put_span(b, bytes);
}

/* Sig_structure (RFC 9052 §4.4): context, protected header, no external data, payload. */
bool cose_verify(const struct cose *c, EVP_PKEY *key) {
  struct buf message = buf_new(COSE_MAX + 64);
  buf_put(&message, CONTEXT, sizeof CONTEXT - 1);
  put_bytes(&message, c->protected_header);
  put_bytes(&message, span_of(NULL, 0));
  put_bytes(&message, c->payload);
  bool genuine =
      !message.bad && c->signature.len == COSE_SIGNATURE && chain_signed(key, buf_span(&message), c->signature);
  buf_free(&message);
  return genuine;
}
