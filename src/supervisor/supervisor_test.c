/* What the supervisor decides before it starts anything: pure functions of settings, environment and files. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "supervisor/callers.h"
#include "supervisor/environment.h"
#include "supervisor/listen.h"
#include "supervisor/notify.h"
#include "supervisor/secrets.h"
#include "supervisor/state.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define KEY "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

static char directory[64];

static int make_directory(void **state) {
  (void)state;
  snprintf(directory, sizeof directory, "/tmp/supervisor-XXXXXX");
  return mkdtemp(directory) == NULL ? 1 : chmod(directory, 0755);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at) {
  (void)st, (void)type, (void)at;
  return remove(path);
}

static int remove_directory(void **state) {
  (void)state;
  return nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(const char *name) {
  static char path[4][160];
  static unsigned next;
  char *p = path[next++ % 4];
  snprintf(p, sizeof path[0], "%s/%s", directory, name);
  return p;
}

static const char *write_file(const char *name, const char *text) {
  const char *path = path_of(name);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  assert_int_equal(write(fd, text, strlen(text)), strlen(text));
  close(fd);
  return path;
}

/* ---- environment ---- */

static void test_forgets_keys(void **state) {
  (void)state;
  char path[] = "PATH=/bin", key[] = "COMPUTE_MASTER_KEY=canary", other[] = "COMPUTE_MASTER_KEY_HINT=blue";
  char marble[] = "MARBLE_SECRETS={\"a\":\"canary\"}", twice[] = "COMPUTE_MASTER_KEY=again";
  char *environment[] = {path, key, other, marble, twice, NULL};
  assert_string_equal(environment_get(environment, "COMPUTE_MASTER_KEY"), "canary");
  environment_forget_keys(environment);
  assert_ptr_equal(environment[0], path);
  assert_ptr_equal(environment[1], other);
  assert_null(environment[2]);
  assert_null(environment_get(environment, "COMPUTE_MASTER_KEY"));
  /* Where they stood, since that is what /proc shows; names, too. */
  char *const wiped[] = {key, marble, twice};
  const size_t sizes[] = {sizeof key, sizeof marble, sizeof twice};
  for (size_t i = 0; i < COUNT(wiped); i++)
    for (size_t k = 0; k < sizes[i]; k++) assert_int_equal(wiped[i][k], 0);
  assert_string_equal(path, "PATH=/bin");
}

/* ---- addresses ---- */

static void test_addresses(void **state) {
  (void)state;
  static const struct {
    const char *text;
    bool valid, loopback;
  } cases[] = {
      {"127.0.0.1:8080", true, true},
      {"127.9.9.9:1", true, true},
      {"localhost:0", true, true},
      {"[::1]:8080", true, true},
      {"0.0.0.0:8080", true, false},
      {"[::]:8080", true, false},
      {"10.0.0.1:65535", true, false},
      {"10.0.0.1:65536", false, false},
      {"127.0.0.1", false, false},
      {"127.0.0.1:", false, false},
      {":8080", false, false},
      {"::1:8080", false, false},
      {"[127.0.0.1]:80", false, false},
      {"[::1]", false, false},
      {"[::1:8080", false, false},
      {"example.com:80", false, false},
      {"", false, false},
      {"127.0.0.1:80x", false, false},
      {"[::ffff:127.0.0.1]:80", true, false},
      {" 127.0.0.1:80", false, false},
      {"127.1:80", false, false},
      {"1111111111111111111111111111111111111111111111111111:80", false, false},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct listen_address a;
    bool valid = listen_parse(cases[i].text, &a) == RESULT_OK;
    if (valid != cases[i].valid || (valid && a.loopback != cases[i].loopback)) fail_msg("%s", cases[i].text);
  }
}

static void test_listens(void **state) {
  (void)state;
  struct listen_address a, bound;
  char name[64] = "";
  struct buf b = buf_fixed(name, sizeof name - 1);
  int first, second;
  assert_int_equal(listen_parse("127.0.0.1:0", &a), RESULT_OK);
  assert_int_equal(listen_open(&a, &first), RESULT_OK);
  assert_true(fcntl(first, F_GETFD) & FD_CLOEXEC && fcntl(first, F_GETFL) & O_NONBLOCK);
  listen_put_name(&b, first);
  assert_memory_equal(name, "127.0.0.1:", 10);
  assert_int_not_equal(name[10], '0');
  assert_int_equal(listen_parse(name, &bound), RESULT_OK);
  assert_int_equal(listen_open(&bound, &second), RESULT_IO);
  assert_int_equal(errno, EADDRINUSE);
  close(first);
  assert_int_equal(listen_open(&bound, &second), RESULT_OK);
  close(second);
}

