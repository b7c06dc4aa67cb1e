// SPDX-License-Identifier: Apache-2.0
// Fd 2 is a pipe that nobody reads, or that is full, when the shim has something to say: it neither
// draws a SIGPIPE nor waits.
// env: OFFHEAP_BACKEND=no-such-backend
// stderr: no-such-backend
// backends: glibc -- the same for all
// expect: alive alive
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static int start_with_stderr(char** argv, int fd) {
  pid_t child = fork();
  if (child == 0) {
    dup2(fd, 2);
    execl("/proc/self/exe", argv[0], "child", (char*)NULL);
    _exit(1);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int main(int argc, char** argv) {
  if (argc > 1) return 17;
  int unread[2], full[2];
  CHECK(pipe(unread) == 0 && pipe(full) == 0);
  close(unread[0]);
  CHECK(fcntl(full[1], F_SETFL, O_NONBLOCK) == 0);
  static char page[4096];
  while (write(full[1], page, sizeof page) > 0) continue;
  CHECK(fcntl(full[1], F_SETFL, 0) == 0);
  alarm(20);
  printf("%s ", start_with_stderr(argv, unread[1]) == 17 ? "alive" : "dead");
  printf("%s\n", start_with_stderr(argv, full[1]) == 17 ? "alive" : "dead");
}
