#include "jose/jws.h"

#include <cjose/cjose.h>
#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <strings.h>

#define KID_MAX 255u
#define SIGNATURE_MAX 1024u /* of an RSA key of 8192 bits */
#define RSA_EXPONENT 65537u
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum algorithm { HS256, ES256, RS256, ALGORITHMS };

static const struct {
  const char *name;
  const char *trial; /* {"alg":…}, {}: header and payload of a token for warm_up */
} algorithms[ALGORITHMS] = {[HS256] = {"HS256", "eyJhbGciOiJIUzI1NiJ9.e30."},
                            [ES256] = {"ES256", "eyJhbGciOiJFUzI1NiJ9.e30."},
                            [RS256] = {"RS256", "eyJhbGciOiJSUzI1NiJ9.e30."}};

struct key {
  enum algorithm algorithm;
  size_t signature; /* its length */
  cjose_jwk_t *jwk;
  char kid[KID_MAX + 1]; /* empty: none */
};

struct jws_keys {
  struct key keys[JWS_KEYS_MAX];
  size_t count;
};

/* ---- base64url ---- */

static bool is_base64url(struct span text) {
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.data[i], letter = c | 0x20;
    if ((letter < 'a' || letter > 'z') && (c < '0' || c > '9') && c != '-' && c != '_') return false;
  }
  return text.len % 4 != 1;
}

/* The one way to write some bytes: no padding, no spare bits. */
static bool is_canonical(const uint8_t *bytes, size_t len, struct span text) {
  char *again = NULL;
  size_t again_len = 0;
  bool same =
      cjose_base64url_encode(bytes, len, &again, &again_len, NULL) && span_equal(text, span_of(again, again_len));
  cjose_get_dealloc()(again);
  return same;
}

/* Appends what `text` encodes. Nothing may reach cjose that was not seen here: version 0.6.2 aborts at an `=` in the
 * wrong place. */
static bool decode(struct span text, struct buf *out) {
  uint8_t *bytes = NULL;
  size_t len = 0;
  if (!is_base64url(text)) return false;
  bool good =
      cjose_base64url_decode((const char *)text.data, text.len, &bytes, &len, NULL) && is_canonical(bytes, len, text);
  if (good) buf_put(out, bytes, len);
  cjose_get_dealloc()(bytes);
  return good && !out->bad;
}

/* ---- one token ---- */

struct token {
  struct span whole, header, payload, signature;
};

static struct span take_part(struct span *rest) {
  const uint8_t *dot = rest->len > 0 ? memchr(rest->data, '.', rest->len) : NULL;
  size_t len = dot != NULL ? (size_t)(dot - rest->data) : rest->len;
  struct span part = span_of(rest->data, len);
  *rest = dot != NULL ? span_of(dot + 1, rest->len - len - 1) : span_of(NULL, 0);
  return part;
}

/* Three parts, none of them empty; that each is base64url, decode sees to. */
static bool split(struct span text, struct token *t) {
  struct span rest = text;
  t->whole = text;
  t->header = take_part(&rest);
  t->payload = take_part(&rest);
  t->signature = rest;
  return t->header.len > 0 && t->payload.len > 0 && t->signature.len > 0;
}

static bool signed_by(const struct key *key, struct span token) {
  cjose_jws_t *jws = cjose_jws_import((const char *)token.data, token.len, NULL);
  bool good = jws != NULL && cjose_jws_verify(jws, key->jwk, NULL);
  cjose_jws_release(jws);
  /* What a stranger's token left here, TLS on this thread would take for its own. */
  ERR_clear_error();
  return good;
}

/* ---- the header ---- */

/* Members that name other keys, or change what is signed: nothing that we could pass over. */
static const char *const refused_members[] = {"crit", "b64", "jku", "jwk", "x5u", "x5c", "enc", "zip"};
/* What a token may be; so that nobody's receipt is a token. */
static const char *const types[] = {"JWT", "at+jwt", "application/jwt", "application/at+jwt"};

static bool is_type(const json_t *type) {
  if (type == NULL) return true;
  for (size_t i = 0; json_is_string(type) && i < COUNT(types); i++) {
    if (strcasecmp(json_string_value(type), types[i]) == 0) return true;
  }
  return false;
}

