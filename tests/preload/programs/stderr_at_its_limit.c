// SPDX-License-Identifier: Apache-2.0
// What the shim says where standard error is a file as large as the process's limit allows: no signal.
// env: OFFHEAP_RECORD=/nonexistent/directory
// stderr: /nonexistent/directory
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/// The limit outlives exec, so it meets what the shim says in the second life of this program.
int main(int argc, char** argv) {
  if (argc > 1) {
    sigset_t pending;
    CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGXFSZ));
    return 9;
  }
  pid_t child = fork();
  if (child == 0) {
    struct rlimit limit = {1, 1};
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    CHECK(dup2(memfd_create("standard error", 0), 2) == 2);
    execl("/proc/self/exe", argv[0], "again", (char*)NULL);
    _exit(1);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 9);
}
