#include "crypto/hash.h"

#include "crypto/testing.h"

/* FIPS 180-4 examples (NIST CSRC, SHA256.pdf and SHA512.pdf), and the empty text. */
static void test_digests(void **state) {
  (void)state;
  uint8_t out[64];
  struct span parts[] = {span_text("a"), span_of(NULL, 0), span_text("bc")};
  assert_int_equal(hash_sha256(parts, 3, out), RESULT_OK);
  assert_memory_equal(out, unhex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad").data, 32);
  assert_int_equal(hash_sha256(NULL, 0, out), RESULT_OK);
  assert_memory_equal(out, unhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855").data, 32);
  assert_int_equal(hash_sha512(parts, 3, out), RESULT_OK);
  assert_memory_equal(out,
                      unhex("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f")
                          .data,
                      64);
}

/* RFC 4231 §4.2 to 4.4, 4.7 (a key longer than a block); then an empty key (checked with node:crypto). */
static void test_hmac(void **state) {
  (void)state;
  static const struct {
    const char *key, *data, *mac;
  } vectors[] = {
      {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
       "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
       "a"
       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
       "a"
       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
       "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b657920466972"
       "7374",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {"", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
  };
  for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
    uint8_t out[HASH_SIZE];
    assert_int_equal(hash_hmac(unhex(vectors[i].key), unhex(vectors[i].data), out), RESULT_OK);
    assert_memory_equal(out, unhex(vectors[i].mac).data, HASH_SIZE);
  }
  /* No key is not "the last key again". */
  uint8_t out[HASH_SIZE];
  assert_int_equal(hash_hmac(span_of(NULL, 0), span_of(NULL, 0), out), RESULT_OK);
  assert_memory_equal(out, unhex(vectors[4].mac).data, HASH_SIZE);
}

/* RFC 5869 A.1 to A.3. */
static void test_hkdf(void **state) {
  (void)state;
  static const struct {
    const char *key, *salt, *info, *okm;
  } vectors[] = {
      {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
       "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
      {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363"
       "738"
       "393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
       "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969"
       "798"
       "999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
       "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e"
       "7e8"
       "e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
       "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b"
       "836"
       "7793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
      {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
       "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
  };
  for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
    uint8_t out[96];
    struct span okm = unhex(vectors[i].okm);
    assert_int_equal(hash_hkdf(unhex(vectors[i].key), unhex(vectors[i].salt), unhex(vectors[i].info), out, okm.len),
                     RESULT_OK);
    assert_memory_equal(out, okm.data, okm.len);
  }
}

static void test_hkdf_has_an_end(void **state) {
  (void)state;
  static uint8_t out[255 * 32 + 1];
  assert_int_equal(hash_hkdf(span_text("k"), span_text("s"), span_text("i"), out, sizeof out - 1), RESULT_OK);
  assert_int_equal(hash_hkdf(span_text("k"), span_text("s"), span_text("i"), out, sizeof out), RESULT_CRYPTO);
}

static void test_equal(void **state) {
  (void)state;
  uint8_t a[HASH_SIZE] = {1}, b[HASH_SIZE] = {1};
  assert_true(hash_equal(a, b));
  for (size_t i = 0; i < HASH_SIZE; i++) {
    b[i] ^= 0x80;
    assert_false(hash_equal(a, b));
    b[i] ^= 0x80;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_digests), cmocka_unit_test(test_hmac),
                                     cmocka_unit_test(test_hkdf), cmocka_unit_test(test_hkdf_has_an_end),
                                     cmocka_unit_test(test_equal)};
  return cmocka_run_group_tests_name("hash", tests, start_crypto, stop_crypto);
}
