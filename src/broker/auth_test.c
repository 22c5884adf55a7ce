#include "broker/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jwt_vectors.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static char problem[256];
static const struct http_peer nobody = {.dns_name = ""};
static const struct http_peer local = {.loopback = true, .dns_name = ""};
static const struct http_peer gateway = {.verified = true, .dns_name = "gateway.mesh.example"};

static struct auth *open_auth(const struct auth_config *config) {
  struct auth *auth = NULL;
  problem[0] = '\0';
  if (auth_new(config, problem, sizeof problem, &auth) != RESULT_OK) fail_msg("%s", problem);
  return auth;
}

static struct auth *open_mode(enum auth_mode mode) {
  const struct auth_config config = {.mode = mode, .service_key = span_text(JWT_SERVICE_PEM)};
  return open_auth(&config);
}

static struct auth_config jwt_config(void) {
  return (struct auth_config){.mode = AUTH_JWT,
                              .jwt_secret = span_text(JWT_SECRET),
                              .jwt_jwks = span_text(JWT_JWKS),
                              .jwt_issuer = span_text(JWT_ISSUER),
                              .jwt_audience = span_text(JWT_AUDIENCE),
                              .service_key = span_text(JWT_SERVICE_PEM)};
}

static struct auth *open_jwt(void) {
  const struct auth_config config = jwt_config();
  return open_auth(&config);
}

static struct http_field field(const char *name, const char *value) {
  return (struct http_field){span_text(name), span_text(value)};
}

/* What came of a request with up to three fields. */
struct asked {
  const char *why; /* NULL: taken */
  struct auth_caller caller;
};

static struct asked ask_at(const struct auth *auth, const struct http_peer *peer, uint64_t now,
                           const struct http_field *fields, size_t count) {
  struct asked asked = {.why = ""};
  const struct http_request request = {.fields = fields, .field_count = count};
  enum result r = auth_check(auth, &request, peer, now, &asked.caller, &asked.why);
  assert_int_equal(r, asked.why == NULL ? RESULT_OK : RESULT_UNAUTHORIZED);
  assert_int_equal(r == RESULT_OK, asked.caller.user[0] != '\0');
  if (r != RESULT_OK) assert_int_equal(asked.caller.service[0], '\0');
  return asked;
}

static struct asked ask(const struct auth *auth, const struct http_peer *peer, const struct http_field *fields,
                        size_t count) {
  return ask_at(auth, peer, JWT_NOW, fields, count);
}

static void assert_why(const char *name, const char *got, const char *want) {
  bool as_said = want == NULL || got == NULL ? want == got : want[0] == '\0' || strcmp(want, got) == 0;
  if (!as_said) fail_msg("%s: %s, not %s", name, got ? got : "taken", want ? want : "taken");
}

/* ---- X-User-ID ---- */

static const struct {
  const char *value, *why;
} user_fields[] = {{"alice", NULL},
                   {"Jürgen 山", NULL},
                   {"a, b", NULL},
                   {"", "X-User-ID is not a name of 1 to 255 bytes"},
                   {"a\tb", "X-User-ID is not a name of 1 to 255 bytes"},
                   {"a\x7f", "X-User-ID is not a name of 1 to 255 bytes"},
                   {"a\xC2\x85", "X-User-ID is not a name of 1 to 255 bytes"},
                   {"a\xFF", "X-User-ID is not a name of 1 to 255 bytes"},
                   {"\xED\xA0\x80", "X-User-ID is not a name of 1 to 255 bytes"}};

static void assert_user_fields(enum auth_mode mode, const struct http_peer *peer) {
  struct auth *auth = open_mode(mode);
  for (size_t i = 0; i < COUNT(user_fields); i++) {
    struct http_field fields[] = {field("accept", "*/*"), field("x-user-id", user_fields[i].value)};
    struct asked asked = ask(auth, peer, fields, 2);
    assert_why(user_fields[i].value, asked.why, user_fields[i].why);
    if (asked.why == NULL) assert_string_equal(asked.caller.user, user_fields[i].value);
  }
  struct http_field twice[] = {field("x-user-id", "alice"), field("x-user-id", "alice")};
  assert_why("twice", ask(auth, peer, twice, 2).why, "X-User-ID came twice");
  assert_why("none", ask(auth, peer, NULL, 0).why, "no X-User-ID");
  auth_free(auth);
}

