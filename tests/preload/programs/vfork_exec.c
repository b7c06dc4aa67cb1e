// SPDX-License-Identifier: Apache-2.0
// vfork and exec, while other threads allocate.
// env: OFFHEAP_SAMPLE=1K
#include <sys/wait.h>
#include <unistd.h>

#include "busy_threads.h"

int main(void) {
  pthread_t threads[2];
  start_busy_threads(threads, 2);
  for (int i = 0; i < 30; ++i) {
    pid_t child = vfork();
    if (child == 0) {
      execl("/bin/true", "true", (char*)NULL);
      _exit(1);
    }
    int status = 1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
  }
  join_busy_threads(threads, 2);
}
