// SPDX-License-Identifier: Apache-2.0
// A process that enters an empty root, where nothing of /proc or /dev is to be had, and forks there.
// env: OFFHEAP_SAMPLE=256
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

int main(void) {
  char root[] = "/tmp/offheap-chroot-XXXXXX";
  CHECK(mkdtemp(root));
  int entered = chroot(root) == 0 && chdir("/") == 0;
  for (int i = 0; i < 10000; ++i) free(used(malloc(1000)));
  pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 1000; ++i) free(used(malloc(1000)));
    _exit(4);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 4);
  puts(entered ? "in an empty root" : "may not chroot");
  if (!entered) rmdir(root);
}