/* ---- keys ---- */

static void test_base64(void **state) {
  (void)state;
  static const struct {
    const char *text, *bytes; /* NULL: refused */
  } cases[] = {{"", ""},
               {"Zg==", "f"},
               {"Zm8=", "fo"},
               {"Zm9v", "foo"},
               {"Zm9vYmE=", "fooba"},
               {"Zh==", NULL},
               {"Zm9=", NULL},
               {"Zg", NULL},
               {"Zg=", NULL},
               {"Z===", NULL},
               {"====", NULL},
               {"Zg==Zg==", NULL},
               {"Zm9v\n", NULL},
               {"Zm 9", NULL},
               {"Zm-_", NULL},
               {"+/+/", "\xfb\xff\xbf"}}; /* RFC 4648 section 10, and what it forbids */
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct buf b = buf_new(64);
    bool ok = secrets_base64(&b, span_text(cases[i].text));
    if (ok != (cases[i].bytes != NULL) || (ok && !span_is(buf_span(&b), cases[i].bytes))) fail_msg("%s", cases[i].text);
    buf_free(&b);
  }
}

struct gathered {
  struct secrets secrets;
  enum result result;
  struct buf problem;
};

/* `variables` ends with NULL. */
static struct gathered gather(const char *strict, const char *const *variables) {
  struct gathered g = {.problem = buf_new(1024)};
  struct config *config;
  assert_int_equal(config_new(&config), RESULT_OK);
  assert_int_equal(config_set(config, CONFIG_STRICT, strict), RESULT_OK);
  g.result = secrets_gather(&g.secrets, config, (char *const *)(uintptr_t)variables, &g.problem);
  config_free(config);
  return g;
}

static void drop(struct gathered *g) {
  secrets_wipe(&g->secrets);
  buf_free(&g->problem);
}

static void test_master_key(void **state) {
  (void)state;
  static const struct {
    const char *name, *strict, *variables[3];
    enum result result;
    size_t len;
  } cases[] = {
      {"none", "off", {NULL}, RESULT_OK, 0},
      {"none, auto", "auto", {NULL}, RESULT_OK, 0},
      {"none, strict", "on", {NULL}, RESULT_CONFIG_INVALID, 0},
      {"none in an enclave", "auto", {"OE_SIMULATION=0"}, RESULT_CONFIG_INVALID, 0},
      {"none in a simulated one", "auto", {"OE_SIMULATION=1"}, RESULT_OK, 0},
      {"none with MarbleRun's certificate", "auto", {"MARBLE_CERT=x"}, RESULT_CONFIG_INVALID, 0},
      {"none with every marble's certificate",
       "auto",
       {"MARBLE_PREDEFINED_MARBLE_CERTIFICATE_CHAIN=x"},
       RESULT_CONFIG_INVALID,
       0},
      {"hexadecimal", "on", {"COMPUTE_MASTER_KEY=" KEY}, RESULT_OK, 32},
      {"hexadecimal with 0x", "on", {"COMPUTE_MASTER_KEY=0x" KEY}, RESULT_OK, 32},
      {"not hexadecimal", "on", {"COMPUTE_MASTER_KEY=0123456789012345678901234567890x"}, RESULT_OK, 32},
      {"an odd number of digits", "on", {"COMPUTE_MASTER_KEY=" KEY "0"}, RESULT_OK, 65},
      {"short", "off", {"COMPUTE_MASTER_KEY=0123456789abcdef0123456789abcdef"}, RESULT_CONFIG_INVALID, 16},
      {"short text", "off", {"COMPUTE_MASTER_KEY=xyz"}, RESULT_CONFIG_INVALID, 3},
      {"MarbleRun's",
       "on",
       {"MARBLE_SECRETS={\"COMPUTE_MASTER_KEY\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"}"},
       RESULT_OK,
       32},
      {"MarbleRun's goes first",
       "on",
       {"COMPUTE_MASTER_KEY=x",
        "MARBLE_SECRETS={\"COMPUTE_MASTER_KEY\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"}"},
       RESULT_OK,
       32},
      {"MarbleRun has another",
       "on",
       {"MARBLE_SECRETS={\"OTHER\":\"AA==\"}", "COMPUTE_MASTER_KEY=" KEY},
       RESULT_OK,
       32},
      {"not base64", "off", {"MARBLE_SECRETS={\"COMPUTE_MASTER_KEY\":\"AAE*\"}"}, RESULT_CONFIG_INVALID, 0},
      {"not a string", "off", {"MARBLE_SECRETS={\"COMPUTE_MASTER_KEY\":1}"}, RESULT_CONFIG_INVALID, 0},
      {"not JSON", "off", {"MARBLE_SECRETS={"}, RESULT_CONFIG_INVALID, 0},
      {"not an object", "off", {"MARBLE_SECRETS=[]"}, RESULT_CONFIG_INVALID, 0},
      {"twice", "off", {"MARBLE_SECRETS={\"a\":\"\",\"a\":\"\"}"}, RESULT_CONFIG_INVALID, 0},
      {"neither on, off nor auto", "yes", {NULL}, RESULT_CONFIG_INVALID, 0},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct gathered g = gather(cases[i].strict, cases[i].variables);
    if (g.result != cases[i].result || g.secrets.master_key.len != cases[i].len) fail_msg("%s", cases[i].name);
    if ((g.result != RESULT_OK) != (g.problem.len > 0)) fail_msg("%s: sentence", cases[i].name);
    drop(&g);
  }
}