static enum algorithm algorithm_of(const json_t *header) {
  const char *name = json_string_value(json_object_get(header, "alg"));
  size_t i = 0;
  while (i < ALGORITHMS && (name == NULL || strcmp(name, algorithms[i].name) != 0)) i++;
  return (enum algorithm)i;
}

static const char *find_fault(const json_t *header) {
  const json_t *kid = json_object_get(header, "kid");
  if (!json_is_object(header)) return "token: the header is not a JSON object, or a member comes twice";
  for (size_t i = 0; i < COUNT(refused_members); i++) {
    if (json_object_get(header, refused_members[i]) != NULL) return "token: a header member that is never taken";
  }
  if (kid != NULL && !json_is_string(kid)) return "token: kid is not a string";
  if (!is_type(json_object_get(header, "typ"))) return "token: typ is another kind of token";
  return algorithm_of(header) == ALGORITHMS ? "token: alg is not one of ours" : NULL;
}

static const struct key *find_key(const struct jws_keys *keys, enum algorithm algorithm, const char *kid) {
  const struct key *nameless = NULL, *only = NULL;
  size_t count = 0;
  for (size_t i = 0; i < keys->count; i++) {
    const struct key *key = &keys->keys[i];
    if (key->algorithm != algorithm) continue;
    if (kid != NULL && key->kid[0] != '\0' && strcmp(key->kid, kid) == 0) return key;
    if (key->kid[0] == '\0') nameless = key;
    only = key;
    count++;
  }
  if (count != 1) return NULL;
  return kid == NULL ? only : nameless;
}

static const char *choose_key(const struct jws_keys *keys, struct span text, const struct key **key) {
  json_t *header = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
  const char *fault = find_fault(header);
  if (fault == NULL) {
    *key = find_key(keys, algorithm_of(header), json_string_value(json_object_get(header, "kid")));
    if (*key == NULL) fault = "token: no key for its alg and kid";
  }
  json_decref(header);
  return fault;
}

/* What the parts of a token encode. */
struct decoded {
  struct buf header, payload, signature;
};

static const char *find_form_fault(struct span text, struct token *t, struct decoded *d) {
  if (text.len > JWS_MAX) return "token: too long";
  if (!split(text, t)) return "token: not three parts";
  if (!decode(t->header, &d->header)) return "token: the header is not base64url";
  if (!decode(t->payload, &d->payload)) return "token: the payload is not base64url";
  return decode(t->signature, &d->signature) ? NULL : "token: the signature is not base64url";
}

/* NULL if the token is good. */
static const char *find_token_fault(const struct jws_keys *keys, struct span text, struct decoded *d) {
  struct token t;
  const struct key *key = NULL;
  const char *fault = find_form_fault(text, &t, d);
  if (fault == NULL) fault = choose_key(keys, buf_span(&d->header), &key);
  if (fault != NULL) return fault;
  if (d->signature.len != key->signature) return "token: the signature has another length";
  return signed_by(key, t.whole) ? NULL : "token: the signature is not the key's";
}

enum result jws_verify(const struct jws_keys *keys, struct span token, struct buf *payload, const char **why) {
  struct decoded d = {buf_new(JWS_MAX), buf_new(JWS_MAX), buf_new(JWS_MAX)};
  *why = find_token_fault(keys, token, &d);
  if (*why == NULL) buf_put_span(payload, buf_span(&d.payload));
  if (*why == NULL && payload->bad) *why = "token: no room for the payload";
  buf_free(&d.header);
  buf_free(&d.payload);
  buf_free(&d.signature);
  return *why == NULL ? RESULT_OK : RESULT_NOT_VERIFIED;
}

/* ---- keys ---- */

