/*
 * libFuzzer target for jose/jws and broker/auth. The first byte chooses: `h` a header, `p` a payload, which is signed
 * to get behind the signature, `f` the value of Authorization, else a token as it came, which nobody can have signed
 * but the makers of RFC 7515's examples. Aborts where something does not hold. Built by tools/fuzz.
 */
#include <cjose/cjose.h>

#include "base/text.h"
#include "broker/auth.h"
#include "jose/jws.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1300819379u /* a second before RFC 7515's example expires */

/* RFC 7515, appendices A.1 to A.3. */
#define PAYLOAD "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
static const char *const inputs[] = {"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." PAYLOAD ".",
                                     "eyJhbGciOiJSUzI1NiJ9." PAYLOAD ".", "eyJhbGciOiJFUzI1NiJ9." PAYLOAD "."};
static const uint8_t secret[64] = {0x03, 0x23, 0x35, 0x4b, 0x2b, 0x0f, 0xa5, 0xbc, 0x83, 0x7e, 0x06, 0x65, 0x77,
                                   0x7b, 0xa6, 0x8f, 0x5a, 0xb3, 0x28, 0xe6, 0xf0, 0x54, 0xc9, 0x28, 0xa9, 0x0f,
                                   0x84, 0xb2, 0xd2, 0x50, 0x2e, 0xbf, 0xd3, 0xfb, 0x5a, 0x92, 0xd2, 0x06, 0x47,
                                   0xef, 0x96, 0x8a, 0xb4, 0xc3, 0x77, 0x62, 0x3d, 0x22, 0x3d, 0x2e, 0x21, 0x72,
                                   0x05, 0x2e, 0x4f, 0x08, 0xc0, 0xcd, 0x9a, 0xf5, 0x67, 0xd0, 0x80, 0xa3};
static const char jwks[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_"
    "FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":"
    "\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4f"
    "Akd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ"
    "47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5Zw"
    "Kh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"}]}";

static void must(bool holds) {
  if (!holds) abort();
}

static struct jws_keys *keys;
static struct auth *auth;
static cjose_jwk_t *signer;

static void set_up(void) {
  char problem[256];
  const struct auth_config config = {.mode = AUTH_JWT,
                                     .jwt_secret = span_of(secret, sizeof secret),
                                     .jwt_jwks = span_text(jwks),
                                     .jwt_issuer = span_text("joe")};
  must(auth_new(&config, problem, sizeof problem, &auth) == RESULT_OK && jws_keys_new(&keys) == RESULT_OK);
  must(jws_keys_add_secret(keys, config.jwt_secret, problem, sizeof problem) == RESULT_OK);
  must(jws_keys_add_jwks(keys, config.jwt_jwks, problem, sizeof problem) == RESULT_OK);
  signer = cjose_jwk_create_oct_spec(secret, sizeof secret, NULL);
  must(signer != NULL);
}

/* A good signature is over what RFC 7515 signed. (The signature itself may be another: (r, -s) is as good as (r, s).)
 */
static void check_token(struct span token) {
  struct buf payload = buf_new(JWS_MAX);
  const char *why = "";
  bool taken = jws_verify(keys, token, &payload, &why) == RESULT_OK, known = false;
  must(taken == (why == NULL));
  for (size_t i = 0; i < COUNT(inputs); i++) {
    size_t len = strlen(inputs[i]);
    known = known || (token.len > len && memcmp(token.data, inputs[i], len) == 0);
  }
  must(!taken || known);
  buf_free(&payload);
}

static void ask(struct span value) {
  const struct http_field field = {span_text("authorization"), value};
  const struct http_request request = {.fields = &field, .field_count = 1};
  const struct http_peer peer = {.dns_name = ""};
  struct auth_caller caller;
  const char *why = "";
  bool taken = auth_check(auth, &request, &peer, NOW, &caller, &why) == RESULT_OK;
  size_t len = strlen(caller.user);
  must(taken == (why == NULL) && taken == (len > 0) && caller.service[0] == '\0');
  must(len < sizeof caller.user && text_utf8_valid(span_of(caller.user, len)));
  for (size_t i = 0; i < len; i++) must((uint8_t)caller.user[i] >= 0x20 && caller.user[i] != 0x7F);
}

static void ask_bearer(struct span token) {
  struct buf value = buf_new(token.len + 7);
  buf_put_text(&value, "Bearer ");
  buf_put_span(&value, token);
  ask(buf_span(&value));
  buf_free(&value);
}

static void put_base64url(struct buf *b, struct span bytes) {
  char *text = NULL;
  size_t len = 0;
  must(cjose_base64url_encode(bytes.data, bytes.len, &text, &len, NULL));
  buf_put(b, text, len);
  free(text);
}

/* Any payload, well signed. */
static void check_payload(struct span payload) {
  cjose_header_t *header = cjose_header_new(NULL);
  const char *token = NULL;
  must(header != NULL && cjose_header_set(header, CJOSE_HDR_ALG, CJOSE_HDR_ALG_HS256, NULL));
  static const uint8_t empty[1];
  cjose_jws_t *jws = cjose_jws_sign(signer, header, payload.len > 0 ? payload.data : empty, payload.len, NULL);
  if (jws != NULL && cjose_jws_export(jws, &token, NULL)) {
    struct buf out = buf_new(payload.len + 1);
    const char *why;
    bool taken = jws_verify(keys, span_text(token), &out, &why) == RESULT_OK;
    /* All but an empty payload, and what is too long. */
    must(taken == (payload.len > 0 && strlen(token) <= JWS_MAX));
    must(!taken || span_equal(buf_span(&out), payload));
    buf_free(&out);
    ask_bearer(span_text(token));
  }
  cjose_jws_release(jws);
  cjose_header_release(header);
}

/* Any header, over RFC 7515's payload and a signature of the length that fits. */
static void check_header(struct span header) {
  struct buf token = buf_new(JWS_MAX + 1);
  put_base64url(&token, header);
  buf_put_text(&token, "." PAYLOAD ".");
  for (size_t i = 0; i < 43; i++) buf_put_text(&token, "A");
  if (!token.bad) check_token(buf_span(&token));
  buf_free(&token);
}

static const struct {
  uint8_t letter;
  void (*check)(struct span rest);
} parts[] = {{'h', check_header}, {'p', check_payload}, {'f', ask}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (auth == NULL) set_up();
  if (size == 0) return 0;
  struct span rest = span_of(data + 1, size - 1);
  for (size_t i = 0; i < COUNT(parts); i++) {
    if (data[0] == parts[i].letter) {
      parts[i].check(rest);
      return 0;
    }
  }
  check_token(rest);
  ask_bearer(rest);
  return 0;
}
