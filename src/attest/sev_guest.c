/* SEV-SNP by ioctl (Linux, Documentation/virt/coco/sev-guest.rst): for kernels before 6.7, as Debian 12's is. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sev-guest.h>
#include <sys/ioctl.h>

#include "attest/machine.h"
#include "attest/snp.h"

#define DEVICE "/dev/sev-guest"
#define TABLE_MAX (16u << 10) /* the driver's SEV_FW_BLOB_MAX_SIZE; whole pages */
#define HEADER 32u            /* MSG_REPORT_RSP: status u32, size u32, reserved; the report follows */

struct exchange {
  struct snp_ext_report_req request;
  struct snp_report_resp response;
  uint8_t table[TABLE_MAX];
};

static bool sev_guest_probe(const struct attest_machine *machine) {
  return machine_has(machine, DEVICE, O_RDWR);
}

/* Asks for a report and at most `table` bytes of certificates. */
static enum result ask(const struct attest_machine *machine, int fd, uint32_t table, struct exchange *x) {
  x->request.certs_address = table > 0 ? (uintptr_t)x->table : 0;
  x->request.certs_len = table;
  struct snp_guest_request_ioctl call = {
      .msg_version = 1, .req_data = (uintptr_t)&x->request, .resp_data = (uintptr_t)&x->response};
  return machine_ioctl(machine, fd, SNP_GET_EXT_REPORT, &call);
}

/* A host with more certificates than the driver has room for: the report alone, verifiers can find the chain. */
static enum result ask_for_all(const struct attest_machine *machine, int fd, struct exchange *x) {
  enum result r = ask(machine, fd, TABLE_MAX, x);
  if (r != RESULT_IO || errno != ENOSPC) return r;
  memset(x->table, 0, sizeof x->table);
  return ask(machine, fd, 0, x);
}

static enum result put_answer(const struct exchange *x, const struct attest_claim *claim, struct buf *out) {
  struct cursor c = cursor_of(span_of(x->response.data, sizeof x->response.data));
  const uint32_t status = cursor_u32(&c), size = cursor_u32(&c);
  cursor_bytes(&c, HEADER - 8);
  const struct span report = cursor_bytes(&c, size);
  if (status != 0 || c.bad) return RESULT_IO;
  return snp_put_evidence(out, report, span_of(x->table, sizeof x->table), claim->report_data);
}

static enum result attempt(const struct attest_machine *machine, const struct attest_claim *claim, const char *path,
                           struct buf *out) {
  int fd = -1;
  enum result r = machine_open(machine, path, O_RDWR, &fd);
  if (r != RESULT_OK) return r;
  struct exchange *x = calloc(1, sizeof *x);
  if (x == NULL) r = RESULT_NO_MEMORY;
  if (r == RESULT_OK) memcpy(x->request.data.user_data, claim->report_data, ATTEST_REPORT_DATA);
  if (r == RESULT_OK) r = ask_for_all(machine, fd, x);
  if (r == RESULT_OK) r = put_answer(x, claim, out);
  free(x);
  machine_close(machine, fd);
  return r;
}

static enum result sev_guest_evidence(const struct attest_machine *machine, const struct attest_claim *claim,
                                      struct buf *out) {
  return machine_insist(machine, attempt, claim, DEVICE, out);
}

const struct attest_provider attest_sev_guest = {"sev-guest", "snp", "application/vnd.neocompute.snp-evidence",
                                                 sev_guest_probe, sev_guest_evidence};
