/* The marble without its Coordinator: frames and headers, messages, what may be set and where files may be, its keys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

#include "marble/files.h"
#include "marble/grpc.h"
#include "marble/identity.h"
#include "marble/process.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct span literal(const char *bytes, size_t size) {
  return span_of(bytes, size - 1);
}
#define BYTES(text) literal(text, sizeof(text))

/* ---- gRPC ---- */

static void test_frames(void **state) {
  (void)state;
  struct buf b = buf_new(100);
  struct span message;
  grpc_put_frame(&b, BYTES("hello"));
  assert_true(span_equal(buf_span(&b), BYTES("\0\0\0\0\5hello")));
  assert_int_equal(grpc_get_frame(buf_span(&b), &message), RESULT_OK);
  assert_true(span_is(message, "hello"));
  buf_free(&b);
  const struct span none[] = {BYTES(""),
                              BYTES("\0\0\0\0"),
                              BYTES("\1\0\0\0\1x"),
                              BYTES("\0\0\0\0\1"),
                              BYTES("\0\0\0\0\1xy"),
                              BYTES("\0\xff\xff\xff\xffx"),
                              BYTES("\2\0\0\0\0"),
                              BYTES("\0\0\0\0\0\0\0\0\0\0")};
  for (size_t i = 0; i < COUNT(none); i++) assert_int_equal(grpc_get_frame(none[i], &message), RESULT_INPUT_INVALID);
  assert_int_equal(grpc_get_frame(BYTES("\0\0\0\0\0"), &message), RESULT_OK);
  assert_int_equal(message.len, 0);
}

static void test_outcomes(void **state) {
  (void)state;
#define FINE "HTTP/2 200 \r\n", "content-type: application/grpc\r\n"
  static const struct {
    const char *lines[6];
    enum grpc_code outcome;
    const char *message;
  } cases[] = {
      {{FINE, "\r\n", "grpc-status: 0\r\n"}, GRPC_OK, ""},
      {{FINE, "Grpc-Status:7", "GRPC-MESSAGE:  no%20way%21 \r\n"}, GRPC_PERMISSION_DENIED, "no way!"},
      {{FINE, "grpc-message: 100%, %zz %4", "grpc-status: 16"}, GRPC_UNAUTHENTICATED, "100%, %zz %4"},
      {{FINE, "grpc-message: a%00b%C3%BC", "grpc-status: 13"}, GRPC_INTERNAL, "a?b\xc3\xbc"},
      {{FINE, "grpc-status: 9", "grpc-status: 9"}, GRPC_FAILED_PRECONDITION, ""},
      {{FINE, "grpc-status: 0", "grpc-status: 7"}, GRPC_INTERNAL, ""},
      {{FINE, "grpc-status: 17"}, GRPC_INTERNAL, ""},
      {{FINE, "grpc-status: -1"}, GRPC_INTERNAL, ""},
      {{FINE, "grpc-status: "}, GRPC_INTERNAL, ""},
      {{FINE}, GRPC_UNKNOWN, ""},
      {{"HTTP/2 200", "content-type: application/grpc+proto", "grpc-status: 0"}, GRPC_OK, ""},
      {{"HTTP/2 200", "content-type: application/grpc-web", "grpc-status: 0"}, GRPC_UNKNOWN, ""},
      {{"HTTP/2 200", "content-type: text/html", "grpc-status: 0"}, GRPC_UNKNOWN, ""},
      {{"HTTP/2 200", "grpc-status: 14"}, GRPC_UNAVAILABLE, ""},
      {{"HTTP/2 503 ", "grpc-status: 0"}, GRPC_UNAVAILABLE, ""},
      {{"HTTP/2 403"}, GRPC_PERMISSION_DENIED, ""},
      {{"HTTP/2 500"}, GRPC_UNKNOWN, ""},
      {{"HTTP/2 103", "grpc-status: 7", "HTTP/2 200", "content-type: application/grpc", "grpc-status: 0"}, GRPC_OK, ""},
      {{"HTTP/2", "grpc-status: 0"}, GRPC_UNKNOWN, ""},
      {{"HTTP/2 2x0", "grpc-status: 0"}, GRPC_INTERNAL, ""},
      {{"grpc-status: 0"}, GRPC_UNKNOWN, ""},
      {{NULL}, GRPC_UNKNOWN, ""},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct grpc_answer a = {0};
    for (size_t k = 0; k < 6 && cases[i].lines[k] != NULL; k++) grpc_take_line(&a, span_text(cases[i].lines[k]));
    if (grpc_outcome(&a) != cases[i].outcome || strcmp(a.message, cases[i].message) != 0)
      fail_msg("case %zu: %s, %s", i, grpc_name(grpc_outcome(&a)), a.message);
  }
}

