/*
 * The fence around a process: two functions, one file for each mechanism (sandbox_spawn.c: namespaces and users;
 * sandbox_calls.c: system calls; sandbox_files.c: files; sandbox_linux.c: the rest).
 *
 * sandbox_spawn starts a program outside everything it does not need: fresh namespaces, an unprivileged user, no
 * descriptor but one socket. The program calls sandbox_enter as soon as it is ready to hear strangers, and from then on
 * has only the system calls its role lists. Kernels and containers grant more or less of this; what was refused is
 * reported, never ignored.
 */
#pragma once

#include <sys/types.h>

#include "base/result.h"

/* The fences, each with the name it has in logs, in /info and in receipts. */
#define SANDBOX_FENCES(X)                                    \
  X(SYSTEM_CALLS, "seccomp") /* default: kill the process */ \
  X(NO_NEW_PRIVILEGES, "no_new_privs")                       \
  X(NO_CAPABILITIES, "no_capabilities")                      \
  X(RESOURCES, "rlimits")                                    \
  X(UNDUMPABLE, "undumpable") /* no ptrace, no core dump */  \
  X(USER, "unprivileged_user")                               \
  X(NETWORK, "net_namespace")                                \
  X(MOUNT, "mount_namespace")                                \
  X(PROCESSES, "pid_namespace")                              \
  X(IPC, "ipc_namespace")                                    \
  X(EMPTY_ROOT, "empty_root")                                \
  X(LANDLOCK, "landlock")

#define SANDBOX_BIT(id, name) SANDBOX_BIT_##id,
enum sandbox_bit { SANDBOX_FENCES(SANDBOX_BIT) SANDBOX_COUNT };
#undef SANDBOX_BIT

/* A set of fences: bit i is enum sandbox_bit i. */
typedef uint32_t sandbox_set;
#define SANDBOX_ALL ((sandbox_set)((1u << SANDBOX_COUNT) - 1))
/* Without these no process of ours hears strangers; the others are depth. */
#define SANDBOX_REQUIRED \
  ((sandbox_set)(1u << SANDBOX_BIT_SYSTEM_CALLS | 1u << SANDBOX_BIT_NO_NEW_PRIVILEGES | 1u << SANDBOX_BIT_RESOURCES))

/* What broker and keeper can hold: they are linked dynamically, so they start among the machine's files. */
#define SANDBOX_SERVICE (SANDBOX_ALL & ~((sandbox_set)(1u << SANDBOX_BIT_MOUNT | 1u << SANDBOX_BIT_EMPTY_ROOT)))

const char *sandbox_name(enum sandbox_bit bit);

/* And egress, whose network is the machine's. */
#define SANDBOX_OUTSIDE (SANDBOX_SERVICE & ~((sandbox_set)(1u << SANDBOX_BIT_NETWORK)))

/* Who lives in it. A worker's program is statically linked and stands alone: it has an empty root and no standard
 * error. Broker, keeper and egress are linked dynamically: they see the machine's files until they enter, and keep
 * standard error for the log. */
enum sandbox_role { SANDBOX_WORKER, SANDBOX_BROKER, SANDBOX_KEEPER, SANDBOX_EGRESS };
#define SANDBOX_ROLES 4

/* The descriptors a spawned program finds: a worker these two and no other; the others the socket, and their parent's
 * standard error as 1 and 2. */
enum { SANDBOX_SOCKET = 0, SANDBOX_PROGRAM = 3 };

/* What a role's main needs to know of where it runs. */
struct sandbox_place {
  int socket; /* to whom started it; the main's from here on */
  sandbox_set held;
  bool alone; /* the process is its own: signals and all memory are its to care for */
};

/* What this program can do: linked from sandbox_linux.c, or from sandbox_none.c where everybody is a thread. */
struct sandbox_profile {
  const char *name;               /* in /info and in receipts: "process", "thread" */
  sandbox_set possible, required; /* of a worker's fences; without the required ones nobody hears strangers */
};
extern const struct sandbox_profile sandbox_profile;

static inline bool sandbox_suffices(sandbox_set held) {
  return (held & sandbox_profile.required) == sandbox_profile.required;
}

/* Starts `program` (an open, readable descriptor of an executable) with `socket` as its descriptor 0, an empty
 * environment, and argv = {name, the set of fences already held in decimal}. It ends when its parent does. If root
 * calls, the program's user is nobody; else it is the caller's, inside a user namespace. `pidfd` (close-on-exec, the
 * caller closes it) refers to the process. RESULT_IO if it could not be started at all. */
enum result must_use sandbox_spawn(enum sandbox_role role, const char *name, int program, int socket, pid_t *pid,
                                   int *pidfd);

/* Gives up everything but the role's system calls, for good. Call it before the first thread is started: Landlock and
 * capabilities are a thread's. What a library reads from files at its start must have been read: OpenSSL's
 * configuration, time zones, locales.
 *
 * `directory` is all that the broker may read and change from here on, with the files in it; NULL: no file at all. The
 * other roles have NULL; egress may read what the resolver needs (sandbox_files.c). The soft limit of descriptors of
 * broker and egress is raised to the hard one.
 *
 * `held` comes in as what sandbox_spawn has done and goes out as all that holds. RESULT_IO if there is no such
 * directory, RESULT_SANDBOX_REFUSED if one of SANDBOX_REQUIRED could not be had: the caller must end. */
enum result must_use sandbox_enter(enum sandbox_role role, const char *directory, sandbox_set *held);
