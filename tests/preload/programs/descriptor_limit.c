// SPDX-License-Identifier: Apache-2.0
// A process that may open no descriptor (RLIMIT_NOFILE 3), and its children, allocate as ever.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

int main(void) {
  for (int i = 0; i < 1000; ++i) free(used(malloc(1000)));
  struct rlimit limit = {3, 3};
  CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  for (int i = 0; i < 2; ++i) {
    pid_t child = fork();
    if (child == 0) {
      for (int k = 0; k < 1000; ++k) free(used(malloc(1000)));
      _exit(6);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 6);
  }
}
