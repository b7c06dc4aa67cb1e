// SPDX-License-Identifier: Apache-2.0
// exit while three threads are inside malloc: no hang, no crash.
// env: OFFHEAP_SAMPLE=1K
#include <sys/wait.h>
#include <unistd.h>

#include "busy_threads.h"

int main(void) {
  for (int i = 0; i < 40; ++i) {
    pid_t child = fork();
    if (child == 0) {
      pthread_t threads[3];
      start_busy_threads(threads, 3);
      usleep(1000);
      if (i % 2) quick_exit(11);
      exit(11);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 11);
  }
}
