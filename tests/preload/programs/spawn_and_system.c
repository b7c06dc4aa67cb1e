// SPDX-License-Identifier: Apache-2.0
// posix_spawn, system and popen start children that load the shim in turn.
// env: OFFHEAP_SAMPLE=1K
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "busy_threads.h"

int main(void) {
  pthread_t threads[2];
  start_busy_threads(threads, 2);
  char* arguments[] = {"true", NULL};
  for (int i = 0; i < 15; ++i) {
    pid_t child = 0;
    int status = 1;
    CHECK(posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ) == 0);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(WEXITSTATUS(system("exit 9")) == 9);
    char text[16] = "";
    FILE* pipe = popen("echo piped", "r");
    CHECK(fgets(text, sizeof text, pipe) && strcmp(text, "piped\n") == 0);
    CHECK(pclose(pipe) == 0);
  }
  join_busy_threads(threads, 2);
}
