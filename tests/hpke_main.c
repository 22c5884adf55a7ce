/*
 * The C side of tests/hpke.test.mjs: each verb reads hexadecimal arguments and prints, one `name value` a line.
 */
#include <time.h>

#include "base/text.h"
#include "crypto/crypto.h"
#include "crypto/hpke.h"

#define MAX (1u << 20)
#define EXPORT 32u

static struct span unhex(const char *text) {
  static uint8_t memory[MAX];
  static size_t used;
  size_t len = strlen(text) / 2;
  uint8_t *out = memory + used;
  if (len > sizeof memory - used || !text_unhex(span_text(text), out, len)) exit(2);
  used += len;
  return span_of(out, len);
}

static void print_hex(const char *name, struct span value) {
  struct buf hex = buf_new(2 * value.len);
  text_put_hex(&hex, value);
  printf("%s %.*s\n", name, (int)hex.len, (const char *)hex.data);
  buf_free(&hex);
}

static enum result print_export(const struct hpke *context, const char *label) {
  uint8_t value[EXPORT];
  enum result r = hpke_export(context, unhex(label), value, sizeof value);
  if (r == RESULT_OK) print_hex("exported", span_of(value, sizeof value));
  return r;
}

/* PUBLIC INFO EXPORTER-CONTEXT AAD PLAIN [AAD PLAIN...] */
static enum result seal(char **args) {
  uint8_t enc[HPKE_ENC];
  struct hpke *context = NULL;
  enum result r = hpke_sender_new(unhex(args[0]).data, unhex(args[1]), enc, &context);
  if (r != RESULT_OK) return r;
  print_hex("enc", span_of(enc, sizeof enc));
  r = print_export(context, args[2]);
  for (char **m = args + 3; r == RESULT_OK && m[0] != NULL && m[1] != NULL; m += 2) {
    struct buf sealed = buf_new(MAX);
    r = hpke_context_seal(context, unhex(m[0]), unhex(m[1]), &sealed);
    if (r == RESULT_OK) print_hex("sealed", buf_span(&sealed));
    buf_free(&sealed);
  }
  hpke_free(context);
  return r;
}

static enum result open_all(const struct agree_key *key, char **args) {
  struct hpke *context = NULL;
  enum result r = hpke_receiver_new(key, unhex(args[1]).data, unhex(args[2]), &context);
  if (r == RESULT_OK) r = print_export(context, args[3]);
  for (char **m = args + 4; r == RESULT_OK && m[0] != NULL && m[1] != NULL; m += 2) {
    struct buf plain = buf_new(MAX);
    r = hpke_context_open(context, unhex(m[0]), unhex(m[1]), &plain);
    if (r == RESULT_OK) print_hex("plain", buf_span(&plain));
    buf_free(&plain);
  }
  hpke_free(context);
  return r;
}

/* SECRET ENC INFO EXPORTER-CONTEXT AAD SEALED [AAD SEALED...] */
static enum result open(char **args) {
  struct agree_key *key = NULL;
  uint8_t public[AGREE_PUBLIC];
  enum result r = agree_key_import(unhex(args[0]).data, &key);
  if (r != RESULT_OK) return r;
  agree_public(key, public);
  print_hex("public", span_of(public, sizeof public));
  r = open_all(key, args);
  agree_key_free(key);
  return r;
}

/* COUNT SIZE: what opening costs, in microseconds of this thread's CPU. */
static enum result measure(char **args) {
  const long count = strtol(args[0], NULL, 10);
  const struct span nothing = span_text("");
  static const uint8_t zeros[MAX];
  struct span plain = span_of(zeros, (size_t)strtol(args[1], NULL, 10));
  uint8_t public[AGREE_PUBLIC], enc[HPKE_ENC];
  struct buf sealed = buf_new(MAX), out = buf_new(MAX);
  struct agree_key *key = NULL;
  struct timespec from, to;
  if (plain.len > MAX - HPKE_TAG || agree_key_new(&key) != RESULT_OK) return RESULT_NO_MEMORY;
  agree_public(key, public);
  enum result r = hpke_seal(public, nothing, nothing, plain, enc, &sealed);
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
  for (long i = 0; i < count && r == RESULT_OK; i++) {
    buf_clear(&out);
    r = hpke_open(key, enc, nothing, nothing, buf_span(&sealed), &out);
  }
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
  const double us = (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3;
  printf("us_per_open %.1f\n", us / (double)count);
  agree_key_free(key);
  buf_free(&sealed);
  buf_free(&out);
  return r;
}

static const struct {
  const char *name;
  int arguments; /* at least */
  enum result (*run)(char **args);
} verbs[] = {{"seal", 5, seal}, {"open", 6, open}, {"measure", 2, measure}};

int main(int argc, char **argv) {
  if (argc < 2 || crypto_init() != RESULT_OK) return 2;
  for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
    if (strcmp(argv[1], verbs[i].name) != 0 || argc < verbs[i].arguments + 2) continue;
    enum result r = verbs[i].run(argv + 2);
    printf("result %s\n", result_name(r));
    crypto_free();
    return 0;
  }
  return 2;
}
