// SPDX-License-Identifier: Apache-2.0
// Handlers of pthread_atfork allocate and free around each fork, registered before and after the first
// allocation; threads allocate meanwhile.
// env: OFFHEAP_SAMPLE=512
#include <sys/wait.h>
#include <unistd.h>

#include "busy_threads.h"

static void* kept;

static void work(void) {
  free(kept);
  kept = used(malloc(3000));
  for (size_t i = 1; i < 50; ++i) free(used(malloc(i * 40)));
}

int main(void) {
  CHECK(pthread_atfork(work, work, work) == 0);
  free(used(malloc(100)));
  CHECK(pthread_atfork(work, work, work) == 0);
  for (int i = 0; i < 30; ++i) {
    pid_t child = fork();
    if (child == 0) {
      work();
      _exit(13);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 13);
  }
}
