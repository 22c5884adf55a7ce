#include "http/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct tls_context {
  SSL_CTX *ssl;
};

struct tls {
  SSL *ssl;
};

/* ---- certificates from memory ---- */

/* A key with a pass phrase is not asked for one. */
static int no_pass_phrase(char *out /* NOLINT(readability-non-const-parameter): OpenSSL's type */, int size,
                          int writing, void *context) {
  (void)out, (void)size, (void)writing, (void)context;
  return 0;
}

/* The next of several certificates, NULL behind the last. What is no certificate is not passed over. */
static X509 *next_certificate(BIO *bio, bool *broken) {
  ERR_clear_error();
  X509 *certificate = PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL);
  *broken = certificate == NULL && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE;
  return certificate;
}

/* The first certificate is ours, those behind it are its chain. */
static const char *use_certificates(SSL_CTX *ssl, BIO *bio) {
  bool broken = false;
  X509 *certificate = next_certificate(bio, &broken);
  if (certificate == NULL) return "the certificate is not PEM";
  bool used = SSL_CTX_use_certificate(ssl, certificate) == 1;
  X509_free(certificate);
  if (!used) return "the certificate cannot be used";
  while ((certificate = next_certificate(bio, &broken)) != NULL) {
    if (SSL_CTX_add0_chain_cert(ssl, certificate) == 1) continue;
    X509_free(certificate);
    return "the certificate's chain cannot be used";
  }
  return broken ? "the certificate's chain is not PEM" : NULL;
}

static const char *use_key(SSL_CTX *ssl, BIO *bio) {
  EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL);
  if (key == NULL) return "the private key is not PEM, or needs a pass phrase";
  bool fits = SSL_CTX_use_PrivateKey(ssl, key) == 1 && SSL_CTX_check_private_key(ssl) == 1;
  EVP_PKEY_free(key);
  return fits ? NULL : "the private key does not belong to the certificate";
}

static const char *use_client_ca(SSL_CTX *ssl, BIO *bio) {
  bool broken = false;
  size_t count = 0;
  const char *problem = NULL;
  for (X509 *ca; problem == NULL && (ca = next_certificate(bio, &broken)) != NULL; X509_free(ca)) {
    if (X509_cmp_current_time(X509_get0_notAfter(ca)) <= 0) problem = "a client CA has expired";
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), ca) != 1 || SSL_CTX_add_client_CA(ssl, ca) != 1)
      problem = "a client CA cannot be used";
    count++;
  }
  if (problem == NULL && (broken || count == 0)) problem = "the client CA is not PEM";
  return problem;
}

/* Has `use` read a PEM text. */
static const char *from_memory(SSL_CTX *ssl, struct span pem, const char *(*use)(SSL_CTX *ssl, BIO *bio)) {
  BIO *bio = pem.len > INT32_MAX ? NULL : BIO_new_mem_buf(pem.data == NULL ? (const void *)"" : pem.data, (int)pem.len);
  const char *problem = bio == NULL ? "a certificate or key is too large, or there is no memory" : use(ssl, bio);
  BIO_free(bio);
  return problem;
}

/* ---- the context ---- */

/* h2 if the client speaks it, else http/1.1; a client that names neither gets HTTP/1.1 without ALPN. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                           unsigned in_len, void *context) {
  (void)ssl, (void)context;
  static const unsigned char ours[] = "\x02h2\x08http/1.1";
  unsigned char *chosen = NULL;
  if (SSL_select_next_proto(&chosen, out_len, ours, sizeof ours - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

static const char *configure(SSL_CTX *ssl, const struct http_tls *config) {
  static const unsigned char session_context[] = "neocompute";
  SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION);
  SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT);
  SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  /* No tickets: a resumed session would keep an identity whose CA may have been taken away. */
  SSL_CTX_set_num_tickets(ssl, 0);
  SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(ssl, session_context, sizeof session_context - 1);
  SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
  const char *problem = from_memory(ssl, config->certificate, use_certificates);
  if (problem == NULL) problem = from_memory(ssl, config->key, use_key);
  if (problem != NULL) return problem;
  if (config->client_ca.len == 0) return config->require_client ? "client certificates need a client CA" : NULL;
  SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | (config->require_client ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
  SSL_CTX_set_purpose(ssl, X509_PURPOSE_SSL_CLIENT);
  return from_memory(ssl, config->client_ca, use_client_ca);
}

