/* The providers before the kernel of testing.h, and before plain files. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/quote.h"
#include "attest/snp.h"
#include "attest/testing.h"

static const uint8_t agree_key[AGREE_PUBLIC] = {7, 7, 7};
static struct attest_claim claim;

static int boot(void **state) {
  (void)state;
  memset(&kernel, 0, sizeof kernel);
  kernel.request = buf_new(0x1000);
  kernel.generation = 41;
  claim = (struct attest_claim){.agree_key = agree_key};
  for (size_t i = 0; i < ATTEST_REPORT_DATA; i++) claim.report_data[i] = (uint8_t)(i + 1);
  return 0;
}

/* Whatever happened, nothing is left open or behind. */
static int halt(void **state) {
  (void)state;
  buf_free(&kernel.request);
  for (size_t i = 0; i < COUNT(files); i++) {
    if (files[i].used) return -1;
  }
  return kernel.folders;
}

/* Asks a provider; after a failure nothing must be appended. */
static enum result ask(const struct attest_provider *provider, struct buf *out) {
  *out = buf_new(64 << 10);
  buf_put_text(out, "kept");
  const enum result r = provider->evidence(&fake, &claim, out);
  assert_memory_equal(out->data, "kept", 4);
  if (r != RESULT_OK) assert_int_equal(out->len, 4);
  return r;
}

static void expect(const struct attest_provider *provider, enum result r) {
  struct buf out;
  assert_int_equal(ask(provider, &out), r);
  buf_free(&out);
}

static void expect_evidence(const struct attest_provider *provider, size_t len, size_t report_data_at) {
  struct buf out;
  assert_int_equal(ask(provider, &out), RESULT_OK);
  assert_int_equal(out.len, 4 + len);
  assert_memory_equal(out.data + 4 + report_data_at, claim.report_data, ATTEST_REPORT_DATA);
  buf_free(&out);
}

/* ---- each provider ---- */

static void gramine(void) {
  kernel.attestation_type = "dcap";
}
static void tdx(void) {
  kernel.driver = "tdx_guest";
}
static void snp(void) {
  kernel.driver = "sev_guest";
}
static void sev_guest(void) {
  kernel.sev_guest = true;
}
static void nitro(void) {
  kernel.nsm = true;
}
static void nothing(void) {}

static void (*const machines[])(void) = {gramine, nitro, tdx, snp, sev_guest, nothing};
static const struct attest_provider *const providers[] = {&attest_gramine, &attest_nitro,     &attest_tsm_tdx,
                                                          &attest_tsm_snp, &attest_sev_guest, &attest_sim};
static const struct { size_t len, report_data; } shapes[] = {{4600, 368}, {68, 2}, {5000, 568}, {1184, 80}, {1184, 80}};
#define REAL COUNT(shapes)

static void again(void) {
  (void)halt(NULL);
  (void)boot(NULL);
}

static void test_every_machine_has_its_provider(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(machines); i++) {
    const struct attest_provider *got = NULL;
    again();
    machines[i]();
    assert_int_equal(attest_probe(&fake, NULL, &got), RESULT_OK);
    assert_ptr_equal(got, providers[i]);
    for (size_t other = 0; other < COUNT(providers); other++) {
      got = NULL;
      const bool there = other == i || providers[other] == &attest_sim;
      assert_int_equal(attest_probe(&fake, providers[other]->name, &got), there ? RESULT_OK : RESULT_CONFIG_INVALID);
      assert_ptr_equal(got, there ? providers[other] : NULL);
    }
    assert_int_equal(attest_probe(&fake, "sgx2", &got), RESULT_CONFIG_INVALID);
    assert_int_equal(attest_probe(&fake, "", &got), RESULT_CONFIG_INVALID);
    assert_int_equal(kernel.folders, 0);
  }
}

static void test_the_first_of_several(void **state) {
  (void)state;
  const struct attest_provider *got = NULL;
  for (size_t i = REAL; i > 0; i--) {
    if (i - 1 == 2) continue; /* one driver at a time reports through configfs */
    machines[i - 1]();
    assert_int_equal(attest_probe(&fake, NULL, &got), RESULT_OK);
    assert_ptr_equal(got, providers[i - 1]);
  }
  assert_int_equal(attest_probe(&fake, "sev-guest", &got), RESULT_OK);
  assert_ptr_equal(got, &attest_sev_guest);
  kernel.attestation_type = "none"; /* Gramine without remote attestation */
  kernel.nsm = false;
  assert_int_equal(attest_probe(&fake, NULL, &got), RESULT_OK);
  assert_ptr_equal(got, &attest_tsm_snp);
}

