// SPDX-License-Identifier: Apache-2.0
// A setuid program drops the preload, as the loader has it, and runs as ever.
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/// In its second life, as a setuid program: whether a preloaded library is mapped.
static int report(void) {
  char line[4096];
  FILE* maps = fopen("/proc/self/maps", "r");
  while (maps && fgets(line, sizeof line, maps))
    if (strstr(line, "libshim")) return 1;
  free(used(malloc(1000)));
  return 21;
}

int main(int argc, char** argv) {
  if (argc > 1) return report();
  if (geteuid() != 0) return 0;  // only root can make a program of another user
  char copy[64] = "/tmp/offheap-setuid-XXXXXX";
  CHECK(mkdtemp(copy));
  strcat(copy, "/program");
  char command[256];
  snprintf(command, sizeof command, "cp /proc/%d/exe %s && chmod 4755 %s %.*s", getpid(), copy, copy,
           (int)(strrchr(copy, '/') - copy), copy);
  CHECK(system(command) == 0);
  pid_t child = fork();
  if (child == 0) {
    if (setuid(65534) != 0) _exit(2);
    execl(copy, argv[0], "setuid", (char*)NULL);
    _exit(3);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 21);
  unlink(copy);
  *strrchr(copy, '/') = 0;
  rmdir(copy);
}
