// SPDX-License-Identifier: Apache-2.0
// OFFHEAP_RECORD that cannot be written: one line says so, once for a process and the children that it
// forks, and all of them run, recorded in memory.
// env: OFFHEAP_RECORD=/nonexistent/directory
// stderr: /nonexistent/directory
// expect: running
#include <sys/wait.h>
#include <unistd.h>

#include "own_recording.h"

int main() {
  for (int i = 0; i < 10000; ++i) free(used(malloc(1000)));
  CHECK(own::find_recording());
  for (int child = 0; child < 3; ++child) {
    pid_t pid = fork();
    if (pid == 0) {
      for (int i = 0; i < 10000; ++i) free(used(malloc(1000)));
      _exit(own::find_recording() ? 0 : 1);
    }
    int status = 1;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
  }
  puts("running");
}