static void test_evidence_in_pieces(void **state) {
  (void)state;
  static const size_t most[] = {0, 1, 7, 4095};
  for (size_t i = 0; i < REAL; i++) {
    for (size_t j = 0; j < COUNT(most); j++) {
      again();
      machines[i]();
      kernel.read_most = most[j];
      kernel.interrupted = (int)j;
      expect_evidence(providers[i], shapes[i].len, shapes[i].report_data);
      assert_int_equal(kernel.waits, 0);
    }
  }
}

static void test_wrong_sizes_and_kinds(void **state) {
  (void)state;
  static const enum content contents[] = {CONTENT_SHORT, CONTENT_LONG, CONTENT_OTHER_KIND};
  for (size_t i = 0; i < REAL; i++) {
    for (size_t j = 0; j < COUNT(contents); j++) {
      const bool report = providers[i] == &attest_tsm_snp || providers[i] == &attest_sev_guest;
      if (providers[i] == &attest_nitro || (report && contents[j] == CONTENT_OTHER_KIND)) continue;
      again();
      machines[i]();
      kernel.content = contents[j];
      expect(providers[i], RESULT_IO);
      assert_int_equal(kernel.waits, 0); /* asking again would not help */
    }
  }
}

static void test_half_a_write_is_none(void **state) {
  (void)state;
  static const size_t with_files[] = {0, 2, 3};
  for (size_t i = 0; i < COUNT(with_files); i++) {
    again();
    machines[with_files[i]]();
    kernel.write_most = 63;
    expect(providers[with_files[i]], RESULT_IO);
  }
}

/* Others write between our write and our read: never theirs, and ours once they let us. */
static void test_concurrent_writers(void **state) {
  (void)state;
  static const size_t shared[] = {0, 2, 3, 4};
  for (size_t i = 0; i < COUNT(shared); i++) {
    const size_t m = shared[i];
    again();
    machines[m]();
    kernel.interlopers = 3;
    expect_evidence(providers[m], shapes[m].len, shapes[m].report_data);
    assert_int_equal(kernel.waits, 3);
    again();
    machines[m]();
    kernel.interlopers = 1000;
    expect(providers[m], RESULT_BUSY);
    assert_in_range(kernel.waits, 1, 100);
  }
}

static void test_busy(void **state) {
  (void)state;
  static const size_t may_be[] = {2, 3, 4};
  for (size_t i = 0; i < COUNT(may_be); i++) {
    const size_t m = may_be[i];
    again();
    machines[m]();
    kernel.busy = 5;
    expect_evidence(providers[m], shapes[m].len, shapes[m].report_data);
    assert_int_equal(kernel.waits, 5);
    again();
    machines[m]();
    kernel.busy = 1000;
    expect(providers[m], RESULT_BUSY);
  }
}

/* What was reported has our report data, but another wrote to the folder, too: only the generation tells. */
static void test_generation(void **state) {
  (void)state;
  for (size_t m = 2; m <= 3; m++) {
    again();
    machines[m]();
    kernel.meddlers = 2;
    expect_evidence(providers[m], shapes[m].len, shapes[m].report_data);
    assert_int_equal(kernel.waits, 2);
    again();
    machines[m]();
    kernel.meddlers = 1000;
    expect(providers[m], RESULT_BUSY);
    again();
    machines[m]();
    kernel.generation = UINT64_MAX; /* it wraps */
    expect_evidence(providers[m], shapes[m].len, shapes[m].report_data);
    assert_int_equal(kernel.generation, 0);
    expect_evidence(providers[m], shapes[m].len, shapes[m].report_data);
    assert_int_equal(kernel.made, 2); /* a folder for each request */
  }
}

