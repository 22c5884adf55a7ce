/*
 * configfs-tsm (Linux, Documentation/ABI/testing/configfs-tsm-report): a folder for each request; what is written to
 * its `inblob` is in the report that reading `outblob` makes. Each write, by whomever, adds one to `generation`.
 */
#include "attest/machine.h"
#include "attest/quote.h"
#include "attest/snp.h"
#include "base/text.h"
#include "crypto/random.h"

#define REPORTS "/sys/kernel/config/tsm/report/"
#define BLOB_MAX (32u << 10)
#define FOLDER_SIZE 64u
#define PATH_SIZE 96u

static void path_of(char out[PATH_SIZE], const char *folder, const char *file) {
  snprintf(out, PATH_SIZE, "%.*s/%s", (int)FOLDER_SIZE - 1, folder, file);
}

/* A folder of our own, that nobody else can know. */
static enum result folder_new(const struct attest_machine *machine, char out[FOLDER_SIZE]) {
  uint8_t id[8], memory[FOLDER_SIZE];
  struct buf path = buf_fixed(memory, sizeof memory);
  enum result r = random_bytes(id, sizeof id);
  if (r != RESULT_OK) return r;
  buf_put_text(&path, REPORTS "neocompute-");
  text_put_hex(&path, span_of(id, sizeof id));
  buf_put_u8(&path, 0);
  memcpy(out, path.data, path.len);
  return machine_mkdir(machine, out);
}

static enum result read_file(const struct attest_machine *machine, const char *folder, const char *file, size_t max,
                             struct buf *out) {
  char path[PATH_SIZE];
  path_of(path, folder, file);
  return machine_read(machine, path, max, out);
}

static enum result read_generation(const struct attest_machine *machine, const char *folder, uint64_t *out) {
  uint8_t memory[32];
  struct buf text = buf_fixed(memory, sizeof memory);
  enum result r = read_file(machine, folder, "generation", sizeof memory, &text);
  if (r != RESULT_OK) return r;
  if (text.len > 0 && text.data[text.len - 1] == '\n') text.len--;
  return text_u64(buf_span(&text), 0, UINT64_MAX, out) == RESULT_OK ? RESULT_OK : RESULT_IO;
}

/* Reads what the report consists of, and appends it as evidence. */
typedef enum result (*reader)(const struct attest_machine *machine, const char *folder,
                              const struct attest_claim *claim, struct buf *out);

/* Ours is the only write between the two looks at `generation`, or the report may be anybody's. */
static enum result attempt(const struct attest_machine *machine, const struct attest_claim *claim, const char *folder,
                           reader read, struct buf *out) {
  char path[PATH_SIZE];
  uint64_t before = 0, after = 0;
  path_of(path, folder, "inblob");
  enum result r = read_generation(machine, folder, &before);
  /* configfs passes the bytes on when the file is closed, and drops the error: that the write was refused shows in the
   * generation. */
  if (r == RESULT_OK) r = machine_write(machine, path, span_of(claim->report_data, ATTEST_REPORT_DATA));
  if (r == RESULT_OK) r = read(machine, folder, claim, out);
  if (r == RESULT_OK) r = read_generation(machine, folder, &after);
  return r == RESULT_OK && after != before + 1 ? RESULT_BUSY : r;
}

static enum result read_tdx(const struct attest_machine *machine, const char *folder, const struct attest_claim *claim,
                            struct buf *out) {
  const size_t before = out->len;
  enum result r = read_file(machine, folder, "outblob", BLOB_MAX, out);
  return r == RESULT_OK ? quote_check(buf_since(out, before), QUOTE_TDX, claim->report_data) : r;
}

static enum result read_snp(const struct attest_machine *machine, const char *folder, const struct attest_claim *claim,
                            struct buf *out) {
  struct buf report = buf_new(BLOB_MAX), table = buf_new(BLOB_MAX);
  enum result r = read_file(machine, folder, "outblob", BLOB_MAX, &report);
  if (r == RESULT_OK) r = read_file(machine, folder, "auxblob", BLOB_MAX, &table);
  if (r == RESULT_OK) r = snp_put_evidence(out, buf_span(&report), buf_span(&table), claim->report_data);
  buf_free(&report);
  buf_free(&table);
  return r;
}

static enum result attempt_tdx(const struct attest_machine *machine, const struct attest_claim *claim,
                               const char *folder, struct buf *out) {
  return attempt(machine, claim, folder, read_tdx, out);
}

static enum result attempt_snp(const struct attest_machine *machine, const struct attest_claim *claim,
                               const char *folder, struct buf *out) {
  return attempt(machine, claim, folder, read_snp, out);
}

static enum result evidence(const struct attest_machine *machine, machine_attempt attempt_one,
                            const struct attest_claim *claim, struct buf *out) {
  char folder[FOLDER_SIZE];
  enum result r = folder_new(machine, folder);
  if (r != RESULT_OK) return r;
  r = machine_insist(machine, attempt_one, claim, folder, out);
  machine_rmdir(machine, folder);
  return r;
}

/* The kernel says only inside a folder who reports there; without anybody there can be no folder. */
static bool driver_is(const struct attest_machine *machine, const char *driver) {
  char folder[FOLDER_SIZE], path[PATH_SIZE];
  if (folder_new(machine, folder) != RESULT_OK) return false;
  path_of(path, folder, "provider");
  const bool is = machine_says(machine, path, driver);
  machine_rmdir(machine, folder);
  return is;
}

static bool tdx_probe(const struct attest_machine *machine) {
  return driver_is(machine, "tdx_guest");
}

static bool snp_probe(const struct attest_machine *machine) {
  return driver_is(machine, "sev_guest");
}

static enum result tdx_evidence(const struct attest_machine *machine, const struct attest_claim *claim,
                                struct buf *out) {
  return evidence(machine, attempt_tdx, claim, out);
}

static enum result snp_evidence(const struct attest_machine *machine, const struct attest_claim *claim,
                                struct buf *out) {
  return evidence(machine, attempt_snp, claim, out);
}

const struct attest_provider attest_tsm_tdx = {"tdx", "tdx", "application/vnd.intel.tdx-quote", tdx_probe,
                                               tdx_evidence};
const struct attest_provider attest_tsm_snp = {"snp", "snp", "application/vnd.neocompute.snp-evidence", snp_probe,
                                               snp_evidence};
