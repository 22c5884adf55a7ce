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

/* The answer, item by item: {"Attestation":{"document":bytes}}; failures are {"Error":text}. Not cbor_load, which
 * allocates what the host says that it will send. */
enum step { OUTER, VARIANT, INNER, NAME, DOCUMENT, END };

struct reading {
  enum step step;
  struct span document;
};

static void on_map(void *context, size_t pairs) {
  struct reading *r = context;
  if (pairs == 1 && (r->step == OUTER || r->step == INNER)) r->step++;
}

static void on_text(void *context, cbor_data text, size_t len) {
  struct reading *r = context;
  const char *want = r->step == VARIANT ? "Attestation" : r->step == NAME ? "document" : NULL;
  if (want != NULL && span_is(span_of(text, len), want)) r->step++;
}

static void on_bytes(void *context, cbor_data bytes, size_t len) {
  struct reading *r = context;
  if (r->step != DOCUMENT) return;
  r->document = span_of(bytes, len);
  r->step = END;
}

/* Each item must bring the reading a step further, and the last one must be the end. */
static bool read_response(struct span rest, struct span *document) {
  struct cbor_callbacks on = cbor_empty_callbacks;
  struct reading reading = {.step = OUTER};
  on.map_start = on_map;
  on.string = on_text;
  on.byte_string = on_bytes;
  for (enum step want = OUTER + 1; want <= END; want++) {
    const struct cbor_decoder_result item = cbor_stream_decode(rest.data, rest.len, &on, &reading);
    if (item.status != CBOR_DECODER_FINISHED || reading.step != want) return false;
    rest = span_of(rest.data + item.read, rest.len - item.read);
  }
  *document = reading.document;
  return rest.len == 0;
}

/* The document is looked into only to see whether it speaks of our report data. */
static enum result put_document(struct span response, const struct attest_claim *claim, struct buf *out) {
  struct span document;
  if (response.len == 0 || !read_response(response, &document)) return RESULT_IO;
  if (memmem(document.data, document.len, claim->report_data, ATTEST_REPORT_DATA) == NULL) return RESULT_IO;
  buf_put_span(out, document);
  return out->bad ? RESULT_NO_MEMORY : RESULT_OK;
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

const struct attest_provider attest_nitro = {"nitro", "nitro", "application/vnd.neocompute.nitro-evidence+cbor",
                                             nitro_probe, nitro_evidence};
