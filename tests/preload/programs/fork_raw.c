// SPDX-License-Identifier: Apache-2.0
// A raw clone system call, which runs no fork handlers: the child allocates, the parent is unharmed.
// env: OFFHEAP_SAMPLE=64
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

int main(void) {
  void* kept = used(malloc(100));
  for (int i = 0; i < 20; ++i) {
    long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    CHECK(child >= 0);
    if (child == 0) {
      for (int k = 0; k < 1000; ++k) free(used(malloc(100)));
      _exit(3);
    }
    for (int k = 0; k < 1000; ++k) free(used(malloc(100)));
    int status = 0;
    CHECK(waitpid((pid_t)child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 3);
  }
  free(kept);
}