static enum result complain(char *problem, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static enum result complain(char *problem, size_t size, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(problem, size, format, args);
  va_end(args);
  ERR_clear_error();
  return RESULT_CONFIG_INVALID;
}

/* One token that fails, so that OpenSSL has fetched all it needs before a sandbox closes. */
static void warm_up(const struct key *key) {
  struct buf token = buf_new(JWS_MAX);
  buf_put_text(&token, algorithms[key->algorithm].trial);
  for (size_t i = 0; i < (key->signature * 4 + 2) / 3; i++) buf_put_u8(&token, 'A');
  (void)signed_by(key, buf_span(&token));
  buf_free(&token);
}

/* Takes over `key->jwk`, whatever comes of it. */
static enum result add(struct jws_keys *keys, const struct key *key, char *problem, size_t size) {
  const char *why = NULL;
  if (key->jwk == NULL) why = "a key cannot be read";
  if (keys->count == JWS_KEYS_MAX) why = "too many keys";
  for (size_t i = 0; i < keys->count; i++) {
    if (key->kid[0] != '\0' && strcmp(keys->keys[i].kid, key->kid) == 0) why = "two keys have the same kid";
  }
  if (why != NULL) {
    cjose_jwk_release(key->jwk);
    return complain(problem, size, "%s", why);
  }
  warm_up(key);
  keys->keys[keys->count++] = *key;
  return RESULT_OK;
}

enum result jws_keys_new(struct jws_keys **out) {
  /* Jansson would open /dev/urandom for its hash tables when the first one is made. */
  json_object_seed(0);
  /* Both hold tokens and keys as text. */
  json_set_alloc_funcs(malloc, wipe_and_free);
  cjose_set_alloc_funcs(malloc, wiping_realloc, wipe_and_free);
  *out = calloc(1, sizeof **out);
  return *out != NULL ? RESULT_OK : RESULT_NO_MEMORY;
}

enum result jws_keys_add_secret(struct jws_keys *keys, struct span secret, char *problem, size_t problem_size) {
  struct key key = {.algorithm = HS256, .signature = 32};
  if (secret.len < JWS_SECRET_MIN) {
    return complain(problem, problem_size, "an HS256 secret must have at least %u bytes", JWS_SECRET_MIN);
  }
  key.jwk = cjose_jwk_create_oct_spec(secret.data, secret.len, NULL);
  return add(keys, &key, problem, problem_size);
}

static const char *member(const json_t *object, const char *name) {
  return json_string_value(json_object_get(object, name));
}

/* Whether the member is missing or one of ours. */
static bool suits(const json_t *object, const char *name, const char *value) {
  const json_t *got = json_object_get(object, name);
  return got == NULL || (json_is_string(got) && strcmp(json_string_value(got), value) == 0);
}

/* What a JWK can be for us, and ALGORITHMS if it is for something else. */
static enum algorithm jwk_algorithm(const json_t *jwk) {
  const char *kty = member(jwk, "kty"), *crv = member(jwk, "crv");
  if (kty == NULL || !suits(jwk, "use", "sig")) return ALGORITHMS;
  if (strcmp(kty, "EC") == 0 && crv != NULL && strcmp(crv, "P-256") == 0 && suits(jwk, "alg", "ES256")) return ES256;
  return strcmp(kty, "RSA") == 0 && suits(jwk, "alg", "RS256") ? RS256 : ALGORITHMS;
}

static bool is_secret_jwk(const json_t *jwk) {
  const char *kty = member(jwk, "kty");
  return (kty != NULL && strcmp(kty, "oct") == 0) || json_object_get(jwk, "d") != NULL ||
         json_object_get(jwk, "k") != NULL;
}

static bool take_kid(const json_t *jwk, struct key *key) {
  const json_t *kid = json_object_get(jwk, "kid");
  if (kid == NULL) return true;
  size_t len = json_string_length(kid);
  if (!json_is_string(kid) || len == 0 || len > KID_MAX) return false;
  memcpy(key->kid, json_string_value(kid), len);
  return true;
}

/* Whether cjose may see the key's numbers. */
static bool is_well_written(const json_t *jwk) {
  static const char *const numbers[] = {"x", "y", "n", "e"};
  for (size_t i = 0; i < COUNT(numbers); i++) {
    const char *number = member(jwk, numbers[i]);
    if (number != NULL && !is_base64url(span_text(number))) return false;
  }
  return true;
}

static bool is_usable_rsa(size_t bits, size_t signature) {
  return bits >= JWS_RSA_BITS_MIN && signature <= SIGNATURE_MAX;
}

static enum result add_jwk(struct jws_keys *keys, json_t *jwk, char *problem, size_t size) {
  struct key key = {.algorithm = jwk_algorithm(jwk), .signature = 64};
  if (!json_is_object(jwk)) return complain(problem, size, "an entry of the JWKS is not an object");
  if (is_secret_jwk(jwk)) return complain(problem, size, "the JWKS holds a secret or private key");
  if (key.algorithm == ALGORITHMS) return RESULT_OK;
  if (!take_kid(jwk, &key)) return complain(problem, size, "a kid is not a string of 1 to %u bytes", KID_MAX);
  if (is_well_written(jwk)) key.jwk = cjose_jwk_import_json((cjose_header_t *)jwk, NULL);
  if (key.algorithm == RS256 && key.jwk != NULL) {
    size_t bits = cjose_jwk_get_keysize(key.jwk, NULL);
    const char *e = member(jwk, "e");
    key.signature = (bits + 7) / 8;
    if (!is_usable_rsa(bits, key.signature) || e == NULL || strcmp(e, "AQAB") != 0) {
      cjose_jwk_release(key.jwk);
      return complain(problem, size, "RSA keys must have at least %u bits and the exponent 65537", JWS_RSA_BITS_MIN);
    }
  }
  return add(keys, &key, problem, size);
}

static enum result add_all(struct jws_keys *keys, const json_t *set, char *problem, size_t size) {
  const json_t *list = json_object_get(set, "keys");
  size_t before = keys->count, i;
  json_t *jwk;
  if (!json_is_array(list)) return complain(problem, size, "the JWKS is not a JSON object with a list of keys");
  json_array_foreach(list, i, jwk) {
    enum result r = add_jwk(keys, jwk, problem, size);
    if (r != RESULT_OK) return r;
  }
  if (keys->count > before) return RESULT_OK;
  return complain(problem, size, "the JWKS has no key for ES256 or RS256");
}

enum result jws_keys_add_jwks(struct jws_keys *keys, struct span json, char *problem, size_t problem_size) {
  json_t *set = json_loadb((const char *)json.data, json.len, JSON_REJECT_DUPLICATES, NULL);
  enum result r = add_all(keys, set, problem, problem_size);
  json_decref(set);
  return r;
}

/* Without a passphrase OpenSSL would ask the terminal for that of an encrypted PEM. */
static EVP_PKEY *read_pem(struct span pem) {
  static char no_passphrase[] = "";
  BIO *bio = pem.len <= INT32_MAX ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;
  EVP_PKEY *pkey = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, NULL, no_passphrase) : NULL;
  BIO_free(bio);
  return pkey;
}

