// SPDX-License-Identifier: Apache-2.0
// A child forked while other threads are inside malloc can allocate.
// env: OFFHEAP_SAMPLE=1K
#include <sys/wait.h>
#include <unistd.h>

#include "busy_threads.h"

int main(void) {
  pthread_t threads[3];
  start_busy_threads(threads, 3);
  for (int i = 0; i < 100; ++i) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      for (int k = 0; k < 50; ++k) free(used(malloc((size_t)k * 100)));
      _exit(42);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 42);
  }
  join_busy_threads(threads, 3);
}
