// SPDX-License-Identifier: Apache-2.0
// A sandbox that forbids memfd_create: counts are kept privately, nothing fails.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

/// The filter outlives exec, so it meets the shim's start in the second life of this program.
int main(int argc, char** argv) {
  for (int i = 0; i < 10000; ++i) free(used(malloc(1000)));
  if (argc > 1) return 0;
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
  execl("/proc/self/exe", argv[0], "sandboxed", (char*)NULL);
  return 1;
}