static void test_user_fields(void **state) {
  (void)state;
  assert_user_fields(AUTH_DEV, &local);
  assert_user_fields(AUTH_MTLS, &gateway);
}

static void test_a_user_id_has_at_most_255_bytes(void **state) {
  (void)state;
  struct auth *auth = open_mode(AUTH_DEV);
  char id[257];
  memset(id, 'x', sizeof id);
  for (size_t len = 254; len <= 256; len++) {
    struct http_field fields[] = {{span_text("x-user-id"), span_of(id, len)}};
    struct asked asked = ask(auth, &local, fields, 1);
    assert_int_equal(asked.why == NULL, len <= 255);
    if (asked.why == NULL) assert_int_equal(strlen(asked.caller.user), len);
  }
  struct http_field zero[] = {{span_text("x-user-id"), span_of("a\0b", 3)}};
  assert_why("zero byte", ask(auth, &local, zero, 1).why, "X-User-ID is not a name of 1 to 255 bytes");
  auth_free(auth);
}

static void test_a_mode_believes_only_its_peers(void **state) {
  (void)state;
  struct http_field user[] = {field("x-user-id", "alice")};
  struct auth *dev = open_mode(AUTH_DEV), *mtls = open_mode(AUTH_MTLS);
  assert_why("dev", ask(dev, &nobody, user, 1).why, "dev mode is for callers on this machine");
  assert_why("dev", ask(dev, &gateway, user, 1).why, "dev mode is for callers on this machine");
  assert_why("mtls", ask(mtls, &nobody, user, 1).why, "no verified client certificate");
  assert_why("mtls", ask(mtls, &local, user, 1).why, "no verified client certificate");
  /* A name alone, of a certificate that nobody verified. */
  struct http_peer claimed = {.dns_name = "gateway.mesh.example"};
  assert_why("mtls", ask(mtls, &claimed, user, 1).why, "no verified client certificate");
  auth_free(dev);
  auth_free(mtls);
}

static void test_the_service_is_the_first_label(void **state) {
  (void)state;
  static const char *const names[][2] = {
      {"gateway.mesh.example", "gateway"}, {"gateway", "gateway"}, {"", ""}, {".x", ""}};
  struct http_field user[] = {field("x-user-id", "alice")};
  struct auth *auth = open_mode(AUTH_MTLS);
  for (size_t i = 0; i < COUNT(names); i++) {
    struct http_peer peer = {.verified = true, .dns_name = names[i][0]};
    struct asked asked = ask(auth, &peer, user, 1);
    assert_null(asked.why);
    assert_string_equal(asked.caller.service, names[i][1]);
  }
  auth_free(auth);
  auth = open_mode(AUTH_DEV);
  struct http_peer unverified = {.loopback = true, .dns_name = "gateway.mesh.example"};
  assert_string_equal(ask(auth, &unverified, user, 1).caller.service, "");
  auth_free(auth);
}

/* ---- bearer tokens ---- */

static struct asked ask_bearer(const struct auth *auth, const char *token) {
  struct buf value = buf_new(16384);
  buf_printf(&value, "Bearer %s", token);
  struct http_field fields[] = {{span_text("authorization"), buf_span(&value)}, field("x-user-id", "mallory")};
  struct asked asked = ask(auth, &nobody, fields, 2);
  buf_free(&value);
  return asked;
}

static void test_claims_and_forgeries(void **state) {
  (void)state;
  struct auth *auth = open_jwt();
  for (size_t i = 0; i < COUNT(claims_vectors); i++) {
    struct asked asked = ask_bearer(auth, claims_vectors[i].text);
    assert_why(claims_vectors[i].name, asked.why, claims_vectors[i].why);
    assert_null(strstr(asked.caller.user, "mallory"));
  }
  assert_string_equal(ask_bearer(auth, claims_vectors[0].text).caller.user, "user-1");
  auth_free(auth);
}

