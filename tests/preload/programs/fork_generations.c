// SPDX-License-Identifier: Apache-2.0
// Children of children, each allocating before and after its own fork.
// env: OFFHEAP_SAMPLE=64
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static int generation(int left) {
  void* inherited = used(malloc(1000));
  for (int i = 0; i < 1000; ++i) free(used(malloc(100)));
  if (left == 0) return 7;
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    free(inherited);
    _exit(generation(left - 1));
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
  free(inherited);
  return WEXITSTATUS(status);
}

int main(void) { printf("%d\n", generation(8)); }
