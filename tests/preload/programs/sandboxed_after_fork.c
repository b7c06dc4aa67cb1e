// SPDX-License-Identifier: Apache-2.0
// A forked child that enters a sandbox, where whatever opens or asks for a file is the end, and is
// sampled there.
// env: OFFHEAP_SAMPLE=4K
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define ENDS(name)                                       \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), \
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

static void enter_sandbox(void) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      ENDS(open),
      ENDS(openat),
      ENDS(readlink),
      ENDS(readlinkat),
      ENDS(memfd_create),
      ENDS(ftruncate),
      ENDS(fallocate),
      ENDS(prctl),
      ENDS(getppid),
      ENDS(stat),
      ENDS(newfstatat),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

int main(void) {
  pid_t child = fork();
  if (child == 0) {
    free(used(malloc(100)));
    enter_sandbox();
    for (int i = 0; i < 20000; ++i) free(used(malloc(1000)));
    _exit(9);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 9);
}
