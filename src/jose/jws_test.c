#include "jose/jws.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "jwt_vectors.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static char problem[128];

static struct jws_keys *new_keys(void) {
  struct jws_keys *keys = NULL;
  assert_int_equal(jws_keys_new(&keys), RESULT_OK);
  return keys;
}

static struct jws_keys *all_keys(void) {
  struct jws_keys *keys = new_keys();
  assert_int_equal(jws_keys_add_secret(keys, span_text(JWT_SECRET), problem, sizeof problem), RESULT_OK);
  assert_int_equal(jws_keys_add_jwks(keys, span_text(JWT_JWKS), problem, sizeof problem), RESULT_OK);
  return keys;
}

/* Memory exactly as long as the token, so that the sanitizer sees an overread. */
static enum result verify(const struct jws_keys *keys, struct span token, struct buf *payload, const char **why) {
  uint8_t *copy = malloc(token.len > 0 ? token.len : 1);
  assert_non_null(copy);
  if (token.len > 0) memcpy(copy, token.data, token.len);
  enum result r = jws_verify(keys, span_of(copy, token.len), payload, why);
  free(copy);
  assert_int_equal(ERR_peek_error(), 0);
  return r;
}

static void assert_judged(const struct jws_keys *keys, struct span token, const char *name, const char *want) {
  struct buf payload = buf_new(JWS_MAX);
  const char *why = "";
  enum result r = verify(keys, token, &payload, &why);
  assert_int_equal(r, why == NULL ? RESULT_OK : RESULT_NOT_VERIFIED);
  assert_int_equal(r == RESULT_OK, payload.len > 0);
  bool as_said = want == NULL || why == NULL ? want == why : want[0] == '\0' || strcmp(want, why) == 0;
  if (!as_said) fail_msg("%s: %s, not %s", name, why ? why : "taken", want ? want : "taken");
  buf_free(&payload);
}

static void test_good_tokens_and_forgeries(void **state) {
  (void)state;
  struct jws_keys *keys = all_keys();
  for (size_t i = 0; i < COUNT(jws_vectors); i++) {
    assert_judged(keys, span_text(jws_vectors[i].text), jws_vectors[i].name, jws_vectors[i].why);
  }
  jws_keys_free(keys);
}

