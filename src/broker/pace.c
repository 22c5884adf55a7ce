#include "broker/pace.h"

#define PAUSE_MS 1000u

enum result pace_take(struct pace *p, const uint8_t key[PACE_KEY], uint64_t now_ms) {
  size_t idle = PACE_ALL;
  for (size_t i = 0; i < PACE_ALL; i++) {
    if (p->moments[i].until_ms <= now_ms)
      idle = i;
    else if (memcmp(p->moments[i].key, key, PACE_KEY) == 0)
      return RESULT_TOO_MANY_REQUESTS;
  }
  if (idle == PACE_ALL) return RESULT_BUSY;
  memcpy(p->moments[idle].key, key, PACE_KEY);
  p->moments[idle].until_ms = now_ms + PAUSE_MS;
  return RESULT_OK;
}