/* The JWK of an RSA key that is good enough, NULL otherwise. */
static cjose_jwk_t *jwk_of(const EVP_PKEY *pkey) {
  static uint8_t exponent[] = {RSA_EXPONENT >> 16, RSA_EXPONENT >> 8 & 0xFF, RSA_EXPONENT & 0xFF};
  uint8_t modulus[SIGNATURE_MAX];
  BIGNUM *n = NULL, *e = NULL;
  cjose_jwk_t *jwk = NULL;
  if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
      EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && BN_is_word(e, RSA_EXPONENT) &&
      is_usable_rsa((size_t)BN_num_bits(n), (size_t)BN_num_bytes(n))) {
    cjose_jwk_rsa_keyspec spec = {
        .e = exponent, .elen = sizeof exponent, .n = modulus, .nlen = (size_t)BN_bn2bin(n, modulus)};
    jwk = cjose_jwk_create_RSA_spec(&spec, NULL);
  }
  BN_free(n);
  BN_free(e);
  return jwk;
}

enum result jws_keys_add_pem(struct jws_keys *keys, struct span pem, char *problem, size_t problem_size) {
  struct key key = {.algorithm = RS256};
  EVP_PKEY *pkey = read_pem(pem);
  if (pkey != NULL && EVP_PKEY_is_a(pkey, "RSA")) {
    key.jwk = jwk_of(pkey);
    key.signature = (size_t)EVP_PKEY_get_size(pkey);
  }
  EVP_PKEY_free(pkey);
  if (key.jwk == NULL) {
    return complain(problem, problem_size, "not the PEM of an RSA public key of at least %u bits with exponent 65537",
                    JWS_RSA_BITS_MIN);
  }
  return add(keys, &key, problem, problem_size);
}

void jws_keys_free(struct jws_keys *keys) {
  if (keys == NULL) return;
  for (size_t i = 0; i < keys->count; i++) cjose_jwk_release(keys->keys[i].jwk);
  wipe(keys, sizeof *keys);
  free(keys);
}