static void test_the_field_of_a_bearer_token(void **state) {
  (void)state;
  static const struct {
    const char *before, *after, *why;
  } cases[] = {{"Bearer ", "", NULL},
               {"bearer ", "", NULL},
               {"BEARER   ", "", NULL},
               {"", "", "Authorization is not a bearer token"},
               {"Bearer", "", "Authorization is not a bearer token"},
               {"Bearer\t", "", "Authorization is not a bearer token"},
               {"Basic ", "", "Authorization is not a bearer token"},
               {"Bearer x ", "", ""},
               {"Bearer ", ", Bearer x", ""}};
  struct auth *auth = open_jwt();
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct buf value = buf_new(16384);
    buf_printf(&value, "%s%s%s", cases[i].before, claims_vectors[0].text, cases[i].after);
    struct http_field fields[] = {{span_text("authorization"), buf_span(&value)}};
    assert_why(cases[i].before, ask(auth, &nobody, fields, 1).why, cases[i].why);
    struct http_field twice[] = {fields[0], fields[0]};
    assert_why("twice", ask(auth, &nobody, twice, 2).why, "Authorization came twice");
    buf_free(&value);
  }
  struct http_field user[] = {field("x-user-id", "alice")};
  assert_why("none", ask(auth, &gateway, user, 1).why, "no Authorization");
  struct http_field empty[] = {field("authorization", "Bearer ")};
  assert_why("empty", ask(auth, &nobody, empty, 1).why, "token: not three parts");
  auth_free(auth);
}

static const char *claims_named(const char *name) {
  for (size_t i = 0; i < COUNT(claims_vectors); i++) {
    if (strcmp(claims_vectors[i].name, name) == 0) return claims_vectors[i].text;
  }
  fail_msg("no vector %s", name);
  return NULL;
}

static const char *why_at(const struct auth *auth, const char *token, uint64_t now) {
  struct buf value = buf_new(16384);
  buf_printf(&value, "Bearer %s", token);
  struct http_field fields[] = {{span_text("authorization"), buf_span(&value)}};
  struct asked asked = ask_at(auth, &nobody, now, fields, 1);
  if (asked.why == NULL) assert_string_equal(asked.caller.user, "user-1");
  buf_free(&value);
  return asked.why;
}

/* A token that was good a moment ago is still judged by the clock, its own bytes, and what was forgotten. */
static void test_a_known_token_is_believed_no_longer_than_a_new_one(void **state) {
  (void)state;
  struct auth *auth = open_jwt();
  const char *brief = claims_named("expires in a second"), *briefer = claims_named("expires in half a second");
  for (int i = 0; i < 3; i++) {
    assert_why("first second", why_at(auth, brief, JWT_NOW), NULL);
    assert_why("first second", why_at(auth, briefer, JWT_NOW), NULL);
  }
  assert_why("its exp", why_at(auth, brief, JWT_NOW + 1), "token: expired");
  assert_why("its exp", why_at(auth, briefer, JWT_NOW + 1), "token: expired");
  char tampered[8192];
  snprintf(tampered, sizeof tampered, "%s", claims_vectors[0].text);
  assert_why("good", why_at(auth, tampered, JWT_NOW), NULL);
  char *signature = strrchr(tampered, '.') + 1;
  *signature = *signature == 'A' ? 'B' : 'A';
  assert_why("tampered", why_at(auth, tampered, JWT_NOW), "token: the signature is not the key's");
  /* Good for an hour, verified every five minutes. */
  assert_why("later", why_at(auth, claims_vectors[0].text, JWT_NOW + 3599), NULL);
  assert_why("exp", why_at(auth, claims_vectors[0].text, JWT_NOW + 3600), "token: expired");
  /* The clock steps back to where it was not valid yet. */
  assert_why("early", why_at(auth, claims_vectors[0].text, JWT_NOW - 3600), "token: issued in the future");
  auth_free(auth);
}