/* That the kernel did not take a write is heard by nobody; it shows in the generation. */
static void test_dropped_writes(void **state) {
  (void)state;
  tdx();
  kernel.busy = 1;          /* the first try is written, and told to wait; */
  kernel.flush_dropped = 2; /* the second one is not, and what it reads is the first one's */
  expect_evidence(&attest_tsm_tdx, 5000, 568);
  assert_int_equal(kernel.waits, 2);
  assert_int_equal(kernel.flushes, 3);
  again();
  tdx();
  kernel.flush_dropped = -1;
  expect(&attest_tsm_tdx, RESULT_IO);
}

/* ---- certificates ---- */

static size_t put_entry(size_t at, uint8_t guid, uint32_t offset, uint32_t len) {
  struct buf b = buf_fixed(kernel.table + at, 24);
  memset(kernel.table + at, guid, 16);
  b.len = 16;
  buf_put_u32(&b, offset);
  buf_put_u32(&b, len);
  return at + 24;
}

/* Two certificates, and an end. */
static void put_table(void) {
  put_entry(put_entry(0, 0x63, 100, 40), 0x4a, 72, 28);
  memset(kernel.table + 72, 0xc0, 68);
  kernel.table_len = 140;
}

static void test_certificates(void **state) {
  (void)state;
  for (size_t m = 3; m <= 4; m++) {
    struct buf out;
    again();
    machines[m]();
    put_table();
    assert_int_equal(ask(providers[m], &out), RESULT_OK);
    assert_int_equal(out.len, 4 + 1184 + 140); /* the device's pages end in zeros */
    assert_memory_equal(out.data + 4 + 1184, kernel.table, 140);
    buf_free(&out);
  }
  again();
  sev_guest();
  put_table();
  kernel.many_certificates = true;
  expect_evidence(&attest_sev_guest, 1184, 80);
  assert_int_equal(kernel.asked, 2);
  again();
  sev_guest();
  kernel.snp_status = 0x16;
  expect(&attest_sev_guest, RESULT_IO);
}

static enum result table_of(size_t len) {
  uint8_t report[SNP_REPORT] = {0};
  struct buf out = buf_new(1 << 16);
  memcpy(report + 0x50, claim.report_data, ATTEST_REPORT_DATA);
  enum result r = snp_put_evidence(&out, span_of(report, sizeof report), span_of(kernel.table, len), claim.report_data);
  if (r != RESULT_OK) assert_int_equal(out.len, 0);
  buf_free(&out);
  return r;
}

static void test_broken_tables(void **state) {
  (void)state;
  put_table();
  assert_int_equal(table_of(140), RESULT_OK);
  for (size_t len = 1; len < 140; len++) assert_int_equal(table_of(len), RESULT_IO);
  put_entry(24, 0x4a, UINT32_MAX, 41);
  assert_int_equal(table_of(140), RESULT_IO);
  put_entry(24, 0x4a, 140, 1);
  assert_int_equal(table_of(140), RESULT_IO);
  put_entry(24, 0x4a, 140, 0);
  assert_int_equal(table_of(140), RESULT_OK);
  memset(kernel.table, 0xff, sizeof kernel.table);
  assert_int_equal(table_of(sizeof kernel.table), RESULT_IO);
  memset(kernel.table, 0, sizeof kernel.table);
  assert_int_equal(table_of(sizeof kernel.table), RESULT_OK);
}

/* ---- Nitro ---- */

static void expect_request(const char *nonce) {
  struct buf want = buf_new(0x1000);
  buf_put_text(&want,
               "\xa1\x6b"
               "Attestation\xa3\x69user_data\x58\x40");
  buf_put(&want, claim.report_data, ATTEST_REPORT_DATA);
  buf_put_text(&want, "\x65nonce");
  buf_put_text(&want, nonce);
  buf_put_text(&want, "\x6apublic_key\x58\x20");
  buf_put(&want, agree_key, AGREE_PUBLIC);
  assert_true(span_equal(buf_span(&kernel.request), buf_span(&want)));
  buf_free(&want);
}

static void test_nitro_request(void **state) {
  (void)state;
  nitro();
  expect_evidence(&attest_nitro, 68, 2);
  expect_request("\xf6");
  claim.nonce = span_text("0123456789abcdef");
  expect_evidence(&attest_nitro, 68, 2);
  expect_request(
      "\x50"
      "0123456789abcdef");
}

