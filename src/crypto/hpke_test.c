#include "crypto/hpke.h"

#include <jansson.h>

#include "crypto/testing.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* RFC 9180's own vectors (cfrg/draft-irtf-cfrg-hpke, test-vectors.json), mode 0, suite 0x0020/0x0001/0x0002. */
static const char info[] = "4f6465206f6e2061204772656369616e2055726e";
static const char sk_r[] = "497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d";
static const char pk_r[] = "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c";
static const char sk_e[] = "179d4b53b6365c45b600c4163b61d95cbc2f4d9e36f1695558dce265ab8bab11";
static const char enc[] = "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256";
static const char plain[] = "4265617574792069732074727574682c20747275746820626561757479";
static const struct message {
  const char *aad, *sealed;
} messages[] = {
    {"436f756e742d30", "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a925cdad859d5b7a"},
    {"436f756e742d31", "2c43aff25343fdbff864506f0818b9d87df84ea01b1a2144d23b4d40c26bf655fdf197fe40297a8aebeed5cc2d"},
    {"436f756e742d32", "e0a8f2cf92ff61215edbb8c55dc31fe9e2eb42a5685867bb6854211542099f9e940c4b41c192bc390835b1a5f7"},
};
static const struct {
  const char *context, *value;
} exports[] = {
    {"", "ded6cffafaea6b812cbf3e241e88332adbc077aca81512914213810ee291770a"},
    {"00", "04d3cb6cc116b28ffd22ad5bc276c60d31fec71ceb87ae24db811c64b7507339"},
    {"54657374436f6e74657874", "7c5ded445732c14fe09727d29b4251c0fd38455fe8440571e687f0886aac94d2"},
};

static struct agree_key *key_of(const char *secret) {
  struct agree_key *key = NULL;
  assert_int_equal(agree_key_import(unhex(secret).data, &key), RESULT_OK);
  return key;
}

static struct hpke *receiver(void) {
  struct agree_key *key = key_of(sk_r);
  struct hpke *context = NULL;
  assert_int_equal(hpke_receiver_new(key, unhex(enc).data, unhex(info), &context), RESULT_OK);
  agree_key_free(key);
  return context;
}

static struct hpke *sender(void) {
  struct agree_key *once = key_of(sk_e);
  struct hpke *context = NULL;
  assert_int_equal(hpke_sender_import(once, unhex(pk_r).data, unhex(info), &context), RESULT_OK);
  agree_key_free(once);
  return context;
}

static void expect_public(const char *secret, const char *public) {
  uint8_t out[AGREE_PUBLIC];
  struct agree_key *key = key_of(secret);
  agree_public(key, out);
  assert_memory_equal(out, unhex(public).data, AGREE_PUBLIC);
  agree_key_free(key);
}

static void expect_sealed(struct hpke *context, struct span aad, struct span text, struct span sealed) {
  struct buf out = buf_new(1024);
  assert_int_equal(hpke_context_seal(context, aad, text, &out), RESULT_OK);
  assert_true(span_equal(buf_span(&out), sealed));
  buf_free(&out);
}

static void expect_opened(struct hpke *context, struct span aad, struct span sealed, struct span text) {
  struct buf out = buf_new(1024);
  assert_int_equal(hpke_context_open(context, aad, sealed, &out), RESULT_OK);
  assert_true(span_equal(buf_span(&out), text));
  buf_free(&out);
}

static void expect_export(const struct hpke *context, struct span exporter_context, struct span value) {
  uint8_t out[HPKE_EXPORT_MAX];
  assert_true(value.len <= sizeof out);
  assert_int_equal(hpke_export(context, exporter_context, out, value.len), RESULT_OK);
  assert_memory_equal(out, value.data, value.len);
}

