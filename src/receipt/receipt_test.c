#include "receipt/receipt.h"

#include "base/base64.h"
#include "base/json.h"
#include "crypto/testing.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define ENGINE "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define JOB "0192f0c1-2a3b-7c4d-8e5f-0123456789ab"

static struct sign_key *key;
static uint8_t public[SIGN_PUBLIC];
static char kid[SIGN_THUMBPRINT + 1];

static int start(void **state) {
  if (start_crypto(state) != 0 || sign_key_new(&key) != RESULT_OK) return -1;
  sign_public(key, public);
  sign_thumbprint(public, kid);
  return 0;
}

static int stop(void **state) {
  sign_key_free(key);
  return stop_crypto(state);
}

static struct receipt_claims typical(void) {
  struct receipt_claims c = {.issuer = span_text("neocompute"),
                             .job = span_text(JOB),
                             .entry = span_text("main"),
                             .gas = 450,
                             .steps = 12345,
                             .issued_at = 1790000000,
                             .duration_us = 320,
                             .nonce = span_text("n-0S6_WzA2Mj"),
                             .engine = span_text(ENGINE),
                             .isolation = span_text("process"),
                             .tee = span_text("sim"),
                             .sequence = 1};
  uint8_t *hashes[] = {c.subject, c.script, c.input, c.output, c.logs, c.secrets, c.limits, c.attestation};
  for (size_t i = 0; i < COUNT(hashes); i++) memset(hashes[i], (int)(i + 1), HASH_SIZE);
  return c;
}

static struct buf signed_with(const struct receipt_claims *claims) {
  struct buf jws = buf_new(RECEIPT_MAX);
  assert_int_equal(receipt_sign(key, claims, &jws), RESULT_OK);
  return jws;
}

static enum result read_text(struct span jws, struct buf *text, struct receipt_claims *claims) {
  *text = buf_new(RECEIPT_MAX);
  return receipt_read(jws, public, text, claims);
}

static enum result verdict(struct span jws) {
  struct receipt_claims claims;
  struct buf text;
  enum result r = read_text(jws, &text, &claims);
  buf_free(&text);
  return r;
}

/* Header and payload of a JWS, decoded: [0] and [1]. */
static void decode(const struct buf *jws, struct buf out[2]) {
  const uint8_t *at = jws->data, *end = jws->data + jws->len;
  for (int i = 0; i < 2; i++) {
    const uint8_t *dot = memchr(at, '.', (size_t)(end - at));
    out[i] = buf_new(1024);
    assert_non_null(dot);
    assert_int_equal(base64_get_url(&out[i], span_of(at, (size_t)(dot - at))), RESULT_OK);
    at = dot + 1;
  }
}

/* A JWS that our key signs over any two texts. */
static struct buf forge(struct span header, struct span payload) {
  uint8_t signature[SIGN_SIZE];
  struct buf jws = buf_new(8192);
  base64_put_url(&jws, header);
  buf_put_u8(&jws, '.');
  base64_put_url(&jws, payload);
  assert_int_equal(sign_message(key, buf_span(&jws), signature), RESULT_OK);
  buf_put_u8(&jws, '.');
  base64_put_url(&jws, span_of(signature, sizeof signature));
  assert_false(jws.bad);
  return jws;
}

/* The text with its first `from` made `to`. */
static struct buf replaced(const struct buf *text, const char *from, const char *to) {
  struct buf b = buf_new(4096);
  const uint8_t *at = memmem(text->data, text->len, from, strlen(from));
  if (at == NULL) fail_msg("no %s", from);
  size_t before = (size_t)(at - text->data), after = before + strlen(from);
  buf_put(&b, text->data, before);
  buf_put_text(&b, to);
  buf_put(&b, text->data + after, text->len - after);
  return b;
}

/* ---- what is written is read ---- */

