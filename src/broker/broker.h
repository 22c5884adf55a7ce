/*
 * The broker: the process that strangers talk to. It speaks HTTP, knows who calls, admits and queues jobs, and keeps
 * the store. It holds request bodies in transit and sealed records; it has no key but TLS's, can open no record and
 * sign nothing.
 *
 * It hears the supervisor (descriptor SANDBOX_SOCKET), the keeper and callers. It never hears a worker, never opens a
 * connection, and opens no file outside the state directory.
 */
#pragma once

#include "sandbox/sandbox.h"

/* Runs the process to its end; returns its exit status. `held`: the fences that came with the process. */
int broker_main(sandbox_set held);
