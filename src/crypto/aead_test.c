#include "crypto/aead.h"

#include "crypto/testing.h"

/* McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, test cases 13, 14 and 16 (AES-256; NIST's
 * submission), as nonce | ciphertext | tag. */
static const struct vector {
  const char *key, *aad, *plain, *sealed;
} vectors[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000", "", "",
     "000000000000000000000000"
     "530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "", "00000000000000000000000000000000",
     "000000000000000000000000"
     "cea7403d4d606b6e074ec5d3baf39d18"
     "d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
     "ba637b39",
     "cafebabefacedbaddecaf888"
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0a"
     "bcc9f662"
     "76fc6ece0f4e1768cddf8853bb2d551b"},
};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void test_opens_vectors(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(vectors); i++) {
    struct buf out = buf_new(100);
    assert_int_equal(aead_open(unhex(vectors[i].key).data, unhex(vectors[i].aad), unhex(vectors[i].sealed), &out),
                     RESULT_OK);
    assert_true(span_equal(buf_span(&out), unhex(vectors[i].plain)));
    buf_free(&out);
  }
}

static void expect_corrupt(const uint8_t *key, struct span aad, struct span sealed) {
  uint8_t memory[100] = "kept", zeros[96] = {0};
  struct buf out = buf_fixed(memory, sizeof memory);
  out.len = 4;
  assert_int_equal(aead_open(key, aad, sealed, &out), RESULT_RECORD_CORRUPT);
  assert_true(!out.bad && span_is(buf_span(&out), "kept"));
  assert_memory_equal(memory + 4, zeros, 96); /* no plaintext that is not genuine */
}

/* Every bit of the sealed form, the key and the aad counts; so does every length. */
static void test_refuses_tampered_twins(void **state) {
  (void)state;
  const struct vector *v = &vectors[COUNT(vectors) - 1];
  struct span parts[] = {unhex(v->key), unhex(v->aad), unhex(v->sealed)};
  for (size_t part = 0; part < COUNT(parts); part++) {
    uint8_t *bytes = (uint8_t *)(uintptr_t)parts[part].data;
    for (size_t bit = 0; bit < 8 * parts[part].len; bit++) {
      bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
      expect_corrupt(parts[0].data, parts[1], parts[2]);
      bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
  }
  for (size_t len = 0; len < parts[2].len; len++) expect_corrupt(parts[0].data, parts[1], span_of(parts[2].data, len));
  for (size_t len = 0; len < parts[1].len; len++) expect_corrupt(parts[0].data, span_of(parts[1].data, len), parts[2]);
}

static void test_seals_and_opens(void **state) {
  (void)state;
  static uint8_t plain[70000];
  static const size_t sizes[] = {0, 1, 15, 16, 17, 4096, sizeof plain};
  const uint8_t key[AEAD_KEY] = {9};
  memset(plain, 0x5a, sizeof plain);
  for (size_t i = 0; i < COUNT(sizes); i++) {
    struct buf sealed = buf_new(80000), again = buf_new(80000), out = buf_new(80000);
    assert_int_equal(aead_seal(key, span_text("aad"), span_of(plain, sizes[i]), &sealed), RESULT_OK);
    assert_int_equal(sealed.len, sizes[i] + AEAD_OVERHEAD);
    assert_int_equal(aead_seal(key, span_text("aad"), span_of(plain, sizes[i]), &again), RESULT_OK);
    assert_memory_not_equal(sealed.data, again.data, 12); /* a nonce is used once */
    assert_int_equal(aead_open(key, span_text("aad"), buf_span(&sealed), &out), RESULT_OK);
    assert_true(span_equal(buf_span(&out), span_of(plain, sizes[i])));
    buf_free(&sealed);
    buf_free(&again);
    buf_free(&out);
  }
}

static void test_no_room(void **state) {
  (void)state;
  const uint8_t key[AEAD_KEY] = {9};
  uint8_t memory[AEAD_OVERHEAD + 2], small[2];
  struct buf sealed = buf_fixed(memory, sizeof memory), out = buf_fixed(small, sizeof small);
  assert_int_equal(aead_seal(key, span_text(""), span_text("abc"), &sealed), RESULT_NO_MEMORY);
  assert_true(!sealed.bad && sealed.len == 0);
  assert_int_equal(aead_seal(key, span_text(""), span_text("ab"), &sealed), RESULT_OK);
  buf_put_u8(&out, 'x');
  assert_int_equal(aead_open(key, span_text(""), buf_span(&sealed), &out), RESULT_NO_MEMORY);
  assert_true(!out.bad && span_is(buf_span(&out), "x"));
  out.bad = true; /* a buffer with a hole stays one */
  assert_int_equal(aead_open(key, span_text(""), buf_span(&sealed), &out), RESULT_NO_MEMORY);
  assert_int_equal(aead_seal(key, span_text(""), span_text(""), &out), RESULT_NO_MEMORY);
  assert_true(out.bad);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_opens_vectors),
                                     cmocka_unit_test(test_refuses_tampered_twins),
                                     cmocka_unit_test(test_seals_and_opens), cmocka_unit_test(test_no_room)};
  return cmocka_run_group_tests_name("aead", tests, start_crypto, stop_crypto);
}