static void test_key_bytes(void **state) {
  (void)state;
  struct gathered g = gather("on", (const char *[]){"COMPUTE_MASTER_KEY=" KEY, NULL});
  assert_int_equal(g.secrets.master_key.data[1], 0x11);
  assert_int_equal(g.secrets.master_key.data[31], 0xff);
  drop(&g);
}

static void test_store_keys(void **state) {
  (void)state;
  static const struct {
    const char *variables[3];
    enum result result;
    size_t secrets, supabase, database;
  } cases[] = {
      {{NULL}, RESULT_OK, 0, 0, 0},
      {{"SECRETS_MASTER_KEY=" KEY}, RESULT_OK, 32, 0, 0},
      {{"SECRETS_MASTER_KEY=0123456789012345678901234567890x"}, RESULT_OK, 32, 0, 0},
      {{"SECRETS_MASTER_KEY=" KEY "00"}, RESULT_CONFIG_INVALID, 33, 0, 0},
      {{"SECRETS_MASTER_KEY=short"}, RESULT_CONFIG_INVALID, 5, 0, 0},
      {{"SUPABASE_SERVICE_KEY=0011", "NEOCOMPUTE_DATABASE_URL=host=x"}, RESULT_OK, 0, 4, 6},
      {{"MARBLE_SECRETS={\"SUPABASE_SERVICE_KEY\":\"MDAxMQ==\"}", "SUPABASE_SERVICE_KEY=x"}, RESULT_OK, 0, 4, 0},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct gathered g = gather("off", cases[i].variables);
    const struct secrets *s = &g.secrets;
    if (g.result != cases[i].result || (g.result != RESULT_OK) != (g.problem.len > 0)) fail_msg("case %zu", i);
    if (s->secrets_key.len != cases[i].secrets || s->supabase_key.len != cases[i].supabase ||
        s->database.len != cases[i].database)
      fail_msg("case %zu: %zu %zu %zu", i, s->secrets_key.len, s->supabase_key.len, s->database.len);
    drop(&g);
  }
}

static void test_credentials(void **state) {
  (void)state;
  char variable[128];
  write_file("COMPUTE_MASTER_KEY", KEY "\n");
  write_file("NEOCOMPUTE_JWT_SECRET", "0011\n");
  snprintf(variable, sizeof variable, "CREDENTIALS_DIRECTORY=%s", directory);
  struct gathered g = gather("on", (const char *[]){variable, NULL});
  assert_int_equal(g.result, RESULT_OK);
  assert_int_equal(g.secrets.master_key.len, 32);
  assert_true(span_is(buf_span(&g.secrets.jwt_secret), "0011")); /* a JWT's secret is text */
  drop(&g);
  g = gather("on", (const char *[]){variable, "SUPABASE_JWT_SECRET=s", "COMPUTE_MASTER_KEY=" KEY "00", NULL});
  assert_int_equal(g.secrets.master_key.len, 33);
  drop(&g);
}