static void assert_same(const struct receipt_claims *a, const struct receipt_claims *b) {
  assert_int_equal(a->result, b->result);
  const struct span spans[][2] = {
      {a->issuer, b->issuer}, {a->job, b->job},       {a->entry, b->entry},         {a->nonce, b->nonce},
      {a->tee, b->tee},       {a->engine, b->engine}, {a->isolation, b->isolation},
  };
  for (size_t i = 0; i < COUNT(spans); i++) assert_true(span_equal(spans[i][0], spans[i][1]));
  const uint8_t *const hashes[][2] = {
      {a->subject, b->subject}, {a->script, b->script},     {a->input, b->input},
      {a->logs, b->logs},       {a->secrets, b->secrets},   {a->limits, b->limits},
      {a->output, b->output},   {a->previous, b->previous}, {a->attestation, b->attestation},
  };
  for (size_t i = 0; i < COUNT(hashes); i++) assert_memory_equal(hashes[i][0], hashes[i][1], HASH_SIZE);
  const uint64_t numbers[][2] = {{a->gas, b->gas},
                                 {a->steps, b->steps},
                                 {a->issued_at, b->issued_at},
                                 {a->duration_us, b->duration_us},
                                 {a->sequence, b->sequence}};
  for (size_t i = 0; i < COUNT(numbers); i++) assert_int_equal(numbers[i][0], numbers[i][1]);
}

static void expect_round_trip(const struct receipt_claims *claims) {
  struct receipt_claims back;
  struct buf text, jws = signed_with(claims), parts[2];
  assert_int_equal(read_text(buf_span(&jws), &text, &back), RESULT_OK);
  assert_same(claims, &back);
  decode(&jws, parts);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(json_canonical(buf_span(&parts[i])), JSON_CANONICAL);
    buf_free(&parts[i]);
  }
  buf_free(&text);
  buf_free(&jws);
}

static void test_round_trips(void **state) {
  (void)state;
  struct receipt_claims c = typical();
  expect_round_trip(&c);
  c.nonce = span_of(NULL, 0);
  expect_round_trip(&c);
  memset(c.output, 0, HASH_SIZE); /* none of a failed job */
  for (unsigned i = RESULT_OK + 1; i < RESULT_COUNT; i++) {
    c.result = (enum result)i;
    expect_round_trip(&c);
  }
}

static void test_the_text(void **state) {
  (void)state;
  struct receipt_claims c = typical();
  struct buf jws = signed_with(&c), parts[2], header = buf_new(400);
  decode(&jws, parts);
  buf_printf(&header,
             "{\"alg\":\"ES256\",\"att\":\"CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg\",\"eng\":\"" ENGINE
             "\",\"iso\":\"process\",\"kid\":\"%s\",\"typ\":\"neocompute-receipt+jwt\"}",
             kid);
  assert_true(span_equal(buf_span(&parts[0]), buf_span(&header)));
  assert_true(span_is(buf_span(&parts[1]),
                      "{\"dur_us\":320,\"entry\":\"main\",\"gas\":450,\"iat\":1790000000,"
                      "\"input\":\"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM\",\"iss\":\"neocompute\",\"job\":\"" JOB
                      "\",\"limits\":\"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc\","
                      "\"logs\":\"BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU\",\"nonce\":\"n-0S6_WzA2Mj\","
                      "\"output\":\"BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ\","
                      "\"prev\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
                      "\"script\":\"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI\","
                      "\"secrets\":\"BgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgY\",\"seq\":1,\"status\":\"completed\","
                      "\"steps\":12345,\"sub\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\",\"tee\":\"sim\","
                      "\"v\":1}"));
  buf_free(&header);
  buf_free(&parts[0]);
  buf_free(&parts[1]);
  buf_free(&jws);
}

/* Whatever a legal request holds, its receipt fits: StdLib of Neo N3 decodes at most 1,024 characters at a time. */
static void test_the_largest_fits(void **state) {
  (void)state;
  char longest[129], sixty_four[65];
  memset(longest, '"', sizeof longest - 1);
  longest[sizeof longest - 1] = 0;
  memset(sixty_four, 'i', sizeof sixty_four - 1);
  sixty_four[sizeof sixty_four - 1] = 0;
  struct receipt_claims c = typical();
  c.issuer = span_text("twelve bytes");
  c.entry = c.nonce = span_text(longest);
  c.gas = 9999999;
  c.steps = c.sequence = (UINT64_C(1) << 53) - 1;
  c.issued_at = 9999999999;
  c.duration_us = 999999999999;
  c.engine = c.isolation = span_text(sixty_four);
  c.tee = span_text("nitro+");
  for (unsigned i = 0; i < RESULT_COUNT; i++) {
    c.result = (enum result)i;
    struct buf jws = signed_with(&c), parts[2];
    assert_true(jws.len <= RECEIPT_MAX);
    decode(&jws, parts);
    assert_true(parts[0].len <= RECEIPT_HEADER_MAX && parts[1].len <= RECEIPT_PAYLOAD_MAX);
    assert_int_equal(verdict(buf_span(&jws)), RESULT_OK);
    buf_free(&parts[0]);
    buf_free(&parts[1]);
    buf_free(&jws);
  }
}

