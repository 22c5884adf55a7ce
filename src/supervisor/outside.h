/*
 * The egress process, as the supervisor has it: started, and started again whenever it ends. Nothing else ends with it:
 * the keeper answers what egress had not, and is handed a link to the next one.
 */
#pragma once

#include <event2/event.h>

#include "base/result.h"

struct outside;

struct outside_hooks {
  void *context;
  /* The keeper's end of its link to egress; the caller closes it. */
  void (*hand)(void *context, int fd);
  void (*fenced)(void *context, uint32_t fences);
};

/* `program` is neocompute-egress, open until outside_free. `setup` is its whole first message, which is kept (it holds
 * the credentials of the database) and taken over in any case. RESULT_NO_MEMORY; that egress does not start is
 * logged, and tried again. */
enum result must_use outside_new(struct event_base *base, int program, struct buf *setup,
                                 const struct outside_hooks *hooks, struct outside **out);
/* Has it end, waits for that a moment, wipes its setup. NULL is fine. */
void outside_free(struct outside *o);
