/*
 * The libraries that broker, keeper and egress live on, inside the fence: what they ask of the kernel must be on their
 * role's list. The test starts itself again as each of them (by sandbox_spawn, as the supervisor does); a call that is
 * not on the list kills the process, and the test says by which step.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nss.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "sandbox/sandbox.h"

/* ---- inside: each step is one byte to the test before it is taken ---- */

static void step(char name) {
  if (write(SANDBOX_SOCKET, &name, 1) != 1) _exit(90);
}

static void need(bool ok, int status) {
  if (!ok) _exit(status);
}

static void on_timer(evutil_socket_t fd, short what, void *base) {
  (void)fd, (void)what;
  event_base_loopbreak(base);
}

static void use_events(void) {
  struct event_base *base = event_base_new();
  need(base != NULL, 10);
  struct event *timer = evtimer_new(base, on_timer, base);
  const struct timeval soon = {0, 1000};
  need(timer != NULL && evtimer_add(timer, &soon) == 0 && event_base_dispatch(base) == 0, 11);
  event_free(timer);
  event_base_free(base);
}

static EVP_PKEY *make_key(void) {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  need(key != NULL, 20);
  return key;
}

static void use_crypto(void) {
  EVP_PKEY *key = make_key();
  EVP_MD_CTX *c = EVP_MD_CTX_new();
  uint8_t signature[256];
  size_t len = sizeof signature;
  need(EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key) == 1, 21);
  need(EVP_DigestSign(c, signature, &len, (const uint8_t *)"x", 1) == 1, 22);
  EVP_MD_CTX_free(c);
  EVP_PKEY_free(key);
}

static X509 *make_certificate(EVP_PKEY *key) {
  X509 *x = X509_new();
  X509_NAME *name = X509_get_subject_name(x);
  X509_set_version(x, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
  X509_gmtime_adj(X509_getm_notBefore(x), -60);
  X509_gmtime_adj(X509_getm_notAfter(x), 600);
  X509_set_pubkey(x, key);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"localhost", -1, -1, 0);
  X509_set_issuer_name(x, name);
  need(X509_sign(x, key, EVP_sha256()) > 0, 30);
  return x;
}

/* Both ends of one TLS connection, over a descriptor pair that was open before. */
static void use_tls(int server_fd, int client_fd) {
  EVP_PKEY *key = make_key();
  X509 *certificate = make_certificate(key);
  SSL_CTX *sc = SSL_CTX_new(TLS_server_method()), *cc = SSL_CTX_new(TLS_client_method());
  need(SSL_CTX_use_certificate(sc, certificate) == 1 && SSL_CTX_use_PrivateKey(sc, key) == 1, 31);
  SSL *server = SSL_new(sc), *client = SSL_new(cc);
  SSL_set_fd(server, server_fd);
  SSL_set_fd(client, client_fd);
  SSL_set_accept_state(server);
  SSL_set_connect_state(client);
  for (int i = 0; i < 8; i++) {
    SSL_do_handshake(client);
    SSL_do_handshake(server);
  }
  char byte;
  need(SSL_write(client, "x", 1) == 1 && SSL_read(server, &byte, 1) == 1, 32);
  SSL_free(server);
  SSL_free(client);
  SSL_CTX_free(sc);
  SSL_CTX_free(cc);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

static const char insert_500[] =
    "INSERT INTO jobs SELECT randomblob(16), randomblob(3000) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT "
    "i + 1 FROM n WHERE i < 500) SELECT i FROM n)";

static void *use_store(void *path) {
  const char *const statements[] = {
      "PRAGMA journal_mode=WAL",
      "PRAGMA synchronous=FULL",
      "PRAGMA temp_store=MEMORY",
      "CREATE TABLE IF NOT EXISTS jobs(id BLOB PRIMARY KEY, body BLOB) WITHOUT ROWID",
      "BEGIN",
      insert_500,
      "COMMIT",
      "DELETE FROM jobs",
      "PRAGMA wal_checkpoint(TRUNCATE)",
      "PRAGMA incremental_vacuum",
  };
  sqlite3 *db, *reader;
  need(sqlite3_open(path, &db) == SQLITE_OK && sqlite3_open(path, &reader) == SQLITE_OK, 40);
  sqlite3_busy_timeout(db, 100);
  for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++)
    need(sqlite3_exec(db, statements[i], NULL, NULL, NULL) == SQLITE_OK, 41);
  need(sqlite3_exec(reader, "SELECT count(*) FROM jobs", NULL, NULL, NULL) == SQLITE_OK, 42);
  sqlite3_close(reader);
  sqlite3_close(db);
  return NULL;
}

