/*
 * Runs one probe for one act: starts it with or without a fence, hears what it says, and finds out how it ended.
 */
#pragma once

#include "fence_acts.h"
#include "sandbox/sandbox.h"

enum fence_end {
  FENCE_DID,    /* the act succeeded */
  FENCE_FAILED, /* it did not: `value` is the error number */
  FENCE_KILLED, /* a signal ended the probe before it could tell; `value` is its number */
  FENCE_ENDED,  /* it exited with status `value` without a word */
  FENCE_HUNG    /* nothing was heard for ten seconds */
};

struct fence_run {
  pid_t pid;
  int pidfd, socket;
  struct fence_reply ready; /* all zero if it never got so far */
  enum fence_end end;
  int value;
  bool dumped;
  unsigned descriptors; /* that it sent over the socket */
  bool spoiled;         /* it wrote to this process's memory */
};

/* Where the probe is, whose fence it enters, and a directory that control runs and the broker may fill. All stay in
 * use. */
void fence_run_open(const char *probe, enum sandbox_role role, const char *directory);
/* Starts a probe and hears its first word. False, with the run ended, if there was none. */
bool fence_run_start(struct fence_run *run, enum fence_mode mode, bool allowed, uint32_t act);
/* Hears how the act came out, ends the probe and waits for it. */
void fence_run_finish(struct fence_run *run);
/* Both. */
void fence_run(struct fence_run *run, enum fence_mode mode, bool allowed, uint32_t act);
/* Waits for the run's process; ends it first if it does not end by itself within ten seconds. */
void fence_run_reap(struct fence_run *run);

/* The parts, for a test that has someone else start the probe: `socket` is the run's end of a socket pair. */
bool fence_run_greet(struct fence_run *run, enum fence_mode mode, bool allowed, uint32_t act);
/* True if the probe's socket ends before ten seconds are over. */
bool fence_run_gone(struct fence_run *run);
