/* A list of nets and a host, each a line: whatever they are, a host that is an address is the one that inet_aton would
 * call, and what never may be reached is not reached by any list. */
#include <arpa/inet.h>

#include "egress/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_host(struct span host, const struct address_nets *nets) {
  char text[64] = "";
  struct in_addr as_others_read;
  struct address a;
  const enum address_host is = address_host(host, &a);
  if (host.len >= sizeof text || (host.len > 0 && memchr(host.data, 0, host.len) != NULL)) return;
  if (host.len > 0) memcpy(text, host.data, host.len);
  const bool number = inet_aton(text, &as_others_read) == 1 && strpbrk(text, " \t\n\v\f\r") == NULL;
  if (is == ADDRESS_NAME && number) abort();
  if (is != ADDRESS_LITERAL) return;
  if (a.bits == 32 && (!number || memcmp(&as_others_read, a.bytes, 4) != 0)) abort();
  if (address_may(&a, &(struct address_nets){.count = 0}, false) != address_is_public(&a)) abort();
  if (address_is_public(&a) && !address_may(&a, nets, false)) abort();
  if (address_may(&a, nets, false) && !address_may(&a, nets, true)) abort();
  if (a.bits == 32 && (a.bytes[0] == 0 || a.bytes[0] >= 224) && address_may(&a, nets, true)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct address_nets nets;
  const uint8_t *line = size > 0 ? memchr(data, '\n', size) : NULL;
  const size_t first = line == NULL ? size : (size_t)(line - data);
  if (!address_parse_nets(span_of(data, first), &nets)) nets.count = 0;
  if (line != NULL) check_host(span_of(line + 1, size - first - 1), &nets);
  return 0;
}