static void test_long_message(void **state) {
  (void)state;
  struct buf line = buf_new(4096);
  struct grpc_answer a = {0};
  buf_put_text(&line, "grpc-message: ");
  for (size_t i = 0; i < 1000; i++) buf_put_text(&line, "%41");
  grpc_take_line(&a, buf_span(&line));
  assert_int_equal(strlen(a.message), GRPC_MESSAGE_MAX);
  assert_int_equal(strspn(a.message, "A"), GRPC_MESSAGE_MAX);
  buf_free(&line);
}

static void test_which_may_pass(void **state) {
  (void)state;
  for (unsigned code = 0; code < GRPC_CODE_COUNT; code++)
    assert_int_equal(grpc_may_pass((enum grpc_code)code), code == 14 || code == 9);
  assert_string_equal(grpc_name(GRPC_UNAUTHENTICATED), "UNAUTHENTICATED");
  assert_int_equal(GRPC_UNAUTHENTICATED, 16);
  assert_string_equal(grpc_name((enum grpc_code)99), "UNKNOWN");
}

/* ---- messages ---- */

static void test_request(void **state) {
  (void)state;
  struct buf b = buf_new(1000);
  message_put_request(&b, &(struct message_request){BYTES("Q"), BYTES("CSR"), "type", "uuid"});
  assert_true(span_equal(buf_span(&b), BYTES("\x0a\x01Q\x12\x03"
                                             "CSR\x1a\x04type\x22\x04uuid")));
  buf_clear(&b);
  message_put_request(&b, &(struct message_request){span_of(NULL, 0), BYTES("CSR"), "t", "u"}); /* simulation */
  assert_true(span_equal(buf_span(&b), BYTES("\x12\x03"
                                             "CSR\x1a\x01t\x22\x01u")));
  buf_free(&b);
}

#define RESPONSE                                                                 \
  "\x0a\x1d\x0a\x08\x0a\x02/f\x12\x02\0\xff\x12\x08\x0a\x01N\x12\x03V=V\x1a\x01" \
  "a\x1a\x00\x1a\x02"                                                            \
  "b\0"

static Activation__Response *response(struct span bytes) {
  Activation__Response *r = NULL;
  assert_int_equal(message_get_response(bytes, &r), RESULT_OK);
  return r;
}

static void test_response(void **state) {
  (void)state;
  Activation__Response *r = response(BYTES(RESPONSE));
  const parameters *p = r->parameters;
  assert_int_equal(p->n_files, 1);
  assert_int_equal(p->n_env, 1);
  assert_int_equal(p->n_argv, 3);
  assert_true(span_is(message_bytes(p->files[0]->name), "/f"));
  assert_true(span_equal(message_bytes(p->files[0]->value), BYTES("\0\xff")));
  assert_true(span_is(message_bytes(p->env[0]->value), "V=V"));
  assert_true(span_equal(message_bytes(p->argv[2]), BYTES("b\0"))); /* a NUL is seen */
  message_free(r);
  /* cut anywhere it is none */
  for (size_t len = 0; len < sizeof RESPONSE - 1; len++) {
    assert_int_equal(message_get_response(span_of(RESPONSE, len), &r), RESULT_INPUT_INVALID);
  }
}

