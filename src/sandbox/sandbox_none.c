/*
 * No fence: the thread profile, where everybody is in one process. An enclave has no system call filter, no namespaces
 * and no users to be somebody else; what keeps a script from the keys there is the engine alone (software fault
 * isolation with a check at every access). No fence is held and none is claimed: /info, the log and receipts say
 * "thread". Linked instead of the other files of this folder.
 */
#include "sandbox/sandbox.h"

const struct sandbox_profile sandbox_profile = {"thread", 0, 0};

const char *sandbox_name(enum sandbox_bit bit) {
  static const char *const names[] = {
#define SANDBOX_NAME(id, name) name,
      SANDBOX_FENCES(SANDBOX_NAME)
#undef SANDBOX_NAME
  };
  return (unsigned)bit < SANDBOX_COUNT ? names[bit] : "unknown";
}

/* There are no other programs: an enclave that started one would need another enclave. */
enum result sandbox_spawn(enum sandbox_role role, const char *name, int program, int socket,
                          pid_t *pid /* NOLINT(readability-non-const-parameter) */,
                          int *pidfd /* NOLINT(readability-non-const-parameter): elsewhere they are written */) {
  (void)role, (void)name, (void)program, (void)socket, (void)pid, (void)pidfd;
  return RESULT_SANDBOX_REFUSED;
}

enum result sandbox_enter(enum sandbox_role role, const char *directory, sandbox_set *held) {
  (void)role, (void)directory;
  *held = 0;
  return RESULT_OK;
}
