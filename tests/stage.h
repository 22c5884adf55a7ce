/*
 * For tests and benches of the keeper: a keeper in a child process, and this process as its supervisor and its broker.
 * Workers are real ones (or liars). Everything here fails by exit: a stage is not what is tested.
 */
#pragma once

#include <sys/types.h>

#include "wire/service.h"

#define STAGE_WORKERS 64

struct stage {
  pid_t keeper;
  struct channel *control, *broker;
  const char *worker; /* program */
  struct {
    pid_t pid;
    int pidfd;
  } workers[STAGE_WORKERS];
  unsigned spawned, killed, last_nice;
  bool refuse_workers, refuse_evidence;
  struct buf identity; /* body of the keeper's IDENTITY */
};

struct stage_options {
  const char *worker;
  const char *workers, *workers_idle; /* settings; NULL: as they are by default */
  const char *master_key;
  bool no_identity; /* do not wait for it */
  bool refuse_evidence;
};

void stage_open(struct stage *s, const struct stage_options *options);

/* To the keeper, as its broker. */
void stage_tell(struct stage *s, struct buf *b);

/* The next message of `type` to the broker, while requests to the supervisor are served; others are dropped, but an
 * ENDED that is not asked for is a failure. The body holds until the next call. False at the end of the link, or after
 * `ms`. */
bool stage_hear(struct stage *s, uint8_t type, int ms, struct span *body);
/* Any message. */
bool stage_hear_any(struct stage *s, int ms, uint8_t *type, struct span *body);

/* To the keeper, as its supervisor. */
void stage_rotate(struct stage *s, struct span tls_spki);

/* A job with usual limits. */
struct wire_execute stage_job(uint64_t ticket, const char *script);

/* Waits for the keeper to end, closes everything; its exit status, or -1 if a signal ended it. */
int stage_close(struct stage *s);