static void test_forgetting_asks_the_keys_again(void **state) {
  (void)state;
  struct auth *auth = open_jwt();
  assert_why("known", why_at(auth, claims_vectors[0].text, JWT_NOW), NULL);
  auth_forget(auth);
  assert_why("verified again", why_at(auth, claims_vectors[0].text, JWT_NOW), NULL);
  auth_free(auth);
  /* What is known is known of these keys: whose key is gone is refused by those that were loaded instead. */
  struct auth_config config = jwt_config();
  config.jwt_jwks = span_of(NULL, 0);
  config.jwt_secret = span_text("another secret of thirty-two bytes");
  auth = open_auth(&config);
  assert_non_null(why_at(auth, claims_vectors[0].text, JWT_NOW));
  auth_free(auth);
}

static void test_without_an_audience_any_will_do(void **state) {
  (void)state;
  const struct auth_config config = {
      .mode = AUTH_JWT, .jwt_secret = span_text(JWT_SECRET), .jwt_issuer = span_text(JWT_ISSUER)};
  struct auth *auth = open_auth(&config);
  size_t seen = 0;
  for (size_t i = 0; i < COUNT(claims_vectors); i++) {
    if (claims_vectors[i].why == NULL || strcmp(claims_vectors[i].why, "token: another audience") != 0) continue;
    assert_null(ask_bearer(auth, claims_vectors[i].text).why);
    seen++;
  }
  assert_true(seen > 3);
  auth_free(auth);
}

/* ---- service tokens ---- */

static struct asked ask_service(const struct auth *auth, const struct http_peer *peer, const char *token) {
  struct http_field fields[] = {field("x-user-id", "alice"), field("x-service-token", token)};
  return ask(auth, peer, fields, 2);
}

static void test_service_tokens(void **state) {
  (void)state;
  struct auth *auth = open_mode(AUTH_MTLS);
  struct http_peer other = {.verified = true, .dns_name = "other.mesh.example"};
  for (size_t i = 0; i < COUNT(service_vectors); i++) {
    struct asked asked = ask_service(auth, &other, service_vectors[i].text);
    assert_why(service_vectors[i].name, asked.why, service_vectors[i].why);
    if (asked.why != NULL) continue;
    assert_string_equal(asked.caller.service, "gateway");
    assert_string_equal(asked.caller.user, "alice");
  }
  struct http_field twice[] = {field("x-user-id", "alice"), field("x-service-token", service_vectors[0].text),
                               field("x-service-token", service_vectors[0].text)};
  assert_why("twice", ask(auth, &gateway, twice, 3).why, "X-Service-Token came twice");
  struct http_field no_user[] = {field("x-service-token", service_vectors[0].text)};
  assert_why("no user", ask(auth, &gateway, no_user, 1).why, "no X-User-ID");
  auth_free(auth);
}

static void test_a_service_token_needs_a_certificate_and_a_key(void **state) {
  (void)state;
  struct auth *dev = open_mode(AUTH_DEV);
  const struct auth_config keyless_config = {.mode = AUTH_MTLS};
  struct auth *keyless = open_auth(&keyless_config);
  const char *token = service_vectors[0].text;
  assert_why("dev", ask_service(dev, &local, token).why, "service token without a verified client certificate");
  assert_why("keyless", ask_service(keyless, &gateway, token).why, "service token, but auth.service_key is not set");
  auth_free(dev);
  auth_free(keyless);
}

static void test_a_service_token_is_no_bearer_token(void **state) {
  (void)state;
  struct auth *auth = open_jwt();
  /* Not even one that was verified as what it is, nor the other way round. */
  const char *user = claims_vectors[0].text, *service = service_vectors[0].text;
  struct buf value = buf_new(16384);
  buf_printf(&value, "Bearer %s", user);
  struct http_field both[] = {{span_text("authorization"), buf_span(&value)}, field("x-service-token", service)};
  assert_null(ask(auth, &gateway, both, 2).why);
  assert_why("without a certificate", ask(auth, &nobody, both, 2).why,
             "service token without a verified client certificate");
  both[1] = field("x-service-token", user);
  assert_non_null(ask(auth, &gateway, both, 2).why);
  buf_free(&value);
  assert_non_null(ask_bearer(auth, service_vectors[0].text).why);
  auth_free(auth);
}

/* ---- settings ---- */

static void assert_invalid(const struct auth_config *config, const char *want) {
  struct auth *auth = (struct auth *)&problem;
  problem[0] = '\0';
  assert_int_equal(auth_new(config, problem, sizeof problem, &auth), RESULT_CONFIG_INVALID);
  assert_null(auth);
  assert_string_equal(problem, want);
}