static void expect_no_claims(struct receipt_claims c) {
  uint8_t memory[RECEIPT_MAX + 4];
  struct buf jws = buf_fixed(memory, sizeof memory);
  buf_put_text(&jws, "kept");
  assert_int_equal(receipt_sign(key, &c, &jws), RESULT_LIMIT_INVALID);
  assert_true(!jws.bad && span_is(buf_span(&jws), "kept"));
}

#define WITH(member, value)              \
  do {                                   \
    struct receipt_claims c = typical(); \
    c.member = value;                    \
    expect_no_claims(c);                 \
  } while (0)

static void test_refuses_what_is_no_claim(void **state) {
  (void)state;
  WITH(issuer, span_text("thirteen byte"));
  WITH(issuer, span_text(""));
  WITH(job, span_text(""));
  WITH(job, span_text(JOB "0"));
  WITH(job, span_text("\""));
  WITH(tee, span_text("seven b"));
  WITH(engine, span_text(ENGINE "0"));
  WITH(isolation, span_text("back\\slash"));
  WITH(isolation, span_text("\xff"));
  WITH(gas, 10000000);
  WITH(steps, UINT64_C(1) << 53);
  WITH(sequence, UINT64_MAX);
  WITH(issued_at, 10000000000);
  WITH(duration_us, 1000000000000);
  WITH(result, RESULT_COUNT);
}

static void test_no_room(void **state) {
  (void)state;
  struct receipt_claims c = typical();
  struct buf whole = signed_with(&c);
  static uint8_t memory[RECEIPT_MAX];
  for (size_t size = 0; size < whole.len; size += 7) {
    struct buf small = buf_fixed(memory, size);
    assert_int_equal(receipt_sign(key, &c, &small), RESULT_NO_MEMORY);
    assert_true(!small.bad && small.len == 0);
  }
  struct buf text = buf_fixed(memory, 300);
  assert_int_equal(receipt_read(buf_span(&whole), public, &text, &c), RESULT_NO_MEMORY);
  buf_free(&whole);
}

/* ---- long and odd texts ---- */

static void test_texts(void **state) {
  (void)state;
#define FIFTY "01234567890123456789012345678901234567890123456789"
  static const struct {
    const char *text, *claim; /* NULL: a hash */
  } rows[] = {
      {"main", "main"},
      {FIFTY, FIFTY},
      {"gr\xc3\xb6\xc3\x9f"
       "e\x7f",
       "gr\xc3\xb6\xc3\x9f"
       "e\x7f"},
      {"sha256", "sha256"},
      {FIFTY "0", NULL},
      {"a\"b", NULL},
      {"a\\b", NULL},
      {"a\nb", NULL},
      {"\xff", NULL},
      {"sha256:", NULL},
      {"sha256:5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9", NULL},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct receipt_claims c = typical(), back;
    c.entry = c.nonce = span_text(rows[i].text);
    struct buf text, jws = signed_with(&c);
    assert_int_equal(read_text(buf_span(&jws), &text, &back), RESULT_OK);
    assert_true(span_equal(back.entry, back.nonce));
    assert_true(receipt_text_is(back.entry, c.entry));
    assert_false(receipt_text_is(back.entry, span_text("other")));
    assert_false(receipt_text_is(back.entry, span_of(c.entry.data, c.entry.len - 1)));
    if (rows[i].claim != NULL)
      assert_true(span_is(back.entry, rows[i].claim));
    else
      assert_int_equal(back.entry.len, RECEIPT_TEXT_MAX);
    /* What stands in a receipt for a hashed text is not that text's own claim. */
    if (rows[i].claim == NULL) assert_false(receipt_text_is(back.entry, back.entry));
    buf_free(&text);
    buf_free(&jws);
  }
}

/* ---- tampered twins ---- */

