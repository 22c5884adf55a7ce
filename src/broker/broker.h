/*
 * The broker: the process that strangers talk to. It speaks HTTP, knows who calls, admits and queues jobs, and keeps
 * the store. It holds request bodies in transit and sealed records; it has no key but TLS's, can open no record and
 * sign nothing.
 *
 * It hears the supervisor (on its first socket), the keeper and callers. It never hears a worker, never opens a
 * connection, and opens no file outside the state directory.
 */
#pragma once

#include "sandbox/sandbox.h"

/* Runs to its end; returns its exit status. */
int broker_main(const struct sandbox_place *place);