static void test_nitro_answers(void **state) {
  (void)state;
  static const char *const answers[] = {
      "",                                                           /* nothing */
      "a1654572726f726f496e76616c6964417267756d656e74",             /* {"Error":"InvalidArgument"} */
      "6b4174746573746174696f6e",                                   /* "Attestation" */
      "a16b4174746573746174696f6ea0",                               /* {"Attestation":{}} */
      "a16b4174746573746174696f6ea168646f63756d656e74f6",           /* a document that is null */
      "a16b4174746573746174696f6ea168646f63756d656e7443010203",     /* of others */
      "a16b4174746573746174696f6ea168646f63756d656e745f43010203ff", /* in pieces */
      "a16b4174746573746174696f6ea168646f63756d656e7458",           /* cut */
      "a101a168646f63756d656e7440",
      "ff",
      "9f9f9f9f9f9f9f9f",
      "bbffffffffffffffff",                         /* a map that would fill the memory */
      "a16b4174746573746174696f6e5bffffffffffffff", /* bytes that would */
      "a26b4174746573746174696f6ea168646f63756d656e7440",
  };
  nitro();
  for (size_t i = 0; i < COUNT(answers); i++) {
    kernel.nsm_answer = answers[i];
    expect(&attest_nitro, RESULT_IO);
  }
  /* The document, and a byte after it. */
  static char good[2 * 256];
  struct buf hex = buf_fixed(good, sizeof good - 1);
  buf_put_text(&hex, "a16b4174746573746174696f6ea168646f63756d656e745840");
  text_put_hex(&hex, span_of(claim.report_data, ATTEST_REPORT_DATA));
  kernel.nsm_answer = good;
  expect_evidence(&attest_nitro, 64, 0);
  buf_put_text(&hex, "00");
  expect(&attest_nitro, RESULT_IO);
}

/* ---- real files ---- */

static char tree[] = "/tmp/neocompute-attest-XXXXXX";

static void put_file(const char *name, struct span content) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", tree, name);
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, content.data, content.len), content.len);
  close(fd);
}

static void in_tree(const char *name, int (*what)(const char *path)) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", tree, name);
  assert_int_equal(what(path), 0);
}

static int make_folder(const char *path) {
  return mkdir(path, 0700);
}

static void test_a_tree_of_files(void **state) {
  (void)state;
  assert_non_null(mkdtemp(tree));
  const struct attest_machine machine = {tree, NULL};
  const struct attest_provider *got = NULL;
  struct buf quote = buf_new(1 << 16), out = buf_new(1 << 16);
  assert_int_equal(attest_probe(&machine, NULL, &got), RESULT_OK);
  assert_ptr_equal(got, &attest_sim);
  in_tree("dev", make_folder);
  in_tree("dev/attestation", make_folder);
  static const char *const types[] = {"none", "dcap2", "", "DCAP", "dcap\n\n"};
  for (size_t i = 0; i < COUNT(types); i++) {
    put_file("dev/attestation/attestation_type", span_text(types[i]));
    assert_false(attest_gramine.probe(&machine));
  }
  put_file("dev/attestation/attestation_type", span_text("dcap"));
  assert_int_equal(attest_probe(&machine, NULL, &got), RESULT_OK);
  assert_ptr_equal(got, &attest_gramine);
  memcpy(kernel.report_data, claim.report_data, ATTEST_REPORT_DATA);
  put_quote(&quote, 3, 0, 368, 8192);
  put_file("dev/attestation/quote", buf_span(&quote));
  assert_int_equal(got->evidence(&machine, &claim, &out), RESULT_IO); /* no user_report_data: nothing is created */
  put_file("dev/attestation/user_report_data", span_text(""));
  assert_int_equal(got->evidence(&machine, &claim, &out), RESULT_OK);
  assert_true(span_equal(buf_span(&out), buf_span(&quote)));
  buf_put_u8(&quote, 0);
  put_file("dev/attestation/quote", buf_span(&quote));
  assert_int_equal(got->evidence(&machine, &claim, &out), RESULT_IO);
  put_file("dev/attestation/quote", span_of(quote.data, 400));
  assert_int_equal(got->evidence(&machine, &claim, &out), RESULT_IO);
  /* Files that only look like devices. */
  put_file("dev/nsm", span_text(""));
  put_file("dev/sev-guest", span_text(""));
  assert_int_equal(attest_nitro.evidence(&machine, &claim, &out), RESULT_IO);
  assert_int_equal(attest_sev_guest.evidence(&machine, &claim, &out), RESULT_IO);
  assert_int_equal(out.len, 8192);
  static const char *const all[] = {"attestation/attestation_type", "attestation/quote", "attestation/user_report_data",
                                    "nsm", "sev-guest"};
  for (size_t i = 0; i < COUNT(all); i++) {
    char name[64];
    snprintf(name, sizeof name, "dev/%s", all[i]);
    in_tree(name, unlink);
  }
  in_tree("dev/attestation", rmdir);
  in_tree("dev", rmdir);
  in_tree("", rmdir);
  buf_free(&quote);
  buf_free(&out);
}

