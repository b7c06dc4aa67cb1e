// SPDX-License-Identifier: Apache-2.0
// _Fork, which is async-signal-safe and runs no handlers.
// env: OFFHEAP_SAMPLE=64
// glibc: 2.34 -- _Fork
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

int main(void) {
  for (int i = 0; i < 20; ++i) {
    free(used(malloc(100)));
    pid_t child = _Fork();
    CHECK(child >= 0);
    if (child == 0) {
      for (int k = 0; k < 1000; ++k) free(used(malloc(100)));
      _exit(3);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 3);
  }
}