static void test_large_responses(void **state) {
  (void)state;
  Activation__Response *r = NULL;
  struct buf b = buf_new(2u << 20);
  buf_put_text(&b, "\x0a\xfc\xff\x3f"); /* parameters of MESSAGE_MAX - 4 bytes: entries of nothing */
  while (b.len < MESSAGE_MAX) buf_put(&b, "\x12\x00", 2);
  assert_int_equal(b.len, MESSAGE_MAX);
  const enum result result = message_get_response(buf_span(&b), &r);
  assert_int_equal(result, RESULT_INPUT_INVALID); /* it would take more memory than it may */
  buf_put_u8(&b, 0);
  assert_int_equal(message_get_response(buf_span(&b), &r), RESULT_INPUT_INVALID);
  buf_free(&b);
  message_free(NULL);
}

/* ---- what the Coordinator may do ---- */

static void test_paths(void **state) {
  (void)state;
  static const char *const directories[] = {"/secrets", "/a/b", NULL};
  static const struct {
    const char *path;
    bool may;
  } cases[] = {{"/secrets/x", true},
               {"/secrets/x/y.z", true},
               {"/a/b/..c", true},
               {"/a/b/.hidden", true},
               {"/secrets", false},
               {"/secrets/", false},
               {"/secretsx/y", false},
               {"/secrets/../x", false},
               {"/secrets/x/..", false},
               {"/secrets/./x", false},
               {"/secrets//x", false},
               {"//secrets/x", false},
               {"secrets/x", false},
               {"", false},
               {"/", false},
               {"/a/x", false},
               {"/a/b", false},
               {"/secrets/x/", false},
               {"/etc/ld.so.preload", false}};
  for (size_t i = 0; i < COUNT(cases); i++)
    if (files_may_be(directories, span_text(cases[i].path)) != cases[i].may) fail_msg("%s", cases[i].path);
  assert_false(files_may_be(directories, BYTES("/secrets/a\0b")));
}

static void test_variables(void **state) {
  (void)state;
  static const char *const none[] = {NULL}, *const extra[] = {"EXTRA", "LD_X", "NEOCOMPUTE_WORKER", NULL};
  static const char *const may[] = {"COMPUTE_MASTER_KEY", "SECRETS_MASTER_KEY", "MARBLE_CERT",
                                    "NEOCOMPUTE_LISTEN",  "SUPABASE_URL",       "PORT"};
  static const char *const may_not[] = {"LD_PRELOAD",
                                        "LD_X",
                                        "GCONV_PATH",
                                        "OPENSSL_CONF",
                                        "PATH",
                                        "EXTRA",
                                        "MARBLE_",
                                        "marble_x",
                                        "",
                                        "MARBLE_A=B",
                                        "MARBLE A",
                                        "NEOCOMPUTE_WORKER",
                                        "OE_SIMULATION",
                                        "COMPUTE_MASTER_KEYS"};
  for (size_t i = 0; i < COUNT(may); i++)
    if (!process_may_set(none, span_text(may[i]))) fail_msg("%s", may[i]);
  for (size_t i = 0; i < COUNT(may_not); i++)
    if (process_may_set(none, span_text(may_not[i]))) fail_msg("%s", may_not[i]);
  assert_true(process_may_set(extra, span_text("EXTRA")));
  assert_false(process_may_set(extra, span_text("NEOCOMPUTE_WORKER")));
}

static void test_arguments(void **state) {
  (void)state;
  char *const given[] = {"program", "x", NULL};
  struct process_block block;
  struct buf problem = buf_new(1000);
  parameters p = ACTIVATION__PARAMETERS__INIT;
  assert_int_equal(process_arguments(&block, given, &p, &problem), RESULT_OK);
  assert_int_equal(block.count, 2);
  assert_string_equal(block.strings[1], "x");
  assert_null(block.strings[2]);
  process_free(&block);
  ProtobufCBinaryData sent[] = {{3, (uint8_t *)"one"}, {0, NULL}};
  p.argv = sent;
  p.n_argv = 2;
  assert_int_equal(process_arguments(&block, given, &p, &problem), RESULT_OK);
  assert_int_equal(block.count, 2);
  assert_string_equal(block.strings[0], "one");
  assert_string_equal(block.strings[1], "");
  process_free(&block);
  buf_free(&problem);
}