static void use_memory(void) {
  for (size_t size = 1 << 12; size < 1 << 25; size *= 2) {
    uint8_t *p = malloc(size), *q = p == NULL ? NULL : realloc(p, 2 * size);
    need(q != NULL, 50);
    q[2 * size - 1] = 1;
    free(q);
  }
}

static void *use_memory_thread(void *unused) {
  use_memory();
  return unused;
}

static void use_threads(void *(*body)(void *), char *argument) {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) need(pthread_create(&threads[i], NULL, use_memory_thread, NULL) == 0, 60);
  for (int i = 0; i < 4; i++) need(pthread_join(threads[i], NULL) == 0, 61);
  need(pthread_create(&threads[0], NULL, body, argument) == 0 && pthread_join(threads[0], NULL) == 0, 62);
}

/* Answers one caller at a listener that came over the socket. */
static void use_listener(int listener) {
  int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  struct sockaddr_storage peer;
  socklen_t len = sizeof peer;
  need(fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0, 70);
  need(getpeername(fd, (struct sockaddr *)&peer, &len) == 0 && send(fd, "x", 1, MSG_NOSIGNAL) == 1, 71);
  close(fd);
}

static int receive_listener(void) {
  union {
    struct cmsghdr header;
    uint8_t bytes[CMSG_SPACE(sizeof(int))];
  } control;
  uint8_t byte;
  struct iovec part = {&byte, 1};
  struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  need(recvmsg(SANDBOX_SOCKET, &m, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&m) != NULL, 80);
  int fd;
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
  return fd;
}

/* What egress does beside crypto and TLS: looks a name up in threads, calls, and closes. Nobody answers here. */
static void *look_up(void *name) {
  const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
  struct addrinfo *found = NULL;
  (void)getaddrinfo(name, "443", &hints, &found);
  if (found != NULL) freeaddrinfo(found);
  return NULL;
}

static void call_nobody(int family) {
  const struct sockaddr_in v4 = {
      .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int one = 1, error = 0, fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  socklen_t len = sizeof error;
  if (fd < 0) return; /* no IPv6 here */
  need(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0, 71);
  (void)connect(fd, (const struct sockaddr *)&v4, sizeof v4);
  need(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0, 72);
  close(fd);
}

static void use_network(void) {
  static char local[] = "localhost", none[] = "no-such-host.invalid", numeric[] = "127.0.0.1";
  use_threads(look_up, local);
  look_up(numeric);
  use_threads(look_up, none);
  call_nobody(AF_INET);
  call_nobody(AF_INET6);
}

/* The first message on the socket: the directory. */
static int live(enum sandbox_role role, sandbox_set held) {
  char directory[64] = "", path[96];
  int pair[2];
  struct rlimit files;
  need(read(SANDBOX_SOCKET, directory, sizeof directory - 1) > 0, 81);
  snprintf(path, sizeof path, "%s/jobs.sqlite", directory);
  need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0, 82);
  OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL);
  sqlite3_initialize();
  tzset();
  __nss_configure_lookup("hosts", "files dns");
  need(sandbox_enter(role, role == SANDBOX_BROKER ? directory : NULL, &held) == RESULT_OK, 83);
  step('e'), use_events();
  step('c'), use_crypto();
  step('m'), use_memory();
  if (role == SANDBOX_KEEPER) return 0;
  step('t'), use_tls(pair[0], pair[1]);
  if (role == SANDBOX_EGRESS) {
    step('n'), use_network();
    return 0;
  }
  step('s'), use_threads(use_store, path);
  step('l'), use_listener(receive_listener());
  need(getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur == files.rlim_max, 84);
  need(open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 || !(held & 1u << SANDBOX_BIT_LANDLOCK), 85);
  return 0;
}