static void test_vector(void **state) {
  (void)state;
  struct hpke *s = sender(), *r = receiver();
  expect_public(sk_r, pk_r);
  expect_public(sk_e, enc);
  for (size_t i = 0; i < COUNT(messages); i++) {
    expect_sealed(s, unhex(messages[i].aad), unhex(plain), unhex(messages[i].sealed));
    expect_opened(r, unhex(messages[i].aad), unhex(messages[i].sealed), unhex(plain));
  }
  for (size_t i = 0; i < COUNT(exports); i++) {
    expect_export(s, unhex(exports[i].context), unhex(exports[i].value));
    expect_export(r, unhex(exports[i].context), unhex(exports[i].value));
  }
  hpke_free(s);
  hpke_free(r);
  hpke_free(NULL);
}

/* ---- the whole file of vectors, where it is ---- */

static struct span field(const json_t *object, const char *name) {
  const char *text = json_string_value(json_object_get(object, name));
  assert_non_null(text);
  return unhex(text);
}

static void check_file_vector(const json_t *v) {
  struct agree_key *key = NULL, *once = NULL;
  struct hpke *s = NULL, *r = NULL;
  const json_t *each;
  size_t i;
  assert_int_equal(agree_key_import(field(v, "skRm").data, &key), RESULT_OK);
  assert_int_equal(agree_key_import(field(v, "skEm").data, &once), RESULT_OK);
  assert_int_equal(hpke_sender_import(once, field(v, "pkRm").data, field(v, "info"), &s), RESULT_OK);
  assert_int_equal(hpke_receiver_new(key, field(v, "enc").data, field(v, "info"), &r), RESULT_OK);
  json_array_foreach(json_object_get(v, "encryptions"), i, each) {
    expect_sealed(s, field(each, "aad"), field(each, "pt"), field(each, "ct"));
    expect_opened(r, field(each, "aad"), field(each, "ct"), field(each, "pt"));
  }
  assert_true(i >= 10);
  json_array_foreach(json_object_get(v, "exports"), i, each) {
    expect_export(r, field(each, "exporter_context"), field(each, "exported_value"));
  }
  assert_true(i >= 3);
  hpke_free(s);
  hpke_free(r);
  agree_key_free(once);
  agree_key_free(key);
}

static bool is_ours(const json_t *v) {
  static const struct {
    const char *name;
    int value;
  } want[] = {{"mode", 0}, {"kem_id", 0x20}, {"kdf_id", 1}, {"aead_id", 2}};
  for (size_t i = 0; i < COUNT(want); i++) {
    if (json_integer_value(json_object_get(v, want[i].name)) != want[i].value) return false;
  }
  return true;
}

static void test_file_of_vectors(void **state) {
  (void)state;
  const char *folder = getenv("EVIDENCE_SAMPLES") != NULL ? getenv("EVIDENCE_SAMPLES") : EVIDENCE_SAMPLES;
  char path[4096];
  snprintf(path, sizeof path, "%s/hpke/rfc9180_base_x25519_p256_aesgcm_subset.json", folder);
  json_t *file = json_load_file(path, 0, NULL);
  if (file == NULL) {
    print_message("SKIPPED: no vectors at %s (EVIDENCE_SAMPLES names another folder)\n", path);
    skip();
  }
  const json_t *v;
  size_t i, ours = 0;
  json_array_foreach(file, i, v) {
    if (!is_ours(v)) continue;
    check_file_vector(v);
    ours++;
  }
  assert_true(ours > 0);
  json_decref(file);
}

/* ---- tampered twins ---- */

/* What the single-shot forms take; the public key is the receiver's own and cannot be tampered with alone. */
struct parts {
  uint8_t secret[AGREE_SECRET], enc[HPKE_ENC], info[20], aad[7], sealed[45];
};

static struct parts genuine(void) {
  struct parts p;
  memcpy(p.secret, unhex(sk_r).data, sizeof p.secret);
  memcpy(p.enc, unhex(enc).data, sizeof p.enc);
  memcpy(p.info, unhex(info).data, sizeof p.info);
  memcpy(p.aad, unhex(messages[0].aad).data, sizeof p.aad);
  memcpy(p.sealed, unhex(messages[0].sealed).data, sizeof p.sealed);
  return p;
}

