/*
 * What a worker, a broker, a keeper and egress must not be able to do: a table of acts, and the few words in which
 * fence_test tells fence_probe to try one.
 *
 * An act is, as far as the kernel lets it, one raw system call; what it needs (a descriptor, a page) is prepared before
 * the fence, so that the call itself meets the fence. In a control run the same act is tried by the same program
 * without one.
 */
#pragma once

#include <sys/types.h>

#include "base/bytes.h"

/* What the prepared acts have open. */
enum { FENCE_FD = 5, FENCE_FD_2 = 6 };

enum fence_mode {
  FENCE_CONTROL, /* started without namespaces, not fenced */
  FENCE_SPAWNED, /* by sandbox_spawn, not fenced yet */
  FENCE_ENTERED  /* as its role runs */
};

/* On the probe's descriptor 0, followed by one byte that acts may read. */
struct fence_command {
  uint32_t mode;    /* enum fence_mode */
  uint32_t allowed; /* which table: 1 = fence_acts_allowed */
  uint32_t act;     /* index into it; FENCE_WAIT: do nothing until the socket ends */
  int32_t parent;   /* the process to molest */
  uint64_t secret;  /* address of a uint64_t in it */
  int32_t parent_fd;
  uint32_t role; /* enum sandbox_role */
};
#define FENCE_WAIT UINT32_MAX

/* What a probe finds before it enters. */
struct fence_world {
  uint32_t environment;    /* variables */
  uint64_t descriptors;    /* open ones below 64, bit by bit */
  uint32_t descriptors_up; /* open ones from 64 on */
  uint32_t uid, gid, groups, pid, parent;
  uint32_t root_entries;     /* in "/", without . and .. */
  uint32_t addresses;        /* network interfaces that have one */
  uint64_t blocked, ignored; /* signals */
};

enum fence_word {
  FENCE_WORD_READY = 1, /* prepared and, if told to, inside; `world`, `held` and `error` (of preparing) count */
  FENCE_WORD_NOISE,     /* written by an act */
  FENCE_WORD_RESULT     /* `error` counts: 0 if the act succeeded */
};

struct fence_reply {
  uint32_t word, held, error, spare;
  struct fence_world world;
};

enum fence_control {
  FENCE_WORKS,  /* anyone may do it on any kernel we run on */
  FENCE_ROOT,   /* root may; or the kernel, its configuration or a container refuses everyone */
  FENCE_KERNEL, /* everyone may, or (as above) nobody */
  FENCE_NONE    /* cannot be tried without a fence: see `why` */
};

struct fence_act {
  const char *name, *what;
  enum fence_control control;
  int (*prepare)(const struct fence_command *command); /* 0 or an error number; may be NULL */
  int (*act)(const struct fence_command *command);     /* 0 or an error number; NULL: */
  long call, args[6];                                  /* this system call */
  unsigned may; /* roles that may do it, bit i for enum sandbox_role i; all others are killed for it */
  unsigned
      refused; /* roles in which it fails instead, with the error `refusal`; EACCES, EPERM: by Landlock, if it can */
  int refusal;
  int reached; /* the error by which the kernel shows that only harmless arguments kept it from going through with it */
  const char *why; /* FENCE_NONE: why */
};

/* What must be stopped, and what must not. */
const struct fence_act *fence_acts_forbidden(size_t *count);
const struct fence_act *fence_acts_allowed(size_t *count);

/* Prepares an act; tries it. Both 0 or an error number. */
int fence_acts_prepare(const struct fence_act *act, const struct fence_command *command);
int fence_acts_try(const struct fence_act *act, const struct fence_command *command);