/* ---- certificates ---- */

#define PEM "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"

static void test_tls(void **state) {
  (void)state;
  const char *pem = write_file("a.pem", PEM "\n"), *empty = write_file("empty", ""), *text = write_file("text", "x");
  const struct {
    const char *name, *cert, *key, *ca, *client, *variables[5];
    enum result result;
    bool tls, required;
  } cases[] = {
      {"none", "", "", "", "optional", {NULL}, RESULT_OK, false, false},
      {"all", pem, pem, pem, "required", {NULL}, RESULT_OK, true, true},
      {"no CA", pem, pem, "", "optional", {NULL}, RESULT_OK, true, false},
      {"no key", pem, "", pem, "optional", {NULL}, RESULT_CONFIG_INVALID, false, false},
      {"no certificate", "", pem, pem, "optional", {NULL}, RESULT_CONFIG_INVALID, false, false},
      {"only a CA", "", "", pem, "optional", {NULL}, RESULT_CONFIG_INVALID, false, false},
      {"required without CA", pem, pem, "", "required", {NULL}, RESULT_CONFIG_INVALID, false, false},
      {"client misspelt", pem, pem, pem, "require", {NULL}, RESULT_CONFIG_INVALID, false, false},
      {"no such file", path_of("none"), pem, pem, "optional", {NULL}, RESULT_CONFIG_INVALID, false, false},
      {"empty file", pem, empty, pem, "optional", {NULL}, RESULT_CONFIG_INVALID, false, false},
      {"not PEM", text, pem, pem, "optional", {NULL}, RESULT_CONFIG_INVALID, false, false},
      {"MarbleRun",
       "",
       "",
       "",
       "optional",
       {"MARBLE_CERT=" PEM, "MARBLE_KEY=" PEM, "MARBLE_ROOT_CA=" PEM},
       RESULT_OK,
       true,
       true},
      {"MarbleRun without CA",
       "",
       "",
       "",
       "optional",
       {"MARBLE_CERT=" PEM, "MARBLE_KEY=" PEM},
       RESULT_CONFIG_INVALID,
       false,
       false},
      {"MarbleRun, only an extra CA",
       "",
       "",
       "",
       "optional",
       {"MARBLE_CERT=" PEM, "MARBLE_KEY=" PEM, "MARBLE_EXTRA_CLIENT_CA=" PEM},
       RESULT_CONFIG_INVALID,
       false,
       false},
      {"MarbleRun without key",
       "",
       "",
       "",
       "optional",
       {"MARBLE_CERT=" PEM, "MARBLE_ROOT_CA=" PEM},
       RESULT_CONFIG_INVALID,
       false,
       false},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct config *config;
    struct secrets_tls tls;
    struct buf problem = buf_new(1024);
    assert_int_equal(config_new(&config), RESULT_OK);
    assert_int_equal(config_set(config, CONFIG_TLS_CERT, cases[i].cert), RESULT_OK);
    assert_int_equal(config_set(config, CONFIG_TLS_KEY, cases[i].key), RESULT_OK);
    assert_int_equal(config_set(config, CONFIG_TLS_CLIENT_CA, cases[i].ca), RESULT_OK);
    assert_int_equal(config_set(config, CONFIG_TLS_CLIENT, cases[i].client), RESULT_OK);
    enum result r = secrets_read_tls(&tls, config, (char *const *)(uintptr_t)cases[i].variables, &problem);
    if (r != cases[i].result || (r != RESULT_OK) != (problem.len > 0)) fail_msg("%s", cases[i].name);
    if (r == RESULT_OK && ((tls.certificate.len > 0) != cases[i].tls || tls.require_client != cases[i].required))
      fail_msg("%s", cases[i].name);
    secrets_free_tls(&tls);
    buf_free(&problem);
    config_free(config);
  }
}

static void test_extra_ca(void **state) {
  (void)state;
  static const char *const variables[] = {"MARBLE_CERT=" PEM, "MARBLE_KEY=" PEM, "MARBLE_ROOT_CA=" PEM,
                                          "MARBLE_EXTRA_CLIENT_CA=" PEM, NULL};
  struct config *config;
  struct secrets_tls tls;
  struct buf problem = buf_new(1024);
  assert_int_equal(config_new(&config), RESULT_OK);
  assert_int_equal(secrets_read_tls(&tls, config, (char *const *)(uintptr_t)variables, &problem), RESULT_OK);
  assert_true(span_is(buf_span(&tls.client_ca), PEM "\n" PEM "\n"));
  secrets_free_tls(&tls);
  buf_free(&problem);
  config_free(config);
}