static void test_no_room(void **state) {
  (void)state;
  for (size_t i = 0; i < REAL; i++) {
    uint8_t memory[67];
    struct buf out = buf_fixed(memory, sizeof memory);
    again();
    machines[i]();
    assert_int_equal(providers[i]->evidence(&fake, &claim, &out), RESULT_NO_MEMORY);
    assert_int_equal(out.len, 0);
  }
  char longest[600];
  memset(longest, 'x', sizeof longest - 1);
  longest[sizeof longest - 1] = 0;
  const struct attest_machine far = {longest, &fake_files};
  struct buf out = buf_new(1 << 16);
  for (size_t i = 0; i < REAL; i++) assert_int_equal(providers[i]->evidence(&far, &claim, &out), RESULT_IO);
  buf_free(&out);
}

/* ---- real quotes, where they are ---- */

static struct span sample(const char *name) {
  static uint8_t memory[1 << 16];
  static size_t used;
  const char *folder = getenv("EVIDENCE_SAMPLES") != NULL ? getenv("EVIDENCE_SAMPLES") : EVIDENCE_SAMPLES;
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  const int fd = open(path, O_RDONLY);
  if (fd < 0) {
    print_message("SKIPPED: no samples at %s (EVIDENCE_SAMPLES names another folder)\n", path);
    skip();
  }
  const ssize_t len = read(fd, memory + used, sizeof memory - used);
  close(fd);
  assert_true(len > 0);
  used += (size_t)len;
  return span_of(memory + used - len, (size_t)len);
}

static void test_real_quotes(void **state) {
  (void)state;
  const struct span google = sample("tdx/google_cos113_tdx_quote_v4.bin"),
                    nonce = sample("tdx/google_cos113_nonce.bin");
  assert_int_equal(nonce.len, ATTEST_REPORT_DATA);
  assert_int_equal(quote_check(google, QUOTE_TDX, nonce.data), RESULT_OK);
  assert_int_equal(quote_check(google, QUOTE_TDX, claim.report_data), RESULT_BUSY);
  assert_int_equal(quote_check(google, QUOTE_SGX, nonce.data), RESULT_IO);
  assert_int_equal(quote_check(sample("tdx/google_quote_v5_sample.bin"), QUOTE_TDX, nonce.data), RESULT_BUSY);
  assert_int_equal(quote_check(sample("sgx/phala_sgx_quote_v3.bin"), QUOTE_SGX, nonce.data), RESULT_BUSY);
  assert_int_equal(sample("snp/google_milan_v2_report.bin").len, SNP_REPORT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, boot, halt)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_every_machine_has_its_provider),
      TEST(test_the_first_of_several),
      TEST(test_evidence_in_pieces),
      TEST(test_wrong_sizes_and_kinds),
      TEST(test_half_a_write_is_none),
      TEST(test_concurrent_writers),
      TEST(test_busy),
      TEST(test_generation),
      TEST(test_dropped_writes),
      TEST(test_certificates),
      TEST(test_broken_tables),
      TEST(test_nitro_request),
      TEST(test_nitro_answers),
      TEST(test_a_tree_of_files),
      TEST(test_no_room),
      TEST(test_real_quotes),
  };
  return cmocka_run_group_tests_name("providers", tests, start_crypto, stop_crypto);
}
