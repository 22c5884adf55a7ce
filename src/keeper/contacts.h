/* What a job asked of the outside, as it is kept for its reply and its receipt: docs/protocol.md, "The outside". */
#pragma once

#include "base/url.h"

#define OUTSIDE_HOSTS_MAX 32u

struct contacts {
  struct buf hosts; /* blocks, in the order of first contact */
  size_t host_count;
  struct buf lines;
  size_t line_count;
};

struct contacts contacts_new(void);
/* Notes the host of an exchange that begins. RESULT_FETCH_TOO_MANY if it would be one too many: then it may not. */
enum result must_use contacts_contact(struct contacts *o, const struct url *url);
/* Appends the line of an exchange. Of one that failed `result` says why; else status and body count. */
void contacts_put_line(struct buf *b, struct span method, struct span url, enum result result, uint32_t status,
                       struct span body);
void contacts_ended(struct contacts *o, struct span method, struct span url, enum result result, uint32_t status,
                    struct span body);
/* Canonical JSON. `more`: lines of exchanges that nobody waits for any more. */
void contacts_put(const struct contacts *o, struct span more, size_t more_count, struct buf *b);
void contacts_free(struct contacts *o);