/* ---- what MarbleRun gives ---- */

#define PEM_OF(name) "-----BEGIN " name "-----"
#define MARBLE(name) "MARBLE_" name "=" PEM_OF(name)
#define PREDEFINED(name) "MARBLE_PREDEFINED_" name "=" PEM_OF("P-" name)
#define GIVEN PREDEFINED("MARBLE_CERTIFICATE_CHAIN"), PREDEFINED("PRIVATE_KEY"), PREDEFINED("ROOT_CA")
#define ENTRY(auth)                                                                             \
  "{\"cacrt\":\"" PEM_OF("T-CA") "\",\"clicrt\":\"" PEM_OF("T-CERT") "\",\"clikey\":\"" PEM_OF( \
      "T-KEY") "\",\"clientAuth\":" auth "}"
#define TTLS(port, entry) \
  "MARBLE_TTLS_CONFIG={\"tls\":{\"Incoming\":{\"*:" port "\":" entry "},\"Outgoing\":{\"db:5432\":{}}}}"

static void test_marble_tls(void **state) {
  (void)state;
  static const struct {
    const char *name, *variables[8];
    const char *cert, *key, *ca; /* NULL: refused */
    bool required;
    unsigned others;
  } cases[] = {
      {"what every marble has", {GIVEN}, "P-MARBLE_CERTIFICATE_CHAIN", "P-PRIVATE_KEY", "P-ROOT_CA", true, 0},
      {"named ones first",
       {GIVEN, MARBLE("CERT"), MARBLE("KEY"), MARBLE("ROOT_CA")},
       "CERT",
       "KEY",
       "ROOT_CA",
       true,
       0},
      {"only the CA is named",
       {GIVEN, MARBLE("ROOT_CA")},
       "P-MARBLE_CERTIFICATE_CHAIN",
       "P-PRIVATE_KEY",
       "ROOT_CA",
       true,
       0},
      {"only the CA is not named", {GIVEN, MARBLE("CERT"), MARBLE("KEY")}, "CERT", "KEY", "P-ROOT_CA", true, 0},
      {"empty is not given",
       {GIVEN, "MARBLE_CERT=", "MARBLE_KEY="},
       "P-MARBLE_CERTIFICATE_CHAIN",
       "P-PRIVATE_KEY",
       "P-ROOT_CA",
       true,
       0},
      {"a certificate never gets another's key", {GIVEN, MARBLE("CERT")}, NULL, NULL, NULL, false, 0},
      {"a key never gets another's certificate", {GIVEN, MARBLE("KEY")}, NULL, NULL, NULL, false, 0},
      {"no CA", {PREDEFINED("MARBLE_CERTIFICATE_CHAIN"), PREDEFINED("PRIVATE_KEY")}, NULL, NULL, NULL, false, 0},
      {"our port's entry first", {GIVEN, TTLS("8443", ENTRY("true"))}, "T-CERT", "T-KEY", "T-CA", true, 0},
      {"before named ones, too",
       {GIVEN, MARBLE("CERT"), MARBLE("KEY"), TTLS("8443", ENTRY("true"))},
       "T-CERT",
       "T-KEY",
       "T-CA",
       true,
       0},
      {"clients may be without one", {GIVEN, TTLS("8443", ENTRY("false"))}, "T-CERT", "T-KEY", "T-CA", false, 0},
      {"another port's entry",
       {GIVEN, TTLS("443", ENTRY("true"))},
       "P-MARBLE_CERTIFICATE_CHAIN",
       "P-PRIVATE_KEY",
       "P-ROOT_CA",
       true,
       1},
      {"another port's broken entry",
       {GIVEN, TTLS("443", "1")},
       "P-MARBLE_CERTIFICATE_CHAIN",
       "P-PRIVATE_KEY",
       "P-ROOT_CA",
       true,
       1},
      {"clientAuth is no boolean", {GIVEN, TTLS("8443", ENTRY("\"true\""))}, NULL, NULL, NULL, false, 0},
      {"nothing in the entry", {GIVEN, TTLS("8443", "{}")}, NULL, NULL, NULL, false, 0},
      {"the entry is no object", {GIVEN, TTLS("8443", "null")}, NULL, NULL, NULL, false, 0},
      {"not PEM",
       {GIVEN, TTLS("8443", "{\"cacrt\":\"x\",\"clicrt\":\"x\",\"clikey\":\"x\",\"clientAuth\":true}")},
       NULL,
       NULL,
       NULL,
       false,
       0},
      {"not JSON", {GIVEN, "MARBLE_TTLS_CONFIG={"}, NULL, NULL, NULL, false, 0},
      {"no tls", {GIVEN, "MARBLE_TTLS_CONFIG={}"}, NULL, NULL, NULL, false, 0},
      {"a key twice", {GIVEN, "MARBLE_TTLS_CONFIG={\"tls\":{},\"tls\":{}}"}, NULL, NULL, NULL, false, 0},
      {"Incoming is a list", {GIVEN, "MARBLE_TTLS_CONFIG={\"tls\":{\"Incoming\":[]}}"}, NULL, NULL, NULL, false, 0},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct config *config;
    struct secrets_tls tls;
    struct buf problem = buf_new(1024), want = buf_new(1024);
    assert_int_equal(config_new(&config), RESULT_OK);
    assert_int_equal(config_set(config, CONFIG_LISTEN, "0.0.0.0:8443"), RESULT_OK);
    enum result r = secrets_read_tls(&tls, config, (char *const *)(uintptr_t)cases[i].variables, &problem);
    if ((r == RESULT_OK) != (cases[i].cert != NULL) || (r == RESULT_OK) != (problem.len == 0))
      fail_msg("%s", cases[i].name);
    const struct buf *got[] = {&tls.certificate, &tls.key, &tls.client_ca};
    const char *const names[] = {cases[i].cert, cases[i].key, cases[i].ca};
    for (size_t k = 0; r == RESULT_OK && k < COUNT(got); k++) {
      buf_clear(&want);
      buf_printf(&want, "-----BEGIN %s-----\n", names[k]);
      if (!span_equal(buf_span(got[k]), buf_span(&want))) fail_msg("%s: %s", cases[i].name, names[k]);
    }
    if (r == RESULT_OK && (tls.require_client != cases[i].required || tls.ttls_others != cases[i].others))
      fail_msg("%s", cases[i].name);
    secrets_free_tls(&tls);
    buf_free(&problem);
    buf_free(&want);
    config_free(config);
  }
}

