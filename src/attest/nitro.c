/* AWS Nitro Enclaves: CBOR messages through /dev/nsm (Linux, include/uapi/linux/nsm.h; aws-nitro-enclaves-nsm-api). */
#include <cbor.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "attest/machine.h"

#define DEVICE "/dev/nsm"
#define REQUEST_MAX 0x1000u
#define RESPONSE_MAX 0x3000u

/* Debian 12 has no linux/nsm.h yet. */
struct nsm_raw {
  struct {
    uint64_t address, len;
  } request, response;
};
#define NSM_IOCTL_RAW _IOWR(0x0a, 0, struct nsm_raw)

static bool nitro_probe(const struct attest_machine *machine) {
  return machine_has(machine, DEVICE, O_RDWR);
}

static void put_map(struct buf *b, size_t pairs) {
  uint8_t head[9];
  buf_put(b, head, cbor_encode_map_start(pairs, head, sizeof head));
}

static void put_text(struct buf *b, const char *text) {
  uint8_t head[9];
  buf_put(b, head, cbor_encode_string_start(strlen(text), head, sizeof head));
  buf_put_text(b, text);
}

/* No bytes are null, not an empty string. */
static void put_bytes(struct buf *b, struct span bytes) {
  uint8_t head[9];
  const size_t len =
      bytes.len > 0 ? cbor_encode_bytestring_start(bytes.len, head, sizeof head) : cbor_encode_null(head, sizeof head);
  buf_put(b, head, len);
  buf_put_span(b, bytes);
}

static void put_request(struct buf *b, const struct attest_claim *claim) {
  put_map(b, 1);
  put_text(b, "Attestation");
  put_map(b, 3);
  put_text(b, "user_data");
  put_bytes(b, span_of(claim->report_data, ATTEST_REPORT_DATA));
  put_text(b, "nonce");
  put_bytes(b, claim->nonce);
  put_text(b, "public_key");
  put_bytes(b, span_of(claim->agree_key, AGREE_PUBLIC));
}

/* The value of the only member that has this name; NULL if there is none. The map keeps it. */
static cbor_item_t *member(const cbor_item_t *map, const char *name) {
  if (map == NULL || !cbor_isa_map(map) || cbor_map_size(map) != 1) return NULL;
  const struct cbor_pair *pair = cbor_map_handle(map);
  if (!cbor_isa_string(pair->key) || !cbor_string_is_definite(pair->key)) return NULL;
  return span_is(span_of(cbor_string_handle(pair->key), cbor_string_length(pair->key)), name) ? pair->value : NULL;
}

/* {"Attestation":{"document":bytes}}; failures are {"Error":text}. The document is looked into only to see whether it
 * speaks of our report data. */
static enum result put_document(struct span response, const struct attest_claim *claim, struct buf *out) {
  struct cbor_load_result loaded;
  cbor_item_t *root = cbor_load(response.data, response.len, &loaded);
  const cbor_item_t *document = member(member(root, "Attestation"), "document");
  enum result r = RESULT_IO;
  if (document != NULL && loaded.read == response.len && cbor_isa_bytestring(document) &&
      cbor_bytestring_is_definite(document)) {
    const struct span bytes = span_of(cbor_bytestring_handle(document), cbor_bytestring_length(document));
    if (memmem(bytes.data, bytes.len, claim->report_data, ATTEST_REPORT_DATA) != NULL) {
      buf_put_span(out, bytes);
      r = out->bad ? RESULT_NO_MEMORY : RESULT_OK;
    }
  }
  if (root != NULL) cbor_decref(&root);
  return r;
}

static enum result attempt(const struct attest_machine *machine, const struct attest_claim *claim, const char *path,
                           struct buf *out) {
  uint8_t memory[REQUEST_MAX], response[RESPONSE_MAX];
  struct buf request = buf_fixed(memory, sizeof memory);
  int fd = -1;
  put_request(&request, claim);
  if (request.bad) return RESULT_IO;
  enum result r = machine_open(machine, path, O_RDWR, &fd);
  if (r != RESULT_OK) return r;
  struct nsm_raw raw = {{(uintptr_t)request.data, request.len}, {(uintptr_t)response, sizeof response}};
  r = machine_ioctl(machine, fd, NSM_IOCTL_RAW, &raw);
  machine_close(machine, fd);
  if (r == RESULT_OK && raw.response.len > sizeof response) r = RESULT_IO;
  return r == RESULT_OK ? put_document(span_of(response, raw.response.len), claim, out) : r;
}

static enum result nitro_evidence(const struct attest_machine *machine, const struct attest_claim *claim,
                                  struct buf *out) {
  return machine_insist(machine, attempt, claim, DEVICE, out);
}

const struct attest_provider attest_nitro = {"nitro", "nitro", "application/vnd.neocompute.nitro-evidence+cose",
                                             nitro_probe, nitro_evidence};