/* One bit anywhere, and no token is any longer good. */
static void test_tampered_twins(void **state) {
  (void)state;
  struct jws_keys *keys = all_keys();
  for (size_t i = 0; jws_vectors[i].why == NULL; i++) {
    uint8_t token[1024];
    size_t len = strlen(jws_vectors[i].text);
    assert_true(len < sizeof token);
    memcpy(token, jws_vectors[i].text, len);
    for (size_t bit = 0; bit < len * 8; bit += 3) {
      token[bit / 8] ^= (uint8_t)(1u << bit % 8);
      assert_judged(keys, span_of(token, len), jws_vectors[i].name, "");
      token[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < len; cut += 7) assert_judged(keys, span_of(token, cut), jws_vectors[i].name, "");
  }
  jws_keys_free(keys);
}

static void test_no_keys_take_nothing(void **state) {
  (void)state;
  struct jws_keys *keys = new_keys();
  for (size_t i = 0; jws_vectors[i].why == NULL; i++) {
    assert_judged(keys, span_text(jws_vectors[i].text), jws_vectors[i].name, "token: no key for its alg and kid");
  }
  jws_keys_free(keys);
}

/* RFC 7515, appendices A.1 to A.3: three signatures over one payload. */
#define RFC_PAYLOAD "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define RFC_JWKS                                                                                                     \
  "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","              \
  "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\""                  \
  "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pC" \
  "gNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg6" \
  "65xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW" \
  "yuXpoQ\"}]}"

static const char *const rfc_tokens[] = {
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." RFC_PAYLOAD ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "eyJhbGciOiJSUzI1NiJ9." RFC_PAYLOAD
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7"
    "t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12"
    "jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUP"
    "QGe77Rw",
    "eyJhbGciOiJFUzI1NiJ9." RFC_PAYLOAD
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"};

static void test_rfc_7515(void **state) {
  (void)state;
  static const uint8_t secret[64] = {0x03, 0x23, 0x35, 0x4b, 0x2b, 0x0f, 0xa5, 0xbc, 0x83, 0x7e, 0x06, 0x65, 0x77,
                                     0x7b, 0xa6, 0x8f, 0x5a, 0xb3, 0x28, 0xe6, 0xf0, 0x54, 0xc9, 0x28, 0xa9, 0x0f,
                                     0x84, 0xb2, 0xd2, 0x50, 0x2e, 0xbf, 0xd3, 0xfb, 0x5a, 0x92, 0xd2, 0x06, 0x47,
                                     0xef, 0x96, 0x8a, 0xb4, 0xc3, 0x77, 0x62, 0x3d, 0x22, 0x3d, 0x2e, 0x21, 0x72,
                                     0x05, 0x2e, 0x4f, 0x08, 0xc0, 0xcd, 0x9a, 0xf5, 0x67, 0xd0, 0x80, 0xa3};
  struct jws_keys *keys = new_keys();
  assert_int_equal(jws_keys_add_secret(keys, span_of(secret, sizeof secret), problem, sizeof problem), RESULT_OK);
  assert_int_equal(jws_keys_add_jwks(keys, span_text(RFC_JWKS), problem, sizeof problem), RESULT_OK);
  for (size_t i = 0; i < COUNT(rfc_tokens); i++) {
    struct buf payload = buf_new(JWS_MAX);
    const char *why;
    assert_int_equal(verify(keys, span_text(rfc_tokens[i]), &payload, &why), RESULT_OK);
    assert_true(span_is(buf_span(&payload),
                        "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"));
    buf_free(&payload);
  }
  jws_keys_free(keys);
}

/* ---- keys ---- */

static void assert_refused(enum result r, const struct jwt_vector *vector) {
  if (r != RESULT_CONFIG_INVALID || strcmp(problem, vector->why) != 0) {
    fail_msg("%s: %s, %s", vector->name, result_name(r), problem);
  }
}

static void test_bad_key_sets(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(jwks_vectors); i++) {
    struct jws_keys *keys = new_keys();
    problem[0] = '\0';
    assert_refused(jws_keys_add_jwks(keys, span_text(jwks_vectors[i].text), problem, sizeof problem), &jwks_vectors[i]);
    jws_keys_free(keys);
  }
}

static void test_pem(void **state) {
  (void)state;
  struct jws_keys *keys = new_keys();
  for (size_t i = 0; i < COUNT(pem_vectors); i++) {
    problem[0] = '\0';
    assert_refused(jws_keys_add_pem(keys, span_text(pem_vectors[i].text), problem, sizeof problem), &pem_vectors[i]);
  }
  assert_int_equal(jws_keys_add_pem(keys, span_text(JWT_SERVICE_PEM), problem, sizeof problem), RESULT_OK);
  assert_judged(keys, span_text(service_vectors[0].text), "service token", NULL);
  jws_keys_free(keys);
}

static void test_a_short_secret_is_refused(void **state) {
  (void)state;
  struct jws_keys *keys = new_keys();
  struct span secret = span_of(JWT_SECRET, JWS_SECRET_MIN - 1);
  assert_int_equal(jws_keys_add_secret(keys, secret, problem, sizeof problem), RESULT_CONFIG_INVALID);
  assert_string_equal(problem, "an HS256 secret must have at least 32 bytes");
  jws_keys_free(keys);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_good_tokens_and_forgeries),
      cmocka_unit_test(test_tampered_twins),
      cmocka_unit_test(test_no_keys_take_nothing),
      cmocka_unit_test(test_rfc_7515),
      cmocka_unit_test(test_bad_key_sets),
      cmocka_unit_test(test_pem),
      cmocka_unit_test(test_a_short_secret_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
