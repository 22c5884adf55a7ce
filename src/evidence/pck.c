#include "evidence/pck.h"

#include <openssl/asn1.h>
#include <openssl/err.h>

/* Takes one DER value off the front. False unless it has that tag. */
static bool take(struct span *rest, int tag, struct span *content) {
  const uint8_t *at = rest->data;
  long len = 0;
  int found = 0, class = 0;
  if (rest->len == 0 || rest->len > 65536) return false;
  int how = ASN1_get_object(&at, &len, &found, &class, (long)rest->len);
  if ((how & 0x80) != 0 || (how & 1) != 0 || found != tag || class != V_ASN1_UNIVERSAL) return false;
  *content = span_of(at, (size_t)len);
  *rest = span_of(at + len, rest->len - (size_t)(at - rest->data) - (size_t)len);
  return true;
}

/* 1.2.840.113741.1.13.1 */
static const uint8_t arc[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

/* The arcs below the extension's own; those that are of no interest here have none above 127. */
static struct span below(struct span oid) {
  bool ours = oid.len > sizeof arc && memcmp(oid.data, arc, sizeof arc) == 0;
  return ours ? span_of(oid.data + sizeof arc, oid.len - sizeof arc) : span_of(NULL, 0);
}

/* INTEGER, 0 to 65535. */
static bool take_number(struct span *rest, uint32_t *out) {
  struct span digits;
  if (!take(rest, V_ASN1_INTEGER, &digits) || digits.len == 0 || digits.len > 3 || digits.data[0] > 0x7f) return false;
  uint32_t number = 0;
  for (size_t i = 0; i < digits.len; i++) number = number << 8 | digits.data[i];
  *out = number;
  return number <= UINT16_MAX;
}

static bool take_bytes(struct span *rest, uint8_t *out, size_t len) {
  struct span bytes;
  if (!take(rest, V_ASN1_OCTET_STRING, &bytes) || bytes.len != len) return false;
  memcpy(out, bytes.data, len);
  return true;
}

#define TCB 2u
#define PCE_ID 3u
#define FMSPC 4u
#define PCE_SVN 17u /* below TCB, behind the components 1 to 16 */

/* Members of one sequence that have been seen, by the last arc of their name. */
static bool once(uint32_t *seen, unsigned name) {
  if (name > 31 || (*seen >> name & 1) != 0) return false;
  *seen |= 1u << name;
  return true;
}

/* A pair of name and value; `depth` arcs below the extension's. */
static bool take_pair(struct span *rest, size_t depth, unsigned *name, struct span *value) {
  struct span oid;
  if (!take(rest, V_ASN1_SEQUENCE, value) || !take(value, V_ASN1_OBJECT, &oid)) return false;
  struct span arcs = below(oid);
  if (arcs.len != depth || (depth == 2 && arcs.data[0] != TCB)) return false;
  *name = arcs.data[depth - 1];
  return true;
}

static bool read_tcb(struct span sequence, struct pck *pck) {
  uint32_t seen = 0;
  unsigned name = 0;
  struct span value;
  while (sequence.len > 0) {
    if (!take_pair(&sequence, 2, &name, &value) || !once(&seen, name)) return false;
    if (name >= 1 && name <= PCK_COMPONENTS && !take_number(&value, &pck->component[name - 1])) return false;
    if (name == PCE_SVN && !take_number(&value, &pck->pce_svn)) return false;
    if (name >= 1 && name <= PCE_SVN && value.len > 0) return false;
  }
  const uint32_t all = (2u << PCE_SVN) - 2; /* bits 1 to 17 */
  return (seen & all) == all;
}

static bool read_member(unsigned name, struct span value, struct pck *pck) {
  struct span tcb;
  switch (name) {
    case TCB:
      return take(&value, V_ASN1_SEQUENCE, &tcb) && value.len == 0 && read_tcb(tcb, pck);
    case PCE_ID:
      return take_bytes(&value, pck->pce_id, sizeof pck->pce_id) && value.len == 0;
    case FMSPC:
      return take_bytes(&value, pck->fmspc, sizeof pck->fmspc) && value.len == 0;
    default:
      return true; /* PPID, kind of platform and the like */
  }
}

bool pck_read(struct span extension, struct pck *pck) {
  uint32_t seen = 0;
  unsigned name = 0;
  struct span members, value;
  bool legal = take(&extension, V_ASN1_SEQUENCE, &members) && extension.len == 0;
  while (legal && members.len > 0)
    legal = take_pair(&members, 1, &name, &value) && once(&seen, name) && read_member(name, value, pck);
  ERR_clear_error();
  const uint32_t all = 1u << TCB | 1u << PCE_ID | 1u << FMSPC;
  return legal && (seen & all) == all;
}
