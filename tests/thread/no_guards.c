/* What an enclave without dynamic memory management does to a program (Gramine's features.md): mprotect says yes, and
 * all memory stays readable and writable. And what Gramine refuses (its libos_socket.c): descriptors by SCM_RIGHTS,
 * flags that it does not know. Loaded by like_gramine.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int mprotect(void *address, size_t len, int protection) { /* NOLINT: the C library's */
  (void)protection;
  return (int)syscall(SYS_mprotect, address, len, PROT_READ | PROT_WRITE);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) { /* NOLINT: likewise */
  if (message->msg_controllen == 0) return syscall(SYS_sendmsg, fd, message, flags);
  errno = EINVAL;
  return -1;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags) { /* NOLINT: likewise */
  if ((flags & ~(MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC)) == 0) return syscall(SYS_recvmsg, fd, message, flags);
  errno = EOPNOTSUPP;
  return -1;
}
