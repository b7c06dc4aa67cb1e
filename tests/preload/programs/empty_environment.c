// SPDX-License-Identifier: Apache-2.0
// A program that clears its environment after the start, and one started with LD_PRELOAD alone.
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

int main(int argc, char** argv) {
  for (int i = 0; i < 1000; ++i) free(used(malloc(1000)));
  if (argc > 1) return 0;
  char preload[4096];
  const char* value = getenv("LD_PRELOAD");
  snprintf(preload, sizeof preload, "LD_PRELOAD=%s", value ? value : "");
  CHECK(clearenv() == 0);
  for (int i = 0; i < 1000; ++i) free(used(malloc(1000)));
  char* arguments[] = {argv[0], "child", NULL};
  char* environment[] = {preload, NULL};
  execve("/proc/self/exe", arguments, environment);
  return 1;
}