static enum result open_parts(const struct parts *p, size_t aad, size_t sealed, struct buf *out) {
  struct agree_key *key = NULL;
  enum result r = agree_key_import(p->secret, &key);
  if (r == RESULT_OK)
    r = hpke_open(key, p->enc, span_of(p->info, sizeof p->info), span_of(p->aad, aad), span_of(p->sealed, sealed), out);
  agree_key_free(key);
  return r;
}

static void expect_refused(const struct parts *p, size_t aad, size_t sealed) {
  uint8_t memory[64] = "kept", zeros[60] = {0};
  struct buf out = buf_fixed(memory, sizeof memory);
  out.len = 4;
  assert_int_equal(open_parts(p, aad, sealed, &out), RESULT_SEALED_INVALID);
  assert_true(!out.bad && span_is(buf_span(&out), "kept"));
  assert_memory_equal(memory + 4, zeros, sizeof zeros);
}

/* X25519 clamps secrets (RFC 7748 5): these bits are no part of the key. The top bit of `enc` is none of the point, but
 * is bound with the rest of it. */
static bool matters(size_t bit) {
  return bit >= 8 * AGREE_SECRET || (bit >= 3 && bit < 8 * AGREE_SECRET - 2);
}

static void test_refuses_tampered_twins(void **state) {
  (void)state;
  struct parts p = genuine();
  struct buf out = buf_new(64);
  assert_int_equal(open_parts(&p, sizeof p.aad, sizeof p.sealed, &out), RESULT_OK);
  assert_true(span_equal(buf_span(&out), unhex(plain)));
  buf_free(&out);
  uint8_t *bytes = (uint8_t *)&p;
  for (size_t bit = 0; bit < 8 * sizeof p; bit++) {
    if (!matters(bit)) continue;
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    expect_refused(&p, sizeof p.aad, sizeof p.sealed);
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
  }
  for (size_t len = 0; len < sizeof p.sealed; len++) expect_refused(&p, sizeof p.aad, len);
  for (size_t len = 0; len < sizeof p.aad; len++) expect_refused(&p, len, sizeof p.sealed);
}

static void test_order(void **state) {
  (void)state;
  struct hpke *r = receiver(), *s = sender();
  struct buf out = buf_new(64);
  const struct span first = unhex(messages[0].sealed), second = unhex(messages[1].sealed);
  const struct span aad0 = unhex(messages[0].aad), aad1 = unhex(messages[1].aad);
  assert_int_equal(hpke_context_open(r, aad1, second, &out), RESULT_SEALED_INVALID);
  expect_opened(r, aad0, first, unhex(plain)); /* a refused message takes no turn */
  assert_int_equal(hpke_context_open(r, aad0, first, &out), RESULT_SEALED_INVALID);
  expect_opened(r, aad1, second, unhex(plain));
  /* One direction: a reply under the same key would use a nonce again. */
  assert_int_equal(hpke_context_seal(r, aad0, first, &out), RESULT_CRYPTO);
  assert_int_equal(hpke_context_open(s, aad0, first, &out), RESULT_CRYPTO);
  assert_int_equal(out.len, 0);
  /* A message that had no room takes no turn either. */
  uint8_t small[4];
  struct buf full = buf_fixed(small, sizeof small);
  assert_int_equal(hpke_context_seal(s, aad0, unhex(plain), &full), RESULT_NO_MEMORY);
  expect_sealed(s, aad0, unhex(plain), first);
  hpke_free(r);
  hpke_free(s);
  buf_free(&out);
}

/* Points of small order in the encodings that X25519 accepts (RFC 7748 6.1; cr.yp.to/ecdh.html, "How do I validate
 * Curve25519 public keys?"): each makes the shared secret zero. */
static const char *const small_order[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
};