static void test_environment(void **state) {
  (void)state;
  static const char *const none[] = {NULL};
  char *const given[] = {"KEPT=1", "MARBLE_X=old", "MARBLE_X=older", "MARBLE_XY=2", "odd", NULL};
  struct process_block block;
  struct buf problem = buf_new(1000);
  Activation__Entry entry = ACTIVATION__ENTRY__INIT;
  entry.name = (ProtobufCBinaryData){8, (uint8_t *)"MARBLE_X"};
  entry.value = (ProtobufCBinaryData){3, (uint8_t *)"new"};
  Activation__Entry *entries[] = {&entry, &entry};
  parameters p = ACTIVATION__PARAMETERS__INIT;
  p.env = entries;
  p.n_env = 1;
  static const char *const want[] = {"KEPT=1", "MARBLE_XY=2", "odd", "MARBLE_X=new"};
  assert_int_equal(process_environment(&block, given, &p, none, &problem), RESULT_OK);
  assert_int_equal(block.count, COUNT(want));
  for (size_t i = 0; i < COUNT(want); i++) assert_string_equal(block.strings[i], want[i]);
  process_free(&block);
  p.n_env = 2;
  assert_int_equal(process_environment(&block, given, &p, none, &problem), RESULT_CONFIG_INVALID);
  assert_true(span_is(buf_span(&problem), "the manifest sets MARBLE_X, twice"));
  process_free(&block);
  buf_free(&problem);
}

/* ---- its keys ---- */

static void test_identity(void **state) {
  (void)state;
  struct identity identity;
  assert_int_equal(identity_new(&identity, "localhost,10.0.0.1,fd00::2", 1700000000), RESULT_OK);
  const uint8_t *der = identity.certificate.data, *request = identity.csr.data, *secret = identity.key.data;
  X509 *certificate = d2i_X509(NULL, &der, (long)identity.certificate.len);
  X509_REQ *csr = d2i_X509_REQ(NULL, &request, (long)identity.csr.len);
  EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &secret, (long)identity.key.len);
  assert_int_equal(X509_check_private_key(certificate, key), 1);
  assert_int_equal(X509_REQ_verify(csr, key), 1);
  assert_int_equal(EVP_PKEY_eq(X509_REQ_get0_pubkey(csr), key), 1);
  assert_int_equal(EVP_PKEY_get_bits(key), 384);
  assert_int_equal(X509_check_host(certificate, "localhost", 0, 0, NULL), 1);
  static const char *const addresses[] = {"10.0.0.1", "fd00::2", "127.0.0.1", "::1"};
  for (size_t i = 0; i < COUNT(addresses); i++) assert_int_equal(X509_check_ip_asc(certificate, addresses[i], 0), 1);
  assert_int_equal(X509_check_ip_asc(certificate, "10.0.0.2", 0), 0);
  X509_free(certificate);
  X509_REQ_free(csr);
  EVP_PKEY_free(key);
  identity_free(&identity);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_frames),          cmocka_unit_test(test_outcomes),    cmocka_unit_test(test_long_message),
      cmocka_unit_test(test_which_may_pass),  cmocka_unit_test(test_request),     cmocka_unit_test(test_response),
      cmocka_unit_test(test_large_responses), cmocka_unit_test(test_paths),       cmocka_unit_test(test_variables),
      cmocka_unit_test(test_arguments),       cmocka_unit_test(test_environment), cmocka_unit_test(test_identity),
  };
  return cmocka_run_group_tests_name("marble", tests, NULL, NULL);
}