static void test_settings_that_cannot_be(void **state) {
  (void)state;
  struct auth_config config = {.mode = AUTH_JWT, .jwt_secret = span_text(JWT_SECRET)};
  assert_invalid(&config, "auth.mode jwt needs auth.jwt_issuer");
  config = (struct auth_config){.mode = AUTH_JWT, .jwt_issuer = span_text(JWT_ISSUER)};
  assert_invalid(&config, "auth.mode jwt needs a JWT secret or a JWKS");
  config.jwt_secret = span_text("short");
  assert_invalid(&config, "an HS256 secret must have at least 32 bytes");
  config.jwt_secret = span_text(JWT_SECRET);
  config.jwt_jwks = span_text("{}");
  assert_invalid(&config, "the JWKS is not a JSON object with a list of keys");
  config = (struct auth_config){.mode = AUTH_MTLS, .service_key = span_text("PEM")};
  assert_invalid(&config, pem_vectors[0].why);
}

/* ---- in the sandbox ---- */

#ifndef SANITIZE /* the sanitizer's own system calls would end the child */

/* Memory that malloc will not have to ask the kernel for. */
static void lay_in_memory(void) {
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  free(malloc(8 << 20));
}

/* How many tokens were taken. */
static int judge_all(const struct auth *auth) {
  int taken = 0;
  for (size_t i = 0; i < COUNT(claims_vectors); i++) {
    struct auth_caller caller;
    const char *why;
    char value[16384] = "Bearer ";
    size_t len = strlen(claims_vectors[i].text);
    memcpy(value + 7, claims_vectors[i].text, len);
    struct http_field fields[] = {{span_text("authorization"), span_of(value, len + 7)}};
    struct http_request request = {.fields = fields, .field_count = 1};
    taken += auth_check(auth, &request, &nobody, JWT_NOW, &caller, &why) == RESULT_OK;
  }
  return taken;
}

/* Nothing is left to load lazily: tokens are judged where only read, write and exit are allowed. A child each, in which
 * nothing was loaded before. */
static int taken_when_locked_up(const struct auth_config *config) {
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    struct auth *auth = open_auth(config);
    lay_in_memory();
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) syscall(SYS_exit, 0);
    syscall(SYS_exit, judge_all(auth));
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static void test_tokens_are_judged_without_system_calls(void **state) {
  (void)state;
  struct auth_config config = jwt_config();
  int good = 0;
  for (size_t i = 0; i < COUNT(claims_vectors); i++) good += claims_vectors[i].why == NULL;
  assert_int_equal(taken_when_locked_up(&config), good);
  config.jwt_secret = span_of(NULL, 0);
  assert_true(taken_when_locked_up(&config) > 3);
  config = jwt_config();
  config.jwt_jwks = span_of(NULL, 0);
  config.service_key = span_of(NULL, 0);
  assert_true(taken_when_locked_up(&config) > 3);
}

#endif

int main(void) {
  const struct CMUnitTest tests[] = {
#ifndef SANITIZE
      /* First, so that no other test has loaded anything for it. */
      cmocka_unit_test(test_tokens_are_judged_without_system_calls),
#endif
      cmocka_unit_test(test_user_fields),
      cmocka_unit_test(test_a_user_id_has_at_most_255_bytes),
      cmocka_unit_test(test_a_mode_believes_only_its_peers),
      cmocka_unit_test(test_the_service_is_the_first_label),
      cmocka_unit_test(test_claims_and_forgeries),
      cmocka_unit_test(test_the_field_of_a_bearer_token),
      cmocka_unit_test(test_a_known_token_is_believed_no_longer_than_a_new_one),
      cmocka_unit_test(test_forgetting_asks_the_keys_again),
      cmocka_unit_test(test_without_an_audience_any_will_do),
      cmocka_unit_test(test_service_tokens),
      cmocka_unit_test(test_a_service_token_needs_a_certificate_and_a_key),
      cmocka_unit_test(test_a_service_token_is_no_bearer_token),
      cmocka_unit_test(test_settings_that_cannot_be),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