static void test_every_character_counts(void **state) {
  (void)state;
  struct receipt_claims c = typical();
  struct buf jws = signed_with(&c);
  assert_int_equal(verdict(buf_span(&jws)), RESULT_OK);
  for (size_t i = 0; i < jws.len; i++) {
    uint8_t was = jws.data[i];
    jws.data[i] = was == 'A' ? 'B' : 'A';
    assert_int_equal(verdict(buf_span(&jws)), RESULT_NOT_VERIFIED);
    jws.data[i] = was;
  }
  for (size_t len = 0; len < jws.len; len++) assert_int_equal(verdict(span_of(jws.data, len)), RESULT_NOT_VERIFIED);
  static const char *const endings[] = {"=", ".", "\n", "A", ".AAAA"};
  for (size_t i = 0; i < COUNT(endings); i++) {
    struct buf longer = buf_new(4096);
    buf_put_span(&longer, buf_span(&jws));
    buf_put_text(&longer, endings[i]);
    assert_int_equal(verdict(buf_span(&longer)), RESULT_NOT_VERIFIED);
    buf_free(&longer);
  }
  buf_free(&jws);
}

static void expect_forged(const struct buf parts[2], int which, const char *from, const char *to) {
  struct buf changed = replaced(&parts[which], from, to);
  struct buf jws =
      which == 0 ? forge(buf_span(&changed), buf_span(&parts[1])) : forge(buf_span(&parts[0]), buf_span(&changed));
  enum result r = verdict(buf_span(&jws));
  if (r != RESULT_NOT_VERIFIED) fail_msg("%s for %s: %s", to, from, result_name(r));
  buf_free(&changed);
  buf_free(&jws);
}

/* All of these carry a genuine signature: the form alone refuses them. */
static void test_there_is_one_form(void **state) {
  (void)state;
  static const struct {
    int which;
    const char *from, *to;
  } twins[] = {
      {0, "ES256", "none"},
      {0, "ES256", "HS256"},
      {0, "ES256", "es256"},
      {0, "ES256", "ES384"},
      {0, "\"alg\":\"ES256\",", ""},
      {0, "neocompute-receipt+jwt", "JWT"},
      {0, "neocompute-receipt+jwt", "neocompute-receipt+jwt2"},
      {0, ",\"typ\"", ",\"jku\":\"https://example.com\",\"typ\""},
      {0, "\"typ\"", "\"crit\":[\"exp\"],\"typ\""},
      {0, "\"kid\":\"", "\"kid\":\"A"},
      {0, "\"att\":", "\"att\":\"\",\"att\":"},
      {0, "{", "{ "},
      {0, "}", "}\n"},
      {0, "}", "} "},
      {0, "}", ""},
      {0, "process", ""},
      {0, "process", "pro\\u0063ess"},
      {0, "AgI\",\"eng", "AgJ\",\"eng"}, /* bits that carry nothing */
      {1, "{", ""},
      {1, "{", "[{"},
      {1, "{", "{ "},
      {1, "}", "}}"},
      {1, "}", "}\n"},
      {1, "}", ",\"x\":1}"},
      {1, "\"v\":1", "\"v\":2"},
      {1, "\"v\":1", "\"v\":11"},
      {1, "\"v\":1", "\"v\":\"1\""},
      {1, ",\"v\":1", ""},
      {1, "\"dur_us\":320,", ""},
      {1, "320", "0320"},
      {1, "320", "320.0"},
      {1, "320", "3.2e2"},
      {1, "320", "-320"},
      {1, "320", "+320"},
      {1, "320", " 320"},
      {1, "320", ""},
      {1, "320", "\"320\""},
      {1, "320", "1000000000000"},
      {1, "320", "18446744073709551936"},
      {1, "\"steps\":12345", "\"steps\":9007199254740992"},
      {1, "\"entry\":\"main\"", "\"entry\":\"m\\u0061in\""},
      {1, "\"entry\":\"main\"", "\"entry\":\"a\\\\b\""},
      {1, "\"entry\":\"main\"", "\"entry\":\"a\nb\""},
      {1, "\"entry\":\"main\"", "\"entry\":\"\xff\""},
      {1, "\"entry\":\"main\"", "\"entry\":null"},
      {1, "\"entry\":\"main\"", "\"entry\":\"sha256:abc\""},
      {1, "\"entry\":\"main\"", "\"entry\":\"sha256:\""},
      {1, "\"entry\":\"main\"", "\"entry\":\"012345678901234567890123456789012345678901234567890\""},
      {1, "\"entry\":\"main\"", "\"entry\":\"main\",\"entry\":\"main\""},
      {1, "\"entry\":\"main\",\"gas\":450", "\"gas\":450,\"entry\":\"main\""},
      {1, "n-0S6_WzA2Mj", ""},
      {1, "\"iss\":\"neocompute\",", ""},
      {1, "neocompute", "neocompute+++"},
      {1, "AwMDAwMDAwM\"", "AwMDAwMDAwN\""},
      {1, "AwMDAwMDAwM\"", "AwMDAwMDAwM=\""},
      {1, "AwMDAwMDAwM\"", "AwMDAwMDAw\""},
      {1, "AwMDAwMDAwM\"", "AwMDAwMDAwMD\""},
      {1, "\"input\":\"A", "\"input\":\"+"},
      {1, "completed", "failed"},
      {1, "completed", "running"},
      {1, "completed", ""},
      {1, "{", "{\"code\":\"timeout\","},
      {1, "{", "{\"code\":\"ok\","},
      {1, "{", "{\"code\":\"no_such_code\","},
      {1, "\"output\":\"BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ\",", ""},
      {1, "\"tee\":\"sim\"", "\"tee\":\"\""},
      {1, "\"tee\":\"sim\"", "\"tee\":sim"},
      {1, "\"seq\":1", "\"seq\":[1]"},
  };
  struct receipt_claims c = typical();
  memset(c.attestation, 2, HASH_SIZE);
  struct buf jws = signed_with(&c), parts[2];
  decode(&jws, parts);
  struct buf same = forge(buf_span(&parts[0]), buf_span(&parts[1]));
  assert_int_equal(verdict(buf_span(&same)), RESULT_OK);
  for (size_t i = 0; i < COUNT(twins); i++) expect_forged(parts, twins[i].which, twins[i].from, twins[i].to);
  buf_free(&same);
  buf_free(&parts[0]);
  buf_free(&parts[1]);
  buf_free(&jws);
}

