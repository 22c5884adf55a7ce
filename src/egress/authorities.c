#include "egress/authorities.h"

#include <openssl/err.h>
#include <openssl/pem.h>

struct authorities {
  struct buf pem;    /* empty once it is read */
  X509_STORE *store; /* NULL: not read yet */
};

enum result authorities_new(struct span pem, struct authorities **out) {
  struct authorities *a = calloc(1, sizeof *a);
  if (a == NULL) return RESULT_NO_MEMORY;
  a->pem = buf_new(pem.len);
  buf_put_span(&a->pem, pem);
  if (a->pem.bad) {
    authorities_free(a);
    return RESULT_NO_MEMORY;
  }
  *out = a;
  return RESULT_OK;
}

/* A certificate that is there twice is no fault. What is between them, or not to be read, is passed over, as by
 * everyone who reads such files. */
static size_t read_all(BIO *pem, X509_STORE *store) {
  size_t count = 0;
  for (X509 *x; (x = PEM_read_bio_X509_AUX(pem, NULL, NULL, NULL)) != NULL; X509_free(x))
    count += X509_STORE_add_cert(store, x) == 1;
  ERR_clear_error();
  return count;
}

static enum result read_store(struct authorities *a) {
  BIO *pem = BIO_new_mem_buf(a->pem.data, (int)a->pem.len);
  X509_STORE *store = X509_STORE_new();
  const size_t count = pem == NULL || store == NULL ? 0 : read_all(pem, store);
  BIO_free(pem);
  if (count == 0) {
    X509_STORE_free(store);
    return RESULT_CRYPTO;
  }
  /* Whom the operator names is trusted, whether or not somebody above has signed it. */
  X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
  a->store = store;
  buf_free(&a->pem);
  return RESULT_OK;
}

enum result authorities_trust(struct authorities *a, SSL_CTX *context) {
  enum result r = a->store == NULL ? read_store(a) : RESULT_OK;
  if (r == RESULT_OK) SSL_CTX_set1_cert_store(context, a->store);
  return r;
}

void authorities_free(struct authorities *a) {
  if (a == NULL) return;
  X509_STORE_free(a->store);
  buf_free(&a->pem);
  free(a);
}