enum result tls_context_new(const struct http_tls *config, char *problem, size_t problem_size,
                            struct tls_context **out) {
  OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
  struct tls_context *context = calloc(1, sizeof *context);
  if (context == NULL) return RESULT_NO_MEMORY;
  context->ssl = SSL_CTX_new(TLS_server_method());
  const char *why = context->ssl == NULL ? "OpenSSL gives no context" : configure(context->ssl, config);
  ERR_clear_error();
  if (why == NULL) {
    *out = context;
    return RESULT_OK;
  }
  snprintf(problem, problem_size, "%s", why);
  tls_context_free(context);
  return RESULT_CONFIG_INVALID;
}

void tls_context_free(struct tls_context *context) {
  if (context == NULL) return;
  SSL_CTX_free(context->ssl);
  free(context);
}

/* ---- a connection ---- */

struct tls *tls_new(const struct tls_context *context, int fd) {
  struct tls *t = calloc(1, sizeof *t);
  if (t == NULL) return NULL;
  t->ssl = SSL_new(context->ssl);
  if (t->ssl != NULL && SSL_set_fd(t->ssl, fd) == 1) {
    SSL_set_accept_state(t->ssl);
    return t;
  }
  tls_free(t);
  return NULL;
}

/* The error queue is the thread's: each call below begins with an empty one, whoever left something in it. */
static enum tls_step step(struct tls *t, int returned) {
  if (returned == 1) return TLS_DONE;
  int error = SSL_get_error(t->ssl, returned);
  if (error == SSL_ERROR_WANT_READ) return TLS_WANT_READ;
  return error == SSL_ERROR_WANT_WRITE ? TLS_WANT_WRITE : TLS_ENDED;
}

enum tls_step tls_handshake(struct tls *t) {
  ERR_clear_error();
  return step(t, SSL_do_handshake(t->ssl));
}

enum tls_step tls_read(struct tls *t, void *out, size_t size, size_t *count) {
  *count = 0;
  ERR_clear_error();
  return step(t, SSL_read_ex(t->ssl, out, size, count));
}

enum tls_step tls_write(struct tls *t, const void *bytes, size_t len, size_t *count) {
  *count = 0;
  ERR_clear_error();
  return step(t, SSL_write_ex(t->ssl, bytes, len, count));
}

void tls_close(struct tls *t) {
  (void)!SSL_shutdown(t->ssl);
  ERR_clear_error();
}

bool tls_chose_http2(const struct tls *t) {
  const unsigned char *name = NULL;
  unsigned len = 0;
  SSL_get0_alpn_selected(t->ssl, &name, &len);
  return span_is(span_of(name, len), "h2");
}

static bool is_dns_name(const char *name, size_t len) {
  return len > 0 && len < 254 &&
         strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.*") == len;
}

/* Lower case; NULL for one with a NUL or another strange byte in it. */
static char *dns_name_of(const ASN1_IA5STRING *string) {
  size_t len = (size_t)ASN1_STRING_length(string);
  const char *text = (const char *)ASN1_STRING_get0_data(string); /* OpenSSL puts a NUL behind it */
  char *name = is_dns_name(text, len) ? strndup(text, len) : NULL;
  for (char *c = name; c != NULL && *c != 0; c++) {
    if (*c >= 'A' && *c <= 'Z') *c |= 0x20;
  }
  return name;
}

/* The first DNS name, and no other instead of it. */
static char *first_dns_name(X509 *certificate) {
  GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
  char *found = NULL;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) { /* -1 of NULL */
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS) continue;
    found = dns_name_of(name->d.dNSName);
    break;
  }
  GENERAL_NAMES_free(names);
  return found;
}

void tls_identify(const struct tls *t, struct http_peer *peer) {
  X509 *certificate = SSL_get0_peer_certificate(t->ssl);
  if (certificate == NULL || SSL_get_verify_result(t->ssl) != X509_V_OK) return;
  peer->verified = true;
  char *name = first_dns_name(certificate);
  if (name != NULL) peer->dns_name = name;
}

void tls_free(struct tls *t) {
  if (t == NULL) return;
  SSL_free(t->ssl);
  free(t);
}