static void test_a_failed_receipt_has_one_form(void **state) {
  (void)state;
  static const struct {
    const char *from, *to;
  } twins[] = {
      {"failed", "completed"},
      {"\"code\":\"timeout\",", ""},
      {"\"code\":\"timeout\"", "\"code\":\"Timeout\""},
      {"\"prev\"", "\"output\":\"BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ\",\"prev\""},
  };
  struct receipt_claims c = typical();
  c.result = RESULT_TIMEOUT;
  struct buf jws = signed_with(&c), parts[2];
  decode(&jws, parts);
  for (size_t i = 0; i < COUNT(twins); i++) expect_forged(parts, 1, twins[i].from, twins[i].to);
  buf_free(&parts[0]);
  buf_free(&parts[1]);
  buf_free(&jws);
}

static void test_another_key(void **state) {
  (void)state;
  struct sign_key *other = NULL;
  struct receipt_claims c = typical();
  struct buf jws = buf_new(RECEIPT_MAX);
  assert_int_equal(sign_key_new(&other), RESULT_OK);
  assert_int_equal(receipt_sign(other, &c, &jws), RESULT_OK);
  assert_int_equal(verdict(buf_span(&jws)), RESULT_NOT_VERIFIED);
  /* Its payload under our header. */
  struct buf ours = signed_with(&c), parts[2];
  decode(&ours, parts);
  const uint8_t *signature = memrchr(jws.data, '.', jws.len);
  struct buf mixed = buf_new(RECEIPT_MAX);
  base64_put_url(&mixed, buf_span(&parts[0]));
  buf_put_u8(&mixed, '.');
  base64_put_url(&mixed, buf_span(&parts[1]));
  buf_put(&mixed, signature, (size_t)(jws.data + jws.len - signature));
  assert_int_equal(verdict(buf_span(&mixed)), RESULT_NOT_VERIFIED);
  buf_free(&mixed);
  buf_free(&parts[0]);
  buf_free(&parts[1]);
  buf_free(&ours);
  buf_free(&jws);
  sign_key_free(other);
}