/* ---- callers ---- */

static void test_callers(void **state) {
  (void)state;
  enum { LOOPBACK = 1, CERTIFICATE = 2, CA = 4, JWT = 8, STRICT = 16 };
  static const struct {
    const char *mode;
    int facts;
    const char *want; /* NULL: refused */
  } cases[] = {
      {"", LOOPBACK, "dev"},
      {"", 0, NULL},
      {"dev", LOOPBACK, "dev"},
      {"dev", 0, NULL},
      {"dev", LOOPBACK | CERTIFICATE | CA, NULL},
      {"dev", LOOPBACK | STRICT, NULL},
      {"", LOOPBACK | STRICT, NULL},
      {"", CERTIFICATE | CA, "mtls"},
      {"", LOOPBACK | CERTIFICATE | CA | JWT, "mtls"},
      {"", CERTIFICATE, NULL},
      {"", LOOPBACK | CERTIFICATE, NULL},
      {"mtls", CERTIFICATE, NULL},
      {"mtls", LOOPBACK, NULL},
      {"mtls", CERTIFICATE | CA | STRICT, "mtls"},
      {"", LOOPBACK | JWT, "jwt"},
      {"", CERTIFICATE | JWT, "jwt"},
      {"jwt", JWT | STRICT, "jwt"},
      {"jwt", CERTIFICATE | CA | JWT, "jwt"},
      {"jwt", LOOPBACK, NULL},
      {"none", LOOPBACK, NULL},
      {"DEV", LOOPBACK, NULL},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    const int f = cases[i].facts;
    struct callers c = {cases[i].mode, f & LOOPBACK, f & CERTIFICATE, f & CA, f & JWT, f & STRICT};
    const char *problem;
    bool ok = callers_decide(&c, &problem) == RESULT_OK;
    if (ok != (cases[i].want != NULL) || (ok && strcmp(c.mode, cases[i].want) != 0) || ok != (problem == NULL))
      fail_msg("case %zu: %s %d", i, cases[i].mode, f);
  }
}

