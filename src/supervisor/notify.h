/* What systemd is told and tells (sd_notify(3), sd_listen_fds(3)). The protocol is a datagram of text and two numbers;
 * libsystemd would bring five compression and crypto libraries into every process of ours for it. */
#pragma once

#include "base/bytes.h"

/* Sends "READY=1" and the like, if there is somebody to hear it. */
void notify_send(char *const *environment, const char *state);

/* How often "WATCHDOG=1" is expected at most, in microseconds; 0: never. */
uint64_t notify_watchdog_us(char *const *environment);

/* How many listening sockets were passed, from descriptor 3 on; sets close-on-exec on them. */
unsigned notify_sockets(char *const *environment);
#define NOTIFY_FIRST_SOCKET 3