/* n - s signs the same: two texts for one receipt would be two hashes in a chain. */
static void test_high_s(void **state) {
  (void)state;
  const uint8_t *n = unhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").data;
  struct receipt_claims c = typical();
  struct buf jws = signed_with(&c), twin = buf_new(RECEIPT_MAX);
  uint8_t signature[SIGN_SIZE];
  size_t start = jws.len - BASE64_URL_SIZE(SIGN_SIZE);
  assert_true(base64_read_url(span_of(jws.data + start, jws.len - start), signature, sizeof signature));
  for (int i = 31, borrow = 0; i >= 0; i--) {
    int d = n[i] - signature[32 + i] - borrow;
    borrow = d < 0;
    signature[32 + i] = (uint8_t)d;
  }
  buf_put(&twin, jws.data, start);
  base64_put_url(&twin, span_of(signature, sizeof signature));
  assert_int_equal(verdict(buf_span(&twin)), RESULT_NOT_VERIFIED);
  buf_free(&twin);
  buf_free(&jws);
}

/* ---- what is hashed ---- */

static void test_limits(void **state) {
  (void)state;
  struct receipt_limits l = {30000, 134217728, 0, 1048576, 100, 4096, false, {NULL, 0}};
  const char *want =
      "{\"deterministic\":false,\"log_entries\":100,\"log_entry_bytes\":4096,\"memory_bytes\":134217728,"
      "\"output_bytes\":1048576,\"steps\":0,\"timeout_ms\":30000}";
  struct buf b = buf_new(400);
  receipt_put_limits(&b, &l);
  assert_true(span_is(buf_span(&b), want));
  buf_clear(&b);
  l.steps = INT64_MAX; /* "no limit" to the engine */
  receipt_put_limits(&b, &l);
  assert_true(span_is(buf_span(&b), want));
  buf_clear(&b);
  l = (struct receipt_limits){1, 2, (UINT64_C(1) << 53) - 1, 4, 5, 6, true, {NULL, 0}};
  receipt_put_limits(&b, &l);
  assert_true(span_is(buf_span(&b),
                      "{\"deterministic\":true,\"log_entries\":5,\"log_entry_bytes\":6,\"memory_bytes\":2,"
                      "\"output_bytes\":4,\"steps\":9007199254740991,\"timeout_ms\":1}"));
  assert_int_equal(json_canonical(buf_span(&b)), JSON_CANONICAL);
  buf_clear(&b);
  l = (struct receipt_limits){.timeout_ms = 1, .hosts = span_text(" a.example,*.b.example\n")};
  receipt_put_limits(&b, &l);
  assert_true(span_is(buf_span(&b),
                      "{\"deterministic\":false,\"hosts\":[\"a.example\",\"*.b.example\"],\"log_entries\":0,"
                      "\"log_entry_bytes\":0,\"memory_bytes\":0,\"output_bytes\":0,\"steps\":0,\"timeout_ms\":1}"));
  assert_int_equal(json_canonical(buf_span(&b)), JSON_CANONICAL);
  buf_free(&b);
}

static void test_secrets_and_commitments(void **state) {
  (void)state;
  struct buf b = buf_new(200);
  receipt_put_secret(&b, span_text("api_key"), 3, true);
  receipt_put_secret(&b, span_text("salt"), 18446744073709551615u, false);
  receipt_put_network(&b, span_text("{}"));
  assert_true(span_is(buf_span(&b),
                      "api_key@3\nsalt@18446744073709551615 reference\n*network@"
                      "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n"));
  buf_free(&b);
  const uint8_t salt[RECEIPT_SALT] = "0123456789abcdef";
  uint8_t a[HASH_SIZE], c[HASH_SIZE];
  struct span joined = span_text("0123456789abcdef{\"a\":1}");
  assert_int_equal(receipt_commit(salt, span_text("{\"a\":1}"), a), RESULT_OK);
  assert_int_equal(hash_sha256(&joined, 1, c), RESULT_OK);
  assert_memory_equal(a, c, HASH_SIZE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trips),
      cmocka_unit_test(test_the_text),
      cmocka_unit_test(test_the_largest_fits),
      cmocka_unit_test(test_refuses_what_is_no_claim),
      cmocka_unit_test(test_no_room),
      cmocka_unit_test(test_texts),
      cmocka_unit_test(test_every_character_counts),
      cmocka_unit_test(test_there_is_one_form),
      cmocka_unit_test(test_a_failed_receipt_has_one_form),
      cmocka_unit_test(test_another_key),
      cmocka_unit_test(test_high_s),
      cmocka_unit_test(test_limits),
      cmocka_unit_test(test_secrets_and_commitments),
  };
  return cmocka_run_group_tests_name("receipt", tests, start, stop);
}