/* ---- the state directory ---- */

static void test_state(void **state) {
  (void)state;
  char *const nothing[] = {NULL};
  const char *problem = NULL;
  struct state a, b;
  struct stat st;
  assert_int_equal(state_open(&a, "memory", nothing, &problem), RESULT_OK);
  assert_string_equal(a.store, "");
  state_close(&a);

  const char *path = path_of("one/two");
  assert_int_equal(state_open(&a, path, nothing, &problem), RESULT_OK);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0700);
  assert_int_equal(strncmp(a.store, path, strlen(path)), 0);
  assert_string_equal(a.store + strlen(path), "/jobs.sqlite");
  assert_int_equal(state_open(&b, path, nothing, &problem), RESULT_CONFIG_INVALID); /* in use */
  state_close(&a);
  assert_int_equal(state_open(&a, path, nothing, &problem), RESULT_OK);
  state_close(&a);
}

static void test_state_of_others(void **state) {
  (void)state;
  char *const nothing[] = {NULL};
  const char *problem = NULL;
  struct state s;
  const char *open_to_all = path_of("open");
  assert_int_equal(mkdir(open_to_all, 0755), 0);
  assert_int_equal(state_open(&s, open_to_all, nothing, &problem), RESULT_OK); /* empty: made private */
  state_close(&s);
  assert_int_equal(chmod(open_to_all, 0755), 0);
  assert_int_equal(state_open(&s, open_to_all, nothing, &problem), RESULT_CONFIG_INVALID);
  assert_int_equal(state_open(&s, "/proc/sys/none", nothing, &problem), RESULT_IO);
  assert_int_equal(state_open(&s, write_file("file", "x"), nothing, &problem), RESULT_IO);
}

static void test_state_default(void **state) {
  (void)state;
  char xdg[128];
  const char *problem = NULL;
  struct state s;
  if (geteuid() == 0) skip();
  snprintf(xdg, sizeof xdg, "XDG_STATE_HOME=%s", directory);
  assert_int_equal(state_open(&s, "", (char *const[]){xdg, NULL}, &problem), RESULT_OK);
  assert_string_equal(strrchr(s.directory, '/'), "/neocompute");
  state_close(&s);
  assert_int_equal(state_open(&s, "", (char *const[]){NULL}, &problem), RESULT_CONFIG_INVALID);
}

/* ---- systemd ---- */

static void test_numbers_for_us(void **state) {
  (void)state;
  char mine[64], limit[] = "WATCHDOG_USEC=5000000", others[] = "WATCHDOG_PID=1", bad[] = "WATCHDOG_USEC=5s";
  snprintf(mine, sizeof mine, "WATCHDOG_PID=%d", (int)getpid());
  assert_int_equal(notify_watchdog_us((char *const[]){NULL}), 0);
  assert_int_equal(notify_watchdog_us((char *const[]){limit, NULL}), 5000000);
  assert_int_equal(notify_watchdog_us((char *const[]){limit, mine, NULL}), 5000000);
  assert_int_equal(notify_watchdog_us((char *const[]){limit, others, NULL}), 0);
  assert_int_equal(notify_watchdog_us((char *const[]){bad, NULL}), 0);
  char fds[] = "LISTEN_FDS=2", pid[] = "LISTEN_PID=1";
  assert_int_equal(notify_sockets((char *const[]){fds, NULL}), 0);
  assert_int_equal(notify_sockets((char *const[]){fds, pid, NULL}), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forgets_keys),  cmocka_unit_test(test_addresses),
      cmocka_unit_test(test_listens),       cmocka_unit_test(test_base64),
      cmocka_unit_test(test_master_key),    cmocka_unit_test(test_key_bytes),
      cmocka_unit_test(test_store_keys),    cmocka_unit_test(test_credentials),
      cmocka_unit_test(test_tls),           cmocka_unit_test(test_extra_ca),
      cmocka_unit_test(test_marble_tls),    cmocka_unit_test(test_callers),
      cmocka_unit_test(test_state),         cmocka_unit_test(test_state_of_others),
      cmocka_unit_test(test_state_default), cmocka_unit_test(test_numbers_for_us),
  };
  return cmocka_run_group_tests_name("supervisor", tests, make_directory, remove_directory);
}
