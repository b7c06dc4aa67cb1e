// SPDX-License-Identifier: Apache-2.0
// Started with descriptors 0, 1 and 2 closed: none of them is taken by us.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

int main(int argc, char** argv) {
  if (argc > 1) {
    free(used(malloc(1000)));
    return open("/dev/null", O_RDWR) == 0 && open("/dev/null", O_RDWR) == 1 ? 21 : 1;
  }
  pid_t child = fork();
  if (child == 0) {
    close(0), close(1), close(2);
    execl("/proc/self/exe", argv[0], "closed", (char*)NULL);
    _exit(2);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  printf("%d\n", WEXITSTATUS(status));
}