/* ---- outside ---- */

static char directory[64];

static int listen_and_call(int *caller) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&a, len) | listen(listener, 4), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
  *caller = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(connect(*caller, (struct sockaddr *)&a, sizeof a), 0);
  return listener;
}

static void send_listener(int socket, int listener) {
  union {
    struct cmsghdr header;
    uint8_t bytes[CMSG_SPACE(sizeof(int))];
  } control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
  struct iovec part = {(void *)(uintptr_t) "x", 1};
  struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  memcpy(CMSG_DATA(&control.header), &listener, sizeof listener);
  assert_int_equal(sendmsg(socket, &m, 0), 1);
}

static void run_role(enum sandbox_role role, const char *name) {
  int pair[2], pidfd, caller, self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), listener = listen_and_call(&caller);
  pid_t pid;
  char last = '-', byte;
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  assert_int_equal(sandbox_spawn(role, name, self, pair[1], &pid, &pidfd), RESULT_OK);
  close(pair[1]);
  assert_int_equal(write(pair[0], directory, strlen(directory)), strlen(directory));
  while (read(pair[0], &byte, 1) == 1) {
    last = byte;
    if (last == 'l') send_listener(pair[0], listener);
  }
  siginfo_t info;
  assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED), 0);
  if (info.si_code != CLD_EXITED || info.si_status != 0)
    fail_msg("after step %c: %s %d", last, info.si_code == CLD_EXITED ? "status" : "signal", info.si_status);
  if (role == SANDBOX_BROKER) assert_int_equal(recv(caller, &byte, 1, 0), 1);
  close(pair[0]), close(pidfd), close(self), close(listener), close(caller);
}

static void test_broker(void **state) {
  (void)state;
  run_role(SANDBOX_BROKER, "roles: broker");
}

static void test_keeper(void **state) {
  (void)state;
  run_role(SANDBOX_KEEPER, "roles: keeper");
}

static void test_egress(void **state) {
  (void)state;
  run_role(SANDBOX_EGRESS, "roles: egress");
}

static int make_directory(void **state) {
  (void)state;
  snprintf(directory, sizeof directory, "/tmp/roles-XXXXXX");
  if (mkdtemp(directory) == NULL) return 1;
  return geteuid() == 0 ? chown(directory, 65534, 65534) : 0; /* who the broker is then */
}

static int remove_directory(void **state) {
  static const char *const files[] = {"jobs.sqlite", "jobs.sqlite-wal", "jobs.sqlite-shm"};
  (void)state;
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    char path[96];
    snprintf(path, sizeof path, "%s/%s", directory, files[i]);
    unlink(path);
  }
  return rmdir(directory);
}

static enum sandbox_role role_of(const char *name) {
  if (strcmp(name, "broker") == 0) return SANDBOX_BROKER;
  return strcmp(name, "egress") == 0 ? SANDBOX_EGRESS : SANDBOX_KEEPER;
}

int main(int argc, char **argv) {
  uint64_t held = 0;
  if (argc == 2 && strncmp(argv[0], "roles: ", 7) == 0 &&
      text_u64(span_text(argv[1]), 0, SANDBOX_ALL, &held) == RESULT_OK)
    _exit(live(role_of(argv[0] + 7), (sandbox_set)held)); /* without a search for leaks, which clones */
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_broker), cmocka_unit_test(test_keeper),
                                     cmocka_unit_test(test_egress)};
  return cmocka_run_group_tests_name("roles", tests, make_directory, remove_directory);
}