static void test_small_order(void **state) {
  (void)state;
  struct agree_key *key = key_of(sk_r);
  const uint8_t zeros[AGREE_SECRET] = {0};
  for (size_t i = 0; i < COUNT(small_order); i++) {
    const uint8_t *point = unhex(small_order[i]).data;
    uint8_t shared[AGREE_SECRET] = {1}, made[HPKE_ENC];
    struct hpke *context = NULL;
    struct buf out = buf_new(64);
    assert_int_equal(agree_shared(key, point, shared), RESULT_CRYPTO);
    assert_memory_equal(shared, zeros, sizeof zeros);
    assert_int_equal(hpke_receiver_new(key, point, span_text(""), &context), RESULT_SEALED_INVALID);
    assert_int_equal(hpke_sender_new(point, span_text(""), made, &context), RESULT_CRYPTO);
    assert_int_equal(hpke_seal(point, span_text(""), span_text(""), span_text("x"), made, &out), RESULT_CRYPTO);
    assert_true(context == NULL && out.len == 0);
  }
  agree_key_free(key);
}

/* ---- both ways ---- */

static void test_seals_and_opens(void **state) {
  (void)state;
  static const size_t sizes[] = {0, 1, 16, 4096, 70000};
  static uint8_t text[70000];
  uint8_t public[AGREE_PUBLIC], one[HPKE_ENC], two[HPKE_ENC];
  struct agree_key *key = NULL;
  assert_int_equal(agree_key_new(&key), RESULT_OK);
  agree_public(key, public);
  for (size_t i = 0; i < COUNT(sizes); i++) {
    const struct span message = span_of(text, sizes[i]);
    struct buf sealed = buf_new(80000), other = buf_new(80000), out = buf_new(80000);
    assert_int_equal(hpke_seal(public, span_text("i"), span_text("a"), message, one, &sealed), RESULT_OK);
    assert_int_equal(hpke_seal(public, span_text("i"), span_text("a"), message, two, &other), RESULT_OK);
    assert_int_equal(sealed.len, sizes[i] + HPKE_TAG);
    assert_memory_not_equal(one, two, HPKE_ENC);
    assert_memory_not_equal(sealed.data, other.data, sealed.len);
    assert_int_equal(hpke_open(key, one, span_text("i"), span_text("a"), buf_span(&sealed), &out), RESULT_OK);
    assert_true(span_equal(buf_span(&out), message));
    buf_free(&sealed);
    buf_free(&other);
    buf_free(&out);
  }
  agree_key_free(key);
}

static void test_exports_agree(void **state) {
  (void)state;
  static uint8_t a[HPKE_EXPORT_MAX + 1], b[HPKE_EXPORT_MAX + 1], zeros[HPKE_EXPORT_MAX + 1];
  uint8_t public[AGREE_PUBLIC], made[HPKE_ENC];
  struct agree_key *key = NULL;
  struct hpke *s = NULL, *r = NULL;
  assert_int_equal(agree_key_new(&key), RESULT_OK);
  agree_public(key, public);
  assert_int_equal(hpke_sender_new(public, span_text("i"), made, &s), RESULT_OK);
  assert_int_equal(hpke_receiver_new(key, made, span_text("i"), &r), RESULT_OK);
  assert_int_equal(hpke_export(s, span_text("label"), a, HPKE_EXPORT_MAX), RESULT_OK);
  assert_int_equal(hpke_export(r, span_text("label"), b, HPKE_EXPORT_MAX), RESULT_OK);
  assert_memory_equal(a, b, HPKE_EXPORT_MAX);
  assert_int_equal(hpke_export(r, span_text("other"), b, 32), RESULT_OK);
  assert_memory_not_equal(a, b, 32);
  assert_int_equal(hpke_export(r, span_text("label"), b, 33), RESULT_OK);
  assert_memory_not_equal(a, b, 32); /* the length is bound, too */
  assert_int_equal(hpke_export(r, span_text("label"), b, sizeof b), RESULT_CRYPTO);
  assert_memory_equal(b, zeros, sizeof b);
  hpke_free(s);
  hpke_free(r);
  agree_key_free(key);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_vector),        cmocka_unit_test(test_file_of_vectors),
      cmocka_unit_test(test_order),         cmocka_unit_test(test_refuses_tampered_twins),
      cmocka_unit_test(test_small_order),   cmocka_unit_test(test_seals_and_opens),
      cmocka_unit_test(test_exports_agree),
  };
  return cmocka_run_group_tests_name("hpke", tests, start_crypto, stop_crypto);
}
